//! Measures of the alarms themselves: how many reach a desk, how fast, how good they are (ISA-18.2, IEC 62682).
//!
//! Belongs here: the fold over the log's rows (`fold.rs`), what is kept of an hour (`hours.rs`), of an alarm (`raises.rs`)
//! and of an incident (`cases.rs`), flood mode (`desk.rs`), the standard's lines (`lines.rs`), shifts, reports. A desk is
//! the owner of rules. Pure: time is an argument, and a fold of the log at a start gives the same figures as no stop.
//! Does not belong here: who may see them (`dashboard`), when rows are written (`src/warning.rs`).

mod cases;
mod cause;
mod csv;
mod desk;
mod figures;
mod fold;
mod handle;
mod hours;
mod lines;
mod picture;
mod raises;
mod report;
mod shifts;
mod sliding;

pub use cause::Cause;
pub use figures::{Cameras, NoReport, Query};
pub use fold::Kpis;
pub use handle::Handle;
pub use lines::{Kpi, KpiVerdict};
pub use picture::Picture;
pub use report::{
    ByLevel, CameraFigures, FloodSpan, KpiJudged, KpiPeriod, KpiReport, LevelTimes, LimitsKept, Noisy, NowFigures,
    OpcUa, RuleFigures, ShiftFigures, Took,
};
pub use shifts::{By, Shift, ShiftConfig, ShiftProblem, Shifts};

#[cfg(test)]
mod recovery_tests;
#[cfg(test)]
mod scenario_tests;
#[cfg(test)]
mod testing;
