// All sources of the caller's scope and the grids: what changes rarely. Their state lives in events/town.

import * as hub from '../api/hub';
import type { Failure } from '../api/client';
import type { Grid, Source } from '../api/types.gen';

/** How often it is asked whether the registry has changed. */
const REFRESH_MS = 300_000;

class Directory {
  sources = $state.raw<ReadonlyMap<string, Source>>(new Map());
  grids = $state.raw<ReadonlyMap<string, Grid>>(new Map());
  /** Whether everything has come once. */
  ready = $state(false);
  failure = $state.raw<Failure | undefined>(undefined);

  #timer: ReturnType<typeof setTimeout> | undefined;
  #abort: AbortController | undefined;

  start(): void {
    void this.reload();
  }

  stop(): void {
    this.#abort?.abort();
    clearTimeout(this.#timer);
    this.sources = new Map();
    this.grids = new Map();
    this.ready = false;
  }

  gridName(id: string): string {
    return this.grids.get(id)?.name ?? id;
  }

  sourceName(id: string): string {
    return this.sources.get(id)?.name ?? id;
  }

  async reload(): Promise<void> {
    this.#abort?.abort();
    clearTimeout(this.#timer);
    const { signal } = (this.#abort = new AbortController());
    const failure = await this.#load(signal);
    if (signal.aborted) return;
    this.failure = failure;
    this.#timer = setTimeout(() => void this.reload(), failure ? REFRESH_MS / 30 : REFRESH_MS);
  }

  async #load(signal: AbortSignal): Promise<Failure | undefined> {
    const grids = await hub.town.grids(signal);
    if (grids.outcome !== 'success') return grids.outcome === 'error' ? grids.failure : undefined;
    this.grids = new Map(grids.data.map((grid) => [grid.id, grid]));
    const sources = new Map<string, Source>();
    let cursor: string | undefined;
    do {
      const page = await hub.sources.page(cursor, 1000, signal);
      if (page.outcome !== 'success') return page.outcome === 'error' ? page.failure : undefined;
      for (const { readings: _readings, statuses: _statuses, state: _state, ...source } of page.data.items) sources.set(source.id, source);
      cursor = page.data.next_cursor ?? undefined;
      // The first time the first page is shown as it comes; each further one would draw map and lists anew.
      if (this.sources.size === 0 && cursor) this.sources = new Map(sources);
    } while (cursor);
    this.sources = sources;
    this.ready = true;
    return undefined;
  }
}

export const directory = new Directory();
