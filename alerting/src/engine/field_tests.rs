//! What the further fields of a rule do: who is selected, in which unit, how long nothing is said, how often.

use std::sync::Arc;

use model::{AlarmChange, Kind, Owner, Profile, Source, SourceState, SourceStatus, Value};

use super::tests::{at, engine_of, level, one_rule, short, source, sources};
use super::{Engine, Recovery, Snapshot};
use crate::handle::AlarmCommand;
use crate::ruleset::RuleSet;

fn rule_on(on: &str, raise: &str) -> Result<RuleSet, String> {
    let text = format!(
        "version: 1\nrules:\n- id: r\n  title: {{zh: r, en: r}}\n  hazard: flood\n  \
         about: {{owner: o, action: {{zh: a, en: a}}}}\n  on: {on}\n  level: blue\n  raise: {raise}\n"
    );
    let told = |problems: Vec<crate::Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    RuleSet::load(&[("f".to_owned(), text)]).map_err(told)
}

fn watched(on: &str, sources: &[Arc<Source>]) -> usize {
    let rules = rule_on(on, "x > 3").unwrap_or_else(|problems| panic!("{problems}"));
    Engine::new(rules, sources.to_vec(), at(0)).rules()[0].sources
}

#[test]
fn sources_are_selected_by_what_the_registry_knows() {
    let made = |id: &str, kind, class: &str, owner, grid: &str, tags: &[(&str, &str)]| {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Arc::new(Source { class: class.into(), tags, ..Source::new(id, kind, owner, grid) })
    };
    let town = [
        made(
            "a",
            Kind::Sensor,
            "river_gauge",
            Owner::Governance,
            "g1",
            &[("site_kind", "waterway"), ("river", "main")],
        ),
        made("b", Kind::Sensor, "rain_gauge", Owner::Police, "g2", &[("site_kind", "road"), ("river", "side")]),
        made("c", Kind::Camera, "street", Owner::Resident, "g1", &[]),
    ];
    for (on, count) in [
        ("{reading: v}", 3),
        ("{class: \"*\", reading: v}", 3),
        ("{class: river_gauge, reading: v}", 1),
        ("{class: [river_gauge, rain_gauge], reading: v}", 2),
        ("{kind: camera, reading: v}", 1),
        ("{owner: police, reading: v}", 1),
        ("{owner: [police, resident], reading: v}", 2),
        ("{grid: g1, reading: v}", 2),
        ("{grid: [g1, g2], kind: sensor, reading: v}", 2),
        ("{site: waterway, reading: v}", 1),
        ("{site: [waterway, road], reading: v}", 2),
        ("{tags: {river: [main, side]}, reading: v}", 2),
        ("{tags: {river: main, site_kind: road}, reading: v}", 0),
    ] {
        assert_eq!(watched(on, &town), count, "{on}");
    }
    assert!(rule_on("{owner: nobody, reading: v}", "x > 1").unwrap_err().contains("one of governance"));
    assert!(rule_on("{class: [], reading: v}", "x > 1").unwrap_err().contains("an empty list"));
}

fn gauge(id: &str, unit: &str, limit: f64) -> Arc<Source> {
    let gauge = source(id, Kind::Sensor, "river_gauge", &[("blue", limit)]);
    Arc::new(Source { unit: unit.into(), ..(*gauge).clone() })
}

#[test]
fn a_source_in_another_unit_is_converted_and_one_of_another_dimension_is_not_watched_and_told() {
    let on = "{class: river_gauge, reading: level, unit: m}";
    let raise = "x >= device.limits.blue || rate(x, 1h) > 50 cm per h";
    let sources =
        [gauge("in-m", "m", 3.0), gauge("in-cm", "cm", 300.0), gauge("in-c", "Cel", 3.0), gauge("bare", "", 3.0)];
    let mut engine = Engine::new(rule_on(on, raise).unwrap(), sources, at(0));
    let info = engine.rules().remove(0);
    assert_eq!((info.sources, info.unit.as_deref()), (3, Some("m")));
    assert!(info.last_error.as_ref().is_some_and(|error| error.contains("in-c is in Cel, the rule in m")), "{info:?}");
    let tell = |id: &str, value, second| model::Observation { source: id.into(), ..level(value, second) };
    for (id, low, high) in [("in-m", 2.9, 3.0), ("in-cm", 290.0, 300.0), ("bare", 2.9, 3.0)] {
        assert_eq!(short(&engine.observe(&tell(id, low, 0))), [], "{id}");
        let said = engine.observe(&tell(id, high, 3_000));
        let AlarmChange::Raised { evidence, .. } = &said[0].change else { panic!("{id}") };
        assert_eq!(evidence.value, Some(Value::Number(high)), "as it was told");
        assert_eq!(evidence.values["x"], Value::Number(3.0), "as the rule reads it");
        assert_eq!(evidence.values["device.limits.blue"], Value::Number(3.0));
    }
    // 20 cm in a third of an hour are 60 cm an hour.
    let mut engine = Engine::new(rule_on(on, raise).unwrap(), [gauge("in-cm", "cm", 300.0)], at(0));
    engine.observe(&tell("in-cm", 100.0, 0));
    assert_eq!(engine.observe(&tell("in-cm", 120.0, 1_200)).len(), 1);
}

