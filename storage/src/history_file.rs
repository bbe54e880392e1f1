//! One day's file of observations: its tables, its writer, its reader.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use model::{Observation, Quality, SourceId, Timestamp, Value};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, QueryBuilder, Row, Sqlite};

use crate::Error;
use crate::db::options;
use crate::registry::unreadable;

/// Rows a statement takes; eight parameters each, and one prepared statement for full chunks.
const ROWS_PER_STATEMENT: usize = 256;

/// Source and reading names are stored once a file; `flags` holds the value's type (bits 0-1: number, bool, text),
/// the quality (bits 2-3: good, uncertain, bad) and whether it was retained (bit 4).
const TABLES: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
    "CREATE TABLE IF NOT EXISTS observation (seq INTEGER PRIMARY KEY, source BIGINT NOT NULL, reading BIGINT NOT NULL, \
     at_ms BIGINT NOT NULL, received_ms BIGINT NOT NULL, number DOUBLE, text TEXT, flags BIGINT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS observation_by_source ON observation (source, reading, at_ms)",
    "PRAGMA wal_autocheckpoint = 4000",
];

pub(crate) const COLUMNS: &str = "SELECT o.seq AS seq, s.text AS source, r.text AS reading, at_ms, received_ms, number, \
     o.text AS text, flags FROM observation o JOIN name s ON s.id = o.source JOIN name r ON r.id = o.reading";

/// `YYYYMMDD` of a time, in UTC.
pub(crate) fn day_of(at: Timestamp) -> i32 {
    at.strftime("%Y%m%d").to_string().parse().unwrap_or(0)
}

/// The file of a day.
pub(crate) fn path_of(dir: &Path, day: i32) -> PathBuf {
    dir.join("history").join(format!("{:04}-{:02}-{:02}.db", day / 10_000, day / 100 % 100, day % 100))
}

/// The days that have a file, rising.
pub(crate) fn days(dir: &Path) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir(dir.join("history")) else { return Vec::new() };
    let mut days: Vec<i32> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let digits: String = name.strip_suffix(".db")?.chars().filter(|c| *c != '-').collect();
            digits.parse().ok().filter(|_| digits.len() == 8)
        })
        .collect();
    days.sort_unstable();
    days
}

/// Files of days that were set aside as damaged, with their companions.
pub(crate) fn set_aside_files(dir: &Path) -> Vec<(i32, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(dir.join("history")) else { return Vec::new() };
    let mut files: Vec<(i32, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?;
            let day = name.get(..10).filter(|_| name.contains(".corrupt-"))?.replace('-', "").parse().ok()?;
            Some((day, path))
        })
        .collect();
    files.sort();
    files
}

/// A day's file open for writing.
pub(crate) struct DayWriter {
    pub(crate) day: i32,
    connection: SqliteConnection,
    names: HashMap<String, i64>,
    last_row: i64,
    is_sound: bool,
}

impl DayWriter {
    pub(crate) async fn open(dir: &Path, day: i32) -> Result<Self, Error> {
        let mut connection = options(&path_of(dir, day)).connect().await?;
        for statement in TABLES {
            sqlx::query(statement).execute(&mut connection).await?;
        }
        let (names, last_row) = content_of(&mut connection).await?;
        Ok(Self { day, connection, names, last_row, is_sound: true })
    }

    /// Closes the file; until this returns it must not be renamed.
    pub(crate) async fn close(self) {
        let _ = self.connection.close().await;
    }

    /// Tries whether a write would succeed.
    pub(crate) async fn probe(&mut self) -> Result<(), Error> {
        // Any change of the header is a write with a sync; the number means nothing.
        let number = Timestamp::now().as_second() & 0x7fff_ffff;
        sqlx::query(AssertSqlSafe(format!("PRAGMA user_version = {number}"))).execute(&mut self.connection).await?;
        Ok(())
    }

