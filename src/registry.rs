//! Follows the registry, which a command beside the hub may change at any time.

use std::sync::Arc;
use std::time::Duration;

use dashboard::Feed;
use ingest::mqtt::SensorSpec;
use ingest::rtsp::CameraSpec;
use model::{Kind, Source, Timestamp};
use storage::Storage;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{cameras, own};

/// How soon a change is noticed.
const LOOK: Duration = Duration::from_secs(1);

/// Everyone who wants to know the sources.
pub struct Followers {
    /// The screens.
    pub feed: Feed,
    /// The MQTT links.
    pub sensors: watch::Sender<Arc<Vec<SensorSpec>>>,
    /// The camera fleet.
    pub cameras: watch::Sender<Arc<Vec<CameraSpec>>>,
    /// The early warning.
    pub sources: watch::Sender<Arc<Vec<Arc<Source>>>>,
}

impl Followers {
    /// Tells everyone the registry as it is.
    pub async fn tell(&self, storage: &Storage) -> Result<i64, storage::Error> {
        let registry = storage.registry();
        let version = registry.version().await?;
        let rows = registry.all().await?;
        let sensors = rows.iter().map(|row| &row.source).filter(|source| source.kind == Kind::Sensor);
        self.sensors.send_replace(Arc::new(sensors.map(|s| SensorSpec { source: Arc::new(s.clone()) }).collect()));
        self.cameras.send_replace(Arc::new(cameras::specs(&rows)));
        let grids = registry.grids().await?;
        let mut known: Vec<Arc<Source>> = rows.iter().map(|row| Arc::new(row.source.clone())).collect();
        known.extend(own::sources(&known, &grids));
        self.sources.send_replace(Arc::new(known));
        let ids = rows.iter().map(|row| row.source.id.clone()).collect();
        storage.connections().keep_only(&ids, Timestamp::now());
        let sources: Vec<_> = rows.into_iter().map(|row| row.source).collect();
        tracing::info!(sources = sources.len(), version, "registry read");
        self.feed.set_registry(sources, grids);
        Ok(version)
    }

    /// Looks for changes until shut down.
    pub async fn follow(self, storage: Storage, mut seen: i64, token: CancellationToken) {
        loop {
            tokio::select! {
                () = token.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let changed = match storage.registry().version().await {
                Ok(version) if version == seen => continue,
                Ok(_) => self.tell(&storage).await,
                Err(error) => Err(error),
            };
            match changed {
                Ok(version) => seen = version,
                Err(error) => tracing::error!(%error, "the registry cannot be read; the last one stays in force"),
            }
        }
    }
}
