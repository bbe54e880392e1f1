//! Audit, dead letters, users and tokens.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use model::{LogBody, LogEntry, Right, Role, Scope, SourceId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use storage::AuditFilter;
use utoipa::{IntoParams, ToSchema};

use super::limit_of;
use super::session::{MAX_PASSWORD_BYTES, UserView};
use crate::access::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::state::AppState;

/// Which audit rows; all that are given must match.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// `live.view`, or `live` for all of it.
    action: Option<String>,
    subject: Option<String>,
    /// The user's or token's name.
    actor: Option<String>,
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// 1 to 1,000; 100 without.
    limit: Option<u32>,
    /// The last answer's `next_cursor`.
    cursor: Option<i64>,
}

/// A page of audit rows.
#[derive(Serialize, ToSchema)]
pub struct AuditPage {
    /// The newest first.
    pub items: Vec<LogEntry>,
    /// Where the next page begins; none on the last.
    pub next_cursor: Option<i64>,
}

/// Who looked, logged in, or changed what the hub is. For leads and administrators; with a scope, only rows about sources
/// in it and about oneself.
#[utoipa::path(get, path = "/api/v1/audit", tag = "administration", params(AuditQuery), responses(
    (status = 200, body = AuditPage), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn audit(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Query(query): Query<AuditQuery>,
) -> Result<Json<AuditPage>, ApiError> {
    caller.need(Right::Lead)?;
    let limit = limit_of(query.limit, 100)?;
    let filter = AuditFilter {
        action: query.action,
        subject: query.subject,
        actor: query.actor,
        from: query.from,
        to: query.to,
        before: query.cursor,
    };
    let mut page = AuditPage { items: Vec::new(), next_cursor: None };
    let mut filter = filter;
    for _ in 0..MAX_PAGES_LOOKED_AT {
        let rows = state.storage.log().audit(&filter, limit).await?;
        let is_last = rows.len() < limit as usize;
        let room = limit as usize - page.items.len();
        let mut seen = rows.into_iter().filter(|row| {
            filter.before = Some(row.seq);
            sees_row(&state, &caller, row)
        });
        page.items.extend(seen.by_ref().take(room));
        if page.items.len() == limit as usize {
            page.next_cursor = page.items.last().map(|entry| entry.seq);
            return Ok(Json(page));
        }
        if is_last {
            return Ok(Json(page));
        }
    }
    // A narrow scope in a long log: what was found so far, and where to go on.
    page.next_cursor = filter.before;
    Ok(Json(page))
}

/// Pages of the log that one question looks through for a caller whose scope hides most rows.
const MAX_PAGES_LOOKED_AT: usize = 20;

/// A caller with a scope sees what happened to sources in it, and what they did themselves.
fn sees_row(state: &AppState, caller: &Caller, row: &LogEntry) -> bool {
    if !caller.is_limited() || row.actor == caller.actor() {
        return true;
    }
    let LogBody::Audit(audit) = &row.body else { return false };
    state.feed.sources().get(audit.subject.as_str()).is_some_and(|source| caller.sees(source))
}

/// Which dead letters.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeadLetterQuery {
    /// 1 to 1,000; 100 without.
    limit: Option<u32>,
    /// The last answer's `next_cursor`.
    cursor: Option<i64>,
}

/// A message that could not be decoded.
#[derive(Serialize, ToSchema)]
pub struct DeadLetterView {
    /// Its number.
    pub id: i64,
    /// When it came.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// From which broker.
    pub broker: String,
    /// Under which topic.
    pub topic: String,
    /// From which source, when the topic names one.
    pub source: Option<String>,
    /// Why it could not be decoded.
    pub reason: String,
    /// The first bytes as text; what is no UTF-8 is shown as the replacement character.
    pub payload_text: String,
    /// The whole payload's length.
    pub payload_bytes: u64,
}

/// A page of dead letters.
#[derive(Serialize, ToSchema)]
pub struct DeadLetterPage {
    /// The newest first.
    pub items: Vec<DeadLetterView>,
    /// Where the next page begins; none on the last.
    pub next_cursor: Option<i64>,
    /// How many are kept, in and out of the caller's scope.
    pub total: u64,
}

