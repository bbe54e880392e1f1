//! The one place where it is decided who may see and do what.
//!
//! Every handler takes a [`Caller`]; every list, socket, still and stream asks it about each thing it shows. Does not
//! belong here: which step of the case flow an incident may take (`command`).

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Method, header};
use jiff::SignedDuration;
use model::{Actor, Alarm, GridId, Kind, Owner, Right, Role, Scope, Source, SourceId, Timestamp, UserId};

use crate::error::ApiError;
use crate::state::AppState;

/// The name of the session cookie.
pub const COOKIE: &str = "gridward_session";

/// How long a socket may go on after its log-in has ended, its token was taken back, or its scope changed.
pub const RECHECK: std::time::Duration = std::time::Duration::from_secs(15);

/// Whoever makes a request, with what they may see.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The user's or token's name.
    pub name: UserId,
    /// The role.
    pub role: Role,
    /// The scope as it was given.
    pub scope: Scope,
    /// All grids of the scope; none for no limit.
    grids: Option<Arc<HashSet<GridId>>>,
    proof: Proof,
}

/// What the caller has shown, to be looked at again while a socket stays open. Never printed.
#[derive(Clone)]
enum Proof {
    Session(Arc<str>),
    Token(Arc<str>),
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Proof::Session(_) => "Session",
            Proof::Token(_) => "Token",
        })
    }
}

impl Caller {
    fn new(state: &AppState, name: UserId, role: Role, scope: Scope, proof: Proof) -> Self {
        let grids = (!scope.grids.is_empty()).then(|| Arc::new(state.feed.grids_within(&scope.grids)));
        Self { name, role, scope, grids, proof }
    }

    /// The caller as the hub knows it now; none when the session has ended or the token was taken back. A socket that
    /// stays open asks this every [`RECHECK`].
    pub async fn again(&self, state: &AppState) -> Result<Option<Self>, ApiError> {
        let (now, users) = (Timestamp::now(), state.storage.users());
        let (name, role, scope) = match &self.proof {
            Proof::Session(key) => match users.session(key, now).await? {
                Some((user, _)) => (user.name, user.role, user.scope),
                None => return Ok(None),
            },
            Proof::Token(secret) => match users.token(secret, now).await? {
                Some(token) => (token.id, token.role, token.scope),
                None => return Ok(None),
            },
        };
        Ok(Some(Self::new(state, name, role, scope, self.proof.clone())))
    }

    /// As the log names the caller.
    pub fn actor(&self) -> Actor {
        Actor::User(self.name.clone())
    }

    /// An error unless the role has the right.
    pub fn need(&self, right: Right) -> Result<(), ApiError> {
        if self.role.has(right) {
            Ok(())
        } else {
            Err(ApiError::forbidden(format!("a {} may not do this", self.role.as_str())))
        }
    }

    /// Whether incidents and alarms of this grid are in the scope.
    pub fn sees_grid(&self, grid: &GridId) -> bool {
        self.grids.as_ref().is_none_or(|grids| grids.contains(grid))
    }

    /// Whether the scope leaves anything out.
    pub fn is_limited(&self) -> bool {
        !self.scope.grids.is_empty() || !self.scope.owners.is_empty()
    }

    /// Whether the caller may give (or take) this scope: nobody hands out more than they have.
    pub fn may_grant(&self, scope: &Scope) -> bool {
        let grids = self.grids.is_none() || (!scope.grids.is_empty() && scope.grids.iter().all(|g| self.sees_grid(g)));
        let mine = &self.scope.owners;
        let owners = mine.is_empty() || (!scope.owners.is_empty() && scope.owners.iter().all(|o| mine.contains(o)));
        grids && owners
    }

    /// Whether the source is in the scope, by grid and owner.
    pub fn sees(&self, source: &Source) -> bool {
        let owned = self.scope.owners.is_empty() || self.scope.owners.contains(&source.owner);
        owned && self.sees_grid(&source.grid)
    }

    /// Whether the alarm is in the scope: by its grid, and by its source's owner.
    pub fn sees_alarm(&self, sources: &BTreeMap<SourceId, Arc<Source>>, alarm: &Alarm) -> bool {
        let owned = self.scope.owners.is_empty() || sources.get(&alarm.source).is_some_and(|source| self.sees(source));
        owned && self.sees_grid(&alarm.grid)
    }

    /// Whether the caller may have the camera's pictures now. A resident's camera is closed until the caller has given
    /// a purpose. Outside the scope it is as if the camera did not exist.
    pub fn may_watch(&self, state: &AppState, source: &Source, now: Timestamp) -> Result<(), ApiError> {
        self.need(Right::Watch)?;
        if !self.sees(source) || source.kind != Kind::Camera {
            return Err(ApiError::not_found("camera"));
        }
        if source.owner == Owner::Resident && !state.grants.is_open(&self.name, &source.id, now) {
            return Err(ApiError::break_glass_required());
        }
        Ok(())
    }
}

impl FromRequestParts<Arc<AppState>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<AppState>) -> Result<Self, ApiError> {
        let now = Timestamp::now();
        if let Some(secret) = bearer(parts) {
            let token = state.storage.users().token(secret, now).await?.ok_or_else(ApiError::unauthenticated)?;
            return Ok(Caller::new(state, token.id, token.role, token.scope, Proof::Token(secret.into())));
        }
        let key = cookie(parts).ok_or_else(ApiError::unauthenticated)?;
        same_origin(parts)?;
        let users = state.storage.users();
        let (user, expires) = users.session(key, now).await?.ok_or_else(ApiError::unauthenticated)?;
        let length = SignedDuration::from_hours(i64::from(state.config.session_hours));
        // The end slides, but is written at most once in a twelfth of its length.
        if expires.duration_since(now) < length * 11 / 12 {
            let moved = users.extend_session(key, now.saturating_add(length).unwrap_or(expires)).await;
            // With a full disk people still see the town; the end is moved at a later request.
            moved.unwrap_or_else(|error| tracing::debug!(%error, "a session could not be extended"));
        }
        Ok(Caller::new(state, user.name, user.role, user.scope, Proof::Session(key.into())))
    }
}

/// The secret in `Authorization: Bearer SECRET`.
fn bearer(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

/// The session key in the cookie header.
pub fn cookie(parts: &Parts) -> Option<&str> {
    parts
        .headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// A browser sends the cookie for whoever asks; so a change wants the header that only our own page can set, and a
/// change or a socket wants the page's origin to be ours.
fn same_origin(parts: &Parts) -> Result<(), ApiError> {
    let changes = !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if changes && !parts.headers.contains_key("x-gridward") {
        return Err(ApiError::forbidden("a change needs the header X-Gridward"));
    }
    let upgrades = parts.headers.contains_key(header::UPGRADE);
    let origin = parts.headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    if let (true, Some(origin)) = (changes || upgrades, origin) {
        let host = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let theirs = origin.split_once("://").map_or(origin, |(_, rest)| rest);
        if theirs != host {
            return Err(ApiError::forbidden("the request comes from another site"));
        }
    }
    Ok(())
}
