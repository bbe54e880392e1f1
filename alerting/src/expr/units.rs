//! Dimensions: what a condition compares must measure the same.
//!
//! The numbers of a rule are in the rule's unit; so are its limits, and `rate` is that unit in an hour. A plain number,
//! a limit and another reading fit anything beside them. Literals of other units are turned into these here, once.

use model::Unit;
use model::unit::Dimension;

use super::kinds::Misfit;
use super::literals::Quantity;
use super::over::{Over, Span};
use super::{Arith, Node};

/// What a node measures.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Measure {
    /// A number as written.
    Plain,
    /// Known to the registry or to a payload only, or no number at all.
    Any,
    Of(Dimension, Scale),
}

/// Whether the zero of the unit counts: 10 degC are 50 degF, 10 degC more are 18 degF more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    Value,
    Step,
}

/// Turns literals into the rule's unit; tells what does not fit.
pub(super) fn resolve(node: &mut Node, unit: Option<&'static Unit>, misfits: &mut Vec<Misfit>) {
    Resolver { unit, misfits }.measure(node, Scale::Value);
}

struct Resolver<'m> {
    unit: Option<&'static Unit>,
    misfits: &'m mut Vec<Misfit>,
}

impl Resolver<'_> {
    fn own(&self) -> Dimension {
        self.unit.map_or(Dimension::NONE, |unit| unit.dimension)
    }

    fn measure(&mut self, node: &mut Node, scale: Scale) -> Measure {
        match node {
            Node::Num(_) => Measure::Plain,
            Node::Quantity(quantity) => {
                let (value, measure) = self.literal(*quantity, scale);
                *node = Node::Num(value);
                measure
            }
            Node::X => Measure::Of(self.own(), Scale::Value),
            Node::Over(span) => self.over(&span.clone()),
            Node::Limit(name) if scale == Scale::Step => {
                *node = Node::LimitStep(name.clone());
                Measure::Any
            }
            Node::Bool(_)
            | Node::Text(_)
            | Node::Reading(_)
            | Node::Limit(_)
            | Node::LimitStep(_)
            | Node::Tag(_)
            | Node::Field(_)
            | Node::Has(_) => Measure::Any,
            Node::Not(a) => {
                self.measure(a, Scale::Value);
                Measure::Any
            }
            Node::Negate(a) | Node::Abs(a) => self.measure(a, scale),
            Node::And(ab) | Node::Or(ab) | Node::Match(_, ab) => {
                self.measure(&mut ab.0, Scale::Value);
                self.measure(&mut ab.1, Scale::Value);
                Measure::Any
            }
            Node::Compare(op, ab) => {
                let sign = op.sign();
                self.beside(&mut ab.0, &mut ab.1, sign);
                Measure::Any
            }
            Node::Arith(op @ (Arith::Add | Arith::Sub), ab) => {
                let op = *op;
                let a = self.measure(&mut ab.0, scale);
                // What is added to a value is a step; what is taken from one may be either.
                let right = if op == Arith::Sub && is_value(&ab.1) { Scale::Value } else { Scale::Step };
                let b = self.measure(&mut ab.1, right);
                self.same(a, b, op.sign());
                match (a, b) {
                    (Measure::Of(dimension, Scale::Value), Measure::Of(_, Scale::Value)) if op == Arith::Sub => {
                        Measure::Of(dimension, Scale::Step)
                    }
                    (Measure::Of(..), _) => a,
                    (_, Measure::Of(..)) => b,
                    (Measure::Plain, Measure::Plain) => Measure::Plain,
                    _ => Measure::Any,
                }
            }
            Node::Arith(op, ab) => {
                let op = *op;
                let (a, b) = (self.measure(&mut ab.0, Scale::Step), self.measure(&mut ab.1, Scale::Step));
                product(op, a, b)
            }
            Node::If(abc) => {
                self.measure(&mut abc.0, Scale::Value);
                let (b, c) = (self.measure(&mut abc.1, scale), self.measure(&mut abc.2, scale));
                self.same(b, c, "?:");
                if matches!(b, Measure::Of(..)) { b } else { c }
            }
            Node::In(a, list) => {
                let a = self.measure(a, Scale::Value);
                for item in list.iter_mut() {
                    let item = self.measure(item, Scale::Value);
                    self.same(a, item, "in");
                }
                Measure::Any
            }
            Node::Least(list) | Node::Greatest(list) => {
                let mut whole = Measure::Plain;
                for item in list.iter_mut() {
                    let item = self.measure(item, scale);
                    self.same(whole, item, "min or max");
                    if !matches!(whole, Measure::Of(..)) {
                        whole = item;
                    }
                }
                whole
            }
        }
    }

    /// Two sides of a comparison: a literal or a limit beside a step is a step.
    fn beside(&mut self, a: &mut Node, b: &mut Node, sign: &str) {
        let scale = if is_step(a) || is_step(b) { Scale::Step } else { Scale::Value };
        let (left, right) = (self.measure(a, scale), self.measure(b, scale));
        self.same(left, right, sign);
    }

    fn same(&mut self, a: Measure, b: Measure, sign: &str) {
        if let (Measure::Of(a, _), Measure::Of(b, _)) = (a, b)
            && a != b
        {
            self.misfits.push(Misfit {
                found: format!("{} and {} beside `{sign}`", self.shown(a), self.shown(b)),
                expected: "two of one dimension".into(),
            });
        }
    }

    fn shown(&self, dimension: Dimension) -> String {
        match self.unit {
            Some(unit) if unit.dimension == dimension => format!("{dimension} (in {})", unit.name),
            Some(unit) if unit.dimension.per_time() == dimension => {
                format!("{} in a time (in {} per h)", unit.dimension, unit.name)
            }
            None if dimension == Dimension::NONE.per_time() => "a number in a time".into(),
            _ => dimension.to_string(),
        }
    }

    fn over(&mut self, span: &Span) -> Measure {
        let own = self.own();
        if span.over == Over::Sum && span.reading.is_none() && self.unit.is_some_and(has_zeros) {
            self.misfits.push(Misfit { found: "a sum of temperatures".into(), expected: "avg, min or max".into() });
        }
        match span.over {
            Over::Count => Measure::Plain,
            Over::Changed | Over::Absent => Measure::Any,
            _ if span.reading.is_some() => Measure::Any,
            Over::Avg | Over::Min | Over::Max | Over::Sum => Measure::Of(own, Scale::Value),
            Over::Delta => Measure::Of(own, Scale::Step),
            Over::Rate => Measure::Of(own.per_time(), Scale::Step),
        }
    }

    /// The number in the rule's terms, and what it measures.
    fn literal(&mut self, quantity: Quantity, scale: Scale) -> (f64, Measure) {
        let Quantity { value, unit, per } = quantity;
        let scale = if per.is_some() { Scale::Step } else { scale };
        let Some(unit) = unit else {
            let value = per.map_or(value, |per| per.in_hour(value));
            return (value, Measure::Of(self.own().per_time(), Scale::Step));
        };
        let Some(own) = self.unit else {
            let found = format!("{} in a rule that names no unit", shown(quantity));
            self.misfits.push(Misfit { found, expected: "`unit: ...` under `on`, or a plain number".into() });
            return (value, Measure::Any);
        };
        let value = per.map_or(value, |per| per.in_hour(value));
        let dimension = if per.is_some() { unit.dimension.per_time() } else { unit.dimension };
        if let Some(to) = unit.to(own) {
            let value = if scale == Scale::Step { to.step(value) } else { to.value(value) };
            return (value, Measure::Of(dimension, scale));
        }
        // `3 m/h` beside the rate of a level in cm.
        if per.is_none() && dimension == own.dimension.per_time() {
            return (value * unit.factor() * 3_600.0 / own.factor(), Measure::Of(dimension, Scale::Step));
        }
        (value * unit.factor(), Measure::Of(dimension, scale))
    }
}

