//! `connections.db`: its tables, its writer, its reader, and what leaves it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use model::{SourceState, Timestamp};
use sqlx::sqlite::{SqliteConnection, SqliteRow, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, QueryBuilder, Row, Sqlite};

use super::pending::Named;
use super::{ConnectionRow, Run};
use crate::db::options;
use crate::registry::unreadable;
use crate::{Error, recovery};

/// Rows a statement takes; six parameters each.
const ROWS_PER_STATEMENT: usize = 256;
/// Rows deleted in one transaction, so that the writer is back soon.
const DELETE_ROWS: i64 = 20_000;
/// Rows of one source in an answer; its budget lets it write 308 a day and 2,036 in a week.
const ANSWER_ROWS: i64 = 4_000;

const TABLES: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS run (id INTEGER PRIMARY KEY, began_ms BIGINT NOT NULL, seen_ms BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
    "CREATE TABLE IF NOT EXISTS change (seq INTEGER PRIMARY KEY, source BIGINT NOT NULL, at_ms BIGINT NOT NULL, \
     state TEXT NOT NULL, reason TEXT, detail TEXT, merged BIGINT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS change_by_source ON change (source, at_ms)",
];

fn path_of(dir: &Path) -> PathBuf {
    dir.join("connections.db")
}

/// Renames a damaged file out of the way.
pub(super) fn set_aside(dir: &Path) -> Result<(), Error> {
    let moved = recovery::set_aside(&path_of(dir))?;
    tracing::error!(path = %moved.display(), "the connection log is damaged and was set aside; a new one begins");
    metrics::counter!("gridward_storage_set_aside_total").increment(1);
    Ok(())
}

/// The file open for writing, in the run that began then.
pub(super) struct LogFile {
    connection: SqliteConnection,
    run: i64,
    names: HashMap<String, i64>,
}

impl LogFile {
    pub(super) async fn open(dir: &Path, began: Timestamp) -> Result<Self, Error> {
        let mut connection = options(&path_of(dir)).synchronous(SqliteSynchronous::Normal).connect().await?;
        for statement in TABLES {
            sqlx::query(statement).execute(&mut connection).await?;
        }
        let began_ms = began.as_millisecond();
        let known: Option<i64> = sqlx::query_scalar("SELECT id FROM run WHERE began_ms = $1")
            .bind(began_ms)
            .fetch_optional(&mut connection)
            .await?;
        let run = match known {
            Some(run) => run,
            None => {
                sqlx::query_scalar("INSERT INTO run (began_ms, seen_ms) VALUES ($1, $1) RETURNING id")
                    .bind(began_ms)
                    .fetch_one(&mut connection)
                    .await?
            }
        };
        let names: Vec<(String, i64)> = sqlx::query_as("SELECT text, id FROM name").fetch_all(&mut connection).await?;
        Ok(Self { connection, run, names: names.into_iter().collect() })
    }

    /// Writes rows, and that the hub lives at `now`, in one transaction. After an error open the file anew.
    pub(super) async fn append(&mut self, rows: &[Named], now: Timestamp) -> Result<(), Error> {
        // By hand, as in `history_file`: with a full disk SQLite takes a commit back itself.
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.connection).await?;
        let done = match self.insert(rows, now).await {
            Ok(()) => sqlx::query("COMMIT").execute(&mut self.connection).await.map(drop).map_err(Error::from),
            Err(error) => Err(error),
        };
        if done.is_err() {
            let _ = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
        }
        done
    }

    async fn insert(&mut self, rows: &[Named], now: Timestamp) -> Result<(), Error> {
        sqlx::query("UPDATE run SET seen_ms = $1 WHERE id = $2 AND seen_ms < $1")
            .bind(now.as_millisecond())
            .bind(self.run)
            .execute(&mut self.connection)
            .await?;
        for chunk in rows.chunks(ROWS_PER_STATEMENT) {
            let mut named = Vec::with_capacity(chunk.len());
            for (source, row) in chunk {
                named.push((self.name_id(source.as_str()).await?, row));
            }
            let mut query =
                QueryBuilder::<Sqlite>::new("INSERT INTO change (source, at_ms, state, reason, detail, merged) ");
            query.push_values(named, |mut values, (source, row)| {
                values
                    .push_bind(source)
                    .push_bind(row.at.as_millisecond())
                    .push_bind(row.state.as_str())
                    .push_bind(row.reason.as_deref())
                    .push_bind(row.detail.as_deref())
                    .push_bind(i64::from(row.merged));
            });
            query.build().persistent(chunk.len() == ROWS_PER_STATEMENT).execute(&mut self.connection).await?;
        }
        Ok(())
    }

    async fn name_id(&mut self, text: &str) -> Result<i64, Error> {
        if let Some(id) = self.names.get(text) {
            return Ok(*id);
        }
        let id: i64 = sqlx::query_scalar("INSERT INTO name (text) VALUES ($1) RETURNING id")
            .bind(text)
            .fetch_one(&mut self.connection)
            .await?;
        self.names.insert(text.to_owned(), id);
        Ok(id)
    }

    /// Deletes what ended before `cut`, and the oldest beyond `rows_max`. A row that still tells the state after the cut
    /// stays: a camera that has been live for a month has one.
    pub(super) async fn retain(&mut self, cut: Timestamp, rows_max: u64) -> Result<(), Error> {
        let tx = &mut self.connection;
        let mut cut_ms = cut.as_millisecond();
        let rows: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM change").fetch_one(&mut *tx).await?;
        let beyond = rows.saturating_sub(i64::try_from(rows_max).unwrap_or(i64::MAX));
        if beyond > 0 {
            let nth: Option<i64> = sqlx::query_scalar("SELECT at_ms FROM change ORDER BY seq LIMIT 1 OFFSET $1")
                .bind(beyond)
                .fetch_optional(&mut *tx)
                .await?;
            cut_ms = cut_ms.max(nth.unwrap_or(cut_ms));
        }
        // Rows of runs that had ended by then tell nothing of what follows.
        let began_ms: Option<i64> = sqlx::query_scalar("SELECT MIN(began_ms) FROM run WHERE seen_ms >= $1")
            .bind(cut_ms)
            .fetch_one(&mut *tx)
            .await?;
        loop {
            let deleted = sqlx::query(
                "DELETE FROM change WHERE seq IN (SELECT c.seq FROM change c WHERE c.at_ms < $1 AND (c.at_ms < $2 OR \
                 EXISTS (SELECT 1 FROM change n WHERE n.source = c.source AND n.seq > c.seq AND n.at_ms < $1)) LIMIT $3)",
            )
            .bind(cut_ms)
            .bind(began_ms.unwrap_or(cut_ms))
            .bind(DELETE_ROWS)
            .execute(&mut *tx)
            .await?
            .rows_affected();
            if deleted < DELETE_ROWS.unsigned_abs() {
                break;
            }
        }
        sqlx::query("DELETE FROM run WHERE seen_ms < $1").bind(cut_ms).execute(&mut *tx).await?;
        Ok(())
    }
}

