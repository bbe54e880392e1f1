//! Rules over several sources at work: which part holds where, and what that makes of their anchors.
//!
//! A source that is a member of a part keeps whether the part's condition holds there, and until when it held; that is
//! the same for all anchors. Only when it changes are the anchors looked at that the source belongs to, so that quiet
//! members cost one condition a reading. How alarms are made of it is `whole.rs`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::SignedDuration;
use model::{AlarmChange, AlarmTransition, RuleId, SourceState, Timestamp, Value};
use serde::{Deserialize, Serialize};

use super::Engine;
use super::kin::Kin;
use super::memory::{Known, shifted};
use super::track::Track;
use super::view::{Trouble, View, WholeSight};
use super::whole::Whole;
use crate::composite::{Composite, Part, What};
use crate::expr::Tri;
use crate::rule::{Rule, Trigger};
use crate::ruleset::{RuleSet, selects};

/// The most sources named in an evidence.
const MAX_NAMED: usize = 32;

/// The rules over several sources, with their sources.
#[derive(Debug, Default)]
pub(super) struct Composites {
    groups: HashMap<u32, Group>,
    /// Whose part an alarm of a rule is: rule, part.
    by_alarm: HashMap<u32, Vec<(u32, u8)>>,
}

/// One rule over several sources.
#[derive(Debug)]
struct Group {
    anchors: Kin,
    /// The members of each part.
    parts: Vec<Kin>,
}

/// A source is a member of a part of a rule.
#[derive(Debug)]
pub(super) struct Membership {
    pub rule: u32,
    pub part: u8,
    /// None while nothing holds, nor held lately.
    pub held: Option<Held>,
}

impl Membership {
    /// Moves when it held by a step of the clock.
    pub fn step(&mut self, by: SignedDuration) {
        if let Some(held) = &mut self.held {
            held.until = held.until.map(|until| shifted(until, by));
        }
    }
}

/// That a part's condition held at a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Held {
    /// The last moment at which it held; none while it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    /// It did not end: from then on nobody could say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    dark: bool,
    /// The last value with which it held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
}

/// What was kept of a membership over a change of rules or a restart: rule, its version, part.
pub(super) type Kept = (RuleId, Arc<str>, u8, Held);

/// What a member says to its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// It holds, or held lately.
    Yes,
    No,
    /// It held when it was last heard.
    Lost,
    /// It cannot say, and did not hold.
    Mute,
}

/// What the members of a part say together.
#[derive(Debug, Default)]
struct Poll {
    yes: bool,
    no: bool,
    lost: bool,
    mute: bool,
}

impl Poll {
    fn take(&mut self, says: Says) {
        match says {
            Says::Yes => self.yes = true,
            Says::No => self.no = true,
            Says::Lost => self.lost = true,
            Says::Mute => self.mute = true,
        }
    }

    /// True when it holds somewhere; unknown when it held where nobody can say now, or when none of them can; a silent
    /// one that did not hold is no reason to doubt what the others say. A part without members is false.
    fn tri(&self) -> Tri {
        if self.yes {
            Tri::True
        } else if self.lost || (self.mute && !self.no) {
            Tri::Unknown
        } else {
            Tri::False
        }
    }
}

/// How the members stood before something happened to their source: place, what it said, until when it held.
pub(super) type Before = Vec<(usize, Says, Option<Option<Timestamp>>)>;

/// How the parts stand at an anchor.
#[derive(Debug)]
pub(super) struct Facts {
    /// Whether each holds, or held within the rule's time.
    pub parts: Vec<Tri>,
    /// Whether each holds at this moment.
    pub now: Vec<Tri>,
    /// When that may change though nothing comes.
    pub next: Option<Timestamp>,
}

/// One member of one part at one moment.
struct Member<'e> {
    engine: &'e Engine,
    rule: &'e Rule,
    composite: &'e Composite,
    known: &'e Known,
    part: u8,
    now: Timestamp,
}

