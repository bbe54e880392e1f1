//! Stills: the newest key frame of a camera as a JPEG.
//!
//! A stream is decoded at most once a second; whoever asks meanwhile gets the same picture, and whoever asks while it is
//! being made waits for that one. A camera that is pulled on demand is made wanted and waited for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use metrics::{counter, histogram};
use model::{Profile, SourceId, Timestamp};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::decode::{self, DecodeError};
use crate::workers::Workers;
use crate::{Config, KeyFrame, ReadEvent, Rings, StreamKey};

/// A stream is decoded again after this time at the earliest.
const EVERY: Duration = Duration::from_secs(1);
/// How old a picture of a stream that is not being pulled may be before a new one is waited for.
const FRESH_MS: i64 = 10_000;
/// Callers that wait for cameras at the same time. Each keeps a stream wanted, and a page of a thousand pictures is no
/// reason to pull a thousand streams.
const WAITING_MAX: usize = 64;
/// How long a caller waits for the decoder.
const DECODE_WAIT: Duration = Duration::from_secs(5);
/// Bytes of pictures kept for whoever asks next.
const CACHE_BYTES: usize = 32 << 20;
/// Streams whose last picture, or last failure, is kept.
const CACHE_ENTRIES: usize = 4_096;

/// A picture of a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Still {
    /// The JPEG.
    pub jpeg: Bytes,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Which stream it was taken from.
    pub profile: Profile,
    /// The track's generation and the key frame's number: which picture of the stream it is.
    pub frame: (u32, u64),
    /// When the hub had the frame, by the hub's clock: the age of the picture counts from here.
    pub received_at: Timestamp,
}

/// Why there is no still.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StillError {
    /// The camera has sent no picture, also not within the time that was waited for one.
    #[error("the camera has sent no picture")]
    NoPicture,
    /// Too many others wait.
    #[error("too many pictures are being made")]
    Busy,
    /// The picture cannot be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

type Made = Result<Arc<Still>, StillError>;

/// Makes stills. Clones share the threads and the pictures.
#[derive(Clone)]
pub struct Stills {
    shared: Arc<Shared>,
}

struct Shared {
    rings: Rings,
    workers: Workers,
    width_max: u32,
    wait: Duration,
    waiting: Semaphore,
    made: Mutex<HashMap<StreamKey, Entry>>,
}

struct Entry {
    /// When its decode began.
    at: Instant,
    /// What became of it; none while it is being made.
    made: watch::Receiver<Option<Made>>,
}

