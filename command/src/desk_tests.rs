//! Scenarios and properties of the desk.

use std::collections::BTreeMap;

use model::alarm::Title;
use model::{Alarm, AlarmChange, AlarmTransition, Cause, Evidence, Hazard, Level, Place, Role, Value, Verdict};
use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

fn evidence() -> Evidence {
    Evidence {
        rule_version: "v".into(),
        condition: "x > 1".into(),
        value: Some(Value::Number(2.0)),
        values: BTreeMap::new(),
        since: None,
    }
}

fn raised(alarm: &str, source: &str, grid: &str, hazard: Hazard, level: Level, second: i64) -> AlarmTransition {
    AlarmTransition {
        alarm: alarm.into(),
        rule: "rule".into(),
        source: source.into(),
        seq: 1,
        at: at(second),
        change: AlarmChange::Raised {
            level,
            hazard,
            title: Title { zh: "烟雾".into(), en: "smoke".into() },
            action: Title { zh: "看".into(), en: "look".into() },
            owner: None,
            grid: grid.into(),
            place: Some(Place { lon: 106.0, lat: 29.0 }),
            shelved_until: None,
            shadow: false,
            suppressed_by: None,
            evidence: evidence(),
        },
    }
}

/// Raises an alarm at the desk.
fn raise(desk: &mut Desk, raised: &AlarmTransition) -> Vec<IncidentTransition> {
    desk.alarm(&Alarm::begin(raised).unwrap(), &raised.change, raised.at)
}

/// Changes an alarm that was raised so.
fn change(desk: &mut Desk, raised: &AlarmTransition, change: AlarmChange, second: i64) -> Vec<IncidentTransition> {
    let mut alarm = Alarm::begin(raised).unwrap();
    alarm.apply(&AlarmTransition { seq: 2, at: at(second), change: change.clone(), ..raised.clone() });
    desk.alarm(&alarm, &change, at(second))
}

fn clear(desk: &mut Desk, raised: &AlarmTransition, second: i64) -> Vec<IncidentTransition> {
    change(desk, raised, AlarmChange::Cleared { evidence: evidence() }, second)
}

fn order(incident: &IncidentId, user: &str, role: Role, command: Command, reason: Option<&str>) -> Order {
    Order {
        incident: Some(incident.clone()),
        command,
        actor: Actor::User(user.into()),
        role,
        reason: reason.map(str::to_owned),
    }
}

fn desk() -> Desk {
    Desk::from_log(Config::default(), [])
}

#[test]
fn smoke_and_heat_of_one_yard_become_one_fire() {
    let mut desk = desk();
    raise(&mut desk, &raised("a1", "smoke-1", "g1", Hazard::Fire, Level::Yellow, 0));
    let joined = raise(&mut desk, &raised("a2", "temp-1", "g1", Hazard::Fire, Level::Orange, 20));
    assert_eq!(joined.len(), 2, "joins, and lifts the level: {joined:?}");
    let incident = desk.incidents().next().unwrap();
    assert_eq!((desk.incidents().count(), incident.level, incident.sources.len()), (1, Level::Orange, 2));
}

#[test]
fn another_hazard_grid_or_far_place_is_another_incident() {
    let mut desk = desk();
    raise(&mut desk, &raised("a1", "s1", "g1", Hazard::Fire, Level::Blue, 0));
    raise(&mut desk, &raised("a2", "s2", "g1", Hazard::Flood, Level::Blue, 1));
    raise(&mut desk, &raised("a3", "s3", "g2", Hazard::Fire, Level::Blue, 2));
    let mut far = raised("a4", "s4", "g1", Hazard::Fire, Level::Blue, 3);
    if let AlarmChange::Raised { place, .. } = &mut far.change {
        *place = Some(Place { lon: 106.01, lat: 29.0 });
    }
    raise(&mut desk, &far);
    assert_eq!(desk.incidents().count(), 4);
}

#[test]
fn an_old_cleared_incident_takes_no_new_alarm() {
    let mut desk = desk();
    let first = raised("a1", "s1", "g1", Hazard::Fire, Level::Blue, 0);
    raise(&mut desk, &first);
    clear(&mut desk, &first, 10);
    let second = raised("a2", "s1", "g1", Hazard::Fire, Level::Blue, 309);
    raise(&mut desk, &second);
    assert_eq!(desk.incidents().count(), 1, "within five minutes of the clear");
    clear(&mut desk, &second, 320);
    raise(&mut desk, &raised("a3", "s1", "g1", Hazard::Fire, Level::Blue, 621));
    assert_eq!(desk.incidents().count(), 2);
}

