//! One incident, as the planner sees it: where it stands, which chains have begun, what was decided.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use model::alarm::Title;
use model::{
    AlarmChange, AlarmId, Incident, IncidentChange, IncidentTransition, Level, Origin, Owner, RuleId, Step as Stage,
};

use super::{Due, Town, Wish};
use crate::notice::{Content, Kind, Notice, State, Target};
use crate::routes::Traits;
use crate::telling::{Route, Unless};

/// What the planner keeps of an active alarm.
#[derive(Debug, Clone)]
pub(crate) struct AlarmFacts {
    pub rule: RuleId,
    pub shelved_until: Option<Timestamp>,
}

impl AlarmFacts {
    pub fn apply(&mut self, change: &AlarmChange) {
        match change {
            AlarmChange::Shelved { until, .. } => self.shelved_until = Some(*until),
            AlarmChange::Unshelved { .. } => self.shelved_until = None,
            _ => {}
        }
    }
}

/// A route's chain for one incident.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    /// The row of the log with which it began.
    pub seq: i64,
    began: Timestamp,
    /// The highest level since, and when it came to that.
    level: Level,
    level_at: Timestamp,
    /// Whether it rose after the chain began.
    risen: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub incident: Incident,
    pub chains: BTreeMap<String, Chain>,
    pub decided: BTreeMap<String, Vec<Target>>,
    rules: BTreeSet<RuleId>,
    owners: Vec<Owner>,
}

impl Case {
    pub fn begin(first: &IncidentTransition) -> Option<Self> {
        let incident = Incident::begin(first)?;
        Some(Self {
            incident,
            chains: BTreeMap::new(),
            decided: BTreeMap::new(),
            rules: BTreeSet::new(),
            owners: Vec::new(),
        })
    }

    pub fn made_up(wish: &Wish, at: Timestamp) -> Self {
        let title = Title { zh: "试验".to_owned(), en: "test".to_owned() };
        let first = IncidentTransition {
            incident: "test".into(),
            seq: 1,
            at,
            actor: model::Actor::Hub,
            reason: None,
            change: IncidentChange::Reported {
                title,
                hazard: wish.hazard,
                level: wish.level,
                grid: wish.grid.clone(),
                place: None,
                source: None,
                action: None,
                origin: Origin::Person("test".into()),
            },
        };
        let mut case = Self::begin(&first).expect("it begins with a report");
        case.rules.extend(wish.rule.clone());
        case.owners.extend(wish.owner);
        case
    }

    /// The rules of its alarms; an alarm's row comes before the incident's.
    pub fn learn_rules(&mut self, alarms: &HashMap<AlarmId, AlarmFacts>) {
        let rules = self.incident.alarms.iter().filter_map(|id| alarms.get(id)).map(|facts| facts.rule.clone());
        self.rules.extend(rules);
    }

    pub fn traits(&self) -> Traits {
        Traits {
            level: self.incident.level,
            hazard: self.incident.hazard,
            grid: self.incident.grid.clone(),
            rules: self.rules.clone(),
            sources: self.incident.sources.clone(),
            owners: self.owners.clone(),
        }
    }

    pub fn begin_chain(&mut self, route: &str, seq: i64, at: Timestamp) {
        let level = self.incident.level;
        self.chains.insert(route.to_owned(), Chain { seq, began: at, level, level_at: at, risen: false });
    }

    /// Notes a level above the chain's highest.
    pub fn rise(&mut self, route: &str, at: Timestamp) {
        let level = self.incident.level;
        if let Some(chain) = self.chains.get_mut(route).filter(|chain| level > chain.level) {
            (chain.level, chain.level_at, chain.risen) = (level, at, true);
        }
    }

    /// Nothing is said while all its active alarms are put aside.
    pub fn is_quiet(&self, alarms: &HashMap<AlarmId, AlarmFacts>, now: Timestamp) -> bool {
        self.quiet_until(alarms, now).is_some()
    }

