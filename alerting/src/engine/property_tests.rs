//! What holds for any rules and any readings: reloads are neutral, order within the bound does not matter, what flaps is
//! bounded, steps of the clock say nothing.

use jiff::SignedDuration;
use model::{AlarmTransition, Observation, Timestamp, Value};
use proptest::prelude::*;

use super::Engine;
use super::tests::{at, observation, short, sources};
use crate::ruleset::RuleSet;

/// A condition over the gauge's level, which lies between 2 and 5.
fn conditions() -> impl Strategy<Value = String> {
    let span = || prop::sample::select(vec!["20s", "45s", "1m", "2m"]);
    prop_oneof![
        (20i32..50).prop_map(|n| format!("x > {}.{}", n / 10, n % 10)),
        (span(), 20i32..50).prop_map(|(w, n)| format!("avg(x, {w}) > {}.{}", n / 10, n % 10)),
        (span(), 1i32..30).prop_map(|(w, n)| format!("max(x, {w}) - min(x, {w}) > {}.{}", n / 10, n % 10)),
        (span(), 1i32..200).prop_map(|(w, n)| format!("rate(x, {w}) > {n} per h")),
        (span(), 1i32..20).prop_map(|(w, n)| format!("delta(x, {w}) < -{}.{}", n / 10, n % 10)),
        (span(), 1i32..8).prop_map(|(w, n)| format!("count(x, {w}) < {n}")),
        (span(), 1i32..40).prop_map(|(w, n)| format!("sum(x, {w}) > {n}")),
        span().prop_map(|w| format!("absent(x, {w}) || changed(x, {w})")),
        span().prop_map(|w| format!("changed(x) && min(x, {w}) > 3.1")),
    ]
}

/// What stands beside it.
fn fields() -> impl Strategy<Value = String> {
    let after = || prop::sample::select(vec!["0s", "3s", "10s", "30s"]);
    (
        after(),
        after(),
        1u32..4,
        prop::sample::select(vec!["hold", "clear"]),
        prop::sample::select(vec!["", "quality: good\n  ", "startup_grace: 15s\n  "]),
    )
        .prop_map(|(wait, hold, samples, missing, more)| {
            format!("{more}for: {wait}\n  hold: {hold}\n  min_samples: {samples}\n  on_missing: {missing}")
        })
}

fn rules_of(bodies: &[(String, String)]) -> RuleSet {
    let mut text = "version: 1\nrules:\n".to_owned();
    for (number, (fields, condition)) in bodies.iter().enumerate() {
        text += &format!(
            "- id: r{number}\n  title: {{zh: r, en: r}}\n  hazard: flood\n  about: {{owner: o, action: {{zh: a, en: a}}}}\n  \
             on: {{class: river_gauge, reading: level}}\n  {fields}\n  level: blue\n  raise: \"{condition}\"\n"
        );
    }
    RuleSet::load(&[("r.yaml".to_owned(), text)]).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn some_rules() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec((fields(), conditions()), 2..6)
}

/// Pauses in milliseconds, and levels in tenths.
fn readings(longest_ms: i64) -> impl Strategy<Value = Vec<(i64, i32)>> {
    prop::collection::vec((1i64..longest_ms, 20i32..50), 1..60)
}

fn moment(ms: i64) -> Timestamp {
    at(0) + SignedDuration::from_millis(ms)
}

fn told(tenths: i32, made_ms: i64, arrives_ms: i64) -> Observation {
    let mut told = observation("gauge-1", "level", Value::Number(f64::from(tenths) / 10.0), 0);
    (told.phenomenon_time, told.received_at) = (moment(made_ms), moment(arrives_ms));
    told
}

