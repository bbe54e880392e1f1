//! The outbox: what people are to be told, until it was told or given up.
//!
//! Belongs here: the file `outbox.db`, one row a message with a key that is taken once, the row of the event log up to which
//! it was decided who is told what. Does not belong here: who is told what (`notify`), sending.
//!
//! What one look at the log has decided is kept in one transaction with the log's row it had come to ([`Outbox::plan`]):
//! a stop at any moment neither loses nor doubles a message.

mod row;

use std::path::Path;
use std::sync::Arc;

use model::{GridId, IncidentId, Level, Timestamp};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use sqlx::{QueryBuilder, Sqlite};
use tokio::sync::Notify;

use crate::db::{has_no_transaction, options, restrict};
use crate::health::{Health, Writer};
use crate::{Error, Opener, recovery};
use row::{COLUMNS, level_number, message_of};

/// The longest error that is kept, in characters.
const ERROR_CHARS: usize = 300;

const TABLES: [&str; 6] = [
    "CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, incident TEXT, grid TEXT, \
     step TEXT NOT NULL, channel TEXT NOT NULL, recipient TEXT NOT NULL, level BIGINT NOT NULL, at_ms BIGINT NOT NULL, \
     state TEXT NOT NULL, tries BIGINT NOT NULL, next_ms BIGINT NOT NULL, error TEXT, ended_ms BIGINT, body TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS message_by_state ON message (state, channel, next_ms)",
    "CREATE INDEX IF NOT EXISTS message_by_incident ON message (incident, id)",
    "CREATE TABLE IF NOT EXISTS step (incident TEXT NOT NULL, step TEXT NOT NULL, at_ms BIGINT NOT NULL, \
     told TEXT NOT NULL, PRIMARY KEY (incident, step))",
    "CREATE TABLE IF NOT EXISTS route (name TEXT PRIMARY KEY, since BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
];

/// The outbox. Clones share one file.
#[derive(Clone)]
pub struct Outbox {
    write: SqlitePool,
    read: SqlitePool,
    health: Health,
    work: Arc<Notify>,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageState {
    /// To be sent, now or after its next try's time.
    Waiting,
    /// Beyond the recipient's budget; a summary will hold it.
    Held,
    /// A summary holds it.
    Summed,
    /// The other side has taken it.
    Sent,
    /// Given up; a person may have it tried again.
    Dead,
}

/// A message to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMessage {
    /// Names it for ever; a second one with the same key is not kept.
    pub key: String,
    /// What it is about.
    pub incident: Option<IncidentId>,
    /// In which grid that is.
    pub grid: Option<GridId>,
    /// Which step says it.
    pub step: String,
    /// Over which channel.
    pub channel: String,
    /// To whom.
    pub recipient: String,
    /// How grave.
    pub level: Level,
    /// When it was planned.
    pub at: Timestamp,
    /// Where it begins.
    pub state: MessageState,
    /// Why it begins dead.
    pub error: Option<String>,
    /// What is said, as its sender reads it.
    pub body: String,
}

/// A step that was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct NewStep {
    /// Of which incident.
    pub incident: IncidentId,
    /// Which.
    pub step: String,
    /// When.
    pub at: Timestamp,
    /// Who is told, as the planner reads it.
    pub told: String,
}

/// What one look at the log has decided.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The last row of the event log that was looked at.
    pub position: i64,
    /// Steps that were decided.
    pub steps: Vec<NewStep>,
    /// New messages.
    pub messages: Vec<NewMessage>,
    /// Keys of held messages that a new one holds.
    pub summed: Vec<String>,
}

/// A message as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its number; rising.
    pub id: i64,
    /// Names it for ever.
    pub key: String,
    /// What it is about.
    pub incident: Option<IncidentId>,
    /// In which grid that is.
    pub grid: Option<GridId>,
    /// Which step says it.
    pub step: String,
    /// Over which channel.
    pub channel: String,
    /// To whom.
    pub recipient: String,
    /// How grave.
    pub level: Level,
    /// When it was planned.
    pub at: Timestamp,
    /// Where it stands.
    pub state: MessageState,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next, while it waits.
    pub next_try: Timestamp,
    /// Why the last try failed; holds no secret.
    pub error: Option<String>,
    /// When it was sent or given up.
    pub ended_at: Option<Timestamp>,
    /// What is said.
    pub body: String,
}

/// Which messages; every field that is set must match.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MessageFilter {
    /// About this incident.
    pub incident: Option<IncidentId>,
    /// In this state.
    pub state: Option<MessageState>,
    /// Over this channel.
    pub channel: Option<String>,
    /// Only lower numbers: the cursor.
    pub before: Option<i64>,
}

