// The screens and their addresses. Each is loaded when it is first gone to.

import type { Component } from 'svelte';
import type { Right } from '../session/session.svelte';

export interface Screen {
  name: 'overview' | 'incidents' | 'incident' | 'wall' | 'sources' | 'source' | 'rules' | 'kpis' | 'deadLetters' | 'admin' | 'audit' | 'login';
  pattern: RegExp;
  /** Which entry of the navigation it belongs to. */
  under: string;
  /** Who gets the entry; the hub decides again. */
  right?: Right;
  load: () => Promise<{ default: Component<{ id: string }> } | { default: Component }>;
}

export const SCREENS: Screen[] = [
  { name: 'overview', pattern: /^\/$/, under: '/', load: () => import('../screens/overview/Overview.svelte') },
  { name: 'incidents', pattern: /^\/incidents$/, under: '/incidents', load: () => import('../screens/incidents/Incidents.svelte') },
  { name: 'incident', pattern: /^\/incidents\/([^/]+)$/, under: '/incidents', load: () => import('../screens/incident/Incident.svelte') },
  { name: 'wall', pattern: /^\/wall$/, under: '/wall', load: () => import('../screens/wall/Wall.svelte') },
  { name: 'sources', pattern: /^\/sources$/, under: '/sources', load: () => import('../screens/sources/Sources.svelte') },
  { name: 'source', pattern: /^\/sources\/([^/]+)$/, under: '/sources', load: () => import('../screens/sources/Source.svelte') },
  { name: 'rules', pattern: /^\/rules$/, under: '/rules', load: () => import('../screens/rules/Rules.svelte') },
  { name: 'kpis', pattern: /^\/kpis$/, under: '/kpis', right: 'lead', load: () => import('../screens/kpis/Kpis.svelte') },
  {
    name: 'deadLetters',
    pattern: /^\/dead-letters$/,
    under: '/dead-letters',
    right: 'administer',
    load: () => import('../screens/dead-letters/DeadLetters.svelte'),
  },
  { name: 'audit', pattern: /^\/audit$/, under: '/audit', right: 'lead', load: () => import('../screens/audit/Audit.svelte') },
  { name: 'admin', pattern: /^\/admin$/, under: '/admin', right: 'administer', load: () => import('../screens/admin/Admin.svelte') },
];

/** The screen of a path and what the path names. */
export function screenAt(path: string): { screen: Screen; id: string } | undefined {
  for (const screen of SCREENS) {
    const found = screen.pattern.exec(path);
    if (found) return { screen, id: decodeURIComponent(found[1] ?? '') };
  }
  return undefined;
}
