// The emergency that is on. The tick of the events tells that one is; what it is about is asked for, within one's scope.

import * as hub from '../api/hub';
import type { Emergency } from '../api/types.gen';
import { town } from '../events/town.svelte';

/** The hub counts anew as often what it costs; the tick does not tell it. */
const AGAIN_MS = 10_000;
/** For so long the tick may tell what was before an order of ours. */
const BEHIND_MS = 5_000;

type Told = { since: string; until: string } | null | undefined;

function markOf(told: Told): string {
  return told ? `${told.since} ${told.until}` : '';
}

class EmergencyStore {
  current = $state.raw<Emergency | undefined>(undefined);
  /** Whether the dialog that begins one is open. */
  asking = $state(false);
  /** What is known of: the mark that `current` answers. */
  #known = '';
  #askedAt = 0;
  /** What the tick told when an order of ours was done. */
  #behind: { mark: string; at: number } | undefined;

  /** Opens the dialog that begins one. */
  ask(): void {
    this.asking = true;
  }

  /** To be called in an effect: follows what the hub tells. */
  follow(): void {
    const mark = markOf(town.hub.emergency);
    const now = performance.now();
    if (this.#behind?.mark === mark && now - this.#behind.at < BEHIND_MS) return;
    this.#behind = undefined;
    if (mark === this.#known && (!mark || now - this.#askedAt < AGAIN_MS)) return;
    this.#known = mark;
    if (!mark) this.current = undefined;
    else void this.#ask(now);
  }

  /** What an order was answered with, before the events tell it. */
  put(emergency: Emergency | undefined): void {
    this.current = emergency;
    this.#known = markOf(emergency);
    const at = (this.#askedAt = performance.now());
    const mark = markOf(town.hub.emergency);
    this.#behind = mark === this.#known ? undefined : { mark, at };
  }

  /** Somebody else may log in next. */
  forget(): void {
    this.current = undefined;
    this.asking = false;
    this.#known = '';
    this.#behind = undefined;
  }

  async #ask(now: number): Promise<void> {
    this.#askedAt = now;
    const asked = this.#known;
    const answer = await hub.emergency.current();
    // An order, or a later tick, has told something newer meanwhile.
    if (asked !== this.#known) return;
    if (answer.outcome === 'success') this.current = answer.data.emergency ?? undefined;
    // Asked again with the next tick.
    else this.#known = '';
  }
}

export const emergency = new EmergencyStore();
