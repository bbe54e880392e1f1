//! Rules over several sources.

use std::sync::Arc;

use model::{AlarmChange, AlarmTransition, Kind, Observation, Owner, Place, Quality, Source, Value};
use proptest::prelude::*;

use super::*;
use crate::engine::related_town::{self as town, Voice};
use crate::engine::tests::{at, observation};

/// The rule of the handbook: smoke with heat, and smoke alone for a while.
const FIRE: &str = "
version: 1
rules:
- id: smoke-with-heat
  title: {zh: 烟温复合, en: Smoke with heat}
  hazard: fire
  about: {owner: fire-desk, action: {zh: 看画面, en: Look}}
  on: {class: smoke}
  k_of_n: 2
  of:
  - {class: smoke, reading: smoke, when: x == true}
  - {class: temperature, reading: temperature, when: x >= 57}
  within: 90s
  near: 40m
  level: orange
  hold: 10m
  fallback: {any_of: [smoke], for: 60s, level: yellow}
";

fn sensor(id: &str, class: &str, metres_north: f64) -> Arc<Source> {
    let mut source = Source::new(id, Kind::Sensor, Owner::Governance, "g");
    source.class = class.to_owned();
    source.place = Some(Place { lon: 106.0, lat: 29.0 + metres_north / 111_195.0 });
    Arc::new(source)
}

fn yard() -> Vec<Arc<Source>> {
    vec![
        sensor("heat-far", "temperature", 50.0),
        sensor("heat-near", "temperature", 30.0),
        sensor("smoke", "smoke", 0.0),
    ]
}

fn engine() -> Engine {
    Engine::new(town::rules_of(FIRE), yard(), at(0))
}

fn smoke(on: bool, second: i64) -> Observation {
    observation("smoke", "smoke", Value::Bool(on), second)
}

fn heat(id: &str, degrees: f64, second: i64) -> Observation {
    observation(id, "temperature", Value::Number(degrees), second)
}

fn words(transitions: &[AlarmTransition]) -> Vec<String> {
    let word = |t: &AlarmTransition| {
        let second = t.at.as_second() - at(0).as_second();
        let what = match &t.change {
            AlarmChange::Raised { level, .. } => format!("raise {}", level.as_str()),
            AlarmChange::LevelChanged { to, .. } => format!("to {}", to.as_str()),
            AlarmChange::Cleared { .. } => "clear".to_owned(),
            other => format!("{other:?}"),
        };
        format!("{second} {} {what}", t.source)
    };
    transitions.iter().map(word).collect()
}

#[test]
fn smoke_alone_tells_somebody_and_smoke_with_heat_tells_more() {
    let mut engine = engine();
    engine.observe(&heat("heat-near", 21.0, 0));
    assert_eq!(words(&engine.observe(&smoke(true, 10))), Vec::<String>::new());
    assert_eq!(words(&engine.tick(at(80))), ["70 smoke raise yellow"]);
    assert_eq!(words(&engine.observe(&heat("heat-far", 90.0, 90))), Vec::<String>::new(), "50 m away is not near");
    let said = engine.observe(&heat("heat-near", 60.5, 100));
    assert_eq!(words(&said), ["100 smoke to orange"]);
    let AlarmChange::LevelChanged { evidence, .. } = &said[0].change else { panic!() };
    assert_eq!(evidence.condition, "2 of [smoke, temperature] within 90 s, near 40m");
    let held = [("smoke@smoke", Value::Bool(true)), ("temperature@heat-near", Value::Number(60.5))];
    assert_eq!(evidence.values, held.map(|(name, value)| (name.to_owned(), value)).into());
    // The heat is over at 200, counts until 290, and ten minutes later the alarm falls to what smoke alone makes.
    engine.observe(&heat("heat-near", 20.0, 200));
    assert_eq!(words(&engine.tick(at(2_000))), ["890 smoke to yellow"]);
    engine.observe(&smoke(false, 2_000));
    assert_eq!(words(&engine.tick(at(9_000))), ["2600 smoke clear"]);
    assert_eq!(engine.next_deadline(), None);
}

