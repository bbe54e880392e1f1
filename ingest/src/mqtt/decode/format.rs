//! How a sensor's payload is written, as the registry's column `format` says.

use std::sync::Arc;

use model::Reading;

/// The longest name of a reading, in bytes: names become keys in the history.
pub const MAX_READING_NAME_BYTES: usize = 64;

/// The most pairs one `map:` format may have.
const MAX_MAPPED: usize = 64;

/// A parsed payload format. Parse once per sensor, not once per message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// One number or word; the reading is named here or by the source's class.
    Raw(Option<Reading>),
    /// A flat JSON object: each number, boolean or short word is a reading.
    Json,
    /// RFC 8428 SenML in JSON.
    Senml,
    /// JSON with a pointer (RFC 6901) per reading.
    Map {
        /// Reading and pointer.
        readings: Vec<(Reading, String)>,
        /// Where the time is, if anywhere.
        time: Option<String>,
    },
}

/// Why a text is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It begins with none of the known words.
    #[error("expected raw, raw:READING, json, senml or map:READING=/pointer, found {0:?}")]
    Unknown(String),
    /// A reading's name is unfit.
    #[error("a reading's name has 1 to {MAX_READING_NAME_BYTES} letters, digits, and - _ . only, found {0:?}")]
    Name(String),
    /// A pair of `map:` is not `READING=/pointer`.
    #[error("expected READING=/json/pointer, found {0:?}")]
    Pair(String),
    /// `map:` names no reading.
    #[error("map: names no reading")]
    NoReading,
    /// `map:` names more than 64.
    #[error("map: names more than {MAX_MAPPED} readings")]
    TooMany,
}

impl Format {
    /// Parses the registry's text; an empty one means `raw`.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        match text.trim() {
            "" | "raw" => Ok(Format::Raw(None)),
            "json" => Ok(Format::Json),
            "senml" => Ok(Format::Senml),
            other => {
                if let Some(name) = other.strip_prefix("raw:") {
                    Ok(Format::Raw(Some(reading_name(name)?)))
                } else if let Some(pairs) = other.strip_prefix("map:") {
                    parse_map(pairs)
                } else {
                    Err(FormatError::Unknown(shorten(other)))
                }
            }
        }
    }
}

fn parse_map(pairs: &str) -> Result<Format, FormatError> {
    let mut readings = Vec::new();
    let mut time = None;
    for pair in pairs.split_whitespace() {
        let (name, pointer) = pair.split_once('=').ok_or_else(|| FormatError::Pair(shorten(pair)))?;
        if !pointer.starts_with('/') {
            return Err(FormatError::Pair(shorten(pair)));
        }
        if name == "time" {
            time = Some(pointer.to_owned());
        } else {
            readings.push((reading_name(name)?, pointer.to_owned()));
        }
    }
    match readings.len() {
        0 => Err(FormatError::NoReading),
        n if n > MAX_MAPPED => Err(FormatError::TooMany),
        _ => Ok(Format::Map { readings, time }),
    }
}

fn reading_name(name: &str) -> Result<Reading, FormatError> {
    if is_reading_name(name) { Ok(Arc::from(name)) } else { Err(FormatError::Name(shorten(name))) }
}

/// Whether a text can name a reading: letters of any script, digits, `-`, `_` and `.`.
pub(super) fn is_reading_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_READING_NAME_BYTES
        && name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c))
}

/// The first characters of a foreign text, for a message.
pub(super) fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_parse() {
        assert_eq!(Format::parse("raw"), Ok(Format::Raw(None)));
        assert_eq!(Format::parse(""), Ok(Format::Raw(None)));
        assert_eq!(Format::parse("raw:level"), Ok(Format::Raw(Some("level".into()))));
        assert_eq!(
            Format::parse("map:level=/d/0/v t=/d/0/t time=/ts"),
            Ok(Format::Map {
                readings: vec![("level".into(), "/d/0/v".into()), ("t".into(), "/d/0/t".into())],
                time: Some("/ts".into()),
            })
        );
    }

    #[test]
    fn bad_formats_say_what_is_wrong() {
        assert!(matches!(Format::parse("xml"), Err(FormatError::Unknown(_))));
        assert!(matches!(Format::parse("raw:a b"), Err(FormatError::Name(_))));
        assert!(matches!(Format::parse("map:level"), Err(FormatError::Pair(_))));
        assert!(matches!(Format::parse("map:level=d/0"), Err(FormatError::Pair(_))));
        assert!(matches!(Format::parse("map:time=/t"), Err(FormatError::NoReading)));
    }
}
