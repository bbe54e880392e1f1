//! Conditions: CEL text, compiled once, evaluated millions of times.
//!
//! The `cel` crate parses; the tree is then checked and turned into our own small one, because rules need what an interpreter of
//! the full language does not give: three-valued logic (a missing value is *unknown*, not an error), numbers of one kind, a
//! known worst-case cost (no loops, no regular expressions), and tens of nanoseconds an evaluation. A test holds that both
//! evaluate alike wherever both have an answer.
//!
//! The language: literals; `x` (the reading), `r.NAME` (another reading of the same source), `source.FIELD`,
//! `source.tags.NAME`, `device.limits.NAME`; `+ - * / % == != < <= > >= && || ! ?: in has()`; `startsWith endsWith contains`;
//! `abs min max`; times and quantities (`literals.rs`), functions over a span of time (`over.rs`), dimensions (`units.rs`).

mod compile;
mod eval;
mod kinds;
mod literals;
mod names;
mod over;
mod threshold;
mod units;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use model::{Source, Unit, Value};

pub(crate) use compile::Fault;
pub(crate) use eval::{Env, InTime, Readings, Tri, TypeClash};
use literals::Quantity;
pub(crate) use names::Named;
pub(crate) use over::{Answer, Over, Span, time_text};
pub(crate) use threshold::{Direction, Threshold};

/// The longest expression, in bytes. The longest sensible one we know has 300.
pub(crate) const MAX_BYTES: usize = 2 * 1024;
/// The deepest nesting of brackets, checked before any parser sees the text.
pub(crate) const MAX_NESTING: usize = 24;

/// A compiled condition.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    text: Arc<str>,
    root: Node,
}

/// Which variables an expression may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// `x`, `r`, `source`, `device`: a level's condition.
    All,
    /// `source`, `device`: a selection, decided once per source.
    SourceOnly,
}

impl Condition {
    /// Compiles, or tells everything wrong with the text.
    #[cfg(test)]
    pub fn compile(text: &str, names: Names) -> Result<Self, Vec<Fault>> {
        Self::compile_in(text, names, None)
    }

    /// As [`Condition::compile`], for numbers written in a unit: that of `x` and of the limits.
    pub fn compile_in(text: &str, names: Names, unit: Option<&'static Unit>) -> Result<Self, Vec<Fault>> {
        let root = compile::compile(text, names, unit)?;
        Ok(Self { text: text.trim().into(), root })
    }

    /// The tree, for whoever reasons about it.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// As written in the rule.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it means: equal for two texts that differ in blanks, brackets and the spelling of numbers only.
    pub fn meaning(&self) -> String {
        self.root.to_string()
    }

    /// True, false, or unknown when a value is missing or does not fit its operator.
    pub fn eval(&self, env: &Env<'_>) -> Tri {
        eval::truth(&self.root, env)
    }

    /// The simple form `x >= limit + number`, when the condition has it.
    pub fn threshold(&self) -> Option<Threshold<'_>> {
        threshold::of(&self.root)
    }

    /// The other readings of the source that it names.
    pub fn readings(&self) -> Vec<&Arc<str>> {
        let mut out = Vec::new();
        self.root.walk(&mut |node| match node {
            Node::Reading(name) | Node::Has(Fact::Reading(name)) if !out.contains(&name) => out.push(name),
            Node::Over(Span { reading: Some(name), .. }) if !out.contains(&name) => out.push(name),
            _ => {}
        });
        out
    }

    /// The functions over time that it asks.
    pub fn spans(&self) -> Vec<&Span> {
        let mut out = Vec::new();
        self.root.walk(&mut |node| match node {
            Node::Over(span) if !out.contains(&span) => out.push(span),
            _ => {}
        });
        out
    }

    /// Whether it says something of a reading that does not come.
    pub fn sees_absence(&self) -> bool {
        self.spans().iter().any(|span| span.over.sees_absence())
    }

    /// The limits that it names.
    pub fn limits(&self) -> Vec<&Arc<str>> {
        let mut out = Vec::new();
        self.root.walk(&mut |node| match node {
            Node::Limit(name) | Node::LimitStep(name) if !out.contains(&name) => out.push(name),
            _ => {}
        });
        out
    }

    /// The names that the condition used, as written, with their values at this moment; unknown ones are left out.
    pub fn values(&self, env: &Env<'_>) -> BTreeMap<String, Value> {
        let mut out = BTreeMap::new();
        self.root.walk(&mut |node| {
            let value = match node {
                Node::X => env.x_scaled(),
                Node::Over(span) => match env.over(span) {
                    Answer::Number(number) => Some(Value::Number(number)),
                    Answer::Truth(truth) => Some(Value::Bool(truth)),
                    Answer::Unknown | Answer::Words => None,
                },
                Node::Reading(name) => env.reading(name).cloned(),
                Node::Limit(name) => env.limit(name).map(|limit| Value::Number(env.value(limit))),
                Node::LimitStep(name) => env.limit(name).map(|limit| Value::Number(env.step(limit))),
                Node::Tag(name) => env.source.tags.get(&**name).cloned().map(Value::Text),
                Node::Field(field) => Some(Value::Text(field.of(env.source).to_owned())),
                _ => None,
            };
            if let Some(value) = value {
                out.insert(node.to_string(), value);
            }
        });
        out
    }
}

