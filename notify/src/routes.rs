//! Which incidents a route is for.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::{Grid, GridId, Hazard, Level, Owner, RuleId, Source, SourceId};

use crate::telling::Route;

/// Grids nest a few levels; a ring of parents in a bad import must not hang the hub.
const DEEPEST: usize = 64;

/// What the planner needs to know of the town.
#[derive(Debug, Clone, Default)]
pub struct Town {
    grids: HashMap<GridId, (String, Option<GridId>)>,
    owners: HashMap<SourceId, Owner>,
}

/// What a route looks at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Traits {
    pub level: Level,
    pub hazard: Hazard,
    pub grid: GridId,
    pub rules: BTreeSet<RuleId>,
    pub sources: Vec<SourceId>,
    /// Owners beside those of the sources; for a made-up incident.
    pub owners: Vec<Owner>,
}

impl Town {
    /// The town of these grids and sources.
    pub fn new<'s>(grids: &[Grid], sources: impl IntoIterator<Item = &'s Source>) -> Self {
        Self {
            grids: grids.iter().map(|grid| (grid.id.clone(), (grid.name.clone(), grid.parent.clone()))).collect(),
            owners: sources.into_iter().map(|source| (source.id.clone(), source.owner)).collect(),
        }
    }

    /// The grid's name, or its id.
    pub fn name_of(&self, grid: &GridId) -> String {
        self.grids.get(grid).map_or(grid.as_str(), |(name, _)| name).to_owned()
    }

    /// Whether a grid is one of these or inside one.
    pub fn lies_in(&self, grid: &GridId, wanted: &[GridId]) -> bool {
        let parent = |id: &&GridId| self.grids.get(*id).and_then(|(_, parent)| parent.as_ref());
        std::iter::successors(Some(grid), parent).take(DEEPEST).any(|id| wanted.contains(id))
    }
}

impl Route {
    /// Whether an incident with these traits, come to them at `at`, is the route's.
    pub(crate) fn is_for(&self, traits: &Traits, town: &Town, at: Timestamp, zone: &TimeZone) -> bool {
        let owned = |owner: &Owner| {
            let of_source = |id: &SourceId| town.owners.get(id) == Some(owner);
            traits.owners.contains(owner) || traits.sources.iter().any(of_source)
        };
        traits.level >= self.level
            && (self.hazards.is_empty() || self.hazards.contains(&traits.hazard))
            && (self.grids.is_empty() || town.lies_in(&traits.grid, &self.grids))
            && (self.rules.is_empty() || self.rules.iter().any(|rule| traits.rules.contains(rule)))
            && (self.owners.is_empty() || self.owners.iter().any(owned))
            && (self.when.is_empty() || self.when.iter().any(|hours| hours.is_open(at, zone)))
    }
}

#[cfg(test)]
mod tests {
    use model::Kind;

    use super::*;

    fn town() -> Town {
        let grid = |id: &str, parent: Option<&str>| Grid {
            id: id.into(),
            name: id.to_uppercase(),
            parent: parent.map(GridId::from),
            outline: Vec::new(),
        };
        // `a` and `b` hold one another.
        let grids = [
            grid("town", None),
            grid("v1", Some("town")),
            grid("g1", Some("v1")),
            grid("a", Some("b")),
            grid("b", Some("a")),
        ];
        Town::new(&grids, [&Source::new("gauge", Kind::Sensor, Owner::Governance, "g1")])
    }

    #[test]
    fn a_route_is_for_what_meets_all_it_says() {
        let route: Route = toml::from_str(
            "name = 'r'\nlevel = 'orange'\nhazards = ['flood']\ngrids = ['v1']\nrules = ['river']\nowners = ['governance']\n\
             when = [{hours = ['08:00-20:00']}]\nsteps = [{channels = ['app']}]",
        )
        .unwrap();
        let good = Traits {
            level: Level::Red,
            hazard: Hazard::Flood,
            grid: "g1".into(),
            rules: BTreeSet::from(["river".into()]),
            sources: vec!["gauge".into()],
            owners: Vec::new(),
        };
        let zone = TimeZone::UTC;
        let is_for = |traits: &Traits, at: &str| route.is_for(traits, &town(), at.parse().unwrap(), &zone);
        let (day, night) = ("2026-11-24T12:00:00Z", "2026-11-24T21:00:00Z");
        assert!(is_for(&good, day));
        assert!(!is_for(&good, night));
        let wrong = [
            Traits { level: Level::Yellow, ..good.clone() },
            Traits { hazard: Hazard::Fire, ..good.clone() },
            Traits { grid: "town".into(), ..good.clone() },
            Traits { rules: BTreeSet::new(), ..good.clone() },
            Traits { sources: Vec::new(), ..good.clone() },
        ];
        for traits in wrong {
            assert!(!is_for(&traits, day), "{traits:?}");
        }
    }

    #[test]
    fn grids_in_a_ring_hang_nothing() {
        assert!(!town().lies_in(&"a".into(), &["town".into()]));
        assert!(town().lies_in(&"g1".into(), &["town".into()]));
    }
}
