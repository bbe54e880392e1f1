//! Tracks and frames: what goes into a ring and what comes out.

use std::sync::OnceLock;

use bytes::Bytes;
use model::Timestamp;

use crate::fmp4;

/// How pictures are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// H.264 / AVC.
    H264,
    /// H.265 / HEVC.
    H265,
    /// Motion JPEG: each frame a whole picture. Stills and checks are made of it; no browser plays it as video.
    Mjpeg,
}

impl Codec {
    /// The name in metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Codec::H264 => "h264",
            Codec::H265 => "h265",
            Codec::Mjpeg => "mjpeg",
        }
    }

    /// Whether viewers get it as video, wrapped in MP4; else as stills only.
    pub fn is_played(self) -> bool {
        self != Codec::Mjpeg
    }
}

/// Parameter sets and size of a stream, as the writer learns them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTrack {
    /// How pictures are coded.
    pub codec: Codec,
    /// RFC 6381 codec string, as `avc1.4d401e`.
    pub rfc6381: String,
    /// Displayed width in pixels.
    pub width: u32,
    /// Displayed height in pixels.
    pub height: u32,
    /// The payload of the `avcC` or `hvcC` box (ISO/IEC 14496-15), without box header; empty for Motion JPEG.
    pub decoder_config: Bytes,
}

/// One generation of a stream: all its frames decode with these parameter sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// 1 for the first; rises by one with each change of parameter sets.
    pub generation: u32,
    /// How pictures are coded.
    pub codec: Codec,
    /// RFC 6381 codec string, as `avc1.4d401e`.
    pub rfc6381: String,
    /// Displayed width in pixels.
    pub width: u32,
    /// Displayed height in pixels.
    pub height: u32,
    /// The payload of the `avcC` or `hvcC` box (ISO/IEC 14496-15), without box header; empty for Motion JPEG.
    pub decoder_config: Bytes,
}

/// An access unit as it arrives.
#[derive(Debug, Clone)]
pub struct NewFrame {
    /// The camera's time; may jump, stand still or run backwards.
    pub pts_90k: i64,
    /// Whether decoding can begin here.
    pub is_key: bool,
    /// NAL units, each behind its length in 4 bytes, without parameter sets; or a JPEG.
    pub data: Bytes,
    /// When the hub had it whole, by the hub's clock.
    pub received_at: Timestamp,
}

/// An access unit as readers get it.
#[derive(Debug)]
pub struct Frame {
    /// Rises with every frame of a stream; a hole means lost frames.
    pub number: u64,
    /// Which [`Track`] it decodes with.
    pub generation: u32,
    /// The camera's time.
    pub pts_90k: i64,
    /// The stream's own time: starts at 0, never jumps, carries on over reconnects.
    pub decode_time_90k: i64,
    /// How long it is shown: the estimate at the time of arrival.
    pub duration_90k: u32,
    /// Whether decoding can begin here.
    pub is_key: bool,
    /// When the hub had it whole, by the hub's clock.
    pub received_at: Timestamp,
    /// NAL units, each behind its length in 4 bytes, without parameter sets; or a JPEG.
    pub data: Bytes,
    pub(crate) fragment: OnceLock<Bytes>,
}

impl Frame {
    /// The frame as one `moof` + `mdat`: built at the first call, the same bytes for every viewer.
    pub fn fragment(&self) -> Bytes {
        self.fragment.get_or_init(|| fmp4::fragment(self)).clone()
    }
}
