//! How much a stream of alarms loads a desk, by the numbers of ISA-18.2.

use jiff::SignedDuration;
use model::Timestamp;
use serde::Serialize;

/// The width of a window in which alarms are counted.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// More than so many in a window are a flood.
const FLOOD: usize = 10;

/// The load on a desk over a time. ISA-18.2 takes about 6 alarms an hour as good and 12 as the most; more than 10 in
/// 10 minutes are a flood.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Load {
    /// Alarms raised.
    pub alarms: usize,
    /// In an hour, on average.
    pub per_hour: f64,
    /// In the worst hour of the clock.
    pub worst_hour: usize,
    /// In the worst ten minutes, counted from the begin.
    pub worst_ten_minutes: usize,
    /// Windows of ten minutes with more than ten.
    pub flood_windows: usize,
    /// Their share of all windows, in percent.
    pub flood_percent: f64,
    /// Hours of the clock with more than twelve.
    pub hours_over_12: usize,
}

impl Load {
    /// Of the moments at which alarms were raised, in any order.
    pub fn of(raised: impl IntoIterator<Item = Timestamp>, from: Timestamp, to: Timestamp) -> Self {
        let mut at: Vec<i64> =
            raised.into_iter().filter(|at| (from..to).contains(at)).map(Timestamp::as_millisecond).collect();
        at.sort_unstable();
        let window_ms = WINDOW.as_millis() as i64;
        let begin = from.as_millisecond();
        let windows = group(&at, |at| (at - begin) / window_ms);
        let hours = group(&at, |at| at.div_euclid(3_600_000));
        let long = to.duration_since(from).as_secs_f64();
        let flood_windows = windows.iter().filter(|count| **count > FLOOD).count();
        let all_windows = (long / WINDOW.as_secs_f64()).ceil().max(1.0);
        Self {
            alarms: at.len(),
            per_hour: if long > 0.0 { at.len() as f64 * 3_600.0 / long } else { 0.0 },
            worst_hour: hours.iter().copied().max().unwrap_or(0),
            worst_ten_minutes: windows.iter().copied().max().unwrap_or(0),
            flood_windows,
            flood_percent: flood_windows as f64 * 100.0 / all_windows,
            hours_over_12: hours.iter().filter(|count| **count > 12).count(),
        }
    }
}

/// How many of rising moments fall into each group.
fn group(at: &[i64], of: impl Fn(i64) -> i64) -> Vec<usize> {
    at.chunk_by(|a, b| of(*a) == of(*b)).map(<[i64]>::len).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_200 + second).unwrap()
    }

    #[test]
    fn floods_are_windows_with_more_than_ten() {
        let ten = (0..10).map(|n| at(600 + n));
        let eleven = (0..11).map(|n| at(1_200 + n));
        let outside = [at(-1), at(7_200)];
        let load = Load::of(ten.chain(eleven).chain(outside), at(0), at(7_200));
        assert_eq!((load.alarms, load.flood_windows, load.worst_ten_minutes), (21, 1, 11));
        assert!((load.per_hour - 10.5).abs() < 1e-9 && (load.flood_percent - 100.0 / 12.0).abs() < 1e-9, "{load:?}");
        assert_eq!((load.worst_hour, load.hours_over_12), (21, 1));
    }

    #[test]
    fn an_empty_time_is_no_load() {
        let load = Load::of([], at(0), at(0));
        assert_eq!((load.alarms, load.per_hour, load.flood_windows), (0, 0.0, 0));
    }
}
