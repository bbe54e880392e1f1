//! Day and night shifts, and the periods that figures are told by.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::hours::HOUR_S;

/// When people change at the desks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShiftConfig {
    /// The town's zone, as `Asia/Shanghai`; empty for the machine's own.
    pub zone: String,
    /// The hours of the day shift, as `08:00-20:00`, whole hours; the rest is the night's.
    pub day: String,
}

impl Default for ShiftConfig {
    fn default() -> Self {
        Self { zone: String::new(), day: "08:00-20:00".to_owned() }
    }
}

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShiftProblem {
    /// The setting.
    pub key: String,
    /// What stands there.
    pub found: String,
    /// What would be right.
    pub expected: &'static str,
}

/// Shifts in their usable form.
#[derive(Debug, Clone)]
pub struct Shifts {
    zone: TimeZone,
    day_from: i8,
    day_to: i8,
}

/// Which shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Shift {
    /// The day's.
    Day,
    /// The night's; it belongs to the day on which it begins.
    Night,
}

/// What figures are told by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = KpiBy))]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Hours.
    #[default]
    Hour,
    /// Day and night shifts.
    Shift,
    /// Days in the town's zone.
    Day,
}

/// A stretch of whole hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// Hours since 1970.
    pub from: i64,
    pub to: i64,
    pub shift: Option<Shift>,
}

impl ShiftConfig {
    /// The usable form, or everything that is wrong.
    pub fn shifts(&self) -> Result<Shifts, Vec<ShiftProblem>> {
        let mut problems = Vec::new();
        let mut wrong = |key: &str, found: &str, expected: &'static str| {
            problems.push(ShiftProblem { key: format!("shifts.{key}"), found: format!("{found:?}"), expected });
        };
        let zone = match self.zone.as_str() {
            "" => Some(TimeZone::system()),
            name => TimeZone::get(name).ok(),
        };
        if zone.is_none() {
            wrong("zone", &self.zone, "a zone of the IANA database, as \"Asia/Shanghai\", or \"\" for the machine's");
        }
        let hours = self.day.split_once('-').and_then(|(from, to)| Some((hour_of(from)?, hour_of(to)?)));
        let hours = hours.filter(|(from, to)| from != to);
        if hours.is_none() {
            wrong("day", &self.day, "two different whole hours, as \"08:00-20:00\"");
        }
        match (zone, hours) {
            (Some(zone), Some((day_from, day_to))) => Ok(Shifts { zone, day_from, day_to }),
            _ => Err(problems),
        }
    }
}

/// `08:00` as 8; `24:00` is midnight as `00:00` is.
fn hour_of(text: &str) -> Option<i8> {
    let (hour, minutes) = text.trim().split_once(':')?;
    let hour: i8 = hour.parse().ok().filter(|hour| (0..=24).contains(hour))?;
    (minutes == "00").then_some(hour % 24)
}

impl Default for Shifts {
    fn default() -> Self {
        Self { zone: TimeZone::UTC, day_from: 8, day_to: 20 }
    }
}

impl Shifts {
    /// The zone's name, or its offset where it has none.
    pub fn zone_name(&self, now: Timestamp) -> String {
        self.zone.iana_name().map_or_else(|| self.zone.to_offset(now).to_string(), str::to_owned)
    }

    /// `08:00-20:00`.
    pub fn day_text(&self) -> String {
        format!("{:02}:00-{:02}:00", self.day_from, self.day_to)
    }

    /// The stretches that lie in the hours from `from` and before `to`, cut to them. Edges are moved back to the whole
    /// hour (of UTC) where a zone is off by a part of one.
    pub(crate) fn stretches(&self, by: By, from: i64, to: i64) -> Vec<Stretch> {
        if by == By::Hour {
            return (from..to).map(|hour| Stretch { from: hour, to: hour + 1, shift: None }).collect();
        }
        let edges = self.edges(by, from, to);
        let ends = edges.iter().skip(1).map(|(hour, _)| *hour).chain([i64::MAX]);
        let cut = edges.iter().zip(ends).map(|((begin, shift), end)| Stretch {
            from: (*begin).max(from),
            to: end.min(to),
            shift: *shift,
        });
        cut.filter(|stretch| stretch.from < stretch.to).collect()
    }

