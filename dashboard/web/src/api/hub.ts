// The hub's routes, one function each, typed by its OpenAPI document.

import { ask, type Answer } from './client';
import type * as T from './types.gen';

const V1 = '/api/v1';
const id = encodeURIComponent;

/** A rule as `GET /rules` tells it; the document leaves its shape open. */
export interface RuleInfo {
  id: string;
  version: string;
  file: string;
  title: T.Title;
  action: T.Title;
  owner: string;
  hazard: T.Hazard;
  class: string | null;
  on: string;
  levels: { level: T.Level; raise: string; clear: string; for_s: number }[];
  active_alarms: number;
  pending: number;
  unknowns: number;
  last_error: string | null;
}

/** The steps and side moves of an incident. */
export type StepName =
  | 'acknowledge' | 'take' | 'note' | 'accept' | 'file' | 'dispatch' | 'handle' | 'verify' | 'close'
  | 'return' | 'reject' | 'merge' | 'suspend' | 'resume' | 'cancel' | 'reopen';

export const session = {
  who: (signal?: AbortSignal) => ask<T.SessionView>(`${V1}/session`, opt(signal)),
  logIn: (username: string, password: string) =>
    ask<T.SessionView>(`${V1}/session`, { method: 'POST', body: { username, password } }),
  logOut: () => ask<void>(`${V1}/session`, { method: 'DELETE', read: 'nothing' }),
};

export const town = {
  grids: (signal?: AbortSignal) => ask<T.Grid[]>(`${V1}/grids`, opt(signal)),
  map: (signal?: AbortSignal) => ask<TownMapJson>(`${V1}/town.geojson`, opt(signal)),
  hub: (signal?: AbortSignal) => ask<T.HubView>(`${V1}/hub`, opt(signal)),
  alive: (signal?: AbortSignal) => ask<void>('/healthz', { read: 'nothing', ...opt(signal) }),
};

export const emergency = {
  current: (signal?: AbortSignal) => ask<T.EmergencyView>(`${V1}/emergency`, opt(signal)),
  begin: (body: T.EmergencyWish) => ask<T.Emergency>(`${V1}/emergency`, { method: 'POST', body }),
  end: () => ask<void>(`${V1}/emergency`, { method: 'DELETE', read: 'nothing' }),
};

/** GeoJSON as the map layer reads it. */
export interface TownMapJson {
  type: 'FeatureCollection';
  features: { properties: Record<string, unknown> | null }[];
}

export interface OutageQuery {
  kind?: T.Kind | undefined;
  /** A group's id, or `none` for what is in no group. */
  group?: string;
  limit?: number;
  cursor?: string | undefined;
}
export const sources = {
  /** Without statuses and readings, which the event socket tells. */
  page: (cursor: string | undefined, limit: number, signal?: AbortSignal) =>
    ask<T.SourcePage>(`${V1}/sources`, { query: { limit, cursor, bare: 'true' }, ...opt(signal) }),
  connections: (source: string, signal?: AbortSignal) =>
    ask<T.ConnectionsView>(`${V1}/sources/${id(source)}/connections`, opt(signal)),
  rates: (kind: T.Kind | undefined, signal?: AbortSignal) => ask<T.RatesView>(`${V1}/rates`, { query: { kind }, ...opt(signal) }),
  outages: (query: OutageQuery, signal?: AbortSignal) => ask<T.OutagePage>(`${V1}/outages`, { query: { ...query }, ...opt(signal) }),
  one: (source: string, signal?: AbortSignal) => ask<T.SourceView>(`${V1}/sources/${id(source)}`, opt(signal)),
  still: (source: string, signal?: AbortSignal) =>
    ask<Blob>(`${V1}/sources/${id(source)}/snapshot.jpg`, { read: 'blob', ...opt(signal) }),
  chooseBackend: (source: string, backend: T.BackendChoice) =>
    ask<T.SourceView>(`${V1}/sources/${id(source)}/backend`, { method: 'POST', body: { backend } }),
  breakGlass: (source: string, purpose: string) =>
    ask<T.GrantView>(`${V1}/sources/${id(source)}/break-glass`, { method: 'POST', body: { purpose } }),
};

