//! All rings of the town: writers, readers, budgets, demand.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{counter, gauge};
use model::{Profile, SourceId};
use serde::Serialize;
use tokio::sync::Notify;

use crate::demand::{Demand, DemandWatch, StreamKey};
use crate::order::LeaveOrder;
use crate::reader::Reader;
use crate::ring::{ReadyTrack, Ring, RunMark};
use crate::{Config, Frame, NewFrame, NewTrack, Track};

/// How far the main stream's newest key frame may be older than the sub stream's and still be preferred, in milliseconds.
const MAIN_PREFERRED_MS: i64 = 2_000;

/// The rings of all streams. Cloning is cheap; all clones are the same rings.
#[derive(Debug, Clone)]
pub struct Rings {
    town: Arc<Town>,
}

#[derive(Debug)]
struct Town {
    per_stream_bytes: usize,
    total_bytes: usize,
    keep_ms: i64,
    favoured_keep_ms: i64,
    lag_ms_max: i64,
    streams: Mutex<HashMap<StreamKey, Arc<Stream>>>,
    favoured: Mutex<HashSet<SourceId>>,
    bytes: AtomicUsize,
    live_runs: AtomicUsize,
    dropped_gops: AtomicU64,
    refused_frames: AtomicU64,
    queue: Mutex<LeaveOrder>,
    demand: Arc<Demand>,
}

/// One stream of one camera.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) key: StreamKey,
    state: Mutex<State>,
    pub(crate) news: Notify,
    /// Who reads it now.
    pub(crate) readers: AtomicUsize,
    /// Its runs leave after all others.
    pub(crate) favoured: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) ring: Ring,
    /// The number of the newest writer; older ones are deaf.
    writer: u64,
    has_writer: bool,
}

impl Stream {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key frame with what it takes to decode it.
#[derive(Debug, Clone)]
pub struct KeyFrame {
    /// Which stream of the camera it is from.
    pub profile: Profile,
    /// Its parameter sets.
    pub track: Arc<Track>,
    /// The frame.
    pub frame: Arc<Frame>,
    /// Whether it belongs to a session that goes on.
    pub current: bool,
}

/// What the rings hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RingStats {
    /// Bytes of pictures held.
    pub bytes: usize,
    /// Streams that a writer feeds.
    pub cameras: usize,
    /// GOPs that left because a byte budget was full, since the start.
    pub dropped_gops: u64,
    /// Frames not taken since the start: before the first key frame of a session, or larger than the budget.
    pub refused_frames: u64,
}

impl Rings {
    /// Empty rings.
    pub fn new(config: &Config) -> Self {
        Self {
            town: Arc::new(Town {
                per_stream_bytes: config.per_camera_bytes,
                total_bytes: config.total_bytes,
                keep_ms: i64::from(config.ring_seconds_max) * 1_000,
                favoured_keep_ms: i64::from(config.emergency_ring_seconds_max.max(config.ring_seconds_max)) * 1_000,
                lag_ms_max: i64::from(config.reader_lag_ms_max),
                streams: Mutex::default(),
                favoured: Mutex::default(),
                bytes: AtomicUsize::new(0),
                live_runs: AtomicUsize::new(0),
                dropped_gops: AtomicU64::new(0),
                refused_frames: AtomicU64::new(0),
                queue: Mutex::default(),
                demand: Arc::new(Demand::new(config.demand_linger())),
            }),
        }
    }

    /// The writer of a stream from now on; an older writer of the same stream is not heard any more.
    pub fn writer(&self, source: SourceId, profile: Profile) -> RingWriter {
        let stream = self.stream(&source, profile);
        let number = {
            let mut state = stream.lock();
            state.writer += 1;
            state.has_writer = true;
            state.ring.begin_session();
            state.writer
        };
        RingWriter { town: Arc::clone(&self.town), stream, number }
    }

    /// A reader that begins at the newest key frame; the stream counts as wanted while the reader lives. Waits when
    /// nobody writes yet.
    pub fn reader(&self, source: &SourceId, profile: Profile) -> Reader {
        Reader::new(self.stream(source, profile), Arc::clone(&self.town.demand), self.town.lag_ms_max)
    }

