//! What became of incidents: how long until somebody saw them, sent someone, closed them; which limits were kept.

use std::collections::{HashMap, VecDeque};

use model::{IncidentChange, IncidentId, IncidentTransition, Level, Step, Verdict};

use super::hours::{HOUR_S, KEPT_HOURS};
use super::raises::Raises;

/// The most incidents kept: 45 days of 80 an hour; about 25 MB.
const MAX_CASES: usize = 86_400;
/// The most alarms of an incident whose verdict is noted.
const MAX_ALARMS: usize = 1_000;

/// The steps that have a limit, as bits.
fn bit(step: Step) -> u8 {
    match step {
        Step::Accept => 1,
        Step::Dispatch => 2,
        Step::Handle => 4,
        Step::Report | Step::File | Step::Verify | Step::Close => 0,
    }
}

/// One incident.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    id: IncidentId,
    desk: u8,
    level: Level,
    reported_ms: i64,
    /// Milliseconds from the report.
    acknowledged: Option<i64>,
    dispatched: Option<i64>,
    closed: Option<i64>,
    done: u8,
    late: u8,
    /// Numbers of its alarms in the ring.
    alarms: Vec<u64>,
}

/// What a report needs of an incident.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CaseFigures {
    pub desk: u8,
    pub level: Level,
    /// Milliseconds from the report.
    pub acknowledged: Option<i64>,
    pub dispatched: Option<i64>,
    pub closed: Option<i64>,
    /// Steps with a limit that are done or late, and those that are late.
    pub steps: u32,
    pub late: u32,
}

impl Case {
    fn figures(&self) -> CaseFigures {
        CaseFigures {
            desk: self.desk,
            level: self.level,
            acknowledged: self.acknowledged,
            dispatched: self.dispatched,
            closed: self.closed,
            steps: (self.done | self.late).count_ones(),
            late: self.late.count_ones(),
        }
    }
}

/// Incidents by the time of their report.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cases {
    ring: VecDeque<Case>,
    first: u64,
    numbers: HashMap<IncidentId, u64>,
}

impl Cases {
    /// A new incident.
    pub fn begin(&mut self, transition: &IncidentTransition, level: Level, desk: u8, alarm: Option<u64>) {
        let reported_ms = transition.at.as_millisecond();
        let oldest = (reported_ms.div_euclid(HOUR_S * 1_000) - KEPT_HOURS) * HOUR_S * 1_000;
        while self.ring.len() >= MAX_CASES || self.ring.front().is_some_and(|case| case.reported_ms < oldest) {
            let Some(case) = self.ring.pop_front() else { break };
            self.first += 1;
            self.numbers.remove(&case.id);
        }
        let id = transition.incident.clone();
        self.numbers.insert(id.clone(), self.first + self.ring.len() as u64);
        self.ring.push_back(Case {
            id,
            desk,
            level,
            reported_ms,
            acknowledged: None,
            dispatched: None,
            closed: None,
            done: 0,
            late: 0,
            alarms: alarm.into_iter().collect(),
        });
    }

    /// A further alarm of an incident.
    pub fn join(&mut self, incident: &IncidentId, alarm: Option<u64>) {
        if let (Some(case), Some(alarm)) = (self.find(incident), alarm)
            && case.alarms.len() < MAX_ALARMS
        {
            case.alarms.push(alarm);
        }
    }

    /// A step, side move or breach.
    pub fn apply(&mut self, transition: &IncidentTransition, raises: &mut Raises) {
        let Some(case) = self.find(&transition.incident) else { return };
        let took = (transition.at.as_millisecond() - case.reported_ms).max(0);
        match &transition.change {
            IncidentChange::LevelChanged { to, .. } => case.level = *to,
            IncidentChange::Acknowledged => case.acknowledged = case.acknowledged.or(Some(took)),
            IncidentChange::Advanced { to, .. } => case.done |= bit(*to),
            IncidentChange::Dispatched { .. } => {
                case.dispatched = case.dispatched.or(Some(took));
                case.done |= bit(Step::Dispatch);
            }
            IncidentChange::DeadlineBreached { due } => case.late |= bit(*due),
            IncidentChange::Closed { verdict, .. } => {
                case.closed = Some(took);
                judge(case, Some(*verdict), raises);
            }
            IncidentChange::Reopened => {
                case.closed = None;
                judge(case, None, raises);
            }
            IncidentChange::Merged { into } => {
                let alarms = std::mem::take(&mut case.alarms);
                if let Some(target) = self.find(into) {
                    let room = MAX_ALARMS.saturating_sub(target.alarms.len());
                    target.alarms.extend(alarms.into_iter().take(room));
                }
            }
            _ => {}
        }
    }

    /// Incidents reported from `from_s` and before `to_s`, in the order of their report.
    pub fn between(&self, from_s: i64, to_s: i64) -> impl Iterator<Item = CaseFigures> {
        let span = from_s * 1_000..to_s * 1_000;
        self.ring.iter().filter(move |case| span.contains(&case.reported_ms)).map(Case::figures)
    }

    /// Incidents that are kept.
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    fn find(&mut self, incident: &IncidentId) -> Option<&mut Case> {
        let place = self.numbers.get(incident)?.checked_sub(self.first)?;
        self.ring.get_mut(place as usize)
    }
}

fn judge(case: &Case, verdict: Option<Verdict>, raises: &mut Raises) {
    case.alarms.iter().for_each(|alarm| raises.judge(*alarm, verdict));
}
