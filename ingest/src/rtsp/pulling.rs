//! What FFmpeg is asked for, and the way to its first word.

use std::future::poll_fn;
use std::time::Duration;

use model::status::Transport;
use tokio::time::timeout;
use video::{Pull, PullError, PullRequest, Pulled};

use super::config::SessionLimits;
use super::failure::{Failure, Phase, Reason};
use super::frames::Frames;
use super::plan::{Plan, Target};

/// Asked for with UDP; the kernel gives what `net.core.rmem_max` allows. A key frame of a large picture comes in one burst.
const UDP_BUFFER_BYTES: u32 = 4 << 20;

/// What FFmpeg's own limit may be late by.
const NAME_MARGIN: Duration = Duration::from_secs(2);

pub(super) fn request(target: &Target, plan: &Plan, transport: Transport, limits: &SessionLimits) -> PullRequest {
    let mut url = target.url.clone();
    if let Some(login) = &plan.credentials {
        // FFmpeg takes them nowhere else; it is told to log nothing, and the request shows no address.
        let set = url.set_username(&login.username).and_then(|()| url.set_password(Some(&login.password)));
        debug_assert!(set.is_ok(), "a target has a host");
    }
    let mut options = vec![
        ("rtsp_transport", transport.as_str().to_owned()),
        // Sound costs no picture.
        ("allowed_media_types", "video".to_owned()),
        ("user_agent", "gridward".to_owned()),
        // A camera's redirect leads to no file and no other protocol.
        ("protocol_whitelist", "rtsp,rtp,tcp,udp".to_owned()),
    ];
    if transport == Transport::Udp {
        options.push(("buffer_size", UDP_BUFFER_BYTES.to_string()));
    }
    PullRequest { url: url.into(), options, open_limit: limits.describe + limits.setup + limits.play }
}

/// Waits until the camera is open, within the time of the request.
pub(super) async fn opened(mut pull: Pull, limit: Duration) -> Result<Frames, Failure> {
    let first = poll_fn(|cx| pull.poll_next(cx));
    // FFmpeg keeps the limit by itself, but for the system's look-up of a name.
    let Ok(first) = timeout(limit + NAME_MARGIN, first).await else {
        return Err(Failure::from_pull(Phase::Describe, &PullError::OpenTimeout(limit)));
    };
    match first {
        Some(Ok(Pulled::Opened)) => Ok(Frames::Ffmpeg(pull)),
        Some(Err(error)) => Err(Failure::from_pull(Phase::Describe, &error)),
        Some(Ok(Pulled::Frame { .. })) | None => {
            Err(Failure::new(Phase::Describe, Reason::ConnectionClosed, "the camera closed the session"))
        }
    }
}
