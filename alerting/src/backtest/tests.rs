use std::collections::BTreeMap;

use model::incident::Outcome;
use model::{AlarmChange, Incident, Kind, Owner, Quality, Value, Verdict};
use proptest::prelude::*;

use super::*;

const RULES: &str = "version: 1
rules:
- id: level
  title: {zh: r, en: r}
  hazard: flood
  about: {owner: o, action: {zh: a, en: a}}
  on: {class: river_gauge, reading: level}
  for: 20s
  hold: 30s
  levels:
    blue: {raise: x >= device.limits.blue, clear: x < device.limits.blue - 0.1}
    red: {raise: x >= 4, clear: x < 3.9}
- id: absent
  title: {zh: r, en: r}
  hazard: equipment
  about: {owner: o, action: {zh: a, en: a}}
  on: {class: river_gauge, reading: level}
  level: blue
  absent: 3x
";

fn rules() -> RuleSet {
    RuleSet::load(&[("r.yaml".to_owned(), RULES.to_owned())]).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_003_200 + second).unwrap()
}

fn gauge(id: &str, blue: f64) -> Arc<Source> {
    Arc::new(Source {
        class: "river_gauge".into(),
        interval_s: Some(10),
        tags: BTreeMap::from([("limits.blue".to_owned(), blue.to_string())]),
        ..Source::new(id, Kind::Sensor, Owner::Governance, "g1")
    })
}

fn reading(source: &str, metres: f64, second: i64) -> Observation {
    Observation {
        source: source.into(),
        reading: "level".into(),
        value: Value::Number(metres),
        quality: Quality::Good,
        phenomenon_time: at(second),
        received_at: at(second),
        retained: false,
    }
}

fn tried(rule: &str, readings: &[Observation], [from, to]: [i64; 2]) -> Backtest {
    let sources = [gauge("a", 3.0), gauge("b", 3.0)];
    let mut backtest = Backtest::new(&rules(), &rule.into(), &sources, [at(0), at(from), at(to)]).unwrap();
    readings.iter().for_each(|observation| backtest.observe(observation));
    backtest.end();
    backtest
}

proptest! {
    /// What a backtest says of a window is what the live engine said in it, byte for byte.
    #[test]
    fn a_backtest_says_what_the_live_engine_said(
        values in prop::collection::vec((0usize..2, 20i32..45, 1i64..40), 1..120),
        from in 0i64..600,
        long in 60i64..1_800,
        rule in prop::sample::select(vec!["level", "absent"]),
    ) {
        let mut second = 0;
        let readings: Vec<Observation> = values
            .iter()
            .map(|(source, tenths, step)| {
                second += step;
                reading(["a", "b"][*source], f64::from(*tenths) / 10.0, second)
            })
            .collect();
        let mut live = Engine::new(rules(), [gauge("a", 3.0), gauge("b", 3.0)], at(0));
        let mut said = Vec::new();
        for observation in &readings {
            // The live hub ticks whenever it has time.
            said.extend(live.tick(observation.received_at));
            said.extend(live.observe(observation));
        }
        said.extend(live.tick(at(10_000)));
        let inside = said.into_iter().filter(|t| t.rule.as_str() == rule && t.at >= at(from) && t.at < at(from + long));
        let live: Vec<String> = inside.map(|t| serde_json::to_string(&t).unwrap()).collect();
        let backtest = tried(rule, &readings, [from, from + long]);
        let tried: Vec<String> = backtest.said().map(|t| serde_json::to_string(t).unwrap()).collect();
        prop_assert_eq!(tried, live);
    }
}

/// Three waves over the limit at `a`, one at `b`, each a minute long; then calm.
fn waves() -> Vec<Observation> {
    let mut all = Vec::new();
    for second in (0..7_200).step_by(10) {
        let wave = |from: i64| (from..from + 60).contains(&second);
        let a = if wave(4_000) || wave(4_600) {
            3.2
        } else if wave(5_200) {
            4.5
        } else {
            2.0
        };
        all.push(reading("a", a, second));
        all.push(reading("b", if wave(5_000) { 3.05 } else { 2.0 }, second));
    }
    all
}

