//! The lie of the land: a frame that follows the river, in metres, and its place on the globe.
//!
//! The town is laid out in `(u, v)`: `u` metres along the river (downstream, to the east), `v` metres away from its
//! middle (north is positive). The frame bends with the river and is warped a little, so that nothing looks ruled.

use std::f64::consts::TAU;

use super::seed::Seed;

/// A point of the plan: along the river, away from it.
pub type Uv = (f64, f64);
/// A point on the ground: metres east and north of the town's middle.
pub type Xy = (f64, f64);

/// Longitude and latitude of the town's middle; on the upper Yangtze, where no such town is.
const ORIGIN: (f64, f64) = (106.0, 29.3);
/// Metres a degree of latitude (IUGG mean radius).
const METRES_PER_DEGREE: f64 = 111_195.0;

/// The bent frame of one town.
#[derive(Clone, Debug)]
pub struct Frame {
    phase: [f64; 6],
}

impl Frame {
    /// The frame of a seed; seeds bend the river differently, never so much that the plan folds.
    pub fn new(seed: u64) -> Frame {
        let mut dice = Seed::new(seed, "frame");
        Frame { phase: std::array::from_fn(|_| dice.between(0.0, TAU)) }
    }

    /// Where a point of the plan is on the ground.
    pub fn at(&self, (u, v): Uv) -> Xy {
        let [a, b, c, d, e, f] = self.phase;
        let bend = 230.0 * (u / 1020.0 + a).sin() + 55.0 * (u / 510.0 + b).sin();
        // Away from the river the bends fade.
        let (x, y) = (u, v + bend * (1.0 - (v.abs() / 6000.0).min(0.5)));
        let x_warp = 26.0 * (y / 300.0 + x / 900.0 + c).sin() + 8.0 * (y / 95.0 + d).sin();
        let y_warp = 18.0 * (x / 260.0 - y / 700.0 + e).sin() + 6.0 * (x / 110.0 + f).sin();
        (x + x_warp, y + y_warp)
    }

    /// Half the river's width at `u`, in metres.
    pub fn half_river(&self, u: f64) -> f64 {
        150.0 + 22.0 * (u / 430.0 + self.phase[1]).sin() + 9.0 * (u / 140.0 + self.phase[4]).sin()
    }

    /// The direction of the plan's `u` axis at a point, in radians counter-clockwise from east.
    pub fn heading(&self, (u, v): Uv) -> f64 {
        let (a, b) = (self.at((u - 1.0, v)), self.at((u + 1.0, v)));
        (b.1 - a.1).atan2(b.0 - a.0)
    }

    /// Longitude and latitude of a point of the plan.
    pub fn place(&self, uv: Uv) -> [f64; 2] {
        degrees(self.at(uv))
    }

    /// Compass bearing (degrees clockwise from north) from one point of the plan to another.
    pub fn bearing(&self, from: Uv, to: Uv) -> u32 {
        let (a, b) = (self.at(from), self.at(to));
        (b.0 - a.0).atan2(b.1 - a.1).to_degrees().rem_euclid(360.0).round() as u32 % 360
    }
}

/// Longitude and latitude of a point on the ground, to a tenth of a metre.
pub fn degrees((x, y): Xy) -> [f64; 2] {
    let round = |degrees: f64| (degrees * 1e6).round() / 1e6;
    let lat = ORIGIN.1 + y / METRES_PER_DEGREE;
    let lon = ORIGIN.0 + x / (METRES_PER_DEGREE * ORIGIN.1.to_radians().cos());
    [round(lon), round(lat)]
}

/// The four corners of a rectangle around `at`, turned by `angle`, as a closed counter-clockwise ring.
pub fn rectangle((x, y): Xy, width: f64, depth: f64, angle: f64) -> Vec<Xy> {
    let (sin, cos) = angle.sin_cos();
    let (w, d) = (width / 2.0, depth / 2.0);
    [(-w, -d), (w, -d), (w, d), (-w, d), (-w, -d)].map(|(p, q)| (x + p * cos - q * sin, y + p * sin + q * cos)).to_vec()
}

/// Whether a closed ring holds a point (even-odd).
pub fn holds(ring: &[[f64; 2]], [x, y]: [f64; 2]) -> bool {
    ring.windows(2)
        .filter(|pair| {
            let ([ax, ay], [bx, by]) = (pair[0], pair[1]);
            (ay > y) != (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax
        })
        .count()
        % 2
        == 1
}

/// Twice the signed area of a closed ring; positive when it runs counter-clockwise.
pub fn area2(ring: &[[f64; 2]]) -> f64 {
    ring.windows(2).map(|pair| pair[0][0] * pair[1][1] - pair[1][0] * pair[0][1]).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_metres_north_are_a_hundred_metres() {
        let [lon, lat] = degrees((0.0, 100.0));
        assert_eq!(lon, 106.0);
        assert!(((lat - 29.3) * METRES_PER_DEGREE - 100.0).abs() < 0.1);
    }

    #[test]
    fn the_frame_never_folds() {
        for seed in 0..50 {
            let frame = Frame::new(seed);
            for u in (-3500..3500).step_by(50) {
                for v in (-1900..2000).step_by(50) {
                    let (u, v) = (f64::from(u), f64::from(v));
                    let (here, east, north) = (frame.at((u, v)), frame.at((u + 1.0, v)), frame.at((u, v + 1.0)));
                    let (a, b) = ((east.0 - here.0, east.1 - here.1), (north.0 - here.0, north.1 - here.1));
                    assert!(a.0 * b.1 - a.1 * b.0 > 0.4, "seed {seed} at {u} {v}");
                }
            }
        }
    }

    #[test]
    fn bearings_are_of_the_compass() {
        let frame = Frame::new(7);
        let north = frame.bearing((0.0, 0.0), (0.0, 500.0));
        assert!(!(30..330).contains(&north), "{north}");
    }

    #[test]
    fn a_ring_holds_what_is_inside() {
        let ring: Vec<[f64; 2]> = rectangle((0.0, 0.0), 2.0, 2.0, 0.3).iter().map(|p| [p.0, p.1]).collect();
        assert!(holds(&ring, [0.0, 0.9]));
        assert!(!holds(&ring, [1.4, 0.0]));
        assert!((area2(&ring) - 8.0).abs() < 1e-9);
    }
}
