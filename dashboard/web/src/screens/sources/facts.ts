// What is worth saying of a stream's measured facts. Pure.

import type { Backend, BackendChoice, SourceStatus, StreamFacts } from '../../api/types.gen';

/** A new viewer waits for a key frame; beyond this it is felt. */
export const GOP_LONG_S = 5;

/** Seconds between two key frames; none until both are measured. */
export function gopSeconds(stream: Pick<StreamFacts, 'fps' | 'gop_frames'> | null | undefined): number | undefined {
  if (!stream || !stream.gop_frames || !(stream.fps > 0)) return undefined;
  return stream.gop_frames / stream.fps;
}

export function gopIsLong(stream: Pick<StreamFacts, 'fps' | 'gop_frames'> | null | undefined): boolean {
  return (gopSeconds(stream) ?? 0) > GOP_LONG_S;
}

/** 264 kbit/s, 4.1 Mbit/s. */
export function bitrateText(bps: number): string {
  return bps >= 1_000_000 ? `${(bps / 1_000_000).toFixed(1)} Mbit/s` : `${(bps / 1000).toFixed(0)} kbit/s`;
}

/** A camera's clock beyond this is wrong rather than measured late; `model/src/status.rs` counts by the same. */
export const CLOCK_OFF_MS = 2000;
/** What the way of the packets may make of a clock that is right. */
const CLOCK_RIGHT_MS = 500;

/** How a camera's clock stands to the hub's: by how much, and whether that is wrong. None when the camera does not tell. */
export function clockOf(stream: Pick<StreamFacts, 'clock_offset_ms'> | null | undefined): { is: 'right' | 'ahead' | 'behind'; ms: number; off: boolean } | undefined {
  const offset = stream?.clock_offset_ms;
  if (offset === undefined || offset === null) return undefined;
  const ms = Math.abs(offset);
  return { is: ms < CLOCK_RIGHT_MS ? 'right' : offset > 0 ? 'ahead' : 'behind', ms, off: ms > CLOCK_OFF_MS };
}

/** What the tags ask for; a word that the hub does not know counts as none, as it does there. */
export function chosenBackend(tags: Readonly<Record<string, string>> | undefined): BackendChoice {
  const tag = tags?.['backend'];
  return tag === 'retina' || tag === 'ffmpeg' ? tag : 'auto';
}

/** What reads the camera at this moment, each once; the facts of a stream that is away are of another session. */
export function backendsNow(statuses: readonly SourceStatus[]): Backend[] {
  const read = statuses.filter(({ state }) => state === 'live' || state === 'degraded').map(({ stream }) => stream?.backend);
  return [...new Set(read.filter((one) => one !== undefined && one !== null))];
}
