//! A backtest over a hub's own history: storage's readings, states and log into `alerting::backtest`.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alerting::RuleSet;
use alerting::backtest::{self, Backtest, Beside, Calm, Report};
use jiff::SignedDuration;
use model::{
    AlarmChange, AlarmTransition, GridId, Incident, LogBody, LogEntry, Observation, RuleId, Source, SourceId,
    SourceStatus, Timestamp,
};
use storage::{AuditFilter, Scan, Storage};

/// Noisy sources for which limits are sought.
const CALMED: usize = 5;
/// How long after it was reported an incident may have been in the log before the window.
const INCIDENTS_BEFORE: SignedDuration = SignedDuration::from_hours(24);
/// Readings between two words on how far it is.
const TOLD_EACH: u64 = 10_000;
/// Starts of the hub in a window that are looked at.
const STARTS: u32 = 1_000;

/// What is tried.
pub struct Replay {
    pub rules: RuleSet,
    pub rule: RuleId,
    pub sources: Vec<Arc<Source>>,
    pub sees_grid: Arc<dyn Fn(&GridId) -> bool + Send + Sync>,
    pub from: Timestamp,
    pub to: Timestamp,
    pub calm_per_day: f64,
}

/// What comes between readings.
enum Between {
    State(SourceStatus),
    Down(Timestamp),
}