impl Composites {
    fn rules(rules: &RuleSet) -> impl Iterator<Item = (u32, &Rule, &Composite)> {
        rules.all().enumerate().filter_map(|(number, rule)| match &rule.trigger {
            Trigger::Composite(composite) => Some((number as u32, rule, &**composite)),
            _ => None,
        })
    }
}

impl Member<'_> {
    fn view(&self) -> View<'_> {
        View { rule: self.rule, known: self.known, now: self.now }
    }

    fn what(&self) -> &What {
        &self.composite.parts[usize::from(self.part)].what
    }

    /// Whether the condition holds now.
    fn tri(&self) -> Tri {
        match self.what() {
            What::Reading { .. } if self.lost_since().is_some() => Tri::Unknown,
            What::Reading { reading, when, .. } => self.view().ask(when, reading, &mut Trouble::default()),
            What::State { states, .. } => match self.known.state {
                SourceState::Unknown | SourceState::Connecting => Tri::Unknown,
                state => states.contains(&state).into(),
            },
            What::Alarm { rule, .. } => self.alarm(rule).is_some().into(),
        }
    }

    fn alarm(&self, rule: &RuleId) -> Option<&model::Alarm> {
        let number = self.engine.rules.find(rule)?;
        let bound = self.known.bounds.binary_search_by_key(&number, |bound| bound.rule).ok()?;
        self.known.bounds[bound].alarm()
    }

    /// From when on nobody can say whether the reading's last value still holds.
    fn lost_since(&self) -> Option<Timestamp> {
        let What::Reading { reading, .. } = self.what() else { return None };
        let missing = self.view().horizon_of(reading).filter(|horizon| *horizon <= self.now);
        missing.into_iter().chain(self.known.blind).min()
    }

    fn listens_to(&self, name: &str) -> bool {
        match self.what() {
            What::Reading { reading, when, .. } => {
                **reading == *name || when.readings().iter().any(|other| ***other == *name)
            }
            What::State { .. } | What::Alarm { .. } => false,
        }
    }

    fn says(&self, held: Option<&Held>) -> Says {
        self.says_within(held, self.composite.within)
    }

    fn says_within(&self, held: Option<&Held>, within: SignedDuration) -> Says {
        let quiet = || if self.tri() == Tri::Unknown { Says::Mute } else { Says::No };
        let Some(held) = held else { return quiet() };
        match held.until.or_else(|| self.lost_since()) {
            None => Says::Yes,
            Some(until) if self.now < shifted(until, within) => Says::Yes,
            Some(_) if held.dark || held.until.is_none() => Says::Lost,
            Some(_) => quiet(),
        }
    }

    /// When it may say something else though nothing comes.
    fn next(&self, held: Option<&Held>) -> Option<Timestamp> {
        let horizon = match self.what() {
            What::Reading { reading, .. } => self.view().horizon_of(reading),
            What::State { .. } | What::Alarm { .. } => None,
        };
        let until = held.and_then(|held| held.until.or_else(|| self.lost_since()).or(horizon));
        let ends = until.map(|until| shifted(until, self.composite.within));
        ends.into_iter().chain(horizon).filter(|at| *at > self.now).min()
    }

    /// What is kept from now on.
    fn held(&self, held: Option<Held>) -> Option<Held> {
        match self.tri() {
            Tri::True => Some(Held { until: None, dark: false, value: self.value() }),
            Tri::False => {
                let held = held.map(|held| Held { until: held.until.or(Some(self.now)), dark: false, ..held });
                held.filter(|held| held.until.is_some_and(|until| self.now < shifted(until, self.composite.within)))
            }
            Tri::Unknown => held.map(|held| match held.until {
                Some(_) => held,
                None => Held { until: self.lost_since().or(Some(self.now)), dark: true, ..held },
            }),
        }
    }

    fn value(&self) -> Option<Value> {
        match self.what() {
            What::Reading { reading, .. } => self.view().value_of(reading).cloned(),
            What::State { .. } => Some(Value::Text(self.known.state.as_str().to_owned())),
            What::Alarm { rule, .. } => self.alarm(rule).map(|alarm| Value::Text(alarm.id.as_str().to_owned())),
        }
    }
}

