//! Who has a place among the sessions, and the area of an emergency.

use std::collections::HashSet;

use metrics::gauge;
use model::AreaCost;
use video::StreamKey;

use super::Fleet;
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

    /// Gives the places among the sessions to the strongest claims.
    pub(super) fn admit(&mut self) {
        let gone = self.without_place();
        let now: HashSet<StreamKey> = gone.into_iter().map(|wish| wish.key).collect();
        let changed: Vec<StreamKey> = now.symmetric_difference(&self.shed).cloned().collect();
        self.shed = now;
        gauge!("gridward_rtsp_shed").set(self.shed.len() as f64);
        changed.iter().for_each(|key| self.settle(key));
    }

    fn without_place(&self) -> Vec<Wish> {
        let wanted = || self.entries.iter().filter(|(_, entry)| !entry.removed && entry.plan.target.is_ok());
        if wanted().filter(|(_, entry)| self.claim(&entry.plan).is_some()).count() <= self.sessions_max {
            return Vec::new();
        }
        let wish = |(key, entry): (&StreamKey, &super::Entry)| {
            let is_open = entry.governed && !entry.probing;
            self.claim(&entry.plan).map(|claim| Wish { key: key.clone(), claim, is_open })
        };
        shed(wanted().filter_map(wish).collect(), self.sessions_max)
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
        let anyway: HashSet<StreamKey> = self.without_place().into_iter().map(|wish| wish.key).collect();
        let idle = |(key, entry): &(&StreamKey, &super::Entry)| {
            order.area.contains(&key.0) && (self.claim(&entry.plan).is_none() || anyway.contains(*key))
        };
        let idle: HashSet<StreamKey> = self.entries.iter().filter(idle).map(|(key, _)| key.clone()).collect();
        self.area = order.area;
        let mut cost =
            AreaCost { cameras: self.area.len(), probes_paused: !self.area.is_empty(), ..AreaCost::default() };
        for wish in self.without_place() {
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
        let is_pulled = |entry: &super::Entry| entry.governed && !entry.probing;
        let pulled = self.entries.iter().filter(|(key, entry)| self.area.contains(&key.0) && is_pulled(entry));
        for (key, _) in pulled {
            cost.streams += 1;
            cost.opened += usize::from(idle.contains(key));
        }
        // Nobody waits any more: the order holds all the same.
        let _ = order.reply.send(cost);
    }
}