#[test]
fn the_seven_steps_in_order_with_a_named_responder() {
    let mut desk = desk();
    let id = raise(&mut desk, &raised("a1", "s1", "g1", Hazard::Fire, Level::Red, 0))[0].incident.clone();
    let go = |desk: &mut Desk, user: &str, role, command| {
        desk.command(&order(&id, user, role, command, None), at(60)).map(|_| ())
    };
    assert_eq!(go(&mut desk, "li", Role::Operator, Command::Handle).unwrap_err().code, RefusalCode::WrongStep);
    go(&mut desk, "li", Role::Operator, Command::Accept).unwrap();
    go(&mut desk, "li", Role::Operator, Command::File { level: Some(Level::Orange) }).unwrap();
    go(&mut desk, "li", Role::Operator, Command::Dispatch { responder: "wang".into() }).unwrap();
    assert_eq!(go(&mut desk, "zhao", Role::Responder, Command::Handle).unwrap_err().code, RefusalCode::NotAllowed);
    go(&mut desk, "wang", Role::Responder, Command::Handle).unwrap();
    assert_eq!(go(&mut desk, "wang", Role::Responder, Command::Verify).unwrap_err().code, RefusalCode::NotAllowed);
    go(&mut desk, "li", Role::Operator, Command::Verify).unwrap();
    go(&mut desk, "li", Role::Operator, Command::Close { verdict: Verdict::True }).unwrap();
    let incident = desk.incident(&id).unwrap();
    assert!(!incident.is_open());
    assert_eq!((incident.step, incident.level), (Step::Close, Level::Orange));
}

#[test]
fn a_false_alarm_closes_after_accept_and_wants_a_reason() {
    let mut desk = desk();
    let id = raise(&mut desk, &raised("a1", "s1", "g1", Hazard::Fire, Level::Blue, 0))[0].incident.clone();
    let close = Command::Close { verdict: Verdict::False };
    desk.command(&order(&id, "li", Role::Operator, Command::Accept, None), at(1)).unwrap();
    let refused = desk.command(&order(&id, "li", Role::Operator, close.clone(), None), at(2)).unwrap_err();
    assert_eq!(refused.code, RefusalCode::ReasonRequired);
    desk.command(&order(&id, "li", Role::Operator, close, Some("steam")), at(3)).unwrap();
    assert!(!desk.incident(&id).unwrap().is_open());
}

#[test]
fn a_limit_breaks_once_and_not_while_on_hold() {
    let mut desk = desk();
    let id = raise(&mut desk, &raised("a1", "s1", "g1", Hazard::Fire, Level::Red, 0))[0].incident.clone();
    assert_eq!(desk.next_deadline(), Some(at(120)));
    assert!(desk.tick(at(119)).is_empty());
    assert_eq!(desk.tick(at(121)).len(), 1);
    assert!(desk.tick(at(500)).is_empty(), "fires once");
    desk.command(&order(&id, "li", Role::Operator, Command::Accept, None), at(510)).unwrap();
    desk.command(&order(&id, "li", Role::Operator, Command::File { level: None }, None), at(511)).unwrap();
    desk.command(&order(&id, "chen", Role::Lead, Command::Suspend, Some("night")), at(512)).unwrap();
    assert!(desk.tick(at(5_000)).is_empty());
}

#[test]
fn acknowledging_twice_names_the_first() {
    let mut desk = desk();
    let id = raise(&mut desk, &raised("a1", "s1", "g1", Hazard::Fire, Level::Red, 0))[0].incident.clone();
    desk.command(&order(&id, "li", Role::Operator, Command::Acknowledge, None), at(1)).unwrap();
    let again = desk.command(&order(&id, "chen", Role::Lead, Command::Acknowledge, None), at(2)).unwrap_err();
    assert_eq!(again.code, RefusalCode::AlreadyDone);
    assert!(again.message.contains("li"));
}