fn of(said: &[AlarmTransition], rule: &str) -> Vec<AlarmTransition> {
    said.iter().filter(|transition| transition.rule.as_str() == rule).cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// I7: the same rules read again change nothing and say nothing, whenever they are.
    #[test]
    fn reading_the_same_rules_again_is_neutral(rules in some_rules(), readings in readings(40_000), every in 1usize..8) {
        let mut steady = Engine::new(rules_of(&rules), sources(), at(0));
        let mut reloaded = Engine::new(rules_of(&rules), sources(), at(0));
        let mut ms = 0;
        for (number, (pause, tenths)) in readings.iter().enumerate() {
            ms += pause;
            let observation = told(*tenths, ms, ms);
            prop_assert_eq!(steady.observe(&observation), reloaded.observe(&observation));
            if number % every == 0 {
                let before = reloaded.snapshot();
                prop_assert_eq!(reloaded.replace_rules(rules_of(&rules), moment(ms)), vec![]);
                let after = reloaded.snapshot();
                prop_assert_eq!(String::from_utf8(before).unwrap(), String::from_utf8(after).unwrap());
            }
        }
        prop_assert_eq!(steady.tick(moment(ms + 600_000)), reloaded.tick(moment(ms + 600_000)));
    }

    /// I7: editing one rule leaves the alarms and timers of the others.
    #[test]
    fn editing_one_rule_leaves_the_others(
        rules in some_rules(), other in (fields(), conditions()), readings in readings(40_000), when in 0usize..60,
    ) {
        let mut steady = Engine::new(rules_of(&rules), sources(), at(0));
        let mut edited = Engine::new(rules_of(&rules), sources(), at(0));
        let (mut ms, mut all_steady, mut all_edited) = (0, Vec::new(), Vec::new());
        for (number, (pause, tenths)) in readings.iter().enumerate() {
            ms += pause;
            let observation = told(*tenths, ms, ms);
            all_steady.extend(steady.observe(&observation));
            all_edited.extend(edited.observe(&observation));
            if number == when {
                let mut changed = rules.clone();
                changed[0] = other.clone();
                all_edited.extend(edited.replace_rules(rules_of(&changed), moment(ms)));
            }
        }
        all_steady.extend(steady.tick(moment(ms + 600_000)));
        all_edited.extend(edited.tick(moment(ms + 600_000)));
        for number in 1..rules.len() {
            let rule = format!("r{number}");
            prop_assert_eq!(of(&all_steady, &rule), of(&all_edited, &rule));
        }
    }

    /// I8: readings that come in another order, each at most half a minute late, leave the same alarms.
    #[test]
    fn order_within_the_bound_does_not_matter(
        conditions in prop::collection::vec((1u32..4, conditions()), 2..6), readings in readings(8_000),
        late in prop::collection::vec(0i64..30_000, 60),
    ) {
        // Waits and holds begin when a reading comes, so without them.
        let fields = |samples: u32| format!("max_gap: 1h\n  min_samples: {samples}");
        let rules: Vec<_> = conditions.into_iter().map(|(samples, condition)| (fields(samples), condition)).collect();
        let mut straight = Engine::new(rules_of(&rules), sources(), at(0));
        let mut mixed = Engine::new(rules_of(&rules), sources(), at(0));
        let mut ms = 0;
        let made: Vec<(i64, i32)> = readings.iter().map(|(pause, tenths)| { ms += pause; (ms, *tenths) }).collect();
        let mut arriving: Vec<(i64, i64, i32)> =
            made.iter().zip(&late).map(|((at, tenths), late)| (at + late, *at, *tenths)).collect();
        arriving.sort_unstable();
        made.iter().for_each(|(at, tenths)| drop(straight.observe(&told(*tenths, *at, *at))));
        arriving.iter().for_each(|(arrives, at, tenths)| drop(mixed.observe(&told(*tenths, *at, *arrives))));
        // Three more in their order: all windows that the rules ask for can be judged, and hold what came out of order.
        for step in 0..3 {
            let at = ms + 30_000 + step * 5_000;
            straight.observe(&told(33, at, at));
            mixed.observe(&told(33, at, at));
        }
        let standing = |engine: &Engine| engine.alarms().map(|alarm| (alarm.rule.clone(), alarm.level)).collect::<Vec<_>>();
        prop_assert_eq!(standing(&straight), standing(&mixed));
    }

    /// I11: whatever swings around its threshold is raised once a `hold` at most.
    #[test]
    fn what_flaps_is_raised_once_a_hold_at_most(
        half_ms in 100i64..20_000, hold_s in 1i64..120, wait_s in 0i64..3, condition in conditions(),
    ) {
        let rules = rules_of(&[(format!("for: {wait_s}s\n  hold: {hold_s}s"), condition)]);
        let mut engine = Engine::new(rules, sources(), at(0));
        let mut said = Vec::new();
        for step in 0..300 {
            said.extend(engine.observe(&told(if step % 2 == 0 { 49 } else { 20 }, step * half_ms, step * half_ms)));
        }
        let raised: Vec<i64> =
            said.iter().filter(|transition| transition.seq == 1).map(|transition| transition.at.as_millisecond()).collect();
        prop_assert!(raised.windows(2).all(|pair| pair[1] - pair[0] >= hold_s * 1_000), "{raised:?}");
    }

    /// I17: a step of the clock says nothing, and what follows is what would have followed, by the new clock.
    #[test]
    fn a_step_of_the_clock_raises_and_clears_nothing(
        rules in some_rules(), readings in readings(40_000), when in 0usize..60,
        by_ms in prop_oneof![Just(3_600_000i64), Just(-3_600_000), -7_200_000i64..7_200_000],
    ) {
        let mut steady = Engine::new(rules_of(&rules), sources(), at(0));
        let mut stepped = Engine::new(rules_of(&rules), sources(), at(0));
        let (mut ms, mut off) = (0, 0);
        for (number, (pause, tenths)) in readings.iter().enumerate() {
            ms += pause;
            let straight = steady.observe(&told(*tenths, ms, ms));
            let said = stepped.observe(&told(*tenths, ms + off, ms + off));
            prop_assert_eq!(words(&straight), words(&said));
            if number == when {
                off = by_ms;
                let said = stepped.clock_stepped(SignedDuration::from_millis(by_ms), moment(ms + off));
                prop_assert_eq!(short(&said), vec![]);
            }
        }
        prop_assert_eq!(words(&steady.tick(moment(ms + 600_000))), words(&stepped.tick(moment(ms + off + 600_000))));
        let next = |engine: &Engine| engine.next_deadline().map(|at| at.as_millisecond());
        prop_assert_eq!(next(&steady).map(|at| at + off), next(&stepped));
    }
}

/// What was said of which rule, without its time.
fn words(said: &[AlarmTransition]) -> Vec<(String, String)> {
    let words = short(said).into_iter().map(|(word, _)| word);
    said.iter().map(|transition| transition.rule.to_string()).zip(words).collect()
}
