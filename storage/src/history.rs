//! The history of observations: group commit, a file a day, retention by files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use model::{Observation, Timestamp};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use crate::config::Config;
use crate::health::{Health, PROBE, Writer};
use crate::history_file::{self, DayWriter, day_of};
use crate::{Error, recovery};

/// Appends that may wait; beyond it callers wait for room.
const QUEUE: usize = 256;
/// Observations that share one transaction at most, so that a commit stays short.
const GROUP_ROWS: usize = 16_384;
/// Questions answered at a time; each opens files and threads of its own.
const READERS: usize = 4;

/// Where in the history a row stands: the order in which rows were committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
pub struct HistorySeq {
    /// The day's file, `YYYYMMDD`.
    pub day: i32,
    /// The row in it, from 1.
    pub row: i64,
}

impl HistorySeq {
    /// Before the first row of the day of a moment.
    pub fn before_day_of(at: Timestamp) -> Self {
        Self { day: day_of(at), row: 0 }
    }
}

/// Which observations.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryQuery {
    /// Of which source.
    pub source: String,
    /// Which reading; none for all.
    pub reading: Option<String>,
    /// Phenomenon time not before.
    pub from: Timestamp,
    /// Phenomenon time before.
    pub to: Timestamp,
    /// At most so many.
    pub limit: u32,
}

/// A summary of the observations within one step of time.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Bucket {
    /// When the step begins.
    pub at: Timestamp,
    /// The least value.
    pub min: f64,
    /// The greatest value.
    pub max: f64,
    /// The mean.
    pub avg: f64,
    /// How many there were.
    pub count: u64,
}

/// The history. Clones share one writer.
#[derive(Clone)]
pub struct History {
    pub(crate) dir: PathBuf,
    days_kept: u32,
    max_bytes: u64,
    appends: mpsc::Sender<Append>,
    pub(crate) readers: Arc<Semaphore>,
}

struct Append {
    observations: Vec<Observation>,
    reply: oneshot::Sender<Result<HistorySeq, Error>>,
}

