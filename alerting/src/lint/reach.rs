//! Which values make a condition true: found by asking the condition itself.
//!
//! A condition that only compares readings with constants changes its mind at those constants alone. So it is asked at
//! each of them, between them and beyond them; what is never true there is never true at all. A condition that reckons
//! with a reading (`x * 2 > 5`, a window) is not judged.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Kind, Owner, Source, Value};

use crate::expr::{Arith, Condition, Env, InTime, Node, Readings, Tri};

/// The most combinations of values that are tried.
const MAX_TRIES: usize = 10_000;
/// A text that no rule is likely to name.
const OTHER: &str = "\u{0}other";

/// What the conditions said, a row for each combination of values.
#[derive(Debug)]
pub(super) struct Truths {
    rows: Vec<Vec<bool>>,
}

impl Truths {
    /// Whether the condition is true of any value.
    pub fn ever(&self, condition: usize) -> bool {
        self.rows.iter().any(|row| row[condition])
    }

    /// Whether the condition is true of all values.
    pub fn always(&self, condition: usize) -> bool {
        self.rows.iter().all(|row| row[condition])
    }

    /// Whether the second is true wherever the first is, and the first somewhere.
    pub fn implies(&self, first: usize, second: usize) -> bool {
        self.ever(first) && self.rows.iter().all(|row| !row[first] || row[second])
    }
}

/// One condition without a registry: judged when it rests on numbers alone, or on one limit alone, whose value does not
/// matter then.
pub(super) fn alone(condition: &Condition) -> Option<Truths> {
    match condition.limits().as_slice() {
        [] => together(&[condition], &[]),
        [limit] if rests_on_limit(condition.root()) => together(&[condition], &[(Arc::clone(limit), 1_000.0)]),
        _ => None,
    }
}

/// Several conditions over one source whose limits are known.
pub(super) fn together(conditions: &[&Condition], limits: &[(Arc<str>, f64)]) -> Option<Truths> {
    let mut values = Candidates { limits, of: BTreeMap::new() };
    conditions.iter().try_for_each(|condition| values.collect(condition.root()))?;
    let names: Vec<&str> = values.of.keys().copied().collect();
    let lists: Vec<Vec<Value>> = values.of.values().map(Seen::candidates).collect();
    let tries = lists.iter().try_fold(1usize, |all, list| all.checked_mul(list.len().max(1)))?;
    if tries > MAX_TRIES {
        return None;
    }
    let source = Source::new("any", Kind::Sensor, Owner::Governance, "any");
    let mut rows = Vec::with_capacity(tries);
    for number in 0..tries {
        let mut rest = number;
        let mut chosen = Chosen(Vec::with_capacity(names.len()));
        for (name, list) in names.iter().zip(&lists) {
            chosen.0.push((name, &list[rest % list.len()]));
            rest /= list.len();
        }
        let row = conditions.iter().map(|condition| {
            let env = Env {
                source: &source,
                x: chosen.reading(X),
                readings: &chosen,
                limits,
                time: InTime::NONE,
                clash: Cell::new(None),
            };
            condition.eval(&env) == Tri::True
        });
        rows.push(row.collect());
    }
    Some(Truths { rows })
}

/// The name under which `x` is kept; no reading has it.
const X: &str = "";

struct Chosen<'a>(Vec<(&'a str, &'a Value)>);

impl Readings for Chosen<'_> {
    fn reading(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// The constants with which each reading is compared.
struct Candidates<'a> {
    limits: &'a [(Arc<str>, f64)],
    of: BTreeMap<&'a str, Seen>,
}

#[derive(Default)]
struct Seen {
    numbers: Vec<f64>,
    texts: Vec<String>,
}

impl Seen {
    fn add(&mut self, value: Value) {
        match value {
            Value::Number(number) => self.numbers.push(number),
            Value::Text(text) => self.texts.push(text),
            Value::Bool(_) => {}
        }
    }

