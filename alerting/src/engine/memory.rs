//! What the engine remembers of a source: its last values, its link, its rules.

use std::sync::Arc;

use jiff::SignedDuration;
use model::{Observation, Quality, Reading, Source, SourceState, Timestamp, Value};

use super::composite::Membership;
use super::track::Track;
use crate::expr::Readings;

/// So many report intervals without a usable value are a gap.
const GAP_INTERVALS: i64 = 3;
/// The shortest gap, so that a one-second sensor survives a moment of load.
const MIN_GAP: SignedDuration = SignedDuration::from_secs(10);
/// A reading that was older than this when it came is history, not news.
const LATENESS: SignedDuration = SignedDuration::from_mins(10);
/// How long readings must keep coming with a steady lag until the sensor's clock, not the line, is taken as the cause.
const CLOCK_PROOF: SignedDuration = SignedDuration::from_secs(5);
/// How far the lag may wander meanwhile.
const CLOCK_PLAY: SignedDuration = SignedDuration::from_secs(2);

/// A source with what is known of it.
#[derive(Debug)]
pub(super) struct Known {
    pub source: Arc<Source>,
    pub limits: Vec<(Arc<str>, f64)>,
    pub slots: Vec<Slot>,
    pub state: SourceState,
    /// Since when its broker cannot be reached: nobody can be silent then.
    pub blind: Option<Timestamp>,
    /// Until when no rule is about it.
    pub out_until: Option<Timestamp>,
    /// Since when the engine knows it.
    pub since: Timestamp,
    /// The rules that are about it, by rule.
    pub bounds: Vec<Bound>,
    /// The parts of rules over several sources that it is a member of, by rule and part.
    pub memberships: Vec<Membership>,
}

/// A rule that is about a source.
#[derive(Debug)]
pub(super) struct Bound {
    pub rule: u32,
    /// None while nothing goes on.
    pub track: Option<Box<Track>>,
}

/// One reading of a source.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slot {
    pub name: Reading,
    pub live: Option<Last>,
    /// What a broker replayed as retained, until something newer comes.
    pub kept: Option<Value>,
    /// The first of a run of readings whose times lie far back: when it came, and what it said.
    pub lagging: Option<(Timestamp, Timestamp)>,
}

/// The last usable value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Last {
    pub value: Value,
    pub at: Timestamp,
    pub received: Timestamp,
}

impl Bound {
    /// The active alarm.
    pub fn alarm(&self) -> Option<&model::Alarm> {
        self.track.as_ref()?.alarm.as_ref()
    }
}

impl Known {
    pub fn new(source: Arc<Source>, now: Timestamp) -> Self {
        let limits = limits_of(&source);
        Self {
            out_until: source.out_of_service(now),
            source,
            limits,
            slots: Vec::new(),
            state: SourceState::Unknown,
            blind: None,
            since: now,
            bounds: Vec::new(),
            memberships: Vec::new(),
        }
    }

    /// Replaces its row in the registry. When it is back in service, its silence meanwhile was no absence.
    pub fn set_source(&mut self, source: Arc<Source>, now: Timestamp) {
        self.limits = limits_of(&source);
        let was_out = self.out_until.is_some();
        self.out_until = source.out_of_service(now);
        if was_out && self.out_until.is_none() {
            self.since = now;
            for last in self.slots.iter_mut().filter_map(|slot| slot.live.as_mut()) {
                last.received = last.received.max(now);
            }
        }
        self.source = source;
    }

    pub fn slot(&self, name: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| *slot.name == *name)
    }

    /// Keeps a value; false for one that says nothing new: bad, late, or older than what is known.
    pub fn take(&mut self, observation: &Observation, now: Timestamp) -> bool {
        if observation.quality == Quality::Bad {
            return false;
        }
        let slot = match self.slots.iter().position(|slot| slot.name == observation.reading) {
            Some(place) => &mut self.slots[place],
            None => {
                self.slots.push(Slot { name: Arc::clone(&observation.reading), live: None, kept: None, lagging: None });
                self.slots.last_mut().expect("it was just added")
            }
        };
        if observation.retained {
            slot.kept = Some(observation.value.clone());
            return true;
        }
        slot.take(observation, now)
    }

    /// How long a usable value lasts, by the source's own interval.
    pub fn gap(&self) -> Option<SignedDuration> {
        let interval = self.source.interval_s.filter(|s| *s > 0)?;
        Some(SignedDuration::from_secs(i64::from(interval) * GAP_INTERVALS).max(MIN_GAP))
    }

    /// Moves every age by `by`, so that a time in which nothing could be heard counts for nothing.
    pub fn shift(&mut self, by: SignedDuration) {
        self.since = shifted(self.since, by);
        for last in self.slots.iter_mut().filter_map(|slot| slot.live.as_mut()) {
            last.received = shifted(last.received, by);
        }
    }
}

impl Slot {
    fn take(&mut self, observation: &Observation, now: Timestamp) -> bool {
        let at = observation.phenomenon_time;
        let late = now.duration_since(at) > LATENESS;
        let older = self.live.as_ref().is_some_and(|last| at < last.at);
        if (late || older) && !self.clock_is_off(at, now) {
            return false;
        }
        if !late && !older {
            self.lagging = None;
        }
        self.live = Some(Last { value: observation.value.clone(), at, received: now });
        self.kept = None;
        true
    }

    /// Stored readings come faster than they were made; those of a sensor whose clock is wrong come as they are made.
    /// The first are history, the second are news with a wrong time: a set-back clock must not make a sensor mute.
    fn clock_is_off(&mut self, at: Timestamp, now: Timestamp) -> bool {
        let Some((first_now, first_at)) = self.lagging else {
            self.lagging = Some((now, at));
            return false;
        };
        let (lived, told) = (now.duration_since(first_now), at.duration_since(first_at));
        let play = CLOCK_PLAY.max(lived / 100);
        if (lived - told).abs() > play {
            self.lagging = Some((now, at));
            return false;
        }
        lived >= CLOCK_PROOF
    }
}

impl Readings for Known {
    fn reading(&self, name: &str) -> Option<&Value> {
        self.slot(name)?.live.as_ref().map(|last| &last.value)
    }
}

fn limits_of(source: &Source) -> Vec<(Arc<str>, f64)> {
    let limit = |(key, value): (&String, &String)| {
        let value: f64 = value.parse().ok()?;
        Some((key.strip_prefix("limits.")?.into(), value))
    };
    source.tags.iter().filter_map(limit).collect()
}

/// A moment later, or the end of time.
pub(super) fn shifted(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
