// One live picture: asks for its camera, plays video or draws stills, and knows at every moment what is on the screen,
// how old it is and why nothing better is.
//
// Knows a <video> and a <canvas>, no UI framework. The canvas lies over the video while it holds what is to be seen.

import { codecName, playable } from './codecs';
import { Ladder } from './ladder';
import type { StillsReason } from './ladder';
import { Player } from './player';
import type { PlayerFailure, PlayerStats } from './player';
import { chosenProfile } from './profile';
import type { Link, LiveSocket } from './socket';
import { Stills } from './stills';
import type { AskedProfile, CameraState, Hello, Message, Packet, StreamProfile } from './wire';

/** A tile hidden for so long gives its stream back. */
const HIDDEN_MS = 5_000;
/** How often the view is told while nothing happens: its ages move. */
const BEAT_MS = 250;
/** Without a picture for so long, the hub's last still is asked for. */
const STILL_AFTER_MS = 2_500;
/** What the hub refused for want of room is asked for again. */
const REFUSED_RETRY_MS = 10_000;
const RETRIED = new Set(['unavailable', 'too_many']);

export interface TileClock {
  /** The hub's time. */
  ms(): number;
  /** Takes in a moment that the hub's clock has shown. */
  learn(hubMs: number): void;
}

export interface TileView {
  link: Link;
  /** None until the hub has begun to deliver. */
  hello: Hello | undefined;
  /** The hub's word on the camera. */
  camera: CameraState | undefined;
  refusal: { code: string; message: string } | undefined;
  mode: 'video' | 'jpeg';
  /** Why stills. */
  stills: StillsReason | undefined;
  /** When video is tried again, by this machine's clock; Infinity for never by itself. */
  videoAt: number;
  /** The main stream's codec, when it does not play here and the sub stream is shown for it. */
  mainCodec: string | undefined;
  profile: StreamProfile;
  /** What is on the screen. */
  shows: 'nothing' | 'video' | 'still';
  /** When the hub received the picture on the screen. */
  wallMs: number | undefined;
  /** Hidden, so that nothing is asked for. */
  resting: boolean;
  stats: PlayerStats & { dropped: number; rebuilds: number; lastFailure: string | undefined; bytes: number; firstMs: number | undefined };
}

export interface TileParts {
  source: string;
  profile: AskedProfile;
  purpose: string | undefined;
  video: HTMLVideoElement;
  canvas: HTMLCanvasElement;
  socket: LiveSocket;
  clock: TileClock;
  /** The hub's last still of the camera, for as long as there is no picture. */
  lastStill: (signal: AbortSignal) => Promise<{ bytes: Uint8Array<ArrayBuffer>; wallMs: number | undefined } | undefined>;
  changed: (view: TileView) => void;
}

export class Tile {
  readonly #parts: TileParts;
  readonly #ladder = new Ladder();
  readonly #stills: Stills;
  readonly #stats = { dropped: 0, rebuilds: 0, lastFailure: undefined as string | undefined, bytes: 0, firstMs: undefined as number | undefined };
  #view: TileView;
  #purpose: string | undefined;
  #width = 0;
  #release: (() => void) | undefined;
  #player: Player | undefined;
  #abort = new AbortController();
  #beat: ReturnType<typeof setInterval>;
  #hideTimer: ReturnType<typeof setTimeout> | undefined;
  #visible = false;
  #askedAt = 0;
  #stillAsked = false;
  #refusedAt = Infinity;

  constructor(parts: TileParts) {
    this.#parts = parts;
    this.#purpose = parts.purpose;
    this.#stills = new Stills(parts.canvas);
    this.#view = {
      link: parts.socket.link,
      hello: undefined,
      camera: undefined,
      refusal: undefined,
      mode: 'video',
      stills: undefined,
      videoAt: Infinity,
      mainCodec: undefined,
      profile: parts.profile === 'main' ? 'main' : 'sub',
      shows: 'nothing',
      wallMs: undefined,
      resting: true,
      stats: { targetMs: 0, gapMs: 0, stalls: 0, rate: 1, shown: 0, ...this.#stats },
    };
    this.#beat = setInterval(() => this.#tick(), BEAT_MS);
  }

