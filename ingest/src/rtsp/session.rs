//! One RTSP session: connect, describe, set up, play, and frames into the rings until it fails or is stopped.
//!
//! The library underneath has no time limits and no watch over what arrives; both live here. A session never retries:
//! it ends with a [`Failure`], and the governor decides about the next one.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use metrics::counter;
use model::status::StreamFacts;
use model::{SourceState, Timestamp};
use retina::client::{Demuxed, PlayOptions, Session, SessionGroup, SessionOptions, SetupOptions};
use retina::codec::{CodecItem, FrameFormat, ParametersRef, VideoFrame, VideoParameters, VideoParametersCodec};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use video::{Codec, NewFrame, NewTrack, RingWriter, Rings, StreamKey};

use super::config::SessionLimits;
use super::failure::{Failure, Phase, Reason};
use super::health::Health;
use super::plan::{Plan, Target, Transport};
use super::report::Reporter;

/// How long a new session waits for sessions of the same server that may still be open there. A TEARDOWN on the old connection
/// has 5 s in the library; waiting longer would let one dead session hold up its neighbours.
const STALE_WAIT: Duration = Duration::from_secs(6);
/// To tell a host that does not answer at all from one that answers RTSP slowly.
const PROBE_LIMIT: Duration = Duration::from_secs(1);
/// The RTP clock of H.264 and H.265 (RFC 6184, RFC 7798).
const CLOCK_RATE_HZ: u32 = 90_000;

/// What a session tells while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// PLAY is answered.
    Playing,
    /// The first key frame is there.
    Live,
}

/// How a session ended.
#[derive(Debug)]
pub(crate) enum End {
    /// It was asked to.
    Stopped,
    /// By itself.
    Failed(Failure),
}

/// Everything one session needs.
pub(crate) struct Job {
    pub plan: Plan,
    pub target: Target,
    pub group: Arc<SessionGroup>,
    pub rings: Rings,
    pub reporter: Arc<Reporter>,
    pub limits: SessionLimits,
    pub progress: mpsc::Sender<(StreamKey, Progress)>,
    pub stop: CancellationToken,
}

impl Job {
    /// Runs until the session fails or is stopped. Dropping the session starts its TEARDOWN in the background.
    pub(crate) async fn run(self) -> End {
        tokio::select! {
            () = self.stop.cancelled() => End::Stopped,
            failure = self.pull() => End::Failed(failure),
        }
    }

    async fn pull(&self) -> Failure {
        let begun = Instant::now();
        match self.open().await {
            Err(failure) => failure,
            Ok((frames, stream)) => {
                self.tell(Progress::Playing).await;
                self.receive(frames, stream, begun).await
            }
        }
    }

    async fn open(&self) -> Result<(Demuxed, usize), Failure> {
        let stale = self.group.stale_sessions();
        if stale.num_sessions > 0 && timeout(STALE_WAIT, self.group.await_stale_sessions(&stale)).await.is_err() {
            tracing::debug!(source = %self.plan.source, "a session of this server may still be open there");
        }
        let credentials = self.plan.credentials.as_ref().map(|c| retina::client::Credentials {
            username: c.username.clone(),
            password: c.password.clone(),
        });
        let options = SessionOptions::default()
            .creds(credentials)
            .user_agent("gridward".into())
            .session_group(Arc::clone(&self.group));
        let describe = Session::describe(self.target.url.clone(), options);
        let mut session = match timeout(self.limits.describe, describe).await {
            Ok(described) => described.map_err(|e| Failure::from_retina(Phase::Describe, &e))?,
            Err(_) => return Err(self.describe_timeout().await),
        };
        let stream = choose_stream(&session)?;
        let transport = match self.plan.transport {
            Transport::Tcp => retina::client::Transport::Tcp(Default::default()),
            Transport::Udp => retina::client::Transport::Udp(Default::default()),
        };
        let options = SetupOptions::default().transport(transport).frame_format(FrameFormat::MP4);
        within(Phase::Setup, Reason::SetupTimeout, self.limits.setup, session.setup(stream, options)).await?;
        let playing =
            within(Phase::Play, Reason::PlayTimeout, self.limits.play, session.play(PlayOptions::default())).await?;
        let frames = playing.demuxed().map_err(|e| Failure::from_retina(Phase::Play, &e))?;
        Ok((frames, stream))
    }

