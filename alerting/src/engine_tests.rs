//! Scenarios of the engine, over the ready rules and some of its own.

use model::{Kind, Owner, Profile, PullMode, Quality, Value};

use super::*;
use crate::READY;

pub(super) fn rules() -> RuleSet {
    let files: Vec<(String, String)> = READY.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
    RuleSet::load(&files).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

pub(super) fn source(id: &str, kind: Kind, class: &str, limits: &[(&str, f64)]) -> Arc<Source> {
    Arc::new(Source {
        id: id.into(),
        kind,
        class: class.into(),
        name: id.into(),
        owner: Owner::Governance,
        grid: "g1".into(),
        place: None,
        mode: PullMode::Always,
        url: String::new(),
        topic: String::new(),
        format: String::new(),
        unit: String::new(),
        interval_s: Some(10),
        tags: limits.iter().map(|(name, value)| (format!("limits.{name}"), value.to_string())).collect(),
    })
}

pub(super) fn sources() -> Vec<Arc<Source>> {
    vec![
        source(
            "gauge-1",
            Kind::Sensor,
            "river_gauge",
            &[("blue", 3.0), ("yellow", 3.5), ("orange", 4.0), ("red", 4.5)],
        ),
        source("smoke-1", Kind::Sensor, "smoke", &[]),
        source("cam-1", Kind::Camera, "street", &[]),
    ]
}

fn engine() -> Engine {
    Engine::new(rules(), sources(), at(0))
}

/// A rule over the gauge in few words: what stands beside id, title, hazard, about and on.
pub(super) fn one_rule(body: &str, calendars: &str) -> RuleSet {
    let text = format!(
        "version: 1\n{calendars}rules:\n- id: r\n  title: {{zh: r, en: r}}\n  hazard: flood\n  \
         about: {{owner: o, action: {{zh: a, en: a}}}}\n  on: {{class: river_gauge, reading: level}}\n  {body}\n"
    );
    RuleSet::load(&[("r.yaml".to_owned(), text)]).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

pub(super) fn engine_of(body: &str) -> Engine {
    Engine::new(one_rule(body, ""), sources(), at(0))
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

pub(super) fn observation(source: &str, reading: &str, value: Value, second: i64) -> Observation {
    Observation {
        source: source.into(),
        reading: reading.into(),
        value,
        quality: Quality::Good,
        phenomenon_time: at(second),
        received_at: at(second),
        retained: false,
    }
}

pub(super) fn level(metres: f64, second: i64) -> Observation {
    observation("gauge-1", "level", Value::Number(metres), second)
}

/// What was said, in short: level or clear, with its second.
pub(super) fn short(transitions: &[AlarmTransition]) -> Vec<(String, i64)> {
    let second = |t: &AlarmTransition| t.at.as_second() - 1_795_000_000;
    let word = |t: &AlarmTransition| match &t.change {
        AlarmChange::Raised { level, .. } => format!("raise {}", level.as_str()),
        AlarmChange::LevelChanged { to, .. } => format!("to {}", to.as_str()),
        AlarmChange::Cleared { .. } => "clear".to_owned(),
        other => format!("{other:?}"),
    };
    transitions.iter().map(|t| (word(t), second(t))).collect()
}

#[test]
fn a_river_rises_through_the_levels_and_falls_with_hysteresis() {
    let mut engine = engine();
    let mut out = Vec::new();
    for (second, metres) in
        [(0, 2.9), (10, 3.1), (20, 3.1), (30, 4.1), (40, 4.2), (50, 3.9), (60, 3.7), (70, 2.95), (80, 2.8)]
    {
        out.extend(engine.observe(&level(metres, second)));
    }
    let expected = [("raise blue", 15), ("to orange", 35), ("to yellow", 60), ("to blue", 70), ("clear", 80)];
    assert_eq!(short(&out), expected.map(|(word, second)| (word.to_owned(), second)));
    assert_eq!(engine.alarms().count(), 0);
    assert_eq!(out.iter().map(|t| t.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
}

#[test]
fn a_spike_shorter_than_the_wait_says_nothing() {
    let mut engine = engine();
    let mut out = engine.observe(&level(9.0, 0));
    out.extend(engine.observe(&level(2.0, 3)));
    out.extend(engine.tick(at(60)));
    assert_eq!(short(&out), []);
}

#[test]
fn the_end_of_a_wait_needs_no_further_reading() {
    let mut engine = engine();
    engine.observe(&level(3.2, 0));
    assert_eq!(engine.next_deadline(), Some(at(5)));
    assert_eq!(short(&engine.tick(at(9))), [("raise blue".to_owned(), 5)]);
}

#[test]
fn bad_old_retained_and_wrong_values_neither_raise_nor_clear() {
    let mut engine = engine();
    let mut bad = level(9.0, 0);
    bad.quality = Quality::Bad;
    let mut kept = level(9.0, 1);
    kept.retained = true;
    let word = observation("gauge-1", "level", Value::Text("high".into()), 2);
    for observation in [bad, kept, word] {
        engine.observe(&observation);
    }
    assert_eq!(short(&engine.tick(at(100))), []);
    engine.observe(&level(3.2, 110));
    assert_eq!(short(&engine.observe(&level(3.2, 120))), [("raise blue".to_owned(), 115)]);
    let mut late = level(1.0, 130);
    late.phenomenon_time = at(50);
    assert_eq!(short(&engine.observe(&late)), []);
    assert_eq!(engine.alarms().count(), 1);
    let word = observation("gauge-1", "level", Value::Text("low".into()), 140);
    assert_eq!(short(&engine.observe(&word)), []);
    let info = engine.rules().into_iter().find(|rule| rule.id.as_str() == "river-level").unwrap();
    assert!(info.unknowns > 0 && info.last_error.is_some(), "{info:?}");
}

#[test]
fn a_wait_does_not_run_through_silence() {
    let text = READY[0].1.replace("for: 5s", "for: 10m");
    let rules = RuleSet::load(&[("river.yaml".to_owned(), text)]).unwrap();
    let mut engine = Engine::new(rules, sources(), at(0));
    engine.observe(&level(3.2, 0));
    assert_eq!(short(&engine.tick(at(3_600))), [], "the gauge reports every 10 s and said nothing for an hour");
}

#[test]
fn smoke_holds_and_a_camera_goes_offline_and_comes_back() {
    let mut engine = engine();
    let smoke = |value, second| observation("smoke-1", "smoke", Value::Bool(value), second);
    let mut out = engine.observe(&smoke(true, 0));
    out.extend(engine.tick(at(4)));
    out.extend(engine.observe(&smoke(false, 5)));
    out.extend(engine.tick(at(60)));
    assert_eq!(short(&out), [("raise orange".to_owned(), 3), ("clear".to_owned(), 33)]);
    let status = |state, second| {
        let status = SourceStatus {
            source: "cam-1".into(),
            kind: Kind::Camera,
            profile: Some(Profile::Sub),
            state,
            since: at(second),
            reason: None,
            detail: None,
            last_data_at: None,
            stream: None,
        };
        (status, at(second))
    };
    let mut out = Vec::new();
    for (status, now) in [
        status(SourceState::Offline, 100),
        status(SourceState::Connecting, 120),
        status(SourceState::Offline, 130),
        status(SourceState::Connecting, 200),
        status(SourceState::Live, 205),
    ] {
        out.extend(engine.status(&status, now));
    }
    assert_eq!(short(&out), [("raise blue".to_owned(), 170), ("clear".to_owned(), 205)]);
}

#[test]
fn acknowledging_and_shelving_are_transitions_of_the_alarm() {
    let mut engine = engine();
    engine.observe(&level(3.2, 0));
    let id = engine.tick(at(5))[0].alarm.clone();
    let done = engine.command(&id, AlarmCommand::Acknowledge { by: "li".into() }, at(6)).unwrap();
    assert_eq!(done.seq, 2);
    let mut again = |id: &AlarmId| engine.command(id, AlarmCommand::Acknowledge { by: "li".into() }, at(7));
    assert_eq!(again(&"none".into()), Err(Refused::NotFound));
    assert!(matches!(again(&id), Err(Refused::AlreadyDone(_))));
    assert_eq!(engine.alarms().next().unwrap().acknowledged_by, Some("li".into()));
}

#[test]
fn a_shelf_ends_by_itself_and_holds_for_the_next_alarm() {
    let mut engine = engine_of("level: blue\n  raise: x > 3");
    let id = engine.observe(&level(3.2, 0))[0].alarm.clone();
    let shelve = |minutes, reason: &str| {
        let until = at(10) + SignedDuration::from_mins(minutes);
        AlarmCommand::Shelve { by: "li".into(), until, reason: reason.into() }
    };
    assert!(matches!(engine.command(&id, shelve(481, "too long"), at(10)), Err(Refused::BadField(_))));
    assert!(matches!(engine.command(&id, shelve(30, " "), at(10)), Err(Refused::BadField(_))));
    engine.command(&id, shelve(30, "works at the weir"), at(10)).unwrap();
    assert_eq!(short(&engine.observe(&level(2.0, 20))), [("clear".to_owned(), 20)]);
    let again = engine.observe(&level(3.2, 25));
    let AlarmChange::Raised { shelved_until, .. } = &again[0].change else { panic!("{again:?}") };
    assert_eq!(*shelved_until, Some(at(1_810)));
    for second in (30..1_800).step_by(10) {
        assert_eq!(short(&engine.observe(&level(3.2, second))), []);
    }
    assert_eq!(short(&engine.tick(at(1_810))), [("Unshelved { by: None }".to_owned(), 1_810)]);
}

#[test]
fn an_alarm_turns_stale_when_its_data_stops_and_fresh_when_it_is_back() {
    let mut engine = engine();
    engine.observe(&level(3.2, 0));
    engine.tick(at(5));
    assert_eq!(short(&engine.tick(at(100))), [("Stale".to_owned(), 30)]);
    assert!(engine.alarms().all(|alarm| alarm.stale));
    assert_eq!(short(&engine.observe(&level(3.2, 200))), [("Fresh".to_owned(), 200)]);
}

#[test]
fn what_missing_data_means_is_the_rules_choice() {
    let mut clears = engine_of("on_missing: clear\n  level: blue\n  raise: x > 3");
    clears.observe(&level(3.2, 0));
    assert_eq!(short(&clears.tick(at(60))), [("clear".to_owned(), 30)]);
    let mut raises = engine_of("on_missing: raise\n  for: 20s\n  level: blue\n  raise: x > 3");
    raises.observe(&level(1.0, 0));
    let said = short(&raises.tick(at(60)));
    assert_eq!(said, [("raise blue".to_owned(), 50), ("Stale".to_owned(), 50)], "and it is seen why");
    assert_eq!(short(&raises.observe(&level(1.0, 70))), [("clear".to_owned(), 70)]);
}

#[test]
fn a_reading_that_does_not_come_raises_and_its_return_clears() {
    let mut engine = engine_of("absent: 3x\n  level: yellow");
    engine.observe(&level(1.0, 10));
    assert_eq!(short(&engine.tick(at(39))), []);
    assert_eq!(short(&engine.tick(at(50))), [("raise yellow".to_owned(), 40)]);
    assert_eq!(short(&engine.observe(&level(1.0, 60))), [("clear".to_owned(), 60)]);
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
    assert_eq!(short(&engine.tick(at(1_000))), [], "the broker is away, not the gauge");
    engine.status(&SourceStatus { state: SourceState::Live, reason: None, ..away }, at(1_000));
    assert_eq!(short(&engine.tick(at(2_000))), [("raise yellow".to_owned(), 1_020)]);
}

#[test]
fn a_calendar_lets_a_rule_speak_from_its_opening_to_its_end() {
    // Second 0 is 2026-11-18 22:26:40 in UTC.
    let calendar = "calendars:\n  late: {zone: UTC, hours: [\"22:30-23:00\"]}\n";
    let rules = one_rule("only: late\n  for: 1m\n  max_gap: 1d\n  level: blue\n  raise: x > 3", calendar);
    let mut engine = Engine::new(rules, sources(), at(0));
    let opens = at(0).as_second().div_euclid(86_400) * 86_400 + 22 * 3_600 + 1_800 - 1_795_000_000;
    let mut out = engine.observe(&level(3.2, opens - 100));
    out.extend(engine.tick(at(opens + 4_000)));
    let expected = [("raise blue".to_owned(), opens + 60), ("clear".to_owned(), opens + 1_800)];
    assert_eq!(short(&out), expected);
}

#[test]
fn a_retained_state_counts_only_where_the_rule_says_so() {
    let mut kept = level(9.0, 5);
    kept.retained = true;
    let mut ignores = engine_of("level: blue\n  raise: x > 3");
    assert_eq!(short(&ignores.observe(&kept)), []);
    let mut takes = engine_of("retained: state\n  for: 10s\n  level: blue\n  raise: x > 3");
    takes.observe(&kept);
    assert_eq!(short(&takes.tick(at(60))), [("raise blue".to_owned(), 15)]);
}

#[test]
fn a_wait_pauses_in_a_gap_and_goes_on_after_it() {
    let mut engine = engine_of("for: 60s\n  level: blue\n  raise: x > 3");
    engine.observe(&level(3.2, 0));
    // Silent from 30 on; 30 seconds have counted.
    assert_eq!(short(&engine.tick(at(500))), []);
    for second in [500, 510, 520] {
        assert_eq!(short(&engine.observe(&level(3.2, second))), []);
    }
    assert_eq!(short(&engine.tick(at(540))), [("raise blue".to_owned(), 530)]);
}

#[test]
fn old_readings_raise_nothing_but_a_wrong_clock_mutes_nobody() {
    let told = |second: i64, made: i64| {
        let mut observation = level(9.0, second);
        observation.phenomenon_time = at(made);
        observation
    };
    let mut engine = engine_of("level: blue\n  raise: x > 3");
    // A gateway hands in two hours of readings within a second.
    for n in 0..100 {
        assert_eq!(short(&engine.observe(&told(10_000, n * 60))), []);
    }
    // A sensor whose clock was set back an hour reports as ever.
    let said: Vec<_> = (0..5).flat_map(|n| engine.observe(&told(20_000 + n * 10, 16_400 + n * 10))).collect();
    assert_eq!(short(&said), [("raise blue".to_owned(), 20_010)]);
}

#[test]
fn alarms_of_what_is_gone_end() {
    let mut engine = engine();
    engine.observe(&level(3.2, 0));
    engine.tick(at(5));
    let fewer = sources().into_iter().filter(|source| source.id.as_str() != "gauge-1");
    assert_eq!(short(&engine.replace_sources(fewer, at(10))), [("clear".to_owned(), 10)]);
    assert!(engine.deadlines.is_empty());
    engine.replace_sources(sources(), at(11));
    engine.observe(&level(3.2, 12));
    assert_eq!(engine.tick(at(20)).len(), 1);
    let without = READY.iter().filter(|(name, _)| *name != "river.yaml");
    let files: Vec<_> = without.map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
    let said = engine.replace_rules(RuleSet::load(&files).unwrap(), at(21));
    assert_eq!(short(&said), [("clear".to_owned(), 21)]);
}

#[test]
fn the_same_rules_read_again_change_nothing_and_changed_ones_only_their_own() {
    let mut engine = engine();
    engine.observe(&level(3.2, 0));
    engine.observe(&observation("smoke-1", "smoke", Value::Bool(true), 2));
    let version = engine.rules.version();
    assert_eq!(short(&engine.replace_rules(rules(), at(3))), []);
    assert_eq!(engine.rules.version(), version);
    let files: Vec<_> = READY.iter().map(|(n, t)| ((*n).to_owned(), t.replace("x >= device", "x > device"))).collect();
    let mut out = engine.replace_rules(RuleSet::load(&files).unwrap(), at(4));
    out.extend(engine.tick(at(20)));
    assert_eq!(short(&out), [("raise orange".to_owned(), 5), ("raise blue".to_owned(), 9)]);
}

#[test]
fn a_limit_that_is_taken_away_leaves_the_alarm_visibly_stale() {
    let mut engine = engine();
    engine.observe(&level(3.2, 0));
    engine.tick(at(5));
    let mut changed = sources();
    changed[0] = source("gauge-1", Kind::Sensor, "river_gauge", &[("yellow", 3.5)]);
    assert_eq!(short(&engine.replace_sources(changed, at(6))), [("Stale".to_owned(), 6)]);
}

#[test]
fn a_missing_level_in_the_middle_holds_nothing_up() {
    let mut engine = engine();
    let mut changed = sources();
    changed[0] = source("gauge-1", Kind::Sensor, "river_gauge", &[("blue", 3.0), ("orange", 4.0)]);
    engine.replace_sources(changed, at(0));
    engine.observe(&level(4.2, 1));
    assert_eq!(short(&engine.tick(at(6))), [("raise orange".to_owned(), 6)]);
    assert_eq!(short(&engine.observe(&level(2.0, 10))), [("clear".to_owned(), 10)]);
}

#[test]
fn twenty_thousand_restless_sources_have_one_deadline_each_at_most() {
    let many: Vec<_> = (0..20_000).map(|n| source(&format!("s{n}"), Kind::Sensor, "smoke", &[])).collect();
    let mut engine = Engine::new(rules(), many, at(0));
    for round in 0..5 {
        for n in 0..20_000 {
            engine.observe(&observation(&format!("s{n}"), "smoke", Value::Bool((n + round) % 2 == 0), round));
        }
    }
    assert!(engine.deadlines.len() <= 20_000, "{}", engine.deadlines.len());
    let said = engine.tick(at(100_000));
    assert!(engine.next_deadline().is_none_or(|next| next > at(100_000)));
    assert_eq!(said.iter().filter(|t| matches!(t.change, AlarmChange::Raised { .. })).count(), 10_000);
}

#[test]
fn the_longest_names_give_an_id_that_the_log_can_read_back() {
    let long = "s".repeat(128);
    let mut engine = Engine::new(
        one_rule("level: blue\n  raise: x > 3", ""),
        [source(&long, Kind::Sensor, "river_gauge", &[])],
        at(0),
    );
    let said = engine.observe(&observation(&long, "level", Value::Number(9.0), 1));
    let text = serde_json::to_string(&said[0]).unwrap();
    assert_eq!(serde_json::from_str::<AlarmTransition>(&text).unwrap(), said[0]);
}

#[test]
fn everything_wrong_in_a_file_is_told_with_its_place() {
    let text = "version: 2\nrules:\n- id: Bad Id\n  title: {zh: x}\n  hazard: plague\n  colour: red\n  \
                about: {owner: o, action: {zh: a, en: a}}\n  on: {class: c, reading: r}\n  for: soon\n  \
                levels:\n    blue: {raise: x >= , clear: x < 1}\n    red: {raise: x > 3, clear: x < 5}\n";
    let told = RuleSet::load(&[("f.yaml".to_owned(), text.to_owned())]).unwrap_err();
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    let all = told.join("\n");
    for expected in [
        "f.yaml:1:10: found `2`, expected version 1",
        "f.yaml:3:7: found `Bad Id`",
        "f.yaml:4:10: found no `en`",
        "f.yaml:5:11: found `plague`",
        "f.yaml:6:3: found the unknown key `colour`",
        "f.yaml:9:8: found `soon`",
        "f.yaml:11:",
        "overlaps the raise",
    ] {
        assert!(all.contains(expected), "missing {expected:?} in\n{all}");
    }
}

#[test]
fn a_hostile_file_is_refused_quickly() {
    let began = std::time::Instant::now();
    for text in ["- ".repeat(500_000), "[".repeat(1_000_000), "a: &a [*a]\n".repeat(1_000), "x".repeat(2_000_000)] {
        assert!(RuleSet::load(&[("f".to_owned(), text)]).is_err());
    }
    assert!(began.elapsed().as_secs() < 2, "{:?}", began.elapsed());
}
