//! What grows and flows: hamlets' places, fields, woods, ponds, the river, its island and the stream.

use std::f64::consts::TAU;

use super::frame::{Frame, Uv};
use super::grids::{COLUMNS, ROWS};
use super::plan::{NORTH_ROAD, REACH_U, SOUTH_ROAD, line};
use super::seed::Seed;

/// Metres around a hamlet's middle that its houses may take.
const HAMLET_REACH: f64 = 105.0;
/// Metres along and across a field.
const FIELD: (f64, f64) = (128.0, 84.0);

/// Where houses stand together outside the town: one hamlet in each cell of the country.
pub fn hamlets(seed: u64) -> Vec<Uv> {
    let mut dice = Seed::new(seed, "hamlets");
    let mut hamlets = Vec::new();
    for (row, v) in [(0, -1010.0), (1, -440.0), (2, 345.0), (3, 715.0), (4, 1240.0)] {
        for column in 0..COLUMNS.len() - 1 {
            if is_country(column, row) {
                let u = (COLUMNS[column] + COLUMNS[column + 1]) / 2.0;
                hamlets.push((u + dice.jitter(80.0), v + dice.jitter(36.0)));
            }
        }
    }
    hamlets
}

fn is_country(column: usize, row: usize) -> bool {
    match row {
        1 => !(3..6).contains(&column),
        2 | 3 => !(3..10).contains(&column),
        _ => true,
    }
}

/// Fields by crop, each a ring of the plan.
pub fn fields(frame: &Frame, seed: u64, hamlets: &[Uv]) -> Vec<(&'static str, Vec<Vec<Uv>>)> {
    let mut dice = Seed::new(seed, "fields");
    let mut crops = [("rice", Vec::new()), ("vegetables", Vec::new()), ("orchard", Vec::new())];
    for row in 0..ROWS.len() - 1 {
        for column in (0..COLUMNS.len() - 1).filter(|column| is_country(*column, row)) {
            let (u0, u1, v0, v1) = (COLUMNS[column], COLUMNS[column + 1], ROWS[row], ROWS[row + 1]);
            let (nu, nv) = (((u1 - u0) / FIELD.0).round(), ((v1 - v0) / FIELD.1).round());
            let (du, dv) = ((u1 - u0) / nu, (v1 - v0) / nv);
            for a in 0..nu as u32 {
                for b in 0..nv as u32 {
                    let at = (u0 + (f64::from(a) + 0.5) * du, v0 + (f64::from(b) + 0.5) * dv);
                    let kept = dice.chance(0.84) && is_free(frame, at, hamlets);
                    let crop = if at.1.abs() > 1000.0 { dice.pick(&[1, 2, 2]) } else { dice.pick(&[0, 0, 1]) };
                    let corner = |dice: &mut Seed, p: f64, q: f64| {
                        (at.0 + p * (du / 2.0 - 3.0) + dice.jitter(5.0), at.1 + q * (dv / 2.0 - 3.0) + dice.jitter(5.0))
                    };
                    let mut ring = vec![
                        corner(&mut dice, -1.0, -1.0),
                        corner(&mut dice, 1.0, -1.0),
                        corner(&mut dice, 1.0, 1.0),
                        corner(&mut dice, -1.0, 1.0),
                    ];
                    ring.push(ring[0]);
                    if kept {
                        crops[crop].1.push(ring);
                    }
                }
            }
        }
    }
    crops.into()
}

fn is_free(frame: &Frame, (u, v): Uv, hamlets: &[Uv]) -> bool {
    let (along, across) = (FIELD.0 / 2.0, FIELD.1 / 2.0);
    let dry = v.abs() > frame.half_river(u) + across + 14.0;
    let off_road = [NORTH_ROAD, SOUTH_ROAD].iter().all(|road| (v - road).abs() > across + 30.0);
    let off_hamlets = hamlets
        .iter()
        .all(|(hu, hv)| (hu - u).abs() > HAMLET_REACH + along * 0.6 || (hv - v).abs() > 46.0 + across * 0.6);
    let off_stream = !(-1960.0..=-1700.0).contains(&u) || v > 0.0;
    let off_sand_yard = !(-1760.0..-1400.0).contains(&u) || !(-400.0..-150.0).contains(&v);
    let off_ponds = PONDS.iter().all(|(pu, pv, radius)| (pu - u).hypot(pv - v) > radius + 60.0);
    dry && off_road && off_hamlets && off_stream && off_sand_yard && off_ponds
}

