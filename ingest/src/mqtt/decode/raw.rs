//! One number or word, as `3.52`, `true`, `open`.

use model::{Reading, Value};

use super::format::shorten;
use super::time::When;
use super::{DecodeError, Out};

/// True for the words of a contact, switch or link that is closed to the outside world's meaning "yes".
///
/// `open` is true because a door sensor's reading is `open`; `online` because a link sensor's is `online`.
pub(super) fn word(text: &str) -> Option<bool> {
    const WORDS: [(&str, bool); 8] = [
        ("true", true),
        ("false", false),
        ("on", true),
        ("off", false),
        ("open", true),
        ("closed", false),
        ("online", true),
        ("offline", false),
    ];
    WORDS.iter().find(|(w, _)| text.eq_ignore_ascii_case(w)).map(|(_, value)| *value)
}

/// A number as sensors write it. Rust's own parser also takes `inf` and `nan`, which the caller refuses.
pub(super) fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

pub(super) fn decode(reading: Option<&Reading>, out: &mut Out<'_>) -> Result<(), DecodeError> {
    let text = std::str::from_utf8(out.message.payload).map_err(|_| DecodeError::NotText)?.trim();
    let value = match (word(text), number(text)) {
        (Some(flag), _) => Value::Bool(flag),
        (None, Some(n)) => Value::Number(n),
        (None, None) => return Err(DecodeError::NotAValue(shorten(text))),
    };
    let name = reading.map_or(out.source.default_reading(), |r| r);
    let when = When::received(out.message.received_at);
    out.push(name, value, when)
}
