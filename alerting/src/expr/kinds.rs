//! What can be said about kinds before any value is seen: `"a" + 1` is wrong whatever the sensor sends.

use super::{Compare, Node};

/// The kind of value a node gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Number,
    Text,
    /// Known only when a reading arrives.
    Any,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Bool => "true or false",
            Kind::Number => "a number",
            Kind::Text => "a text",
            Kind::Any => "anything",
        }
    }

    fn fits(self, wanted: Kind) -> bool {
        self == wanted || self == Kind::Any || wanted == Kind::Any
    }
}

/// A node that cannot work: what it is, and what should stand there.
pub(super) struct Misfit {
    pub found: String,
    pub expected: String,
}

/// The kind of the node; every misfit below it is told.
pub(super) fn check(node: &Node, misfits: &mut Vec<Misfit>) -> Kind {
    match node {
        Node::Bool(_) | Node::Has(_) => Kind::Bool,
        Node::Num(_) | Node::Limit(_) | Node::LimitStep(_) | Node::Quantity(_) => Kind::Number,
        Node::Over(span) => {
            if span.over.is_truth() {
                Kind::Bool
            } else {
                Kind::Number
            }
        }
        Node::Text(_) | Node::Tag(_) | Node::Field(_) => Kind::Text,
        Node::X | Node::Reading(_) => Kind::Any,
        Node::Not(a) => want(a, Kind::Bool, "!", misfits),
        Node::Negate(a) => want(a, Kind::Number, "-", misfits),
        Node::Abs(a) => want(a, Kind::Number, "abs", misfits),
        Node::And(ab) => both(ab, Kind::Bool, "&&", misfits),
        Node::Or(ab) => both(ab, Kind::Bool, "||", misfits),
        Node::Arith(op, ab) => both(ab, Kind::Number, op.sign(), misfits),
        Node::Match(m, ab) => {
            both(ab, Kind::Text, m.name(), misfits);
            Kind::Bool
        }
        Node::If(abc) => {
            want(&abc.0, Kind::Bool, "?:", misfits);
            let (a, b) = (check(&abc.1, misfits), check(&abc.2, misfits));
            same(a, b, "?:", misfits);
            if a == Kind::Any { b } else { a }
        }
        Node::Compare(op, ab) => {
            let (a, b) = (check(&ab.0, misfits), check(&ab.1, misfits));
            same(a, b, op.sign(), misfits);
            if !matches!(op, Compare::Eq | Compare::Ne) && (a == Kind::Bool || b == Kind::Bool) {
                misfits.push(Misfit {
                    found: format!("true or false beside `{}`", op.sign()),
                    expected: "numbers or texts".into(),
                });
            }
            Kind::Bool
        }
        Node::In(a, list) => {
            let a = check(a, misfits);
            for item in list {
                same(a, check(item, misfits), "in", misfits);
            }
            Kind::Bool
        }
        Node::Least(list) | Node::Greatest(list) => {
            for item in list {
                want(item, Kind::Number, "min or max", misfits);
            }
            Kind::Number
        }
    }
}

/// Tells when the whole gives no truth value.
pub(super) fn check_whole(node: &Node, misfits: &mut Vec<Misfit>) {
    let kind = check(node, misfits);
    if !kind.fits(Kind::Bool) {
        misfits.push(Misfit {
            found: format!("an expression that gives {}", kind.name()),
            expected: "a condition".into(),
        });
    }
}

fn want(node: &Node, wanted: Kind, operator: &str, misfits: &mut Vec<Misfit>) -> Kind {
    let kind = check(node, misfits);
    if !kind.fits(wanted) {
        misfits.push(Misfit { found: format!("{} beside `{operator}`", kind.name()), expected: wanted.name().into() });
    }
    wanted
}

fn both(ab: &(Node, Node), wanted: Kind, operator: &str, misfits: &mut Vec<Misfit>) -> Kind {
    want(&ab.0, wanted, operator, misfits);
    want(&ab.1, wanted, operator, misfits)
}

fn same(a: Kind, b: Kind, operator: &str, misfits: &mut Vec<Misfit>) {
    if !a.fits(b) {
        let found = format!("{} and {} beside `{operator}`", a.name(), b.name());
        misfits.push(Misfit { found, expected: "two of one kind".into() });
    }
}
