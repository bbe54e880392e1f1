//! The measures as a fold of the event log: each row once, in its order, with the time at which it was written.
//!
//! A row's own time, not that of its alarm, says when people were told: after a long stop they are told at once. How long
//! an alarm stood or waited is by its own times. The clock only goes forward. Whatever time alone brings about (a flood
//! ends, an alarm has stood for a day) happens at its own second, before the next row; so it does not matter how often
//! the clock is looked at, and a fold of the whole log ends where the live one is.

use std::collections::{HashMap, VecDeque};

use model::{
    AlarmChange, AlarmId, AlarmTransition, Flood, FloodChange, FloodTransition, IncidentChange, IncidentTransition,
    Level, LogBody, LogEntry, Origin, RuleId, SourceId, Timestamp,
};

use super::cases::Cases;
use super::cause::Cause;
use super::desk::Desk;
use super::hours::{HOUR_S, Hour};
use super::raises::Raises;

/// Desks that have figures of their own; rules of further owners count in the hub's alone.
const MAX_DESKS: usize = 64;
/// The hub as a whole.
pub(crate) const ALL: u8 = 0;
/// An alarm that clears within this time was not worth a look.
const FLEETING_MS: i64 = 10_000;
/// An alarm that stands for longer is part of the furniture.
const STANDING_S: i64 = 24 * HOUR_S;

/// An active alarm.
#[derive(Debug, Clone)]
struct Open {
    pair: u32,
    desk: u8,
    level: Level,
    raised_ms: i64,
    /// Its number in the ring; none while it was never announced.
    raise: Option<u64>,
    kept_back: Option<Cause>,
    acknowledged: bool,
    shelved: bool,
    suppressed: bool,
    /// Has stood for more than a day.
    stands: bool,
}

/// What the alarms of a hub have come to in the last 45 days.
///
/// At 200 alarms an hour: 216,000 raises of 12 bytes, pairs of rule and source of about 200 bytes (a thousand are usual,
/// 60,000 where nothing repeats), 72,000 incidents of about 200 bytes if each third alarm opens one, and for each of at
/// most 65 desks 1,081 hours of 200 bytes: some 20 MB, 45 at the very worst. The rings have an upper bound whatever comes.
#[derive(Debug, Clone)]
pub struct Kpis {
    /// Since when there are figures.
    pub(crate) began_s: i64,
    pub(crate) clock_s: i64,
    pub(crate) desks: Vec<Desk>,
    pub(crate) raises: Raises,
    pub(crate) cases: Cases,
    open: HashMap<AlarmId, Open>,
    /// When announced alarms will have stood for a day, rising; those that have ended are passed over.
    due: VecDeque<(i64, AlarmId)>,
    /// Beginnings and ends of floods that the log does not have yet.
    untold: Vec<FloodTransition>,
    /// The floods that are on as the log has it.
    logged: Vec<Option<String>>,
}

/// What is so now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now {
    pub active: u32,
    pub unacknowledged: u32,
    pub shelved: u32,
    pub longest_active_ms: i64,
    pub longest_unacknowledged_ms: i64,
}

impl Kpis {
    /// Nothing has happened; `began` is the time of the log's first row.
    pub fn new(began: Timestamp) -> Self {
        let began_s = began.as_second();
        Self {
            began_s,
            clock_s: began_s,
            desks: vec![Desk::new(None)],
            raises: Raises::default(),
            cases: Cases::default(),
            open: HashMap::new(),
            due: VecDeque::new(),
            untold: Vec::new(),
            logged: Vec::new(),
        }
    }

    /// Takes a row of the log in.
    pub fn take(&mut self, row: &LogEntry) {
        self.take_body(&row.body, row.at);
    }