impl Engine {
    /// Binds sources to the parts of rules; what is known of those that stay is kept.
    pub(super) fn gather_composites(&mut self, kept: &mut HashMap<model::SourceId, Vec<Kept>>) {
        self.composites = Composites::default();
        for known in &mut self.sources {
            known.memberships.clear();
        }
        for (number, rule, composite) in Composites::rules(&self.rules) {
            let kin = || Kin::new(composite.relation.clone());
            let mut group = Group { anchors: kin(), parts: composite.parts.iter().map(|_| kin()).collect() };
            for (at, known) in self.sources.iter_mut().enumerate() {
                if known.bounds.binary_search_by_key(&number, |bound| bound.rule).is_ok() {
                    group.anchors.insert(at as u32, &known.source);
                }
                for (part, members) in group.parts.iter_mut().enumerate() {
                    let is_member = match &composite.parts[part].what {
                        What::Reading { select, .. } | What::State { select, .. } => {
                            known.out_until.is_none() && selects(select, &known.source)
                        }
                        What::Alarm { rule, .. } => self
                            .rules
                            .find(rule)
                            .is_some_and(|other| known.bounds.binary_search_by_key(&other, |bound| bound.rule).is_ok()),
                    };
                    if !is_member {
                        continue;
                    }
                    members.insert(at as u32, &known.source);
                    let of_it =
                        |kept: &Kept| kept.0 == rule.id && kept.1 == rule.version && usize::from(kept.2) == part;
                    let those = kept.get_mut(&known.source.id);
                    let held = those.and_then(|those| Some(those.swap_remove(those.iter().position(of_it)?).3));
                    known.memberships.push(Membership { rule: number, part: part as u8, held });
                }
            }
            for (part, what) in composite.parts.iter().enumerate() {
                let What::Alarm { rule, .. } = &what.what else { continue };
                let Some(other) = self.rules.find(rule) else { continue };
                self.composites.by_alarm.entry(other).or_default().push((number, part as u8));
            }
            self.composites.groups.insert(number, group);
        }
    }

    /// What the memberships hold, to be kept over a change.
    pub(super) fn kept_of(rules: &[(RuleId, Arc<str>)], known: &Known) -> Vec<Kept> {
        let kept = |membership: &Membership| {
            let (rule, version) = &rules[membership.rule as usize];
            Some((rule.clone(), Arc::clone(version), membership.part, membership.held.clone()?))
        };
        known.memberships.iter().filter_map(kept).collect()
    }

    /// How the members at a source stand, before something happens to it; of those that listen to a reading, or of all.
    pub(super) fn before(&mut self, source: u32, reading: Option<&str>, now: Timestamp) -> Before {
        let mut before = Vec::new();
        for place in 0..self.sources[source as usize].memberships.len() {
            let member = self.member(source, place, now);
            if !reading.is_none_or(|name| member.listens_to(name)) {
                continue;
            }
            let held = self.sources[source as usize].memberships[place].held.as_ref();
            let (says, until) = (member.says(held), held.map(|held| held.until));
            // What was lost meanwhile ended then, not when the next value comes.
            if let Some(lost) = member.lost_since().filter(|_| until == Some(None))
                && let Some(held) = &mut self.sources[source as usize].memberships[place].held
            {
                (held.until, held.dark) = (Some(lost), true);
            }
            before.push((place, says, until));
        }
        before
    }

