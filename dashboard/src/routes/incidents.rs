//! Incidents: lists, one with its history, its cameras, and each step.

use std::cmp::Reverse;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use command::{Command, Order};
use model::{
    GridId, Hazard, Incident, IncidentId, IncidentTransition, Kind, Level, LogBody, Place, Right, Source, SourceId,
    Timestamp, UserId, Verdict,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{grids_of, limit_of};
use crate::access::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::state::AppState;

/// Cameras farther away show nothing of the place.
const NEAR_M: f64 = 300.0;

/// Which incidents; all that are given must match.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct IncidentQuery {
    /// `open` (as without), `ended` or `all`.
    #[serde(default)]
    state: StateFilter,
    level: Option<Level>,
    hazard: Option<Hazard>,
    /// A grid, with all inside it.
    grid: Option<String>,
    /// 1 to 1,000; 100 without.
    limit: Option<u32>,
    /// The last answer's `next_cursor`.
    cursor: Option<String>,
}

/// Open or ended.
#[derive(Deserialize, ToSchema, Default, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum StateFilter {
    /// Work remains.
    #[default]
    Open,
    /// Closed, rejected, merged or cancelled.
    Ended,
    /// Both.
    All,
}

/// A page of incidents.
#[derive(Serialize, ToSchema)]
pub struct IncidentPage {
    /// Open ones: the gravest first, then the oldest. Otherwise the newest first.
    pub items: Vec<Incident>,
    /// Where the next page begins; none on the last.
    pub next_cursor: Option<String>,
}

/// Incidents of the caller's scope.
#[utoipa::path(get, path = "/api/v1/incidents", operation_id = "list_incidents", tag = "incidents", params(IncidentQuery),
    responses((status = 200, body = IncidentPage), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub async fn list(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Query(query): Query<IncidentQuery>,
) -> Result<Json<IncidentPage>, ApiError> {
    let limit = limit_of(query.limit, 100)? as usize;
    let grids = grids_of(&state, query.grid.as_deref())?;
    let matches = |incident: &&Incident| {
        caller.sees_grid(&incident.grid)
            && (query.state != StateFilter::Ended || !incident.is_open())
            && query.level.is_none_or(|level| incident.level == level)
            && query.hazard.is_none_or(|hazard| incident.hazard == hazard)
            && grids.as_ref().is_none_or(|grids| grids.contains(&incident.grid))
    };
    // One more than asked for says whether there is another page.
    let mut items: Vec<Incident> = if query.state == StateFilter::Open {
        let after = query.cursor.as_deref().map(read_cursor).transpose()?;
        let snapshot = state.feed.snapshot();
        let mut open: Vec<&Incident> = snapshot.incidents.iter().map(|incident| &**incident).filter(matches).collect();
        open.sort_by_cached_key(|incident| place_in_queue(incident));
        let rest =
            open.into_iter().filter(|incident| after.as_ref().is_none_or(|after| place_in_queue(incident) > *after));
        rest.take(limit + 1).cloned().collect()
    } else {
        let mut archive = state.archive.lock().await;
        archive.catch_up(state.storage.log()).await?;
        let after = |incident: &&Incident| query.cursor.as_deref().is_none_or(|cursor| incident.id.as_str() < cursor);
        archive.newest_first().filter(after).filter(matches).take(limit + 1).cloned().collect()
    };
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more);
    let next_cursor = last.map(|last| match query.state {
        StateFilter::Open => write_cursor(&place_in_queue(last)),
        StateFilter::Ended | StateFilter::All => last.id.to_string(),
    });
    Ok(Json(IncidentPage { items, next_cursor }))
}

/// Where an open incident stands in the queue: the gravest first, then the oldest. A page goes on behind a place, not
/// behind an incident, which may have been closed meanwhile.
type QueuePlace = (Reverse<Level>, Timestamp, String);

fn place_in_queue(incident: &Incident) -> QueuePlace {
    (Reverse(incident.level), incident.reported_at, incident.id.to_string())
}

fn write_cursor((Reverse(level), at, id): &QueuePlace) -> String {
    format!("{}|{at}|{id}", level.as_str())
}

