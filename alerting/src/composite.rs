//! Rules over several sources, in their usable form: parts that must hold together, and how many of them.
//!
//! Belongs here: what a part is and what a count of parts says. How parts are read from a file is `load/composite.rs`,
//! how they are followed is `engine/composite.rs`.

use std::sync::Arc;

use jiff::SignedDuration;
use model::{Level, RuleId, SourceState};

use crate::expr::{Condition, Tri};
use crate::problem::Pos;
use crate::relation::Relation;
use crate::rule::Select;

/// The most parts of a rule; nobody can judge more at once.
pub(crate) const MAX_PARTS: usize = 16;

/// What holds at sources that belong together.
#[derive(Debug, Clone)]
pub(crate) struct Composite {
    /// At most [`MAX_PARTS`].
    pub parts: Vec<Part>,
    /// A part counts for so long after it held.
    pub within: SignedDuration,
    /// How a part's sources are related to the anchor.
    pub relation: Relation,
    /// The lowest level first: the fallback, if there is one, then the whole.
    pub counts: Vec<Count>,
}

/// One of the things that hold together.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub name: Arc<str>,
    pub what: What,
}

/// What must hold at a source.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// A condition over a reading.
    Reading { select: Select, reading: Arc<str>, when: Condition },
    /// The state of the source's link.
    State { select: Select, states: Vec<SourceState> },
    /// An alarm of a rule.
    Alarm { rule: RuleId, at: Pos },
}

/// How many of which parts make a level.
#[derive(Debug, Clone)]
pub(crate) struct Count {
    pub level: Level,
    pub need: usize,
    /// Which parts count.
    pub of: Vec<usize>,
    /// For how long there must be so many.
    pub wait: SignedDuration,
    /// Whether a part counts only while it holds, not for `within` after it: a lone part must last.
    pub only_now: bool,
}

impl Composite {
    /// `2 of [smoke, heat]`
    pub fn text(&self, count: &Count) -> String {
        let names: Vec<&str> = count.of.iter().map(|part| &*self.parts[*part].name).collect();
        format!("{} of [{}]", count.need, names.join(", "))
    }

    /// As [`Composite::text`], with where and when.
    pub fn words(&self, count: &Count) -> String {
        let mut text = self.text(count);
        if !self.within.is_zero() && !count.only_now {
            text += &format!(" within {} s", self.within.as_secs());
        }
        if self.relation != Relation::Itself {
            text += &format!(", {}", self.relation);
        }
        text
    }

    /// All that decides, for the rule's version.
    pub fn meaning(&self) -> String {
        let mut text = format!("several {:?} {}", self.within, self.relation);
        for Part { name: _, what } in &self.parts {
            text += &match what {
                What::Reading { select, reading, when } => {
                    format!("|{} {reading} {}", select.meaning(), when.meaning())
                }
                What::State { select, states } => format!("|{} {states:?}", select.meaning()),
                What::Alarm { rule, at: _ } => format!("|alarm {rule}"),
            };
        }
        for Count { level, need, of, wait, only_now: _ } in &self.counts {
            text += &format!("|{} {need} {of:?} {wait:?}", level.as_str());
        }
        text
    }
}

impl Count {
    /// So many known to hold make it true; so few that could hold make it false; else nobody can say.
    pub fn of(&self, parts: &[Tri]) -> Tri {
        let count = |tri: Tri| self.of.iter().filter(|part| parts[**part] == tri).count();
        let (yes, perhaps) = (count(Tri::True), count(Tri::Unknown));
        if yes >= self.need {
            Tri::True
        } else if yes + perhaps < self.need {
            Tri::False
        } else {
            Tri::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the definition: it is true (false) if it is so whatever the unknown ones are.
    #[test]
    fn a_count_says_what_holds_whatever_the_unknown_parts_are() {
        let all = [Tri::True, Tri::False, Tri::Unknown];
        for need in 1..=3 {
            let count =
                Count { level: Level::Blue, need, of: vec![0, 1, 2], wait: SignedDuration::ZERO, only_now: false };
            for n in 0..27 {
                let parts = [all[n % 3], all[n / 3 % 3], all[n / 9]];
                let worlds: Vec<bool> = (0..8)
                    .map(|world| {
                        let holds = |(place, tri): (usize, &Tri)| match tri {
                            Tri::True => true,
                            Tri::False => false,
                            Tri::Unknown => world >> place & 1 == 1,
                        };
                        parts.iter().enumerate().filter(|part| holds(*part)).count() >= need
                    })
                    .collect();
                let expected = match (worlds.contains(&true), worlds.contains(&false)) {
                    (true, false) => Tri::True,
                    (false, _) => Tri::False,
                    (true, true) => Tri::Unknown,
                };
                assert_eq!(count.of(&parts), expected, "{need} of {parts:?}");
            }
        }
    }
}
