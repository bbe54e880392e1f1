// The queue of a screen: which incidents it shows, in which order, and which of them is selected.

import { untrack } from 'svelte';
import type { Incident } from '../api/types.gen';
import { town } from '../events/town.svelte';
import { hold, type Held } from './hold';
import { byUrgency } from './order';

export class Queue {
  /** A person has stopped the list. */
  paused = $state(false);
  /** Whether the pointer or the focus is in the list, or it is scrolled. */
  touched = $state(false);
  /** Incidents that ended while their row had to stay. */
  #ended = new Map<string, Incident>();
  #held = $state.raw<Held>({ shown: [], waiting: [] });

  /** `filter` says which open incidents belong here; it may read state. */
  constructor(readonly filter: (incident: Incident) => boolean = () => true) {}

  /** Keeps the list up while the component lives. */
  follow(): void {
    $effect(() => {
      const live = [...town.incidents.values()].filter(this.filter).sort(byUrgency);
      const held = this.held;
      untrack(() => this.#take(live, held));
    });
  }

  get held(): boolean {
    return this.paused || this.touched;
  }

  /** What is shown, in order; ended ones stay until the list may move. */
  get rows(): Incident[] {
    return this.#held.shown.flatMap((id) => town.incidents.get(id) ?? this.#ended.get(id) ?? []);
  }

  get waiting(): Incident[] {
    return this.#held.waiting.flatMap((id) => town.incidents.get(id) ?? []);
  }

  /** Lets everything in that waits, once. */
  release(): void {
    this.paused = false;
    const live = [...town.incidents.values()].filter(this.filter).sort(byUrgency);
    this.#take(live, false);
  }

  /** The id `by` rows after `from`; the first row when `from` is not there. */
  step(from: string, by: number): string | undefined {
    const ids = this.#held.shown;
    const at = ids.indexOf(from);
    return at < 0 ? ids[0] : ids[Math.min(ids.length - 1, Math.max(0, at + by))];
  }

  #last = new Map<string, Incident>();
  #take(live: Incident[], held: boolean): void {
    const ids = live.map((incident) => incident.id);
    this.#held = hold(this.#held.shown, ids, held);
    const there = new Set(ids);
    if (!held) this.#ended.clear();
    for (const id of this.#held.shown) {
      const last = this.#last.get(id);
      if (!there.has(id) && last && !this.#ended.has(id)) this.#ended.set(id, last);
    }
    this.#last = new Map(live.map((incident) => [incident.id, incident]));
  }
}
