//! The planner: a fold of the event log that says who is told what, when.
//!
//! Pure: rows and time in, messages out. Each step of a chain is decided once; what was decided, and the row of the log
//! up to which everything was looked at, go to the outbox in one piece, so that a stop at any moment neither loses nor
//! doubles a message.

mod case;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use model::{AlarmChange, AlarmId, IncidentId, LogBody, LogEntry, RuleId};

pub use crate::routes::Town;

use crate::APP;
use crate::budget::Budgets;
use crate::notice::{Decided, Kind, Made, Notice, State, Target};
use crate::telling::{Person, Route, Step, Telling};
use case::{AlarmFacts, Case};

/// Who is told, when.
#[derive(Debug, Clone)]
pub struct Planner {
    telling: Arc<Telling>,
    /// Up to which row of the log each route says nothing: what began before it was there.
    since: BTreeMap<String, i64>,
    cases: BTreeMap<IncidentId, Case>,
    /// Those about which something may still be said.
    open: BTreeSet<IncidentId>,
    alarms: HashMap<AlarmId, AlarmFacts>,
    budgets: Budgets,
}

/// What the outbox remembers of the planner.
#[derive(Debug, Clone, Default)]
pub struct Remembered {
    /// Steps that were decided.
    pub decided: Vec<Decided>,
    /// Messages that wait for a summary.
    pub held: Vec<Notice>,
    /// Persons who got a message of their own in the last hour, and when.
    pub recent: Vec<(String, Timestamp)>,
}

impl Planner {
    /// A planner that has seen nothing. `since` tells from which row of the log on each route speaks.
    pub fn new(telling: Arc<Telling>, since: BTreeMap<String, i64>) -> Self {
        Self {
            telling,
            since,
            cases: BTreeMap::new(),
            open: BTreeSet::new(),
            alarms: HashMap::new(),
            budgets: Budgets::default(),
        }
    }

    /// What it decided in an earlier life; after the rows of that life, before its first [`Planner::tick`].
    pub fn remember(&mut self, remembered: Remembered) {
        for decided in remembered.decided {
            if let Some(case) = self.cases.get_mut(&decided.incident) {
                case.decided.insert(decided.step, decided.told);
            }
        }
        remembered.held.iter().for_each(|notice| self.budgets.hold(notice));
        for (person, at) in remembered.recent {
            self.budgets.count(&person, at);
        }
    }

    /// Takes one row of the log in; says nothing yet.
    pub fn observe(&mut self, entry: &LogEntry, town: &Town) {
        match &entry.body {
            LogBody::Alarm(transition) => match &transition.change {
                AlarmChange::Raised { shelved_until, .. } => {
                    let facts = AlarmFacts { rule: transition.rule.clone(), shelved_until: *shelved_until };
                    self.alarms.insert(transition.alarm.clone(), facts);
                }
                AlarmChange::Cleared { .. } => drop(self.alarms.remove(&transition.alarm)),
                change => {
                    if let Some(facts) = self.alarms.get_mut(&transition.alarm) {
                        facts.apply(change);
                    }
                }
            },
            LogBody::Incident(transition) => {
                let case = match self.cases.get_mut(&transition.incident) {
                    Some(case) => {
                        case.incident.apply(transition);
                        case
                    }
                    None => {
                        let Some(case) = Case::begin(transition) else { return };
                        self.cases.entry(transition.incident.clone()).or_insert(case)
                    }
                };
                case.learn_rules(&self.alarms);
                self.open.insert(transition.incident.clone());
                let zone = self.telling.zone();
                let traits = case.traits();
                for route in &self.telling.routes {
                    let began = case.chains.contains_key(&route.name);
                    if !began && case.incident.is_open() && route.is_for(&traits, town, transition.at, &zone) {
                        case.begin_chain(&route.name, entry.seq, transition.at);
                    } else if began {
                        case.rise(&route.name, transition.at);
                    }
                }
            }
            LogBody::Shadow(_) | LogBody::Flood(_) | LogBody::Rule(_) | LogBody::Audit(_) => {}
        }
    }