/// How many messages are in a state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutboxDepth {
    /// To be sent.
    pub waiting: u64,
    /// Waiting for a summary.
    pub held: u64,
    /// Given up.
    pub dead: u64,
}

impl Outbox {
    pub(crate) async fn open(dir: &Path, opener: Opener, health: Health) -> Result<Self, Error> {
        let path = dir.join("outbox.db");
        let pools = || {
            let write = SqlitePoolOptions::new()
                .max_connections(1)
                .after_release(|connection, _| Box::pin(has_no_transaction(connection)))
                .connect_lazy_with(options(&path));
            let read = SqlitePoolOptions::new().max_connections(2).connect_lazy_with(options(&path).read_only(true));
            (write, read)
        };
        let (mut write, mut read) = pools();
        // A command beside the hub has no business here; it opens nothing.
        if opener == Opener::Hub {
            match make(&write, &path).await {
                Err(error) if error.is_damage() || matches!(error, Error::Damaged { .. }) => {
                    write.close().await;
                    read.close().await;
                    let moved = recovery::set_aside(&path)?;
                    tracing::error!(path = %moved.display(), "the outbox is damaged and was set aside; a new one begins");
                    metrics::counter!("gridward_storage_set_aside_total").increment(1);
                    (write, read) = pools();
                    make(&write, &path).await?;
                }
                other => other?,
            }
        }
        Ok(Self { write, read, health, work: Arc::default() })
    }

    /// Wakes when there may be something to send.
    pub async fn work(&self) {
        self.work.notified().await;
    }

    /// The last row of the event log that was looked at, when one was.
    pub async fn position(&self) -> Result<Option<i64>, Error> {
        Ok(sqlx::query_scalar("SELECT value FROM mark WHERE name = 'position'").fetch_optional(&self.read).await?)
    }

