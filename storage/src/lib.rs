//! What the hub keeps: the registry, the event log, the history of observations, the connection log, users, dead letters.
//!
//! Belongs here: files and SQL, durability, recovery after a crash or a full disk, retention. Does not belong here:
//! what an alarm or incident means (`alerting`, `command`), who may read what (`dashboard`), HTTP.
//!
//! Four kinds of file live in the data folder: `gridward.db` (registry, users, event log, dead letters),
//! `history/YYYY-MM-DD.db`, one a day (UTC, by time of receipt), so that deletion is a file's deletion, `outbox.db` (what
//! people are to be told), and `connections.db` (the connection log). All are SQLite in WAL mode, all but the last with a
//! sync at each commit: what a call has answered survives a kill and a loss of power. The SQL keeps to numbered parameters and plain types, so that
//! PostgreSQL can take its place.

mod config;
mod connections;
pub mod csv;
mod db;
mod dead_letters;
mod error;
mod health;
mod history;
mod history_file;
mod history_read;
mod history_scan;
mod log;
mod meta;
mod outbox;
mod recovery;
mod registry;
mod users;

use std::sync::Arc;

pub use config::Config;
pub use connections::{ConnectionRow, Connections, HUB_DOWN, NOT_HEARD, Segment, Timeline};
pub use dead_letters::{DeadLetterRow, DeadLetters, NewDeadLetter};
pub use error::Error;
pub use health::StorageHealth;
pub use history::{Bucket, History, HistoryQuery, HistorySeq};
pub use history_scan::Scan;
pub use log::{AuditFilter, Log, VerifyReport};
pub use meta::Meta;
pub use outbox::{Message, MessageFilter, MessageState, NewMessage, NewStep, Outbox, OutboxDepth, Plan};
pub use recovery::RecoveryReport;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use recovery::torn_bytes;
pub use registry::{Credentials, Registry, SourceFilter, SourceRow, with_inner};
pub use users::{Lockout, MIN_PASSWORD_CHARS, NewToken, TokenInfo, User, Users, random_password};

/// Everything the hub keeps. Clones share one set of connections.
#[derive(Clone)]
pub struct Storage {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Registry,
    log: Log,
    history: History,
    connections: Connections,
    users: Users,
    dead_letters: DeadLetters,
    meta: Meta,
    outbox: Outbox,
    health: health::Health,
    _lock: Option<recovery::FolderLock>,
}

/// Who opens the data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opener {
    /// The one hub: takes a lock and looks after what a crash has left.
    Hub,
    /// A command beside it: takes no lock and mends nothing.
    Tool,
}

impl Storage {
    /// Opens the data folder, making it when it is missing, and mends what a crash has left: torn tails are cut and
    /// unreadable day files set aside, both told in the report. A damaged `gridward.db` is an error that says what to
    /// do; it is never replaced.
    pub async fn open(config: &Config, opener: Opener) -> Result<(Self, RecoveryReport), Error> {
        recovery::make_folders(&config.data_dir)?;
        let (lock, report) = match opener {
            Opener::Hub => (Some(recovery::lock(&config.data_dir)?), recovery::inspect(&config.data_dir).await?),
            Opener::Tool => (None, RecoveryReport::default()),
        };
        let health = health::Health::new();
        let db = db::Db::open(&config.data_dir).await?;
        let storage = Self {
            inner: Arc::new(Inner {
                registry: Registry::new(db.clone()),
                log: Log::start(db.clone(), health.clone()),
                history: History::start(config, health.clone()),
                connections: Connections::start(config, opener, model::Timestamp::now()),
                users: Users::new(db.clone()),
                dead_letters: DeadLetters::new(db.clone(), config.dead_letters_max),
                meta: Meta::new(db),
                outbox: Outbox::open(&config.data_dir, opener, health.clone()).await?,
                health,
                _lock: lock,
            }),
        };
        Ok((storage, report))
    }

    /// Sources and grids.
    pub fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// The hash-chained event log.
    pub fn log(&self) -> &Log {
        &self.inner.log
    }

    /// Observations.
    pub fn history(&self) -> &History {
        &self.inner.history
    }

    /// When sources changed their state, and why.
    pub fn connections(&self) -> &Connections {
        &self.inner.connections
    }

    /// Users, tokens, sessions.
    pub fn users(&self) -> &Users {
        &self.inner.users
    }

    /// Messages that could not be decoded.
    pub fn dead_letters(&self) -> &DeadLetters {
        &self.inner.dead_letters
    }

    /// Small named blobs, as the engine's snapshot.
    pub fn meta(&self) -> &Meta {
        &self.inner.meta
    }

    /// What people are to be told.
    pub fn outbox(&self) -> &Outbox {
        &self.inner.outbox
    }

    /// Whether writes succeed; changes are seen at once.
    pub fn health(&self) -> tokio::sync::watch::Receiver<StorageHealth> {
        self.inner.health.watch()
    }
}
