//! The gateways: each carries its sensors over one MQTT connection with a last will.
//!
//! A gateway has two tasks: one keeps the connection, a fresh client for each (`rumqttc` carries trouble over from
//! one to the next), the other looks ten times a second which sensors are due. Nothing waits for a full queue; a
//! message that finds no place is due again at the next look.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use rumqttc::{AsyncClient, Event, Incoming, LastWill, MqttOptions, Outgoing, QoS};
use serde::Serialize;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::payload::{GARBAGE, encode};
use crate::registry::{GATEWAYS, Sensor, gateway_topic};
use crate::stage::Stage;

/// How often a gateway looks which sensors are due: far below the shortest interval, far above idle cost.
const LOOK: Duration = Duration::from_millis(100);
/// The first and the longest wait before the next try to connect.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));
/// Messages that may wait for the socket.
const QUEUE: usize = 256;

/// Where the broker is.
#[derive(Clone, Debug)]
pub struct FleetConfig {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// A gateway's connection, for people.
#[derive(Clone, Debug, Serialize)]
pub struct LinkState {
    /// Whether the broker has accepted it.
    pub connected: bool,
    /// Whether it is held off the net by hand.
    pub offline: bool,
    /// Connections since start.
    pub connections: u64,
    /// Messages handed to the client since start.
    pub published: u64,
}

/// All gateways.
#[derive(Debug)]
pub struct Fleet {
    links: Vec<Arc<Link>>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Link {
    gateway: &'static str,
    /// The client of the present connection.
    client: Mutex<Option<AsyncClient>>,
    connections: AtomicU64,
    published: AtomicU64,
    offline: AtomicBool,
    /// Told when `offline` has changed.
    changed: Notify,
}

impl Fleet {
    /// Starts all gateways; they end with `token`.
    pub fn start(config: &FleetConfig, sensors: &[Sensor], stage: &Arc<Stage>, token: &CancellationToken) -> Fleet {
        let mut fleet = Fleet { links: Vec::new(), tasks: Vec::new() };
        for gateway in GATEWAYS {
            let link = Arc::new(Link {
                gateway,
                client: Mutex::default(),
                connections: AtomicU64::new(0),
                published: AtomicU64::new(0),
                offline: AtomicBool::new(false),
                changed: Notify::new(),
            });
            let own: Vec<Sensor> = sensors.iter().filter(|sensor| sensor.gateway == gateway).cloned().collect();
            fleet.tasks.push(tokio::spawn(connect(config.clone(), link.clone(), stage.clone(), token.clone())));
            fleet.tasks.push(tokio::spawn(report(own, link.clone(), stage.clone(), token.clone())));
            fleet.links.push(link);
        }
        fleet
    }

    /// Takes a gateway off the net without a word (its last will speaks) or brings it back; false when there is none.
    pub fn set_offline(&self, gateway: &str, offline: bool) -> bool {
        let Some(link) = self.links.iter().find(|link| link.gateway == gateway) else { return false };
        link.offline.store(offline, Ordering::Relaxed);
        link.changed.notify_one();
        true
    }

    /// Brings all gateways back.
    pub fn reset(&self) {
        GATEWAYS.iter().for_each(|gateway| {
            self.set_offline(gateway, false);
        });
    }

    /// The gateways' connections.
    pub fn states(&self) -> HashMap<&'static str, LinkState> {
        self.links.iter().map(|link| (link.gateway, link.state())).collect()
    }

    /// Waits until all gateways have said goodbye.
    pub async fn join(&mut self) {
        for task in self.tasks.drain(..) {
            if let Err(error) = task.await {
                tracing::warn!(%error, "a gateway's task failed");
            }
        }
    }
}

impl Link {
    fn client(&self) -> Option<AsyncClient> {
        self.client.lock().expect("no holder panics").clone()
    }

    fn set_client(&self, client: Option<AsyncClient>) {
        *self.client.lock().expect("no holder panics") = client;
    }

    fn state(&self) -> LinkState {
        LinkState {
            connected: self.client().is_some(),
            offline: self.offline.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
            published: self.published.load(Ordering::Relaxed),
        }
    }

