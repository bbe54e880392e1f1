//! The event log: append-only, hash-chained, on disk before anyone is told.
//!
//! A row's hash is SHA-256, in lower-case hex, over `previous hash LF seq LF at LF actor LF body`, with the texts as
//! they are stored; the first row's previous hash is empty. So any row changed, removed or put in between breaks the
//! chain at that row. Rows cut off at the end do not; to notice that, note [`Log::head`] outside now and then.

use model::{Actor, IncidentId, LogBody, LogEntry, RuleId, SourceId, Timestamp};
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::Error;
use crate::db::Db;
use crate::health::{Health, PROBE, Writer};
use crate::registry::{json, unreadable};

/// Appends that may wait; beyond it callers wait for room.
const QUEUE: usize = 1_024;
/// Appends that share one transaction, and so one sync.
const GROUP: usize = 256;
/// Rows read at once where a whole log is walked.
const PAGE: i64 = 2_000;

/// The event log. Several processes may append; the chain stays whole.
#[derive(Clone)]
pub struct Log {
    db: Db,
    appends: mpsc::Sender<Append>,
    news: watch::Receiver<i64>,
}

struct Append {
    at: Timestamp,
    rows: Vec<(Actor, LogBody)>,
    reply: oneshot::Sender<Result<Vec<LogEntry>, Error>>,
}

/// Which audit rows; every field that is set must match.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuditFilter {
    /// The action, exactly or up to a dot: `video` takes in `video.view`.
    pub action: Option<String>,
    /// The subject, exactly.
    pub subject: Option<String>,
    /// The actor's user name.
    pub actor: Option<String>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
    /// Only rows with a lower number: the cursor.
    pub before: Option<i64>,
}

/// What a check of the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// Rows looked at.
    pub rows: i64,
    /// The first row that does not fit, and why.
    pub first_bad: Option<(i64, String)>,
    /// The hash of the last row; empty for an empty log.
    pub head: String,
}

impl Log {
    pub(crate) fn start(db: Db, health: Health) -> Self {
        let (appends, receiver) = mpsc::channel(QUEUE);
        let (told, news) = watch::channel(0);
        tokio::spawn(write(db.clone(), receiver, health, told));
        Self { db, appends, news }
    }

    /// The number of the last row that this process has written, 0 before the first; changes when there is news. Rows
    /// that a command beside the hub writes make no news.
    pub fn news(&self) -> watch::Receiver<i64> {
        self.news.clone()
    }

    /// The number of the last row; 0 for an empty log.
    pub async fn last(&self) -> Result<i64, Error> {
        let last: Option<i64> = sqlx::query_scalar("SELECT MAX(seq) FROM log").fetch_one(&self.db.read).await?;
        Ok(last.unwrap_or(0))
    }

    /// Appends rows in one piece; durable when it returns. Cancel-safe: a dropped wait leaves the rows on their way.
    pub async fn append(&self, actor: &Actor, at: Timestamp, bodies: Vec<LogBody>) -> Result<Vec<LogEntry>, Error> {
        self.append_each(at, bodies.into_iter().map(|body| (actor.clone(), body)).collect()).await
    }

    /// As [`Log::append`], with an actor for each row.
    pub async fn append_each(&self, at: Timestamp, rows: Vec<(Actor, LogBody)>) -> Result<Vec<LogEntry>, Error> {
        let (reply, answer) = oneshot::channel();
        self.appends.send(Append { at, rows, reply }).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Rows with a higher number than `after`, oldest first, at most `limit`.
    pub async fn read(&self, after: i64, limit: u32) -> Result<Vec<LogEntry>, Error> {
        let rows = sqlx::query("SELECT seq, at, actor, body, hash FROM log WHERE seq > $1 ORDER BY seq LIMIT $2")
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&self.db.read)
            .await?;
        rows.iter().map(entry_of).collect()
    }

