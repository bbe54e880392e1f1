// What the town looks like now, as the event socket tells it. One store for all screens.
//
// Messages are gathered and applied once a frame, so that a thousand changes a second cost one redraw. While the page
// is hidden there are no frames; they are applied at once then, because the sound must not wait.

import * as hub from '../api/hub';
import type { Alarm, Incident, Observation, SourceState, SourceStatus } from '../api/types.gen';
import { clock } from '../time/clock.svelte';
import { leading } from '../town/standing';
import { EventSocket, type EventMessage, type LinkState, type Op } from './socket';

/** The hub's health as the pipeline tells it; parts may be missing. */
export interface HubHealth {
  storage?: { ok?: boolean; disk_full?: boolean };
  brokers?: { broker: string; connected: boolean; since?: string; reason?: string | null }[];
  /** That an emergency is on; what it is about is asked for. */
  emergency?: { since: string; until: string } | null;
}

/** A flood of alarms that is on; `desk` is none for the whole hub. */
export interface Flood {
  desk: string | null;
  since: string;
  /** Announced from ten minutes before its begin until now. */
  alarms: number;
  /** In the last ten minutes. */
  rate: number;
}

export interface Notice {
  source: string;
  code: string;
  by: string;
  purpose: string;
  /** A number of this console, to take it away by. */
  key: number;
}

type ReadingListener = (observation: Observation) => void;

const BASE_TOPICS = ['incidents', 'alarms', 'sources', 'hub', 'floods'];
/** The window of the alarm rate. */
const RATE_MS = 600_000;
/** More new incidents than this in the window are too many for a person. */
export const FLOOD = 10;

class Town {
  link = $state<LinkState>('connecting');
  /** When the link went down, and when it is tried again; by this machine's clock. */
  downSince = $state(0);
  retryAt = $state(0);
  /** The hub's time of the last message; 0 before the first. */
  lastAt = $state(0);

  incidents = $state.raw<ReadonlyMap<string, Incident>>(new Map());
  alarms = $state.raw<ReadonlyMap<string, Alarm>>(new Map());
  hub = $state.raw<HubHealth>({});
  /** The floods that are on, the hub's first. */
  floods = $state.raw<Flood[]>([]);
  notices = $state.raw<Notice[]>([]);
  /** Rises whenever the state of a source changes; `stateOf` is read after it. */
  statesVersion = $state(0);
  /** Rises whenever a followed reading changes. */
  readingsVersion = $state(0);
  /** The time of each incident reported lately, ended ones too. */
  #reported = $state.raw<ReadonlyMap<string, number>>(new Map());

