//! Why a session ended: the phase it was in and a stable reason code that the console translates.

use std::io;
use std::time::Duration;

use model::SourceState;
use video::PullError;

use super::attempts::{Attempt, ffmpeg_may_take};

/// Where a session stood when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Connect,
    Describe,
    Setup,
    Play,
    /// From PLAY to the first key frame.
    FirstFrame,
    Stream,
}

impl Phase {
    /// The name in logs and metric labels.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Phase::Connect => "connect",
            Phase::Describe => "describe",
            Phase::Setup => "setup",
            Phase::Play => "play",
            Phase::FirstFrame => "first_frame",
            Phase::Stream => "stream",
        }
    }
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The URL of the source cannot be used.
    BadUrl,
    ConnectRefused,
    ConnectTimeout,
    HostUnreachable,
    /// The name of the host has no address.
    NameNotFound,
    ConnectFailed,
    /// RTSPS: no TLS with the camera, or not the certificate that is trusted.
    TlsFailed,
    DescribeTimeout,
    SetupTimeout,
    PlayTimeout,
    /// The camera refuses the credentials, or asks for some and has none.
    AuthFailed,
    /// Credentials that were good for DESCRIBE are not any more: the camera's nonce ran out.
    NonceExpired,
    NotFound,
    /// The camera or recorder serves no further session now.
    SessionLimit,
    /// The camera does not know the session any more.
    SessionLost,
    TransportRefused,
    /// UDP was agreed, and no packet comes by it.
    UdpSilent,
    /// Too many packets are lost on UDP.
    UdpLoss,
    /// The camera needs FFmpeg, and all places of it are taken.
    BackendFull,
    /// The camera is to be read by FFmpeg, and this hub has none.
    NoBackend,
    /// Any other refusal.
    Refused,
    /// The description cannot be understood.
    BadDescription,
    NoVideo,
    UnsupportedCodec,
    /// No frame within the limit.
    NoFrames,
    /// Frames, but none to begin at.
    NoKeyFrame,
    ConnectionClosed,
    ConnectionLost,
    KeepaliveTimeout,
    /// What arrives is no RTSP.
    ProtocolError,
    /// Too many errors within the stream.
    StreamErrors,
    /// Not pulled: the limit on sessions is used up by stronger claims.
    Shed,
    /// A defect in the hub or a library; the log has it.
    Internal,
}

impl Reason {
    /// The code in the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Reason::BadUrl => "bad_url",
            Reason::ConnectRefused => "connect_refused",
            Reason::ConnectTimeout => "connect_timeout",
            Reason::HostUnreachable => "host_unreachable",
            Reason::NameNotFound => "name_not_found",
            Reason::ConnectFailed => "connect_failed",
            Reason::TlsFailed => "tls_failed",
            Reason::DescribeTimeout => "describe_timeout",
            Reason::SetupTimeout => "setup_timeout",
            Reason::PlayTimeout => "play_timeout",
            Reason::AuthFailed => "auth_failed",
            Reason::NonceExpired => "nonce_expired",
            Reason::NotFound => "not_found",
            Reason::SessionLimit => "session_limit",
            Reason::SessionLost => "session_lost",
            Reason::TransportRefused => "transport_refused",
            Reason::UdpSilent => "udp_silent",
            Reason::UdpLoss => "udp_loss",
            Reason::BackendFull => "backend_full",
            Reason::NoBackend => "no_backend",
            Reason::Refused => "refused",
            Reason::BadDescription => "bad_description",
            Reason::NoVideo => "no_video",
            Reason::UnsupportedCodec => "unsupported_codec",
            Reason::NoFrames => "no_frames",
            Reason::NoKeyFrame => "no_key_frame",
            Reason::ConnectionClosed => "connection_closed",
            Reason::ConnectionLost => "connection_lost",
            Reason::KeepaliveTimeout => "keepalive_timeout",
            Reason::ProtocolError => "protocol_error",
            Reason::StreamErrors => "stream_errors",
            Reason::Shed => "shed",
            Reason::Internal => "internal",
        }
    }
}

