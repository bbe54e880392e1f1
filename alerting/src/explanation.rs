//! Why a rule has raised an alarm for a source, or has not: what it sees there at one moment, and the answer in words.

use std::collections::BTreeMap;

use model::{Alarm, Level, RuleId, SourceId, SourceState, Timestamp, Value};
use serde::Serialize;

use crate::rule::RuleStatus;

/// What a rule sees at a source.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// The rule.
    pub rule: RuleId,
    /// Hash of its meaning.
    pub version: String,
    /// Where it is in its life.
    pub status: RuleStatus,
    /// The source.
    pub source: SourceId,
    /// The moment that is explained.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// The answer in one word.
    pub verdict: Verdict,
    /// The answer in sentences, the weightiest first.
    pub reasons: Vec<Reason>,
    /// The state of the source's link.
    pub state: SourceState,
    /// The calendar that the rule is in force by; none for always.
    pub calendar: Option<CalendarSight>,
    /// Until when a person has put this rule aside for this source.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub shelved_until: Option<Timestamp>,
    /// Its levels, the lowest first; none when the rule does not watch the source.
    pub levels: Vec<LevelSight>,
    /// The alarm that stands.
    pub alarm: Option<Alarm>,
}

/// The answer in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", schema(as = RuleVerdict))]
pub enum Verdict {
    /// An alarm stands.
    Raised,
    /// A condition holds and has not held long enough.
    Waiting,
    /// It cannot be said.
    Unknown,
    /// No condition holds.
    NotMet,
    /// The rule's calendar is shut.
    Closed,
    /// The rule does not watch the source.
    NotWatched,
}

/// A sentence of the answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Reason {
    /// What kind of sentence, as `waits`; the console translates it.
    pub key: String,
    /// What stands in it.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
    pub values: BTreeMap<String, serde_json::Value>,
    /// In English.
    pub text: String,
}

/// A rule's calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CalendarSight {
    /// Its name.
    pub name: String,
    /// Whether the rule is in force.
    pub open: bool,
    /// When that may change.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub next_edge: Option<Timestamp>,
}

/// A level of the rule at the source.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LevelSight {
    /// Which.
    pub level: Level,
    /// When it is raised.
    pub raise: ConditionSight,
    /// When it is over.
    pub clear: ConditionSight,
    /// Seconds for which `raise` must hold.
    pub for_s: f64,
    /// Since when it holds; none while it does not.
    pub timer: Option<TimerSight>,
}

/// A condition, asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ConditionSight {
    /// As written in the rule.
    pub text: String,
    /// What it says; none when it cannot be said.
    pub holds: Option<bool>,
    /// The names in it with their values.
    pub names: Vec<NameSight>,
}

/// A name in a condition.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NameSight {
    /// As written.
    pub name: String,
    /// The reading it stands for, when it is one.
    pub reading: Option<String>,
    /// Its value; none when there is none.
    #[cfg_attr(feature = "schema", schema(value_type = Option<Value>))]
    pub value: Option<Value>,
    /// When the value was received, of a reading.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub received_at: Option<Timestamp>,
    /// How old it is, in seconds.
    pub age_s: Option<f64>,
    /// Why there is no usable value: `no_value`, `too_old`, `no_limit`, `no_tag`, `broker_away`.
    pub missing: Option<String>,
}

/// How long a condition has held.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TimerSight {
    /// When it first held.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub since: Timestamp,
    /// For how long it has held, gaps left out, in seconds.
    pub elapsed_s: f64,
    /// When it will have held long enough; none while it pauses.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub due: Option<Timestamp>,
}

/// Why nothing can be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotKnown {
    /// No such rule.
    #[error("no such rule")]
    Rule,
    /// No such source.
    #[error("no such source")]
    Source,
}

impl Reason {
    /// A sentence of a kind; its text is made here, so that all who show it in English say the same.
    pub(crate) fn new<const N: usize>(key: &str, values: [(&str, serde_json::Value); N]) -> Self {
        let values: BTreeMap<String, serde_json::Value> =
            values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let text = text_of(key, &values);
        Self { key: key.to_owned(), values, text }
    }
}

fn text_of(key: &str, values: &BTreeMap<String, serde_json::Value>) -> String {
    let of = |name: &str| match values.get(name) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    match key {
        "raised" => format!("a {} alarm stands since {}", of("level"), of("since")),
        "not_cleared" => format!("it is not over: {} is not true", of("condition")),
        "clear_unknown" => format!("whether it is over cannot be said: {}", of("condition")),
        "held" => format!("it is over, and stands until {} by `hold`", of("until")),
        "stale" => "its data is too old to say whether it still holds".to_owned(),
        "waits" => format!("{} holds since {}, and raises at {}", of("level"), of("since"), of("due")),
        "paused" => format!("{} held for {} s of {} s, and waits for data", of("level"), of("elapsed_s"), of("for_s")),
        "not_met" => format!("{} is not reached: {} is not true", of("level"), of("condition")),
        "unknown" => format!("{} cannot be judged: {}", of("level"), of("condition")),
        "no_value" => format!("{} has never come", of("name")),
        "too_old" => format!("{} is {} s old; after {} s it counts as missing", of("name"), of("age_s"), of("after_s")),
        "no_limit" => format!("the source has no {}", of("name")),
        "no_tag" => format!("the source has no {}", of("name")),
        "wrong_kind" => format!("{}: found {}, expected {}", of("operator"), of("found"), of("expected")),
        "broker_away" => format!("its broker cannot be reached since {}", of("since")),
        "state_unknown" => format!("the link is {}: nothing is known of it yet", of("state")),
        "no_interval" => "the source has no report interval, so it cannot be missed".to_owned(),
        "calendar_shut" => format!("{} is shut; it may open at {}", of("calendar"), of("opens_at")),
        "shelved" => format!("put aside until {}", of("until")),
        "suppressed" => format!("suppressed by {}", of("by")),
        "status" => format!("the rule is a {} and watches nobody", of("status")),
        "not_selected" => "the rule's selection leaves the source out".to_owned(),
        other => other.replace('_', " "),
    }
}
