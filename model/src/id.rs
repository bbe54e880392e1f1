//! Identifiers: cheap to clone, impossible to confuse with one another.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest identifier taken, in bytes.
///
/// Ids appear in URLs, log rows and metric labels; 128 bytes hold a GB/T 28181 code with a path twice over.
pub const MAX_ID_BYTES: usize = 128;

/// A textual identifier of the kind `K`. Cloning costs one atomic increment.
pub struct Id<K> {
    text: Arc<str>,
    kind: PhantomData<fn() -> K>,
}

/// Why a text is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty.
    #[error("an id cannot be empty")]
    Empty,
    /// The text is longer than [`MAX_ID_BYTES`].
    #[error("an id has at most {MAX_ID_BYTES} bytes, found {0}")]
    TooLong(usize),
    /// The text holds a character that URLs, topics or logs would have to escape.
    #[error("an id holds letters, digits, and - _ . : @ only, found {0:?}")]
    BadCharacter(char),
}

impl<K> Id<K> {
    /// Takes a text as it is; for ids that this program makes itself.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), kind: PhantomData }
    }

    /// Checks a text that came from outside: letters of any script, digits, and `- _ . : @`.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > MAX_ID_BYTES {
            return Err(IdError::TooLong(text.len()));
        }
        match text.chars().find(|c| !(c.is_alphanumeric() || "-_.:@".contains(*c))) {
            Some(bad) => Err(IdError::BadCharacter(bad)),
            None => Ok(Self::new(text)),
        }
    }

    /// The text of the id.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        Self { text: Arc::clone(&self.text), kind: PhantomData }
    }
}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}
/// So that maps keyed by an id can be asked with a `&str`.
impl<K> std::borrow::Borrow<str> for Id<K> {
    fn borrow(&self) -> &str {
        &self.text
    }
}
impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}
impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}
impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
impl<K> From<&str> for Id<K> {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

#[cfg(feature = "schema")]
impl<K> utoipa::PartialSchema for Id<K> {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        String::schema()
    }
}
#[cfg(feature = "schema")]
impl<K> utoipa::ToSchema for Id<K> {
    fn name() -> std::borrow::Cow<'static, str> {
        std::borrow::Cow::Borrowed("Id")
    }
}

/// The kinds of identifier; never constructed.
pub mod kind {
    /// A camera or sensor.
    pub enum Source {}
    /// A cell of the town.
    pub enum Grid {}
    /// A warning rule.
    pub enum Rule {}
    /// One alarm, from raise to clear.
    pub enum Alarm {}
    /// One incident, from report to close.
    pub enum Incident {}
    /// A person or a token.
    pub enum User {}
}

/// Names a camera or sensor.
pub type SourceId = Id<kind::Source>;
/// Names a grid.
pub type GridId = Id<kind::Grid>;
/// Names a rule.
pub type RuleId = Id<kind::Rule>;
/// Names an alarm: rule, source and the moment it was raised, so that a replay gives the same id.
pub type AlarmId = Id<kind::Alarm>;
/// Names an incident.
pub type IncidentId = Id<kind::Incident>;
/// Names a user or token.
pub type UserId = Id<kind::User>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_refuse_what_urls_would_escape() {
        assert_eq!(SourceId::parse("cam/1"), Err(IdError::BadCharacter('/')));
        assert_eq!(SourceId::parse(""), Err(IdError::Empty));
        assert!(SourceId::parse(&"x".repeat(129)).is_err());
        assert_eq!(SourceId::parse("桥北-01").unwrap().as_str(), "桥北-01");
    }
}
