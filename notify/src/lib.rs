//! Telling people: who is told what, when, and over which channel.
//!
//! Two halves. The planner (duty roster, routes and their escalation, budgets) is pure: it follows the event log and owns
//! no socket, task or clock. The sender ([`send`]) says one message over one channel: webhooks, robots, e-mail, MQTT.
//! Does not belong here: what is an alarm (`alerting`), what becomes of an incident (`command`), the outbox's file
//! (`storage`), the task that drives both (`src/telling.rs`).

mod budget;
mod check;
mod config;
mod hours;
mod notice;
mod planner;
mod roster;
mod routes;
pub mod send;
mod telling;
mod text;

pub use config::Config;
pub use hours::{Hours, Span};
pub use notice::{Content, Decided, Item, Kind, Made, Notice, State, Target};
pub use planner::{Planner, Remembered, Town, Wish, Would};
pub use telling::{
    After, Channels, Language, Mail, Mqtt, Person, Problem, Robot, RobotKind, Route, Secret, Security, Shift, Step,
    Telling, To, Unless, Webhook,
};
pub use text::{Words, words};

/// The channel that is always there: the console and the phones of those who are logged in.
pub const APP: &str = "app";
