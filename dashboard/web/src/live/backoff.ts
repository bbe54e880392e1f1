// How long to wait before the next try: decorrelated jitter, so that a hundred desks do not come back in one second.

const FIRST_MS = 500;
const MOST_MS = 15_000;

export class Backoff {
  #lastMs = 0;
  readonly #random: () => number;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** The next wait; each is between the first one and three times the one before. */
  next(): number {
    const most = Math.min(MOST_MS, Math.max(FIRST_MS, this.#lastMs * 3));
    this.#lastMs = FIRST_MS + this.#random() * (most - FIRST_MS);
    return this.#lastMs;
  }

  /** It has worked for a while. */
  reset(): void {
    this.#lastMs = 0;
  }
}
