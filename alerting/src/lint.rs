//! What a loader lets pass and a person should look at: rules that can say nothing, or too much, or nobody knows why.
//!
//! Pure, over compiled rules and, when a registry is at hand, its sources. Each finding has a code; docs/trying-rules.md
//! tells cause and cure of each. What is plainly wrong is refused when rules are loaded and comes here as a [`Problem`].

mod reach;
mod sources;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use model::{RuleId, Source};
use serde::Serialize;

use crate::expr::Condition;
use crate::problem::{Pos, Problem};
use crate::rule::{LevelRule, Rule, Trigger};
use crate::ruleset::RuleSet;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The rules cannot be used, or this one can never speak.
    Error,
    /// It works, and somebody should look at it.
    Warning,
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Finding {
    /// The file, as it was named to the loader.
    pub file: String,
    /// Line, from 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// Column in characters, from 1; 0 when the line as a whole is meant.
    pub column: usize,
    /// How bad.
    pub severity: Severity,
    /// What kind of finding, as `no-clear`.
    pub code: String,
    /// In words.
    pub text: String,
    /// Which rule, when it is about one.
    pub rule: Option<RuleId>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, code, text, .. } = self;
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{file}:{line}:{column}: {severity}[{code}]: {text}")
    }
}

impl From<Problem> for Finding {
    fn from(problem: Problem) -> Self {
        let Problem { file, line, column, code, found, expected } = problem;
        let text = format!("found {found}, expected {expected}");
        Self { file, line, column, severity: Severity::Error, code: code.to_owned(), text, rule: None }
    }
}

/// Looks at every rule, in the order of files and lines. `sources` is the registry, when there is one; `today` is what
/// review dates are compared with.
pub fn lint(rules: &RuleSet, sources: Option<&[Arc<Source>]>, today: Date) -> Vec<Finding> {
    let mut found = Findings::default();
    for rule in rules.all() {
        found.of_rule(rule, today);
    }
    found.alike(rules);
    if let Some(sources) = sources {
        sources::look(rules, sources, &mut found);
    }
    let mut list = found.list;
    list.sort_by(|a, b| (&a.file, a.line, a.column, &a.code).cmp(&(&b.file, b.line, b.column, &b.code)));
    list
}

/// Findings under collection.
#[derive(Debug, Default)]
struct Findings {
    list: Vec<Finding>,
}

impl Findings {
    fn warn(&mut self, rule: &Rule, at: Pos, code: &str, text: impl Into<String>) {
        self.add(Severity::Warning, rule, at, code, text);
    }

    fn add(&mut self, severity: Severity, rule: &Rule, at: Pos, code: &str, text: impl Into<String>) {
        self.list.push(Finding {
            file: rule.file.to_string(),
            line: at.line,
            column: at.column,
            severity,
            code: code.to_owned(),
            text: format!("{}: {}", rule.id, text.into()),
            rule: Some(rule.id.clone()),
        });
    }

    fn of_rule(&mut self, rule: &Rule, today: Date) {
        if rule.rationale.is_none() {
            self.warn(rule, rule.at, "no-rationale", "no rationale: nobody will know why its limits are what they are");
        }
        if let Some(review) = rule.review.filter(|review| *review < today) {
            self.warn(rule, rule.at, "review-passed", format!("was to be looked at again by {review}"));
        }
        if self::sources::is_unbounded(&rule.select) {
            self.warn(rule, rule.at, "selects-everything", "no class, kind or `where`: it is about every source");
        }
        match &rule.trigger {
            Trigger::Reading { levels, .. } => self.of_levels(rule, levels),
            Trigger::State { wait, .. } if wait.is_zero() => {
                let text = "a state without `for`: each break of a line of a second raises it";
                self.warn(rule, rule.at, "no-wait", text);
            }
            Trigger::Absent { wait, .. } if wait.is_zero() => {
                let text = "`absent` without `for`: it may raise for every source after a start of the hub";
                self.warn(rule, rule.at, "no-wait", text);
            }
            _ => {}
        }
    }

    fn of_levels(&mut self, rule: &Rule, levels: &[LevelRule]) {
        for level in levels {
            if level.clear.is_none() && level.raise.threshold().is_some() {
                let text = format!(
                    "{} has no `clear`: around {} it will raise and clear at each reading",
                    level.level.as_str(),
                    level.raise.text()
                );
                self.warn(rule, level.at, "no-clear", text);
            }
            if let Some(truths) = reach::alone(&level.raise) {
                self.reachable(rule, level, &level.raise, &truths);
            }
        }
    }

    fn reachable(&mut self, rule: &Rule, level: &LevelRule, raise: &Condition, truths: &reach::Truths) {
        let name = level.level.as_str();
        if !truths.ever(0) {
            let text = format!("{name} can never be raised: no value makes {} true", raise.text());
            self.add(Severity::Error, rule, level.at, "unreachable", text);
        } else if truths.always(0) {
            let text = format!("{name} is raised by every value: {} is always true", raise.text());
            self.warn(rule, level.at, "always-true", text);
        }
    }

    /// Two rules of one meaning: every alarm would come twice.
    fn alike(&mut self, rules: &RuleSet) {
        let mut first: HashMap<&str, &Rule> = HashMap::new();
        let mut by_place: Vec<&Rule> = rules.all().filter(|rule| rule.status.watches()).collect();
        by_place.sort_by(|a, b| (&a.file, a.at).cmp(&(&b.file, b.at)));
        for rule in by_place {
            match first.get(&*rule.version) {
                Some(other) if other.status == rule.status => {
                    let text = format!("means the same as {} ({}:{})", other.id, other.file, other.at.line);
                    self.warn(rule, rule.at, "alike", text);
                }
                Some(_) => {}
                None => drop(first.insert(&rule.version, rule)),
            }
        }
    }
}

#[cfg(test)]
#[path = "lint/tests.rs"]
mod tests;