impl History {
    pub(crate) fn start(config: &Config, health: Health) -> Self {
        let (appends, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(write(config.data_dir.clone(), receiver, health));
        Self {
            dir: config.data_dir.clone(),
            days_kept: config.history_days,
            max_bytes: config.history_max_mb * 1_000_000,
            appends,
            readers: Arc::new(Semaphore::new(READERS)),
        }
    }

    /// Keeps observations, all or none; durable when it returns. Appends that wait together share one sync.
    pub async fn append(&self, observations: Vec<Observation>) -> Result<HistorySeq, Error> {
        let (reply, answer) = oneshot::channel();
        self.appends.send(Append { observations, reply }).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Deletes the day files that are too old or too many; answers which days. Today's always stays.
    pub fn retain(&self, now: Timestamp) -> Result<Vec<i32>, Error> {
        let today = day_of(now);
        let age = jiff::SignedDuration::from_hours(24 * i64::from(self.days_kept));
        let oldest = now.checked_sub(age).map_or(0, day_of);
        let days = history_file::days(&self.dir);
        let mut total: u64 = days.iter().map(|day| self.bytes_of(*day)).sum();
        let mut deleted = Vec::new();
        for day in days.into_iter().filter(|day| *day < today) {
            if day >= oldest && total <= self.max_bytes {
                continue;
            }
            total = total.saturating_sub(self.bytes_of(day));
            let path = history_file::path_of(&self.dir, day);
            std::fs::remove_file(&path).map_err(|source| Error::File { path: path.clone(), source })?;
            for companion in ["-wal", "-shm"] {
                let _ = std::fs::remove_file(recovery::with_suffix(&path, companion));
            }
            deleted.push(day);
        }
        // What was set aside as damaged is no less bound to be deleted.
        for (day, path) in history_file::set_aside_files(&self.dir) {
            if day < oldest && std::fs::remove_file(&path).is_ok() && deleted.last() != Some(&day) {
                deleted.push(day);
            }
        }
        Ok(deleted)
    }

    fn bytes_of(&self, day: i32) -> u64 {
        let path = history_file::path_of(&self.dir, day);
        let of = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
        of(&path) + of(&recovery::with_suffix(&path, "-wal"))
    }
}

/// The one writer: takes what waits, in one transaction for each day it touches.
async fn write(dir: PathBuf, mut appends: mpsc::Receiver<Append>, health: Health) {
    let mut file: Option<DayWriter> = None;
    let mut waiting = Vec::with_capacity(QUEUE);
    loop {
        match timeout(PROBE, appends.recv_many(&mut waiting, QUEUE)).await {
            Ok(0) => return,
            Ok(_) => {}
            Err(_) if health.is_failing(Writer::History) => {
                let tried = probe(&dir, &mut file).await.map_err(|error| error.for_want_of_space(&dir));
                health.note(Writer::History, &tried);
                continue;
            }
            Err(_) => continue,
        }
        metrics::gauge!("gridward_queue_depth", "queue" => "history").set(appends.len() as f64);
        let mut rest = waiting.drain(..).peekable();
        while rest.peek().is_some() {
            let mut rows = 0;
            let mut group = Vec::new();
            while let Some(append) = rest.next_if(|a| rows == 0 || rows + a.observations.len() <= GROUP_ROWS) {
                rows += append.observations.len();
                group.push(append);
            }
            let started = Instant::now();
            let written = commit(&dir, &mut file, &group).await.map_err(|error| error.for_want_of_space(&dir));
            metrics::histogram!("gridward_history_commit_seconds").record(started.elapsed().as_secs_f64());
            if written.is_ok() {
                metrics::counter!("gridward_history_committed_total").increment(rows as u64);
            }
            health.note(Writer::History, &written);
            for append in group {
                // Nobody may be waiting any more; the rows stand all the same.
                let _ = append.reply.send(match &written {
                    Ok(seq) => Ok(*seq),
                    Err(error) => Err(error.copy()),
                });
            }
        }
    }
}

async fn commit(dir: &Path, file: &mut Option<DayWriter>, group: &[Append]) -> Result<HistorySeq, Error> {
    let all: Vec<&Observation> = group.iter().flat_map(|append| &append.observations).collect();
    let mut seq = HistorySeq::default();
    // Receipt times rise, so that a group touches one day, at midnight two.
    for part in all.chunk_by(|a, b| day_of_hour(a) == day_of_hour(b)) {
        let Some(first) = part.first() else { continue };
        let day = day_of(first.received_at);
        let row = match opened(dir, file, day).await?.append(part).await {
            Err(error) if error.is_damage() => {
                // Trying again would fail for ever, and the readings of the whole town with it.
                replace(dir, file, day).await?;
                opened(dir, file, day).await?.append(part).await
            }
            other => other,
        };
        match row {
            Ok(row) => seq = HistorySeq { day, row },
            Err(error) => {
                let error = error.for_want_of_space(dir);
                // With a full disk it stays open: questions need its companions, which could not be made again. Else it
                // is opened anew at the next try, for it may have been replaced.
                if !matches!(error, Error::DiskFull) || file.as_ref().is_some_and(|open| !open.is_sound()) {
                    close(file).await;
                }
                return Err(error);
            }
        }
    }
    Ok(seq)
}

/// A number that changes at midnight UTC, cheaper than a calendar.
fn day_of_hour(observation: &Observation) -> i64 {
    observation.received_at.as_second().div_euclid(86_400)
}

/// The day's file, opened unless it is; a damaged one is set aside and a new one begun.
async fn opened<'f>(dir: &Path, file: &'f mut Option<DayWriter>, day: i32) -> Result<&'f mut DayWriter, Error> {
    if file.as_ref().is_none_or(|open| open.day != day) {
        close(file).await;
        let open = match DayWriter::open(dir, day).await {
            Err(error) if error.is_damage() => {
                replace(dir, file, day).await?;
                DayWriter::open(dir, day).await?
            }
            other => other?,
        };
        *file = Some(open);
    }
    file.as_mut().ok_or(Error::Closed)
}

async fn replace(dir: &Path, file: &mut Option<DayWriter>, day: i32) -> Result<(), Error> {
    close(file).await;
    let moved = recovery::set_aside(&history_file::path_of(dir, day))?;
    tracing::error!(path = %moved.display(), "the day's file is damaged and was set aside; a new one begins");
    metrics::counter!("gridward_storage_set_aside_total").increment(1);
    Ok(())
}

async fn close(file: &mut Option<DayWriter>) {
    if let Some(open) = file.take() {
        open.close().await;
    }
}

/// Tries whether a write would succeed now.
async fn probe(dir: &Path, file: &mut Option<DayWriter>) -> Result<(), Error> {
    let tried = opened(dir, file, day_of(Timestamp::now())).await?.probe().await;
    let tried = tried.map_err(|error| error.for_want_of_space(dir));
    if tried.as_ref().is_err_and(|error| !matches!(error, Error::DiskFull)) {
        close(file).await;
    }
    tried
}
