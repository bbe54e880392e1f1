//! The base map as GeoJSON (RFC 7946), features in drawing order.

use std::collections::BTreeMap;

use model::Grid;
use serde_json::{Value, json};

use super::buildings::Building;
use super::frame::{Frame, Uv, Xy, degrees};
use super::plan::{Ground, Plot, Road};
use super::{TownMap, grids, land, names};

/// Collects features.
pub struct Sheet<'a> {
    frame: &'a Frame,
    features: Vec<Value>,
}

impl<'a> Sheet<'a> {
    /// An empty sheet.
    pub fn new(frame: &'a Frame) -> Sheet<'a> {
        Sheet { frame, features: Vec::new() }
    }

    fn feature(&mut self, properties: Value, kind: &str, coordinates: Value) {
        let geometry = json!({ "type": kind, "coordinates": coordinates });
        self.features.push(json!({ "type": "Feature", "properties": properties, "geometry": geometry }));
    }

    fn points(&self, course: &[Uv]) -> Vec<[f64; 2]> {
        course.iter().map(|uv| self.frame.place(*uv)).collect()
    }

    fn polygon(&mut self, properties: Value, ring: &[Uv]) {
        let ring = self.points(ring);
        self.feature(properties, "Polygon", json!([ring]));
    }

    /// Ground, fields, woods and water.
    pub fn land(&mut self, seed: u64, hamlets: &[Uv]) {
        self.polygon(json!({ "kind": "land" }), &land::land());
        for wood in land::woods(seed) {
            self.polygon(json!({ "kind": "wood" }), &wood);
        }
        for (crop, rings) in land::fields(self.frame, seed, hamlets) {
            let rings: Vec<_> = rings.iter().map(|ring| [self.points(ring)]).collect();
            self.feature(json!({ "kind": "field", "crop": crop }), "MultiPolygon", json!(rings));
        }
        let stream = self.points(&land::stream(seed));
        self.feature(json!({ "kind": "stream", "name": "柳溪", "width_m": 14 }), "LineString", json!(stream));
        self.polygon(json!({ "kind": "river", "name": names::RIVER }), &land::river(self.frame));
        self.polygon(json!({ "kind": "island", "name": "云心洲" }), &land::island(seed));
    }

    /// Parks, schools, yards and other grounds, then ponds.
    pub fn plots(&mut self, plots: &[Plot], seed: u64) {
        for plot in plots {
            let properties = match plot.ground {
                Ground::Old | Ground::Flats => continue,
                Ground::Park => json!({ "kind": "park", "name": plot.name }),
                Ground::Square => json!({ "kind": "square", "name": plot.name }),
                Ground::School => json!({ "kind": "school", "name": plot.name }),
                Ground::Yard => json!({ "kind": "yard", "name": plot.name }),
                Ground::Public(usage) => json!({ "kind": "public", "name": plot.name, "use": usage }),
            };
            self.polygon(properties, &outline(plot));
        }
        for pond in land::ponds(seed) {
            self.polygon(json!({ "kind": "pond" }), &pond);
        }
    }

    /// Roads or bridges.
    pub fn roads(&mut self, kind: &str, roads: &[Road]) {
        for road in roads {
            let mut properties = json!({ "kind": kind, "class": road.class });
            if !road.name.is_empty() {
                properties["name"] = road.name.into();
            }
            let course = self.points(&road.course);
            self.feature(properties, "LineString", json!(course));
        }
    }

    /// Buildings, one feature a grid and use.
    pub fn buildings(&mut self, buildings: &[Building], map: &TownMap) {
        // A polygon is a list of rings; a building has one.
        type Polygon = [Vec<[f64; 2]>; 1];
        let mut groups: BTreeMap<(String, &str), Vec<Polygon>> = BTreeMap::new();
        for Building { usage, middle, ring } in buildings {
            let grid =
                map.grid_at(degrees(*middle)).map_or_else(|| names::TOWN.0.to_owned(), |grid| grid.id.to_string());
            let ring: Vec<[f64; 2]> = ring.iter().map(|point: &Xy| degrees(*point)).collect();
            groups.entry((grid, usage)).or_default().push([ring]);
        }
        for ((grid, usage), rings) in groups {
            self.feature(json!({ "kind": "building", "grid": grid, "use": usage }), "MultiPolygon", json!(rings));
        }
    }

    /// Names, and the notice that all is made up.
    pub fn labels(&mut self, all: &[Grid]) {
        let along = self.points(&super::plan::line((-900.0, 0.0), (-300.0, 0.0)));
        self.feature(json!({ "kind": "river_name", "name": names::RIVER }), "LineString", json!(along));
        let along = self.points(&super::plan::line((1300.0, 0.0), (1800.0, 0.0)));
        self.feature(json!({ "kind": "river_name", "name": names::RIVER }), "LineString", json!(along));
        for grid in all {
            let kind = match &grid.parent {
                None => continue,
                Some(parent) if parent.as_str() == names::TOWN.0 => "village",
                Some(_) => "grid_label",
            };
            let properties = json!({ "kind": kind, "name": grid.name, "grid": grid.id });
            self.feature(properties, "Point", json!(grids::middle(&grid.outline)));
        }
        let corner = self.frame.place((-2620.0, -1240.0));
        self.feature(json!({ "kind": "notice", "name": names::NOTICE }), "Point", json!(corner));
    }

    /// The file.
    pub fn finish(self, outline: &[[f64; 2]]) -> Value {
        let fold = |at: usize, start: f64, pick: fn(f64, f64) -> f64| outline.iter().map(|p| p[at]).fold(start, pick);
        let bbox = [
            fold(0, f64::INFINITY, f64::min),
            fold(1, f64::INFINITY, f64::min),
            fold(0, f64::NEG_INFINITY, f64::max),
            fold(1, f64::NEG_INFINITY, f64::max),
        ];
        json!({
            "type": "FeatureCollection",
            "name": names::TOWN.1,
            "fictional": true,
            "notice": names::NOTICE,
            "bbox": bbox,
            "features": self.features,
        })
    }
}

/// A plot's outline, a little inside the middle of the streets around it.
fn outline(plot: &Plot) -> Vec<Uv> {
    let inset = if plot.ground == Ground::Yard { 0.0 } else { 8.0 };
    let (u0, u1, v0, v1) = (plot.u.0 + inset, plot.u.1 - inset, plot.v.0 + inset, plot.v.1 - inset);
    let mut ring = super::plan::line((u0, v0), (u1, v0));
    ring.extend(super::plan::line((u1, v1), (u0, v1)));
    ring.push(ring[0]);
    ring
}
