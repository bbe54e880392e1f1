//! The engine: observations and link states in, alarm transitions out. Pure: all it says depends on its inputs and
//! their times alone, so that a restart, a test and the live hub say the same.
//!
//! Time is that of receipt, in whole milliseconds, as the history keeps it. Every deadline before an input is run
//! first, at its own time. A value that is missing, bad or of the wrong kind neither raises nor clears.
//!
//! What goes on between one rule and one source is a track (`track.rs`); it exists only while something goes on, and
//! has at most one deadline, so that 20,000 quiet sources cost nothing but their last values.

mod composite;
mod explain;
mod inhibit;
mod kin;
mod memory;
mod recovery;
#[cfg(test)]
mod related_town;
mod seen;
mod snapshot;
mod track;
mod view;
mod whole;
mod window;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::SignedDuration;
use model::{
    Alarm, AlarmChange, AlarmId, AlarmTransition, Evidence, Observation, Profile, RuleId, Source, SourceId,
    SourceState, SourceStatus, Timestamp,
};

use crate::handle::{AlarmCommand, Refused};
use crate::info::RuleInfo;
use crate::rule::{Rule, RuleStatus, Trigger};
use crate::ruleset::{RuleSet, measures_alike};
use composite::Composites;
use inhibit::Inhibitions;
use memory::{Bound, Known};
pub use recovery::Recovery;
pub use snapshot::Snapshot;
use track::{Timer, Track, next};
use view::{Trouble, View};

/// The longest time an alarm can be put aside.
pub(crate) const MAX_SHELF: SignedDuration = SignedDuration::from_hours(8);
/// The longest reason, in characters.
const MAX_REASON_CHARS: usize = 500;
/// The condition in the evidence with which alarms of a source end that is taken out of service.
pub(crate) const OUT_OF_SERVICE: &str = "the source is out of service";
/// What `ingest` says when a sensor's broker, not the sensor, is away.
const BROKER_AWAY: &str = "broker_unreachable";