    /// The anchors, as source and bound, that must be looked at after something has happened to a member.
    pub(super) fn touched(&mut self, source: u32, before: Before, now: Timestamp) -> Vec<(u32, u32)> {
        let mut touched = Vec::new();
        for (place, said, until) in before {
            self.refresh(source, place, now);
            let held = self.sources[source as usize].memberships[place].held.as_ref();
            let says = self.member(source, place, now).says(held);
            let moved = held.map(|held| held.until) != until;
            if says == said && !moved {
                continue;
            }
            let anchors = self.anchors_of(source, self.sources[source as usize].memberships[place].rule);
            // What does not hold and did not can begin nothing: then only where something goes on it matters.
            let quiet = !moved && says != Says::Yes && said != Says::Yes;
            let goes_on =
                |anchor: &(u32, u32)| self.sources[anchor.0 as usize].bounds[anchor.1 as usize].track.is_some();
            touched.extend(anchors.into_iter().filter(|anchor| !quiet || goes_on(anchor)));
        }
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    /// Looks at every member, before everything is looked at.
    pub(super) fn refresh_members(&mut self, now: Timestamp) {
        for source in 0..self.sources.len() as u32 {
            for place in 0..self.sources[source as usize].memberships.len() {
                self.refresh(source, place, now);
            }
        }
    }

    /// What the alarms `made` mean for rules of which they are a part.
    pub(super) fn compose(
        &mut self,
        source: u32,
        bound: u32,
        made: std::ops::Range<usize>,
        now: Timestamp,
        out: &mut Vec<AlarmTransition>,
    ) {
        let rule = self.sources[source as usize].bounds[bound as usize].rule;
        let Some(parts) = self.composites.by_alarm.get(&rule) else { return };
        let moved =
            |made: &AlarmTransition| matches!(made.change, AlarmChange::Raised { .. } | AlarmChange::Cleared { .. });
        if !out[made].iter().any(moved) {
            return;
        }
        for (composite, part) in parts.clone() {
            let of_it = |membership: &Membership| (membership.rule, membership.part) == (composite, part);
            let Some(place) = self.sources[source as usize].memberships.iter().position(of_it) else { continue };
            self.refresh(source, place, now);
            for (anchor, bound) in self.anchors_of(source, composite) {
                self.evaluate(anchor, bound, now, out);
            }
        }
    }

    /// How the parts of a rule stand at an anchor.
    pub(super) fn facts(&self, rule: u32, composite: &Composite, source: u32, now: Timestamp) -> Facts {
        let count = composite.parts.len();
        let mut facts = Facts { parts: Vec::with_capacity(count), now: Vec::with_capacity(count), next: None };
        for part in 0..count {
            let (mut lately, mut now_on) = (Poll::default(), Poll::default());
            for (member, held) in self.members(rule, part as u8, source, now) {
                lately.take(member.says(held));
                now_on.take(member.says_within(held, SignedDuration::ZERO));
                facts.next = facts.next.into_iter().chain(member.next(held)).min();
            }
            facts.parts.push(lately.tri());
            facts.now.push(now_on.tri());
        }
        facts
    }

    /// The values of the parts that hold: `smoke@smoke-1` is true.
    pub(super) fn values(
        &self,
        rule: u32,
        composite: &Composite,
        source: u32,
        now: Timestamp,
    ) -> BTreeMap<String, Value> {
        let mut values = BTreeMap::new();
        for (part, what) in composite.parts.iter().enumerate() {
            for (member, held) in self.members(rule, part as u8, source, now) {
                let value = held.filter(|_| member.says(held) == Says::Yes).and_then(|held| held.value.clone());
                if let Some(value) = value.filter(|_| values.len() < MAX_NAMED) {
                    values.insert(format!("{}@{}", what.name, member.known.source.id), value);
                }
            }
        }
        values
    }

    /// Looks at an anchor; answers with what goes on there, or none when nothing does.
    pub(super) fn judge_composite(
        &self,
        source: u32,
        number: u32,
        track: Option<Box<Track>>,
        now: Timestamp,
        out: &mut Vec<AlarmTransition>,
    ) -> Option<Box<Track>> {
        let rule = self.rules.at(number);
        let Trigger::Composite(composite) = &rule.trigger else { return track };
        let known = &self.sources[source as usize];
        let facts = self.facts(number, composite, source, now);
        let values = || Cow::Owned(self.values(number, composite, source, now));
        let whole = Whole { rule, composite, source: &known.source, facts: &facts, values: &values, now };
        let raises = whole.raises();
        if track.is_none() && !raises.contains(&Tri::True) {
            return None;
        }
        let mut track = track.unwrap_or_default();
        whole.judge(&mut track, &raises, out);
        Some(track)
    }

    /// What is seen at an anchor, for a person to read.
    pub(super) fn whole_sight(&self, number: u32, composite: &Composite, source: u32, now: Timestamp) -> WholeSight {
        let (rule, known) = (self.rules.at(number), &self.sources[source as usize]);
        let facts = self.facts(number, composite, source, now);
        let values = || Cow::Owned(BTreeMap::new());
        let raises = Whole { rule, composite, source: &known.source, facts: &facts, values: &values, now }.raises();
        let part = |(part, tri): (&Part, &Tri)| {
            let holds = match tri {
                Tri::Unknown => None,
                tri => Some(Value::Bool(*tri == Tri::True)),
            };
            WholeSight::name(part.name.to_string(), holds)
        };
        let held = self.values(number, composite, source, now);
        let held = held.into_iter().map(|(name, value)| WholeSight::name(name, Some(value)));
        let names = composite.parts.iter().zip(&facts.parts).map(part).chain(held).collect();
        WholeSight { raises, names }
    }

    /// When an anchor must be looked at again if nothing comes.
    pub(super) fn next_look_at_composite(
        &self,
        source: u32,
        number: u32,
        track: &Track,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let rule = self.rules.at(number);
        let Trigger::Composite(composite) = &rule.trigger else { return None };
        let facts = self.facts(number, composite, source, now);
        let values = || Cow::Owned(BTreeMap::new());
        let known = &self.sources[source as usize];
        Whole { rule, composite, source: &known.source, facts: &facts, values: &values, now }.next_look(track)
    }

    fn member(&self, source: u32, place: usize, now: Timestamp) -> Member<'_> {
        let known = &self.sources[source as usize];
        let Membership { rule, part, .. } = known.memberships[place];
        self.member_of(rule, part, known, now)
    }

