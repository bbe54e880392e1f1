//! Rule files: from YAML to rules, with every problem told at once.

mod calendars;
mod checks;
mod composite;
pub(crate) mod fields;
mod relations;
mod rules;
mod select;

use std::collections::HashMap;
use std::sync::Arc;

use model::RuleId;
use sha2::{Digest, Sha256};

use crate::calendar::{Calendar, Dates};
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
/// The named lists of holidays of all files.
type Holidays = HashMap<String, Vec<Dates>>;

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
    let (mut holidays, mut calendars) = (Holidays::new(), Calendars::new());
    for (problems, root) in &mut parsed {
        if let Some(root) = root {
            File { problems }.holidays(root, &mut holidays);
        }
    }
    for (problems, root) in &mut parsed {
        if let Some(root) = root {
            File { problems }.calendars(root, &holidays, &mut calendars);
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
    // While a rule cannot be read, it cannot be said which ones are missing.
    if parsed.iter().all(|(problems, _)| problems.is_empty()) {
        let problems = &mut parsed.iter_mut().map(|(problems, _)| problems).collect::<Vec<_>>();
        relations::check(&rules, problems);
        composite::check(&rules, problems);
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
        let has_calendars = map.take("calendars").is_some() | map.take("holidays").is_some();
        let list = map.take("rules");
        self.nothing_left(map);
        match list {
            Some(Node { kind: Kind::List(items), .. }) => {
                let mut rules = Vec::new();
                for item in items {
                    if self.problems.is_full() {
                        break;
                    }
                    rules.extend(self.rule(item, calendars).map(|rule| (rule, item.at)));
                }
                rules
            }
            // A file of calendars or holidays alone is good.
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
        select.classes.first(),
        select.kind,
        rule.hold,
        rule.max_gap,
        rule.on_missing,
        rule.retained,
        select.condition.as_ref().map(|condition| condition.meaning()),
    );
    if let Some(calendar) = &rule.only {
        let Calendar { name: _, zone, days, hours, except, holidays, also, terms } = &**calendar;
        text += &format!("{:?} {days:?} {hours:?} {except:?} ", zone.iana_name());
        for (key, dates) in [("holidays", holidays), ("also", also), ("terms", terms)] {
            if !dates.is_empty() {
                text += &format!("{key} {dates:?} ");
            }
        }
    }
    // What a rule leaves to its default leaves no mark, so that older rules keep their versions.
    let mut mark = |set: bool, what: String| text += if set { &what } else { "" };
    mark(select.classes.len() > 1, format!("classes {:?} ", select.classes));
    mark(!select.owners.is_empty(), format!("owners {:?} ", select.owners));
    mark(!select.grids.is_empty(), format!("grids {:?} ", select.grids));
    mark(!select.sites.is_empty(), format!("sites {:?} ", select.sites));
    mark(!select.tags.is_empty(), format!("tags {:?} ", select.tags));
    mark(rule.min_samples != 1, format!("samples {} ", rule.min_samples));
    mark(rule.good_only, "good ".to_owned());
    mark(!rule.startup_grace.is_zero(), format!("grace {:?} ", rule.startup_grace));
    mark(rule.chatter.is_some(), format!("{:?} ", rule.chatter));
    mark(rule.unit.is_some(), format!("unit {:?} ", rule.unit.map(|unit| unit.name)));
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
        Trigger::Composite(composite) => text += &composite.meaning(),
    }
    for cause in &rule.inhibited_by {
        text += &format!(" inhibited by {} {}", cause.rule, cause.relation);
    }
    let digest = Sha256::digest(text.as_bytes());
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
}
