//! What the hub counts: histograms' buckets, the figures that are there from the start, and their upkeep.
//!
//! Belongs here: how metrics are kept and shown. Does not belong here: what is counted - each part counts its own.

use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

/// Upper bounds in seconds, from a commit of one reading to a request that is given up.
const BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How often histograms take in what was measured; between, each measurement waits in memory.
const UPKEEP: Duration = Duration::from_secs(5);

/// Counters of work done that are there, at nought, before anything has happened: a rate needs a beginning.
const WORK: [&str; 8] = [
    "gridward_connection_log_rows_total",
    "gridward_frames_total",
    "gridward_video_bytes_total",
    "gridward_observations_total",
    "gridward_log_rows_total",
    "gridward_history_committed_total",
    "gridward_live_frames_total",
    "gridward_feed_coalesced_total",
];

/// A counter for every place that drops or loses something; the same holds.
const LOSSES: [&str; 20] = [
    "gridward_broker_dropped_total",
    "gridward_connection_log_merged_total",
    "gridward_connection_log_retries_total",
    "gridward_dead_letters_total",
    "gridward_dead_letters_dropped_total",
    "gridward_dead_letters_forgotten_total",
    "gridward_dead_letters_lost_total",
    "gridward_event_sockets_dropped_total",
    "gridward_event_sockets_refused_total",
    "gridward_history_retries_total",
    "gridward_history_unreadable_total",
    "gridward_live_dropped_frames_total",
    "gridward_live_sockets_dropped_total",
    "gridward_logins_refused_total",
    "gridward_mqtt_dropped_total",
    "gridward_picture_checks_dropped_total",
    "gridward_reader_missed_frames_total",
    "gridward_ring_dropped_gops_total",
    "gridward_storage_cut_bytes_total",
    "gridward_storage_set_aside_total",
];

/// Installs the recorder.
pub fn install() -> anyhow::Result<PrometheusHandle> {
    let builder = PrometheusBuilder::new().set_buckets(&BUCKETS).context("bad buckets")?;
    let handle = builder.install_recorder().context("cannot install the metrics")?;
    for name in WORK.into_iter().chain(LOSSES) {
        metrics::counter!(name).increment(0);
    }
    for queue in ["intake", "history", "log", "engine", "checks"] {
        metrics::gauge!("gridward_queue_depth", "queue" => queue).set(0.0);
    }
    // Registered, so that it is shown before the first reading; nothing is recorded.
    let _ = metrics::histogram!("gridward_ingest_to_event_seconds");
    for level in model::Level::ALL {
        metrics::counter!("gridward_alarms_total", "level" => level.as_str()).increment(0);
    }
    Ok(handle)
}

/// Lets histograms take in what was measured, until shut down.
pub async fn upkeep(handle: PrometheusHandle, token: CancellationToken) {
    loop {
        tokio::select! {
            () = token.cancelled() => return,
            () = tokio::time::sleep(UPKEEP) => handle.run_upkeep(),
        }
    }
}
