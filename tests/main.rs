//! The hub as a whole, against real servers and real files: one binary for all integration tests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod commands;
mod hub;
mod layers;
mod licences;
mod live;
mod sensors;