#[test]
fn what_does_not_measure_the_same_is_refused() {
    let refused = |on: &str, raise: &str| rule_on(on, raise).expect_err(raise);
    let level = "{class: c, reading: v, unit: m}";
    for raise in [
        "x >= 57 degC",
        "x + 3 %  > 1",
        "rate(x, 30m) >= 3 m",
        "x >= 3 per h",
        "x > rate(x, 1h)",
        "delta(x, 5m) > 3 degC per min",
        "x * x > 3 m",
        "max(x, 3 lx) > 1",
        "x in [1 m, 2 s]",
    ] {
        assert!(refused(level, raise).contains("two of one dimension"), "{raise}: {}", refused(level, raise));
    }
    assert!(refused("{class: c, reading: v}", "x >= 57 degC").contains("names no unit"));
    assert!(refused("{class: c, reading: v}", "x >= 57 per h").contains("a number in a time"));
    assert!(refused("{class: c, reading: v, unit: furlong}", "x > 1").contains("the unknown unit `furlong`"));
    assert!(refused("{class: c, reading: v, unit: degC}", "sum(x, 1h) > 3").contains("a sum of temperatures"));
    for good in [
        "x >= 300 cm && x < device.limits.a - 10 cm",
        "rate(x, 30m) >= 0.30 per h && rate(x, 30m) < 5 cm per min && rate(x, 1h) < 3 m/h",
        "abs(delta(x, 10m)) > 20 mm || x * 2 > r.other || x / 2 m > 3",
        "count(x, 5m) < 2 && avg(x, 5m) > max(x - 10 cm, 2)",
    ] {
        assert!(rule_on(level, good).is_ok(), "{good}: {}", refused(level, good));
    }
    assert!(rule_on("{class: c, reading: v}", "rate(x, 30m) >= 8 per min").is_ok());
}

#[test]
fn a_difference_of_temperatures_has_no_zero() {
    let on = "{class: river_gauge, reading: level, unit: degC}";
    let rules = rule_on(on, "delta(x, 10m) >= 9 degF || x > 212 degF || x - 18 degF > 95 degC").unwrap();
    let mut engine = Engine::new(rules, [gauge("t", "K", 1.0)], at(0));
    let tell = |value, second| model::Observation { source: "t".into(), ..level(value, second) };
    engine.observe(&tell(293.15, 0));
    assert_eq!(engine.observe(&tell(298.0, 10)).len(), 0, "4.85 degrees");
    assert_eq!(engine.observe(&tell(298.15, 20)).len(), 1, "5 degrees are 9 of Fahrenheit");
}

#[test]
fn absences_and_states_say_nothing_in_the_grace_after_a_start() {
    let body = "startup_grace: 5m\n  absent: 1m\n  level: blue";
    let mut engine = engine_of(body);
    assert_eq!(short(&engine.tick(at(299))), []);
    assert_eq!(short(&engine.tick(at(301))), [("raise blue".to_owned(), 300)]);
    // A start after a time of not hearing gives grace again; the alarm stays.
    let load = || one_rule(body, "");
    let mut engine = Engine::new(load(), sources(), at(0));
    engine.observe(&level(1.0, 290));
    let shot = Snapshot::read(&engine.snapshot());
    let (mut engine, said) = Recovery::begin(load(), sources(), shot, Vec::new(), at(1_000)).finish(at(300), at(1_000));
    assert_eq!(short(&said), []);
    assert_eq!(short(&engine.tick(at(1_299))), []);
    assert_eq!(short(&engine.tick(at(1_301))), [("raise blue".to_owned(), 1_300)]);
    let state = rule_on("{kind: camera, state: [offline]}", "x > 1");
    assert!(state.is_err(), "a state has no raise");
    let text = "version: 1\nrules:\n- id: r\n  title: {zh: r, en: r}\n  hazard: equipment\n  startup_grace: 5m\n  about: {owner: o, \
                action: {zh: a, en: a}}\n  on: {kind: camera, state: [offline]}\n  level: blue\n";
    let rules = RuleSet::load(&[("f".to_owned(), text.to_owned())]).unwrap();
    let mut engine = Engine::new(rules, sources(), at(0));
    let status = SourceStatus {
        source: "cam-1".into(),
        kind: Kind::Camera,
        profile: Some(Profile::Sub),
        state: SourceState::Offline,
        since: at(10),
        reason: None,
        detail: None,
        last_data_at: None,
        stream: None,
    };
    assert_eq!(short(&engine.status(&status, at(10))), []);
    assert_eq!(short(&engine.tick(at(400))), [("raise blue".to_owned(), 300)], "it is still offline then");
}

