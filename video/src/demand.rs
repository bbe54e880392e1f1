//! Who wants which stream: readers counted, with a linger after the last one left.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{Profile, SourceId};
use tokio::sync::watch;
use tokio::time::Instant;

/// Names one stream of one camera.
pub type StreamKey = (SourceId, Profile);

#[derive(Debug)]
struct Wanted {
    readers: usize,
    /// Set when the last reader left.
    until: Option<Instant>,
}

#[derive(Debug)]
pub(crate) struct Demand {
    linger: Duration,
    wanted: Mutex<HashMap<StreamKey, Wanted>>,
    changes: watch::Sender<u64>,
}

impl Demand {
    pub(crate) fn new(linger: Duration) -> Self {
        Self { linger, wanted: Mutex::default(), changes: watch::Sender::new(0) }
    }

    pub(crate) fn acquire(&self, key: &StreamKey) {
        {
            let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            let entry = wanted.entry(key.clone()).or_insert(Wanted { readers: 0, until: None });
            entry.readers += 1;
            entry.until = None;
        }
        self.changes.send_modify(|n| *n += 1);
    }

    pub(crate) fn release(&self, key: &StreamKey) {
        {
            let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(entry) = wanted.get_mut(key) else { return };
            entry.readers = entry.readers.saturating_sub(1);
            if entry.readers == 0 {
                entry.until = Some(Instant::now() + self.linger);
            }
        }
        self.changes.send_modify(|n| *n += 1);
    }

    /// The streams wanted now, and when the next one may fall out.
    fn active(&self, now: Instant) -> (BTreeSet<StreamKey>, Option<Instant>) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.retain(|_, w| w.until.is_none_or(|until| until > now));
        (wanted.keys().cloned().collect(), wanted.values().filter_map(|w| w.until).min())
    }
}

/// Follows which streams are wanted.
#[derive(Debug)]
pub struct DemandWatch {
    demand: Arc<Demand>,
    changes: watch::Receiver<u64>,
    last: BTreeSet<StreamKey>,
}

impl DemandWatch {
    pub(crate) fn new(demand: Arc<Demand>) -> Self {
        let changes = demand.changes.subscribe();
        Self { demand, changes, last: BTreeSet::new() }
    }

    /// The streams wanted now: with a reader, or whose last reader left less than the linger ago.
    pub fn current(&self) -> BTreeSet<StreamKey> {
        self.demand.active(Instant::now()).0
    }

    /// Waits until the set differs from what the last call returned (at first: from the empty set). Cancel-safe.
    pub async fn changed(&mut self) -> BTreeSet<StreamKey> {
        loop {
            self.changes.borrow_and_update();
            let (set, next) = self.demand.active(Instant::now());
            if set != self.last {
                self.last.clone_from(&set);
                return set;
            }
            // `self.demand` keeps the sender alive, so an error cannot come.
            match next {
                Some(at) => {
                    tokio::select! {
                        _ = self.changes.changed() => {}
                        () = tokio::time::sleep_until(at) => {}
                    }
                }
                None => {
                    let _ = self.changes.changed().await;
                }
            }
        }
    }
}
