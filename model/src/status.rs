//! The state of a source's link, and why.

use serde::{Deserialize, Serialize};

use crate::{Kind, Profile, SourceId, Timestamp};

/// The state of a source as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// Nothing is known yet: no message since the hub started.
    Unknown,
    /// A camera's session is being opened.
    Connecting,
    /// Pictures or readings arrive.
    Live,
    /// Pictures arrive, but not as they should; the reason says why.
    Degraded,
    /// The session stands but no picture arrives.
    Stalled,
    /// The camera refuses the credentials; not tried again until they change or 30 minutes pass.
    AuthFailed,
    /// Cannot be reached (camera), or the broker said it is gone (sensor's last will).
    Offline,
    /// On demand and nobody watches.
    Idle,
    /// A sensor has missed its report interval.
    Silent,
}

impl SourceState {
    /// All states.
    pub const ALL: [SourceState; 9] = [
        SourceState::Unknown,
        SourceState::Connecting,
        SourceState::Live,
        SourceState::Degraded,
        SourceState::Stalled,
        SourceState::AuthFailed,
        SourceState::Offline,
        SourceState::Idle,
        SourceState::Silent,
    ];

    /// The name in the API and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            SourceState::Unknown => "unknown",
            SourceState::Connecting => "connecting",
            SourceState::Live => "live",
            SourceState::Degraded => "degraded",
            SourceState::Stalled => "stalled",
            SourceState::AuthFailed => "auth_failed",
            SourceState::Offline => "offline",
            SourceState::Idle => "idle",
            SourceState::Silent => "silent",
        }
    }
}

/// The latest word about one source (sensor) or one stream of it (camera).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SourceStatus {
    /// The source.
    pub source: SourceId,
    /// Camera or sensor.
    pub kind: Kind,
    /// Which stream of a camera; none for a sensor.
    pub profile: Option<Profile>,
    /// The state.
    pub state: SourceState,
    /// Since when it is in this state.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub since: Timestamp,
    /// A stable code the console translates, as `connect_refused`, `no_key_frame`, `no_frames`, `last_will`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What happened, in English, for the log reader; never holds a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When the last frame or reading arrived.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_data_at: Option<Timestamp>,
    /// What the stream is, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamFacts>,
}

/// Measured facts about a live stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StreamFacts {
    /// RFC 6381 codec string, as `avc1.4d401e`, `hvc1.1.6.L93.B0`.
    pub codec: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames a second, measured over the last seconds.
    pub fps: f32,
    /// Bits a second, measured over the last seconds.
    pub bitrate_bps: u64,
    /// Frames between the last two key frames; 0 until known.
    pub gop_frames: u32,
    /// From DESCRIBE to the first key frame, in milliseconds.
    pub first_frame_ms: u32,
    /// What reads the camera.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<Backend>,
    /// How its packets travel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// What could be better though the stream is well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<Hint>,
    /// The camera's own clock minus the hub's, in milliseconds, by its RTCP sender reports: positive when it is ahead. Good to
    /// the way of the packets and a turn of reading, together below half a second as a rule. None when it sends no time, or
    /// FFmpeg reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_ms: Option<i64>,
}

/// A camera's clock beyond this is wrong rather than measured late.
pub const CLOCK_OFF_MS: u64 = 2_000;

impl StreamFacts {
    /// Whether the camera's clock is known to be wrong: what it writes into its pictures and recordings is of another time.
    pub fn is_clock_off(&self) -> bool {
        self.clock_offset_ms.is_some_and(|ms| ms.unsigned_abs() > CLOCK_OFF_MS)
    }
}

/// What reads a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// The hub's own session, over the RTSP library of that name: thousands on one machine.
    Retina,
    /// FFmpeg, for cameras that the other cannot take: a thread each, and few at once.
    Ffmpeg,
}

impl Backend {
    /// The name in the API and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Backend::Retina => "retina",
            Backend::Ffmpeg => "ffmpeg",
        }
    }
}

/// How a camera's packets travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// In the RTSP connection itself.
    Tcp,
    /// As datagrams beside it.
    Udp,
}

impl Transport {
    /// The name in the API and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        }
    }
}

/// What could be better about a stream that is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Hint {
    /// Key frames come more than 10 s apart: a viewer may wait so long for the first picture.
    LongGop,
    /// UDP is wished for, but brought nothing or lost too much: TCP for now.
    UdpToTcp,
    /// The hub's own session could not take the camera: FFmpeg does.
    FfmpegNeeded,
}
