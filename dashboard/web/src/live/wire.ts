// What travels on `/api/v1/live`: packets and messages, read from bytes and text that nobody here trusts.
//
// Pure. Does not belong here: sockets (socket.ts), what follows from a message (tile.ts).

/** Before the bytes of each packet: tile u16, kind u8, flags u8, wall-clock ms u64; big endian. */
export const HEADER_BYTES = 12;
/** A key frame of an 8-megapixel camera is about 2 MB; more than this is no frame. */
const MAX_PACKET_BYTES = 32 * 1024 * 1024;
/** The last moment a `Date` knows. */
const MAX_WALL_MS = 8.64e15;
const KINDS = ['init', 'key', 'delta', 'jpeg'] as const;

export type PacketKind = (typeof KINDS)[number];
export type StreamProfile = 'main' | 'sub';
export type AskedProfile = StreamProfile | 'auto';
export type Mode = 'video' | 'jpeg';

export interface Packet {
  tile: number;
  kind: PacketKind;
  /** When the hub received the frame, by the hub's clock. */
  wallMs: number;
  bytes: Uint8Array<ArrayBuffer>;
}

/** None for what is no packet. */
export function parsePacket(data: ArrayBuffer): Packet | undefined {
  if (data.byteLength <= HEADER_BYTES || data.byteLength > MAX_PACKET_BYTES) return undefined;
  const view = new DataView(data);
  const kind = KINDS[view.getUint8(2)];
  const wallMs = view.getUint32(4) * 2 ** 32 + view.getUint32(8);
  if (!kind || wallMs > MAX_WALL_MS) return undefined;
  return { tile: view.getUint16(0), kind, wallMs, bytes: new Uint8Array(data, HEADER_BYTES) };
}

export interface Hello {
  type: 'hello';
  tile: number;
  /** RFC 6381, as `avc1.4d401e`. */
  codec: string;
  /** Ticks a second of the fragments' times. */
  timescale: number;
  width: number;
  height: number;
  /** Rises when the stream begins anew with other parameter sets. */
  epoch: number;
  profile: StreamProfile;
  /** Whether the view is written to the audit. */
  audit: boolean;
}

export interface Drop {
  type: 'drop';
  tile: number;
  frames: number;
}

export interface CameraState {
  type: 'state';
  tile: number;
  state: string;
  reason: string | null;
  /** By the hub's clock; none when the hub did not say. */
  sinceMs: number | undefined;
}

export interface Refusal {
  type: 'error';
  /** None when the message as a whole was refused. */
  tile: number | undefined;
  code: string;
  message: string;
}

export type Message = Hello | Drop | CameraState | Refusal;

/** Goes into a MIME type and onto the screen. */
const CODEC = /^[a-zA-Z0-9]{4}(\.[a-zA-Z0-9-]{1,16}){0,8}$/;
const CODE = /^[a-z0-9_]{1,48}$/;
const MAX_TEXT = 500;

/** None for what is no message, and for messages of a later hub. */
export function parseMessage(text: string): Message | undefined {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!given || typeof given !== 'object') return undefined;
  const m = given as Record<string, unknown>;
  const tile = whole(m['t'], 0, 0xffff);
  switch (m['type']) {
    case 'hello':
      return tile === undefined ? undefined : helloOf(tile, m);
    case 'drop': {
      const frames = whole(m['frames'], 0, Number.MAX_SAFE_INTEGER);
      return tile === undefined || frames === undefined ? undefined : { type: 'drop', tile, frames };
    }
    case 'state': {
      const state = code(m['state']);
      if (tile === undefined || !state) return undefined;
      return { type: 'state', tile, state, reason: code(m['reason']) ?? null, sinceMs: moment(m['since']) };
    }
    case 'error': {
      const message = typeof m['message'] === 'string' ? m['message'].slice(0, MAX_TEXT) : '';
      return { type: 'error', tile, code: code(m['code']) ?? 'unknown', message };
    }
    default:
      return undefined;
  }
}

function helloOf(tile: number, m: Record<string, unknown>): Hello | undefined {
  const timescale = whole(m['timescale'], 1, 10_000_000);
  const width = whole(m['width'], 0, 65_535);
  const height = whole(m['height'], 0, 65_535);
  const epoch = whole(m['epoch'], 0, Number.MAX_SAFE_INTEGER);
  const codec = m['codec'];
  if (timescale === undefined || width === undefined || height === undefined || epoch === undefined) return undefined;
  if (typeof codec !== 'string' || !CODEC.test(codec)) return undefined;
  const profile = m['profile'] === 'main' ? 'main' : 'sub';
  return { type: 'hello', tile, codec, timescale, width, height, epoch, profile, audit: m['audit'] === true };
}

function whole(value: unknown, least: number, most: number): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most ? value : undefined;
}

function code(value: unknown): string | undefined {
  return typeof value === 'string' && CODE.test(value) ? value : undefined;
}

function moment(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : NaN;
  return Number.isFinite(ms) ? ms : undefined;
}

export interface Subscribe {
  tile: number;
  source: string;
  profile: AskedProfile;
  mode: Mode;
  purpose: string | undefined;
}

/** One message a purpose: the hub writes the purpose to the audit row of each of its tiles. */
export function subscribeTexts(wanted: Subscribe[]): string[] {
  const groups = new Map<string, Subscribe[]>();
  for (const one of wanted) {
    const key = one.purpose ?? '';
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups].map(([purpose, group]) => {
    const sub = group.map(({ tile, source, profile, mode }) => ({ t: tile, source, profile, mode }));
    return JSON.stringify(purpose ? { sub, purpose } : { sub });
  });
}

export function unsubscribeText(tiles: number[]): string {
  return JSON.stringify({ unsub: tiles });
}