#[test]
fn a_report_counts_by_source_hour_and_level() {
    let backtest = tried("level", &waves(), [3_600, 7_200]);
    let report = backtest.report(&Beside::default(), Vec::new());
    assert_eq!((report.raised, report.standing, report.sources, report.sources_raising), (4, 0, 2, 2));
    assert_eq!(report.readings, 1_440);
    assert_eq!(report.by_level, BTreeMap::from([("blue".to_owned(), 3), ("red".to_owned(), 1)]));
    assert_eq!(report.by_hour.len(), 1);
    assert_eq!((report.by_hour[0].raised, report.by_hour[0].hour), (4, at(3_600)));
    assert_eq!(report.by_source[0].source.as_str(), "a");
    assert_eq!((report.by_source[0].raised, report.by_source[0].per_day), (3, 72.0));
    assert_eq!(report.alarms[0].raised_at, at(4_020));
    assert_eq!(report.alarms[0].cleared_at, Some(at(4_060)));
    assert_eq!((report.load_before.alarms, report.load_after.alarms), (0, 4));
    assert!((backtest.progress() - 1.0).abs() < 0.01);
}

#[test]
fn an_alarm_that_stands_when_the_window_begins_is_told_apart() {
    let report = tried("level", &waves(), [4_030, 4_400]).report(&Beside::default(), Vec::new());
    assert_eq!((report.raised, report.standing), (0, 1));
}

#[test]
fn the_load_is_set_beside_what_others_raised() {
    let others: Vec<Timestamp> = (0..11).map(|n| at(3_700 + n)).collect();
    let beside = Beside { others, own: vec![at(4_020)], incidents: Vec::new() };
    let report = tried("level", &waves(), [3_600, 7_200]).report(&beside, Vec::new());
    assert_eq!((report.load_before.alarms, report.load_after.alarms), (12, 15));
    assert_eq!((report.load_before.flood_windows, report.load_after.flood_windows), (1, 1));
}

fn incident(id: &str, second: i64, source: &str, verdict: Option<Verdict>) -> Incident {
    let transition = model::IncidentTransition {
        incident: id.into(),
        seq: 1,
        at: at(second),
        actor: model::Actor::Hub,
        reason: None,
        change: model::IncidentChange::Reported {
            title: model::alarm::Title { zh: "t".into(), en: "t".into() },
            hazard: model::Hazard::Flood,
            level: model::Level::Blue,
            grid: if source == "far" { "g9".into() } else { "g1".into() },
            place: None,
            source: Some(source.into()),
            action: None,
            origin: model::Origin::Person("li".into()),
        },
    };
    let mut incident = Incident::begin(&transition).unwrap();
    incident.outcome = verdict.map(|verdict| Outcome::Closed { verdict });
    incident
}

#[test]
fn verdicts_give_precision_and_recall() {
    let report = |incidents: Vec<Incident>| {
        let beside = Beside { incidents, ..Beside::default() };
        tried("level", &waves(), [0, 7_200]).report(&beside, Vec::new()).matched
    };
    let found = report(vec![]);
    assert_eq!((found.unmatched, found.precision, found.recall), (4, None, None));
    // All waves are of one grid, within half an hour of the one at 4,600.
    let found =
        report(vec![incident("i", 4_650, "a", Some(Verdict::True)), incident("j", 10, "far", Some(Verdict::True))]);
    assert_eq!((found.true_alarms, found.precision, found.recall), (4, Some(100.0), Some(100.0)));
    let found = report(vec![incident("i", 2_300, "a", Some(Verdict::False)), incident("j", 6_850, "b", None)]);
    assert_eq!((found.false_alarms, found.open, found.unmatched), (1, 2, 1), "{found:?}");
    assert_eq!((found.precision, found.recall), (Some(0.0), None));
    let found = report(vec![incident("i", 100, "a", Some(Verdict::True))]);
    assert_eq!((found.recall, found.missed.len(), found.unmatched), (Some(0.0), 1, 4));
}

