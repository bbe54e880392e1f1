//! Alarms that are active now.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use model::{Alarm, Level};
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
    let mut items: Vec<Alarm> = state
        .feed
        .snapshot()
        .alarms
        .iter()
        .filter(|alarm| {
            caller.sees_grid(&alarm.grid)
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
