//! Online rate and intact rate.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use model::{Grid, Kind, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::rates::{GridRates, OwnerRates, Rates, rates};
use crate::state::AppState;

/// Which sources.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RatesQuery {
    kind: Option<Kind>,
}

/// Counts and rates of the caller's scope.
#[derive(Serialize, ToSchema)]
pub struct RatesView {
    /// When they were counted.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Of all sources.
    all: Rates,
    /// Of each owner that has some.
    owners: Vec<OwnerRates>,
    /// Of each grid that has some, with all grids inside it.
    grids: Vec<GridRates>,
}

/// How many sources of the caller's scope are online and intact, by owner and by grid.
#[utoipa::path(get, path = "/api/v1/rates", operation_id = "rates", tag = "sources", params(RatesQuery), responses(
    (status = 200, body = RatesView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub async fn show(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Query(query): Query<RatesQuery>,
) -> Result<Json<RatesView>, ApiError> {
    let grids = state.feed.grids();
    let grids: Vec<&Grid> = grids.iter().filter(|grid| caller.sees_grid(&grid.id)).collect();
    let all = state.feed.leading();
    let seen =
        all.iter().filter(|(source, _)| caller.sees(source) && query.kind.is_none_or(|kind| source.kind == kind));
    let (all, owners, grids) = rates(seen.map(|(source, status)| (&**source, status.as_deref())), &grids);
    Ok(Json(RatesView { at: Timestamp::now(), all, owners, grids }))
}
