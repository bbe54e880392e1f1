//! How the early warning comes back after a stop: the last snapshot, then what log and history have had since.

use std::sync::Arc;

use alerting::kpi::{self, Kpis, Shifts};
use alerting::{Recovery, RuleSet, Snapshot};
use anyhow::Context;
use command::{Config, Desk};
use dashboard::Feed;
use model::{Alarm, AlarmTransition, LogBody, LogEntry, Source, Timestamp};
use serde::{Deserialize, Serialize};
use storage::{HistorySeq, Storage};

use super::{Figures, Made, Warning};

/// The blob's name in `storage::Meta`.
pub const SNAPSHOT_NAME: &str = "warning";

/// What stands before the engine's own bytes, on a line of its own.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    seen: HistorySeq,
    logged: i64,
}

/// A snapshot as it is kept.
pub fn encode(seen: HistorySeq, logged: i64, engine: &[u8]) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(&Head { seen, logged }).expect("plain numbers");
    bytes.push(b'\n');
    bytes.extend_from_slice(engine);
    bytes
}

/// None when it is of another form.
fn decode(bytes: &[u8]) -> Option<(Head, Snapshot)> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((serde_json::from_slice(&bytes[..end]).ok()?, Snapshot::read(&bytes[end + 1..])?))
}

/// The desk as the log tells it.
pub async fn desk_from_log(config: &Config, storage: &Storage) -> Result<Desk, storage::Error> {
    let mut transitions = Vec::new();
    let collect = |entry: LogEntry| {
        if let LogBody::Incident(transition) = entry.body {
            transitions.push(transition);
        }
    };
    storage.log().replay(0, collect).await?;
    Ok(Desk::from_log(config.clone(), transitions))
}

impl Warning {
    /// The early warning as it would be had the hub never stopped. What the log has is shown; what it lacks is kept and
    /// shown when [`Warning::run`] begins, however long the disk takes.
    pub async fn load(
        rules: RuleSet,
        sources: Vec<Arc<Source>>,
        config: Config,
        shifts: Shifts,
        storage: Storage,
        feed: Feed,
    ) -> anyhow::Result<(Self, Figures, kpi::Handle)> {
        let now = Timestamp::now();
        let kept = storage.meta().get(SNAPSHOT_NAME).await?;
        let (seen, after, shot) = match kept.as_deref().and_then(decode) {
            Some((head, shot)) => (head.seen, head.logged, Some(shot)),
            // The whole history would be news then; what it said is in the log. Only where today's ends is looked for.
            None => (HistorySeq::before_day_of(now), 0, None),
        };
        let mut log = read_log(&storage, after).await.context("the event log cannot be read")?;
        let again_needed = shot.is_some();
        let mut recovery = Recovery::begin(rules, sources, shot, log.after, now);
        let mut last = (seen, Timestamp::MIN);
        let again = |at: HistorySeq, observation: model::Observation| {
            if again_needed {
                recovery.observe(&observation);
            }
            last = (at, observation.received_at);
        };
        storage.history().replay(seen, again).await.context("the history cannot be read")?;
        let alive_at = last.1.max(log.last_at);
        let (engine, lost) = recovery.finish(alive_at, now);
        let figures = Figures::default();
        log.kpis.tick(now);
        log.kpis.settle();
        let kpis = kpi::Handle::new(log.kpis, shifts);
        let mut warning = Self {
            desk: Desk::from_log(config.clone(), log.incidents),
            config,
            engine,
            shadows: log.shadows.into_iter().map(|alarm| (alarm.id.clone(), alarm)).collect(),
            alarms: log.alarms.into_iter().map(|alarm| (alarm.id.clone(), alarm)).collect(),
            seen: last.0,
            logged: log.last,
            untold: Made::default(),
            storage,
            feed,
            figures: figures.clone(),
            kpis: kpis.clone(),
        };
        warning.alarms.values().cloned().for_each(|alarm| warning.feed.alarm(alarm));
        let floods = warning.kpis.lock().floods_logged();
        warning.feed.floods(floods);
        let open: Vec<_> = warning.desk.incidents().filter(|incident| incident.is_open()).cloned().collect();
        open.into_iter().for_each(|incident| warning.feed.incident(incident));
        if !lost.is_empty() {
            tracing::warn!(transitions = lost.len(), "alarms that were not told before the stop are told now");
        }
        let mut untold = Made::default();
        warning.follow(lost, None, &mut untold);
        untold.incidents(warning.desk.tick(now));
        warning.untold = untold;
        Ok((warning, figures, kpis))
    }
}

/// What a start needs of the log.
struct Read {
    incidents: Vec<model::IncidentTransition>,
    /// The active alarms.
    alarms: Vec<Alarm>,
    /// Those of rules on trial.
    shadows: Vec<Alarm>,
    /// Alarm transitions after the snapshot.
    after: Vec<AlarmTransition>,
    last: i64,
    last_at: Timestamp,
    kpis: Kpis,
}

async fn read_log(storage: &Storage, after: i64) -> Result<Read, storage::Error> {
    let first = storage.log().read(0, 1).await?.first().map_or_else(Timestamp::now, |row| row.at);
    let mut read = Read {
        incidents: Vec::new(),
        alarms: Vec::new(),
        shadows: Vec::new(),
        after: Vec::new(),
        last: after,
        last_at: Timestamp::MIN,
        kpis: Kpis::new(first),
    };
    let mut alarms: std::collections::HashMap<model::AlarmId, Alarm> = std::collections::HashMap::new();
    let each = |entry: LogEntry| {
        read.kpis.take(&entry);
        read.last = read.last.max(entry.seq);
        read.last_at = read.last_at.max(entry.at);
        match entry.body {
            LogBody::Incident(transition) => read.incidents.push(transition),
            LogBody::Alarm(transition) | LogBody::Shadow(transition) => {
                match alarms.get_mut(&transition.alarm) {
                    Some(alarm) => alarm.apply(&transition),
                    None => alarms.extend(Alarm::begin(&transition).map(|alarm| (alarm.id.clone(), alarm))),
                }
                if alarms.get(&transition.alarm).is_some_and(|alarm| !alarm.is_active()) {
                    alarms.remove(&transition.alarm);
                }
                if entry.seq > after {
                    read.after.push(transition);
                }
            }
            LogBody::Flood(_) | LogBody::Audit(_) | LogBody::Rule(_) => {}
        }
    };
    storage.log().replay(0, each).await?;
    (read.shadows, read.alarms) = alarms.into_values().partition(|alarm| alarm.shadow);
    Ok(read)
}
