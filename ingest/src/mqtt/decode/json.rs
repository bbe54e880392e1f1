//! Flat JSON, and JSON with a pointer per reading.

use model::{Reading, Value};
use serde_json::Value as Json;

use super::time::{self, When};
use super::{DecodeError, MAX_TEXT_BYTES, Out, raw};

/// Members of a flat object that carry the time, not a reading.
const TIME_KEYS: [&str; 3] = ["time", "ts", "t"];

/// Parses with serde_json's own depth limit of 128.
pub(super) fn parse(payload: &[u8]) -> Result<Json, DecodeError> {
    serde_json::from_slice(payload).map_err(|e| {
        // The message names line and column and never quotes the payload.
        DecodeError::NotJson(e.to_string())
    })
}

pub(super) fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}

fn when(found: Option<&Json>, out: &Out<'_>) -> When {
    let received_at = out.message.received_at;
    let given = match found {
        None | Some(Json::Null) => return When::received(received_at),
        Some(Json::Number(n)) => n.as_f64().and_then(time::from_epoch),
        Some(Json::String(text)) => time::from_text(text),
        Some(_) => None,
    };
    When::checked(given, received_at)
}

/// A flat object. Null, nested and long members are not readings and are passed over.
pub(super) fn decode_flat(out: &mut Out<'_>) -> Result<(), DecodeError> {
    let json = parse(out.message.payload)?;
    let Json::Object(members) = &json else {
        return Err(DecodeError::Shape { expected: "an object", found: kind(&json) });
    };
    let time_key = TIME_KEYS.into_iter().find(|key| members.contains_key(*key));
    let when = when(time_key.and_then(|key| members.get(key)), out);
    for (name, value) in members {
        if Some(name.as_str()) == time_key {
            continue;
        }
        let value = match value {
            Json::Bool(flag) => Value::Bool(*flag),
            Json::Number(n) => Value::Number(n.as_f64().ok_or_else(|| DecodeError::NotFinite(name.clone()))?),
            Json::String(text) if text.len() <= MAX_TEXT_BYTES => Value::Text(text.clone()),
            _ => continue,
        };
        out.push(name, value, when)?;
    }
    Ok(())
}

/// JSON of any shape with a pointer per reading. A pointer that leads nowhere or to null gives no reading; text that
/// holds a number or one of the raw format's words is read as such, since gateways like to quote.
pub(super) fn decode_mapped(
    readings: &[(Reading, String)],
    time: Option<&str>,
    out: &mut Out<'_>,
) -> Result<(), DecodeError> {
    let json = parse(out.message.payload)?;
    let when = when(time.and_then(|pointer| json.pointer(pointer)), out);
    for (name, pointer) in readings {
        let value = match json.pointer(pointer) {
            None | Some(Json::Null) => continue,
            Some(Json::Bool(flag)) => Value::Bool(*flag),
            Some(Json::Number(n)) => Value::Number(n.as_f64().ok_or_else(|| DecodeError::NotFinite(name.to_string()))?),
            Some(Json::String(text)) if text.len() <= MAX_TEXT_BYTES => {
                let trimmed = text.trim();
                match (raw::word(trimmed), raw::number(trimmed)) {
                    (Some(flag), _) => Value::Bool(flag),
                    (None, Some(n)) => Value::Number(n),
                    (None, None) => Value::Text(text.clone()),
                }
            }
            Some(other) => {
                return Err(DecodeError::Shape { expected: "a number, boolean or short string", found: kind(other) });
            }
        };
        out.push(name, value, when)?;
    }
    Ok(())
}
