//! What a rule says of other rules and other sources: `inhibited_by`, `same`, `near`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use model::RuleId;

use super::fields::{File, Map};
use crate::problem::{Pos, Problems, shown};
use crate::relation::{Relation, Same};
use crate::rule::{Inhibitor, Rule};
use crate::yaml::Node;

/// The farthest that `near` reaches; a town is smaller.
const MAX_NEAR_M: f64 = 100_000.0;
/// The most causes of one rule.
const MAX_INHIBITORS: usize = 16;
/// The longest name of a tag.
const MAX_TAG_CHARS: usize = 60;

impl File<'_> {
    /// The alarms that explain the rule's own.
    pub fn inhibitors(&mut self, node: Option<&Node>) -> Option<Vec<Inhibitor>> {
        let Some(node) = node else { return Some(Vec::new()) };
        let items = self.list(node, "a list, as [{rule: gateway-offline, same: gateway}]")?;
        if items.len() > MAX_INHIBITORS {
            self.problems.add(node.at, format!("{} causes", items.len()), format!("at most {MAX_INHIBITORS}"));
            return None;
        }
        let found: Vec<Option<Inhibitor>> = items.iter().map(|item| self.inhibitor(item)).collect();
        found.into_iter().collect()
    }

    fn inhibitor(&mut self, node: &Node) -> Option<Inhibitor> {
        let mut map = self.map(node, "a mapping with `rule` and `same` or `near`")?;
        let named = self.required(&mut map, "rule");
        let rule = named.and_then(|node| self.text(node)).map(RuleId::new);
        let relation = self.relation(&mut map);
        self.nothing_left(map);
        Some(Inhibitor { rule: rule?, relation: relation?, at: named?.at })
    }

    /// `same` or `near`; without one the same source.
    pub fn relation(&mut self, map: &mut Map<'_>) -> Option<Relation> {
        match (map.take("same"), map.take("near")) {
            (None, None) => Some(Relation::Itself),
            (Some(same), None) => self.same(same),
            (None, Some(near)) => self.near(near),
            (Some(_), Some(near)) => {
                self.problems.add(near.at, "`near` beside `same`", "one of the two");
                None
            }
        }
    }

    fn same(&mut self, node: &Node) -> Option<Relation> {
        let text = self.text(node)?;
        let good = text.len() <= MAX_TAG_CHARS && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        if !good {
            let expected = "grid, owner, recorder, or a tag, as site, gateway, power_feed, reach";
            self.problems.add(node.at, shown(text), expected);
            return None;
        }
        Some(Relation::Same(Same::of(text)))
    }

    fn near(&mut self, node: &Node) -> Option<Relation> {
        let text = self.text(node)?;
        let metres = metres_of(text).filter(|metres| (1.0..=MAX_NEAR_M).contains(metres));
        if metres.is_none() {
            self.problems.add(node.at, shown(text), "a distance of 1m to 100km, as 40m or 2km");
        }
        metres.map(Relation::Near)
    }
}

/// `40m`, `2km`.
fn metres_of(text: &str) -> Option<f64> {
    let (number, unit_m) = match text.strip_suffix("km") {
        Some(number) => (number, 1_000.0),
        None => (text.strip_suffix('m')?, 1.0),
    };
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| number.parse::<u32>().ok()).flatten().map(|number| f64::from(number) * unit_m)
}

/// Tells of every rule that is named and not there, and of rules that explain one another in a circle: each would keep
/// the other quiet, and nobody would hear of either.
pub(super) fn check(rules: &[Rule], problems: &mut [&mut Problems]) {
    let refers = |rule: &Rule| rule.inhibited_by.iter().map(|cause| (cause.rule.clone(), cause.at)).collect();
    let told = Told { word: "inhibited_by", circle: "rules that do not explain one another in a circle" };
    check_references(rules, refers, &told, problems);
}

/// The words for what is wrong with one kind of reference.
pub(super) struct Told {
    /// The key that names the rules.
    pub word: &'static str,
    /// What is expected instead of a circle.
    pub circle: &'static str,
}

/// Looks at one kind of reference from rule to rule.
pub(super) fn check_references(
    rules: &[Rule],
    refers: impl Fn(&Rule) -> Vec<(RuleId, Pos)>,
    told: &Told,
    problems: &mut [&mut Problems],
) {
    let numbers: HashMap<&RuleId, usize> = rules.iter().enumerate().map(|(number, rule)| (&rule.id, number)).collect();
    let mut add = |file: &Arc<str>, at, found: String, expected: String| {
        if let Some(those) = problems.iter_mut().find(|those| those.file() == file) {
            those.add(at, found, expected);
        }
    };
    let mut edges: BTreeMap<usize, Vec<(usize, Pos)>> = BTreeMap::new();
    for (number, rule) in rules.iter().enumerate() {
        for (named, at) in refers(rule) {
            match numbers.get(&named) {
                Some(other) => edges.entry(number).or_default().push((*other, at)),
                None => add(
                    &rule.file,
                    at,
                    format!("the unknown rule {}", shown(named.as_str())),
                    "the id of a rule".to_owned(),
                ),
            }
        }
    }
    for (number, at, path) in circles(rules.len(), &edges) {
        let names: Vec<&str> = path.iter().map(|n| rules[*n].id.as_str()).collect();
        add(
            &rules[number].file,
            at,
            format!("a circle of `{}`: {}", told.word, names.join(" -> ")),
            told.circle.to_owned(),
        );
    }
}

/// One edge of each circle with the circle's nodes; no recursion, for there may be 10,000 rules in a row.
fn circles(count: usize, edges: &BTreeMap<usize, Vec<(usize, Pos)>>) -> Vec<(usize, Pos, Vec<usize>)> {
    let none = Vec::new();
    let mut found = Vec::new();
    let mut done = vec![false; count];
    for start in 0..count {
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        let mut on_path = std::collections::HashSet::from([start]);
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            let step = if done[node] { None } else { edges.get(&node).unwrap_or(&none).get(*next) };
            *next += 1;
            match step {
                None => {
                    done[node] = true;
                    on_path.remove(&node);
                    path.pop();
                }
                Some((other, at)) if on_path.contains(other) => {
                    let from = path.iter().position(|(n, _)| n == other).unwrap_or(0);
                    let mut nodes: Vec<usize> = path[from..].iter().map(|(n, _)| *n).collect();
                    nodes.push(*other);
                    found.push((node, *at, nodes));
                }
                Some((other, _)) => {
                    on_path.insert(*other);
                    path.push((*other, 0));
                }
            }
        }
    }
    found
}
