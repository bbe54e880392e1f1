//! The `town` binary.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    town::program::main(std::env::args_os()).await
}
