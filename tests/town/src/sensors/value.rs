//! Plausible values: a sensor's quiet course, what events add, and a little noise.

use model::{Source, Value};

use crate::map::seed::Seed;

/// All that decides a sensor's value at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// The town's seed.
    pub seed: u64,
    /// Seconds since the town began.
    pub t: f64,
    /// Hour of the day, 0 to 24.
    pub hour: f64,
    /// What events add to a number.
    pub added: f64,
    /// Whether an event switches a contact or detector on.
    pub on: bool,
}

/// What a sensor measures.
pub fn value(source: &Source, now: Conditions) -> Value {
    let id = source.id.as_str();
    // From -1 to 1: one of its own for ever, and one for each moment.
    let own = Seed::new(now.seed, id).jitter(1.0);
    let noise = Seed::new(now.seed ^ (now.t / 2.0) as u64, id).jitter(1.0);
    let swell = (now.t / 47.0 + own * 9.0).sin();
    match source.class.as_str() {
        "river_gauge" => {
            let base = if id == "gauge-1" { 2.65 } else { 2.62 + 0.06 * own };
            Value::Number(round(base + now.added + 0.012 * swell + 0.006 * noise, 2))
        }
        "rain_gauge" => Value::Number(round((now.added * (1.0 + 0.06 * noise)).max(0.0), 1)),
        "temperature" => {
            let quiet = if source.name.contains("冷库") {
                3.2 + own
            } else if source.name.contains("机房") || source.name.contains("配电") {
                25.0 + 2.0 * own
            } else {
                // Warmest at three in the afternoon.
                21.0 + 6.0 * ((now.hour - 9.0) / 12.0 * std::f64::consts::PI).sin() + 2.0 * own
            };
            Value::Number(round(quiet + now.added + 0.3 * swell + 0.2 * noise, 1))
        }
        "bin" => {
            // Fills in about two hours, is emptied before it runs over.
            let filled = 20.0 + ((own + 1.0) * 30.0 + now.t / 110.0) % 60.0;
            Value::Number(round((filled + now.added + 0.8 * noise).min(100.0), 0))
        }
        "air" => Value::Number(round(34.0 + 12.0 * own + 4.0 * swell + 2.0 * noise + now.added, 0)),
        "power" => Value::Bool(!now.on),
        _ => Value::Bool(now.on),
    }
}

fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10f64.powi(decimals);
    // Adding zero turns -0 into 0.
    (value * scale).round() / scale + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::TownMap;
    use crate::registry::{Load, Registry, Sensor};

    const QUIET: Conditions = Conditions { seed: 7, t: 0.0, hour: 15.0, added: 0.0, on: false };

    fn sensors() -> Vec<Sensor> {
        Registry::new(&TownMap::new(7), "127.0.0.1:1".parse().unwrap(), Load::default(), 7).sensors
    }

    #[test]
    fn quiet_times_raise_no_alarm_at_any_hour() {
        for sensor in sensors() {
            for minute in 0..24 * 60 {
                let (t, hour) = (f64::from(minute) * 60.0, f64::from(minute) / 60.0);
                let value = value(&sensor.source, Conditions { t, hour, ..QUIET });
                let (id, limit) = (&sensor.source.id, |below: f64| value.as_number().unwrap() < below);
                let calm = match sensor.source.class.as_str() {
                    "river_gauge" => limit(2.9),
                    "rain_gauge" => limit(1.0),
                    "temperature" => limit(45.0),
                    "bin" => limit(90.0),
                    "air" => limit(75.0),
                    "power" => value == Value::Bool(true),
                    _ => value == Value::Bool(false),
                };
                assert!(calm, "{id} at {hour}: {value:?}");
            }
        }
    }

    #[test]
    fn noise_comes_from_the_seed() {
        let gauge = &sensors()[0].source;
        let course =
            |seed| (0..50).map(|t| value(gauge, Conditions { seed, t: f64::from(t * 5), ..QUIET })).collect::<Vec<_>>();
        assert_eq!(course(7), course(7));
        assert_ne!(course(7), course(8));
        assert!(course(7).windows(2).any(|pair| pair[0] != pair[1]), "a gauge never stands still");
    }

    #[test]
    fn events_show_in_the_values() {
        let all = sensors();
        let of = |id: &str| &all.iter().find(|sensor| sensor.source.id.as_str() == id).unwrap().source;
        let flood = value(of("gauge-1"), Conditions { added: 1.5, ..QUIET });
        assert!(flood.as_number().unwrap() > 4.0, "{flood:?}");
        assert_eq!(value(of("smoke-1"), Conditions { on: true, ..QUIET }), Value::Bool(true));
        assert_eq!(value(of("power-1"), Conditions { on: true, ..QUIET }), Value::Bool(false));
    }
}
