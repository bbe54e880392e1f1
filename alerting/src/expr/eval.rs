//! Evaluation: Kleene's three values, no allocation.

use std::cell::Cell;
use std::sync::Arc;

use model::unit::Conversion;
use model::{Source, Timestamp, Value};

use super::{Answer, Arith, Compare, Fact, Match, Node, Over, Span};

/// Where the readings of a source are looked up.
pub(crate) trait Readings {
    /// The last value of the reading.
    fn reading(&self, name: &str) -> Option<&Value>;

    /// What a function over time gives for the reading.
    fn over(&self, _name: &str, _over: Over, _span_ms: i64, _time: &InTime<'_>) -> Answer {
        Answer::Unknown
    }
}

/// No readings: for what is decided by the source alone.
impl Readings for () {
    fn reading(&self, _name: &str) -> Option<&Value> {
        None
    }
}

/// True, false, or not to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tri {
    True,
    False,
    Unknown,
}

impl From<bool> for Tri {
    fn from(truth: bool) -> Self {
        if truth { Tri::True } else { Tri::False }
    }
}

impl std::ops::Not for Tri {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Tri::True => Tri::False,
            Tri::False => Tri::True,
            Tri::Unknown => Tri::Unknown,
        }
    }
}

/// What a condition is asked about.
pub(crate) struct Env<'a> {
    pub source: &'a Source,
    /// The reading that the rule is on.
    pub x: Option<&'a Value>,
    /// Further readings of the source, by name; few, so that a scan is faster than a map.
    pub readings: &'a dyn Readings,
    /// The source's `limits.*`, parsed once.
    pub limits: &'a [(Arc<str>, f64)],
    pub time: InTime<'a>,
    /// Set when a value did not fit its operator.
    pub clash: Cell<Option<TypeClash>>,
}

/// When the condition is asked, and in which terms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InTime<'a> {
    pub now: Timestamp,
    /// The name of the reading that the rule is on.
    pub reading: &'a str,
    /// Fewer samples in a span say nothing.
    pub min_samples: u32,
    /// From the source's unit into the rule's, where they differ.
    pub into: Option<Conversion>,
    /// The data is missing: only what sees absence can be said.
    pub missing: bool,
}

impl InTime<'_> {
    /// For what is decided by the source alone.
    pub const NONE: InTime<'static> =
        InTime { now: Timestamp::UNIX_EPOCH, reading: "", min_samples: 1, into: None, missing: false };
}

/// A value that does not fit its operator, as `"covered" >= 3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TypeClash {
    pub operator: &'static str,
    pub found: &'static str,
    pub expected: &'static str,
}

impl<'a> Env<'a> {
    pub fn reading(&self, name: &str) -> Option<&'a Value> {
        self.readings.reading(name)
    }

    pub fn limit(&self, name: &str) -> Option<f64> {
        self.limits.iter().find(|(n, _)| **n == *name).map(|(_, value)| *value)
    }

    /// A value of the source's unit in the rule's.
    pub fn value(&self, value: f64) -> f64 {
        self.time.into.map_or(value, |into| into.value(value))
    }

    /// A difference of the source's unit in the rule's.
    pub fn step(&self, step: f64) -> f64 {
        self.time.into.map_or(step, |into| into.step(step))
    }

    pub fn x_scaled(&self) -> Option<Value> {
        match self.x? {
            Value::Number(number) => Some(Value::Number(self.value(*number))),
            other => Some(other.clone()),
        }
    }

    pub fn over(&self, span: &Span) -> Answer {
        if self.time.missing && !span.over.sees_absence() {
            return Answer::Unknown;
        }
        let name = span.reading.as_deref().unwrap_or(self.time.reading);
        let answer = self.readings.over(name, span.over, span.span_ms, &self.time);
        match (answer, span.over) {
            (Answer::Number(number), _) if !number.is_finite() => Answer::Unknown,
            // Other readings of the source have units of their own.
            (answer, _) if span.reading.is_some() => answer,
            (Answer::Number(number), Over::Avg | Over::Min | Over::Max) => Answer::Number(self.value(number)),
            (Answer::Number(number), Over::Sum | Over::Delta | Over::Rate) => Answer::Number(self.step(number)),
            (answer, _) => answer,
        }
    }

    fn clash<'v>(&self, operator: &'static str, found: V<'_>, expected: &'static str) -> V<'v> {
        if !matches!(found, V::Unknown) {
            self.clash.set(Some(TypeClash { operator, found: found.kind(), expected }));
        }
        V::Unknown
    }
}

