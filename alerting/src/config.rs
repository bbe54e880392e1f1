//! Settings of early warning.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the rules are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The folder whose `*.yaml` files are the rules, read at start.
    pub rules_dir: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self { rules_dir: "rules".into() }
    }
}
