//! The names in a condition, as written and as what they are.

use super::{Condition, Field, Node};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Named<'a> {
    /// The rule's reading.
    X,
    /// Another reading of the source.
    Reading(&'a str),
    Limit(&'a str),
    Tag(&'a str),
    Field(Field),
}

impl Condition {
    /// Each name once, in the order of the text.
    pub fn names(&self) -> Vec<(String, Named<'_>)> {
        let mut out: Vec<(String, Named<'_>)> = Vec::new();
        self.root().walk(&mut |node| {
            let named = match node {
                Node::X => Named::X,
                Node::Reading(name) => Named::Reading(name),
                Node::Limit(name) => Named::Limit(name),
                Node::Tag(name) => Named::Tag(name),
                Node::Field(field) => Named::Field(*field),
                _ => return,
            };
            if !out.iter().any(|(_, known)| *known == named) {
                out.push((node.to_string(), named));
            }
        });
        out
    }
}
