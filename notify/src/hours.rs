//! Hours of the week: when a shift is on duty, when a route is in force.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

/// Spans of hours on days of the week, in a zone. A span whose end is not after its begin ends on the next day, and
/// belongs to the day on which it begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// The zone of the clock, as `Asia/Shanghai`; the file's own without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
    /// On which days; every day when empty.
    #[serde(default)]
    pub days: Vec<Day>,
    /// From when to when, as `20:00-08:00`; the whole day when empty.
    #[serde(default)]
    pub hours: Vec<Span>,
    /// First and last date on which a span begins, as `2026-11-01..2026-11-30`; always without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dates: Option<Dates>,
}

/// A zone of the IANA list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(pub TimeZone);

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// Minutes of the day: `from` below 1,440, `to` at most 1,440.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    from: i16,
    to: i16,
}

/// First and last date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Dates {
    first: Date,
    last: Date,
}

/// The whole day.
const ALL_DAY: &[Span] = &[Span { from: 0, to: 1_440 }];

impl Hours {
    /// Whether a moment lies in one of the spans.
    pub fn is_open(&self, at: Timestamp, zone: &TimeZone) -> bool {
        let zone = self.zone.as_ref().map_or(zone, |zone| &zone.0);
        let today = zone.to_datetime(at).date();
        // Yesterday's spans may reach into today, and a change of clocks may move an end over a day's edge.
        let near = [today.yesterday().ok(), Some(today), today.tomorrow().ok()];
        near.into_iter().flatten().filter(|date| self.begins_on(*date)).any(|date| {
            let spans = if self.hours.is_empty() { ALL_DAY } else { &self.hours };
            spans.iter().any(|span| span.on(date, zone).is_some_and(|(from, to)| from <= at && at < to))
        })
    }

    fn begins_on(&self, date: Date) -> bool {
        let day = Day::ALL[usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())];
        let is_day = self.days.is_empty() || self.days.contains(&day);
        is_day && self.dates.is_none_or(|dates| (dates.first..=dates.last).contains(&date))
    }
}

impl Day {
    const ALL: [Day; 7] = [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun];
}

impl Span {
    fn on(self, date: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let last = if self.to <= self.from { date.tomorrow().ok()? } else { date };
        Some((moment(date, self.from, zone)?, moment(last, self.to, zone)?))
    }
}

/// A minute of a date; 24:00 is the next day's 00:00. Where clocks change a skipped time is moved forward.
fn moment(date: Date, minute: i16, zone: &TimeZone) -> Option<Timestamp> {
    let date = if minute >= 1_440 { date.tomorrow().ok()? } else { date };
    let time = Time::midnight().checked_add(i64::from(minute % 1_440).minutes()).ok()?;
    zone.to_timestamp(date.to_datetime(time)).ok()
}

fn minute_of(text: &str) -> Option<i16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let two = |part: &str| (part.len() == 2).then(|| part.parse::<i16>().ok().filter(|n| *n >= 0)).flatten();
    let minutes = two(hour)? * 60 + two(minute).filter(|m| *m < 60)?;
    (minutes <= 1_440).then_some(minutes)
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let span = text.split_once('-').and_then(|(from, to)| {
            let (from, to) = (minute_of(from)?, minute_of(to)?);
            (from < 1_440 && from != to).then_some(Span { from, to })
        });
        span.ok_or_else(|| format!("found {text:?}, expected hours as \"20:00-08:00\" or \"00:00-24:00\""))
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        let (from, to) = (span.from, span.to);
        format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

impl TryFrom<String> for Dates {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (first, last) = text.split_once("..").unwrap_or((&text, &text));
        let dates = first.trim().parse::<Date>().ok().zip(last.trim().parse::<Date>().ok());
        let dates = dates.filter(|(first, last)| first <= last).map(|(first, last)| Dates { first, last });
        dates.ok_or_else(|| format!("found {text:?}, expected dates as \"2026-10-01..2026-10-07\""))
    }
}

impl From<Dates> for String {
    fn from(dates: Dates) -> String {
        format!("{}..{}", dates.first, dates.last)
    }
}

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let zone = TimeZone::get(&text).map(Zone);
        zone.map_err(|_| format!("found {text:?}, expected a zone of the IANA list, as \"Asia/Shanghai\""))
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> String {
        zone.0.iana_name().unwrap_or("UTC").to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(text: &str) -> Hours {
        toml::from_str(text).unwrap()
    }

    fn open(hours: &Hours, at: &str) -> bool {
        hours.is_open(at.parse().unwrap(), &TimeZone::get("Asia/Shanghai").unwrap())
    }

    #[test]
    fn a_night_belongs_to_the_day_it_begins_on() {
        let fridays = hours("days = ['fri']\nhours = ['22:00-06:00']");
        assert!(!open(&fridays, "2026-11-27T21:59:59+08:00"));
        assert!(open(&fridays, "2026-11-27T22:00:00+08:00"));
        assert!(open(&fridays, "2026-11-28T05:59:59+08:00"), "Saturday morning is still Friday's night");
        assert!(!open(&fridays, "2026-11-28T06:00:00+08:00"));
        assert!(!open(&fridays, "2026-11-27T03:00:00+08:00"), "Friday morning is Thursday's night");
    }

    #[test]
    fn dates_bound_the_day_on_which_a_span_begins() {
        let november = hours("hours = ['22:00-06:00']\ndates = '2026-11-01..2026-11-30'");
        assert!(open(&november, "2026-12-01T05:00:00+08:00"), "the night of the 30th");
        assert!(!open(&november, "2026-12-01T22:00:00+08:00"));
        assert!(!open(&november, "2026-11-01T05:00:00+08:00"), "the night of October 31st");
    }

    #[test]
    fn nothing_said_is_always_and_a_zone_of_its_own_counts() {
        assert!(open(&hours(""), "2026-11-27T03:00:00Z"));
        let berlin = hours("zone = 'Europe/Berlin'\nhours = ['08:00-09:00']");
        assert!(open(&berlin, "2026-07-01T08:30:00+02:00") && !open(&berlin, "2026-07-01T08:30:00+08:00"));
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for wrong in ["8-9", "24:00-25:00", "08:00-08:00", "08:60-09:00", "-1:00-09:00", ""] {
            assert!(Span::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
