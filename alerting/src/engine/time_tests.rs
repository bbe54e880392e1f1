//! Conditions in time: windows that slide, absences, and what is unknown about them.

use model::{AlarmChange, Kind, Quality, SourceState, SourceStatus, Value};

use super::tests::{at, engine_of, level, observation, one_rule, short, sources};
use super::{BROKER_AWAY, Engine};
use crate::ruleset::RuleSet;

fn said(words: &[(&str, i64)]) -> Vec<(String, i64)> {
    words.iter().map(|(word, second)| ((*word).to_owned(), *second)).collect()
}

#[test]
fn a_rate_is_first_to_last_over_the_window_and_falls_when_the_first_leaves() {
    // Every 10 s; the window of a minute holds seven samples at most.
    let mut engine = engine_of("level: blue\n  raise: rate(x, 1m) >= 0.60 per min");
    let mut out = Vec::new();
    for second in (0..=60).step_by(10) {
        out.extend(engine.observe(&level(3.0, second)));
    }
    out.extend(engine.observe(&level(3.5, 70)));
    assert_eq!(short(&out), said(&[("raise blue", 70)]), "0.5 in 50 s is 0.6 a minute");
    let AlarmChange::Raised { evidence, .. } = &out[0].change else { panic!() };
    assert_eq!(evidence.values["rate(x, 1m)"], Value::Number(36.0), "an hour");
    let out: Vec<_> = (8..13).flat_map(|n| engine.observe(&level(3.5, n * 10))).collect();
    assert_eq!(short(&out), said(&[("clear", 120)]), "the last of the low ones has left");
}

#[test]
fn a_window_slides_though_nothing_comes() {
    let mut engine = engine_of("max_gap: 1h\n  level: blue\n  raise: avg(x, 1m) > 3");
    engine.observe(&level(2.0, 0));
    assert_eq!(short(&engine.observe(&level(3.8, 20))), []);
    // At 60 the first leaves and 3.8 is all there is; at 80 there is nothing, and nothing clears.
    assert_eq!(engine.next_deadline(), Some(at(60)));
    assert_eq!(short(&engine.tick(at(500))), said(&[("raise blue", 60)]));
    assert_eq!(short(&engine.observe(&level(1.0, 600))), said(&[("clear", 600)]));
}

#[test]
fn few_readings_are_seen_without_a_further_one() {
    let mut engine = engine_of("level: blue\n  raise: count(x, 5m) < 2");
    assert_eq!(short(&engine.tick(at(299))), [], "not the whole window was heard yet");
    assert_eq!(short(&engine.tick(at(301))), said(&[("raise blue", 300)]));
    engine.observe(&level(1.0, 310));
    assert_eq!(short(&engine.observe(&level(1.0, 320))), said(&[("clear", 320)]));
    assert_eq!(short(&engine.tick(at(2_000))), said(&[("raise blue", 610)]), "the first of the two has left");
    assert!(engine.alarms().all(|alarm| !alarm.stale), "that nothing comes is what it is about");
}

#[test]
fn absence_in_a_condition_counts_from_the_last_value_and_not_while_the_broker_is_away() {
    let mut engine = engine_of("level: blue\n  raise: absent(x, 2m) || absent(r.battery, 1h)");
    engine.observe(&level(1.0, 10));
    let away = SourceStatus {
        source: "gauge-1".into(),
        kind: Kind::Sensor,
        profile: None,
        state: SourceState::Unknown,
        since: at(70),
        reason: Some(BROKER_AWAY.to_owned()),
        detail: None,
        last_data_at: None,
        stream: None,
    };
    engine.status(&away, at(70));
    assert_eq!(short(&engine.tick(at(1_000))), []);
    engine.status(&SourceStatus { state: SourceState::Live, reason: None, ..away }, at(1_000));
    assert_eq!(short(&engine.tick(at(1_059))), []);
    assert_eq!(short(&engine.tick(at(1_061))), said(&[("raise blue", 1_060)]));
    engine.observe(&level(1.0, 1_070));
    assert_eq!(engine.alarms().count(), 0);
}

#[test]
fn other_readings_have_windows_too_and_wake_the_rule() {
    let mut engine = engine_of("max_gap: 1h\n  level: blue\n  raise: x > 3 && max(r.battery, 1m) < 20");
    engine.observe(&level(3.2, 0));
    let battery = |value, second| observation("gauge-1", "battery", Value::Number(value), second);
    assert_eq!(short(&engine.observe(&battery(50.0, 10))), []);
    assert_eq!(short(&engine.observe(&battery(10.0, 20))), []);
    assert_eq!(short(&engine.tick(at(75))), said(&[("raise blue", 70)]));
}

