//! `gridward sources`.

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use model::log::Audit;
use model::{Actor, Grid, GridId, LogBody, Timestamp};
use storage::{Opener, SourceRow, Storage};

/// How a file is taken in.
#[derive(Clone, Copy)]
pub struct Import {
    /// Only says what would happen.
    pub dry_run: bool,
    /// Takes the good rows of a file that has bad ones.
    pub partial: bool,
}

/// Takes a CSV file in. With a bad row nothing of it is taken, unless the good ones were asked for.
pub async fn import(config: &Path, file: &Path, grids: Option<&Path>, how: Import) -> anyhow::Result<()> {
    let settings = crate::settings::read(config)?;
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let parsed = storage::csv::parse(&bytes);
    for problem in &parsed.problems {
        eprintln!("{}: {problem}", file.display());
    }
    let refused = parsed.problems.len();
    if refused > 0 && (!how.partial || parsed.rows.is_empty()) {
        let hint = if parsed.rows.is_empty() { "" } else { " (--partial takes the good rows)" };
        bail!("{}; nothing was taken{hint}", counted(refused, "problem"));
    }
    let (storage, _) = Storage::open(&settings.storage, Opener::Tool).await?;
    let mut known = storage.registry().grids().await?;
    let given = grids.map(read_grids).transpose()?.unwrap_or_default();
    known.extend(given.iter().cloned());
    let made = missing_grids(&known, &parsed.rows);
    let count = parsed.rows.len();
    if how.dry_run {
        println!("{} would be taken, {} added", counted(count, "source"), counted(given.len() + made.len(), "grid"));
        return Ok(());
    }
    storage.registry().put_grids(&[given, made.clone()].concat()).await?;
    storage.registry().put_sources(&parsed.rows).await?;
    let detail = serde_json::json!({ "sources": count, "problems": refused });
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let audit = Audit { action: "sources.import".to_owned(), subject: name, purpose: None, detail };
    storage.log().append(&Actor::Console, Timestamp::now(), vec![LogBody::Audit(audit)]).await?;
    for grid in &made {
        println!("grid {} was not known and has been added", grid.id);
    }
    println!("{} taken", counted(count, "source"));
    Ok(())
}

/// Prints all sources.
pub async fn export(config: &Path) -> anyhow::Result<()> {
    let settings = crate::settings::read(config)?;
    let (storage, _) = Storage::open(&settings.storage, Opener::Tool).await?;
    let rows = storage.registry().all().await?;
    std::io::stdout().write_all(&storage::csv::export(&rows)?)?;
    Ok(())
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn read_grids(file: &Path) -> anyhow::Result<Vec<Grid>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no list of grids", file.display()))
}

/// Grids that sources name and nobody knows: they go under the first grid without a parent, named by their ids.
fn missing_grids(known: &[Grid], rows: &[SourceRow]) -> Vec<Grid> {
    let mut seen: HashSet<&GridId> = known.iter().map(|grid| &grid.id).collect();
    let parent = known.iter().find(|grid| grid.parent.is_none()).map(|grid| grid.id.clone());
    let unknown = rows.iter().map(|row| &row.source.grid).filter(|id| seen.insert(id));
    unknown
        .map(|id| Grid { id: id.clone(), name: id.to_string(), parent: parent.clone(), outline: Vec::new() })
        .collect()
}