impl Replay {
    /// Plays it; none when cancelled. `told` is given the share done and the readings seen. Takes long and much of a
    /// processor: run it on a thread of its own.
    pub async fn play(
        &self,
        storage: &Storage,
        told: &mut dyn FnMut(f64, u64),
        cancelled: &AtomicBool,
    ) -> anyhow::Result<Option<(Report, Vec<AlarmTransition>)>> {
        let bound = backtest::watched(&self.rules, &self.rule, &self.sources);
        let bound: HashSet<SourceId> = bound.into_iter().collect();
        let own: Vec<Arc<Source>> = self.sources.iter().filter(|source| bound.contains(&source.id)).cloned().collect();
        let warm_up = backtest::warm_up(&self.rules, &self.rule, &own).unwrap_or_default();
        let begin = self.from.checked_sub(warm_up).unwrap_or(self.from);
        let window = [begin, self.from, self.to];
        let mut test = Backtest::new(&self.rules, &self.rule, &own, window)?;
        let mut between = self.between(storage, &test, begin, cancelled).await?.into_iter().peekable();
        let readings = Some(test.wanted().into_iter().collect());
        let scan = Scan { from: begin, to: self.to, sources: bound, readings };
        let each = |observation: Observation| {
            while let Some((at, what)) = between.next_if(|(at, _)| *at <= observation.received_at) {
                play_between(&mut test, at, what);
            }
            test.observe(&observation);
            if test.readings().is_multiple_of(TOLD_EACH) {
                told(test.progress(), test.readings());
                if cancelled.load(Ordering::Relaxed) {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        };
        if !test_is_empty(&scan) {
            storage.history().scan(&scan, each).await?;
        }
        if cancelled.load(Ordering::Relaxed) {
            return Ok(None);
        }
        for (at, what) in between {
            play_between(&mut test, at, what);
        }
        test.end();
        let mut calm = Vec::new();
        for source in test.noisiest(self.calm_per_day, CALMED) {
            if cancelled.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let known = own.iter().find(|known| known.id == source);
            if let Some(source) = known {
                calm.extend(self.calm(storage, source, window, &scan).await?);
            }
        }
        let report = test.report(&self.beside(storage, &scan.sources).await?, calm);
        told(1.0, test.readings());
        Ok(Some((report, test.said().cloned().collect())))
    }

    async fn calm(
        &self,
        storage: &Storage,
        source: &Arc<Source>,
        window: [Timestamp; 3],
        scan: &Scan,
    ) -> anyhow::Result<Option<Calm>> {
        if window[2].duration_since(window[1]) < backtest::SHORTEST {
            return Ok(None);
        }
        let scan = Scan { sources: HashSet::from([source.id.clone()]), ..scan.clone() };
        let mut own = Vec::new();
        let each = |observation| {
            own.push(observation);
            if own.len() > backtest::MAX_READINGS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        storage.history().scan(&scan, each).await?;
        if own.len() > backtest::MAX_READINGS {
            return Ok(None);
        }
        Ok(backtest::calm(&self.rules, &self.rule, source, &own, window, self.calm_per_day))
    }

    /// States of links, for a rule that looks at them, and when the hub was down.
    async fn between(
        &self,
        storage: &Storage,
        test: &Backtest,
        begin: Timestamp,
        cancelled: &AtomicBool,
    ) -> anyhow::Result<Vec<(Timestamp, Between)>> {
        let mut all = Vec::new();
        let filter = AuditFilter {
            action: Some("hub.start".to_owned()),
            from: Some(begin),
            to: Some(self.to),
            ..AuditFilter::default()
        };
        for start in storage.log().audit(&filter, STARTS).await? {
            let before = storage.log().read((start.seq - 2).max(0), 1).await?;
            if let Some(last) = before.first().filter(|last| last.seq < start.seq) {
                all.push((start.at, Between::Down(last.at)));
            }
        }
        if test.wants_states() {
            for source in test.sources() {
                if cancelled.load(Ordering::Relaxed) {
                    break;
                }
                let timeline = storage.connections().timeline(source.id.as_str(), begin, self.to).await?;
                let first =
                    timeline.segments.first().map(|segment| (segment.from, segment.state, segment.reason.clone()));
                let rows = timeline.rows.into_iter().rev().map(|row| (row.at, row.state, row.reason));
                for (at, state, reason) in first.into_iter().chain(rows) {
                    let (profile, detail, last_data_at, stream) = (None, None, None, None);
                    let (id, kind) = (source.id.clone(), source.kind);
                    let status = SourceStatus {
                        source: id,
                        kind,
                        profile,
                        state,
                        since: at,
                        reason,
                        detail,
                        last_data_at,
                        stream,
                    };
                    all.push((at, Between::State(status)));
                }
            }
        }
        all.sort_by_key(|(at, _)| *at);
        Ok(all)
    }

    /// What happened in the window: alarms of others, incidents and their verdicts.
    async fn beside(&self, storage: &Storage, bound: &HashSet<SourceId>) -> anyhow::Result<Beside> {
        let mut beside = Beside::default();
        let mut incidents: HashMap<model::IncidentId, Incident> = HashMap::new();
        let visible: HashSet<&SourceId> = self.sources.iter().map(|source| &source.id).collect();
        let each = |entry: LogEntry| match entry.body {
            LogBody::Alarm(transition) => {
                let inside = (self.from..self.to).contains(&transition.at);
                if inside && matches!(transition.change, AlarmChange::Raised { .. }) {
                    if transition.rule == self.rule && bound.contains(&transition.source) {
                        beside.own.push(transition.at);
                    } else if visible.contains(&transition.source) {
                        beside.others.push(transition.at);
                    }
                }
            }
            LogBody::Incident(transition) => match incidents.get_mut(&transition.incident) {
                Some(incident) => incident.apply(&transition),
                None => incidents.extend(Incident::begin(&transition).map(|incident| (incident.id.clone(), incident))),
            },
            _ => {}
        };
        // Verdicts come later than alarms.
        let since = self.from.checked_sub(INCIDENTS_BEFORE).unwrap_or(self.from);
        storage.log().between(since, Timestamp::now(), each).await?;
        beside.incidents = incidents.into_values().filter(|incident| (self.sees_grid)(&incident.grid)).collect();
        Ok(beside)
    }
}

fn test_is_empty(scan: &Scan) -> bool {
    scan.sources.is_empty() || scan.readings.as_ref().is_some_and(HashSet::is_empty)
}

fn play_between(test: &mut Backtest, at: Timestamp, what: Between) {
    match what {
        Between::State(status) => test.status(&status, at),
        Between::Down(alive_at) => test.down(alive_at.max(test.seen_until()), at),
    }
}
