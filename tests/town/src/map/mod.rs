//! The town's ground: a seeded generator of grids and base map.
//!
//! Pure: a seed in, the same town out. What stands on the ground is the business of [`crate::registry`].

mod buildings;
pub mod frame;
mod geojson;
mod grids;
mod land;
pub mod names;
mod plan;
pub mod seed;

use model::Grid;
use serde_json::Value;

use frame::{Frame, Uv};

pub use plan::BRIDGES;

/// The generated town.
#[derive(Clone, Debug)]
pub struct TownMap {
    seed: u64,
    /// How the plan lies on the ground.
    pub frame: Frame,
    /// Town, villages and grids; parents first.
    pub grids: Vec<Grid>,
}

impl TownMap {
    /// The town of a seed.
    pub fn new(seed: u64) -> TownMap {
        let frame = Frame::new(seed);
        let grids = grids::Lattice::new(&frame, seed).grids();
        TownMap { seed, frame, grids }
    }

    /// The smallest grid that holds a place.
    pub fn grid_at(&self, place: [f64; 2]) -> Option<&Grid> {
        self.grids.iter().rev().find(|grid| self.is_leaf(grid) && frame::holds(&grid.outline, place))
    }

    /// The grids that hold no others.
    pub fn leaves(&self) -> impl Iterator<Item = &Grid> {
        self.grids.iter().filter(|grid| self.is_leaf(grid))
    }

    fn is_leaf(&self, grid: &Grid) -> bool {
        grid.parent.as_ref().is_some_and(|parent| parent.as_str() != names::TOWN.0)
    }

    /// The base map.
    pub fn geojson(&self) -> Value {
        let hamlets: Vec<Uv> = land::hamlets(self.seed);
        let plots = plan::plots();
        let mut sheet = geojson::Sheet::new(&self.frame);
        sheet.land(self.seed, &hamlets);
        sheet.plots(&plots, self.seed);
        sheet.roads("road", &plan::roads(&hamlets));
        sheet.roads("bridge", &plan::bridges(&self.frame));
        let buildings = buildings::buildings(&self.frame, self.seed, &plots, &hamlets);
        sheet.buildings(&buildings, self);
        sheet.labels(&self.grids);
        sheet.finish(&self.grids[0].outline)
    }
}

#[cfg(test)]
mod tests;
