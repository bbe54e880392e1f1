//! Four years of minutes in six zones: what a calendar says against asking, minute by minute, what the clock on the wall
//! shows.
//!
//! The naive side knows no spans and no edges: it walks through the wall clock of the day before and of the day and asks
//! whether a span that began then is still on. Every minute is asked; both sides step through time, so that it stays quick.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::tests::calendar;
use super::{Calendar, Dates};
use crate::ruleset::RuleSet;

const ZONES: [&str; 6] =
    ["Asia/Shanghai", "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"];
const FIRST: &str = "2024-01-01";
const DAYS: i32 = 4 * 365 + 1;

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

fn dates(list: &[(&str, &str)]) -> Vec<Dates> {
    list.iter().map(|(first, last)| (date(first), date(last))).collect()
}

/// A school's hours, a night, and a whole day, with every kind of exception; some begin in the hours that clocks skip.
fn calendars(zone: &str) -> [Calendar; 3] {
    let weekdays = [true, true, true, true, true, false, false];
    let mut school = calendar(zone, weekdays, &[(7 * 60 + 10, 8 * 60 + 30), (16 * 60, 18 * 60 + 10)]);
    school.holidays =
        dates(&[("2024-10-01", "2024-10-07"), ("2026-02-16", "2026-02-23"), ("2025-05-01", "2025-05-05")]);
    school.also = dates(&[("2024-10-12", "2024-10-12"), ("2026-02-14", "2026-02-15"), ("2026-02-18", "2026-02-18")]);
    school.except = dates(&[("2026-02-15", "2026-02-15"), ("2025-12-24", "2026-01-02")]);
    school.terms = dates(&[("2024-02-20", "2024-07-05"), ("2024-09-01", "2025-01-17"), ("2025-09-01", "2026-06-30")]);
    let mut night = calendar(zone, [true, false, true, true, false, true, true], &[(22 * 60, 6 * 60), (150, 165)]);
    night.holidays = dates(&[("2025-03-28", "2025-04-02"), ("2024-10-25", "2024-10-28")]);
    let mut whole = calendar(zone, [false, true, false, false, false, false, true], &[(0, 1_440), (90, 150)]);
    whole.also = dates(&[("2027-03-13", "2027-03-15"), ("2024-02-29", "2024-02-29")]);
    [school, night, whole]
}

/// What one would say who knows the rules of the calendar and looks at the clock: a span begun on a day is on from its
/// first moment of that wall time (a skipped one is moved forward) until its end's, which may be a day later.
struct Naive<'c> {
    calendar: &'c Calendar,
    /// Spans of the days around the present one, as first and last second.
    spans: Vec<(i64, i64)>,
    day: Option<Date>,
}

impl Naive<'_> {
    fn is_open(&mut self, at: Timestamp) -> bool {
        let day = self.calendar.zone.to_datetime(at).date();
        if self.day != Some(day) {
            self.day = Some(day);
            self.spans =
                [-1, 0, 1].into_iter().flat_map(|n| self.begun_on(day.checked_add(n.days()).unwrap())).collect();
        }
        let second = at.as_second();
        self.spans.iter().any(|(from, to)| *from <= second && second < *to)
    }

    fn begun_on(&self, day: Date) -> Vec<(i64, i64)> {
        let c = self.calendar;
        let listed = |list: &[Dates]| list.iter().any(|(first, last)| day >= *first && day <= *last);
        let weekday = c.days[day.weekday().to_monday_zero_offset() as usize];
        let on = if listed(&c.except) || !(c.terms.is_empty() || listed(&c.terms)) {
            false
        } else if listed(&c.also) {
            true
        } else {
            weekday && !listed(&c.holidays)
        };
        if !on {
            return Vec::new();
        }
        let wall = |minutes: u16| {
            let day = day.checked_add(i32::from(minutes / 1_440).days()).unwrap();
            self.first_second_of(day, minutes % 1_440)
        };
        c.hours.iter().map(|h| (wall(h.from), wall(if h.to <= h.from { h.to + 1_440 } else { h.to }))).collect()
    }

    /// The first moment of a wall time, found by trying every offset that the zone ever shows around it.
    fn first_second_of(&self, day: Date, minute: u16) -> i64 {
        let zone: &TimeZone = &self.calendar.zone;
        let wall = day.to_datetime(jiff::civil::Time::midnight()).checked_add(i64::from(minute).minutes()).unwrap();
        let utc = TimeZone::UTC.to_timestamp(wall).unwrap();
        let offsets: BTreeSet<i32> =
            [-36, 0, 36].into_iter().map(|hours| zone.to_offset(utc + i64::from(hours).hours()).seconds()).collect();
        let shown = |offset: i32| {
            let at = utc - i64::from(offset).seconds();
            (zone.to_offset(at).seconds() == offset).then(|| at.as_second())
        };
        let shows = offsets.iter().filter_map(|offset| shown(*offset)).min();
        // Skipped: as far behind the change as the wall time would be, were the clock not moved.
        shows.unwrap_or_else(|| utc.as_second() - i64::from(*offsets.iter().min().unwrap()))
    }
}

