//! What the engine remembers of a source: its last values, its link, its rules.

use std::sync::Arc;

use jiff::SignedDuration;
use model::{Observation, Quality, Reading, Source, SourceState, Timestamp, Unit, Value};

use super::composite::Membership;
use super::track::Track;
use super::window::{ORDER_MS, Window};
use crate::rule::Rule;

/// So many report intervals without a usable value are a gap.
const GAP_INTERVALS: i64 = 3;
/// The shortest gap, so that a one-second sensor survives a moment of load.
const MIN_GAP: SignedDuration = SignedDuration::from_secs(10);
/// A reading that was older than this when it came is history, not news.
const LATENESS: SignedDuration = SignedDuration::from_mins(10);
/// How far a reading may be overtaken by newer ones; a clock that is set back by less is waited for.
const ORDER: SignedDuration = SignedDuration::from_millis(ORDER_MS);
/// How long readings must keep coming with a steady lag until the sensor's clock, not the line, is taken as the cause.
const CLOCK_PROOF: SignedDuration = SignedDuration::from_secs(5);
/// How far the lag may wander meanwhile.
const CLOCK_PLAY: SignedDuration = SignedDuration::from_secs(2);

/// A source with what is known of it.
#[derive(Debug)]
pub(super) struct Known {
    pub source: Arc<Source>,
    pub limits: Vec<(Arc<str>, f64)>,
    /// The unit that the registry gives, where it is one of ours.
    pub unit: Option<&'static Unit>,
    pub slots: Vec<Slot>,
    /// What its rules ask for beside the last value.
    pub needs: Box<[Need]>,
    pub state: SourceState,
    /// Since when its broker cannot be reached: nobody can be silent then.
    pub blind: Option<Timestamp>,
    /// Until when no rule is about it.
    pub out_until: Option<Timestamp>,
    /// Since when the engine knows it; moved by the times in which nothing could be heard.
    pub since: Timestamp,
    /// Since when nothing that it sent can have been missed.
    pub heard: Timestamp,
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

/// More than the last value of a reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    pub reading: Arc<str>,
    /// Of good values only.
    pub good: bool,
    /// The longest span, in milliseconds; none for no samples.
    pub span_ms: Option<i64>,
}

/// One reading of a source.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slot {
    pub name: Reading,
    /// Whether it holds good values only.
    pub good: bool,
    pub window: Option<Box<Window>>,
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
        self.track.as_ref()?.alarm.as_deref()
    }
}

impl Known {
    pub fn new(source: Arc<Source>, now: Timestamp) -> Self {
        let limits = limits_of(&source);
        Self {
            out_until: source.out_of_service(now),
            unit: Unit::find(&source.unit),
            source,
            limits,
            slots: Vec::new(),
            needs: Box::default(),
            state: SourceState::Unknown,
            blind: None,
            since: now,
            heard: now,
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
        self.unit = Unit::find(&source.unit);
        self.source = source;
    }

    /// The reading, as all usable values or the good ones alone tell it.
    pub fn slot(&self, name: &str, good: bool) -> Option<&Slot> {
        self.slots.iter().find(|slot| *slot.name == *name && slot.good == good)
    }

    /// Keeps what these rules ask for, and nothing else.
    pub fn fit<'r>(&mut self, rules: impl Iterator<Item = &'r Rule>, now: Timestamp) {
        let mut needs: Vec<Need> = Vec::new();
        let mut add = |reading: &Arc<str>, good: bool, span_ms: Option<i64>| match needs
            .iter_mut()
            .find(|need| need.reading == *reading && need.good == good)
        {
            Some(need) => need.span_ms = need.span_ms.max(span_ms),
            None => needs.push(Need { reading: Arc::clone(reading), good, span_ms }),
        };
        for rule in rules.filter(|rule| rule.good_only || !rule.spans.is_empty()) {
            for (reading, span) in &rule.spans {
                add(reading, rule.good_only, span.keeps_samples().then_some(span.span_ms));
            }
            for reading in rule.listens.iter().filter(|_| rule.good_only) {
                add(reading, true, None);
            }
        }
        self.needs = needs.into();
        let (needs, now) = (&self.needs, now.as_millisecond());
        self.slots.retain_mut(|slot| {
            let need = needs.iter().find(|need| need.good == slot.good && need.reading == slot.name);
            match need.and_then(|need| need.span_ms) {
                Some(span_ms) => slot.window_of(span_ms, now).fit(span_ms, now),
                None => slot.window = None,
            }
            need.is_some() || !slot.good
        });
    }

