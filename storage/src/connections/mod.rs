//! The connection log: when each source changed its state, and why; for the strip of its last hours.
//!
//! Telling ([`Connections::note`]) never waits: it moves a word in memory. One task brings what has gathered to
//! `connections.db` once a second, in one transaction. Belongs here: the file, its bounds, and where the hub cannot know
//! (it was down). Does not belong here: which of a camera's streams speaks for it (`model::standing`), what a reason means
//! (the console).
//!
//! Bounds: a source has a budget of rows (`pending`), what is beyond it is merged and counted; rows leave by age and by
//! number, oldest first. The file is synced at checkpoints and not at each commit: a loss of power may cost the last
//! seconds, which are shown as unknown then.

mod file;
mod pending;
mod strip;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{SourceId, SourceState, SourceStatus, Timestamp};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use self::file::LogFile;
use self::pending::Pending;
use crate::config::Config;
use crate::{Error, Opener};

pub use self::strip::{HUB_DOWN, NOT_HEARD, Segment};

/// How often what has gathered goes to disk, and that the hub lives with it.
const TICK: Duration = Duration::from_secs(1);
/// How often it is written down that the hub lives while nothing changes: the most that a kill makes unknown.
const ALIVE: Duration = Duration::from_secs(10);
/// How often old rows are looked for.
const RETAIN: Duration = Duration::from_secs(600);
/// Rows in one transaction, so that a commit stays short.
const BATCH: usize = 5_000;
/// Questions answered at a time; each opens the file for itself.
const READERS: usize = 4;

/// A change of a source's state.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionRow {
    /// When.
    pub at: Timestamp,
    /// The state from then on.
    pub state: SourceState,
    /// Why, as a code the console translates.
    pub reason: Option<String>,
    /// What happened, in English; holds no secret.
    pub detail: Option<String>,
    /// Changes between the row before and this one that were too many to keep.
    pub merged: u32,
}

/// What is known of a source over a range of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    /// The state at each moment, without gaps or overlaps, the oldest first.
    pub segments: Vec<Segment>,
    /// The changes in the range, the newest first.
    pub rows: Vec<ConnectionRow>,
}

/// From when to when a hub ran: what it does not cover nobody knows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Run {
    pub(crate) began: Timestamp,
    pub(crate) seen: Timestamp,
}

/// The connection log. Clones share one writer.
#[derive(Clone)]
pub struct Connections {
    dir: PathBuf,
    days: u32,
    began: Timestamp,
    pending: Arc<Mutex<Pending>>,
    orders: Option<mpsc::Sender<oneshot::Sender<()>>>,
    readers: Arc<Semaphore>,
}

impl Connections {
    /// Only the hub writes; a command beside it reads.
    pub(crate) fn start(config: &Config, opener: Opener, now: Timestamp) -> Self {
        let now = to_ms(now);
        let pending = Arc::new(Mutex::new(Pending::default()));
        let writer = Writer {
            dir: config.data_dir.clone(),
            began: now,
            days: config.connection_log_days,
            rows_max: config.connection_log_rows_max,
            pending: Arc::clone(&pending),
            file: None,
            failing: false,
        };
        let orders = (opener == Opener::Hub).then(|| {
            let (orders, receiver) = mpsc::channel(1);
            tokio::spawn(writer.run(receiver));
            orders
        });
        Self {
            dir: config.data_dir.clone(),
            days: config.connection_log_days,
            began: now,
            pending,
            orders,
            readers: Arc::new(Semaphore::new(READERS)),
        }
    }

    /// Takes a source's state down if it, or its reason, is not the last one's. Never waits.
    pub fn note(&self, status: &SourceStatus, now: Timestamp) {
        lock(&self.pending).note(status, to_ms(now));
    }

    /// The registry as it is now: what was taken out of it is not known from here on, and costs no memory.
    pub fn keep_only(&self, sources: &HashSet<SourceId>, now: Timestamp) {
        lock(&self.pending).keep_only(sources, to_ms(now));
    }

    /// How many days are kept.
    pub fn days(&self) -> u32 {
        self.days
    }