    async fn describe_timeout(&self) -> Failure {
        let limit = self.limits.describe;
        let host = self.target.host.as_ref();
        match timeout(PROBE_LIMIT, TcpStream::connect(host)).await {
            Ok(Ok(_)) => {
                Failure::new(Phase::Describe, Reason::DescribeTimeout, format!("no answer to DESCRIBE in {limit:?}"))
            }
            _ => Failure::new(Phase::Connect, Reason::ConnectTimeout, format!("{host} does not answer in {limit:?}")),
        }
    }

    async fn receive(&self, frames: Demuxed, stream: usize, begun: Instant) -> Failure {
        let mut frames = pin!(frames);
        let mut feed = Feed::new(self);
        let played = Instant::now();
        let mut health = Health::new(Duration::ZERO);
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut first_key: Option<Duration> = None;
        let mut facts_due = Duration::ZERO;
        let mut last_error = None;
        // The library's stream ends after some errors: then the error is the reason, not the end.
        let mut fused_by: Option<Failure> = None;
        loop {
            let phase = if first_key.is_some() { Phase::Stream } else { Phase::FirstFrame };
            tokio::select! {
                item = frames.next() => match item {
                    None => return fused_by.unwrap_or_else(|| {
                        Failure::new(phase, Reason::ConnectionClosed, "the camera closed the session")
                    }),
                    Some(Err(error)) => {
                        let failure = Failure::from_retina(phase, &error);
                        health.error(played.elapsed());
                        feed.errors += 1;
                        // Only errors within the stream leave a session that can go on.
                        if failure.reason != Reason::StreamErrors || feed.errors > self.limits.error_budget {
                            return failure;
                        }
                        last_error = Some(failure.detail.clone());
                        fused_by = Some(failure);
                    }
                    Some(Ok(CodecItem::VideoFrame(frame))) if frame.stream_id() == stream => {
                        fused_by = None;
                        let now = played.elapsed();
                        let (is_key, bytes) = (frame.is_random_access_point(), frame.data().len());
                        let pts = frame.timestamp().timestamp();
                        health.frame(now, is_key, bytes, pts, frame.loss() > 0);
                        feed.track(&frame, || frames.streams().get(stream).and_then(video_parameters));
                        feed.frame(frame);
                        if is_key && first_key.is_none() && feed.facts.is_some() {
                            first_key = Some(begun.elapsed());
                            self.tell(Progress::Live).await;
                            self.reporter.state(SourceState::Live, None, None, Timestamp::now());
                        }
                    }
                    Some(Ok(_)) => {}
                },
                _ = ticks.tick() => {
                    let now = played.elapsed();
                    feed.second_passed();
                    if let Some(failure) = self.overdue(&health, now, phase) {
                        self.reporter.data_until(feed.last_at);
                        return failure;
                    }
                    let Some(first_frame) = first_key else { continue };
                    let flaw = health.judge(now);
                    let state = if flaw.is_some() { SourceState::Degraded } else { SourceState::Live };
                    self.reporter.data_until(feed.last_at);
                    let detail = flaw.and_then(|_| last_error.clone());
                    self.reporter.state(state, flaw.map(|f| f.as_str()), detail, Timestamp::now());
                    if now >= facts_due {
                        facts_due = now + self.limits.facts_interval;
                        if let Some(facts) = feed.facts(&health, now, first_frame) {
                            self.reporter.facts(facts, feed.last_at);
                        }
                    }
                }
            }
        }
    }

