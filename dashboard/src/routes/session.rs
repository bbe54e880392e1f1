//! Logging in and out.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use jiff::SignedDuration;
use model::{Actor, Role, Scope, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use storage::Lockout;
use utoipa::ToSchema;

use crate::access::{self, COOKIE, Caller};
use crate::error::{ApiError, ErrorBody};
use crate::state::AppState;

/// Longer passwords are nobody's; hashing them costs time.
pub const MAX_PASSWORD_BYTES: usize = 1_024;

/// A name and a password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    username: String,
    password: String,
}

/// Who is logged in.
#[derive(Serialize, ToSchema)]
pub struct SessionView {
    /// Who.
    pub user: UserView,
    /// When the log-in ends without a further request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// The town's name.
    pub town: String,
}

/// A person or token as the API shows it.
#[derive(Serialize, ToSchema)]
pub struct UserView {
    /// The name.
    pub name: UserId,
    /// The role.
    pub role: Role,
    /// Which part of the town.
    pub scope: Scope,
}

/// Begins a session.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = LogIn, responses(
    (status = 200, description = "Logged in; the cookie `gridward_session` is set", body = SessionView),
    (status = 401, description = "`bad_credentials`", body = ErrorBody),
    (status = 429, description = "`locked_out`: the name or the address, with Retry-After", body = ErrorBody)))]
pub async fn log_in(
    State(state): State<Arc<AppState>>,
    extensions: Extensions,
    Json(given): Json<LogIn>,
) -> Result<(HeaderMap, Json<SessionView>), ApiError> {
    let now = Timestamp::now();
    let users = state.storage.users();
    // Names that nobody can have are not worth a row in the audit.
    if UserId::parse(&given.username).is_err() || given.password.len() > MAX_PASSWORD_BYTES {
        return Err(ApiError::bad_credentials());
    }
    let peer = extensions.get::<ConnectInfo<SocketAddr>>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |c| c.0.ip());
    let told = |lockout: Lockout| ApiError::locked_out(lockout.retry_after_s);
    if let Some(lockout) = users.lockout(&given.username, now).await? {
        return Err(told(lockout));
    }
    if let Err(wait) = state.gate.take(peer, Instant::now()) {
        metrics::counter!("gridward_logins_refused_total").increment(1);
        return Err(ApiError::locked_out(wait.as_secs().max(1)));
    }
    let checked = users.check(&given.username, &given.password).await?;
    // Asked again: of a hundred guesses sent at once, those after the fifth get no answer, right or wrong.
    let locked = users.lockout(&given.username, now).await?;
    let user = match (checked, locked) {
        (Some(user), None) => user,
        (_, Some(lockout)) => return Err(told(lockout)),
        (None, None) => {
            users.note_failure(&given.username, now).await?;
            let nothing = serde_json::Value::Null;
            state.audit(Actor::Hub, "session.refused", &given.username, None, nothing).await?;
            metrics::counter!("gridward_logins_refused_total").increment(1);
            let locked = users.lockout(&given.username, now).await?;
            return Err(locked.map_or_else(ApiError::bad_credentials, told));
        }
    };
    state.gate.give_back(peer);
    users.note_success(&given.username).await?;
    let length = SignedDuration::from_hours(i64::from(state.config.session_hours));
    let expires = now.saturating_add(length).unwrap_or(now);
    let key = users.begin_session(&user.name, expires).await?;
    let actor = Actor::User(user.name.clone());
    state.audit(actor, "session.login", user.name.as_str(), None, serde_json::Value::Null).await?;
    let headers = set_cookie(&state, &key, length.as_secs());
    let view = SessionView {
        user: UserView { name: user.name, role: user.role, scope: user.scope },
        expires_at: Some(expires),
        town: state.config.town_name.clone(),
    };
    Ok((headers, Json(view)))
}

/// Who am I?
#[utoipa::path(get, path = "/api/v1/session", tag = "session", responses(
    (status = 200, body = SessionView), (status = 401, description = "Not logged in", body = ErrorBody)))]
pub async fn who_am_i(State(state): State<Arc<AppState>>, caller: Caller) -> Json<SessionView> {
    Json(SessionView {
        user: UserView { name: caller.name, role: caller.role, scope: caller.scope },
        expires_at: None,
        town: state.config.town_name.clone(),
    })
}

/// Ends the session.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", responses(
    (status = 204, description = "Logged out"), (status = 401, description = "Not logged in", body = ErrorBody)))]
pub async fn log_out(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    parts: Parts,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    if let Some(key) = access::cookie(&parts) {
        state.storage.users().end_session(key).await?;
    }
    state.audit(caller.actor(), "session.logout", caller.name.as_str(), None, serde_json::Value::Null).await?;
    Ok((StatusCode::NO_CONTENT, set_cookie(&state, "", 0)))
}

fn set_cookie(state: &AppState, key: &str, max_age_s: i64) -> HeaderMap {
    let secure = if state.config.secure_cookies { "; Secure" } else { "" };
    let text = format!("{COOKIE}={key}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age_s}{secure}");
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(header::SET_COOKIE, value);
    }
    headers
}
