//! Whether writes succeed, for the screen and the metrics.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::Timestamp;
use tokio::sync::watch;

use crate::Error;

/// How long a writer that failed and has nothing to do waits before it tries whether it would succeed now.
pub(crate) const PROBE: Duration = Duration::from_secs(2);

/// Whether storage takes writes.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct StorageHealth {
    /// Whether the last write of every writer succeeded.
    pub ok: bool,
    /// Whether one failed for want of space.
    pub disk_full: bool,
    /// What it said.
    pub last_error: Option<String>,
    /// Since when it has been so.
    pub since: Timestamp,
}

/// Who writes; each has a file of its own and so fails and recovers by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    Log,
    History,
    Outbox,
}

/// The writers' side: cheap to clone.
#[derive(Clone)]
pub(crate) struct Health {
    state: Arc<watch::Sender<StorageHealth>>,
    failures: Arc<Mutex<Failures>>,
}

/// What each writer's last write failed of: the words, and whether for want of space.
type Failures = [Option<(String, bool)>; 3];

impl Health {
    pub(crate) fn new() -> Self {
        let well = StorageHealth { ok: true, disk_full: false, last_error: None, since: Timestamp::now() };
        metrics::gauge!("gridward_storage_ok").set(1.0);
        Self { state: Arc::new(watch::channel(well).0), failures: Arc::default() }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<StorageHealth> {
        self.state.subscribe()
    }

    /// Whether this writer's last write failed.
    pub(crate) fn is_failing(&self, writer: Writer) -> bool {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)[writer as usize].is_some()
    }

    /// Notes how a write went; a change is logged once.
    pub(crate) fn note<T>(&self, writer: Writer, outcome: &Result<T, Error>) {
        let failure = outcome.as_ref().err().map(|error| (error.to_string(), matches!(error, Error::DiskFull)));
        let worst = {
            let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            failures[writer as usize] = failure;
            // A full disk says more than what came of it.
            let full = failures.iter().flatten().find(|(_, full)| *full);
            full.or_else(|| failures.iter().flatten().next()).cloned()
        };
        let (ok, disk_full) = (worst.is_none(), worst.as_ref().is_some_and(|(_, full)| *full));
        self.state.send_if_modified(|state| {
            if state.ok == ok && state.disk_full == disk_full {
                return false;
            }
            match &worst {
                Some((error, _)) => tracing::error!(?writer, error, "storage does not take writes"),
                None => tracing::info!("storage takes writes again"),
            }
            let last_error = worst.map(|(error, _)| error);
            *state = StorageHealth { ok, disk_full, last_error, since: Timestamp::now() };
            true
        });
        metrics::gauge!("gridward_storage_ok").set(f64::from(u8::from(ok)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_writer_that_succeeds_does_not_hide_another_that_fails() {
        let health = Health::new();
        let seen = health.watch();
        health.note::<()>(Writer::History, &Err(Error::DiskFull));
        health.note(Writer::Log, &Ok(()));
        assert!(!seen.borrow().ok && seen.borrow().disk_full);
        assert!(health.is_failing(Writer::History) && !health.is_failing(Writer::Log));
        health.note::<()>(Writer::Log, &Err(Error::Closed));
        health.note(Writer::History, &Ok(()));
        assert!(!seen.borrow().ok && !seen.borrow().disk_full);
        health.note(Writer::Log, &Ok(()));
        assert!(seen.borrow().ok);
    }
}
