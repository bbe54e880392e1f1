//! Sensor payloads: the first line is the registry's format, the rest the payload. Whatever comes, what is decoded keeps
//! the promises that the history and the rules rest on, and what is refused is told in few words.
#![no_main]

use ingest::mqtt::decode::{Format, MAX_READINGS, MAX_READING_NAME_BYTES, Message, decode};
use libfuzzer_sys::fuzz_target;
use model::{Kind, Owner, Source, Timestamp, Value};

/// Beyond it a reason would be a way to fill the dead-letter table.
const MAX_REASON_BYTES: usize = 512;

fuzz_target!(|data: &[u8]| {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (format, payload) = (&data[..end], &data[end + 1..]);
    let Ok(format) = std::str::from_utf8(format) else { return };
    let format = match Format::parse(format) {
        Ok(format) => format,
        Err(error) => return assert!(error.to_string().len() <= MAX_REASON_BYTES, "{error}"),
    };
    let received_at = Timestamp::from_second(1_795_000_000).expect("a time");
    let source = Source {
        class: "river_gauge".into(),
        topic: "t".into(),
        unit: "m".into(),
        ..Source::new("gauge-1", Kind::Sensor, Owner::Governance, "g")
    };
    let message = Message { topic: "t", payload, retained: false, received_at };
    match decode(&message, &format, &source) {
        Ok(observations) => {
            assert!((1..=MAX_READINGS).contains(&observations.len()));
            for o in observations {
                assert!(!o.reading.is_empty() && o.reading.len() <= MAX_READING_NAME_BYTES);
                assert!(o.phenomenon_time <= received_at);
                match o.value {
                    Value::Number(number) => assert!(number.is_finite()),
                    Value::Text(text) => assert!(text.len() <= 256),
                    Value::Bool(_) => {}
                }
            }
        }
        Err(error) => {
            assert!(!error.code().is_empty());
            assert!(error.to_string().len() <= MAX_REASON_BYTES, "{error}");
        }
    }
});