    /// Whether the session has to be given up for want of frames.
    fn overdue(&self, health: &Health, now: Duration, phase: Phase) -> Option<Failure> {
        let age = health.frame_age(now);
        let waiting = phase == Phase::FirstFrame;
        let limit = if waiting { self.limits.first_frame } else { self.limits.stall };
        if age > limit {
            return Some(Failure::new(phase, Reason::NoFrames, format!("no frame for {} s", age.as_secs())));
        }
        let late = waiting && now > self.limits.first_key;
        late.then(|| Failure::new(phase, Reason::NoKeyFrame, format!("no key frame in {} s", now.as_secs())))
    }

    async fn tell(&self, progress: Progress) {
        // Refused only when the fleet is gone, and then nobody asks.
        let _ = self.progress.send((self.plan.key(), progress)).await;
    }
}

/// Carries frames into the rings.
struct Feed {
    writers: Vec<RingWriter>,
    /// Codec string and size of the present track.
    facts: Option<(String, u32, u32)>,
    last_at: Option<Timestamp>,
    /// Errors of the last seconds, running off one a second.
    errors: u32,
    frames: metrics::Counter,
    bytes: metrics::Counter,
}

impl Feed {
    fn new(job: &Job) -> Self {
        let profiles = &job.plan.profiles;
        Self {
            writers: profiles.iter().map(|p| job.rings.writer(job.plan.source.clone(), *p)).collect(),
            facts: None,
            last_at: None,
            errors: 0,
            frames: counter!("gridward_frames_total"),
            bytes: counter!("gridward_video_bytes_total"),
        }
    }

    /// Sets the track before the first frame and when a frame changes it.
    fn track<'a>(&mut self, frame: &VideoFrame, parameters: impl FnOnce() -> Option<&'a VideoParameters>) {
        if self.facts.is_some() && !frame.has_new_parameters() {
            return;
        }
        let Some(track) = parameters().and_then(new_track) else { return };
        self.facts = Some((track.rfc6381.clone(), track.width, track.height));
        for writer in &mut self.writers {
            writer.set_track(track.clone());
        }
    }

    fn frame(&mut self, frame: VideoFrame) {
        let received_at = Timestamp::now();
        let new = NewFrame {
            pts_90k: frame.timestamp().timestamp(),
            is_key: frame.is_random_access_point(),
            data: Bytes::from(frame.into_data()),
            received_at,
        };
        self.last_at = Some(received_at);
        self.frames.increment(1);
        self.bytes.increment(new.data.len() as u64);
        for writer in &mut self.writers {
            writer.push(new.clone());
        }
    }

    fn second_passed(&mut self) {
        self.errors = self.errors.saturating_sub(1);
    }

    fn facts(&self, health: &Health, now: Duration, first_frame: Duration) -> Option<StreamFacts> {
        let (codec, width, height) = self.facts.clone()?;
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

async fn within<T>(
    phase: Phase,
    late: Reason,
    limit: Duration,
    step: impl Future<Output = Result<T, retina::Error>>,
) -> Result<T, Failure> {
    match timeout(limit, step).await {
        Ok(done) => done.map_err(|e| Failure::from_retina(phase, &e)),
        Err(_) => Err(Failure::new(phase, late, format!("no answer to {} in {limit:?}", phase.as_str()))),
    }
}

/// The first video stream in a codec we carry.
fn choose_stream(session: &Session<retina::client::Described>) -> Result<usize, Failure> {
    let streams = session.streams();
    let ours = |s: &retina::client::Stream| {
        s.media() == "video" && matches!(s.encoding_name(), "h264" | "h265") && s.clock_rate_hz() == CLOCK_RATE_HZ
    };
    if let Some(found) = streams.iter().position(ours) {
        return Ok(found);
    }
    Err(match streams.iter().find(|s| s.media() == "video") {
        Some(other) => Failure::new(Phase::Describe, Reason::UnsupportedCodec, format!("video is {}", other.encoding_name())),
        None => Failure::new(Phase::Describe, Reason::NoVideo, "the description names no video"),
    })
}

fn video_parameters(stream: &retina::client::Stream) -> Option<&VideoParameters> {
    match stream.parameters() {
        Some(ParametersRef::Video(parameters)) => Some(parameters),
        _ => None,
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