    /// A source's states from `from` to `to`, at most now. What no hub saw is unknown.
    pub async fn timeline(&self, source: &str, from: Timestamp, to: Timestamp) -> Result<Timeline, Error> {
        let to = to.min(Timestamp::now());
        // Taken before the file is read: what moves from one to the other meanwhile is seen twice and not missed.
        let waiting = lock(&self.pending).of(source);
        let _turn = self.readers.acquire().await.map_err(|_| Error::Closed)?;
        let (mut rows, mut runs) = file::read(&self.dir, source, from, to).await?;
        let last = rows.last().map(|row| row.at);
        rows.extend(waiting.into_iter().filter(|row| last.is_none_or(|last| row.at > last) && row.at < to));
        // This run lives, whatever is on disk of it.
        runs.retain(|run| run.began != self.began);
        if self.orders.is_some() {
            runs.push(Run { began: self.began, seen: to.max(self.began) });
        }
        let segments = strip::segments(&rows, &runs, from, to);
        rows.retain(|row| row.at >= from);
        rows.reverse();
        Ok(Timeline { segments, rows })
    }

    /// Writes everything down, what exceeds a source's budget too; for the end of the hub.
    pub async fn close(&self) {
        let Some(orders) = &self.orders else { return };
        let (reply, done) = oneshot::channel();
        if orders.send(reply).await.is_ok() {
            // The writer has gone when it does not answer; then there is nothing left to write to.
            let _ = done.await;
        }
    }
}

/// As the file has it, so that what is on disk and what waits can be told to be the same.
fn to_ms(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

fn lock(pending: &Mutex<Pending>) -> MutexGuard<'_, Pending> {
    // Valid after any panic: each change is one insert.
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The one task that writes.
struct Writer {
    dir: PathBuf,
    began: Timestamp,
    days: u32,
    rows_max: u64,
    pending: Arc<Mutex<Pending>>,
    file: Option<LogFile>,
    failing: bool,
}

impl Writer {
    async fn run(mut self, mut orders: mpsc::Receiver<oneshot::Sender<()>>) {
        let (mut alive_at, mut retain_at) = (None, tokio::time::Instant::now() + TICK);
        loop {
            match timeout(TICK, orders.recv()).await {
                Ok(Some(reply)) => {
                    lock(&self.pending).release_all();
                    let written = self.write(true).await;
                    self.tell(written);
                    let _ = reply.send(());
                }
                Ok(None) => return,
                Err(_) => {
                    lock(&self.pending).release(Timestamp::now());
                    let now = tokio::time::Instant::now();
                    let alive = alive_at.is_none_or(|at| at <= now);
                    let written = self.write(alive).await;
                    if written.is_ok() && alive {
                        alive_at = Some(now + ALIVE);
                    }
                    let fine = self.tell(written);
                    if fine && retain_at <= now {
                        retain_at = now + RETAIN;
                        let retained = self.retain().await;
                        self.tell(retained);
                    }
                }
            }
        }
    }

    /// Brings what waits to disk, and with it, or when `alive`, that the hub lives.
    async fn write(&mut self, alive: bool) -> Result<(), Error> {
        let mut alive = alive;
        loop {
            let batch = lock(&self.pending).first(BATCH);
            if batch.is_empty() && !alive {
                return Ok(());
            }
            let now = Timestamp::now();
            self.opened().await?.append(&batch, now).await?;
            alive = false;
            metrics::counter!("gridward_connection_log_rows_total").increment(batch.len() as u64);
            lock(&self.pending).written(batch.len());
        }
    }

    async fn retain(&mut self) -> Result<(), Error> {
        let age = jiff::SignedDuration::from_hours(24 * i64::from(self.days));
        let cut = Timestamp::now().checked_sub(age).unwrap_or(Timestamp::MIN);
        let rows_max = self.rows_max;
        self.opened().await?.retain(cut, rows_max).await
    }

    /// The file, opened unless it is; a damaged one is set aside and a new one begun.
    async fn opened(&mut self) -> Result<&mut LogFile, Error> {
        if self.file.is_none() {
            let open = match LogFile::open(&self.dir, self.began).await {
                Err(error) if error.is_damage() => {
                    file::set_aside(&self.dir)?;
                    LogFile::open(&self.dir, self.began).await?
                }
                other => other?,
            };
            self.file = Some(open);
        }
        self.file.as_mut().ok_or(Error::Closed)
    }

    /// Tells a failure once, and its end; false for a failure. What could not be written stays and is tried again.
    fn tell(&mut self, outcome: Result<(), Error>) -> bool {
        match outcome {
            Ok(()) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the connection log takes rows again");
                }
                true
            }
            Err(error) => {
                metrics::counter!("gridward_connection_log_retries_total").increment(1);
                let error = error.for_want_of_space(&self.dir);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(%error, "the connection log takes no rows; they wait");
                }
                // Opened anew at the next try: it may be damaged, or a commit of it half taken back.
                self.file = None;
                false
            }
        }
    }
}
