//! Handlers, a module for each resource.

pub mod admin;
pub mod alarms;
pub mod backend;
pub mod connections;
pub mod emergency;
pub mod incidents;
pub mod kpis;
pub mod observations;
pub mod outages;
pub mod outbox;
pub mod rates;
pub mod rules;
pub mod session;
pub mod sources;
pub mod telling;
pub mod town;

use model::GridId;

use crate::access::Caller;
use crate::error::ApiError;
use crate::state::AppState;

/// The most items an answer holds.
const MAX_LIMIT: u32 = 1_000;

/// The limit as asked, within bounds.
fn limit_of(asked: Option<u32>, default: u32) -> Result<u32, ApiError> {
    match asked.unwrap_or(default) {
        limit @ 1..=MAX_LIMIT => Ok(limit),
        other => Err(ApiError::bad_request(format!("limit: found {other}, expected 1 to {MAX_LIMIT}"))),
    }
}

/// The grids a filter names with all inside them, or none without a filter; a grid that is not known is an error.
fn grids_of(state: &AppState, grid: Option<&str>) -> Result<Option<std::collections::HashSet<GridId>>, ApiError> {
    let Some(grid) = grid else { return Ok(None) };
    if !state.feed.grids().iter().any(|known| known.id.as_str() == grid) {
        return Err(ApiError::bad_request(format!("grid: {grid:?} is not known")));
    }
    Ok(Some(state.feed.grids_within(&[GridId::new(grid)])))
}

/// A source that the caller may know of.
fn source_for(state: &AppState, caller: &Caller, id: &str) -> Result<std::sync::Arc<model::Source>, ApiError> {
    let source = state.feed.sources().get(id).cloned();
    source.filter(|source| caller.sees(source)).ok_or_else(|| ApiError::not_found("source"))
}
