//! `/api/v1/live`: live video of many cameras over one WebSocket; docs/live.md is its contract.
//!
//! A tile reads its ring at its own pace, and the ring is its queue: a viewer who falls 2 s behind is moved to the newest
//! key frame and told. So a slow viewer costs nobody anything. Nothing is transcoded; the fragments are built once for
//! all. Does not belong here: rings and fragments (`video`), how the browser plays (`web/src/live`).

mod pull;
mod session;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::Response;

use crate::access::Caller;
use crate::error::ApiError;
use crate::state::AppState;
use session::Session;

/// Sockets open at a time; a desk has a few, a phone one.
const SOCKETS_MAX: usize = 1_000;
/// The largest message a client may send: 64 subscriptions have about 8 KB.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// What is wrong with a client's message, for the fuzz target.
#[cfg(feature = "fuzzing")]
pub(crate) fn check_message(text: &str) -> Result<(), String> {
    wire::read(text).map(drop)
}

/// How many live sockets are open.
#[derive(Default)]
pub struct Sockets(AtomicUsize);

/// One of them, while it lives.
struct Place(Arc<AppState>);

impl Place {
    fn take(state: &Arc<AppState>) -> Option<Self> {
        let taken =
            state.live.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < SOCKETS_MAX).then_some(n + 1));
        taken.ok().map(|_| {
            metrics::gauge!("gridward_live_sockets").increment(1.0);
            Self(Arc::clone(state))
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.live.0.fetch_sub(1, Ordering::Relaxed);
        metrics::gauge!("gridward_live_sockets").decrement(1.0);
    }
}

/// Upgrades to the socket; needs a log-in or token like any request.
pub async fn socket(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let Some(place) = Place::take(&state) else {
        metrics::counter!("gridward_live_sockets_refused_total").increment(1);
        return Err(ApiError::unavailable(format!("{SOCKETS_MAX} live sockets are open already")));
    };
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let _place = place;
        Session::new(state, caller).run(socket).await;
    }))
}
