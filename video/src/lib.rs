//! Frames between their arrival and their readers: rings, fragmented MP4, stills, picture checks.
//!
//! Belongs here: everything that handles encoded pictures. Does not belong here: where they come from (`ingest`), who
//! may see them and how they travel (`dashboard`), what follows from a check (`alerting`).
//!
//! The live path is [`Rings`]: a writer pushes access units, readers pull them by number. `push` never waits for a
//! reader, a disk or a decoder.

mod checks;
mod config;
mod decode;
mod demand;
pub mod fmp4;
mod frame;
mod order;
mod pull;
mod reader;
mod ring;
mod rings;
#[cfg(feature = "ffmpeg")]
#[cfg(test)]
mod sample;
mod stills;
mod timeline;
mod workers;

pub use checks::{Checks, PICTURE_READING, PictureClass};
pub use config::{Config, ConfigProblem};
pub use decode::DecodeError;
pub use demand::{DemandWatch, StreamKey};
pub use frame::{Codec, Frame, NewFrame, NewTrack, Track};
pub use pull::{Pull, PullError, PullRequest, Pulled, Pulls};
pub use reader::{ReadEvent, Reader};
pub use rings::{KeyFrame, RingStats, RingWriter, Rings};
pub use stills::{Still, StillError, Stills};

/// The way in for `tests/fuzz`.
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::decode::fuzzing::access_unit;
}

/// Ticks a second of every media time in this crate: the RTP clock of H.264 and H.265 (RFC 6184, RFC 7798).
pub const TIMESCALE: u32 = 90_000;
