//! Picture checks: looks at the newest key frame of every pulled camera, and tells what its picture is like.
//!
//! One task keeps the order, threads decode. Cameras are looked at in turn, each every few seconds; when there are more
//! than the budget of decodes allows, each one is looked at less often, and a gauge says how late they are. Does not belong
//! here: what follows from a covered camera (`alerting`).

mod classify;
mod measure;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge, histogram};
use model::{Observation, Profile, Quality, Reading, SourceId, Timestamp, Value};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use classify::Classifier;
pub use classify::PictureClass;

use crate::decode::{self, DecodeError};
use crate::workers::Workers;
use crate::{Config, Rings};

/// The reading that checks make.
pub const PICTURE_READING: &str = "picture";
/// How often the order is looked after: 10 ms of decodes at a time when the budget is 100 a second.
const TICK: Duration = Duration::from_millis(100);
/// How often the list of pulled cameras is read.
const REFRESH: Duration = Duration::from_secs(1);
/// A class that does not change is told again after this time: at least once a minute.
const TELL_EVERY: Duration = Duration::from_secs(50);
/// How long a camera that is not pulled is remembered.
const FORGET: Duration = Duration::from_secs(3_600);
/// Pictures that may wait for a thread; the order waits for room.
const QUEUE: usize = 32;

/// The running checks.
pub struct Checks {
    task: Option<JoinHandle<()>>,
    workers: Arc<Workers>,
}

/// What came of a look.
struct Looked {
    source: SourceId,
    classifier: Classifier,
    outcome: Result<Option<PictureClass>, DecodeError>,
    at: Timestamp,
}

struct Camera {
    /// Away while a thread looks.
    classifier: Option<Classifier>,
    /// Generation and number of the last key frame looked at.
    frame: Option<(u32, u64)>,
    due: Instant,
    told: Option<(PictureClass, Instant)>,
    pulled_at: Instant,
}

struct Order {
    rings: Rings,
    workers: Arc<Workers>,
    every: Duration,
    per_s: f64,
    out: mpsc::Sender<Observation>,
    looked: mpsc::Sender<Looked>,
    reading: Reading,
    cameras: HashMap<SourceId, Camera>,
    /// In the order in which they are due.
    turns: VecDeque<SourceId>,
    /// Decodes that may begin now.
    credit: f64,
    refreshed: Option<Instant>,
}

impl Checks {
    /// Begins to look. `known` are the classes last told before a restart. Observations go to `out`; while it is full
    /// they are counted as dropped and told at the next look. Ends when the token is cancelled.
    pub fn start(
        config: &Config,
        rings: Rings,
        known: impl IntoIterator<Item = (SourceId, PictureClass)>,
        out: mpsc::Sender<Observation>,
        token: CancellationToken,
    ) -> Self {
        let workers = Arc::new(Workers::start("check_decode", config.check_threads, QUEUE));
        if config.check_interval_s == 0 || config.check_decodes_per_s_max == 0 {
            return Self { task: None, workers };
        }
        // Never full: no more looks run at a time than the workers' queue and threads hold.
        let (looked, results) = mpsc::channel(QUEUE + config.check_threads.max(1));
        let now = Instant::now();
        let remembered = |(id, class)| {
            let classifier = Some(Classifier::knowing(class));
            (id, Camera { classifier, frame: None, due: now, told: None, pulled_at: now })
        };
        let order = Order {
            rings,
            workers: Arc::clone(&workers),
            every: Duration::from_secs(config.check_interval_s.into()),
            per_s: config.check_decodes_per_s_max.into(),
            out,
            looked,
            reading: PICTURE_READING.into(),
            cameras: known.into_iter().map(remembered).collect(),
            turns: VecDeque::new(),
            credit: 0.0,
            refreshed: None,
        };
        Self { task: Some(tokio::spawn(order.run(results, token))), workers }
    }

    /// Waits for the task, then for the threads: at most one decode each.
    pub async fn join(self) {
        if let Some(task) = self.task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the picture checks ended with a defect");
        }
        let workers = self.workers;
        let _ = tokio::task::spawn_blocking(move || workers.close()).await;
    }
}

