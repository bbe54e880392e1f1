//! What the town looks like now, kept in memory, and every change of it as a numbered delta.
//!
//! The pipeline tells the feed what happened; sockets and lists read from it. Telling never waits: a change marks its
//! topic and id, and a flush each 50 ms makes one delta of all marks, so that a value that changed ten times in
//! between is sent once. A reader that fell behind the kept deltas gets a fresh snapshot.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::alarm::Title;
use model::standing::leading;
use model::status::StreamFacts;
use model::{
    Alarm, AlarmId, Flood, Grid, GridId, Incident, IncidentId, Kind, Level, Observation, Profile, Reading, Source,
    SourceId, SourceState, SourceStatus, Timestamp, UserId,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long changes gather before they are sent.
pub const COALESCE: Duration = Duration::from_millis(50);
/// Deltas kept for readers that come back: at 20 a second, 100 seconds.
const KEPT_DELTAS: usize = 2_000;
/// Changes in all kept deltas: about 40 MB. At 20,000 readings a second they reach back ten seconds, at 2,000 all 100.
const KEPT_CHANGES: usize = 200_000;

/// The live state of the town. Clones share it.
#[derive(Clone)]
pub struct Feed {
    state: Arc<Mutex<State>>,
    flushed: Arc<watch::Sender<u64>>,
}

/// One changed thing.
#[derive(Debug, Clone)]
pub enum Change {
    /// An incident opened, moved or ended.
    Incident(Arc<Incident>),
    /// An alarm was raised, moved or cleared.
    Alarm(Arc<Alarm>),
    /// A source's link changed.
    Status(Arc<SourceStatus>),
    /// A source reported.
    Reading(Arc<Observation>),
    /// The hub's own health.
    Hub(Arc<serde_json::Value>),
    /// Floods of alarms that are on: all of them.
    Floods(Arc<Vec<Flood>>),
    /// Something everyone in the scope of the source should know, as a break-glass.
    Notice(Arc<Notice>),
    /// Something one person is told.
    Told(Arc<Told>),
}

/// A short message to everyone who sees a source.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Notice {
    /// Which source.
    pub source: SourceId,
    /// A code the console translates, as `break_glass`.
    pub code: &'static str,
    /// Who did it.
    pub by: String,
    /// What for.
    pub purpose: String,
}

/// A message to one person.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Told {
    /// Whose it is.
    pub user: UserId,
    /// Names the message for ever; the same one may come twice.
    pub key: String,
    /// What it is about; none for several in one.
    pub incident: Option<IncidentId>,
    /// In which grid that is.
    pub grid: Option<GridId>,
    /// How grave.
    pub level: Level,
    /// Why: `opened`, `risen`, `escalated`, `over`, `summary`.
    pub kind: &'static str,
    /// The headline.
    pub title: Title,
    /// How many a summary holds.
    pub count: usize,
}

/// All changes of one flush.
#[derive(Debug, Clone)]
pub struct Delta {
    /// Rising by one.
    pub seq: u64,
    /// When it was flushed.
    pub at: Timestamp,
    /// What changed.
    pub changes: Arc<[Change]>,
}

#[derive(PartialEq, Eq, Hash, Clone)]
enum Mark {
    Incident(IncidentId),
    Alarm(AlarmId),
    Status(SourceId, Option<Profile>),
    Reading(SourceId, Reading),
    Hub,
    Floods,
}

#[derive(Default)]
struct State {
    epoch: String,
    seq: u64,
    sources: Arc<BTreeMap<SourceId, Arc<Source>>>,
    grids: Arc<Vec<Grid>>,
    incidents: BTreeMap<IncidentId, Arc<Incident>>,
    alarms: BTreeMap<AlarmId, Arc<Alarm>>,
    statuses: HashMap<SourceId, BTreeMap<Option<Profile>, Arc<SourceStatus>>>,
    readings: HashMap<SourceId, BTreeMap<Reading, Arc<Observation>>>,
    hub: Arc<serde_json::Value>,
    floods: Arc<Vec<Flood>>,
    marked: HashSet<Mark>,
    pending: Vec<Change>,
    deltas: VecDeque<Delta>,
    /// The changes in `deltas`.
    kept_changes: usize,
}

