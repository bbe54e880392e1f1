//! `gridward rules check`: what is wrong with rules, and what somebody should look at.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use alerting::RuleSet;
use alerting::lint::{Finding, Severity, lint};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What was found is told already; only the exit code is left to say.
#[derive(Debug)]
pub struct Found {
    errors: usize,
    warnings: usize,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&summary(self.errors, self.warnings))
    }
}

impl std::error::Error for Found {}

/// Checks the files and folders named, or those of the settings. The registry of the settings is used when the hub has
/// one; `config` is none when nobody named a settings file and there is none here.
pub async fn check(paths: &[PathBuf], config: Option<&Path>, strict: bool) -> anyhow::Result<()> {
    let settings = config.map(crate::settings::read).transpose()?;
    let files = match (paths, &settings) {
        ([], Some(settings)) => crate::settings::rule_files(&settings.alerting.rules_dir)?,
        ([], None) => anyhow::bail!("no hub.toml here: name rule files, or --config FILE"),
        (paths, _) => super::read(paths)?,
    };
    let registry = match &settings {
        Some(settings) => super::registry(&settings.storage).await?,
        None => None,
    };
    let sources = registry.as_ref().map(|(_, sources)| sources.as_slice());
    let mut count = 0;
    let findings: Vec<Finding> = match RuleSet::load(&files) {
        Ok(rules) => {
            count = rules.len();
            lint(&rules, sources, TimeZone::system().to_datetime(Timestamp::now()).date())
        }
        Err(problems) => problems.into_iter().map(Finding::from).collect(),
    };
    let mut out = std::io::stdout().lock();
    for finding in &findings {
        writeln!(out, "{finding}")?;
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let warnings = findings.len() - errors;
    if errors > 0 || (strict && warnings > 0) {
        return Err(Found { errors, warnings }.into());
    }
    let beside = sources.map_or(String::new(), |sources| format!(" beside {} sources", sources.len()));
    writeln!(out, "{count} rules{beside}: {}", summary(errors, warnings))?;
    Ok(())
}

fn summary(errors: usize, warnings: usize) -> String {
    let s = |count: usize| if count == 1 { "" } else { "s" };
    match (errors, warnings) {
        (0, 0) => "nothing found".to_owned(),
        _ => format!("{errors} error{}, {warnings} warning{}", s(errors), s(warnings)),
    }
}
