//! One rule over one source: its timers and its alarm.

use jiff::SignedDuration;
use model::{Alarm, AlarmChange, AlarmTransition, Timestamp};
use serde::{Deserialize, Serialize};

use super::memory::shifted;
use crate::expr::Tri;

/// What goes on between one rule and one source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Track {
    /// One a level, the lowest first; fewer when none ever ran. Over several sources one more: how long the alarm's level
    /// has been over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timers: Vec<Timer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm: Option<Box<Alarm>>,
    /// Until when a person has put this rule aside for this source; outlives the alarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shelf: Option<Timestamp>,
    /// By how many milliseconds the clock has been set since the alarm was raised.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub set_ms: i64,
    /// When it was raised of late, where the rule limits how often; in milliseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub raises: Vec<i64>,
    /// The number in the last alarm's id, so that no two of one millisecond are alike.
    #[serde(default)]
    pub last_raise: i64,
    /// When it is looked at next; never later than needed, sometimes earlier.
    #[serde(skip)]
    pub wake: Option<Timestamp>,
}

/// How long a condition has held, gaps left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Timer {
    /// When it first held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Since when it runs without a gap; none while it pauses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<Timestamp>,
    /// What it had before that.
    #[serde(default, skip_serializing_if = "SignedDuration::is_zero")]
    held: SignedDuration,
}

impl Timer {
    pub fn go(&mut self, now: Timestamp) {
        self.since.get_or_insert(now);
        self.run.get_or_insert(now);
    }

    pub fn pause(&mut self, at: Timestamp) {
        if let Some(run) = self.run.take() {
            self.held += at.duration_since(run).max(SignedDuration::ZERO);
        }
    }

    pub fn stop(&mut self) {
        *self = Self::default();
    }

    /// True runs it, unknown pauses it, false stops it.
    pub fn follow(&mut self, tri: Tri, now: Timestamp) {
        match tri {
            Tri::True => self.go(now),
            Tri::Unknown => self.pause(now),
            Tri::False => self.stop(),
        }
    }

    pub fn is_on(&self) -> bool {
        self.since.is_some()
    }

    pub fn elapsed(&self, now: Timestamp) -> SignedDuration {
        self.held + self.run.map_or(SignedDuration::ZERO, |run| now.duration_since(run))
    }

    /// When it will have run for `wait`; none while it pauses.
    pub fn due(&self, wait: SignedDuration) -> Option<Timestamp> {
        self.run.map(|run| shifted(run, wait - self.held))
    }
}

impl Track {
    /// Whether nothing of it would be missed.
    pub fn is_idle(&self, now: Timestamp) -> bool {
        self.alarm.is_none()
            && self.shelf.is_none()
            && self.wake.is_none()
            && self.raises.is_empty()
            && self.last_raise < now.as_millisecond()
            && !self.timers.iter().any(Timer::is_on)
    }

    /// When the alarm was raised, for what is counted from then.
    pub fn raised_at(&self) -> Option<Timestamp> {
        let set = SignedDuration::from_millis(self.set_ms);
        self.alarm.as_ref().map(|alarm| shifted(alarm.raised_at, set))
    }

    /// Moves every time by a step of the clock, but those that people were told.
    pub fn step(&mut self, by: SignedDuration) {
        for timer in &mut self.timers {
            timer.since = timer.since.map(|since| shifted(since, by));
        }
        self.shift(by);
        let by_ms = by.as_millis().try_into().unwrap_or(0);
        self.raises.iter_mut().for_each(|at| *at = at.saturating_add(by_ms));
        self.set_ms = if self.alarm.is_some() { self.set_ms.saturating_add(by_ms) } else { 0 };
    }

    /// Moves every running timer by `by`.
    pub fn shift(&mut self, by: SignedDuration) {
        for run in self.timers.iter_mut().filter_map(|timer| timer.run.as_mut()) {
            *run = shifted(*run, by);
        }
    }
}

fn is_zero(ms: &i64) -> bool {
    *ms == 0
}

/// The next transition of an alarm, folded into it. Times never fall within one alarm.
pub(super) fn next(alarm: &mut Alarm, change: AlarmChange, at: Timestamp) -> AlarmTransition {
    let transition = AlarmTransition {
        alarm: alarm.id.clone(),
        rule: alarm.rule.clone(),
        source: alarm.source.clone(),
        seq: alarm.seq + 1,
        at: at.max(alarm.raised_at),
        change,
    };
    alarm.apply(&transition);
    transition
}