#[test]
fn what_held_a_while_ago_counts_only_so_long() {
    for (second, expected) in [(99, vec!["99 smoke raise orange"]), (100, vec![])] {
        let mut engine = engine();
        engine.observe(&smoke(true, 0));
        engine.observe(&smoke(false, 10));
        assert_eq!(words(&engine.tick(at(second))), Vec::<String>::new(), "smoke alone did not last");
        assert_eq!(words(&engine.observe(&heat("heat-near", 57.0, second))), expected);
    }
}

#[test]
fn a_part_that_falls_silent_neither_raises_nor_clears_and_is_seen_to_be_silent() {
    let mut sources = yard();
    let mut near = (*sources[1]).clone();
    near.interval_s = Some(10);
    sources[1] = Arc::new(near);
    let mut engine = Engine::new(town::rules_of(FIRE), sources, at(0));
    engine.observe(&heat("heat-near", 60.0, 0));
    assert_eq!(words(&engine.observe(&smoke(true, 5))), ["5 smoke raise orange"]);
    // The heat is known until 30 and counts until 120.
    assert_eq!(words(&engine.tick(at(10_000))), ["120 smoke Stale"]);
    assert_eq!(words(&engine.observe(&heat("heat-near", 60.0, 10_000))), ["10000 smoke Fresh"]);
    assert_eq!(words(&engine.tick(at(11_000))), ["10120 smoke Stale"]);
    let back = engine.observe(&heat("heat-near", 20.0, 12_000));
    assert_eq!(words(&back), ["12000 smoke Fresh"]);
    let cool: Vec<_> = (12_000..12_610).step_by(10).flat_map(|s| engine.observe(&heat("heat-near", 20.0, s))).collect();
    assert_eq!(words(&cool), ["12600 smoke to yellow"]);
    // What smoke alone makes of it does not ask for the heat, which is silent again.
    engine.observe(&smoke(false, 14_000));
    assert_eq!(words(&engine.tick(at(20_000))), ["14600 smoke clear"]);
}

#[test]
fn alarms_are_parts_and_a_whole_is_a_part_of_another() {
    let mut engine = Engine::new(town::rules(), town::sources(), at(0));
    let voice = |class| Voice::of(class, 0, 0);
    engine.observe(&voice("lens").says(true, 0));
    let said = engine.tick(at(10));
    assert_eq!(words(&said), ["3 lens-0-0 raise yellow"]);
    let said = engine.observe(&voice("smoke").says(true, 20));
    // Both smoke sensors stand near; the flame is explained by what it is a part of.
    let cause = said[0].alarm.clone();
    assert_eq!(words(&said)[..2], ["20 smoke-0-0 raise orange".to_owned(), words(&said)[1].clone()]);
    assert!(matches!(&said[1].change, AlarmChange::Suppressed { by } if by.alarm == cause), "{said:#?}");
    assert_eq!(words(&said[2..]), ["20 smoke-0-1 raise orange"]);
    let said = engine.tick(at(30));
    assert_eq!(words(&said), ["25 lens-0-0 raise red"]);
    let AlarmChange::Raised { evidence, .. } = &said[0].change else { panic!() };
    assert_eq!(
        evidence.values.keys().collect::<Vec<_>>(),
        ["flame@lens-0-0", "smoke-with-heat@smoke-0-0", "smoke-with-heat@smoke-0-1"]
    );
    let said = engine.observe(&voice("lens").says(false, 40));
    assert_eq!(words(&said), ["40 lens-0-0 clear", "40 lens-0-0 clear"]);
}

#[test]
fn a_state_of_the_link_is_a_part() {
    let text = FIRE
        .replace("{class: smoke, reading: smoke, when: x == true}", "{name: smoke, class: smoke, state: [offline]}");
    let mut engine = Engine::new(town::rules_of(&text), yard(), at(0));
    engine.observe(&heat("heat-near", 60.0, 0));
    let status = |state, second| model::SourceStatus {
        source: "smoke".into(),
        kind: Kind::Sensor,
        profile: None,
        state,
        since: at(second),
        reason: None,
        detail: None,
        last_data_at: None,
        stream: None,
    };
    assert_eq!(words(&engine.status(&status(SourceState::Offline, 5), at(5))), ["5 smoke raise orange"]);
    // On the way back nobody can say for a moment.
    assert_eq!(words(&engine.status(&status(SourceState::Connecting, 10), at(10))), Vec::<String>::new());
    assert_eq!(words(&engine.tick(at(1_000))), ["100 smoke Stale"]);
    assert_eq!(words(&engine.status(&status(SourceState::Live, 1_000), at(1_000))), ["1000 smoke Fresh"]);
    assert_eq!(words(&engine.tick(at(3_000))), ["1600 smoke clear"]);
}