/// The tree. Depth is bounded at compile time, so evaluation may recurse.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Bool(bool),
    Num(f64),
    Text(Arc<str>),
    X,
    Reading(Arc<str>),
    Limit(Arc<str>),
    Tag(Arc<str>),
    Field(Field),
    Has(Fact),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<(Node, Node)>),
    Or(Box<(Node, Node)>),
    If(Box<(Node, Node, Node)>),
    Compare(Compare, Box<(Node, Node)>),
    Arith(Arith, Box<(Node, Node)>),
    In(Box<Node>, Box<[Node]>),
    Match(Match, Box<(Node, Node)>),
    Abs(Box<Node>),
    Least(Box<[Node]>),
    Greatest(Box<[Node]>),
    /// A function over time.
    Over(Span),
    /// A limit beside a difference or a rate: the zero of its unit does not count.
    LimitStep(Arc<str>),
    /// As written; a number in the rule's unit once dimensions are known.
    Quantity(Quantity),
}

/// Whose presence `has()` asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fact {
    Reading(Arc<str>),
    Limit(Arc<str>),
    Tag(Arc<str>),
}

/// A field of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Id,
    Kind,
    Class,
    Name,
    Owner,
    Grid,
    Unit,
}

impl Field {
    pub const ALL: [(&str, Field); 7] = [
        ("id", Field::Id),
        ("kind", Field::Kind),
        ("class", Field::Class),
        ("name", Field::Name),
        ("owner", Field::Owner),
        ("grid", Field::Grid),
        ("unit", Field::Unit),
    ];

    pub fn of(self, source: &Source) -> &str {
        match self {
            Field::Id => source.id.as_str(),
            Field::Kind => match source.kind {
                model::Kind::Camera => "camera",
                model::Kind::Sensor => "sensor",
            },
            Field::Class => &source.class,
            Field::Name => &source.name,
            Field::Owner => source.owner.as_str(),
            Field::Grid => source.grid.as_str(),
            Field::Unit => &source.unit,
        }
    }
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Compare {
    pub fn sign(self) -> &'static str {
        match self {
            Compare::Eq => "==",
            Compare::Ne => "!=",
            Compare::Lt => "<",
            Compare::Le => "<=",
            Compare::Gt => ">",
            Compare::Ge => ">=",
        }
    }
}

/// Arithmetic operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arith {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

impl Arith {
    pub fn sign(self) -> &'static str {
        match self {
            Arith::Add => "+",
            Arith::Sub => "-",
            Arith::Mul => "*",
            Arith::Div => "/",
            Arith::Rem => "%",
        }
    }
}

/// Text predicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    Starts,
    Ends,
    Contains,
}

impl Match {
    pub fn name(self) -> &'static str {
        match self {
            Match::Starts => "startsWith",
            Match::Ends => "endsWith",
            Match::Contains => "contains",
        }
    }
}

