//! From a decoder's byte stream (Annex B) to what rings hold: a track in MP4's form, and NAL units behind their lengths
//! without parameter sets. The counterpart of `decode::annexb`.

use bytes::Bytes;

use super::sps;
use crate::{Codec, NewTrack};

/// The codec string of JPEG pictures in MP4's registry (object type 0x6C).
const JPEG_CODEC: &str = "mp4v.6C";

/// One access unit, taken apart.
#[derive(Debug, PartialEq)]
pub(super) struct Assembled {
    pub data: Bytes,
    pub is_key: bool,
    /// Parameter sets from here on, when they are new.
    pub track: Option<NewTrack>,
}

/// What a NAL unit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Vps,
    Sps,
    Pps,
    /// A slice of a picture with which decoding can begin.
    Key,
    Slice,
    /// Delimiters and padding.
    Nothing,
    /// Carried along: SEI and what is not known.
    Other,
}

/// Follows a stream's parameter sets.
pub(super) struct Assembler {
    codec: Codec,
    vps: Vec<u8>,
    sps: Vec<u8>,
    pps: Vec<u8>,
    told: Option<NewTrack>,
}

impl Assembler {
    pub(super) fn new(codec: Codec) -> Self {
        Self { codec, vps: Vec::new(), sps: Vec::new(), pps: Vec::new(), told: None }
    }

    /// Takes parameter sets from outside the stream; slices there are left alone.
    pub(super) fn learn(&mut self, sets: &[u8]) {
        for unit in units(sets) {
            self.keep(unit);
        }
    }

    /// None: it holds no picture.
    pub(super) fn take(&mut self, unit: &[u8]) -> Option<Assembled> {
        if self.codec == Codec::Mjpeg {
            return self.take_jpeg(unit);
        }
        let mut data = Vec::with_capacity(unit.len() + 16);
        let (mut slices, mut keys) = (0, 0);
        for unit in units(unit) {
            match self.keep(unit) {
                Use::Vps | Use::Sps | Use::Pps | Use::Nothing => continue,
                Use::Key => (slices, keys) = (slices + 1, keys + 1),
                Use::Slice => slices += 1,
                Use::Other => {}
            }
            data.extend_from_slice(&u32::try_from(unit.len()).ok()?.to_be_bytes());
            data.extend_from_slice(unit);
        }
        if slices == 0 {
            return None;
        }
        let is_key = keys == slices;
        // New sets count from the key frame that uses them.
        let track = if is_key { self.track() } else { None };
        Some(Assembled { data: Bytes::from(data), is_key, track: self.news(track) })
    }

    fn take_jpeg(&mut self, picture: &[u8]) -> Option<Assembled> {
        let (width, height) = jpeg_size(picture)?;
        let rfc6381 = JPEG_CODEC.to_owned();
        let track = NewTrack { codec: Codec::Mjpeg, rfc6381, width, height, decoder_config: Bytes::new() };
        Some(Assembled { data: Bytes::copy_from_slice(picture), is_key: true, track: self.news(Some(track)) })
    }

    fn news(&mut self, track: Option<NewTrack>) -> Option<NewTrack> {
        let track = track.filter(|track| self.told.as_ref() != Some(track))?;
        self.told = Some(track.clone());
        Some(track)
    }

    fn keep(&mut self, unit: &[u8]) -> Use {
        let used = use_of(self.codec, unit);
        let place = match used {
            Use::Vps => &mut self.vps,
            Use::Sps => &mut self.sps,
            Use::Pps => &mut self.pps,
            _ => return used,
        };
        if place != unit {
            unit.clone_into(place);
        }
        used
    }

    fn track(&self) -> Option<NewTrack> {
        let (sps, rfc6381, config) = match self.codec {
            Codec::H264 => (sps::h264(&self.sps)?, h264_codec(&self.sps)?, self.avcc()?),
            Codec::H265 => {
                let sps = sps::h265(&self.sps)?;
                (sps, h265_codec(&self.profile()?), self.hvcc(&sps)?)
            }
            Codec::Mjpeg => return None,
        };
        let (width, height) = (sps.width, sps.height);
        Some(NewTrack { codec: self.codec, rfc6381, width, height, decoder_config: Bytes::from(config) })
    }

    /// ISO/IEC 14496-15, 5.3.3.1.
    fn avcc(&self) -> Option<Vec<u8>> {
        let mut out = vec![1];
        out.extend_from_slice(self.sps.get(1..4)?);
        // Lengths of four bytes; one set of each kind.
        out.extend([0xFF, 0xE1]);
        put(&mut out, &self.sps)?;
        out.push(1);
        put(&mut out, &self.pps).filter(|()| !self.pps.is_empty())?;
        Some(out)
    }

