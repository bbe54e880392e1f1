// A question to the hub that a screen keeps asking: its answer, its age, why it failed and when it tries again.

import type { Answer, Failure } from './client';

/** Seconds until a question that got no answer is asked again; doubles up to the last. */
const RETRY_FIRST_S = 2;
const RETRY_MOST_S = 30;

export type Load<T> = (signal: AbortSignal) => Promise<Answer<T>>;

export class Query<T> {
  /** The last good answer; stays while a new one is asked for or fails. */
  data = $state.raw<T | undefined>(undefined);
  /** Why the last try failed; none while all is well. */
  failure = $state.raw<Failure | undefined>(undefined);
  /** Whether an answer is on its way. */
  loading = $state(false);
  /** When the last good answer came, by this machine's clock. */
  loadedAt = $state(0);
  /** When it is asked again by itself; 0 for never. */
  retryAt = $state(0);

  #load: Load<T> | undefined;
  #abort: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waitS = RETRY_FIRST_S;

  /** Asks something else; the old answer goes, unless it is about the same thing. */
  ask(load: Load<T>, keep: boolean): void {
    if (!keep) {
      this.data = undefined;
      this.loadedAt = 0;
    }
    this.#load = load;
    void this.reload();
  }

  async reload(): Promise<void> {
    const load = this.#load;
    if (!load) return;
    this.stop();
    const abort = new AbortController();
    this.#abort = abort;
    this.loading = true;
    const answer = await load(abort.signal);
    if (abort.signal.aborted || answer.outcome === 'aborted') return;
    this.loading = false;
    if (answer.outcome === 'success') {
      this.data = answer.data;
      this.failure = undefined;
      this.loadedAt = Date.now();
      this.#waitS = RETRY_FIRST_S;
      return;
    }
    this.failure = answer.failure;
    // What was refused stays refused; what got no answer, or a broken one, is asked again.
    if (answer.failure.kind === 'network' || answer.failure.status >= 500) {
      const waitS = answer.failure.retryAfterS ?? this.#waitS;
      this.#waitS = Math.min(this.#waitS * 2, RETRY_MOST_S);
      this.retryAt = Date.now() + waitS * 1000;
      this.#timer = setTimeout(() => void this.reload(), waitS * 1000);
    }
  }

  stop(): void {
    this.#abort?.abort();
    clearTimeout(this.#timer);
    this.loading = false;
    this.retryAt = 0;
  }
}

/**
 * Asks while the component lives, and anew when what `load` reads has changed; `load` returns none to ask nothing.
 * `keep`: a changed question does not empty the screen.
 */
export function useQuery<T>(load: () => Load<T> | undefined, keep = false): Query<T> {
  const query = new Query<T>();
  $effect(() => {
    const asked = load();
    if (asked) query.ask(asked, keep);
    return () => query.stop();
  });
  return query;
}
