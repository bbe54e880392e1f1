//! Settings of telling, in `hub.toml`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where it is written whom to tell, and how long a message is tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The file of channels, persons, shifts and routes; none: nobody is told.
    pub file: Option<PathBuf>,
    /// Tries of one message before it is given up and an alarm is raised, 1 to 100.
    pub tries_max: u32,
    /// Messages on their way at a time over one channel, 1 to 64.
    pub at_once_max: u32,
    /// Seconds that one try may take, 1 to 120.
    pub try_limit_s: u32,
    /// Days that messages stay in the outbox after they were sent or given up.
    pub keep_days: u32,
}

impl Default for Config {
    fn default() -> Self {
        // 12 tries with doubling waits of at most 10 minutes are about an hour: an uplink's usual outage.
        Self { file: None, tries_max: 12, at_once_max: 4, try_limit_s: 15, keep_days: 90 }
    }
}

impl Config {
    /// What is out of range.
    pub fn problems(&self) -> Vec<crate::Problem> {
        let ranges = [
            ("tries_max", self.tries_max, 1, 100),
            ("at_once_max", self.at_once_max, 1, 64),
            ("try_limit_s", self.try_limit_s, 1, 120),
            ("keep_days", self.keep_days, 1, 36_500),
        ];
        let wrong = ranges.into_iter().filter(|(_, found, low, high)| !(low..=high).contains(&found));
        wrong
            .map(|(key, found, low, high)| {
                crate::Problem::new(format!("notify.{key}"), found, format!("{low} to {high}"))
            })
            .collect()
    }
}
