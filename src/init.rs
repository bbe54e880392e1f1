//! `gridward init`: a hub that runs, to be changed from there.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

/// Writes `hub.toml`, `telling.toml`, the data folder and the ready rules; what exists is never overwritten.
pub fn write(dir: &Path) -> anyhow::Result<()> {
    let file = dir.join("hub.toml");
    if file.exists() {
        bail!("{} exists already; nothing was changed", file.display());
    }
    fs::create_dir_all(dir.join("data")).with_context(|| format!("cannot make {}", dir.display()))?;
    let rules = dir.join("rules");
    fs::create_dir_all(&rules).with_context(|| format!("cannot make {}", rules.display()))?;
    for (name, text) in alerting::READY {
        let rule = rules.join(name);
        if !rule.exists() {
            fs::write(&rule, text).with_context(|| format!("cannot write {}", rule.display()))?;
        }
    }
    let telling = dir.join("telling.toml");
    if !telling.exists() {
        fs::write(&telling, config::TELLING_EXAMPLE).with_context(|| format!("cannot write {}", telling.display()))?;
    }
    fs::write(&file, config::EXAMPLE).with_context(|| format!("cannot write {}", file.display()))?;
    let shown = file.display();
    println!("wrote {shown} and the rules in {}\n\nnext:", rules.display());
    println!("  gridward user add admin --role admin --config {shown}");
    println!("  gridward sources import FILE.csv --config {shown}");
    println!("  gridward run --config {shown}");
    Ok(())
}