/// Everything a reader needs to begin.
pub struct Snapshot {
    /// Names this run of the hub; deltas of another epoch cannot be resumed.
    pub epoch: String,
    /// The last delta it holds.
    pub seq: u64,
    /// Open incidents.
    pub incidents: Vec<Arc<Incident>>,
    /// Active alarms.
    pub alarms: Vec<Arc<Alarm>>,
    /// The state of each source that has one.
    pub statuses: Vec<Arc<SourceStatus>>,
    /// The hub's health.
    pub hub: Arc<serde_json::Value>,
    /// Floods of alarms that are on, the hub's first.
    pub floods: Arc<Vec<Flood>>,
}

impl Default for Feed {
    fn default() -> Self {
        Self::new()
    }
}

impl Feed {
    /// An empty feed of a new epoch.
    pub fn new() -> Self {
        let state = State { epoch: format!("{:016x}", rand::random::<u64>()), ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), flushed: Arc::new(watch::channel(0).0) }
    }

    /// Makes deltas until shut down.
    pub async fn run(self, token: CancellationToken) {
        let mut pace = tokio::time::interval(COALESCE);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = token.cancelled() => return,
                _ = pace.tick() => self.flush(Timestamp::now()),
            }
        }
    }

    /// Replaces the registry; sources that are gone lose their state.
    pub fn set_registry(&self, sources: Vec<Source>, grids: Vec<Grid>) {
        let sources: BTreeMap<_, _> = sources.into_iter().map(|s| (s.id.clone(), Arc::new(s))).collect();
        let mut state = self.lock();
        state.statuses.retain(|id, _| sources.contains_key(id));
        state.readings.retain(|id, _| sources.contains_key(id));
        state.sources = Arc::new(sources);
        state.grids = Arc::new(grids);
    }

    /// An incident as it stands now.
    pub fn incident(&self, incident: Incident) {
        let mut state = self.lock();
        let (id, incident) = (incident.id.clone(), Arc::new(incident));
        if incident.is_open() {
            state.incidents.insert(id.clone(), Arc::clone(&incident));
        } else {
            state.incidents.remove(&id);
        }
        state.change(Mark::Incident(id), Change::Incident(incident));
    }

    /// An alarm as it stands now.
    pub fn alarm(&self, alarm: Alarm) {
        let mut state = self.lock();
        let (id, alarm) = (alarm.id.clone(), Arc::new(alarm));
        if alarm.is_active() {
            state.alarms.insert(id.clone(), Arc::clone(&alarm));
        } else {
            state.alarms.remove(&id);
        }
        state.change(Mark::Alarm(id), Change::Alarm(alarm));
    }

    /// A source's state as it is now.
    pub fn status(&self, status: SourceStatus) {
        let mut state = self.lock();
        let status = Arc::new(status);
        let key = (status.source.clone(), status.profile);
        state.statuses.entry(key.0.clone()).or_default().insert(key.1, Arc::clone(&status));
        state.change(Mark::Status(key.0, key.1), Change::Status(status));
    }

    /// An observation, which becomes the last value of its reading.
    pub fn observation(&self, observation: &Observation) {
        let mut state = self.lock();
        let (source, reading) = (observation.source.clone(), Arc::clone(&observation.reading));
        let observation = Arc::new(observation.clone());
        state.readings.entry(source.clone()).or_default().insert(Arc::clone(&reading), Arc::clone(&observation));
        state.change(Mark::Reading(source, reading), Change::Reading(observation));
    }

    /// The hub's health as it is now.
    pub fn health(&self, health: serde_json::Value) {
        let mut state = self.lock();
        state.hub = Arc::new(health);
        let hub = Arc::clone(&state.hub);
        state.change(Mark::Hub, Change::Hub(hub));
    }

    /// The floods of alarms that are on, all of them; telling the same again changes nothing.
    pub fn floods(&self, floods: Vec<Flood>) {
        let mut state = self.lock();
        if *state.floods != floods {
            state.floods = Arc::new(floods);
            let floods = Arc::clone(&state.floods);
            state.change(Mark::Floods, Change::Floods(floods));
        }
    }

    /// A message to everyone who sees the source.
    pub fn notice(&self, notice: Notice) {
        self.lock().pending.push(Change::Notice(Arc::new(notice)));
    }

    /// A message to one person.
    pub fn told(&self, told: Told) {
        self.lock().pending.push(Change::Told(Arc::new(told)));
    }

    /// All sources by id.
    pub fn sources(&self) -> Arc<BTreeMap<SourceId, Arc<Source>>> {
        Arc::clone(&self.lock().sources)
    }

    /// All grids.
    pub fn grids(&self) -> Arc<Vec<Grid>> {
        Arc::clone(&self.lock().grids)
    }

    /// The grids given and all inside them.
    pub fn grids_within(&self, wanted: &[GridId]) -> HashSet<GridId> {
        storage::with_inner(&self.grids(), wanted)
    }

    /// The states of a source's streams; a sensor has one.
    pub fn statuses_of(&self, id: &str) -> Vec<SourceStatus> {
        let state = self.lock();
        state.statuses.get(id).map(|by| by.values().map(|s| (**s).clone()).collect()).unwrap_or_default()
    }

    /// The state of one stream of a camera.
    pub fn status_of(&self, id: &SourceId, profile: Profile) -> Option<Arc<SourceStatus>> {
        self.lock().statuses.get(id)?.get(&Some(profile)).cloned()
    }

    /// How many cameras were last told with a clock that is off.
    pub fn clocks_off(&self) -> usize {
        let state = self.lock();
        let is_off = |status: &Arc<SourceStatus>| status.stream.as_ref().is_some_and(StreamFacts::is_clock_off);
        state.statuses.values().filter(|by| by.values().any(is_off)).count()
    }

    /// The status that speaks for a source.
    pub fn leading_of(&self, id: &SourceId) -> Option<Arc<SourceStatus>> {
        self.lock().leading_of(id)
    }

    /// All sources by id, each with the status that speaks for it.
    pub fn leading(&self) -> Vec<(Arc<Source>, Option<Arc<SourceStatus>>)> {
        let state = self.lock();
        state.sources.values().map(|source| (Arc::clone(source), state.leading_of(&source.id))).collect()
    }

    /// The last value of each reading of a source.
    pub fn readings_of(&self, id: &str) -> Vec<Arc<Observation>> {
        self.lock().readings.get(id).map(|by| by.values().cloned().collect()).unwrap_or_default()
    }

    /// How many sources there are in each state, for the metrics.
    pub fn state_counts(&self) -> HashMap<(Kind, SourceState), usize> {
        let state = self.lock();
        let mut counts = HashMap::new();
        for source in state.sources.values() {
            let known = state.statuses.get(&source.id);
            let found = known.map_or(SourceState::Unknown, |by| overall(by.values().map(|s| &**s)));
            *counts.entry((source.kind, found)).or_insert(0) += 1;
        }
        counts
    }

    /// Open incidents and active alarms, and the state of every source.
    pub fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        Snapshot {
            epoch: state.epoch.clone(),
            seq: state.seq,
            incidents: state.incidents.values().cloned().collect(),
            alarms: state.alarms.values().cloned().collect(),
            statuses: state.statuses.values().flat_map(|by| by.values().cloned()).collect(),
            hub: Arc::clone(&state.hub),
            floods: Arc::clone(&state.floods),
        }
    }

    /// The deltas after `seq`, or none when that is too long ago or of another epoch.
    pub fn since(&self, epoch: &str, seq: u64) -> Option<Vec<Delta>> {
        let state = self.lock();
        if epoch != state.epoch || seq > state.seq {
            return None;
        }
        let first = state.deltas.front().map_or(state.seq + 1, |delta| delta.seq);
        if seq + 1 < first {
            return None;
        }
        Some(state.deltas.iter().filter(|delta| delta.seq > seq).cloned().collect())
    }

    /// Wakes at each flush that had changes; holds the number of the last delta.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.flushed.subscribe()
    }

    /// How many wait for flushes now.
    pub fn readers(&self) -> usize {
        self.flushed.receiver_count()
    }

    fn flush(&self, now: Timestamp) {
        let seq = {
            let mut state = self.lock();
            if state.pending.is_empty() {
                return;
            }
            state.seq += 1;
            let mut pending = std::mem::take(&mut state.pending);
            state.marked.clear();
            latest_only(&mut pending);
            for change in &pending {
                note_latency(change, now);
            }
            let seq = state.seq;
            state.keep(Delta { seq, at: now, changes: pending.into() });
            seq
        };
        self.flushed.send_replace(seq);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is valid after any panic: each change is one insert.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn leading_of(&self, id: &SourceId) -> Option<Arc<SourceStatus>> {
        let by = self.statuses.get(id)?;
        // Two at most: the one that speaks is found again by its stream.
        let profile = leading(by.values().map(|status| &**status))?.profile;
        by.get(&profile).cloned()
    }

    fn change(&mut self, mark: Mark, change: Change) {
        if !self.marked.insert(mark) {
            metrics::counter!("gridward_feed_coalesced_total").increment(1);
        }
        self.pending.push(change);
    }

    fn keep(&mut self, delta: Delta) {
        self.kept_changes += delta.changes.len();
        self.deltas.push_back(delta);
        while self.deltas.len() > KEPT_DELTAS || (self.kept_changes > KEPT_CHANGES && self.deltas.len() > 1) {
            let Some(oldest) = self.deltas.pop_front() else { break };
            self.kept_changes -= oldest.changes.len();
        }
    }
}

