//! What can go wrong while keeping things.

use std::path::PathBuf;

/// Why storage did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk is full; nothing of the call was kept. Try again when there is space.
    #[error("the disk is full")]
    DiskFull,
    /// The database answered with an error.
    #[error("database: {0}")]
    Database(#[source] sqlx::Error),
    /// A file or folder could not be used.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// `gridward.db` is damaged.
    #[error("{path} is damaged ({detail}); restore it from a backup, or move it away to start anew")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// Another hub runs on this data folder.
    #[error("another hub is running on {0}")]
    InUse(PathBuf),
    /// What was to be added is there already.
    #[error("{0} exists already")]
    Exists(String),
    /// What was asked for is not there.
    #[error("{0} does not exist")]
    Missing(String),
    /// A stored value cannot be read back.
    #[error("unreadable {what} in row {row}: {detail}")]
    Unreadable {
        /// What kind of row.
        what: &'static str,
        /// Which row.
        row: String,
        /// Why.
        detail: String,
    },
    /// The writer has stopped.
    #[error("storage is shutting down")]
    Closed,
}

/// SQLite's primary result code for a full disk.
const SQLITE_FULL: i32 = 13;

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|e| e.code()).and_then(|c| c.parse::<i32>().ok());
        if code.is_some_and(|code| code & 0xff == SQLITE_FULL) { Error::DiskFull } else { Error::Database(error) }
    }
}

impl Error {
    /// A copy for each of several waiting callers.
    pub(crate) fn copy(&self) -> Self {
        match self {
            Error::DiskFull => Error::DiskFull,
            Error::Closed => Error::Closed,
            other => Error::Database(sqlx::Error::Protocol(other.to_string())),
        }
    }
}
