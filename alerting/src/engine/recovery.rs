//! The way back after a stop, however it came: snapshot, then what the history and the log have had since.
//!
//! The log is right about what was told; the history is right about what was seen. What the engine says again over
//! the history and the log has already is left out; what it says beyond the log was lost at the stop and is told now.
//! Where both differ (a deadline ran before a reading that was still under way), the log stands.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::SignedDuration;
use model::{Alarm, AlarmChange, AlarmId, AlarmTransition, Observation, RuleId, Source, SourceId, Timestamp};

use super::{Engine, Snapshot, is_of};
use crate::ruleset::RuleSet;

/// An engine on its way back.
#[derive(Debug)]
pub struct Recovery {
    engine: Engine,
    /// What people did since the snapshot, the latest first.
    people: Vec<AlarmTransition>,
    /// The alarms as snapshot and log have them.
    durable: BTreeMap<AlarmId, Alarm>,
    /// How many of the engine's own transitions of each alarm are in the log since the snapshot.
    told: HashMap<AlarmId, usize>,
    said: Vec<AlarmTransition>,
}

impl Recovery {
    /// Begins at a snapshot; `logged` are the alarm transitions after it, in the log's order. Without a snapshot,
    /// `logged` must be those of the whole log.
    pub fn begin(
        rules: RuleSet,
        sources: Vec<Arc<Source>>,
        snapshot: Option<Snapshot>,
        logged: Vec<AlarmTransition>,
        now: Timestamp,
    ) -> Self {
        let mut engine = match snapshot {
            Some(snapshot) => Engine::restore(rules, sources, snapshot),
            None => Engine::new(rules, sources, now),
        };
        let mut durable: BTreeMap<AlarmId, Alarm> =
            engine.alarms().map(|alarm| (alarm.id.clone(), alarm.clone())).collect();
        let (mut people, mut told) = (Vec::new(), HashMap::new());
        for transition in logged {
            match durable.get_mut(&transition.alarm) {
                Some(alarm) => alarm.apply(&transition),
                None => {
                    let begun = Alarm::begin(&transition);
                    durable.extend(begun.map(|alarm| (transition.alarm.clone(), alarm)));
                }
            }
            if by_person(&transition.change) {
                people.push(transition);
            } else {
                *told.entry(transition.alarm).or_insert(0) += 1;
            }
        }
        people.sort_by_key(|transition| std::cmp::Reverse(transition.at));
        let mut said = Vec::new();
        let clock = engine.clock;
        engine.look_at_all(clock, &mut said);
        Self { engine, people, durable, told, said }
    }

    /// Takes in again what the history has after the snapshot, in its order.
    pub fn observe(&mut self, observation: &Observation) {
        self.people_until(observation.received_at);
        self.said.extend(self.engine.observe(observation));
    }

    /// Ends at `now`. `alive_at` is the last moment at which the hub is known to have run: deadlines up to it are run;
    /// what lies between it and `now` nobody saw, and it counts for nothing. Answers with what the log lacks.
    pub fn finish(mut self, alive_at: Timestamp, now: Timestamp) -> (Engine, Vec<AlarmTransition>) {
        let alive_at = alive_at.max(self.engine.clock).min(now);
        self.people_until(alive_at);
        self.said.extend(self.engine.tick(alive_at));
        self.engine.shift(now.duration_since(alive_at), now);
        let mut lost = self.reconcile();
        self.adopt(now, &mut lost);
        let mut looked = Vec::new();
        self.engine.clock = now.max(self.engine.clock);
        self.engine.look_at_all(now, &mut looked);
        lost.extend(looked);
        (self.engine, lost)
    }

    /// What people did up to `now`: whether alarms raised after it are shelved depends on it.
    fn people_until(&mut self, now: Timestamp) {
        while let Some(transition) = self.people.pop_if(|transition| transition.at <= now) {
            let at = transition.at;
            self.said.extend(self.engine.tick(at));
            let Some(&(source, bound)) = self.engine.alarms.get(&transition.alarm) else { continue };
            if let Some(track) = self.engine.track_of(&transition.alarm) {
                match &transition.change {
                    AlarmChange::Shelved { until, .. } => track.shelf = Some(*until),
                    AlarmChange::Unshelved { .. } => track.shelf = None,
                    _ => {}
                }
                if let Some(alarm) = &mut track.alarm {
                    alarm.apply(&AlarmTransition { seq: alarm.seq + 1, ..transition });
                }
            }
            self.engine.plan(source, bound, at);
        }
    }