#[test]
fn what_grows_worse_after_its_incident_has_ended_opens_another() {
    let mut desk = desk();
    let first = raised("a1", "s1", "g1", Hazard::Flood, Level::Blue, 0);
    let id = raise(&mut desk, &first)[0].incident.clone();
    desk.command(&order(&id, "li", Role::Operator, Command::Accept, None), at(1)).unwrap();
    let close = Command::Close { verdict: Verdict::False };
    desk.command(&order(&id, "li", Role::Operator, close, Some("a boat's wave")), at(2)).unwrap();
    let worse = AlarmChange::LevelChanged { from: Level::Blue, to: Level::Red, evidence: evidence() };
    let made = change(&mut desk, &first, worse.clone(), 60);
    assert_eq!(made.len(), 1);
    assert_ne!(made[0].incident, id);
    assert_eq!(desk.incident(&made[0].incident).unwrap().level, Level::Red);
    assert!(change(&mut desk, &first, worse, 61).is_empty());
}

#[test]
fn a_merged_incident_lifts_the_one_that_goes_on() {
    let mut desk = desk();
    let (a, b) = (
        raised("a1", "s1", "g1", Hazard::Fire, Level::Blue, 0),
        raised("a2", "s2", "g2", Hazard::Fire, Level::Blue, 1),
    );
    let from = raise(&mut desk, &a)[0].incident.clone();
    let into = raise(&mut desk, &b)[0].incident.clone();
    let merge = Command::Merge { into: into.clone() };
    desk.command(&order(&from, "li", Role::Operator, merge, Some("one fire")), at(2)).unwrap();
    let worse = AlarmChange::LevelChanged { from: Level::Blue, to: Level::Red, evidence: evidence() };
    assert_eq!(change(&mut desk, &a, worse, 3)[0].incident, into);
    assert_eq!(desk.incident(&into).unwrap().level, Level::Red);
}

#[test]
fn a_shelved_alarm_opens_nothing_until_it_is_unshelved() {
    let mut desk = desk();
    let mut first = raised("a1", "s1", "g1", Hazard::Security, Level::Blue, 0);
    if let AlarmChange::Raised { shelved_until, .. } = &mut first.change {
        *shelved_until = Some(at(3_600));
    }
    assert!(raise(&mut desk, &first).is_empty());
    assert_eq!(change(&mut desk, &first, AlarmChange::Unshelved { by: None }, 3_600).len(), 1);
    assert_eq!(desk.incidents().count(), 1);
}

#[test]
fn an_alarm_that_another_explains_opens_nothing_until_it_is_told() {
    let mut desk = desk();
    let cause = Cause { alarm: "c".into(), rule: "gateway-down".into(), source: "gateway".into() };
    let mut first = raised("a1", "s1", "g1", Hazard::Security, Level::Blue, 0);
    let AlarmChange::Raised { suppressed_by, .. } = &mut first.change else { panic!() };
    *suppressed_by = Some(Box::new(cause.clone()));
    assert!(raise(&mut desk, &first).is_empty());
    let mut alarm = Alarm::begin(&first).unwrap();
    let mut tell = |alarm: &mut Alarm, change: AlarmChange, second: i64| {
        let seq = alarm.seq + 1;
        alarm.apply(&AlarmTransition { seq, at: at(second), change: change.clone(), ..first.clone() });
        desk.alarm(alarm, &change, at(second))
    };
    let to = |from, to| AlarmChange::LevelChanged { from, to, evidence: evidence() };
    assert!(tell(&mut alarm, to(Level::Blue, Level::Orange), 10).is_empty());
    let told = tell(&mut alarm, AlarmChange::Unsuppressed, 20);
    assert!(matches!(
        &told[..],
        [IncidentTransition { change: IncidentChange::Reported { level: Level::Orange, .. }, .. }]
    ));
    // One that comes under a cause later keeps its incident; what it did meanwhile is told at the end.
    assert!(tell(&mut alarm, AlarmChange::Suppressed { by: cause }, 30).is_empty());
    assert!(tell(&mut alarm, to(Level::Orange, Level::Red), 40).is_empty());
    let told = tell(&mut alarm, AlarmChange::Unsuppressed, 50);
    assert!(matches!(
        &told[..],
        [IncidentTransition { change: IncidentChange::LevelChanged { to: Level::Red, .. }, .. }]
    ));
    assert!(tell(&mut alarm, AlarmChange::Unsuppressed, 51).is_empty(), "a repeat");
    assert_eq!(desk.incidents().count(), 1);
}

