//! A log in a test's hand: rows of alarms and incidents by name and second.

use std::collections::{BTreeMap, HashMap};

use model::alarm::Title;
use model::{
    Actor, AlarmChange, AlarmTransition, Evidence, Hazard, IncidentChange, IncidentTransition, Level, LogBody, Origin,
    SourceId, Timestamp,
};

use super::*;

/// 2026-11-23T00:00:00Z, a whole hour.
pub const BEGAN_S: i64 = 1_795_392_000;

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(BEGAN_S + second).unwrap()
}

fn evidence() -> Evidence {
    Evidence { rule_version: "1".into(), condition: "x".into(), value: None, values: BTreeMap::new(), since: None }
}

pub fn title() -> Title {
    Title { zh: "水".into(), en: "water".into() }
}

/// Figures, and the log they are of.
#[derive(Clone)]
pub struct Hub {
    pub kpis: Kpis,
    pub log: Vec<(Timestamp, LogBody)>,
    seqs: HashMap<String, u32>,
}

pub struct Two;

impl Cameras for Two {
    fn is_camera(&self, source: &SourceId) -> bool {
        source.as_str().starts_with("cam")
    }

    fn count(&self) -> usize {
        2
    }
}

impl Hub {
    pub fn new() -> Self {
        Self { kpis: Kpis::new(at(0)), log: Vec::new(), seqs: HashMap::new() }
    }

    fn seq(&mut self, of: &str) -> u32 {
        let seq = self.seqs.entry(of.to_owned()).or_default();
        *seq += 1;
        *seq
    }

    /// Writes a row, and lets the figures see it.
    pub fn row(&mut self, second: i64, body: LogBody) {
        self.kpis.take_body(&body, at(second));
        self.log.push((at(second), body));
    }

    /// Writes what is to be said of floods.
    pub fn say_floods(&mut self, second: i64) -> usize {
        let untold = self.kpis.take_untold();
        let count = untold.len();
        untold.into_iter().for_each(|transition| self.row(second, LogBody::Flood(transition)));
        count
    }

    /// An alarm named `rule/source/number`, raised at the desk.
    pub fn raise(&mut self, second: i64, name: &str, desk: &str, level: Level, shelved: bool) {
        let change = AlarmChange::Raised {
            level,
            hazard: Hazard::Flood,
            title: title(),
            action: title(),
            owner: (!desk.is_empty()).then(|| desk.to_owned()),
            grid: "g1".into(),
            place: None,
            shelved_until: shelved.then(|| at(second + 600)),
            suppressed_by: None,
            shadow: false,
            evidence: evidence(),
        };
        self.change(second, name, change);
    }

    pub fn clear(&mut self, second: i64, name: &str) {
        self.change(second, name, AlarmChange::Cleared { evidence: evidence() });
    }

    pub fn change(&mut self, second: i64, name: &str, change: AlarmChange) {
        let mut parts = name.split('/');
        let (rule, source) = (parts.next().unwrap().into(), parts.next().unwrap().into());
        let seq = self.seq(name);
        let transition = AlarmTransition { alarm: name.into(), rule, source, seq, at: at(second), change };
        self.row(second, LogBody::Alarm(transition));
    }

    /// An incident of an alarm.
    pub fn report(&mut self, second: i64, id: &str, alarm: &str, level: Level) {
        let change = IncidentChange::Reported {
            title: title(),
            hazard: Hazard::Flood,
            level,
            grid: "g1".into(),
            place: None,
            source: None,
            action: None,
            origin: Origin::Alarm(alarm.into()),
        };
        self.step(second, id, change);
    }

    pub fn step(&mut self, second: i64, id: &str, change: IncidentChange) {
        let seq = self.seq(id);
        let (actor, incident) = (Actor::Hub, id.into());
        self.row(
            second,
            LogBody::Incident(IncidentTransition { incident, seq, at: at(second), actor, change, reason: None }),
        );
    }

    /// A report on the first `hours`, as of `now`.
    pub fn told(&mut self, now: i64, hours: i64, desk: Option<&str>) -> KpiReport {
        self.kpis.tick(at(now));
        let query = Query { from: at(0), to: at(hours * 3_600), desk: desk.map(str::to_owned), by: By::Hour };
        self.kpis.report(&query, &Shifts::default(), &Two).unwrap()
    }
}

/// A figure of a report.
pub fn kpi(report: &KpiReport, id: &str) -> (Option<f64>, KpiVerdict) {
    let found = report.kpis.iter().find(|kpi| kpi.id == id).unwrap();
    (found.value, found.verdict)
}