fn read_cursor(text: &str) -> Result<QueuePlace, ApiError> {
    let parts: Vec<&str> = text.splitn(3, '|').collect();
    let place = match parts[..] {
        [level, at, id] => {
            let level = Level::ALL.into_iter().find(|known| known.as_str() == level);
            level.zip(at.parse().ok()).map(|(level, at)| (Reverse(level), at, id.to_owned()))
        }
        _ => None,
    };
    place.ok_or_else(|| ApiError::bad_request(format!("cursor: {text:?} is none of ours")))
}

/// An incident with everything that happened to it.
#[derive(Serialize, ToSchema)]
pub struct IncidentView {
    /// As it stands.
    #[serde(flatten)]
    pub incident: Incident,
    /// Its transitions, the oldest first.
    pub transitions: Vec<IncidentTransition>,
}

async fn load(state: &AppState, caller: &Caller, id: &str) -> Result<IncidentView, ApiError> {
    let id = IncidentId::parse(id).map_err(|_| ApiError::not_found("incident"))?;
    let entries = state.storage.log().incident(&id).await?;
    let transitions: Vec<IncidentTransition> = entries
        .into_iter()
        .filter_map(|entry| match entry.body {
            LogBody::Incident(transition) => Some(transition),
            LogBody::Alarm(_) | LogBody::Shadow(_) | LogBody::Flood(_) | LogBody::Rule(_) | LogBody::Audit(_) => None,
        })
        .collect();
    let mut incident = transitions.first().and_then(Incident::begin).ok_or_else(|| ApiError::not_found("incident"))?;
    for transition in &transitions {
        incident.apply(transition);
    }
    if !caller.sees_grid(&incident.grid) {
        return Err(ApiError::not_found("incident"));
    }
    Ok(IncidentView { incident, transitions })
}

