//! Looks whether the console was built; never builds it: `cargo build` alone needs no Node.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=web/dist");
    println!("cargo:rerun-if-env-changed=GRIDWARD_REQUIRE_UI");
    if Path::new("web/dist/index.html").exists() {
        return;
    }
    if std::env::var("GRIDWARD_REQUIRE_UI").is_ok_and(|value| value == "1") {
        panic!("web/dist/index.html is missing: run `make web` first");
    }
    println!("cargo:warning=the console is not built (make web); the binary serves a page that says so");
}
