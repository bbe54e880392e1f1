// The time of one round trip to the hub, measured now and then.

import * as hub from '../api/hub';

const EVERY_MS = 10_000;

class Latency {
  /** In ms; none while the hub does not answer. */
  ms = $state<number | undefined>(undefined);

  /** Measures until the answer is called. */
  start(): () => void {
    let timer: ReturnType<typeof setTimeout>;
    let ended = false;
    const measure = async () => {
      const began = performance.now();
      const answer = await hub.town.alive();
      if (ended) return;
      this.ms = answer.outcome === 'success' ? Math.round(performance.now() - began) : undefined;
      timer = setTimeout(() => void measure(), EVERY_MS);
    };
    void measure();
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }
}

export const latency = new Latency();