    /// From which row of the log on each route speaks: for one that is new here, the row given.
    pub async fn routes_since(&self, names: &[&str], now: i64) -> Result<Vec<(String, i64)>, Error> {
        for name in names {
            sqlx::query("INSERT INTO route (name, since) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
                .bind(*name)
                .bind(now)
                .execute(&self.write)
                .await?;
        }
        Ok(sqlx::query_as("SELECT name, since FROM route").fetch_all(&self.read).await?)
    }

    /// Keeps a plan in one piece; durable when it returns. Answers how many messages are new.
    pub async fn plan(&self, plan: &Plan) -> Result<u64, Error> {
        let done = self.write_plan(plan).await;
        self.health.note(Writer::Outbox, &done);
        if done.is_ok() && !plan.messages.is_empty() {
            self.work.notify_one();
        }
        done
    }

    async fn write_plan(&self, plan: &Plan) -> Result<u64, Error> {
        let mut tx = self.write.begin_with("BEGIN IMMEDIATE").await?;
        let mut new = 0;
        for step in &plan.steps {
            sqlx::query(
                "INSERT INTO step (incident, step, at_ms, told) VALUES ($1, $2, $3, $4) ON CONFLICT (incident, step) DO NOTHING",
            )
            .bind(step.incident.as_str())
            .bind(&step.step)
            .bind(step.at.as_millisecond())
            .bind(&step.told)
            .execute(&mut *tx)
            .await?;
        }
        for message in &plan.messages {
            let at_ms = message.at.as_millisecond();
            new += sqlx::query(
                "INSERT INTO message (key, incident, grid, step, channel, recipient, level, at_ms, state, tries, next_ms, \
                 error, ended_ms, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $8, $10, $11, $12) \
                 ON CONFLICT (key) DO NOTHING",
            )
            .bind(&message.key)
            .bind(message.incident.as_ref().map(|id| id.as_str()))
            .bind(message.grid.as_ref().map(|id| id.as_str()))
            .bind(&message.step)
            .bind(&message.channel)
            .bind(&message.recipient)
            .bind(level_number(message.level))
            .bind(at_ms)
            .bind(message.state.as_str())
            .bind(message.error.as_deref().map(bounded))
            .bind((message.state == MessageState::Dead).then_some(at_ms))
            .bind(&message.body)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        }
        for key in &plan.summed {
            sqlx::query("UPDATE message SET state = 'summed' WHERE key = $1 AND state = 'held'")
                .bind(key)
                .execute(&mut *tx)
                .await?;
        }
        sqlx::query(
            "INSERT INTO mark (name, value) VALUES ('position', $1) ON CONFLICT (name) DO UPDATE SET value = $1",
        )
        .bind(plan.position)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(new)
    }

    /// All steps that were decided, oldest first.
    pub async fn steps(&self) -> Result<Vec<NewStep>, Error> {
        let rows =
            sqlx::query("SELECT incident, step, at_ms, told FROM step ORDER BY at_ms").fetch_all(&self.read).await?;
        rows.iter().map(row::step_of).collect()
    }

    /// Persons who were told something of their own since then, and when: what counts in a budget.
    pub async fn told_since(&self, since: Timestamp) -> Result<Vec<(String, Timestamp)>, Error> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT recipient, at_ms FROM message WHERE at_ms >= $1 AND incident IS NOT NULL AND recipient <> '*' AND \
             (state IN ('waiting', 'sent') OR (state = 'dead' AND tries > 0)) ORDER BY at_ms",
        )
        .bind(since.as_millisecond())
        .fetch_all(&self.read)
        .await?;
        rows.into_iter().map(|(who, at_ms)| Ok((who, row::time(at_ms)?))).collect()
    }

    /// The messages of a channel to be tried now, the gravest first, without those on their way.
    pub async fn due(&self, channel: &str, now: Timestamp, away: &[i64], limit: u32) -> Result<Vec<Message>, Error> {
        let mut query = QueryBuilder::<Sqlite>::new(format!("SELECT {COLUMNS} FROM message WHERE state = 'waiting'"));
        query.push(" AND channel = ").push_bind(channel.to_owned());
        query.push(" AND next_ms <= ").push_bind(now.as_millisecond());
        if !away.is_empty() {
            let mut ids = query.push(" AND id NOT IN (").separated(", ");
            for id in away {
                ids.push_bind(*id);
            }
            query.push(")");
        }
        query.push(" ORDER BY level DESC, id LIMIT ").push_bind(i64::from(limit));
        query.build().fetch_all(&self.read).await?.iter().map(message_of).collect()
    }

    /// When the next waiting message is to be tried.
    pub async fn next_try(&self, after: Timestamp) -> Result<Option<Timestamp>, Error> {
        let next: Option<i64> =
            sqlx::query_scalar("SELECT MIN(next_ms) FROM message WHERE state = 'waiting' AND next_ms > $1")
                .bind(after.as_millisecond())
                .fetch_one(&self.read)
                .await?;
        next.map(row::time).transpose()
    }

    /// The other side has taken it. Durable when it returns.
    pub async fn sent(&self, id: i64, now: Timestamp) -> Result<(), Error> {
        self.end(id, MessageState::Sent, None, now).await
    }

    /// It is given up.
    pub async fn dead(&self, id: i64, error: &str, now: Timestamp) -> Result<(), Error> {
        self.end(id, MessageState::Dead, Some(error), now).await
    }

    async fn end(&self, id: i64, state: MessageState, error: Option<&str>, now: Timestamp) -> Result<(), Error> {
        let done = sqlx::query(
            "UPDATE message SET state = $1, error = $2, ended_ms = $3, tries = tries + 1 WHERE id = $4 AND state = 'waiting'",
        )
        .bind(state.as_str())
        .bind(error.map(bounded))
        .bind(now.as_millisecond())
        .bind(id)
        .execute(&self.write)
        .await
        .map(drop)
        .map_err(Error::from);
        self.health.note(Writer::Outbox, &done);
        done
    }

    /// A try has failed; it is tried again at `next`.
    pub async fn failed(&self, id: i64, error: &str, next: Timestamp) -> Result<(), Error> {
        let done = sqlx::query(
            "UPDATE message SET error = $1, next_ms = $2, tries = tries + 1 WHERE id = $3 AND state = 'waiting'",
        )
        .bind(bounded(error))
        .bind(next.as_millisecond())
        .bind(id)
        .execute(&self.write)
        .await
        .map(drop)
        .map_err(Error::from);
        self.health.note(Writer::Outbox, &done);
        done
    }

    /// Has a message that was given up, or that waits, tried again now from the beginning. [`Error::Missing`] unless there
    /// is such a one.
    pub async fn retry(&self, id: i64, now: Timestamp) -> Result<Message, Error> {
        let changed = sqlx::query(
            "UPDATE message SET state = 'waiting', tries = 0, next_ms = $1, ended_ms = NULL \
             WHERE id = $2 AND state IN ('waiting', 'dead')",
        )
        .bind(now.as_millisecond())
        .bind(id)
        .execute(&self.write)
        .await?
        .rows_affected();
        if changed == 0 {
            return Err(Error::Missing(format!("a message {id} that waits or was given up")));
        }
        self.work.notify_one();
        self.get(id).await?.ok_or_else(|| Error::Missing(format!("message {id}")))
    }

    /// One message.
    pub async fn get(&self, id: i64) -> Result<Option<Message>, Error> {
        let query = format!("SELECT {COLUMNS} FROM message WHERE id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(query)).bind(id).fetch_optional(&self.read).await?;
        row.as_ref().map(message_of).transpose()
    }

    /// The newest messages that match, at most `limit`.
    pub async fn list(&self, filter: &MessageFilter, limit: u32) -> Result<Vec<Message>, Error> {
        let mut query = QueryBuilder::<Sqlite>::new(format!("SELECT {COLUMNS} FROM message WHERE id < "));
        query.push_bind(filter.before.unwrap_or(i64::MAX));
        if let Some(incident) = &filter.incident {
            query.push(" AND incident = ").push_bind(incident.as_str().to_owned());
        }
        if let Some(state) = filter.state {
            query.push(" AND state = ").push_bind(state.as_str());
        }
        if let Some(channel) = &filter.channel {
            query.push(" AND channel = ").push_bind(channel.clone());
        }
        query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(limit));
        query.build().fetch_all(&self.read).await?.iter().map(message_of).collect()
    }

    /// How many messages wait, are held, were given up.
    pub async fn depth(&self) -> Result<OutboxDepth, Error> {
        let counts: Vec<(String, i64)> = sqlx::query_as(
            "SELECT state, COUNT(*) FROM message WHERE state IN ('waiting', 'held', 'dead') GROUP BY state",
        )
        .fetch_all(&self.read)
        .await?;
        let of = |state: MessageState| {
            let count = counts.iter().find(|(name, _)| name == state.as_str());
            count.map_or(0, |(_, count)| count.unsigned_abs())
        };
        Ok(OutboxDepth {
            waiting: of(MessageState::Waiting),
            held: of(MessageState::Held),
            dead: of(MessageState::Dead),
        })
    }

    /// How many messages were given up since then.
    pub async fn dead_since(&self, since: Timestamp) -> Result<u64, Error> {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM message WHERE state = 'dead' AND ended_ms >= $1")
            .bind(since.as_millisecond())
            .fetch_one(&self.read)
            .await?;
        Ok(count.unsigned_abs())
    }

    /// Gives up what waits for a channel that is none of these; answers how many.
    pub async fn strand(&self, channels: &[&str], now: Timestamp) -> Result<u64, Error> {
        let mut query =
            QueryBuilder::<Sqlite>::new("UPDATE message SET state = 'dead', error = 'no_such_channel', ended_ms = ");
        query.push_bind(now.as_millisecond()).push(" WHERE state = 'waiting' AND channel NOT IN (");
        let mut names = query.separated(", ");
        for name in channels {
            names.push_bind((*name).to_owned());
        }
        query.push(")");
        Ok(query.build().execute(&self.write).await?.rows_affected())
    }

    /// Deletes what ended before `cut`. Steps of incidents that `is_open` stay: without them they would be told again.
    pub async fn retain(&self, cut: Timestamp, is_open: impl Fn(&str) -> bool) -> Result<u64, Error> {
        let cut_ms = cut.as_millisecond();
        let deleted = sqlx::query(
            "DELETE FROM message WHERE (state IN ('sent', 'dead') AND ended_ms < $1) OR (state = 'summed' AND at_ms < $1)",
        )
        .bind(cut_ms)
        .execute(&self.write)
        .await?
        .rows_affected();
        let old: Vec<String> = sqlx::query_scalar("SELECT incident FROM step GROUP BY incident HAVING MAX(at_ms) < $1")
            .bind(cut_ms)
            .fetch_all(&self.read)
            .await?;
        for incident in old.iter().filter(|incident| !is_open(incident)) {
            sqlx::query("DELETE FROM step WHERE incident = $1").bind(incident).execute(&self.write).await?;
        }
        Ok(deleted)
    }
}

async fn make(write: &SqlitePool, path: &Path) -> Result<(), Error> {
    for statement in TABLES {
        sqlx::query(statement).execute(write).await?;
    }
    // Messages name persons and what happened where.
    restrict(path)?;
    let check: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(write).await?;
    if check == "ok" { Ok(()) } else { Err(Error::Damaged { path: path.to_owned(), detail: check }) }
}

fn bounded(error: &str) -> String {
    error.chars().map(|c| if c.is_control() { ' ' } else { c }).take(ERROR_CHARS).collect()
}
