// The one socket to `/api/v1/live` that all tiles of a page share.
//
// Opens with the first tile and closes soon after the last. When it is lost it comes back with jittered waits and asks
// for every tile again. Does not belong here: what a tile does with its packets (tile.ts).

import { Backoff } from './backoff';
import { parseMessage, parsePacket, subscribeTexts, unsubscribeText } from './wire';
import type { AskedProfile, Message, Mode, Packet } from './wire';

/** A page that changes screens closes its tiles and opens others. */
const LINGER_MS = 3_000;
/** Open for so long, and the next loss begins with short waits again. */
const STABLE_MS = 5_000;
/** While cameras deliver, a socket without a byte for so long is dead, whatever TCP believes. */
const SILENCE_MS = 10_000;
const WATCH_MS = 2_000;
/** Tile numbers are 16 bits; one that was in use a moment ago may still have packets on the way. */
const TILES = 0x1_0000;

export interface TileRequest {
  source: string;
  profile: AskedProfile;
  mode: Mode;
  purpose: string | undefined;
}

export interface Link {
  /** `waiting`: lost, and tried again at `retryAt`. */
  state: 'connecting' | 'open' | 'waiting';
  /** By this machine's clock. */
  since: number;
  retryAt?: number;
}

export interface TileListener {
  message(message: Message): void;
  packet(packet: Packet): void;
  /** The socket was opened or lost; after an opening the tile begins anew. */
  link(link: Link): void;
}

/** What of a WebSocket is used. */
export interface SocketLike {
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  send(text: string): void;
  close(): void;
}

export interface Surroundings {
  open(): SocketLike;
  now(): number;
  /** Runs later; answers with what takes it back. */
  after(ms: number, run: () => void): () => void;
  random(): number;
}

interface Entry {
  request: TileRequest;
  listener: TileListener;
  delivering: boolean;
  /** Whether this socket has been asked for it. */
  asked: boolean;
}

export class LiveSocket {
  /** Packets and messages that could not be read, and those of tiles that are gone. */
  readonly counts = { malformed: 0, orphaned: 0 };
  readonly #around: Surroundings;
  readonly #backoff: Backoff;
  readonly #tiles = new Map<number, Entry>();
  #link: Link;
  #socket: SocketLike | undefined;
  #nextTile = 1;
  #openedAt = 0;
  #heardAt = 0;
  #cancelRetry: (() => void) | undefined;
  #cancelLinger: (() => void) | undefined;
  #cancelWatch: (() => void) | undefined;
  #flushing = false;

  constructor(around: Surroundings) {
    this.#around = around;
    this.#backoff = new Backoff(around.random);
    this.#link = { state: 'connecting', since: around.now() };
  }

  get link(): Link {
    return this.#link;
  }

