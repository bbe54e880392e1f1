//! Rules over observations: from conditions to alarms.
//!
//! Belongs here: rule files, conditions, calendars, timers, the life of alarms; what absences have in common
//! (`outages`); measures of the alarms themselves (`kpi`). The engine is pure: it owns no socket, task or clock. Does not
//! belong here: how readings arrive (`ingest`), what becomes of an alarm (`command`), files on disk (`storage`), who may
//! shelve what (`dashboard`).

pub mod backtest;
mod calendar;
mod composite;
mod config;
mod edit;
mod engine;
pub mod explanation;
mod expr;
mod handle;
mod info;
pub mod kpi;
pub mod lint;
mod load;
pub mod outages;
mod problem;
mod ready;
mod relation;
mod rule;
mod ruleset;
pub mod testing;
mod yaml;

pub use config::Config;
pub use edit::{snippet, with_status};
pub use engine::{Engine, Recovery, Snapshot};
pub use explanation::{Explanation, NotKnown};
pub use handle::{AlarmCommand, Handle, Refused, Request};
pub use info::{LevelInfo, RuleInfo};
pub use problem::Problem;
pub use ready::READY;
pub use rule::RuleStatus;
pub use ruleset::RuleSet;