    /// Which streams are wanted.
    pub fn demand(&self) -> DemandWatch {
        DemandWatch::new(Arc::clone(&self.town.demand))
    }

    /// The newest key frame of a stream, even when its session is over; without a profile that of the main stream
    /// unless the sub stream's is newer by more than 2 s.
    pub fn latest_key(&self, source: &SourceId, profile: Option<Profile>) -> Option<KeyFrame> {
        let of = |profile| {
            let stream = self.existing(source, profile)?;
            let state = stream.lock();
            let (ready, frame): &(Arc<ReadyTrack>, Arc<Frame>) = state.ring.last_key()?;
            let current = state.has_writer && state.ring.is_current(frame);
            Some(KeyFrame { profile, track: Arc::clone(&ready.track), frame: Arc::clone(frame), current })
        };
        if let Some(profile) = profile {
            return of(profile);
        }
        match (of(Profile::Main), of(Profile::Sub)) {
            (Some(main), Some(sub)) => {
                let newer_ms = sub.frame.received_at.as_millisecond() - main.frame.received_at.as_millisecond();
                Some(if newer_ms > MAIN_PREFERRED_MS { sub } else { main })
            }
            (main, sub) => main.or(sub),
        }
    }

    /// The streams of the profile that a writer feeds now.
    pub fn live(&self, profile: Profile) -> Vec<SourceId> {
        let streams: Vec<_> = self.lock_streams().values().filter(|s| s.key.1 == profile).cloned().collect();
        streams.iter().filter(|s| s.lock().has_writer).map(|s| s.key.0.clone()).collect()
    }

    /// Forgets the pictures of a source that has left the registry.
    pub fn forget(&self, source: &SourceId) {
        for profile in [Profile::Main, Profile::Sub] {
            let Some(stream) = self.existing(source, profile) else { continue };
            self.town.change(&stream, |state| state.ring.clear());
            let mut streams = self.lock_streams();
            // Two: the map's and ours. A reader or writer holds a third and keeps its stream.
            if Arc::strong_count(&stream) == 2 {
                streams.remove(&stream.key);
            }
        }
    }

    /// What the rings hold now.
    pub fn stats(&self) -> RingStats {
        let streams: Vec<_> = self.lock_streams().values().cloned().collect();
        RingStats {
            bytes: self.town.bytes.load(Ordering::Relaxed),
            cameras: streams.iter().filter(|s| s.lock().has_writer).count(),
            dropped_gops: self.town.dropped_gops.load(Ordering::Relaxed),
            refused_frames: self.town.refused_frames.load(Ordering::Relaxed),
        }
    }

    /// These cameras keep more (`emergency_ring_seconds_max`) and are the last to lose anything to the town's budget; all
    /// others are usual again.
    pub fn favour(&self, sources: HashSet<SourceId>) {
        let town = &self.town;
        // Held until all is done, so that a stream that begins meanwhile is one or the other.
        let mut favoured = town.favoured.lock().unwrap_or_else(PoisonError::into_inner);
        if *favoured == sources {
            return;
        }
        *favoured = sources;
        let streams: Vec<_> = self.lock_streams().values().cloned().collect();
        for stream in streams {
            let is_favoured = favoured.contains(&stream.key.0);
            stream.favoured.store(is_favoured, Ordering::Relaxed);
            stream.lock().ring.keep(town.keep_ms(is_favoured));
        }
        town.queue.lock().unwrap_or_else(PoisonError::into_inner).sort_anew();
    }

    fn stream(&self, source: &SourceId, profile: Profile) -> Arc<Stream> {
        let key = (source.clone(), profile);
        let town = &self.town;
        let favoured = town.favoured.lock().unwrap_or_else(PoisonError::into_inner);
        let is_favoured = favoured.contains(source);
        let new = || {
            Arc::new(Stream {
                key: key.clone(),
                state: Mutex::new(State {
                    ring: Ring::new(town.per_stream_bytes, town.keep_ms(is_favoured)),
                    writer: 0,
                    has_writer: false,
                }),
                news: Notify::new(),
                readers: AtomicUsize::new(0),
                favoured: AtomicBool::new(is_favoured),
            })
        };
        Arc::clone(self.lock_streams().entry(key.clone()).or_insert_with(new))
    }

