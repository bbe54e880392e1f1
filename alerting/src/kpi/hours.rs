//! What an hour came to at a desk, and the hours that are kept.

use std::collections::BTreeMap;

use super::cause::Cause;

pub(crate) const HOUR_S: i64 = 3_600;
/// Whole hours kept beside the one that is on: 45 days, over which a camera may raise one alarm.
pub(crate) const KEPT_HOURS: i64 = 45 * 24;

/// Counts of one hour, about 180 bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Hour {
    /// Announced, by level.
    pub raised: [u32; 4],
    pub cleared: [u32; 4],
    pub acknowledged: [u32; 4],
    /// Raised and not announced, by cause.
    pub suppressed: [u32; Cause::ALL.len()],
    /// Put aside by a person.
    pub shelvings: u32,
    /// Of the six windows of ten minutes, those with more than ten alarms.
    pub crowded: u32,
    /// The most in any ten minutes that ended in this hour.
    pub peak: u32,
    /// Seconds in flood.
    pub flood_s: u32,
    pub floods: u32,
    pub chattering: u32,
    pub fleeting: u32,
    /// The most alarms at a time that had stood for more than a day.
    pub standing: u32,
    pub longest_active_ms: i64,
    pub longest_unacknowledged_ms: i64,
}

impl Hour {
    /// All that were announced.
    pub fn all_raised(&self) -> u32 {
        self.raised.iter().sum()
    }

    /// Adds what another hour came to.
    pub fn add(&mut self, other: &Hour) {
        let each = |mine: &mut [u32], theirs: &[u32]| mine.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
        each(&mut self.raised, &other.raised);
        each(&mut self.cleared, &other.cleared);
        each(&mut self.acknowledged, &other.acknowledged);
        each(&mut self.suppressed, &other.suppressed);
        self.shelvings += other.shelvings;
        self.crowded += other.crowded;
        self.flood_s += other.flood_s;
        self.floods += other.floods;
        self.chattering += other.chattering;
        self.fleeting += other.fleeting;
        self.peak = self.peak.max(other.peak);
        self.standing = self.standing.max(other.standing);
        self.longest_active_ms = self.longest_active_ms.max(other.longest_active_ms);
        self.longest_unacknowledged_ms = self.longest_unacknowledged_ms.max(other.longest_unacknowledged_ms);
    }
}

/// The hours of a desk in which anything was; at most [`KEPT_HOURS`] and one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hours {
    by_hour: BTreeMap<i64, Hour>,
}

impl Hours {
    /// The hour in which a second lies.
    pub fn at(&mut self, second: i64) -> &mut Hour {
        let hour = second.div_euclid(HOUR_S);
        if !self.by_hour.contains_key(&hour) {
            let oldest = hour - KEPT_HOURS;
            while self.by_hour.first_key_value().is_some_and(|(known, _)| *known < oldest) {
                self.by_hour.pop_first();
            }
        }
        self.by_hour.entry(hour).or_default()
    }

    /// The hours from `from` and before `to`, rising; numbers of hours since 1970.
    pub fn range(&self, from: i64, to: i64) -> impl Iterator<Item = (i64, &Hour)> {
        let to = to.max(from);
        self.by_hour.range(from..to).map(|(hour, counts)| (*hour, counts))
    }

    /// The sum of those hours.
    pub fn sum(&self, from: i64, to: i64) -> Hour {
        let mut sum = Hour::default();
        self.range(from, to).for_each(|(_, hour)| sum.add(hour));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_older_than_45_days_are_let_go() {
        let mut hours = Hours::default();
        for hour in 0..3_000 {
            hours.at(hour * HOUR_S + 1).floods += 1;
        }
        assert_eq!(hours.by_hour.len() as i64, KEPT_HOURS + 1);
        assert_eq!(hours.sum(0, 3_000).floods as i64, KEPT_HOURS + 1);
        assert_eq!(hours.sum(2_998, 3_000).floods, 2);
        assert_eq!(hours.sum(5, 2).floods, 0, "a range from late to early is empty");
    }
}
