//! Payloads of sensors into observations: pure, for hostile input.
//!
//! Belongs here: the four formats of the registry, limits on size and number, times checked against the hub's clock.
//! Does not belong here: topics and subscriptions (`mqtt::routes`), thresholds (`alerting`).
//!
//! What is refused as a whole (the caller files it as a dead letter): empty or oversize payloads, text that is not UTF-8
//! or not JSON, numbers that are not finite, a unit other than the registry's, more than [`MAX_READINGS`] readings, and
//! payloads without any reading. What only lowers the quality: a time that cannot be right.

mod format;
mod json;
mod raw;
mod senml;
mod time;

pub use format::{Format, FormatError, MAX_READING_NAME_BYTES};

use jiff::Timestamp;
use model::{Observation, Source, Value};

use time::When;

/// The most readings one message may carry.
pub const MAX_READINGS: usize = 256;

/// The largest payload that is decoded, in bytes; the link refuses larger ones by its own setting, this one holds for
/// every caller.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 20;

/// The longest word taken as a value (as [`Value::Text`] promises).
const MAX_TEXT_BYTES: usize = 256;

/// A message as it came.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The topic it was published to.
    pub topic: &'a str,
    /// Its bytes.
    pub payload: &'a [u8],
    /// Whether the broker replayed it from its store.
    pub retained: bool,
    /// When the hub received it.
    pub received_at: Timestamp,
}

/// Why a message gives no observation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Nothing in it.
    #[error("the payload is empty")]
    Empty,
    /// More than [`MAX_PAYLOAD_BYTES`].
    #[error("the payload has {0} bytes, more than {MAX_PAYLOAD_BYTES}")]
    TooLarge(usize),
    /// Not UTF-8.
    #[error("the payload is not UTF-8 text")]
    NotText,
    /// A raw payload that is neither a number nor one of the words.
    #[error("expected a number or true, false, on, off, open, closed, online, offline, found {0:?}")]
    NotAValue(String),
    /// NaN or infinity.
    #[error("the number of {0:?} is not finite")]
    NotFinite(String),
    /// Not JSON.
    #[error("the payload is not JSON: {0}")]
    NotJson(String),
    /// JSON of another shape.
    #[error("expected {expected}, found {found}")]
    Shape {
        /// What the format asks for.
        expected: &'static str,
        /// What came.
        found: &'static str,
    },
    /// A reading's name that cannot be one.
    #[error("{0:?} cannot name a reading")]
    ReadingName(String),
    /// SenML of a version or with a field that must be understood.
    #[error("senml: {0}")]
    Senml(String),
    /// The payload's unit is not the registry's.
    #[error("the unit of {reading:?} is {found:?}, the registry says {expected:?}")]
    Unit {
        /// Which reading.
        reading: String,
        /// The payload's.
        found: String,
        /// The registry's.
        expected: String,
    },
    /// More than [`MAX_READINGS`].
    #[error("the payload has more than {MAX_READINGS} readings")]
    TooMany,
    /// Well formed, but nothing in it is a reading.
    #[error("the payload has no reading")]
    NoReading,
}

impl DecodeError {
    /// A stable word for counters and for the dead-letter list.
    pub fn code(&self) -> &'static str {
        match self {
            DecodeError::Empty => "empty",
            DecodeError::TooLarge(_) => "too_large",
            DecodeError::NotText => "not_text",
            DecodeError::NotAValue(_) => "not_a_value",
            DecodeError::NotFinite(_) => "not_finite",
            DecodeError::NotJson(_) => "not_json",
            DecodeError::Shape { .. } => "shape",
            DecodeError::ReadingName(_) => "reading_name",
            DecodeError::Senml(_) => "senml",
            DecodeError::Unit { .. } => "unit",
            DecodeError::TooMany => "too_many",
            DecodeError::NoReading => "no_reading",
        }
    }
}

/// Decodes one message of one source. Never panics; the result has 1 to [`MAX_READINGS`] observations.
pub fn decode(message: &Message<'_>, format: &Format, source: &Source) -> Result<Vec<Observation>, DecodeError> {
    if message.payload.len() > MAX_PAYLOAD_BYTES {
        return Err(DecodeError::TooLarge(message.payload.len()));
    }
    if message.payload.trim_ascii().is_empty() {
        return Err(DecodeError::Empty);
    }
    let mut out = Out { message, source, observations: Vec::new() };
    match format {
        Format::Raw(reading) => raw::decode(reading.as_ref(), &mut out)?,
        Format::Json => json::decode_flat(&mut out)?,
        Format::Map { readings, time } => json::decode_mapped(readings, time.as_deref(), &mut out)?,
        Format::Senml => senml::decode(&mut out)?,
    }
    if out.observations.is_empty() { Err(DecodeError::NoReading) } else { Ok(out.observations) }
}

/// Where decoders put what they find.
struct Out<'a> {
    message: &'a Message<'a>,
    source: &'a Source,
    observations: Vec<Observation>,
}

impl Out<'_> {
    fn push(&mut self, reading: &str, value: Value, when: When) -> Result<(), DecodeError> {
        if !format::is_reading_name(reading) {
            return Err(DecodeError::ReadingName(format::shorten(reading)));
        }
        if matches!(value, Value::Number(n) if !n.is_finite()) {
            return Err(DecodeError::NotFinite(reading.to_owned()));
        }
        if self.observations.len() == MAX_READINGS {
            return Err(DecodeError::TooMany);
        }
        self.observations.push(Observation {
            source: self.source.id.clone(),
            reading: reading.into(),
            value,
            quality: when.quality,
            phenomenon_time: when.at,
            received_at: self.message.received_at,
            retained: self.message.retained,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
