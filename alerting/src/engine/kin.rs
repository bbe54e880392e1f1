//! Sources by what they have in common, so that the related ones are found without looking at all.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::{Place, Source};

use crate::relation::Relation;

/// Fewer metres than a degree of latitude has, so that what is near is at most one cell away.
const DEGREE_M: f64 = 110_000.0;
/// Near the poles a degree of longitude has no length; this bounds the cells that are looked at.
const MIN_COS: f64 = 0.01;

/// A set of sources, by number, in which the kin of a source are found.
#[derive(Debug)]
pub(super) struct Kin {
    relation: Relation,
    all: BTreeSet<u32>,
    by_key: HashMap<Box<str>, BTreeSet<u32>>,
    /// Squares as wide as the distance is long, for `near`.
    cells: HashMap<(i64, i64), BTreeMap<u32, Place>>,
}

impl Kin {
    pub fn new(relation: Relation) -> Self {
        Self { relation, all: BTreeSet::new(), by_key: HashMap::new(), cells: HashMap::new() }
    }

    pub fn insert(&mut self, number: u32, source: &Source) {
        self.all.insert(number);
        match &self.relation {
            Relation::Itself => {}
            Relation::Same(same) => {
                for key in same.keys(source) {
                    self.by_key.entry(key.into()).or_default().insert(number);
                }
            }
            Relation::Near(metres) => {
                if let Some(place) = source.place {
                    self.cells.entry(cell(place, *metres)).or_default().insert(number, place);
                }
            }
        }
    }

    /// Takes out what was put in with the same row of the registry.
    pub fn remove(&mut self, number: u32, source: &Source) {
        self.all.remove(&number);
        match &self.relation {
            Relation::Itself => {}
            Relation::Same(same) => {
                for key in same.keys(source) {
                    let Some(those) = self.by_key.get_mut(&*key) else { continue };
                    those.remove(&number);
                    if those.is_empty() {
                        self.by_key.remove(&*key);
                    }
                }
            }
            Relation::Near(metres) => {
                let Some(at) = source.place.map(|place| cell(place, *metres)) else { return };
                let Some(those) = self.cells.get_mut(&at) else { return };
                those.remove(&number);
                if those.is_empty() {
                    self.cells.remove(&at);
                }
            }
        }
    }

    /// Those in the set that are related to a source, itself among them, by number.
    pub fn of(&self, number: u32, source: &Source) -> Vec<u32> {
        let itself = self.all.get(&number).copied();
        let mut found: Vec<u32> = match &self.relation {
            Relation::Itself => itself.into_iter().collect(),
            Relation::Same(same) => {
                same.keys(source).filter_map(|key| self.by_key.get(&*key)).flatten().copied().collect()
            }
            Relation::Near(metres) => match source.place {
                None => itself.into_iter().collect(),
                Some(place) => self.near(place, *metres),
            },
        };
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Places near the line where 180 degrees east are 180 west are not found across it.
    fn near(&self, place: Place, metres: f64) -> Vec<u32> {
        let (row, column) = cell(place, metres);
        // The degree is shortest at the end that lies nearer to the pole.
        let outmost = (place.lat.abs() + metres / DEGREE_M).min(90.0);
        let reach = (1.0 / outmost.to_radians().cos().max(MIN_COS)).ceil() as i64;
        let squares = (row - 1..=row + 1).flat_map(|row| (column - reach..=column + reach).map(move |c| (row, c)));
        let those = squares.filter_map(|at| self.cells.get(&at)).flatten();
        those.filter(|(_, other)| place.distance_m(**other) <= metres).map(|(number, _)| *number).collect()
    }
}

fn cell(place: Place, metres: f64) -> (i64, i64) {
    let width = metres / DEGREE_M;
    ((place.lat / width).floor() as i64, (place.lon / width).floor() as i64)
}

#[cfg(test)]
mod tests {
    use model::{Kind, Owner, Source};
    use proptest::prelude::*;

    use super::*;
    use crate::relation::Same;

    fn source(id: u32, grid: &str, tags: &[(&str, &str)]) -> Source {
        let mut source = Source::new(format!("s{id}").as_str(), Kind::Sensor, Owner::Governance, grid);
        source.tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        source
    }

    fn kin(relation: Relation, sources: &[Source]) -> Kin {
        let mut kin = Kin::new(relation);
        sources.iter().enumerate().for_each(|(number, source)| kin.insert(number as u32, source));
        kin
    }

    #[test]
    fn a_gateway_is_related_to_the_sensors_that_name_it_and_to_the_gateway_above() {
        let sources = [
            source(0, "g", &[("gateway", "s1")]),
            source(1, "g", &[("gateway", "s2")]),
            source(2, "g", &[]),
            source(3, "g", &[("gateway", "s1")]),
        ];
        let kin = kin(Relation::Same(Same::of("gateway")), &sources);
        assert_eq!(kin.of(0, &sources[0]), [0, 1, 3]);
        assert_eq!(kin.of(1, &sources[1]), [0, 1, 2, 3]);
        assert_eq!(kin.of(2, &sources[2]), [1, 2]);
    }

    #[test]
    fn cameras_of_one_host_have_one_recorder() {
        let mut sources = [source(0, "g", &[]), source(1, "h", &[]), source(2, "g", &[("recorder", "10.0.0.9")])];
        for (source, host) in sources.iter_mut().zip(["10.0.0.9", "10.0.0.9", "10.0.0.7"]) {
            source.url = format!("rtsp://{host}/1");
        }
        assert_eq!(kin(Relation::Same(Same::of("recorder")), &sources).of(0, &sources[0]), [0, 1, 2]);
        assert_eq!(kin(Relation::Same(Same::of("grid")), &sources).of(0, &sources[0]), [0, 2]);
        assert_eq!(kin(Relation::Itself, &sources).of(1, &sources[1]), [1]);
    }

    proptest! {
        /// The squares find what a look at all pairs finds, also after some have left.
        #[test]
        fn near_is_what_lies_within_the_distance(
            lat in -75.0f64..75.0,
            metres in 1.0f64..5_000.0,
            offsets in prop::collection::vec((-2.0f64..2.0, -2.0f64..2.0, any::<bool>()), 1..40),
        ) {
            let sources: Vec<Source> = offsets.iter().enumerate().map(|(id, (north, east, _))| {
                let mut source = source(id as u32, "g", &[]);
                let degree = metres / 111_195.0;
                let lon = 106.0 + east * degree / lat.to_radians().cos();
                source.place = Some(Place { lat: lat + north * degree, lon });
                source
            }).collect();
            let mut kin = kin(Relation::Near(metres), &sources);
            for (number, source) in sources.iter().enumerate().filter(|(number, _)| offsets[*number].2) {
                kin.remove(number as u32, source);
            }
            let first = sources[0].place.unwrap();
            let expected: Vec<u32> = (0..sources.len() as u32)
                .filter(|n| !offsets[*n as usize].2 && first.distance_m(sources[*n as usize].place.unwrap()) <= metres)
                .collect();
            prop_assert_eq!(kin.of(0, &sources[0]), expected);
        }
    }
}
