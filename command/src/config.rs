//! Settings of the desk.

use std::time::Duration;

use model::{Level, Step};
use serde::{Deserialize, Serialize};

/// How alarms are joined and how long each step may take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Alarms of one grid and hazard join the open incident whose last alarm is at most this many seconds old, or
    /// which still has an active alarm.
    pub join_window_s: u32,
    /// Alarms farther apart than this many metres do not join, even in one grid; both places must be known.
    pub join_distance_m: f64,
    /// Seconds until an incident of level red must be accepted; doubled for each level below.
    pub accept_limit_s: u32,
    /// Seconds from filing until a red incident must be dispatched; doubled for each level below.
    pub dispatch_limit_s: u32,
    /// Seconds from dispatch until a red incident must be handled; doubled for each level below.
    pub handle_limit_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        // 5 minutes join what one event raises one after another; 300 m is the reach of a camera's view.
        Self {
            join_window_s: 300,
            join_distance_m: 300.0,
            accept_limit_s: 120,
            dispatch_limit_s: 300,
            handle_limit_s: 3_600,
        }
    }
}

impl Config {
    /// The limit of the step that follows `done`; none where no limit is set (file, verify and close).
    pub(crate) fn limit_after(&self, done: Step, level: Level) -> Option<(Step, Duration)> {
        let (due, red_s) = match done {
            Step::Report => (Step::Accept, self.accept_limit_s),
            Step::File => (Step::Dispatch, self.dispatch_limit_s),
            Step::Dispatch => (Step::Handle, self.handle_limit_s),
            Step::Accept | Step::Handle | Step::Verify | Step::Close => return None,
        };
        let below_red = Level::Red as u32 - level as u32;
        Some((due, Duration::from_secs(u64::from(red_s) << below_red)))
    }
}
