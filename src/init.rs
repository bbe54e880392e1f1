//! `gridward init`: a hub that runs, to be changed from there.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

/// Writes `hub.toml` and the data folder; an existing `hub.toml` is never overwritten.
pub fn write(dir: &Path) -> anyhow::Result<()> {
    let file = dir.join("hub.toml");
    if file.exists() {
        bail!("{} exists already; nothing was changed", file.display());
    }
    fs::create_dir_all(dir.join("data")).with_context(|| format!("cannot make {}", dir.display()))?;
    fs::write(&file, config::EXAMPLE).with_context(|| format!("cannot write {}", file.display()))?;
    let shown = file.display();
    println!("wrote {shown}\n\nnext:");
    println!("  gridward user add admin --role admin --config {shown}");
    println!("  gridward sources import FILE.csv --config {shown}");
    println!("  gridward run --config {shown}");
    Ok(())
}
