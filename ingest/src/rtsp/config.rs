//! Settings of the camera side of ingest.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::mqtt::ConfigProblem;

/// How cameras are connected, watched and tried again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RtspConfig {
    /// Connections begun per second, over all cameras.
    pub connects_per_s: f64,
    /// Connections that may begin at once after a quiet time.
    pub connect_burst: u32,
    /// Connections being opened at the same time, over all cameras.
    pub connecting_max: usize,
    /// Connections being opened at the same time to one server (address and port).
    pub connecting_per_host_max: usize,
    /// Sessions open at the same time, over all cameras; beyond it the weakest claims are shed: what the hub keeps for itself
    /// first (key sites last of these), then what people watch, then an emergency's area.
    pub sessions_max: usize,
    /// Seconds between two probes of a camera on demand that nobody watches; 0 for none.
    pub probe_interval_s: u32,
    /// Classes of cameras that are connected before others; the tag `priority` (`key` or `usual`) of a camera overrides it.
    pub key_classes: Vec<String>,
    /// Milliseconds of the shortest wait before a failed camera is tried again.
    pub retry_ms_min: u64,
    /// Milliseconds of the longest wait before a failed camera is tried again.
    pub retry_ms_max: u64,
    /// Seconds a camera must have been live before its retries begin anew at the shortest wait.
    pub stable_s: u32,
    /// Seconds until credentials that the camera refused are tried again; cameras lock accounts.
    pub auth_retry_s: u32,
    /// Milliseconds after which a camera that has not answered is asked whether it takes connections at all; if not, it counts as
    /// unreachable, and its place goes to the next one.
    pub connect_ms_max: u64,
    /// Milliseconds for connecting and DESCRIBE.
    pub describe_ms_max: u64,
    /// Milliseconds for SETUP.
    pub setup_ms_max: u64,
    /// Milliseconds for PLAY.
    pub play_ms_max: u64,
    /// Milliseconds from PLAY to the first frame.
    pub first_frame_ms_max: u64,
    /// Milliseconds from PLAY to the first key frame; a running session is opened anew after three times as long without one.
    pub first_key_ms_max: u64,
    /// Milliseconds without a frame after which a session counts as stalled and is opened anew.
    pub stall_ms: u64,
    /// Milliseconds between two turns at which a stream that nobody watches is read; 0 to read at once what comes.
    pub read_every_ms: u64,
    /// Stream errors within 10 s after which a session is opened anew.
    pub error_budget: u32,
    /// Seconds between two reports of a stream's facts.
    pub facts_interval_s: u32,
    /// Failures in a row, of kinds that FFmpeg may take (a description that cannot be read, errors in the stream), after which
    /// a camera is read by FFmpeg; 0 for never. The tag `backend` (`retina`, `ffmpeg`, `auto`) of a camera overrides it.
    pub ffmpeg_after_failures: u32,
    /// Cameras read by FFmpeg at the same time: each costs a thread and some megabytes. More stay with the usual session.
    pub ffmpeg_sessions_max: usize,
    /// Seconds for which a camera with the tag `transport=udp` is read over TCP after UDP brought nothing or lost too much.
    pub udp_retry_s: u32,
    /// Sessions that are torn down at the same time when the hub stops.
    pub teardown_batch: usize,
    /// Milliseconds that tearing down may take in all.
    pub teardown_ms_max: u64,
}

impl Default for RtspConfig {
    fn default() -> Self {
        // 100 connects a second bring 2,000 cameras back within half a minute and 13,000 within three, without a storm on
        // the town's switches. 8 a server: recorders of 16 channels answer slowly. A DESCRIBE of more than 10 s on a
        // loaded recorder comes back by its retries.
        Self {
            connects_per_s: 100.0,
            connect_burst: 20,
            connecting_max: 64,
            connecting_per_host_max: 8,
            sessions_max: 20_000,
            probe_interval_s: 900,
            key_classes: vec!["school_gate".into(), "waterway".into()],
            retry_ms_min: 1_000,
            retry_ms_max: 60_000,
            stable_s: 30,
            auth_retry_s: 1_800,
            connect_ms_max: 3_000,
            describe_ms_max: 10_000,
            setup_ms_max: 5_000,
            play_ms_max: 5_000,
            first_frame_ms_max: 10_000,
            first_key_ms_max: 40_000,
            stall_ms: 6_000,
            read_every_ms: 400,
            error_budget: 16,
            facts_interval_s: 5,
            ffmpeg_after_failures: 3,
            ffmpeg_sessions_max: 32,
            udp_retry_s: 1_800,
            teardown_batch: 250,
            teardown_ms_max: 5_000,
        }
    }
}

