//! Fragmented MP4 (ISO/IEC 14496-12) for Media Source Extensions: one init segment a track, one fragment a frame.
//!
//! Pure functions of their input. Fragments carry absolute decode times, so that the same bytes serve every viewer
//! whenever he joined. Durations in the header boxes are 0: the stream is live and has no end.

use bytes::Bytes;

use crate::{Codec, Frame, TIMESCALE, Track};

/// Bytes of the `moof` box that [`fragment`] writes: 8 + mfhd 16 + traf (8 + tfhd 16 + tfdt 20 + trun 32).
pub const MOOF_BYTES: usize = 100;
/// `trun` sample flags of a frame that depends on none and starts decoding.
const KEY_FLAGS: u32 = 0x0200_0000;
/// `trun` sample flags of a frame that depends on others and is no sync sample.
const DELTA_FLAGS: u32 = 0x0101_0000;

/// The `ftyp` and `moov` boxes that a viewer needs before the first fragment of the track; empty when it is not played.
pub fn init_segment(track: &Track) -> Bytes {
    if !track.codec.is_played() {
        return Bytes::new();
    }
    let mut out = Vec::with_capacity(700 + track.decoder_config.len());
    boxed(&mut out, b"ftyp", |b| {
        b.extend_from_slice(b"iso6");
        u32s(b, &[1]);
        b.extend_from_slice(b"iso6mp41");
    });
    boxed(&mut out, b"moov", |b| {
        full(b, b"mvhd", 0, 0, |b| {
            u32s(b, &[0, 0, TIMESCALE, 0, 0x0001_0000, 0x0100_0000, 0, 0]);
            u32s(b, &MATRIX);
            u32s(b, &[0, 0, 0, 0, 0, 0, 2]);
        });
        boxed(b, b"trak", |b| trak(b, track));
        boxed(b, b"mvex", |b| full(b, b"trex", 0, 0, |b| u32s(b, &[1, 1, 0, 0, 0])));
    });
    Bytes::from(out)
}

/// The identity of the track header's transformation (14496-12, 8.3.2).
const MATRIX: [u32; 9] = [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000];

fn trak(b: &mut Vec<u8>, track: &Track) {
    // Flags: enabled, in movie.
    full(b, b"tkhd", 0, 3, |b| {
        u32s(b, &[0, 0, 1, 0, 0, 0, 0, 0, 0]);
        u32s(b, &MATRIX);
        u32s(b, &[track.width << 16, track.height << 16]);
    });
    boxed(b, b"mdia", |b| {
        // Language: undetermined.
        full(b, b"mdhd", 0, 0, |b| u32s(b, &[0, 0, TIMESCALE, 0, 0x55C4_0000]));
        full(b, b"hdlr", 0, 0, |b| {
            u32s(b, &[0]);
            b.extend_from_slice(b"vide");
            u32s(b, &[0, 0, 0]);
            b.extend_from_slice(b"video\0");
        });
        boxed(b, b"minf", |b| {
            full(b, b"vmhd", 0, 1, |b| u32s(b, &[0, 0]));
            boxed(b, b"dinf", |b| {
                full(b, b"dref", 0, 0, |b| {
                    u32s(b, &[1]);
                    full(b, b"url ", 0, 1, |_| {});
                });
            });
            boxed(b, b"stbl", |b| {
                full(b, b"stsd", 0, 0, |b| {
                    u32s(b, &[1]);
                    sample_entry(b, track);
                });
                full(b, b"stts", 0, 0, |b| u32s(b, &[0]));
                full(b, b"stsc", 0, 0, |b| u32s(b, &[0]));
                full(b, b"stsz", 0, 0, |b| u32s(b, &[0, 0]));
                full(b, b"stco", 0, 0, |b| u32s(b, &[0]));
            });
        });
    });
}

fn sample_entry(b: &mut Vec<u8>, track: &Track) {
    let (entry, config) = match track.codec {
        Codec::H264 => (b"avc1", b"avcC"),
        Codec::H265 => (b"hvc1", b"hvcC"),
        Codec::Mjpeg => return,
    };
    boxed(b, entry, |b| {
        u32s(b, &[0, 1, 0, 0, 0, 0]);
        // Sizes beyond 16 bit do not exist in H.264 or H.265 levels.
        b.extend_from_slice(&(track.width as u16).to_be_bytes());
        b.extend_from_slice(&(track.height as u16).to_be_bytes());
        // 72 dpi twice, one frame a sample, no compressor name, depth 24.
        u32s(b, &[0x0048_0000, 0x0048_0000, 0]);
        b.extend_from_slice(&1u16.to_be_bytes());
        b.extend_from_slice(&[0; 32]);
        b.extend_from_slice(&[0x00, 0x18, 0xFF, 0xFF]);
        boxed(b, config, |b| b.extend_from_slice(&track.decoder_config));
    });
}

/// The frame as `moof` and `mdat`; the `moof` has [`MOOF_BYTES`].
pub fn fragment(frame: &Frame) -> Bytes {
    let size = frame.data.len() as u32;
    let mut out = Vec::with_capacity(MOOF_BYTES + 8 + frame.data.len());
    boxed(&mut out, b"moof", |b| {
        full(b, b"mfhd", 0, 0, |b| u32s(b, &[frame.number as u32]));
        boxed(b, b"traf", |b| {
            // Flag: offsets count from the moof.
            full(b, b"tfhd", 0, 0x02_0000, |b| u32s(b, &[1]));
            full(b, b"tfdt", 1, 0, |b| b.extend_from_slice(&frame.decode_time_90k.to_be_bytes()));
            // Flags: data offset, duration, size and flags of the sample.
            full(b, b"trun", 0, 0x00_0701, |b| {
                let flags = if frame.is_key { KEY_FLAGS } else { DELTA_FLAGS };
                u32s(b, &[1, (MOOF_BYTES + 8) as u32, frame.duration_90k, size, flags]);
            });
        });
    });
    boxed(&mut out, b"mdat", |b| b.extend_from_slice(&frame.data));
    Bytes::from(out)
}

fn boxed(out: &mut Vec<u8>, kind: &[u8; 4], body: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(kind);
    body(out);
    let size = (out.len() - at) as u32;
    out[at..at + 4].copy_from_slice(&size.to_be_bytes());
}

fn full(out: &mut Vec<u8>, kind: &[u8; 4], version: u8, flags: u32, body: impl FnOnce(&mut Vec<u8>)) {
    boxed(out, kind, |b| {
        u32s(b, &[u32::from(version) << 24 | flags]);
        body(b);
    });
}

fn u32s(out: &mut Vec<u8>, values: &[u32]) {
    for value in values {
        out.extend_from_slice(&value.to_be_bytes());
    }
}

#[cfg(test)]
#[path = "fmp4_tests.rs"]
mod tests;