/// A source's rows from the last before `from` on, and the runs that touch the range; both by time.
pub(super) async fn read(
    dir: &Path,
    source: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<(Vec<ConnectionRow>, Vec<Run>), Error> {
    let path = path_of(dir);
    if !path.exists() {
        return Ok((Vec::new(), Vec::new()));
    }
    let mut file = options(&path).create_if_missing(false).read_only(true).connect().await?;
    let (from_ms, to_ms) = (from.as_millisecond(), to.as_millisecond());
    let read = async {
        let runs = sqlx::query("SELECT began_ms, seen_ms FROM run WHERE seen_ms >= $1 AND began_ms < $2 ORDER BY id")
            .bind(from_ms)
            .bind(to_ms)
            .fetch_all(&mut file)
            .await?;
        let id: Option<i64> =
            sqlx::query_scalar("SELECT id FROM name WHERE text = $1").bind(source).fetch_optional(&mut file).await?;
        let Some(id) = id else { return Ok((Vec::new(), runs)) };
        let before = sqlx::query("SELECT * FROM change WHERE source = $1 AND at_ms < $2 ORDER BY at_ms DESC, seq DESC LIMIT 1")
            .bind(id)
            .bind(from_ms)
            .fetch_optional(&mut file)
            .await?;
        let mut rows = sqlx::query(
            "SELECT * FROM change WHERE source = $1 AND at_ms >= $2 AND at_ms < $3 ORDER BY at_ms DESC, seq DESC LIMIT $4",
        )
        .bind(id)
        .bind(from_ms)
        .bind(to_ms)
        .bind(ANSWER_ROWS)
        .fetch_all(&mut file)
        .await?;
        rows.extend(before);
        rows.reverse();
        Ok::<_, sqlx::Error>((rows, runs))
    }
    .await;
    // Closed here, so that its thread has ended when the answer is there.
    let _ = file.close().await;
    let (rows, runs) = read?;
    let rows = rows.iter().map(|row| row_of(row, source)).collect::<Result<_, Error>>()?;
    let runs = runs
        .iter()
        .map(|row| Ok(Run { began: time(row, "began_ms", source)?, seen: time(row, "seen_ms", source)? }))
        .collect::<Result<_, Error>>()?;
    Ok((rows, runs))
}

fn time(row: &SqliteRow, column: &str, source: &str) -> Result<Timestamp, Error> {
    let ms: i64 = row.try_get(column)?;
    Timestamp::from_millisecond(ms).map_err(|error| unreadable("change of state", source, error))
}

fn row_of(row: &SqliteRow, source: &str) -> Result<ConnectionRow, Error> {
    let (state, merged): (String, i64) = (row.try_get("state")?, row.try_get("merged")?);
    Ok(ConnectionRow {
        at: time(row, "at_ms", source)?,
        // A state of another version of the hub is none that this one knows.
        state: SourceState::ALL.into_iter().find(|known| known.as_str() == state).unwrap_or(SourceState::Unknown),
        reason: row.try_get("reason")?,
        detail: row.try_get("detail")?,
        merged: u32::try_from(merged).unwrap_or(0),
    })
}
