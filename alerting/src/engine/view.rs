//! One rule looking at one source at one moment: what holds, what follows.

mod explain;

use std::cell::Cell;
use std::collections::BTreeMap;

use jiff::SignedDuration;
use model::{
    Alarm, AlarmChange, AlarmId, AlarmTransition, Evidence, Level, Source, SourceState, Timestamp, UserId, Value,
};
use sha2::{Digest, Sha256};

use super::memory::{Known, shifted};
use super::track::{Timer, Track, next};
use crate::expr::{Condition, Env, Tri, TypeClash, time_text};
use crate::rule::{After, Chatter, LEVELS, LevelRule, OnMissing, Retained, Rule, Trigger};
pub(super) use explain::{WholeSight, not_watched};

/// Who shelves what chatters.
const HUB: &str = "hub";

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
        calm(self.rule, track, self.now);
        unshelve(track, self.now, out);
    }

    /// When the track must be looked at again if nothing comes; always after `now`.
    pub fn next_look(&self, track: &Track) -> Option<Timestamp> {
        let rule = self.rule;
        let level = track.alarm.as_ref().map(|alarm| alarm.level);
        let dues = track.timers.iter().enumerate().filter_map(|(place, timer)| {
            let (of, wait) = rule.level(place);
            level.is_none_or(|level| of > level).then(|| timer.due(wait)).flatten()
        });
        let held = track.raised_at().map(|raised| shifted(raised, rule.hold));
        let waits = track.alarm.is_some() || track.timers.iter().any(Timer::is_on);
        let horizon = self.horizon().filter(|_| waits || rule.on_missing == OnMissing::Raise);
        let absent = self.absent_at().filter(|_| track.alarm.is_none());
        let calm = calm_at(rule, track);
        let slide = if rule.spans.is_empty() && rule.startup_grace.is_zero() { None } else { self.next_slide() };
        dues.chain(held)
            .chain(horizon)
            .chain(absent)
            .chain(slide)
            .chain(calm)
            .chain(track.shelf)
            .filter(|at| *at > self.now)
            .min()
    }

    /// Whether the rule's calendar lets it speak.
    fn is_open(&self) -> bool {
        self.rule.only.as_ref().is_none_or(|calendar| calendar.is_open(self.now))
    }

    /// From when on the reading's last value is too old to say anything.
    fn horizon(&self) -> Option<Timestamp> {
        let Trigger::Reading { reading, .. } = &self.rule.trigger else { return None };
        self.horizon_of(reading)
    }

    /// As [`View::horizon`], for a reading that the rule looks at.
    pub fn horizon_of(&self, reading: &str) -> Option<Timestamp> {
        let slot = self.slot(reading)?;
        // A retained state holds until it is taken back.
        if self.kept(reading).is_some() {
            return None;
        }
        let gap = self.rule.max_gap.or_else(|| self.known.gap())?;
        Some(shifted(slot.live.as_ref()?.received, gap))
    }

    pub(super) fn is_missing(&self) -> bool {
        self.horizon().is_some_and(|horizon| self.now >= horizon)
    }

    /// Whether the data is missing and the level's conditions say nothing of that themselves.
    fn is_left_out(&self, level: &LevelRule) -> bool {
        self.is_missing() && !(level.sees_absence && self.on_missing() == OnMissing::Hold)
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
        let last = self.slot(reading).and_then(|slot| slot.live.as_ref());
        let seen = last.map_or(self.known.since, |last| last.received);
        let after = match after {
            After::Time(time) => *time,
            After::Intervals(count) => {
                let interval = self.known.source.interval_s.filter(|s| *s > 0)?;
                SignedDuration::from_secs(i64::from(interval) * i64::from(*count))
            }
        };
        let at = shifted(seen, after);
        Some(if self.rule.startup_grace.is_zero() { at } else { at.max(self.grace_end()) })
    }

    fn raise(&self, place: usize, trouble: &mut Trouble) -> Tri {
        match &self.rule.trigger {
            Trigger::Reading { levels, .. } if self.is_left_out(&levels[place]) => match self.on_missing() {
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
            Trigger::State { .. } if self.in_grace() => Tri::Unknown,
            Trigger::State { states, .. } => self.is_in(states),
            Trigger::Absent { .. } if self.known.blind.is_some() => Tri::Unknown,
            Trigger::Absent { .. } => self.absent_at().is_some_and(|at| self.now >= at).into(),
            // Judged where all sources are seen: `whole.rs`.
            Trigger::Composite(_) => Tri::Unknown,
        }
    }

    fn clear(&self, place: usize) -> Tri {
        let mut ignored = Trouble::default();
        if !self.is_open() {
            return Tri::True;
        }
        match &self.rule.trigger {
            Trigger::Reading { levels, .. } if self.is_left_out(&levels[place]) => match self.on_missing() {
                OnMissing::Hold => Tri::Unknown,
                OnMissing::Clear => Tri::True,
                OnMissing::Raise => Tri::False,
            },
            Trigger::Reading { reading, levels } => match &levels[place].clear {
                Some(clear) => self.ask(clear, reading, &mut ignored),
                None => !self.ask(&levels[place].raise, reading, &mut ignored),
            },
            Trigger::State { .. } | Trigger::Absent { .. } | Trigger::Composite(_) => !self.raise(place, &mut ignored),
        }
    }

    fn is_in(&self, states: &[SourceState]) -> Tri {
        match self.known.state {
            SourceState::Unknown | SourceState::Connecting => Tri::Unknown,
            state => states.contains(&state).into(),
        }
    }

    pub fn ask(&self, condition: &Condition, reading: &str, trouble: &mut Trouble) -> Tri {
        let env = self.env(reading);
        let tri = condition.eval(&env);
        if tri == Tri::Unknown {
            trouble.unknown = true;
            trouble.clash = env.clash.take().or(trouble.clash);
        }
        tri
    }

    fn env<'e>(&'e self, reading: &'e str) -> Env<'e> {
        Env {
            source: &self.known.source,
            x: self.value_of(reading),
            readings: self,
            limits: &self.known.limits,
            time: self.in_time(reading),
            clash: Cell::new(None),
        }
    }

    /// The value that the rule takes the reading to have.
    pub fn value_of(&self, reading: &str) -> Option<&Value> {
        let live = || self.slot(reading)?.live.as_ref().map(|last| &last.value);
        self.kept(reading).or_else(live)
    }

    /// What a broker remembers of the reading, for a rule that takes it as a state.
    fn kept(&self, reading: &str) -> Option<&Value> {
        self.slot(reading).and_then(|slot| slot.kept.as_ref()).filter(|_| self.rule.retained == Retained::State)
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
        let held = self.held(track);
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
        // What raises does not clear, or each look would do the one and then the other.
        let holds = |place: usize| raises[place] == Tri::True || self.clear(place) != Tri::True;
        if place.is_some_and(holds) || held {
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
            (track.alarm, track.set_ms) = (None, 0);
        }
    }

    fn held(&self, track: &Track) -> bool {
        track.raised_at().is_some_and(|raised| self.now.duration_since(raised) < self.rule.hold)
    }

    fn begin(&self, track: &mut Track, place: usize, out: &mut Vec<AlarmTransition>) {
        let evidence = self.evidence(place, true, track.timers[place].since);
        born(self.rule, &self.known.source, track, self.rule.level(place).0, evidence, self.now, out);
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
        let sees = levels.iter().any(|rule| rule.level == level && rule.sees_absence);
        (self.is_missing() && !sees) || self.known.blind.is_some() || unlimited
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
                let text = if self.is_left_out(level) { format!("no usable value of {reading}") } else { text };
                (text, env.x.cloned(), asked.values(&env))
            }
            Trigger::State { states, .. } => {
                let names: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
                let state = Value::Text(self.known.state.as_str().to_owned());
                (format!("state in [{}]", names.join(", ")), Some(state), BTreeMap::new())
            }
            Trigger::Absent { reading, .. } => {
                let last = self.slot(reading).and_then(|slot| slot.live.as_ref());
                (format!("no {reading}"), last.map(|last| last.value.clone()), BTreeMap::new())
            }
            Trigger::Composite(composite) => (composite.text(&composite.counts[place]), None, BTreeMap::new()),
        };
        let condition = shut.map_or(condition, |calendar| format!("outside {}", calendar.name));
        Evidence { rule_version: self.rule.version.to_string(), condition, value, values, since }
    }
}

