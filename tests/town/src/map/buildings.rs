//! Houses, shops, halls: rectangles turned to the street they stand at.

use super::frame::{Frame, Uv, Xy, rectangle};
use super::plan::{Ground, Plot};
use super::seed::Seed;

/// A building's ground plan.
pub struct Building {
    /// `home`, `shop`, `public` or `hall`.
    pub usage: &'static str,
    /// Its middle.
    pub middle: Xy,
    /// Its closed ring.
    pub ring: Vec<Xy>,
}

/// Width along the street, depth and gap of a row's houses, metres, from and to.
struct Style {
    width: (f64, f64),
    depth: (f64, f64),
    gap: (f64, f64),
    /// From the middle of one row to the next.
    pitch: f64,
    /// How crooked they stand, in radians.
    crooked: f64,
}

const OLD: Style = Style { width: (11.0, 22.0), depth: (10.0, 14.0), gap: (1.5, 5.0), pitch: 25.0, crooked: 0.05 };
const FLATS: Style = Style { width: (26.0, 54.0), depth: (11.0, 13.5), gap: (9.0, 16.0), pitch: 33.0, crooked: 0.0 };
/// Metres from the middle of a street to the first wall.
const SETBACK: f64 = 11.0;

/// All buildings.
pub fn buildings(frame: &Frame, seed: u64, plots: &[Plot], hamlets: &[Uv]) -> Vec<Building> {
    let mut yard = Builder { frame, dice: Seed::new(seed, "buildings"), done: Vec::new() };
    for plot in plots {
        yard.plot(plot);
    }
    for hamlet in hamlets {
        yard.hamlet(*hamlet);
    }
    yard.done
}

struct Builder<'a> {
    frame: &'a Frame,
    dice: Seed,
    done: Vec<Building>,
}

impl Builder<'_> {
    fn put(&mut self, usage: &'static str, at: Uv, width: f64, depth: f64, turn: f64) {
        let middle = self.frame.at(at);
        let ring = rectangle(middle, width, depth, self.frame.heading(at) + turn);
        self.done.push(Building { usage, middle, ring });
    }

    fn plot(&mut self, plot: &Plot) {
        match plot.ground {
            Ground::Old => self.rows(plot, &OLD),
            Ground::Flats => self.rows(plot, &FLATS),
            Ground::School => self.at_shares(
                plot,
                "public",
                &[(0.5, 0.84, 0.62, 13.0), (0.16, 0.5, 0.14, 42.0), (0.84, 0.62, 0.16, 24.0)],
            ),
            Ground::Public("market") => {
                self.at_shares(plot, "public", &[(0.5, 0.3, 0.8, 34.0), (0.5, 0.74, 0.8, 30.0)]);
            }
            Ground::Public("pumping") => self.at_shares(plot, "public", &[(0.4, 0.5, 0.34, 18.0)]),
            Ground::Public(_) => {
                self.at_shares(
                    plot,
                    "public",
                    &[(0.5, 0.76, 0.7, 17.0), (0.22, 0.36, 0.2, 26.0), (0.8, 0.34, 0.16, 22.0)],
                );
            }
            Ground::Yard => self.yard(plot),
            Ground::Park => self.at_shares(plot, "public", &[(0.3, 0.6, 0.07, 10.0)]),
            Ground::Square => {}
        }
    }

    /// Buildings at shares of the plot: along, away, width as a share, depth in metres.
    fn at_shares(&mut self, plot: &Plot, usage: &'static str, shares: &[(f64, f64, f64, f64)]) {
        let (w, h) = (plot.u.1 - plot.u.0, plot.v.1 - plot.v.0);
        for &(along, away, width, depth) in shares {
            self.put(usage, (plot.u.0 + w * along, plot.v.0 + h * away), w * width, depth.min(h * 0.6), 0.0);
        }
    }

    fn rows(&mut self, plot: &Plot, style: &Style) {
        let height = plot.v.1 - plot.v.0 - 2.0 * SETBACK;
        let count = (height / style.pitch).round().max(1.0);
        for row in 0..count as u32 {
            let v = plot.v.0 + SETBACK + height * (f64::from(row) + 0.5) / count;
            let at_street = row == 0 || f64::from(row) + 1.0 >= count;
            let mut u = plot.u.0 + SETBACK;
            loop {
                let width = self.dice.between(style.width.0, style.width.1);
                if u + width > plot.u.1 - SETBACK {
                    break;
                }
                let depth = self.dice.between(style.depth.0, style.depth.1);
                let turn = self.dice.jitter(style.crooked);
                let at = (u + width / 2.0, v + self.dice.jitter(1.2));
                let usage = if at_street && self.dice.chance(0.6) { "shop" } else { "home" };
                if !self.dice.chance(0.07) {
                    self.put(usage, at, width, depth, turn);
                }
                u += width + self.dice.between(style.gap.0, style.gap.1);
            }
        }
    }

    fn yard(&mut self, plot: &Plot) {
        let (w, h) = (plot.u.1 - plot.u.0, plot.v.1 - plot.v.0);
        let halls = (w / 92.0).floor();
        for number in 0..halls as u32 {
            let u = plot.u.0 + w * (f64::from(number) + 0.5) / halls;
            let (width, deep) = (w / halls * self.dice.between(0.62, 0.84), self.dice.between(0.34, 0.44));
            self.put("hall", (u, plot.v.1 - h * 0.28), width, h * deep, 0.0);
            if h > 160.0 && !self.dice.chance(0.35) {
                self.put("hall", (u, plot.v.0 + h * 0.2), width * 0.8, h * 0.2, 0.0);
            }
        }
    }

    /// Farmhouses on both sides of a lane, a few behind.
    fn hamlet(&mut self, (u, v): Uv) {
        for side in [-1.0, 1.0] {
            let mut along = -95.0 + self.dice.between(0.0, 14.0);
            while along < 95.0 {
                let (width, depth) = (self.dice.between(10.0, 16.0), self.dice.between(8.5, 11.5));
                let away = side * self.dice.between(15.0, 20.0);
                let turn = self.dice.jitter(0.16);
                if self.dice.chance(0.8) {
                    self.put("home", (u + along, v + away), width, depth, turn);
                }
                if self.dice.chance(0.3) {
                    let behind = side * self.dice.between(36.0, 44.0);
                    let turn = self.dice.jitter(0.6);
                    self.put("home", (u + along, v + behind), width * 0.9, depth, turn);
                }
                along += width + self.dice.between(5.0, 14.0);
            }
        }
    }
}