    /// The same, of its parts.
    pub fn take_body(&mut self, body: &LogBody, at: Timestamp) {
        match body {
            LogBody::Alarm(transition) | LogBody::Shadow(transition) => self.alarm(transition, at),
            LogBody::Incident(transition) => self.incident(transition, at),
            LogBody::Flood(transition) => self.flood_logged(transition),
            LogBody::Rule(_) | LogBody::Audit(_) => {}
        }
    }

    /// Moves the clock.
    pub fn tick(&mut self, now: Timestamp) {
        self.advance(now.as_second());
    }

    /// When time alone will next end a flood.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.desks.iter().filter_map(Desk::ends_at).min().map(super::desk::second)
    }

    /// The floods that are on, the hub's first.
    pub fn floods(&self) -> Vec<Flood> {
        self.desks.iter().filter_map(Desk::told).collect()
    }

    /// Those of them whose beginning is in the log: what may be shown at a start.
    pub fn floods_logged(&self) -> Vec<Flood> {
        self.floods().into_iter().filter(|flood| self.logged.contains(&flood.desk)).collect()
    }

    /// Beginnings and ends of floods that are to be written to the log. They are given once; each comes back as a row.
    pub fn take_untold(&mut self) -> Vec<FloodTransition> {
        std::mem::take(&mut self.untold)
    }

    /// After the log was read: of what it lacks, only what is still so is to be told, and floods of long ago are not.
    pub fn settle(&mut self) {
        for desk in &self.desks {
            let logged = self.logged.contains(&desk.name);
            let last = self.untold.iter().rposition(|transition| transition.desk == desk.name);
            let keep = last.filter(|_| desk.is_flooded() != logged).map(|place| self.untold[place].clone());
            self.untold.retain(|transition| transition.desk != desk.name);
            self.untold.extend(keep);
        }
    }

    /// Each desk with what was announced in the last hour and whether it is in flood; the hub has no name.
    pub fn rates(&self) -> impl Iterator<Item = (Option<&str>, u32, bool)> {
        self.desks.iter().map(|desk| (desk.name.as_deref(), desk.rates().1, desk.is_flooded()))
    }

    /// How much is kept: announced alarms, pairs of rule and source, incidents.
    pub fn kept(&self) -> (usize, usize, usize) {
        let (raises, pairs) = self.raises.sizes();
        (raises, pairs, self.cases.len())
    }

    /// A desk's number; none of a desk that is not known.
    pub(crate) fn desk(&self, name: &str) -> Option<u8> {
        self.desks.iter().position(|desk| desk.name.as_deref() == Some(name)).map(|number| number as u8)
    }

    pub(crate) fn now(&self, desk: u8) -> Now {
        let now_ms = self.clock_s * 1_000;
        let mut now =
            Now { active: 0, unacknowledged: 0, shelved: 0, longest_active_ms: 0, longest_unacknowledged_ms: 0 };
        let on_trial = |open: &&Open| open.kept_back == Some(Cause::Shadow);
        let those = self.open.values().filter(|open| desk == ALL || open.desk == desk);
        for open in those.filter(|open| !on_trial(open)) {
            now.active += 1;
            now.shelved += u32::from(open.shelved);
            let age = (now_ms - open.raised_ms).max(0);
            now.longest_active_ms = now.longest_active_ms.max(age);
            if open.raise.is_some() && !open.acknowledged {
                now.unacknowledged += 1;
                now.longest_unacknowledged_ms = now.longest_unacknowledged_ms.max(age);
            }
        }
        now
    }

    fn alarm(&mut self, transition: &AlarmTransition, at: Timestamp) {
        self.advance(at.as_second());
        let id = &transition.alarm;
        let at_ms = transition.at.as_millisecond();
        if let AlarmChange::Raised { level, owner, .. } = &transition.change {
            if !self.open.contains_key(id) {
                self.raised(
                    id,
                    &transition.rule,
                    &transition.source,
                    owner.as_deref(),
                    *level,
                    at_ms,
                    &transition.change,
                );
            }
            return;
        }
        let Some(open) = self.open.get_mut(id) else { return };
        let (desk, level) = (open.desk, open.level);
        match &transition.change {
            AlarmChange::Raised { .. } | AlarmChange::Stale | AlarmChange::Fresh => {}
            AlarmChange::LevelChanged { to, .. } => open.level = *to,
            AlarmChange::Acknowledged { .. } => {
                let waited = if open.acknowledged { 0 } else { (at_ms - open.raised_ms).max(0) };
                open.acknowledged = true;
                self.count(desk, |hour| {
                    hour.acknowledged[level as usize] += 1;
                    hour.longest_unacknowledged_ms = hour.longest_unacknowledged_ms.max(waited);
                });
            }
            AlarmChange::Shelved { .. } => {
                open.shelved = true;
                self.count(desk, |hour| hour.shelvings += 1);
            }
            AlarmChange::Unshelved { .. } => open.shelved = false,
            AlarmChange::Suppressed { .. } => open.suppressed = true,
            AlarmChange::Unsuppressed => open.suppressed = false,
            AlarmChange::Cleared { .. } => return self.cleared(id, at_ms),
        }
        if let Some(open) = self.open.get_mut(id)
            && open.kept_back.is_some_and(|cause| cause.ends_with(&transition.change))
        {
            // Of two that keep it back, one may be left.
            open.kept_back = match (open.suppressed, open.shelved) {
                (true, _) => Some(Cause::Inhibited),
                (false, true) => Some(Cause::Shelved),
                (false, false) => None,
            };
            if open.kept_back.is_none() {
                self.announce(id);
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one transition")]
    fn raised(
        &mut self,
        id: &AlarmId,
        rule: &RuleId,
        source: &SourceId,
        owner: Option<&str>,
        level: Level,
        at_ms: i64,
        change: &AlarmChange,
    ) {
        let desk = owner.map_or(ALL, |owner| self.desk_of(owner));
        let pair = self.raises.name(rule, source, desk);
        let cause = Cause::at_raise(change);
        let open = Open {
            pair,
            desk,
            level,
            raised_ms: at_ms,
            raise: None,
            kept_back: cause,
            acknowledged: false,
            shelved: matches!(change, AlarmChange::Raised { shelved_until: Some(_), .. }),
            suppressed: matches!(change, AlarmChange::Raised { suppressed_by: Some(_), .. }),
            stands: false,
        };
        self.open.insert(id.clone(), open);
        let chatters = u32::from(self.raises.chatters(pair, at_ms));
        self.count(desk, |hour| hour.chattering += chatters);
        match cause {
            Some(cause) => self.count(desk, |hour| hour.suppressed[cause as usize] += 1),
            None => self.announce(id),
        }
    }

    /// The alarm reaches people now.
    fn announce(&mut self, id: &AlarmId) {
        let now = self.clock_s;
        let Some(open) = self.open.get_mut(id).filter(|open| open.raise.is_none()) else { return };
        open.raise = Some(self.raises.push(now, open.pair));
        self.due.push_back((now + STANDING_S, id.clone()));
        let (desk, level) = (open.desk, open.level);
        for number in both(desk) {
            let said = self.desks[usize::from(number)].announce(now, level);
            self.untold.extend(said);
        }
    }

    fn cleared(&mut self, id: &AlarmId, at_ms: i64) {
        let Some(open) = self.open.remove(id) else { return };
        self.raises.release(open.pair);
        let stood = (at_ms - open.raised_ms).max(0);
        let fleeting = u32::from(open.raise.is_some() && stood <= FLEETING_MS);
        let waited = if open.acknowledged || open.raise.is_none() { 0 } else { stood };
        self.count(open.desk, |hour| {
            hour.cleared[open.level as usize] += 1;
            hour.fleeting += fleeting;
            hour.longest_active_ms = hour.longest_active_ms.max(stood);
            hour.longest_unacknowledged_ms = hour.longest_unacknowledged_ms.max(waited);
        });
        if open.stands {
            both(open.desk).for_each(|desk| self.desks[usize::from(desk)].stands(self.clock_s, false));
        }
    }

    fn incident(&mut self, transition: &IncidentTransition, at: Timestamp) {
        self.advance(at.as_second());
        match &transition.change {
            IncidentChange::Reported { level, origin, .. } => {
                let open = match origin {
                    Origin::Alarm(alarm) => self.open.get(alarm),
                    Origin::Person(_) => None,
                };
                let (desk, raise) = open.map_or((ALL, None), |open| (open.desk, open.raise));
                self.cases.begin(transition, *level, desk, raise);
            }
            IncidentChange::AlarmJoined { alarm, .. } => {
                let raise = self.open.get(alarm).and_then(|open| open.raise);
                self.cases.join(&transition.incident, raise);
            }
            _ => self.cases.apply(transition, &mut self.raises),
        }
    }

    /// The log has it.
    fn flood_logged(&mut self, transition: &FloodTransition) {
        self.untold.retain(|untold| untold != transition);
        self.logged.retain(|desk| *desk != transition.desk);
        if let FloodChange::Began { .. } = transition.change {
            self.logged.push(transition.desk.clone());
        }
    }

    /// The number of a desk, given to it when it is first heard of.
    fn desk_of(&mut self, owner: &str) -> u8 {
        match self.desk(owner) {
            Some(number) => number,
            None if self.desks.len() > MAX_DESKS => ALL,
            None => {
                self.desks.push(Desk::new(Some(owner.to_owned())));
                (self.desks.len() - 1) as u8
            }
        }
    }

    fn count(&mut self, desk: u8, mut each: impl FnMut(&mut Hour)) {
        both(desk).for_each(|number| each(self.desks[usize::from(number)].count(self.clock_s)));
    }

    /// Does what time alone brings about, each at its own second, up to `to`.
    fn advance(&mut self, to: i64) {
        if to <= self.clock_s {
            return;
        }
        let mut at = self.clock_s;
        loop {
            let hour = (at.div_euclid(HOUR_S) + 1) * HOUR_S;
            let flood = self.desks.iter().filter_map(Desk::ends_at).min();
            let due = self.due.front().map(|(due, _)| *due);
            let next = [Some(hour), flood, due].into_iter().flatten().min().unwrap_or(hour);
            if next > to {
                break;
            }
            at = at.max(next);
            self.desks.iter_mut().for_each(|desk| desk.advance(at));
            self.end_floods(at);
            self.note_standing(at);
            if next == hour {
                self.desks.iter_mut().for_each(|desk| desk.carry(at));
            }
            if flood.is_none() && due.is_none() && self.desks[0].standing() == 0 {
                // Nothing goes on: no hour in between holds anything.
                at = at.max(to.div_euclid(HOUR_S) * HOUR_S);
            }
        }
        self.clock_s = to;
        self.desks.iter_mut().for_each(|desk| {
            desk.advance(to);
            desk.forget(to);
        });
        self.raises.forget(to);
    }

    fn end_floods(&mut self, at: i64) {
        for desk in &mut self.desks {
            if desk.is_over() {
                self.untold.extend(desk.end(at));
            }
        }
    }

    fn note_standing(&mut self, at: i64) {
        while self.due.front().is_some_and(|(due, _)| *due <= at) {
            let Some((_, id)) = self.due.pop_front() else { return };
            let Some(open) = self.open.get_mut(&id) else { continue };
            open.stands = true;
            both(open.desk).for_each(|desk| self.desks[usize::from(desk)].stands(at, true));
        }
    }
}

/// The hub and, where the alarm has one, the desk.
fn both(desk: u8) -> impl Iterator<Item = u8> {
    std::iter::once(ALL).chain((desk != ALL).then_some(desk))
}
