//! Sensors for load tests: thousands on some tens of connections, and bursts as when power returns.
//!
//! They know nothing of the script. What each sends and what the broker acknowledges is counted, so that a hub's
//! counts can be checked against it.

mod book;
mod link;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::book::{Book, Plan};
use self::link::Link;
use super::FleetConfig;
use crate::registry::LoadSensor;

/// Sensors that share a connection, as concentrators of meters have them.
const SENSORS_A_LINK: usize = 400;
/// Few sensors share several connections too, so that a small test meets what a large one does.
const LINKS_MIN: usize = 4;

/// The most a burst may ask for: a thousand times a town's usual rate.
const RATE_MAX: u64 = 1_000_000;
const SECONDS_MAX: u64 = 3_600;

/// What `POST /burst` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BurstWish {
    /// Readings a second, over all load sensors and beside their usual ones.
    pub rate: u64,
    /// For how long.
    pub seconds: u64,
}

/// Why there is no burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BurstError {
    /// Nobody could send it.
    #[error("this town has no load sensors: start it with --load-sensors N")]
    NoSensors,
    /// One is under way.
    #[error("a burst is under way, {0} readings are still to come")]
    UnderWay(u64),
    /// The figures make no sense.
    #[error("rate must be from 1 to {RATE_MAX} readings a second, seconds from 1 to {SECONDS_MAX}")]
    OutOfRange,
}

/// What the load sensors have sent since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SensorsSent {
    /// Load sensors.
    pub sensors: usize,
    /// Their connections.
    pub connections: usize,
    /// Connections that the broker has accepted.
    pub connected: usize,
    /// Messages of QoS 0 that went out.
    pub published_qos0: u64,
    /// Messages of QoS 1 that went out, each counted once.
    pub published_qos1: u64,
    /// Messages of QoS 1 that the broker has acknowledged.
    pub acknowledged: u64,
    /// Messages of QoS 1 that went out again after a connection broke.
    pub repeated: u64,
    /// Readings that were due while there was no connection, or too much was waiting.
    pub not_sent: u64,
    /// Readings of a burst that are still to come.
    pub burst_left: u64,
}

/// What one load sensor has sent: its messages carry the numbers from 1 to `sent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SensorSent {
    /// Quality of service, 0 or 1.
    pub qos: u8,
    /// The number of its last message.
    pub sent: u64,
    /// The number of its last acknowledged message (QoS 1).
    pub acknowledged: u64,
}

/// All load sensors.
#[derive(Debug)]
pub struct LoadSensors {
    links: Vec<Arc<Link>>,
    /// The sensors of each link.
    sensors: Vec<Vec<LoadSensor>>,
    tasks: Vec<JoinHandle<()>>,
}

impl LoadSensors {
    /// Starts the connections; they end with `token`.
    pub fn start(config: &FleetConfig, sensors: &[LoadSensor], token: &CancellationToken) -> LoadSensors {
        let links = sensors.len().div_ceil(SENSORS_A_LINK).max(LINKS_MIN);
        let shared = sensors.chunks(sensors.len().div_ceil(links).max(1));
        let mut load = LoadSensors { links: Vec::new(), sensors: Vec::new(), tasks: Vec::new() };
        let began = Instant::now();
        for (number, own) in shared.enumerate() {
            let plan = |sensor: &LoadSensor| Plan {
                topic: sensor.source.topic.clone(),
                acknowledged: sensor.acknowledged,
                every_ms: u64::from(sensor.source.interval_s.unwrap_or(60)) * 1_000,
            };
            // Two towns on one broker must not throw each other out.
            let name = format!("town-load-{number}-{}", std::process::id());
            let link = Link::new(name, Book::new(own.iter().map(plan).collect(), 0), began);
            load.tasks.push(tokio::spawn(link::run(config.clone(), link.clone(), token.clone())));
            load.links.push(link);
            load.sensors.push(own.to_vec());
        }
        load
    }

    /// Sends `wish.rate * wish.seconds` more readings; answers with that number.
    pub fn burst(&self, wish: BurstWish) -> Result<u64, BurstError> {
        if !(1..=RATE_MAX).contains(&wish.rate) || !(1..=SECONDS_MAX).contains(&wish.seconds) {
            return Err(BurstError::OutOfRange);
        }
        if self.links.is_empty() {
            return Err(BurstError::NoSensors);
        }
        let left = self.sent().burst_left;
        if left > 0 {
            return Err(BurstError::UnderWay(left));
        }
        let (total, all) = (wish.rate * wish.seconds, self.sensors.iter().map(Vec::len).sum::<usize>() as u64);
        let (mut sensors, mut given) = (0, 0);
        for (link, own) in self.links.iter().zip(&self.sensors) {
            sensors += own.len() as u64;
            let until = total * sensors / all;
            link.burst(until - given, wish.seconds * 1_000);
            given = until;
        }
        Ok(total)
    }

    /// Lets all load sensors sleep, or wakes them.
    pub fn set_silent(&self, silent: bool) {
        self.links.iter().for_each(|link| link.book().set_silent(silent));
    }

    /// What was sent since start.
    pub fn sent(&self) -> SensorsSent {
        let mut sent = SensorsSent { connections: self.links.len(), ..SensorsSent::default() };
        for (link, own) in self.links.iter().zip(&self.sensors) {
            let totals = link.book().totals();
            sent.sensors += own.len();
            sent.connected += usize::from(link.is_connected());
            sent.published_qos0 += totals.qos0;
            sent.published_qos1 += totals.qos1;
            sent.acknowledged += totals.acknowledged;
            sent.repeated += totals.repeated;
            sent.not_sent += totals.not_sent;
            sent.burst_left += totals.burst_left;
        }
        sent
    }

    /// What each has sent since start, by its id.
    pub fn sent_by_sensor(&self) -> BTreeMap<String, SensorSent> {
        let mut all = BTreeMap::new();
        for (link, own) in self.links.iter().zip(&self.sensors) {
            let tallies: Vec<_> = link.book().tallies().collect();
            for (sensor, tally) in own.iter().zip(tallies) {
                let qos = u8::from(sensor.acknowledged);
                let sent = SensorSent { qos, sent: tally.sent, acknowledged: tally.acknowledged };
                all.insert(sensor.source.id.to_string(), sent);
            }
        }
        all
    }

    /// Waits until all connections have said goodbye.
    pub async fn join(&mut self, within: Duration) {
        let all = async {
            for task in self.tasks.drain(..) {
                if let Err(error) = task.await {
                    tracing::warn!(%error, "a concentrator's task failed");
                }
            }
        };
        if tokio::time::timeout(within, all).await.is_err() {
            tracing::warn!("a concentrator did not end in time");
        }
    }
}
