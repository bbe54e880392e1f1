//! Alarms that others explain: a gateway that is down hides the silence of its sensors.
//!
//! An alarm is suppressed while a rule named by its own rule's `inhibited_by` has an active alarm at a related source;
//! the cause may itself be suppressed. What a person has acknowledged before the cause came stays as it is. Causes and
//! effects are kept by what relates them, so that nothing looks at all sources.

use std::collections::HashMap;

use model::{AlarmChange, AlarmTransition, Cause, Timestamp};

use super::kin::Kin;
use super::track::next;
use super::{Engine, Known};
use crate::ruleset::RuleSet;

/// Who explains whom, with the active alarms of both sides.
#[derive(Debug, Default)]
pub(super) struct Inhibitions {
    links: Vec<Link>,
    /// In the order of the rule.
    by_effect: HashMap<u32, Vec<usize>>,
    by_cause: HashMap<u32, Vec<usize>>,
    /// Per rule: how many causes stand above it; empty when no rule has any.
    ranks: Vec<u32>,
}

/// One entry of one rule's `inhibited_by`.
#[derive(Debug)]
struct Link {
    cause: u32,
    effect: u32,
    /// Where the cause has an active alarm.
    causes: Kin,
    /// Where the effect has one.
    effects: Kin,
}

impl Inhibitions {
    pub fn new(rules: &RuleSet) -> Self {
        let mut made = Self::default();
        for (effect, rule) in rules.all().enumerate() {
            for inhibitor in &rule.inhibited_by {
                let Some(cause) = rules.find(&inhibitor.rule) else { continue };
                // What nobody is told of hides nothing that people are told of.
                if rules.at(cause).is_shadow() && !rule.is_shadow() {
                    continue;
                }
                let kin = || Kin::new(inhibitor.relation.clone());
                let effect = effect as u32;
                made.by_effect.entry(effect).or_default().push(made.links.len());
                made.by_cause.entry(cause).or_default().push(made.links.len());
                made.links.push(Link { cause, effect, causes: kin(), effects: kin() });
            }
        }
        if !made.links.is_empty() {
            made.ranks = made.ranked(rules.len());
        }
        made
    }

    /// A cause is looked at before what it explains, so that an effect of the same moment is suppressed from its first.
    pub fn rank(&self, rule: u32) -> u32 {
        self.ranks.get(rule as usize).copied().unwrap_or(0)
    }

    /// No circles, the loader has seen to that; so as many rounds as there are rules suffice.
    fn ranked(&self, rules: usize) -> Vec<u32> {
        let mut ranks = vec![0; rules];
        for _ in 0..rules {
            let mut moved = false;
            for link in &self.links {
                let least = ranks[link.cause as usize] + 1;
                let rank = &mut ranks[link.effect as usize];
                moved |= *rank < least;
                *rank = least.max(*rank);
            }
            if !moved {
                break;
            }
        }
        ranks
    }

    fn links<'l>(&'l self, by: &'l HashMap<u32, Vec<usize>>, rule: u32) -> impl Iterator<Item = &'l Link> {
        by.get(&rule).into_iter().flatten().map(|link| &self.links[*link])
    }

    /// Keeps which alarms are active.
    fn note(&mut self, rule: u32, source: u32, known: &Known, active: bool) {
        let set = |kin: &mut Kin| {
            if active { kin.insert(source, &known.source) } else { kin.remove(source, &known.source) }
        };
        for link in self.by_cause.get(&rule).into_iter().flatten() {
            set(&mut self.links[*link].causes);
        }
        for link in self.by_effect.get(&rule).into_iter().flatten() {
            set(&mut self.links[*link].effects);
        }
    }

    /// The rule and source of every active alarm that explains an alarm of `rule` at `source`, the first named first.
    fn causes(&self, rule: u32, source: u32, known: &Known) -> Vec<(u32, u32)> {
        let links = self.links(&self.by_effect, rule);
        links.flat_map(|link| link.causes.of(source, &known.source).into_iter().map(|at| (link.cause, at))).collect()
    }

    /// The rule and source of every active alarm that one of `rule` at `source` explains.
    fn effects(&self, rule: u32, source: u32, known: &Known) -> Vec<(u32, u32)> {
        let links = self.links(&self.by_cause, rule);
        links.flat_map(|link| link.effects.of(source, &known.source).into_iter().map(|at| (link.effect, at))).collect()
    }
}

