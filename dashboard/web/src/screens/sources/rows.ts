// The list of sources: which are shown, and in what order. Pure; the states are given.

import type { Kind, Owner, Source, SourceState, SourceStatus } from '../../api/types.gen';
import { leading, standingOf } from '../../town/standing';

export interface Filters {
  q: string;
  kind: Kind | '';
  class: string;
  grid: string;
  owner: Owner | '';
  /** A state, or `attention` for all that someone should look at. */
  state: SourceState | 'attention' | '';
}

export type SortKey = 'state' | 'name' | 'id' | 'grid' | 'class' | 'owner' | 'since';
export const SORTS: SortKey[] = ['state', 'since', 'name', 'id', 'grid', 'class', 'owner'];

export interface Sorting {
  key: SortKey;
  descending: boolean;
}

/** What most needs a person comes first. */
export const URGENCY: SourceState[] = ['auth_failed', 'offline', 'silent', 'stalled', 'degraded', 'unknown', 'connecting', 'idle', 'live'];
export interface States {
  stateOf(source: string): SourceState;
  statusesOf(source: string): readonly SourceStatus[];
}

/** Whether a person can do something about it: it is away, or not as it should be. */
export function needsAttention(statuses: readonly SourceStatus[]): boolean {
  const standing = standingOf(leading(statuses));
  return standing === 'away' || standing === 'impaired';
}

/** The stream with known facts, the sub stream first: that is what is pulled. */
export function streamOf(statuses: readonly SourceStatus[]): SourceStatus['stream'] {
  const known = statuses.filter((status) => status.stream);
  return (known.find((status) => status.profile === 'sub') ?? known[0])?.stream;
}

/** `within`: the grids inside the wanted one, itself too; none for all. */
export function filtered(sources: Iterable<Source>, filters: Filters, within: ReadonlySet<string> | undefined, states: States): Source[] {
  const q = filters.q.trim().toLowerCase();
  const shown: Source[] = [];
  for (const source of sources) {
    if (filters.kind && source.kind !== filters.kind) continue;
    if (filters.class && source.class !== filters.class) continue;
    if (filters.owner && source.owner !== filters.owner) continue;
    if (within && !within.has(source.grid)) continue;
    if (q && !source.id.toLowerCase().includes(q) && !source.name.toLowerCase().includes(q)) continue;
    if (filters.state) {
      const fits = filters.state === 'attention' ? needsAttention(states.statusesOf(source.id)) : states.stateOf(source.id) === filters.state;
      if (!fits) continue;
    }
    shown.push(source);
  }
  return shown;
}

/** `gridName`: places are sorted as people call them. */
export function sorted(sources: Source[], sorting: Sorting, states: States, gridName: (id: string) => string): Source[] {
  const keyed = sources.map((source) => ({ source, key: sortKey(source, sorting.key, states, gridName) }));
  const turn = sorting.descending ? -1 : 1;
  keyed.sort((a, b) => (a.key < b.key ? -turn : a.key > b.key ? turn : a.source.id < b.source.id ? -1 : 1));
  return keyed.map(({ source }) => source);
}

function sortKey(source: Source, key: SortKey, states: States, gridName: (id: string) => string): string | number {
  switch (key) {
    case 'state':
      return URGENCY.indexOf(states.stateOf(source.id));
    case 'since': {
      // The one that has been so for longest comes first.
      const since = leading(states.statusesOf(source.id))?.since;
      return since ? Date.parse(since) : Infinity;
    }
    case 'grid':
      return gridName(source.grid);
    default:
      return source[key];
  }
}

/** A grid with all grids inside it. */
export function gridsWithin(grids: ReadonlyMap<string, { id: string; parent?: string | null }>, root: string): Set<string> {
  const within = new Set([root]);
  // Grids nest three deep; each round finds one level more.
  for (let before = 0; before !== within.size; ) {
    before = within.size;
    for (const grid of grids.values()) if (grid.parent && within.has(grid.parent)) within.add(grid.id);
  }
  return within;
}
