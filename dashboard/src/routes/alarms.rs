//! Alarms that are active now, and what people do to them.

use std::sync::Arc;

use alerting::{AlarmCommand, Refused};
use axum::Json;
use axum::extract::{Path, Query, State};
use jiff::SignedDuration;
use model::{Alarm, AlarmId, Level, Right, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{grids_of, limit_of};
use crate::access::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::state::AppState;

/// Which alarms; all that are given must match.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AlarmQuery {
    /// The source's id.
    source: Option<String>,
    /// The rule's id.
    rule: Option<String>,
    /// A grid, with all inside it.
    grid: Option<String>,
    level: Option<Level>,
    /// 1 to 1,000; 100 without.
    limit: Option<u32>,
}

/// Active alarms.
#[derive(Serialize, ToSchema)]
pub struct AlarmPage {
    /// The gravest first, then the newest.
    pub items: Vec<Alarm>,
}

/// Active alarms of the caller's scope.
#[utoipa::path(get, path = "/api/v1/alarms", operation_id = "list_alarms", tag = "alarms", params(AlarmQuery), responses(
    (status = 200, body = AlarmPage), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub async fn list(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Query(query): Query<AlarmQuery>,
) -> Result<Json<AlarmPage>, ApiError> {
    let limit = limit_of(query.limit, 100)? as usize;
    let grids = grids_of(&state, query.grid.as_deref())?;
    let sources = state.feed.sources();
    let mut items: Vec<Alarm> = state
        .feed
        .snapshot()
        .alarms
        .iter()
        .filter(|alarm| {
            caller.sees_alarm(&sources, alarm)
                && query.source.as_ref().is_none_or(|id| alarm.source.as_str() == id)
                && query.rule.as_ref().is_none_or(|id| alarm.rule.as_str() == id)
                && query.level.is_none_or(|level| alarm.level == level)
                && grids.as_ref().is_none_or(|grids| grids.contains(&alarm.grid))
        })
        .map(|alarm| (**alarm).clone())
        .collect();
    items.sort_by_key(|alarm| std::cmp::Reverse((alarm.level, alarm.raised_at)));
    items.truncate(limit);
    Ok(Json(AlarmPage { items }))
}

/// For how long, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShelveBody {
    /// 1 to 480 minutes.
    minutes: u32,
    /// Why; required.
    reason: String,
}

/// Somebody has seen the alarm; its sound stops.
#[utoipa::path(post, path = "/api/v1/alarms/{id}/acknowledge", tag = "alarms", params(("id" = String, Path)), responses(
    (status = 200, body = Alarm), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn acknowledge(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Alarm>, ApiError> {
    let by = caller.name.clone();
    order(&state, &caller, id, AlarmCommand::Acknowledge { by }).await
}

/// Puts the alarm aside for a time: it opens no incident and makes no sound meanwhile.
#[utoipa::path(post, path = "/api/v1/alarms/{id}/shelve", tag = "alarms", params(("id" = String, Path)),
    request_body = ShelveBody, responses(
    (status = 200, body = Alarm), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn shelve(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<ShelveBody>,
) -> Result<Json<Alarm>, ApiError> {
    let until = Timestamp::now().saturating_add(SignedDuration::from_mins(i64::from(body.minutes)));
    let until = until.map_err(|_| ApiError::bad_request("minutes: 1 to 480"))?;
    order(&state, &caller, id, AlarmCommand::Shelve { by: caller.name.clone(), until, reason: body.reason }).await
}

/// Takes the alarm back from where it was put aside.
#[utoipa::path(post, path = "/api/v1/alarms/{id}/unshelve", tag = "alarms", params(("id" = String, Path)), responses(
    (status = 200, body = Alarm), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn unshelve(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Alarm>, ApiError> {
    let by = caller.name.clone();
    order(&state, &caller, id, AlarmCommand::Unshelve { by }).await
}

/// Has it done, when the alarm is in the caller's scope.
async fn order(state: &AppState, caller: &Caller, id: String, command: AlarmCommand) -> Result<Json<Alarm>, ApiError> {
    caller.need(Right::Operate)?;
    let id = AlarmId::new(id);
    let snapshot = state.feed.snapshot();
    let sources = state.feed.sources();
    let seen = snapshot.alarms.iter().any(|alarm| alarm.id == id && caller.sees_alarm(&sources, alarm));
    if !seen {
        return Err(ApiError::not_found("alarm"));
    }
    state.alarms.order(id, command).await.map(Json).map_err(|refused| match refused {
        Refused::NotFound => ApiError::not_found("alarm"),
        Refused::AlreadyDone(why) => ApiError::conflict(why),
        Refused::BadField(why) => ApiError::bad_request(why),
        Refused::Unavailable => ApiError::unavailable("storage does not take writes; try again"),
    })
}
