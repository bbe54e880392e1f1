//! The bench of the whole town with a small one: that it measures, and that the hub loses nothing of it.

use std::process::ExitCode;

#[path = "../benches/town/main.rs"]
mod bench;

fn main() -> ExitCode {
    bench::main()
}