    /// Decides what is due.
    pub fn tick(&mut self, now: Timestamp, town: &Town) -> Made {
        let mut made = Made::default();
        let telling = Arc::clone(&self.telling);
        let mut settled = BTreeSet::new();
        for id in &self.open {
            let Some(case) = self.cases.get_mut(id) else { continue };
            let quiet = case.is_quiet(&self.alarms, now);
            // Of several routes that say the same at once, one does.
            let mut said: BTreeSet<Target> = BTreeSet::new();
            for route in &telling.routes {
                let Some(chain) = case.chains.get(&route.name) else { continue };
                if chain.seq <= self.since.get(&route.name).copied().unwrap_or(0) || (quiet && case.incident.is_open())
                {
                    continue;
                }
                for due in case.due(route, now) {
                    let notices = match due.step {
                        Some(step) => messages(&telling, case, step, &due, now, town),
                        None => over(case, &due, now, town),
                    };
                    let mut told = Vec::new();
                    for mut notice in notices {
                        if !said.insert(notice.target.clone()) {
                            continue;
                        }
                        told.push(notice.target.clone());
                        if notice.state == State::Waiting
                            && let Some(person) = telling.person(&notice.target.recipient)
                        {
                            if self.budgets.admits(person, notice.level, now) {
                                self.budgets.count(&person.id, now);
                            } else {
                                notice.state = State::Held;
                                self.budgets.hold(&notice);
                            }
                        }
                        made.notices.push(notice);
                    }
                    case.decided.insert(due.key.clone(), told.clone());
                    made.decided.push(Decided { incident: id.clone(), step: due.key, at: now, told });
                }
            }
            if !case.incident.is_open() {
                settled.insert(id.clone());
            }
        }
        self.open.retain(|id| !settled.contains(id));
        self.budgets.sum_up(now, &mut made);
        made
    }

    /// When [`Planner::tick`] next has something to say, if nothing happens.
    pub fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let of_case = |id: &IncidentId| {
            let case = self.cases.get(id)?;
            let routes = self.telling.routes.iter().filter(|route| {
                let chain = case.chains.get(&route.name);
                chain.is_some_and(|chain| chain.seq > self.since.get(&route.name).copied().unwrap_or(0))
            });
            let next = routes.filter_map(|route| case.next(route)).min()?;
            match case.quiet_until(&self.alarms, now) {
                Some(until) => Some(until.max(next)),
                None => Some(next),
            }
        };
        self.open.iter().filter_map(of_case).chain(self.budgets.next()).min()
    }

    /// Whether an incident is open and which grid it is in, for what needs to know it later.
    pub fn incident(&self, id: &str) -> Option<&model::Incident> {
        self.cases.get(id).map(|case| &case.incident)
    }

    /// Incidents on which work remains.
    pub fn open(&self) -> impl Iterator<Item = &IncidentId> {
        self.cases.iter().filter(|(_, case)| case.incident.is_open()).map(|(id, _)| id)
    }

    /// What would be told of a made-up incident that begins at `at`: each step of each route that is for it, with its
    /// recipients as they are on duty then.
    pub fn would_tell(telling: &Telling, wish: &Wish, at: Timestamp, town: &Town) -> Vec<Would> {
        let zone = telling.zone();
        let case = Case::made_up(wish, at);
        let traits = case.traits();
        let routes = telling.routes.iter().filter(|route| route.is_for(&traits, town, at, &zone));
        let each = |route: &Route| -> Vec<Would> {
            let steps = route.steps.iter().enumerate().map(|(number, step)| {
                let when = at.saturating_add(step.after.0).unwrap_or(Timestamp::MAX);
                let kind = if step.after.0.is_zero() { Kind::Opened } else { Kind::Escalated };
                let due = Due { key: format!("{}/{number}", route.name), step: Some(step), kind, waited: step.after.0 };
                let notices = messages(telling, &case, step, &due, when, town);
                let nobody = |notice: &Notice| matches!(notice.state, State::Dead(_));
                Would {
                    route: route.name.clone(),
                    step: number,
                    after_s: step.after.0.as_secs(),
                    unless: step.needless_when(),
                    told: notices.iter().filter(|n| !nobody(n)).map(|n| n.target.clone()).collect(),
                    nobody: notices.iter().filter(|n| nobody(n)).map(|n| n.target.clone()).collect(),
                }
            });
            steps.collect()
        };
        routes.flat_map(each).collect()
    }
}

