// How many sources there are in each state. Counted at most once a second, however many places show it.

import { untrack } from 'svelte';
import type { Kind, SourceState } from '../api/types.gen';
import { town } from '../events/town.svelte';
import { clock } from '../time/clock.svelte';
import { directory } from './directory.svelte';

export type Counts = Record<Kind, Map<SourceState, number>>;

class SourceCounts {
  readonly all: Counts = $derived.by(() => {
    void clock.now;
    return untrack(() => {
      const counts: Counts = { camera: new Map(), sensor: new Map() };
      for (const { id, kind } of directory.sources.values()) {
        const state = town.rawStateOf(id);
        counts[kind].set(state, (counts[kind].get(state) ?? 0) + 1);
      }
      return counts;
    });
  });

  /** Of both kinds, in any of these states. */
  of(...states: SourceState[]): number {
    let sum = 0;
    for (const state of states) sum += (this.all.camera.get(state) ?? 0) + (this.all.sensor.get(state) ?? 0);
    return sum;
  }
}

export const sourceCounts = new SourceCounts();
