//! What a person can ask of the desk, and how it can refuse.

use model::{Actor, GridId, Hazard, IncidentId, Level, Place, Role, SourceId, UserId, Verdict};
use serde::{Deserialize, Serialize};

/// A person's wish.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The incident it is about; none only for [`Command::Report`].
    pub incident: Option<IncidentId>,
    /// What is wanted.
    pub command: Command,
    /// Who wants it.
    pub actor: Actor,
    /// The role of who wants it.
    pub role: Role,
    /// Why; required for every side move.
    pub reason: Option<String>,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Command {
    /// A person reports an incident (上报).
    Report {
        /// The headline as the person wrote it, in whichever language.
        title: String,
        /// What harm.
        hazard: Hazard,
        /// How grave.
        level: Level,
        /// In which grid.
        grid: GridId,
        /// Where.
        place: Option<Place>,
        /// A source that shows it.
        source: Option<SourceId>,
        /// More words; may be empty.
        text: String,
    },
    /// I have seen it.
    Acknowledge,
    /// It is mine now.
    Take,
    /// A remark.
    Note {
        /// The text.
        text: String,
    },
    /// 受理.
    Accept,
    /// 立案, with the level a person gives it.
    File {
        /// A level other than the present one.
        level: Option<Level>,
    },
    /// 派遣, or a new responder for what is dispatched already.
    Dispatch {
        /// To whom.
        responder: UserId,
    },
    /// 处置: it is done.
    Handle,
    /// 核查: it was checked.
    Verify,
    /// 结案.
    Close {
        /// What it turned out to be.
        verdict: Verdict,
    },
    /// Back to be dispatched again.
    Return,
    /// Not ours or not valid.
    Reject,
    /// The same as another.
    Merge {
        /// The one that goes on.
        into: IncidentId,
    },
    /// On hold.
    Suspend,
    /// Off hold.
    Resume,
    /// Withdrawn.
    Cancel,
    /// Open again.
    Reopen,
}

/// Why the desk does not do it. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// For programs and translation.
    pub code: RefusalCode,
    /// For people, in English.
    pub message: String,
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// No such incident.
    NotFound,
    /// The flow does not allow this step from here.
    WrongStep,
    /// This actor may not do it.
    NotAllowed,
    /// A side move needs a reason.
    ReasonRequired,
    /// A field is empty, too long or names nothing.
    BadField,
    /// Somebody has done it already.
    AlreadyDone,
    /// The transition could not be made durable; try again.
    Unavailable,
}

impl RefusalCode {
    /// The code in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            RefusalCode::NotFound => "not_found",
            RefusalCode::WrongStep => "wrong_step",
            RefusalCode::NotAllowed => "not_allowed",
            RefusalCode::ReasonRequired => "reason_required",
            RefusalCode::BadField => "bad_field",
            RefusalCode::AlreadyDone => "already_done",
            RefusalCode::Unavailable => "unavailable",
        }
    }
}

impl Refusal {
    /// A refusal with its words.
    pub fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