    /// Whether the message found a place.
    fn publish(&self, client: &AsyncClient, topic: &str, qos: QoS, retained: bool, payload: Vec<u8>) -> bool {
        let sent = client.try_publish(topic, qos, retained, payload).is_ok();
        self.published.fetch_add(u64::from(sent), Ordering::Relaxed);
        sent
    }
}

fn options(config: &FleetConfig, gateway: &str) -> MqttOptions {
    // Two towns on one broker must not throw each other out, so the process is part of the name.
    let name = format!("town-{gateway}-{}", std::process::id());
    let mut options = MqttOptions::new(name, config.host.clone(), config.port);
    options.set_keep_alive(Duration::from_secs(5));
    options.set_clean_session(true);
    options.set_last_will(LastWill::new(gateway_topic(gateway), "offline", QoS::AtLeastOnce, true));
    options
}

/// Keeps a gateway connected.
async fn connect(config: FleetConfig, link: Arc<Link>, stage: Arc<Stage>, token: CancellationToken) {
    let mut wait = RETRY.0;
    while !token.is_cancelled() {
        if link.offline.load(Ordering::Relaxed) {
            tokio::select! {
                () = link.changed.notified() => {}
                () = token.cancelled() => {}
            }
            continue;
        }
        let before = link.connections.load(Ordering::Relaxed);
        hold(&config, &link, &stage, &token).await;
        link.set_client(None);
        let held = link.connections.load(Ordering::Relaxed) > before;
        wait = if held { RETRY.0 } else { (wait * 2).min(RETRY.1) };
        let jittered = wait.mul_f64(rand::random_range(0.5..1.0));
        tokio::select! {
            () = sleep(jittered) => {}
            () = link.changed.notified() => {}
            () = token.cancelled() => {}
        }
    }
}

/// One connection, until it breaks, is taken off the net, or has said goodbye.
async fn hold(config: &FleetConfig, link: &Link, stage: &Stage, token: &CancellationToken) {
    let (client, mut events) = AsyncClient::new(options(config, link.gateway), QUEUE);
    let topic = gateway_topic(link.gateway);
    loop {
        let event = tokio::select! {
            event = events.poll() => event,
            // Dropping the connection without a word makes the broker speak the last will.
            () = link.changed.notified() => if link.offline.load(Ordering::Relaxed) { return } else { continue },
            () = token.cancelled() => break,
        };
        match event {
            Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                link.connections.fetch_add(1, Ordering::Relaxed);
                link.publish(&client, &topic, QoS::AtLeastOnce, true, b"online".to_vec());
                link.set_client(Some(client.clone()));
                stage.curtain_up();
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(gateway = link.gateway, %error, "no broker");
                return;
            }
        }
    }
    if link.client().is_some() {
        link.set_client(None);
        link.publish(&client, &topic, QoS::AtLeastOnce, true, b"offline".to_vec());
        if client.try_disconnect().is_ok() {
            let goodbye =
                async { while !matches!(events.poll().await, Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_)) {} };
            // A broker that takes no more has no claim to manners.
            let _ = timeout(Duration::from_secs(1), goodbye).await;
        }
    }
}

/// What a gateway remembers of a sensor.
#[derive(Default)]
struct Told {
    /// The connection on which it last spoke.
    connection: u64,
    at_s: f64,
    state: Option<bool>,
    nudge: u64,
}

/// Publishes what is due.
async fn report(sensors: Vec<Sensor>, link: Arc<Link>, stage: Arc<Stage>, token: CancellationToken) {
    let mut told: Vec<Told> = sensors.iter().map(|_| Told::default()).collect();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = token.cancelled() => return,
        }
        let Some(client) = link.client() else { continue };
        let connection = link.connections.load(Ordering::Relaxed);
        let now_s = stage.now_s();
        let reports = stage.reports(&sensors);
        for ((sensor, report), told) in sensors.iter().zip(reports).zip(&mut told) {
            let state = match report.value {
                model::Value::Bool(flag) => Some(flag),
                _ => None,
            };
            let elapsed = sensor.source.interval_s.is_some_and(|s| now_s - told.at_s >= f64::from(s) - 0.05);
            let news = told.connection != connection || told.nudge != report.nudge || state != told.state;
            if report.silent || !(elapsed || news) {
                continue;
            }
            let payload =
                if report.garbage { GARBAGE.to_vec() } else { encode(&sensor.source, &report.value, Timestamp::now()) };
            let qos = if sensor.acknowledged { QoS::AtLeastOnce } else { QoS::AtMostOnce };
            if link.publish(&client, &sensor.source.topic, qos, sensor.retained, payload) {
                *told = Told { connection, at_s: now_s, state, nudge: report.nudge };
            }
        }
    }
}
