//! From alarms to incidents: which alarm opens one, which joins one, and when it makes it graver.

use jiff::SignedDuration;
use model::incident::Outcome;
use model::{
    Actor, Alarm, AlarmChange, AlarmId, Hazard, Incident, IncidentChange, IncidentId, IncidentTransition, Level,
    Origin, Timestamp,
};

use crate::desk::Desk;

/// How many mergers are followed; people do not merge in circles, and a circle must not hang the hub.
const MAX_MERGES: usize = 16;

impl Desk {
    /// Takes in what happened to an alarm; `alarm` is as it stands after it. A repeat gives no further transition.
    ///
    /// A shelved alarm opens nothing until it is unshelved, and one that another explains nothing while it does. An alarm that grows worse after its incident has ended
    /// opens another: what was settled was less.
    pub fn alarm(&mut self, alarm: &Alarm, change: &AlarmChange, now: Timestamp) -> Vec<IncidentTransition> {
        match change {
            AlarmChange::Raised { .. } | AlarmChange::Unshelved { .. } if !self.by_alarm.contains_key(&alarm.id) => {
                self.announce(alarm, now)
            }
            // What it did while another explained it was not told.
            AlarmChange::Unsuppressed => match self.open_incident_of(&alarm.id) {
                Some(incident) => self.raise_level(&incident, alarm.level, now),
                None if self.by_alarm.contains_key(&alarm.id) && !self.grew(alarm) => Vec::new(),
                None => self.announce(alarm, now),
            },
            AlarmChange::LevelChanged { .. } if alarm.suppressed_by.is_some() => Vec::new(),
            AlarmChange::LevelChanged { from, to, .. } if to > from => match self.open_incident_of(&alarm.id) {
                Some(incident) => self.raise_level(&incident, *to, now),
                None => self.announce(alarm, now),
            },
            AlarmChange::Cleared { .. } => {
                let Some(id) = self.open_incident_of(&alarm.id) else { return Vec::new() };
                if !self.incidents[&id].active_alarms.contains(&alarm.id) {
                    return Vec::new();
                }
                vec![self.commit(&id, now, Actor::Hub, None, IncidentChange::AlarmCleared { alarm: alarm.id.clone() })]
            }
            AlarmChange::Raised { .. }
            | AlarmChange::LevelChanged { .. }
            | AlarmChange::Acknowledged { .. }
            | AlarmChange::Shelved { .. }
            | AlarmChange::Unshelved { .. }
            | AlarmChange::Stale
            | AlarmChange::Fresh
            | AlarmChange::Suppressed { .. } => Vec::new(),
        }
    }

    /// Lets an active alarm join an open incident, or opens one for it.
    fn announce(&mut self, alarm: &Alarm, now: Timestamp) -> Vec<IncidentTransition> {
        if !alarm.is_active() || alarm.shelved_until.is_some() || alarm.suppressed_by.is_some() {
            return Vec::new();
        }
        if let Some(id) = self.joinable(alarm, now) {
            let joined = IncidentChange::AlarmJoined {
                alarm: alarm.id.clone(),
                source: alarm.source.clone(),
                level: alarm.level,
            };
            let mut made = vec![self.commit(&id, now, Actor::Hub, None, joined)];
            made.extend(self.raise_level(&id, alarm.level, now));
            return made;
        }
        let id = self.new_id(now);
        let reported = IncidentChange::Reported {
            title: alarm.title.clone(),
            hazard: alarm.hazard,
            level: alarm.level,
            grid: alarm.grid.clone(),
            place: alarm.place,
            source: Some(alarm.source.clone()),
            action: Some(alarm.action.clone()),
            origin: Origin::Alarm(alarm.id.clone()),
        };
        vec![self.commit(&id, now, Actor::Hub, None, reported)]
    }

    /// The open incident that an alarm belongs to: same grid and hazard, near, and not long ago. Equipment alarms join
    /// only over one source: two cameras with a fault each are two repairs.
    fn joinable(&self, alarm: &Alarm, now: Timestamp) -> Option<IncidentId> {
        let window = SignedDuration::from_secs(i64::from(self.config.join_window_s));
        self.open
            .iter()
            .rev()
            .map(|id| &self.incidents[id])
            .filter(|i| i.hazard == alarm.hazard && i.grid == alarm.grid)
            .filter(|i| alarm.hazard != Hazard::Equipment || i.sources.contains(&alarm.source))
            .filter(|i| match (i.place, alarm.place) {
                (Some(a), Some(b)) => a.distance_m(b) <= self.config.join_distance_m,
                _ => true,
            })
            .find(|i| {
                let last = self.last_alarm_at.get(&i.id).copied().unwrap_or(i.reported_at);
                !i.active_alarms.is_empty() || now.duration_since(last) <= window
            })
            .map(|i| i.id.clone())
    }

    /// The open incident that speaks for an alarm; one merged into another is spoken for by that.
    pub(crate) fn open_incident_of(&self, alarm: &AlarmId) -> Option<IncidentId> {
        let mut incident: &Incident = self.incidents.get(self.by_alarm.get(alarm)?)?;
        for _ in 0..MAX_MERGES {
            match &incident.outcome {
                None => return Some(incident.id.clone()),
                Some(Outcome::Merged { into }) => incident = self.incidents.get(into)?,
                Some(Outcome::Closed { .. } | Outcome::Rejected | Outcome::Cancelled) => return None,
            }
        }
        None
    }

    /// Whether an alarm stands higher than the ended incident it went to.
    fn grew(&self, alarm: &Alarm) -> bool {
        let settled = self.by_alarm.get(&alarm.id).and_then(|id| self.incidents.get(id));
        settled.is_none_or(|incident| alarm.level > incident.level)
    }

    /// The level of an incident rises by itself with its alarms; it falls by a person only.
    fn raise_level(&mut self, id: &IncidentId, to: Level, now: Timestamp) -> Vec<IncidentTransition> {
        let from = self.incidents[id].level;
        if to <= from {
            return Vec::new();
        }
        vec![self.commit(id, now, Actor::Hub, None, IncidentChange::LevelChanged { from, to })]
    }
}
