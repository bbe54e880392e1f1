//! One RTSP session: from its opening to its end, frames into the rings and the watch over them.
//!
//! A session never retries: it ends with a [`Failure`], and the governor decides about the next one.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use model::status::{Backend, Transport};
use model::{SourceState, Timestamp};
use retina::client::SessionGroup;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use video::{Pulls, Rings, StreamKey};

use super::attempts::Attempt;
use super::config::SessionLimits;
use super::failure::{Failure, Phase, Reason};
use super::feed::Feed;
use super::frames::{Frames, Way};
use super::health::Health;
use super::opening::Opening;
use super::pace::{Next, Pace, Read};
use super::plan::{Plan, Target};
use super::report::Reporter;

/// Without a key frame for so many times the limit of the first one, a running session is opened anew: cameras whose
/// encoder hangs begin with a key frame again, while the longest GOPs of the wild pass.
const KEY_LIMITS: u32 = 3;
/// How often everything but the frames is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A stream of more is read at once: what comes between two turns must fit into the smallest buffers of the kernel.
const AT_TURNS_MAX_BPS: u64 = 1_000_000;
/// More of a camera's frames may not have losses before them on UDP: each is a picture broken up to the next key frame.
const UDP_LOSS_MAX: f32 = 0.05;
/// A probe watches at least so long after the first key frame, so that rates are measured,
const PROBE_MIN: Duration = Duration::from_secs(3);
/// and at most so long when the next key frame, which tells the GOP, does not come.
const PROBE_MAX: Duration = Duration::from_secs(12);

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
    /// It was a probe, and the camera is well.
    Probed,
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
    /// How this session is to be made.
    pub attempt: Attempt,
    pub pulls: Pulls,
    /// When the last session of this stream ended.
    pub ended_at: Option<Instant>,
    pub stop: CancellationToken,
    /// Only measures: tells the stream's facts and ends; no frame is kept, and the camera stays idle.
    pub probe: bool,
}

impl Job {
    /// Runs until the session fails or is stopped. Dropping the session starts its TEARDOWN in the background.
    pub(crate) async fn run(self) -> End {
        tokio::select! {
            () = self.stop.cancelled() => End::Stopped,
            end = self.pull() => end,
        }
    }

    async fn pull(&self) -> End {
        let begun = Instant::now();
        let opening = Opening {
            plan: &self.plan,
            target: &self.target,
            group: &self.group,
            limits: &self.limits,
            attempt: self.attempt,
            pulls: &self.pulls,
            ended_at: self.ended_at,
        };
        let ran = match opening.open().await {
            Err(failure) => Err(failure),
            Ok((frames, _relay)) => {
                self.tell(Progress::Playing).await;
                self.receive(frames, begun).await
            }
        };
        ran.map_or_else(|failure| End::Failed(failure.in_attempt(&self.attempt)), |()| End::Probed)
    }

