//! What a reading was over a span of time: samples by the time at which they were true.
//!
//! Samples are kept in the order of their times, whatever the order in which they came, so that what a window says does
//! not depend on the way. Beyond [`MOST_SAMPLES`] the older ones are joined in cells of a 512th of the span: count, sum,
//! average, least and greatest stay exact, only the window's far edge becomes coarse.

use std::collections::VecDeque;

use model::Value;
use serde::{Deserialize, Serialize};

use crate::expr::{Answer, Over};

/// The most samples kept one by one; an hour at one each four seconds, a day at one each minute and a half.
const MOST_SAMPLES: usize = 1_024;
/// Into how many cells a span is cut when there are more.
const CELLS: i64 = 512;
/// How much older than the newest a sample may be and still be put in its place; older ones are history.
pub(super) const ORDER_MS: i64 = 30_000;

/// Samples of one reading over the longest span that any rule asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Window {
    #[serde(rename = "l")]
    span_ms: i64,
    /// From when on it is whole.
    #[serde(rename = "s")]
    since: i64,
    /// Whether the samples are hashes of words.
    #[serde(rename = "w", default, skip_serializing_if = "std::ops::Not::not")]
    words: bool,
    /// The one before the oldest: against it the oldest has changed or not.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    before: Option<Sample>,
    #[serde(rename = "c", default, skip_serializing_if = "VecDeque::is_empty")]
    cells: VecDeque<Cell>,
    #[serde(rename = "v", default, skip_serializing_if = "VecDeque::is_empty")]
    samples: VecDeque<Sample>,
}

/// A time in milliseconds and a value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Sample(i64, f64);

/// Samples of one stretch of time, joined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cell {
    #[serde(rename = "f")]
    first: Sample,
    #[serde(rename = "l")]
    last: Sample,
    #[serde(rename = "n")]
    count: u64,
    #[serde(rename = "s")]
    sum: f64,
    #[serde(rename = "m")]
    least: f64,
    #[serde(rename = "M")]
    greatest: f64,
    /// Whether any two of them, one after the other, differ.
    #[serde(rename = "c")]
    changed: bool,
}

impl Window {
    /// An empty one; what was before `since` it does not know.
    pub fn new(span_ms: i64, since: i64) -> Self {
        Self { span_ms, since, words: false, before: None, cells: VecDeque::new(), samples: VecDeque::new() }
    }

    /// Is asked for another span from now on.
    pub fn fit(&mut self, span_ms: i64, now: i64) {
        if span_ms > self.span_ms {
            // What it let go of meanwhile is not there.
            self.since = self.since.max(now.saturating_sub(self.span_ms));
        }
        self.span_ms = span_ms;
    }

    /// Moves every time by a step of the clock that they were taken from.
    pub fn step(&mut self, by_ms: i64) {
        self.since = self.since.saturating_add(by_ms);
        let cells = self.cells.iter_mut().flat_map(|cell| [&mut cell.first, &mut cell.last]);
        for sample in cells.chain(&mut self.samples).chain(&mut self.before) {
            sample.0 = sample.0.saturating_add(by_ms);
        }
    }

    /// Whether samples have been joined.
    pub fn is_thinned(&self) -> bool {
        !self.cells.is_empty()
    }

    /// Takes a sample in; false when it is too old or there already.
    pub fn push(&mut self, at: i64, value: &Value, now: i64) -> bool {
        let (value, words) = match value {
            Value::Number(number) if number.is_finite() => (*number, false),
            Value::Number(_) => return false,
            Value::Bool(truth) => (f64::from(u8::from(*truth)), false),
            Value::Text(text) => (hash(text), true),
        };
        if words != self.words {
            *self = Self { words, ..Self::new(self.span_ms, self.since.max(at)) };
        }
        let newest = self.samples.back().or(self.cells.back().map(|cell| &cell.last)).or(self.before.as_ref());
        if newest.is_some_and(|newest| at < newest.0 - ORDER_MS) {
            return false;
        }
        let sample = Sample(at, value);
        let place = self.samples.partition_point(|known| known.0 < at || (known.0 == at && known.1 < value));
        if self.samples.get(place) == Some(&sample) {
            return false;
        }
        match self.cells.back_mut() {
            Some(cell) if place == 0 && at < cell.last.0 => cell.add(sample),
            _ if place == self.samples.len() => self.samples.push_back(sample),
            _ => self.samples.insert(place, sample),
        }
        self.forget(now);
        if self.samples.len() > MOST_SAMPLES {
            self.join();
        }
        true
    }

    /// Lets go of what no span reaches, but for the last two, which `changed` compares.
    fn forget(&mut self, now: i64) {
        let edge = now.saturating_sub(self.span_ms);
        while self.samples.len() >= 2
            && let Some(cell) = self.cells.pop_front_if(|cell| cell.last.0 <= edge)
        {
            self.before = Some(cell.last);
        }
        while self.cells.is_empty()
            && self.samples.len() > 2
            && let Some(sample) = self.samples.pop_front_if(|sample| sample.0 <= edge)
        {
            // A late one may be older than what is gone already.
            if self.before.is_none_or(|before| before.0 <= sample.0) {
                self.before = Some(sample);
            }
        }
    }

