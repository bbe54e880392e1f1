//! What came of a backtest, in numbers.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::{Alarm, GridId, Incident, Level, RuleId, SourceId, Timestamp};
use serde::Serialize;

use super::load::Load;
use super::matches::{Matched, matched};
use super::{Backtest, Calm};

/// The most alarms that a report lists.
const LISTED: usize = 5_000;
/// The most sources that it lists.
const SOURCES_LISTED: usize = 200;

/// What a rule would have said.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = BacktestReport))]
pub struct Report {
    /// The rule.
    pub rule: RuleId,
    /// Hash of its meaning.
    pub version: String,
    /// The window, from.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub from: Timestamp,
    /// The window, to.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub to: Timestamp,
    /// Seconds of readings before the window.
    pub warm_up_s: i64,
    /// Sources that the rule watches.
    pub sources: usize,
    /// Readings seen, those before the window with them.
    pub readings: u64,
    /// Alarms raised in the window.
    pub raised: usize,
    /// Alarms that stood already when it began.
    pub standing: usize,
    /// In a day, on average.
    pub per_day: f64,
    /// By the highest level that each reached.
    pub by_level: BTreeMap<String, usize>,
    /// By hour of the clock (UTC); hours without one are left out.
    pub by_hour: Vec<HourCount>,
    /// By source, the noisiest first; at most 200.
    pub by_source: Vec<SourceCount>,
    /// Sources that raised at all.
    pub sources_raising: usize,
    /// The alarms, the oldest first; at most 5,000.
    pub alarms: Vec<AlarmFact>,
    /// The load on the desk as it was.
    pub load_before: Load,
    /// The load with this rule as tried, in place of what it said in the window if it was in force.
    pub load_after: Load,
    /// What people found.
    pub matched: Matched,
    /// For the noisiest sources of a rule with limits: how far limits would have to be moved.
    pub calm: Vec<Calm>,
}

/// Alarms raised in an hour.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct HourCount {
    /// When the hour begins.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub hour: Timestamp,
    /// How many.
    pub raised: usize,
    /// By the highest level that each reached.
    pub by_level: BTreeMap<String, usize>,
}

/// Alarms raised at a source.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SourceCount {
    /// The source.
    pub source: SourceId,
    /// How many.
    pub raised: usize,
    /// In a day, on average.
    pub per_day: f64,
    /// How long they stood in all, within the window, in seconds.
    pub active_s: f64,
}

/// An alarm in few words.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AlarmFact {
    /// Where.
    pub source: SourceId,
    /// Its grid.
    pub grid: GridId,
    /// When it was raised.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub raised_at: Timestamp,
    /// When it cleared; none when it stood at the end of the window.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub cleared_at: Option<Timestamp>,
    /// The level at which it was raised.
    pub level: Level,
    /// The highest that it reached.
    pub peak: Level,
}

/// What a backtest is set beside: what happened in the window.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// When other rules in force raised alarms.
    pub others: Vec<Timestamp>,
    /// When this rule did, if it was in force.
    pub own: Vec<Timestamp>,
    /// The incidents.
    pub incidents: Vec<Incident>,
}