#[test]
fn rules_read_again_keep_what_held_and_changed_ones_begin_anew() {
    let held = |text: &str| {
        let mut engine = engine();
        engine.observe(&smoke(true, 0));
        engine.observe(&smoke(false, 10));
        engine.replace_rules(town::rules_of(text), at(20));
        engine.replace_sources(yard(), at(21));
        words(&engine.observe(&heat("heat-near", 60.0, 30))).len()
    };
    assert_eq!(held(FIRE), 1);
    assert_eq!(held(&FIRE.replace("within: 90s", "within: 80s")), 0);
}

#[test]
fn what_is_wrong_with_parts_is_told_with_its_place() {
    for (from, to, expected) in [
        ("k_of_n: 2", "k_of_n: 3", "9:11: found `3`, expected 1 to 2"),
        ("  k_of_n: 2\n", "", "not one of `all_of`, `any_of`, `k_of_n` with `of`"),
        ("k_of_n: 2", "all_of: []", "not one of `all_of`"),
        ("on: {class: smoke}", "on: {class: smoke, reading: smoke}", "8:31: found a reading or state beside parts"),
        ("level: orange", "raise: x > 1", "`raise` beside parts"),
        ("level: orange", "level: blue", "found the fallback's level yellow, expected one below blue"),
        ("[smoke]", "[smok]", "found `smok`, expected one of smoke, temperature"),
        ("class: temperature, reading: temperature", "class: smoke, reading: t", "found a second part named `smoke`"),
        (", when: x >= 57", "", "no `when`"),
        ("when: x >= 57", "when: x >=", "12:"),
        ("when: x >= 57", "wen: x >= 57", "the unknown key `wen`"),
        ("{class: smoke, reading: smoke, when: x == true}", "{alarm: gone, name: smoke}", "the unknown rule `gone`"),
        (
            "{class: smoke, reading: smoke, when: x == true}",
            "{alarm: smoke-with-heat, name: smoke}",
            "a circle of `alarm`: smoke-with-heat -> smoke-with-heat",
        ),
        ("within: 90s", "within: 2d", "at most 24h"),
        ("near: 40m", "near: 40m\n  same: site", "`near` beside `same`"),
        ("hold: 10m", "on_missing: raise", "`on_missing` beside parts"),
        ("  level: orange\n", "", "no `level`"),
    ] {
        let text = FIRE.replacen(from, to, 1);
        assert_ne!(text, FIRE, "{from}");
        let told = RuleSet::load(&[("f".to_owned(), text)]).map(|_| ()).unwrap_err();
        let told = told.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(told.contains(expected), "{to}: missing {expected:?} in\n{told}");
    }
}

/// The handbook's own examples.
#[test]
fn the_examples_of_the_handbook_are_rules() {
    let text = include_str!("../../../docs/rules.md");
    let section = text.split("## Rules over several sources").nth(1).unwrap().split("\n## ").next().unwrap();
    let examples: Vec<&str> =
        section.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        assert!(town::rules_of(example).len() >= 2);
    }
}

/// A rule without waits, for what can be said of it by hand.
const PLAIN: &str = "
version: 1
rules:
- id: plain
  title: {zh: p, en: p}
  hazard: fire
  about: {owner: o, action: {zh: a, en: a}}
  on: {class: smoke}
  k_of_n: 2
  of:
  - {class: smoke, reading: smoke, when: x == true}
  - {class: heat, reading: heat, when: x == true}
  - {class: lens, reading: flame, when: x == true}
  within: 20s
  near: 60m
  level: orange
";

