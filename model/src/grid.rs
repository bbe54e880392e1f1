//! Grids and places.

use serde::{Deserialize, Serialize};

use crate::GridId;

/// A cell of the town; grids nest: town > village > grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Grid {
    /// The grid's id.
    pub id: GridId,
    /// Its name, in the town's language.
    pub name: String,
    /// The grid that holds it; none for the town itself.
    pub parent: Option<GridId>,
    /// Its outline: one closed ring of longitude, latitude in degrees (WGS 84); empty when unknown.
    #[serde(default)]
    pub outline: Vec<[f64; 2]>,
}

/// A point on the ground in WGS 84 degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Place {
    /// Longitude, -180 to 180.
    pub lon: f64,
    /// Latitude, -90 to 90.
    pub lat: f64,
}

/// The mean radius of the Earth in metres (IUGG).
const EARTH_RADIUS_M: f64 = 6_371_008.8;

impl Place {
    /// Great-circle distance in metres; exact to 0.5 %, far below camera accuracy.
    pub fn distance_m(self, other: Place) -> f64 {
        let (lat_a, lat_b) = (self.lat.to_radians(), other.lat.to_radians());
        let half_lat = (lat_b - lat_a) / 2.0;
        let half_lon = (other.lon - self.lon).to_radians() / 2.0;
        let h = half_lat.sin().powi(2) + lat_a.cos() * lat_b.cos() * half_lon.sin().powi(2);
        2.0 * EARTH_RADIUS_M * h.sqrt().min(1.0).asin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_degree_of_latitude_is_111_km() {
        let d = Place { lon: 106.0, lat: 29.0 }.distance_m(Place { lon: 106.0, lat: 30.0 });
        assert!((d - 111_195.0).abs() < 100.0, "{d}");
    }
}