    pub fn quiet_until(&self, alarms: &HashMap<AlarmId, AlarmFacts>, now: Timestamp) -> Option<Timestamp> {
        let active = self.incident.active_alarms.iter().filter_map(|id| alarms.get(id));
        let until: Vec<Option<Timestamp>> =
            active.map(|facts| facts.shelved_until.filter(|until| *until > now)).collect();
        // None of them: it is a person's report, or all have cleared.
        until.into_iter().collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    fn is_needless(&self, unless: Unless) -> bool {
        let incident = &self.incident;
        match unless {
            Unless::Never => false,
            // Who has taken it or gone on with it has seen it.
            Unless::Acknowledged => {
                incident.acknowledged_by.is_some() || incident.owner.is_some() || incident.step > Stage::Report
            }
            Unless::Accepted => incident.step >= Stage::Accept,
            Unless::Dispatched => incident.step >= Stage::Dispatch,
        }
    }

    /// The chain's steps that are neither decided nor needless, and when each is due.
    fn undecided<'r>(&self, route: &'r Route) -> Vec<(Timestamp, Due<'r>)> {
        let Some(chain) = self.chains.get(&route.name) else { return Vec::new() };
        if !self.incident.is_open() {
            let key = format!("{}/over", route.name);
            let due = route.over && !self.decided.contains_key(&key) && self.told_by(&route.name).next().is_some();
            let due = due.then_some(Due { key, step: None, kind: Kind::Over, waited: SignedDuration::ZERO });
            return due.map(|due| (self.incident.updated_at, due)).into_iter().collect();
        }
        let steps = route.steps.iter().enumerate().filter(|(_, step)| !self.is_needless(step.needless_when()));
        let each = steps.filter_map(|(number, step)| {
            let waited = step.after.0;
            let (key, kind, at) = if waited.is_zero() {
                // What is told at once is told again when it becomes graver.
                let kind = if chain.risen { Kind::Risen } else { Kind::Opened };
                (format!("{}/{number}@{}", route.name, chain.level.as_str()), kind, chain.level_at)
            } else {
                let at = chain.began.saturating_add(waited).unwrap_or(Timestamp::MAX);
                (format!("{}/{number}", route.name), Kind::Escalated, at)
            };
            (!self.decided.contains_key(&key)).then_some((at, Due { key, step: Some(step), kind, waited }))
        });
        each.collect()
    }

    pub fn due<'r>(&self, route: &'r Route, now: Timestamp) -> Vec<Due<'r>> {
        self.undecided(route).into_iter().filter(|(at, _)| *at <= now).map(|(_, due)| due).collect()
    }

    pub fn next(&self, route: &Route) -> Option<Timestamp> {
        self.undecided(route).into_iter().map(|(at, _)| at).min()
    }

    /// Everybody whom a route has told.
    pub fn told_by<'c>(&'c self, route: &'c str) -> impl Iterator<Item = &'c Target> {
        let of_route = move |key: &str| key.split_once('/').is_some_and(|(name, _)| name == route);
        self.decided.iter().filter(move |(key, _)| of_route(key)).flat_map(|(_, told)| told)
    }

    pub fn content(&self, due: &Due<'_>, town: &Town) -> Content {
        let incident = &self.incident;
        Content {
            kind: due.kind,
            title: incident.title.clone(),
            action: incident.action.clone(),
            level: incident.level,
            hazard: Some(incident.hazard),
            grid: Some(incident.grid.clone()),
            grid_name: town.name_of(&incident.grid),
            place: incident.place,
            reported_at: incident.reported_at,
            waited_s: due.waited.as_secs(),
            mention: Vec::new(),
            items: Vec::new(),
            count: 0,
        }
    }

    pub fn notice(&self, due: &Due<'_>, target: Target, state: State, content: Content, now: Timestamp) -> Notice {
        Notice {
            key: Notice::key_of(self.incident.id.as_str(), &due.key, &target),
            incident: Some(self.incident.id.clone()),
            step: due.key.clone(),
            target,
            level: self.incident.level,
            at: now,
            state,
            content,
        }
    }
}
