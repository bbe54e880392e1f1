//! `gridward check`.

use std::path::Path;

/// Reads the configuration and says that it is good, or all that is not.
pub fn run(path: &Path) -> anyhow::Result<()> {
    let settings = crate::settings::read(path)?;
    println!("{}: good; serves on http://{}", path.display(), settings.http.bind);
    Ok(())
}
