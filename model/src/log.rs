//! The event log's rows: one append-only, hash-chained list of everything that happened.

use serde::{Deserialize, Serialize};

use crate::{Actor, AlarmTransition, FloodTransition, IncidentTransition, Timestamp};

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
    /// An incident moved.
    Incident(IncidentTransition),
    /// A flood of alarms began or ended.
    Flood(FloodTransition),
    /// Someone looked, logged in, exported, or changed what the hub is.
    Audit(Audit),
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
