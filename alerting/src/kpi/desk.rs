//! What one desk is told: its hours, its sliding windows, its floods. Desk number 0 is the hub as a whole.

use std::collections::VecDeque;

use model::{Flood, FloodChange, FloodTransition, Level, Timestamp};

use super::hours::{HOUR_S, Hour, Hours, KEPT_HOURS};
use super::sliding::Sliding;

/// The window that floods and rates are counted in (ISA-18.2).
pub(crate) const WINDOW_S: i64 = 600;
/// More than so many in the window begin a flood ...
pub(crate) const FLOOD_ABOVE: u32 = 10;
/// ... and fewer than so many end it.
pub(crate) const FLOOD_BELOW: u32 = 5;
/// Floods kept to be shown: of 45 days with one each hour and a half.
const MAX_FLOODS: usize = 720;

/// A flood from its begin to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub since_s: i64,
    /// None while it is on.
    pub until_s: Option<i64>,
    pub alarms: u32,
    pub peak: u32,
}

/// Figures of one desk.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    /// None for the hub as a whole.
    pub name: Option<String>,
    pub hours: Hours,
    /// Announced in the last ten minutes, and in the last hour.
    window: Sliding,
    hour: Sliding,
    /// The window by the clock that is on, and what is in it.
    crowd: (i64, u32),
    /// Up to where the time in flood is counted.
    counted_s: i64,
    pub floods: VecDeque<Span>,
    /// Alarms that have stood for more than a day.
    standing: u32,
}

impl Desk {
    pub fn new(name: Option<String>) -> Self {
        Self {
            name,
            hours: Hours::default(),
            window: Sliding::new(WINDOW_S),
            hour: Sliding::new(HOUR_S),
            crowd: (i64::MIN, 0),
            counted_s: i64::MIN,
            floods: VecDeque::new(),
            standing: 0,
        }
    }

    /// An alarm is announced. The clock has been moved to `now` before.
    pub fn announce(&mut self, now: i64, level: Level) -> Option<FloodTransition> {
        self.window.add(now);
        self.hour.add(now);
        let rate = self.window.sum();
        let window = now.div_euclid(WINDOW_S);
        let in_window = if self.crowd.0 == window { self.crowd.1 + 1 } else { 1 };
        self.crowd = (window, in_window);
        let hour = self.hours.at(now);
        hour.raised[level as usize] += 1;
        hour.peak = hour.peak.max(rate);
        // Counted once a window, when it becomes crowded.
        hour.crowded += u32::from(in_window == FLOOD_ABOVE + 1);
        if let Some(flood) = self.flood_mut() {
            flood.alarms += 1;
            flood.peak = flood.peak.max(rate);
            return None;
        }
        (rate > FLOOD_ABOVE).then(|| self.begin(now, rate))
    }

    fn begin(&mut self, now: i64, rate: u32) -> FloodTransition {
        if self.floods.len() == MAX_FLOODS {
            self.floods.pop_front();
        }
        self.floods.push_back(Span { since_s: now, until_s: None, alarms: rate, peak: rate });
        self.counted_s = now;
        self.hours.at(now).floods += 1;
        self.said(now, FloodChange::Began { alarms: rate })
    }

    /// When the flood that is on ends if nothing more is announced.
    pub fn ends_at(&self) -> Option<i64> {
        self.flood().and_then(|_| self.window.falls_below(FLOOD_BELOW))
    }

    /// Whether a flood is on that what is left in the window no longer bears.
    pub fn is_over(&self) -> bool {
        self.is_flooded() && self.window.sum() < FLOOD_BELOW
    }

    /// Ends the flood that is on.
    pub fn end(&mut self, at: i64) -> Option<FloodTransition> {
        self.advance(at);
        let flood = self.flood_mut()?;
        flood.until_s = Some(at);
        let Span { since_s, alarms, peak, .. } = *flood;
        Some(self.said(at, FloodChange::Ended { since: second(since_s), alarms, peak }))
    }

    /// Moves to a moment: counts the time in flood, hour by hour. At most an hour and a window at a time, because a
    /// flood does not outlive its window.
    pub fn advance(&mut self, to: i64) {
        self.window.expire(to);
        self.hour.expire(to);
        if self.flood().is_none() {
            return;
        }
        while self.counted_s < to {
            let next = ((self.counted_s.div_euclid(HOUR_S) + 1) * HOUR_S).min(to);
            let part = (next - self.counted_s) as u32;
            self.hours.at(self.counted_s).flood_s += part;
            self.counted_s = next;
        }
    }

    /// An alarm has now stood for more than a day, or one that had has ended.
    pub fn stands(&mut self, now: i64, more: bool) {
        self.standing = if more { self.standing + 1 } else { self.standing.saturating_sub(1) };
        self.carry(now);
    }

    /// What stands counts in each hour in which it does.
    pub fn carry(&mut self, now: i64) {
        if self.standing > 0 {
            let hour = self.hours.at(now);
            hour.standing = hour.standing.max(self.standing);
        }
    }

    pub fn standing(&self) -> u32 {
        self.standing
    }

    /// The counts of the hour of a moment.
    pub fn count(&mut self, now: i64) -> &mut Hour {
        self.hours.at(now)
    }

    /// Announced in the last ten minutes, and in the last hour.
    pub fn rates(&self) -> (u32, u32) {
        (self.window.sum(), self.hour.sum())
    }

    pub fn is_flooded(&self) -> bool {
        self.flood().is_some()
    }

    /// The flood that is on, as people are told it.
    pub fn told(&self) -> Option<Flood> {
        self.flood().map(|flood| Flood {
            desk: self.name.clone(),
            since: second(flood.since_s),
            alarms: flood.alarms,
            rate: self.window.sum(),
        })
    }

    /// Lets go of floods that ended more than 45 days ago.
    pub fn forget(&mut self, now: i64) {
        let oldest = now - KEPT_HOURS * HOUR_S;
        while self.floods.front().is_some_and(|flood| flood.until_s.is_some_and(|until| until < oldest)) {
            self.floods.pop_front();
        }
    }

    fn flood(&self) -> Option<&Span> {
        self.floods.back().filter(|flood| flood.until_s.is_none())
    }

    fn flood_mut(&mut self) -> Option<&mut Span> {
        self.floods.back_mut().filter(|flood| flood.until_s.is_none())
    }

    fn said(&self, at: i64, change: FloodChange) -> FloodTransition {
        FloodTransition { desk: self.name.clone(), at: second(at), change }
    }
}

/// A second as a time.
pub(crate) fn second(at: i64) -> Timestamp {
    Timestamp::from_second(at).unwrap_or_default()
}
