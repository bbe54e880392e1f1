//! The hub as a whole, against real servers and real files: one binary for all integration tests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backend;
mod commands;
mod dice;
mod durability;
mod emergency;
mod floods;
mod hub;
mod interface;
mod layers;
mod licences;
mod live;
mod metrics;
mod mosquitto;
mod oracle;
mod outages;
mod rules;
mod sensor;
mod sensors;
mod socket;
mod telling;
mod warnings;
