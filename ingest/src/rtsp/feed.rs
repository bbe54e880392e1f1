//! From a session's frames to the rings.

use std::time::Duration;

use metrics::{Counter, counter};
use model::Timestamp;
use model::status::{Hint, StreamFacts};
use video::{RingWriter, Rings};

use super::frames::{Arrived, Way};
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

    /// Whether somebody reads what comes.
    pub(crate) fn is_watched(&self) -> bool {
        self.writers.iter().any(RingWriter::has_readers)
    }

    /// Hands on a frame that was found at `now`, behind its parameter sets when they are new.
    pub(crate) fn take(&mut self, arrived: Arrived, now: Timestamp) {
        let Arrived { mut frame, lost, track } = arrived;
        if let Some(track) = track {
            self.track = Some((track.rfc6381.clone(), track.width, track.height));
            for writer in &mut self.writers {
                writer.set_track(track.clone());
            }
        }
        frame.received_at = self.arrivals.place(frame.pts_90k, now);
        self.lost_packets.increment(u64::from(lost));
        self.last_at = Some(frame.received_at);
        self.frames.increment(1);
        self.bytes.increment(frame.data.len() as u64);
        if let Some((last, others)) = self.writers.split_last_mut() {
            others.iter_mut().for_each(|writer| writer.push(frame.clone()));
            last.push(frame);
        }
    }

    /// What the stream is; none until its parameter sets are known.
    pub(crate) fn facts(
        &self,
        health: &Health,
        now: Duration,
        first_frame: Duration,
        way: &Way,
        clock_offset_ms: Option<i64>,
    ) -> Option<StreamFacts> {
        let (codec, width, height) = self.track.clone()?;
        let measured = health.measured(now);
        let mut hints = way.hints.clone();
        if health.has_long_gop() {
            hints.push(Hint::LongGop);
        }
        Some(StreamFacts {
            codec,
            width,
            height,
            fps: measured.fps,
            bitrate_bps: measured.bitrate_bps,
            gop_frames: measured.gop_frames,
            first_frame_ms: first_frame.as_millis() as u32,
            backend: Some(way.backend),
            transport: Some(way.transport),
            hints,
            clock_offset_ms,
        })
    }
}
