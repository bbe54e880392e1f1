// What is worth saying of a stream's measured facts. Pure.

import type { StreamFacts } from '../../api/types.gen';

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
