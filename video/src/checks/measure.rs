//! What can be measured in a grey picture, before anybody judges it.

use crate::decode::Luma;

/// The size a picture is shrunk to before it is measured: sixteen pixels of a small stream become one, so that noise
/// falls to a quarter.
pub(crate) const WIDTH: u32 = 160;
/// See [`WIDTH`].
pub(crate) const HEIGHT: u32 = 90;
/// Pixels along a side of a cell: 32 x 18 cells, 16 times less noise again.
const CELL: usize = 5;
const COLUMNS: usize = WIDTH as usize / CELL;
const ROWS: usize = HEIGHT as usize / CELL;
/// Rows of cells left out above and below: names and clocks are written there, also over a covered lens.
const MARGIN: usize = 3;
/// A cell differs from the mean of its neighbours by more levels than this where there is something to see.
/// Smooth light through a hand stays below 1, noise of a dark camera below 0.5.
const SOMETHING: f32 = 1.5;
/// Cells are kept in sixteenths of a level.
const SCALE: f32 = 16.0;

/// The measures of one picture, without its margins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measure {
    /// Mean brightness, 0 to 255.
    pub mean: f32,
    /// 99 of 100 pixels are not brighter than this.
    pub bright: u8,
    /// Share of the cells in which there is something to see, 0 to 1.
    pub structure: f32,
    /// Mean difference of a cell to its neighbours, in levels.
    pub edge: f32,
    /// The cells' brightness in sixteenths of a level, to be compared with another picture's.
    pub cells: Vec<u16>,
}

impl Measure {
    /// Measures a picture of [`WIDTH`] x [`HEIGHT`]; none for another size.
    pub(crate) fn of(luma: &Luma) -> Option<Self> {
        if luma.width != COLUMNS * CELL || luma.height != ROWS * CELL || luma.pixels.len() != luma.width * luma.height {
            return None;
        }
        let inner = &luma.pixels[MARGIN * CELL * luma.width..(ROWS - MARGIN) * CELL * luma.width];
        let cells: Vec<f32> = (0..ROWS - 2 * MARGIN)
            .flat_map(|row| (0..COLUMNS).map(move |column| (row, column)))
            .map(|(row, column)| {
                let at = |y| (row * CELL + y) * luma.width + column * CELL;
                let sum: u32 = (0..CELL).flat_map(|y| &inner[at(y)..at(y) + CELL]).map(|p| u32::from(*p)).sum();
                sum as f32 / (CELL * CELL) as f32
            })
            .collect();
        let (structure, edge) = structure(&cells);
        Some(Self {
            mean: cells.iter().sum::<f32>() / cells.len() as f32,
            bright: percentile(inner, 99),
            structure,
            edge,
            cells: cells.iter().map(|cell| (cell * SCALE) as u16).collect(),
        })
    }

    /// The largest difference of a cell to the same cell of another picture, in levels.
    pub(crate) fn difference(&self, cells: &[u16]) -> f32 {
        let largest = self.cells.iter().zip(cells).map(|(a, b)| a.abs_diff(*b)).max();
        f32::from(largest.unwrap_or(u16::MAX)) / SCALE
    }
}

fn structure(cells: &[f32]) -> (f32, f32) {
    let rows = cells.len() / COLUMNS;
    let (mut edges, mut some, mut count) = (0.0, 0, 0);
    for row in 1..rows - 1 {
        for column in 1..COLUMNS - 1 {
            let at = row * COLUMNS + column;
            let around = cells[at - 1] + cells[at + 1] + cells[at - COLUMNS] + cells[at + COLUMNS];
            let edge = (cells[at] - around / 4.0).abs();
            edges += edge;
            some += u32::from(edge > SOMETHING);
            count += 1;
        }
    }
    (some as f32 / count as f32, edges / count as f32)
}

fn percentile(pixels: &[u8], share: usize) -> u8 {
    let mut counts = [0usize; 256];
    pixels.iter().for_each(|pixel| counts[usize::from(*pixel)] += 1);
    let mut left = pixels.len() * share / 100;
    counts
        .iter()
        .position(|count| {
            let reached = *count >= left.max(1);
            left = left.saturating_sub(*count);
            reached
        })
        .map_or(255, |level| level as u8)
}
