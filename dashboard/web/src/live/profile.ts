// Which of a camera's two streams a tile asks for.

import type { AskedProfile, StreamProfile } from './wire';

/** One picture of a full HD screen, not four: four main streams of 1080p25 keep a desk without a GPU busy with three
 *  cores, sixteen sub streams with one. CSS pixels. */
const MAIN_FROM_PX = 1_000;
/** A tile that shrinks keeps the main stream a little longer, so that a dragged window does not flap. */
const SUB_BELOW_PX = 900;

/** `mainPlays`: false when the main stream was found to be nothing this browser plays. */
export function chosenProfile(asked: AskedProfile, widthPx: number, current: StreamProfile, mainPlays: boolean): StreamProfile {
  if (asked !== 'auto') return asked;
  if (!mainPlays || widthPx < SUB_BELOW_PX) return 'sub';
  return widthPx >= MAIN_FROM_PX ? 'main' : current;
}
