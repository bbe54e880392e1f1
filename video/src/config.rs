//! Settings of rings, stills and picture checks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How much video is kept in memory, and how stills and checks are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Seconds of video that a ring keeps behind the newest frame, in whole GOPs; at least the newest GOP.
    pub ring_seconds_max: u32,
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
    /// Threads that decode for picture checks.
    pub check_threads: usize,
}

impl Default for Config {
    fn default() -> Self {
        // 10 s hold a GOP of every usual camera (1 to 4 s) and the pre-roll of a look back; 16 MiB are 30 s at 4 Mbit/s;
        // 1 GiB holds 2,000 sub streams of 400 kbit/s for 10 s.
        Self {
            ring_seconds_max: 10,
            per_camera_bytes: 16 << 20,
            total_bytes: 1 << 30,
            reader_lag_ms_max: 2_000,
            demand_linger_s: 10,
            snapshot_threads: 1,
            snapshot_queue: 64,
            snapshot_width_max: 1_280,
            snapshot_wait_ms: 5_000,
            check_interval_s: 5,
            check_threads: 1,
        }
    }
}

impl Config {
    /// How long a stream stays wanted after its last reader left.
    pub(crate) fn demand_linger(&self) -> Duration {
        Duration::from_secs(u64::from(self.demand_linger_s))
    }
}