    /// Joins the older half.
    fn join(&mut self) {
        let width = (self.span_ms / CELLS).max(1);
        for sample in self.samples.drain(..MOST_SAMPLES / 2) {
            match self.cells.back_mut() {
                Some(cell) if cell.first.0.div_euclid(width) == sample.0.div_euclid(width) => cell.add(sample),
                _ => self.cells.push_back(Cell::of(sample)),
            }
        }
    }

    /// What a function gives at `now`; `heard` is since when nothing that was sent can have been missed.
    pub fn ask(&self, over: Over, span_ms: i64, min_samples: u32, now: i64, heard: i64) -> Answer {
        let edge = now.saturating_sub(span_ms);
        let cells = self.cells.partition_point(|cell| cell.last.0 <= edge);
        let samples = self.samples.partition_point(|sample| sample.0 <= edge);
        let (inside, single) = (self.cells.range(cells..), self.samples.range(samples..));
        let count = inside.clone().map(|cell| cell.count).sum::<u64>() + single.len() as u64;
        match over {
            Over::Count if edge < heard.max(self.since) => return Answer::Unknown,
            Over::Count => return Answer::Number(count as f64),
            Over::Changed => return self.changed(if span_ms == 0 { None } else { Some((cells, samples)) }),
            Over::Absent => return Answer::Unknown,
            Over::Rate | Over::Delta if count < u64::from(min_samples).max(2) => return Answer::Unknown,
            _ if count < u64::from(min_samples).max(1) => return Answer::Unknown,
            _ if self.words => return Answer::Words,
            _ => {}
        }
        let sum =
            || inside.clone().map(|cell| cell.sum).sum::<f64>() + single.clone().map(|sample| sample.1).sum::<f64>();
        let fold = |f: fn(f64, f64) -> f64, of: fn(&Cell) -> f64| {
            let cells = inside.clone().map(of).reduce(f);
            cells.into_iter().chain(single.clone().map(|sample| sample.1)).reduce(f)
        };
        let number = match over {
            Over::Sum => Some(sum()),
            Over::Avg => Some(sum() / count as f64),
            Over::Min => fold(f64::min, |cell| cell.least),
            Over::Max => fold(f64::max, |cell| cell.greatest),
            Over::Delta | Over::Rate => {
                let first = inside.clone().next().map(|cell| cell.first).or(single.clone().next().copied());
                let last = single.last().copied().or(inside.clone().last().map(|cell| cell.last));
                first.zip(last).and_then(|(first, last)| {
                    let (delta, took) = (last.1 - first.1, last.0 - first.0);
                    match over {
                        Over::Rate => (took > 0).then(|| delta * 3_600_000.0 / took as f64),
                        _ => Some(delta),
                    }
                })
            }
            Over::Count | Over::Changed | Over::Absent => None,
        };
        number.map_or(Answer::Unknown, Answer::Number)
    }

    /// Whether a value differs from the one before it: any from these places on, or the last one alone.
    fn changed(&self, from: Option<(usize, usize)>) -> Answer {
        let Some((cells, samples)) = from else {
            let mut back = self.samples.iter().rev().map(|sample| sample.1);
            let pair = back.next().zip(back.next().or(self.before.map(|before| before.1)));
            return pair.map_or(Answer::Unknown, |(last, before)| Answer::Truth(last != before));
        };
        let mut value = match (cells, samples) {
            (0, 0) => self.before.map(|before| before.1),
            (0, n) => Some(self.samples[n - 1].1),
            (n, 0) => Some(self.cells[n - 1].last.1),
            (_, n) => Some(self.samples[n - 1].1),
        };
        let known = value.is_some();
        let (mut changed, mut pairs) = (false, known);
        for cell in self.cells.range(cells..) {
            changed |= cell.changed || value.is_some_and(|before| before != cell.first.1);
            pairs |= cell.count > 1 || value.is_some();
            value = Some(cell.last.1);
        }
        for sample in self.samples.range(samples..) {
            changed |= value.is_some_and(|before| before != sample.1);
            pairs |= value.is_some();
            value = Some(sample.1);
        }
        if pairs { Answer::Truth(changed) } else { Answer::Unknown }
    }

    /// When a function over the span may next give something else though nothing comes.
    pub fn slides(&self, over: Over, span_ms: i64, now: i64, heard: i64) -> Option<i64> {
        if span_ms == 0 {
            return None;
        }
        let edge = now.saturating_sub(span_ms);
        let oldest =
            self.cells.get(self.cells.partition_point(|cell| cell.last.0 <= edge)).map(|cell| cell.last.0).or_else(
                || self.samples.get(self.samples.partition_point(|sample| sample.0 <= edge)).map(|sample| sample.0),
            );
        let whole = (over == Over::Count).then_some(heard.max(self.since)).filter(|since| *since > edge);
        oldest.into_iter().chain(whole).min().map(|at| at.saturating_add(span_ms))
    }
}

impl Cell {
    fn of(sample: Sample) -> Self {
        let Sample(_, value) = sample;
        Self { first: sample, last: sample, count: 1, sum: value, least: value, greatest: value, changed: false }
    }

    fn add(&mut self, sample: Sample) {
        let Sample(at, value) = sample;
        self.changed |= value != self.last.1;
        self.count += 1;
        self.sum += value;
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
        if at >= self.last.0 {
            self.last = sample;
        } else if at < self.first.0 {
            self.first = sample;
        }
    }
}

/// A word as a whole number that a float holds exactly (FNV-1a): windows of words only compare and count.
fn hash(text: &str) -> f64 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 12) as f64
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
