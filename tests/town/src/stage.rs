//! Where the director's word becomes deed: the farm's cameras follow it five times a second, the gateways ask it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::director::{Director, Report, Shot};
use crate::registry::Sensor;
use crate::rtsp::Farm;

/// How often the cameras are told; pictures change only at key frames, once a second.
const TELL: Duration = Duration::from_millis(200);
/// The town's clock is eight hours ahead of UTC.
const ZONE_S: i64 = 8 * 3600;

/// The farm under its director.
#[derive(Debug)]
pub struct Stage {
    began: Instant,
    director: Mutex<Director>,
    farm: Farm,
}

impl Stage {
    /// A stage on which nothing has happened yet.
    pub fn new(director: Director, farm: Farm) -> Stage {
        Stage { began: Instant::now(), director: Mutex::new(director), farm }
    }

    /// Seconds since the town began.
    pub fn now_s(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// The director, for a moment.
    pub fn director(&self) -> MutexGuard<'_, Director> {
        self.director.lock().expect("no holder panics")
    }

    /// The farm.
    pub fn farm(&self) -> &Farm {
        &self.farm
    }

    /// The script begins, if it has not yet.
    pub fn curtain_up(&self) {
        self.director().curtain_up(self.now_s());
    }

    /// What sensors are to send now, in their order.
    pub fn reports(&self, sensors: &[Sensor]) -> Vec<Report> {
        self.director().reports(sensors, self.now_s(), hour())
    }

    /// What all sensors are to send now.
    pub fn all_reports(&self) -> BTreeMap<String, Report> {
        self.director().all_reports(self.now_s(), hour())
    }

    /// What all cameras are to do now.
    pub fn shots(&self) -> BTreeMap<String, Shot> {
        self.director().shots(self.now_s(), hour())
    }

    /// Tells the cameras what has changed, until `token` ends it.
    pub async fn direct(self: Arc<Stage>, token: CancellationToken) {
        let mut told: BTreeMap<String, Shot> = BTreeMap::new();
        let mut ticks = interval(TELL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = token.cancelled() => return,
            }
            let shots = self.shots();
            for (id, shot) in &shots {
                let before = told.get(id);
                if before != Some(shot) {
                    self.tell(id, before, shot);
                }
            }
            told = shots;
        }
    }

    fn tell(&self, id: &str, before: Option<&Shot>, shot: &Shot) {
        if before.is_none_or(|before| before.scene != shot.scene) {
            self.farm.set_scene(id, shot.scene);
        }
        if before.is_none_or(|before| before.covered != shot.covered) {
            self.farm.set_covered(id, shot.covered);
        }
        if before.is_none_or(|before| before.offline != shot.offline) {
            self.farm.set_offline(id, shot.offline);
        }
        if before.is_none_or(|before| before.behaviour != shot.behaviour) {
            self.farm.set_behaviour(id, shot.behaviour.clone());
        }
    }

    /// Ends the farm.
    pub async fn close(self) {
        self.farm.shutdown().await;
    }
}

/// Hour of the town's day.
fn hour() -> f64 {
    (Timestamp::now().as_second() + ZONE_S).rem_euclid(86_400) as f64 / 3600.0
}