/// Begins an alarm.
pub(super) fn born(
    rule: &Rule,
    source: &Source,
    track: &mut Track,
    level: Level,
    evidence: Evidence,
    now: Timestamp,
    out: &mut Vec<AlarmTransition>,
) {
    let chatters = chatters(rule, track, now);
    track.last_raise = now.as_millisecond().max(track.last_raise + 1);
    let transition = AlarmTransition {
        alarm: alarm_id(rule.id.as_str(), source.id.as_str(), track.last_raise),
        rule: rule.id.clone(),
        source: source.id.clone(),
        seq: 1,
        at: now,
        change: AlarmChange::Raised {
            level,
            hazard: rule.hazard,
            title: rule.title.clone(),
            action: rule.action.clone(),
            owner: Some(rule.owner.clone()),
            grid: source.grid.clone(),
            place: source.place,
            shelved_until: track.shelf.filter(|until| *until > now),
            // Whether another alarm explains it is found out by who sees all sources.
            suppressed_by: None,
            shadow: rule.is_shadow(),
            evidence,
        },
    };
    track.alarm = Alarm::begin(&transition).map(Box::new);
    out.push(transition);
    if let (Some(change), Some(alarm)) = (chatters, &mut track.alarm) {
        out.push(next(alarm, change, now));
    }
}

