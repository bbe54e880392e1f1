//! `gridward rules ...`: rules are checked, tested and tried over the past, beside a running hub or without one.

mod backtest;
mod check;
pub mod replay;
mod test;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use model::Source;
use storage::{Opener, Storage};

pub use backtest::{Asked, backtest, moment};
pub use check::{Found, check};
pub use test::{BadTests, test};

/// Name and text of each.
type Files = Vec<(String, String)>;

/// Reads the files named; of a folder, its rule files.
fn read(paths: &[PathBuf]) -> anyhow::Result<Files> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(crate::settings::rule_files(path)?);
        } else {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            files.push((path.display().to_string(), text));
        }
    }
    Ok(files)
}

/// The registry of the hub whose settings these are; none when it has none yet. Nothing is made or changed.
async fn registry(settings: &storage::Config) -> anyhow::Result<Option<(Storage, Vec<Arc<Source>>)>> {
    if !has_registry(&settings.data_dir) {
        return Ok(None);
    }
    let (storage, _) = Storage::open(settings, Opener::Tool).await.context("cannot open storage")?;
    let rows = storage.registry().all().await?;
    let sources = rows.into_iter().map(|row| Arc::new(row.source)).collect();
    Ok(Some((storage, sources)))
}

fn has_registry(data_dir: &Path) -> bool {
    data_dir.join("gridward.db").exists()
}