/// Rules at work.
#[derive(Debug)]
pub struct Engine {
    rules: RuleSet,
    /// By id.
    sources: Vec<Known>,
    places: HashMap<SourceId, u32>,
    /// When to look at which source's which bound; one entry a track at most.
    deadlines: BTreeSet<(Timestamp, u32, u32)>,
    /// The next edge of each rule's calendar, by rule.
    edges: BTreeSet<(Timestamp, u32)>,
    /// Where each active alarm is.
    alarms: HashMap<AlarmId, (u32, u32)>,
    /// Which alarms explain which.
    inhibitions: Inhibitions,
    /// The rules over several sources, with these.
    composites: Composites,
    /// What is to be looked at, emptied after each reading; kept so that none need allocate it.
    looks: Vec<(u32, u32)>,
    /// Per rule: how often it could not say, and the last value that did not fit.
    troubles: Vec<(u64, Option<String>)>,
    /// When the next source is back in service.
    returns_at: Option<Timestamp>,
    /// Per rule: how many sources measure something else than its unit, and the first of them with its unit.
    unlike: Vec<Option<(usize, SourceId, String)>>,
    /// The latest moment it has heard of.
    clock: Timestamp,
}

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(rules: RuleSet, sources: impl IntoIterator<Item = Arc<Source>>, now: Timestamp) -> Self {
        let mut engine = Self {
            rules: RuleSet::default(),
            sources: Vec::new(),
            places: HashMap::new(),
            deadlines: BTreeSet::new(),
            edges: BTreeSet::new(),
            alarms: HashMap::new(),
            inhibitions: Inhibitions::default(),
            composites: Composites::default(),
            looks: Vec::new(),
            troubles: Vec::new(),
            returns_at: None,
            unlike: Vec::new(),
            clock: Timestamp::MIN,
        };
        engine.rebuild(Some(rules), sources, now);
        engine
    }

    /// Replaces the registry. What is known of sources that stay is kept; alarms of those that go end.
    pub fn replace_sources(
        &mut self,
        sources: impl IntoIterator<Item = Arc<Source>>,
        now: Timestamp,
    ) -> Vec<AlarmTransition> {
        let mut out = self.tick(now);
        out.extend(self.rebuild(None, sources, now));
        out
    }

    /// Replaces the rules. A rule of the same meaning goes on as it was; timers of one that has changed begin anew and
    /// its alarms stay until the new meaning clears them; alarms of one that is gone end. The alarm of one that goes on
    /// trial or into force ends, its timers go on, and what still holds is raised anew at once.
    pub fn replace_rules(&mut self, rules: RuleSet, now: Timestamp) -> Vec<AlarmTransition> {
        let mut out = self.tick(now);
        let sources: Vec<Arc<Source>> = self.sources.iter().map(|known| Arc::clone(&known.source)).collect();
        out.extend(self.rebuild(Some(rules), sources, now));
        out
    }

    /// Takes a reading in; `received_at` is its time.
    pub fn observe(&mut self, observation: &Observation) -> Vec<AlarmTransition> {
        let now = in_ms(observation.received_at);
        let mut out = self.tick(now);
        let Some(&source) = self.places.get(&observation.source) else { return out };
        let before = self.before(source, Some(&observation.reading), now);
        if !self.sources[source as usize].take(observation, now) {
            return out;
        }
        let mut looks = std::mem::take(&mut self.looks);
        looks.extend(self.touched(source, before, now));
        let bounds = self.sources[source as usize].bounds.iter().enumerate();
        let listens = |rule| self.rules.at(rule).listens.contains(&observation.reading);
        looks.extend(bounds.filter(|(_, bound)| listens(bound.rule)).map(|(bound, _)| (source, bound as u32)));
        self.evaluate_each(&mut looks, now, &mut out);
        self.looks = looks;
        out
    }

    /// Takes the state of a source's link in.
    pub fn status(&mut self, status: &SourceStatus, now: Timestamp) -> Vec<AlarmTransition> {
        let now = in_ms(now);
        let mut out = self.tick(now);
        let Some(&source) = self.places.get(&status.source) else { return out };
        let known = &mut self.sources[source as usize];
        // A camera is judged by the stream that is always pulled.
        if status.profile == Some(Profile::Main) && known.source.tags.contains_key("sub") {
            return out;
        }
        let before = self.before(source, None, now);
        let known = &mut self.sources[source as usize];
        known.state = status.state;
        let away = status.state == SourceState::Unknown && status.reason.as_deref() == Some(BROKER_AWAY);
        match (known.blind, away) {
            (None, true) => known.blind = Some(now),
            (Some(since), false) => {
                known.blind = None;
                known.heard = now;
                known.shift(now.duration_since(since).max(SignedDuration::ZERO));
            }
            _ => {}
        }
        let mut looks = self.touched(source, before, now);
        looks.extend((0..self.sources[source as usize].bounds.len() as u32).map(|bound| (source, bound)));
        self.evaluate_each(&mut looks, now, &mut out);
        out
    }

    /// The hub's clock has been set by `by` and shows `now`: no time has gone by. Everything that is counted in time
    /// goes on where it was, so that a step neither raises nor clears; only calendars, which people read off a clock,
    /// and shelves, whose ends they were told, follow the new time.
    pub fn clock_stepped(&mut self, by: SignedDuration, now: Timestamp) -> Vec<AlarmTransition> {
        let now = in_ms(now);
        for known in &mut self.sources {
            known.step(by);
            known.memberships.iter_mut().for_each(|membership| membership.step(by));
            known.bounds.iter_mut().filter_map(|bound| bound.track.as_mut()).for_each(|track| track.step(by));
        }
        self.clock = now;
        let mut out = Vec::new();
        self.look_at_all(now, &mut out);
        out
    }

    /// Runs every deadline up to `now`, each at its own time.
    pub fn tick(&mut self, now: Timestamp) -> Vec<AlarmTransition> {
        let mut out = Vec::new();
        self.clock = self.clock.max(in_ms(now));
        loop {
            let edge = self.edges.first().copied().filter(|(at, _)| *at <= now);
            let look = self.deadlines.first().copied().filter(|(at, _, _)| *at <= now);
            let first = edge.map(|(at, _)| at).into_iter().chain(look.map(|(at, _, _)| at)).min();
            if let Some(at) = self.returns_at.filter(|at| *at <= first.unwrap_or(now)) {
                let sources: Vec<Arc<Source>> = self.sources.iter().map(|known| Arc::clone(&known.source)).collect();
                out.extend(self.rebuild(None, sources, at));
                continue;
            }
            match (edge, look) {
                (Some((at, rule)), look) if look.is_none_or(|(other, _, _)| at <= other) => {
                    self.edges.pop_first();
                    self.plan_edge(rule, at);
                    self.evaluate_all_of(rule, at, &mut out);
                }
                (_, Some((at, _, _))) => self.look_at_due(at, &mut out),
                _ => return out,
            }
        }
    }

    /// When [`Engine::tick`] next has something to do.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let edge = self.edges.first().map(|(at, _)| *at);
        let look = self.deadlines.first().map(|(at, _, _)| *at);
        edge.into_iter().chain(look).chain(self.returns_at.filter(|at| *at < Timestamp::MAX)).min()
    }

    /// Does what a person asks to an active alarm, or says why not.
    pub fn command(
        &mut self,
        alarm: &AlarmId,
        command: AlarmCommand,
        now: Timestamp,
    ) -> Result<AlarmTransition, Refused> {
        let track = self.track_of(alarm).ok_or(Refused::NotFound)?;
        let found = track.alarm.as_mut().ok_or(Refused::NotFound)?;
        let change = match command {
            AlarmCommand::Acknowledge { by } => match &found.acknowledged_by {
                Some(first) => return Err(Refused::AlreadyDone(format!("already acknowledged by {first}"))),
                None => AlarmChange::Acknowledged { by },
            },
            AlarmCommand::Shelve { by, until, reason } => {
                let reason = reason.trim().to_owned();
                if reason.is_empty() || reason.chars().count() > MAX_REASON_CHARS {
                    return Err(Refused::BadField(format!("reason: 1 to {MAX_REASON_CHARS} characters")));
                }
                if until <= now || until.duration_since(now) > MAX_SHELF {
                    let most = MAX_SHELF.as_mins();
                    return Err(Refused::BadField(format!("minutes: 1 to {most}")));
                }
                let until = in_ms(until);
                track.shelf = Some(until);
                AlarmChange::Shelved { by, until, reason, automatic: false }
            }
            AlarmCommand::Unshelve { by } => {
                if found.shelved_until.is_none() {
                    return Err(Refused::AlreadyDone("it is not shelved".to_owned()));
                }
                track.shelf = None;
                AlarmChange::Unshelved { by: Some(by) }
            }
        };
        let transition = next(found, change, now);
        if let Some(&(source, bound)) = self.alarms.get(alarm) {
            self.plan(source, bound, now);
        }
        Ok(transition)
    }

    /// Takes back what a command did, when it could not be kept; `before` is the alarm as it stood.
    pub fn undo(&mut self, before: &Alarm) {
        if let Some(track) = self.track_of(&before.id) {
            track.alarm = Some(Box::new(before.clone()));
            track.shelf = before.shelved_until;
        }
    }

    /// An active alarm.
    pub fn alarm(&self, id: &AlarmId) -> Option<&Alarm> {
        let (source, bound) = self.alarms.get(id)?;
        self.sources[*source as usize].bounds[*bound as usize].track.as_ref()?.alarm.as_deref()
    }

    /// The active alarms.
    pub fn alarms(&self) -> impl Iterator<Item = &Alarm> {
        self.tracks().filter_map(|(_, track)| track.alarm.as_deref())
    }

    /// Where a rule is in its life; none for one that is not in the set.
    pub fn status_of(&self, rule: &RuleId) -> Option<RuleStatus> {
        self.rules.find(rule).map(|number| self.rules.at(number).status)
    }

    /// The rules with what they are doing.
    pub fn rules(&self) -> Vec<RuleInfo> {
        let mut infos: Vec<RuleInfo> = self.rules.all().map(RuleInfo::of).collect();
        for (info, (unknowns, last_error)) in infos.iter_mut().zip(&self.troubles) {
            (info.unknowns, info.last_error) = (*unknowns, last_error.clone());
        }
        self.standing_errors(&mut infos);
        for known in &self.sources {
            for bound in &known.bounds {
                infos[bound.rule as usize].sources += 1;
            }
        }
        for (rule, track) in self.tracks() {
            let info = &mut infos[rule as usize];
            info.active_alarms += usize::from(track.alarm.is_some());
            info.pending += usize::from(track.alarm.is_none() && track.timers.iter().any(Timer::is_on));
        }
        infos
    }

    /// What is wrong with a rule as long as rules and registry are as they are comes before a passing value.
    fn standing_errors(&self, infos: &mut [RuleInfo]) {
        for known in &self.sources {
            let Some(slot) = known.thinned().next() else { continue };
            for bound in &known.bounds {
                let rule = self.rules.at(bound.rule);
                if rule.spans.iter().any(|(reading, _)| *reading == slot.name) {
                    infos[bound.rule as usize].last_error = Some(format!(
                        "{} of {} comes so often that older samples of its window are joined: its far edge is coarse",
                        slot.name, known.source.id
                    ));
                }
            }
        }
        for (info, unlike) in infos.iter_mut().zip(&self.unlike) {
            let Some((count, source, unit)) = unlike else { continue };
            let wanted = info.unit.as_deref().unwrap_or_default();
            info.last_error = Some(format!(
                "{count} sources are not watched, for they do not measure what the rule does: {source} is in {unit}, \
                 the rule in {wanted}"
            ));
        }
    }

    fn tracks(&self) -> impl Iterator<Item = (u32, &Track)> {
        let bounds = self.sources.iter().flat_map(|known| &known.bounds);
        bounds.filter_map(|bound| Some((bound.rule, &**bound.track.as_ref()?)))
    }

    fn track_of(&mut self, alarm: &AlarmId) -> Option<&mut Track> {
        let (source, bound) = *self.alarms.get(alarm)?;
        self.sources[source as usize].bounds[bound as usize].track.as_deref_mut()
    }

    /// The end of an alarm whose rule or source is gone, whose rule plays another part, or whose source is out of service.
    fn ended(&self, alarm: &mut Alarm, now: Timestamp) -> AlarmTransition {
        let known = self.places.get(&alarm.source).map(|place| &self.sources[*place as usize]);
        let out = known.is_some_and(|known| known.out_until.is_some());
        let evidence = Evidence {
            rule_version: alarm.evidence.rule_version.clone(),
            condition: if out { OUT_OF_SERVICE } else { "the rule no longer watches this source as it did" }.to_owned(),
            value: None,
            values: std::collections::BTreeMap::new(),
            since: None,
        };
        next(alarm, AlarmChange::Cleared { evidence }, now)
    }

    /// The sources that no rule is about now, because the registry says so.
    pub fn out_of_service(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.sources.iter().filter(|known| known.out_until.is_some()).map(|known| &known.source)
    }

    /// Binds rules to sources; says which alarms have lost theirs.
    fn rebuild(
        &mut self,
        rules: Option<RuleSet>,
        sources: impl IntoIterator<Item = Arc<Source>>,
        now: Timestamp,
    ) -> Vec<AlarmTransition> {
        let now = in_ms(now);
        self.clock = self.clock.max(now);
        let old_rules: Vec<(RuleId, Arc<str>)> =
            self.rules.all().map(|rule| (rule.id.clone(), Arc::clone(&rule.version))).collect();
        if let Some(rules) = rules {
            let troubles = std::mem::take(&mut self.troubles);
            let mut troubles: HashMap<&RuleId, _> = old_rules.iter().map(|(id, _)| id).zip(troubles).collect();
            self.troubles = rules.all().map(|rule| troubles.remove(&rule.id).unwrap_or_default()).collect();
            self.rules = rules;
        }
        let mut old: HashMap<SourceId, Known> =
            std::mem::take(&mut self.sources).into_iter().map(|known| (known.source.id.clone(), known)).collect();
        let mut sources: Vec<Arc<Source>> = sources.into_iter().collect();
        sources.sort_by(|a, b| a.id.cmp(&b.id));
        sources.dedup_by(|a, b| a.id == b.id);
        self.unlike = vec![None; self.rules.len()];
        let mut gone = Vec::new();
        let mut kept: HashMap<SourceId, Vec<_>> = HashMap::new();
        for source in sources {
            let mut known = match old.remove(&source.id) {
                Some(mut known) => {
                    kept.insert(source.id.clone(), Self::kept_of(&old_rules, &known));
                    known.set_source(source, now);
                    known
                }
                None => Known::new(source, now),
            };
            let mut tracks: HashMap<RuleId, (Arc<str>, Box<Track>)> = known
                .bounds
                .drain(..)
                .filter_map(|bound| {
                    let (rule, version) = &old_rules[bound.rule as usize];
                    Some((rule.clone(), (Arc::clone(version), bound.track?)))
                })
                .collect();
            let in_service = known.out_until.is_none();
            for (number, rule) in self.rules.about(&known.source).filter(|_| in_service) {
                let track = tracks.remove(&rule.id).map(|(version, mut track)| {
                    if version != rule.version {
                        track.timers.clear();
                    }
                    // On trial it was told to nobody; in force it must be, and the other way round.
                    gone.extend(track.alarm.take_if(|alarm| !is_of(alarm, rule)));
                    track
                });
                if measures_alike(rule, &known.source) {
                    known.bounds.push(Bound { rule: number, track });
                } else {
                    gone.extend(track.and_then(|track| track.alarm));
                    let unlike = &mut self.unlike[number as usize];
                    unlike.get_or_insert_with(|| (0, known.source.id.clone(), known.source.unit.clone())).0 += 1;
                }
            }
            gone.extend(tracks.into_values().filter_map(|(_, track)| track.alarm));
            let bounds = std::mem::take(&mut known.bounds);
            known.fit(bounds.iter().map(|bound| self.rules.at(bound.rule)), now);
            known.bounds = bounds;
            self.sources.push(known);
        }
        let lost = old.into_values().flat_map(|known| known.bounds);
        gone.extend(lost.filter_map(|bound| bound.track?.alarm));
        gone.sort_by(|a, b| a.id.cmp(&b.id));
        self.places = self.sources.iter().enumerate().map(|(at, known)| (known.source.id.clone(), at as u32)).collect();
        self.gather_composites(&mut kept);
        self.returns_at = self.sources.iter().filter_map(|known| known.out_until).min();
        let mut out: Vec<AlarmTransition> = gone.iter_mut().map(|alarm| self.ended(alarm, now)).collect();
        self.look_at_all(now, &mut out);
        out
    }

    /// Plans every deadline anew, and looks once at everything.
    fn look_at_all(&mut self, now: Timestamp, out: &mut Vec<AlarmTransition>) {
        self.deadlines.clear();
        self.edges.clear();
        self.alarms.clear();
        for rule in 0..self.rules.len() as u32 {
            self.plan_edge(rule, now);
        }
        for (source, known) in self.sources.iter_mut().enumerate() {
            for (bound, place) in known.bounds.iter_mut().enumerate() {
                let Some(track) = &mut place.track else { continue };
                track.wake = None;
                if let Some(alarm) = &track.alarm {
                    self.alarms.insert(alarm.id.clone(), (source as u32, bound as u32));
                }
            }
        }
        self.gather_inhibitions();
        self.refresh_members(now);
        let bounds =
            |(source, known): (usize, &Known)| (0..known.bounds.len()).map(move |at| (source as u32, at as u32));
        let mut looks = self.sources.iter().enumerate().flat_map(bounds).collect();
        self.evaluate_each(&mut looks, now, out);
    }

    /// Everything that is due at one moment, causes before what they explain.
    fn look_at_due(&mut self, at: Timestamp, out: &mut Vec<AlarmTransition>) {
        let mut due = Vec::new();
        while let Some((_, source, bound)) = self.deadlines.first().copied().filter(|(when, _, _)| *when == at) {
            self.deadlines.pop_first();
            let place = &mut self.sources[source as usize].bounds[bound as usize];
            if let Some(track) = &mut place.track {
                track.wake = None;
            }
            due.push((source, bound));
        }
        self.evaluate_each(&mut due, at, out);
    }

    /// Causes before what they explain, else by source and rule.
    fn evaluate_each(&mut self, looks: &mut Vec<(u32, u32)>, now: Timestamp, out: &mut Vec<AlarmTransition>) {
        let rank = |(source, bound): (u32, u32)| {
            self.inhibitions.rank(self.sources[source as usize].bounds[bound as usize].rule)
        };
        looks.sort_unstable_by_key(|look| (rank(*look), *look));
        looks.dedup();
        for (source, bound) in looks.drain(..) {
            self.evaluate(source, bound, now, out);
        }
    }

    fn plan_edge(&mut self, rule: u32, now: Timestamp) {
        if let Some(at) = self.rules.at(rule).only.as_ref().and_then(|calendar| calendar.next_edge(now)) {
            self.edges.insert((at, rule));
        }
    }

    fn evaluate_all_of(&mut self, rule: u32, now: Timestamp, out: &mut Vec<AlarmTransition>) {
        for source in 0..self.sources.len() as u32 {
            let bounds = &self.sources[source as usize].bounds;
            if let Ok(bound) = bounds.binary_search_by_key(&rule, |bound| bound.rule) {
                self.evaluate(source, bound as u32, now, out);
            }
        }
    }

    fn evaluate(&mut self, source: u32, bound: u32, now: Timestamp, out: &mut Vec<AlarmTransition>) {
        let place = &mut self.sources[source as usize].bounds[bound as usize];
        let (number, track) = (place.rule, place.track.take());
        if let Trigger::Composite(_) = self.rules.at(number).trigger {
            let from = out.len();
            if let Some(track) = self.judge_composite(source, number, track, now, out) {
                self.settle(source, bound, track, from, now, out);
            }
            return;
        }
        let view = View { rule: self.rules.at(number), known: &self.sources[source as usize], now };
        let mut trouble = Trouble::default();
        let raises = view.raises(&mut trouble);
        if trouble.unknown {
            let (count, last) = &mut self.troubles[number as usize];
            *count += 1;
            if let Some(clash) = trouble.clash {
                *last = Some(format!("{}: found {}, expected {}", clash.operator, clash.found, clash.expected));
            }
        }
        let nothing_goes_on = track.is_none() && !raises.contains(&crate::expr::Tri::True);
        if nothing_goes_on && view.next_look(&Track::default()).is_none() {
            return;
        }
        let mut track = track.unwrap_or_default();
        let from = out.len();
        view.judge(&mut track, &raises, out);
        self.settle(source, bound, track, from, now, out);
    }

    /// Puts a track back after a look, and tells those whom its alarms since `from` concern.
    fn settle(
        &mut self,
        source: u32,
        bound: u32,
        track: Box<Track>,
        from: usize,
        now: Timestamp,
        out: &mut Vec<AlarmTransition>,
    ) {
        for made in &out[from..] {
            match made.change {
                AlarmChange::Raised { .. } => drop(self.alarms.insert(made.alarm.clone(), (source, bound))),
                AlarmChange::Cleared { .. } => drop(self.alarms.remove(&made.alarm)),
                _ => {}
            }
        }
        self.sources[source as usize].bounds[bound as usize].track = Some(track);
        let until = out.len();
        self.inhibit(source, bound, from, now, out);
        self.plan(source, bound, now);
        self.compose(source, bound, from..until, now, out);
    }

    /// Notes when the track must be looked at again, and lets go of one with which nothing goes on. An earlier look
    /// that is planned already stays: it finds nothing and plans the later one.
    fn plan(&mut self, source: u32, bound: u32, now: Timestamp) {
        let place = &self.sources[source as usize].bounds[bound as usize];
        let Some(track) = &place.track else { return };
        let view = View { rule: self.rules.at(place.rule), known: &self.sources[source as usize], now };
        let wanted = match view.rule.trigger {
            Trigger::Composite(_) => self.next_look_at_composite(source, place.rule, track, now),
            _ => view.next_look(track),
        };
        let planned = track.wake;
        let wake = match (planned, wanted) {
            (Some(planned), Some(wanted)) if planned <= wanted => Some(planned),
            _ => wanted,
        };
        if wake != planned {
            if let Some(planned) = planned {
                self.deadlines.remove(&(planned, source, bound));
            }
            if let Some(wake) = wake {
                self.deadlines.insert((wake, source, bound));
            }
        }
        let place = &mut self.sources[source as usize].bounds[bound as usize].track;
        if let Some(track) = place {
            track.wake = wake;
            if track.is_idle(now) {
                *place = None;
            }
        }
    }
}

/// Whole milliseconds: what the history keeps of a time, so that a replay gives the same.
fn in_ms(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// Whether the alarm was raised by the rule in the part it now plays: on trial, or in force.
fn is_of(alarm: &Alarm, rule: &Rule) -> bool {
    alarm.shadow == rule.is_shadow()
}

#[cfg(test)]
mod service_tests;
#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "engine/life_tests.rs"]
mod life_tests;

#[cfg(test)]
#[path = "engine/time_tests.rs"]
mod time_tests;

#[cfg(test)]
#[path = "engine/property_tests.rs"]
mod property_tests;

#[cfg(test)]
#[path = "engine/field_tests.rs"]
mod field_tests;
