//! Alarms that others explain.

use std::sync::Arc;

use model::{Alarm, AlarmChange, AlarmTransition, Source};
use proptest::prelude::*;

use super::*;
use crate::engine::related_town::{self as town, Voice};
use crate::engine::tests::at;
use crate::handle::AlarmCommand;

fn engine() -> Engine {
    Engine::new(town::rules(), town::sources(), at(0))
}

/// What was said of whom when, in words: `eye-0-0 raised by gateway-0-0`.
fn words(transitions: &[AlarmTransition]) -> Vec<String> {
    let word = |t: &AlarmTransition| {
        let second = t.at.as_second() - at(0).as_second();
        let what = match &t.change {
            AlarmChange::Raised { suppressed_by: None, .. } => "raised".to_owned(),
            AlarmChange::Raised { suppressed_by: Some(by), .. } => format!("born under {}", by.source),
            AlarmChange::Suppressed { by } => format!("under {}", by.source),
            AlarmChange::Unsuppressed => "told".to_owned(),
            AlarmChange::Cleared { .. } => "cleared".to_owned(),
            other => format!("{other:?}"),
        };
        format!("{second} {} {what}", t.source)
    };
    transitions.iter().map(word).collect()
}

fn eye(number: u8) -> Voice {
    Voice::of("eye", 0, number)
}

fn gateway() -> Voice {
    Voice::of("gateway", 0, 0)
}

fn mains() -> Voice {
    Voice::of("mains", 0, 0)
}

#[test]
fn a_cause_hides_its_effects_and_lets_them_speak_when_it_clears() {
    let mut engine = engine();
    engine.observe(&gateway().says(true, 0));
    assert_eq!(words(&engine.tick(at(5))), ["5 gateway-0-0 raised"]);
    engine.observe(&eye(0).says(true, 6));
    engine.observe(&Voice::of("eye", 1, 0).says(true, 6));
    let said = engine.tick(at(20));
    assert_eq!(words(&said), ["11 eye-0-0 born under gateway-0-0", "11 eye-1-0 raised"], "the other grid has its own");
    let alarm = Alarm::begin(&said[0]).unwrap();
    assert_eq!(alarm.suppressed_by.as_ref().map(|by| by.rule.as_str()), Some("gateway-down"));
    assert_eq!(engine.alarm(&alarm.id), Some(&alarm));
    assert_eq!(words(&engine.observe(&gateway().says(false, 30))), ["30 gateway-0-0 cleared", "30 eye-0-0 told"]);
    assert_eq!(words(&engine.observe(&eye(0).says(false, 40))), ["40 eye-0-0 cleared"]);
}

#[test]
fn a_cause_that_comes_later_hides_what_nobody_has_acknowledged() {
    let mut engine = engine();
    engine.observe(&eye(0).says(true, 0));
    engine.observe(&eye(1).says(true, 0));
    let id = engine.tick(at(5))[0].alarm.clone();
    engine.command(&id, AlarmCommand::Acknowledge { by: "li".into() }, at(6)).unwrap();
    let said = engine.observe(&mains().says(true, 10));
    assert_eq!(words(&said), ["10 mains-0-0 raised", "10 eye-0-1 under mains-0-0"]);
    assert_eq!(words(&engine.observe(&mains().says(false, 20))), ["20 mains-0-0 cleared", "20 eye-0-1 told"]);
}

#[test]
fn one_cause_takes_over_from_another_and_a_hidden_cause_still_explains() {
    let mut engine = engine();
    engine.observe(&gateway().says(true, 0));
    engine.observe(&eye(0).says(true, 1));
    engine.tick(at(10));
    assert_eq!(
        words(&engine.observe(&mains().says(true, 11))),
        ["11 mains-0-0 raised", "11 gateway-0-0 under mains-0-0"]
    );
    assert_eq!(
        words(&engine.observe(&gateway().says(false, 12))),
        ["12 gateway-0-0 cleared", "12 eye-0-0 under mains-0-0"]
    );
    assert_eq!(words(&engine.observe(&mains().says(false, 13))), ["13 mains-0-0 cleared", "13 eye-0-0 told"]);
}

#[test]
fn of_one_moment_the_cause_is_looked_at_first() {
    let mut engine = engine();
    engine.observe(&eye(0).says(true, 0));
    engine.observe(&gateway().says(true, 0));
    let said = engine.tick(at(5));
    assert_eq!(words(&said), ["5 gateway-0-0 raised", "5 eye-0-0 born under gateway-0-0"]);
}

#[test]
fn a_sensor_that_moves_away_from_its_cause_is_told_and_so_it_is_when_the_cause_is_gone() {
    let mut engine = engine();
    engine.observe(&gateway().says(true, 0));
    engine.observe(&eye(0).says(true, 0));
    engine.observe(&eye(1).says(true, 0));
    engine.tick(at(5));
    let mut moved = town::sources();
    let mut one = (*moved[0]).clone();
    assert_eq!(one.id.as_str(), "eye-0-0");
    one.tags.insert("gateway".to_owned(), "gateway-1-0".to_owned());
    moved[0] = Arc::new(one);
    assert_eq!(words(&engine.replace_sources(moved.clone(), at(6))), ["6 eye-0-0 told"]);
    moved.retain(|source| source.class != "gateway");
    assert_eq!(words(&engine.replace_sources(moved, at(7))), ["7 gateway-0-0 cleared", "7 eye-0-1 told"]);
}

