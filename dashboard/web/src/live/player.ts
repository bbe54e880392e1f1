// Plays one stream of fragments in a <video> through Media Source Extensions, a steady distance behind the newest frame.
//
// One player is one MediaSource: what fails is thrown away and built anew by tile.ts. Does not belong here: the rules of
// the distance (gap.ts), stills, sockets.

import { mediaSourceClass, mimeOf } from './codecs';
import { startTicks } from './fragment';
import { GapController, removable } from './gap';
import type { Range } from './gap';
import { Pump } from './pump';
import type { PumpFailure } from './pump';
import { WallTimes } from './walltimes';

/** So long without a new picture while bytes arrive, and the player is stuck. */
const STUCK_MS = 3_000;
/** Bytes count as arriving when the last ones are younger. */
const ARRIVING_MS = 1_000;
/** A longer wait is an outage of the stream and says nothing about jitter. */
const JITTER_MOST_MS = 1_000;
/** A frame so far before the last one belongs to another time line. */
const STEP_BACK_S = 0.5;
/** The slowest cameras send a frame every few seconds. */
const FRAME_MOST_S = 5;
/** Fragments that come before the MediaSource is open. */
const MOST_EARLY = 4_000;

export type PlayerFailure = PumpFailure | 'open' | 'decode' | 'stuck' | 'time_step' | 'autoplay';

export interface PlayerEvents {
  /** A frame is on the screen that the hub received at `wallMs`. */
  shown(wallMs: number): void;
  /** The player is of no more use. */
  failed(cause: PlayerFailure): void;
}

export interface PlayerStats {
  targetMs: number;
  gapMs: number;
  stalls: number;
  rate: number;
  /** Frames that came on the screen. */
  shown: number;
}

export class Player {
  readonly codec: string;
  readonly epoch: number;
  readonly stats: PlayerStats = { targetMs: 0, gapMs: 0, stalls: 0, rate: 1, shown: 0 };
  readonly #video: HTMLVideoElement;
  readonly #timescale: number;
  readonly #events: PlayerEvents;
  readonly #source: MediaSource;
  readonly #gap: GapController;
  readonly #walls = new WallTimes();
  readonly #address: string;
  readonly #leave = new AbortController();
  #buffer: SourceBuffer | undefined;
  #pump: Pump | undefined;
  #early: Uint8Array<ArrayBuffer>[] = [];
  #keys: number[] = [];
  #lastTime = -Infinity;
  #frameS = 0;
  #hasKey = false;
  #packetAt = -Infinity;
  /** When a frame was last shown, or when waiting for one began to count. */
  #aliveAt: number;
  #waitingSince: number | undefined;
  #seeking = true;
  #frameRequest = 0;
  #failed = false;

