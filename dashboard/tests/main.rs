//! The server over real storage and real sockets, in process: one binary for all of it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod backend;
mod console;
mod health;
mod hostile;
mod kpis;
mod live;
mod stills;
mod support;
mod telling;
