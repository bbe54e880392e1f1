//! The health of sensors: which are live, silent, offline or unknown, and why.
//!
//! Pure: time is an argument, changes are taken out by the caller. Belongs here: the four signals (data, last will,
//! report interval, link to the broker) and how they combine. Does not belong here: sockets, topics, who is told.
//!
//! One entry a sensor; a change that nobody has taken yet is replaced by the next, so that a slow receiver sees the
//! latest word and never a backlog.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use model::{Kind, Source, SourceId, SourceState, SourceStatus};

/// How many report intervals may pass before a sensor is silent.
const INTERVALS_MISSED: i64 = 3;

/// The shortest silence that counts, so that a one-second sensor survives a moment of load.
const MIN_SILENCE: SignedDuration = SignedDuration::from_secs(10);

/// How long a broker may be away before its sensors become unknown: a broker's restart is no event for 20,000 sensors.
const LINK_GRACE: SignedDuration = SignedDuration::from_secs(5);

/// Why a sensor is in its state; stable codes that the console translates.
mod reason {
    pub const LAST_WILL: &str = "last_will";
    pub const INTERVAL_MISSED: &str = "interval_missed";
    pub const BROKER_UNREACHABLE: &str = "broker_unreachable";
    pub const WAITING: &str = "waiting_for_data";
}

/// The health of all sensors.
#[derive(Debug, Default)]
pub struct Watch {
    sensors: HashMap<SourceId, Sensor>,
    links: Vec<Link>,
    /// Sensors with a change that was not taken yet, each once.
    changed: VecDeque<SourceId>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Link {
    /// Since when readings can come; a blip shorter than [`LINK_GRACE`] does not count.
    up_since: Option<Timestamp>,
    /// Set while down.
    down_since: Option<Timestamp>,
    /// Whether the sensors were told.
    told: bool,
}

#[derive(Debug)]
struct Sensor {
    link: usize,
    /// How long without a reading is silence; none for a sensor that reports on change only.
    patience: Option<SignedDuration>,
    last_data_at: Option<Timestamp>,
    gone: bool,
    /// Why the sensor cannot work at all, as `bad_format`; wins over everything.
    fault: Option<(&'static str, String)>,
    state: SourceState,
    reason: Option<&'static str>,
    since: Timestamp,
    queued: bool,
}

/// A sensor as the watch sees it.
#[derive(Debug, Clone)]
pub struct Watched {
    /// Its row in the registry.
    pub source: Arc<Source>,
    /// The number of its broker.
    pub link: usize,
    /// A reason and detail when it cannot work: its broker, topic or format is wrong.
    pub fault: Option<(&'static str, String)>,
}

impl Watch {
    /// A watch over sensors of that many brokers, all of them not reached yet.
    pub fn new(links: usize, now: Timestamp) -> Self {
        let link = Link { up_since: None, down_since: Some(now), told: false };
        Self { links: vec![link; links], ..Self::default() }
    }

    /// Takes the list of sensors; those that stay keep their state.
    pub fn set_sensors(&mut self, list: impl IntoIterator<Item = Watched>, now: Timestamp) {
        let mut old = std::mem::take(&mut self.sensors);
        for watched in list {
            let id = watched.source.id.clone();
            let patience = watched
                .source
                .interval_s
                .filter(|s| *s > 0)
                .map(|s| SignedDuration::from_secs(i64::from(s) * INTERVALS_MISSED).max(MIN_SILENCE));
            let kept = old.remove(&id);
            let is_new = kept.is_none();
            let mut sensor = kept.unwrap_or(Sensor {
                link: watched.link,
                patience,
                last_data_at: None,
                gone: false,
                fault: None,
                state: SourceState::Unknown,
                reason: None,
                since: now,
                queued: false,
            });
            sensor.link = watched.link;
            sensor.patience = patience;
            let fault_changed = sensor.fault != watched.fault;
            sensor.fault = watched.fault;
            self.sensors.insert(id.clone(), sensor);
            if is_new {
                self.queue(&id);
            }
            if is_new || fault_changed {
                self.settle(&id, now);
            }
        }
        self.changed.retain(|id| self.sensors.contains_key(id));
    }

