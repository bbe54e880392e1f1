//! What a running stream looks like: measured facts, and whether it is as it should be.
//!
//! Pure: fed with frames and asked with the time as an argument (since the session began).

use std::collections::VecDeque;
use std::time::Duration;

/// Facts and falls are measured over so many whole seconds.
const WINDOW_S: u64 = 10;
/// Below this share of the stream's own rate it counts as fallen: half lets 25 -> 15 (a night mode) pass.
const FPS_FALLEN: f32 = 0.5;
/// The rate remembered loses so much of the difference to the present one each second: a lasting fall is told for some
/// minutes and is the camera's new rate then.
const FPS_FORGET: f32 = 0.004;
/// A key frame is missed after three times its usual distance, but not before 10 s.
const KEY_MISSED_MIN: Duration = Duration::from_secs(10);
/// While the distance is not known yet: the longest GOP seen in the wild, 30 s, and a margin.
const KEY_MISSED_UNKNOWN: Duration = Duration::from_secs(40);
/// Ten seconds between two key frames, and what the network adds.
const LONG_GOP: Duration = Duration::from_millis(10_500);
/// Frames with lost packets before them, or errors, within the window, that count as a bad link.
const LOSSES_MIN: u32 = 3;
/// Timestamps that step back a little within the window: pictures sent in decode order.
const DISORDER_MIN: u32 = 5;
/// A larger step back is a jump of the camera's clock and no reordering.
const DISORDER_STEP_90K: i64 = 90_000;

/// Why a stream that delivers is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    NoKeyFrame,
    FpsFallen,
    PacketLoss,
    BFrames,
}

impl Flaw {
    /// The code in the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Flaw::NoKeyFrame => "no_key_frame",
            Flaw::FpsFallen => "fps_fallen",
            Flaw::PacketLoss => "packet_loss",
            Flaw::BFrames => "b_frames",
        }
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Second {
    at: u64,
    frames: u32,
    bytes: u64,
    losses: u32,
    disorder: u32,
}

/// Facts about a stream over the last seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    pub fps: f32,
    pub bitrate_bps: u64,
    pub gop_frames: u32,
}

#[derive(Debug)]
pub(crate) struct Health {
    began: Duration,
    seconds: VecDeque<Second>,
    last_frame: Option<Duration>,
    last_key: Option<Duration>,
    key_distance: Option<Duration>,
    since_key: u32,
    gop_frames: u32,
    last_pts: Option<i64>,
    usual_fps: f32,
    judged: Duration,
}