    fn member_of<'e>(&'e self, rule: u32, part: u8, known: &'e Known, now: Timestamp) -> Member<'e> {
        let rule = self.rules.at(rule);
        let Trigger::Composite(composite) = &rule.trigger else {
            unreachable!("only rules over several sources have members")
        };
        Member { engine: self, rule, composite, known, part, now }
    }

    /// The members of a part that belong to an anchor, with what is kept of them.
    fn members(
        &self,
        rule: u32,
        part: u8,
        anchor: u32,
        now: Timestamp,
    ) -> impl Iterator<Item = (Member<'_>, Option<&Held>)> {
        let kin = self.composites.groups.get(&rule).map(|group| &group.parts[usize::from(part)]);
        let those = kin.map(|kin| kin.of(anchor, &self.sources[anchor as usize].source)).unwrap_or_default();
        those.into_iter().map(move |at| {
            let known = &self.sources[at as usize];
            let of_it = |membership: &&Membership| (membership.rule, membership.part) == (rule, part);
            let held = known.memberships.iter().find(of_it).and_then(|membership| membership.held.as_ref());
            (self.member_of(rule, part, known, now), held)
        })
    }

    fn refresh(&mut self, source: u32, place: usize, now: Timestamp) {
        let held = self.sources[source as usize].memberships[place].held.take();
        let held = self.member(source, place, now).held(held);
        self.sources[source as usize].memberships[place].held = held;
    }

    /// The anchors of a rule that a member belongs to, as source and bound.
    fn anchors_of(&self, member: u32, rule: u32) -> Vec<(u32, u32)> {
        let Some(group) = self.composites.groups.get(&rule) else { return Vec::new() };
        let anchors = group.anchors.of(member, &self.sources[member as usize].source);
        let bound = |at: &u32| self.sources[*at as usize].bounds.binary_search_by_key(&rule, |bound| bound.rule).ok();
        anchors.into_iter().filter_map(|at| Some((at, bound(&at)? as u32))).collect()
    }
}

#[cfg(test)]
#[path = "composite_tests.rs"]
mod tests;
