//! The desk: the fold of all incident transitions, and the only place that makes new ones.

use std::collections::{BTreeMap, HashMap};

use jiff::SignedDuration;
use model::alarm::Title;
use model::{
    Actor, AlarmChange, AlarmId, AlarmTransition, Incident, IncidentChange, IncidentId, IncidentTransition, Level,
    Origin, Right, Step, Timestamp,
};

use crate::config::Config;
use crate::flow;
use crate::order::{Command, Order, Refusal, RefusalCode};

/// All incidents of the town. Pure: every answer depends on the inputs and their times alone.
#[derive(Debug, Clone)]
pub struct Desk {
    config: Config,
    incidents: BTreeMap<IncidentId, Incident>,
    /// Where each alarm went; an alarm belongs to one incident for ever.
    by_alarm: HashMap<AlarmId, IncidentId>,
    /// The last alarm transition seen of each active alarm, so that a repeat changes nothing.
    last_alarm_at: HashMap<IncidentId, Timestamp>,
    /// The level each active alarm has, for the level of its incident.
    alarm_levels: HashMap<AlarmId, Level>,
    /// Incidents opened on a day, for the running number in their ids.
    day_counts: HashMap<String, u32>,
}

impl Desk {
    /// A desk as the log's transitions left it, oldest first.
    pub fn from_log(config: Config, transitions: impl IntoIterator<Item = IncidentTransition>) -> Self {
        let mut desk = Self {
            config,
            incidents: BTreeMap::new(),
            by_alarm: HashMap::new(),
            last_alarm_at: HashMap::new(),
            alarm_levels: HashMap::new(),
            day_counts: HashMap::new(),
        };
        for transition in transitions {
            desk.fold(&transition);
        }
        desk
    }