fn mark_of(change: &Change) -> Option<Mark> {
    match change {
        Change::Incident(incident) => Some(Mark::Incident(incident.id.clone())),
        Change::Alarm(alarm) => Some(Mark::Alarm(alarm.id.clone())),
        Change::Status(status) => Some(Mark::Status(status.source.clone(), status.profile)),
        Change::Reading(o) => Some(Mark::Reading(o.source.clone(), Arc::clone(&o.reading))),
        Change::Hub(_) => Some(Mark::Hub),
        Change::Floods(_) => Some(Mark::Floods),
        Change::Notice(_) | Change::Told(_) => None,
    }
}

/// Keeps the last change of each thing, in the order in which things last changed.
fn latest_only(changes: &mut Vec<Change>) {
    let mut seen = HashSet::new();
    let mut kept: Vec<Change> = Vec::with_capacity(changes.len());
    for change in changes.drain(..).rev() {
        if mark_of(&change).is_none_or(|mark| seen.insert(mark)) {
            kept.push(change);
        }
    }
    kept.reverse();
    *changes = kept;
}

fn note_latency(change: &Change, now: Timestamp) {
    let began = match change {
        Change::Incident(incident) => incident.updated_at,
        Change::Reading(observation) if !observation.retained => observation.received_at,
        _ => return,
    };
    let seconds = now.duration_since(began).as_secs_f64();
    metrics::histogram!("gridward_ingest_to_event_seconds").record(seconds.max(0.0));
}