fn shown(quantity: Quantity) -> String {
    let unit = quantity.unit.map_or("", |unit| unit.name);
    let per = quantity.per.map_or_else(String::new, |per| format!(" per {}", per.word()));
    format!("`{} {unit}{per}`", quantity.value)
}

/// Whether units of what it measures differ in their zeros.
fn has_zeros(unit: &Unit) -> bool {
    model::unit::UNITS.iter().any(|other| other.dimension == unit.dimension && other.zero != 0.0)
}

/// Whether a node is a value of the reading itself, and not a difference.
fn is_value(node: &Node) -> bool {
    match node {
        Node::X => true,
        Node::Over(span) => matches!(span.over, Over::Avg | Over::Min | Over::Max),
        Node::Abs(a) | Node::Negate(a) => is_value(a),
        Node::Least(list) | Node::Greatest(list) => list.iter().any(is_value),
        _ => false,
    }
}

fn is_step(node: &Node) -> bool {
    match node {
        Node::Over(span) => matches!(span.over, Over::Delta | Over::Rate),
        Node::Arith(Arith::Sub, ab) => is_value(&ab.0) && is_value(&ab.1),
        Node::Arith(Arith::Mul | Arith::Div, ab) => is_step(&ab.0) || is_step(&ab.1),
        Node::Abs(a) | Node::Negate(a) => is_step(a),
        Node::Least(list) | Node::Greatest(list) => list.iter().any(is_step),
        _ => false,
    }
}

fn product(op: Arith, a: Measure, b: Measure) -> Measure {
    match (a, b) {
        (Measure::Any, _) | (_, Measure::Any) => Measure::Any,
        (Measure::Plain, Measure::Plain) => Measure::Plain,
        (Measure::Of(..), Measure::Plain) => a,
        (Measure::Plain, Measure::Of(dimension, _)) if op == Arith::Div => {
            Measure::Of(Dimension::NONE.over(dimension), Scale::Step)
        }
        (Measure::Plain, Measure::Of(..)) => b,
        (Measure::Of(a, _), Measure::Of(b, _)) => {
            let made = match op {
                Arith::Mul => a.times(b),
                Arith::Div => a.over(b),
                _ => return Measure::Of(a, Scale::Step),
            };
            // A quotient of two of a kind is a plain number.
            if made == Dimension::NONE { Measure::Plain } else { Measure::Of(made, Scale::Step) }
        }
    }
}
