//! What waits for the disk, and how much a source may say.
//!
//! Pure: time is an argument. A source may change its state [`BURST`] times at once and once each [`REFILL`] after that;
//! what is beyond it replaces the row that is held back and is counted there. So a fleet of 13,000 that flaps for a day
//! writes 4 million rows and not a billion, and each source's row tells how often it changed meanwhile.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use jiff::SignedDuration;
use model::{SourceId, SourceState, SourceStatus, Timestamp};

use super::ConnectionRow;

/// Rows of a source kept as they come: an evening of trouble in full.
const BURST: u32 = 20;
/// A further row each: 12 an hour.
const REFILL: SignedDuration = SignedDuration::from_mins(5);
/// Rows that wait while the disk takes none, about 20 MB; beyond it changes are merged as beyond a budget.
const READY_MAX: usize = 100_000;
/// As failures themselves have it; a sensor's detail may quote its settings.
const DETAIL_CHARS_MAX: usize = 200;
/// The reason of a source that is not in the registry any more.
const REMOVED: &str = "removed";

/// A row and whose it is.
pub(super) type Named = (SourceId, ConnectionRow);

#[derive(Debug, Default)]
pub(super) struct Pending {
    known: HashMap<SourceId, Known>,
    /// Those of `known` that hold a row back.
    held: BTreeSet<SourceId>,
    ready: VecDeque<Named>,
}

#[derive(Debug)]
struct Known {
    state: SourceState,
    reason: Option<String>,
    /// Rows it may still write at once.
    allowance: u32,
    /// When the next is added.
    refill_at: Timestamp,
    /// The latest change, while there is no allowance for it.
    held: Option<ConnectionRow>,
}

impl Pending {
    /// Takes a state down unless it is the last one.
    pub(super) fn note(&mut self, status: &SourceStatus, now: Timestamp) {
        let full = self.ready.len() >= READY_MAX;
        let known = match self.known.get_mut(&status.source) {
            Some(known) if known.state == status.state && known.reason == status.reason => return,
            Some(known) => known,
            // Nothing was heard before, and this says that nothing was heard.
            None if status.state == SourceState::Unknown && status.reason.is_none() => return,
            None => self.known.entry(status.source.clone()).or_insert(Known {
                state: status.state,
                reason: None,
                allowance: BURST,
                refill_at: now,
                held: None,
            }),
        };
        (known.state, known.reason) = (status.state, status.reason.clone());
        let detail = status.detail.as_ref().map(|text| text.chars().take(DETAIL_CHARS_MAX).collect());
        let row = ConnectionRow { at: now, state: status.state, reason: status.reason.clone(), detail, merged: 0 };
        known.refill(now);
        if let Some(held) = &mut known.held {
            metrics::counter!("gridward_connection_log_merged_total").increment(1);
            *held = ConnectionRow { merged: held.merged + 1, ..row };
        } else if known.allowance > 0 && !full {
            known.allowance -= 1;
            self.ready.push_back((status.source.clone(), row));
        } else {
            known.held = Some(row);
            self.held.insert(status.source.clone());
        }
    }

    /// Lets go the rows that a source has allowance for again.
    pub(super) fn release(&mut self, now: Timestamp) {
        self.release_where(|known| {
            known.refill(now);
            known.allowance > 0
        });
    }

    /// Lets go every row that is held back.
    pub(super) fn release_all(&mut self) {
        self.release_where(|_| true);
    }

    fn release_where(&mut self, mut may: impl FnMut(&mut Known) -> bool) {
        let Self { known, held, ready } = self;
        held.retain(|id| {
            if ready.len() >= READY_MAX {
                return true;
            }
            let Some(known) = known.get_mut(id) else { return false };
            if !may(known) {
                return true;
            }
            if let Some(row) = known.held.take() {
                known.allowance = known.allowance.saturating_sub(1);
                ready.push_back((id.clone(), row));
            }
            false
        });
    }

    /// Sources that are gone are unknown from now on, and forgotten.
    pub(super) fn keep_only(&mut self, sources: &HashSet<SourceId>, now: Timestamp) {
        let gone: Vec<SourceId> = self.known.keys().filter(|id| !sources.contains(*id)).cloned().collect();
        for id in gone {
            self.held.remove(&id);
            let Some(known) = self.known.remove(&id) else { continue };
            let merged = known.held.map_or(0, |held| held.merged + 1);
            let row = ConnectionRow {
                at: now,
                state: SourceState::Unknown,
                reason: Some(REMOVED.to_owned()),
                detail: None,
                merged,
            };
            self.ready.push_back((id, row));
        }
    }

    /// The rows that wait longest.
    pub(super) fn first(&self, count: usize) -> Vec<Named> {
        self.ready.iter().take(count).cloned().collect()
    }

    /// The first so many are on disk.
    pub(super) fn written(&mut self, count: usize) {
        self.ready.drain(..count.min(self.ready.len()));
    }

    /// What is not on disk yet of a source, the oldest first.
    pub(super) fn of(&self, source: &str) -> Vec<ConnectionRow> {
        let ready = self.ready.iter().filter(|(id, _)| id.as_str() == source).map(|(_, row)| row.clone());
        ready.chain(self.known.get(source).and_then(|known| known.held.clone())).collect()
    }
}

impl Known {
    fn refill(&mut self, now: Timestamp) {
        if self.allowance >= BURST {
            self.refill_at = now.saturating_add(REFILL).unwrap_or(now);
            return;
        }
        while self.allowance < BURST && self.refill_at <= now {
            self.allowance += 1;
            let Ok(next) = self.refill_at.checked_add(REFILL) else { return };
            self.refill_at = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use model::Kind;
    use proptest::prelude::*;

    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + s).unwrap()
    }

