//! Emergency mode: one call gives an area first claim on cameras, and says what it costs the rest.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::SignedDuration;
use model::{GridId, Right, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::Caller;
use crate::emergency::Emergency;
use crate::error::{ApiError, ErrorBody};
use crate::state::AppState;

/// Without a word on it: a shift.
const HOURS: u32 = 8;
/// Nobody leaves a town in emergency mode for longer without saying so again.
const HOURS_MAX: u32 = 72;
const REASON_CHARS_MAX: usize = 500;

/// Which area, why, for how long.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmergencyWish {
    /// Ids of grids; each with all inside it.
    grids: Vec<GridId>,
    /// Up to 500 characters.
    reason: String,
    /// 1 to 72; 8 without.
    hours: Option<u32>,
}

/// The emergency that is on, if there is one.
#[derive(Serialize, ToSchema)]
pub struct EmergencyView {
    emergency: Option<Emergency>,
}

/// The emergency that is on; for callers who see part of its area.
#[utoipa::path(get, path = "/api/v1/emergency", operation_id = "emergency", tag = "town", responses(
    (status = 200, body = EmergencyView), (status = 401, body = ErrorBody)))]
pub async fn current(State(state): State<Arc<AppState>>, caller: Caller) -> Json<EmergencyView> {
    let seen =
        |emergency: &Emergency| state.feed.grids_within(&emergency.grids).iter().any(|grid| caller.sees_grid(grid));
    Json(EmergencyView { emergency: state.emergency.current().filter(seen) })
}

/// Begins emergency mode for an area, or moves it there: its cameras (not residents' own) are connected before all others,
/// pulled whether or not somebody watches, and keep a longer pre-roll; probes elsewhere pause. When the limit on
/// sessions is reached the weakest claims make room: streams the hub keeps for itself, key sites last of these, then
/// watched ones. The answer says what it came to. For leads; leaves an audit row.
#[utoipa::path(post, path = "/api/v1/emergency", operation_id = "begin_emergency", tag = "town",
    request_body = EmergencyWish, responses(
    (status = 200, body = Emergency), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn begin(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Json(wish): Json<EmergencyWish>,
) -> Result<Json<Emergency>, ApiError> {
    caller.need(Right::Lead)?;
    if wish.grids.is_empty() {
        return Err(ApiError::bad_request("grids: none given, expected at least one"));
    }
    let known = state.feed.grids();
    for grid in &wish.grids {
        // A grid outside the scope does not exist.
        if !known.iter().any(|known| known.id == *grid) || !caller.sees_grid(grid) {
            return Err(ApiError::bad_request(format!("grids: {:?} is not known", grid.as_str())));
        }
    }
    let reason = wish.reason.trim().to_owned();
    if !(1..=REASON_CHARS_MAX).contains(&reason.chars().count()) {
        return Err(ApiError::bad_request(format!("reason: expected 1 to {REASON_CHARS_MAX} characters")));
    }
    let hours = wish.hours.unwrap_or(HOURS);
    if !(1..=HOURS_MAX).contains(&hours) {
        return Err(ApiError::bad_request(format!("hours: found {hours}, expected 1 to {HOURS_MAX}")));
    }
    let since = Timestamp::now();
    let until = since.saturating_add(SignedDuration::from_hours(hours.into())).unwrap_or(since);
    let emergency = Emergency { grids: wish.grids, reason, by: caller.actor(), since, until, cost: Default::default() };
    state.emergency.begin(emergency).await.map(Json).map_err(ApiError::unavailable)
}

/// Ends emergency mode: everything is pulled as before. For leads; leaves an audit row.
#[utoipa::path(delete, path = "/api/v1/emergency", operation_id = "end_emergency", tag = "town", responses(
    (status = 200, body = EmergencyView, description = "What was on"), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 503, body = ErrorBody)))]
pub async fn end(State(state): State<Arc<AppState>>, caller: Caller) -> Result<Json<EmergencyView>, ApiError> {
    caller.need(Right::Lead)?;
    let sees_all = |emergency: &Emergency| emergency.grids.iter().all(|grid| caller.sees_grid(grid));
    if !state.emergency.current().as_ref().is_some_and(sees_all) {
        return Err(ApiError::not_found("emergency"));
    }
    let emergency = state.emergency.end(caller.actor()).await.map_err(ApiError::unavailable)?;
    Ok(Json(EmergencyView { emergency }))
}
