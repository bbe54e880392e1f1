//! The town as others meet it: against a real broker, over its control address, as a program.

mod control;
mod program;
mod sensors;
mod support;
