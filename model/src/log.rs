//! The event log's rows: one append-only, hash-chained list of everything that happened.

use serde::{Deserialize, Serialize};

use crate::{Actor, AlarmTransition, FloodTransition, IncidentTransition, RuleId, Timestamp};

/// A row of the event log as it stands on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LogEntry {
    /// 1 for the first row, rising by one without gaps.
    pub seq: i64,
    /// When it was written.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub body: LogBody,
    /// Lower-case hex SHA-256 over the row before's hash and this row's content.
    pub hash: String,
}

/// What a row tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LogBody {
    /// An alarm moved.
    Alarm(AlarmTransition),
    /// The alarm of a rule on trial moved; nobody is told.
    Shadow(AlarmTransition),
    /// An incident moved.
    Incident(IncidentTransition),
    /// A flood of alarms began or ended.
    Flood(FloodTransition),
    /// A rule was written, tried, or went on in its life.
    Rule(RuleChange),
    /// Someone looked, logged in, exported, or changed what the hub is.
    Audit(Audit),
}

/// A step in the life of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RuleChange {
    /// The rule.
    pub rule: RuleId,
    /// Hash of its meaning after the step.
    pub version: String,
    /// Where it is in its life after the step: `draft`, `shadow`, `active`, `retired`.
    pub status: String,
    /// The step.
    pub step: RuleStep,
}

/// What was done to a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RuleStep {
    /// Its text was written.
    Written {
        /// The whole text.
        text: String,
        /// Why, in the author's words; may be empty.
        note: String,
    },
    /// It went on in its life.
    StatusSet {
        /// From.
        from: String,
        /// Why.
        reason: String,
        /// What it rests on: `backtest` or `shadow`, for a promotion.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<String>,
        /// Whether a lead went on without what a promotion asks for.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        overridden: bool,
        /// The whole text after it.
        text: String,
    },
    /// It was tried over the past, for the whole town.
    Backtested {
        /// From.
        #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
        from: Timestamp,
        /// To.
        #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
        to: Timestamp,
        /// Alarms it would have raised.
        raised: u64,
        /// In a day.
        per_day: f64,
    },
}

/// An audited act that moves no alarm and no incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Audit {
    /// What was done, as `live.view`, `snapshot.view`, `video.break_glass`, `session.login`, `session.refused`,
    /// `sources.import`, `user.add`, `token.create`, `rules.load`, `emergency.begin`, `emergency.end`, `hub.start`, `hub.stop`.
    pub action: String,
    /// To what: a source, user or file.
    pub subject: String,
    /// What for, in the actor's words; required for break-glass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Further facts, never secrets.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub detail: serde_json::Value,
}
