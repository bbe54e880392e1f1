// What this browser plays.

export type MediaSourceClass = typeof MediaSource;

/** `ManagedMediaSource` is the only one on an iPhone, and spares power elsewhere. */
export function mediaSourceClass(): MediaSourceClass | undefined {
  const scope = globalThis as { ManagedMediaSource?: MediaSourceClass; MediaSource?: MediaSourceClass };
  return scope.ManagedMediaSource ?? scope.MediaSource;
}

export function mimeOf(codec: string): string {
  return `video/mp4; codecs="${codec}"`;
}

export type Playable = 'yes' | 'no_codec' | 'no_mse';

export function playable(codec: string): Playable {
  const media = mediaSourceClass();
  if (!media) return 'no_mse';
  return media.isTypeSupported(mimeOf(codec)) ? 'yes' : 'no_codec';
}

/** The codec as people call it. */
export function codecName(codec: string): string {
  const kind = codec.slice(0, 4).toLowerCase();
  if (kind === 'avc1' || kind === 'avc3') return 'H.264';
  if (kind === 'hvc1' || kind === 'hev1') return 'H.265';
  if (kind === 'av01') return 'AV1';
  if (codec.toLowerCase() === 'mp4v.6c') return 'MJPEG';
  return codec;
}