  #statuses = new Map<string, SourceStatus[]>();
  /** The state of each source as a whole. */
  #states = new Map<string, SourceState>();
  #readings = new Map<string, Map<string, Observation>>();
  #followed = new Map<string, number>();
  #listeners = new Map<string, Set<ReadingListener>>();
  #waiting: EventMessage[] = [];
  #frame = 0;
  #notice = 0;
  #socket = new EventSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/v1/events`, {
    message: (message) => this.#take(message),
    state: (state, retryAt) => this.#linkIs(state, retryAt),
    refused: () => void this.#askWhoWeAre(),
  });

  /** How many incidents came up in the last 10 minutes. */
  get rate(): number {
    const since = clock.now - RATE_MS;
    let count = 0;
    for (const at of this.#reported.values()) if (at >= since) count += 1;
    return count;
  }

  /** The hub's flood; that of a desk is always within one of the hub. */
  get flood(): Flood | undefined {
    return this.floods[0];
  }

  start(): void {
    this.#socket.subscribe(this.#topics());
    this.#socket.start();
    void this.#learnReported();
  }

  stop(): void {
    this.#socket.stop();
    this.incidents = new Map();
    this.alarms = new Map();
    this.#statuses.clear();
    this.#states.clear();
    this.#readings.clear();
    this.lastAt = 0;
    this.floods = [];
    this.notices = [];
    this.downSince = 0;
  }

  reconnect(): void {
    this.#socket.now();
  }

  /** The state of a source out of those of its streams; reading `statesVersion` follows it. */
  stateOf(source: string): SourceState {
    void this.statesVersion;
    return this.rawStateOf(source);
  }

  /** As `stateOf`, for code that looks at `statesVersion` by itself. */
  rawStateOf(source: string): SourceState {
    return this.#states.get(source) ?? 'unknown';
  }

  statusesOf(source: string): readonly SourceStatus[] {
    void this.statesVersion;
    return this.#statuses.get(source) ?? [];
  }

  /** The last values of a followed source. */
  readingsOf(source: string): readonly Observation[] {
    void this.readingsVersion;
    return [...(this.#readings.get(source)?.values() ?? [])];
  }

  /** Follows a source's readings until the answer is called; `heard` gets each new one. */
  follow(source: string, heard?: ReadingListener): () => void {
    const count = this.#followed.get(source) ?? 0;
    this.#followed.set(source, count + 1);
    if (heard) {
      const listeners = this.#listeners.get(source) ?? new Set();
      this.#listeners.set(source, listeners.add(heard));
    }
    if (count === 0) this.#resubscribe();
    return () => {
      if (heard) this.#listeners.get(source)?.delete(heard);
      const left = (this.#followed.get(source) ?? 1) - 1;
      if (left > 0) {
        this.#followed.set(source, left);
        return;
      }
      this.#followed.delete(source);
      this.#readings.delete(source);
      this.#resubscribe();
    };
  }

  /** What an order was answered with, before the socket tells it. */
  put(incident: Incident): void {
    const known = this.incidents.get(incident.id);
    if (known && known.seq >= incident.seq) return;
    const incidents = new Map(this.incidents);
    if (incident.outcome) incidents.delete(incident.id);
    else incidents.set(incident.id, incident);
    this.incidents = incidents;
  }

  dismiss(key: number): void {
    this.notices = this.notices.filter((notice) => notice.key !== key);
  }

  #topics(): string[] {
    return [...BASE_TOPICS, ...[...this.#followed.keys()].map((source) => `readings:${source}`)];
  }

  #resubscribing = false;
  #resubscribe(): void {
    // A change of the selection drops four sources and takes four: one message for all.
    if (this.#resubscribing) return;
    this.#resubscribing = true;
    queueMicrotask(() => {
      this.#resubscribing = false;
      this.#socket.subscribe(this.#topics());
    });
  }

  #linkIs(state: LinkState, retryAt: number): void {
    if (state === 'live') this.downSince = 0;
    else if (state === 'down' && this.downSince === 0) this.downSince = Date.now();
    this.link = state;
    this.retryAt = retryAt;
  }

  async #askWhoWeAre(): Promise<void> {
    // An answer of 401 ends the session by itself.
    await hub.session.who();
  }

  /** The socket knows open incidents alone; the rate counts those that ended within the window too. */
  async #learnReported(): Promise<void> {
    const answer = await hub.incidents.list({ state: 'all', limit: 200 });
    if (answer.outcome !== 'success') return;
    const reported = new Map(this.#reported);
    for (const incident of answer.data.items) reported.set(incident.id, Date.parse(incident.reported_at));
    this.#reported = reported;
  }

  #take(message: EventMessage): void {
    if ('at' in message) clock.learn(Date.parse(message.at));
    this.#waiting.push(message);
    if (document.hidden) this.#apply();
    else if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#apply());
  }

  #apply(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const messages = this.#waiting;
    this.#waiting = [];
    const ops: Op[] = [];
    for (const message of messages) {
      if (message.type === 'snapshot') {
        ops.length = 0;
        this.#begin(message.topics);
      } else if (message.type === 'delta') ops.push(...message.ops);
      else if (message.type === 'tick' && message.hub) this.hub = message.hub as HubHealth;
      else if (message.type === 'error') console.warn('events', message.code, message.message);
      if ('at' in message) this.lastAt = Date.parse(message.at);
    }
    if (ops.length) this.#change(ops);
  }

  #begin(topics: Record<string, unknown>): void {
    this.incidents = new Map(((topics['incidents'] ?? []) as Incident[]).map((incident) => [incident.id, incident]));
    this.alarms = new Map(((topics['alarms'] ?? []) as Alarm[]).map((alarm) => [alarm.id, alarm]));
    this.hub = (topics['hub'] ?? {}) as HubHealth;
    this.floods = (topics['floods'] ?? []) as Flood[];
    this.#noteReported(this.incidents.values());
    this.#statuses.clear();
    this.#states.clear();
    for (const status of (topics['sources'] ?? []) as SourceStatus[]) this.#putStatus(status);
    this.statesVersion += 1;
    for (const [topic, items] of Object.entries(topics)) {
      if (topic.startsWith('readings:')) for (const item of items as Observation[]) this.#putReading(item);
    }
    this.readingsVersion += 1;
  }

  #change(ops: Op[]): void {
    let incidents: Map<string, Incident> | undefined;
    let alarms: Map<string, Alarm> | undefined;
    let states = false;
    let readings = false;
    for (const op of ops) {
      if (op.topic === 'incidents') {
        incidents ??= new Map(this.incidents);
        if (op.item) incidents.set(op.id, op.item as Incident);
        else incidents.delete(op.id);
      } else if (op.topic === 'alarms') {
        alarms ??= new Map(this.alarms);
        if (op.item) alarms.set(op.id, op.item as Alarm);
        else alarms.delete(op.id);
      } else if (op.topic === 'sources') {
        states = true;
        this.#putStatus(op.item as SourceStatus);
      } else if (op.topic.startsWith('readings:')) {
        readings = true;
        this.#putReading(op.item as Observation);
      } else if (op.topic === 'hub') this.hub = op.item as HubHealth;
      else if (op.topic === 'floods') this.floods = op.item as Flood[];
      else if (op.topic === 'notices') this.notices = [...this.notices, { ...(op.item as Notice), key: (this.#notice += 1) }].slice(-5);
    }
    if (incidents) {
      this.#noteReported(incidents.values());
      this.incidents = incidents;
    }
    if (alarms) this.alarms = alarms;
    if (states) this.statesVersion += 1;
    if (readings) this.readingsVersion += 1;
  }

  #noteReported(incidents: Iterable<Incident>): void {
    const since = clock.ms() - RATE_MS;
    const reported = new Map([...this.#reported].filter(([, at]) => at >= since));
    for (const incident of incidents) {
      const at = Date.parse(incident.reported_at);
      if (at >= since) reported.set(incident.id, at);
    }
    this.#reported = reported;
  }

  #putStatus(status: SourceStatus): void {
    const known = this.#statuses.get(status.source) ?? [];
    const all = known.length ? [...known.filter((other) => other.profile !== status.profile), status] : [status];
    this.#statuses.set(status.source, all);
    this.#states.set(status.source, leading(all)?.state ?? 'unknown');
  }

  #putReading(observation: Observation): void {
    let known = this.#readings.get(observation.source);
    if (!known) this.#readings.set(observation.source, (known = new Map()));
    known.set(observation.reading, observation);
    for (const heard of this.#listeners.get(observation.source) ?? []) heard(observation);
  }
}

export const town = new Town();
