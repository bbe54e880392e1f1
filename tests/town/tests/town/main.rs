//! The town as others meet it: against a real broker, over its control address, as a program.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test")]

mod control;
mod load;
mod program;
mod sensors;
mod support;
mod thin;
mod viewer;
mod wave;
