//! One key frame to one picture: a JPEG for people, a small grey one for checks.
//!
//! Decoding runs on threads of its own (`workers`), never on a tokio worker. What cameras send is hostile: an access unit
//! and its picture have largest sizes, which also bound the time, for the decoder's work is linear in both. The
//! decoder sees one access unit and is gone again: nothing a camera sends outlives its picture.

mod annexb;
#[cfg(feature = "ffmpeg")]
mod ffmpeg;

use bytes::Bytes;

use crate::{Frame, Track};

/// The largest access unit decoded. Key frames of 4K cameras have 1 MB, of the largest ones 4 MB.
const ACCESS_UNIT_BYTES_MAX: usize = 8 << 20;
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
    annexb::access_unit(track.codec, &track.decoder_config, &frame.data)
        .ok_or_else(|| DecodeError::Broken("lengths do not fit the bytes".to_owned()))
}
