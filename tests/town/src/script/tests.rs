use proptest::prelude::*;

use super::*;

const SCRIPT: Script = Script { cycle_s: CYCLE_S, quiet: false };

fn effects(t: f64) -> Effects {
    SCRIPT.effects(&SCRIPT.active(t))
}

/// The first second at which something holds.
fn first(holds: impl Fn(&Effects) -> bool) -> f64 {
    (0..240).map(f64::from).find(|t| holds(&effects(*t))).expect("it happens")
}

#[test]
fn fire_flood_and_cover_are_there_within_the_first_minute_one_after_the_other() {
    let flood = first(|e| e.added.get("gauge-1").is_some_and(|rise| *rise > 0.4));
    let fire = first(|e| e.on.contains("smoke-1"));
    let cover = first(|e| e.covered.contains("cam-park-1"));
    assert!(flood + 5.0 < fire && fire + 5.0 < cover && cover < 60.0, "{flood} {fire} {cover}");
}

#[test]
fn the_river_rises_through_three_levels_and_falls() {
    let base = 2.65;
    let level = |t: f64| base + effects(t).added.get("gauge-1").copied().unwrap_or(0.0);
    let passes = |limit: f64| (0..240).map(f64::from).find(|t| level(*t) >= limit);
    let (blue, yellow, orange) = (passes(3.0).unwrap(), passes(3.5).unwrap(), passes(4.0).unwrap());
    // Each level lasts longer than the rule's five seconds and the gauge's five together.
    assert!(yellow - blue > 10.0 && orange - yellow > 10.0, "{blue} {yellow} {orange}");
    assert_eq!(passes(4.5), None);
    assert_eq!(level(200.0), base);
}

#[test]
fn a_short_cycle_squeezes_and_a_long_one_only_spreads() {
    let short = Script { cycle_s: 60.0, quiet: false };
    assert_eq!(short.duration_s(Event::Fire), 20.0);
    assert_eq!(short.effects(&short.active(20.0 + 60.0)), effects(80.0));
    let long = Script { cycle_s: 900.0, quiet: false };
    assert_eq!(long.active(30.0), SCRIPT.active(30.0));
    assert!(long.active(500.0).is_empty());
}

#[test]
fn a_quiet_script_does_nothing_by_itself_but_can_be_told() {
    let quiet = Script { cycle_s: CYCLE_S, quiet: true };
    assert!((0..500).all(|t| quiet.active(f64::from(t)).is_empty()));
    let active = quiet.at(Event::Fire, 10.0).unwrap();
    assert!(quiet.effects(&[active]).on.contains("smoke-1"));
    assert_eq!(quiet.at(Event::Fire, 80.0), None);
}

#[test]
fn names_are_those_of_the_control_api() {
    let names = Event::ALL.map(Event::as_str);
    assert_eq!(names, ["flood", "fire", "cover", "door", "silence", "dropout"]);
    for event in Event::ALL {
        assert_eq!(Event::named(event.as_str()), Some(event));
        assert_eq!(serde_json::to_value(event).unwrap(), event.as_str());
    }
}

proptest! {
    #[test]
    fn every_cycle_is_like_the_first(t in 0.0..240.0f64, cycles in 1u32..50, cycle_s in 30.0..1000.0f64) {
        let script = Script { cycle_s, quiet: false };
        let (first, later) = (script.active(t % cycle_s), script.active(t % cycle_s + f64::from(cycles) * cycle_s));
        // Times of day lose a little in the remainder, so compare what is under way a moment off its edges.
        let near_edge = first.iter().chain(&later).any(|a| a.elapsed_s < 1e-6 || a.left_s < 1e-6);
        prop_assume!(!near_edge);
        prop_assert_eq!(first.iter().map(|a| a.event).collect::<Vec<_>>(), later.iter().map(|a| a.event).collect::<Vec<_>>());
    }

    #[test]
    fn every_event_ends_within_its_cycle(cycle_s in 30.0..1000.0f64) {
        let script = Script { cycle_s, quiet: false };
        for event in Event::ALL {
            prop_assert!(event.starts_at_s() / script.pace() + script.duration_s(event) <= cycle_s);
        }
        prop_assert!(script.active(cycle_s - 1e-3).is_empty());
    }

    #[test]
    fn no_effect_jumps_faster_than_nature(t in 0.0..239.0f64) {
        let (now, next) = (effects(t), effects(t + 1.0));
        for sensor in ["gauge-1", "gauge-2"] {
            let of = |e: &Effects| e.added.get(sensor).copied().unwrap_or(0.0);
            prop_assert!((of(&now) - of(&next)).abs() < 0.06, "{sensor} at {t}");
        }
    }
}
