//! The history of observations: group commit, a file a day, retention by files.

use std::path::PathBuf;
use std::time::Instant;

use model::{Observation, Timestamp};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row};
use tokio::sync::{mpsc, oneshot};

use crate::config::Config;
use crate::health::Health;
use crate::history_file::{self, COLUMNS, DayWriter, day_of};
use crate::{Error, recovery};

/// Appends that may wait; beyond it callers wait for room.
const QUEUE: usize = 256;
/// Observations that share one transaction at most, so that a commit stays short.
const GROUP_ROWS: usize = 16_384;
/// Rows read at once where a whole day is walked.
const PAGE: i64 = 5_000;

/// Where in the history a row stands: the order in which rows were committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
pub struct HistorySeq {
    /// The day's file, `YYYYMMDD`.
    pub day: i32,
    /// The row in it, from 1.
    pub row: i64,
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
    dir: PathBuf,
    days_kept: u32,
    max_bytes: u64,
    appends: mpsc::Sender<Append>,
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
        }
    }

    /// Keeps observations, all or none; durable when it returns. Appends that wait together share one sync.
    pub async fn append(&self, observations: Vec<Observation>) -> Result<HistorySeq, Error> {
        let (reply, answer) = oneshot::channel();
        self.appends.send(Append { observations, reply }).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// The observations that match, by phenomenon time, the oldest first.
    pub async fn query(&self, query: &HistoryQuery) -> Result<Vec<Observation>, Error> {
        let sql = format!(
            "{COLUMNS} WHERE s.text = $1 AND ($2 IS NULL OR r.text = $2) AND at_ms >= $3 AND at_ms < $4 \
             ORDER BY at_ms, seq LIMIT $5"
        );
        let mut found = Vec::new();
        for mut file in self.files_between(query.from, query.to).await? {
            let left = i64::from(query.limit) - i64::try_from(found.len()).unwrap_or(i64::MAX);
            if left <= 0 {
                break;
            }
            let rows = sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(&query.source)
                .bind(query.reading.as_deref())
                .bind(query.from.as_millisecond())
                .bind(query.to.as_millisecond())
                .bind(left)
                .fetch_all(&mut file)
                .await?;
            for row in &rows {
                found.push(history_file::observation_of(row)?);
            }
        }
        Ok(found)
    }

    /// Numbers that match, summed up by steps of `step_ms`, the oldest first; words are left out.
    pub async fn buckets(&self, query: &HistoryQuery, step_ms: i64) -> Result<Vec<Bucket>, Error> {
        let step_ms = step_ms.max(1);
        let mut buckets: Vec<Bucket> = Vec::new();
        for mut file in self.files_between(query.from, query.to).await? {
            let rows = sqlx::query(
                "SELECT o.at_ms / $5 * $5 AS at_ms, MIN(o.number) AS least, MAX(o.number) AS greatest, \
                 AVG(o.number) AS mean, COUNT(*) AS rows FROM observation o JOIN name s ON s.id = o.source \
                 JOIN name r ON r.id = o.reading WHERE s.text = $1 AND ($2 IS NULL OR r.text = $2) \
                 AND o.at_ms >= $3 AND o.at_ms < $4 AND o.number IS NOT NULL GROUP BY o.at_ms / $5 ORDER BY 1 LIMIT $6",
            )
            .bind(&query.source)
            .bind(query.reading.as_deref())
            .bind(query.from.as_millisecond())
            .bind(query.to.as_millisecond())
            .bind(step_ms)
            .bind(i64::from(query.limit))
            .fetch_all(&mut file)
            .await?;
            for row in &rows {
                let (at_ms, count): (i64, i64) = (row.try_get("at_ms")?, row.try_get("rows")?);
                let Ok(at) = Timestamp::from_millisecond(at_ms) else { continue };
                buckets.push(Bucket {
                    at,
                    min: row.try_get("least")?,
                    max: row.try_get("greatest")?,
                    avg: row.try_get("mean")?,
                    count: u64::try_from(count).unwrap_or(0),
                });
            }
        }
        buckets.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
        Ok(buckets)
    }

    /// Hands every observation committed after `after` to `each`, in the order of commit.
    pub async fn replay(&self, after: HistorySeq, mut each: impl FnMut(HistorySeq, Observation)) -> Result<(), Error> {
        let sql = format!("{COLUMNS} WHERE o.seq > $1 ORDER BY o.seq LIMIT $2");
        for day in history_file::days(&self.dir).into_iter().filter(|day| *day >= after.day) {
            let Some(mut file) = history_file::reader(&self.dir, day).await? else { continue };
            let mut last = if day == after.day { after.row } else { 0 };
            loop {
                let rows = sqlx::query(AssertSqlSafe(sql.clone())).bind(last).bind(PAGE).fetch_all(&mut file).await?;
                for row in &rows {
                    last = row.try_get("seq")?;
                    each(HistorySeq { day, row: last }, history_file::observation_of(row)?);
                }
                if rows.is_empty() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// The newest observation of each reading of each source, out of the last two days that have a file.
    pub async fn last_values(&self) -> Result<Vec<Observation>, Error> {
        let sql = format!(
            "{COLUMNS} WHERE o.seq IN (SELECT MAX(seq) FROM observation GROUP BY source, reading) ORDER BY o.seq"
        );
        let mut found = Vec::new();
        let days = history_file::days(&self.dir);
        for day in days.iter().rev().take(2).rev() {
            let Some(mut file) = history_file::reader(&self.dir, *day).await? else { continue };
            for row in &sqlx::query(AssertSqlSafe(sql.clone())).fetch_all(&mut file).await? {
                found.push(history_file::observation_of(row)?);
            }
        }
        Ok(found)
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
                let mut name = path.clone().into_os_string();
                name.push(companion);
                let _ = std::fs::remove_file(name);
            }
            deleted.push(day);
        }
        Ok(deleted)
    }

    fn bytes_of(&self, day: i32) -> u64 {
        std::fs::metadata(history_file::path_of(&self.dir, day)).map_or(0, |m| m.len())
    }

    /// Day files by time of receipt that may hold phenomena of the span: what arrives late lies in a later file.
    async fn files_between(&self, from: Timestamp, to: Timestamp) -> Result<Vec<SqliteConnection>, Error> {
        let day = jiff::SignedDuration::from_hours(24);
        let (first, last) = (day_of(from), to.checked_add(day).map_or(i32::MAX, day_of));
        let mut files = Vec::new();
        for day in history_file::days(&self.dir).into_iter().filter(|day| (first..=last).contains(day)) {
            files.extend(history_file::reader(&self.dir, day).await?);
        }
        Ok(files)
    }
}

/// The one writer: takes what waits, in one transaction for each day it touches.
async fn write(dir: PathBuf, mut appends: mpsc::Receiver<Append>, health: Health) {
    let mut file: Option<DayWriter> = None;
    let mut waiting = Vec::with_capacity(QUEUE);
    while appends.recv_many(&mut waiting, QUEUE).await > 0 {
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
            let written = commit(&dir, &mut file, &group).await;
            metrics::histogram!("gridward_history_commit_seconds").record(started.elapsed().as_secs_f64());
            if written.is_ok() {
                metrics::counter!("gridward_history_committed_total").increment(rows as u64);
            }
            health.note(&written);
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

async fn commit(dir: &std::path::Path, file: &mut Option<DayWriter>, group: &[Append]) -> Result<HistorySeq, Error> {
    let all: Vec<&Observation> = group.iter().flat_map(|append| &append.observations).collect();
    let mut seq = HistorySeq::default();
    // Receipt times rise, so that a group touches one day, at midnight two.
    for part in all.chunk_by(|a, b| day_of_hour(a) == day_of_hour(b)) {
        let Some(first) = part.first() else { continue };
        let day = day_of(first.received_at);
        if file.as_ref().is_none_or(|open| open.day != day) {
            *file = None;
            *file = Some(open(dir, day).await?);
        }
        let Some(open) = file.as_mut() else { continue };
        match open.append(part).await {
            Ok(row) => seq = HistorySeq { day, row },
            Err(error) => {
                *file = None; // Reopened at the next try: the file may have been replaced or the disk freed.
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

async fn open(dir: &std::path::Path, day: i32) -> Result<DayWriter, Error> {
    match DayWriter::open(dir, day).await {
        Err(Error::Database(error)) if is_damage(&error) => {
            let moved = recovery::set_aside(&history_file::path_of(dir, day))?;
            tracing::error!(path = %moved.display(), "the day's file is damaged and was set aside; a new one begins");
            metrics::counter!("gridward_storage_set_aside_total").increment(1);
            DayWriter::open(dir, day).await
        }
        other => other,
    }
}

/// SQLite's primary result codes CORRUPT and NOTADB.
fn is_damage(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code()).and_then(|c| c.parse::<i32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 11 | 26))
}
