//! Frames through FFmpeg's own readers, for cameras that the usual session cannot take.
//!
//! A pull has a thread of its own, from opening to end; whoever asked takes frames from a bounded queue, without waiting on
//! FFmpeg. How many run at once is limited ([`Pulls`]): each costs a thread and some megabytes.
//!
//! Belongs here: everything around FFmpeg's demuxer. Does not belong here: what protocol an address speaks and which options
//! it needs (the asker gives both), when to try again (`ingest`).
//!
//! What arrives is hostile: opening has a time limit, everything else ends with the asker (an interrupt is seen within 0.1 s),
//! one allocation of FFmpeg has a largest size, and so has an access unit.

#[cfg(feature = "ffmpeg")]
mod assemble;
#[cfg(feature = "ffmpeg")]
mod bits;
#[cfg(feature = "ffmpeg")]
mod reading;
#[cfg(feature = "ffmpeg")]
mod sps;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use metrics::gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::{NewFrame, NewTrack};

/// Frames that wait for the asker; a camera that sends more waits on its own connection. Half a second of video.
#[cfg(feature = "ffmpeg")]
const QUEUE: usize = 16;

/// What to open.
#[derive(Clone)]
pub struct PullRequest {
    /// The address, with user and password where it needs them: FFmpeg takes them nowhere else. Never shown.
    pub url: String,
    /// Options of FFmpeg's demuxer and protocols, by its own names.
    pub options: Vec<(&'static str, String)>,
    /// How long opening may take.
    pub open_limit: Duration,
}

impl fmt::Debug for PullRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PullRequest").field("open_limit", &self.open_limit).finish_non_exhaustive()
    }
}

/// What a pull brings.
#[derive(Debug)]
pub enum Pulled {
    /// The source is open and named a video stream; comes once, before the first frame.
    Opened,
    /// An access unit.
    Frame {
        /// The access unit.
        frame: NewFrame,
        /// Its parameter sets, when they are new.
        track: Option<NewTrack>,
        /// FFmpeg marked it as damaged.
        damaged: bool,
    },
}

/// Why a pull ended or did not begin. Texts hold neither address nor credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PullError {
    /// The hub was built without FFmpeg.
    #[error("this hub was built without FFmpeg")]
    NotBuilt,
    /// As many as may run do.
    #[error("all {0} FFmpeg sessions are in use")]
    Full(usize),
    /// The source refuses the credentials, or asks for some.
    #[error("the source refuses the credentials")]
    Unauthorized,
    /// The source knows no such stream.
    #[error("the source has no such stream")]
    NotFound,
    /// Any other refusal of the source.
    #[error("the source refuses: {0}")]
    Refused(String),
    /// It was not open in time.
    #[error("not open in {0:?}")]
    OpenTimeout(Duration),
    /// No video among its streams.
    #[error("the source names no video")]
    NoVideo,
    /// Video, but in a codec that is not carried.
    #[error("video is {0}")]
    Codec(String),
    /// The connection could not be made or broke.
    #[error("connection: {text}")]
    Io {
        /// What the system says.
        kind: io::ErrorKind,
        /// In FFmpeg's words.
        text: String,
    },
    /// What it sends cannot be read.
    #[error("{0}")]
    Broken(String),
}

/// All pulls, and how many may run.
#[derive(Debug, Clone)]
pub struct Pulls {
    places: Arc<Semaphore>,
    max: usize,
}

impl Pulls {
    /// At most `max` at once; 0 for none.
    pub fn new(max: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(max)), max }
    }

    /// Whether this hub can pull at all.
    pub fn built() -> bool {
        cfg!(feature = "ffmpeg")
    }

    /// Begins a pull on a thread of its own.
    ///
    /// # Errors
    /// [`PullError::NotBuilt`], [`PullError::Full`], or the thread cannot be started.
    pub fn begin(&self, request: PullRequest) -> Result<Pull, PullError> {
        if !Self::built() {
            return Err(PullError::NotBuilt);
        }
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| PullError::Full(self.max))?;
        Pull::start(request, Place::new(place))
    }

    /// Waits until all threads have ended; those who asked must have let go.
    pub async fn ended(&self) {
        let all = u32::try_from(self.max).unwrap_or(u32::MAX);
        // Never closed.
        let _ = self.places.acquire_many(all).await;
    }
}

/// A running pull. Dropping it ends its thread, soon and without waiting.
#[derive(Debug)]
pub struct Pull {
    frames: mpsc::Receiver<Result<Pulled, PullError>>,
    stop: Arc<AtomicBool>,
}

impl Pull {
    #[cfg(feature = "ffmpeg")]
    fn start(request: PullRequest, place: Place) -> Result<Pull, PullError> {
        let (out, frames) = mpsc::channel(QUEUE);
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new().name("pull".to_owned());
        let reading = reading::Reading { request, out, stop: Arc::clone(&stop) };
        // Not joined: it ends by itself when `stop` is set, and holds its place until then.
        let started = thread.spawn(move || {
            reading.run();
            drop(place);
        });
        started.map_err(|error| PullError::Broken(format!("no thread: {error}")))?;
        Ok(Pull { frames, stop })
    }

    #[cfg(not(feature = "ffmpeg"))]
    fn start(_: PullRequest, _: Place) -> Result<Pull, PullError> {
        Err(PullError::NotBuilt)
    }

    /// The next frame. None: the source ended the stream. After an error nothing follows. Polling at one's own pace with a
    /// waker that does nothing works as well.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Pulled, PullError>>> {
        self.frames.poll_recv(cx)
    }
}

impl Drop for Pull {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// One of the places, held by a thread.
#[derive(Debug)]
struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Place {
    fn new(permit: OwnedSemaphorePermit) -> Self {
        gauge!("gridward_ffmpeg_sessions").increment(1.0);
        Self { _permit: permit }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        gauge!("gridward_ffmpeg_sessions").decrement(1.0);
    }
}

#[cfg(feature = "ffmpeg")]
#[cfg(test)]
#[path = "pull_tests.rs"]
mod tests;
