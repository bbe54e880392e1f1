//! The stream's own time: what cameras say, made monotonic.
//!
//! Cameras' clocks jump hours, run back and restart at 0. Players stop at a hole or an overlap (Media Source Extensions
//! drop frames until the next key frame when a decode time lies more than two frame durations after the last one). So
//! each frame begins exactly where the one before it ended, and its duration steers the stream's time towards the camera's. A jump
//! in the camera's time is left out: the next frame follows at once.

/// 25 frames a second, until the camera has shown its own interval.
const FIRST_INTERVAL: i64 = 3_600;
/// A longer interval is an outage and no frame rate; 5 s still counts for cameras of one frame every few seconds.
const INTERVAL_MAX: i64 = 450_000;
/// A step up to half a second may be lost frames and is kept as a long frame.
const STEP_ALWAYS_KEPT: i64 = 45_000;

/// Where a frame stands in the stream's time, in ticks of 1/90,000 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    pub decode_time: i64,
    pub duration: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Timeline {
    /// The camera's time of the last frame; none at the start and after [`Timeline::restart`].
    last_pts: Option<i64>,
    /// Stream time minus camera time.
    offset: i64,
    /// Where the last frame ends, and so the next one begins.
    end: i64,
    /// The last plausible intervals: their median is not moved by one outlier.
    intervals: [i64; 3],
    seen: usize,
}

impl Timeline {
    /// The camera's clock is another one from now on: a new session.
    pub(crate) fn restart(&mut self) {
        self.last_pts = None;
    }

    /// Places the next frame.
    pub(crate) fn place(&mut self, pts: i64) -> Placed {
        let before = self.interval();
        let step = self.last_pts.map(|last| pts.saturating_sub(last));
        self.last_pts = Some(pts);
        if let Some(step) = step.filter(|s| (1..=INTERVAL_MAX).contains(s)) {
            self.intervals[self.seen % 3] = step;
            self.seen += 1;
        }
        let interval = self.interval();
        let decode_time = self.end;
        let limit = STEP_ALWAYS_KEPT.max(4 * before);
        let error = pts.saturating_add(self.offset).saturating_sub(decode_time);
        let jumped = !step.is_some_and(|s| s > 0 && s <= limit) || error.unsigned_abs() > limit as u64;
        if jumped {
            self.offset = decode_time.wrapping_sub(pts);
        }
        let duration = if jumped { interval } else { (error + interval).max(interval / 4) };
        let duration = duration.max(1);
        self.end = decode_time + duration;
        // At most INTERVAL_MAX plus the limit: fits.
        Placed { decode_time, duration: duration as u32 }
    }

    /// The median of the last plausible intervals.
    fn interval(&self) -> i64 {
        let mut known = self.intervals;
        match self.seen {
            0 => FIRST_INTERVAL,
            1 => known[0],
            2 => known[0].min(known[1]),
            _ => {
                known.sort_unstable();
                known[1]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(times: impl IntoIterator<Item = i64>) -> Vec<Placed> {
        let mut timeline = Timeline::default();
        times.into_iter().map(|t| timeline.place(t)).collect()
    }

    #[test]
    fn a_steady_camera_keeps_its_own_time() {
        let placed = run((0..100).map(|i| 777 + i * 6_000));
        // The first frame's duration is a guess of 25 frames a second; the second makes up for it.
        for (i, p) in placed.iter().enumerate().skip(3) {
            assert_eq!((p.decode_time, p.duration), (i as i64 * 6_000, 6_000), "frame {i}: {p:?}");
        }
    }

    #[test]
    fn jitter_is_steered_out_and_never_adds_up() {
        let jitter = [0, 300, -250, 100, -50, 280];
        let times: Vec<i64> = (0..3_000).map(|i| i * 3_600 + jitter[i as usize % 6]).collect();
        for (p, t) in run(times.iter().copied()).iter().zip(&times) {
            assert!((p.decode_time - t).abs() < 3_600, "{p:?} for {t}");
        }
    }

    #[test]
    fn two_lost_frames_are_kept_as_time() {
        let mut times: Vec<i64> = (0..50).map(|i| i * 3_600).collect();
        times.drain(20..22);
        let placed = run(times);
        assert_eq!(placed.last().map(|p| p.decode_time), Some(49 * 3_600));
    }

    #[test]
    fn jumps_both_ways_and_outages_are_left_out() {
        for jump in [324_000_000, -324_000_000, 90_000 * 20, -1, i64::MAX / 2, i64::MIN / 2] {
            let first: Vec<i64> = (0..20).map(|i| i * 3_600).collect();
            let second = (1..=20).map(|i| (19 * 3_600i64).saturating_add(jump) + i * 3_600);
            let placed = run(first.into_iter().chain(second));
            let end = placed.last().map(|p| p.decode_time).unwrap_or_default();
            assert!((end - 39 * 3_600).abs() <= 3_600, "jump {jump}: {end}");
        }
    }

    #[test]
    fn a_camera_of_one_frame_a_second_gets_durations_of_a_second() {
        let placed = run((0..10).map(|i| i * 90_000));
        assert!(placed[2..].iter().all(|p| p.duration == 90_000), "{placed:?}");
    }

    #[test]
    fn a_restart_follows_on_at_once() {
        let mut timeline = Timeline::default();
        let end = (0..10).map(|i| timeline.place(i * 3_600)).last().map(|p| p.decode_time + i64::from(p.duration));
        timeline.restart();
        assert_eq!(Some(timeline.place(5_000_000).decode_time), end);
    }

    proptest! {
        #[test]
        fn every_frame_begins_where_the_last_one_ended(times in proptest::collection::vec(any::<i64>(), 1..200)) {
            let placed = run(times);
            for pair in placed.windows(2) {
                prop_assert_eq!(pair[0].decode_time + i64::from(pair[0].duration), pair[1].decode_time);
                prop_assert!(pair[1].duration > 0 && pair[1].duration < 4_000_000);
            }
        }
    }
}
