//! Killed anywhere, with anything of what was not yet on disk lost, the engine says the same as if it never stopped.

use model::{AlarmTransition, Observation, Value};
use proptest::prelude::*;

use super::*;
use crate::READY;
use crate::engine::related_town as town;
use crate::engine::tests::{at, level, observation, sources};
use crate::handle::AlarmCommand;

/// The ready rules, and some that look back in time.
fn rules() -> RuleSet {
    let mut files: Vec<(String, String)> = READY.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
    let about = "title: {zh: r, en: r}\n  hazard: flood\n  about: {owner: o, action: {zh: a, en: a}}\n  \
                 on: {class: river_gauge, reading: level}";
    let bodies = [
        "min_samples: 2\n  for: 7s\n  level: blue\n  raise: avg(x, 60s) > 3.4 && max(x, 30s) - min(x, 30s) < 2",
        "level: yellow\n  raise: rate(x, 50s) > 60 || delta(x, 20s) < -1.5\n  chatter_limit: {count: 3, per: 2m, then: shelve 1m}",
        "level: orange\n  raise: count(x, 40s) < 2 || absent(x, 35s)\n  startup_grace: 20s",
        "level: red\n  raise: changed(x) && sum(x, 90s) > 9\n  clear: \"!changed(x, 15s)\"",
        "quality: good\n  hold: 10s\n  level: blue\n  raise: x > 3 && sum(x, 45s) > 7",
    ];
    let mut text = "version: 1\nrules:\n".to_owned();
    for (number, body) in bodies.iter().enumerate() {
        text += &format!("- id: w{number}\n  {about}\n  {body}\n");
    }
    files.push(("windows.yaml".to_owned(), text));
    RuleSet::load(&files).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// A hub in small: what is on disk, and an engine that may die.
struct Hub {
    rules: fn() -> RuleSet,
    sources: fn() -> Vec<Arc<Source>>,
    engine: Engine,
    history: Vec<Observation>,
    log: Vec<AlarmTransition>,
    snapshot: Option<(Vec<u8>, usize, usize)>,
}

#[derive(Debug, Clone)]
enum Input {
    Level(i32),
    /// Of uncertain quality, and true some seconds before it came.
    Late(i32, i64),
    Smoke(bool),
    /// A source of the town in which rules look at several.
    Tell(town::Voice, bool),
    Tick,
    Acknowledge,
    Shelve,
    Snapshot,
    /// Killed when the history has the input before and the log has so many rows less.
    Kill(usize),
}

impl Hub {
    fn new() -> Self {
        Self::of(rules, sources)
    }

    fn of(rules: fn() -> RuleSet, sources: fn() -> Vec<Arc<Source>>) -> Self {
        let engine = Engine::new(rules(), sources(), at(0));
        let mut hub = Self { rules, sources, engine, history: Vec::new(), log: Vec::new(), snapshot: None };
        hub.keep();
        hub
    }

    fn keep(&mut self) {
        self.snapshot = Some((self.engine.snapshot(), self.history.len(), self.log.len()));
    }

    fn observe(&mut self, observation: Observation) -> usize {
        let said = self.engine.observe(&observation);
        self.history.push(observation);
        self.log.extend_from_slice(&said);
        said.len()
    }

    fn feed(&mut self, input: &Input, second: i64) -> usize {
        let first = self.engine.alarms().map(|alarm| alarm.id.clone()).min();
        match (input, first) {
            (Input::Level(tenths), _) => self.observe(level(f64::from(*tenths) / 10.0, second)),
            (Input::Late(tenths, late), _) => {
                let mut told = level(f64::from(*tenths) / 10.0, second);
                (told.phenomenon_time, told.quality) = (at(second - late), model::Quality::Uncertain);
                self.observe(told)
            }
            (Input::Smoke(on), _) => self.observe(observation("smoke-1", "smoke", Value::Bool(*on), second)),
            (Input::Tell(voice, on), _) => self.observe(voice.says(*on, second)),
            (Input::Acknowledge, Some(alarm)) => {
                self.command(&alarm, AlarmCommand::Acknowledge { by: "li".into() }, second)
            }
            (Input::Shelve, Some(alarm)) => {
                let until = at(second + 60);
                self.command(&alarm, AlarmCommand::Shelve { by: "li".into(), until, reason: "r".into() }, second)
            }
            _ => {
                let said = self.engine.tick(at(second));
                self.log.extend_from_slice(&said);
                said.len()
            }
        }
    }

    /// People are answered when the log has it, so none of it can be lost.
    fn command(&mut self, alarm: &AlarmId, command: AlarmCommand, second: i64) -> usize {
        let said = self.engine.tick(at(second));
        self.log.extend_from_slice(&said);
        self.log.extend(self.engine.command(alarm, command, at(second)).ok());
        0
    }

    fn kill(&mut self, lost: usize, second: i64) {
        self.log.truncate(self.log.len() - lost);
        let (bytes, seen, logged) = self.snapshot.clone().unwrap();
        let logged = self.log.get(logged..).unwrap_or_default().to_vec();
        let mut recovery =
            Recovery::begin((self.rules)(), (self.sources)(), Snapshot::read(&bytes), logged, at(second));
        self.history[seen..].iter().for_each(|observation| recovery.observe(observation));
        let (engine, found) = recovery.finish(at(second), at(second));
        self.engine = engine;
        self.log.extend(found);
    }
}

fn inputs() -> impl Strategy<Value = Vec<(i64, Input)>> {
    let input = prop_oneof![
        6 => (20i32..50).prop_map(Input::Level),
        2 => (20i32..50, 0i64..40).prop_map(|(tenths, late)| Input::Late(tenths, late)),
        3 => any::<bool>().prop_map(Input::Smoke),
        2 => Just(Input::Tick),
        1 => Just(Input::Acknowledge),
        1 => Just(Input::Shelve),
        1 => Just(Input::Snapshot),
        2 => (0usize..3).prop_map(Input::Kill),
    ];
    prop::collection::vec((1i64..40, input), 1..60)
}

fn related_inputs() -> impl Strategy<Value = Vec<(i64, Input)>> {
    let input = prop_oneof![
        9 => (town::voices(), any::<bool>()).prop_map(|(voice, on)| Input::Tell(voice, on)),
        2 => Just(Input::Tick),
        1 => Just(Input::Acknowledge),
        1 => Just(Input::Shelve),
        1 => Just(Input::Snapshot),
        2 => (0usize..3).prop_map(Input::Kill),
    ];
    prop::collection::vec((1i64..40, input), 1..80)
}

/// Feeds one hub that never stops and one that is killed; they must say the same.
fn killed_as_steady(mut steady: Hub, mut killed: Hub, inputs: &[(i64, Input)]) -> Result<(), TestCaseError> {
    let (mut second, mut last) = (0, 0);
    for (pause, input) in inputs {
        match input {
            Input::Snapshot => killed.keep(),
            Input::Kill(most) => {
                let lost = last.min(*most);
                // A snapshot holds nothing that the log has not.
                let logged = killed.snapshot.as_ref().unwrap().2;
                killed.kill(lost.min(killed.log.len() - logged), second);
                last = 0;
            }
            other => {
                second += pause;
                steady.feed(other, second);
                last = killed.feed(other, second);
            }
        }
        prop_assert_eq!(&steady.log, &killed.log);
    }
    let alarms = |hub: &Hub| hub.engine.alarms().cloned().collect::<Vec<_>>();
    prop_assert_eq!(alarms(&steady), alarms(&killed));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
    #[test]
    fn a_kill_anywhere_gives_the_same_alarms(inputs in inputs()) {
        killed_as_steady(Hub::new(), Hub::new(), &inputs)?;
    }

    #[test]
    fn a_kill_anywhere_gives_the_same_where_rules_look_at_several_sources(inputs in related_inputs()) {
        let hub = || Hub::of(town::rules, town::sources);
        killed_as_steady(hub(), hub(), &inputs)?;
    }

    /// Each alarm is raised once, is numbered without gaps, and says nothing after its end.
    #[test]
    fn alarms_live_once(inputs in inputs()) {
        let mut hub = Hub::new();
        let mut second = 0;
        for (pause, input) in &inputs {
            second += pause;
            if let Input::Kill(_) = input { hub.kill(0, second) } else { hub.feed(input, second); }
        }
        let mut alarms: HashMap<AlarmId, Alarm> = HashMap::new();
        for transition in &hub.log {
            match alarms.get_mut(&transition.alarm) {
                None => drop(alarms.insert(transition.alarm.clone(), Alarm::begin(transition).unwrap())),
                Some(alarm) => {
                    prop_assert!(alarm.is_active());
                    prop_assert_eq!(transition.seq, alarm.seq + 1);
                    alarm.apply(transition);
                }
            }
        }
    }
}

#[test]
fn without_a_snapshot_the_log_still_gives_its_alarms_back_and_ends_those_of_the_gone() {
    let mut hub = Hub::new();
    hub.feed(&Input::Level(32), 0);
    hub.feed(&Input::Smoke(true), 5);
    hub.feed(&Input::Tick, 10);
    let gauge_only: Vec<_> = sources().into_iter().filter(|source| source.id.as_str() == "gauge-1").collect();
    let recovery = Recovery::begin(rules(), gauge_only, None, hub.log.clone(), at(20));
    let (engine, found) = recovery.finish(at(20), at(20));
    assert_eq!(engine.alarms().count(), 1);
    assert_eq!(found.len(), 1);
    assert!(matches!(found[0].change, AlarmChange::Cleared { .. }) && found[0].source.as_str() == "smoke-1");
}

#[test]
fn the_time_in_which_the_hub_was_down_counts_for_nothing() {
    let text = "version: 1\nrules:\n- id: r\n  title: {zh: r, en: r}\n  hazard: flood\n  \
                about: {owner: o, action: {zh: a, en: a}}\n  on: {class: river_gauge, reading: level}\n  \
                for: 20s\n  level: blue\n  raise: x > 3\n";
    let load = || RuleSet::load(&[("r".to_owned(), text.to_owned())]).unwrap();
    let mut engine = Engine::new(load(), sources(), at(0));
    engine.observe(&level(3.2, 0));
    engine.tick(at(8));
    let recovery = Recovery::begin(load(), sources(), Snapshot::read(&engine.snapshot()), Vec::new(), at(1_000));
    let (mut engine, found) = recovery.finish(at(8), at(1_000));
    assert_eq!(found, []);
    assert_eq!(engine.next_deadline(), Some(at(1_012)));
    assert_eq!(engine.tick(at(1_012)).len(), 1);
}
