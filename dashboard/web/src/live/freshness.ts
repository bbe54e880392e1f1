// How old a picture may be before it no longer counts as live.

/** Beyond this the picture gets a veil and its age in seconds. */
const VEIL_MS = 2_000;
/** Beyond this it is a still of then and no view of now. */
const STILL_MS = 10_000;

export type Freshness = 'none' | 'live' | 'late' | 'old';

/** `ageMs` of the frame on the screen; none when there has been no frame. */
export function freshness(ageMs: number | undefined): Freshness {
  if (ageMs === undefined) return 'none';
  if (ageMs > STILL_MS) return 'old';
  return ageMs > VEIL_MS ? 'late' : 'live';
}