    /// Values of the kinds it is compared with; a reading of another kind says nothing anyway.
    fn candidates(&self) -> Vec<Value> {
        let mut numbers = self.numbers.clone();
        numbers.sort_by(f64::total_cmp);
        numbers.dedup();
        let mut all: Vec<Value> = Vec::new();
        if let (Some(least), Some(most)) = (numbers.first(), numbers.last()) {
            all.extend([least - 1.0 - least.abs(), most + 1.0 + most.abs()].map(Value::Number));
            all.extend(numbers.windows(2).map(|pair| Value::Number(pair[0] / 2.0 + pair[1] / 2.0)));
            all.extend(numbers.iter().map(|number| Value::Number(*number)));
        }
        if !self.texts.is_empty() {
            all.extend(self.texts.iter().cloned().chain([OTHER.to_owned()]).map(Value::Text));
        }
        if all.is_empty() {
            all.extend([Value::Bool(true), Value::Bool(false)]);
        }
        all
    }
}

impl<'a> Candidates<'a> {
    /// None for a condition of another shape.
    fn collect(&mut self, node: &'a Node) -> Option<()> {
        match node {
            Node::Bool(_) => Some(()),
            Node::Not(a) => self.collect(a),
            Node::And(ab) | Node::Or(ab) => {
                self.collect(&ab.0)?;
                self.collect(&ab.1)
            }
            Node::X | Node::Reading(_) => {
                self.of.entry(name_of(node)?).or_default();
                Some(())
            }
            Node::Compare(_, ab) => match (name_of(&ab.0), name_of(&ab.1)) {
                (Some(name), None) => self.note(name, &ab.1),
                (None, Some(name)) => self.note(name, &ab.0),
                (None, None) => constant(&ab.0, self.limits).and(constant(&ab.1, self.limits)).map(drop),
                (Some(_), Some(_)) => None,
            },
            Node::In(a, list) => {
                let name = name_of(a)?;
                list.iter().try_for_each(|item| self.note(name, item))
            }
            _ => None,
        }
    }

    fn note(&mut self, name: &'a str, other: &Node) -> Option<()> {
        let value = constant(other, self.limits)?;
        self.of.entry(name).or_default().add(value);
        Some(())
    }
}

fn name_of(node: &Node) -> Option<&str> {
    match node {
        Node::X => Some(X),
        Node::Reading(name) => Some(name),
        _ => None,
    }
}

/// The value of what holds no reading.
fn constant(node: &Node, limits: &[(Arc<str>, f64)]) -> Option<Value> {
    let number = |node: &Node| {
        constant(node, limits).and_then(|value| match value {
            Value::Number(number) => Some(number),
            _ => None,
        })
    };
    Some(match node {
        Node::Bool(flag) => Value::Bool(*flag),
        Node::Text(text) => Value::Text(text.to_string()),
        Node::Num(n) => Value::Number(*n),
        Node::Limit(name) => Value::Number(limits.iter().find(|(known, _)| known == name)?.1),
        Node::Negate(a) => Value::Number(-number(a)?),
        Node::Abs(a) => Value::Number(number(a)?.abs()),
        Node::Arith(op, ab) => {
            let (a, b) = (number(&ab.0)?, number(&ab.1)?);
            Value::Number(match op {
                Arith::Add => a + b,
                Arith::Sub => a - b,
                Arith::Mul => a * b,
                Arith::Div => a / b,
                Arith::Rem => a % b,
            })
        }
        _ => return None,
    })
}

/// Whether every number that it compares a reading with is the limit, perhaps moved by a number: then all that matters
/// is where the value stands beside it.
fn rests_on_limit(node: &Node) -> bool {
    fn moved(node: &Node) -> bool {
        match node {
            Node::Limit(_) => true,
            Node::Arith(Arith::Add, ab) => {
                moved(&ab.0) && matches!(ab.1, Node::Num(_)) || moved(&ab.1) && matches!(ab.0, Node::Num(_))
            }
            Node::Arith(Arith::Sub, ab) => moved(&ab.0) && matches!(ab.1, Node::Num(_)),
            _ => false,
        }
    }
    match node {
        Node::Bool(_) | Node::X | Node::Reading(_) => true,
        Node::Not(a) => rests_on_limit(a),
        Node::And(ab) | Node::Or(ab) => rests_on_limit(&ab.0) && rests_on_limit(&ab.1),
        Node::Compare(_, ab) => match (name_of(&ab.0), name_of(&ab.1)) {
            (Some(_), None) => moved(&ab.1) || matches!(ab.1, Node::Bool(_) | Node::Text(_)),
            (None, Some(_)) => moved(&ab.0) || matches!(ab.0, Node::Bool(_) | Node::Text(_)),
            _ => false,
        },
        Node::In(_, list) => list.iter().all(|item| matches!(item, Node::Text(_))),
        _ => false,
    }
}
