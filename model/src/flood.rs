//! Flood mode: more alarms at once than a person can look at (ISA-18.2: more than ten in ten minutes).

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A flood begins or ends, at one desk or in the hub as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FloodTransition {
    /// The desk, as the owner of its rules is written; none for the whole hub.
    pub desk: Option<String>,
    /// When.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// What changed.
    pub change: FloodChange,
}

/// What a transition changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FloodChange {
    /// More than ten alarms were announced in ten minutes.
    Began {
        /// How many in the ten minutes before.
        alarms: u32,
    },
    /// Fewer than five alarms were announced in ten minutes.
    Ended {
        /// Since when it was on.
        #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
        since: Timestamp,
        /// How many were announced from ten minutes before its beginning to its end.
        alarms: u32,
        /// The most in any ten minutes.
        peak: u32,
    },
}

/// A flood that is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Flood {
    /// The desk; none for the whole hub.
    pub desk: Option<String>,
    /// Since when.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub since: Timestamp,
    /// How many alarms were announced from ten minutes before its beginning until now.
    pub alarms: u32,
    /// How many in the last ten minutes.
    pub rate: u32,
}
