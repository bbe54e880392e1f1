//! The simple shape `x >= device.limits.red - 0.1`, in which most conditions are written. From it the loader sees levels in the
//! wrong order and a clear that overlaps its raise.

use super::{Arith, Compare, Node};

/// `x OP base + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Threshold<'a> {
    pub direction: Direction,
    /// Whether the threshold itself belongs to the condition (`>=`, `<=`).
    pub inclusive: bool,
    /// The limit that it rests on; none for a plain number.
    pub limit: Option<&'a str>,
    pub offset: f64,
}

/// On which side of the threshold the condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Above,
    Below,
}

pub(super) fn of(node: &Node) -> Option<Threshold<'_>> {
    let Node::Compare(op, ab) = node else { return None };
    let (op, other) = match (&ab.0, &ab.1) {
        (Node::X, other) => (*op, other),
        (other, Node::X) => (mirrored(*op), other),
        _ => return None,
    };
    let (direction, inclusive) = match op {
        Compare::Gt => (Direction::Above, false),
        Compare::Ge => (Direction::Above, true),
        Compare::Lt => (Direction::Below, false),
        Compare::Le => (Direction::Below, true),
        Compare::Eq | Compare::Ne => return None,
    };
    let (limit, offset) = sum(other)?;
    Some(Threshold { direction, inclusive, limit, offset })
}

fn mirrored(op: Compare) -> Compare {
    match op {
        Compare::Lt => Compare::Gt,
        Compare::Le => Compare::Ge,
        Compare::Gt => Compare::Lt,
        Compare::Ge => Compare::Le,
        same => same,
    }
}

/// A number, or a limit plus or minus a number.
fn sum(node: &Node) -> Option<(Option<&str>, f64)> {
    match node {
        Node::Num(n) => Some((None, *n)),
        Node::Limit(name) | Node::LimitStep(name) => Some((Some(name), 0.0)),
        Node::Negate(a) => match sum(a)? {
            (None, n) => Some((None, -n)),
            _ => None,
        },
        Node::Arith(op @ (Arith::Add | Arith::Sub), ab) => {
            let (a, b) = (sum(&ab.0)?, sum(&ab.1)?);
            match (op, a, b) {
                (Arith::Add, (limit, m), (None, n)) | (Arith::Add, (None, m), (limit, n)) => Some((limit, m + n)),
                (Arith::Sub, (limit, m), (None, n)) => Some((limit, m - n)),
                _ => None,
            }
        }
        _ => None,
    }
}