/// A made-up incident.
#[derive(Debug, Clone)]
pub struct Wish {
    /// How grave.
    pub level: model::Level,
    /// What harm.
    pub hazard: model::Hazard,
    /// Where.
    pub grid: model::GridId,
    /// The rule of its alarm.
    pub rule: Option<RuleId>,
    /// The owner of its source.
    pub owner: Option<model::Owner>,
}

/// What a route's step would tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Would {
    /// Which route.
    pub route: String,
    /// Which of its steps, from 0.
    pub step: usize,
    /// How long after the beginning.
    pub after_s: i64,
    /// What makes it needless.
    pub unless: crate::Unless,
    /// Who would be told.
    pub told: Vec<Target>,
    /// Whom the step names and nobody stands behind then.
    pub nobody: Vec<Target>,
}

/// A step that is due.
#[derive(Debug)]
pub(crate) struct Due<'r> {
    /// The name under which it is decided.
    pub key: String,
    /// None: it is over.
    pub step: Option<&'r Step>,
    pub kind: Kind,
    pub waited: SignedDuration,
}

/// The messages of a step.
fn messages(telling: &Telling, case: &Case, step: &Step, due: &Due<'_>, now: Timestamp, town: &Town) -> Vec<Notice> {
    let meant = telling.meant(&step.to, case.incident.responder.as_ref(), now);
    let mut notices = Vec::new();
    let mut say = |channel: &str, recipient: &str, state: State, mention: Vec<String>| {
        let target = Target { channel: channel.to_owned(), recipient: recipient.to_owned() };
        let mut content = case.content(due, town);
        content.mention = mention;
        notices.push(case.notice(due, target, state, content, now));
    };
    for channel in &step.channels {
        let Some(reaches) = reach(telling, channel) else {
            let mention = meant.persons.iter().map(|person| person.id.clone()).collect();
            say(channel, "*", State::Waiting, mention);
            continue;
        };
        for person in &meant.persons {
            let state = if reaches(person) { State::Waiting } else { State::Dead("unreachable") };
            say(channel, &person.id, state, Vec::new());
        }
        for nobody in &meant.nobody {
            say(channel, nobody, State::Dead("nobody_on_duty"), Vec::new());
        }
    }
    notices
}

/// Of a channel with persons behind it: whether it reaches one.
fn reach(telling: &Telling, channel: &str) -> Option<fn(&Person) -> bool> {
    if channel == APP {
        return Some(|person| person.user.is_some());
    }
    let mail = telling.channels.mail.iter().any(|mail| mail.name == channel);
    mail.then_some(|person: &Person| person.email.is_some())
}

/// Everybody whom the route has told is told that it is over.
fn over(case: &Case, due: &Due<'_>, now: Timestamp, town: &Town) -> Vec<Notice> {
    let route = due.key.split('/').next().unwrap_or_default();
    let targets: BTreeSet<&Target> = case.told_by(route).filter(|target| !target.recipient.contains(':')).collect();
    let content = case.content(due, town);
    let notice = |target: &Target| case.notice(due, target.clone(), State::Waiting, content.clone(), now);
    targets.into_iter().map(notice).collect()
}

#[cfg(test)]
#[path = "planner_tests.rs"]
mod tests;
