//! How many readings a second the engine takes, and what a snapshot of a town costs.
#![expect(clippy::unwrap_used, reason = "a bench ends by panicking")]

use std::sync::Arc;
use std::time::Instant;

use alerting::{Engine, READY, RuleSet};
use model::{Kind, Observation, Owner, PullMode, Quality, Source, Timestamp, Value};

const SOURCES: usize = 20_000;
const ROUNDS: usize = 50;

fn main() {
    let files: Vec<_> = READY.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let now = Timestamp::from_second(1_795_000_000).unwrap();
    let sources: Vec<Arc<Source>> = (0..SOURCES).map(|n| Arc::new(gauge(n))).collect();
    let names: Vec<_> = sources.iter().map(|source| source.id.clone()).collect();
    let mut engine = Engine::new(RuleSet::load(&files).unwrap(), sources, now);
    for (title, metres) in [("quiet", 1.0), ("one in ten above its limits", 4.2)] {
        let mut batch: Vec<Observation> = names.iter().map(|name| observation(name, 1.0, now)).collect();
        let (began, mut said) = (Instant::now(), 0);
        for round in 0..ROUNDS {
            let at = now + jiff::SignedDuration::from_secs(round as i64 * 10);
            for (n, observation) in batch.iter_mut().enumerate() {
                let value = if n % 10 == round % 10 { metres } else { 1.0 };
                observation.value = Value::Number(value);
                (observation.phenomenon_time, observation.received_at) = (at, at);
                said += engine.observe(observation).len();
            }
        }
        let took = began.elapsed().as_secs_f64();
        let count = (SOURCES * ROUNDS) as f64;
        println!("{title}: {:.0} readings/s, {:.2} us each, {said} transitions", count / took, took / count * 1e6);
    }
    let began = Instant::now();
    let bytes = engine.snapshot();
    println!(
        "snapshot of {SOURCES} sources: {:.1} MB in {:.0} ms",
        bytes.len() as f64 / 1e6,
        began.elapsed().as_secs_f64() * 1e3
    );
}

fn observation(source: &model::SourceId, metres: f64, at: Timestamp) -> Observation {
    Observation {
        source: source.clone(),
        reading: "level".into(),
        value: Value::Number(metres),
        quality: Quality::Good,
        phenomenon_time: at,
        received_at: at,
        retained: false,
    }
}

fn gauge(number: usize) -> Source {
    let limits = [("blue", 3.0), ("yellow", 3.5), ("orange", 4.0), ("red", 4.5)];
    Source {
        id: format!("gauge-{number}").as_str().into(),
        kind: Kind::Sensor,
        class: "river_gauge".to_owned(),
        name: String::new(),
        owner: Owner::Governance,
        grid: "g1".into(),
        place: None,
        mode: PullMode::Always,
        url: String::new(),
        topic: String::new(),
        format: String::new(),
        unit: "m".to_owned(),
        interval_s: Some(10),
        tags: limits.iter().map(|(name, value)| (format!("limits.{name}"), value.to_string())).collect(),
    }
}