/// The state of a source out of those of its streams.
pub fn overall<'a>(statuses: impl Iterator<Item = &'a SourceStatus>) -> SourceState {
    leading(statuses).map_or(SourceState::Unknown, |status| status.state)
}

#[cfg(test)]
mod tests {
    use model::{Quality, Value};

    use super::*;

    fn level(value: f64) -> Observation {
        let at = Timestamp::from_second(1_795_000_000).unwrap();
        Observation {
            source: "gauge-1".into(),
            reading: "level".into(),
            value: Value::Number(value),
            quality: Quality::Good,
            phenomenon_time: at,
            received_at: at,
            retained: false,
        }
    }

    #[test]
    fn many_changes_of_one_reading_are_sent_once_with_the_last_value() {
        let feed = Feed::new();
        for value in 0..10 {
            feed.observation(&level(f64::from(value)));
        }
        feed.flush(Timestamp::now());
        let epoch = feed.snapshot().epoch;
        let deltas = feed.since(&epoch, 0).unwrap();
        assert_eq!(deltas.len(), 1);
        let [Change::Reading(observation)] = &*deltas[0].changes else { panic!("{deltas:?}") };
        assert_eq!(observation.value, Value::Number(9.0));
    }

    #[test]
    fn a_flood_shortens_the_past_that_is_kept_and_not_the_memory_that_is_left() {
        let feed = Feed::new();
        let each = KEPT_CHANGES / 10;
        for round in 0..15 {
            for sensor in 0..each {
                let mut observation = level(f64::from(round));
                observation.source = format!("s{sensor}").as_str().into();
                feed.observation(&observation);
            }
            feed.flush(Timestamp::now());
        }
        let epoch = feed.snapshot().epoch;
        assert_eq!(feed.since(&epoch, 5).unwrap().len(), 10);
        assert!(feed.since(&epoch, 4).is_none());
    }

    #[test]
    fn a_reader_resumes_or_is_told_to_begin_anew() {
        let feed = Feed::new();
        let epoch = feed.snapshot().epoch;
        for value in 0..KEPT_DELTAS + 10 {
            feed.observation(&level(value as f64));
            feed.flush(Timestamp::now());
        }
        let last = feed.snapshot().seq;
        assert_eq!(feed.since(&epoch, last).unwrap().len(), 0);
        assert_eq!(feed.since(&epoch, last - 3).unwrap().len(), 3);
        assert!(feed.since(&epoch, 5).is_none(), "too long ago");
        assert!(feed.since("other", last).is_none(), "another run of the hub");
        assert!(feed.since(&epoch, last + 1).is_none(), "from the future");
    }
}
