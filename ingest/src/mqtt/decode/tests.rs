//! What each format gives, and that no payload breaks a decoder.

use model::{Kind, Owner, Quality};
use proptest::prelude::*;

use super::*;

fn source(class: &str, unit: &str) -> Source {
    Source {
        class: class.to_owned(),
        topic: "town/gauge-1".to_owned(),
        unit: unit.to_owned(),
        ..Source::new("gauge-1", Kind::Sensor, Owner::Governance, "g")
    }
}

fn now() -> Timestamp {
    "2026-11-23T20:00:00Z".parse().unwrap()
}

fn run(format: &str, payload: &[u8]) -> Result<Vec<Observation>, DecodeError> {
    run_for(&source("river_gauge", "m"), format, payload)
}

fn run_for(source: &Source, format: &str, payload: &[u8]) -> Result<Vec<Observation>, DecodeError> {
    let message = Message { topic: "town/gauge-1", payload, retained: false, received_at: now() };
    decode(&message, &Format::parse(format).unwrap(), source)
}

fn pairs(found: &[Observation]) -> Vec<(&str, Value)> {
    found.iter().map(|o| (&*o.reading, o.value.clone())).collect()
}

#[test]
fn raw_numbers_and_words() {
    assert_eq!(pairs(&run("raw", b" 3.52\n").unwrap()), [("level", Value::Number(3.52))]);
    assert_eq!(pairs(&run("raw:depth", b"-1e1").unwrap()), [("depth", Value::Number(-10.0))]);
    let door = source("door", "");
    for (payload, expected) in [("OPEN", true), ("closed", false), ("on", true), ("Offline", false), ("true", true)] {
        let found = run_for(&door, "raw", payload.as_bytes()).unwrap();
        assert_eq!(pairs(&found), [("open", Value::Bool(expected))], "{payload}");
    }
    // A plain 1 is a number whatever the class.
    assert_eq!(pairs(&run_for(&door, "raw", b"1").unwrap()), [("open", Value::Number(1.0))]);
}

#[test]
fn raw_refuses_what_is_no_finite_number() {
    assert_eq!(run("raw", b"  "), Err(DecodeError::Empty));
    assert_eq!(run("raw", b""), Err(DecodeError::Empty));
    assert_eq!(run("raw", b"\xff\xfe"), Err(DecodeError::NotText));
    for text in ["nan", "inf", "-Infinity", "1e999"] {
        assert_eq!(run("raw", text.as_bytes()), Err(DecodeError::NotFinite("level".to_owned())), "{text}");
    }
    assert!(matches!(run("raw", b"3,52"), Err(DecodeError::NotAValue(_))));
    assert!(matches!(run("raw", &vec![b'1'; MAX_PAYLOAD_BYTES + 1]), Err(DecodeError::TooLarge(_))));
}

#[test]
fn flat_json_takes_numbers_booleans_and_short_words() {
    let payload = br#"{"level":3.5,"wet":true,"state":"ok","none":null,"deep":{"x":1},"t":1795463990}"#;
    let found = run("json", payload).unwrap();
    let mut sorted = pairs(&found);
    sorted.sort_by_key(|p| p.0.to_owned());
    assert_eq!(
        sorted,
        [("level", Value::Number(3.5)), ("state", Value::Text("ok".into())), ("wet", Value::Bool(true))]
    );
    assert_eq!(found[0].phenomenon_time, "2026-11-23T19:59:50Z".parse().unwrap());
    assert_eq!(found[0].quality, Quality::Good);
}

#[test]
fn a_time_days_off_makes_the_reading_uncertain() {
    for payload in [
        r#"{"level":1,"time":"1970-01-01T00:00:09Z"}"#,
        r#"{"level":1,"ts":9999999999}"#,
        r#"{"level":1,"t":"noon"}"#,
        r#"{"level":1,"t":[]}"#,
    ] {
        let found = run("json", payload.as_bytes()).unwrap();
        assert_eq!((found[0].quality, found[0].phenomenon_time), (Quality::Uncertain, now()), "{payload}");
    }
}

#[test]
fn json_says_what_is_wrong() {
    assert!(matches!(run("json", b"[1]"), Err(DecodeError::Shape { .. })));
    assert!(matches!(run("json", b"{\"a\":1e999}"), Err(DecodeError::NotJson(_))));
    assert!(matches!(run("json", b"{\"a\":NaN}"), Err(DecodeError::NotJson(_))));
    assert!(matches!(run("json", b"{\"a b\":1}"), Err(DecodeError::ReadingName(_))));
    assert_eq!(run("json", b"{\"t\":1}"), Err(DecodeError::NoReading));
    assert!(matches!(run("json", "[".repeat(100_000).as_bytes()), Err(DecodeError::NotJson(_))));
    let many: String = (0..300).map(|i| format!("\"r{i}\":1,")).collect();
    assert_eq!(run("json", format!("{{{}\"x\":1}}", many).as_bytes()), Err(DecodeError::TooMany));
}

