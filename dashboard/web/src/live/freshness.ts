// How old a picture may be before it no longer counts as live.

import type { Mode } from './wire';

/** Beyond this the picture gets a veil and its age in seconds. */
const VEIL_MS = 2_000;
/** Stills come a key frame at a time, most cameras' every 2 s; the tile says that they are stills, and their age. */
const STILLS_VEIL_MS = 5_000;
/** Beyond this it is a still of then and no view of now. */
const STILL_MS = 10_000;

export type Freshness = 'none' | 'live' | 'late' | 'old';

/** `ageMs` of the frame on the screen; none when there has been no frame. */
export function freshness(ageMs: number | undefined, mode: Mode): Freshness {
  if (ageMs === undefined) return 'none';
  if (ageMs > STILL_MS) return 'old';
  return ageMs > (mode === 'video' ? VEIL_MS : STILLS_VEIL_MS) ? 'late' : 'live';
}
