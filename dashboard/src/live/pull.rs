//! Where a tile's pictures come from.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::{Profile, SourceId};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use video::{Frame, ReadEvent, Reader, Rings, Still, StillError, Stills, Track};

use super::wire::Mode;

/// How often a tile of stills looks for a new key frame; the stills themselves are made once a second.
const LOOK: Duration = Duration::from_millis(500);
/// A still is sent again after this time while the camera is live, so that a client sees that the socket lives.
const AGAIN: Duration = Duration::from_secs(5);

/// What a tile gets next.
pub(super) enum Pulled {
    /// What follows decodes with this; the init segment comes along for video.
    Track(Arc<Track>, Option<Bytes>),
    Frame(Arc<Frame>),
    Lagged(u64),
    Still(Arc<Still>),
    /// Stills cannot be made of this camera.
    Failed(String),
}

/// A tile's source of pictures. Keeps the stream wanted while it lives.
pub(super) enum Pull {
    Video(VideoPull),
    Stills(Box<StillPull>),
}

pub(super) struct VideoPull {
    reader: Reader,
    /// Whether the present track is one that is played as video.
    played: bool,
}

pub(super) struct StillPull {
    /// Only wants; is never read.
    _wanted: Reader,
    rings: Rings,
    stills: Stills,
    source: SourceId,
    profile: Profile,
    pace: Interval,
    /// The generation last told; 0 before the first.
    generation: u32,
    sent: Option<((u32, u64), Instant)>,
}

impl Pull {
    pub(super) fn new(rings: &Rings, stills: &Stills, source: &SourceId, profile: Profile, mode: Mode) -> Self {
        let reader = rings.reader(source, profile);
        match mode {
            Mode::Video => Pull::Video(VideoPull { reader, played: true }),
            Mode::Jpeg => {
                let mut pace = interval(LOOK);
                pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
                Pull::Stills(Box::new(StillPull {
                    _wanted: reader,
                    rings: rings.clone(),
                    stills: stills.clone(),
                    source: source.clone(),
                    profile,
                    pace,
                    generation: 0,
                    sent: None,
                }))
            }
        }
    }

    /// The next picture, or word about pictures; waits for it.
    pub(super) async fn next(&mut self) -> Pulled {
        match self {
            Pull::Video(pull) => pull.next().await,
            Pull::Stills(pull) => pull.next().await,
        }
    }
}

impl VideoPull {
    /// Of a track that is not played only its name is told: the client asks for stills then.
    async fn next(&mut self) -> Pulled {
        loop {
            match self.reader.next().await {
                ReadEvent::Track(track, init) => {
                    self.played = track.codec.is_played();
                    return Pulled::Track(track, self.played.then_some(init));
                }
                ReadEvent::Frame(frame) if self.played => return Pulled::Frame(frame),
                ReadEvent::Lagged { missed } if self.played => return Pulled::Lagged(missed),
                ReadEvent::Frame(_) | ReadEvent::Lagged { .. } => {}
            }
        }
    }
}

impl StillPull {
    async fn next(&mut self) -> Pulled {
        loop {
            self.pace.tick().await;
            let Some(key) = self.rings.latest_key(&self.source, Some(self.profile)) else { continue };
            if key.track.generation != self.generation {
                self.generation = key.track.generation;
                // The still follows at once.
                self.pace.reset_immediately();
                return Pulled::Track(key.track, None);
            }
            let again = key.current;
            if self.is_sent((key.frame.generation, key.frame.number), again) {
                continue;
            }
            match self.stills.newest(&self.source, self.profile).await {
                Ok(Some(still)) if !self.is_sent(still.frame, again) => {
                    self.sent = Some((still.frame, Instant::now()));
                    return Pulled::Still(still);
                }
                Ok(_) | Err(StillError::Busy | StillError::NoPicture) => {}
                Err(error @ StillError::Decode(_)) => return Pulled::Failed(error.to_string()),
            }
        }
    }

    fn is_sent(&self, frame: (u32, u64), again: bool) -> bool {
        self.sent.is_some_and(|(sent, at)| sent == frame && (!again || at.elapsed() < AGAIN))
    }
}
