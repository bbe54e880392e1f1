//! `all_of`, `any_of`, `k_of_n`: rules over several sources.

use std::sync::Arc;

use jiff::SignedDuration;
use model::{Level, RuleId};

use super::fields::{File, Map};
use super::relations::{Told, check_references};
use crate::composite::{Composite, Count, MAX_PARTS, Part, What};
use crate::expr::{Condition, Names};
use crate::problem::{Pos, Problems, shown};
use crate::rule::{Rule, Trigger};
use crate::yaml::{Kind, Node};

/// One of these makes a rule one over several sources.
pub(super) const KEYS: [&str; 4] = ["all_of", "any_of", "k_of_n", "of"];
/// The longest time in which parts hold together.
const MAX_WITHIN: SignedDuration = SignedDuration::from_hours(24);
/// The longest name of a part.
const MAX_NAME_CHARS: usize = 60;

impl File<'_> {
    /// What stands beside `on` in a rule over several sources.
    pub fn composite(&mut self, map: &mut Map<'_>) -> Option<Trigger> {
        for key in ["levels", "raise", "clear", "absent", "min_samples", "quality", "startup_grace"] {
            if let Some(node) = map.take(key) {
                self.problems.add(node.at, format!("`{key}` beside parts"), "`level`; each part has its `when`");
            }
        }
        let at = map.at;
        let wait = self.duration(map.take("for"));
        let level = map.take("level");
        let level = self.level(level, at);
        let (parts, need) = self.parts(map)?;
        let within = self.within(map.take("within"));
        let relation = self.relation(map);
        let fallback = map.take("fallback").map(|node| self.fallback(node, &parts, level));
        let whole = Count { level: level?, need, of: (0..parts.len()).collect(), wait: wait?, only_now: false };
        let mut counts: Vec<Count> = fallback.map_or(Some(None), |fallback| fallback.map(Some))?.into_iter().collect();
        counts.push(whole);
        Some(Trigger::Composite(Box::new(Composite { parts, within: within?, relation: relation?, counts })))
    }

    /// The parts, and how many of them must hold.
    fn parts(&mut self, map: &mut Map<'_>) -> Option<(Vec<Part>, usize)> {
        let (all, any, k, of) = (map.take("all_of"), map.take("any_of"), map.take("k_of_n"), map.take("of"));
        let list = match (all, any, k, of) {
            (Some(list), None, None, None) | (None, Some(list), None, None) | (None, None, Some(_), Some(list)) => list,
            _ => {
                self.problems.add(map.at, "not one of `all_of`, `any_of`, `k_of_n` with `of`", "one of them");
                return None;
            }
        };
        let items = self.list(list, "a list of parts, as [{class: smoke, reading: smoke, when: x == true}]")?;
        if !(1..=MAX_PARTS).contains(&items.len()) {
            self.problems.add(list.at, format!("{} parts", items.len()), format!("1 to {MAX_PARTS}"));
            return None;
        }
        let parts: Vec<Option<(Part, Pos)>> = items.iter().map(|item| self.part(item)).collect();
        let parts: Vec<(Part, Pos)> = parts.into_iter().collect::<Option<_>>()?;
        for (number, (part, at)) in parts.iter().enumerate() {
            if parts[..number].iter().any(|(other, _)| other.name == part.name) {
                let found = format!("a second part named {}", shown(&part.name));
                self.problems.add(*at, found, "another name, as `name: second-smoke`");
                return None;
            }
        }
        let need = match k {
            Some(k) => self.needed(k, parts.len())?,
            None if any.is_some() => 1,
            None => parts.len(),
        };
        Some((parts.into_iter().map(|(part, _)| part).collect(), need))
    }

    fn needed(&mut self, node: &Node, most: usize) -> Option<usize> {
        let text = self.text(node)?;
        let count = text.parse().ok().filter(|count| (1..=most).contains(count));
        if count.is_none() {
            self.problems.add(node.at, shown(text), format!("1 to {most}, the number of parts"));
        }
        count
    }

    fn part(&mut self, node: &Node) -> Option<(Part, Pos)> {
        let mut map =
            self.map(node, "a part, as {class: smoke, reading: smoke, when: x == true} or {alarm: rule-id}")?;
        let name = map.take("name").map(|node| self.text(node));
        let made = match map.take("alarm") {
            Some(alarm) => {
                self.text(alarm).map(|id| (id.to_owned(), What::Alarm { rule: RuleId::new(id), at: alarm.at }))
            }
            None => self.sensed(&mut map),
        };
        self.nothing_left(map);
        let (default, what) = made?;
        let name = name.map_or(Some(None), |name| name.map(Some))?.unwrap_or(&default);
        if name.chars().count() > MAX_NAME_CHARS {
            self.problems.add(node.at, shown(name), format!("a name of at most {MAX_NAME_CHARS} characters"));
            return None;
        }
        Some((Part { name: name.into(), what }, node.at))
    }

    /// A part over sources, named by their class.
    fn sensed(&mut self, map: &mut Map<'_>) -> Option<(String, What)> {
        let select = self.select(map);
        let when = map.take("when");
        let at = map.at;
        let what = match (map.take("reading"), map.take("state")) {
            (Some(reading), None) => {
                let reading = self.text(reading).map(Arc::from);
                let when = match when {
                    Some(when) => {
                        self.condition(when, Names::All).filter(|condition| self.is_of_now(condition, when.at))
                    }
                    None => {
                        self.problems.add(at, "no `when`", "`when: ...`, a condition over the reading");
                        None
                    }
                };
                What::Reading { select: select?, reading: reading?, when: when? }
            }
            (None, Some(states)) => {
                if let Some(when) = when {
                    self.problems.add(when.at, "`when` beside a state", "one of the two");
                }
                let states = self.states(states);
                What::State { select: select?, states: states? }
            }
            _ => {
                self.problems.add(at, "not one of `reading`, `state` and `alarm`", "one of them");
                return None;
            }
        };
        let default = match &what {
            What::Reading { select, reading, .. } => {
                select.classes.first().cloned().unwrap_or_else(|| reading.to_string())
            }
            What::State { select, .. } => select.classes.first().cloned().unwrap_or_else(|| "state".to_owned()),
            What::Alarm { rule, .. } => rule.to_string(),
        };
        Some((default, what))
    }

    /// What a part looks back at is kept for rules over one source only.
    fn is_of_now(&mut self, condition: &Condition, at: Pos) -> bool {
        let is_of_now = condition.spans().is_empty();
        if !is_of_now {
            let expected = "a rule of its own for it, and its alarm as the part: {alarm: rule-id}";
            self.problems.add(at, "a function over time in a part", expected);
        }
        is_of_now
    }

    fn within(&mut self, node: Option<&Node>) -> Option<SignedDuration> {
        let time = self.duration(node)?;
        if let Some(node) = node.filter(|_| time > MAX_WITHIN) {
            self.problems.add(node.at, node.shown(), format!("at most {}h", MAX_WITHIN.as_hours()));
            return None;
        }
        Some(time)
    }

    /// What a lone part raises.
    fn fallback(&mut self, node: &Node, parts: &[Part], whole: Option<Level>) -> Option<Count> {
        let mut map = self.map(node, "a mapping, as {any_of: [smoke], for: 60s, level: yellow}")?;
        let named = self.required(&mut map, "any_of");
        let of = named.and_then(|node| {
            let items = self.list(node, "names of parts, as [smoke]")?;
            let found: Vec<Option<usize>> = items.iter().map(|item| self.part_named(item, parts)).collect();
            found.into_iter().collect::<Option<Vec<usize>>>()
        });
        let wait = self.duration(map.take("for"));
        let at = map.at;
        let given = map.take("level");
        let level = self.level(given, at);
        self.nothing_left(map);
        let mut of = of?;
        of.sort_unstable();
        of.dedup();
        if of.is_empty() {
            self.problems.add(named?.at, "no part", "at least one name of a part");
            return None;
        }
        let (level, whole) = (level?, whole?);
        if level >= whole {
            let found = format!("the fallback's level {}", level.as_str());
            self.problems.add(given?.at, found, format!("one below {}", whole.as_str()));
            return None;
        }
        Some(Count { level, need: 1, of, wait: wait?, only_now: true })
    }

    fn part_named(&mut self, node: &Node, parts: &[Part]) -> Option<usize> {
        let Kind::Scalar(scalar) = &node.kind else {
            self.problems.add(node.at, node.shown(), "the name of a part");
            return None;
        };
        let found = parts.iter().position(|part| *part.name == *scalar.text.trim());
        if found.is_none() {
            let names: Vec<&str> = parts.iter().map(|part| &*part.name).collect();
            self.problems.add(node.at, shown(&scalar.text), format!("one of {}", names.join(", ")));
        }
        found
    }
}

/// Tells of rules that are parts of one another in a circle, and of parts that are alarms of no rule.
pub(super) fn check(rules: &[Rule], problems: &mut [&mut Problems]) {
    let refers = |rule: &Rule| match &rule.trigger {
        Trigger::Composite(composite) => composite.parts.iter().filter_map(alarm_of).collect(),
        _ => Vec::new(),
    };
    let told = Told { word: "alarm", circle: "rules that are not parts of themselves" };
    check_references(rules, refers, &told, problems);
}

fn alarm_of(part: &Part) -> Option<(RuleId, Pos)> {
    match &part.what {
        What::Alarm { rule, at } => Some((rule.clone(), *at)),
        What::Reading { .. } | What::State { .. } => None,
    }
}
