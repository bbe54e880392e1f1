// Holds the picture a steady, small distance behind the newest frame: what to do after each append.
//
// Pure: times are arguments, and what comes out is an order that player.ts carries out. Small lags are caught up by
// playing a little faster, which nobody sees; large ones by a jump.

/** The distance at the start; measured: 91-117 ms from hub to screen, and no stalls on a good link. */
const TARGET_FIRST_S = 0.12;
const TARGET_MOST_S = 0.6;
/** What a stall adds, and what each quiet stretch takes back. */
const STALL_ADDS_S = 0.06;
const QUIET_TAKES_S = 0.01;
const QUIET_MS = 10_000;
/** Beyond this the picture jumps. */
const JUMP_BEYOND_S = 1;
/** After a jump the decoder works through the frames since the last key frame; with long GOPs on a slow machine that
 *  alone makes a new lag, and another jump would begin it all again. In this time a lag is only played away. */
const JUMP_REST_MS = 3_000;
const RUSH_RATE = 1.5;
/** What the screen keeps behind the picture. */
const KEEP_S = 4;

export interface Range {
  start: number;
  end: number;
}

export interface Look {
  nowMs: number;
  /** Where the picture stands. */
  currentTime: number;
  /** What is buffered, rising. */
  ranges: Range[];
  /** Times of buffered key frames, rising. */
  keys: number[];
}

export interface Order {
  rate: number;
  /** Where to jump. */
  seekTo?: number;
  /** Everything before it may go. */
  removeBefore?: number;
}

export interface GapSettings {
  /** Whether the browser plays a little faster without a glitch; Safari does not. */
  canRate: boolean;
}

export class GapController {
  /** The distance aimed at, in seconds. */
  target = TARGET_FIRST_S;
  /** The distance at the last look. */
  gap = 0;
  readonly #canRate: boolean;
  #begun = false;
  #jumpedAt = -Infinity;
  #quietSince: number | undefined;

  constructor(settings: GapSettings = { canRate: true }) {
    this.#canRate = settings.canRate;
  }

  /** The picture stood still for want of frames. */
  stall(nowMs: number): void {
    this.target = Math.min(TARGET_MOST_S, this.target + STALL_ADDS_S);
    this.#quietSince = nowMs;
  }

  look({ nowMs, currentTime, ranges, keys }: Look): Order {
    this.#decay(nowMs);
    const last = ranges.at(-1);
    if (!last) return { rate: 1 };
    const landing = Math.max(last.start, last.end - this.target);
    this.gap = last.end - currentTime;
    if (!this.#begun) {
      this.#begun = true;
      return this.#jump(landing, nowMs);
    }
    // A hole: the hub left frames out and went on at a key frame.
    if (currentTime < last.start) return this.#jump(landing, nowMs);
    const order: Order = { rate: this.#rate() };
    if (this.gap > JUMP_BEYOND_S || (!this.#canRate && this.gap > this.target + 0.5)) {
      if (nowMs - this.#jumpedAt >= JUMP_REST_MS) return this.#jump(landing, nowMs);
      if (this.#canRate) order.rate = RUSH_RATE;
    }
    const removeBefore = removable(ranges[0] as Range, keys, currentTime - KEEP_S);
    if (removeBefore !== undefined) order.removeBefore = removeBefore;
    return order;
  }

  /** After the player has emptied itself: the next frame is a first one again. */
  restart(): void {
    this.#begun = false;
  }

  #rate(): number {
    if (!this.#canRate) return 1;
    if (this.gap > this.target + 0.25) return 1.25;
    if (this.gap > this.target + 0.08) return 1.1;
    if (this.gap < this.target / 2) return 0.95;
    return 1;
  }

  #jump(seekTo: number, nowMs: number): Order {
    this.#jumpedAt = nowMs;
    return { rate: 1, seekTo };
  }

  #decay(nowMs: number): void {
    this.#quietSince ??= nowMs;
    while (nowMs - this.#quietSince >= QUIET_MS) {
      this.#quietSince += QUIET_MS;
      this.target = Math.max(TARGET_FIRST_S, this.target - QUIET_TAKES_S);
    }
  }
}

/**
 * The last key frame before `before`, when frames lie in front of it. Removing up to any other moment would take with
 * it every frame up to the *next* key frame (Media Source Extensions, coded frame removal): with a GOP of 30 s that is
 * the picture on the screen.
 */
export function removable(first: Range, keys: number[], before: number): number | undefined {
  let at = keys.length - 1;
  while (at >= 0 && (keys[at] as number) > before) at -= 1;
  const key = keys[at];
  return key !== undefined && key > first.start + 0.001 ? key : undefined;
}
