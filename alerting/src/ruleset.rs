//! A set of rules.

use std::cell::Cell;

use model::{RuleId, Source, Unit};
use sha2::{Digest, Sha256};

use crate::expr::{Env, InTime, Tri};
use crate::load;
use crate::problem::Problem;
use crate::rule::{Rule, RuleStatus, Select};

/// Compiled rules, by id.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

impl RuleSet {
    /// Reads rule files, given as name and text; either all rules are good, or everything wrong is told.
    pub fn load(files: &[(String, String)]) -> Result<Self, Vec<Problem>> {
        let mut rules = load::load(files)?;
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Self { rules })
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Sixteen hex digits over the meaning of all rules.
    pub fn version(&self) -> String {
        let mut digest = Sha256::new();
        for rule in &self.rules {
            digest.update(format!("{} {}\n", rule.id, rule.version).as_bytes());
        }
        digest.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// One rule by itself, with what it needs of others; none for an unknown one.
    pub fn alone(&self, rule: &RuleId) -> Option<Self> {
        let number = self.find(rule)?;
        Some(Self { rules: vec![self.at(number).clone()] })
    }

    /// The same rules, all in force but those given up: for a try, where nobody is told anyway.
    pub fn in_force(mut self) -> Self {
        for rule in self.rules.iter_mut().filter(|rule| rule.status != RuleStatus::Retired) {
            rule.status = RuleStatus::Active;
        }
        self
    }

    /// The ids of all rules, in order.
    pub fn ids(&self) -> impl Iterator<Item = &RuleId> {
        self.rules.iter().map(|rule| &rule.id)
    }

    /// A rule's file, the line on which it begins, the hash of its meaning and where it is in its life.
    pub fn place_of(&self, id: &RuleId) -> Option<(&str, usize, &str, RuleStatus)> {
        let rule = self.at(self.find(id)?);
        Some((&rule.file, rule.at.line, &rule.version, rule.status))
    }

    pub(crate) fn at(&self, number: u32) -> &Rule {
        &self.rules[number as usize]
    }

    pub(crate) fn find(&self, id: &RuleId) -> Option<u32> {
        self.rules.binary_search_by(|rule| rule.id.cmp(id)).ok().map(|number| number as u32)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// The rules that watch a source, with their numbers, rising.
    pub(crate) fn about<'a>(&'a self, source: &'a Source) -> impl Iterator<Item = (u32, &'a Rule)> {
        let numbered = self.rules.iter().enumerate().map(|(number, rule)| (number as u32, rule));
        numbered.filter(|(_, rule)| rule.status.watches() && selects(&rule.select, source))
    }
}

/// Whether the rule's numbers can be compared with what the source measures. A source that names no unit is taken to
/// measure in the rule's.
pub(crate) fn measures_alike(rule: &Rule, source: &Source) -> bool {
    rule.unit.is_none_or(|unit| {
        source.unit.is_empty() || Unit::find(&source.unit).is_some_and(|other| other.dimension == unit.dimension)
    })
}

pub(crate) fn selects(select: &Select, source: &Source) -> bool {
    let one_of = |list: &[String], text: &str| list.is_empty() || list.iter().any(|known| known == text);
    let tagged = |key: &str, values: &[String]| source.tags.get(key).is_some_and(|value| one_of(values, value));
    one_of(&select.classes, &source.class)
        && (select.owners.is_empty() || select.owners.contains(&source.owner))
        && one_of(&select.grids, source.grid.as_str())
        && (select.sites.is_empty() || tagged("site_kind", &select.sites))
        && select.tags.iter().all(|(key, values)| tagged(key, values))
        && select.kind.is_none_or(|kind| kind == source.kind)
        && select.condition.as_ref().is_none_or(|condition| {
            let limits: Vec<_> = source
                .tags
                .iter()
                .filter_map(|(key, value)| Some((key.strip_prefix("limits.")?.into(), value.parse().ok()?)))
                .collect();
            let env =
                Env { source, x: None, readings: &(), limits: &limits, time: InTime::NONE, clash: Cell::new(None) };
            condition.eval(&env) == Tri::True
        })
}
