//! Frames of a running session, whichever back-end brings them.
//!
//! What is above (`session`, `feed`, `health`) knows one kind of frame and no back-end.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream;
use model::Timestamp;
use model::status::{Backend, Hint, Transport};
use retina::client::Demuxed;
use retina::codec::{CodecItem, ParametersRef, VideoFrame, VideoParameters, VideoParametersCodec};
use retina::rtcp::ReceivedCompoundPacket;
use video::{Codec, NewFrame, NewTrack, Pull, Pulled};

use super::clock::CameraClock;
use super::failure::{Failure, Phase};
use super::guard::guarded;

/// A frame with what its back-end knows of it.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub frame: NewFrame,
    /// Packets that were lost before it.
    pub lost: u16,
    /// Parameter sets from this frame on, when they are new.
    pub track: Option<NewTrack>,
}

/// How a session came about.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub backend: Backend,
    pub transport: Transport,
    pub hints: Vec<Hint>,
}

/// Where the frames of one session come from. Dropping it closes the session.
pub(crate) enum Frames {
    Retina(Retina),
    Ffmpeg(Pull),
}

impl Frames {
    /// The next frame or an error, which is told with `phase`. Whoever polls again at its own pace may give a waker that does nothing: what has arrived since is
    /// found without having been woken. None: the camera closed the session.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>, phase: Phase) -> Poll<Option<Result<Arrived, Failure>>> {
        match self {
            Frames::Retina(frames) => frames.poll_next(cx, phase),
            Frames::Ffmpeg(pull) => poll_pull(pull, cx, phase),
        }
    }

    pub(crate) fn backend(&self) -> Backend {
        match self {
            Frames::Retina(_) => Backend::Retina,
            Frames::Ffmpeg(_) => Backend::Ffmpeg,
        }
    }

    /// How far the camera's clock is ahead of the hub's, in ms. None when it has not told, and with FFmpeg, which hands no
    /// sender reports on.
    pub(crate) fn clock_offset_ms(&self) -> Option<i64> {
        match self {
            Frames::Retina(frames) => frames.clock.offset_ms(),
            Frames::Ffmpeg(_) => None,
        }
    }
}

fn poll_pull(pull: &mut Pull, cx: &mut Context<'_>, phase: Phase) -> Poll<Option<Result<Arrived, Failure>>> {
    loop {
        let item = match pull.poll_next(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(item) => item,
        };
        return Poll::Ready(match item {
            None => None,
            Some(Err(error)) => Some(Err(Failure::from_pull(phase, &error))),
            Some(Ok(Pulled::Frame { frame, track, damaged })) => {
                Some(Ok(Arrived { frame, lost: u16::from(damaged), track }))
            }
            Some(Ok(Pulled::Opened)) => continue,
        });
    }
}

/// Frames of a session of ours.
pub(crate) struct Retina {
    demuxed: Pin<Box<Demuxed>>,
    stream: usize,
    /// Whether the parameter sets have been handed on.
    has_track: bool,
    clock: CameraClock,
}

impl Retina {
    /// The frames of one stream of a session.
    pub(crate) fn new(demuxed: Demuxed, stream: usize) -> Self {
        Self { demuxed: Box::pin(demuxed), stream, has_track: false, clock: CameraClock::default() }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, phase: Phase) -> Poll<Option<Result<Arrived, Failure>>> {
        loop {
            let item = match guarded(phase, || self.demuxed.as_mut().poll_next(cx)) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(item)) => item,
                Err(defect) => return Poll::Ready(Some(Err(defect))),
            };
            match item {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(Failure::from_retina(phase, &error)))),
                Some(Ok(CodecItem::VideoFrame(frame))) if frame.stream_id() == self.stream => {
                    return Poll::Ready(Some(Ok(self.arrived(frame))));
                }
                Some(Ok(CodecItem::Rtcp(report))) if report.stream_id() == self.stream => self.take_report(&report),
                Some(Ok(_)) => {}
            }
        }
    }

    fn take_report(&mut self, report: &ReceivedCompoundPacket) {
        let sent = report.pkts().find_map(|packet| packet.as_sender_report().ok().flatten());
        if let Some(sent) = sent {
            self.clock.report(sent.ntp_timestamp().0, Timestamp::now());
        }
    }

    fn arrived(&mut self, frame: VideoFrame) -> Arrived {
        let asked = !self.has_track || frame.has_new_parameters();
        let track = if asked { self.parameters().and_then(new_track) } else { None };
        self.has_track |= track.is_some();
        let lost = frame.loss();
        let frame = NewFrame {
            pts_90k: frame.timestamp().timestamp(),
            is_key: frame.is_random_access_point(),
            data: Bytes::from(frame.into_data()),
            received_at: Timestamp::now(),
        };
        Arrived { frame, lost, track }
    }

    fn parameters(&self) -> Option<&VideoParameters> {
        match self.demuxed.streams().get(self.stream)?.parameters() {
            Some(ParametersRef::Video(parameters)) => Some(parameters),
            _ => None,
        }
    }
}

fn new_track(parameters: &VideoParameters) -> Option<NewTrack> {
    let (codec, rfc6381) = match parameters.codec_params() {
        // RFC 6381 writes the three bytes in hex; players compare without case, people read lower case.
        VideoParametersCodec::H264 { .. } => (Codec::H264, parameters.rfc6381_codec().to_ascii_lowercase()),
        VideoParametersCodec::H265 { .. } => (Codec::H265, parameters.rfc6381_codec().to_owned()),
        VideoParametersCodec::Jpeg => (Codec::Mjpeg, parameters.rfc6381_codec().to_owned()),
        _ => return None,
    };
    let (width, height) = parameters.pixel_dimensions();
    let decoder_config = Bytes::copy_from_slice(parameters.extra_data());
    Some(NewTrack { codec, rfc6381, width, height, decoder_config })
}
