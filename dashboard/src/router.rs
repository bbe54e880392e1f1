//! The one list of routes; the OpenAPI document is made from it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::routing::{any, get};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::AppState;
use crate::{assets, events, live, routes as r};

/// Bodies are JSON of a few hundred bytes; a note has at most 4,000 characters.
const MAX_BODY_BYTES: usize = 256 * 1024;

#[derive(OpenApi)]
#[openapi(info(
    title = "Gridward",
    description = "The command hub of a town. Times are RFC 3339 in UTC. Log in with POST /api/v1/session, or send \
                   `Authorization: Bearer TOKEN`; a change with the session's cookie needs the header `X-Gridward: 1`."
))]
struct Document;

/// The OpenAPI document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, document) = api().split_for_parts();
    document
}

fn api() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(r::session::log_in, r::session::who_am_i, r::session::log_out))
        .routes(routes!(r::sources::list))
        .routes(routes!(r::sources::one))
        .routes(routes!(r::sources::break_glass))
        .routes(routes!(r::sources::snapshot))
        .routes(routes!(r::backend::choose))
        .routes(routes!(r::connections::show))
        .routes(routes!(r::rates::show))
        .routes(routes!(r::outages::list))
        .routes(routes!(r::town::grids))
        .routes(routes!(r::town::map))
        .routes(routes!(r::observations::list))
        .routes(routes!(r::alarms::list))
        .routes(routes!(r::alarms::acknowledge))
        .routes(routes!(r::alarms::shelve))
        .routes(routes!(r::alarms::unshelve))
        .routes(routes!(r::kpis::show))
        .routes(routes!(r::kpis::csv))
        .routes(routes!(r::incidents::list, r::incidents::report))
        .routes(routes!(r::incidents::one))
        .routes(routes!(r::incidents::cameras))
        .routes(routes!(r::incidents::step))
        .routes(routes!(r::admin::audit))
        .routes(routes!(r::rules::rules))
        .routes(routes!(r::rules::reload))
        .routes(routes!(r::rules::check))
        .routes(routes!(r::rules::backtest))
        .routes(routes!(r::rules::backtests))
        .routes(routes!(r::rules::backtest_job, r::rules::cancel_backtest))
        .routes(routes!(r::rules::one, r::rules::write))
        .routes(routes!(r::rules::set_status))
        .routes(routes!(r::rules::explain))
        .routes(routes!(r::rules::shadow))
        .routes(routes!(r::admin::dead_letters))
        .routes(routes!(r::admin::users, r::admin::add_user))
        .routes(routes!(r::admin::remove_user))
        .routes(routes!(r::admin::tokens, r::admin::create_token))
        .routes(routes!(r::admin::revoke_token))
        .routes(routes!(r::admin::responders))
        .routes(routes!(r::outbox::notifications))
        .routes(routes!(r::outbox::list))
        .routes(routes!(r::outbox::retry))
        .routes(routes!(r::telling::roster))
        .routes(routes!(r::telling::routes))
        .routes(routes!(r::telling::test))
        .routes(routes!(r::town::hub))
        .routes(routes!(r::emergency::current, r::emergency::begin, r::emergency::end))
}

/// The whole server, and its document.
pub(crate) fn build(state: Arc<AppState>) -> (Router, utoipa::openapi::OpenApi) {
    let (api, document) = api().split_for_parts();
    let shown = document.clone();
    let router = api
        .route("/api/v1/events", any(events::socket))
        .route("/api/v1/live", any(live::socket))
        .route("/api/openapi.json", get(move || async move { axum::Json(shown) }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(get(assets::serve))
        .with_state(state)
        .layer(RequestBodyLimitLayer::new(MAX_BODY_BYTES))
        .layer(axum::middleware::from_fn(crate::error::in_one_shape))
        .layer(tower_http::timeout::TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            Duration::from_secs(30),
        ))
        .layer(tower_http::compression::CompressionLayer::new());
    (with_security_headers(router), document)
}

fn with_security_headers(router: Router) -> Router {
    let fixed = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; \
             connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    fixed.into_iter().fold(router, |router, (name, value)| {
        router.layer(SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value)))
    })
}

async fn ready(State(state): State<Arc<AppState>>) -> (StatusCode, &'static str) {
    if state.storage.health().borrow().ok {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "storage does not take writes\n")
    }
}

async fn metrics(State(state): State<Arc<AppState>>) -> String {
    let all = state.feed.leading();
    let pairs = || all.iter().map(|(source, status)| (&**source, status.as_deref()));
    let (counts, owners) = (state.feed.state_counts(), crate::rates::by_owner(pairs()));
    for kind in [model::Kind::Camera, model::Kind::Sensor] {
        let kind_text = if kind == model::Kind::Camera { "camera" } else { "sensor" };
        for found in model::SourceState::ALL {
            let count = counts.get(&(kind, found)).copied().unwrap_or(0);
            metrics::gauge!("gridward_sources", "kind" => kind_text, "state" => found.as_str()).set(count as f64);
        }
    }
    for kind in [model::Kind::Camera, model::Kind::Sensor] {
        let kind_text = if kind == model::Kind::Camera { "camera" } else { "sensor" };
        for owner in model::Owner::ALL {
            for standing in model::Standing::ALL {
                let count = owners.get(&(kind, owner)).map_or(0, |tally| tally.of(standing));
                let labels = [("kind", kind_text), ("owner", owner.as_str()), ("standing", standing.as_str())];
                metrics::gauge!("gridward_sources_by_owner", &labels).set(count as f64);
            }
        }
    }
    metrics::gauge!("gridward_cameras_clock_off").set(state.feed.clocks_off() as f64);
    for (cause, count) in r::outages::group_counts(&state) {
        metrics::gauge!("gridward_outage_groups", "cause" => cause).set(count as f64);
    }
    metrics::gauge!("gridward_incidents_open").set(state.feed.snapshot().incidents.len() as f64);
    state.metrics.render()
}
