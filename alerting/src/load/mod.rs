//! Rule files: from YAML to rules, with every problem told at once.

mod calendars;
mod checks;
pub(crate) mod fields;
mod rules;

use std::collections::HashMap;
use std::sync::Arc;

use model::RuleId;
use sha2::{Digest, Sha256};

use crate::calendar::Calendar;
use crate::problem::{Pos, Problem, Problems, shown};
use crate::rule::{Rule, Trigger};
use crate::yaml::{self, Kind, Node};
use fields::File;

/// The largest rule file, in bytes.
const MAX_FILE_BYTES: usize = 1024 * 1024;
/// The most rules of a set.
const MAX_RULES: usize = 10_000;

/// The calendars of all files, by name; a rule may use one of another file.
type Calendars = HashMap<Arc<str>, Arc<Calendar>>;

/// Reads all files; either every rule is good, or all that is wrong is told, in the order of files and lines.
pub(crate) fn load(files: &[(String, String)]) -> Result<Vec<Rule>, Vec<Problem>> {
    let mut parsed: Vec<(Problems, Option<Node>)> = files
        .iter()
        .map(|(name, text)| {
            let mut problems = Problems::new(name);
            if text.len() > MAX_FILE_BYTES {
                problems.add(Pos::default(), format!("{} bytes", text.len()), format!("at most {MAX_FILE_BYTES}"));
                return (problems, None);
            }
            let root = yaml::parse(text, &mut problems);
            if root.is_none() && problems.is_empty() {
                problems.add(Pos { line: 1, column: 1 }, "nothing", "a mapping with `version` and `rules`");
            }
            (problems, root)
        })
        .collect();
    let mut calendars = Calendars::new();
    for (problems, root) in &mut parsed {
        if let Some(root) = root {
            File { problems }.calendars(root, &mut calendars);
        }
    }
    let mut rules: Vec<Rule> = Vec::new();
    let mut first: HashMap<RuleId, (Arc<str>, usize)> = HashMap::new();
    for (problems, root) in &mut parsed {
        let Some(root) = root else { continue };
        let found = File { problems: &mut *problems }.rules(root, &calendars);
        for (rule, at) in found {
            if let Some((file, line)) = first.get(&rule.id) {
                let expected = format!("another id (it is in {file}:{line})");
                let found = format!("the rule {} a second time", shown(rule.id.as_str()));
                problems.add_as("same-id", at, found, expected);
                continue;
            }
            if rules.len() == MAX_RULES {
                problems.add(at, format!("more than {MAX_RULES} rules"), "fewer");
                break;
            }
            first.insert(rule.id.clone(), (Arc::clone(problems.file()), at.line));
            rules.push(rule);
        }
    }
    let told: Vec<Problem> = parsed.into_iter().flat_map(|(problems, _)| problems.into_list()).collect();
    if told.is_empty() { Ok(rules) } else { Err(told) }
}

impl File<'_> {
    fn rules(&mut self, root: &Node, calendars: &Calendars) -> Vec<(Rule, Pos)> {
        let Some(mut map) = self.map(root, "a mapping with `version` and `rules`") else { return Vec::new() };
        match map.take("version") {
            Some(node) if matches!(&node.kind, Kind::Scalar(s) if s.text == "1") => {}
            Some(node) => self.problems.add(node.at, node.shown(), "version 1"),
            None => self.problems.add(map.at, "no `version`", "`version: 1`"),
        }
        let has_calendars = map.take("calendars").is_some();
        let list = map.take("rules");
        self.nothing_left(map);
        match list {
            Some(Node { kind: Kind::List(items), .. }) => {
                items.iter().filter_map(|item| Some((self.rule(item, calendars)?, item.at))).collect()
            }
            // A file of calendars alone is good.
            None if has_calendars => Vec::new(),
            other => {
                let at = other.map_or(root.at, |node| node.at);
                self.problems.add(at, other.map_or("no `rules`".to_owned(), Node::shown), "a list of rules");
                Vec::new()
            }
        }
    }
}

/// Sixteen hex digits over what the rule decides; titles and actions may change without a new version.
fn version_of(rule: &Rule) -> Arc<str> {
    let select = &rule.select;
    let mut text = format!(
        "{} {:?} {:?} {:?} {:?} {:?} {:?} {:?} ",
        rule.hazard.as_str(),
        select.class,
        select.kind,
        rule.hold,
        rule.max_gap,
        rule.on_missing,
        rule.retained,
        select.condition.as_ref().map(|condition| condition.meaning()),
    );
    if let Some(calendar) = &rule.only {
        let Calendar { name: _, zone, days, hours, except } = &**calendar;
        text += &format!("{:?} {days:?} {hours:?} {except:?} ", zone.iana_name());
    }
    match &rule.trigger {
        Trigger::Reading { reading, levels } => {
            text += reading;
            for level in levels {
                let clear = level.clear.as_ref().map(|clear| clear.meaning());
                let name = level.level.as_str();
                text += &format!("|{name} {} {clear:?} {:?}", level.raise.meaning(), level.wait);
            }
        }
        Trigger::State { states, level, wait } => text += &format!("{states:?} {} {wait:?}", level.as_str()),
        Trigger::Absent { reading, after, level, wait } => {
            text += &format!("absent {reading} {after:?} {} {wait:?}", level.as_str());
        }
    }
    let digest = Sha256::digest(text.as_bytes());
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
}
