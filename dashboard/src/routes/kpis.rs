//! The measures of the alarms: reports by hour, shift or day, as JSON and as CSV.

use std::collections::BTreeMap;
use std::sync::Arc;

use alerting::kpi::{By, Cameras, KpiReport, NoReport, Query as Asked};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;
use model::{Kind, Right, Source, SourceId, Timestamp};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::access::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::state::AppState;

/// Without a word on it: two shifts.
const USUAL: SignedDuration = SignedDuration::from_hours(24);

/// Which desk's alarms, and of when.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct KpiQuery {
    /// From; 24 hours before `to` without. Moved back to its whole hour.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Before; now without. At most 45 days after `from`.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// The owner of rules; the whole hub without.
    desk: Option<String>,
    /// What periods are told by; `hour` without.
    by: Option<By>,
}

/// The registry as a report looks at it.
struct Registry(Arc<BTreeMap<SourceId, Arc<Source>>>);

impl Cameras for Registry {
    fn is_camera(&self, source: &SourceId) -> bool {
        self.0.get(source).is_some_and(|source| source.kind == Kind::Camera)
    }

    fn count(&self) -> usize {
        self.0.values().filter(|source| source.kind == Kind::Camera).count()
    }
}

/// How many alarms reached a desk, how fast and how good they were, against the lines of ISA-18.2. For leads and
/// administrators without a scope: the figures are the whole town's.
#[utoipa::path(get, path = "/api/v1/kpis", operation_id = "kpis", tag = "alarms", params(KpiQuery), responses(
    (status = 200, body = KpiReport), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody)))]
pub async fn show(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Query(query): Query<KpiQuery>,
) -> Result<Json<KpiReport>, ApiError> {
    Ok(Json(report(&state, &caller, query).await?))
}

/// The periods of the same report as CSV, a line for each.
#[utoipa::path(get, path = "/api/v1/kpis.csv", operation_id = "kpis_csv", tag = "alarms", params(KpiQuery), responses(
    (status = 200, description = "A line for each period; the first names the columns", content_type = "text/csv"),
    (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn csv(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Query(query): Query<KpiQuery>,
) -> Result<Response, ApiError> {
    let report = report(&state, &caller, query).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"kpis.csv\""),
    ];
    Ok((headers, report.csv()).into_response())
}

async fn report(state: &Arc<AppState>, caller: &Caller, query: KpiQuery) -> Result<KpiReport, ApiError> {
    caller.need(Right::Lead)?;
    if caller.is_limited() {
        return Err(ApiError::forbidden("these figures are of the whole town, and your scope is a part of it"));
    }
    let to = query.to.unwrap_or_else(Timestamp::now);
    let from = query.from.map_or_else(|| to.checked_sub(USUAL), Ok);
    let from = from.map_err(|_| ApiError::bad_request("to: too long ago"))?;
    let asked = Asked { from, to, desk: query.desk, by: query.by.unwrap_or_default() };
    let (kpis, registry) = (state.kpis.clone(), Registry(state.feed.sources()));
    // Milliseconds over 45 days: not a task's thread.
    let done = tokio::task::spawn_blocking(move || kpis.report(&asked, &registry)).await;
    let done = done.map_err(|_| ApiError::unavailable("the hub is shutting down"))?;
    done.map_err(|refused: NoReport| ApiError::bad_request(refused.to_string()))
}
