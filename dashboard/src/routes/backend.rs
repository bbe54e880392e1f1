//! Which back-end reads a camera: a tag in the registry, which the running hub follows.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use model::pull::BACKEND;
use model::status::Backend;
use model::{BackendChoice, Kind, Right};
use serde::Deserialize;
use utoipa::ToSchema;

use super::source_for;
use super::sources::{SourceView, view};
use crate::access::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::state::AppState;

/// What a camera is to be read with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackendBody {
    // Read as text, so that another word is told with what was expected.
    #[schema(value_type = BackendChoice)]
    backend: String,
}

/// Chooses what reads a camera: sets its tag `backend`, or takes it away for `auto`. Within a second the hub opens this
/// camera anew, and no other. For administrators; leaves an audit row. The answer has the new tag; the statuses in it
/// are still those of the session that ends.
#[utoipa::path(post, path = "/api/v1/sources/{id}/backend", operation_id = "choose_backend", tag = "sources",
    params(("id" = String, Path)), request_body = BackendBody, responses(
    (status = 200, body = SourceView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn choose(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    Json(given): Json<BackendBody>,
) -> Result<Json<SourceView>, ApiError> {
    caller.need(Right::Administer)?;
    let source = source_for(&state, &caller, &id)?;
    if source.kind != Kind::Camera {
        return Err(ApiError::bad_request(format!("{id} is a sensor; only a camera has a back-end")));
    }
    let choice = BackendChoice::parse(&given.backend).map_err(|problem| ApiError::bad_request(problem.to_string()))?;
    let from = source.tags.get(BACKEND).map_or("auto", String::as_str);
    let detail = serde_json::json!({ "from": from, "to": choice });
    state.audit(caller.actor(), "source.backend", &id, None, detail).await?;
    let source = state.storage.registry().set_tag(&id, BACKEND, choice.only().map(Backend::as_str)).await?;
    Ok(Json(view(&state, &source)))
}
