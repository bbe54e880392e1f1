//! MQTT: links to brokers, and what sensors send as observations with a duty to acknowledge.
//!
//! Belongs here: connections, subscriptions, decoding, dead letters, the health of sensors. Does not belong here: the
//! embedded broker (`crate::broker`), writing to disk (`storage`), rules (`alerting`).
//!
//! The way of a message: broker -> poller (`link`) -> bounded handoff -> decoder (`forward`) -> [`Ingested`] -> the
//! caller, who writes it and calls [`Ack::done`] -> ledger -> PUBACK. Each edge is bounded: a full one stops the edge
//! before it, up to the sender's TCP connection. Only messages of QoS 0 are dropped, and counted.

pub mod config;
pub mod decode;
pub mod watch;

mod client;
mod forward;
mod handoff;
mod link;
mod routes;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use metrics::gauge;
use model::{Observation, Source, SourceId, SourceState, SourceStatus};
use tokio::sync::{Notify, mpsc, watch as latest};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

pub use crate::ledger::Ack;
pub use config::{BrokerConfig, ConfigProblem, MqttConfig, Version};
pub use link::LinkHealth;

use forward::Forward;
use handoff::Handoff;
use link::Link;
use routes::Routes;
use watch::Watch;

/// The most bytes of a payload that a dead letter keeps.
pub const MAX_DEAD_PAYLOAD_BYTES: usize = 1024;

/// Topics that wait to be unsubscribed; when full, the next message on the topic asks again.
const STRAYS: usize = 64;

/// How often deadlines are looked at.
const SWEEP: Duration = Duration::from_secs(1);

/// A sensor to listen to.
#[derive(Debug, Clone)]
pub struct SensorSpec {
    /// Its row in the registry.
    pub source: Arc<Source>,
}

/// What one message said.
#[derive(Debug)]
pub struct Ingested {
    /// All observations of the message, at least one; of several sensors if the topic is theirs too.
    pub observations: Vec<Observation>,
    /// Call [`Ack::done`] after the observations are on disk and were offered to the engines.
    pub ack: Ack,
}

/// A message that is no use, for people to look at.
#[derive(Debug)]
pub struct DeadLetter {
    /// When it came.
    pub at: Timestamp,
    /// From which broker.
    pub broker: String,
    /// On which topic; at most 256 characters.
    pub topic: String,
    /// Of which sensor, when the topic is one's.
    pub source: Option<SourceId>,
    /// What is wrong with it.
    pub reason: String,
    /// Its first bytes, at most [`MAX_DEAD_PAYLOAD_BYTES`].
    pub payload_head: Vec<u8>,
    /// Its full length in bytes.
    pub payload_len: usize,
    /// Call [`Ack::done`] after it is filed.
    pub ack: Ack,
}

/// The running MQTT part.
#[derive(Debug)]
pub struct MqttHandle {
    tasks: JoinSet<()>,
    links: Arc<Mutex<Vec<LinkHealth>>>,
}

impl MqttHandle {
    /// How the links stand.
    pub fn links(&self) -> Vec<LinkHealth> {
        lock(&self.links).clone()
    }