#[test]
fn four_years_in_six_zones_minute_by_minute() {
    for zone in ZONES {
        for calendar in calendars(zone) {
            let mut naive = Naive { calendar: &calendar, spans: Vec::new(), day: None };
            let begin = calendar.zone.to_timestamp(date(FIRST).to_datetime(jiff::civil::Time::midnight())).unwrap();
            let (mut edge, mut open, mut changes) = (calendar.next_edge(begin), calendar.is_open(begin), 0);
            for minute in 0..i64::from(DAYS) * 1_440 {
                let now = Timestamp::from_second(begin.as_second() + minute * 60).unwrap();
                // Between two edges it says one thing; at each it is asked anew.
                while let Some(at) = edge.filter(|at| *at <= now) {
                    let asked = calendar.is_open(at);
                    changes += usize::from(asked != open);
                    open = asked;
                    edge = calendar.next_edge(at);
                }
                assert_eq!(open, naive.is_open(now), "{zone} {now}");
                if minute % 97 == 0 {
                    assert_eq!(calendar.is_open(now), open, "{zone} {now}");
                }
            }
            assert!(changes > 300, "{zone}: {changes} changes in four years");
        }
    }
}

#[test]
fn a_term_years_away_is_waited_for() {
    let mut calendar = calendar("Asia/Shanghai", [true; 7], &[(8 * 60, 9 * 60)]);
    calendar.terms = dates(&[("2030-09-01", "2030-09-02")]);
    let mut at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut looks = 0;
    while !calendar.is_open(at) {
        at = calendar.next_edge(at).unwrap();
        looks += 1;
    }
    assert_eq!(at, "2030-09-01T08:00:00+08:00".parse().unwrap());
    assert!(looks < 8, "{looks}");
    let mut edges = 0;
    while let Some(next) = calendar.next_edge(at) {
        at = next;
        edges += 1;
    }
    assert_eq!(edges, 3, "after the last term there is nothing to wait for");
}

#[test]
fn holidays_are_named_once_and_used_by_every_file() {
    let load = |holidays: &str, calendar: &str| {
        let used = format!(
            "version: 1\ncalendars:\n  school: {{zone: Asia/Shanghai, hours: [\"07:10-08:30\"], {calendar}}}\nrules:\n- id: r\n  \
             title: {{zh: r, en: r}}\n  hazard: crowd\n  about: {{owner: o, action: {{zh: a, en: a}}}}\n  \
             on: {{class: c, reading: v}}\n  only: school\n  level: blue\n  raise: x > 3\n"
        );
        RuleSet::load(&[("a.yaml".into(), used), ("b.yaml".into(), format!("version: 1\n{holidays}"))])
    };
    let good = "holidays: {cn-2026: [2026-10-01..2026-10-07, 2026-01-01]}\n";
    let rules = load(good, "holidays: cn-2026, also: [2026-10-10], terms: [2026-09-01..2027-01-15]").unwrap();
    let calendar = rules.at(0).only.clone().unwrap();
    assert_eq!(calendar.holidays.len(), 2);
    let open = |text: &str| calendar.is_open(text.parse().unwrap());
    assert!(open("2026-10-08T07:30:00+08:00") && open("2026-10-10T07:30:00+08:00"));
    assert!(!open("2026-10-05T07:30:00+08:00") && !open("2026-08-31T07:30:00+08:00"));
    let changed = load(&good.replace("-07", "-08"), "holidays: cn-2026").unwrap();
    assert_ne!(
        changed.version(),
        load(good, "holidays: cn-2026").unwrap().version(),
        "holidays are part of the meaning"
    );
    let told = |holidays: &str, calendar: &str| {
        let problems = load(holidays, calendar).unwrap_err();
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert!(told(good, "holidays: cn-2027").contains("the unknown holidays `cn-2027`"));
    assert!(told("holidays: {a: [2026-13-01]}\n", "days: [mon]").starts_with("b.yaml:2:16"));
    assert!(told("holidays: {a: [2026-10-07..2026-10-01]}\n", "days: [mon]").contains("a date or first..last"));
}
