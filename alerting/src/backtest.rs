//! What a rule would have said: the same engine over stored readings, in virtual time.
//!
//! [`Backtest`] is fed what the history has, in the order of receipt, from a while before the window so that waits and
//! alarms are right at its begin. What it says within the window is, byte for byte, what the live engine says over the
//! same readings. What people did, and what other rules said, is no part of it; [`Report`] sets it beside.

mod calm;
mod load;
mod matches;
mod report;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;
use model::{AlarmTransition, Observation, Reading, RuleId, Source, SourceId, SourceStatus, Timestamp};

use crate::engine::Engine;
use crate::explanation::{Explanation, NotKnown};
use crate::rule::{After, Rule, Trigger};
use crate::ruleset::RuleSet;

pub use calm::{Calm, MAX_READINGS, SHORTEST, calm};
pub use load::Load;
pub use matches::Matched;
pub use report::{AlarmFact, Beside, HourCount, Report, SourceCount};

/// The least time before the window.
const LEAST_WARM_UP: SignedDuration = SignedDuration::from_hours(1);
/// The most; a longer wait than this begins anew.
const MOST_WARM_UP: SignedDuration = SignedDuration::from_hours(48);
/// Report intervals of a source after which data counts as missing, and as many again.
const GAPS: i64 = 6;

/// A rule at work in the past.
#[derive(Debug)]
pub struct Backtest {
    rules: RuleSet,
    rule: RuleId,
    engine: Engine,
    sources: Vec<Arc<Source>>,
    begin: Timestamp,
    from: Timestamp,
    to: Timestamp,
    /// All it said since the begin.
    said: Vec<AlarmTransition>,
    readings: u64,
    seen_until: Timestamp,
}

impl Backtest {
    /// Begins at `begin`, at or before `from`; see [`warm_up`]. `rules` may hold others, which say nothing; a draft or a
    /// shadow is tried as if it were in force.
    pub fn new(
        rules: &RuleSet,
        rule: &RuleId,
        sources: &[Arc<Source>],
        [begin, from, to]: [Timestamp; 3],
    ) -> Result<Self, NotKnown> {
        let alone = rules.alone(rule).ok_or(NotKnown::Rule)?.in_force();
        let bound: Vec<Arc<Source>> =
            sources.iter().filter(|source| alone.about(source).next().is_some()).cloned().collect();
        let begin = begin.min(from);
        let engine = Engine::new(alone.clone(), bound.iter().cloned(), begin);
        Ok(Self {
            rules: alone,
            rule: rule.clone(),
            engine,
            sources: bound,
            begin,
            from,
            to,
            said: Vec::new(),
            readings: 0,
            seen_until: begin,
        })
    }

    /// The sources that the rule watches: no other readings are wanted.
    pub fn sources(&self) -> &[Arc<Source>] {
        &self.sources
    }

    /// The readings that it listens to: no others are wanted.
    pub fn wanted(&self) -> Vec<Reading> {
        let all: BTreeSet<&Reading> = self.rules.all().flat_map(|rule| &rule.listens).collect();
        all.into_iter().cloned().collect()
    }

    /// Whether it looks at the states of links, so that they are wanted too.
    pub fn wants_states(&self) -> bool {
        self.rules.all().any(|rule| matches!(rule.trigger, Trigger::State { .. } | Trigger::Absent { .. }))
    }

    /// Takes a reading in, in the order of receipt; what lies outside begin and end is left out.
    pub fn observe(&mut self, observation: &Observation) {
        let at = observation.received_at;
        if at < self.begin || at >= self.to {
            return;
        }
        self.readings += 1;
        self.seen_until = self.seen_until.max(at);
        self.said.extend(self.engine.observe(observation));
    }

    /// Takes the state of a link in.
    pub fn status(&mut self, status: &SourceStatus, at: Timestamp) {
        if at < self.to {
            let at = at.max(self.begin);
            self.seen_until = self.seen_until.max(at);
            self.said.extend(self.engine.status(status, at));
        }
    }

    /// The hub was down between two moments: it counts for no wait.
    pub fn down(&mut self, from: Timestamp, to: Timestamp) {
        if from >= self.begin && from < to && to < self.to {
            self.said.extend(self.engine.tick(from));
            self.said.extend(self.engine.skip(from, to));
        }
    }

    /// How far it is, from 0 to 1.
    pub fn progress(&self) -> f64 {
        let whole = self.to.duration_since(self.begin).as_secs_f64();
        if whole <= 0.0 {
            1.0
        } else {
            (self.seen_until.duration_since(self.begin).as_secs_f64() / whole).clamp(0.0, 1.0)
        }
    }

    /// How many readings it has seen.
    pub fn readings(&self) -> u64 {
        self.readings
    }

    /// The last moment of which it has heard.
    pub fn seen_until(&self) -> Timestamp {
        self.seen_until
    }

    /// What the rule sees at a source at a moment; no reading after it must have been seen.
    pub fn explain(&mut self, source: &SourceId, at: Timestamp) -> Result<Explanation, NotKnown> {
        self.said.extend(self.engine.tick(at));
        self.engine.explain(&self.rule, source, at)
    }

    /// Ends the window: deadlines up to its end are run.
    pub fn end(&mut self) {
        // The end itself is no part of the window.
        let last = self.to.checked_sub(SignedDuration::from_millis(1)).unwrap_or(self.to);
        self.said.extend(self.engine.tick(last.max(self.begin)));
    }

    /// What it said within the window, in its order.
    pub fn said(&self) -> impl Iterator<Item = &AlarmTransition> {
        self.said.iter().filter(|transition| transition.at >= self.from && transition.at < self.to)
    }

    fn the_rule(&self) -> &Rule {
        let number = self.rules.find(&self.rule).expect("it was found when this was made");
        self.rules.at(number)
    }
}

/// How long before a window a rule must see readings, so that its waits are right when the window begins; none for an
/// unknown rule.
pub fn warm_up(rules: &RuleSet, rule: &RuleId, sources: &[Arc<Source>]) -> Option<SignedDuration> {
    let rule = rules.at(rules.find(rule)?);
    let slowest = sources.iter().filter_map(|source| source.interval_s).max().unwrap_or(0);
    let interval = SignedDuration::from_secs(i64::from(slowest));
    let wait = (0..rule.places()).map(|place| rule.level(place).1).max().unwrap_or_default();
    let absent = match &rule.trigger {
        Trigger::Absent { after: After::Time(time), .. } => *time,
        Trigger::Absent { after: After::Intervals(count), .. } => {
            interval.saturating_mul(i32::try_from(*count).unwrap_or(i32::MAX))
        }
        _ => SignedDuration::ZERO,
    };
    let gap = rule.max_gap.unwrap_or_default().max(interval.saturating_mul(GAPS as i32));
    let whole = [wait, rule.hold, absent, gap, rule.reach()]
        .into_iter()
        .fold(SignedDuration::ZERO, |all, time| all.saturating_add(time));
    Some(whole.clamp(LEAST_WARM_UP, MOST_WARM_UP))
}

/// The sources among these that a rule watches, by id.
pub fn watched(rules: &RuleSet, rule: &RuleId, sources: &[Arc<Source>]) -> Vec<SourceId> {
    let Some(alone) = rules.alone(rule).map(RuleSet::in_force) else { return Vec::new() };
    sources.iter().filter(|source| alone.about(source).next().is_some()).map(|source| source.id.clone()).collect()
}

#[cfg(test)]
#[path = "backtest/tests.rs"]
mod tests;