/// The times of one session, ready for use.
#[derive(Debug, Clone)]
pub(crate) struct SessionLimits {
    pub connect: Duration,
    pub describe: Duration,
    pub setup: Duration,
    pub play: Duration,
    pub first_frame: Duration,
    pub first_key: Duration,
    pub stall: Duration,
    pub read_every: Duration,
    pub error_budget: u32,
    pub facts_interval: Duration,
}

impl RtspConfig {
    /// Everything that is wrong with the settings.
    pub fn problems(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let mut check = |name: &str, found: String, good: bool, expected: &'static str| {
            if !good {
                problems.push(ConfigProblem { key: format!("rtsp.{name}"), found, expected });
            }
        };
        let rate = self.connects_per_s;
        check("connects_per_s", rate.to_string(), (0.1..=10_000.0).contains(&rate), "0.1 to 10000");
        for (name, found, least, expected) in [
            ("connect_burst", u64::from(self.connect_burst), 1, "1 or more"),
            ("connecting_max", self.connecting_max as u64, 1, "1 or more"),
            ("connecting_per_host_max", self.connecting_per_host_max as u64, 1, "1 or more"),
            ("sessions_max", self.sessions_max as u64, 1, "1 or more"),
            ("retry_ms_min", self.retry_ms_min, 100, "100 or more"),
            ("facts_interval_s", u64::from(self.facts_interval_s), 1, "1 or more"),
            ("udp_retry_s", u64::from(self.udp_retry_s), 1, "1 or more"),
            ("teardown_batch", self.teardown_batch as u64, 1, "1 or more"),
        ] {
            check(name, found.to_string(), found >= least, expected);
        }
        let (least, most) = (self.retry_ms_min, self.retry_ms_max);
        let sessions = self.ffmpeg_sessions_max;
        check("ffmpeg_sessions_max", sessions.to_string(), sessions <= 4_096, "0 to 4096");
        check("retry_ms_max", most.to_string(), (least..=3_600_000).contains(&most), "retry_ms_min to 3600000");
        // Kernel buffers hold what comes in a second.
        check("read_every_ms", self.read_every_ms.to_string(), self.read_every_ms <= 1_000, "0 to 1000");
        for (name, found) in [
            ("connect_ms_max", self.connect_ms_max),
            ("describe_ms_max", self.describe_ms_max),
            ("setup_ms_max", self.setup_ms_max),
            ("play_ms_max", self.play_ms_max),
            ("first_frame_ms_max", self.first_frame_ms_max),
            ("first_key_ms_max", self.first_key_ms_max),
            ("stall_ms", self.stall_ms),
        ] {
            check(name, found.to_string(), (100..=600_000).contains(&found), "100 to 600000");
        }
        problems
    }

    pub(crate) fn session_limits(&self) -> SessionLimits {
        SessionLimits {
            connect: Duration::from_millis(self.connect_ms_max),
            describe: Duration::from_millis(self.describe_ms_max),
            setup: Duration::from_millis(self.setup_ms_max),
            play: Duration::from_millis(self.play_ms_max),
            first_frame: Duration::from_millis(self.first_frame_ms_max),
            first_key: Duration::from_millis(self.first_key_ms_max),
            stall: Duration::from_millis(self.stall_ms),
            read_every: Duration::from_millis(self.read_every_ms),
            error_budget: self.error_budget,
            facts_interval: Duration::from_secs(u64::from(self.facts_interval_s)),
        }
    }

    pub(crate) fn attempt_policy(&self) -> super::attempts::Policy {
        super::attempts::Policy {
            ffmpeg_after: self.ffmpeg_after_failures,
            udp_retry: Duration::from_secs(self.udp_retry_s.into()),
            stable: Duration::from_secs(self.stable_s.into()),
        }
    }

    pub(crate) fn governor_limits(&self) -> super::governor::Limits {
        super::governor::Limits {
            connects_per_s: self.connects_per_s.max(0.1),
            burst: f64::from(self.connect_burst.max(1)),
            connecting_max: self.connecting_max.max(1),
            connecting_per_host_max: self.connecting_per_host_max.max(1),
            retry_min: Duration::from_millis(self.retry_ms_min.max(10)),
            retry_max: Duration::from_millis(self.retry_ms_max.max(self.retry_ms_min).max(10)),
            stable: Duration::from_secs(u64::from(self.stable_s)),
            auth_retry: Duration::from_secs(u64::from(self.auth_retry_s)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_told_all_at_once_and_the_default_is_none() {
        assert_eq!(RtspConfig::default().problems(), []);
        let config = RtspConfig {
            connects_per_s: f64::NAN,
            connecting_max: 0,
            retry_ms_min: 5_000,
            retry_ms_max: 1_000,
            stall_ms: 0,
            ..RtspConfig::default()
        };
        let keys: Vec<String> = config.problems().into_iter().map(|p| p.key).collect();
        assert_eq!(keys, ["rtsp.connects_per_s", "rtsp.connecting_max", "rtsp.retry_ms_max", "rtsp.stall_ms"]);
    }
}