fn commands() -> impl Strategy<Value = Command> {
    prop_oneof![
        Just(Command::Acknowledge),
        Just(Command::Take),
        Just(Command::Accept),
        Just(Command::File { level: Some(Level::Orange) }),
        Just(Command::Dispatch { responder: "wang".into() }),
        Just(Command::Handle),
        Just(Command::Verify),
        Just(Command::Close { verdict: Verdict::True }),
        Just(Command::Close { verdict: Verdict::False }),
        Just(Command::Return),
        Just(Command::Suspend),
        Just(Command::Resume),
        Just(Command::Cancel),
        Just(Command::Reopen),
        Just(Command::Note { text: "n".into() }),
    ]
}

#[derive(Debug, Clone)]
enum Input {
    Raise { alarm: u8, grid: u8, level: usize },
    Clear { alarm: u8 },
    Worsen { alarm: u8, grid: u8, level: usize },
    Order { incident: usize, command: Command },
    Tick,
}

fn inputs() -> impl Strategy<Value = Vec<(u8, Input)>> {
    let input = prop_oneof![
        (0u8..12, 0u8..3, 0usize..4).prop_map(|(alarm, grid, level)| Input::Raise { alarm, grid, level }),
        (0u8..12).prop_map(|alarm| Input::Clear { alarm }),
        (0u8..12, 0u8..3, 0usize..3).prop_map(|(alarm, grid, level)| Input::Worsen { alarm, grid, level }),
        (0usize..6, commands()).prop_map(|(incident, command)| Input::Order { incident, command }),
        Just(Input::Tick),
    ];
    prop::collection::vec((0u8..120, input), 1..80)
}

fn made(alarm: u8, grid: u8, level: usize, second: i64) -> AlarmTransition {
    raised(&format!("a{alarm}"), "s", &format!("g{grid}"), Hazard::Fire, Level::ALL[level], second)
}

fn feed(desk: &mut Desk, input: &Input, second: i64) -> Vec<IncidentTransition> {
    match input {
        Input::Raise { alarm, grid, level } => raise(desk, &made(*alarm, *grid, *level, second)),
        Input::Clear { alarm } => clear(desk, &made(*alarm, 0, 0, second), second),
        Input::Worsen { alarm, grid, level } => {
            let (from, to) = (Level::ALL[*level], Level::ALL[*level + 1]);
            let worse = AlarmChange::LevelChanged { from, to, evidence: evidence() };
            change(desk, &made(*alarm, *grid, *level, second), worse, second)
        }
        Input::Order { incident, command } => {
            let Some(id) = desk.incidents().nth(*incident).map(|i| i.id.clone()) else { return Vec::new() };
            let order = order(&id, "li", Role::Lead, command.clone(), Some("because"));
            desk.command(&order, at(second)).unwrap_or_default()
        }
        Input::Tick => desk.tick(at(second)),
    }
}

proptest! {
    /// Killed anywhere and rebuilt from its log, the desk says the same as if it had never stopped.
    #[test]
    fn a_restart_anywhere_changes_nothing(inputs in inputs(), kills in prop::collection::vec(any::<bool>(), 80)) {
        let (mut steady, mut killed) = (desk(), desk());
        let (mut steady_log, mut killed_log) = (Vec::new(), Vec::new());
        let mut second = 0;
        for ((pause, input), kill) in inputs.iter().zip(&kills) {
            second += i64::from(*pause);
            steady_log.extend(feed(&mut steady, input, second));
            killed_log.extend(feed(&mut killed, input, second));
            if *kill {
                killed = Desk::from_log(Config::default(), killed_log.clone());
            }
        }
        prop_assert_eq!(&steady_log, &killed_log);
        prop_assert_eq!(steady.incidents().collect::<Vec<_>>(), killed.incidents().collect::<Vec<_>>());
    }

    /// Each alarm is in exactly one open incident, and repeats of an alarm change nothing.
    #[test]
    fn every_alarm_has_one_open_incident(inputs in inputs()) {
        let mut desk = desk();
        let mut second = 0;
        for (pause, input) in &inputs {
            second += i64::from(*pause);
            feed(&mut desk, input, second);
            if let Input::Raise { .. } | Input::Worsen { .. } = input {
                prop_assert!(feed(&mut desk, input, second).is_empty(), "a repeat must change nothing");
            }
        }
        let mut seen = std::collections::HashSet::new();
        for incident in desk.incidents().filter(|incident| incident.is_open()) {
            for alarm in &incident.alarms {
                prop_assert!(seen.insert(alarm.clone()), "{} is in two open incidents", alarm);
            }
        }
    }
}