fn fire_voices() -> Vec<Voice> {
    let mut voices = town::all_voices();
    voices.retain(|voice| ["smoke", "heat", "lens"].contains(&voice.class));
    voices
}

/// On change, so that only the parts decide.
fn fire_sources() -> Vec<Arc<Source>> {
    let source = |voice: Voice| Arc::new(Source { interval_s: None, ..voice.source() });
    fire_voices().into_iter().map(source).collect()
}

/// Against the whole history: an anchor has an alarm if two classes of its grid held in the last 20 seconds.
fn check(engine: &Engine, history: &[(i64, Voice, bool)], moment: i64) -> Result<(), TestCaseError> {
    for grid in 0..2 {
        let held = |class: &str| {
            fire_voices().iter().filter(|v| (v.class, v.grid) == (class, grid)).any(|v| {
                let mut own = history.iter().filter(|(_, voice, _)| voice == v).peekable();
                let mut held = false;
                while let Some((_, _, on)) = own.next() {
                    let until = own.peek().map_or(i64::MAX, |(next, _, _)| *next);
                    held |= *on && until > moment - 20;
                }
                held
            })
        };
        let expected = ["smoke", "heat", "lens"].iter().filter(|class| held(class)).count() >= 2;
        for number in 0..2 {
            let anchor = Voice::of("smoke", grid, number).id();
            let active = engine.alarms().any(|alarm| alarm.source.as_str() == anchor);
            prop_assert_eq!(active, expected, "{} at {}", anchor, moment);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn an_alarm_stands_where_and_while_enough_parts_hold(
        inputs in prop::collection::vec((0i64..15, prop::sample::select(fire_voices()), any::<bool>()), 1..60),
    ) {
        let mut engine = Engine::new(town::rules_of(PLAIN), fire_sources(), at(0));
        let (mut second, mut looked) = (0, 0);
        let mut history: Vec<(i64, Voice, bool)> = Vec::new();
        // Whoever has never spoken is unknown, which history cannot say.
        fire_voices().iter().for_each(|voice| drop(engine.observe(&voice.says(false, 0))));
        for (pause, voice, on) in inputs {
            second += pause;
            for moment in looked..second {
                engine.tick(at(moment));
                check(&engine, &history, moment)?;
            }
            engine.observe(&voice.says(on, second));
            history.push((second, voice, on));
            looked = second;
        }
    }

    /// Inside `within` the order of the parts makes no difference.
    #[test]
    fn the_order_of_parts_does_not_matter(
        seconds in prop::collection::btree_set(1i64..20, 3),
        order in Just([0usize, 1, 2]).prop_shuffle(),
        long in any::<bool>(),
    ) {
        let parts = [Voice::of("smoke", 0, 0), Voice::of("heat", 0, 0), Voice::of("lens", 0, 0)];
        let run = |order: [usize; 3]| {
            let mut engine = Engine::new(town::rules_of(PLAIN), fire_sources(), at(0));
            let mut out = Vec::new();
            for (second, part) in seconds.iter().zip(order) {
                out.extend(engine.observe(&parts[part].says(true, *second)));
                if !long {
                    out.extend(engine.observe(&parts[part].says(false, *second)));
                }
            }
            out.extend(engine.tick(at(500)));
            words(&out)
        };
        prop_assert_eq!(run([0, 1, 2]), run(order));
        prop_assert!(!run(order).is_empty());
    }
}

#[test]
fn a_member_of_a_thousand_anchors_costs_nothing_while_it_says_nothing_new() {
    let many: Vec<Arc<Source>> = (0..20_000)
        .map(|n| sensor(&format!("s{n}"), if n % 2 == 0 { "smoke" } else { "temperature" }, f64::from(n) / 10.0))
        .collect();
    let mut engine = Engine::new(town::rules_of(FIRE), many, at(0));
    let began = std::time::Instant::now();
    for round in 0..10 {
        for n in (1..20_000).step_by(2) {
            engine.observe(&Observation {
                quality: Quality::Good,
                ..heat(&format!("s{n}"), 20.0 + f64::from(round), i64::from(round))
            });
        }
    }
    // 100,000 readings; each has 400 anchors near.
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}