  /** Whether a person can see the tile. */
  setVisible(visible: boolean): void {
    if (visible === this.#visible) return;
    this.#visible = visible;
    clearTimeout(this.#hideTimer);
    if (visible) {
      if (!this.#release) this.#begin();
    } else {
      this.#hideTimer = setTimeout(() => this.#rest(), HIDDEN_MS);
    }
  }

  /** The tile's width on the screen decides which stream `auto` is. */
  setWidth(px: number): void {
    this.#width = px;
    const profile = this.#wantedProfile();
    if (this.#release && profile !== this.#view.profile) this.#again();
  }

  /** Begins again, as after a person gave a purpose or asked to try once more. */
  retry(purpose?: string): void {
    if (purpose) this.#purpose = purpose;
    if (this.#visible) this.#again();
  }

  /** A person wants video although stills were chosen. */
  tryVideo(): void {
    this.#ladder.tryVideo(Date.now());
    if (this.#visible) this.#again();
  }

  stop(): void {
    clearInterval(this.#beat);
    clearTimeout(this.#hideTimer);
    this.#abort.abort();
    this.#leave();
    this.#stills.stop();
  }

  #begin(): void {
    const { source, socket } = this.#parts;
    const profile = this.#wantedProfile();
    if (this.#ladder.mode === 'video' && playable('avc1.42e01e') === 'no_mse') this.#ladder.noMse();
    this.#askedAt = performance.now();
    this.#stats.firstMs = undefined;
    this.#stillAsked = false;
    this.#refusedAt = Infinity;
    this.#tell({ resting: false, refusal: undefined, hello: undefined, profile, link: socket.link });
    this.#release = socket.subscribe(
      { source, profile, mode: this.#ladder.mode, purpose: this.#purpose },
      {
        message: (message) => this.#message(message),
        packet: (packet) => this.#packet(packet),
        link: (link) => this.#linked(link),
      },
    );
  }

  #leave(): void {
    this.#release?.();
    this.#release = undefined;
    this.#endPlayer();
  }

  #again(): void {
    this.#leave();
    this.#begin();
  }

  #rest(): void {
    this.#leave();
    this.#tell({ resting: true, camera: undefined });
  }

  #wantedProfile(): StreamProfile {
    const mainPlays = this.#view.mainCodec === undefined;
    return chosenProfile(this.#parts.profile, this.#width, this.#view.profile, mainPlays);
  }

  #linked(link: Link): void {
    // A new socket delivers a new beginning; what is on the screen stays, and grows old.
    if (link.state === 'open') {
      this.#askedAt = performance.now();
      this.#tell({ link });
      return;
    }
    this.#endPlayer();
    // How the camera is, nobody here knows any more.
    this.#tell({ link, camera: undefined });
  }

  #message(message: Message): void {
    switch (message.type) {
      case 'hello':
        this.#hello(message);
        break;
      case 'drop':
        this.#stats.dropped += message.frames;
        break;
      case 'state':
        this.#tell({ camera: message });
        break;
      case 'error':
        this.#endPlayer();
        if (RETRIED.has(message.code)) this.#refusedAt = Date.now();
        // What a person may no longer see must not stay on the screen.
        else this.#tell({ shows: 'nothing', wallMs: undefined });
        this.#tell({ refusal: { code: message.code, message: message.message } });
        break;
    }
  }

  #hello(hello: Hello): void {
    this.#tell({ hello, refusal: undefined });
    this.#refusedAt = Infinity;
    if (this.#ladder.mode === 'jpeg') {
      // The stream has changed to something that plays here.
      const { stills } = this.#ladder;
      if (stills?.code === 'codec' && stills.codec !== hello.codec && playable(hello.codec) === 'yes') this.tryVideo();
      return;
    }
    if (playable(hello.codec) === 'yes') {
      if (this.#player?.codec !== hello.codec || this.#player.epoch !== hello.epoch) this.#build(hello);
      return;
    }
    if (hello.profile === 'main' && this.#parts.profile === 'auto') {
      this.#view.mainCodec = hello.codec;
    } else {
      this.#ladder.codecUnsupported(hello.codec);
    }
    this.#again();
  }

  #build(hello: Hello): void {
    this.#endPlayer();
    this.#player = new Player(this.#parts.video, hello, {
      shown: (wallMs) => this.#shown('video', wallMs),
      failed: (cause) => this.#failed(cause),
    });
  }

