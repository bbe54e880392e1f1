//! Incidents: the case flow of seven steps as a fold of transitions.

use serde::{Deserialize, Serialize};

use crate::alarm::Title;
use crate::{AlarmId, GridId, Hazard, IncidentId, Level, Place, SourceId, Timestamp, UserId};

/// The seven steps 上报 受理 立案 派遣 处置 核查 结案; an incident stands at the last one done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// 上报: an alarm or a person has reported it.
    Report,
    /// 受理: a desk has taken it in.
    Accept,
    /// 立案: it is a case, with category and level.
    File,
    /// 派遣: sent to a named responder.
    Dispatch,
    /// 处置: the responder says it is done.
    Handle,
    /// 核查: somebody other than the responder has checked.
    Verify,
    /// 结案: closed with a verdict.
    Close,
}

impl Step {
    /// All steps in order.
    pub const ALL: [Step; 7] =
        [Step::Report, Step::Accept, Step::File, Step::Dispatch, Step::Handle, Step::Verify, Step::Close];

    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Report => "report",
            Step::Accept => "accept",
            Step::File => "file",
            Step::Dispatch => "dispatch",
            Step::Handle => "handle",
            Step::Verify => "verify",
            Step::Close => "close",
        }
    }
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "type", content = "id", rename_all = "snake_case")]
pub enum Actor {
    /// The hub by itself.
    Hub,
    /// A user or token.
    User(UserId),
    /// Someone at the command line of the machine.
    Console,
}

/// Where an incident comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "type", content = "id", rename_all = "snake_case")]
pub enum Origin {
    /// An alarm.
    Alarm(AlarmId),
    /// A person's report.
    Person(UserId),
}

/// What it turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was so.
    True,
    /// It was not so.
    False,
    /// It was so, and nobody needed to know.
    Nuisance,
}

/// One step in the life of an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct IncidentTransition {
    /// Which incident.
    pub incident: IncidentId,
    /// 1 for the first transition of this incident, rising by one.
    pub seq: u32,
    /// When, on the desk's clock.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What changed.
    pub change: IncidentChange,
    /// Why; required for every side move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a transition changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum IncidentChange {
    /// The first step, 上报.
    Reported {
        /// The headline.
        title: Title,
        /// What harm.
        hazard: Hazard,
        /// How grave.
        level: Level,
        /// In which grid.
        grid: GridId,
        /// Where.
        place: Option<Place>,
        /// The source that started it, when one did.
        source: Option<SourceId>,
        /// What to do, as the rule says; none for a person's report.
        #[serde(default)]
        action: Option<Title>,
        /// From whom or what.
        origin: Origin,
    },
    /// A further alarm of the same place and hazard joined.
    AlarmJoined {
        /// The alarm.
        alarm: AlarmId,
        /// Its source.
        source: SourceId,
        /// Its level.
        level: Level,
    },
    /// The highest level of its active alarms, or a person, changed the level.
    LevelChanged {
        /// From.
        from: Level,
        /// To.
        to: Level,
    },
    /// One of its alarms cleared.
    AlarmCleared {
        /// The alarm.
        alarm: AlarmId,
    },
    /// A person has seen it; sounds stop.
    Acknowledged,
    /// A person owns it now.
    Taken {
        /// The new owner.
        owner: UserId,
    },
    /// A remark.
    Noted {
        /// The text, at most 4,000 characters.
        text: String,
    },
    /// A step of the flow was done (accept, file, handle, verify).
    Advanced {
        /// The step it stood at.
        from: Step,
        /// The step it stands at now.
        to: Step,
    },
    /// Sent to a responder (step dispatch), or to another one.
    Dispatched {
        /// The step it stood at.
        from: Step,
        /// To whom.
        responder: UserId,
    },
    /// The responder or the verifier sends it back to dispatch.
    Returned {
        /// The step it stood at.
        from: Step,
    },
    /// Put on hold, with approval.
    Suspended,
    /// Taken off hold.
    Resumed,
    /// Not ours or not valid; ends it.
    Rejected,
    /// The same as another; ends it.
    Merged {
        /// The incident that goes on.
        into: IncidentId,
    },
    /// Withdrawn; ends it.
    Cancelled,
    /// Closed (step close); ends it.
    Closed {
        /// The step it stood at.
        from: Step,
        /// What it turned out to be.
        verdict: Verdict,
    },
    /// Open again after an end.
    Reopened,
    /// A step took longer than its limit; fires once for each step.
    DeadlineBreached {
        /// The step that was due.
        due: Step,
    },
}

/// How an incident ended, if it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Outcome {
    /// Through the flow.
    Closed {
        /// What it turned out to be.
        verdict: Verdict,
    },
    /// Not ours or not valid.
    Rejected,
    /// The same as another.
    Merged {
        /// The incident that goes on.
        into: IncidentId,
    },
    /// Withdrawn.
    Cancelled,
}

