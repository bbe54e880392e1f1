//! The desk: the fold of all incident transitions, and the only place that makes new ones.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::alarm::Title;
use model::{Actor, AlarmId, Incident, IncidentChange, IncidentId, IncidentTransition, Origin, Right, Step, Timestamp};

use crate::config::Config;
use crate::flow;
use crate::order::{Command, Order, Refusal, RefusalCode};

/// All incidents of the town. Pure: every answer depends on the inputs and their times alone.
#[derive(Debug, Clone)]
pub struct Desk {
    pub(crate) config: Config,
    pub(crate) incidents: BTreeMap<IncidentId, Incident>,
    /// Those on which work remains: all that a limit or a new alarm can be about.
    pub(crate) open: BTreeSet<IncidentId>,
    /// Where each alarm went last. It moves on only when it grows worse after its incident has ended.
    pub(crate) by_alarm: HashMap<AlarmId, IncidentId>,
    /// When an alarm of each open incident last came or went.
    pub(crate) last_alarm_at: HashMap<IncidentId, Timestamp>,
    /// Incidents opened on a day, for the running number in their ids.
    day_counts: HashMap<String, u32>,
}

impl Desk {
    /// A desk as the log's transitions left it, oldest first.
    pub fn from_log(config: Config, transitions: impl IntoIterator<Item = IncidentTransition>) -> Self {
        let mut desk = Self {
            config,
            incidents: BTreeMap::new(),
            open: BTreeSet::new(),
            by_alarm: HashMap::new(),
            last_alarm_at: HashMap::new(),
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
        if let Command::Reopen = &order.command {
            let elsewhere = incident.alarms.iter().find_map(|alarm| self.open_incident_of(alarm));
            if let Some(other) = elsewhere.filter(|other| *other != incident.id) {
                let why = format!("its alarm is in the open incident {other}; work on that one");
                return Err(Refusal::new(RefusalCode::WrongStep, why));
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
        self.open.iter().map(|id| &self.incidents[id]).filter(|incident| !incident.suspended).filter_map(|incident| {
            let (due, limit) = self.config.limit_after(incident.step, incident.level)?;
            if incident.breached.contains(&due) {
                return None;
            }
            let at = incident.step_since.checked_add(limit).ok()?;
            Some((incident, due, at))
        })
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
            action: None,
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
    pub(crate) fn new_id(&self, now: Timestamp) -> IncidentId {
        let day = day_of(now);
        let number = self.day_counts.get(&day).copied().unwrap_or(0) + 1;
        IncidentId::new(format!("I-{day}-{number:04}"))
    }

    pub(crate) fn commit(
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
        if self.incidents[id].is_open() {
            self.open.insert(id.clone());
        } else {
            self.open.remove(id);
        }
        match &transition.change {
            IncidentChange::Reported { origin: Origin::Alarm(alarm), .. }
            | IncidentChange::AlarmJoined { alarm, .. } => {
                self.by_alarm.insert(alarm.clone(), id.clone());
                self.last_alarm_at.insert(id.clone(), transition.at);
            }
            IncidentChange::AlarmCleared { .. } => {
                self.last_alarm_at.insert(id.clone(), transition.at);
            }
            _ => {}
        }
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
