//! The grids: a lattice over the plan whose cells share their ragged borders exactly.

use std::collections::BTreeMap;

use model::{Grid, GridId};

use super::frame::{Frame, Uv, area2, degrees};
use super::names::{TOWN, VILLAGES, Village};
use super::seed::Seed;

/// Borders of the columns, metres along the river; narrow where the town is dense.
pub const COLUMNS: [f64; 13] =
    [-3000.0, -2350.0, -1750.0, -1250.0, -830.0, -420.0, 0.0, 420.0, 830.0, 1250.0, 1750.0, 2350.0, 3000.0];
/// Borders of the rows, metres from the middle of the river; one runs in mid-river.
pub const ROWS: [f64; 6] = [-1350.0, -620.0, 0.0, 480.0, 930.0, 1560.0];
/// The row border that is the river's middle.
const MID_RIVER: usize = 2;

/// A corner of the lattice: column border, row border.
type Corner = (usize, usize);

/// The lattice with the course of every border.
pub struct Lattice {
    courses: BTreeMap<(Corner, Corner), Vec<[f64; 2]>>,
}

impl Lattice {
    /// Lays the borders out.
    pub fn new(frame: &Frame, seed: u64) -> Lattice {
        let mut dice = Seed::new(seed, "grids");
        let mut corners: BTreeMap<Corner, Uv> = BTreeMap::new();
        for (i, u) in COLUMNS.iter().enumerate() {
            for (j, v) in ROWS.iter().enumerate() {
                let v_reach = if j == MID_RIVER { 6.0 } else { 36.0 };
                corners.insert((i, j), (u + dice.jitter(34.0), v + dice.jitter(v_reach)));
            }
        }
        let mut courses = BTreeMap::new();
        for &(i, j) in corners.keys() {
            for next in [(i + 1, j), (i, j + 1)] {
                if let Some(&to) = corners.get(&next) {
                    let wild = if j == MID_RIVER && next.1 == j { 3.0 } else { 16.0 };
                    courses.insert(((i, j), next), course(frame, &mut dice, corners[&(i, j)], to, wild));
                }
            }
        }
        Lattice { courses }
    }

    /// The closed ring, counter-clockwise, around a block of cells.
    fn outline(&self, columns: (usize, usize), rows: (usize, usize)) -> Vec<[f64; 2]> {
        let mut ring: Vec<[f64; 2]> = Vec::new();
        let mut walk = |from: Corner, to: Corner| {
            let forwards = self.courses.get(&(from, to)).cloned();
            let course = forwards.or_else(|| {
                let mut backwards = self.courses.get(&(to, from)).cloned()?;
                backwards.reverse();
                Some(backwards)
            });
            let course = course.expect("neighbouring corners have a border");
            ring.extend_from_slice(&course[usize::from(!ring.is_empty())..]);
        };
        let ((left, right), (low, high)) = (columns, rows);
        (left..right).for_each(|i| walk((i, low), (i + 1, low)));
        (low..high).for_each(|j| walk((right, j), (right, j + 1)));
        (left..right).rev().for_each(|i| walk((i + 1, high), (i, high)));
        (low..high).rev().for_each(|j| walk((left, j + 1), (left, j)));
        ring
    }

    /// The town, its villages and communities, their grids; parents come first.
    pub fn grids(&self) -> Vec<Grid> {
        let town = GridId::new(TOWN.0);
        let (columns, rows) = ((0, COLUMNS.len() - 1), (0, ROWS.len() - 1));
        let mut grids =
            vec![Grid { id: town.clone(), name: TOWN.1.into(), parent: None, outline: self.outline(columns, rows) }];
        for village in &VILLAGES {
            let id = GridId::new(village.named.0);
            let outline = self.outline(village.columns, village.rows);
            grids.push(Grid { id: id.clone(), name: village.named.1.into(), parent: Some(town.clone()), outline });
            grids.extend(cells(village).map(|(number, column, row)| Grid {
                id: cell_id(village, number),
                name: format!("{}网格", village.grids[number]),
                parent: Some(id.clone()),
                outline: self.outline((column, column + 1), (row, row + 1)),
            }));
        }
        grids
    }
}

/// Number, column and row of a village's cells, row by row from the south-west.
fn cells(village: &Village) -> impl Iterator<Item = (usize, usize, usize)> {
    let ((left, right), (low, high)) = (village.columns, village.rows);
    (low..high)
        .flat_map(move |row| (left..right).map(move |column| (column, row)))
        .enumerate()
        .map(|(number, (column, row))| (number, column, row))
}

fn cell_id(village: &Village, number: usize) -> GridId {
    GridId::new(format!("{}-{}", village.named.0, number + 1))
}

/// A border between two corners: a point every hundred metres, pushed off the straight line.
fn course(frame: &Frame, dice: &mut Seed, from: Uv, to: Uv, wild: f64) -> Vec<[f64; 2]> {
    let (du, dv) = (to.0 - from.0, to.1 - from.1);
    let length = du.hypot(dv);
    let pieces = (length / 100.0).ceil().max(2.0) as usize;
    let mut push = 0.0;
    (0..=pieces)
        .map(|step| {
            let share = step as f64 / pieces as f64;
            let inside = step > 0 && step < pieces;
            push = if inside { 0.55 * push + dice.jitter(wild) } else { 0.0 };
            let (nu, nv) = (-dv / length * push, du / length * push);
            degrees(frame.at((from.0 + du * share + nu, from.1 + dv * share + nv)))
        })
        .collect()
}

/// The middle of an outline, where its name is written.
pub fn middle(ring: &[[f64; 2]]) -> [f64; 2] {
    let [ox, oy] = ring[0];
    let shifted: Vec<[f64; 2]> = ring.iter().map(|[x, y]| [x - ox, y - oy]).collect();
    let area = area2(&shifted) * 3.0;
    let (mut x, mut y) = (0.0, 0.0);
    for pair in shifted.windows(2) {
        let cross = pair[0][0] * pair[1][1] - pair[1][0] * pair[0][1];
        x += (pair[0][0] + pair[1][0]) * cross;
        y += (pair[0][1] + pair[1][1]) * cross;
    }
    let round = |degrees: f64| (degrees * 1e6).round() / 1e6;
    [round(ox + x / area), round(oy + y / area)]
}