    fn existing(&self, source: &SourceId, profile: Profile) -> Option<Arc<Stream>> {
        self.lock_streams().get(&(source.clone(), profile)).cloned()
    }

    fn lock_streams(&self) -> MutexGuard<'_, HashMap<StreamKey, Arc<Stream>>> {
        self.town.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Town {
    /// Changes a stream's state and keeps the town's sums in step.
    fn change<T>(&self, stream: &Stream, with: impl FnOnce(&mut State) -> T) -> T {
        let mut state = stream.lock();
        let (bytes, runs) = (state.ring.bytes(), state.ring.runs());
        let out = with(&mut state);
        // Wrapping sums: the differences of all streams add up to what stands.
        self.bytes.fetch_add(state.ring.bytes().wrapping_sub(bytes), Ordering::Relaxed);
        self.live_runs.fetch_add(state.ring.runs().wrapping_sub(runs), Ordering::Relaxed);
        out
    }

    fn keep_ms(&self, is_favoured: bool) -> i64 {
        if is_favoured { self.favoured_keep_ms } else { self.keep_ms }
    }

    fn enqueue(&self, mark: &RunMark, stream: &Arc<Stream>) {
        let live = self.live_runs.load(Ordering::Relaxed);
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push(mark, stream, live);
    }

    /// Drops the oldest GOPs of the town until the budget holds.
    fn keep_budget(&self) {
        while self.bytes.load(Ordering::Relaxed) > self.total_bytes {
            let oldest = self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some((mark, stream)) = oldest else { return };
            let (Some(mark), Some(stream)) = (mark.upgrade(), stream.upgrade()) else { continue };
            if self.change(&stream, |state| state.ring.drop_marked(&mark)) {
                self.count_dropped(1);
            }
        }
    }

    fn count_dropped(&self, gops: u64) {
        self.dropped_gops.fetch_add(gops, Ordering::Relaxed);
        counter!("gridward_ring_dropped_gops_total").increment(gops);
    }
}

/// Feeds one stream. Nothing here waits or fails.
#[derive(Debug)]
pub struct RingWriter {
    town: Arc<Town>,
    stream: Arc<Stream>,
    number: u64,
}

impl RingWriter {
    /// The parameter sets of the frames to come; returns their generation, a new one when they differ from before.
    pub fn set_track(&mut self, track: NewTrack) -> u32 {
        let mut state = self.stream.lock();
        if state.writer != self.number {
            return 0;
        }
        state.ring.set_track(track)
    }

    /// Whether somebody reads this stream now.
    pub fn has_readers(&self) -> bool {
        self.stream.readers.load(Ordering::Relaxed) > 0
    }

    /// Takes an access unit; O(1), never waits for a reader. Frames that cannot be used are counted and forgotten:
    /// before a track, before the first key frame, larger than the budget, or from a writer that has been replaced.
    pub fn push(&mut self, frame: NewFrame) {
        let town = &self.town;
        let pushed = town.change(&self.stream, |state| (state.writer == self.number).then(|| state.ring.push(frame)));
        let Some(pushed) = pushed else { return };
        if pushed.refused {
            town.refused_frames.fetch_add(1, Ordering::Relaxed);
            counter!("gridward_ring_refused_frames_total").increment(1);
        }
        if pushed.dropped_gops > 0 {
            town.count_dropped(pushed.dropped_gops);
        }
        if self.has_readers() {
            self.stream.news.notify_waiters();
        }
        if let Some(mark) = pushed.new_run {
            town.enqueue(&mark, &self.stream);
            gauge!("gridward_ring_bytes").set(town.bytes.load(Ordering::Relaxed) as f64);
        }
        town.keep_budget();
    }
}

impl Drop for RingWriter {
    fn drop(&mut self) {
        self.town.change(&self.stream, |state| {
            if state.writer == self.number {
                state.has_writer = false;
                state.ring.end_session();
            }
        });
    }
}

#[cfg(test)]
#[path = "rings_tests.rs"]
mod tests;
