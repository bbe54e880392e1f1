//! The vocabulary of Gridward: what every other part speaks about.
//!
//! Belongs here: identifiers, sources, grids, observations, alarms, incidents, states, roles - plain data with the
//! invariants that need no clock, socket or database. Does not belong here: protocols (`ingest`), rules (`alerting`),
//! the case flow's permissions (`command`), storage formats (`storage`), settings (`config`).

pub mod access;
pub mod alarm;
pub mod emergency;
pub mod flood;
pub mod grid;
pub mod id;
pub mod incident;
pub mod level;
pub mod log;
pub mod observation;
pub mod pull;
pub mod source;
pub mod standing;
pub mod status;
pub mod unit;

pub use access::{Right, Role, Scope};
pub use alarm::{Alarm, AlarmChange, AlarmTransition, Cause, Evidence};
pub use emergency::AreaCost;
pub use flood::{Flood, FloodChange, FloodTransition};
pub use grid::{Grid, Place};
pub use id::{AlarmId, GridId, IncidentId, RuleId, SourceId, UserId};
pub use incident::{Actor, Incident, IncidentChange, IncidentTransition, Origin, Step, Verdict};
pub use jiff::Timestamp;
pub use level::{Hazard, Level};
pub use log::{LogBody, LogEntry, RuleChange, RuleStep};
pub use observation::{Observation, Quality, Reading, Value};
pub use pull::{BackendChoice, PullTags, TlsPolicy};
pub use source::{Kind, Owner, Profile, PullMode, Source};
pub use standing::Standing;
pub use status::{SourceState, SourceStatus};
pub use unit::Unit;
