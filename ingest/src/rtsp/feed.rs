//! From the library's frames to the rings.

use std::time::Duration;

use bytes::Bytes;
use metrics::{Counter, counter};
use model::Timestamp;
use model::status::StreamFacts;
use retina::codec::{VideoFrame, VideoParameters, VideoParametersCodec};
use video::{Codec, NewFrame, NewTrack, RingWriter, Rings};

use super::health::Health;
use super::pace::Arrivals;
use super::plan::Plan;

/// Carries the frames of one session into the rings of its profiles.
pub(crate) struct Feed {
    writers: Vec<RingWriter>,
    /// Codec string and size of the present track.
    track: Option<(String, u32, u32)>,
    last_at: Option<Timestamp>,
    arrivals: Arrivals,
    frames: Counter,
    bytes: Counter,
    lost_packets: Counter,
}

impl Feed {
    /// Without rings (a probe) frames are measured and kept nowhere.
    pub(crate) fn new(plan: &Plan, rings: Option<&Rings>) -> Self {
        let writer = |rings: &Rings| plan.profiles.iter().map(|p| rings.writer(plan.source.clone(), *p)).collect();
        Self {
            writers: rings.map(writer).unwrap_or_default(),
            track: None,
            last_at: None,
            arrivals: Arrivals::default(),
            frames: counter!("gridward_frames_total"),
            bytes: counter!("gridward_video_bytes_total"),
            lost_packets: counter!("gridward_rtsp_lost_packets_total"),
        }
    }

    /// Whether the parameter sets are known, without which no frame can be shown.
    pub(crate) fn has_track(&self) -> bool {
        self.track.is_some()
    }

    /// When the last frame came.
    pub(crate) fn last_at(&self) -> Option<Timestamp> {
        self.last_at
    }

    /// Sets the track before the first frame and when a frame changes it.
    pub(crate) fn track<'a>(&mut self, frame: &VideoFrame, parameters: impl FnOnce() -> Option<&'a VideoParameters>) {
        if self.track.is_some() && !frame.has_new_parameters() {
            return;
        }
        let Some(track) = parameters().and_then(new_track) else { return };
        self.track = Some((track.rfc6381.clone(), track.width, track.height));
        for writer in &mut self.writers {
            writer.set_track(track.clone());
        }
    }

    /// Whether somebody reads what comes.
    pub(crate) fn is_watched(&self) -> bool {
        self.writers.iter().any(RingWriter::has_readers)
    }

    /// Takes a frame that was found at `now`.
    pub(crate) fn frame(&mut self, frame: VideoFrame, now: Timestamp) {
        let received_at = self.arrivals.place(frame.timestamp().timestamp(), now);
        self.lost_packets.increment(u64::from(frame.loss()));
        let new = NewFrame {
            pts_90k: frame.timestamp().timestamp(),
            is_key: frame.is_random_access_point(),
            data: Bytes::from(frame.into_data()),
            received_at,
        };
        self.last_at = Some(received_at);
        self.frames.increment(1);
        self.bytes.increment(new.data.len() as u64);
        if let Some((last, others)) = self.writers.split_last_mut() {
            others.iter_mut().for_each(|writer| writer.push(new.clone()));
            last.push(new);
        }
    }

    /// What the stream is; none until its parameter sets are known.
    pub(crate) fn facts(&self, health: &Health, now: Duration, first_frame: Duration) -> Option<StreamFacts> {
        let (codec, width, height) = self.track.clone()?;
        let measured = health.measured(now);
        Some(StreamFacts {
            codec,
            width,
            height,
            fps: measured.fps,
            bitrate_bps: measured.bitrate_bps,
            gop_frames: measured.gop_frames,
            first_frame_ms: first_frame.as_millis() as u32,
        })
    }
}

fn new_track(parameters: &VideoParameters) -> Option<NewTrack> {
    let (codec, rfc6381) = match parameters.codec_params() {
        // RFC 6381 writes the three bytes in hex; players compare without case, people read lower case.
        VideoParametersCodec::H264 { .. } => (Codec::H264, parameters.rfc6381_codec().to_ascii_lowercase()),
        VideoParametersCodec::H265 { .. } => (Codec::H265, parameters.rfc6381_codec().to_owned()),
        _ => return None,
    };
    let (width, height) = parameters.pixel_dimensions();
    let decoder_config = Bytes::copy_from_slice(parameters.extra_data());
    Some(NewTrack { codec, rfc6381, width, height, decoder_config })
}
