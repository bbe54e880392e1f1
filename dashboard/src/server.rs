//! Starts and stops the server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use metrics_exporter_prometheus::PrometheusHandle;
use storage::Storage;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::feed::Feed;
use crate::live::Sockets;
use crate::router;
use crate::serve::serve;
use crate::state::{AppState, Grants};

/// What the server serves from.
pub struct Deps {
    /// Registry, log, history, users.
    pub storage: Storage,
    /// The desk.
    pub command: command::Handle,
    /// The alarms' engine.
    pub alarms: alerting::Handle,
    /// The live state.
    pub feed: Feed,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    /// Lists the rules with their state, as JSON.
    pub rules: Arc<dyn Fn() -> serde_json::Value + Send + Sync>,
    /// The measures of the alarms.
    pub kpis: alerting::kpi::Handle,
    /// The rules' files, their life, their past.
    pub rulebook: crate::rules::Handle,
    /// Emergency mode.
    pub emergency: crate::emergency::Handle,
    /// Whom to tell.
    pub telling: Arc<notify::Telling>,
    /// The base map as GeoJSON, if there is one.
    pub map_file: Option<PathBuf>,
    /// Live pictures.
    pub rings: video::Rings,
    /// Pictures as JPEG.
    pub stills: video::Stills,
}

/// A running server.
pub struct Server {
    /// Where it listens.
    pub addr: SocketAddr,
    serving: JoinHandle<()>,
    feeding: JoinHandle<()>,
}

/// Binds, then serves until `token` is cancelled. An error when the address cannot be bound.
pub async fn start(config: Config, deps: Deps, token: CancellationToken) -> std::io::Result<Server> {
    let listener = TcpListener::bind(config.bind).await?;
    let addr = listener.local_addr()?;
    let feeding = tokio::spawn(deps.feed.clone().run(token.clone()));
    let state = Arc::new(AppState {
        config,
        storage: deps.storage,
        command: deps.command,
        alarms: deps.alarms,
        feed: deps.feed,
        metrics: deps.metrics,
        rules: deps.rules,
        kpis: deps.kpis,
        rulebook: deps.rulebook,
        emergency: deps.emergency,
        telling: deps.telling,
        map_file: deps.map_file,
        started: Instant::now(),
        token: token.clone(),
        grants: Grants::default(),
        gate: Default::default(),
        archive: Default::default(),
        rings: deps.rings,
        stills: deps.stills,
        live: Sockets::default(),
        outage_groups: Default::default(),
    });
    let (app, _) = router::build(state);
    let serving = tokio::spawn(serve(listener, app, token));
    Ok(Server { addr, serving, feeding })
}

impl Server {
    /// Waits until all requests are answered and all sockets closed.
    pub async fn join(self) {
        if let Err(error) = self.serving.await {
            tracing::error!(%error, "the server ended with an error");
        }
        // The feed's task only loops and returns.
        let _ = self.feeding.await;
    }
}
