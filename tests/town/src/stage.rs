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
use crate::wave::{Candidate, Wave, WaveError, WaveState, WaveWish};

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
    /// The wave under way, and whether its cameras are in it now.
    wave: Mutex<Option<(Wave, bool)>>,
}

impl Stage {
    /// A stage on which nothing has happened yet.
    pub fn new(director: Director, farm: Farm) -> Stage {
        Stage { began: Instant::now(), director: Mutex::new(director), farm, wave: Mutex::default() }
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
            self.roll(&mut self.wave());
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

    /// Begins a wave; the cameras are in it when this returns.
    pub fn begin_wave(&self, wish: WaveWish) -> Result<WaveState, WaveError> {
        let candidates: Vec<Candidate> = self.director().candidates().collect();
        let mut under_way = self.wave();
        self.roll(&mut under_way);
        if let Some((wave, _)) = &*under_way {
            return Err(WaveError::Runs(wave.left_s(self.now_s())));
        }
        let wave = Wave::new(wish, &candidates, self.now_s())?;
        let (wave, _) = under_way.insert((wave, false));
        let told = wave.state(self.now_s());
        self.roll(&mut under_way);
        Ok(told)
    }

    /// The wave under way.
    pub fn wave_state(&self) -> Option<WaveState> {
        let mut under_way = self.wave();
        self.roll(&mut under_way);
        under_way.as_ref().map(|(wave, _)| wave.state(self.now_s()))
    }

    /// Ends the wave under way; its cameras are what they were when this returns. False when there is none.
    pub fn end_wave(&self) -> bool {
        let ended = self.wave().take();
        if let Some((wave, true)) = &ended {
            self.tell_wave(wave, false);
        }
        ended.is_some()
    }

    /// Brings the cameras to what the wave wants of them now. Under its lock, so that nobody sees them in between.
    fn roll(&self, under_way: &mut Option<(Wave, bool)>) {
        let Some((wave, are_in)) = under_way else { return };
        let now_s = self.now_s();
        let is_on = wave.is_on(now_s);
        if is_on != *are_in {
            self.tell_wave(wave, is_on);
            *are_in = is_on;
        }
        if wave.is_over(now_s) {
            *under_way = None;
        }
    }

    fn tell_wave(&self, wave: &Wave, is_on: bool) {
        for id in wave.cameras() {
            self.farm.set_wave(id, is_on.then(|| wave.behaviour().clone()));
        }
    }

    fn wave(&self) -> MutexGuard<'_, Option<(Wave, bool)>> {
        self.wave.lock().expect("no holder panics")
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