    /// All rows but audit rows after the row `after`, oldest first, handed to `each`.
    pub async fn replay(&self, mut after: i64, mut each: impl FnMut(LogEntry)) -> Result<(), Error> {
        loop {
            let rows = sqlx::query(
                "SELECT seq, at, actor, body, hash FROM log WHERE seq > $1 AND kind <> 'audit' ORDER BY seq LIMIT $2",
            )
            .bind(after)
            .bind(PAGE)
            .fetch_all(&self.db.read)
            .await?;
            for row in &rows {
                let entry = entry_of(row)?;
                after = entry.seq;
                each(entry);
            }
            if rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                return Ok(());
            }
        }
    }

    /// The transitions of one incident, oldest first.
    pub async fn incident(&self, id: &IncidentId) -> Result<Vec<LogEntry>, Error> {
        let rows = sqlx::query(
            "SELECT seq, at, actor, body, hash FROM log WHERE kind = 'incident' AND about = $1 ORDER BY seq",
        )
        .bind(id.as_str())
        .fetch_all(&self.db.read)
        .await?;
        rows.iter().map(entry_of).collect()
    }

    /// The steps of one rule's life, oldest first.
    pub async fn rule(&self, id: &RuleId) -> Result<Vec<LogEntry>, Error> {
        let rows =
            sqlx::query("SELECT seq, at, actor, body, hash FROM log WHERE kind = 'rule' AND about = $1 ORDER BY seq")
                .bind(id.as_str())
                .fetch_all(&self.db.read)
                .await?;
        rows.iter().map(entry_of).collect()
    }

    /// What a rule said on trial, oldest first, at most `limit` of the newest rows.
    pub async fn shadow(&self, id: &RuleId, limit: u32) -> Result<Vec<LogEntry>, Error> {
        // Ids of alarms begin with the rule's and a colon; a semicolon is the next character.
        let rows = sqlx::query(
            "SELECT seq, at, actor, body, hash FROM (SELECT * FROM log WHERE kind = 'shadow' AND about >= $1 \
             AND about < $2 ORDER BY seq DESC LIMIT $3) ORDER BY seq",
        )
        .bind(format!("{id}:"))
        .bind(format!("{id};"))
        .bind(i64::from(limit))
        .fetch_all(&self.db.read)
        .await?;
        rows.iter().map(entry_of).collect()
    }

    /// What was told of a rule at a source, in force or on trial, up to a moment; oldest first, at most `limit` of the
    /// newest rows.
    pub async fn alarms_of(
        &self,
        rule: &RuleId,
        source: &SourceId,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<LogEntry>, Error> {
        let rows = sqlx::query(
            "SELECT seq, at, actor, body, hash FROM (SELECT * FROM log WHERE kind IN ('alarm', 'shadow') \
             AND about >= $1 AND about < $2 AND at <= $3 ORDER BY seq DESC LIMIT $4) ORDER BY seq",
        )
        .bind(format!("{rule}:{source}:"))
        .bind(format!("{rule}:{source};"))
        .bind(time_text(until))
        .bind(i64::from(limit))
        .fetch_all(&self.db.read)
        .await?;
        rows.iter().map(entry_of).collect()
    }

    /// All rows about alarms and incidents written from `from` to `to`, oldest first, handed to `each`.
    pub async fn between(&self, from: Timestamp, to: Timestamp, mut each: impl FnMut(LogEntry)) -> Result<(), Error> {
        let mut after = 0i64;
        loop {
            let rows = sqlx::query(
                "SELECT seq, at, actor, body, hash FROM log WHERE seq > $1 AND at >= $2 AND at < $3 \
                 AND kind <> 'audit' ORDER BY seq LIMIT $4",
            )
            .bind(after)
            .bind(time_text(from))
            .bind(time_text(to))
            .bind(PAGE)
            .fetch_all(&self.db.read)
            .await?;
            for row in &rows {
                let entry = entry_of(row)?;
                after = entry.seq;
                each(entry);
            }
            if rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                return Ok(());
            }
        }
    }

    /// The newest audit rows that match, at most `limit`.
    pub async fn audit(&self, filter: &AuditFilter, limit: u32) -> Result<Vec<LogEntry>, Error> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT seq, at, actor, body, hash FROM log WHERE kind = 'audit'");
        if let Some(action) = &filter.action {
            query.push(" AND (about = ").push_bind(action.clone());
            query.push(" OR about LIKE ").push_bind(format!("{}.%", action.replace(['%', '_'], ""))).push(")");
        }
        if let Some(subject) = &filter.subject {
            query.push(" AND subject = ").push_bind(subject.clone());
        }
        if let Some(actor) = &filter.actor {
            query.push(" AND actor = ").push_bind(json(&Actor::User(actor.as_str().into())));
        }
        // Times are stored in one form and one zone, so that their texts sort as they do.
        if let Some(from) = filter.from {
            query.push(" AND at >= ").push_bind(time_text(from));
        }
        if let Some(to) = filter.to {
            query.push(" AND at < ").push_bind(time_text(to));
        }
        query.push(" AND seq < ").push_bind(filter.before.unwrap_or(i64::MAX));
        query.push(" ORDER BY seq DESC LIMIT ").push_bind(i64::from(limit));
        query.build().fetch_all(&self.db.read).await?.iter().map(entry_of).collect()
    }

    /// The hash of the last row; empty for an empty log.
    pub async fn head(&self) -> Result<String, Error> {
        let hash: Option<String> =
            sqlx::query_scalar("SELECT hash FROM log ORDER BY seq DESC LIMIT 1").fetch_optional(&self.db.read).await?;
        Ok(hash.unwrap_or_default())
    }

    /// Walks the whole chain.
    pub async fn verify(&self) -> Result<VerifyReport, Error> {
        let mut report = VerifyReport { rows: 0, first_bad: None, head: String::new() };
        let mut last = 0i64;
        loop {
            let rows = sqlx::query("SELECT seq, at, actor, body, hash FROM log WHERE seq > $1 ORDER BY seq LIMIT $2")
                .bind(last)
                .bind(PAGE)
                .fetch_all(&self.db.read)
                .await?;
            for row in &rows {
                let seq: i64 = row.try_get("seq")?;
                let (at, actor): (String, String) = (row.try_get("at")?, row.try_get("actor")?);
                let (body, hash): (String, String) = (row.try_get("body")?, row.try_get("hash")?);
                let expected = hash_of(&report.head, seq, &at, &actor, &body);
                if seq != last + 1 {
                    report.first_bad = Some((last + 1, format!("row {} is missing", last + 1)));
                } else if hash != expected {
                    report.first_bad = Some((seq, "its hash does not fit its content and the row before".to_owned()));
                }
                if report.first_bad.is_some() {
                    return Ok(report);
                }
                report.rows += 1;
                report.head = hash;
                last = seq;
            }
            if rows.is_empty() {
                return Ok(report);
            }
        }
    }
}