    /// What the engine has said beyond the log, numbered as the log goes on.
    fn reconcile(&mut self) -> Vec<AlarmTransition> {
        let mut active: HashMap<(RuleId, SourceId), AlarmId> =
            self.durable.values().filter(|a| a.is_active()).map(|a| (key(a), a.id.clone())).collect();
        let mut lost = Vec::new();
        for mut transition in std::mem::take(&mut self.said) {
            if let Some(left) = self.told.get_mut(&transition.alarm).filter(|left| **left > 0) {
                *left -= 1;
                continue;
            }
            match self.durable.get_mut(&transition.alarm) {
                Some(alarm) if alarm.is_active() => {
                    transition.seq = alarm.seq + 1;
                    alarm.apply(&transition);
                    if !alarm.is_active() {
                        active.remove(&key(alarm));
                    }
                }
                Some(_) => continue,
                None => {
                    let Some(alarm) = Alarm::begin(&transition) else { continue };
                    let free = active.entry(key(&alarm));
                    if matches!(free, std::collections::hash_map::Entry::Occupied(_)) {
                        continue;
                    }
                    free.or_insert_with(|| alarm.id.clone());
                    self.durable.insert(alarm.id.clone(), alarm);
                }
            }
            lost.push(transition);
        }
        lost
    }

    /// Gives the engine the alarms that the log has; ends those whose rule or source is gone.
    fn adopt(&mut self, now: Timestamp, lost: &mut Vec<AlarmTransition>) {
        for track in self.engine.sources.iter_mut().flat_map(|known| &mut known.bounds) {
            if let Some(track) = &mut track.track {
                track.alarm = None;
            }
        }
        for alarm in self.durable.values_mut().filter(|alarm| alarm.is_active()) {
            let engine = &mut self.engine;
            let place = engine.places.get(&alarm.source).zip(engine.rules.find(&alarm.rule));
            let track = place.and_then(|(source, rule)| {
                if !is_of(alarm, engine.rules.at(rule)) {
                    return None;
                }
                let bounds = &mut engine.sources[*source as usize].bounds;
                let bound = bounds.binary_search_by_key(&rule, |bound| bound.rule).ok()?;
                Some(bounds[bound].track.get_or_insert_default())
            });
            match track {
                Some(track) if track.alarm.is_none() => {
                    track.shelf = alarm.shelved_until;
                    track.alarm = Some(Box::new(alarm.clone()));
                }
                // No rule over this source any more, or one that went on trial or into force meanwhile, or, by a fault of
                // the past, a second alarm of one track.
                _ => lost.push(self.engine.ended(alarm, now)),
            }
        }
    }
}

impl Engine {
    /// The hub was down between two moments, as at the end of a recovery: what lies between counts for nothing.
    pub(crate) fn skip(&mut self, from: Timestamp, to: Timestamp) -> Vec<AlarmTransition> {
        self.shift(to.duration_since(from), to);
        let mut said = Vec::new();
        self.clock = to.max(self.clock);
        self.look_at_all(to, &mut said);
        said
    }

    /// Moves every running timer and every age by a time, up to `now`, in which nothing could be heard.
    fn shift(&mut self, by: SignedDuration, now: Timestamp) {
        if by <= SignedDuration::ZERO {
            return;
        }
        for known in &mut self.sources {
            known.shift(by);
            known.heard = now;
            known.bounds.iter_mut().filter_map(|bound| bound.track.as_mut()).for_each(|track| track.shift(by));
        }
    }
}

fn key(alarm: &Alarm) -> (RuleId, SourceId) {
    (alarm.rule.clone(), alarm.source.clone())
}

fn by_person(change: &AlarmChange) -> bool {
    match change {
        AlarmChange::Acknowledged { .. } => true,
        AlarmChange::Shelved { automatic, .. } => !automatic,
        AlarmChange::Unshelved { by } => by.is_some(),
        AlarmChange::Raised { .. }
        | AlarmChange::LevelChanged { .. }
        | AlarmChange::Cleared { .. }
        | AlarmChange::Stale
        | AlarmChange::Fresh
        | AlarmChange::Suppressed { .. }
        | AlarmChange::Unsuppressed => false,
    }
}

#[cfg(test)]
#[path = "recovery_tests.rs"]
mod tests;
