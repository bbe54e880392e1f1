//! The simulated town.
fn main() {}
