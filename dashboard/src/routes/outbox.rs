//! What people were told, and what waits in the outbox.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use model::{GridId, IncidentId, Level, Right, Timestamp};
use serde::{Deserialize, Serialize};
use storage::{Message, MessageFilter, MessageState};
use utoipa::{IntoParams, ToSchema};

use super::limit_of;
use crate::access::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::state::AppState;

/// Pages of the outbox that one question looks through for a caller whose scope hides most rows.
const MAX_PAGES_LOOKED_AT: usize = 20;

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationState {
    /// To be sent, now or at `next_try`.
    Waiting,
    /// Beyond the recipient's budget; a summary will hold it.
    Held,
    /// A summary holds it.
    Summed,
    /// The other side has taken it.
    Sent,
    /// Given up; `error` says why.
    Dead,
}

/// One message to one recipient over one channel.
#[derive(Debug, Serialize, ToSchema)]
pub struct Notification {
    /// Its number.
    id: i64,
    /// What it is about; none for a summary.
    #[schema(value_type = Option<String>)]
    incident: Option<IncidentId>,
    /// In which grid that is.
    #[schema(value_type = Option<String>)]
    grid: Option<GridId>,
    /// Which step of which route says it, as `river/1`.
    step: String,
    /// Over which channel.
    channel: String,
    /// The id of a person; `*` for the one place behind the channel; `role:ROLE` when nobody was on duty.
    recipient: String,
    /// How grave.
    level: Level,
    /// When it was planned.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Where it stands.
    state: NotificationState,
    /// How often it was tried.
    tries: u32,
    /// When it is tried next, while it waits.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_try: Option<Timestamp>,
    /// Why the last try failed, or why it was given up.
    error: Option<String>,
    /// When it was sent or given up.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// What is said: title, kind and the like.
    #[schema(value_type = Object)]
    content: serde_json::Value,
}

/// Messages, the newest first.
#[derive(Serialize, ToSchema)]
pub struct NotificationPage {
    /// The newest first.
    items: Vec<Notification>,
    /// Where the next page begins; none on the last.
    next_cursor: Option<i64>,
}

/// Which messages.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NotificationQuery {
    /// About this incident.
    incident: Option<String>,
    /// 1 to 1,000; 100 without.
    limit: Option<u32>,
    /// The last answer's `next_cursor`.
    cursor: Option<i64>,
}

/// Which messages of the outbox.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OutboxQuery {
    /// `waiting`, `held`, `summed`, `sent` or `dead`; waiting without.
    state: Option<NotificationState>,
    /// Over this channel.
    channel: Option<String>,
    /// 1 to 1,000; 100 without.
    limit: Option<u32>,
    /// The last answer's `next_cursor`.
    cursor: Option<i64>,
}

/// The outbox.
#[derive(Serialize, ToSchema)]
pub struct OutboxPage {
    /// The newest first.
    items: Vec<Notification>,
    /// Where the next page begins; none on the last.
    next_cursor: Option<i64>,
    /// Messages to be sent, over all; none for a caller with a scope.
    waiting: Option<u64>,
    /// Messages that wait for a summary.
    held: Option<u64>,
    /// Messages that were given up.
    dead: Option<u64>,
}

/// What people were told and will be told, of one incident or of all in the scope. Whoever works at no desk sees what they
/// themselves were told.
#[utoipa::path(get, path = "/api/v1/notifications", operation_id = "notifications", tag = "telling",
    params(NotificationQuery), responses(
    (status = 200, body = NotificationPage), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub async fn notifications(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Query(query): Query<NotificationQuery>,
) -> Result<Json<NotificationPage>, ApiError> {
    let limit = limit_of(query.limit, 100)?;
    let incident = query.incident.map(|id| IncidentId::parse(&id)).transpose();
    let incident = incident.map_err(|error| ApiError::bad_request(format!("incident: {error}")))?;
    let filter = MessageFilter { incident, before: query.cursor, ..MessageFilter::default() };
    let (items, next_cursor) = page(&state, &caller, filter, limit).await?;
    Ok(Json(NotificationPage { items, next_cursor }))
}

/// What waits to be sent, or was given up and why. For operators and above.
#[utoipa::path(get, path = "/api/v1/outbox", operation_id = "outbox", tag = "telling", params(OutboxQuery), responses(
    (status = 200, body = OutboxPage), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody)))]
