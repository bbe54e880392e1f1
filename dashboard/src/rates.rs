//! How many sources are online and intact, by owner and by grid. Pure.
//!
//! A rate is of those the hub knows of: a hub that has just started does not call a town dead, and says how many it does
//! not know yet. What is online is said in one place, `model::Standing`.

use std::collections::{BTreeMap, HashMap};

use model::{Grid, GridId, Kind, Owner, Source, SourceState, SourceStatus, Standing};
use serde::Serialize;
use utoipa::ToSchema;

/// Counts of sources, and the two rates.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Rates {
    /// All of them.
    pub total: u64,
    /// Those that deliver.
    pub online: u64,
    /// Those that deliver, and as they should.
    pub intact: u64,
    /// Those that give nothing, for a reason that is known.
    pub away: u64,
    /// Those that nothing can be said of yet; in neither rate.
    pub unknown: u64,
    /// Online of those that are known, 0 to 1; none while none is.
    pub online_rate: Option<f64>,
    /// Intact of those that are known, 0 to 1; none while none is.
    pub intact_rate: Option<f64>,
    /// How many are in each state; those that are in none are left out.
    pub states: BTreeMap<String, u64>,
}

/// Counts of an owner's sources.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct OwnerRates {
    /// Whose.
    pub owner: Owner,
    /// The counts.
    #[serde(flatten)]
    pub rates: Rates,
}

/// Counts of a grid's sources, those of all grids inside it too.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct GridRates {
    /// Which grid.
    #[schema(value_type = String)]
    pub grid: GridId,
    /// The counts.
    #[serde(flatten)]
    pub rates: Rates,
}

/// Counts while they are made.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    standings: [u64; Standing::ALL.len()],
    states: BTreeMap<SourceState, u64>,
}

impl Tally {
    /// Takes one source in.
    pub fn add(&mut self, status: Option<&SourceStatus>) {
        self.standings[Standing::of(status) as usize] += 1;
        *self.states.entry(status.map_or(SourceState::Unknown, |status| status.state)).or_insert(0) += 1;
    }

    /// How many stand so.
    pub fn of(&self, standing: Standing) -> u64 {
        self.standings[standing as usize]
    }

    fn rates(&self) -> Rates {
        let (intact, unknown) = (self.of(Standing::Intact), self.of(Standing::Unknown));
        let total: u64 = self.standings.iter().sum();
        let online = intact + self.of(Standing::Impaired);
        let known = total - unknown;
        let rate = |count: u64| (known > 0).then(|| count as f64 / known as f64);
        Rates {
            total,
            online,
            intact,
            away: self.of(Standing::Away),
            unknown,
            online_rate: rate(online),
            intact_rate: rate(intact),
            states: self.states.iter().map(|(state, count)| (state.as_str().to_owned(), *count)).collect(),
        }
    }
}

/// Counts of everything, by owner and by grid. Grids without a source are left out; grids in the order given.
pub fn rates<'a>(
    sources: impl Iterator<Item = (&'a Source, Option<&'a SourceStatus>)>,
    grids: &[&Grid],
) -> (Rates, Vec<OwnerRates>, Vec<GridRates>) {
    let parents: HashMap<&GridId, &GridId> =
        grids.iter().filter_map(|grid| Some((&grid.id, grid.parent.as_ref()?))).collect();
    let (mut all, mut by_owner) = (Tally::default(), BTreeMap::<Owner, Tally>::new());
    let mut by_grid = HashMap::<&GridId, Tally>::new();
    for (source, status) in sources {
        all.add(status);
        by_owner.entry(source.owner).or_default().add(status);
        let mut grid = Some(&source.grid);
        // Nesting is three deep; a ring of parents ends here too.
        for _ in 0..8 {
            let Some(id) = grid else { break };
            by_grid.entry(id).or_default().add(status);
            grid = parents.get(id).copied().filter(|parent| *parent != &source.grid);
        }
    }
    let owners = by_owner.into_iter().map(|(owner, tally)| OwnerRates { owner, rates: tally.rates() }).collect();
    let of_grid = |grid: &&Grid| Some(GridRates { grid: grid.id.clone(), rates: by_grid.get(&grid.id)?.rates() });
    let grids = grids.iter().filter_map(of_grid).collect();
    (all.rates(), owners, grids)
}

/// Counts by owner and standing for the metrics.
pub fn by_owner<'a>(
    sources: impl Iterator<Item = (&'a Source, Option<&'a SourceStatus>)>,
) -> HashMap<(Kind, Owner), Tally> {
    let mut counts = HashMap::<_, Tally>::new();
    for (source, status) in sources {
        counts.entry((source.kind, source.owner)).or_default().add(status);
    }
    counts
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    fn source(id: &str, grid: &str, owner: Owner) -> Source {
        Source::new(id, Kind::Camera, owner, grid)
    }

    fn status(state: SourceState) -> SourceStatus {
        SourceStatus {
            source: "x".into(),
            kind: Kind::Camera,
            profile: None,
            state,
            since: Timestamp::UNIX_EPOCH,
            reason: None,
            detail: None,
            last_data_at: None,
            stream: None,
        }
    }

    fn grid(id: &str, parent: Option<&str>) -> Grid {
        Grid { id: id.into(), name: id.into(), parent: parent.map(GridId::from), outline: Vec::new() }
    }

    #[test]
    fn rates_are_of_what_is_known_and_grids_hold_what_is_inside_them() {
        let sources = [
            (source("a", "g1", Owner::Police), Some(status(SourceState::Live))),
            (source("b", "g1", Owner::Police), Some(status(SourceState::Degraded))),
            (source("c", "g2", Owner::Police), Some(status(SourceState::Offline))),
            (source("d", "g2", Owner::Resident), Some(status(SourceState::Connecting))),
            (source("e", "g2", Owner::Resident), None),
        ];
        let grids = [
            grid("town", None),
            grid("v", Some("town")),
            grid("g1", Some("v")),
            grid("g2", Some("v")),
            grid("g3", Some("v")),
        ];
        let grids: Vec<&Grid> = grids.iter().collect();
        let (all, owners, by_grid) = rates(sources.iter().map(|(source, status)| (source, status.as_ref())), &grids);
        assert_eq!((all.total, all.online, all.intact, all.away, all.unknown), (5, 2, 1, 1, 2));
        assert_eq!((all.online_rate, all.intact_rate), (Some(2.0 / 3.0), Some(1.0 / 3.0)));
        assert_eq!(all.states["unknown"], 1);
        let resident = owners.iter().find(|one| one.owner == Owner::Resident).unwrap();
        assert_eq!((resident.rates.total, resident.rates.online_rate), (2, None), "nothing is known of them");
        let told: Vec<_> = by_grid.iter().map(|one| (one.grid.as_str(), one.rates.total, one.rates.online)).collect();
        assert_eq!(told, [("town", 5, 2), ("v", 5, 2), ("g1", 2, 2), ("g2", 3, 0)]);
    }
}
