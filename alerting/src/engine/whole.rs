//! A rule over several sources at one anchor at one moment: from the parts that hold to its alarm.

use std::borrow::Cow;
use std::collections::BTreeMap;

use model::{AlarmChange, AlarmTransition, Evidence, Source, Timestamp, Value};

use super::composite::Facts;
use super::track::{Timer, Track, next};
use super::view::{born, calm, calm_at, unshelve};
use crate::composite::{Composite, Count};
use crate::expr::Tri;
use crate::rule::Rule;

pub(super) struct Whole<'a> {
    pub rule: &'a Rule,
    pub composite: &'a Composite,
    /// The anchor.
    pub source: &'a Source,
    pub facts: &'a Facts,
    /// What held where; asked only when something is to be told.
    pub values: &'a dyn Fn() -> Cow<'a, BTreeMap<String, Value>>,
    pub now: Timestamp,
}

impl Whole<'_> {
    /// Whether each count is reached.
    pub fn raises(&self) -> Vec<Tri> {
        let open = self.is_open();
        let tri = |count: &Count| match open {
            true if count.only_now => count.of(&self.facts.now),
            true => count.of(&self.facts.parts),
            false => Tri::False,
        };
        self.composite.counts.iter().map(tri).collect()
    }

    /// Moves the timers, and the alarm as they say.
    pub fn judge(&self, track: &mut Track, raises: &[Tri], out: &mut Vec<AlarmTransition>) {
        // The last is how long the alarm's level has been over.
        track.timers.resize(raises.len() + 1, Timer::default());
        for (timer, tri) in track.timers.iter_mut().zip(raises) {
            timer.follow(*tri, self.now);
        }
        self.step(track, raises, out);
        if let Some(alarm) = &mut track.alarm {
            let place = self.rule.place_of(alarm.level);
            let stale = place.is_some_and(|place| raises[place] == Tri::Unknown);
            if stale != alarm.stale {
                let change = if stale { AlarmChange::Stale } else { AlarmChange::Fresh };
                out.push(next(alarm, change, self.now));
            }
        }
        calm(self.rule, track, self.now);
        unshelve(track, self.now, out);
    }

    /// When the track must be looked at again if nothing comes; always after `now`.
    pub fn next_look(&self, track: &Track) -> Option<Timestamp> {
        let level = track.alarm.as_ref().map(|alarm| alarm.level);
        let dues = track.timers.iter().zip(&self.composite.counts).filter_map(|(timer, count)| {
            level.is_none_or(|level| count.level > level).then(|| timer.due(count.wait)).flatten()
        });
        let over =
            track.alarm.as_ref().and_then(|_| track.timers.get(self.composite.counts.len())?.due(self.rule.hold));
        let waits = track.alarm.is_some() || track.timers.iter().any(Timer::is_on);
        let moves = self.facts.next.filter(|_| waits);
        dues.chain(over)
            .chain(moves)
            .chain(calm_at(self.rule, track))
            .chain(track.shelf)
            .filter(|at| *at > self.now)
            .min()
    }

    fn is_open(&self) -> bool {
        self.rule.only.as_ref().is_none_or(|calendar| calendar.is_open(self.now))
    }

    /// Raises, moves or clears; at most one of them a moment.
    fn step(&self, track: &mut Track, raises: &[Tri], out: &mut Vec<AlarmTransition>) {
        let counts = &self.composite.counts;
        let below = counts.len();
        let met = |place: &usize| {
            raises[*place] == Tri::True && track.timers[*place].elapsed(self.now) >= counts[*place].wait
        };
        let highest = (0..counts.len()).rev().find(met);
        let Some(alarm) = &mut track.alarm else {
            if let Some(place) = highest {
                let evidence = self.evidence(place, true, track.timers[place].since);
                track.timers[below].stop();
                born(self.rule, self.source, track, counts[place].level, evidence, self.now, out);
            }
            return;
        };
        if let Some(place) = highest.filter(|place| counts[*place].level > alarm.level) {
            let evidence = self.evidence(place, true, track.timers[place].since);
            let change = AlarmChange::LevelChanged { from: alarm.level, to: counts[place].level, evidence };
            track.timers[below].stop();
            out.push(next(alarm, change, self.now));
            return;
        }
        let place = self.rule.place_of(alarm.level);
        // A level that the rule no longer has is over, and so is everything when the calendar closes.
        if let Some(place) = place.filter(|_| self.is_open()) {
            let below = &mut track.timers[below];
            below.follow(!raises[place], self.now);
            if !below.is_on() || below.elapsed(self.now) < self.rule.hold || raises[place] != Tri::False {
                return;
            }
        }
        let lower = (0..counts.len()).rev().find(|p| counts[*p].level < alarm.level && raises[*p] != Tri::False);
        let evidence = self.evidence(place.unwrap_or(0), false, None);
        let change = match lower {
            Some(lower) => AlarmChange::LevelChanged { from: alarm.level, to: counts[lower].level, evidence },
            None => AlarmChange::Cleared { evidence },
        };
        track.timers[below].stop();
        out.push(next(alarm, change, self.now));
        if lower.is_none() {
            track.alarm = None;
        }
    }

    fn evidence(&self, place: usize, raise: bool, since: Option<Timestamp>) -> Evidence {
        let text = self.composite.words(&self.composite.counts[place]);
        let condition = match &self.rule.only {
            Some(calendar) if !self.is_open() => format!("outside {}", calendar.name),
            _ if raise => text,
            _ => format!("!({text})"),
        };
        let values = (self.values)().into_owned();
        Evidence { rule_version: self.rule.version.to_string(), condition, value: None, values, since }
    }
}
