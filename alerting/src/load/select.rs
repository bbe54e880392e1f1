//! Which sources a rule is about, and what of them it looks at: the `on` of a rule.

use std::sync::Arc;

use model::{Kind as SourceKind, Owner, SourceState, Unit};

use super::fields::{File, Map};
use crate::expr::Names;
use crate::problem::shown;
use crate::rule::Select;
use crate::yaml::{Kind, Node};

/// The `on` of a rule.
pub(super) struct On {
    pub select: Select,
    pub what: What,
    /// The unit of the rule's numbers.
    pub unit: Option<&'static Unit>,
}

pub(super) enum What {
    Reading(Arc<str>),
    States(Vec<SourceState>),
    /// Its parts look at readings and states; this is where its alarm stands.
    Anchor,
}

impl File<'_> {
    pub(super) fn on(&mut self, node: &Node, several: bool) -> Option<On> {
        let mut map = self.map(node, "a mapping with `class` and `reading` or `state`")?;
        let select = self.select(&mut map);
        let unit = map.take("unit").map(|node| self.unit(node));
        let what = if several { self.anchor(&mut map) } else { self.what(&mut map, node) };
        self.nothing_left(map);
        Some(On { select: select?, what: what?, unit: unit.map_or(Some(None), |unit| unit.map(Some))? })
    }

    /// Which sources: `class`, `kind`, `owner`, `grid`, `site`, `tags`, `where`.
    pub(super) fn select(&mut self, map: &mut Map<'_>) -> Option<Select> {
        let classes = map.take("class").map(|node| self.texts(node));
        let kind = map
            .take("kind")
            .map(|node| self.one_of(node, [("camera", SourceKind::Camera), ("sensor", SourceKind::Sensor)]));
        let owners = map.take("owner").map(|node| self.owners(node));
        let grids = map.take("grid").map(|node| self.texts(node));
        let sites = map.take("site").map(|node| self.texts(node));
        let tags = map.take("tags").map(|node| self.tags(node));
        let condition = map.take("where").map(|node| self.condition(node, Names::SourceOnly));
        let classes = classes.unwrap_or(Some(Vec::new()))?;
        Some(Select {
            classes: if classes.iter().any(|class| class == "*") { Vec::new() } else { classes },
            kind: kind.map_or(Some(None), |kind| kind.map(Some))?,
            owners: owners.unwrap_or(Some(Vec::new()))?,
            grids: grids.unwrap_or(Some(Vec::new()))?,
            sites: sites.unwrap_or(Some(Vec::new()))?,
            tags: tags.unwrap_or(Some(Vec::new()))?,
            condition: condition.map_or(Some(None), |condition| condition.map(Some))?,
        })
    }

    fn anchor(&mut self, map: &mut Map<'_>) -> Option<What> {
        match map.take("reading").or_else(|| map.take("state")) {
            None => Some(What::Anchor),
            Some(node) => {
                let expected = "it in a part; `on` says where alarms stand";
                self.problems.add(node.at, "a reading or state beside parts", expected);
                None
            }
        }
    }

    fn what(&mut self, map: &mut Map<'_>, node: &Node) -> Option<What> {
        match (map.take("reading"), map.take("state")) {
            (Some(reading), None) => self.text(reading).map(|name| What::Reading(name.into())),
            (None, Some(states)) => self.states(states).map(What::States),
            _ => {
                self.problems.add(node.at, "not one of `reading` and `state`", "one of them");
                None
            }
        }
    }

    pub(super) fn states(&mut self, node: &Node) -> Option<Vec<SourceState>> {
        let items = self.list(node, "a list of states, as [offline, silent]")?;
        let known = || SourceState::ALL.iter().map(|state| (state.as_str(), *state));
        let found: Vec<Option<SourceState>> = items.iter().map(|item| self.one_of(item, known())).collect();
        found.into_iter().collect()
    }

    /// One text or a list of them.
    fn texts(&mut self, node: &Node) -> Option<Vec<String>> {
        match &node.kind {
            Kind::List(items) if items.is_empty() => {
                self.problems.add(node.at, "an empty list", "one at least");
                None
            }
            Kind::List(items) => {
                let found: Vec<Option<String>> = items.iter().map(|item| self.text(item).map(str::to_owned)).collect();
                found.into_iter().collect()
            }
            _ => Some(vec![self.text(node)?.to_owned()]),
        }
    }

    fn owners(&mut self, node: &Node) -> Option<Vec<Owner>> {
        let known = || Owner::ALL.iter().map(|owner| (owner.as_str(), *owner));
        match &node.kind {
            Kind::List(items) if !items.is_empty() => {
                let found: Vec<Option<Owner>> = items.iter().map(|item| self.one_of(item, known())).collect();
                found.into_iter().collect()
            }
            _ => Some(vec![self.one_of(node, known())?]),
        }
    }

    fn tags(&mut self, node: &Node) -> Option<Vec<(String, Vec<String>)>> {
        let map = self.map(node, "tags with their values, as {river: main, bank: [left, right]}")?;
        let entries: Vec<_> = map.entries().map(|(key, node)| (key.text.clone(), self.texts(node))).collect();
        entries.into_iter().map(|(key, values)| Some((key, values?))).collect()
    }

    fn unit(&mut self, node: &Node) -> Option<&'static Unit> {
        let text = self.text(node)?;
        let unit = Unit::find(text);
        if unit.is_none() {
            let known: Vec<&str> = model::unit::UNITS.iter().map(|unit| unit.name).collect();
            self.problems.add(node.at, format!("the unknown unit {}", shown(text)), known.join(", "));
        }
        unit
    }
}
