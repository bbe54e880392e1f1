//! A walk through the history in the order of receipt, over chosen sources: for whoever plays the past again.
//!
//! Only rows of the chosen sources and readings are decoded. Few of them are found by the index and put in order; many
//! are picked out of a walk over the day. Rows of one file are read in pages, so that a walk of a month holds no more
//! memory than one of a day, and can be ended at each page.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use model::{Observation, Quality, Reading, SourceId, Timestamp, Value};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row};

use crate::Error;
use crate::history::History;
use crate::history_file::{self, day_of};
use crate::registry::unreadable;

/// Rows read at once in a walk over a day.
const PAGE: i64 = 20_000;
/// Up to so many pairs of source and reading are found by the index, a day at once.
const BY_INDEX: usize = 100;
/// Receipt times rise but for what shared a commit; so many rows before the place that was looked for are walked too.
const MARGIN: i64 = 20_000;

/// Which observations are walked.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// Received not before.
    pub from: Timestamp,
    /// Received before.
    pub to: Timestamp,
    /// Of these sources.
    pub sources: HashSet<SourceId>,
    /// These readings; none for all.
    pub readings: Option<HashSet<Reading>>,
}

/// The names of a day's file that are wanted.
struct Wanted {
    sources: HashMap<i64, SourceId>,
    readings: HashMap<i64, Reading>,
}

impl History {
    /// Hands every observation that matches to `each`, in the order of receipt, until the end or until it breaks off.
    /// `each` runs between reads: whoever has much to do calls this from a thread of their own.
    pub async fn scan(&self, scan: &Scan, mut each: impl FnMut(Observation) -> ControlFlow<()>) -> Result<(), Error> {
        if scan.from >= scan.to || scan.sources.is_empty() {
            return Ok(());
        }
        let _turn = self.readers.acquire().await.map_err(|_| Error::Closed)?;
        let span = day_of(scan.from)..=day_of(scan.to);
        for day in history_file::days(&self.dir).into_iter().filter(|day| span.contains(day)) {
            let Some(mut file) = self.open(day).await? else { continue };
            let walked = scan_day(&mut file, scan, &mut each).await;
            match self.or_none(day, walked)? {
                Some(Ok(ControlFlow::Break(()))) => return Ok(()),
                Some(Err(error)) => return Err(error),
                Some(Ok(ControlFlow::Continue(()))) | None => {}
            }
        }
        Ok(())
    }
}

async fn scan_day(
    file: &mut SqliteConnection,
    scan: &Scan,
    each: &mut impl FnMut(Observation) -> ControlFlow<()>,
) -> Result<Result<ControlFlow<()>, Error>, sqlx::Error> {
    let wanted = wanted(file, scan).await?;
    if wanted.sources.is_empty() || wanted.readings.is_empty() {
        return Ok(Ok(ControlFlow::Continue(())));
    }
    let (from, to) = (scan.from.as_millisecond(), scan.to.as_millisecond());
    let list = |ids: Vec<i64>| ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    let sources = list(wanted.sources.keys().copied().collect());
    let readings = list(wanted.readings.keys().copied().collect());
    let few = wanted.sources.len().saturating_mul(wanted.readings.len()) <= BY_INDEX;
    // A plus keeps the index out of it: a walk in the order of rows needs no sort.
    let (sign, limit) = if few { ("", i64::MAX) } else { ("+", PAGE) };
    let sql = format!(
        "SELECT seq, source, reading, at_ms, received_ms, number, text, flags FROM observation WHERE {}seq > $1 \
         AND {sign}source IN ({sources}) AND {sign}reading IN ({readings}) AND received_ms >= $2 AND received_ms < $3 \
         ORDER BY seq LIMIT $4",
        if few { "+" } else { "" }
    );
    let mut last = if few { 0 } else { first_row(file, from).await? };
    loop {
        let query = sqlx::query(AssertSqlSafe(sql.clone())).bind(last).bind(from).bind(to).bind(limit);
        let rows = query.fetch_all(&mut *file).await?;
        for row in &rows {
            last = row.try_get(0)?;
            let observation = match observation_of(row, &wanted) {
                Ok(observation) => observation,
                Err(error) => return Ok(Err(error)),
            };
            if each(observation).is_break() {
                return Ok(Ok(ControlFlow::Break(())));
            }
        }
        if few || rows.len() < PAGE as usize {
            return Ok(Ok(ControlFlow::Continue(())));
        }
    }
}

async fn wanted(file: &mut SqliteConnection, scan: &Scan) -> Result<Wanted, sqlx::Error> {
    let names: Vec<(i64, String)> = sqlx::query_as("SELECT id, text FROM name").fetch_all(file).await?;
    let mut wanted = Wanted { sources: HashMap::new(), readings: HashMap::new() };
    for (id, text) in names {
        let source = SourceId::new(text.as_str());
        if scan.sources.contains(&source) {
            wanted.sources.insert(id, source);
        }
        // A name may be both.
        if scan.readings.as_ref().is_none_or(|readings| readings.contains(text.as_str())) {
            wanted.readings.insert(id, text.into());
        }
    }
    Ok(wanted)
}

/// A row before the first that was received at this moment or later: found by halving, for rows are in the order of
/// receipt.
async fn first_row(file: &mut SqliteConnection, from_ms: i64) -> Result<i64, sqlx::Error> {
    let last: Option<i64> = sqlx::query_scalar("SELECT MAX(seq) FROM observation").fetch_one(&mut *file).await?;
    let (mut before, mut after) = (0i64, last.unwrap_or(0));
    while before < after {
        let middle = before + (after - before) / 2;
        let received: Option<i64> =
            sqlx::query_scalar("SELECT received_ms FROM observation WHERE seq > $1 ORDER BY seq LIMIT 1")
                .bind(middle)
                .fetch_optional(&mut *file)
                .await?;
        if received.is_some_and(|received| received < from_ms) {
            before = middle + 1;
        } else {
            after = middle;
        }
    }
    Ok((before - MARGIN).max(0))
}

fn observation_of(row: &SqliteRow, wanted: &Wanted) -> Result<Observation, Error> {
    let seq: i64 = row.try_get(0)?;
    let time = |column: usize| -> Result<Timestamp, Error> {
        let ms: i64 = row.try_get(column)?;
        Timestamp::from_millisecond(ms).map_err(|error| unreadable("observation", &seq.to_string(), error))
    };
    let (source, reading): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
    let unknown = || unreadable("observation", &seq.to_string(), "its name is not in the file");
    let flags: i64 = row.try_get(7)?;
    let value = match flags & 3 {
        1 => Value::Bool(row.try_get::<Option<f64>, _>(5)?.unwrap_or(0.0) != 0.0),
        2 => Value::Text(row.try_get::<Option<String>, _>(6)?.unwrap_or_default()),
        _ => Value::Number(row.try_get::<Option<f64>, _>(5)?.unwrap_or(0.0)),
    };
    Ok(Observation {
        source: wanted.sources.get(&source).cloned().ok_or_else(unknown)?,
        reading: wanted.readings.get(&reading).cloned().ok_or_else(unknown)?,
        value,
        quality: match flags >> 2 & 3 {
            0 => Quality::Good,
            1 => Quality::Uncertain,
            _ => Quality::Bad,
        },
        phenomenon_time: time(3)?,
        received_at: time(4)?,
        retained: flags >> 4 & 1 == 1,
    })
}
