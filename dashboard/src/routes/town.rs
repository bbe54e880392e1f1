//! The town itself: grids, base map, the hub's health.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use model::Grid;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::state::AppState;

/// All grids of the caller's scope.
#[utoipa::path(get, path = "/api/v1/grids", tag = "town", responses(
    (status = 200, body = Vec<Grid>), (status = 401, body = ErrorBody)))]
pub async fn grids(State(state): State<Arc<AppState>>, caller: Caller) -> Json<Vec<Grid>> {
    Json(state.feed.grids().iter().filter(|grid| caller.sees_grid(&grid.id)).cloned().collect())
}

/// The base map as GeoJSON.
#[utoipa::path(get, path = "/api/v1/town.geojson", tag = "town", responses(
    (status = 200, description = "A FeatureCollection; empty when the town has no map", content_type = "application/geo+json"),
    (status = 401, body = ErrorBody)))]
pub async fn map(State(state): State<Arc<AppState>>, _caller: Caller) -> Result<Response, ApiError> {
    let text = match &state.map_file {
        Some(path) => tokio::fs::read(path).await.map_err(|error| {
            tracing::warn!(path = %path.display(), %error, "the base map cannot be read");
            ApiError::unavailable("the base map cannot be read")
        })?,
        None => br#"{"type":"FeatureCollection","features":[]}"#.to_vec(),
    };
    let headers = [(header::CONTENT_TYPE, "application/geo+json"), (header::CACHE_CONTROL, "private, max-age=300")];
    Ok((headers, text).into_response())
}

/// The hub's own state.
#[derive(Serialize, ToSchema)]
pub struct HubView {
    /// The version of the program.
    pub version: &'static str,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Whether storage takes writes.
    pub storage_ok: bool,
    /// Whether the disk is full.
    pub disk_full: bool,
    /// Queues, drops and links, as the pipeline last told.
    pub details: serde_json::Value,
}

/// How the hub itself is.
#[utoipa::path(get, path = "/api/v1/hub", tag = "town", responses(
    (status = 200, body = HubView), (status = 401, body = ErrorBody)))]
pub async fn hub(State(state): State<Arc<AppState>>, _caller: Caller) -> Json<HubView> {
    let (storage_ok, disk_full) = {
        let health = state.storage.health();
        let health = health.borrow();
        (health.ok, health.disk_full)
    };
    Json(HubView {
        version: env!("CARGO_PKG_VERSION"),
        uptime_s: state.started.elapsed().as_secs(),
        storage_ok,
        disk_full,
        details: (*state.feed.snapshot().hub).clone(),
    })
}