    fn status(id: &str, state: SourceState, reason: Option<&str>) -> SourceStatus {
        SourceStatus {
            source: id.into(),
            kind: Kind::Camera,
            profile: None,
            state,
            since: at(0),
            reason: reason.map(str::to_owned),
            detail: None,
            last_data_at: None,
            stream: None,
        }
    }

    fn flap(pending: &mut Pending, id: &str, from_s: i64, to_s: i64, every_s: usize) {
        for (n, s) in (from_s..to_s).step_by(every_s).enumerate() {
            let state = if n % 2 == 0 { SourceState::Offline } else { SourceState::Live };
            pending.note(&status(id, state, None), at(s));
            pending.release(at(s));
        }
    }

    #[test]
    fn only_changes_of_state_or_reason_are_taken_down() {
        let mut pending = Pending::default();
        pending.note(&status("a", SourceState::Unknown, None), at(0));
        assert_eq!(pending.first(9), [], "nothing was heard before, nor now");
        for (s, reason) in
            [(1, "connect_refused"), (2, "connect_refused"), (3, "connect_timeout"), (4, "connect_timeout")]
        {
            pending.note(&status("a", SourceState::Offline, Some(reason)), at(s));
        }
        let told: Vec<_> = pending.first(9).into_iter().map(|(_, row)| (row.at, row.reason.unwrap())).collect();
        assert_eq!(told, [(at(1), "connect_refused".to_owned()), (at(3), "connect_timeout".to_owned())]);
        pending.written(1);
        assert_eq!(pending.first(9).len(), 1);
    }

    #[test]
    fn a_source_that_flaps_has_its_budget_and_says_how_often_it_changed() {
        let mut pending = Pending::default();
        flap(&mut pending, "a", 0, 3_600, 2);
        let rows = pending.first(usize::MAX);
        assert!((BURST as usize..=BURST as usize + 13).contains(&rows.len()), "{}", rows.len());
        let merged: u32 =
            rows.iter().map(|(_, row)| row.merged + 1).sum::<u32>() + pending.of("a").last().unwrap().merged + 1;
        assert_eq!(merged, 1_800, "every change is kept or counted");
        // Another one is not held back by it.
        pending.note(&status("b", SourceState::Live, None), at(3_600));
        assert_eq!(pending.of("b").len(), 1);
        assert!(pending.first(usize::MAX).iter().any(|(id, _)| id.as_str() == "b"));
    }

    #[test]
    fn thirteen_thousand_that_flap_for_an_hour_stay_within_bounds() {
        let mut pending = Pending::default();
        let ids: Vec<String> = (0..13_000).map(|n| format!("cam-{n}")).collect();
        let mut rows = 0;
        for s in (0..3_600).step_by(30) {
            for id in &ids {
                let state = if s % 60 == 0 { SourceState::Offline } else { SourceState::Live };
                pending.note(&status(id, state, None), at(s));
            }
            pending.release(at(s));
            assert!(pending.ready.len() <= READY_MAX);
            rows += pending.ready.len();
            pending.written(usize::MAX);
        }
        assert!(rows <= 13_000 * 32, "{rows}");
    }

    #[test]
    fn while_the_disk_takes_nothing_changes_are_merged_and_the_last_state_is_kept() {
        let mut pending = Pending::default();
        for n in 0..READY_MAX {
            pending.note(&status(&format!("c{n}"), SourceState::Live, None), at(0));
        }
        for s in 1..6 {
            let state = if s % 2 == 0 { SourceState::Live } else { SourceState::Offline };
            pending.note(&status("late", state, None), at(s));
        }
        pending.release(at(10));
        assert_eq!(pending.ready.len(), READY_MAX);
        let [held] = &pending.of("late")[..] else { panic!("one row is held") };
        assert_eq!((held.at, held.state, held.merged), (at(5), SourceState::Offline, 4));
        pending.written(10);
        pending.release(at(11));
        assert_eq!(pending.ready.len(), READY_MAX - 9);
    }

    #[test]
    fn what_left_the_registry_is_unknown_and_forgotten() {
        let mut pending = Pending::default();
        pending.note(&status("a", SourceState::Live, None), at(0));
        pending.note(&status("b", SourceState::Live, None), at(0));
        pending.written(2);
        pending.keep_only(&HashSet::from(["b".into()]), at(5));
        let [(id, row)] = &pending.first(9)[..] else { panic!() };
        assert_eq!((id.as_str(), row.state, row.reason.as_deref()), ("a", SourceState::Unknown, Some(REMOVED)));
        assert_eq!(pending.known.len(), 1);
    }

    proptest! {
        #[test]
        fn the_last_word_is_never_lost(words in proptest::collection::vec((0i64..400, 0usize..4, any::<bool>()), 1..300)) {
            let mut pending = Pending::default();
            let states = [SourceState::Live, SourceState::Offline, SourceState::Stalled, SourceState::Degraded];
            let (mut now, mut written) = (0, Vec::new());
            for (wait, state, flush) in &words {
                now += wait;
                pending.note(&status("a", states[*state], None), at(now));
                pending.release(at(now));
                if *flush {
                    written.extend(pending.first(usize::MAX).into_iter().map(|(_, row)| row));
                    pending.written(usize::MAX);
                }
            }
            pending.release_all();
            written.extend(pending.first(usize::MAX).into_iter().map(|(_, row)| row));
            let last = written.last().unwrap();
            prop_assert_eq!(last.state, states[words.last().unwrap().1]);
            prop_assert!(written.is_sorted_by_key(|row| row.at));
            let changes = 1 + words.windows(2).filter(|pair| pair[0].1 != pair[1].1).count();
            prop_assert_eq!(written.iter().map(|row| row.merged as usize + 1).sum::<usize>(), changes);
        }
    }
}
