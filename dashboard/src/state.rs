//! What every handler can reach.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use jiff::SignedDuration;
use metrics_exporter_prometheus::PrometheusHandle;
use model::log::Audit;
use model::{Actor, LogBody, SourceId, Timestamp, UserId};
use storage::Storage;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::ApiError;
use crate::feed::Feed;

/// How long a broken glass stays open.
pub const GRANT: SignedDuration = SignedDuration::from_mins(15);

/// Shared by all handlers.
pub struct AppState {
    pub(crate) config: Config,
    pub(crate) storage: Storage,
    pub(crate) command: command::Handle,
    pub(crate) alarms: alerting::Handle,
    pub(crate) feed: Feed,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) rules: std::sync::Arc<dyn Fn() -> serde_json::Value + Send + Sync>,
    pub(crate) kpis: alerting::kpi::Handle,
    pub(crate) rulebook: crate::rules::Handle,
    pub(crate) emergency: crate::emergency::Handle,
    pub(crate) telling: std::sync::Arc<notify::Telling>,
    pub(crate) map_file: Option<std::path::PathBuf>,
    pub(crate) started: Instant,
    pub(crate) token: CancellationToken,
    pub(crate) grants: Grants,
    pub(crate) gate: crate::gate::Gate,
    pub(crate) archive: tokio::sync::Mutex<crate::archive::Archive>,
    pub(crate) rings: video::Rings,
    pub(crate) stills: video::Stills,
    pub(crate) live: crate::live::Sockets,
    pub(crate) outage_groups: crate::routes::outages::GroupCounts,
}

/// Who has opened which resident's camera, until when.
#[derive(Default)]
pub struct Grants {
    open: Mutex<HashMap<(UserId, SourceId), Timestamp>>,
}

impl Grants {
    /// Opens a camera for one caller.
    pub fn open(&self, who: &UserId, source: &SourceId, now: Timestamp) -> Timestamp {
        let until = now.saturating_add(GRANT).unwrap_or(now);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, until| *until > now);
        open.insert((who.clone(), source.clone()), until);
        until
    }

    /// Whether it is open for the caller.
    pub fn is_open(&self, who: &UserId, source: &SourceId, now: Timestamp) -> bool {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&(who.clone(), source.clone())).is_some_and(|until| *until > now)
    }
}

impl AppState {
    /// Writes an audit row; what must be audited does not happen when this fails.
    pub async fn audit(
        &self,
        actor: Actor,
        action: &str,
        subject: &str,
        purpose: Option<String>,
        detail: serde_json::Value,
    ) -> Result<(), ApiError> {
        self.audit_rows(actor, vec![Audit { action: action.to_owned(), subject: subject.to_owned(), purpose, detail }])
            .await
    }

    /// Writes audit rows in one batch, as [`AppState::audit`].
    pub async fn audit_rows(&self, actor: Actor, rows: Vec<Audit>) -> Result<(), ApiError> {
        self.storage.log().append(&actor, Timestamp::now(), rows.into_iter().map(LogBody::Audit).collect()).await?;
        Ok(())
    }
}
