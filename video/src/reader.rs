//! Readers: pull frames by number, at their own pace.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use metrics::counter;

use crate::demand::Demand;
use crate::ring::{Found, ReadyTrack};
use crate::rings::Stream;
use crate::{Frame, Track};

/// What a reader gets next.
#[derive(Debug, Clone)]
pub enum ReadEvent {
    /// The frames to come decode with this; comes before the first frame and with each new generation. The bytes are
    /// the fMP4 init segment.
    Track(Arc<Track>, Bytes),
    /// The next frame. After the start and after [`ReadEvent::Lagged`] it is a key frame.
    Frame(Arc<Frame>),
    /// So many frames were lost to this reader, because it was too slow or the stream had a hole.
    Lagged {
        /// Frames not seen.
        missed: u64,
    },
}

/// Reads one stream; keeps it wanted while it lives.
#[derive(Debug)]
pub struct Reader {
    stream: Arc<Stream>,
    demand: Arc<Demand>,
    lag_ms_max: Option<i64>,
    cursor: Cursor,
    /// The generation last told; 0 before the first.
    generation: u32,
    /// A frame whose track was told first.
    held: Option<Arc<Frame>>,
}

#[derive(Debug, Clone, Copy)]
enum Cursor {
    /// Looks for a key frame to begin at.
    Start,
    /// Has seen everything before this number since its last key frame.
    At(u64),
    /// Lost its place at this number; looks for a key frame at or after it.
    Lost(u64),
}

impl Reader {
    pub(crate) fn new(stream: Arc<Stream>, demand: Arc<Demand>, lag_ms_max: i64) -> Self {
        demand.acquire(&stream.key);
        stream.readers.fetch_add(1, Ordering::Relaxed);
        Self { stream, demand, lag_ms_max: Some(lag_ms_max), cursor: Cursor::Start, generation: 0, held: None }
    }

    /// Reads everything that the ring still has, however far behind: for recorders, not for viewers.
    pub fn without_lag_limit(mut self) -> Self {
        self.lag_ms_max = None;
        self
    }

    /// The next event; waits for it. Cancel-safe: nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> ReadEvent {
        let stream = Arc::clone(&self.stream);
        loop {
            let news = stream.news.notified();
            tokio::pin!(news);
            // Registered before looking, so that a push in between wakes.
            news.as_mut().enable();
            if let Some(event) = self.try_next() {
                return event;
            }
            news.await;
        }
    }

    /// The next event, when there is one now.
    pub fn try_next(&mut self) -> Option<ReadEvent> {
        if let Some(frame) = self.held.take() {
            return Some(ReadEvent::Frame(frame));
        }
        let stream = Arc::clone(&self.stream);
        let state = stream.lock();
        let ring = &state.ring;
        loop {
            match self.cursor {
                Cursor::Start => self.cursor = Cursor::At(ring.join_point(0)?),
                Cursor::Lost(from) => {
                    let resume = ring.join_point(from)?;
                    self.cursor = Cursor::At(resume);
                    let missed = resume - from;
                    if missed > 0 {
                        counter!("gridward_reader_missed_frames_total").increment(missed);
                        return Some(ReadEvent::Lagged { missed });
                    }
                }
                Cursor::At(number) => match ring.find(number) {
                    Found::Wait => return None,
                    Found::Gone => self.cursor = Cursor::Lost(number),
                    Found::Frame(track, frame) => {
                        let late = self.lag_ms_max.is_some_and(|max| ring.lag_ms(&frame) > max);
                        // A GOP longer than the limit is read on: there is nothing newer to begin at.
                        if late && ring.join_point(number + 1).is_some() {
                            self.cursor = Cursor::Lost(number);
                            continue;
                        }
                        self.cursor = Cursor::At(number + 1);
                        return Some(self.deliver(track, frame));
                    }
                },
            }
        }
    }

    fn deliver(&mut self, ready: Arc<ReadyTrack>, frame: Arc<Frame>) -> ReadEvent {
        if self.generation == ready.track.generation {
            return ReadEvent::Frame(frame);
        }
        self.generation = ready.track.generation;
        self.held = Some(frame);
        ReadEvent::Track(Arc::clone(&ready.track), ready.init.clone())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stream.readers.fetch_sub(1, Ordering::Relaxed);
        self.demand.release(&self.stream.key);
    }
}