    /// A reading arrived. A retained one says what was, not that the sensor lives: it counts only for a sensor that
    /// reports on change.
    pub fn data(&mut self, id: &SourceId, retained: bool, now: Timestamp) {
        let Some(sensor) = self.sensors.get_mut(id) else { return };
        if retained && sensor.patience.is_some() {
            return;
        }
        sensor.last_data_at = Some(now);
        if !retained {
            sensor.gone = false;
        }
        if sensor.state != SourceState::Live {
            self.settle(id, now);
        }
    }

    /// The state topic (last will and its opposite) spoke.
    pub fn will(&mut self, id: &SourceId, gone: bool, now: Timestamp) {
        let Some(sensor) = self.sensors.get_mut(id) else { return };
        if !gone && sensor.patience.is_none() {
            // Reporting on change only, it is as live as it will ever say.
            sensor.last_data_at.get_or_insert(now);
        }
        sensor.gone = gone;
        self.settle(id, now);
    }

    /// The link to a broker came up or went down.
    pub fn link(&mut self, link: usize, up: bool, now: Timestamp) {
        let Some(entry) = self.links.get_mut(link) else { return };
        if !up {
            entry.down_since.get_or_insert(now);
            return;
        }
        let was_told = entry.told;
        // A blip that nobody was told of changes nothing, least of all 20,000 states.
        let up_since = if was_told { now } else { entry.up_since.unwrap_or(now) };
        *entry = Link { up_since: Some(up_since), down_since: None, told: false };
        if was_told {
            self.settle_link(link, now);
        }
    }

    /// Looks for deadlines that have passed; call about once a second.
    pub fn sweep(&mut self, now: Timestamp) {
        for link in 0..self.links.len() {
            let entry = &mut self.links[link];
            if !entry.told && entry.down_since.is_some_and(|since| now.duration_since(since) >= LINK_GRACE) {
                entry.told = true;
                self.settle_link(link, now);
            }
        }
        let due: Vec<SourceId> = self
            .sensors
            .iter()
            .filter(|(_, s)| s.patience.is_some() && s.state != SourceState::Silent && is_silent(s, &self.links, now))
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            self.settle(&id, now);
        }
    }

    /// Whether [`Watch::take_change`] has something.
    pub fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The oldest untold change, as the sensor stands now.
    pub fn take_change(&mut self) -> Option<SourceStatus> {
        loop {
            let id = self.changed.pop_front()?;
            let Some(sensor) = self.sensors.get_mut(&id) else { continue };
            sensor.queued = false;
            return Some(SourceStatus {
                source: id,
                kind: Kind::Sensor,
                profile: None,
                state: sensor.state,
                since: sensor.since,
                reason: sensor.reason.map(str::to_owned),
                detail: sensor.fault.as_ref().map(|f| f.1.clone()),
                last_data_at: sensor.last_data_at,
                stream: None,
            });
        }
    }

    /// How many sensors are in each state, by the order of [`SourceState::ALL`].
    pub fn counts(&self) -> [usize; SourceState::ALL.len()] {
        let mut counts = [0; SourceState::ALL.len()];
        for sensor in self.sensors.values() {
            if let Some(i) = SourceState::ALL.iter().position(|s| *s == sensor.state) {
                counts[i] += 1;
            }
        }
        counts
    }

    fn settle_link(&mut self, link: usize, now: Timestamp) {
        let ids: Vec<SourceId> =
            self.sensors.iter().filter(|(_, s)| s.link == link).map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.settle(&id, now);
        }
    }

