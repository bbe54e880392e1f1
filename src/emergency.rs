//! Carries emergencies out: the log first, then cameras and rings; ends them in time, and takes them up after a restart.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use dashboard::emergency::{Emergency, Order};
use ingest::rtsp::Areas;
use model::log::Audit;
use model::{Actor, Kind, LogBody, Owner, Source, SourceId, Timestamp};
use storage::{AuditFilter, Storage};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use video::Rings;

const BEGIN: &str = "emergency.begin";
const END: &str = "emergency.end";
/// How often it is counted anew what an emergency costs: viewers come and go, cameras are added.
const RECOUNT: Duration = Duration::from_secs(10);

/// Everything an emergency acts on.
pub struct Emergencies {
    pub storage: Storage,
    pub feed: dashboard::Feed,
    pub areas: Areas,
    pub rings: Rings,
    pub sources: watch::Receiver<Arc<Vec<Arc<Source>>>>,
    pub told: watch::Sender<Option<Emergency>>,
}

impl Emergencies {
    /// Takes orders until shut down.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>, token: CancellationToken) {
        self.take_up().await;
        let mut registry_open = true;
        loop {
            let until = self.told.borrow().as_ref().map(|emergency| emergency.until);
            let left = until.map(|at| Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default());
            tokio::select! {
                () = token.cancelled() => return,
                order = orders.recv() => match order {
                    Some(Order::Begin(emergency, reply)) => {
                        let _ = reply.send(self.begin(emergency).await);
                    }
                    Some(Order::End(actor, reply)) => {
                        let _ = reply.send(self.end(&actor).await);
                    }
                    None => return,
                },
                () = tokio::time::sleep(left.unwrap_or_default()), if left.is_some() => {
                    if self.end(&Actor::Hub).await.is_err() {
                        // The disk takes no writes; it is tried again.
                        tokio::time::sleep(Duration::from_secs(5)).await;
                    }
                }
                changed = self.sources.changed(), if registry_open => match changed {
                    Ok(()) => self.apply_again().await,
                    Err(_) => registry_open = false,
                },
                () = tokio::time::sleep(RECOUNT), if until.is_some() => self.apply_again().await,
            }
        }
    }

    /// The one that was on when the hub stopped, if its time is not over.
    async fn take_up(&mut self) {
        let filter = AuditFilter { action: Some("emergency".into()), ..AuditFilter::default() };
        let rows = match self.storage.log().audit(&filter, 1).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::error!(%error, "whether an emergency was on cannot be read");
                return;
            }
        };
        let Some(LogBody::Audit(audit)) = rows.into_iter().next().map(|row| row.body) else { return };
        if audit.action != BEGIN {
            return;
        }
        match serde_json::from_value::<Emergency>(audit.detail) {
            Ok(emergency) => {
                tracing::warn!(reason = emergency.reason, until = %emergency.until, "emergency mode goes on");
                self.apply(emergency).await;
            }
            Err(error) => tracing::error!(%error, "an emergency in the log cannot be read"),
        }
    }

    async fn begin(&mut self, emergency: Emergency) -> Result<Emergency, String> {
        let detail = serde_json::to_value(&emergency).map_err(|error| error.to_string())?;
        self.log(&emergency.by, BEGIN, &emergency, detail).await?;
        tracing::warn!(reason = emergency.reason, until = %emergency.until, "emergency mode begins");
        Ok(self.apply(emergency).await)
    }

    async fn end(&mut self, actor: &Actor) -> Result<Option<Emergency>, String> {
        let Some(emergency) = self.told.borrow().clone() else { return Ok(None) };
        self.log(actor, END, &emergency, serde_json::Value::Null).await?;
        tracing::warn!(reason = emergency.reason, "emergency mode ends");
        self.rings.favour(HashSet::new());
        // None: the hub is shutting down, and the log has it.
        let _ = self.areas.set(HashSet::new()).await;
        self.told.send_replace(None);
        Ok(Some(emergency))
    }

    async fn apply_again(&mut self) {
        let current = self.told.borrow().clone();
        if let Some(emergency) = current {
            self.apply(emergency).await;
        }
    }

    async fn apply(&mut self, mut emergency: Emergency) -> Emergency {
        let area = self.area(&emergency);
        self.rings.favour(area.clone());
        if let Some(cost) = self.areas.set(area).await {
            emergency.cost = cost;
        }
        self.told.send_replace(Some(emergency.clone()));
        emergency
    }

    /// The area's cameras. Residents' own stay closed: only their viewer's break-glass opens them.
    fn area(&self, emergency: &Emergency) -> HashSet<SourceId> {
        let grids = self.feed.grids_within(&emergency.grids);
        let sources = self.sources.borrow();
        let cameras = sources.iter().filter(|source| source.kind == Kind::Camera && source.owner != Owner::Resident);
        cameras.filter(|source| grids.contains(&source.grid)).map(|source| source.id.clone()).collect()
    }

    async fn log(
        &self,
        actor: &Actor,
        action: &str,
        emergency: &Emergency,
        detail: serde_json::Value,
    ) -> Result<(), String> {
        let subject = emergency.grids.iter().map(|grid| grid.as_str()).collect::<Vec<_>>().join(" ");
        let audit = Audit { action: action.to_owned(), subject, purpose: Some(emergency.reason.clone()), detail };
        let logged = self.storage.log().append(actor, Timestamp::now(), vec![LogBody::Audit(audit)]).await;
        logged.map(|_| ()).map_err(|error| {
            tracing::error!(%error, action, "emergency mode waits for the disk");
            format!("not done, because it cannot be logged: {error}")
        })
    }
}
