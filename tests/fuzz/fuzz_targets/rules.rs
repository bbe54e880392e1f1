//! Rule files: either all rules are good, or every problem is told; rules that were taken can be run.
#![no_main]

use std::sync::Arc;

use alerting::{Engine, RuleSet};
use libfuzzer_sys::fuzz_target;
use model::{Kind, Observation, Owner, PullMode, Quality, Source, Timestamp, Value};

fn source(id: &str, class: &str) -> Arc<Source> {
    let tags = [("limits.blue", "3"), ("limits.yellow", "4"), ("limits.orange", "5"), ("site", "river")];
    Arc::new(Source {
        id: id.into(),
        kind: Kind::Sensor,
        class: class.into(),
        name: "水位".into(),
        owner: Owner::Governance,
        grid: "g".into(),
        place: None,
        mode: PullMode::Always,
        url: String::new(),
        topic: String::new(),
        format: String::new(),
        unit: "cm".to_owned(),
        interval_s: Some(10),
        tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    })
}

fuzz_target!(|text: &str| {
    let lines = text.lines().count();
    let rules = match RuleSet::load(&[("fuzz.yaml".to_owned(), text.to_owned())]) {
        Ok(rules) => rules,
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a word");
            for problem in problems {
                let told = problem.to_string();
                assert!(told.starts_with("fuzz.yaml"), "{told}");
                assert!(told.len() <= 4_096, "{} bytes for a file of {lines} lines", told.len());
            }
            return;
        }
    };
    let count = rules.len();
    let at = |second: i64| Timestamp::from_second(1_795_000_000 + second).expect("a time");
    let mut engine = Engine::new(rules, [source("gauge", "river_gauge"), source("smoke", "smoke")], at(0));
    assert_eq!(engine.rules().len(), count);
    for step in 0..6 {
        let at = at(step * 600);
        for (id, reading, value) in [
            ("gauge", "level", Value::Number(step as f64)),
            ("smoke", "smoke", Value::Bool(step % 2 == 0)),
            ("smoke", "picture", Value::Text("covered".to_owned())),
        ] {
            engine.observe(&Observation {
                source: id.into(),
                reading: reading.into(),
                value,
                quality: Quality::Good,
                phenomenon_time: at,
                received_at: at,
                retained: false,
            });
        }
        engine.tick(at);
    }
});
