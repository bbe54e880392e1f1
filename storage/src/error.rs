//! What can go wrong while keeping things.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
    /// More passwords are being checked than the hub has memory and cores for.
    #[error("too many log-ins at once")]
    Busy,
    /// The writer has stopped.
    #[error("storage is shutting down")]
    Closed,
}

/// SQLite's primary result codes for a full disk, a failed read or write, and a file that cannot be opened.
const SQLITE_FULL: i32 = 13;
const SQLITE_IOERR: i32 = 10;
const SQLITE_CANTOPEN: i32 = 14;
/// The same for a damaged file and for one that is no database.
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_NOTADB: i32 = 26;

fn code_of(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?.parse::<i32>().ok()?;
    Some(code & 0xff)
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if code_of(&error) == Some(SQLITE_FULL) { Error::DiskFull } else { Error::Database(error) }
    }
}

impl Error {
    /// Whether the file is damaged, so that trying again does not help.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self, Error::Database(error) if matches!(code_of(error), Some(SQLITE_CORRUPT | SQLITE_NOTADB)))
    }

    /// Of a write in the folder: a quota, a limit on files or a full disk that SQLite met outside its own writes come
    /// as failed input or output. A small file of our own tells whether it is for want of space.
    pub(crate) fn for_want_of_space(self, dir: &Path) -> Self {
        let unclear = matches!(&self, Error::Database(error)
            if matches!(code_of(error), Some(SQLITE_IOERR | SQLITE_CANTOPEN)));
        if unclear && !has_space(dir) { Error::DiskFull } else { self }
    }

    /// A copy for each of several waiting callers.
    pub(crate) fn copy(&self) -> Self {
        match self {
            Error::DiskFull => Error::DiskFull,
            Error::Busy => Error::Busy,
            Error::Closed => Error::Closed,
            other => Error::Database(sqlx::Error::Protocol(other.to_string())),
        }
    }
}

/// As much as one commit may need beside its rows.
const PROBE_BYTES: usize = 128 * 1024;

fn has_space(dir: &Path) -> bool {
    let path = dir.join("space.probe");
    let written = std::fs::File::create(&path).and_then(|mut file| file.write_all(&[0; PROBE_BYTES]));
    let _ = std::fs::remove_file(&path);
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    !written.is_err_and(|error| matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge))
}