/// The one writer: takes what waits, in one transaction.
async fn write(db: Db, mut appends: mpsc::Receiver<Append>, health: Health, told: watch::Sender<i64>) {
    let mut group = Vec::with_capacity(GROUP);
    loop {
        match timeout(PROBE, appends.recv_many(&mut group, GROUP)).await {
            Ok(0) => return,
            Ok(_) => {}
            Err(_) if health.is_failing(Writer::Log) => {
                let tried = probe(&db).await.map_err(|error| error.for_want_of_space(&db.dir));
                health.note(Writer::Log, &tried);
                continue;
            }
            Err(_) => continue,
        }
        metrics::gauge!("gridward_queue_depth", "queue" => "log").set(appends.len() as f64);
        let written = commit(&db, &group).await.map_err(|error| error.for_want_of_space(&db.dir));
        health.note(Writer::Log, &written);
        match written {
            Ok(entries) => {
                if let Some(last) = entries.last() {
                    told.send_replace(last.seq);
                }
                let mut entries = entries.into_iter();
                for append in group.drain(..) {
                    let own: Vec<LogEntry> = entries.by_ref().take(append.rows.len()).collect();
                    metrics::counter!("gridward_log_rows_total").increment(own.len() as u64);
                    // Nobody may be waiting any more; the rows stand all the same.
                    let _ = append.reply.send(Ok(own));
                }
            }
            Err(error) => {
                for append in group.drain(..) {
                    let _ = append.reply.send(Err(error.copy()));
                }
            }
        }
    }
}

