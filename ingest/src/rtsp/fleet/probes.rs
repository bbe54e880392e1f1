//! Cameras on demand that nobody watches are asked now and then how they are.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use model::Timestamp;
use tokio::time::Instant;
use video::StreamKey;

use super::Fleet;
use crate::rtsp::failure::Failure;
use crate::rtsp::governor::Priority;

/// No failure that waits so long is a mere pause.
const FAR: Duration = Duration::from_secs(3_600);

impl Fleet {
    /// When the next camera is asked; none while an emergency needs every connection.
    pub(super) fn next_probe(&self) -> Option<Instant> {
        self.probes.first().map(|(at, _)| *at).filter(|_| self.area.is_empty())
    }

    /// Hands the cameras whose time has come to the governor, which opens them when nobody else needs the slot.
    pub(super) fn begin_probes(&mut self) {
        if !self.area.is_empty() {
            return;
        }
        let (now, at) = (Instant::now(), self.now());
        while let Some((due, key)) = self.probes.first().filter(|(due, _)| *due <= now).cloned() {
            self.probes.remove(&(due, key.clone()));
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            entry.probe_due = None;
            let host = entry.plan.target.as_ref().ok().map(|target| Arc::clone(&target.host));
            match host.filter(|_| entry.plan.probed && !entry.governed && entry.session.is_none()) {
                Some(host) => {
                    (entry.governed, entry.probing) = (true, true);
                    self.governor.add(key, host, Priority::Probe, at);
                }
                // It is being watched, and needs no asking.
                None => self.probe_after(&key, self.probe_interval),
            }
        }
    }

    pub(super) fn probed(&mut self, key: &StreamKey) {
        counter!("gridward_rtsp_probes_total", "outcome" => "well").increment(1);
        self.probe_over(key, self.probe_interval);
    }

    pub(super) fn probe_failed(&mut self, key: &StreamKey, mut failure: Failure) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let auth = entry.doubt(&mut failure);
        let (phase, reason) = (failure.phase.as_str(), failure.reason.as_str());
        counter!("gridward_rtsp_probes_total", "outcome" => if auth { "auth_failed" } else { "failed" }).increment(1);
        counter!("gridward_rtsp_failures_total", "phase" => phase, "reason" => reason).increment(1);
        tracing::debug!(source = %key.0, phase, reason, detail = failure.detail, "probe failed");
        let wait = if auth { self.probe_interval.max(self.auth_retry) } else { self.probe_interval / 4 };
        entry.reporter.state(failure.state(FAR), Some(reason), Some(failure.detail), Timestamp::now());
        self.probe_over(key, wait);
    }

    fn probe_over(&mut self, key: &StreamKey, next: Duration) {
        self.governor.remove(key);
        let Some(entry) = self.entries.get_mut(key) else { return };
        (entry.governed, entry.probing) = (false, false);
        self.probe_after(key, next);
        // Somebody may have come at the last moment.
        self.settle(key);
    }

    /// At a random moment of the time from now.
    pub(super) fn probe_within(&mut self, key: &StreamKey, within: Duration) {
        self.probe_after(key, within.mul_f64(rand::random()));
    }

    pub(super) fn probe_after(&mut self, key: &StreamKey, wait: Duration) {
        if self.probe_interval.is_zero() {
            return;
        }
        let Some(entry) = self.entries.get_mut(key).filter(|e| e.plan.probed && !e.removed) else { return };
        let due = Instant::now() + wait;
        if let Some(before) = entry.probe_due.replace(due) {
            self.probes.remove(&(before, key.clone()));
        }
        self.probes.insert((due, key.clone()));
    }
}
