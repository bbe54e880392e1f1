//! Takes connections, and bounds what those cost who say nothing.
//!
//! Belongs here: sockets, their limits in number and time. Does not belong here: what is asked and answered (`router`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use metrics::{counter, gauge};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections at a time that have not become sockets; beyond it the next ones wait to be accepted. Without a limit
/// anybody could use up the files that cameras and databases need.
const CONNECTIONS_MAX: usize = 4_096;

/// How long a request's head may take, and how long a connection may lie idle before its next request.
const HEAD_TIME_MAX: Duration = Duration::from_secs(20);

/// How long the other side may leave bytes unacknowledged, or its window closed, before it counts as gone. The live
/// socket drops a slow viewer's frames long before.
const UNREAD_TIME_MAX: Duration = Duration::from_secs(60);

/// After this long without a byte the other side is asked whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Bytes that the kernel takes for one connection beyond what is on the wire. More would hide from us that a viewer is
/// slow: the default of megabytes holds minutes of video.
const UNSENT_BYTES_MAX: u32 = 128 * 1024;

/// Serves until `token` is cancelled; then requests that have begun are answered.
pub(crate) async fn serve(listener: TcpListener, app: Router, token: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = token.cancelled() => break,
        };
        // Never closed.
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = token.cancelled() => break,
        };
        // Those that have ended are let go of here, at most as many as there are places.
        while connections.try_join_next().is_some() {}
        gauge!("gridward_http_connections").set((CONNECTIONS_MAX - places.available_permits()) as f64);
        match accepted {
            Ok((stream, peer)) => {
                tune(&stream);
                let (app, token) = (app.clone(), token.clone());
                connections.spawn(async move {
                    connection(stream, peer, app, token).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of files, most likely: wait for some to come back.
                counter!("gridward_http_accept_errors_total").increment(1);
                tracing::warn!(%error, "the server cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, peer: SocketAddr, app: Router, token: CancellationToken) {
    let service = TowerToHyperService::new(app);
    let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        hyper::service::Service::call(&service, request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = token.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // The other side's doing: a broken request, or none in time.
        tracing::debug!(%peer, %error, "a connection ended");
    }
}

/// Frames leave at once, and a slow or lost reader is noticed early.
fn tune(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let tuned = socket
        .set_tcp_nodelay(true)
        .and_then(|()| socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX))
        .and_then(|()| socket.set_tcp_user_timeout(Some(UNREAD_TIME_MAX)))
        .and_then(|()| socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE)));
    if let Err(error) = tuned {
        tracing::debug!(%error, "a connection could not be tuned");
    }
}