/// A value in flight.
#[derive(Debug, Clone, Copy, PartialEq)]
enum V<'a> {
    Bool(bool),
    Num(f64),
    Text(&'a str),
    Unknown,
}

impl<'a> V<'a> {
    fn of(value: Option<&'a Value>) -> Self {
        match value {
            Some(Value::Bool(b)) => V::Bool(*b),
            Some(Value::Number(n)) => V::number(*n),
            Some(Value::Text(t)) => V::Text(t),
            None => V::Unknown,
        }
    }

    /// What is not a finite number says nothing: 0/0 neither raises nor clears.
    fn number(n: f64) -> Self {
        if n.is_finite() { V::Num(n) } else { V::Unknown }
    }

    fn kind(self) -> &'static str {
        match self {
            V::Bool(_) => "true or false",
            V::Num(_) => "a number",
            V::Text(_) => "a text",
            V::Unknown => "nothing",
        }
    }
}

/// The condition's verdict.
pub(super) fn truth(node: &Node, env: &Env<'_>) -> Tri {
    match eval(node, env) {
        V::Bool(true) => Tri::True,
        V::Bool(false) => Tri::False,
        other => {
            env.clash("the condition", other, "true or false");
            Tri::Unknown
        }
    }
}

/// As [`truth`], for an operand of a logical operator.
fn logical(node: &Node, env: &Env<'_>, operator: &'static str) -> Tri {
    match eval(node, env) {
        V::Bool(true) => Tri::True,
        V::Bool(false) => Tri::False,
        other => {
            env.clash(operator, other, "true or false");
            Tri::Unknown
        }
    }
}