/// Messages that could not be decoded. For administrators.
#[utoipa::path(get, path = "/api/v1/dead-letters", tag = "administration", params(DeadLetterQuery), responses(
    (status = 200, body = DeadLetterPage), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn dead_letters(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Query(query): Query<DeadLetterQuery>,
) -> Result<Json<DeadLetterPage>, ApiError> {
    caller.need(Right::Administer)?;
    let limit = limit_of(query.limit, 100)?;
    let rows = state.storage.dead_letters().list(query.cursor, limit).await?;
    let next_cursor = if rows.len() == limit as usize { rows.last().map(|row| row.id) } else { None };
    let sources = state.feed.sources();
    let sees = |id: &Option<SourceId>| {
        !caller.is_limited() || id.as_ref().and_then(|id| sources.get(id)).is_some_and(|source| caller.sees(source))
    };
    let items = rows
        .into_iter()
        .filter(|row| sees(&row.letter.source))
        .map(|row| DeadLetterView {
            id: row.id,
            at: row.letter.at,
            broker: row.letter.broker,
            topic: row.letter.topic,
            source: row.letter.source.map(|id| id.to_string()),
            reason: row.letter.reason,
            payload_text: String::from_utf8_lossy(&row.letter.payload_head).into_owned(),
            payload_bytes: row.letter.payload_bytes,
        })
        .collect();
    Ok(Json(DeadLetterPage { items, next_cursor, total: state.storage.dead_letters().count().await? }))
}

/// All people. For administrators.
#[utoipa::path(get, path = "/api/v1/users", tag = "administration", responses(
    (status = 200, body = Vec<UserView>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn users(State(state): State<Arc<AppState>>, caller: Caller) -> Result<Json<Vec<UserView>>, ApiError> {
    caller.need(Right::Administer)?;
    let users = state.storage.users().list().await?;
    let users = users.into_iter().filter(|user| caller.may_grant(&user.scope));
    Ok(Json(users.map(|u| UserView { name: u.name, role: u.role, scope: u.scope }).collect()))
}

/// Who can be sent: people with the role responder.
#[utoipa::path(get, path = "/api/v1/responders", tag = "incidents", responses(
    (status = 200, body = Vec<String>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn responders(State(state): State<Arc<AppState>>, caller: Caller) -> Result<Json<Vec<String>>, ApiError> {
    caller.need(Right::Operate)?;
    let users = state.storage.users().list().await?;
    Ok(Json(users.into_iter().filter(|u| u.role == Role::Responder).map(|u| u.name.to_string()).collect()))
}

/// A new person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    name: String,
    password: String,
    role: Role,
    #[serde(default)]
    scope: Scope,
}

/// Adds a person. For administrators.
#[utoipa::path(post, path = "/api/v1/users", tag = "administration", request_body = NewUser, responses(
    (status = 201, description = "Added"), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 409, body = ErrorBody)))]
pub async fn add_user(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Json(new): Json<NewUser>,
) -> Result<StatusCode, ApiError> {
    caller.need(Right::Administer)?;
    let name = name_of(&new.name)?;
    if new.password.chars().count() < storage::MIN_PASSWORD_CHARS {
        let least = storage::MIN_PASSWORD_CHARS;
        return Err(ApiError::bad_request(format!("password: expected at least {least} characters")));
    }
    if new.password.len() > MAX_PASSWORD_BYTES {
        return Err(ApiError::bad_request(format!("password: expected at most {MAX_PASSWORD_BYTES} bytes")));
    }
    known_grids(&state, &new.scope)?;
    may_grant(&caller, &new.scope)?;
    state.storage.users().add(&name, &new.password, new.role, &new.scope).await?;
    let detail = serde_json::json!({ "role": new.role, "scope": new.scope });
    state.audit(caller.actor(), "user.add", name.as_str(), None, detail).await?;
    Ok(StatusCode::CREATED)
}