impl Order {
    async fn run(mut self, mut results: mpsc::Receiver<Looked>, token: CancellationToken) {
        let mut pace = interval(TICK);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = token.cancelled() => return,
                _ = pace.tick() => self.tick(Instant::now()),
                Some(looked) = results.recv() => self.done(looked, Instant::now()),
            }
        }
    }

    fn tick(&mut self, now: Instant) {
        if self.refreshed.is_none_or(|at| now.duration_since(at) >= REFRESH) {
            self.refreshed = Some(now);
            self.refresh(now);
        }
        // Unused budget is not saved up beyond a few ticks: the threads would get it in one burst.
        let per_tick = self.per_s * TICK.as_secs_f64();
        self.credit = (self.credit + per_tick).min((4.0 * per_tick).max(1.0));
        while let Some(camera) = self.turns.front().and_then(|id| self.cameras.get(id)) {
            let late = now.saturating_duration_since(camera.due);
            gauge!("gridward_picture_check_late_seconds").set(late.as_secs_f64());
            if camera.due > now || self.credit < 1.0 || !self.look_at_first(now) {
                break;
            }
        }
    }

    /// Gives the first camera in the order to a thread, or moves it to the end when it has nothing new. False when
    /// the threads have enough to do.
    fn look_at_first(&mut self, now: Instant) -> bool {
        let Some(source) = self.turns.pop_front() else { return false };
        let Some(camera) = self.cameras.get_mut(&source) else { return true };
        let key = self.rings.latest_key(&source, Some(Profile::Sub)).filter(|key| key.current);
        let fresh = key.filter(|key| camera.frame != Some((key.frame.generation, key.frame.number)));
        let (Some(key), Some(classifier)) = (fresh, &camera.classifier) else {
            camera.due = now + self.every;
            self.turns.push_back(source);
            return true;
        };
        camera.frame = Some((key.frame.generation, key.frame.number));
        let (looked, mut classifier, id) = (self.looked.clone(), classifier.clone(), source.clone());
        let job = move || {
            let at = key.frame.received_at;
            let began = std::time::Instant::now();
            let luma = decode::luma(&key.track, &key.frame, measure::WIDTH, measure::HEIGHT);
            let outcome = luma.map(|luma| classifier.look(&luma, at));
            histogram!("gridward_picture_check_seconds").record(began.elapsed().as_secs_f64());
            // The receiver is gone when the hub stops.
            let _ = looked.try_send(Looked { source: id, classifier, outcome, at });
        };
        if self.workers.run(job).is_err() {
            camera.frame = None;
            self.turns.push_front(source);
            return false;
        }
        camera.classifier = None;
        self.credit -= 1.0;
        true
    }

    fn done(&mut self, looked: Looked, now: Instant) {
        let Some(camera) = self.cameras.get_mut(&looked.source) else { return };
        camera.classifier = Some(looked.classifier);
        camera.due = now + self.every;
        self.turns.push_back(looked.source.clone());
        match looked.outcome {
            Ok(Some(class)) => {
                counter!("gridward_picture_checks_total", "class" => class.as_str()).increment(1);
                let told = camera.told.is_some_and(|(last, at)| last == class && now.duration_since(at) < TELL_EVERY);
                if !told && tell(&self.out, &self.reading, &looked.source, class, looked.at) {
                    if camera.told.is_some_and(|(last, _)| last != class) {
                        tracing::info!(source = %looked.source, class = class.as_str(), "picture changed");
                    }
                    camera.told = Some((class, now));
                }
            }
            Ok(None) => counter!("gridward_picture_checks_total", "class" => "unknown").increment(1),
            Err(error) => {
                counter!("gridward_picture_checks_total", "class" => "failed").increment(1);
                tracing::debug!(source = %looked.source, %error, "a picture could not be checked");
            }
        }
    }

    /// Takes in cameras whose pull has begun, at the head; lets those go whose pull has ended.
    fn refresh(&mut self, now: Instant) {
        let pulled: HashSet<SourceId> = self.rings.live(Profile::Sub).into_iter().collect();
        let mut waiting: HashSet<SourceId> = self.turns.iter().cloned().collect();
        for id in &pulled {
            let camera = self.cameras.entry(id.clone()).or_insert_with(|| Camera {
                classifier: Some(Classifier::default()),
                frame: None,
                due: now,
                told: None,
                pulled_at: now,
            });
            camera.pulled_at = now;
            if camera.classifier.is_some() && waiting.insert(id.clone()) {
                camera.due = now;
                self.turns.push_front(id.clone());
            }
        }
        self.turns.retain(|id| pulled.contains(id));
        self.cameras.retain(|_, camera| now.duration_since(camera.pulled_at) < FORGET);
        gauge!("gridward_picture_check_cameras").set(self.turns.len() as f64);
    }
}

fn tell(
    out: &mpsc::Sender<Observation>,
    reading: &Reading,
    source: &SourceId,
    class: PictureClass,
    at: Timestamp,
) -> bool {
    let observation = Observation {
        source: source.clone(),
        reading: Arc::clone(reading),
        value: Value::Text(class.as_str().to_owned()),
        quality: Quality::Good,
        phenomenon_time: at,
        received_at: at,
        retained: false,
    };
    let told = out.try_send(observation).is_ok();
    if !told {
        counter!("gridward_picture_checks_dropped_total").increment(1);
    }
    told
}

#[cfg(feature = "ffmpeg")]
#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
