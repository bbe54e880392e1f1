// Which moment of the world a frame on the screen shows: media time -> the hub's wall clock.
//
// Pure. The hub stamps each fragment with the time it received the frame; the browser tells the media time of the frame
// it shows.

/** A frame's media time may be told a rounding earlier than it was written. */
const TOLERANCE_S = 0.002;
/** 30 s of frames at 25 a second, the longest burst on joining, and as much again. */
const KEPT = 1_500;

export class WallTimes {
  #media: number[] = [];
  #wall: number[] = [];

  clear(): void {
    this.#media = [];
    this.#wall = [];
  }

  /** Takes a frame in; frames come nearly in order of their media time. */
  add(mediaS: number, wallMs: number): void {
    let at = this.#media.length;
    while (at > 0 && (this.#media[at - 1] as number) > mediaS) at -= 1;
    this.#media.splice(at, 0, mediaS);
    this.#wall.splice(at, 0, wallMs);
    if (this.#media.length > KEPT) {
      this.#media.splice(0, KEPT / 3);
      this.#wall.splice(0, KEPT / 3);
    }
  }

  /** When the hub received the frame that is shown at `mediaS`; none for a frame that never came. */
  at(mediaS: number): number | undefined {
    let low = 0;
    let high = this.#media.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#media[middle] as number) <= mediaS + TOLERANCE_S) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? undefined : this.#wall[low - 1];
  }
}
