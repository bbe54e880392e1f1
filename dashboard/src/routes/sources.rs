//! Sources with their live state.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use bytes::Bytes;
use jiff::fmt::rfc2822::DateTimePrinter;
use model::{Kind, Observation, Owner, Profile, Right, Source, SourceState, SourceStatus, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use video::StillError;

use super::{grids_of, limit_of, source_for};
use crate::access::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::feed::{Notice, overall};
use crate::state::AppState;

/// Which sources; all that are given must match.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SourceQuery {
    kind: Option<Kind>,
    /// The class, exactly.
    class: Option<String>,
    /// A grid, with all inside it.
    #[param(value_type = Option<String>)]
    grid: Option<String>,
    owner: Option<Owner>,
    state: Option<SourceState>,
    /// Part of the id or name.
    q: Option<String>,
    /// 1 to 1,000; 100 without.
    limit: Option<u32>,
    /// The last answer's `next_cursor`.
    cursor: Option<String>,
    /// Leaves `statuses` and `readings` empty: for those who have them from the event socket, a third of the bytes.
    bare: Option<bool>,
}

/// A source with its state.
#[derive(Serialize, ToSchema)]
pub struct SourceView {
    /// The source.
    #[serde(flatten)]
    pub source: Source,
    /// The state as a whole: that of the sub stream while it is wanted, else of the one that tells most.
    pub state: SourceState,
    /// The state of each stream; a sensor has one.
    pub statuses: Vec<SourceStatus>,
    /// The last value of each reading.
    pub readings: Vec<Observation>,
}

/// A page of sources.
#[derive(Serialize, ToSchema)]
pub struct SourcePage {
    /// By id.
    pub items: Vec<SourceView>,
    /// Where the next page begins; none on the last.
    pub next_cursor: Option<String>,
    /// How many match on all pages.
    pub total: u64,
}

pub(super) fn view(state: &AppState, source: &Source) -> SourceView {
    let statuses = state.feed.statuses_of(source.id.as_str());
    SourceView {
        state: overall(statuses.iter()),
        statuses,
        readings: state.feed.readings_of(source.id.as_str()).iter().map(|o| (**o).clone()).collect(),
        source: source.clone(),
    }
}

fn bare_view(state: &AppState, source: &Source) -> SourceView {
    let leading = state.feed.leading_of(&source.id);
    SourceView {
        state: overall(leading.as_deref().into_iter()),
        statuses: Vec::new(),
        readings: Vec::new(),
        source: source.clone(),
    }
}

/// Sources of the caller's scope.
#[utoipa::path(get, path = "/api/v1/sources", operation_id = "list_sources", tag = "sources", params(SourceQuery), responses(
    (status = 200, body = SourcePage), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub async fn list(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Query(query): Query<SourceQuery>,
) -> Result<Json<SourcePage>, ApiError> {
    let limit = limit_of(query.limit, 100)? as usize;
    let bare = query.bare.unwrap_or(false);
    let grids = grids_of(&state, query.grid.as_deref())?;
    let text = query.q.as_deref().map(str::to_lowercase).filter(|text| !text.trim().is_empty());
    let sources = state.feed.sources();
    let matching = sources.values().filter(|source| {
        caller.sees(source)
            && query.kind.is_none_or(|kind| source.kind == kind)
            && query.class.as_ref().is_none_or(|class| source.class == *class)
            && query.owner.is_none_or(|owner| source.owner == owner)
            && grids.as_ref().is_none_or(|grids| grids.contains(&source.grid))
            && text.as_ref().is_none_or(|text| {
                source.id.as_str().to_lowercase().contains(text) || source.name.to_lowercase().contains(text)
            })
            && query.state.is_none_or(|wanted| overall(state.feed.statuses_of(source.id.as_str()).iter()) == wanted)
    });
    let (mut total, mut items, mut next_cursor) = (0, Vec::new(), None);
    for source in matching {
        total += 1;
        if query.cursor.as_ref().is_some_and(|cursor| source.id.as_str() <= cursor.as_str()) {
            continue;
        }
        if items.len() < limit {
            items.push(if bare { bare_view(&state, source) } else { view(&state, source) });
        } else if next_cursor.is_none() {
            next_cursor = items.last().map(|last: &SourceView| last.source.id.to_string());
        }
    }
    Ok(Json(SourcePage { items, next_cursor, total }))
}

