//! Small named blobs.

use crate::Error;
use crate::db::Db;

/// Named blobs, each replaced as a whole.
#[derive(Clone)]
pub struct Meta {
    db: Db,
}

impl Meta {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }

    /// The blob of this name.
    pub async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(sqlx::query_scalar("SELECT value FROM meta WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.db.read)
            .await?)
    }

    /// Replaces the blob of this name; durable when it returns.
    pub async fn put(&self, name: &str, value: &[u8]) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(name)
        .bind(value)
        .execute(&self.db.write)
        .await?;
        Ok(())
    }
}
