//! The camera side of the hub: sessions fill the rings, stills and checks read them.

use std::io;
use std::sync::Arc;

use ingest::rtsp::{CameraSpec, Credentials, RtspConfig, RtspHandle, Threads};
use model::{Kind, Observation, SourceId, SourceStatus, Value};
use storage::SourceRow;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use video::{Checks, PictureClass, Rings, Stills};

/// Everything that handles pictures.
pub struct Cameras {
    /// Where live pictures are.
    pub rings: Rings,
    /// Where JPEGs are.
    pub stills: Stills,
    fleet: RtspHandle,
    /// Ends with the rest, also when a drain is cut off.
    _threads: Threads,
    checks: Checks,
}

/// Where the camera side sends what it learns.
pub struct Out {
    /// States of streams.
    pub status: mpsc::Sender<SourceStatus>,
    /// What pictures are like.
    pub observations: mpsc::Sender<Observation>,
}

impl Cameras {
    /// Pulls the cameras of `list` until the token is cancelled. `last` are the last values before the restart.
    pub fn start(
        rtsp: RtspConfig,
        video: &video::Config,
        list: watch::Receiver<Arc<Vec<CameraSpec>>>,
        last: &[Observation],
        out: Out,
        token: &CancellationToken,
    ) -> io::Result<Self> {
        let rings = Rings::new(video);
        let stills = Stills::start(video, rings.clone());
        let threads = Threads::start()?;
        let fleet = threads.on(|| ingest::rtsp::start(rtsp, rings.clone(), list, out.status, token.clone()));
        let known = last.iter().filter_map(class_of);
        let checks = Checks::start(video, rings.clone(), known, out.observations, token.clone());
        Ok(Self { rings, stills, fleet, _threads: threads, checks })
    }

    /// Names the cameras of an emergency.
    pub fn areas(&self) -> ingest::rtsp::Areas {
        self.fleet.areas()
    }

    /// Waits until sessions and threads have ended.
    pub async fn join(self) {
        let threads = tokio::task::spawn_blocking(move || self.stills.close());
        let (_, _, ended) = tokio::join!(self.fleet.join(), self.checks.join(), threads);
        if let Err(error) = ended {
            tracing::error!(%error, "the still threads ended with a defect");
        }
    }
}

/// The cameras of the registry, with their credentials.
pub fn specs(rows: &[SourceRow]) -> Vec<CameraSpec> {
    let cameras = rows.iter().filter(|row| row.source.kind == Kind::Camera);
    cameras
        .map(|row| CameraSpec {
            source: Arc::new(row.source.clone()),
            credentials: row
                .credentials
                .as_ref()
                .map(|found| Credentials { username: found.username.clone(), password: found.password.clone() }),
        })
        .collect()
}

fn class_of(observation: &Observation) -> Option<(SourceId, PictureClass)> {
    match &observation.value {
        Value::Text(text) if &*observation.reading == video::PICTURE_READING => {
            Some((observation.source.clone(), PictureClass::parse(text)?))
        }
        _ => None,
    }
}