    /// Works out a sensor's state from its signals, in one place.
    fn settle(&mut self, id: &SourceId, now: Timestamp) {
        let Some(sensor) = self.sensors.get_mut(id) else { return };
        let link = self.links.get(sensor.link).copied().unwrap_or_default();
        let (state, reason) = if let Some((reason, _)) = &sensor.fault {
            (SourceState::Unknown, Some(*reason))
        } else if link.told {
            (SourceState::Unknown, Some(reason::BROKER_UNREACHABLE))
        } else if sensor.gone {
            (SourceState::Offline, Some(reason::LAST_WILL))
        } else if sensor.patience.is_some() && is_silent(sensor, &self.links, now) {
            (SourceState::Silent, Some(reason::INTERVAL_MISSED))
        } else {
            match (sensor.last_data_at, sensor.patience) {
                (None, _) => (SourceState::Unknown, None),
                (Some(_), None) => (SourceState::Live, None),
                // A reading from before the link came back does not say that the sensor lives now.
                (Some(at), Some(_)) if link.up_since.is_some_and(|up| at < up) => {
                    (SourceState::Unknown, Some(reason::WAITING))
                }
                (Some(_), Some(_)) => (SourceState::Live, None),
            }
        };
        if (state, reason) != (sensor.state, sensor.reason) {
            sensor.state = state;
            sensor.reason = reason;
            sensor.since = now;
            self.queue(id);
        }
    }

    fn queue(&mut self, id: &SourceId) {
        if let Some(sensor) = self.sensors.get_mut(id)
            && !sensor.queued
        {
            sensor.queued = true;
            self.changed.push_back(id.clone());
        }
    }
}

/// Whether a sensor has missed its interval: counted from its last reading or from when its broker could be reached,
/// whichever is later. While the broker is away nobody can be silent.
fn is_silent(sensor: &Sensor, links: &[Link], now: Timestamp) -> bool {
    let link = links.get(sensor.link).copied().unwrap_or_default();
    let (Some(patience), Some(up_since), None) = (sensor.patience, link.up_since, link.down_since) else {
        return false;
    };
    let heard = sensor.last_data_at.map_or(up_since, |at| at.max(up_since));
    now.duration_since(heard) > patience
}

#[cfg(test)]
mod tests {
    use model::{GridId, Owner, PullMode};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn sensor(id: &str, interval_s: Option<u32>) -> Watched {
        let source = Source {
            id: SourceId::new(id),
            kind: Kind::Sensor,
            class: "river_gauge".into(),
            name: String::new(),
            owner: Owner::Governance,
            grid: GridId::new("g"),
            place: None,
            mode: PullMode::Always,
            url: String::new(),
            topic: id.into(),
            format: String::new(),
            unit: String::new(),
            interval_s,
            tags: Default::default(),
        };
        Watched { source: Arc::new(source), link: 0, fault: None }
    }

    fn watch(list: Vec<Watched>) -> Watch {
        let mut watch = Watch::new(1, at(0));
        watch.set_sensors(list, at(0));
        watch.link(0, true, at(0));
        changes(&mut watch);
        watch
    }

    fn changes(watch: &mut Watch) -> Vec<(String, SourceState, Option<String>)> {
        std::iter::from_fn(|| watch.take_change()).map(|s| (s.source.to_string(), s.state, s.reason)).collect()
    }

    fn one(id: &str, state: SourceState, reason: Option<&str>) -> Vec<(String, SourceState, Option<String>)> {
        vec![(id.into(), state, reason.map(Into::into))]
    }

    #[test]
    fn data_makes_live_and_a_missed_interval_silent() {
        let mut w = watch(vec![sensor("a", Some(20))]);
        w.data(&SourceId::new("a"), false, at(1));
        assert_eq!(changes(&mut w), one("a", SourceState::Live, None));
        w.sweep(at(61));
        assert!(!w.has_changes());
        w.sweep(at(62));
        assert_eq!(changes(&mut w), one("a", SourceState::Silent, Some("interval_missed")));
        w.sweep(at(100));
        assert!(!w.has_changes());
        w.data(&SourceId::new("a"), false, at(101));
        assert_eq!(changes(&mut w), one("a", SourceState::Live, None));
    }

    #[test]
    fn a_sensor_never_heard_falls_silent_too_and_ten_seconds_are_the_least() {
        let mut w = watch(vec![sensor("a", Some(1)), sensor("b", None)]);
        w.sweep(at(10));
        assert!(!w.has_changes());
        w.sweep(at(11));
        assert_eq!(changes(&mut w), one("a", SourceState::Silent, Some("interval_missed")));
        w.sweep(at(1_000_000));
        assert!(!w.has_changes(), "a sensor without an interval is never silent");
    }

