//! The history of readings.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use jiff::SignedDuration;
use model::{Observation, Timestamp};
use serde::{Deserialize, Serialize};
use storage::{Bucket, HistoryQuery};
use utoipa::{IntoParams, ToSchema};

use super::{limit_of, source_for};
use crate::access::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::state::AppState;

/// Which observations.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ObservationQuery {
    /// The source's id.
    source: String,
    /// One reading; all without.
    reading: Option<String>,
    /// Not before; an hour before `to` without.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Before; now without.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// 1 to 1,000; 1,000 without.
    limit: Option<u32>,
    /// Seconds of a step; with it, numbers are summed up by steps.
    step_s: Option<u32>,
}

/// Observations by phenomenon time, the oldest first; or steps.
#[derive(Serialize, ToSchema)]
pub struct ObservationPage {
    /// Single observations, without `step_s`.
    pub items: Vec<Observation>,
    /// Steps, with `step_s`.
    pub buckets: Vec<BucketView>,
    /// Where to go on as `from`; none when all is there.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_from: Option<Timestamp>,
}

/// A step of time summed up.
#[derive(Serialize, ToSchema)]
pub struct BucketView {
    /// When it begins.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The least value.
    pub min: f64,
    /// The greatest value.
    pub max: f64,
    /// The mean.
    pub avg: f64,
    /// How many there were.
    pub count: u64,
}

impl From<Bucket> for BucketView {
    fn from(bucket: Bucket) -> Self {
        Self { at: bucket.at, min: bucket.min, max: bucket.max, avg: bucket.avg, count: bucket.count }
    }
}

/// Observations of one source.
#[utoipa::path(get, path = "/api/v1/observations", operation_id = "list_observations", tag = "observations",
    params(ObservationQuery), responses(
    (status = 200, body = ObservationPage), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn list(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Query(query): Query<ObservationQuery>,
) -> Result<Json<ObservationPage>, ApiError> {
    let source = source_for(&state, &caller, &query.source)?;
    let to = query.to.unwrap_or_else(Timestamp::now);
    let hour = SignedDuration::from_hours(1);
    let from = query.from.unwrap_or_else(|| to.saturating_sub(hour).unwrap_or(to));
    if from >= to {
        return Err(ApiError::bad_request("from must be before to"));
    }
    let limit = limit_of(query.limit, 1_000)?;
    let wanted = HistoryQuery { source: source.id.to_string(), reading: query.reading, from, to, limit };
    let mut page = ObservationPage { items: Vec::new(), buckets: Vec::new(), next_from: None };
    match query.step_s {
        Some(0) => return Err(ApiError::bad_request("step_s: found 0, expected at least 1")),
        Some(step_s) => {
            let buckets = state.storage.history().buckets(&wanted, i64::from(step_s) * 1_000).await?;
            if let Some(last) = buckets.last().filter(|_| buckets.len() == limit as usize) {
                let next = last.at.checked_add(SignedDuration::from_secs(i64::from(step_s))).ok();
                page.next_from = next.filter(|next| *next < to);
            }
            page.buckets = buckets.into_iter().map(BucketView::from).collect();
        }
        None => {
            page.items = state.storage.history().query(&wanted).await?;
            if page.items.len() == limit as usize {
                page.next_from = cut_at_a_time(&mut page.items);
            }
        }
    }
    Ok(Json(page))
}

/// Ends a full page where a time ends, so that the next one can begin at a time and neither repeats nor misses what one
/// message said at once; answers where it begins. A page of one time only is given whole.
fn cut_at_a_time(items: &mut Vec<Observation>) -> Option<Timestamp> {
    let last = items.last()?.phenomenon_time;
    let whole = items.partition_point(|observation| observation.phenomenon_time < last);
    if whole == 0 {
        return last.checked_add(SignedDuration::from_millis(1)).ok();
    }
    items.truncate(whole);
    Some(last)
}

#[cfg(test)]
mod tests {
    use model::{Quality, Value};

    use super::*;

    fn at(milliseconds: i64) -> Observation {
        let time = Timestamp::from_millisecond(milliseconds).unwrap();
        Observation {
            source: "s".into(),
            reading: "r".into(),
            value: Value::Bool(true),
            quality: Quality::Good,
            phenomenon_time: time,
            received_at: time,
            retained: false,
        }
    }

    #[test]
    fn a_page_ends_between_times() {
        let mut items = vec![at(1), at(2), at(3), at(3)];
        assert_eq!(cut_at_a_time(&mut items), Some(at(3).phenomenon_time));
        assert_eq!(items.len(), 2);
        let mut items = vec![at(3), at(3)];
        assert_eq!(cut_at_a_time(&mut items), Some(at(4).phenomenon_time));
        assert_eq!(items.len(), 2);
    }
}
