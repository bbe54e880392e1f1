//! Killed anywhere and looked at ever so often, the figures are those of the log.

use model::{AlarmChange, IncidentChange, Level, Step, Verdict};
use proptest::prelude::*;

use super::testing::{Hub, Two, at};
use super::*;

#[derive(Debug, Clone)]
enum Input {
    Raise(u8, u8, bool),
    Clear(u8),
    Acknowledge(u8),
    Unshelve(u8),
    Close(u8, u8),
    Reopen(u8),
    Look,
    SayFloods,
    Kill,
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        8 => (0..4u8, 0..5u8, prop::bool::weighted(0.1)).prop_map(|(rule, source, shelved)| Input::Raise(rule, source, shelved)),
        3 => any::<u8>().prop_map(Input::Clear),
        1 => any::<u8>().prop_map(Input::Acknowledge),
        1 => any::<u8>().prop_map(Input::Unshelve),
        1 => (any::<u8>(), 0..3u8).prop_map(|(which, verdict)| Input::Close(which, verdict)),
        1 => any::<u8>().prop_map(Input::Reopen),
        4 => Just(Input::Look),
        2 => Just(Input::SayFloods),
        1 => Just(Input::Kill),
    ]
}

/// Mostly seconds, at times hours or days.
fn pause() -> impl Strategy<Value = i64> {
    prop_oneof![20 => 0..40i64, 3 => 300..1_000i64, 2 => 3_000..9_000i64, 1 => 80_000..200_000i64]
}

fn pick(names: &[String], which: u8) -> Option<String> {
    (!names.is_empty()).then(|| names[usize::from(which) % names.len()].clone())
}

fn feed(hub: &mut Hub, active: &mut Vec<String>, ended: &mut Vec<String>, input: &Input, now: i64) {
    match input {
        Input::Raise(rule, source, shelved) => {
            let name = format!("r{rule}/s{source}/{now}-{}", hub.log.len());
            let level = Level::ALL[usize::from(*rule)];
            hub.raise(now, &name, ["water", "fire"][usize::from(rule % 2)], level, *shelved);
            if !shelved {
                hub.report(now, &format!("I-{name}"), &name, level);
            }
            active.push(name);
        }
        Input::Clear(which) => {
            if let Some(name) = pick(active, *which) {
                hub.clear(now, &name);
                active.retain(|one| *one != name);
                ended.push(name);
            }
        }
        Input::Acknowledge(which) => {
            if let Some(name) = pick(active, *which) {
                hub.change(now, &name, AlarmChange::Acknowledged { by: "li".into() });
                hub.step(now, &format!("I-{name}"), IncidentChange::Acknowledged);
            }
        }
        Input::Unshelve(which) => {
            if let Some(name) = pick(active, *which) {
                hub.change(now, &name, AlarmChange::Unshelved { by: None });
            }
        }
        Input::Close(which, verdict) => {
            if let Some(name) = pick(ended, *which) {
                let verdict = [Verdict::True, Verdict::False, Verdict::Nuisance][usize::from(*verdict)];
                hub.step(now, &format!("I-{name}"), IncidentChange::Closed { from: Step::Verify, verdict });
            }
        }
        Input::Reopen(which) => {
            if let Some(name) = pick(ended, *which) {
                hub.step(now, &format!("I-{name}"), IncidentChange::Reopened);
            }
        }
        Input::Look => hub.kpis.tick(at(now)),
        Input::SayFloods => {
            hub.say_floods(now);
        }
        Input::Kill => {
            hub.kpis = folded(hub);
            hub.kpis.tick(at(now));
            hub.kpis.settle();
        }
    }
}

/// The figures as a start finds them.
fn folded(hub: &Hub) -> Kpis {
    let mut kpis = Kpis::new(at(0));
    hub.log.iter().for_each(|(at, body)| kpis.take_body(body, *at));
    kpis
}

