// The hub's clock as this browser knows it, and a heartbeat for everything that shows an age.
//
// Ages are always measured on the hub's clock: a desk whose own clock is wrong must not call an old picture live.

/** Messages that are looked at for the offset; old ones leave, so that a clock that is set right is followed. */
const WINDOW = 60;

class Clock {
  /** The hub's time in ms, moving once a second; for texts. */
  now = $state(Date.now());
  /** Hub minus this machine, in ms. */
  offsetMs = $state(0);
  #samples: number[] = [];

  constructor() {
    const beat = () => {
      this.now = this.ms();
      setTimeout(beat, 1000 - (this.now % 1000));
    };
    beat();
  }

  /** The hub's time now, to the millisecond; not reactive. */
  ms(): number {
    return Date.now() + this.#offset;
  }

  #offset = 0;

  /** Learns from a message that says when the hub sent it: the one that travelled fastest tells most. */
  learn(hubMs: number): void {
    this.#samples.push(hubMs - Date.now());
    if (this.#samples.length > WINDOW) this.#samples.shift();
    this.#offset = Math.max(...this.#samples);
    if (Math.abs(this.#offset - this.offsetMs) >= 50) this.offsetMs = this.#offset;
  }
}

export const clock = new Clock();