pub async fn list(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Query(query): Query<OutboxQuery>,
) -> Result<Json<OutboxPage>, ApiError> {
    caller.need(Right::Operate)?;
    let limit = limit_of(query.limit, 100)?;
    let wanted = stored(query.state.unwrap_or(NotificationState::Waiting));
    let filter =
        MessageFilter { state: Some(wanted), channel: query.channel, before: query.cursor, ..MessageFilter::default() };
    let (items, next_cursor) = page(&state, &caller, filter, limit).await?;
    let depth = if caller.is_limited() { None } else { Some(state.storage.outbox().depth().await?) };
    Ok(Json(OutboxPage {
        items,
        next_cursor,
        waiting: depth.map(|depth| depth.waiting),
        held: depth.map(|depth| depth.held),
        dead: depth.map(|depth| depth.dead),
    }))
}

/// Has a message that was given up, or that waits, tried again now from the beginning. Leaves an audit row.
#[utoipa::path(post, path = "/api/v1/outbox/{id}/retry", operation_id = "retry_message", tag = "telling",
    params(("id" = i64, Path)), responses(
    (status = 200, body = Notification), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn retry(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Notification>, ApiError> {
    caller.need(Right::Operate)?;
    let outbox = state.storage.outbox();
    let message = match id.parse::<i64>() {
        Ok(id) => outbox.get(id).await?,
        Err(_) => None,
    };
    let message = message.filter(|message| sees(&state, &caller, message));
    let message = message.ok_or_else(|| ApiError::not_found("message"))?;
    let detail = serde_json::json!({ "channel": message.channel, "recipient": message.recipient });
    state.audit(caller.actor(), "outbox.retry", &message.id.to_string(), None, detail).await?;
    Ok(Json(view(outbox.retry(message.id, Timestamp::now()).await?)))
}

async fn page(
    state: &AppState,
    caller: &Caller,
    mut filter: MessageFilter,
    limit: u32,
) -> Result<(Vec<Notification>, Option<i64>), ApiError> {
    let mut items = Vec::new();
    for _ in 0..MAX_PAGES_LOOKED_AT {
        let rows = state.storage.outbox().list(&filter, limit).await?;
        let is_last = rows.len() < limit as usize;
        for row in rows {
            filter.before = Some(row.id);
            if sees(state, caller, &row) {
                items.push(view(row));
            }
            if items.len() == limit as usize {
                return Ok((items, filter.before));
            }
        }
        if is_last {
            return Ok((items, None));
        }
    }
    // A narrow scope in a long outbox: what was found so far, and where to go on.
    Ok((items, filter.before))
}

/// By the incident's grid; what belongs to no grid (a summary) only without a limit. One's own always, but for the scope.
fn sees(state: &AppState, caller: &Caller, message: &Message) -> bool {
    let in_scope = match &message.grid {
        Some(grid) => caller.sees_grid(grid),
        None => !caller.is_limited(),
    };
    let person = state.telling.person(&message.recipient);
    let own = person.is_some_and(|person| person.user.as_ref() == Some(&caller.name));
    let own_summary = own && message.grid.is_none();
    (in_scope && (own || caller.role.has(Right::Operate))) || own_summary
}

fn stored(state: NotificationState) -> MessageState {
    match state {
        NotificationState::Waiting => MessageState::Waiting,
        NotificationState::Held => MessageState::Held,
        NotificationState::Summed => MessageState::Summed,
        NotificationState::Sent => MessageState::Sent,
        NotificationState::Dead => MessageState::Dead,
    }
}

fn view(message: Message) -> Notification {
    Notification {
        id: message.id,
        incident: message.incident,
        grid: message.grid,
        step: message.step,
        channel: message.channel,
        recipient: message.recipient,
        level: message.level,
        at: message.at,
        state: match message.state {
            MessageState::Waiting => NotificationState::Waiting,
            MessageState::Held => NotificationState::Held,
            MessageState::Summed => NotificationState::Summed,
            MessageState::Sent => NotificationState::Sent,
            MessageState::Dead => NotificationState::Dead,
        },
        tries: message.tries,
        next_try: (message.state == MessageState::Waiting).then_some(message.next_try),
        error: message.error,
        ended_at: message.ended_at,
        content: serde_json::from_str(&message.body).unwrap_or_default(),
    }
}
