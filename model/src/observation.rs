//! Observations: what a source said, when, and how far it can be trusted (after OGC SensorThings).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{SourceId, Timestamp};

/// The name of a measured quantity of a source, as in `level`, `temperature`, `picture`.
pub type Reading = Arc<str>;

/// One value of one reading of one source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Observation {
    /// Who observed.
    pub source: SourceId,
    /// Which quantity.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub reading: Reading,
    /// The result.
    pub value: Value,
    /// How far the result can be trusted.
    pub quality: Quality,
    /// When it was true in the world, by the source's clock where it has one, else the time of receipt.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub phenomenon_time: Timestamp,
    /// When the hub received it, by the hub's clock.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub received_at: Timestamp,
    /// Whether a broker replayed it as a retained message: it may set state but is no event.
    #[serde(default)]
    pub retained: bool,
}

/// A result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum Value {
    /// True or false: a contact, a detector's alarm.
    Bool(bool),
    /// A finite number in the reading's unit.
    Number(f64),
    /// A word out of a small set, as `covered`; at most 256 bytes.
    Text(String),
}

impl Value {
    /// The number, or 1 and 0 for true and false; none for a word.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Bool(b) => Some(f64::from(u8::from(*b))),
            Value::Number(n) => Some(*n),
            Value::Text(_) => None,
        }
    }
}

/// How far a result can be trusted (OPC UA's three).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Plausible and current.
    #[default]
    Good,
    /// Usable with care: late, clock in doubt, out of the usual range.
    Uncertain,
    /// Not to be used: it neither raises nor clears.
    Bad,
}
