// Video or stills: when a tile gives video up, and when it tries again.
//
// Pure. A tile never falls to stills silently: the reason stays with the mode.

/** So many rebuilds within the window, and video is given up for now. */
const REBUILDS_MOST = 3;
const WINDOW_MS = 60_000;
/** How long stills stay before video is tried again. */
const RETRY_MS = 30_000;
/** A retried video that lasts so long has recovered. */
const PROVEN_MS = 10_000;

export type StillsReason =
  /** The browser has no Media Source Extensions. */
  | { code: 'no_mse' }
  /** The browser does not decode this. */
  | { code: 'codec'; codec: string }
  /** The browser does not start a video by itself. */
  | { code: 'autoplay' }
  /** Video broke again and again; `cause` is the last one. */
  | { code: 'broken'; cause: string };

export class Ladder {
  /** Why stills; none while video. */
  stills: StillsReason | undefined;
  #rebuilds: number[] = [];
  #retryAt = Infinity;
  /** When the video that is on trial began; none when none is. */
  #trialSince: number | undefined;

  get mode(): 'video' | 'jpeg' {
    return this.stills ? 'jpeg' : 'video';
  }

  /** When video is tried again; Infinity for never by itself. */
  get retryAt(): number {
    return this.#retryAt;
  }

  noMse(): void {
    this.#give({ code: 'no_mse' }, Infinity);
  }

  autoplayBlocked(): void {
    this.#give({ code: 'autoplay' }, Infinity);
  }

  /** Trying again by itself would change nothing; a new codec or a person does. */
  codecUnsupported(codec: string): void {
    this.#give({ code: 'codec', codec }, Infinity);
  }

  /** The player has to be built anew; answers whether that is worth it. */
  broke(cause: string, nowMs: number): 'rebuild' | 'stills' {
    this.#rebuilds = [...this.#rebuilds.filter((at) => nowMs - at < WINDOW_MS), nowMs];
    const onTrial = this.#trialSince !== undefined && nowMs - this.#trialSince < PROVEN_MS;
    if (!onTrial && this.#rebuilds.length < REBUILDS_MOST) return 'rebuild';
    this.#give({ code: 'broken', cause }, nowMs + RETRY_MS);
    return 'stills';
  }

  /** Whether the time has come to try video. */
  due(nowMs: number): boolean {
    return nowMs >= this.#retryAt;
  }

  /** Video again, on trial: one break and it is stills for another while. */
  tryVideo(nowMs: number): void {
    this.stills = undefined;
    this.#retryAt = Infinity;
    this.#trialSince = nowMs;
    this.#rebuilds = [];
  }

  #give(reason: StillsReason, retryAt: number): void {
    this.stills = reason;
    this.#retryAt = retryAt;
    this.#trialSince = undefined;
  }
}