impl Health {
    /// A session whose PLAY was answered at `now`.
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            began: now,
            seconds: VecDeque::new(),
            last_frame: None,
            last_key: None,
            key_distance: None,
            since_key: 0,
            gop_frames: 0,
            last_pts: None,
            usual_fps: 0.0,
            judged: now,
        }
    }

    pub(crate) fn frame(&mut self, now: Duration, is_key: bool, bytes: usize, pts_90k: i64, lost_packets: bool) {
        let back = self.last_pts.is_some_and(|last| (1..DISORDER_STEP_90K).contains(&last.saturating_sub(pts_90k)));
        self.last_pts = Some(pts_90k);
        let second = self.second(now);
        second.frames += 1;
        second.bytes += bytes as u64;
        second.losses += u32::from(lost_packets);
        second.disorder += u32::from(back);
        self.last_frame = Some(now);
        if is_key {
            if let Some(last) = self.last_key {
                self.key_distance = Some(now.saturating_sub(last));
                self.gop_frames = self.since_key;
            }
            self.last_key = Some(now);
            self.since_key = 0;
        }
        self.since_key += 1;
    }

    /// An error that the session survived.
    pub(crate) fn error(&mut self, now: Duration) {
        self.second(now).losses += 1;
    }

    /// How long no frame has come; since PLAY before the first.
    pub(crate) fn frame_age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.last_frame.unwrap_or(self.began))
    }

    /// How long no key frame has come; since PLAY before the first.
    pub(crate) fn key_age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.last_key.unwrap_or(self.began))
    }

    /// Whether who joins may wait longer for the first picture than people do.
    pub(crate) fn has_long_gop(&self) -> bool {
        self.key_distance.is_some_and(|distance| distance > LONG_GOP)
    }

    /// Of the last seconds' frames, the share with losses before them; none before a window has passed.
    pub(crate) fn loss_share(&self, now: Duration) -> Option<f32> {
        let measured = now.saturating_sub(self.began) > Duration::from_secs(WINDOW_S + 1);
        let (frames, losses) = self.window(now).fold((0, 0), |(f, l), s| (f + s.frames, l + s.losses));
        (measured && frames > 0).then(|| losses as f32 / frames as f32)
    }

    /// Errors and losses within the window.
    pub(crate) fn losses(&self, now: Duration) -> u32 {
        self.window(now).map(|s| s.losses).sum()
    }

    /// What is wrong with the stream, worst first. To be asked about once a second.
    pub(crate) fn judge(&mut self, now: Duration) -> Option<Flaw> {
        let fps = self.measured(now).fps;
        let elapsed = now.saturating_sub(self.judged).as_secs_f32();
        self.judged = now;
        let keep = (1.0 - FPS_FORGET * elapsed).max(0.0);
        // A rate needs a full window to be one: what comes in a rush at first would be twice a thin stream's own.
        let measured = now.saturating_sub(self.began) > Duration::from_secs(WINDOW_S + 1);
        if measured {
            self.usual_fps = if fps > self.usual_fps { fps } else { fps + (self.usual_fps - fps) * keep };
        }
        let key_limit = self.key_distance.map_or(KEY_MISSED_UNKNOWN, |d| (d * 3).max(KEY_MISSED_MIN));
        if self.last_key.is_some_and(|at| now.saturating_sub(at) > key_limit) {
            Some(Flaw::NoKeyFrame)
        } else if self.window(now).map(|s| s.disorder).sum::<u32>() >= DISORDER_MIN {
            Some(Flaw::BFrames)
        } else if self.losses(now) >= LOSSES_MIN {
            Some(Flaw::PacketLoss)
        } else if measured && fps < self.usual_fps * FPS_FALLEN {
            Some(Flaw::FpsFallen)
        } else {
            None
        }
    }

    pub(crate) fn measured(&self, now: Duration) -> Measured {
        let age = now.saturating_sub(self.began).as_secs();
        let whole = age.clamp(1, WINDOW_S);
        let (frames, bytes) = self.window(now).fold((0, 0), |(f, b), s| (f + s.frames, b + s.bytes));
        Measured { fps: frames as f32 / whole as f32, bitrate_bps: bytes * 8 / whole, gop_frames: self.gop_frames }
    }

    /// The last whole seconds, without the present one.
    fn window(&self, now: Duration) -> impl Iterator<Item = &Second> {
        let second = now.as_secs();
        // The first second counts at once, so that a new stream has facts.
        let young = now.saturating_sub(self.began) < Duration::from_secs(1);
        self.seconds.iter().filter(move |s| (s.at < second || young) && s.at + WINDOW_S >= second)
    }

    fn second(&mut self, now: Duration) -> &mut Second {
        let at = now.as_secs();
        if self.seconds.back().is_none_or(|s| s.at < at) {
            self.seconds.push_back(Second { at, ..Second::default() });
        }
        while self.seconds.front().is_some_and(|s| s.at + WINDOW_S < at) {
            self.seconds.pop_front();
        }
        let last = self.seconds.len() - 1;
        &mut self.seconds[last]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000;

    /// Plays frames from `from_ms` to `to_ms` every `step_ms`, a key frame each `gop`; tells the flaws by second.
    fn play(health: &mut Health, from_ms: u64, to_ms: u64, step_ms: u64, gop: u64) -> Vec<(u64, Flaw)> {
        let mut flaws = Vec::new();
        for (n, ms) in (from_ms..to_ms).step_by(step_ms as usize).enumerate() {
            let at = Duration::from_millis(ms);
            health.frame(at, (n as u64).is_multiple_of(gop), 1_000, ms as i64 * 90, false);
            if ms % MS < step_ms {
                flaws.extend(health.judge(at).map(|flaw| (ms / MS, flaw)));
            }
        }
        flaws
    }

    fn at(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn facts_are_measured_over_the_last_seconds() {
        let mut health = Health::new(Duration::ZERO);
        play(&mut health, 0, 20 * MS, 40, 50);
        let m = health.measured(at(20));
        assert!((m.fps - 25.0).abs() < 0.1, "{m:?}");
        assert_eq!((m.bitrate_bps, m.gop_frames), (200_000, 50));
        assert_eq!(health.judge(at(20)), None);
    }

    #[test]
    fn a_missing_key_frame_is_told_after_three_gops_and_ten_seconds() {
        let mut health = Health::new(Duration::ZERO);
        play(&mut health, 0, 20 * MS, 40, 50);
        let flaws = play(&mut health, 20 * MS, 60 * MS, 40, 100_000);
        assert_eq!(flaws.first(), Some(&(31, Flaw::NoKeyFrame)));
        assert_eq!(flaws.len(), 29, "{flaws:?}");
    }

    #[test]
    fn a_long_gop_is_no_flaw() {
        let mut health = Health::new(Duration::ZERO);
        assert_eq!(play(&mut health, 0, 100 * MS, 40, 750), []);
    }

    #[test]
    fn a_gop_of_more_than_ten_seconds_is_told_as_long() {
        for (gop, is_long) in [(50, false), (250, false), (300, true), (750, true)] {
            let mut health = Health::new(Duration::ZERO);
            play(&mut health, 0, gop * 40, 40, gop);
            assert!(!health.has_long_gop(), "not known before the second key frame");
            play(&mut health, gop * 40, 70 * MS, 40, gop);
            assert_eq!(health.has_long_gop(), is_long, "{gop} frames");
        }
    }

    #[test]
    fn share_of_losses_is_told_once_a_window_has_passed() {
        let mut health = Health::new(Duration::ZERO);
        for n in 0..500u64 {
            health.frame(Duration::from_millis(n * 40), n % 25 == 0, 10, (n * 3_600) as i64, n % 10 == 9);
            let share = health.loss_share(Duration::from_millis(n * 40));
            assert_eq!(share.is_some(), n * 40 > 11 * MS, "at {n}");
            assert!(share.is_none_or(|share| (share - 0.1).abs() < 0.02), "{share:?}");
        }
    }

    #[test]
    fn a_fallen_rate_is_told_and_is_usual_after_some_minutes() {
        let mut health = Health::new(Duration::ZERO);
        play(&mut health, 0, 30 * MS, 40, 50);
        play(&mut health, 30 * MS, 45 * MS, 200, 10);
        assert_eq!(health.judge(at(45)), Some(Flaw::FpsFallen));
        play(&mut health, 45 * MS, 600 * MS, 200, 10);
        assert_eq!(health.judge(at(600)), None);
    }

    #[test]
    fn a_camera_that_starts_is_not_fallen() {
        let mut health = Health::new(at(1_000));
        assert_eq!(play(&mut health, 1_000 * MS + 900, 1_030 * MS, 40, 50), []);
    }

    #[test]
    fn a_thin_stream_that_came_in_a_rush_at_first_is_not_fallen() {
        // One picture a second: the first two close together, as when the first had to wait; then a network that delivers
        // a little before the whole second for a while, and a little after it later, so that a window holds nine.
        let early = [(50, 0), (900, 1)].into_iter();
        let frames =
            early.chain((2..=60).map(|n: u64| (n * MS + if (n / 10).is_multiple_of(2) { 20 } else { 0 } - 10, n)));
        let mut health = Health::new(Duration::ZERO);
        let mut flaws = Vec::new();
        let mut judged = 1;
        for (ms, n) in frames {
            while judged * MS <= ms {
                flaws.extend(health.judge(at(judged)).map(|flaw| (judged, flaw)));
                judged += 1;
            }
            health.frame(Duration::from_millis(ms), n % 2 == 0, 1_000, (n * 90_000) as i64, false);
        }
        assert_eq!(flaws, []);
    }

    #[test]
    fn losses_and_disorder_are_told_while_they_last() {
        let mut health = Health::new(Duration::ZERO);
        for n in 0..200u64 {
            health.frame(Duration::from_millis(n * 40), n % 50 == 0, 10, (n * 3_600) as i64, n > 150 && n < 156);
        }
        assert_eq!(health.judge(at(8)), Some(Flaw::PacketLoss));
        assert_eq!(health.losses(at(20)), 0);
        let mut health = Health::new(Duration::ZERO);
        for n in 0..200i64 {
            let shown = if n % 3 == 0 { n + 2 } else { n - 1 };
            health.frame(Duration::from_millis(n as u64 * 40), n % 50 == 0, 10, shown * 3_600, false);
        }
        assert_eq!(health.judge(at(8)), Some(Flaw::BFrames));
    }

    #[test]
    fn age_counts_from_play_before_the_first_frame() {
        let mut health = Health::new(at(5));
        assert_eq!(health.frame_age(at(9)), at(4));
        health.frame(at(10), true, 1, 0, false);
        assert_eq!(health.frame_age(at(12)), at(2));
    }
}