    #[test]
    fn a_last_will_is_offline_until_data_comes() {
        let mut w = watch(vec![sensor("a", Some(20))]);
        let a = SourceId::new("a");
        w.data(&a, false, at(1));
        w.will(&a, true, at(2));
        assert_eq!(changes(&mut w), one("a", SourceState::Offline, Some("last_will")));
        // A broker's replay of an old reading does not revive it.
        w.data(&a, true, at(3));
        assert!(!w.has_changes());
        w.data(&a, false, at(4));
        assert_eq!(changes(&mut w), one("a", SourceState::Live, None));
        w.will(&a, true, at(5));
        w.will(&a, false, at(6));
        // Two changes nobody took are one, the latest.
        assert_eq!(changes(&mut w), one("a", SourceState::Live, None));
    }

    #[test]
    fn an_old_reading_replayed_is_no_sign_of_life_of_a_sensor_that_reports_regularly() {
        let mut w = watch(vec![sensor("a", Some(20)), sensor("b", None)]);
        for id in ["a", "b"] {
            w.data(&SourceId::new(id), true, at(1));
        }
        assert_eq!(changes(&mut w), one("b", SourceState::Live, None));
    }

    #[test]
    fn a_state_topic_alone_makes_a_sensor_without_interval_live() {
        let mut w = watch(vec![sensor("a", None)]);
        let a = SourceId::new("a");
        w.will(&a, false, at(1));
        assert_eq!(changes(&mut w), one("a", SourceState::Live, None));
    }

    #[test]
    fn a_lost_broker_makes_its_sensors_unknown_once_and_silence_waits_for_its_return() {
        let mut w = watch(vec![sensor("a", Some(20)), sensor("b", None)]);
        for id in ["a", "b"] {
            w.data(&SourceId::new(id), false, at(1));
        }
        changes(&mut w);
        w.link(0, false, at(10));
        w.sweep(at(14));
        assert!(!w.has_changes(), "within the grace");
        w.sweep(at(15));
        let mut found = changes(&mut w);
        found.sort();
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|c| c.1 == SourceState::Unknown && c.2.as_deref() == Some("broker_unreachable")));
        w.link(0, false, at(16));
        w.sweep(at(500));
        assert!(!w.has_changes(), "one transition each");
        w.link(0, true, at(600));
        let mut found = changes(&mut w);
        found.sort();
        assert_eq!(found[0], ("a".into(), SourceState::Unknown, Some("waiting_for_data".into())));
        assert_eq!(found[1], ("b".into(), SourceState::Live, None));
        w.sweep(at(660));
        assert!(!w.has_changes());
        w.sweep(at(661));
        assert_eq!(changes(&mut w), one("a", SourceState::Silent, Some("interval_missed")));
    }

    #[test]
    fn a_short_absence_of_the_broker_is_not_told() {
        let mut w = watch(vec![sensor("a", Some(20))]);
        w.data(&SourceId::new("a"), false, at(9));
        changes(&mut w);
        w.link(0, false, at(10));
        w.sweep(at(12));
        w.link(0, true, at(13));
        assert!(!w.has_changes());
    }

    #[test]
    fn a_fault_wins_and_its_repair_counts() {
        let mut broken = sensor("a", None);
        broken.fault = Some(("bad_format", "expected raw".into()));
        let mut w = watch(vec![broken]);
        w.data(&SourceId::new("a"), false, at(1));
        assert!(!w.has_changes());
        w.set_sensors(vec![sensor("a", None)], at(2));
        assert_eq!(changes(&mut w), one("a", SourceState::Live, None));
    }

    #[test]
    fn twenty_thousand_sensors_sweep_fast() {
        let mut w = watch((0..20_000).map(|i| sensor(&format!("s{i}"), Some(60))).collect());
        let started = std::time::Instant::now();
        w.sweep(at(100));
        assert!(started.elapsed().as_millis() < 500, "{:?}", started.elapsed());
        w.sweep(at(200));
        assert_eq!(changes(&mut w).len(), 20_000);
    }
}
