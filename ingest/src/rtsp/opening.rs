//! Opening a session: connect, DESCRIBE, SETUP and PLAY, each within its time and its share of work.
//!
//! The library has no limits of its own: neither on time nor on the size of an answer. An answer that floods keeps its
//! parser busy, so the time spent inside it is limited as well, which bounds the memory taken by then.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use model::status::{Backend, Transport};
use retina::client::{Described, PlayOptions, Session, SessionGroup, SessionOptions, SetupOptions};
use retina::codec::FrameFormat;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use video::{PullError, Pulls};

use super::attempts::Attempt;
use super::config::SessionLimits;
use super::failure::{Failure, Phase, Reason};
use super::frames::{Frames, Retina};
use super::guard::guarded;
use super::plan::{Plan, Target};
use super::pulling;
use super::relay::Relay;

/// How long after the end of a session its successor waits until the camera knows of the end: a TEARDOWN on the old
/// connection has 5 s in the library.
const OWN_STALE_WAIT: Duration = Duration::from_secs(6);
/// The same for sessions of other streams of the server: they matter to recorders that count sessions, and one dead
/// camera must not hold up its neighbours.
const OTHERS_STALE_WAIT: Duration = Duration::from_secs(1);
/// To tell a host that does not answer at all from one that answers RTSP slowly.
const PROBE_LIMIT: Duration = Duration::from_secs(1);
/// Time that the library's parser may work on one answer: usual answers take less than a millisecond, and a busy
/// machine may stretch that a hundred times.
const BUSY_LIMIT: Duration = Duration::from_millis(500);
/// The RTP clock of H.264, H.265 and JPEG (RFC 6184, RFC 7798, RFC 2435).
const CLOCK_RATE_HZ: u32 = 90_000;

/// What to open, and within which limits.
pub(crate) struct Opening<'a> {
    pub plan: &'a Plan,
    pub target: &'a Target,
    pub group: &'a Arc<SessionGroup>,
    pub limits: &'a SessionLimits,
    pub attempt: Attempt,
    pub pulls: &'a Pulls,
    /// When the last session of this stream ended.
    pub ended_at: Option<Instant>,
}

impl Opening<'_> {
    /// The frames to come, and the relay they come by, which must live as long.
    pub(crate) async fn open(&self) -> Result<(Frames, Option<Relay>), Failure> {
        self.await_stale().await;
        let Some(policy) = &self.target.tls else { return Ok((self.open_at(self.target).await?, None)) };
        let relay = Relay::open(self.target, policy, self.limits.describe).await?;
        let frames = self.open_at(&relay.target).await?;
        Ok((frames, Some(relay)))
    }

    async fn open_at(&self, target: &Target) -> Result<Frames, Failure> {
        if self.attempt.backend == Backend::Ffmpeg {
            let request = pulling::request(target, self.plan, self.attempt.transport, self.limits);
            let limit = request.open_limit;
            match self.pulls.begin(request) {
                Ok(pull) => return pulling::opened(pull, limit).await,
                Err(PullError::Full(_)) if self.attempt.may_stand_in => {}
                Err(error) => return Err(Failure::from_pull(Phase::Connect, &error)),
            }
        }
        let mut session = self.describe(target).await?;
        let stream = choose_stream(&session)?;
        let transport = match self.attempt.transport {
            Transport::Tcp => retina::client::Transport::Tcp(Default::default()),
            Transport::Udp => retina::client::Transport::Udp(Default::default()),
        };
        let options = SetupOptions::default().transport(transport).frame_format(FrameFormat::MP4);
        within(Phase::Setup, self.limits.setup, session.setup(stream, options)).await?;
        let playing = within(Phase::Play, self.limits.play, session.play(PlayOptions::default())).await?;
        let frames = playing.demuxed().map_err(|e| Failure::from_retina(Phase::Play, &e))?;
        Ok(Frames::Retina(Retina::new(frames, stream)))
    }

    async fn await_stale(&self) {
        let stale = self.group.stale_sessions();
        if stale.num_sessions == 0 {
            return;
        }
        let own = self.ended_at.map_or(Duration::ZERO, |at| OWN_STALE_WAIT.saturating_sub(at.elapsed()));
        let limit = own.max(OTHERS_STALE_WAIT);
        if timeout(limit, self.group.await_stale_sessions(&stale)).await.is_err() {
            tracing::debug!(source = %self.plan.source, "a session of this server may still be open there");
        }
    }

    async fn describe(&self, target: &Target) -> Result<Session<Described>, Failure> {
        let credentials = self
            .plan
            .credentials
            .as_ref()
            .map(|c| retina::client::Credentials { username: c.username.clone(), password: c.password.clone() });
        let options = SessionOptions::default()
            .creds(credentials)
            .user_agent("gridward".into())
            .session_group(Arc::clone(self.group));
        let describe = Session::describe(target.url.clone(), options);
        tokio::select! {
            described = within(Phase::Describe, self.limits.describe, describe) => described,
            failure = self.unreachable() => Err(failure),
        }
    }

    /// Ends when the host does not even take a connection; a camera that only answers slowly is left its time.
    async fn unreachable(&self) -> Failure {
        sleep(self.limits.connect).await;
        let host = self.target.host.as_ref();
        if matches!(timeout(PROBE_LIMIT, TcpStream::connect(host)).await, Ok(Ok(_))) {
            return std::future::pending().await;
        }
        let limit = self.limits.connect + PROBE_LIMIT;
        Failure::new(Phase::Connect, Reason::ConnectTimeout, format!("{host} does not answer in {limit:?}"))
    }
}

