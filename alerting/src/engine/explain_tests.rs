use model::{Kind, SourceState, SourceStatus};

use super::super::tests::{at, level, one_rule, sources};
use super::*;
use crate::explanation::Verdict;

const RULE: &str = "for: 10s\n  hold: 60s\n  levels:\n    blue: {raise: x >= device.limits.blue, clear: x < 2.9}\n    \
                    red: {raise: x >= device.limits.red && r.rain > 5, clear: x < 4}";

fn engine() -> Engine {
    Engine::new(one_rule(RULE, ""), sources(), at(0))
}

fn explained(engine: &Engine, second: i64) -> Explanation {
    engine.explain(&"r".into(), &"gauge-1".into(), at(second)).unwrap()
}

/// The kinds of sentence, in their order.
fn keys(explanation: &Explanation) -> Vec<&str> {
    explanation.reasons.iter().map(|reason| reason.key.as_str()).collect()
}

#[test]
fn before_anything_has_come_it_says_that_nothing_has() {
    let told = explained(&engine(), 1);
    assert_eq!(told.verdict, Verdict::Unknown);
    assert_eq!(keys(&told), ["unknown", "no_value", "no_value", "unknown"]);
    assert_eq!(told.reasons[1].text, "x has never come");
    assert_eq!(told.levels[0].raise.holds, None);
}

#[test]
fn why_not_is_told_with_condition_and_value() {
    let mut engine = engine();
    engine.observe(&level(2.5, 1));
    let told = explained(&engine, 3);
    assert_eq!(told.verdict, Verdict::NotMet, "{told:#?}");
    assert_eq!(keys(&told), ["not_met", "not_met"]);
    assert_eq!(
        told.reasons[1].text,
        "blue is not reached: x >= device.limits.blue (x = 2.5, device.limits.blue = 3) is not true"
    );
    let x = &told.levels[0].raise.names[0];
    assert_eq!((x.name.as_str(), x.reading.as_deref(), x.age_s), ("x", Some("level"), Some(2.0)));
}

#[test]
fn a_running_wait_says_when_it_is_due() {
    let mut engine = engine();
    engine.observe(&level(3.5, 1));
    let told = explained(&engine, 5);
    assert_eq!(told.verdict, Verdict::Waiting);
    let timer = told.levels[0].timer.as_ref().unwrap();
    assert_eq!((timer.elapsed_s, timer.due), (4.0, Some(at(11))));
    assert!(keys(&told).contains(&"waits"), "{told:#?}");
}

#[test]
fn a_level_that_lacks_another_reading_says_which() {
    let mut engine = engine();
    engine.observe(&level(4.8, 1));
    let told = explained(&engine, 2);
    assert_eq!(told.levels[1].raise.holds, None);
    let lacks: Vec<_> = told.reasons.iter().filter(|reason| reason.key == "no_value").collect();
    assert_eq!(lacks.len(), 1);
    assert_eq!(lacks[0].values["name"], "r.rain");
}

#[test]
fn an_alarm_says_what_raised_it_and_why_it_stands() {
    let mut engine = engine();
    engine.observe(&level(3.5, 1));
    engine.tick(at(11));
    let told = explained(&engine, 12);
    assert_eq!(told.verdict, Verdict::Raised);
    assert_eq!(keys(&told), ["raised", "not_cleared"]);
    assert_eq!(told.reasons[0].values["values"]["x"], 3.5);
    engine.observe(&level(2.0, 20));
    assert_eq!(keys(&explained(&engine, 21)), ["raised", "held"], "it is over, and `hold` keeps it");
    engine.tick(at(60));
    let told = explained(&engine, 60);
    assert_eq!(keys(&told), ["raised", "clear_unknown", "too_old", "stale"], "{told:#?}");
    assert_eq!((&told.reasons[2].values["age_s"], &told.reasons[2].values["after_s"]), (&40.0.into(), &30.0.into()));
}

#[test]
fn a_wait_that_pauses_for_want_of_data_says_so() {
    let mut engine =
        Engine::new(one_rule("for: 60s\n  level: blue\n  raise: x >= 3\n  clear: x < 3", ""), sources(), at(0));
    engine.observe(&level(3.5, 1));
    engine.tick(at(40));
    let told = explained(&engine, 40);
    assert_eq!(told.verdict, Verdict::Unknown);
    assert_eq!(keys(&told), ["unknown", "too_old", "paused"]);
    assert_eq!(told.reasons[2].values["elapsed_s"], 30.0);
}

#[test]
fn a_calendar_that_is_shut_says_when_it_opens() {
    let calendars = "calendars:\n  day: {zone: UTC, hours: [\"08:00-09:00\"]}\n";
    let mut engine =
        Engine::new(one_rule("only: day\n  level: blue\n  raise: x >= 3\n  clear: x < 3", calendars), sources(), at(0));
    engine.observe(&level(3.5, 1));
    let told = explained(&engine, 2);
    assert_eq!(told.verdict, Verdict::Closed);
    assert_eq!(keys(&told), ["calendar_shut"]);
    let calendar = told.calendar.unwrap();
    assert!(!calendar.open && calendar.next_edge.is_some_and(|edge| edge > at(2)));
}

#[test]
fn a_broker_that_is_away_and_a_value_of_the_wrong_kind_are_told() {
    let mut engine = Engine::new(one_rule("level: blue\n  raise: x >= 3\n  clear: x < 3", ""), sources(), at(0));
    let mut word = level(0.0, 1);
    word.value = model::Value::Text("high".into());
    engine.observe(&word);
    let told = explained(&engine, 2);
    assert_eq!(keys(&told), ["unknown", "wrong_kind"]);
    assert_eq!(told.reasons[1].text, ">=: found a number, expected a text");
    let away = SourceStatus {
        source: "gauge-1".into(),
        kind: Kind::Sensor,
        profile: None,
        state: SourceState::Unknown,
        since: at(3),
        reason: Some("broker_unreachable".into()),
        detail: None,
        last_data_at: None,
        stream: None,
    };
    engine.status(&away, at(3));
    engine.tick(at(50));
    assert!(keys(&explained(&engine, 50)).contains(&"broker_away"));
}

#[test]
fn who_is_not_watched_or_not_known_is_told() {
    let engine = engine();
    let told = engine.explain(&"r".into(), &"smoke-1".into(), at(1)).unwrap();
    assert_eq!((told.verdict, keys(&told)), (Verdict::NotWatched, vec!["not_selected"]));
    assert_eq!(engine.explain(&"no".into(), &"gauge-1".into(), at(1)), Err(NotKnown::Rule));
    assert_eq!(engine.explain(&"r".into(), &"nobody".into(), at(1)), Err(NotKnown::Source));
}
