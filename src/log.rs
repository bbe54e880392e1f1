//! `gridward log verify`.

use std::path::Path;

use anyhow::bail;
use storage::{Opener, Storage};

/// Walks the chain and says how it ends.
pub async fn verify(config: &Path) -> anyhow::Result<()> {
    let settings = crate::settings::read(config)?;
    let (storage, _) = Storage::open(&settings.storage, Opener::Tool).await?;
    let report = storage.log().verify().await?;
    if let Some((seq, why)) = report.first_bad {
        bail!("the chain is broken at row {seq}: {why}; the {} rows before are good", report.rows);
    }
    println!("{} rows, chain whole, head {}", report.rows, report.head);
    Ok(())
}
