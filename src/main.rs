//! The `gridward` binary: arguments, configuration, signals.
fn main() {}