    /// ISO/IEC 14496-15, 8.3.3.1.
    fn hvcc(&self, sps: &sps::Sps) -> Option<Vec<u8>> {
        let mut out = vec![1];
        out.extend_from_slice(&self.profile()?);
        // No least segmentation, and so no word about parallel decoding.
        out.extend([0xF0, 0x00, 0xFC]);
        out.push(0xFC | sps.chroma_format);
        out.extend([0xF8 | sps.luma_bits_minus_8, 0xF8 | sps.chroma_bits_minus_8]);
        // Frame rate unknown; lengths of four bytes.
        out.extend([0, 0, sps.sub_layers << 3 | u8::from(sps.nested) << 2 | 3]);
        out.push(3);
        for (kind, unit) in [(32, &self.vps), (33, &self.sps), (34, &self.pps)] {
            if unit.is_empty() {
                return None;
            }
            out.extend([0x80 | kind, 0, 1]);
            put(&mut out, unit)?;
        }
        Some(out)
    }

    /// The twelve bytes of profile, compatibility, constraints and level of an H.265 set (H.265, 7.3.3).
    fn profile(&self) -> Option<[u8; 12]> {
        let mut bits = super::bits::Bits::new(self.sps.get(3..)?);
        let mut out = [0; 12];
        for byte in &mut out {
            *byte = bits.number(8)? as u8;
        }
        Some(out)
    }
}

fn put(out: &mut Vec<u8>, unit: &[u8]) -> Option<()> {
    out.extend(u16::try_from(unit.len()).ok()?.to_be_bytes());
    out.extend_from_slice(unit);
    Some(())
}

/// RFC 6381, 3.3: profile, constraints and level in hex.
fn h264_codec(sps: &[u8]) -> Option<String> {
    let [profile, constraints, level] = sps.get(1..4)?.try_into().ok()?;
    Some(format!("avc1.{profile:02x}{constraints:02x}{level:02x}"))
}

/// ISO/IEC 14496-15, E.3.
fn h265_codec(profile: &[u8; 12]) -> String {
    let space = ["", "A", "B", "C"][usize::from(profile[0] >> 6)];
    let tier = if profile[0] & 0x20 == 0 { 'L' } else { 'H' };
    let compatible = u32::from_be_bytes([profile[1], profile[2], profile[3], profile[4]]).reverse_bits();
    let mut codec = format!("hvc1.{space}{}.{compatible:X}.{tier}{}", profile[0] & 0x1F, profile[11]);
    let constraints = &profile[5..11];
    let used = constraints.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    for byte in &constraints[..used] {
        codec.push_str(&format!(".{byte:X}"));
    }
    codec
}

fn use_of(codec: Codec, unit: &[u8]) -> Use {
    let kind = unit.first().copied().unwrap_or_default();
    match codec {
        // ITU-T H.264, table 7-1.
        Codec::H264 => match kind & 0x1F {
            7 => Use::Sps,
            8 => Use::Pps,
            5 => Use::Key,
            1..=4 => Use::Slice,
            9..=12 => Use::Nothing,
            _ => Use::Other,
        },
        // ITU-T H.265, table 7-1.
        Codec::H265 => match kind >> 1 & 0x3F {
            32 => Use::Vps,
            33 => Use::Sps,
            34 => Use::Pps,
            16..=21 => Use::Key,
            0..=15 => Use::Slice,
            35..=38 => Use::Nothing,
            _ => Use::Other,
        },
        Codec::Mjpeg => Use::Other,
    }
}

/// The NAL units between start codes, without the zeros behind them.
fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start(stream);
    std::iter::from_fn(move || {
        let begun = rest?;
        let end = start(begun).unwrap_or(begun.len());
        rest = after_start(&begun[end..]);
        let used = begun[..end].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        Some(&begun[..used])
    })
    .filter(|unit| !unit.is_empty())
}

fn start(stream: &[u8]) -> Option<usize> {
    stream.windows(3).position(|bytes| bytes == [0, 0, 1])
}

fn after_start(stream: &[u8]) -> Option<&[u8]> {
    start(stream).map(|at| &stream[at + 3..])
}

/// Width and height from the frame header (ITU-T T.81, B.2.2).
fn jpeg_size(picture: &[u8]) -> Option<(u32, u32)> {
    let mut rest = picture.strip_prefix(&[0xFF, 0xD8])?;
    loop {
        let [0xFF, marker, high, low, ..] = *rest else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        // SOF0 to SOF15 without the tables DHT, JPG and DAC among them.
        if (0xC0..=0xCF).contains(&marker) && !matches!(marker, 0xC4 | 0xC8 | 0xCC) {
            let [h0, h1, w0, w1] = *rest.get(5..9)?.first_chunk::<4>()?;
            let (width, height) = (u16::from_be_bytes([w0, w1]), u16::from_be_bytes([h0, h1]));
            return (width > 0 && height > 0).then_some((width.into(), height.into()));
        }
        rest = rest.get(2 + length.max(2)..)?;
    }
}

#[cfg(test)]
#[path = "assemble_tests.rs"]
mod tests;
