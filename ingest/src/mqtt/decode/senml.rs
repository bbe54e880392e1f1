//! SenML in JSON (RFC 8428).

use jiff::SignedDuration;
use model::Value;
use serde_json::{Map, Value as Json};

use super::format::shorten;
use super::json::{kind, parse};
use super::time::{self, When};
use super::{DecodeError, MAX_TEXT_BYTES, Out};

/// Times below this are relative to now (RFC 8428, 4.5.3).
const RELATIVE_BELOW: f64 = 268_435_456.0;

/// The newest version of the format we know (RFC 8428, 4.4).
const VERSION: f64 = 10.0;

/// What base fields have set so far; they hold for all later records.
#[derive(Default)]
struct Base {
    name: String,
    time: f64,
    unit: Option<String>,
    value: f64,
}

pub(super) fn decode(out: &mut Out<'_>) -> Result<(), DecodeError> {
    let json = parse(out.message.payload)?;
    let Json::Array(records) = &json else {
        return Err(DecodeError::Shape { expected: "an array of SenML records", found: kind(&json) });
    };
    let mut base = Base::default();
    for record in records {
        let Json::Object(record) = record else {
            return Err(DecodeError::Shape { expected: "a SenML record (an object)", found: kind(record) });
        };
        take_base(record, &mut base)?;
        take_value(record, &base, out)?;
    }
    Ok(())
}

fn take_base(record: &Map<String, Json>, base: &mut Base) -> Result<(), DecodeError> {
    // A field that ends with `_` must be understood, and we know none (RFC 8428, 4.4).
    if let Some(unknown) = record.keys().find(|k| k.ends_with('_')) {
        return Err(DecodeError::Senml(format!("the field {:?} must be understood and is not", shorten(unknown))));
    }
    if number(record, "bver")?.is_some_and(|v| v > VERSION) {
        return Err(DecodeError::Senml("a newer version of the format".to_owned()));
    }
    if let Some(name) = text(record, "bn")? {
        name.clone_into(&mut base.name);
    }
    if let Some(t) = number(record, "bt")? {
        base.time = t;
    }
    if let Some(unit) = text(record, "bu")? {
        base.unit = Some(unit.to_owned());
    }
    if let Some(v) = number(record, "bv")? {
        base.value = v;
    }
    Ok(())
}

fn take_value(record: &Map<String, Json>, base: &Base, out: &mut Out<'_>) -> Result<(), DecodeError> {
    let value = if let Some(v) = number(record, "v")? {
        Value::Number(base.value + v)
    } else if let Some(Json::Bool(flag)) = record.get("vb") {
        Value::Bool(*flag)
    } else if let Some(word) = text(record, "vs")? {
        if word.len() > MAX_TEXT_BYTES {
            return Ok(());
        }
        Value::Text(word.to_owned())
    } else if let Some(sum) = number(record, "s")? {
        Value::Number(sum)
    } else {
        // Base fields only, or binary data (`vd`).
        return Ok(());
    };
    let own_name = text(record, "n")?.unwrap_or_default();
    let reading = reading(&base.name, own_name, out).to_owned();
    check_unit(text(record, "u")?.or(base.unit.as_deref()), &reading, out)?;
    let when = when(base.time + number(record, "t")?.unwrap_or(0.0), out);
    out.push(&reading, value, when)
}

/// The reading's name: the last part of `n`, else of the base name, else the class's own when the names only say which
/// sensor it is.
fn reading<'n>(base_name: &'n str, name: &'n str, out: &Out<'_>) -> &'n str {
    let last = |text: &'n str| text.trim_end_matches([':', '/']).rsplit([':', '/']).next().unwrap_or_default();
    let id = out.source.id.as_str();
    let found = if name.is_empty() { last(base_name) } else { last(name) };
    if found.is_empty() || found == id || (name.is_empty() && base_name.ends_with([':', '/'])) {
        out.source.default_reading()
    } else {
        found
    }
}

fn check_unit(found: Option<&str>, reading: &str, out: &Out<'_>) -> Result<(), DecodeError> {
    let expected = out.source.unit.as_str();
    match found {
        Some(found)
            if reading == out.source.default_reading()
                && !expected.is_empty()
                && !found.is_empty()
                && found != expected =>
        {
            Err(DecodeError::Unit { reading: reading.to_owned(), found: shorten(found), expected: expected.to_owned() })
        }
        _ => Ok(()),
    }
}

fn when(seconds: f64, out: &Out<'_>) -> When {
    let now = out.message.received_at;
    if seconds == 0.0 {
        return When::received(now);
    }
    let given = if seconds.abs() < RELATIVE_BELOW {
        SignedDuration::try_from_secs_f64(seconds).ok().and_then(|offset| now.checked_add(offset).ok())
    } else {
        time::from_epoch(seconds)
    };
    When::checked(given, now)
}

fn number(record: &Map<String, Json>, key: &str) -> Result<Option<f64>, DecodeError> {
    match record.get(key) {
        None => Ok(None),
        Some(Json::Number(n)) => n.as_f64().map(Some).ok_or_else(|| DecodeError::NotFinite(key.to_owned())),
        Some(other) => Err(DecodeError::Shape { expected: "a number in a SenML field", found: kind(other) }),
    }
}

fn text<'r>(record: &'r Map<String, Json>, key: &str) -> Result<Option<&'r str>, DecodeError> {
    match record.get(key) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(other) => Err(DecodeError::Shape { expected: "a string in a SenML field", found: kind(other) }),
    }
}
