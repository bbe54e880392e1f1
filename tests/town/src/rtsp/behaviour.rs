//! What a camera of the farm can be told to do wrong.
//!
//! Each variant is something a real camera was seen doing; the hub's tests ask for them by name.

use serde::{Deserialize, Serialize};

/// How one camera behaves; switchable while it plays. JSON: `{"kind":"slow_describe","ms":20000}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Behaviour {
    /// A well-behaved camera.
    #[default]
    Normal,
    /// Sessions are reset and each request for this camera is answered with a reset.
    Offline,
    /// Somebody holds a hand over the lens: a dark, flat picture.
    Covered,
    /// Keepalives are answered, no media and no sender reports flow.
    SilentStall,
    /// Nothing is answered and nothing is sent any more, as when a camera loses its link: the connection only seems open.
    HalfOpen,
    /// Only pictures that need an earlier one are sent.
    NoKeyFrames,
    /// Every credential is refused with 401.
    AuthReject,
    /// DESCRIBE takes this long.
    SlowDescribe {
        /// Delay in milliseconds.
        ms: u64,
    },
    /// The connection is reset in the middle of each session's second key frame.
    RstMidFrame,
    /// RTP timestamps jump once, at the moment this is set.
    TimestampJump {
        /// Where to.
        direction: Direction,
        /// How far, in seconds.
        #[serde(default = "an_hour")]
        seconds: u32,
    },
    /// The camera's wall clock, as its sender reports tell it, is off by this.
    ClockOffset {
        /// How far ahead, in seconds; below zero behind.
        seconds: i32,
    },
    /// Media as usual and no sender reports.
    NoSenderReports,
    /// RTP sequence numbers step back by 5,000, once a session, about two seconds after it began.
    SeqJumpBack,
    /// Packets carry another SSRC than the one announced in SETUP.
    WrongSsrc,
    /// The TCP connection carries one byte of media a second.
    OneBytePerSecond,
    /// DESCRIBE announces a body of 4 GiB that never comes.
    HugeContentLength,
    /// The header of the answer to DESCRIBE never ends.
    EndlessHeader,
    /// DESCRIBE gives a session description with a defect.
    BadSdp {
        /// Which one.
        defect: SdpDefect,
    },
    /// SETUP is refused when so many sessions of the stream are open.
    SessionLimit {
        /// Sessions that are allowed.
        max: usize,
        /// 453 (not enough bandwidth) or 503 (service unavailable).
        #[serde(default = "not_enough_bandwidth")]
        status: u16,
    },
    /// A digest nonce is good for this long; then 401 with `stale=true`, which ends a session (some Axis).
    NonceExpiry {
        /// Lifetime in seconds.
        s: u64,
    },
    /// The picture size, and with it the SPS, changes every ten seconds in mid-stream.
    SpsChange,
    /// The RTP marker bit is never set.
    LostMarker,
    /// GET_PARAMETER, SET_PARAMETER and OPTIONS inside a session are answered with 405.
    KeepaliveRefused,
    /// One key frame in ten seconds instead of one a second.
    LongGop,
}

/// Direction of a jump in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To the past.
    Back,
    /// To the future.
    Forward,
}

/// What is wrong in a session description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SdpDefect {
    /// The `o=` line ends before the address.
    OriginWithoutAddress,
    /// `IN IN IP4`.
    DoubleIn,
    /// `m=video -1`.
    NegativePort,
    /// No `Content-Type` header.
    MissingContentType,
    /// No `sprop-parameter-sets`: parameter sets come only in band.
    NoParameterSets,
}

fn an_hour() -> u32 {
    3600
}

fn not_enough_bandwidth() -> u16 {
    453
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_form_names_the_kind_and_fills_defaults() {
        let read = |text: &str| serde_json::from_str::<Behaviour>(text).unwrap();
        assert_eq!(read(r#"{"kind":"slow_describe","ms":20000}"#), Behaviour::SlowDescribe { ms: 20000 });
        assert_eq!(read(r#"{"kind":"session_limit","max":2}"#), Behaviour::SessionLimit { max: 2, status: 453 });
        assert_eq!(
            read(r#"{"kind":"timestamp_jump","direction":"back"}"#),
            Behaviour::TimestampJump { direction: Direction::Back, seconds: 3600 }
        );
        assert!(serde_json::from_str::<Behaviour>(r#"{"kind":"explode"}"#).is_err());
    }
}
