//! One rule looking at one source at one moment: what holds, what follows.

use std::cell::Cell;
use std::collections::BTreeMap;

use jiff::SignedDuration;
use model::{Alarm, AlarmChange, AlarmId, AlarmTransition, Evidence, Level, SourceState, Timestamp, Value};
use sha2::{Digest, Sha256};

use super::memory::{Known, shifted};
use super::track::{Timer, Track, next};
use crate::expr::{Condition, Env, Tri, TypeClash};
use crate::rule::{After, LEVELS, OnMissing, Retained, Rule, Trigger};

/// What the engine is told about a value that did not fit.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    pub unknown: bool,
    pub clash: Option<TypeClash>,
}

pub(super) struct View<'a> {
    pub rule: &'a Rule,
    pub known: &'a Known,
    pub now: Timestamp,
}

impl View<'_> {
    /// Whether each level's raise holds.
    pub fn raises(&self, trouble: &mut Trouble) -> [Tri; LEVELS] {
        let mut all = [Tri::False; LEVELS];
        if self.is_open() {
            for (place, tri) in all.iter_mut().enumerate().take(self.rule.places()) {
                *tri = self.raise(place, trouble);
            }
        }
        all
    }

    /// Moves the timers, and the alarm as they say.
    pub fn judge(&self, track: &mut Track, raises: &[Tri; LEVELS], out: &mut Vec<AlarmTransition>) {
        self.time(track, raises);
        self.step(track, raises, out);
        self.freshness(track, out);
        if track.shelf.is_some_and(|until| self.now >= until) {
            track.shelf = None;
            if let Some(alarm) = track.alarm.as_mut().filter(|alarm| alarm.shelved_until.is_some()) {
                out.push(next(alarm, AlarmChange::Unshelved { by: None }, self.now));
            }
        }
    }

    /// When the track must be looked at again if nothing comes; always after `now`.
    pub fn next_look(&self, track: &Track) -> Option<Timestamp> {
        let rule = self.rule;
        let level = track.alarm.as_ref().map(|alarm| alarm.level);
        let dues = track.timers.iter().enumerate().filter_map(|(place, timer)| {
            let (of, wait) = rule.level(place);
            level.is_none_or(|level| of > level).then(|| timer.due(wait)).flatten()
        });
        let held = track.alarm.as_ref().map(|alarm| shifted(alarm.raised_at, rule.hold));
        let waits = track.alarm.is_some() || track.timers.iter().any(Timer::is_on);
        let horizon = self.horizon().filter(|_| waits || rule.on_missing == OnMissing::Raise);
        let absent = self.absent_at().filter(|_| track.alarm.is_none());
        dues.chain(held).chain(horizon).chain(absent).chain(track.shelf).filter(|at| *at > self.now).min()
    }

    /// Whether the rule's calendar lets it speak.
    fn is_open(&self) -> bool {
        self.rule.only.as_ref().is_none_or(|calendar| calendar.is_open(self.now))
    }

    /// From when on the reading's last value is too old to say anything.
    fn horizon(&self) -> Option<Timestamp> {
        let Trigger::Reading { reading, .. } = &self.rule.trigger else { return None };
        let slot = self.known.slot(reading)?;
        // A retained state holds until it is taken back.
        if self.kept(reading).is_some() {
            return None;
        }
        let gap = self.rule.max_gap.or_else(|| self.known.gap())?;
        Some(shifted(slot.live.as_ref()?.received, gap))
    }

    fn is_missing(&self) -> bool {
        self.horizon().is_some_and(|horizon| self.now >= horizon)
    }

    fn on_missing(&self) -> OnMissing {
        // With the broker away it is not the sensor that says nothing.
        if self.known.blind.is_some() { OnMissing::Hold } else { self.rule.on_missing }
    }

    /// When the absence of the reading begins to count.
    fn absent_at(&self) -> Option<Timestamp> {
        let Trigger::Absent { reading, after, .. } = &self.rule.trigger else { return None };
        if self.known.blind.is_some() {
            return None;
        }
        let last = self.known.slot(reading).and_then(|slot| slot.live.as_ref());
        let seen = last.map_or(self.known.since, |last| last.received);
        let after = match after {
            After::Time(time) => *time,
            After::Intervals(count) => {
                let interval = self.known.source.interval_s.filter(|s| *s > 0)?;
                SignedDuration::from_secs(i64::from(interval) * i64::from(*count))
            }
        };
        Some(shifted(seen, after))
    }

    fn raise(&self, place: usize, trouble: &mut Trouble) -> Tri {
        match &self.rule.trigger {
            Trigger::Reading { .. } if self.is_missing() => match self.on_missing() {
                OnMissing::Hold => Tri::Unknown,
                OnMissing::Clear => Tri::False,
                OnMissing::Raise => {
                    if place == 0 {
                        Tri::True
                    } else {
                        Tri::Unknown
                    }
                }
            },
            Trigger::Reading { reading, levels } => self.ask(&levels[place].raise, reading, trouble),
            Trigger::State { states, .. } => self.is_in(states),
            Trigger::Absent { .. } if self.known.blind.is_some() => Tri::Unknown,
            Trigger::Absent { .. } => self.absent_at().is_some_and(|at| self.now >= at).into(),
        }
    }

    fn clear(&self, place: usize) -> Tri {
        let mut ignored = Trouble::default();
        if !self.is_open() {
            return Tri::True;
        }
        match &self.rule.trigger {
            Trigger::Reading { .. } if self.is_missing() => match self.on_missing() {
                OnMissing::Hold => Tri::Unknown,
                OnMissing::Clear => Tri::True,
                OnMissing::Raise => Tri::False,
            },
            Trigger::Reading { reading, levels } => match &levels[place].clear {
                Some(clear) => self.ask(clear, reading, &mut ignored),
                None => !self.ask(&levels[place].raise, reading, &mut ignored),
            },
            Trigger::State { .. } | Trigger::Absent { .. } => !self.raise(place, &mut ignored),
        }
    }

    fn is_in(&self, states: &[SourceState]) -> Tri {
        match self.known.state {
            SourceState::Unknown | SourceState::Connecting => Tri::Unknown,
            state => states.contains(&state).into(),
        }
    }

    fn ask(&self, condition: &Condition, reading: &str, trouble: &mut Trouble) -> Tri {
        let env = self.env(reading);
        let tri = condition.eval(&env);
        if tri == Tri::Unknown {
            trouble.unknown = true;
            trouble.clash = env.clash.take().or(trouble.clash);
        }
        tri
    }

    fn env<'e>(&'e self, reading: &str) -> Env<'e> {
        let live = self.known.slot(reading).and_then(|slot| slot.live.as_ref()).map(|last| &last.value);
        Env {
            source: &self.known.source,
            x: self.kept(reading).or(live),
            readings: self.known,
            limits: &self.known.limits,
            clash: Cell::new(None),
        }
    }

    /// What a broker remembers of the reading, for a rule that takes it as a state.
    fn kept(&self, reading: &str) -> Option<&Value> {
        self.known.slot(reading).and_then(|slot| slot.kept.as_ref()).filter(|_| self.rule.retained == Retained::State)
    }

    /// True runs a timer, unknown pauses it, false stops it.
    fn time(&self, track: &mut Track, raises: &[Tri; LEVELS]) {
        track.timers.resize(self.rule.places(), Timer::default());
        let gap_began = self.horizon().map_or(self.now, |horizon| horizon.min(self.now));
        for (timer, tri) in track.timers.iter_mut().zip(raises) {
            match tri {
                Tri::True => timer.go(self.now),
                Tri::Unknown => timer.pause(gap_began),
                Tri::False => timer.stop(),
            }
        }
    }

    /// Raises, moves or clears; at most one of them a moment.
    fn step(&self, track: &mut Track, raises: &[Tri; LEVELS], out: &mut Vec<AlarmTransition>) {
        let rule = self.rule;
        let met = |place: &usize| {
            raises[*place] == Tri::True && track.timers[*place].elapsed(self.now) >= rule.level(*place).1
        };
        let highest = (0..rule.places()).rev().find(met);
        let Some(alarm) = &mut track.alarm else {
            if let Some(place) = highest {
                self.begin(track, place, out);
            }
            return;
        };
        if let Some(place) = highest.filter(|place| rule.level(*place).0 > alarm.level) {
            let evidence = self.evidence(place, true, track.timers[place].since);
            let change = AlarmChange::LevelChanged { from: alarm.level, to: rule.level(place).0, evidence };
            out.push(next(alarm, change, self.now));
            return;
        }
        // A level that the rule no longer has is over.
        let place = rule.place_of(alarm.level);
        if place.is_some_and(|place| self.clear(place) != Tri::True) || self.held(alarm) {
            return;
        }
        let below = (0..rule.places()).rev().filter(|lower| rule.level(*lower).0 < alarm.level);
        let lower = below.into_iter().find(|lower| self.clear(*lower) == Tri::False);
        let evidence = self.evidence(place.unwrap_or(0), false, None);
        let change = match lower {
            Some(lower) => AlarmChange::LevelChanged { from: alarm.level, to: rule.level(lower).0, evidence },
            None => AlarmChange::Cleared { evidence },
        };
        out.push(next(alarm, change, self.now));
        if lower.is_none() {
            track.alarm = None;
        }
    }

    fn held(&self, alarm: &Alarm) -> bool {
        self.now.duration_since(alarm.raised_at) < self.rule.hold
    }

    fn begin(&self, track: &mut Track, place: usize, out: &mut Vec<AlarmTransition>) {
        let (rule, source) = (self.rule, &self.known.source);
        track.last_raise = self.now.as_millisecond().max(track.last_raise + 1);
        let transition = AlarmTransition {
            alarm: alarm_id(rule.id.as_str(), source.id.as_str(), track.last_raise),
            rule: rule.id.clone(),
            source: source.id.clone(),
            seq: 1,
            at: self.now,
            change: AlarmChange::Raised {
                level: rule.level(place).0,
                hazard: rule.hazard,
                title: rule.title.clone(),
                action: rule.action.clone(),
                owner: Some(rule.owner.clone()),
                grid: source.grid.clone(),
                place: source.place,
                shelved_until: track.shelf.filter(|until| *until > self.now),
                evidence: self.evidence(place, true, track.timers[place].since),
            },
        };
        track.alarm = Alarm::begin(&transition);
        out.push(transition);
    }

    /// Says when the data behind an active alarm has become too old to judge it, and when it is back.
    fn freshness(&self, track: &mut Track, out: &mut Vec<AlarmTransition>) {
        let Some(alarm) = &mut track.alarm else { return };
        let stale = self.is_stale(alarm.level);
        if stale != alarm.stale {
            let change = if stale { AlarmChange::Stale } else { AlarmChange::Fresh };
            out.push(next(alarm, change, self.now));
        }
    }

    fn is_stale(&self, level: Level) -> bool {
        let Trigger::Reading { levels, .. } = &self.rule.trigger else { return false };
        // A limit taken out of the registry leaves an alarm that nothing can clear: that must be seen too.
        let unlimited = levels.iter().find(|rule| rule.level == level).is_some_and(|rule| {
            rule.limits.iter().any(|name| !self.known.limits.iter().any(|(known, _)| known == name))
        });
        self.is_missing() || self.known.blind.is_some() || unlimited
    }

    fn evidence(&self, place: usize, raise: bool, since: Option<Timestamp>) -> Evidence {
        let shut = if self.is_open() { None } else { self.rule.only.as_ref() };
        let (condition, value, values) = match &self.rule.trigger {
            Trigger::Reading { reading, levels } => {
                let level = &levels[place];
                let env = self.env(reading);
                let (text, asked) = match &level.clear {
                    _ if raise => (level.raise.text().to_owned(), &level.raise),
                    Some(clear) => (clear.text().to_owned(), clear),
                    None => (format!("!({})", level.raise.text()), &level.raise),
                };
                let text = if self.is_missing() { format!("no usable value of {reading}") } else { text };
                (text, env.x.cloned(), asked.values(&env))
            }
            Trigger::State { states, .. } => {
                let names: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
                let state = Value::Text(self.known.state.as_str().to_owned());
                (format!("state in [{}]", names.join(", ")), Some(state), BTreeMap::new())
            }
            Trigger::Absent { reading, .. } => {
                let last = self.known.slot(reading).and_then(|slot| slot.live.as_ref());
                (format!("no {reading}"), last.map(|last| last.value.clone()), BTreeMap::new())
            }
        };
        let condition = shut.map_or(condition, |calendar| format!("outside {}", calendar.name));
        Evidence { rule_version: self.rule.version.to_string(), condition, value, values, since }
    }
}

/// `rule:source:milliseconds`; a long source is named by its hash, for an id has its limit.
fn alarm_id(rule: &str, source: &str, number: i64) -> AlarmId {
    let id = format!("{rule}:{source}:{number}");
    if id.len() <= model::id::MAX_ID_BYTES {
        return AlarmId::new(id);
    }
    let hash: String = Sha256::digest(source.as_bytes())[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    AlarmId::new(format!("{rule}:{hash}:{number}"))
}
