//! Cameras over RTSP: sessions, the governor of all retries, and the state of each stream.
//!
//! Belongs here: everything between a camera's address and the rings. Does not belong here: what frames become (`video`),
//! what a state means for people (`alerting`), where cameras and credentials are kept (`storage`).

mod admission;
mod area;
mod attempts;
mod clock;
mod config;
mod failure;
mod feed;
mod fleet;
mod frames;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod governor;
mod guard;
mod health;
mod opening;
mod pace;
mod plan;
mod pulling;
mod relay;
mod report;
mod session;
mod threads;

use std::fmt;
use std::sync::Arc;

use model::{Source, SourceStatus};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use area::Areas;
pub use config::RtspConfig;
pub use threads::Threads;

/// Orders on their way to the fleet; whoever gives one waits for its answer.
const AREAS: usize = 4;

/// A camera to pull from, and how to log in there.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraSpec {
    /// The camera as the registry has it.
    pub source: Arc<Source>,
    /// Its user and password; none when it asks for none.
    pub credentials: Option<Credentials>,
}

/// A camera's user and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password; never shown.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Pulls cameras into the rings until the token is cancelled.
///
/// Follows `cameras`: a camera whose URL, credentials or transport changed is opened anew, the others are not touched.
/// Reports go to `status`, on change and at most every few seconds per stream; while it is full the newest word of each stream
/// waits. Needs a tokio runtime.
pub fn start(
    config: RtspConfig,
    rings: video::Rings,
    cameras: watch::Receiver<Arc<Vec<CameraSpec>>>,
    status: mpsc::Sender<SourceStatus>,
    token: CancellationToken,
) -> RtspHandle {
    let (areas, orders) = mpsc::channel(AREAS);
    RtspHandle { task: tokio::spawn(fleet::run(config, rings, cameras, orders, status, token)), areas: Areas(areas) }
}

/// The running camera side of ingest.
#[derive(Debug)]
pub struct RtspHandle {
    task: JoinHandle<()>,
    areas: Areas,
}

impl RtspHandle {
    /// Names the cameras of an emergency.
    pub fn areas(&self) -> Areas {
        self.areas.clone()
    }

    /// Waits until all sessions are closed; they begin to when the token given to [`start`] is cancelled.
    pub async fn join(self) {
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the camera fleet ended with a defect");
        }
    }
}