    /// Writes all of them in one transaction; answers the last row's number. On an error nothing is kept, and the file
    /// can be written again unless [`DayWriter::is_sound`] says no.
    pub(crate) async fn append(&mut self, observations: &[&Observation]) -> Result<i64, Error> {
        // By hand: with a full disk SQLite takes a commit back itself, and sqlx would never begin another.
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.connection).await?;
        let kept = match self.insert(observations).await {
            Ok(row) => sqlx::query("COMMIT").execute(&mut self.connection).await.map(|_| row).map_err(Error::from),
            Err(error) => Err(error),
        };
        match kept {
            Ok(row) => self.last_row = row,
            Err(_) => {
                let _ = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
                // Names made in the transaction are gone with it.
                self.is_sound = self.read_back().await.is_ok();
            }
        }
        kept
    }

    /// Whether what is remembered of the file is what it holds.
    pub(crate) fn is_sound(&self) -> bool {
        self.is_sound
    }

    async fn read_back(&mut self) -> Result<(), Error> {
        (self.names, self.last_row) = content_of(&mut self.connection).await?;
        Ok(())
    }

    async fn insert(&mut self, observations: &[&Observation]) -> Result<i64, Error> {
        let tx = &mut self.connection;
        let mut row = self.last_row;
        for chunk in observations.chunks(ROWS_PER_STATEMENT) {
            let mut named = Vec::with_capacity(chunk.len());
            for observation in chunk {
                let source = name_id(&mut self.names, tx, observation.source.as_str()).await?;
                let reading = name_id(&mut self.names, tx, &observation.reading).await?;
                named.push((source, reading, *observation));
            }
            let mut query = QueryBuilder::<Sqlite>::new(
                "INSERT INTO observation (seq, source, reading, at_ms, received_ms, number, text, flags) ",
            );
            query.push_values(named, |mut values, (source, reading, observation)| {
                row += 1;
                let (number, text, kind) = match &observation.value {
                    Value::Number(number) => (Some(*number), None, 0),
                    Value::Bool(flag) => (Some(f64::from(u8::from(*flag))), None, 1),
                    Value::Text(text) => (None, Some(text.as_str()), 2),
                };
                let quality = observation.quality as i64;
                values
                    .push_bind(row)
                    .push_bind(source)
                    .push_bind(reading)
                    .push_bind(observation.phenomenon_time.as_millisecond())
                    .push_bind(observation.received_at.as_millisecond())
                    .push_bind(number)
                    .push_bind(text)
                    .push_bind(kind | quality << 2 | i64::from(observation.retained) << 4);
            });
            query.build().persistent(chunk.len() == ROWS_PER_STATEMENT).execute(&mut *tx).await?;
        }
        Ok(row)
    }
}

/// The names and the last row of a file.
async fn content_of(connection: &mut SqliteConnection) -> Result<(HashMap<String, i64>, i64), Error> {
    let rows: Vec<(i64, String)> = sqlx::query_as("SELECT id, text FROM name").fetch_all(&mut *connection).await?;
    let last: Option<i64> = sqlx::query_scalar("SELECT MAX(seq) FROM observation").fetch_one(connection).await?;
    Ok((rows.into_iter().map(|(id, text)| (text, id)).collect(), last.unwrap_or(0)))
}

async fn name_id(
    names: &mut HashMap<String, i64>,
    connection: &mut SqliteConnection,
    text: &str,
) -> Result<i64, Error> {
    if let Some(id) = names.get(text) {
        return Ok(*id);
    }
    let id: i64 =
        sqlx::query_scalar("INSERT INTO name (text) VALUES ($1) RETURNING id").bind(text).fetch_one(connection).await?;
    names.insert(text.to_owned(), id);
    Ok(id)
}

/// A day's file open for reading; none when there is no such file, or one that was begun and has no tables yet: the hub
/// was killed between the two, or somebody copied the file without its log.
pub(crate) async fn reader(dir: &Path, day: i32) -> Result<Option<SqliteConnection>, Error> {
    let path = path_of(dir, day);
    if !path.exists() {
        return Ok(None);
    }
    let opened = options(&path).create_if_missing(false).connect().await;
    if opened.is_err() && !has_log(&path) {
        // With a full disk the companions of a closed file cannot be made; without a log it can be read as it is.
        let as_it_is = options(&path).create_if_missing(false).read_only(true).immutable(true);
        if let Ok(connection) = as_it_is.connect().await {
            return with_tables(connection).await;
        }
    }
    with_tables(opened?).await
}

async fn with_tables(mut connection: SqliteConnection) -> Result<Option<SqliteConnection>, Error> {
    // The last of them that readers ask for.
    let found: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'observation'")
            .fetch_optional(&mut connection)
            .await?;
    Ok(found.map(|_| connection))
}

fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|found| found.len() > 0)
}

pub(crate) fn observation_of(row: &SqliteRow) -> Result<Observation, Error> {
    let seq: i64 = row.try_get("seq")?;
    let time = |column: &str| -> Result<Timestamp, Error> {
        let ms: i64 = row.try_get(column)?;
        Timestamp::from_millisecond(ms).map_err(|error| unreadable("observation", &seq.to_string(), error))
    };
    let flags: i64 = row.try_get("flags")?;
    let number: Option<f64> = row.try_get("number")?;
    let text: Option<String> = row.try_get("text")?;
    let value = match flags & 3 {
        1 => Value::Bool(number.unwrap_or(0.0) != 0.0),
        2 => Value::Text(text.unwrap_or_default()),
        _ => Value::Number(number.unwrap_or(0.0)),
    };
    let quality = match flags >> 2 & 3 {
        0 => Quality::Good,
        1 => Quality::Uncertain,
        _ => Quality::Bad,
    };
    let (source, reading): (String, String) = (row.try_get("source")?, row.try_get("reading")?);
    Ok(Observation {
        source: SourceId::new(source),
        reading: reading.into(),
        value,
        quality,
        phenomenon_time: time("at_ms")?,
        received_at: time("received_ms")?,
        retained: flags >> 4 & 1 == 1,
    })
}
