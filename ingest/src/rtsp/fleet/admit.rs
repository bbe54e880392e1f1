//! Who has a place among the sessions, and the area of an emergency.

use std::collections::{BTreeSet, HashSet};

use metrics::gauge;
use model::AreaCost;
use video::StreamKey;

use super::{Entry, Fleet};
use crate::rtsp::admission::{Claim, Wish, shed};
use crate::rtsp::area::Order;
use crate::rtsp::plan::Plan;

impl Fleet {
    /// What a stream is wanted for; none when nobody wants it.
    pub(super) fn claim(&self, plan: &Plan) -> Option<Claim> {
        // Of each camera the stream that is pulled or probed for the hub itself: the small one where there is one.
        let is_own = plan.always || plan.probed;
        if is_own && self.area.contains(&plan.source) {
            return Some(Claim::Area);
        }
        if self.demanded(plan) {
            return Some(Claim::Viewer);
        }
        plan.always.then_some(if plan.key_site { Claim::KeySite } else { Claim::Usual })
    }

    /// How many of these streams are wanted and could be pulled.
    pub(super) fn claims_among(&self, keys: &BTreeSet<StreamKey>) -> usize {
        keys.iter().filter_map(|key| self.entries.get(key)).filter(|entry| self.may_claim(entry).is_some()).count()
    }

    fn may_claim(&self, entry: &Entry) -> Option<Claim> {
        if entry.removed || entry.plan.target.is_err() { None } else { self.claim(&entry.plan) }
    }

    /// Gives the places among the sessions to the strongest claims, of all streams.
    pub(super) fn admit(&mut self) {
        let (claims, gone) = self.without_place();
        self.claims = claims;
        let now: HashSet<StreamKey> = gone.into_iter().map(|wish| wish.key).collect();
        let changed: Vec<StreamKey> = now.symmetric_difference(&self.shed).cloned().collect();
        self.shed = now;
        gauge!("gridward_rtsp_shed").set(self.shed.len() as f64);
        changed.iter().for_each(|key| self.settle(key));
    }

    /// How many streams are wanted and could be pulled, and those of them that have no place.
    fn without_place(&self) -> (usize, Vec<Wish>) {
        let claims: Vec<(&StreamKey, &Entry, Claim)> = self
            .entries
            .iter()
            .filter_map(|(key, entry)| self.may_claim(entry).map(|claim| (key, entry, claim)))
            .collect();
        if claims.len() <= self.sessions_max {
            return (claims.len(), Vec::new());
        }
        let wish = |(key, entry, claim): (&StreamKey, &Entry, Claim)| {
            let is_open = entry.governed && !entry.probing;
            Wish { key: key.clone(), claim, is_open }
        };
        (claims.len(), shed(claims.into_iter().map(wish).collect(), self.sessions_max))
    }

    /// A new area: its cameras first, the rest by the order of claims.
    pub(super) fn follow_area(&mut self, order: Order) {
        let touched: Vec<StreamKey> = self
            .entries
            .keys()
            .filter(|(source, _)| order.area.contains(source) != self.area.contains(source))
            .cloned()
            .collect();
        // What would be without any area: so the figures are the area's own, however often it is named anew.
        self.area.clear();
        let anyway: HashSet<StreamKey> = self.without_place().1.into_iter().map(|wish| wish.key).collect();
        let idle = |(key, entry): &(&StreamKey, &Entry)| {
            order.area.contains(&key.0) && (self.claim(&entry.plan).is_none() || anyway.contains(*key))
        };
        let idle: HashSet<StreamKey> = self.entries.iter().filter(idle).map(|(key, _)| key.clone()).collect();
        self.area = order.area;
        let mut cost =
            AreaCost { cameras: self.area.len(), probes_paused: !self.area.is_empty(), ..AreaCost::default() };
        for wish in self.without_place().1 {
            match wish.claim {
                Claim::Area => cost.refused += 1,
                _ if anyway.contains(&wish.key) => {}
                Claim::Viewer => cost.shed_watched += 1,
                Claim::KeySite => cost.shed_key_sites += 1,
                Claim::Usual => cost.shed_usual += 1,
            }
        }
        touched.iter().for_each(|key| self.settle(key));
        self.admit();
        let is_pulled = |entry: &Entry| entry.governed && !entry.probing;
        let pulled = self.entries.iter().filter(|(key, entry)| self.area.contains(&key.0) && is_pulled(entry));
        for (key, _) in pulled {
            cost.streams += 1;
            cost.opened += usize::from(idle.contains(key));
        }
        // Nobody waits any more: the order holds all the same.
        let _ = order.reply.send(cost);
    }
}

#[cfg(test)]
#[path = "admit_tests.rs"]
mod tests;
