//! `gridward check`.

use std::path::Path;

/// Reads the configuration and says that it is good, or all that is not.
pub fn run(path: &Path) -> anyhow::Result<()> {
    let settings = crate::settings::read(path)?;
    let rules = crate::settings::rules(&settings.alerting.rules_dir)?;
    println!("{}: good; {} rules; serves on http://{}", path.display(), rules.len(), settings.http.bind);
    Ok(())
}
