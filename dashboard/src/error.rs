//! Errors as the API tells them: `{"error": {"code", "message", "details"?}}`.

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use command::{Refusal, RefusalCode};
use utoipa::ToSchema;

/// The body of every error.
#[derive(Debug, Clone, serde::Serialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Clone, serde::Serialize, ToSchema)]
pub struct ErrorDetail {
    /// For programs and translation.
    pub code: String,
    /// For people, in English.
    pub message: String,
    /// Further facts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
}

/// An error on its way to the caller.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after_s: Option<u64>,
    details: Option<serde_json::Value>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after_s: None, details: None }
    }

    /// 400: a field is wrong.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// 401: who are you?
    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "log in or send a valid token")
    }

    /// 401: wrong name or password.
    pub fn bad_credentials() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "bad_credentials", "the name or the password is wrong")
    }

    /// 403: you may not.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 403: a resident's camera; give a purpose first.
    pub fn break_glass_required() -> Self {
        let message = "a resident's camera is closed; open it with a purpose first";
        Self::new(StatusCode::FORBIDDEN, "break_glass_required", message)
    }

    /// 404, also for what the caller's scope hides.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("no such {what}"))
    }

    /// 422: a rule's text, or the rule files, have problems.
    pub fn bad_text(problems: &[alerting::lint::Finding]) -> Self {
        let first = problems.first().map_or_else(String::new, ToString::to_string);
        let error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_rules", first);
        Self { details: Some(serde_json::json!({ "problems": problems })), ..error }
    }

    /// 409: it is there already.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// 429: too many wrong passwords.
    pub fn locked_out(retry_after_s: u64) -> Self {
        let message = format!("too many wrong passwords; try again in {retry_after_s} s");
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "locked_out", message);
        Self { retry_after_s: Some(retry_after_s), ..error }
    }

    /// 503: something behind the API is not there.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }
}

impl ApiError {
    /// 503: no picture of the camera now, with the code that says why.
    pub fn no_still(code: &'static str, message: impl Into<String>) -> Self {
        Self { retry_after_s: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message) }
    }

    /// The code, for programs and translation.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The message, for people.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let wait = self.retry_after_s.map(|s| serde_json::json!({ "retry_after_s": s }));
        let details = self.details.or(wait);
        let body = ErrorBody { error: ErrorDetail { code: self.code.to_owned(), message: self.message, details } };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<storage::Error> for ApiError {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::Exists(_) => ApiError::conflict(error.to_string()),
            storage::Error::Missing(_) => Self::new(StatusCode::NOT_FOUND, "not_found", error.to_string()),
            storage::Error::Busy => {
                let busy = Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", error.to_string());
                Self { retry_after_s: Some(5), ..busy }
            }
            storage::Error::DiskFull => Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", error.to_string()),
            other => {
                tracing::error!(error = %other, "storage failed a request");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "storage_failed", "the hub could not read or write")
            }
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.code {
            RefusalCode::NotFound => StatusCode::NOT_FOUND,
            RefusalCode::NotAllowed => StatusCode::FORBIDDEN,
            RefusalCode::BadField | RefusalCode::ReasonRequired => StatusCode::BAD_REQUEST,
            RefusalCode::WrongStep | RefusalCode::AlreadyDone => StatusCode::CONFLICT,
            RefusalCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, refusal.code.as_str(), refusal.message)
    }
}

/// Errors that the framework makes of what it cannot read - a body that is no JSON, a query with an unknown key, a path
/// that is no route, a body too large - told in the same shape as all others.
pub(crate) async fn in_one_shape(request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let response = next.run(request).await;
    let status = response.status();
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if !is_api || is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let code = match status {
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
        StatusCode::REQUEST_TIMEOUT => "timeout",
        status if status.is_server_error() => "internal",
        _ => "bad_request",
    };
    let (mut parts, body) = response.into_parts();
    let text = axum::body::to_bytes(body, MAX_TOLD_BYTES).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let reason = status.canonical_reason().unwrap_or("error");
    let message = if text.trim().is_empty() { reason.to_lowercase() } else { text.trim().to_owned() };
    let told = ErrorBody { error: ErrorDetail { code: code.to_owned(), message, details: None } };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONTENT_TYPE);
    let mut answer = Json(told).into_response();
    for (name, value) in &parts.headers {
        answer.headers_mut().insert(name.clone(), value.clone());
    }
    *answer.status_mut() = status;
    answer
}

/// The most of the framework's words that is passed on.
const MAX_TOLD_BYTES: usize = 4_096;