/// Middle and radius of the ponds.
const PONDS: [(f64, f64, f64); 6] = [
    (1420.0, -900.0, 52.0),
    (1560.0, -1140.0, 40.0),
    (1880.0, -860.0, 46.0),
    (2160.0, -1120.0, 36.0),
    (-900.0, 585.0, 34.0),
    (-2700.0, 640.0, 30.0),
];

/// Ponds.
pub fn ponds(seed: u64) -> Vec<Vec<Uv>> {
    let mut dice = Seed::new(seed, "ponds");
    PONDS.iter().map(|&(u, v, radius)| blob(&mut dice, (u, v), (radius * 1.3, radius * 0.8), 0.16)).collect()
}

/// Wooded hills along both edges of the map.
pub fn woods(seed: u64) -> Vec<Vec<Uv>> {
    let mut dice = Seed::new(seed, "woods");
    let mut woods = Vec::new();
    for (v, reach) in [(1560.0, 150.0), (1900.0, 190.0), (-1420.0, 140.0), (-1760.0, 190.0)] {
        let mut u = -REACH_U + dice.between(0.0, 300.0);
        while u < REACH_U {
            let size = dice.between(170.0, 360.0);
            let at = (u, v + dice.jitter(90.0));
            let across = reach * dice.between(0.7, 1.15);
            if dice.chance(0.82) {
                woods.push(blob(&mut dice, at, (size, across), 0.22));
            }
            u += size * dice.between(1.5, 2.1);
        }
    }
    woods
}

/// A round thing with a ragged edge.
fn blob(dice: &mut Seed, (u, v): Uv, (reach_u, reach_v): (f64, f64), ragged: f64) -> Vec<Uv> {
    let corners = 18;
    let mut ring: Vec<Uv> = (0..corners)
        .map(|corner| {
            let angle = TAU * f64::from(corner) / f64::from(corners);
            let reach = 1.0 + dice.jitter(ragged);
            (u + angle.cos() * reach_u * reach, v + angle.sin() * reach_v * reach)
        })
        .collect();
    ring.push(ring[0]);
    ring
}

/// The ground of the whole map.
pub fn land() -> Vec<Uv> {
    let (u, south, north) = (REACH_U, -1950.0, 2150.0);
    let mut ring = line((-u, south), (u, south));
    ring.extend(line((u, north), (-u, north)));
    ring.push(ring[0]);
    ring
}

/// The river over the whole map.
pub fn river(frame: &Frame) -> Vec<Uv> {
    let middle = line((-REACH_U, 0.0), (REACH_U, 0.0));
    let mut ring: Vec<Uv> = middle.iter().map(|&(u, _)| (u, -frame.half_river(u))).collect();
    ring.extend(middle.iter().rev().map(|&(u, _)| (u, frame.half_river(u))));
    ring.push(ring[0]);
    ring
}

/// The island below the second bridge.
pub fn island(seed: u64) -> Vec<Uv> {
    blob(&mut Seed::new(seed, "island"), (2080.0, 18.0), (250.0, 44.0), 0.12)
}

/// The stream that comes in from the south.
pub fn stream(seed: u64) -> Vec<Uv> {
    let mut dice = Seed::new(seed, "stream");
    let mut course = Vec::new();
    for step in 0..=30 {
        let v = -1940.0 + f64::from(step) * 60.0;
        course.push((-1860.0 + 46.0 * (v / 170.0).sin() + dice.jitter(9.0), v));
    }
    course
}