/// How a session ended by itself.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{} in phase {}: {detail}", .reason.as_str(), .phase.as_str())]
pub(crate) struct Failure {
    pub phase: Phase,
    pub reason: Reason,
    /// For the log reader; holds no secret.
    pub detail: String,
    /// Whether pictures had come.
    pub was_live: bool,
}

/// A camera that broke off and is tried again so soon is told as connecting.
const BRIEF_WAIT: Duration = Duration::from_secs(3);
/// Who says so.
const FFMPEG: &str = "FFmpeg";
/// The longest detail kept, in characters: a camera's own words are part of it.
const DETAIL_CHARS_MAX: usize = 200;

impl Failure {
    pub(crate) fn new(phase: Phase, reason: Reason, detail: impl Into<String>) -> Self {
        Self { phase, reason, detail: detail.into(), was_live: phase == Phase::Stream }
    }

    /// Judges an error of the RTSP library.
    pub(crate) fn from_retina(phase: Phase, error: &retina::Error) -> Self {
        from_text(phase, error.status_code(), &error.to_string())
    }

    /// Judges an error of a connection of our own.
    pub(crate) fn from_io(phase: Phase, error: &io::Error) -> Self {
        let text = error.to_string();
        Self::new(phase, by_os_error(&text), text)
    }

    /// Judges an error of FFmpeg's readers.
    pub(crate) fn from_pull(phase: Phase, error: &PullError) -> Self {
        let opening = phase == Phase::Describe;
        let (phase, reason) = match error {
            PullError::NotBuilt => (Phase::Connect, Reason::NoBackend),
            PullError::Full(_) => (Phase::Connect, Reason::BackendFull),
            PullError::Unauthorized if opening => (phase, Reason::AuthFailed),
            PullError::Unauthorized => (phase, Reason::NonceExpired),
            PullError::NotFound => (phase, Reason::NotFound),
            PullError::Refused(_) => (phase, Reason::Refused),
            PullError::OpenTimeout(_) => (phase, Reason::DescribeTimeout),
            PullError::NoVideo => (phase, Reason::NoVideo),
            PullError::Codec(_) => (phase, Reason::UnsupportedCodec),
            PullError::Io { kind, .. } if opening => (Phase::Connect, by_kind(*kind)),
            PullError::Io { .. } => (phase, Reason::ConnectionLost),
            PullError::Broken(_) if opening => (phase, Reason::BadDescription),
            PullError::Broken(_) => (phase, Reason::StreamErrors),
        };
        Self::new(phase, reason, format!("{FFMPEG}: {error}"))
    }

    /// What the usual session, standing in for FFmpeg, fails with is told as what it is for want of.
    pub(crate) fn in_attempt(self, attempt: &Attempt) -> Self {
        if attempt.may_stand_in && ffmpeg_may_take(&self) && !self.detail.starts_with(FFMPEG) {
            let detail =
                format!("{}: {}; FFmpeg might take it, all its places are in use", self.reason.as_str(), self.detail);
            return Self { reason: Reason::BackendFull, detail, ..self };
        }
        self
    }

    /// What people see while the next try is `wait` away.
    pub(crate) fn state(&self, wait: Duration) -> SourceState {
        match self.reason {
            Reason::AuthFailed => SourceState::AuthFailed,
            Reason::NoFrames | Reason::NoKeyFrame => SourceState::Stalled,
            // TCP is next, and soon.
            Reason::UdpSilent | Reason::UdpLoss if wait <= BRIEF_WAIT => SourceState::Connecting,
            // A session that broke may be back in a moment: only a failed try, or a long wait, makes it offline.
            _ if self.was_live && wait <= BRIEF_WAIT => SourceState::Connecting,
            _ => SourceState::Offline,
        }
    }
}

// Retina's errors are opaque beside the status code; these are the beginnings of its messages (0.4.21, error.rs). A test
// holds those that matter against real sockets.
const CONNECT_ERROR: &str = "Unable to connect to RTSP server";

