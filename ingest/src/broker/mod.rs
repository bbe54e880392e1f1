//! The embedded MQTT broker, so that a town without a broker starts with one binary.
//!
//! Belongs here: MQTT 3.1.1 and 5 over TCP for sensors on the town's own network. Does not belong here: TLS, clusters,
//! shared subscriptions, sessions on disk - a town that needs those runs mosquitto or EMQX, and the hub links to it.
//!
//! # Why our own
//! What was tried, each with 100,000 messages of QoS 1 from four publishers at full speed and one subscriber:
//! `rumqttd` 0.20 dropped its clients and lost messages at 60,000. `rmqtt` 0.24 (204 crates) acknowledged all 100,000 to
//! the publishers and delivered 21,882: its queue for a subscriber drops the oldest when full, QoS 1 or not, and the
//! publisher is never slowed. A larger queue moves the number, not the fault. Neither can wait with the acknowledgement
//! until the hub has a reading on disk. So the protocol's bytes come from `rmqtt-codec` (the codec of that same active
//! project, MIT/Apache-2.0), and sessions, routing and back-pressure are here.
//!
//! # What is promised
//! - A PUBACK (or PUBREC) for a message that the hub's own link subscribes to is sent when the hub has acknowledged it,
//!   that is, when it is on disk: a publisher that was told so loses nothing to `kill -9`.
//! - After a start nothing is taken from publishers until the hub's link has subscribed (10 seconds at most).
//! - No message of QoS 1 is dropped while its subscriber is connected. A full queue stops the reading of publishers, so
//!   that TCP slows them. A subscriber that takes nothing for 30 seconds while others wait is closed; the hub's link
//!   never is, and it is served before all others.
//! - A client that is away and keeps its session has a bounded queue; what does not fit is dropped and counted. When the
//!   memory for all queues is used up, what lies there for clients that are away goes first.
//! - Messages of QoS 0 are dropped, counted, when a subscriber's queue is three quarters full.
//! - QoS 2 is taken from publishers exactly once while the hub runs, but that a message whose publisher lost its
//!   connection before the answer was written may come twice; subscribers are granted QoS 1 at most.

mod connection;
mod core;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod message;
mod session;
mod users;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use metrics::counter;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use users::HubLogin;

use self::core::Core;
use users::Users;

/// The client id of the hub's own link, which no guest may take.
pub(crate) const HUB_CLIENT_ID: &str = "gridward-embedded";

/// Settings of the embedded broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A file of `name:password` lines, readable by the hub only. None lets everybody in who reaches the address.
    pub users_file: Option<PathBuf>,
    /// Whether clients without user and password are let in although there is a users file, or although the address is
    /// not a loopback one.
    pub allow_anonymous: bool,
    /// For how many seconds after the start publishers are let wait for the hub's own link to subscribe.
    pub hub_wait_s: u64,
    /// The most connections at a time.
    pub max_connections: usize,
    /// The most sessions, of clients connected or away.
    pub max_sessions: usize,
    /// The most subscriptions of one client.
    pub max_subscriptions: usize,
    /// The largest packet taken, in bytes; a client that sends a larger one is closed.
    pub max_packet_bytes: u32,
    /// The memory for messages that wait for one client or are on their way to it, in bytes.
    pub queue_bytes: usize,
    /// The same for all clients together. Those who are away get half of it; the hub's own link is not counted against it.
    pub total_queue_bytes: usize,
    /// For how many seconds a client may take no message while others wait for it, before it is closed.
    pub slow_client_s: u64,
    /// For how long the session of a client that is away is kept at most, in seconds.
    pub session_expiry_max_s: u32,
    /// The most topics with a kept (retained) message.
    pub max_retained: usize,
    /// The memory for kept messages, in bytes.
    pub max_retained_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            users_file: None,
            allow_anonymous: false,
            hub_wait_s: 10,
            max_connections: 20_000,
            max_sessions: 50_000,
            max_subscriptions: 50_000,
            max_packet_bytes: 256 * 1024,
            queue_bytes: 64 << 20,
            total_queue_bytes: 512 << 20,
            slow_client_s: 30,
            session_expiry_max_s: 7 * 86_400,
            max_retained: 100_000,
            max_retained_bytes: 64 << 20,
        }
    }
}

/// Why the broker does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("the embedded broker cannot listen on {addr}")]
    Listen {
        /// Which address.
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The users file cannot be read.
    #[error("the users file {} cannot be read", file.display())]
    Users {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line of the users file is not `name:password`.
    #[error("{}, line {line}: expected name:password", file.display())]
    UsersLine {
        /// Which file.
        file: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
}

/// The running broker.
#[derive(Debug)]
pub struct EmbeddedBroker {
    /// Where it listens; with the real port when port 0 was asked for.
    pub addr: SocketAddr,
    /// How the hub's own link logs in; see [`MqttConfig::use_embedded`](crate::mqtt::MqttConfig::use_embedded).
    pub login: HubLogin,
    task: JoinHandle<()>,
}

impl EmbeddedBroker {
    /// Waits until all clients are gone; some seconds at most after the token was cancelled.
    pub async fn join(self) {
        let _ = self.task.await;
    }
}

/// Starts a broker with default limits, for everybody who reaches the address.
pub async fn start(addr: SocketAddr, token: CancellationToken) -> Result<EmbeddedBroker, Error> {
    start_with(addr, Config::default(), token).await
}

/// Starts a broker. Cancel the token after the links to it have ended.
pub async fn start_with(addr: SocketAddr, config: Config, token: CancellationToken) -> Result<EmbeddedBroker, Error> {
    let login = HubLogin::new();
    let users = Users::read(config.users_file.as_deref(), config.allow_anonymous, login.clone())?;
    let listener = TcpListener::bind(addr).await.map_err(|source| Error::Listen { addr, source })?;
    let addr = listener.local_addr().map_err(|source| Error::Listen { addr, source })?;
    info!(%addr, "embedded broker listens");
    let core = Arc::new(Core::new(config, users, token));
    let task = tokio::spawn(run(core, listener));
    Ok(EmbeddedBroker { addr, login, task })
}

/// How long connections may take to end when the hub stops.
const PARTING: Duration = Duration::from_secs(3);

async fn run(core: Arc<Core>, listener: TcpListener) {
    let mut clients = JoinSet::new();
    let sweeper = {
        let core = Arc::clone(&core);
        tokio::spawn(async move {
            while !core.token.is_cancelled() {
                core.sweep().await;
                core.pause().await;
            }
        })
    };
    // By itself: the sweeper publishes wills, and may so wait for the memory that is freed here.
    let reliever = {
        let core = Arc::clone(&core);
        tokio::spawn(async move {
            while !core.token.is_cancelled() {
                core.relieve();
                core.pause().await;
            }
        })
    };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = clients.join_next() => continue,
            () = core.token.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                if core.connections.load(Ordering::Relaxed) >= core.config.max_connections {
                    counter!("gridward_broker_refused_total", "reason" => "connections").increment(1);
                    continue;
                }
                clients.spawn(connection::serve(Arc::clone(&core), stream, peer));
            }
            Err(e) => {
                // Out of file descriptors, most likely: wait for some to come back.
                warn!(error = %e, "embedded broker cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    core.close_all();
    let _ = tokio::time::timeout(PARTING, async { while clients.join_next().await.is_some() {} }).await;
    let _ = sweeper.await;
    let _ = reliever.await;
}