/// An incident as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// The headline.
    pub title: Title,
    /// What harm.
    pub hazard: Hazard,
    /// How grave.
    pub level: Level,
    /// In which grid.
    pub grid: GridId,
    /// Where.
    pub place: Option<Place>,
    /// The sources of its alarms, the first one first.
    pub sources: Vec<SourceId>,
    /// What to do, as the rule says; none for a person's report.
    pub action: Option<Title>,
    /// From whom or what.
    pub origin: Origin,
    /// All alarms that joined.
    pub alarms: Vec<AlarmId>,
    /// Those that are still active.
    pub active_alarms: Vec<AlarmId>,
    /// The last step done.
    pub step: Step,
    /// When it was reported.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub reported_at: Timestamp,
    /// When it came to its present step.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub step_since: Timestamp,
    /// When anything last changed.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub updated_at: Timestamp,
    /// Who acknowledged it first; none while unacknowledged.
    pub acknowledged_by: Option<UserId>,
    /// Whose it is.
    pub owner: Option<UserId>,
    /// To whom it was dispatched.
    pub responder: Option<UserId>,
    /// Whether it is on hold.
    pub suspended: bool,
    /// Steps whose limit has passed.
    pub breached: Vec<Step>,
    /// How it ended; none while open.
    pub outcome: Option<Outcome>,
    /// The number of the last transition.
    pub seq: u32,
}

impl Incident {
    /// Begins an incident from its first transition; none unless that is [`IncidentChange::Reported`].
    pub fn begin(first: &IncidentTransition) -> Option<Self> {
        let IncidentChange::Reported { title, hazard, level, grid, place, source, action, origin } = &first.change
        else {
            return None;
        };
        let alarms: Vec<AlarmId> = match origin {
            Origin::Alarm(alarm) => vec![alarm.clone()],
            Origin::Person(_) => Vec::new(),
        };
        Some(Self {
            id: first.incident.clone(),
            title: title.clone(),
            hazard: *hazard,
            level: *level,
            grid: grid.clone(),
            place: *place,
            sources: source.iter().cloned().collect(),
            action: action.clone(),
            origin: origin.clone(),
            active_alarms: alarms.clone(),
            alarms,
            step: Step::Report,
            reported_at: first.at,
            step_since: first.at,
            updated_at: first.at,
            acknowledged_by: None,
            owner: None,
            responder: None,
            suspended: false,
            breached: Vec::new(),
            outcome: None,
            seq: first.seq,
        })
    }

    /// Folds one more transition in. One whose number is not higher than the last is a repeat and changes nothing.
    pub fn apply(&mut self, transition: &IncidentTransition) {
        if transition.seq <= self.seq {
            return;
        }
        self.seq = transition.seq;
        self.updated_at = transition.at;
        match &transition.change {
            IncidentChange::Reported { .. } | IncidentChange::Noted { .. } => {}
            IncidentChange::AlarmJoined { alarm, source, .. } => {
                if !self.alarms.contains(alarm) {
                    self.alarms.push(alarm.clone());
                }
                if !self.active_alarms.contains(alarm) {
                    self.active_alarms.push(alarm.clone());
                }
                if !self.sources.contains(source) {
                    self.sources.push(source.clone());
                }
            }
            IncidentChange::LevelChanged { to, .. } => self.level = *to,
            IncidentChange::AlarmCleared { alarm } => self.active_alarms.retain(|a| a != alarm),
            IncidentChange::Acknowledged => {
                if let (None, Actor::User(user)) = (&self.acknowledged_by, &transition.actor) {
                    self.acknowledged_by = Some(user.clone());
                }
            }
            IncidentChange::Taken { owner } => self.owner = Some(owner.clone()),
            IncidentChange::Advanced { to, .. } => self.stand_at(*to, transition.at),
            IncidentChange::Dispatched { responder, .. } => {
                self.responder = Some(responder.clone());
                self.stand_at(Step::Dispatch, transition.at);
            }
            IncidentChange::Returned { .. } => {
                self.responder = None;
                self.stand_at(Step::File, transition.at);
            }
            IncidentChange::Suspended => self.suspended = true,
            IncidentChange::Resumed => self.suspended = false,
            IncidentChange::Rejected => self.outcome = Some(Outcome::Rejected),
            IncidentChange::Merged { into } => self.outcome = Some(Outcome::Merged { into: into.clone() }),
            IncidentChange::Cancelled => self.outcome = Some(Outcome::Cancelled),
            IncidentChange::Closed { verdict, .. } => {
                self.outcome = Some(Outcome::Closed { verdict: *verdict });
                self.stand_at(Step::Close, transition.at);
            }
            IncidentChange::Reopened => {
                self.outcome = None;
                self.stand_at(Step::Accept, transition.at);
            }
            IncidentChange::DeadlineBreached { due } => {
                if !self.breached.contains(due) {
                    self.breached.push(*due);
                }
            }
        }
    }

    fn stand_at(&mut self, step: Step, at: Timestamp) {
        self.step = step;
        self.step_since = at;
    }

    /// Whether work remains.
    pub fn is_open(&self) -> bool {
        self.outcome.is_none()
    }
}
