// The emergency that is on. The tick of the events tells that one is; what it is about is asked for, within one's scope.

import * as hub from '../api/hub';
import type { Emergency } from '../api/types.gen';
import { town } from '../events/town.svelte';

class EmergencyStore {
  current = $state.raw<Emergency | undefined>(undefined);
  /** Whether the dialog that begins one is open. */
  asking = $state(false);
  #known = '';

  /** To be called in an effect: follows what the hub tells. */
  follow(): void {
    const told = town.hub.emergency;
    const mark = told ? `${told.since} ${told.until}` : '';
    if (mark === this.#known) return;
    this.#known = mark;
    if (!mark) this.current = undefined;
    else void this.#ask();
  }

  /** What an order was answered with, before the events tell it. */
  put(emergency: Emergency | undefined): void {
    this.current = emergency;
    this.#known = emergency ? `${emergency.since} ${emergency.until}` : '';
  }

  async #ask(): Promise<void> {
    const answer = await hub.emergency.current();
    if (answer.outcome === 'success') this.current = answer.data.emergency ?? undefined;
    // Asked again with the next tick.
    else this.#known = '';
  }
}

export const emergency = new EmergencyStore();
