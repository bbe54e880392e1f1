//! Payloads as the sensors write them: the formats of the hub's registry, from the other side.

use jiff::Timestamp;
use model::{Source, Value};
use serde_json::{Value as Json, json};

use crate::map::seed::Seed;

/// What a broken sensor sends: neither text nor JSON nor a number.
pub const GARBAGE: &[u8] = b"\xff\xfe\x00broken";

/// A value in the sensor's format.
pub fn encode(source: &Source, value: &Value, now: Timestamp) -> Vec<u8> {
    let reading = if source.class == "air" { "pm25" } else { source.default_reading() };
    let epoch_s = now.as_millisecond() as f64 / 1000.0;
    match source.format.split(':').next().unwrap_or_default() {
        "json" => {
            let mut object = json!({ reading: value, "t": epoch_s });
            if source.class == "smoke" {
                object["battery"] = battery(source);
            }
            object.to_string().into_bytes()
        }
        "senml" => {
            let mut record = json!({ "bn": format!("{}:", source.id), "bt": epoch_s, "n": reading });
            match value {
                Value::Number(_) => {
                    record["u"] = source.unit.as_str().into();
                    record["v"] = json!(value);
                }
                Value::Bool(_) => record["vb"] = json!(value),
                Value::Text(_) => record["vs"] = json!(value),
            }
            json!([record]).to_string().into_bytes()
        }
        "map" => {
            let data = json!({ "level": value, "battery": battery(source) });
            json!({ "device": source.id, "data": data, "at": now.to_string() }).to_string().into_bytes()
        }
        _ => raw(source, value),
    }
}

fn raw(source: &Source, value: &Value) -> Vec<u8> {
    let text = match (source.class.as_str(), value) {
        ("door", Value::Bool(open)) => if *open { "open" } else { "closed" }.to_owned(),
        ("power", Value::Bool(on)) => if *on { "on" } else { "off" }.to_owned(),
        ("river_gauge", Value::Number(level)) => format!("{level:.2}"),
        (_, Value::Bool(flag)) => flag.to_string(),
        (_, Value::Number(number)) => number.to_string(),
        (_, Value::Text(word)) => word.clone(),
    };
    text.into_bytes()
}

/// Per cent left, a number of the sensor's own.
fn battery(source: &Source) -> Json {
    json!(Seed::new(0, source.id.as_str()).between(62.0, 100.0).round())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::TownMap;
    use crate::registry::{Load, Registry};

    fn payload(id: &str, value: Value) -> String {
        let registry = Registry::new(&TownMap::new(7), "127.0.0.1:1".parse().unwrap(), Load::default(), 7);
        let sensor = registry.sensors.iter().find(|sensor| sensor.source.id.as_str() == id).unwrap();
        let now = Timestamp::from_millisecond(1_800_000_000_500).unwrap();
        String::from_utf8(encode(&sensor.source, &value, now)).unwrap()
    }

    #[test]
    fn every_format_is_written_as_the_hub_reads_it() {
        assert_eq!(payload("gauge-1", Value::Number(3.5)), "3.50");
        assert_eq!(payload("rain-1", Value::Number(12.5)), r#"{"rain":12.5,"t":1800000000.5}"#);
        assert_eq!(payload("smoke-1", Value::Bool(true)), "true");
        assert!(payload("smoke-2", Value::Bool(false)).contains(r#""smoke":false"#));
        assert_eq!(
            payload("temp-1", Value::Number(21.5)),
            r#"[{"bn":"temp-1:","bt":1800000000.5,"n":"temperature","u":"Cel","v":21.5}]"#
        );
        assert_eq!(payload("door-1", Value::Bool(true)), "open");
        assert_eq!(payload("power-1", Value::Bool(false)), "off");
        let bin: Json = serde_json::from_str(&payload("bin-1", Value::Number(40.0))).unwrap();
        assert_eq!((bin["data"]["level"].as_f64(), bin["at"].as_str()), (Some(40.0), Some("2027-01-15T08:00:00.5Z")));
    }
}