/// Removes a person and ends their sessions. For administrators.
#[utoipa::path(delete, path = "/api/v1/users/{name}", tag = "administration", params(("name" = String, Path)), responses(
    (status = 204, description = "Removed"), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn remove_user(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    caller.need(Right::Administer)?;
    if caller.name.as_str() == name {
        return Err(ApiError::bad_request("you cannot remove yourself"));
    }
    let known = state.storage.users().get(&name).await?;
    if known.is_none_or(|user| !caller.may_grant(&user.scope)) {
        return Err(ApiError::not_found("user"));
    }
    state.storage.users().remove(&name).await?;
    state.audit(caller.actor(), "user.remove", &name, None, serde_json::Value::Null).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A token without its secret.
#[derive(Serialize, ToSchema)]
pub struct TokenView {
    /// Its name.
    pub id: String,
    /// The role.
    pub role: Role,
    /// Which part of the town.
    pub scope: Scope,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
}

/// All tokens. For administrators.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "administration", responses(
    (status = 200, body = Vec<TokenView>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub async fn tokens(State(state): State<Arc<AppState>>, caller: Caller) -> Result<Json<Vec<TokenView>>, ApiError> {
    caller.need(Right::Administer)?;
    let tokens = state.storage.users().tokens().await?;
    let view = |t: storage::TokenInfo| TokenView {
        id: t.id.to_string(),
        role: t.role,
        scope: t.scope,
        created_at: t.created_at,
        last_used_at: t.last_used_at,
    };
    Ok(Json(tokens.into_iter().filter(|token| caller.may_grant(&token.scope)).map(view).collect()))
}

/// A new token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTokenBody {
    id: String,
    role: Role,
    #[serde(default)]
    scope: Scope,
}

/// A token's secret, told once.
#[derive(Serialize, ToSchema)]
pub struct TokenSecret {
    /// Its name.
    pub id: String,
    /// What to send as `Authorization: Bearer`.
    pub token: String,
}

/// Makes a token. For administrators.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "administration", request_body = NewTokenBody, responses(
    (status = 201, body = TokenSecret), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 409, body = ErrorBody)))]
pub async fn create_token(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Json(new): Json<NewTokenBody>,
) -> Result<(StatusCode, Json<TokenSecret>), ApiError> {
    caller.need(Right::Administer)?;
    let id = name_of(&new.id)?;
    known_grids(&state, &new.scope)?;
    may_grant(&caller, &new.scope)?;
    let token = state.storage.users().create_token(&id, new.role, &new.scope).await?;
    let detail = serde_json::json!({ "role": new.role, "scope": new.scope });
    state.audit(caller.actor(), "token.create", id.as_str(), None, detail).await?;
    Ok((StatusCode::CREATED, Json(TokenSecret { id: id.to_string(), token: token.secret })))
}

/// Takes a token back. For administrators.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "administration", params(("id" = String, Path)), responses(
    (status = 204, description = "Revoked"), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn revoke_token(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    caller.need(Right::Administer)?;
    let known = state.storage.users().tokens().await?.into_iter().find(|token| token.id.as_str() == id);
    if known.is_none_or(|token| !caller.may_grant(&token.scope)) {
        return Err(ApiError::not_found("token"));
    }
    state.storage.users().revoke_token(&id).await?;
    state.audit(caller.actor(), "token.revoke", &id, None, serde_json::Value::Null).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn name_of(text: &str) -> Result<UserId, ApiError> {
    UserId::parse(text).map_err(|error| ApiError::bad_request(format!("name: {error}")))
}

fn may_grant(caller: &Caller, scope: &Scope) -> Result<(), ApiError> {
    if caller.may_grant(scope) { Ok(()) } else { Err(ApiError::forbidden("the scope goes beyond your own")) }
}

fn known_grids(state: &AppState, scope: &Scope) -> Result<(), ApiError> {
    let grids = state.feed.grids();
    match scope.grids.iter().find(|id| !grids.iter().any(|grid| grid.id == **id)) {
        Some(unknown) => Err(ApiError::bad_request(format!("scope: grid {:?} is not known", unknown.as_str()))),
        None => Ok(()),
    }
}