impl Stills {
    /// Starts the threads.
    pub fn start(config: &Config, rings: Rings) -> Self {
        let shared = Shared {
            rings,
            workers: Workers::start("still_decode", config.snapshot_threads, config.snapshot_queue),
            width_max: config.snapshot_width_max,
            wait: Duration::from_millis(config.snapshot_wait_ms.into()),
            waiting: Semaphore::new(WAITING_MAX),
            made: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The newest picture, of the main stream where it is as new as the sub stream's, unless a profile is asked for.
    /// When the camera is not being pulled and its last picture is old, it is pulled and waited for; an old picture is
    /// the answer when no new one comes. Cancel-safe.
    pub async fn still(&self, source: &SourceId, profile: Option<Profile>) -> Made {
        let key = match self.shared.rings.latest_key(source, profile) {
            Some(key) if key.current || age_ms(&key) < FRESH_MS => key,
            older => self
                .wait_for_key(source, profile.unwrap_or(Profile::Sub))
                .await?
                .or(older)
                .ok_or(StillError::NoPicture)?,
        };
        self.make(source, key).await
    }

    /// The newest picture there is, without waiting for the camera; none when it has sent none.
    pub async fn newest(&self, source: &SourceId, profile: Profile) -> Result<Option<Arc<Still>>, StillError> {
        match self.shared.rings.latest_key(source, Some(profile)) {
            Some(key) => self.make(source, key).await.map(Some),
            None => Ok(None),
        }
    }

    /// Ends the threads; blocks until the picture in hand is made.
    pub fn close(&self) {
        self.shared.workers.close();
    }

    /// Keeps the stream wanted until its first key frame or the end of the time.
    async fn wait_for_key(&self, source: &SourceId, profile: Profile) -> Result<Option<KeyFrame>, StillError> {
        let Ok(_place) = self.shared.waiting.try_acquire() else { return Err(StillError::Busy) };
        let mut reader = self.shared.rings.reader(source, profile);
        let first = async {
            let mut track = None;
            loop {
                match reader.next().await {
                    ReadEvent::Track(found, _) => track = Some(found),
                    ReadEvent::Frame(frame) if frame.is_key => return track.map(|track| (track, frame)),
                    ReadEvent::Frame(_) | ReadEvent::Lagged { .. } => {}
                }
            }
        };
        let found = timeout(self.shared.wait, first).await.ok().flatten();
        Ok(found.map(|(track, frame)| KeyFrame { profile, track, frame, current: true }))
    }

    async fn make(&self, source: &SourceId, key: KeyFrame) -> Made {
        let mut made = self.entry(source, key)?;
        let done = timeout(DECODE_WAIT, made.wait_for(Option::is_some)).await;
        match done {
            Ok(Ok(answer)) => answer.clone().unwrap_or(Err(StillError::Busy)),
            // The hub stops, or the decoder has more to do than time.
            Ok(Err(_)) | Err(_) => Err(StillError::Busy),
        }
    }

    /// The picture that is there, or is being made, or begins to be made now.
    fn entry(&self, source: &SourceId, key: KeyFrame) -> Result<watch::Receiver<Option<Made>>, StillError> {
        let stream = (source.clone(), key.profile);
        let frame = (key.frame.generation, key.frame.number);
        let mut entries = self.shared.lock();
        if let Some(entry) = entries.get(&stream) {
            let same = matches!(&*entry.made.borrow(), Some(Ok(still)) if still.frame == frame);
            if same || entry.at.elapsed() < EVERY {
                counter!("gridward_stills_total", "made" => "shared").increment(1);
                return Ok(entry.made.clone());
            }
        }
        let (tell, made) = watch::channel(None);
        let width_max = self.shared.width_max;
        let began = Instant::now();
        let job = move || {
            let answer = decode::jpeg(&key.track, &key.frame, width_max);
            histogram!("gridward_still_seconds").record(began.elapsed().as_secs_f64());
            counter!("gridward_stills_total", "made" => if answer.is_ok() { "decoded" } else { "failed" }).increment(1);
            let still = answer.map_err(StillError::from).map(|jpeg| {
                Arc::new(Still {
                    jpeg: jpeg.bytes,
                    width: jpeg.width,
                    height: jpeg.height,
                    profile: key.profile,
                    frame,
                    received_at: key.frame.received_at,
                })
            });
            tell.send_replace(Some(still));
        };
        if self.shared.workers.run(job).is_err() {
            counter!("gridward_stills_total", "made" => "refused").increment(1);
            return Err(StillError::Busy);
        }
        entries.insert(stream, Entry { at: began, made: made.clone() });
        make_room(&mut entries);
        Ok(made)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<StreamKey, Entry>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the oldest pictures until the rest fits. Linear, but only entered once a decode.
fn make_room(entries: &mut HashMap<StreamKey, Entry>) {
    let size = |entry: &Entry| match &*entry.made.borrow() {
        Some(Ok(still)) => still.jpeg.len(),
        _ => 0,
    };
    let mut total: usize = entries.values().map(size).sum();
    while total > CACHE_BYTES || entries.len() > CACHE_ENTRIES {
        let Some((oldest, freed)) = entries.iter().min_by_key(|(_, e)| e.at).map(|(key, e)| (key.clone(), size(e)))
        else {
            return;
        };
        entries.remove(&oldest);
        total -= freed;
    }
}

fn age_ms(key: &KeyFrame) -> i64 {
    Timestamp::now().as_millisecond() - key.frame.received_at.as_millisecond()
}

#[cfg(feature = "ffmpeg")]
#[cfg(test)]
#[path = "stills_tests.rs"]
mod tests;
