//! In which order runs leave when the town's budget is full.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use crate::ring::RunMark;
use crate::rings::Stream;

type Entry = (Weak<()>, Weak<Stream>);

/// All runs in the order they began, those of favoured streams apart; holds marks of runs that have left until it is compacted.
#[derive(Debug, Default)]
pub(crate) struct LeaveOrder {
    usual: VecDeque<Entry>,
    favoured: VecDeque<Entry>,
}

impl LeaveOrder {
    /// Notes a new run; amortised O(1). `live` is how many runs stand in all rings.
    pub(crate) fn push(&mut self, mark: &RunMark, stream: &Arc<Stream>, live: usize) {
        // Twice what stands, and 64 so that small towns do not compact at each run.
        if self.usual.len() + self.favoured.len() > 2 * live + 64 {
            let stands = |(mark, _): &Entry| mark.strong_count() > 0;
            self.usual.retain(stands);
            self.favoured.retain(stands);
        }
        let entry = (Arc::downgrade(mark), Arc::downgrade(stream));
        if stream.favoured.load(Ordering::Relaxed) {
            self.favoured.push_back(entry);
        } else {
            self.usual.push_back(entry);
        }
    }

    /// Who leaves next: the oldest run of a usual stream, or of a favoured one when there is no other.
    pub(crate) fn pop(&mut self) -> Option<Entry> {
        self.usual.pop_front().or_else(|| self.favoured.pop_front())
    }

    /// Puts every run where its stream belongs now. Those no longer favoured leave first: they are the oldest.
    pub(crate) fn sort_anew(&mut self) {
        let is_favoured =
            |(_, stream): &Entry| stream.upgrade().is_some_and(|stream| stream.favoured.load(Ordering::Relaxed));
        let (still, over): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.favoured).into_iter().partition(is_favoured);
        let (joined, usual): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.usual).into_iter().partition(is_favoured);
        self.favoured = still.into_iter().chain(joined).collect();
        self.usual = over.into_iter().chain(usual).collect();
    }
}