  /** The picture stays on the canvas when its player goes. */
  #endPlayer(): void {
    if (!this.#player) return;
    if (this.#view.shows === 'video') {
      this.#tell({ shows: this.#stills.keep(this.#parts.video) ? 'still' : 'nothing' });
    }
    this.#player.stop();
    this.#player = undefined;
  }

  #failed(cause: PlayerFailure): void {
    this.#stats.lastFailure = cause;
    if (cause === 'autoplay') this.#ladder.autoplayBlocked();
    else if (this.#ladder.broke(cause, Date.now()) === 'rebuild') this.#stats.rebuilds += 1;
    // A new subscription brings the burst from the last key frame, and so a picture at once.
    this.#again();
  }

  #packet(packet: Packet): void {
    this.#stats.bytes += packet.bytes.byteLength;
    // A frame from the future: the hub's clock is ahead of what we took it for.
    if (packet.kind !== 'init' && packet.wallMs > this.#parts.clock.ms()) this.#parts.clock.learn(packet.wallMs);
    if (packet.kind === 'jpeg') {
      this.#stills.show(packet.bytes, () => this.#shown('still', packet.wallMs));
      return;
    }
    this.#player?.push(packet.kind, packet.bytes, packet.wallMs);
  }

  #shown(shows: 'video' | 'still', wallMs: number): void {
    // A still that was being decoded when the hub refused the camera.
    if (this.#view.refusal) return;
    this.#stats.firstMs ??= Math.round(performance.now() - this.#askedAt);
    this.#view.wallMs = wallMs;
    if (this.#view.shows !== shows) this.#tell({ shows });
  }

  #tick(): void {
    const now = Date.now();
    this.#player?.check(this.#visible && !document.hidden);
    if (this.#visible && this.#ladder.due(now)) this.tryVideo();
    if (this.#visible && now - this.#refusedAt >= REFUSED_RETRY_MS) this.#again();
    this.#askStill();
    this.#tell({});
  }

  #askStill(): void {
    const { shows, refusal, resting, link } = this.#view;
    const waited = performance.now() - this.#askedAt >= STILL_AFTER_MS;
    if (this.#stillAsked || shows !== 'nothing' || refusal || resting || link.state !== 'open' || !waited) return;
    this.#stillAsked = true;
    void this.#parts.lastStill(this.#abort.signal).then((still) => {
      if (!still || this.#view.shows !== 'nothing') return;
      this.#stills.show(still.bytes, () => {
        if (this.#view.shows !== 'nothing') return;
        this.#view.wallMs = still.wallMs;
        this.#tell({ shows: 'still' });
      });
    });
  }

  #tell(changes: Partial<TileView>): void {
    const { mode, stills, retryAt } = this.#ladder;
    const stats = { ...this.#view.stats, ...this.#player?.stats, ...this.#stats };
    this.#view = { ...this.#view, mode, stills, videoAt: retryAt, ...changes, stats };
    this.#parts.changed(this.#view);
  }
}

/** What a person calls the stream: H.264 640x360. */
export function streamText(hello: Hello): string {
  return `${codecName(hello.codec)} ${hello.width}×${hello.height}`;
}
