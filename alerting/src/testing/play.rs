//! Plays a test through the engine, in virtual time.

use jiff::SignedDuration;
use model::{Alarm, AlarmChange, AlarmTransition, Observation, Timestamp};

use super::expect::compare;
use super::{Event, Test, told};
use crate::engine::{Engine, Recovery, Snapshot};
use crate::ruleset::RuleSet;

/// How often a snapshot is taken, as the hub does: what came after the last one is what a restart must find again.
const SNAPSHOT: SignedDuration = SignedDuration::from_secs(15);

/// What was not as expected.
pub(super) fn failures(test: &Test, rules: &RuleSet, file: &str) -> Vec<String> {
    let mut played = Player::new(test, rules, file, Restarts::Played).play();
    if test.events.iter().any(|(_, event)| matches!(event, Event::Restart)) {
        let without = Player::new(test, rules, file, Restarts::LeftOut).play();
        if played.said != without.said {
            let list = |said: &[AlarmTransition]| {
                said.iter().map(|transition| format!("\n      {}", short(test, transition))).collect::<String>()
            };
            played.failures.push(format!(
                "  {file}:{}: a restart changes the result\n    without:{}\n    with:{}",
                test.line,
                list(&without.said),
                list(&played.said)
            ));
        }
    }
    played.failures
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restarts {
    Played,
    LeftOut,
}

struct Played {
    said: Vec<AlarmTransition>,
    failures: Vec<String>,
}

struct Player<'t> {
    test: &'t Test,
    rules: &'t RuleSet,
    file: &'t str,
    restarts: Restarts,
    engine: Engine,
    kept: Kept,
    said: Vec<AlarmTransition>,
    failures: Vec<String>,
}

/// The last snapshot, and what has come since.
struct Kept {
    at: Timestamp,
    bytes: Vec<u8>,
    readings: Vec<Observation>,
    /// How much had been said by then.
    said: usize,
}

impl<'t> Player<'t> {
    fn new(test: &'t Test, rules: &'t RuleSet, file: &'t str, restarts: Restarts) -> Self {
        let engine = Engine::new(rules.clone(), test.sources.iter().cloned(), test.start);
        let kept = Kept { at: test.start, bytes: engine.snapshot(), readings: Vec::new(), said: 0 };
        Self { test, rules, file, restarts, engine, kept, said: Vec::new(), failures: Vec::new() }
    }

    fn play(mut self) -> Played {
        let has_restarts = self.test.events.iter().any(|(_, event)| matches!(event, Event::Restart));
        let keeps = has_restarts && self.restarts == Restarts::Played;
        for (at, event) in &self.test.events {
            let at = *at;
            self.said.extend(self.engine.tick(at));
            if keeps && at.duration_since(self.kept.at) >= SNAPSHOT {
                self.keep(at);
            }
            match event {
                Event::Reading(observation) => {
                    self.said.extend(self.engine.observe(observation));
                    if keeps {
                        self.kept.readings.push(observation.clone());
                    }
                }
                Event::State(status) => {
                    self.said.extend(self.engine.status(status, at));
                    // States of links are in no history: after a start the links tell them anew.
                    if keeps {
                        self.keep(at);
                    }
                }
                Event::Person { device, rule, command, line } => {
                    let found = self
                        .engine
                        .alarms()
                        .find(|alarm| alarm.source == *device && rule.as_ref().is_none_or(|rule| *rule == alarm.rule));
                    let done = match found.map(|alarm| alarm.id.clone()) {
                        Some(id) => {
                            self.engine.command(&id, command.clone(), at).map_err(|refused| refused.to_string())
                        }
                        None => Err(format!("no alarm stands at {device}")),
                    };
                    match done {
                        Ok(transition) => self.said.push(transition),
                        Err(why) => {
                            let since = told(at.duration_since(self.test.start));
                            self.failures.push(format!("  {}:{line}: at {since}: {why}", self.file));
                        }
                    }
                }
                Event::Restart if self.restarts == Restarts::Played => self.restart(at),
                Event::Restart => {}
                Event::Expect(number) => self.check(*number, at),
            }
        }
        Played { said: self.said, failures: self.failures }
    }

    fn keep(&mut self, at: Timestamp) {
        self.kept = Kept { at, bytes: self.engine.snapshot(), readings: Vec::new(), said: self.said.len() };
    }

    /// Ends as by a kill and comes back by snapshot, history and log.
    fn restart(&mut self, at: Timestamp) {
        let shot = Snapshot::read(&self.kept.bytes);
        let logged = self.said[self.kept.said..].to_vec();
        let sources = self.test.sources.clone();
        let mut recovery = Recovery::begin(self.rules.clone(), sources, shot, logged, at);
        self.kept.readings.iter().for_each(|observation| recovery.observe(observation));
        let (engine, lost) = recovery.finish(at, at);
        self.engine = engine;
        self.said.extend(lost);
        self.keep(at);
    }

    fn check(&mut self, number: usize, at: Timestamp) {
        let expected = &self.test.expected[number];
        let mut text = String::new();
        if let Some(alarms) = &expected.alarms {
            let counts = |alarm: &&Alarm| self.test.rule.as_ref().is_none_or(|rule| *rule == alarm.rule);
            let mut got: Vec<&Alarm> = self.engine.alarms().filter(counts).collect();
            got.sort_by(|a, b| a.id.cmp(&b.id));
            if let Some(differs) = compare(alarms, &got, at) {
                text += &format!("\n{}", differs.text);
                for (rule, device) in &differs.about {
                    let rule = rule.as_ref().or(self.test.rule.as_ref());
                    text += &self.why(rule, device, at);
                }
            }
        }
        if let Some(wanted) = expected.raised {
            let raised = self.said.iter().filter(|transition| {
                matches!(transition.change, AlarmChange::Raised { .. })
                    && self.test.rule.as_ref().is_none_or(|rule| *rule == transition.rule)
            });
            let raised = raised.count();
            if raised != wanted {
                text += &format!("\n    expected: {wanted} raised so far\n    got:      {raised}");
            }
        }
        if !text.is_empty() {
            let failure = format!("  {}:{}: at {}{text}", self.file, expected.line, told(expected.at));
            self.failures.push(failure);
        }
    }

    /// What the rules see at the device: the one that is meant, or all that watch it.
    fn why(&self, rule: Option<&model::RuleId>, device: &model::SourceId, at: Timestamp) -> String {
        let ids: Vec<model::RuleId> = match rule {
            Some(rule) => vec![rule.clone()],
            None => self.rules.all().map(|rule| rule.id.clone()).collect(),
        };
        let mut text = String::new();
        for id in ids {
            let Ok(explanation) = self.engine.explain(&id, device, at) else { continue };
            if rule.is_none() && explanation.levels.is_empty() {
                continue;
            }
            text += &format!("\n    why, {id} at {device}:");
            for reason in &explanation.reasons {
                text += &format!("\n      - {}", reason.text);
            }
        }
        text
    }
}

fn short(test: &Test, transition: &AlarmTransition) -> String {
    let since = told(transition.at.duration_since(test.start));
    let word = match &transition.change {
        AlarmChange::Raised { level, .. } => format!("raised {}", level.as_str()),
        AlarmChange::LevelChanged { to, .. } => format!("to {}", to.as_str()),
        AlarmChange::Cleared { .. } => "cleared".to_owned(),
        other => format!("{other:?}").split([' ', '{']).next().unwrap_or_default().to_lowercase(),
    };
    format!("{since} {} {} {word}", transition.source, transition.rule)
}
