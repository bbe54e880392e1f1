//! What is said to one recipient over one channel, with all that is needed to say it.

use model::alarm::Title;
use model::{GridId, Hazard, IncidentId, Level, Place, Timestamp};
use serde::{Deserialize, Serialize};

/// One message to one recipient.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Names it for ever: the same key is never planned twice.
    pub key: String,
    /// What it is about; none for a summary.
    pub incident: Option<IncidentId>,
    /// The route's step that says it.
    pub step: String,
    /// Over which channel, and to whom.
    pub target: Target,
    /// How grave.
    pub level: Level,
    /// When it was planned.
    pub at: Timestamp,
    /// Where it begins.
    pub state: State,
    /// What is said.
    pub content: Content,
}

/// A recipient on a channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// The channel's name.
    pub channel: String,
    /// The id of a person; `*` for the one place that is behind the channel; `role:ROLE` when nobody was on duty.
    pub recipient: String,
}

/// Where a notice begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// To be sent.
    Waiting,
    /// Beyond the recipient's budget: told in the next summary.
    Held,
    /// Nobody to send it to, and why.
    Dead(&'static str),
}

/// Why something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Kind {
    /// The incident has come to the route.
    Opened,
    /// It has become graver.
    Risen,
    /// Nobody has done what the step waited for.
    Escalated,
    /// It has ended.
    Over,
    /// Several that were held back.
    Summary,
}

impl Kind {
    /// The name in the API and in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Opened => "opened",
            Kind::Risen => "risen",
            Kind::Escalated => "escalated",
            Kind::Over => "over",
            Kind::Summary => "summary",
        }
    }
}

/// What is said, as it was when it was planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// Why.
    pub kind: Kind,
    /// The headline.
    pub title: Title,
    /// What to do, as the rule says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Title>,
    /// How grave.
    pub level: Level,
    /// What harm; none for a summary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hazard: Option<Hazard>,
    /// In which grid; none for a summary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<GridId>,
    /// The grid's name.
    #[serde(default)]
    pub grid_name: String,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// When the incident was reported; of a summary, when the first message was held back.
    pub reported_at: Timestamp,
    /// Seconds that nobody did what the step waited for.
    #[serde(default)]
    pub waited_s: i64,
    /// Persons whom a robot mentions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mention: Vec<String>,
    /// What a summary holds, the first ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Item>,
    /// How many it holds in all.
    #[serde(default)]
    pub count: usize,
}

/// One line of a summary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Which incident.
    pub incident: IncidentId,
    /// Its headline.
    pub title: Title,
    /// How grave.
    pub level: Level,
    /// When it was held back.
    pub at: Timestamp,
}

/// A step that was decided once and for all, and to whom it went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// Of which incident.
    pub incident: IncidentId,
    /// Which step.
    pub step: String,
    /// When.
    pub at: Timestamp,
    /// Who is told.
    pub told: Vec<Target>,
}

/// All that one look of the planner has made; kept in one piece.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Made {
    /// Steps that were decided.
    pub decided: Vec<Decided>,
    /// New messages.
    pub notices: Vec<Notice>,
    /// Keys of held messages that a summary among the notices now holds.
    pub summed: Vec<String>,
}

impl Made {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.decided.is_empty() && self.notices.is_empty() && self.summed.is_empty()
    }
}

impl Notice {
    /// The key of a message: one for each incident, step, channel and recipient.
    pub(crate) fn key_of(incident: &str, step: &str, target: &Target) -> String {
        format!("{incident}|{step}|{}|{}", target.channel, target.recipient)
    }
}