    /// The same for others to ask while somebody else joins.
    pub fn links_view(&self) -> impl Fn() -> Vec<LinkHealth> + Send + Sync + 'static {
        let links = Arc::clone(&self.links);
        move || lock(&links).clone()
    }

    /// Waits until everything has ended; some seconds at most after the token was cancelled.
    pub async fn join(mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(e) = ended {
                error!(error = %e, "a task of the mqtt part failed");
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the links to all brokers. Ends when the token is cancelled: messages already taken are handed on and
/// acknowledged for up to three seconds, so cancel this before the receivers of `out` and `dead`.
///
/// `sensors` should hold the registry when this is called, and may change at any time. When `out` is full the links slow down; when `dead` is full letters are dropped and
/// counted; `status` may be slow, it then misses intermediate states.
pub fn start(
    config: MqttConfig,
    sensors: latest::Receiver<Arc<Vec<SensorSpec>>>,
    out: mpsc::Sender<Ingested>,
    dead: mpsc::Sender<DeadLetter>,
    status: mpsc::Sender<SourceStatus>,
    token: CancellationToken,
) -> MqttHandle {
    let brokers = config.links();
    let names: Arc<[String]> = brokers.iter().map(|b| b.name.clone()).collect();
    let now = Timestamp::now();
    let health = names
        .iter()
        .map(|name| LinkHealth { broker: name.clone(), connected: false, since: now, reason: None, detail: None })
        .collect();
    let health = Arc::new(Mutex::new(health));
    let watch = Arc::new(Mutex::new(Watch::new(brokers.len(), now)));
    // Empty until the registry has been read once; links wait for that.
    let (routes_in, routes) = latest::channel(Arc::new(Vec::<Routes>::new()));
    let mut tasks = JoinSet::new();
    let mut handoffs = Vec::new();
    for (number, broker) in brokers.into_iter().enumerate() {
        let handoff = Arc::new(Handoff::default());
        handoffs.push((names[number].clone(), Arc::clone(&handoff)));
        let (stray_in, strays) = mpsc::channel(STRAYS);
        let forward = Forward {
            broker: broker.name.as_str().into(),
            link: number,
            handoff: Arc::clone(&handoff),
            routes: routes.clone(),
            watch: Arc::clone(&watch),
            max_payload: broker.max_packet_bytes,
            out: out.clone(),
            dead: dead.clone(),
            strays: stray_in,
        };
        tasks.spawn(forward.run(token.clone()));
        let login = config.embedded_login.clone().filter(|_| broker.name == config::EMBEDDED);
        let link = Link {
            number,
            config: Arc::new(broker),
            login,
            handoff,
            routes: routes.clone(),
            watch: Arc::clone(&watch),
            health: Arc::clone(&health),
            strays,
        };
        tasks.spawn(link.run(token.clone()));
    }
    tasks.spawn(follow_registry(sensors, names, routes_in, Arc::clone(&watch), token.clone()));
    let changed = Arc::new(Notify::new());
    tasks.spawn(sweep(Arc::clone(&watch), Arc::clone(&changed), handoffs, token.clone()));
    tasks.spawn(report(watch, changed, status, token));
    MqttHandle { tasks, links: health }
}

/// Builds the routes anew whenever the list of sensors changes.
async fn follow_registry(
    mut sensors: latest::Receiver<Arc<Vec<SensorSpec>>>,
    names: Arc<[String]>,
    routes: latest::Sender<Arc<Vec<Routes>>>,
    watch: Arc<Mutex<Watch>>,
    token: CancellationToken,
) {
    sensors.mark_changed();
    loop {
        tokio::select! {
            changed = sensors.changed() => {
                if changed.is_err() {
                    // The registry is gone; the last list stays.
                    token.cancelled().await;
                    return;
                }
            }
            () = token.cancelled() => return,
        }
        let list = sensors.borrow_and_update().clone();
        let names = Arc::clone(&names);
        // Tens of milliseconds for 20,000 sensors.
        let built = tokio::task::spawn_blocking(move || routes::build(list.iter().map(|s| &s.source), &names)).await;
        let Ok((built, watched)) = built else { continue };
        let faults = watched.iter().filter(|w| w.fault.is_some()).count();
        if faults > 0 {
            warn!(count = faults, "sensors whose broker, topic or format is wrong; see their status");
        }
        lock(&watch).set_sensors(watched, Timestamp::now());
        routes.send_replace(Arc::new(built));
    }
}

/// Looks for missed deadlines and shows the depth of queues, once a second.
async fn sweep(
    watch: Arc<Mutex<Watch>>,
    changed: Arc<Notify>,
    handoffs: Vec<(String, Arc<Handoff>)>,
    token: CancellationToken,
) {
    let mut ticks = tokio::time::interval(SWEEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = token.cancelled() => return,
        }
        let counts = {
            let mut watch = lock(&watch);
            watch.sweep(Timestamp::now());
            watch.counts()
        };
        for (state, count) in SourceState::ALL.iter().zip(counts) {
            gauge!("gridward_sources", "kind" => "sensor", "state" => state.as_str()).set(count as f64);
        }
        for (name, handoff) in &handoffs {
            gauge!("gridward_mqtt_queue_depth", "broker" => name.clone()).set(handoff.len() as f64);
        }
        changed.notify_one();
    }
}

/// Tells changes of health, always the latest.
async fn report(
    watch: Arc<Mutex<Watch>>,
    changed: Arc<Notify>,
    status: mpsc::Sender<SourceStatus>,
    token: CancellationToken,
) {
    loop {
        if !lock(&watch).has_changes() {
            tokio::select! {
                // Data of a sensor that was not live waits here for a quarter of a second at most.
                () = tokio::time::sleep(Duration::from_millis(250)) => {}
                () = changed.notified() => {}
                () = token.cancelled() => return,
            }
            continue;
        }
        let permit = tokio::select! {
            permit = status.reserve() => permit,
            () = token.cancelled() => return,
        };
        let Ok(permit) = permit else { return };
        if let Some(change) = lock(&watch).take_change() {
            permit.send(change);
        }
    }
}
