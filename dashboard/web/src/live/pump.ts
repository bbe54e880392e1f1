// Feeds one SourceBuffer: everything that waits goes in as one append, removals in between.
//
// Knows only the SourceBuffer. Does not belong here: what to remove and when (gap.ts), what follows from a failure.

/** More than this waits only when the decoder has died: about 10 s of a main stream. */
const MOST_WAITING_BYTES = 16 * 1024 * 1024;

export type PumpFailure = 'quota' | 'append' | 'backlog';

/** What of a SourceBuffer is used. */
export interface BufferLike {
  updating: boolean;
  appendBuffer(bytes: Uint8Array<ArrayBuffer>): void;
  remove(start: number, end: number): void;
}

export interface PumpEvents {
  /** Up to where frames may go when the browser has no room; none when nothing can go. */
  spare(): number | undefined;
  failed(reason: PumpFailure): void;
}

export class Pump {
  readonly #buffer: BufferLike;
  readonly #events: PumpEvents;
  #waiting: Uint8Array<ArrayBuffer>[] = [];
  #waitingBytes = 0;
  #removeTo: number | undefined;
  /** What did not fit; tried once more after a removal. */
  #refused: Uint8Array<ArrayBuffer> | undefined;
  #dead = false;

  constructor(buffer: BufferLike, events: PumpEvents) {
    this.#buffer = buffer;
    this.#events = events;
  }

  push(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#dead) return;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.byteLength;
    if (this.#waitingBytes > MOST_WAITING_BYTES) this.#fail('backlog');
    else this.#run();
  }

  /** Lets everything before go as soon as the buffer is free. */
  removeBefore(time: number): void {
    if (this.#dead) return;
    this.#removeTo = time;
    this.#run();
  }

  /** To be called at the buffer's `updateend`. */
  updated(): void {
    this.#run();
  }

  stop(): void {
    this.#dead = true;
    this.#waiting = [];
  }

  #run(): void {
    if (this.#dead || this.#buffer.updating) return;
    try {
      if (this.#removeTo !== undefined) {
        const end = this.#removeTo;
        this.#removeTo = undefined;
        this.#buffer.remove(0, end);
        return;
      }
      const again = this.#refused !== undefined;
      const chunk = this.#refused ?? merged(this.#waiting);
      if (!chunk) return;
      if (!again) {
        this.#waiting = [];
        this.#waitingBytes = 0;
      }
      this.#append(chunk, again);
    } catch {
      // The buffer has been taken from the media source, or its element has failed.
      this.#fail('append');
    }
  }

  #append(chunk: Uint8Array<ArrayBuffer>, again: boolean): void {
    try {
      this.#refused = undefined;
      this.#buffer.appendBuffer(chunk);
    } catch (error) {
      if ((error as { name?: string }).name !== 'QuotaExceededError') throw error;
      const spare = again ? undefined : this.#events.spare();
      if (spare === undefined) {
        this.#fail('quota');
        return;
      }
      this.#refused = chunk;
      this.#buffer.remove(0, spare);
    }
  }

  #fail(reason: PumpFailure): void {
    this.stop();
    this.#events.failed(reason);
  }
}

function merged(chunks: Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> | undefined {
  if (chunks.length <= 1) return chunks[0];
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}
