// When a media fragment begins, read from its boxes (ISO/IEC 14496-12): `moof` > `traf` > `tfdt` and `trun`.
//
// Pure, and safe with bytes that are no fragment. Does not belong here: writing boxes (the hub does).

/** Boxes looked at before giving up; a fragment of ours has one `moof` at the start. */
const MAX_BOXES = 64;
/** `trun`: the samples carry composition offsets. */
const TRUN_OFFSETS = 0x800;

interface Box {
  type: string;
  /** Where its content begins. */
  start: number;
  end: number;
}

/** The presentation time of the first sample in ticks; none when the bytes do not say. */
export function startTicks(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const moof = child(view, { type: '', start: 0, end: view.byteLength }, 'moof');
  const traf = moof && child(view, moof, 'traf');
  const tfdt = traf && child(view, traf, 'tfdt');
  const decode = tfdt && decodeTicks(view, tfdt);
  if (decode === undefined) return undefined;
  const trun = child(view, traf as Box, 'trun');
  return decode + (trun ? firstOffset(view, trun) : 0);
}

function decodeTicks(view: DataView, tfdt: Box): number | undefined {
  if (tfdt.end - tfdt.start < 8) return undefined;
  if (view.getUint8(tfdt.start) === 0) return view.getUint32(tfdt.start + 4);
  if (tfdt.end - tfdt.start < 12) return undefined;
  const ticks = view.getUint32(tfdt.start + 4) * 2 ** 32 + view.getUint32(tfdt.start + 8);
  return Number.isSafeInteger(ticks) ? ticks : undefined;
}

/** The composition offset of the first sample: B-frames are shown in another order than they are decoded. */
function firstOffset(view: DataView, trun: Box): number {
  if (trun.end - trun.start < 8) return 0;
  const flags = view.getUint32(trun.start) & 0xffffff;
  if (!(flags & TRUN_OFFSETS)) return 0;
  const before = (flags & 0x1 ? 4 : 0) + (flags & 0x4 ? 4 : 0);
  const inSample = (flags & 0x100 ? 4 : 0) + (flags & 0x200 ? 4 : 0) + (flags & 0x400 ? 4 : 0);
  const at = trun.start + 8 + before + inSample;
  if (at + 4 > trun.end) return 0;
  return view.getUint8(trun.start) === 0 ? view.getUint32(at) : view.getInt32(at);
}

function child(view: DataView, parent: Box, type: string): Box | undefined {
  let at = parent.start;
  for (let seen = 0; seen < MAX_BOXES && at + 8 <= parent.end; seen += 1) {
    const size = view.getUint32(at);
    // 0 (to the end) and 1 (64-bit size) belong to `mdat`, which nothing of ours follows.
    if (size < 8 || at + size > parent.end) return undefined;
    if (view.getUint32(at + 4) === fourcc(type)) return { type, start: at + 8, end: at + size };
    at += size;
  }
  return undefined;
}

function fourcc(type: string): number {
  return ((type.charCodeAt(0) << 24) | (type.charCodeAt(1) << 16) | (type.charCodeAt(2) << 8) | type.charCodeAt(3)) >>> 0;
}