impl Backtest {
    /// The report; [`Backtest::end`] must have been called.
    pub fn report(&self, beside: &Beside, calm: Vec<Calm>) -> Report {
        let rule = self.the_rule();
        let facts = self.facts();
        let inside = || facts.iter().filter(|fact| fact.raised_at >= self.from);
        let (mut by_level, mut hours) = (BTreeMap::new(), BTreeMap::<i64, HourCount>::new());
        let mut sources: HashMap<&SourceId, SourceCount> = HashMap::new();
        let days = self.to.duration_since(self.from).as_secs_f64() / 86_400.0;
        for fact in inside() {
            let level = fact.peak.as_str();
            *by_level.entry(level.to_owned()).or_insert(0) += 1;
            let second = fact.raised_at.as_second().div_euclid(3_600) * 3_600;
            let hour = Timestamp::from_second(second).unwrap_or(fact.raised_at);
            let count = hours.entry(second).or_insert(HourCount { hour, raised: 0, by_level: BTreeMap::new() });
            count.raised += 1;
            *count.by_level.entry(level.to_owned()).or_insert(0) += 1;
            let source = sources.entry(&fact.source).or_insert(SourceCount {
                source: fact.source.clone(),
                raised: 0,
                per_day: 0.0,
                active_s: 0.0,
            });
            source.raised += 1;
            let end = fact.cleared_at.unwrap_or(self.to);
            source.active_s += end.duration_since(fact.raised_at).as_secs_f64().max(0.0);
        }
        let mut by_source: Vec<SourceCount> = sources.into_values().collect();
        by_source
            .iter_mut()
            .for_each(|count| count.per_day = if days > 0.0 { count.raised as f64 / days } else { 0.0 });
        by_source.sort_by(|a, b| b.raised.cmp(&a.raised).then_with(|| a.source.cmp(&b.source)));
        let sources_raising = by_source.len();
        by_source.truncate(SOURCES_LISTED);
        let raised = inside().count();
        let tried = inside().map(|fact| fact.raised_at);
        let was = beside.others.iter().chain(&beside.own).copied();
        let grids: HashSet<&GridId> = self.sources.iter().map(|source| &source.grid).collect();
        Report {
            rule: rule.id.clone(),
            version: rule.version.to_string(),
            from: self.from,
            to: self.to,
            warm_up_s: self.from.duration_since(self.begin).as_secs(),
            sources: self.sources.len(),
            readings: self.readings,
            raised,
            standing: facts.len() - raised,
            per_day: if days > 0.0 { raised as f64 / days } else { 0.0 },
            by_level,
            by_hour: hours.into_values().collect(),
            by_source,
            sources_raising,
            load_before: Load::of(was, self.from, self.to),
            load_after: Load::of(beside.others.iter().copied().chain(tried), self.from, self.to),
            matched: matched(
                facts.iter(),
                &beside.incidents,
                rule.hazard,
                |grid| grids.contains(grid),
                [self.from, self.to],
            ),
            alarms: inside().take(LISTED).cloned().collect(),
            calm,
        }
    }

    /// The alarms that stood in the window, the oldest first.
    fn facts(&self) -> Vec<AlarmFact> {
        let mut open: HashMap<&model::AlarmId, (Alarm, Level)> = HashMap::new();
        let mut done = Vec::new();
        let fact = |alarm: &Alarm, level: Level| AlarmFact {
            source: alarm.source.clone(),
            grid: alarm.grid.clone(),
            raised_at: alarm.raised_at,
            cleared_at: alarm.cleared_at,
            level,
            peak: alarm.peak,
        };
        for transition in &self.said {
            match open.get_mut(&transition.alarm) {
                Some((alarm, _)) => alarm.apply(transition),
                None => {
                    let begun = Alarm::begin(transition).map(|alarm| (alarm.level, alarm));
                    open.extend(begun.map(|(level, alarm)| (&transition.alarm, (alarm, level))));
                }
            }
            if let Some((alarm, level)) = open.get(&transition.alarm).filter(|(alarm, _)| !alarm.is_active()) {
                done.push(fact(alarm, *level));
                open.remove(&transition.alarm);
            }
        }
        done.extend(open.values().map(|(alarm, level)| fact(alarm, *level)));
        done.retain(|fact| fact.cleared_at.is_none_or(|at| at >= self.from));
        done.sort_by(|a, b| (a.raised_at, &a.source).cmp(&(b.raised_at, &b.source)));
        done
    }

    /// The sources that raised most in the window, with their counts, as far as they raised more than `per_day`.
    pub fn noisiest(&self, per_day: f64, most: usize) -> Vec<SourceId> {
        let days = self.to.duration_since(self.from).as_secs_f64() / 86_400.0;
        let mut counts: HashMap<SourceId, usize> = HashMap::new();
        for fact in self.facts().into_iter().filter(|fact| fact.raised_at >= self.from) {
            *counts.entry(fact.source).or_insert(0) += 1;
        }
        let mut list: Vec<(SourceId, usize)> =
            counts.into_iter().filter(|(_, count)| *count as f64 > per_day * days).collect();
        list.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        list.truncate(most);
        list.into_iter().map(|(source, _)| source).collect()
    }
}