impl Engine {
    /// Begins anew to keep who explains whom, with the alarms that are active now.
    pub(super) fn gather_inhibitions(&mut self) {
        self.inhibitions = Inhibitions::new(&self.rules);
        if self.inhibitions.links.is_empty() {
            return;
        }
        for (number, known) in self.sources.iter().enumerate() {
            for bound in known.bounds.iter().filter(|bound| bound.alarm().is_some()) {
                self.inhibitions.note(bound.rule, number as u32, known, true);
            }
        }
    }

    /// What the alarms made of `source` and `bound` since `from` mean for those they explain, and for themselves.
    pub(super) fn inhibit(
        &mut self,
        source: u32,
        bound: u32,
        from: usize,
        now: Timestamp,
        out: &mut Vec<AlarmTransition>,
    ) {
        let known = &self.sources[source as usize];
        let rule = known.bounds[bound as usize].rule;
        let (is_effect, is_cause) =
            (self.inhibitions.by_effect.contains_key(&rule), self.inhibitions.by_cause.contains_key(&rule));
        let mut moved = false;
        if is_effect || is_cause {
            for made in &out[from..] {
                let active = matches!(made.change, AlarmChange::Raised { .. });
                if active || matches!(made.change, AlarmChange::Cleared { .. }) {
                    self.inhibitions.note(rule, source, known, active);
                    moved = true;
                }
            }
        }
        if is_effect {
            self.suppress(source, bound, from, now, out);
        }
        if is_cause && moved {
            for (effect, at) in self.inhibitions.effects(rule, source, &self.sources[source as usize]) {
                let bounds = &self.sources[at as usize].bounds;
                if let Ok(bound) = bounds.binary_search_by_key(&effect, |bound| bound.rule) {
                    let from = out.len();
                    self.suppress(at, bound as u32, from, now, out);
                }
            }
        }
    }

    /// Suppresses an active alarm that has a cause, and no longer one that has none. One raised since `from` is born so.
    fn suppress(&mut self, source: u32, bound: u32, from: usize, now: Timestamp, out: &mut Vec<AlarmTransition>) {
        let place = &self.sources[source as usize].bounds[bound as usize];
        let Some(alarm) = place.alarm() else { return };
        let cause = self.cause_of(place.rule, source, alarm.suppressed_by.as_ref());
        let change = match (&alarm.suppressed_by, cause) {
            (None, Some(by)) if alarm.acknowledged_by.is_none() => AlarmChange::Suppressed { by },
            (Some(named), Some(by)) if *named != by => AlarmChange::Suppressed { by },
            (Some(_), None) => AlarmChange::Unsuppressed,
            _ => return,
        };
        let id = alarm.id.clone();
        let Some(alarm) = self.track_of(&id).and_then(|track| track.alarm.as_mut()) else { return };
        let birth = out[from..].iter_mut().find_map(|made| match &mut made.change {
            AlarmChange::Raised { suppressed_by, .. } if made.alarm == id => Some(suppressed_by),
            _ => None,
        });
        match (birth, change) {
            (Some(suppressed_by), AlarmChange::Suppressed { by }) => {
                *suppressed_by = Some(Box::new(by.clone()));
                alarm.suppressed_by = Some(by);
            }
            (_, change) => out.push(next(alarm, change, now)),
        }
    }

    /// The cause that is named already, as long as it lasts; else the first.
    fn cause_of(&self, rule: u32, source: u32, named: Option<&Cause>) -> Option<Cause> {
        let causes = self.inhibitions.causes(rule, source, &self.sources[source as usize]);
        let alarms = causes.into_iter().filter_map(|(rule, at)| {
            let bounds = &self.sources[at as usize].bounds;
            let bound = bounds.binary_search_by_key(&rule, |bound| bound.rule).ok()?;
            bounds[bound].alarm()
        });
        let mut first = None;
        for alarm in alarms {
            if named.is_some_and(|named| named.alarm == alarm.id) {
                return named.cloned();
            }
            first.get_or_insert(alarm);
        }
        let cause = |alarm: &model::Alarm| Cause {
            alarm: alarm.id.clone(),
            rule: alarm.rule.clone(),
            source: alarm.source.clone(),
        };
        first.map(cause)
    }
}

#[cfg(test)]
#[path = "inhibit_tests.rs"]
mod tests;
