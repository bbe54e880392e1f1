//! What the farm took down of the connections it accepted: when, for which camera, and when that played.
//!
//! A test of a storm reads here, and not at the hub, how fast the hub connects and in which order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use serde::Serialize;

use super::camera::Camera;

/// Connections kept: those of the last ten minutes at 100 a second; the oldest are forgotten.
const KEPT: usize = 65_536;

/// One accepted connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Connect {
    /// From 0, in the order they were accepted.
    pub number: u64,
    /// When it was accepted, in microseconds since the Unix epoch.
    pub accepted_us: u64,
    /// The camera that its first request named; none before that, or when no camera has that name.
    pub camera: Option<String>,
    /// The method of that request.
    pub method: Option<String>,
    /// When its PLAY was answered.
    pub playing_us: Option<u64>,
}

/// The record, from a number on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Connects {
    /// The number of the connection that comes next.
    pub next: u64,
    /// How many of those asked for are forgotten.
    pub forgotten: u64,
    /// The connections, oldest first.
    pub connections: Vec<Connect>,
}

#[derive(Debug, Default)]
pub(super) struct Record(Mutex<Rows>);

#[derive(Debug, Default)]
struct Rows {
    first: u64,
    rows: VecDeque<Row>,
}

#[derive(Debug)]
struct Row {
    accepted_us: u64,
    request: Option<(Arc<Camera>, String)>,
    playing_us: Option<u64>,
}

impl Record {
    /// A connection was accepted; its number.
    pub(super) fn accepted(&self, now_us: u64) -> u64 {
        let mut rows = self.rows();
        if rows.rows.len() == KEPT {
            rows.rows.pop_front();
            rows.first += 1;
        }
        rows.rows.push_back(Row { accepted_us: now_us, request: None, playing_us: None });
        rows.first + rows.rows.len() as u64 - 1
    }

    /// Its first request for a camera came.
    pub(super) fn asked(&self, number: u64, camera: &Arc<Camera>, method: &str) {
        if let Some(row) = self.rows().row(number) {
            row.request.get_or_insert_with(|| (Arc::clone(camera), method.to_owned()));
        }
    }

    /// Its PLAY was answered.
    pub(super) fn playing(&self, number: u64, now_us: u64) {
        if let Some(row) = self.rows().row(number) {
            row.playing_us.get_or_insert(now_us);
        }
    }

    /// The connections from number `since` on.
    pub(super) fn since(&self, since: u64) -> Connects {
        let rows = self.rows();
        let next = rows.first + rows.rows.len() as u64;
        let skipped = since.saturating_sub(rows.first).min(rows.rows.len() as u64);
        let told = |(at, row): (usize, &Row)| Connect {
            number: rows.first + at as u64,
            accepted_us: row.accepted_us,
            camera: row.request.as_ref().map(|(camera, _)| camera.spec.id.clone()),
            method: row.request.as_ref().map(|(_, method)| method.clone()),
            playing_us: row.playing_us,
        };
        let connections = rows.rows.iter().enumerate().skip(skipped as usize).map(told).collect();
        Connects { next, forgotten: rows.first.saturating_sub(since), connections }
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().expect("no holder panics")
    }
}

impl Rows {
    fn row(&mut self, number: u64) -> Option<&mut Row> {
        let at = number.checked_sub(self.first)?;
        self.rows.get_mut(usize::try_from(at).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_and_that_is_told() {
        let record = Record::default();
        let numbers: Vec<u64> = (0..KEPT as u64 + 10).map(|at| record.accepted(at)).collect();
        assert_eq!(numbers, (0..KEPT as u64 + 10).collect::<Vec<_>>());
        // What is forgotten takes no more news.
        record.playing(3, 77);
        record.playing(12, 78);
        let all = record.since(0);
        assert_eq!((all.next, all.forgotten, all.connections.len()), (KEPT as u64 + 10, 10, KEPT));
        assert_eq!((all.connections[0].number, all.connections[0].accepted_us), (10, 10));
        assert_eq!(
            all.connections.iter().filter(|c| c.playing_us.is_some()).map(|c| c.number).collect::<Vec<_>>(),
            [12]
        );
        let last = record.since(all.next - 1);
        assert_eq!((last.forgotten, last.connections.len()), (0, 1));
        assert_eq!(record.since(all.next + 5).connections, []);
    }
}