async fn within<T>(
    phase: Phase,
    limit: Duration,
    step: impl Future<Output = Result<T, retina::Error>>,
) -> Result<T, Failure> {
    let step = Busy { step: Box::pin(step), spent: Duration::ZERO, phase };
    match timeout(limit, step).await {
        Ok(Ok(Some(done))) => done.map_err(|e| Failure::from_retina(phase, &e)),
        Ok(Err(defect)) => Err(defect),
        Ok(Ok(None)) => {
            Err(Failure::new(phase, Reason::ProtocolError, format!("an endless answer to {}", phase.as_str())))
        }
        Err(_) => {
            let late = match phase {
                Phase::Setup => Reason::SetupTimeout,
                Phase::Play => Reason::PlayTimeout,
                _ => Reason::DescribeTimeout,
            };
            Err(Failure::new(phase, late, format!("no answer to {} in {limit:?}", phase.as_str())))
        }
    }
}

/// A step that is given up (with none) once its polls together took longer than [`BUSY_LIMIT`], and whose panic is a failure.
struct Busy<F> {
    step: Pin<Box<F>>,
    spent: Duration,
    phase: Phase,
}

impl<F: Future> Future for Busy<F> {
    type Output = Result<Option<F::Output>, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let begun = Instant::now();
        let done = guarded(self.phase, || self.step.as_mut().poll(cx));
        self.spent += begun.elapsed();
        match done {
            Err(defect) => Poll::Ready(Err(defect)),
            Ok(Poll::Ready(done)) => Poll::Ready(Ok(Some(done))),
            Ok(Poll::Pending) if self.spent > BUSY_LIMIT => Poll::Ready(Ok(None)),
            Ok(Poll::Pending) => Poll::Pending,
        }
    }
}

/// The first video stream in a codec we carry.
fn choose_stream(session: &Session<Described>) -> Result<usize, Failure> {
    let streams = session.streams();
    let ours = |s: &retina::client::Stream| {
        s.media() == "video"
            && matches!(s.encoding_name(), "h264" | "h265" | "jpeg")
            && s.clock_rate_hz() == CLOCK_RATE_HZ
    };
    if let Some(found) = streams.iter().position(ours) {
        return Ok(found);
    }
    Err(match streams.iter().find(|s| s.media() == "video") {
        Some(other) => {
            let detail = format!("video is {}", other.encoding_name());
            Failure::new(Phase::Describe, Reason::UnsupportedCodec, detail)
        }
        None => Failure::new(Phase::Describe, Reason::NoVideo, "the description names no video"),
    })
}
