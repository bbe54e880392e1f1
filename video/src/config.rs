//! Settings of rings, stills and picture checks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How much video is kept in memory, and how stills and checks are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Seconds of video that a ring keeps behind the newest frame, in whole GOPs; at least the newest GOP.
    pub ring_seconds_max: u32,
    /// The same for the cameras of an emergency, as far as the budgets allow; the other cameras' GOPs leave before theirs.
    pub emergency_ring_seconds_max: u32,
    /// Bytes that the ring of one stream of a camera may hold. A GOP that is larger leaves whole, and new viewers wait for the
    /// next key frame.
    pub per_camera_bytes: usize,
    /// Bytes that all rings together may hold; the oldest GOPs of the town leave first. The newest key frame of each
    /// stream stays beyond this budget. Streams that are being watched need up to twice their share.
    pub total_bytes: usize,
    /// Milliseconds that a reader may lie behind before it is moved to the newest key frame.
    pub reader_lag_ms_max: u32,
    /// Seconds that a stream stays wanted after its last reader left: a viewer who reloads the page finds it running.
    pub demand_linger_s: u32,
    /// Threads that decode stills.
    pub snapshot_threads: usize,
    /// Stills that may wait for a thread; more are refused as busy.
    pub snapshot_queue: usize,
    /// Width in pixels of the largest still; larger pictures are scaled down.
    pub snapshot_width_max: u32,
    /// Milliseconds a still may wait for a picture of a camera that is pulled on demand.
    pub snapshot_wait_ms: u32,
    /// Seconds between two picture checks of a camera; 0 switches them off.
    pub check_interval_s: u32,
    /// Pictures decoded a second for checks, over all cameras; with more cameras each is looked at less often.
    pub check_decodes_per_s_max: u32,
    /// Threads that decode for picture checks.
    pub check_threads: usize,
}

impl Default for Config {
    fn default() -> Self {
        // 10 s hold a GOP of every usual camera (1 to 4 s) and the pre-roll of a look back; 16 MiB are 30 s at 4 Mbit/s;
        // 1 GiB holds 2,000 sub streams of 400 kbit/s for 10 s. A check costs about 2 ms: 100 a second a fifth of a core, and
        // 500 cameras every 5 s or 13,000 every 2 minutes.
        Self {
            ring_seconds_max: 10,
            emergency_ring_seconds_max: 30,
            per_camera_bytes: 16 << 20,
            total_bytes: 1 << 30,
            reader_lag_ms_max: 2_000,
            demand_linger_s: 10,
            snapshot_threads: 1,
            snapshot_queue: 64,
            snapshot_width_max: 1_280,
            snapshot_wait_ms: 5_000,
            check_interval_s: 5,
            check_decodes_per_s_max: 100,
            check_threads: 1,
        }
    }
}

/// A setting that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Which key, as `video.ring_seconds_max`.
    pub key: String,
    /// What is there.
    pub found: String,
    /// What should be there.
    pub expected: &'static str,
}

impl Config {
    /// Everything that is wrong with the settings.
    pub fn problems(&self) -> Vec<ConfigProblem> {
        let bytes = self.per_camera_bytes as u64;
        [
            ("ring_seconds_max", u64::from(self.ring_seconds_max), 1, 3_600, "1 to 3600"),
            ("emergency_ring_seconds_max", u64::from(self.emergency_ring_seconds_max), 1, 3_600, "1 to 3600"),
            ("per_camera_bytes", bytes, 256 << 10, 1 << 30, "262144 (256 KiB) to 1073741824 (1 GiB)"),
            ("total_bytes", self.total_bytes as u64, bytes, 1 << 50, "per_camera_bytes or more"),
            ("reader_lag_ms_max", u64::from(self.reader_lag_ms_max), 200, 60_000, "200 to 60000"),
            ("demand_linger_s", u64::from(self.demand_linger_s), 0, 3_600, "0 to 3600"),
            ("snapshot_threads", self.snapshot_threads as u64, 1, 256, "1 to 256"),
            ("snapshot_queue", self.snapshot_queue as u64, 1, 65_536, "1 to 65536"),
            ("snapshot_width_max", u64::from(self.snapshot_width_max), 64, 8_192, "64 to 8192"),
            ("snapshot_wait_ms", u64::from(self.snapshot_wait_ms), 0, 15_000, "0 to 15000"),
            ("check_interval_s", u64::from(self.check_interval_s), 0, 3_600, "0 (off) to 3600"),
            ("check_decodes_per_s_max", u64::from(self.check_decodes_per_s_max), 1, 100_000, "1 to 100000"),
            ("check_threads", self.check_threads as u64, 1, 256, "1 to 256"),
        ]
        .into_iter()
        .filter(|(_, found, least, most, _)| !(least..=most).contains(&found))
        .map(|(name, found, _, _, expected)| ConfigProblem {
            key: format!("video.{name}"),
            found: found.to_string(),
            expected,
        })
        .collect()
    }

    /// How long a stream stays wanted after its last reader left.
    pub(crate) fn demand_linger(&self) -> Duration {
        Duration::from_secs(u64::from(self.demand_linger_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_told_all_at_once_and_the_default_is_none() {
        assert_eq!(Config::default().problems(), []);
        let config = Config { total_bytes: 1 << 20, snapshot_threads: 0, ..Config::default() };
        let keys: Vec<String> = config.problems().into_iter().map(|problem| problem.key).collect();
        assert_eq!(keys, ["video.total_bytes", "video.snapshot_threads"]);
    }
}
