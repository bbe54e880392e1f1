//! The life of a rule: draft, shadow, active, retired, and what becomes of its alarms on the way.

use model::{AlarmTransition, Value};

use super::tests::{at, level, one_rule, short, sources};
use super::{Engine, Recovery, Snapshot};
use crate::rule::RuleStatus;
use crate::ruleset::RuleSet;

fn rule(status: &str) -> RuleSet {
    one_rule(&format!("status: {status}\n  for: 20s\n  level: blue\n  raise: x > 3"), "")
}

#[test]
fn a_draft_and_a_retired_rule_watch_nothing_and_a_rule_without_status_is_active() {
    for (status, watched) in [("draft", 0), ("shadow", 1), ("active", 1), ("retired", 0)] {
        let mut engine = Engine::new(rule(status), sources(), at(0));
        engine.observe(&level(9.0, 1));
        let said = engine.tick(at(25));
        assert_eq!(said.len(), watched, "{status}");
        let info = &engine.rules()[0];
        assert_eq!((info.sources, info.status.as_str()), (watched, status));
    }
    let engine = Engine::new(one_rule("level: blue\n  raise: x > 3", ""), sources(), at(0));
    assert_eq!(engine.status_of(&"r".into()), Some(RuleStatus::Active));
    assert_eq!(engine.status_of(&"none".into()), None);
}

#[test]
fn a_rule_that_goes_into_force_tells_anew_what_stands_and_keeps_its_timers() {
    let mut engine = Engine::new(rule("shadow"), sources(), at(0));
    engine.observe(&level(3.2, 0));
    let raised = engine.tick(at(20));
    assert!(raised.len() == 1 && engine.alarms().all(|alarm| alarm.shadow), "{raised:?}");
    let said = engine.replace_rules(rule("active"), at(25));
    assert_eq!(short(&said), [("clear".to_owned(), 25), ("raise blue".to_owned(), 25)]);
    assert_ne!(said[0].alarm, said[1].alarm);
    let alarm = engine.alarms().next().unwrap();
    assert_eq!((alarm.shadow, alarm.evidence.since), (false, Some(at(0))), "it has held since the first reading");
    assert_eq!(short(&engine.replace_rules(rule("active"), at(26))), []);
    let back = engine.replace_rules(rule("shadow"), at(27));
    assert_eq!(short(&back), [("clear".to_owned(), 27), ("raise blue".to_owned(), 27)]);
    assert_eq!(short(&engine.replace_rules(rule("retired"), at(28))), [("clear".to_owned(), 28)]);
}

#[test]
fn a_wait_that_runs_goes_on_when_the_rule_goes_into_force() {
    let mut engine = Engine::new(rule("shadow"), sources(), at(0));
    engine.observe(&level(3.2, 0));
    assert_eq!(short(&engine.replace_rules(rule("active"), at(10))), []);
    assert_eq!(short(&engine.tick(at(25))), [("raise blue".to_owned(), 20)]);
}

#[test]
fn a_rule_that_goes_into_force_while_the_hub_is_down_tells_anew_at_the_start() {
    let mut engine = Engine::new(rule("shadow"), sources(), at(0));
    engine.observe(&level(3.2, 0));
    engine.tick(at(20));
    let snapshot = Snapshot::read(&engine.snapshot());
    let recovery = Recovery::begin(rule("active"), sources(), snapshot, Vec::new(), at(100));
    let (engine, said) = recovery.finish(at(22), at(100));
    assert_eq!(short(&said), [("clear".to_owned(), 100), ("raise blue".to_owned(), 100)]);
    assert!(engine.alarms().all(|alarm| !alarm.shadow));
}

#[test]
fn status_is_no_part_of_the_meaning_and_what_is_said_of_a_rule_is_shown() {
    assert_eq!(rule("shadow").version(), rule("active").version());
    let text = "version: 1\nrules:\n- id: r\n  title: {zh: r, en: r}\n  hazard: flood\n  status: draft\n  about:\n    \
                owner: o\n    action: {zh: a, en: a}\n    author: li\n    rationale: after the flood of 2020\n    \
                review: 2027-05-01\n  on: {class: c, reading: v}\n  level: blue\n  raise: x > 3\n";
    let load = |text: &str| RuleSet::load(&[("r.yaml".to_owned(), text.to_owned())]);
    let engine = Engine::new(load(text).unwrap(), sources(), at(0));
    let info = serde_json::to_value(&engine.rules()[0]).unwrap();
    assert_eq!(info["status"], "draft");
    assert_eq!((&info["author"], &info["review"]), (&"li".into(), &"2027-05-01".into()));
    assert_eq!(info["rationale"], "after the flood of 2020");
    let told = load(&text.replace("draft", "drafty").replace("2027-05-01", "spring")).unwrap_err();
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    assert!(told[0].contains("6:11: found `drafty`, expected one of draft, shadow, active, retired"), "{told:?}");
    assert!(told[1].contains("12:13: found `spring`, expected a date"), "{told:?}");
}

#[test]
fn what_a_shadow_rule_says_can_be_read_back_from_the_log() {
    let mut engine = Engine::new(rule("shadow"), sources(), at(0));
    engine.observe(&level(3.2, 0));
    let said = engine.tick(at(20));
    let text = serde_json::to_string(&said[0]).unwrap();
    assert!(text.contains("\"shadow\":true"), "{text}");
    assert_eq!(serde_json::from_str::<AlarmTransition>(&text).unwrap(), said[0]);
    let old = text.replace("\"shadow\":true,", "");
    let read: AlarmTransition = serde_json::from_str(&old).unwrap();
    assert!(!model::Alarm::begin(&read).unwrap().shadow, "rows of before rules had trials");
    assert!(
        matches!(read.change, model::AlarmChange::Raised { ref evidence, .. } if evidence.value == Some(Value::Number(3.2)))
    );
}