fn eval<'v>(node: &'v Node, env: &'v Env<'_>) -> V<'v> {
    match node {
        Node::Bool(b) => V::Bool(*b),
        Node::Num(n) => V::Num(*n),
        Node::Text(t) => V::Text(t),
        Node::X => match V::of(env.x) {
            V::Num(n) => V::number(env.value(n)),
            other => other,
        },
        Node::Over(span) => match env.over(span) {
            Answer::Number(n) => V::Num(n),
            Answer::Truth(b) => V::Bool(b),
            Answer::Unknown => V::Unknown,
            Answer::Words => env.clash(span.over.name(), V::Text(""), "a number"),
        },
        Node::Quantity(quantity) => V::Num(quantity.value),
        Node::LimitStep(name) => env.limit(name).map_or(V::Unknown, |limit| V::number(env.step(limit))),
        Node::Reading(name) => V::of(env.reading(name)),
        Node::Limit(name) => env.limit(name).map_or(V::Unknown, |limit| V::number(env.value(limit))),
        Node::Tag(name) => env.source.tags.get(&**name).map_or(V::Unknown, |t| V::Text(t)),
        Node::Field(field) => V::Text(field.of(env.source)),
        Node::Has(fact) => V::Bool(match fact {
            Fact::Reading(name) => env.reading(name).is_some(),
            Fact::Limit(name) => env.limit(name).is_some(),
            Fact::Tag(name) => env.source.tags.contains_key(&**name),
        }),
        Node::Not(a) => match logical(a, env, "!") {
            Tri::True => V::Bool(false),
            Tri::False => V::Bool(true),
            Tri::Unknown => V::Unknown,
        },
        Node::Negate(a) => match eval(a, env) {
            V::Num(n) => V::Num(-n),
            other => env.clash("-", other, "a number"),
        },
        Node::And(ab) => match logical(&ab.0, env, "&&") {
            Tri::False => V::Bool(false),
            a => match (a, logical(&ab.1, env, "&&")) {
                (_, Tri::False) => V::Bool(false),
                (Tri::True, Tri::True) => V::Bool(true),
                _ => V::Unknown,
            },
        },
        Node::Or(ab) => match logical(&ab.0, env, "||") {
            Tri::True => V::Bool(true),
            a => match (a, logical(&ab.1, env, "||")) {
                (_, Tri::True) => V::Bool(true),
                (Tri::False, Tri::False) => V::Bool(false),
                _ => V::Unknown,
            },
        },
        Node::If(abc) => match logical(&abc.0, env, "?:") {
            Tri::True => eval(&abc.1, env),
            Tri::False => eval(&abc.2, env),
            Tri::Unknown => V::Unknown,
        },
        Node::Compare(op, ab) => compare(*op, eval(&ab.0, env), eval(&ab.1, env), env),
        Node::Arith(op, ab) => match (eval(&ab.0, env), eval(&ab.1, env)) {
            (V::Num(a), V::Num(b)) => V::number(match op {
                Arith::Add => a + b,
                Arith::Sub => a - b,
                Arith::Mul => a * b,
                Arith::Div => a / b,
                Arith::Rem => a % b,
            }),
            (V::Num(_), other) | (other, _) => env.clash(op.sign(), other, "a number"),
        },
        Node::In(a, list) => match eval(a, env) {
            V::Unknown => V::Unknown,
            a => V::Bool(list.iter().any(|item| eval(item, env) == a)),
        },
        Node::Match(m, ab) => match (eval(&ab.0, env), eval(&ab.1, env)) {
            (V::Text(a), V::Text(b)) => V::Bool(match m {
                Match::Starts => a.starts_with(b),
                Match::Ends => a.ends_with(b),
                Match::Contains => a.contains(b),
            }),
            (V::Text(_), other) | (other, _) => env.clash(m.name(), other, "a text"),
        },
        Node::Abs(a) => match eval(a, env) {
            V::Num(n) => V::Num(n.abs()),
            other => env.clash("abs", other, "a number"),
        },
        Node::Least(list) => fold(list, env, "min", f64::min),
        Node::Greatest(list) => fold(list, env, "max", f64::max),
    }
}

fn fold<'v>(list: &'v [Node], env: &'v Env<'_>, name: &'static str, f: fn(f64, f64) -> f64) -> V<'v> {
    let mut best: Option<f64> = None;
    for node in list {
        match eval(node, env) {
            V::Num(n) => best = Some(best.map_or(n, |b| f(b, n))),
            other => return env.clash(name, other, "a number"),
        }
    }
    best.map_or(V::Unknown, V::Num)
}

/// Values of different kinds are not comparable, not even with `==`: a rule that compares a switch with 1 is mistaken, and
/// a silent "false" would hide it.
fn compare<'v>(op: Compare, a: V<'v>, b: V<'v>, env: &Env<'_>) -> V<'v> {
    let order = match (a, b) {
        (V::Unknown, _) | (_, V::Unknown) => return V::Unknown,
        (V::Num(a), V::Num(b)) => a.partial_cmp(&b),
        (V::Text(a), V::Text(b)) => Some(a.cmp(b)),
        (V::Bool(a), V::Bool(b)) if matches!(op, Compare::Eq | Compare::Ne) => Some(a.cmp(&b)),
        (V::Bool(_), V::Bool(_)) => return env.clash(op.sign(), a, "numbers or texts"),
        (a, b) => return env.clash(op.sign(), b, a.kind()),
    };
    let Some(order) = order else { return V::Unknown };
    V::Bool(match op {
        Compare::Eq => order.is_eq(),
        Compare::Ne => order.is_ne(),
        Compare::Lt => order.is_lt(),
        Compare::Le => order.is_le(),
        Compare::Gt => order.is_gt(),
        Compare::Ge => order.is_ge(),
    })
}