    /// Whether a reading comes so fast that older samples had to be joined.
    pub fn thinned(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| slot.window.as_ref().is_some_and(|window| window.is_thinned()))
    }

    /// Keeps a value; false for one that says nothing new: bad, late, or older than what is known.
    pub fn take(&mut self, observation: &Observation, now: Timestamp) -> bool {
        if observation.quality == Quality::Bad {
            return false;
        }
        let mut news = self.take_in(observation, now, false);
        if observation.quality == Quality::Good && self.need(&observation.reading, true).is_some() {
            news |= self.take_in(observation, now, true);
        }
        news
    }

    fn need(&self, reading: &str, good: bool) -> Option<&Need> {
        self.needs.iter().find(|need| need.good == good && *need.reading == *reading)
    }

    fn take_in(&mut self, observation: &Observation, now: Timestamp, good: bool) -> bool {
        let place = self.slots.iter().position(|slot| slot.good == good && slot.name == observation.reading);
        let slot = match place {
            Some(place) => &mut self.slots[place],
            None => {
                let span_ms = self.need(&observation.reading, good).and_then(|need| need.span_ms);
                let since = self.heard.as_millisecond();
                let window = span_ms.map(|span_ms| Box::new(Window::new(span_ms, since)));
                let name = Arc::clone(&observation.reading);
                self.slots.push(Slot { name, good, window, live: None, kept: None, lagging: None });
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

impl Known {
    /// Moves every time by a step of the hub's clock; what a source's own clock told stays.
    pub fn step(&mut self, by: SignedDuration) {
        self.shift(by);
        self.heard = shifted(self.heard, by);
        self.blind = self.blind.map(|blind| shifted(blind, by));
        for slot in &mut self.slots {
            if let Some(last) = &mut slot.live
                && (shifted(last.received, -by).duration_since(last.at)).abs() <= LATENESS
            {
                last.at = shifted(last.at, by);
            }
            slot.lagging = slot.lagging.map(|(now, at)| (shifted(now, by), at));
            if let Some(window) = &mut slot.window {
                window.step(by.as_millis().try_into().unwrap_or(0));
            }
        }
    }
}

impl Slot {
    fn take(&mut self, observation: &Observation, now: Timestamp) -> bool {
        let at = observation.phenomenon_time;
        let late = now.duration_since(at) > LATENESS;
        let older = self.live.as_ref().is_some_and(|last| at < last.at);
        if older && !late && self.live.as_ref().is_some_and(|last| last.at.duration_since(at) <= ORDER) {
            // Overtaken on the way: no news of how things are, but a window has a place for it.
            return self.sample(at, observation, now);
        }
        if (late || older) && !self.clock_is_off(at, now) {
            return false;
        }
        let mut true_at = now;
        if !late && !older {
            self.lagging = None;
            true_at = at.min(now);
        }
        self.sample(true_at, observation, now);
        self.live = Some(Last { value: observation.value.clone(), at, received: now });
        self.kept = None;
        true
    }

    fn sample(&mut self, at: Timestamp, observation: &Observation, now: Timestamp) -> bool {
        let window = self.window.as_mut();
        window.is_some_and(|window| window.push(at.as_millisecond(), &observation.value, now.as_millisecond()))
    }

    /// The window, made when there is none; it begins with what is known.
    fn window_of(&mut self, span_ms: i64, now: i64) -> &mut Window {
        self.window.get_or_insert_with(|| {
            let mut window = Box::new(Window::new(span_ms, now));
            if let Some(last) = &self.live {
                window.push(last.at.min(last.received).as_millisecond(), &last.value, now);
            }
            window
        })
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
