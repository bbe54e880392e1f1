// Draws stills on a canvas: JPEGs as they come, or the picture a video stands at.

export class Stills {
  readonly #canvas: HTMLCanvasElement;
  #busy = false;
  #next: { bytes: Uint8Array<ArrayBuffer>; drawn: () => void } | undefined;
  #ended = false;
  /** JPEGs the browser could not read. */
  broken = 0;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
  }

  /** Draws the newest one; those that come faster than they can be drawn are left out. */
  show(bytes: Uint8Array<ArrayBuffer>, drawn: () => void): void {
    this.#next = { bytes, drawn };
    if (!this.#busy) void this.#run();
  }

  /** Keeps the picture of a video before it goes; whether there was one. */
  keep(video: HTMLVideoElement): boolean {
    const { videoWidth, videoHeight } = video;
    if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || !videoWidth || !videoHeight) return false;
    this.#draw(video, videoWidth, videoHeight);
    return true;
  }

  stop(): void {
    this.#ended = true;
    this.#next = undefined;
  }

  async #run(): Promise<void> {
    this.#busy = true;
    while (this.#next && !this.#ended) {
      const { bytes, drawn } = this.#next;
      this.#next = undefined;
      try {
        const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/jpeg' }));
        if (!this.#ended) {
          this.#draw(bitmap, bitmap.width, bitmap.height);
          drawn();
        }
        bitmap.close();
      } catch {
        this.broken += 1;
      }
    }
    this.#busy = false;
  }

  #draw(image: CanvasImageSource, width: number, height: number): void {
    if (this.#canvas.width !== width) this.#canvas.width = width;
    if (this.#canvas.height !== height) this.#canvas.height = height;
    this.#canvas.getContext('2d')?.drawImage(image, 0, 0, width, height);
  }
}