    /// All incidents, by id.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values()
    }

    /// One incident.
    pub fn incident(&self, id: &IncidentId) -> Option<&Incident> {
        self.incidents.get(id)
    }

    /// Takes an alarm's transition in. Idempotent: what the incidents already show gives no further transition.
    pub fn alarm(&mut self, transition: &AlarmTransition, now: Timestamp) -> Vec<IncidentTransition> {
        match &transition.change {
            AlarmChange::Raised { .. } => self.raised(transition, now),
            AlarmChange::LevelChanged { to, .. } => {
                let Some(incident) = self.open_incident_of(&transition.alarm) else { return Vec::new() };
                self.alarm_levels.insert(transition.alarm.clone(), *to);
                self.relevel(&incident, now)
            }
            AlarmChange::Cleared { .. } => {
                let Some(incident) = self.open_incident_of(&transition.alarm) else { return Vec::new() };
                if !self.incidents[&incident].active_alarms.contains(&transition.alarm) {
                    return Vec::new();
                }
                let cleared = IncidentChange::AlarmCleared { alarm: transition.alarm.clone() };
                vec![self.commit(&incident, now, Actor::Hub, None, cleared)]
            }
            AlarmChange::Acknowledged { .. }
            | AlarmChange::Shelved { .. }
            | AlarmChange::Unshelved { .. }
            | AlarmChange::Stale
            | AlarmChange::Fresh => Vec::new(),
        }
    }

    /// Does what a person asks, or says why not; a refusal changes nothing.
    pub fn command(&mut self, order: &Order, now: Timestamp) -> Result<Vec<IncidentTransition>, Refusal> {
        if let Command::Report { .. } = &order.command {
            return self.report(order, now);
        }
        let incident = order
            .incident
            .as_ref()
            .and_then(|id| self.incidents.get(id))
            .ok_or_else(|| Refusal::new(RefusalCode::NotFound, "no such incident"))?;
        if let Command::Merge { into } = &order.command {
            let target = self.incidents.get(into);
            if !target.is_some_and(Incident::is_open) {
                return Err(Refusal::new(RefusalCode::BadField, format!("{into} is no open incident")));
            }
        }
        let changes = flow::changes(incident, order)?;
        let id = incident.id.clone();
        let reason = order.reason.as_deref().map(str::trim).filter(|r| !r.is_empty()).map(str::to_owned);
        Ok(changes
            .into_iter()
            .map(|change| self.commit(&id, now, order.actor.clone(), reason.clone(), change))
            .collect())
    }

    /// Notes every limit that has passed; each fires once.
    pub fn tick(&mut self, now: Timestamp) -> Vec<IncidentTransition> {
        let due: Vec<(IncidentId, Step)> = self
            .deadlines()
            .filter(|(_, _, at)| *at <= now)
            .map(|(incident, step, _)| (incident.id.clone(), step))
            .collect();
        due.into_iter()
            .map(|(id, due)| self.commit(&id, now, Actor::Hub, None, IncidentChange::DeadlineBreached { due }))
            .collect()
    }

    /// When [`Desk::tick`] next has something to say.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines().map(|(_, _, at)| at).min()
    }

    fn deadlines(&self) -> impl Iterator<Item = (&Incident, Step, Timestamp)> {
        self.incidents.values().filter(|i| i.is_open() && !i.suspended).filter_map(|incident| {
            let (due, limit) = self.config.limit_after(incident.step, incident.level)?;
            if incident.breached.contains(&due) {
                return None;
            }
            let at = incident.step_since.checked_add(limit).ok()?;
            Some((incident, due, at))
        })
    }

    fn raised(&mut self, transition: &AlarmTransition, now: Timestamp) -> Vec<IncidentTransition> {
        let AlarmChange::Raised { level, hazard, title, action, grid, place, .. } = &transition.change else {
            return Vec::new();
        };
        if self.by_alarm.contains_key(&transition.alarm) {
            return Vec::new();
        }
        self.alarm_levels.insert(transition.alarm.clone(), *level);
        if let Some(id) = self.joinable(transition, now) {
            let joined = IncidentChange::AlarmJoined {
                alarm: transition.alarm.clone(),
                source: transition.source.clone(),
                level: *level,
            };
            let mut made = vec![self.commit(&id, now, Actor::Hub, None, joined)];
            made.extend(self.relevel(&id, now));
            return made;
        }
        let id = self.new_id(now);
        let reported = IncidentChange::Reported {
            title: title.clone(),
            hazard: *hazard,
            level: *level,
            grid: grid.clone(),
            place: *place,
            source: Some(transition.source.clone()),
            action: action.clone(),
            origin: Origin::Alarm(transition.alarm.clone()),
        };
        vec![self.commit(&id, now, Actor::Hub, None, reported)]
    }

    /// The open incident that a raised alarm belongs to: same grid and hazard, near, and not long ago. Equipment
    /// alarms join only over one source: two cameras with a fault each are two repairs.
    fn joinable(&self, transition: &AlarmTransition, now: Timestamp) -> Option<IncidentId> {
        let AlarmChange::Raised { hazard, grid, place, .. } = &transition.change else { return None };
        let window = SignedDuration::from_secs(i64::from(self.config.join_window_s));
        self.incidents
            .values()
            .rev()
            .filter(|i| i.is_open() && i.hazard == *hazard && i.grid == *grid)
            .filter(|i| *hazard != model::Hazard::Equipment || i.sources.contains(&transition.source))
            .filter(|i| match (i.place, place) {
                (Some(a), Some(b)) => a.distance_m(*b) <= self.config.join_distance_m,
                _ => true,
            })
            .find(|i| {
                let last = self.last_alarm_at.get(&i.id).copied().unwrap_or(i.reported_at);
                !i.active_alarms.is_empty() || now.duration_since(last) <= window
            })
            .map(|i| i.id.clone())
    }

    fn open_incident_of(&self, alarm: &AlarmId) -> Option<IncidentId> {
        let id = self.by_alarm.get(alarm)?;
        self.incidents.get(id).filter(|i| i.is_open()).map(|i| i.id.clone())
    }

    /// The level of an incident is the highest its active alarms have had; it rises by itself and falls by a person.
    fn relevel(&mut self, id: &IncidentId, now: Timestamp) -> Vec<IncidentTransition> {
        let incident = &self.incidents[id];
        let highest = incident.active_alarms.iter().filter_map(|a| self.alarm_levels.get(a)).max().copied();
        match highest {
            Some(to) if to > incident.level => {
                let from = incident.level;
                vec![self.commit(id, now, Actor::Hub, None, IncidentChange::LevelChanged { from, to })]
            }
            _ => Vec::new(),
        }
    }

    fn report(&mut self, order: &Order, now: Timestamp) -> Result<Vec<IncidentTransition>, Refusal> {
        let Command::Report { title, hazard, level, grid, place, source, text } = &order.command else {
            return Ok(Vec::new());
        };
        if !order.role.has(Right::Report) {
            return Err(Refusal::new(RefusalCode::NotAllowed, "a viewer cannot report incidents"));
        }
        let Actor::User(reporter) = &order.actor else {
            return Err(Refusal::new(RefusalCode::NotAllowed, "only a user can report"));
        };
        let title = flow::text_of(title, "title")?;
        let reported = IncidentChange::Reported {
            title: Title { zh: title.clone(), en: title },
            hazard: *hazard,
            level: *level,
            grid: grid.clone(),
            place: *place,
            source: source.clone(),
            action: String::new(),
            origin: Origin::Person(reporter.clone()),
        };
        let note = if text.trim().is_empty() { None } else { Some(flow::text_of(text, "text")?) };
        let id = self.new_id(now);
        let mut made = vec![self.commit(&id, now, order.actor.clone(), None, reported)];
        if let Some(text) = note {
            made.push(self.commit(&id, now, order.actor.clone(), None, IncidentChange::Noted { text }));
        }
        Ok(made)
    }

    /// `I-20261123-0007`: the day in UTC and a running number, short enough for the telephone.
    fn new_id(&self, now: Timestamp) -> IncidentId {
        let day = day_of(now);
        let number = self.day_counts.get(&day).copied().unwrap_or(0) + 1;
        IncidentId::new(format!("I-{day}-{number:04}"))
    }

    fn commit(
        &mut self,
        id: &IncidentId,
        at: Timestamp,
        actor: Actor,
        reason: Option<String>,
        change: IncidentChange,
    ) -> IncidentTransition {
        let seq = self.incidents.get(id).map_or(0, |i| i.seq) + 1;
        let transition = IncidentTransition { incident: id.clone(), seq, at, actor, change, reason };
        self.fold(&transition);
        transition
    }

    fn fold(&mut self, transition: &IncidentTransition) {
        let id = &transition.incident;
        match self.incidents.get_mut(id) {
            Some(incident) => incident.apply(transition),
            None => {
                let Some(incident) = Incident::begin(transition) else { return };
                self.count_id(id);
                self.incidents.insert(id.clone(), incident);
            }
        }
        match &transition.change {
            IncidentChange::Reported { origin: Origin::Alarm(alarm), level, .. } => {
                self.note_alarm(id, alarm, *level, transition.at);
            }
            IncidentChange::AlarmJoined { alarm, level, .. } => self.note_alarm(id, alarm, *level, transition.at),
            IncidentChange::AlarmCleared { alarm } => {
                self.alarm_levels.remove(alarm);
                self.last_alarm_at.insert(id.clone(), transition.at);
            }
            _ => {}
        }
    }

    fn note_alarm(&mut self, id: &IncidentId, alarm: &AlarmId, level: Level, at: Timestamp) {
        self.by_alarm.insert(alarm.clone(), id.clone());
        self.alarm_levels.entry(alarm.clone()).or_insert(level);
        self.last_alarm_at.insert(id.clone(), at);
    }

    fn count_id(&mut self, id: &IncidentId) {
        let mut parts = id.as_str().splitn(3, '-');
        if let (Some("I"), Some(day), Some(Ok(number))) = (parts.next(), parts.next(), parts.next().map(str::parse)) {
            let count = self.day_counts.entry(day.to_owned()).or_insert(0);
            *count = (*count).max(number);
        }
    }
}

fn day_of(now: Timestamp) -> String {
    now.strftime("%Y%m%d").to_string()
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
