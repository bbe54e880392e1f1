use super::*;
use crate::map::TownMap;
use crate::registry::Load;
use crate::script::CYCLE_S;

const NOON: f64 = 12.0;

fn director(quiet: bool) -> Director {
    let registry = Registry::new(&TownMap::new(7), "127.0.0.1:1".parse().unwrap(), Load::default(), 7);
    let mut director = Director::new(registry, Script { cycle_s: CYCLE_S, quiet }, 7);
    director.curtain_up(0.0);
    director
}

fn sensor(text: &str) -> SensorWish {
    serde_json::from_str(text).unwrap()
}

fn camera(text: &str) -> CameraWish {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_river_camera_shows_the_level_that_the_gauge_reports() {
    let director = director(false);
    let mut levels = std::collections::BTreeSet::new();
    for t in (0..240).map(f64::from) {
        let Value::Number(level) = director.all_reports(t, NOON)["gauge-1"].value else {
            panic!("a gauge gives numbers")
        };
        let shown = director.shots(t, NOON)["cam-river-1"].scene;
        assert_eq!(shown, Scene::river(level), "at {t}");
        levels.insert((level * 10.0).round() as i32);
    }
    assert!(levels.contains(&27) && levels.contains(&41), "{levels:?}");
}

#[test]
fn the_yard_camera_shows_smoke_while_a_detector_smells_it() {
    let director = director(false);
    for t in (0..240).map(f64::from) {
        let smells = director.all_reports(t, NOON)["smoke-1"].value == Value::Bool(true);
        let shows = director.shots(t, NOON)["cam-yard-1"].scene == Scene::Yard { smoke: true };
        assert!(shows || !smells, "at {t}");
    }
    assert_eq!(director.shots(230.0, NOON)["cam-yard-1"].scene, Scene::Yard { smoke: false });
    assert_eq!(
        director.shots(100.0, NOON)["cam-pump-1"].scene,
        Scene::Yard { smoke: false },
        "an open door is no smoke"
    );
}

#[test]
fn a_value_set_by_hand_wins_until_it_is_given_back() {
    let mut director = director(true);
    let before = director.all_reports(1.0, NOON)["gauge-1"].clone();
    director.set_sensor("gauge-1", sensor(r#"{"value":4.6}"#)).unwrap();
    let set = &director.all_reports(1.0, NOON)["gauge-1"];
    assert_eq!(set.value, Value::Number(4.6));
    assert_ne!(set.nudge, before.nudge, "it is told at once");
    assert_eq!(director.shots(1.0, NOON)["cam-river-1"].scene, Scene::river(4.6));
    director.set_sensor("gauge-1", sensor(r#"{"silent":true}"#)).unwrap();
    assert_eq!(director.all_reports(1.0, NOON)["gauge-1"].value, Value::Number(4.6), "what is left out stays");
    director.set_sensor("gauge-1", sensor(r#"{"value":null,"silent":false,"garbage":true}"#)).unwrap();
    let back = &director.all_reports(1.0, NOON)["gauge-1"];
    assert_eq!((&back.value, back.silent, back.garbage), (&before.value, false, true));
}

#[test]
fn cameras_obey_the_hand_before_the_script() {
    let mut director = director(false);
    assert!(director.shots(50.0, NOON)["cam-park-1"].covered);
    director.set_camera("cam-park-1", camera(r#"{"covered":false}"#)).unwrap();
    assert!(!director.shots(50.0, NOON)["cam-park-1"].covered);
    let text = r#"{"offline":true,"behaviour":{"kind":"silent_stall"},"scene":{"kind":"lane"}}"#;
    director.set_camera("cam-park-1", camera(text)).unwrap();
    let shot = director.shots(50.0, NOON)["cam-park-1"].clone();
    assert_eq!(shot, Shot { scene: Scene::Lane, covered: false, offline: true, behaviour: Behaviour::SilentStall });
    director.reset(50.0);
    assert_eq!(director.shots(50.0, NOON)["cam-park-1"].scene, Scene::Park);
}

#[test]
fn an_event_can_be_started_out_of_turn_and_ends_by_itself() {
    let mut director = director(true);
    assert!(director.under_way(10.0).is_empty());
    director.start(Event::Fire, 10.0);
    assert_eq!(director.under_way(20.0)[0].by, "control");
    assert_eq!(director.all_reports(20.0, NOON)["smoke-1"].value, Value::Bool(true));
    director.start(Event::Fire, 30.0);
    assert_eq!(director.under_way(31.0).len(), 1, "started anew, not twice");
    assert!(director.under_way(200.0).is_empty());
}

#[test]
fn a_reset_begins_the_cycle_anew() {
    let mut director = director(false);
    director.start(Event::Dropout, 100.0);
    director.reset(101.0);
    assert!(director.under_way(101.0).is_empty());
    assert_eq!(director.under_way(108.0)[0].event, Event::Flood);
}

#[test]
fn the_script_waits_for_the_curtain() {
    let registry = Registry::new(&TownMap::new(7), "127.0.0.1:1".parse().unwrap(), Load::default(), 7);
    let mut director = Director::new(registry, Script { cycle_s: CYCLE_S, quiet: false }, 7);
    assert!(director.under_way(60.0).is_empty());
    director.curtain_up(60.0);
    director.curtain_up(90.0);
    assert_eq!(director.under_way(68.0)[0].event, Event::Flood);
}

#[test]
fn impossible_wishes_are_refused() {
    let mut director = director(true);
    let unknown = director.set_sensor("gauge-99", SensorWish::default()).unwrap_err();
    assert_eq!(unknown.to_string(), r#"no sensor is named "gauge-99""#);
    assert!(director.set_camera("cam-none", CameraWish::default()).is_err());
    let wrong = director.set_sensor("smoke-1", sensor(r#"{"value":3}"#)).unwrap_err();
    assert_eq!(wrong.to_string(), "smoke-1 measures true or false");
    assert!(director.set_sensor("gauge-1", sensor(r#"{"value":true}"#)).is_err());
    assert!(serde_json::from_str::<SensorWish>(r#"{"volume":3}"#).is_err());
}
