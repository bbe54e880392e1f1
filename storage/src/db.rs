//! The connections to `gridward.db`, and its tables.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::Connection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::Error;

/// How long a statement waits for another process (a command line import) to finish its transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections to the main database: one that writes, a few that read.
#[derive(Clone)]
pub(crate) struct Db {
    pub(crate) dir: PathBuf,
    pub(crate) write: SqlitePool,
    pub(crate) read: SqlitePool,
}

impl Db {
    pub(crate) async fn open(dir: &Path) -> Result<Self, Error> {
        let path = dir.join("gridward.db");
        let damaged = |error: sqlx::Error| Error::Damaged { path: path.clone(), detail: error.to_string() };
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .after_release(|connection, _| Box::pin(has_no_transaction(connection)))
            .connect_with(options(&path))
            .await
            .map_err(damaged)?;
        restrict(&path)?;
        for statement in TABLES.split(";\n").map(str::trim).filter(|s| !s.is_empty()) {
            sqlx::query(statement).execute(&write).await.map_err(damaged)?;
        }
        let check: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&write).await.map_err(damaged)?;
        if check != "ok" {
            return Err(Error::Damaged { path, detail: check });
        }
        let read = SqlitePoolOptions::new().max_connections(4).connect_with(options(&path).read_only(true)).await?;
        Ok(Self { dir: dir.to_owned(), write, read })
    }
}

/// Whether a connection that comes back can be used again. With a full disk SQLite itself takes a commit back; sqlx then
/// counts a transaction that is none any more, and would never begin another.
pub(crate) async fn has_no_transaction(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // Waits until a rollback that is on its way has been tried.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// The options of every file: WAL, and a sync at each commit.
pub(crate) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
}

/// The database holds camera passwords: nobody but its owner reads it.
#[cfg(unix)]
pub(crate) fn restrict(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .map_err(|source| Error::File { path: path.to_owned(), source })
}

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS grid (id TEXT PRIMARY KEY, name TEXT NOT NULL, parent TEXT, outline TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS source (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, class TEXT NOT NULL, name TEXT NOT NULL, owner TEXT NOT NULL,
  grid TEXT NOT NULL, body TEXT NOT NULL, username TEXT, password TEXT);
CREATE INDEX IF NOT EXISTS source_by_grid ON source (grid);
CREATE TABLE IF NOT EXISTS log (
  seq BIGINT PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, about TEXT NOT NULL, subject TEXT NOT NULL,
  actor TEXT NOT NULL, body TEXT NOT NULL, hash TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS log_by_about ON log (kind, about, seq);
CREATE TABLE IF NOT EXISTS person (
  name TEXT PRIMARY KEY, role TEXT NOT NULL, scope TEXT NOT NULL, password TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS token (
  id TEXT PRIMARY KEY, role TEXT NOT NULL, scope TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL,
  last_used_at TEXT);
CREATE TABLE IF NOT EXISTS session (hash TEXT PRIMARY KEY, person TEXT NOT NULL, expires_ms BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS attempt (name TEXT PRIMARY KEY, failures BIGINT NOT NULL, until_ms BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS dead_letter (
  id INTEGER PRIMARY KEY, at TEXT NOT NULL, broker TEXT NOT NULL, topic TEXT NOT NULL, source TEXT,
  reason TEXT NOT NULL, payload BLOB NOT NULL, payload_bytes BIGINT NOT NULL);
";