    async fn receive(&self, mut frames: Frames, begun: Instant) -> Result<(), Failure> {
        let way = self.attempt.way(frames.backend());
        let mut feed = Feed::new(&self.plan, (!self.probe).then_some(&self.rings));
        let mut pace = Pace::new(self.limits.read_every);
        let played = Instant::now();
        let mut health = Health::new(Duration::ZERO);
        let mut errors = Errors::new(self.limits.error_budget);
        let mut first_key: Option<Duration> = None;
        let mut first_key_at = Duration::ZERO;
        let (mut look_due, mut facts_due) = (Duration::ZERO, Duration::ZERO);
        let mut read = Read::AtOnce;
        // What one turn finds was found at the same moment.
        let (mut now, mut wall, mut is_new_turn) = (Duration::ZERO, Timestamp::now(), true);
        loop {
            let phase = if first_key.is_some() { Phase::Stream } else { Phase::FirstFrame };
            let next = pace.next(read, |cx| frames.poll_next(cx, phase)).await;
            if is_new_turn || read == Read::AtOnce {
                (now, wall) = (played.elapsed(), Timestamp::now());
            }
            is_new_turn = matches!(next, Next::Turn);
            match next {
                Next::Item(None) => {
                    return Err(errors.fused.unwrap_or_else(|| {
                        Failure::new(phase, Reason::ConnectionClosed, "the camera closed the session")
                    }));
                }
                Next::Item(Some(Err(failure))) => {
                    health.error(now);
                    if let Some(failure) = errors.take(failure) {
                        return Err(failure);
                    }
                }
                Next::Item(Some(Ok(arrived))) => {
                    errors.fused = None;
                    let frame = &arrived.frame;
                    let is_key = frame.is_key;
                    health.frame(now, is_key, frame.data.len(), frame.pts_90k, arrived.lost > 0);
                    feed.take(arrived, wall);
                    if is_key && first_key.is_none() && feed.has_track() {
                        first_key = Some(begun.elapsed());
                        first_key_at = now;
                        let (backend, transport) = (way.backend.as_str(), way.transport.as_str());
                        counter!("gridward_rtsp_live_total", "backend" => backend, "transport" => transport)
                            .increment(1);
                        self.tell(Progress::Live).await;
                        self.reporter.data_until(feed.last_at());
                        if !self.probe {
                            self.reporter.state(SourceState::Live, None, None, Timestamp::now());
                        }
                    }
                }
                Next::Turn if first_key.is_none() || feed.is_watched() => read = Read::AtOnce,
                Next::Turn => read = self.how_to_read(&way, health.measured(now).bitrate_bps),
            }
            if now < look_due {
                continue;
            }
            look_due = now + LOOK_EVERY;
            errors.second_passed();
            self.reporter.data_until(feed.last_at());
            if let Some(failure) = self.overdue(&health, now, phase) {
                return Err(failure);
            }
            let Some(first_frame) = first_key else { continue };
            if self.probe {
                let watched = now - first_key_at;
                let facts = feed.facts(&health, now, first_frame, &way, frames.clock_offset_ms());
                let whole = facts.as_ref().is_some_and(|f| f.gop_frames > 0);
                if watched >= PROBE_MAX || (watched >= PROBE_MIN && whole) {
                    self.reporter.state(SourceState::Idle, None, None, Timestamp::now());
                    if let Some(facts) = facts {
                        self.reporter.facts(facts, feed.last_at());
                    }
                    return Ok(());
                }
                continue;
            }
            let flaw = health.judge(now);
            let state = if flaw.is_some() { SourceState::Degraded } else { SourceState::Live };
            let detail = flaw.and_then(|_| errors.last.clone());
            self.reporter.state(state, flaw.map(|f| f.as_str()), detail, Timestamp::now());
            if now >= facts_due {
                facts_due = now + self.limits.facts_interval;
                if let Some(facts) = feed.facts(&health, now, first_frame, &way, frames.clock_offset_ms()) {
                    self.reporter.facts(facts, feed.last_at());
                }
            }
        }
    }

    /// How a stream that nobody watches is read: at turns where the kernel's buffers hold what comes between them.
    fn how_to_read(&self, way: &Way, bitrate_bps: u64) -> Read {
        let holds =
            way.backend == Backend::Retina && way.transport == Transport::Tcp && bitrate_bps <= AT_TURNS_MAX_BPS;
        if holds && !self.limits.read_every.is_zero() { Read::AtTurns } else { Read::AtOnce }
    }

    /// Whether the session has to be given up for want of frames.
    fn overdue(&self, health: &Health, now: Duration, phase: Phase) -> Option<Failure> {
        let waiting = phase == Phase::FirstFrame;
        let frame_age = health.frame_age(now);
        let udp = self.attempt.transport == Transport::Udp;
        if udp && health.loss_share(now).is_some_and(|share| share > UDP_LOSS_MAX) {
            return Some(Failure::new(phase, Reason::UdpLoss, "too many packets are lost on UDP"));
        }
        if frame_age > if waiting { self.limits.first_frame } else { self.limits.stall } {
            if udp && waiting {
                return Some(Failure::new(phase, Reason::UdpSilent, "nothing comes by UDP"));
            }
            return Some(Failure::new(phase, Reason::NoFrames, format!("no frame for {} s", frame_age.as_secs())));
        }
        let key_age = health.key_age(now);
        let limit = if waiting { self.limits.first_key } else { self.limits.first_key * KEY_LIMITS };
        let late = key_age > limit;
        late.then(|| Failure::new(phase, Reason::NoKeyFrame, format!("no key frame for {} s", key_age.as_secs())))
    }

    async fn tell(&self, progress: Progress) {
        // Refused only when the fleet is gone, and then nobody asks.
        let _ = self.progress.send((self.plan.key(), progress)).await;
    }
}

/// The errors a session survives, within a budget.
struct Errors {
    budget: u32,
    /// Of the last seconds, running off one a second.
    count: u32,
    last: Option<String>,
    /// The library's stream ends after some errors: then the error is the reason, not the end.
    fused: Option<Failure>,
    survived: metrics::Counter,
}

impl Errors {
    fn new(budget: u32) -> Self {
        let survived = counter!("gridward_rtsp_stream_errors_total");
        Self { budget, count: 0, last: None, fused: None, survived }
    }

    /// Counts an error; gives it back when the session cannot go on.
    fn take(&mut self, failure: Failure) -> Option<Failure> {
        self.count += 1;
        self.survived.increment(1);
        // Only errors within the stream leave a session that can go on.
        if failure.reason != Reason::StreamErrors || self.count > self.budget {
            return Some(failure);
        }
        self.last = Some(failure.detail.clone());
        self.fused = Some(failure);
        None
    }

    fn second_passed(&mut self) {
        self.count = self.count.saturating_sub(1);
    }
}