    /// Where stretches begin, rising, from before `from` on.
    fn edges(&self, by: By, from: i64, to: i64) -> Vec<(i64, Option<Shift>)> {
        let Ok(first) = Timestamp::from_second(from * HOUR_S) else { return Vec::new() };
        let mut date = self.zone.to_datetime(first).date().yesterday().unwrap_or(Date::MIN);
        let mut edges = Vec::new();
        // Reports are of 45 days at most; two more lie around them.
        loop {
            let mut of_date = match by {
                By::Day => vec![(0, None)],
                _ => vec![(self.day_from, Some(Shift::Day)), (self.day_to, Some(Shift::Night))],
            };
            of_date.sort_by_key(|(hour, _)| *hour);
            for (hour, shift) in of_date {
                let Ok(begin) = self.zone.to_timestamp(date.at(hour, 0, 0, 0)) else { continue };
                edges.push((begin.as_second().div_euclid(HOUR_S), shift));
            }
            if edges.last().is_some_and(|(hour, _)| *hour >= to) {
                return edges;
            }
            match date.checked_add(1.day()) {
                Ok(next) => date = next,
                Err(_) => return edges,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second() / HOUR_S
    }

    fn told(shifts: &Shifts, by: By, from: &str, to: &str) -> Vec<(String, i64, Option<Shift>)> {
        let stretches = shifts.stretches(by, hour(from), hour(to));
        let text = |hour: i64| Timestamp::from_second(hour * HOUR_S).unwrap().strftime("%d %H").to_string();
        stretches.iter().map(|one| (text(one.from), one.to - one.from, one.shift)).collect()
    }

    fn shifts(zone: &str, day: &str) -> Shifts {
        ShiftConfig { zone: zone.into(), day: day.into() }.shifts().unwrap()
    }

    #[test]
    fn a_day_at_the_yangtze_has_two_shifts_and_what_is_cut_off_is_cut() {
        let town = shifts("Asia/Shanghai", "08:00-20:00");
        let found = told(&town, By::Shift, "2026-11-23T22:00:00Z", "2026-11-25T00:00:00Z");
        let expected =
            [("23 22", 2, Some(Shift::Night)), ("24 00", 12, Some(Shift::Day)), ("24 12", 12, Some(Shift::Night))];
        assert_eq!(found, expected.map(|(from, hours, shift)| (from.to_owned(), hours, shift)));
        let days = told(&town, By::Day, "2026-11-23T22:00:00Z", "2026-11-25T00:00:00Z");
        assert_eq!(days, [("23 22".to_owned(), 18, None), ("24 16".to_owned(), 8, None)]);
        assert_eq!(told(&town, By::Hour, "2026-11-23T22:00:00Z", "2026-11-24T00:00:00Z").len(), 2);
    }

    #[test]
    fn the_night_in_which_clocks_change_is_longer() {
        let berlin = shifts("Europe/Berlin", "06:00-18:00");
        let found = told(&berlin, By::Shift, "2026-10-24T16:00:00Z", "2026-10-25T17:00:00Z");
        assert_eq!(found[0], ("24 16".to_owned(), 13, Some(Shift::Night)));
        assert_eq!(found[1], ("25 05".to_owned(), 12, Some(Shift::Day)));
    }

    #[test]
    fn a_day_shift_may_cross_midnight_and_end_at_it() {
        let late = shifts("UTC", "14:00-02:00");
        let found = told(&late, By::Shift, "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z");
        assert_eq!(found.iter().map(|one| one.1).collect::<Vec<_>>(), [2, 12, 10]);
        assert_eq!(shifts("UTC", "12:00-24:00").day_text(), "12:00-00:00");
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let config = ShiftConfig { zone: "Asia/Nowhere".into(), day: "8-20:30".into() };
        let keys: Vec<String> = config.shifts().unwrap_err().into_iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["shifts.zone", "shifts.day"]);
        for bad in ["08:00-08:00", "25:00-26:00", "08:30-20:00", "", "-1:00-20:00"] {
            assert!(ShiftConfig { zone: "UTC".into(), day: bad.into() }.shifts().is_err(), "{bad}");
        }
    }
}