#[test]
fn circles_and_unknown_rules_are_refused_with_their_place() {
    let rule = |id: &str, more: &str| {
        format!(
            "- id: {id}\n  title: {{zh: r, en: r}}\n  hazard: fire\n  about: {{owner: o, action: {{zh: a, en: a}}}}\n  \
             on: {{class: c, reading: r}}\n  level: blue\n  raise: x > 1\n  inhibited_by: {more}\n"
        )
    };
    let told = |rules: &[String]| {
        let text = format!("version: 1\nrules:\n{}", rules.concat());
        let problems = RuleSet::load(&[("f.yaml".to_owned(), text)]).unwrap_err();
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let circle = [rule("a", "[{rule: b, same: grid}]"), rule("b", "[{rule: c, near: 50m}]"), rule("c", "[{rule: a}]")];
    assert!(
        told(&circle).contains("f.yaml:26:25: found a circle of `inhibited_by`: a -> b -> c -> a"),
        "{}",
        told(&circle)
    );
    assert!(told(&[rule("a", "[{rule: a}]")]).contains("a -> a"));
    let gone = told(&[rule("a", "[{rule: gone, same: grid}]")]);
    assert!(gone.contains("f.yaml:10:25: found the unknown rule `gone`"), "{gone}");
    for (wrong, expected) in [
        ("[{rule: b, same: grid, near: 5m}]", "`near` beside `same`"),
        ("[{rule: b, near: 0m}]", "a distance of 1m to 100km"),
        ("[{rule: b, near: 5}]", "a distance of 1m to 100km"),
        ("[{rule: b, same: a b}]", "grid, owner, recorder, or a tag"),
        ("[{same: grid}]", "no `rule`"),
        ("{rule: b}", "a list"),
    ] {
        let told = told(&[rule("a", wrong), rule("b", "[]")]);
        assert!(told.contains(expected), "{wrong}: {told}");
    }
}

#[test]
fn five_hundred_sensors_of_one_gateway_need_no_look_at_the_rest_of_the_town() {
    let mut sources: Vec<Arc<Source>> = town::sources();
    for n in 0..20_000 {
        let mut one = eye(0).source();
        one.id = format!("more-{n}").as_str().into();
        one.tags.insert("gateway".to_owned(), if n < 500 { "gateway-0-0" } else { "elsewhere" }.to_owned());
        one.grid = "far".into();
        sources.push(Arc::new(one));
    }
    let mut engine = Engine::new(town::rules(), sources, at(0));
    for n in 0..20_000 {
        let mut told = eye(0).says(true, 0);
        told.source = format!("more-{n}").as_str().into();
        engine.observe(&told);
    }
    assert_eq!(engine.tick(at(5)).len(), 20_000);
    let began = std::time::Instant::now();
    for round in 0..100 {
        engine.observe(&gateway().says(true, 10 + round * 10));
        assert_eq!(engine.tick(at(15 + round * 10)).len(), 501);
        assert_eq!(engine.observe(&gateway().says(false, 16 + round * 10)).len(), 501);
    }
    // Some 100,000 transitions; a look at every source for each would be 2,000,000,000 looks.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

/// Whether the town's rules and places say that `cause` explains `effect`, told apart from the engine's own way.
fn explains(cause: &Alarm, effect: &Alarm) -> bool {
    let grid = |alarm: &Alarm| alarm.source.as_str().split('-').nth(1).map(str::to_owned);
    let pair = (cause.rule.as_str(), effect.rule.as_str());
    let named = [
        ("gateway-down", "a-no-picture"),
        ("mains-lost", "a-no-picture"),
        ("mains-lost", "gateway-down"),
        ("smoke-with-heat", "flame"),
    ];
    named.contains(&pair) && grid(cause) == grid(effect)
}

proptest! {
    /// I12: at every moment an alarm is suppressed if, and but for acknowledged ones only if, a cause is active.
    #[test]
    fn an_alarm_is_hidden_as_long_as_its_cause_and_no_longer(
        inputs in prop::collection::vec((0i64..8, town::voices(), any::<bool>(), 0u8..8), 1..120),
    ) {
        let mut engine = engine();
        let (mut second, mut told) = (0, std::collections::BTreeMap::new());
        for (pause, voice, on, act) in inputs {
            second += pause;
            let mut out = engine.observe(&voice.says(on, second));
            let first = engine.alarms().map(|alarm| alarm.id.clone()).min();
            if let (0, Some(id)) = (act, first) {
                out.extend(engine.command(&id, AlarmCommand::Acknowledge { by: "li".into() }, at(second)).ok());
            }
            for transition in &out {
                match told.get_mut(&transition.alarm) {
                    None => drop(told.insert(transition.alarm.clone(), Alarm::begin(transition).unwrap())),
                    Some(alarm) => alarm.apply(transition),
                }
            }
            let active: Vec<Alarm> = engine.alarms().cloned().collect();
            for alarm in &active {
                prop_assert_eq!(&told[&alarm.id], alarm);
                let cause = active.iter().any(|cause| explains(cause, alarm));
                match &alarm.suppressed_by {
                    Some(by) => {
                        let named = active.iter().find(|cause| cause.id == by.alarm);
                        prop_assert!(named.is_some_and(|cause| explains(cause, alarm)), "{} under {:?}", alarm.id, by);
                    }
                    None => prop_assert!(!cause || alarm.acknowledged_by.is_some(), "{} has a cause", alarm.id),
                }
            }
        }
    }
}
