//! The desk: alarms and people's reports become incidents, and each goes through the seven steps.
//!
//! Belongs here: what joins what, which step may follow which, who may do it, and the limits of each step. The desk is
//! pure: it owns no socket, task or clock; it takes inputs with the present time and answers with transitions. Does
//! not belong here: when an alarm is raised (`alerting`), where transitions are kept (`storage`), how they are shown
//! (`dashboard`).

mod config;
mod desk;
mod flow;
mod handle;
mod joining;
mod order;

pub use config::Config;
pub use desk::Desk;
pub use handle::{Handle, Request};
pub use order::{Command, Order, Refusal, RefusalCode};