  /** Asks for a tile; answers with what gives it back. */
  subscribe(request: TileRequest, listener: TileListener): () => void {
    const tile = this.#freeTile();
    this.#tiles.set(tile, { request, listener, delivering: false, asked: false });
    this.#cancelLinger?.();
    this.#cancelLinger = undefined;
    if (!this.#socket && !this.#cancelRetry) this.#connect();
    else this.#flushSoon();
    return () => this.#unsubscribe(tile);
  }

  /** Tries at once, as when a person asks or the network came back. */
  retryNow(): void {
    if (!this.#cancelRetry) return;
    this.#cancelRetry();
    this.#cancelRetry = undefined;
    this.#connect();
  }

  #unsubscribe(tile: number): void {
    const entry = this.#tiles.get(tile);
    if (!entry) return;
    this.#tiles.delete(tile);
    if (entry.asked && this.#link.state === 'open') this.#socket?.send(unsubscribeText([tile]));
    if (this.#tiles.size === 0) this.#cancelLinger ??= this.#around.after(LINGER_MS, () => this.#rest());
  }

  #connect(): void {
    this.#cancelRetry = undefined;
    this.#tell({ state: 'connecting', since: this.#around.now() });
    const socket = this.#around.open();
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    // A socket that has been given up may still speak; it is no longer ours.
    socket.onopen = () => socket === this.#socket && this.#opened();
    socket.onmessage = (event) => socket === this.#socket && this.#heard(event.data);
    socket.onclose = () => socket === this.#socket && this.#lost();
  }

  #opened(): void {
    this.#openedAt = this.#heardAt = this.#around.now();
    this.#tell({ state: 'open', since: this.#openedAt });
    this.#flush();
    this.#watch();
  }

  #lost(): void {
    const now = this.#around.now();
    if (this.#link.state === 'open' && now - this.#openedAt >= STABLE_MS) this.#backoff.reset();
    this.#drop();
    if (this.#tiles.size === 0) return;
    const wait = this.#backoff.next();
    this.#cancelRetry = this.#around.after(wait, () => this.#connect());
    this.#tell({ state: 'waiting', since: now, retryAt: now + wait });
  }

  /** The last tile has gone. */
  #rest(): void {
    this.#cancelLinger = undefined;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#drop();
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#cancelWatch?.();
    this.#cancelWatch = undefined;
    for (const entry of this.#tiles.values()) {
      entry.asked = false;
      entry.delivering = false;
    }
    socket?.close();
  }

  #watch(): void {
    this.#cancelWatch = this.#around.after(WATCH_MS, () => {
      const expecting = [...this.#tiles.values()].some((entry) => entry.delivering);
      if (!expecting) this.#heardAt = this.#around.now();
      if (this.#around.now() - this.#heardAt > SILENCE_MS) this.#lost();
      else this.#watch();
    });
  }

  #heard(data: unknown): void {
    this.#heardAt = this.#around.now();
    if (data instanceof ArrayBuffer) {
      const packet = parsePacket(data);
      if (!packet) this.counts.malformed += 1;
      else this.#to(packet.tile, (entry) => {
        entry.delivering = true;
        entry.listener.packet(packet);
      });
      return;
    }
    const message = typeof data === 'string' ? parseMessage(data) : undefined;
    if (!message) {
      this.counts.malformed += 1;
    } else if (message.tile === undefined) {
      // The hub did not understand us as a whole: no tile will come of what was asked.
      for (const entry of this.#tiles.values()) entry.listener.message(message);
    } else {
      this.#to(message.tile, (entry) => {
        if (message.type === 'state' || message.type === 'error') entry.delivering = false;
        entry.listener.message(message);
      });
    }
  }

  #to(tile: number, run: (entry: Entry) => void): void {
    const entry = this.#tiles.get(tile);
    if (entry) run(entry);
    else this.counts.orphaned += 1;
  }

  #tell(link: Link): void {
    this.#link = link;
    for (const entry of this.#tiles.values()) entry.listener.link(link);
  }

  /** Tiles that open together are asked for together. */
  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#link.state !== 'open') return;
    const wanted = [...this.#tiles].filter(([, entry]) => !entry.asked);
    for (const [, entry] of wanted) entry.asked = true;
    for (const text of subscribeTexts(wanted.map(([tile, entry]) => ({ tile, ...entry.request })))) this.#socket?.send(text);
  }

  #freeTile(): number {
    while (this.#tiles.has(this.#nextTile)) this.#nextTile = (this.#nextTile + 1) % TILES;
    const tile = this.#nextTile;
    this.#nextTile = (this.#nextTile + 1) % TILES;
    return tile;
  }
}

/** The socket of this page. */
export function browserSocket(): LiveSocket {
  const around: Surroundings = {
    open: () => new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/v1/live`) as SocketLike,
    now: () => performance.timeOrigin + performance.now(),
    after: (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    random: Math.random,
  };
  const socket = new LiveSocket(around);
  addEventListener('online', () => socket.retryNow());
  return socket;
}
