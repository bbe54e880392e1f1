//! The time a payload gives, checked against the hub's clock.

use jiff::{SignedDuration, Timestamp};
use model::Quality;

/// How far in the past a payload's time is believed. A gateway that stored readings through a long week-end without a
/// line is believed; a clock that starts in 1970 or 2000 is not.
const MAX_PAST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How far ahead of the hub a sensor's clock may run before its time is in doubt.
const MAX_AHEAD: SignedDuration = SignedDuration::from_mins(2);

/// A time and how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct When {
    pub at: Timestamp,
    pub quality: Quality,
}

impl When {
    /// The time of receipt, for a payload without a time.
    pub fn received(received_at: Timestamp) -> Self {
        Self { at: received_at, quality: Quality::Good }
    }

    /// The time of receipt, for a payload whose time makes no sense.
    pub fn doubtful(received_at: Timestamp) -> Self {
        Self { at: received_at, quality: Quality::Uncertain }
    }

    /// The payload's time if it is plausible, else the time of receipt with [`Quality::Uncertain`].
    pub fn checked(given: Option<Timestamp>, received_at: Timestamp) -> Self {
        let Some(at) = given else { return Self::doubtful(received_at) };
        let age = received_at.duration_since(at);
        if age > MAX_PAST || age < -MAX_AHEAD {
            Self::doubtful(received_at)
        } else {
            // Nothing is true in the future: a clock slightly ahead gives "now".
            Self { at: at.min(received_at), quality: Quality::Good }
        }
    }
}

/// Reads a number as seconds, milliseconds, microseconds or nanoseconds since 1970, by its size.
///
/// The ranges do not overlap for the years 1973 to 5138.
pub(super) fn from_epoch(number: f64) -> Option<Timestamp> {
    let seconds = match number.abs() {
        n if !n.is_finite() => return None,
        n if n < 1e11 => number,
        n if n < 1e14 => number / 1e3,
        n if n < 1e17 => number / 1e6,
        _ => number / 1e9,
    };
    Timestamp::from_millisecond((seconds * 1e3).round() as i64).ok()
}

/// Reads RFC 3339 (with zone or offset), or a number in text.
pub(super) fn from_text(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse::<Timestamp>().ok().or_else(|| from_epoch(text.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoch_numbers_are_read_by_size() {
        let expected: Timestamp = "2026-11-23T20:00:00Z".parse().unwrap();
        for n in [1_795_464_000.0, 1_795_464_000_000.0, 1_795_464_000_000_000.0, 1_795_464_000_000_000_000.0] {
            assert_eq!(from_epoch(n), Some(expected), "{n}");
        }
        assert_eq!(from_text("2026-11-24T04:00:00+08:00"), Some(expected));
        assert_eq!(from_text("1795464000"), Some(expected));
        assert_eq!(from_text("yesterday"), None);
        assert_eq!(from_epoch(f64::NAN), None);
        assert_eq!(from_epoch(f64::MAX), None);
    }

    #[test]
    fn implausible_times_give_way_to_the_time_of_receipt() {
        let now: Timestamp = "2026-11-23T20:00:00Z".parse().unwrap();
        let hour = SignedDuration::from_hours(1);
        assert_eq!(When::checked(Some(now - hour), now), When { at: now - hour, quality: Quality::Good });
        assert_eq!(When::checked(Some(now + hour), now), When::doubtful(now));
        assert_eq!(When::checked(Some(now - hour * 24 * 30), now), When::doubtful(now));
        assert_eq!(When::checked(Some(now + SignedDuration::from_secs(5)), now), When::received(now));
        assert_eq!(When::checked(None, now), When::doubtful(now));
    }
}