/// Judges an error by what it says, and by the camera's answer when there was one.
pub(crate) fn from_text(phase: Phase, status: Option<u16>, text: &str) -> Failure {
    let connects = phase == Phase::Describe && text.starts_with(CONNECT_ERROR);
    let phase = if connects { Phase::Connect } else { phase };
    let reason = match status {
        Some(401) if matches!(phase, Phase::Setup | Phase::Play) => Reason::NonceExpired,
        Some(status) => by_status(status),
        None if connects => by_os_error(text),
        None => by_text(text),
    };
    // The first paragraph says what happened; what follows are addresses and byte positions.
    let first = text.split("\n\n").next().unwrap_or_default();
    let detail = first.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(DETAIL_CHARS_MAX).collect();
    Failure { phase, reason, detail, was_live: phase == Phase::Stream }
}

fn by_status(status: u16) -> Reason {
    match status {
        // An error with a good status is about what the answer says.
        200..=299 => Reason::BadDescription,
        401 | 403 => Reason::AuthFailed,
        404 => Reason::NotFound,
        453 | 503 => Reason::SessionLimit,
        454 => Reason::SessionLost,
        461 => Reason::TransportRefused,
        _ => Reason::Refused,
    }
}

fn by_os_error(text: &str) -> Reason {
    let code = text.rsplit_once("(os error ").and_then(|(_, rest)| rest.trim_end_matches(')').parse().ok());
    match code.map(|code| io::Error::from_raw_os_error(code).kind()) {
        Some(kind) => by_kind(kind),
        None if text.contains("lookup") => Reason::NameNotFound,
        None => Reason::ConnectFailed,
    }
}

fn by_kind(kind: io::ErrorKind) -> Reason {
    match kind {
        io::ErrorKind::ConnectionRefused => Reason::ConnectRefused,
        io::ErrorKind::TimedOut => Reason::ConnectTimeout,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Reason::HostUnreachable,
        _ => Reason::ConnectFailed,
    }
}

fn by_text(text: &str) -> Reason {
    if text.contains("respond to keepalive") || text.contains("write keepalive") {
        Reason::KeepaliveTimeout
    } else if text.starts_with("Error reading from RTSP peer: EOF") {
        Reason::ConnectionClosed
    } else if text.starts_with("Error reading")
        || text.starts_with("Error writing")
        || text.starts_with("Error receiving")
    {
        Reason::ConnectionLost
    } else if text.starts_with("RTSP framing error") {
        Reason::ProtocolError
    } else if text.starts_with("Unsupported") {
        Reason::UnsupportedCodec
    } else {
        Reason::StreamErrors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_session_connects_anew_and_a_failed_try_is_offline() {
        let state = |phase, reason| Failure::new(phase, reason, "").state(Duration::from_secs(1));
        assert_eq!(state(Phase::Stream, Reason::ConnectionClosed), SourceState::Connecting);
        let flapping = Failure::new(Phase::Stream, Reason::ConnectionLost, "");
        assert_eq!(flapping.state(Duration::from_secs(40)), SourceState::Offline);
        assert_eq!(state(Phase::Connect, Reason::ConnectRefused), SourceState::Offline);
        assert_eq!(state(Phase::Stream, Reason::NoFrames), SourceState::Stalled);
        assert_eq!(state(Phase::FirstFrame, Reason::NoKeyFrame), SourceState::Stalled);
        assert_eq!(state(Phase::Describe, Reason::AuthFailed), SourceState::AuthFailed);
    }

    #[test]
    fn connect_errors_are_told_apart_by_their_number() {
        let text = |code| format!("{CONNECT_ERROR}: {}", io::Error::from_raw_os_error(code));
        assert_eq!(by_os_error(&text(111)), Reason::ConnectRefused);
        assert_eq!(by_os_error(&text(110)), Reason::ConnectTimeout);
        assert_eq!(by_os_error(&text(113)), Reason::HostUnreachable);
        assert_eq!(
            by_os_error("… failed to lookup address information: Name or service not known"),
            Reason::NameNotFound
        );
    }
}
