//! Questions to the history: ranges, steps, last values, everything since.
//!
//! A day's file holds what was received that day. What a gateway stored and sent late lies in a later file than its
//! phenomenon time says, so a range looks into the files of the days after it too. A damaged file is passed over, told
//! and counted: the other days still answer.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use model::{Observation, Timestamp};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row};

use crate::Error;
use crate::history::{Bucket, History, HistoryQuery, HistorySeq};
use crate::history_file::{self, COLUMNS, day_of};

/// Rows read at once where a whole day is walked.
const PAGE: i64 = 5_000;
/// How much later than its phenomenon time an observation may have been received: decoders believe times of up to seven
/// days in the past.
const LATEST: SignedDuration = SignedDuration::from_hours(8 * 24);

/// What a step has summed up so far.
struct Sum {
    min: f64,
    max: f64,
    total: f64,
    count: u64,
}

impl History {
    /// The observations that match, by phenomenon time, the oldest first.
    pub async fn query(&self, query: &HistoryQuery) -> Result<Vec<Observation>, Error> {
        let sql = format!(
            "{COLUMNS} WHERE s.text = $1 AND ($2 IS NULL OR r.text = $2) AND at_ms >= $3 AND at_ms < $4 \
             ORDER BY at_ms, seq LIMIT $5"
        );
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let mut query = query.clone();
        let mut found: Vec<Observation> = Vec::new();
        let _turn = self.readers.acquire().await.map_err(|_| Error::Closed)?;
        for day in history_file::days(&self.dir) {
            if !may_hold(day, &query) {
                continue;
            }
            for row in &self.rows_of(day, &sql, &query, &[i64::from(query.limit)]).await? {
                found.push(history_file::observation_of(row)?);
            }
            // Stable, so that equal times keep the order of receipt.
            found.sort_by_key(|observation| observation.phenomenon_time);
            found.truncate(limit);
            if found.len() == limit
                && let Some(last) = found.last()
            {
                // Of later files only what is older than the last one found can still matter.
                query.to = query.to.min(last.phenomenon_time);
            }
        }
        Ok(found)
    }

    /// Numbers that match, summed up by steps of `step_ms`, the oldest first; words are left out.
    pub async fn buckets(&self, query: &HistoryQuery, step_ms: i64) -> Result<Vec<Bucket>, Error> {
        let sql = "SELECT o.at_ms / $5 * $5 AS at_ms, MIN(o.number) AS least, MAX(o.number) AS greatest, \
             SUM(o.number) AS total, COUNT(*) AS rows FROM observation o JOIN name s ON s.id = o.source \
             JOIN name r ON r.id = o.reading WHERE s.text = $1 AND ($2 IS NULL OR r.text = $2) \
             AND o.at_ms >= $3 AND o.at_ms < $4 AND o.number IS NOT NULL GROUP BY o.at_ms / $5 ORDER BY 1 LIMIT $6";
        let mut sums: BTreeMap<i64, Sum> = BTreeMap::new();
        let _turn = self.readers.acquire().await.map_err(|_| Error::Closed)?;
        for day in history_file::days(&self.dir).into_iter().filter(|day| may_hold(*day, query)) {
            for row in &self.rows_of(day, sql, query, &[step_ms.max(1), i64::from(query.limit)]).await? {
                let (at_ms, count): (i64, i64) = (row.try_get("at_ms")?, row.try_get("rows")?);
                let (min, max): (f64, f64) = (row.try_get("least")?, row.try_get("greatest")?);
                let (total, count): (f64, u64) = (row.try_get("total")?, u64::try_from(count).unwrap_or(0));
                let sum = sums.entry(at_ms).or_insert(Sum { min, max, total: 0.0, count: 0 });
                (sum.min, sum.max) = (sum.min.min(min), sum.max.max(max));
                (sum.total, sum.count) = (sum.total + total, sum.count + count);
            }
        }
        let most = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let bucket = |(at_ms, sum): (i64, Sum)| {
            let at = Timestamp::from_millisecond(at_ms).ok()?;
            Some(Bucket { at, min: sum.min, max: sum.max, avg: sum.total / sum.count.max(1) as f64, count: sum.count })
        };
        Ok(sums.into_iter().filter_map(bucket).take(most).collect())
    }

    /// Hands every observation committed after `after` to `each`, in the order of commit.
    pub async fn replay(&self, after: HistorySeq, mut each: impl FnMut(HistorySeq, Observation)) -> Result<(), Error> {
        let sql = format!("{COLUMNS} WHERE o.seq > $1 ORDER BY o.seq LIMIT $2");
        for day in history_file::days(&self.dir).into_iter().filter(|day| *day >= after.day) {
            let Some(mut file) = self.open(day).await? else { continue };
            let mut last = if day == after.day { after.row } else { 0 };
            loop {
                let query = sqlx::query(AssertSqlSafe(sql.clone())).bind(last).bind(PAGE);
                let rows = self.or_none(day, query.fetch_all(&mut file).await)?.unwrap_or_default();
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
            let Some(mut file) = self.open(*day).await? else { continue };
            let rows = sqlx::query(AssertSqlSafe(sql.clone())).fetch_all(&mut file).await;
            for row in &self.or_none(*day, rows)?.unwrap_or_default() {
                found.push(history_file::observation_of(row)?);
            }
        }
        Ok(found)
    }

    /// The day's rows that match: `$1` to `$4` of the query, then `extra`.
    async fn rows_of(&self, day: i32, sql: &str, query: &HistoryQuery, extra: &[i64]) -> Result<Vec<SqliteRow>, Error> {
        let Some(mut file) = self.open(day).await? else { return Ok(Vec::new()) };
        let bound = sqlx::query(AssertSqlSafe(sql.to_owned()))
            .bind(&query.source)
            .bind(query.reading.as_deref())
            .bind(query.from.as_millisecond())
            .bind(query.to.as_millisecond());
        let bound = extra.iter().fold(bound, |bound, number| bound.bind(*number));
        Ok(self.or_none(day, bound.fetch_all(&mut file).await)?.unwrap_or_default())
    }

    /// The day's file; none when there is none, or it is damaged.
    pub(crate) async fn open(&self, day: i32) -> Result<Option<SqliteConnection>, Error> {
        match history_file::reader(&self.dir, day).await {
            Err(Error::Database(error)) => self.or_none(day, Err(error)),
            other => other,
        }
    }

    pub(crate) fn or_none<T>(&self, day: i32, read: Result<T, sqlx::Error>) -> Result<Option<T>, Error> {
        match read.map_err(Error::from) {
            Err(error) if error.is_damage() => {
                tracing::error!(day, %error, "a day's observations are damaged and were passed over");
                metrics::counter!("gridward_history_unreadable_total").increment(1);
                Ok(None)
            }
            other => other.map(Some),
        }
    }
}

/// Whether the file of what was received on this day may hold observations of the range.
fn may_hold(day: i32, query: &HistoryQuery) -> bool {
    let last = query.to.checked_add(LATEST).map_or(i32::MAX, day_of);
    query.from < query.to && (day_of(query.from)..=last).contains(&day)
}