/// Forgets raises that no longer count.
pub(super) fn calm(rule: &Rule, track: &mut Track, now: Timestamp) {
    let from = rule.chatter.map_or(now, |chatter| shifted(now, -chatter.per)).as_millisecond();
    track.raises.retain(|at| *at > from);
}

/// When the last raise no longer counts.
pub(super) fn calm_at(rule: &Rule, track: &Track) -> Option<Timestamp> {
    let (chatter, last) = rule.chatter.zip(track.raises.last())?;
    Some(shifted(Timestamp::from_millisecond(*last).ok()?, chatter.per))
}

/// Notes that the alarm is raised, and puts the rule aside at this source when that is once too often. The alarm is
/// then shelved from its first moment; a transition of its own says by whom and why.
fn chatters(rule: &Rule, track: &mut Track, now: Timestamp) -> Option<AlarmChange> {
    let Chatter { count, per, shelve } = rule.chatter?;
    calm(rule, track, now);
    track.raises.push(now.as_millisecond());
    if track.raises.len() < count as usize || track.shelf.is_some_and(|until| until > now) {
        return None;
    }
    track.raises.clear();
    let until = shifted(now, shelve);
    track.shelf = Some(until);
    let reason = format!("raised {count} times within {}", time_text(per.as_secs().saturating_mul(1_000)));
    Some(AlarmChange::Shelved { by: UserId::new(HUB), until, reason, automatic: true })
}

/// Ends a shelf whose time is over.
pub(super) fn unshelve(track: &mut Track, now: Timestamp, out: &mut Vec<AlarmTransition>) {
    if track.shelf.is_none_or(|until| now < until) {
        return;
    }
    track.shelf = None;
    if let Some(alarm) = track.alarm.as_mut().filter(|alarm| alarm.shelved_until.is_some()) {
        out.push(next(alarm, AlarmChange::Unshelved { by: None }, now));
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