/// All that people can see of figures.
fn seen(kpis: &mut Kpis, now: i64) -> String {
    kpis.tick(at(now));
    let asked = [None, Some("water"), Some("fire")].into_iter().flat_map(|desk| {
        [By::Hour, By::Shift, By::Day].map(|by| {
            let days = if by == By::Hour { 2 } else { 44 };
            let from = now - days * 86_400;
            Query { from: at(from), to: at(now + 1), desk: desk.map(str::to_owned), by }
        })
    });
    let reports: Vec<_> = asked
        .map(|query| {
            kpis.report(&query, &Shifts::default(), &Two).map(|mut report| {
                // Desks are numbered as they were first heard of, which the log tells too.
                report.desks.sort();
                report
            })
        })
        .collect();
    format!("{reports:?} {:?}", kpis.floods())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn the_live_fold_is_the_fold_of_the_log(inputs in prop::collection::vec((pause(), input()), 1..120)) {
        let (mut hub, mut active, mut ended, mut now) = (Hub::new(), Vec::new(), Vec::new(), 0);
        for (pause, input) in &inputs {
            now += pause;
            feed(&mut hub, &mut active, &mut ended, input, now);
        }
        let mut from_log = folded(&hub);
        prop_assert_eq!(seen(&mut hub.kpis.clone(), now), seen(&mut from_log, now));
        prop_assert_eq!(seen(&mut hub.kpis, now + 100_000), seen(&mut from_log, now + 100_000));
    }

    /// Counted the plain way, over all rows: what the fold does by increments.
    #[test]
    fn the_counts_are_those_of_plain_counting(inputs in prop::collection::vec((0..90i64, input()), 1..150)) {
        let (mut hub, mut active, mut ended, mut now) = (Hub::new(), Vec::new(), Vec::new(), 0);
        for (pause, input) in &inputs {
            now += pause;
            feed(&mut hub, &mut active, &mut ended, input, now);
        }
        let mut announced = Vec::new();
        let mut kept_back = std::collections::HashSet::new();
        for (at, body) in &hub.log {
            let model::LogBody::Alarm(transition) = body else { continue };
            match &transition.change {
                AlarmChange::Raised { shelved_until: None, .. } => announced.push(at.as_second()),
                AlarmChange::Raised { .. } => drop(kept_back.insert(transition.alarm.clone())),
                AlarmChange::Unshelved { .. } if kept_back.remove(&transition.alarm) => announced.push(at.as_second()),
                _ => {}
            }
        }
        let in_window = |end: i64| announced.iter().filter(|at| **at > end - 600 && **at <= end).count() as u32;
        let peak = announced.iter().map(|at| in_window(*at)).max().unwrap_or(0);
        let report = hub.told(now, now / 3_600 + 1, None);
        prop_assert_eq!(report.total.alarms as usize, announced.len());
        prop_assert_eq!(report.total.peak_10_min, peak);
        let mut windows = std::collections::HashMap::<i64, u32>::new();
        announced.iter().for_each(|at| *windows.entry(at.div_euclid(600)).or_default() += 1);
        prop_assert_eq!(report.total.windows_over_10 as usize, windows.values().filter(|count| **count > 10).count());
        // Second by second: on above ten, off below five.
        let (mut flooded, mut flood_s) = (false, 0u32);
        let began = at(0).as_second();
        for second in began..began + now {
            let count = in_window(second);
            flooded = if flooded { count >= 5 } else { count > 10 };
            flood_s += u32::from(flooded);
        }
        prop_assert_eq!(report.total.flood_s, flood_s);
        let of_pairs: u32 = report.top.iter().map(|one| one.alarms).sum();
        prop_assert!(report.top.len() == 10 || of_pairs as usize == announced.len());
    }
}

#[test]
fn forty_five_days_at_two_hundred_an_hour_stay_within_bounds() {
    let mut hub = Hub::new();
    // Seventy days, so that the first twenty-five are let go.
    for n in 0..70 * 24 * 200i64 {
        let (second, name) = (n * 18, format!("r{}/s{}/{n}", n % 30, n % 20_000));
        hub.raise(second, &name, "desk", Level::Blue, false);
        hub.clear(second + 60, &name);
        if n % 3 == 0 {
            hub.report(second, &format!("I-{n}"), &name, Level::Blue);
        }
        hub.log.clear();
    }
    let (raises, pairs, cases) = hub.kpis.kept();
    assert!((215_000..=217_000).contains(&raises), "{raises}");
    assert!(pairs <= 60_000 && cases <= 73_000, "{pairs} {cases}");
    let report = hub.told(70 * 86_400, 1, None);
    assert_eq!(report.total.alarms, 0, "the first hour is long gone");
    let query = Query { from: at(25 * 86_400), to: at(70 * 86_400), desk: None, by: By::Hour };
    let began = std::time::Instant::now();
    let picture = hub.kpis.picture(&query).unwrap();
    let copied = began.elapsed();
    let report = picture.report(&Shifts::default(), &Two);
    println!("a report of 45 days took {:?}, {copied:?} of it to copy", began.elapsed());
    assert_eq!(report.total.alarms, 45 * 24 * 200);
}
