//! What travels on the live socket, in both directions. Pure.

use axum::extract::ws::Message;
use bytes::{BufMut, BytesMut};
use model::{Profile, SourceState, Timestamp};
use serde::{Deserialize, Serialize};
use video::Track;

/// Bytes before each picture: tile u16, kind u8, flags u8, wall-clock ms u64; big endian.
pub(super) const HEADER_BYTES: usize = 12;
/// Tiles on one socket.
pub(super) const TILES_MAX: usize = 64;
/// The longest purpose, in characters, as for break-glass.
const PURPOSE_CHARS_MAX: usize = 500;
/// Characters of a client's own words that an error repeats.
const REPEATED_MAX: usize = 200;

/// What a client says.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Heard {
    pub sub: Vec<Sub>,
    pub unsub: Vec<u16>,
    /// What for; goes into the audit rows of `sub`.
    pub purpose: Option<String>,
}

/// One tile wanted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sub {
    /// The client's number for it.
    pub t: u16,
    pub source: String,
    #[serde(default)]
    pub profile: AskedProfile,
    #[serde(default)]
    pub mode: Mode,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum AskedProfile {
    /// The hub chooses: the small stream.
    #[default]
    Auto,
    Main,
    Sub,
}

impl AskedProfile {
    pub(super) fn chosen(self) -> Profile {
        match self {
            AskedProfile::Main => Profile::Main,
            AskedProfile::Auto | AskedProfile::Sub => Profile::Sub,
        }
    }
}

/// How pictures are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    /// Fragmented MP4, a fragment a frame.
    #[default]
    Video,
    /// JPEGs of key frames, at most one a second.
    Jpeg,
}

impl Mode {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Mode::Video => "video",
            Mode::Jpeg => "jpeg",
        }
    }
}

/// Reads a message, or says in few words what is wrong with it.
pub(super) fn read(text: &str) -> Result<Heard, String> {
    let heard: Heard =
        serde_json::from_str(text).map_err(|error| error.to_string().chars().take(REPEATED_MAX).collect::<String>())?;
    if heard.sub.len() > TILES_MAX || heard.unsub.len() > TILES_MAX {
        return Err(format!("at most {TILES_MAX} tiles in a message"));
    }
    if heard.purpose.as_ref().is_some_and(|purpose| purpose.chars().count() > PURPOSE_CHARS_MAX) {
        return Err(format!("purpose: expected at most {PURPOSE_CHARS_MAX} characters"));
    }
    Ok(heard)
}

/// What the hub says.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Say<'a> {
    /// What the tile's stream is; before the first picture and at each change.
    Hello { t: u16, codec: &'a str, timescale: u32, width: u32, height: u32, epoch: u32, profile: Profile, audit: bool },
    /// So many frames were left out.
    Drop { t: u16, frames: u64 },
    /// The camera's state, on change.
    State { t: u16, state: SourceState, reason: Option<&'a str>, since: Timestamp },
    /// The tile has ended, or the message as a whole is bad (without `t`).
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        t: Option<u16>,
        code: &'a str,
        message: &'a str,
    },
}

impl Say<'_> {
    pub(super) fn hello(t: u16, track: &Track, profile: Profile) -> Message {
        Say::Hello {
            t,
            codec: &track.rfc6381,
            timescale: video::TIMESCALE,
            width: track.width,
            height: track.height,
            epoch: track.generation,
            profile,
            audit: true,
        }
        .text()
    }

    pub(super) fn text(&self) -> Message {
        Message::text(serde_json::to_string(self).expect("texts and numbers only"))
    }
}

/// What follows the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Init = 0,
    Key = 1,
    Delta = 2,
    Jpeg = 3,
}

/// A picture, or what comes before the first: header and bytes. `at` is when the hub had it.
pub(super) fn picture(t: u16, kind: Kind, at: Timestamp, bytes: &[u8]) -> Message {
    let mut out = BytesMut::with_capacity(HEADER_BYTES + bytes.len());
    out.put_u16(t);
    out.put_u8(kind as u8);
    out.put_u8(0);
    out.put_u64(u64::try_from(at.as_millisecond()).unwrap_or(0));
    out.put_slice(bytes);
    Message::Binary(out.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_small_stream_as_video() {
        let heard = read(r#"{"sub":[{"t":3,"source":"cam-1"}],"unsub":[7]}"#).unwrap();
        assert_eq!((heard.sub[0].profile.chosen(), heard.sub[0].mode), (Profile::Sub, Mode::Video));
        assert_eq!((heard.sub[0].t, heard.unsub), (3, vec![7]));
        let heard = read(r#"{"sub":[{"t":3,"source":"c","profile":"main","mode":"jpeg"}],"purpose":"fire"}"#).unwrap();
        assert_eq!((heard.sub[0].profile.chosen(), heard.sub[0].mode), (Profile::Main, Mode::Jpeg));
    }

    #[test]
    fn what_is_no_message_is_refused_in_few_words() {
        let long = format!(r#"{{"sub":[],"purpose":"{}"}}"#, "x".repeat(501));
        let many = format!(r#"{{"unsub":{:?}}}"#, vec![1; 65]);
        let odd = format!(r#"{{"{}":1}}"#, "y".repeat(5_000));
        for text in ["", "7", r#"{"sub":[{"t":70000,"source":"x"}]}"#, r#"{"subs":[]}"#, &long, &many, &odd] {
            assert!(read(text).unwrap_err().len() <= 4 * REPEATED_MAX, "{text}");
        }
    }

    #[test]
    fn a_picture_is_twelve_bytes_and_its_bytes() {
        let at = Timestamp::from_millisecond(0x0102_0304_0506).unwrap();
        let Message::Binary(bytes) = picture(0x0A0B, Kind::Jpeg, at, &[9, 9]) else { panic!("binary") };
        assert_eq!(bytes[..], [0x0A, 0x0B, 3, 0, 0, 0, 1, 2, 3, 4, 5, 6, 9, 9]);
    }

    #[test]
    fn words_are_as_agreed() {
        let text = |say: Say<'_>| serde_json::to_value(&say).unwrap();
        assert_eq!(
            text(Say::Error { t: None, code: "bad_request", message: "m" }),
            serde_json::json!({ "type": "error", "code": "bad_request", "message": "m" })
        );
        let since = Timestamp::from_second(1_795_000_000).unwrap();
        let state = text(Say::State { t: 1, state: SourceState::AuthFailed, reason: None, since });
        assert_eq!(
            state,
            serde_json::json!({ "type": "state", "t": 1, "state": "auth_failed", "reason": null, "since": since })
        );
    }
}