/// One source.
#[utoipa::path(get, path = "/api/v1/sources/{id}", operation_id = "get_source", tag = "sources",
    params(("id" = String, Path)), responses(
    (status = 200, body = SourceView), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn one(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<SourceView>, ApiError> {
    let source = source_for(&state, &caller, &id)?;
    Ok(Json(view(&state, &source)))
}

/// Which picture.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SnapshotQuery {
    /// `main` or `sub`; without it the larger one that is as new as the other.
    profile: Option<Profile>,
    /// What for, for the audit.
    purpose: Option<String>,
}

/// The newest picture of a camera. A camera on demand is pulled and waited for; when no picture comes the last one is
/// the answer, with its age.
#[utoipa::path(get, path = "/api/v1/sources/{id}/snapshot.jpg", operation_id = "snapshot", tag = "sources",
    params(("id" = String, Path), SnapshotQuery), responses(
    (status = 200, description = "The picture; `Last-Modified`, `X-Frame-Time` (RFC 3339) and `Age` (seconds) tell when the hub had it",
        content_type = "image/jpeg", body = Vec<u8>),
    (status = 401, body = ErrorBody), (status = 403, description = "`break_glass_required`", body = ErrorBody),
    (status = 404, body = ErrorBody),
    (status = 503, description = "`no_picture`, `busy` or `undecodable`", body = ErrorBody)))]
pub async fn snapshot(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<SnapshotQuery>,
) -> Result<(HeaderMap, Bytes), ApiError> {
    let source = source_for(&state, &caller, &id)?;
    caller.may_watch(&state, &source, Timestamp::now())?;
    let purpose = query.purpose.map(|purpose| purpose.trim().to_owned()).filter(|purpose| !purpose.is_empty());
    if purpose.as_ref().is_some_and(|purpose| purpose.chars().count() > 500) {
        return Err(ApiError::bad_request("purpose: expected at most 500 characters"));
    }
    let still = state.stills.still(&source.id, query.profile).await.map_err(|error| {
        let code = match error {
            StillError::NoPicture => "no_picture",
            StillError::Busy => "busy",
            StillError::Decode(_) => "undecodable",
        };
        ApiError::no_still(code, error.to_string())
    })?;
    let detail = serde_json::json!({ "profile": still.profile, "frame_time": still.received_at });
    state.audit(caller.actor(), "snapshot.view", source.id.as_str(), purpose, detail).await?;
    let age_s = Timestamp::now().duration_since(still.received_at).as_secs().max(0);
    let modified = DateTimePrinter::new().timestamp_to_rfc9110_string(&still.received_at).unwrap_or_default();
    let told = [
        (header::CONTENT_TYPE, "image/jpeg".to_owned()),
        // Each look is a row in the audit; a cache would make looks that nobody knows of.
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::LAST_MODIFIED, modified),
        (header::AGE, age_s.to_string()),
        (HeaderName::from_static("x-frame-time"), still.received_at.to_string()),
    ];
    let headers = told.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_str(&value).ok()?)));
    Ok((headers.collect(), still.jpeg.clone()))
}

/// Why a resident's camera is opened.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    purpose: String,
}

/// Until when it is open.
#[derive(Serialize, ToSchema)]
pub struct GrantView {
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
}

/// Opens a resident's camera to the caller for 15 minutes; everyone who sees the camera is told.
#[utoipa::path(post, path = "/api/v1/sources/{id}/break-glass", tag = "sources", params(("id" = String, Path)),
    request_body = Purpose, responses(
    (status = 200, body = GrantView), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
pub async fn break_glass(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(given): Json<Purpose>,
) -> Result<Json<GrantView>, ApiError> {
    caller.need(Right::Operate)?;
    let source = source_for(&state, &caller, &id)?;
    if source.owner != Owner::Resident || source.kind != Kind::Camera {
        return Err(ApiError::bad_request("only a resident's camera has a glass to break"));
    }
    let purpose = given.purpose.trim().to_owned();
    if !(4..=500).contains(&purpose.chars().count()) {
        return Err(ApiError::bad_request("purpose: expected 4 to 500 characters"));
    }
    let nothing = serde_json::Value::Null;
    state.audit(caller.actor(), "video.break_glass", &id, Some(purpose.clone()), nothing).await?;
    let until = state.grants.open(&caller.name, &source.id, Timestamp::now());
    let by = caller.name.to_string();
    state.feed.notice(Notice { source: source.id.clone(), code: "break_glass", by, purpose });
    Ok(Json(GrantView { until }))
}
