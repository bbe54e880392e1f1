//! Tests of rules: readings and states in virtual time, restarts in between, and the alarms that must stand.
//!
//! A test file is YAML (docs/trying-rules.md). [`TestFile::read`] tells everything wrong with it at once, with line and
//! column; [`TestFile::run`] plays each test through the same engine that runs the hub. Pure: whoever reads hands in the
//! rule files that a test file names.

mod expect;
mod file;
mod play;
mod series;

use std::fmt;
use std::sync::Arc;

use jiff::SignedDuration;
use model::{Observation, RuleId, Source, SourceStatus, Timestamp};

use crate::handle::AlarmCommand;
use crate::problem::Problem;
use crate::ruleset::RuleSet;
use expect::Expected;

/// A test file, read.
#[derive(Debug)]
pub struct TestFile {
    name: String,
    rules: RuleSet,
    tests: Vec<Test>,
}

/// What became of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The file.
    pub file: String,
    /// The line on which the test begins.
    pub line: usize,
    /// The test's name.
    pub name: String,
    /// What was not as expected; nothing for a test that passed.
    pub failures: Vec<String>,
}

impl Outcome {
    /// Whether all was as expected.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.passed() { "ok" } else { "FAILED" };
        write!(f, "{}:{}: {}: {word}", self.file, self.line, self.name)?;
        self.failures.iter().try_for_each(|failure| write!(f, "\n{failure}"))
    }
}

/// One test.
#[derive(Debug)]
struct Test {
    line: usize,
    name: String,
    /// Only alarms of this rule are compared.
    rule: Option<RuleId>,
    start: Timestamp,
    sources: Vec<Arc<Source>>,
    /// In the order of time; of one moment: readings, states, people, restarts, expectations.
    events: Vec<(Timestamp, Event)>,
    expected: Vec<Expected>,
}

#[derive(Debug)]
enum Event {
    Reading(Observation),
    State(SourceStatus),
    Person {
        device: model::SourceId,
        rule: Option<RuleId>,
        command: AlarmCommand,
        line: usize,
    },
    Restart,
    /// Which expectation.
    Expect(usize),
}

impl Event {
    fn rank(&self) -> u8 {
        match self {
            Event::Reading(_) => 0,
            Event::State(_) => 1,
            Event::Person { .. } => 2,
            Event::Restart => 3,
            Event::Expect(_) => 4,
        }
    }
}

/// Reads a rule file by the path that stands in a test file; answers with the name under which its problems are told, and
/// its text.
pub type Open<'o> = &'o mut dyn FnMut(&str) -> Result<(String, String), String>;

impl TestFile {
    /// Reads a test file. `open` reads a rule file by the path that stands in it and answers with the name under which
    /// its problems are told, and its text.
    pub fn read(name: &str, text: &str, open: Open<'_>) -> Result<Self, Vec<Problem>> {
        file::read(name, text, open)
    }

    /// How many tests there are.
    pub fn len(&self) -> usize {
        self.tests.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// Plays all tests.
    pub fn run(&self) -> Vec<Outcome> {
        let outcome = |test: &Test| Outcome {
            file: self.name.clone(),
            line: test.line,
            name: test.name.clone(),
            failures: play::failures(test, &self.rules, &self.name),
        };
        self.tests.iter().map(outcome).collect()
    }
}

/// A time since the start as people write it: `5m30s`.
fn told(since: SignedDuration) -> String {
    let mut rest = since.as_secs();
    let mut text = String::new();
    for (unit, seconds) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        if rest >= seconds {
            text += &format!("{}{unit}", rest / seconds);
            rest %= seconds;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
#[path = "testing/tests.rs"]
mod tests;
