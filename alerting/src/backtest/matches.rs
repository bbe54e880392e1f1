//! How a rule's alarms meet what people found: incidents and their verdicts.

use jiff::SignedDuration;
use model::incident::Outcome;
use model::{GridId, Hazard, Incident, SourceId, Timestamp, Verdict};
use serde::Serialize;

use super::report::AlarmFact;

/// An incident belongs to an alarm that was raised so long before or after it was reported.
const NEAR: SignedDuration = SignedDuration::from_mins(30);

/// Alarms set beside the incidents of the same hazard that share a source or a grid.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Matched {
    /// Alarms that meet an incident found true.
    pub true_alarms: usize,
    /// Alarms that meet incidents found false or a nuisance, and none found true.
    pub false_alarms: usize,
    /// Alarms that meet an incident without a verdict.
    pub open: usize,
    /// Alarms that meet no incident: nobody has judged them.
    pub unmatched: usize,
    /// `true_alarms` of those judged, in percent; none while nothing was judged.
    pub precision: Option<f64>,
    /// Incidents found true in the rule's own grids and hazard.
    pub true_incidents: usize,
    /// Those among them that an alarm meets, in percent; none when there was no such incident.
    pub recall: Option<f64>,
    /// Incidents found true that no alarm meets; at most 20.
    pub missed: Vec<model::IncidentId>,
}

/// The most missed incidents that are named.
const NAMED: usize = 20;

pub(super) fn matched<'a>(
    alarms: impl Iterator<Item = &'a AlarmFact> + Clone,
    incidents: &[Incident],
    hazard: Hazard,
    grids: impl Fn(&GridId) -> bool,
    [from, to]: [Timestamp; 2],
) -> Matched {
    let about: Vec<&Incident> = incidents.iter().filter(|incident| incident.hazard == hazard).collect();
    let mut found = Matched::default();
    for alarm in alarms.clone() {
        let mut judged: Option<Verdict> = None;
        let (mut met, mut is_true) = (false, false);
        for incident in about.iter().filter(|incident| meets(alarm, incident)) {
            met = true;
            match verdict_of(incident) {
                Some(Verdict::True) => is_true = true,
                Some(other) => judged = Some(other),
                None => {}
            }
        }
        match (is_true, judged, met) {
            (true, _, _) => found.true_alarms += 1,
            (false, Some(_), _) => found.false_alarms += 1,
            (false, None, true) => found.open += 1,
            (false, None, false) => found.unmatched += 1,
        }
    }
    let judged = found.true_alarms + found.false_alarms;
    found.precision = (judged > 0).then(|| found.true_alarms as f64 * 100.0 / judged as f64);
    let mut covered = 0;
    for incident in about {
        let inside = (from..to).contains(&incident.reported_at) && grids(&incident.grid);
        if !inside || verdict_of(incident) != Some(Verdict::True) {
            continue;
        }
        found.true_incidents += 1;
        if alarms.clone().any(|alarm| meets(alarm, incident)) {
            covered += 1;
        } else if found.missed.len() < NAMED {
            found.missed.push(incident.id.clone());
        }
    }
    found.recall = (found.true_incidents > 0).then(|| f64::from(covered) * 100.0 / found.true_incidents as f64);
    found
}

/// Whether the incident is about what the alarm is about, and about the same time.
fn meets(alarm: &AlarmFact, incident: &Incident) -> bool {
    let shares = |source: &SourceId| incident.sources.contains(source);
    if !shares(&alarm.source) && incident.grid != alarm.grid {
        return false;
    }
    let begin = alarm.raised_at.checked_sub(NEAR).unwrap_or(alarm.raised_at);
    let last = alarm.cleared_at.unwrap_or(Timestamp::MAX);
    let last = last.max(alarm.raised_at).checked_add(NEAR).unwrap_or(Timestamp::MAX);
    (begin..=last).contains(&incident.reported_at)
}

fn verdict_of(incident: &Incident) -> Option<Verdict> {
    match &incident.outcome {
        Some(Outcome::Closed { verdict }) => Some(*verdict),
        _ => None,
    }
}