#[test]
fn what_chatters_is_put_aside_by_the_hub_itself() {
    let mut engine = engine_of("chatter_limit: {count: 3, per: 10m, then: shelve 30m}\n  level: blue\n  raise: x > 3");
    let mut out = Vec::new();
    for n in 0..8 {
        out.extend(engine.observe(&level(if n % 2 == 0 { 3.2 } else { 2.0 }, n * 60)));
    }
    let shelves: Vec<_> = out.iter().filter(|t| matches!(t.change, AlarmChange::Shelved { .. })).collect();
    assert_eq!(shelves.len(), 1, "{:#?}", short(&out));
    let AlarmChange::Shelved { by, until, reason, automatic } = &shelves[0].change else { panic!() };
    assert_eq!((by.as_str(), *until, *automatic), ("hub", at(240 + 1_800), true));
    assert_eq!(reason, "raised 3 times within 10m");
    assert_eq!(shelves[0].at, at(240));
    let raises: Vec<bool> = out
        .iter()
        .filter_map(|t| match &t.change {
            AlarmChange::Raised { shelved_until, .. } => Some(shelved_until.is_some()),
            _ => None,
        })
        .collect();
    assert_eq!(raises, [false, false, true, true], "the third and those after it are shelved from their first moment");
    engine.observe(&level(3.2, 500));
    let id = engine.alarms().next().unwrap().id.clone();
    assert!(engine.command(&id, AlarmCommand::Unshelve { by: "li".into() }, at(510)).is_ok(), "a person may look");
    // Raises far from each other never count together.
    let mut calm = engine_of("chatter_limit: {count: 3, per: 10m, then: shelve 30m}\n  level: blue\n  raise: x > 3");
    for n in 0..20 {
        let said = calm.observe(&level(if n % 2 == 0 { 3.2 } else { 2.0 }, n * 301));
        assert!(said.iter().all(|t| !matches!(t.change, AlarmChange::Shelved { .. })));
    }
    calm.tick(at(100_000));
    assert!(calm.deadlines.is_empty() && calm.tracks().count() == 0, "nothing is kept of what is over");
}

#[test]
fn fields_are_refused_with_what_was_expected() {
    let load = |body: &str| {
        let text = format!(
            "version: 1\nrules:\n- id: r\n  title: {{zh: r, en: r}}\n  hazard: flood\n  about: {{owner: o, action: {{zh: a, en: \
             a}}}}\n  on: {{class: c, reading: v}}\n  {body}\n  level: blue\n  raise: x > 3\n"
        );
        RuleSet::load(&[("f".to_owned(), text)]).expect_err(body)[0].to_string()
    };
    assert_eq!(load("min_samples: 0"), "f:8:16: found `0`, expected a number from 1 to 1000");
    assert!(load("quality: best").contains("one of good, usable"));
    assert!(load("chatter_limit: {count: 5, per: 1h, then: shelve 9h}").contains("at most 8h"));
    assert!(load("chatter_limit: {count: 5, per: 1h}").contains("no `then`"));
    assert!(load("startup_grace: soon").contains("a time of at most 366d"));
}

#[test]
fn a_track_is_small() {
    // Beside it: 48 bytes a level's timer, and the alarm itself while there is one.
    let (track, bound) = (size_of::<super::track::Track>(), size_of::<super::memory::Bound>());
    let timer = size_of::<super::track::Timer>();
    assert!(track + bound + timer <= 200, "{track} + {bound} + {timer}");
}