/// One incident.
#[utoipa::path(get, path = "/api/v1/incidents/{id}", operation_id = "get_incident", tag = "incidents",
    params(("id" = String, Path)),
    responses((status = 200, body = IncidentView), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn one(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<IncidentView>, ApiError> {
    Ok(Json(load(&state, &caller, &id).await?))
}

/// A camera that shows the place of an incident.
#[derive(Serialize, ToSchema)]
pub struct NearCamera {
    /// The camera.
    pub source: Source,
    /// Whether it is known to look at one of the incident's sources.
    pub looks_at: bool,
    /// Metres from the incident's place, when both are known.
    pub distance_m: Option<f64>,
}

/// How many cameras.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NearQuery {
    /// 1 to 16; 4 without.
    limit: Option<u32>,
}

/// Cameras for an incident: first those that look at one of its sources, then others within 300 m, the nearest first.
#[utoipa::path(get, path = "/api/v1/incidents/{id}/cameras", operation_id = "list_incident_cameras", tag = "incidents",
    params(("id" = String, Path), NearQuery),
    responses((status = 200, body = Vec<NearCamera>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn cameras(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<NearQuery>,
) -> Result<Json<Vec<NearCamera>>, ApiError> {
    let incident = load(&state, &caller, &id).await?.incident;
    let limit = query.limit.unwrap_or(4).clamp(1, 16) as usize;
    let sources = state.feed.sources();
    let mut near: Vec<NearCamera> = sources
        .values()
        .filter(|source| source.kind == Kind::Camera && caller.sees(source))
        .filter_map(|source| {
            let own = incident.sources.contains(&source.id);
            let looks_at = own || source.looks_at().any(|seen| incident.sources.iter().any(|s| s.as_str() == seen));
            let distance_m = source.place.zip(incident.place).map(|(a, b)| a.distance_m(b));
            let shows = looks_at || distance_m.is_some_and(|metres| metres <= NEAR_M);
            shows.then(|| NearCamera { source: (**source).clone(), looks_at, distance_m })
        })
        .collect();
    near.sort_by(|a, b| {
        let far = |camera: &NearCamera| camera.distance_m.unwrap_or(f64::MAX);
        b.looks_at.cmp(&a.looks_at).then(far(a).total_cmp(&far(b)))
    });
    near.truncate(limit);
    Ok(Json(near))
}

/// A person's report.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    title: String,
    hazard: Hazard,
    level: Level,
    grid: GridId,
    place: Option<Place>,
    source: Option<SourceId>,
    #[serde(default)]
    text: String,
}

/// Reports an incident (上报).
#[utoipa::path(post, path = "/api/v1/incidents", operation_id = "report_incident", tag = "incidents", request_body = Report,
    responses((status = 201, body = Incident), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn report(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Json(report): Json<Report>,
) -> Result<(StatusCode, Json<Incident>), ApiError> {
    caller.need(Right::Report)?;
    let known = state.feed.grids().iter().any(|grid| grid.id == report.grid);
    if !known || !caller.sees_grid(&report.grid) {
        return Err(ApiError::bad_request(format!("grid: {:?} is not known", report.grid.as_str())));
    }
    if let Some(source) = &report.source {
        super::source_for(&state, &caller, source.as_str())?;
    }
    let command = Command::Report {
        title: report.title,
        hazard: report.hazard,
        level: report.level,
        grid: report.grid,
        place: report.place,
        source: report.source,
        text: report.text,
    };
    let order = Order { incident: None, command, actor: caller.actor(), role: caller.role, reason: None };
    Ok((StatusCode::CREATED, Json(state.command.order(order).await?)))
}

/// What a step needs to be told.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub struct StepBody {
    /// Why; required for return, reject, merge, suspend, cancel, reopen and for closing as false or nuisance.
    reason: Option<String>,
    /// For note.
    text: Option<String>,
    /// For dispatch: the user's name.
    responder: Option<String>,
    /// For close.
    verdict: Option<Verdict>,
    /// For merge: the incident that goes on.
    into: Option<String>,
    /// For file: a level other than the present one.
    level: Option<Level>,
}

/// Takes a step or a side move: `acknowledge take note accept file dispatch handle verify close return reject merge
/// suspend resume cancel reopen`. When it answers 200, the change is on disk.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/{step}", operation_id = "step_incident", tag = "incidents",
    params(("id" = String, Path), ("step" = String, Path)), request_body = StepBody,
    responses((status = 200, body = Incident), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub async fn step(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path((id, step)): Path<(String, String)>,
    body: Option<Json<StepBody>>,
) -> Result<Json<Incident>, ApiError> {
    let body = body.map(|Json(body)| body).unwrap_or_default();
    caller.need(Right::Report)?;
    let incident = load(&state, &caller, &id).await?.incident;
    let reason = body.reason.clone();
    let command = command_of(&state, &caller, &step, body).await?;
    let order = Order { incident: Some(incident.id), command, actor: caller.actor(), role: caller.role, reason };
    Ok(Json(state.command.order(order).await?))
}

async fn command_of(state: &AppState, caller: &Caller, step: &str, body: StepBody) -> Result<Command, ApiError> {
    let missing = |field: &str| ApiError::bad_request(format!("{step} needs the field {field:?}"));
    Ok(match step {
        "acknowledge" => Command::Acknowledge,
        "take" => Command::Take,
        "note" => Command::Note { text: body.text.ok_or_else(|| missing("text"))? },
        "accept" => Command::Accept,
        "file" => Command::File { level: body.level },
        "dispatch" => {
            let name = body.responder.ok_or_else(|| missing("responder"))?;
            let user = state.storage.users().get(&name).await?;
            if user.is_none_or(|user| !user.role.has(Right::Report)) {
                return Err(ApiError::bad_request(format!("responder: {name:?} is nobody who can be sent")));
            }
            Command::Dispatch { responder: UserId::new(name) }
        }
        "handle" => Command::Handle,
        "verify" => Command::Verify,
        "close" => Command::Close { verdict: body.verdict.ok_or_else(|| missing("verdict"))? },
        "return" => Command::Return,
        "reject" => Command::Reject,
        "merge" => {
            let into = load(state, caller, &body.into.ok_or_else(|| missing("into"))?).await?.incident.id;
            Command::Merge { into }
        }
        "suspend" => Command::Suspend,
        "resume" => Command::Resume,
        "cancel" => Command::Cancel,
        "reopen" => Command::Reopen,
        other => {
            return Err(ApiError::bad_request(format!(
                "found step {other:?}, expected one of acknowledge, take, note, accept, file, dispatch, handle, verify, \
                 close, return, reject, merge, suspend, resume, cancel, reopen"
            )));
        }
    })
}
