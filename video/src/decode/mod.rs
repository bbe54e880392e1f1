//! One key frame to one picture: a JPEG for people, a small grey one for checks.
//!
//! Decoding runs on threads of its own (`workers`), never on a tokio worker. What cameras send is hostile: an access unit
//! and its picture have largest sizes, which also bound the time, for the decoder's work is linear in both. The
//! decoder sees one access unit and is gone again: nothing a camera sends outlives its picture.

pub(crate) mod annexb;
#[cfg(feature = "ffmpeg")]
mod ffmpeg;

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing {
    /// Parameter sets and a frame as the decoder would get them.
    pub fn access_unit(codec: crate::Codec, config: &[u8], frame: &[u8]) -> Option<Vec<u8>> {
        super::annexb::access_unit(codec, config, frame)
    }
}

use bytes::Bytes;

#[cfg(feature = "ffmpeg")]
pub(crate) use ffmpeg::prepare;

use crate::{Codec, Frame, Track};

/// The largest access unit decoded. Key frames of 4K cameras have 1 MB, of the largest ones 4 MB.
pub(crate) const ACCESS_UNIT_BYTES_MAX: usize = 8 << 20;
/// The largest picture decoded, in pixels: 4,096 x 4,096, beyond every camera of 12 megapixels.
#[cfg_attr(not(feature = "ffmpeg"), expect(dead_code, reason = "only the decoder looks at it"))]
const PIXELS_MAX: u32 = 1 << 24;

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The hub was built without FFmpeg.
    #[error("this hub was built without a decoder")]
    NotBuilt,
    /// Larger than what is decoded.
    #[error("an access unit of {0} bytes is too large to decode")]
    TooLarge(usize),
    /// The bytes are not what the codec says.
    #[error("cannot decode: {0}")]
    Broken(String),
}

/// A compressed picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Jpeg {
    pub bytes: Bytes,
    pub width: u32,
    pub height: u32,
}

/// A grey picture: rows of bytes, 0 black to 255 white.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Luma {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
}

/// The key frame as a JPEG at most `width_max` wide.
pub(crate) fn jpeg(track: &Track, frame: &Frame, width_max: u32) -> Result<Jpeg, DecodeError> {
    let unit = access_unit(track, frame)?;
    #[cfg(feature = "ffmpeg")]
    return guarded(|| ffmpeg::jpeg(track.codec, &unit, width_max));
    #[cfg(not(feature = "ffmpeg"))]
    {
        let _ = (unit, width_max);
        Err(DecodeError::NotBuilt)
    }
}

/// The key frame as a grey picture of the given size.
pub(crate) fn luma(track: &Track, frame: &Frame, width: u32, height: u32) -> Result<Luma, DecodeError> {
    let unit = access_unit(track, frame)?;
    #[cfg(feature = "ffmpeg")]
    return guarded(|| ffmpeg::luma(track.codec, &unit, width, height));
    #[cfg(not(feature = "ffmpeg"))]
    {
        let _ = (unit, width, height);
        Err(DecodeError::NotBuilt)
    }
}

/// A defect in the wrapper costs one picture and no thread.
#[cfg(feature = "ffmpeg")]
fn guarded<T>(decode: impl FnOnce() -> Result<T, DecodeError>) -> Result<T, DecodeError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode)).unwrap_or_else(|_| {
        metrics::counter!("gridward_decode_defects_total").increment(1);
        Err(DecodeError::Broken("a defect in the decoder".to_owned()))
    })
}

/// Parameter sets and frame as the decoder wants them.
fn access_unit(track: &Track, frame: &Frame) -> Result<Vec<u8>, DecodeError> {
    let size = track.decoder_config.len() + frame.data.len();
    if size > ACCESS_UNIT_BYTES_MAX {
        return Err(DecodeError::TooLarge(size));
    }
    if track.codec == Codec::Mjpeg {
        return Ok(frame.data.to_vec());
    }
    annexb::access_unit(track.codec, &track.decoder_config, &frame.data)
        .ok_or_else(|| DecodeError::Broken("lengths do not fit the bytes".to_owned()))
}

