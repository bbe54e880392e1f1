//! Whether writes succeed, for the screen and the metrics.

use std::sync::Arc;

use model::Timestamp;
use tokio::sync::watch;

use crate::Error;

/// Whether storage takes writes.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct StorageHealth {
    /// Whether the last write succeeded.
    pub ok: bool,
    /// Whether it failed for want of space.
    pub disk_full: bool,
    /// What it said.
    pub last_error: Option<String>,
    /// Since when it has been so.
    pub since: Timestamp,
}

/// The writers' side: cheap to clone.
#[derive(Clone)]
pub(crate) struct Health {
    state: Arc<watch::Sender<StorageHealth>>,
}

impl Health {
    pub(crate) fn new() -> Self {
        let well = StorageHealth { ok: true, disk_full: false, last_error: None, since: Timestamp::now() };
        Self { state: Arc::new(watch::channel(well).0) }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<StorageHealth> {
        self.state.subscribe()
    }

    /// Notes how a write went; a change is logged once.
    pub(crate) fn note<T>(&self, outcome: &Result<T, Error>) {
        let (ok, disk_full, last_error) = match outcome {
            Ok(_) => (true, false, None),
            Err(error) => (false, matches!(error, Error::DiskFull), Some(error.to_string())),
        };
        self.state.send_if_modified(|state| {
            if state.ok == ok && state.disk_full == disk_full {
                return false;
            }
            match &last_error {
                Some(error) => tracing::error!(error, "storage does not take writes"),
                None => tracing::info!("storage takes writes again"),
            }
            *state = StorageHealth { ok, disk_full, last_error: last_error.clone(), since: Timestamp::now() };
            true
        });
        metrics::gauge!("gridward_storage_ok").set(f64::from(u8::from(ok)));
    }
}
