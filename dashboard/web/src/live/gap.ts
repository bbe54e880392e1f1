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
/** Unless the end has run ahead of the clock: the rest of a burst has come, and that is no fault of the decoder. */
const BURST_S = 0.5;
/** A camera of few frames a second needs a longer distance: the next frame must come before this one has ended. */
const TARGET_FRAMES = 1.5;
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
  /** How long a frame lasts, in seconds; 0 until known. */
  frameS: number;
}

export interface Order {
  /** 0 holds the picture. */
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
  /** The distance aimed at, in seconds; grows with stalls. */
  target = TARGET_FIRST_S;
  /** The distance at the last look. */
  gap = 0;
  readonly #canRate: boolean;
  #begun = false;
  /** Held until the distance is there: one hold instead of a stumble at every frame. */
  #filling = false;
  #jumpedAt = -Infinity;
  #jumpedEnd = 0;
  #quietSince: number | undefined;

  constructor(settings: GapSettings = { canRate: true }) {
    this.#canRate = settings.canRate;
  }

  /** The picture stood still for want of frames. */
  stall(nowMs: number): void {
    this.target = Math.min(TARGET_MOST_S, this.target + STALL_ADDS_S);
    this.#quietSince = nowMs;
  }

  /** There is nothing left to show: what comes is gathered first. */
  ranOut(): void {
    this.#filling = true;
  }

  look({ nowMs, currentTime, ranges, keys, frameS }: Look): Order {
    this.#decay(nowMs);
    const last = ranges.at(-1);
    if (!last) return { rate: 1 };
    const target = Math.max(this.target, frameS * TARGET_FRAMES);
    this.gap = last.end - currentTime;
    // The first data, or a hole: the hub left frames out and went on at a key frame.
    if (!this.#begun || currentTime < last.start) return this.#jump(last, target, nowMs);
    if (this.gap > Math.max(JUMP_BEYOND_S, target + JUMP_BEYOND_S - TARGET_FIRST_S) || (!this.#canRate && this.gap > target + 0.5)) {
      const burst = last.end - this.#jumpedEnd > (nowMs - this.#jumpedAt) / 1_000 + BURST_S;
      if (burst || nowMs - this.#jumpedAt >= JUMP_REST_MS) return this.#jump(last, target, nowMs);
      return this.#withRemoval({ rate: this.#canRate ? RUSH_RATE : 1 }, ranges, keys, currentTime);
    }
    if (this.gap >= target) this.#filling = false;
    return this.#withRemoval({ rate: this.#filling ? 0 : this.#rate(target) }, ranges, keys, currentTime);
  }

  #rate(target: number): number {
    if (!this.#canRate) return 1;
    if (this.gap > target + 0.25) return 1.25;
    if (this.gap > target + 0.08) return 1.1;
    if (this.gap < target / 2) return 0.95;
    return 1;
  }

  #jump(last: Range, target: number, nowMs: number): Order {
    const seekTo = Math.max(last.start, last.end - target);
    this.#begun = true;
    this.#jumpedAt = nowMs;
    this.#jumpedEnd = last.end;
    this.gap = last.end - seekTo;
    // The picture there is shown at once, and held until there is enough to go on.
    this.#filling = this.gap < target;
    return { rate: this.#filling ? 0 : 1, seekTo };
  }

  #withRemoval(order: Order, ranges: Range[], keys: number[], currentTime: number): Order {
    const removeBefore = removable(ranges[0] as Range, keys, currentTime - KEEP_S);
    return removeBefore === undefined ? order : { ...order, removeBefore };
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
