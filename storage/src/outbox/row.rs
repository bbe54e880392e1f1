//! Rows of the outbox, read back.

use model::{GridId, IncidentId, Level, Timestamp};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Message, MessageState, NewStep};
use crate::Error;
use crate::registry::unreadable;

pub(super) const COLUMNS: &str = "id, key, incident, grid, step, channel, recipient, level, at_ms, state, tries, next_ms, error, \
                                  ended_ms, body";

impl MessageState {
    /// All states.
    pub const ALL: [MessageState; 5] =
        [MessageState::Waiting, MessageState::Held, MessageState::Summed, MessageState::Sent, MessageState::Dead];

    /// The name in the file and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            MessageState::Waiting => "waiting",
            MessageState::Held => "held",
            MessageState::Summed => "summed",
            MessageState::Sent => "sent",
            MessageState::Dead => "dead",
        }
    }
}

pub(super) fn level_number(level: Level) -> i64 {
    Level::ALL.iter().position(|known| *known == level).unwrap_or(0) as i64
}

pub(super) fn time(ms: i64) -> Result<Timestamp, Error> {
    Timestamp::from_millisecond(ms).map_err(|error| unreadable("message", &ms.to_string(), error))
}

pub(super) fn message_of(row: &SqliteRow) -> Result<Message, Error> {
    let id: i64 = row.try_get("id")?;
    let (incident, grid): (Option<String>, Option<String>) = (row.try_get("incident")?, row.try_get("grid")?);
    let (level, state): (i64, String) = (row.try_get("level")?, row.try_get("state")?);
    let (tries, ended): (i64, Option<i64>) = (row.try_get("tries")?, row.try_get("ended_ms")?);
    let unknown = |what: &str| unreadable("message", &id.to_string(), what.to_owned());
    let level = usize::try_from(level).ok().and_then(|n| Level::ALL.get(n).copied());
    Ok(Message {
        id,
        key: row.try_get("key")?,
        incident: incident.map(IncidentId::new),
        grid: grid.map(GridId::new),
        step: row.try_get("step")?,
        channel: row.try_get("channel")?,
        recipient: row.try_get("recipient")?,
        level: level.ok_or_else(|| unknown("no such level"))?,
        at: time(row.try_get("at_ms")?)?,
        state: MessageState::ALL
            .into_iter()
            .find(|known| known.as_str() == state)
            .ok_or_else(|| unknown("no such state"))?,
        tries: u32::try_from(tries).unwrap_or(u32::MAX),
        next_try: time(row.try_get("next_ms")?)?,
        error: row.try_get("error")?,
        ended_at: ended.map(time).transpose()?,
        body: row.try_get("body")?,
    })
}

pub(super) fn step_of(row: &SqliteRow) -> Result<NewStep, Error> {
    let incident: String = row.try_get("incident")?;
    Ok(NewStep {
        incident: IncidentId::new(incident),
        step: row.try_get("step")?,
        at: time(row.try_get("at_ms")?)?,
        told: row.try_get("told")?,
    })
}
