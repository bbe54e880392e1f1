//! Settings of storage.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where and for how long the hub keeps what it knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The data folder; made when missing.
    pub data_dir: PathBuf,
    /// Days of observations kept; older day files are deleted.
    pub history_days: u32,
    /// Megabytes (10^6 bytes) of observations kept; the oldest day files leave first, never today's.
    pub history_max_mb: u64,
    /// Undecodable messages kept; the oldest leave first and are counted.
    pub dead_letters_max: u32,
    /// Days of the connection log kept: when each source changed its state, and why.
    pub connection_log_days: u32,
    /// Rows of the connection log kept, about 120 bytes each; the oldest leave first.
    pub connection_log_rows_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        // 30 days is the least that the law asks for video facts; 50 GB hold a month of 2,000 readings/s in part.
        // A week shows what happens each weekend; a million rows are 11 changes a day of each of 13,000 sources.
        Self {
            data_dir: PathBuf::from("data"),
            history_days: 30,
            history_max_mb: 50_000,
            dead_letters_max: 10_000,
            connection_log_days: 7,
            connection_log_rows_max: 1_000_000,
        }
    }
}