impl Node {
    /// Calls `f` for this node and all below.
    pub fn walk<'a>(&'a self, f: &mut impl FnMut(&'a Node)) {
        f(self);
        match self {
            Node::Not(a) | Node::Negate(a) | Node::Abs(a) => a.walk(f),
            Node::And(ab) | Node::Or(ab) | Node::Compare(_, ab) | Node::Arith(_, ab) | Node::Match(_, ab) => {
                ab.0.walk(f);
                ab.1.walk(f);
            }
            Node::If(abc) => {
                abc.0.walk(f);
                abc.1.walk(f);
                abc.2.walk(f);
            }
            Node::In(a, list) => {
                a.walk(f);
                list.iter().for_each(|n| n.walk(f));
            }
            Node::Least(list) | Node::Greatest(list) => list.iter().for_each(|n| n.walk(f)),
            Node::Bool(_)
            | Node::Num(_)
            | Node::Text(_)
            | Node::X
            | Node::Reading(_)
            | Node::Limit(_)
            | Node::Tag(_)
            | Node::Field(_)
            | Node::Over(_)
            | Node::LimitStep(_)
            | Node::Quantity(_)
            | Node::Has(_) => {}
        }
    }
}

/// Fully bracketed; serves the meaning hash and the names in evidence.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, nodes: &[Node]| {
            nodes.iter().enumerate().try_for_each(|(i, n)| write!(f, "{}{n}", if i == 0 { "" } else { ", " }))
        };
        match self {
            Node::Bool(b) => write!(f, "{b}"),
            Node::Num(n) => write!(f, "{n}"),
            Node::Text(t) => write!(f, "{t:?}"),
            Node::X => f.write_str("x"),
            Node::Reading(name) | Node::Has(Fact::Reading(name)) => self.has(f, "r", name),
            Node::Limit(name) | Node::LimitStep(name) | Node::Has(Fact::Limit(name)) => {
                self.has(f, "device.limits", name)
            }
            Node::Tag(name) | Node::Has(Fact::Tag(name)) => self.has(f, "source.tags", name),
            Node::Field(field) => {
                let name = Field::ALL.iter().find(|(_, x)| x == field).map_or("", |(name, _)| name);
                write!(f, "source.{name}")
            }
            Node::Not(a) => write!(f, "!{a}"),
            Node::Negate(a) => write!(f, "-{a}"),
            Node::And(ab) => write!(f, "({} && {})", ab.0, ab.1),
            Node::Or(ab) => write!(f, "({} || {})", ab.0, ab.1),
            Node::If(abc) => write!(f, "({} ? {} : {})", abc.0, abc.1, abc.2),
            Node::Compare(op, ab) => write!(f, "({} {} {})", ab.0, op.sign(), ab.1),
            Node::Arith(op, ab) => write!(f, "({} {} {})", ab.0, op.sign(), ab.1),
            Node::In(a, nodes) => {
                write!(f, "({a} in [")?;
                list(f, nodes)?;
                f.write_str("])")
            }
            Node::Match(m, ab) => write!(f, "{}.{}({})", ab.0, m.name(), ab.1),
            Node::Abs(a) => write!(f, "abs({a})"),
            Node::Least(nodes) | Node::Greatest(nodes) => {
                f.write_str(if matches!(self, Node::Least(_)) { "min(" } else { "max(" })?;
                list(f, nodes)?;
                f.write_str(")")
            }
            Node::Over(Span { over, reading, span_ms }) => {
                let (dot, reading) = reading.as_ref().map_or(("x", ""), |name| ("r.", name));
                write!(f, "{}({dot}{reading}", over.name())?;
                if *span_ms > 0 { write!(f, ", {})", time_text(*span_ms)) } else { f.write_str(")") }
            }
            Node::Quantity(quantity) => write!(f, "{}", quantity.value),
        }
    }
}

impl Node {
    fn has(&self, f: &mut fmt::Formatter<'_>, root: &str, name: &str) -> fmt::Result {
        if matches!(self, Node::Has(_)) { write!(f, "has({root}.{name})") } else { write!(f, "{root}.{name}") }
    }
}
