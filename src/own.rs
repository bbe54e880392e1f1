//! Sources that the hub itself is, so that rules can be about them: its own health, and weather warnings it is sent.
//!
//! The rules see them beside those of the registry; lists, counts and links do not. A source of the same id in the
//! registry takes the place of one here: so a town gives it a grid, a place or an owner of its own.

use std::sync::Arc;

use model::{Grid, GridId, Kind, Owner, Source, SourceId};

/// The hub's own health.
pub const HUB: &str = "hub";
/// Its reading: messages given up in the last 24 hours.
pub const OUTBOX_DEAD: &str = "outbox_dead";

const OWN: [(&str, &str, &str); 1] = [(HUB, "hub", "Gridward")];

/// The hub's own sources that are not in the registry, in the grid that holds all others.
pub fn sources(known: &[Arc<Source>], grids: &[Grid]) -> Vec<Arc<Source>> {
    let root = grids.iter().find(|grid| grid.parent.is_none()).map_or(GridId::new("town"), |grid| grid.id.clone());
    let missing = OWN.into_iter().filter(|(id, ..)| !known.iter().any(|source| source.id.as_str() == *id));
    missing
        .map(|(id, class, name)| {
            let source = Source::new(SourceId::new(id), Kind::Sensor, Owner::Governance, root.clone());
            Arc::new(Source { class: class.to_owned(), name: name.to_owned(), ..source })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_of_the_registry_takes_the_place_of_an_own_one() {
        let own = sources(&[], &[]);
        assert_eq!((own[0].class.as_str(), own[0].grid.as_str()), ("hub", "town"));
        assert!(sources(&own, &[]).is_empty());
    }
}
