//! FFmpeg's decoders and its JPEG encoder, all through the safe half of `ffmpeg-next`. Its readers are in `pull`.

use std::sync::Once;

use bytes::Bytes;
use ffmpeg_next as ff;
use ffmpeg_next::codec::{self, Context, Id, decoder, encoder};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::software::scaling;
use ffmpeg_next::{Dictionary, Packet, Rational, frame};

use super::{DecodeError, Jpeg, Luma, PIXELS_MAX};
use crate::Codec;

/// The quantiser of stills, 2 (best) to 31: 5 is about JPEG's quality 80.
const QUANTISER: usize = 5;
/// FFmpeg's lambda units a quantiser step (`FF_QP2LAMBDA`).
const QP_TO_LAMBDA: usize = 118;

/// FFmpeg's largest single allocation: a plane of the largest picture at 10 bits has half of it.
const ALLOCATION_BYTES_MAX: usize = 64 << 20;

/// What holds for all of FFmpeg, before its first use.
#[expect(unsafe_code, reason = "the wrapper has no word for it")]
pub(crate) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // What a camera sends wrong is told by our own errors, not by FFmpeg on standard error, which would show addresses
        // with their passwords.
        ff::log::set_level(ff::log::Level::Quiet);
        ff::format::network::init();
        // The words for its errors.
        ff::util::error::register_all();
        // SAFETY: sets one number, which FFmpeg reads atomically.
        unsafe { ff::ffi::av_max_alloc(ALLOCATION_BYTES_MAX) };
    });
}

pub(super) fn jpeg(codec: Codec, unit: &[u8], width_max: u32) -> Result<Jpeg, DecodeError> {
    let picture = decode(codec, unit)?;
    let (width, height) = fitted(picture.width(), picture.height(), width_max);
    let mut scaled = scale(&picture, Pixel::YUVJ420P, width, height)?;
    scaled.set_pts(Some(0));
    let bytes = compress(&scaled)?;
    Ok(Jpeg { bytes, width, height })
}

pub(super) fn luma(codec: Codec, unit: &[u8], width: u32, height: u32) -> Result<Luma, DecodeError> {
    let picture = decode(codec, unit)?;
    let scaled = scale(&picture, Pixel::GRAY8, width, height)?;
    let (width, height) = (width as usize, height as usize);
    // Rows are padded to the decoder's liking.
    let rows = scaled.data(0).chunks(scaled.stride(0)).take(height);
    let pixels: Vec<u8> = rows.flat_map(|row| &row[..width]).copied().collect();
    Ok(Luma { width, height, pixels })
}

/// The first picture of an access unit.
fn decode(codec: Codec, unit: &[u8]) -> Result<frame::Video, DecodeError> {
    prepare();
    let id = match codec {
        Codec::H264 => Id::H264,
        Codec::H265 => Id::HEVC,
        Codec::Mjpeg => Id::MJPEG,
    };
    let found = decoder::find(id).ok_or_else(|| DecodeError::Broken("FFmpeg has no such decoder".to_owned()))?;
    let mut limits = Dictionary::new();
    // One thread: our own are the parallelism.
    limits.set("threads", "1");
    limits.set("max_pixels", &PIXELS_MAX.to_string());
    let opened = Context::new_with_codec(found).decoder().open_as_with(found, limits);
    let mut decoder = opened.and_then(|opened| opened.video()).map_err(broken)?;
    decoder.send_packet(&Packet::copy(unit)).map_err(broken)?;
    decoder.send_eof().map_err(broken)?;
    let mut picture = frame::Video::empty();
    decoder.receive_frame(&mut picture).map_err(broken)?;
    if picture.width() == 0 || picture.height() == 0 || picture.planes() == 0 {
        return Err(DecodeError::Broken("an empty picture".to_owned()));
    }
    Ok(picture)
}

fn scale(picture: &frame::Video, to: Pixel, width: u32, height: u32) -> Result<frame::Video, DecodeError> {
    let (from, w, h) = (picture.format(), picture.width(), picture.height());
    // Area averages: neither noise nor lettering flickers when it gets small.
    let mut scaler = scaling::Context::get(from, w, h, to, width, height, scaling::Flags::AREA).map_err(broken)?;
    let mut scaled = frame::Video::empty();
    scaler.run(picture, &mut scaled).map_err(broken)?;
    Ok(scaled)
}

fn compress(picture: &frame::Video) -> Result<Bytes, DecodeError> {
    let found = encoder::find(Id::MJPEG).ok_or_else(|| DecodeError::Broken("FFmpeg has no JPEG encoder".to_owned()))?;
    let mut settings = Context::new_with_codec(found).encoder().video().map_err(broken)?;
    settings.set_width(picture.width());
    settings.set_height(picture.height());
    settings.set_format(picture.format());
    settings.set_time_base(Rational(1, 25));
    settings.set_flags(codec::Flags::QSCALE);
    settings.set_quality(QUANTISER * QP_TO_LAMBDA);
    let mut options = Dictionary::new();
    options.set("threads", "1");
    let mut encoder = settings.open_as_with(found, options).map_err(broken)?;
    encoder.send_frame(picture).map_err(broken)?;
    let mut packet = Packet::empty();
    encoder.receive_packet(&mut packet).map_err(broken)?;
    let bytes = packet.data().filter(|data| !data.is_empty());
    bytes.map(Bytes::copy_from_slice).ok_or_else(|| DecodeError::Broken("an empty JPEG".to_owned()))
}

/// The size of a still: at most `width_max` wide, both sides even, for the colours have half the resolution.
fn fitted(width: u32, height: u32, width_max: u32) -> (u32, u32) {
    let to = width.min(width_max.max(16));
    let even = |value: u64| u32::try_from(value).unwrap_or(u32::MAX).max(2) & !1;
    (even(u64::from(to)), even(u64::from(height) * u64::from(to) / u64::from(width.max(1))))
}

fn broken(error: ff::Error) -> DecodeError {
    DecodeError::Broken(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_still_keeps_its_shape_and_has_even_sides() {
        assert_eq!(fitted(1_920, 1_080, 1_280), (1_280, 720));
        assert_eq!(fitted(640, 360, 1_280), (640, 360));
        assert_eq!(fitted(641, 361, 1_280), (640, 360));
        assert_eq!(fitted(4_000, 3, 1_280), (1_280, 2));
    }
}
