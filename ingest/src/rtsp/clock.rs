//! How far a camera's own clock is off, from its sender reports (RFC 3550, section 6.4.1). Pure.
//!
//! A report carries the camera's wall clock at its sending. It is found later: by the network's way, and by up to a turn
//! (`pace`, 0.4 s) while nobody watches. Lateness makes a clock look slow and never fast, so that of the last reports the
//! one that speaks for the fastest clock came soonest. Frames are placed without any of this (`pace::Arrivals`).

use std::collections::VecDeque;

use model::Timestamp;

/// Reports looked at: with one each 5 s, as most cameras send them, half a minute. A clock that was set back is told
/// after so many, one that was set forward at once; of six reports read in turns of 0.4 s the soonest is about 0.06 s late.
const REPORTS: usize = 6;
/// From the beginning of NTP's era 0 (1900) to Unix time, in seconds.
const NTP_TO_UNIX_S: u64 = 2_208_988_800;

/// What the reports of one session say.
#[derive(Debug, Default)]
pub(crate) struct CameraClock {
    /// The camera's clock minus the hub's, in ms, one a report.
    offsets_ms: VecDeque<i64>,
}

impl CameraClock {
    /// A report with this NTP time (32 bits of seconds, 32 bits of their fraction) was found at `now`.
    pub(crate) fn report(&mut self, ntp: u64, now: Timestamp) {
        let Some(camera_ms) = unix_ms(ntp) else { return };
        if self.offsets_ms.len() == REPORTS {
            self.offsets_ms.pop_front();
        }
        self.offsets_ms.push_back(camera_ms - now.as_millisecond());
    }

    /// The camera's clock minus the hub's, in ms: too small by how late the soonest of the last reports was. None while
    /// the camera has told no time.
    pub(crate) fn offset_ms(&self) -> Option<i64> {
        self.offsets_ms.iter().max().copied()
    }
}

/// None for what is no time of day: a sender without a clock may write 0, or how long it has been running. NTP's era 1
/// begins in February 2036; its times would be taken for such.
fn unix_ms(ntp: u64) -> Option<i64> {
    let seconds = (ntp >> 32).checked_sub(NTP_TO_UNIX_S)?;
    let ms = ((ntp & 0xFFFF_FFFF) * 1_000) >> 32;
    i64::try_from(seconds * 1_000 + ms).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_MS: i64 = 1_795_000_000_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn ntp(unix_ms: i64) -> u64 {
        let ms = unix_ms as u64 + NTP_TO_UNIX_S * 1_000;
        ((ms / 1_000) << 32) | ((((ms % 1_000) << 32) / 1_000) + 1)
    }

    /// Reports each 5 s of a camera that is off by `offset_ms`, each so late.
    fn play(clock: &mut CameraClock, from_ms: i64, offset_ms: i64, late_ms: &[i64]) {
        for (n, late) in late_ms.iter().enumerate() {
            let sent = from_ms + n as i64 * 5_000;
            clock.report(ntp(sent + offset_ms), at(sent + late));
        }
    }

    #[test]
    fn the_report_that_came_soonest_tells_the_offset() {
        for offset in [0, 3_200, -7_200_000, 86_400_000] {
            let mut clock = CameraClock::default();
            play(&mut clock, NOON_MS, offset, &[390, 210, 12, 355]);
            assert_eq!(clock.offset_ms(), Some(offset - 12));
        }
    }

    #[test]
    fn a_clock_that_is_set_is_followed_forward_at_once_and_back_after_some_reports() {
        let mut clock = CameraClock::default();
        play(&mut clock, NOON_MS, 0, &[5; 20]);
        play(&mut clock, NOON_MS + 100_000, 60_000, &[5]);
        assert_eq!(clock.offset_ms(), Some(59_995));
        play(&mut clock, NOON_MS + 105_000, 0, &[5; 5]);
        assert_eq!(clock.offset_ms(), Some(59_995));
        play(&mut clock, NOON_MS + 130_000, 0, &[5]);
        assert_eq!(clock.offset_ms(), Some(-5));
    }

    #[test]
    fn a_camera_without_a_clock_is_unknown_and_not_exact() {
        let mut clock = CameraClock::default();
        assert_eq!(clock.offset_ms(), None);
        clock.report(0, at(NOON_MS));
        // Running for an hour.
        clock.report(3_600 << 32, at(NOON_MS));
        assert_eq!(clock.offset_ms(), None);
        // A clock that stands at its first day is one, and wrong by decades.
        clock.report(ntp(0), at(NOON_MS));
        assert_eq!(clock.offset_ms(), Some(-NOON_MS));
        clock.report(u64::MAX, at(NOON_MS));
        assert!(clock.offset_ms().is_some_and(|ms| ms > 0), "no overflow");
    }
}