#[test]
fn readings_out_of_order_are_put_in_their_place() {
    let raise = "max_gap: 1h\n  level: blue\n  raise: delta(x, 1m) > 0.5";
    let (mut straight, mut mixed) = (engine_of(raise), engine_of(raise));
    for (second, value) in [(0, 3.0), (10, 3.4), (20, 3.6)] {
        straight.observe(&level(value, second));
    }
    for (second, made, value) in [(15, 10, 3.4), (20, 20, 3.6), (25, 0, 3.0)] {
        let mut told = level(value, second);
        told.phenomenon_time = at(made);
        mixed.observe(&told);
    }
    assert_eq!((straight.alarms().count(), mixed.alarms().count()), (1, 1));
    // Half a minute is the bound; a backlog of older ones is history.
    let mut told = level(9.0, 40);
    told.phenomenon_time = at(-20);
    assert_eq!(short(&mixed.observe(&told)), []);
}

#[test]
fn a_rule_of_good_values_has_windows_of_its_own() {
    let mut engine = engine_of("quality: good\n  max_gap: 30s\n  level: blue\n  raise: avg(x, 1m) > 3 && x > 3");
    let doubtful = |value, second| model::Observation { quality: Quality::Uncertain, ..level(value, second) };
    assert_eq!(short(&engine.observe(&doubtful(9.0, 0))), []);
    assert_eq!(short(&engine.observe(&level(3.2, 10))), said(&[("raise blue", 10)]));
    assert_eq!(short(&engine.observe(&doubtful(1.0, 20))), []);
    assert_eq!(short(&engine.tick(at(45))), said(&[("Stale", 40)]), "doubtful values keep nothing fresh");
    assert_eq!(short(&engine.observe(&level(1.0, 50))), said(&[("clear", 50)]));
}

#[test]
fn a_rule_read_anew_with_a_longer_window_waits_until_it_is_whole() {
    let mut engine = engine_of("level: blue\n  raise: count(x, 1m) < 1");
    for second in (0..=100).step_by(10) {
        engine.observe(&level(1.0, second));
    }
    engine.replace_rules(one_rule("level: blue\n  raise: count(x, 4m) < 20", ""), at(101));
    for second in (110..=270).step_by(10) {
        assert_eq!(short(&engine.observe(&level(1.0, second))), []);
    }
    // The window of a minute knew of 41 and after; four minutes later it is whole.
    assert_eq!(engine.next_deadline(), Some(at(281)));
    assert_eq!(short(&engine.tick(at(282))), [], "24 readings in four minutes");
}

#[test]
fn a_reading_that_comes_too_often_is_joined_and_that_is_told() {
    let mut engine = engine_of("level: blue\n  raise: sum(x, 1h) > 1000000");
    for second in 0..2_000 {
        engine.observe(&level(1.0, second));
    }
    let info = engine.rules().remove(0);
    assert!(info.last_error.is_some_and(|error| error.contains("joined")));
}

#[test]
fn mistakes_in_time_are_told_with_their_place() {
    let load = |raise: &str| {
        let text = format!(
            "version: 1\nrules:\n- id: r\n  title: {{zh: r, en: r}}\n  hazard: flood\n  \
             about: {{owner: o, action: {{zh: a, en: a}}}}\n  on: {{class: c, reading: v}}\n  level: blue\n  raise: {raise}\n"
        );
        let told = RuleSet::load(&[("f".to_owned(), text)]).expect_err(raise);
        told.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert!(load("avg(x, 5w) > 1").starts_with("f:9:17: found `5w`, expected a time"), "{}", load("avg(x, 5w) > 1"));
    assert!(load("avg(x, 10m) >= 1 +").starts_with("f:9:"), "{}", load("avg(x, 10m) >= 1 +"));
    assert!(load("avg(x, 10m) > 3 )").contains("f:9:26"), "{}", load("avg(x, 10m) > 3 )"));
    assert!(load("avg(x) > 1").contains("`avg` without a time"));
    assert!(load("avg(x, 3) > 1").contains("`avg` over no time"));
    assert!(load("avg(r, 3m) > 1").contains("`avg` over something else"));
    assert!(load("x > 30m").contains("the time `30m`"));
    assert!(load("absent(x, 5m) > 1").contains("true or false and a number"));
    assert!(load("changed(x, 5m) + 1 > 1").contains("true or false beside `+`"));
}

#[test]
fn a_window_of_words_is_no_number_and_that_is_told() {
    let mut engine = Engine::new(one_rule("level: blue\n  raise: avg(x, 1m) > 3", ""), sources(), at(0));
    engine.observe(&observation("gauge-1", "level", Value::Text("high".into()), 1));
    assert!(engine.rules()[0].last_error.as_ref().is_some_and(|error| error.contains("avg")));
}
