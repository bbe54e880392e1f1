//! `gridward check`.

use std::path::Path;

/// Reads the configuration and says that it is good, or all that is not.
pub fn run(path: &Path) -> anyhow::Result<()> {
    let settings = crate::settings::read(path)?;
    let rules = crate::settings::rules(&settings.alerting.rules_dir)?;
    let routes = crate::settings::telling(&settings.notify)?.routes.len();
    let (rules, bind) = (rules.len(), settings.http.bind);
    println!("{}: good; {rules} rules; {routes} routes; serves on http://{bind}", path.display());
    Ok(())
}
