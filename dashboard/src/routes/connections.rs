//! How a source has been: its states over the last hours, and its connection log.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use jiff::SignedDuration;
use model::{SourceState, Timestamp};
use serde::{Deserialize, Serialize};
use storage::{ConnectionRow, Segment};
use utoipa::{IntoParams, ToSchema};

use super::source_for;
use crate::access::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::state::AppState;

/// How far back.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ConnectionQuery {
    /// 1 to 24 for each day kept; 24 without.
    hours: Option<u32>,
}

/// A state that lasted.
#[derive(Serialize, ToSchema)]
pub struct SegmentView {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// When it ended; the last one, now.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// Which; `unknown` with the reason `hub_down` while no hub ran, and `not_heard` before the first word.
    state: SourceState,
    /// Why, as a code the console translates.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Changes within it that were too many to keep: the state is that of its beginning.
    merged: u32,
}

/// A change of state.
#[derive(Serialize, ToSchema)]
pub struct ConnectionRowView {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The state from then on.
    state: SourceState,
    /// Why, as a code the console translates.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What happened, in English; holds no secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Changes between the row before and this one that were too many to keep.
    merged: u32,
}

/// A source's states and changes.
#[derive(Serialize, ToSchema)]
pub struct ConnectionsView {
    /// From when.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// To when: now.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// The state at each moment, without gaps, the oldest first.
    segments: Vec<SegmentView>,
    /// The changes, the newest first.
    rows: Vec<ConnectionRowView>,
    /// How many days the hub keeps.
    days_kept: u32,
}

/// How a source has been: what no hub saw is unknown, and not the last state.
#[utoipa::path(get, path = "/api/v1/sources/{id}/connections", operation_id = "connections", tag = "sources",
    params(("id" = String, Path), ConnectionQuery), responses(
    (status = 200, body = ConnectionsView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
pub async fn show(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<ConnectionQuery>,
) -> Result<Json<ConnectionsView>, ApiError> {
    let source = source_for(&state, &caller, &id)?;
    let log = state.storage.connections();
    let most = log.days().saturating_mul(24).max(24);
    let hours = match query.hours.unwrap_or(24) {
        hours if (1..=most).contains(&hours) => hours,
        other => return Err(ApiError::bad_request(format!("hours: found {other}, expected 1 to {most}"))),
    };
    let to = Timestamp::now();
    let from = to.saturating_sub(SignedDuration::from_hours(i64::from(hours))).unwrap_or(to);
    let timeline = log.timeline(source.id.as_str(), from, to).await?;
    Ok(Json(ConnectionsView {
        from,
        to,
        segments: timeline.segments.into_iter().map(segment_view).collect(),
        rows: timeline.rows.into_iter().map(row_view).collect(),
        days_kept: log.days(),
    }))
}

fn segment_view(segment: Segment) -> SegmentView {
    let Segment { from, to, state, reason, merged } = segment;
    SegmentView { from, to, state, reason, merged }
}

fn row_view(row: ConnectionRow) -> ConnectionRowView {
    let ConnectionRow { at, state, reason, detail, merged } = row;
    ConnectionRowView { at, state, reason, detail, merged }
}