  constructor(video: HTMLVideoElement, stream: { codec: string; timescale: number; epoch: number }, events: PlayerEvents) {
    this.#video = video;
    this.codec = stream.codec;
    this.epoch = stream.epoch;
    this.#timescale = stream.timescale;
    this.#events = events;
    this.#aliveAt = performance.now();
    this.#gap = new GapController({ canRate: !isSafari() });
    const Source = mediaSourceClass() as typeof MediaSource;
    this.#source = new Source();
    const { signal } = this.#leave;
    this.#source.addEventListener('sourceopen', () => this.#opened(), { once: true, signal });
    video.addEventListener('error', () => this.#fail('decode'), { signal });
    video.addEventListener('waiting', () => this.#ranOut(), { signal });
    video.muted = true;
    video.disableRemotePlayback = true;
    this.#address = URL.createObjectURL(this.#source);
    video.src = this.#address;
    this.#play();
    this.#followFrames();
  }

  /** An init segment, or a frame with the time the hub received it. */
  push(kind: 'init' | 'key' | 'delta', bytes: Uint8Array<ArrayBuffer>, wallMs: number): void {
    if (kind !== 'init' && !this.#note(kind, bytes, wallMs)) return;
    if (this.#pump) this.#pump.push(bytes);
    else if (this.#early.length < MOST_EARLY) this.#early.push(bytes);
    else this.#fail('open');
  }

  /** Looks whether pictures still come; to be called some times a second. `visible`: the browser draws the tile. */
  check(visible: boolean): void {
    const now = performance.now();
    if (!visible) this.#aliveAt = now;
    const arriving = now - this.#packetAt < ARRIVING_MS;
    if (arriving && this.#hasKey && now - this.#aliveAt > STUCK_MS) this.#fail('stuck');
    if (visible && this.#video.paused) this.#play();
  }

  stop(): void {
    if (this.#leave.signal.aborted) return;
    this.#leave.abort();
    this.#pump?.stop();
    if (this.#frameRequest) this.#video.cancelVideoFrameCallback?.(this.#frameRequest);
    this.#video.removeAttribute('src');
    this.#video.load();
    URL.revokeObjectURL(this.#address);
  }

  /** Takes a frame's times in; whether it is to be played. */
  #note(kind: 'key' | 'delta', bytes: Uint8Array<ArrayBuffer>, wallMs: number): boolean {
    const now = performance.now();
    // After an outage the wait for a picture begins with the first byte.
    if (now - this.#packetAt > ARRIVING_MS) this.#aliveAt = now;
    this.#packetAt = now;
    this.#resumed(now);
    if (kind === 'key') this.#hasKey = true;
    // Nothing can be decoded before a key frame.
    if (!this.#hasKey) return false;
    const ticks = startTicks(bytes);
    if (ticks === undefined) return true;
    const time = ticks / this.#timescale;
    if (time < this.#lastTime - STEP_BACK_S) {
      this.#fail('time_step');
      return false;
    }
    // A smoothed interval; a longer step is a hole and no frame rate.
    const step = time - this.#lastTime;
    if (step > 0 && step < FRAME_MOST_S) this.#frameS = this.#frameS ? this.#frameS * 0.9 + step * 0.1 : step;
    this.#lastTime = Math.max(this.#lastTime, time);
    this.#walls.add(time, wallMs);
    if (kind === 'key') this.#keys.push(time);
    return true;
  }

  #opened(): void {
    URL.revokeObjectURL(this.#address);
    try {
      const buffer = this.#source.addSourceBuffer(mimeOf(this.codec));
      buffer.mode = 'segments';
      buffer.addEventListener('updateend', () => this.#updated(), { signal: this.#leave.signal });
      buffer.addEventListener('error', () => this.#fail('append'), { signal: this.#leave.signal });
      this.#buffer = buffer;
      this.#pump = new Pump(buffer, {
        spare: () => this.#spare(),
        failed: (reason) => this.#fail(reason),
      });
    } catch {
      this.#fail('open');
      return;
    }
    for (const bytes of this.#early.splice(0)) this.#pump.push(bytes);
  }

  #updated(): void {
    const ranges = this.#ranges();
    const now = performance.now();
    const order = this.#gap.look({ nowMs: now, currentTime: this.#video.currentTime, ranges, keys: this.#keys, frameS: this.#frameS });
    if (order.seekTo !== undefined) {
      this.#seeking = true;
      this.#video.currentTime = order.seekTo;
    }
    if (this.#video.playbackRate !== order.rate) this.#video.playbackRate = order.rate;
    this.stats.rate = order.rate;
    this.stats.targetMs = Math.round(this.#gap.target * 1000);
    this.stats.gapMs = Math.round(this.#gap.gap * 1000);
    if (order.removeBefore !== undefined) {
      const kept = order.removeBefore;
      this.#keys = this.#keys.filter((time) => time >= kept);
      this.#pump?.removeBefore(kept);
    }
    this.#pump?.updated();
  }

  /** Up to where frames may go when the browser has no room: the last key frame behind the picture. */
  #spare(): number | undefined {
    const first = this.#ranges()[0];
    return first && removable(first, this.#keys, this.#video.currentTime);
  }

  #ranges(): Range[] {
    // Reading `buffered` of a buffer that was taken away throws.
    if (!this.#buffer || this.#source.readyState !== 'open') return [];
    const { buffered } = this.#buffer;
    return Array.from({ length: buffered.length }, (_, i) => ({ start: buffered.start(i), end: buffered.end(i) }));
  }

  /** The picture waits for frames; while it seeks it always does. */
  #ranOut(): void {
    if (this.#seeking || this.#waitingSince !== undefined) return;
    this.#waitingSince = performance.now();
    this.#gap.ranOut();
  }

  /** Frames come again. */
  #resumed(now: number): void {
    const since = this.#waitingSince;
    this.#waitingSince = undefined;
    if (since === undefined || now - since > JITTER_MOST_MS) return;
    this.stats.stalls += 1;
    this.#gap.stall(now);
  }

  #followFrames(): void {
    const video = this.#video;
    if (video.requestVideoFrameCallback) {
      const next = (_now: number, frame: VideoFrameCallbackMetadata) => {
        if (this.#leave.signal.aborted) return;
        this.#frameRequest = video.requestVideoFrameCallback(next);
        this.#frame(frame.mediaTime);
      };
      this.#frameRequest = video.requestVideoFrameCallback(next);
      return;
    }
    // Firefox before 132: the time of the picture is near enough, as long as it moves.
    video.addEventListener('timeupdate', () => this.#frame(video.currentTime), { signal: this.#leave.signal });
  }

  #frame(mediaTime: number): void {
    this.#aliveAt = performance.now();
    this.#seeking = false;
    this.stats.shown += 1;
    const wallMs = this.#walls.at(mediaTime);
    if (wallMs !== undefined) this.#events.shown(wallMs);
  }

  #play(): void {
    this.#video.play().catch((error: unknown) => {
      if ((error as { name?: string }).name === 'NotAllowedError') this.#fail('autoplay');
    });
  }

  /** Tells once; the picture stays until whoever is told has stopped the player. */
  #fail(cause: PlayerFailure): void {
    if (this.#failed || this.#leave.signal.aborted) return;
    this.#failed = true;
    this.#pump?.stop();
    this.#events.failed(cause);
  }
}

/** WebKit without Chromium: its sound and picture stumble when the rate changes. */
function isSafari(): boolean {
  return /AppleWebKit/.test(navigator.userAgent) && !/Chrom(e|ium)|Edg/.test(navigator.userAgent);
}