#[cfg(feature = "ffmpeg")]
#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::time::{Duration, Instant};

    use model::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::NewTrack;
    use crate::sample::coded;

    fn frame(data: Bytes) -> Frame {
        Frame {
            number: 1,
            generation: 1,
            pts_90k: 0,
            decode_time_90k: 0,
            duration_90k: 3_600,
            is_key: true,
            received_at: Timestamp::UNIX_EPOCH,
            data,
            fragment: OnceLock::new(),
        }
    }

    fn track(new: &NewTrack) -> Track {
        Track {
            generation: 1,
            codec: new.codec,
            rfc6381: new.rfc6381.clone(),
            width: new.width,
            height: new.height,
            decoder_config: new.decoder_config.clone(),
        }
    }

    /// Real pictures to damage.
    fn real(codec: Codec) -> (Track, Bytes) {
        static H264: OnceLock<(NewTrack, Bytes)> = OnceLock::new();
        static H265: OnceLock<(NewTrack, Bytes)> = OnceLock::new();
        let cell = if codec == Codec::H264 { &H264 } else { &H265 };
        let (new, data) = cell.get_or_init(|| coded(codec, "testsrc=s=320x180"));
        (track(new), data.clone())
    }

    #[test]
    fn brightness_is_kept_from_black_to_white() {
        for (colour, low, high) in [("black", 0, 2), ("0x808080", 124, 132), ("white", 253, 255)] {
            let (new, data) = coded(Codec::H264, &format!("color=c={colour}:s=640x360"));
            let luma = luma(&track(&new), &frame(data), 160, 90).unwrap();
            assert_eq!((luma.width, luma.height, luma.pixels.len()), (160, 90, 160 * 90));
            assert!(luma.pixels.iter().all(|pixel| (low..=high).contains(pixel)), "{colour}: {}", luma.pixels[0]);
        }
    }

    #[test]
    fn what_is_too_large_is_not_tried() {
        let (track, _) = real(Codec::H264);
        let huge = frame(Bytes::from(vec![0; ACCESS_UNIT_BYTES_MAX + 1]));
        assert!(matches!(jpeg(&track, &huge, 640), Err(DecodeError::TooLarge(_))));
        let (new, data) = coded(Codec::H264, "color=c=black:s=8192x2304");
        let answer = jpeg(&self::track(&new), &frame(data), 640);
        assert!(matches!(answer, Err(DecodeError::Broken(_))), "more pixels than are decoded: {answer:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// Damaged pictures and parameter sets of real cameras: an error or a picture, in bounded time, never a panic.
        #[test]
        fn damaged_bytes_are_an_error_or_a_picture(
            h265 in any::<bool>(),
            flips in proptest::collection::vec((any::<prop::sample::Index>(), 1..=255u8), 0..40),
            in_config in any::<bool>(),
            cut in proptest::option::of(any::<prop::sample::Index>()),
        ) {
            let (mut track, data) = real(if h265 { Codec::H265 } else { Codec::H264 });
            let mut bytes = if in_config { track.decoder_config.to_vec() } else { data.to_vec() };
            for (at, with) in flips {
                let at = at.index(bytes.len());
                bytes[at] ^= with;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            let damaged = if in_config {
                track.decoder_config = Bytes::from(bytes);
                frame(data)
            } else {
                frame(Bytes::from(bytes))
            };
            let began = Instant::now();
            if let Ok(jpeg) = jpeg(&track, &damaged, 320) {
                prop_assert!(jpeg.width <= 320 && jpeg.bytes.starts_with(&[0xFF, 0xD8]));
            }
            let _ = luma(&track, &damaged, 160, 90);
            prop_assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        }
    }
}
