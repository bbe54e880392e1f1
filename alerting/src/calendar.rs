//! Calendars: when a rule is in force, in the town's own time.

use std::sync::Arc;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// How far ahead an opening is looked for; a year and a bit finds every yearly one.
const LOOK_AHEAD_DAYS: i32 = 400;

/// Spans of hours on days of the week, in a zone. A span whose end is not after its begin ends on the next day; its day
/// is the one on which it begins. Where clocks change, a skipped time is moved forward, a repeated one is the first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Calendar {
    pub name: Arc<str>,
    pub zone: TimeZone,
    /// From Monday.
    pub days: [bool; 7],
    pub hours: Vec<Span>,
    /// Dates, first and last, on which nothing begins.
    pub except: Vec<Dates>,
    /// Holidays: nothing begins, but on days worked instead.
    pub holidays: Vec<Dates>,
    /// Days worked instead of others: spans begin whatever the day of the week.
    pub also: Vec<Dates>,
    /// When the calendar holds at all; empty for always.
    pub terms: Vec<Dates>,
}

/// First and last date.
pub(crate) type Dates = (Date, Date);

/// Minutes of the day, `from` below 1,440, `to` at most 1,440.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub from: u16,
    pub to: u16,
}

impl Calendar {
    /// Whether the rule is in force at a moment.
    pub fn is_open(&self, at: Timestamp) -> bool {
        let today = self.date_of(at);
        // Yesterday's spans may reach into today, and a change of clocks may move a span's end by a day's edge.
        [today.yesterday().ok(), Some(today), today.tomorrow().ok()]
            .into_iter()
            .flatten()
            .flat_map(|date| self.spans_of(date))
            .any(|(from, to)| from <= at && at < to)
    }

    /// The next moment at which it may open or close.
    pub fn next_edge(&self, after: Timestamp) -> Option<Timestamp> {
        let mut date = self.date_of(after).yesterday().ok()?;
        let mut best: Option<Timestamp> = None;
        for _ in 0..LOOK_AHEAD_DAYS {
            for (from, to) in self.spans_of(date) {
                for edge in [from, to].into_iter().filter(|edge| *edge > after) {
                    best = Some(best.map_or(edge, |known| known.min(edge)));
                }
            }
            // A later day's spans begin after this day's end, but for a change of clocks; one more day settles that.
            if best.is_some_and(|best| self.date_of(best) < date) {
                break;
            }
            date = date.tomorrow().ok()?;
        }
        // Nothing in sight, but a term or a day further off: an edge at which nothing changes makes it look again.
        best.or_else(|| {
            let later = self.terms.iter().chain(&self.also).any(|(_, last)| *last >= date);
            self.moment(date, 0).filter(|_| later)
        })
    }

    /// Whether spans begin on a date.
    fn is_on(&self, date: Date) -> bool {
        let within = |list: &[Dates]| list.iter().any(|(first, last)| (*first..=*last).contains(&date));
        let worked = self.days[usize::from(day_number(date.weekday()))] && !within(&self.holidays);
        (worked || within(&self.also)) && !within(&self.except) && (self.terms.is_empty() || within(&self.terms))
    }

    fn date_of(&self, at: Timestamp) -> Date {
        self.zone.to_datetime(at).date()
    }

    /// What begins on a date.
    fn spans_of(&self, date: Date) -> impl Iterator<Item = (Timestamp, Timestamp)> + '_ {
        let spans: &[Span] = if self.is_on(date) { &self.hours } else { &[] };
        spans.iter().filter_map(move |span| {
            let last = if span.to <= span.from { date.tomorrow().ok()? } else { date };
            Some((self.moment(date, span.from)?, self.moment(last, span.to)?))
        })
    }

    fn moment(&self, date: Date, minute: u16) -> Option<Timestamp> {
        // 24:00 is the next day's 00:00.
        let date = if minute >= 1_440 { date.tomorrow().ok()? } else { date };
        let minute = minute % 1_440;
        let time = Time::midnight().checked_add(i64::from(minute).minutes()).ok()?;
        self.zone.to_timestamp(date.to_datetime(time)).ok()
    }
}

fn day_number(day: Weekday) -> u8 {
    day.to_monday_zero_offset().unsigned_abs()
}

#[cfg(test)]
#[path = "calendar_years_tests.rs"]
mod years_tests;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(super) fn calendar(zone: &str, days: [bool; 7], hours: &[(u16, u16)]) -> Calendar {
        Calendar {
            name: "c".into(),
            zone: TimeZone::get(zone).unwrap(),
            days,
            hours: hours.iter().map(|(from, to)| Span { from: *from, to: *to }).collect(),
            except: Vec::new(),
            holidays: Vec::new(),
            also: Vec::new(),
            terms: Vec::new(),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_night_crosses_midnight_and_belongs_to_the_day_it_begins_on() {
        let friday_nights =
            calendar("Asia/Shanghai", [false, false, false, false, true, false, false], &[(22 * 60, 6 * 60)]);
        assert!(!friday_nights.is_open(at("2026-11-27T21:59:59+08:00")));
        assert!(friday_nights.is_open(at("2026-11-27T22:00:00+08:00")));
        assert!(friday_nights.is_open(at("2026-11-28T05:59:59+08:00")), "Saturday morning is still Friday's night");
        assert!(!friday_nights.is_open(at("2026-11-28T06:00:00+08:00")));
        assert!(!friday_nights.is_open(at("2026-11-27T03:00:00+08:00")), "Friday morning is Thursday's night");
        assert_eq!(friday_nights.next_edge(at("2026-11-28T06:00:00+08:00")), Some(at("2026-12-04T22:00:00+08:00")));
    }

    #[test]
    fn a_date_can_be_taken_out() {
        let mut calendar = calendar("Asia/Shanghai", [true; 7], &[(7 * 60, 8 * 60)]);
        calendar.except.push(("2026-10-01".parse().unwrap(), "2026-10-07".parse().unwrap()));
        assert!(!calendar.is_open(at("2026-10-03T07:30:00+08:00")));
        assert_eq!(calendar.next_edge(at("2026-09-30T08:00:00+08:00")), Some(at("2026-10-08T07:00:00+08:00")));
    }

    #[test]
    fn a_calendar_that_never_opens_has_no_edge() {
        assert_eq!(calendar("UTC", [false; 7], &[(0, 60)]).next_edge(at("2026-01-01T00:00:00Z")), None);
    }

    proptest! {
        /// Walking from edge to edge finds what asking every minute finds, also where clocks change.
        #[test]
        fn edges_are_all_the_changes(
            zone in prop::sample::select(vec![
                "Asia/Shanghai", "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo",
            ]),
            days in prop::array::uniform7(any::<bool>()),
            hours in prop::collection::vec((0u16..1_440, 1u16..=1_440), 1..3),
            // Days around the changes of clocks in spring and autumn.
            start in prop::sample::select(vec!["2026-03-07", "2026-03-28", "2026-10-03", "2026-10-24", "2026-10-31"]),
        ) {
            let calendar = calendar(zone, days, &hours);
            let begin = at(&format!("{start}T00:00:00Z"));
            let mut edge = calendar.next_edge(begin);
            let mut before = calendar.is_open(begin);
            for minute in 1..3 * 1_440i64 {
                let now = begin + minute.minutes();
                let open = calendar.is_open(now);
                if open != before {
                    prop_assert!(edge.is_some_and(|edge| edge <= now), "a change at {} without an edge", now);
                }
                while edge.is_some_and(|edge| edge <= now) {
                    edge = calendar.next_edge(edge.unwrap());
                }
                before = open;
            }
        }
    }
}
