//! Messages that could not be decoded, kept for people to look at.

use model::{SourceId, Timestamp};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::Error;
use crate::db::Db;

/// A message to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDeadLetter {
    /// When it came.
    pub at: Timestamp,
    /// From which broker.
    pub broker: String,
    /// Under which topic.
    pub topic: String,
    /// From which source, when the topic names one.
    pub source: Option<SourceId>,
    /// Why it could not be decoded.
    pub reason: String,
    /// The first bytes of the payload, at most 1 KiB.
    pub payload_head: Vec<u8>,
    /// The whole payload's length in bytes.
    pub payload_bytes: u64,
}

/// A kept message.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetterRow {
    /// Rising with time; the cursor of [`DeadLetters::list`].
    pub id: i64,
    /// What was kept.
    pub letter: NewDeadLetter,
}

/// The table of undecodable messages, bounded in rows.
#[derive(Clone)]
pub struct DeadLetters {
    db: Db,
    max_rows: u32,
}

impl DeadLetters {
    pub(crate) fn new(db: Db, max_rows: u32) -> Self {
        Self { db, max_rows }
    }

    /// Keeps messages; the oldest beyond the limit leave and are counted in `gridward_dead_letters_forgotten_total`.
    pub async fn append(&self, letters: &[NewDeadLetter]) -> Result<(), Error> {
        let mut tx = self.db.write.begin_with("BEGIN IMMEDIATE").await?;
        for letter in letters {
            sqlx::query(
                "INSERT INTO dead_letter (at, broker, topic, source, reason, payload, payload_bytes) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(letter.at.to_string())
            .bind(&letter.broker)
            .bind(&letter.topic)
            .bind(letter.source.as_ref().map(SourceId::as_str))
            .bind(&letter.reason)
            .bind(&letter.payload_head)
            .bind(i64::try_from(letter.payload_bytes).unwrap_or(i64::MAX))
            .execute(&mut *tx)
            .await?;
        }
        let forgotten =
            sqlx::query("DELETE FROM dead_letter WHERE id <= (SELECT COALESCE(MAX(id), 0) FROM dead_letter) - $1")
                .bind(i64::from(self.max_rows))
                .execute(&mut *tx)
                .await?
                .rows_affected();
        tx.commit().await?;
        metrics::counter!("gridward_dead_letters_forgotten_total").increment(forgotten);
        Ok(())
    }

    /// The newest messages older than the row `before`, at most `limit`.
    pub async fn list(&self, before: Option<i64>, limit: u32) -> Result<Vec<DeadLetterRow>, Error> {
        let rows = sqlx::query("SELECT * FROM dead_letter WHERE id < $1 ORDER BY id DESC LIMIT $2")
            .bind(before.unwrap_or(i64::MAX))
            .bind(i64::from(limit))
            .fetch_all(&self.db.read)
            .await?;
        rows.iter().map(row_of).collect()
    }

    /// How many are kept.
    pub async fn count(&self) -> Result<u64, Error> {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM dead_letter").fetch_one(&self.db.read).await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

fn row_of(row: &SqliteRow) -> Result<DeadLetterRow, Error> {
    let id: i64 = row.try_get("id")?;
    let at: String = row.try_get("at")?;
    let at = at.parse().map_err(|error: jiff::Error| Error::Unreadable {
        what: "dead letter",
        row: id.to_string(),
        detail: error.to_string(),
    })?;
    let source: Option<String> = row.try_get("source")?;
    let payload_bytes: i64 = row.try_get("payload_bytes")?;
    Ok(DeadLetterRow {
        id,
        letter: NewDeadLetter {
            at,
            broker: row.try_get("broker")?,
            topic: row.try_get("topic")?,
            source: source.map(SourceId::new),
            reason: row.try_get("reason")?,
            payload_head: row.try_get("payload")?,
            payload_bytes: u64::try_from(payload_bytes).unwrap_or(0),
        },
    })
}