export interface ObservationQuery {
  source: string;
  reading?: string;
  from?: string;
  to?: string;
  limit?: number;
  step_s?: number;
}
export const observations = (query: ObservationQuery, signal?: AbortSignal) =>
  ask<T.ObservationPage>(`${V1}/observations`, { query: { ...query }, ...opt(signal) });

export interface IncidentQuery {
  state?: 'open' | 'ended' | 'all';
  level?: string;
  grid?: string;
  hazard?: string;
  limit?: number;
  cursor?: string;
}
export const incidents = {
  list: (query: IncidentQuery, signal?: AbortSignal) =>
    ask<T.IncidentPage>(`${V1}/incidents`, { query: { ...query }, ...opt(signal) }),
  one: (incident: string, signal?: AbortSignal) => ask<T.IncidentView>(`${V1}/incidents/${id(incident)}`, opt(signal)),
  cameras: (incident: string, limit: number, signal?: AbortSignal) =>
    ask<T.NearCamera[]>(`${V1}/incidents/${id(incident)}/cameras`, { query: { limit }, ...opt(signal) }),
  report: (report: T.Report) => ask<T.Incident>(`${V1}/incidents`, { method: 'POST', body: report }),
  step: (incident: string, step: StepName, body: T.StepBody) =>
    ask<T.Incident>(`${V1}/incidents/${id(incident)}/${step}`, { method: 'POST', body }),
  responders: (signal?: AbortSignal) => ask<string[]>(`${V1}/responders`, opt(signal)),
};

export const kpis = (query: Record<string, string>, signal?: AbortSignal) => ask<T.KpiReport>(`${V1}/kpis`, { query, ...opt(signal) });

export const alarms = {
  shelve: (alarm: string, minutes: number, reason: string) =>
    ask<T.Alarm>(`${V1}/alarms/${id(alarm)}/shelve`, { method: 'POST', body: { minutes, reason } }),
  unshelve: (alarm: string) => ask<T.Alarm>(`${V1}/alarms/${id(alarm)}/unshelve`, { method: 'POST', body: {} }),
};

export interface AuditQuery {
  action?: string;
  actor?: string;
  subject?: string;
  from?: string;
  to?: string;
  limit?: number;
  cursor?: number;
}
export const admin = {
  audit: (query: AuditQuery, signal?: AbortSignal) => ask<T.AuditPage>(`${V1}/audit`, { query: { ...query }, ...opt(signal) }),
  rules: (signal?: AbortSignal) => ask<{ items: RuleInfo[] }>(`${V1}/rules`, opt(signal)),
  deadLetters: (cursor: number | undefined, limit: number, signal?: AbortSignal) =>
    ask<T.DeadLetterPage>(`${V1}/dead-letters`, { query: { cursor, limit }, ...opt(signal) }),
  users: (signal?: AbortSignal) => ask<T.UserView[]>(`${V1}/users`, opt(signal)),
  addUser: (user: T.NewUser) => ask<void>(`${V1}/users`, { method: 'POST', body: user, read: 'nothing' }),
  removeUser: (name: string) => ask<void>(`${V1}/users/${id(name)}`, { method: 'DELETE', read: 'nothing' }),
  tokens: (signal?: AbortSignal) => ask<T.TokenView[]>(`${V1}/tokens`, opt(signal)),
  createToken: (token: T.NewTokenBody) => ask<T.TokenSecret>(`${V1}/tokens`, { method: 'POST', body: token }),
  revokeToken: (token: string) => ask<void>(`${V1}/tokens/${id(token)}`, { method: 'DELETE', read: 'nothing' }),
};

function opt(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal ? { signal } : {};
}

export type { Answer };
