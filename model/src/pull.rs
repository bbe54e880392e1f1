//! The tags of a camera that say how it is pulled, and what each may say. Pure.
//!
//! Said here once: an import refuses what the sessions would not understand, and both read it with the same words. What is
//! done with it belongs to `ingest`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::status::{Backend, Transport};

/// The tag that chooses the back-end; see [`BackendChoice`].
pub const BACKEND: &str = "backend";
/// The tag that chooses how packets travel: `tcp` or `udp`.
pub const TRANSPORT: &str = "transport";
/// The tag that says which certificate is trusted; see [`TlsPolicy`].
pub const TLS: &str = "tls";
/// The tag that overrides the class in who is connected first: `key` or `usual`.
pub const PRIORITY: &str = "priority";

/// What a camera is to be read with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BackendChoice {
    /// The hub's own session, and FFmpeg when that cannot take the camera.
    #[default]
    Auto,
    /// The hub's own session and nothing else.
    Retina,
    /// FFmpeg and nothing else.
    Ffmpeg,
}

impl BackendChoice {
    /// Reads the tag's value.
    pub fn parse(text: &str) -> Result<Self, TagProblem> {
        match text {
            "auto" => Ok(BackendChoice::Auto),
            "retina" => Ok(BackendChoice::Retina),
            "ffmpeg" => Ok(BackendChoice::Ffmpeg),
            _ => Err(TagProblem::new(BACKEND, text, "auto, retina or ffmpeg")),
        }
    }

    /// The one back-end that may be used; none when that is left to the hub.
    pub fn only(self) -> Option<Backend> {
        match self {
            BackendChoice::Auto => None,
            BackendChoice::Retina => Some(Backend::Retina),
            BackendChoice::Ffmpeg => Some(Backend::Ffmpeg),
        }
    }
}

/// Which certificate a camera may show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TlsPolicy {
    /// One that this machine trusts, for the camera's name or address.
    #[default]
    Verify,
    /// The one with this SHA-256.
    Pin([u8; 32]),
    /// Any: whoever stands between may read and change what is seen.
    Insecure,
}

impl TlsPolicy {
    /// Reads the tag's value.
    pub fn parse(text: &str) -> Result<Self, TagProblem> {
        match text {
            "verify" => Ok(TlsPolicy::Verify),
            "insecure" => Ok(TlsPolicy::Insecure),
            _ => text.strip_prefix("pin:").and_then(fingerprint).map(TlsPolicy::Pin).ok_or_else(|| {
                let expected = "verify, insecure, or pin: and the SHA-256 of the certificate in 64 hex digits";
                TagProblem::new(TLS, text, expected)
            }),
        }
    }
}

/// 32 bytes from hex digits, with or without colons between.
fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().filter(|c| *c != ':').map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    (digits.len() == 64).then(|| bytes.try_into().ok())?
}

/// A tag that says nothing the hub understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagProblem {
    /// The tag's key.
    pub tag: &'static str,
    /// Its value.
    pub found: String,
    /// What it may be.
    pub expected: &'static str,
}

impl TagProblem {
    fn new(tag: &'static str, found: &str, expected: &'static str) -> Self {
        Self { tag, found: found.to_owned(), expected }
    }
}

impl fmt::Display for TagProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: found {:?}, expected {}", self.tag, self.found, self.expected)
    }
}

impl std::error::Error for TagProblem {}

/// How a camera is to be pulled, by its tags: each as it says, or what is wrong with it. No tag and an empty one are the
/// same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullTags {
    /// Which back-end.
    pub backend: Result<BackendChoice, TagProblem>,
    /// How packets travel.
    pub transport: Result<Transport, TagProblem>,
    /// Which certificate is trusted, where the address is `rtsps://`.
    pub tls: Result<TlsPolicy, TagProblem>,
    /// Whether it is connected before others; none: as its class says.
    pub is_key: Result<Option<bool>, TagProblem>,
}

impl PullTags {
    /// Reads all of them.
    pub fn read(tags: &BTreeMap<String, String>) -> Self {
        let value = |tag: &str| tags.get(tag).map(|value| value.trim()).filter(|value| !value.is_empty());
        Self {
            backend: value(BACKEND).map_or(Ok(BackendChoice::default()), BackendChoice::parse),
            transport: match value(TRANSPORT) {
                None | Some("tcp") => Ok(Transport::Tcp),
                Some("udp") => Ok(Transport::Udp),
                Some(other) => Err(TagProblem::new(TRANSPORT, other, "tcp or udp")),
            },
            tls: value(TLS).map_or(Ok(TlsPolicy::default()), TlsPolicy::parse),
            is_key: match value(PRIORITY) {
                None => Ok(None),
                Some("key") => Ok(Some(true)),
                Some("usual") => Ok(Some(false)),
                Some(other) => Err(TagProblem::new(PRIORITY, other, "key or usual")),
            },
        }
    }

    /// Everything wrong with them.
    pub fn problems(self) -> Vec<TagProblem> {
        let found = [self.backend.err(), self.transport.err(), self.tls.err(), self.is_key.err()];
        found.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tags: &[(&str, &str)]) -> PullTags {
        PullTags::read(&tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn no_tag_and_an_empty_one_are_the_usual() {
        let none = read(&[]);
        assert_eq!(none, read(&[("backend", ""), ("transport", " "), ("tls", ""), ("priority", "")]));
        assert_eq!((none.backend, none.transport), (Ok(BackendChoice::Auto), Ok(Transport::Tcp)));
        assert_eq!((none.tls, none.is_key), (Ok(TlsPolicy::Verify), Ok(None)));
    }

    #[test]
    fn every_word_is_read() {
        let all = read(&[("backend", "ffmpeg"), ("transport", "udp"), ("tls", "insecure"), ("priority", "key")]);
        assert_eq!(all.backend.map(BackendChoice::only), Ok(Some(Backend::Ffmpeg)));
        assert_eq!((all.transport, all.tls), (Ok(Transport::Udp), Ok(TlsPolicy::Insecure)));
        assert_eq!(all.is_key, Ok(Some(true)));
        assert_eq!(read(&[("priority", "usual")]).is_key, Ok(Some(false)));
        let colons = format!("pin:{}", ["aB"; 32].join(":"));
        assert_eq!(read(&[("tls", &colons)]).tls, Ok(TlsPolicy::Pin([0xAB; 32])));
    }

    #[test]
    fn everything_wrong_is_told_with_what_was_expected() {
        let told: Vec<String> =
            read(&[("backend", "gst"), ("transport", "UDP"), ("tls", "none"), ("priority", "high"), ("site", "x")])
                .problems()
                .iter()
                .map(ToString::to_string)
                .collect();
        assert_eq!(told.len(), 4, "{told:?}");
        assert_eq!(told[0], r#"backend: found "gst", expected auto, retina or ffmpeg"#);
        assert_eq!(told[1], r#"transport: found "UDP", expected tcp or udp"#);
        for bad in ["pin:", "pin:abcd", "no", &format!("pin:{}", "g".repeat(64)), &format!("pin:{}", "a".repeat(63))] {
            assert_eq!(read(&[("tls", bad)]).problems().len(), 1, "{bad}");
        }
    }
}