/// Tries whether a write would succeed now.
async fn probe(db: &Db) -> Result<(), Error> {
    let now = Timestamp::now().as_millisecond().to_string().into_bytes();
    sqlx::query("INSERT INTO meta (name, value) VALUES ('probe', $1) ON CONFLICT (name) DO UPDATE SET value = $1")
        .bind(now)
        .execute(&db.write)
        .await?;
    Ok(())
}

async fn commit(db: &Db, group: &[Append]) -> Result<Vec<LogEntry>, Error> {
    let mut tx = db.write.begin_with("BEGIN IMMEDIATE").await?;
    let last: Option<(i64, String)> =
        sqlx::query_as("SELECT seq, hash FROM log ORDER BY seq DESC LIMIT 1").fetch_optional(&mut *tx).await?;
    let (mut seq, mut hash) = last.unwrap_or_default();
    let mut entries = Vec::new();
    for append in group {
        let at = time_text(append.at);
        for (actor, body) in &append.rows {
            seq += 1;
            let (actor_text, body_text) = (json(actor), json(body));
            hash = hash_of(&hash, seq, &at, &actor_text, &body_text);
            let (kind, about, subject) = index_of(body);
            sqlx::query(
                "INSERT INTO log (seq, at, kind, about, subject, actor, body, hash) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(seq)
            .bind(&at)
            .bind(kind)
            .bind(about)
            .bind(subject)
            .bind(&actor_text)
            .bind(&body_text)
            .bind(&hash)
            .execute(&mut *tx)
            .await?;
            entries.push(LogEntry { seq, at: append.at, actor: actor.clone(), body: body.clone(), hash: hash.clone() });
        }
    }
    tx.commit().await?;
    Ok(entries)
}

/// The columns by which rows are found: kind, what it is about, subject.
fn index_of(body: &LogBody) -> (&'static str, &str, &str) {
    match body {
        LogBody::Alarm(t) => ("alarm", t.alarm.as_str(), t.source.as_str()),
        LogBody::Shadow(t) => ("shadow", t.alarm.as_str(), t.source.as_str()),
        LogBody::Rule(change) => ("rule", change.rule.as_str(), &change.version),
        LogBody::Incident(t) => ("incident", t.incident.as_str(), ""),
        LogBody::Flood(t) => ("flood", t.desk.as_deref().unwrap_or_default(), ""),
        LogBody::Audit(a) => ("audit", &a.action, &a.subject),
    }
}

fn hash_of(previous: &str, seq: i64, at: &str, actor: &str, body: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(format!("{previous}\n{seq}\n{at}\n{actor}\n{body}").as_bytes());
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A time in the one form whose text order is the order of time: UTC, nine digits.
fn time_text(at: Timestamp) -> String {
    format!("{at:.9}")
}

fn entry_of(row: &SqliteRow) -> Result<LogEntry, Error> {
    let seq: i64 = row.try_get("seq")?;
    let (at, actor, body): (String, String, String) = (row.try_get("at")?, row.try_get("actor")?, row.try_get("body")?);
    let name = seq.to_string();
    Ok(LogEntry {
        seq,
        at: at.parse().map_err(|error: jiff::Error| unreadable("log", &name, error))?,
        actor: serde_json::from_str(&actor).map_err(|error| unreadable("log", &name, error))?,
        body: serde_json::from_str(&body).map_err(|error| unreadable("log", &name, error))?,
        hash: row.try_get("hash")?,
    })
}