#[test]
fn the_limit_that_calms_a_source_is_found_by_asking_the_engine() {
    let window = [at(0), at(3_600), at(7_200)];
    let own: Vec<Observation> = waves().into_iter().filter(|o| o.source.as_str() == "a").collect();
    let source = gauge("a", 3.0);
    // One an hour: the two waves of 3.2 must not raise.
    let found = calm(&rules(), &"level".into(), &source, &own, window, 24.0).unwrap();
    assert_eq!((found.per_day_now, found.per_day_then, found.limit_now), (72.0, 24.0, 3.0));
    assert!(found.limit_then > 3.2 && found.limit_then < 3.202, "{found:?}");
    let quiet = calm(&rules(), &"level".into(), &source, &own, window, 1.0).unwrap();
    assert!(quiet.limit_then > 4.5 && quiet.limit_then < 4.51 && quiet.per_day_then == 0.0, "{quiet:?}");
    assert_eq!(calm(&rules(), &"level".into(), &source, &own, window, 72.0), None, "it is calm enough");
    assert_eq!(calm(&rules(), &"absent".into(), &source, &own, window, 0.0), None, "it has no limit");
    let noisy = tried("level", &waves(), [3_600, 7_200]).noisiest(24.0, 5);
    assert_eq!(noisy.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["a"]);
}

#[test]
fn the_time_in_which_the_hub_was_down_counts_for_no_wait() {
    let sources = [gauge("a", 3.0)];
    let mut backtest = Backtest::new(&rules(), &"level".into(), &sources, [at(0), at(0), at(4_000)]).unwrap();
    backtest.observe(&reading("a", 3.5, 10));
    backtest.down(at(15), at(1_000));
    backtest.observe(&reading("a", 3.5, 1_010));
    backtest.end();
    let raised: Vec<Timestamp> =
        backtest.said().filter(|t| matches!(t.change, AlarmChange::Raised { .. })).map(|t| t.at).collect();
    assert_eq!(raised, [at(1_015)], "five seconds before and fifteen after");
}

#[test]
fn a_draft_is_tried_as_if_in_force_and_what_is_not_there_is_refused() {
    let draft = RULES.replace("- id: level", "- id: level\n  status: draft");
    let rules = RuleSet::load(&[("r.yaml".to_owned(), draft)]).unwrap();
    let mut backtest = Backtest::new(&rules, &"level".into(), &[gauge("a", 3.0)], [at(0), at(0), at(7_200)]).unwrap();
    waves().iter().for_each(|observation| backtest.observe(observation));
    backtest.end();
    assert_eq!(backtest.report(&Beside::default(), Vec::new()).raised, 3);
    assert_eq!(watched(&rules, &"level".into(), &[gauge("a", 3.0)]).len(), 1);
    assert_eq!(Backtest::new(&rules, &"none".into(), &[], [at(0); 3]).unwrap_err(), NotKnown::Rule);
    assert_eq!(warm_up(&rules, &"level".into(), &[gauge("a", 3.0)]), Some(SignedDuration::from_hours(1)));
}

#[test]
fn the_warm_up_covers_what_a_rule_looks_back_at() {
    let text = |body: &str| {
        format!(
            "version: 1\nrules:\n- id: r\n  title: {{zh: r, en: r}}\n  hazard: flood\n  about: {{owner: o, action: {{zh: a, en: a}}}}\n  \
             on: {{class: river_gauge, reading: level}}\n  level: blue\n  {body}\n"
        )
    };
    let reach = |body: &str| {
        let rules = RuleSet::load(&[("f".to_owned(), text(body))]).unwrap();
        warm_up(&rules, &"r".into(), &[]).unwrap()
    };
    assert_eq!(reach("raise: avg(x, 5h) > 3"), SignedDuration::from_hours(5));
    assert_eq!(reach("startup_grace: 2h\n  raise: avg(x, 5h) > 3"), SignedDuration::from_hours(7));
}