#[test]
fn mapped_json_follows_pointers() {
    let payload = br#"{"d":[{"v":"3.5"}],"door":"open","w":"dry","ts":"2026-11-23T19:00:00Z"}"#;
    let found = run("map:level=/d/0/v open=/door state=/w gone=/x time=/ts", payload).unwrap();
    assert_eq!(
        pairs(&found),
        [("level", Value::Number(3.5)), ("open", Value::Bool(true)), ("state", Value::Text("dry".into()))]
    );
    assert_eq!(found[0].phenomenon_time, "2026-11-23T19:00:00Z".parse().unwrap());
    assert_eq!(run("map:level=/x", payload), Err(DecodeError::NoReading));
    assert!(matches!(run("map:level=/d", payload), Err(DecodeError::Shape { .. })));
    assert!(matches!(run("map:level=/v", br#"{"v":"inf"}"#), Err(DecodeError::NotFinite(_))));
}

#[test]
fn senml_resolves_base_fields() {
    let payload =
        br#"[{"bn":"urn:dev:ow:10e2073a01080063:","bt":1795463900,"bu":"m","bv":1,"n":"level","v":2.5,"t":40},
                       {"n":"wet","vb":true},{"n":"note","vs":"ok"}]"#;
    let found = run("senml", payload).unwrap();
    assert_eq!(
        pairs(&found),
        [("level", Value::Number(3.5)), ("wet", Value::Bool(true)), ("note", Value::Text("ok".into()))]
    );
    assert_eq!(found[0].phenomenon_time, "2026-11-23T19:59:00Z".parse().unwrap());
    // Relative time, name without a reading.
    let found = run("senml", br#"[{"n":"gauge-1","v":2,"t":-10}]"#).unwrap();
    assert_eq!(pairs(&found), [("level", Value::Number(2.0))]);
    assert_eq!(found[0].phenomenon_time, "2026-11-23T19:59:50Z".parse().unwrap());
}

#[test]
fn senml_refuses_what_it_does_not_understand() {
    assert!(matches!(run("senml", br#"[{"n":"level","v":350,"u":"cm"}]"#), Err(DecodeError::Unit { .. })));
    assert!(matches!(run("senml", br#"[{"n":"level","v":1,"rule_":2}]"#), Err(DecodeError::Senml(_))));
    assert!(matches!(run("senml", br#"[{"bver":11,"n":"level","v":1}]"#), Err(DecodeError::Senml(_))));
    assert!(matches!(run("senml", br#"[{"n":"level","v":"1"}]"#), Err(DecodeError::Shape { .. })));
    assert_eq!(run("senml", b"[]"), Err(DecodeError::NoReading));
}

const FORMATS: [&str; 5] = ["raw", "raw:x", "json", "senml", "map:a=/a b=/b/0 time=/t"];

fn sane(found: &[Observation]) {
    assert!((1..=MAX_READINGS).contains(&found.len()));
    for o in found {
        assert!(!matches!(o.value, Value::Number(n) if !n.is_finite()));
        assert!(!matches!(&o.value, Value::Text(t) if t.len() > MAX_TEXT_BYTES));
        assert!(o.phenomenon_time <= o.received_at && o.received_at == now());
    }
}

/// Random JSON with the words that decoders look for.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let key =
        prop::sample::select(vec!["a", "b", "t", "ts", "time", "n", "v", "vb", "vs", "s", "u", "bn", "bt", "bv", "bu"]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        "\\PC{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::hash_map(key.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn random_bytes_never_panic(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in FORMATS {
            if let Ok(found) = run(format, &payload) {
                sane(&found);
            }
        }
    }

    #[test]
    fn random_json_never_panics(value in json()) {
        let payload = value.to_string();
        for format in FORMATS {
            if let Ok(found) = run(format, payload.as_bytes()) {
                sane(&found);
            }
        }
    }

    #[test]
    fn format_texts_never_panic(text in "\\PC{0,40}") {
        let _ = Format::parse(&text);
        let _ = Format::parse(&format!("map:{text}"));
    }

    /// What a sensor writes in any of the formats is what comes out.
    #[test]
    fn numbers_round_trip(n in prop::num::f64::NORMAL | prop::num::f64::ZERO) {
        for (format, payload) in [
            ("raw:x", format!("{n}")),
            ("json", format!("{{\"x\":{}}}", serde_json::json!(n))),
            ("senml", format!("[{{\"n\":\"x\",\"v\":{}}}]", serde_json::json!(n))),
            ("map:x=/p/0", format!("{{\"p\":[{}]}}", serde_json::json!(n))),
        ] {
            let found = run(format, payload.as_bytes()).unwrap();
            let got = found[0].value.as_number().unwrap();
            // serde_json's default float parsing may be off by one unit in the last place.
            prop_assert!((got - n).abs() <= n.abs() * f64::EPSILON, "{} gave {}", payload, got);
            prop_assert_eq!(&*found[0].reading, "x");
        }
    }
}
