//! The ring of one stream: numbered frames in runs, as plain data.
//!
//! A run is a key frame with everything up to the next one (a GOP). When a GOP outgrows the budget it leaves whole while
//! its rest still arrives: the rest is a run without a key frame, which only readers at the tail may follow.
//! No locks, clocks or wake-ups here: see `rings`.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::timeline::Timeline;
use crate::{Frame, NewFrame, NewTrack, Track, fmp4};

/// A track with its init segment, built once.
#[derive(Debug)]
pub(crate) struct ReadyTrack {
    pub track: Arc<Track>,
    pub init: Bytes,
}

/// Lives as long as its run stands in the ring: the town-wide queue holds weak ones.
pub(crate) type RunMark = Arc<()>;

#[derive(Debug)]
struct Run {
    /// The number of its first frame; the rest follow without holes.
    first: u64,
    begins_with_key: bool,
    bytes: usize,
    track: Arc<ReadyTrack>,
    frames: Vec<Arc<Frame>>,
    mark: RunMark,
}

impl Run {
    fn end(&self) -> u64 {
        self.first + self.frames.len() as u64
    }
}

/// Why the ring waits for a key frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NeedKey {
    /// It does not.
    No,
    /// A session or track has just begun: what comes before its first key frame was never part of the stream.
    Start,
    /// A frame was refused: what depends on it is lost, and is numbered so that readers learn of it.
    Loss,
}

/// What a push did.
#[derive(Debug, Default)]
pub(crate) struct Pushed {
    /// The frame was not taken: no track yet, no key frame yet, or too large.
    pub refused: bool,
    /// A new run began.
    pub new_run: Option<RunMark>,
    /// GOPs that left because of the byte budget.
    pub dropped_gops: u64,
}

/// What a reader finds at its place.
#[derive(Debug)]
pub(crate) enum Found {
    /// The frame.
    Frame(Arc<ReadyTrack>, Arc<Frame>),
    /// Nothing yet.
    Wait,
    /// The place has left the ring.
    Gone,
}

#[derive(Debug)]
pub(crate) struct Ring {
    bytes_max: usize,
    keep_ms: i64,
    runs: VecDeque<Run>,
    /// Bytes of all runs.
    run_bytes: usize,
    next_number: u64,
    /// Numbers below this one belong to sessions that are over: new readers do not begin there.
    join_floor: u64,
    need_key: NeedKey,
    track: Option<Arc<ReadyTrack>>,
    timeline: Timeline,
    /// The newest key frame; stays when its run leaves, for stills.
    last_key: Option<(Arc<ReadyTrack>, Arc<Frame>)>,
}

impl Ring {
    pub(crate) fn new(bytes_max: usize, keep_ms: i64) -> Self {
        Self {
            bytes_max,
            keep_ms,
            runs: VecDeque::new(),
            run_bytes: 0,
            next_number: 1,
            join_floor: 0,
            need_key: NeedKey::Start,
            track: None,
            timeline: Timeline::default(),
            last_key: None,
        }
    }

    /// Bytes held: those of the runs, and the newest key frame when its run has left.
    pub(crate) fn bytes(&self) -> usize {
        let pinned = match (&self.last_key, self.runs.front()) {
            (Some((_, key)), front) if front.is_none_or(|run| key.number < run.first) => key.data.len(),
            _ => 0,
        };
        self.run_bytes + pinned
    }

    pub(crate) fn runs(&self) -> usize {
        self.runs.len()
    }

    /// How much is kept behind the newest frame from now on.
    pub(crate) fn keep(&mut self, keep_ms: i64) {
        self.keep_ms = keep_ms;
    }

    /// A new session begins; its clock is another one.
    pub(crate) fn begin_session(&mut self) {
        self.need_key = NeedKey::Start;
        self.timeline.restart();
    }

    /// The session is over: only its newest key frame stays, and new readers wait for the next session.
    pub(crate) fn end_session(&mut self) {
        self.begin_session();
        self.join_floor = self.next_number;
        self.runs.clear();
        self.run_bytes = 0;
    }

    /// The parameter sets from now on. The same ones as before keep their generation.
    pub(crate) fn set_track(&mut self, new: NewTrack) -> u32 {
        let generation = match &self.track {
            Some(ready) if same_track(&ready.track, &new) => return ready.track.generation,
            Some(ready) => ready.track.generation + 1,
            None => 1,
        };
        let track = Track {
            generation,
            codec: new.codec,
            rfc6381: new.rfc6381,
            width: new.width,
            height: new.height,
            decoder_config: new.decoder_config,
        };
        let init = fmp4::init_segment(&track);
        self.track = Some(Arc::new(ReadyTrack { track: Arc::new(track), init }));
        self.need_key = NeedKey::Start;
        generation
    }

    /// Takes a frame. Whole runs leave from the front as budget and age ask.
    pub(crate) fn push(&mut self, new: NewFrame) -> Pushed {
        let mut pushed = Pushed::default();
        let size = new.data.len();
        let fits = size > 0 && size <= self.bytes_max && u32::try_from(size).is_ok();
        let Some(track) = self.track.clone().filter(|_| fits && (new.is_key || self.need_key == NeedKey::No)) else {
            pushed.refused = true;
            self.refuse();
            return pushed;
        };
        let placed = self.timeline.place(new.pts_90k);
        let frame = Arc::new(Frame {
            number: self.next_number,
            generation: track.track.generation,
            pts_90k: new.pts_90k,
            decode_time_90k: placed.decode_time,
            duration_90k: placed.duration,
            is_key: new.is_key,
            received_at: new.received_at,
            data: new.data,
            fragment: OnceLock::new(),
        });
        self.next_number += 1;
        self.need_key = NeedKey::No;
        if frame.is_key {
            self.last_key = Some((Arc::clone(&track), Arc::clone(&frame)));
        }
        self.leave_by_age(&frame);
        while self.run_bytes + size > self.bytes_max && self.drop_front() {
            pushed.dropped_gops += 1;
        }
        self.run_bytes += size;
        match self.runs.back_mut().filter(|run| !frame.is_key && run.end() == frame.number) {
            Some(run) => {
                run.bytes += size;
                run.frames.push(frame);
            }
            None => {
                let mark = RunMark::default();
                pushed.new_run = Some(Arc::clone(&mark));
                self.runs.push_back(Run {
                    first: frame.number,
                    begins_with_key: frame.is_key,
                    bytes: size,
                    track,
                    frames: vec![frame],
                    mark,
                });
            }
        }
        pushed
    }

    fn refuse(&mut self) {
        match self.need_key {
            NeedKey::Start => {}
            NeedKey::No | NeedKey::Loss => {
                self.need_key = NeedKey::Loss;
                self.next_number += 1;
            }
        }
    }

    /// Runs leave when the run after them is old enough; the newest GOP stays.
    fn leave_by_age(&mut self, newest: &Frame) {
        while let Some(second) = self.runs.get(1) {
            let age_ms = newest.received_at.as_millisecond() - second.frames[0].received_at.as_millisecond();
            if age_ms < self.keep_ms {
                break;
            }
            self.drop_front();
        }
    }

    fn drop_front(&mut self) -> bool {
        let Some(run) = self.runs.pop_front() else { return false };
        self.run_bytes -= run.bytes;
        true
    }

    /// Drops the front run when it is the marked one.
    pub(crate) fn drop_marked(&mut self, mark: &RunMark) -> bool {
        self.runs.front().is_some_and(|run| Arc::ptr_eq(&run.mark, mark)) && self.drop_front()
    }

    /// The newest key frame, whatever became of its run.
    pub(crate) fn last_key(&self) -> Option<&(Arc<ReadyTrack>, Arc<Frame>)> {
        self.last_key.as_ref()
    }

    /// Whether a frame is of the session that goes on.
    pub(crate) fn is_current(&self, frame: &Frame) -> bool {
        frame.number >= self.join_floor
    }

    /// The number of the newest key frame that a reader may begin at: in the ring, of this session, at least `from`.
    pub(crate) fn join_point(&self, from: u64) -> Option<u64> {
        let newest = self.runs.iter().rev().find(|run| run.begins_with_key)?;
        (newest.first >= from.max(self.join_floor)).then_some(newest.first)
    }

    /// What stands at `number`.
    pub(crate) fn find(&self, number: u64) -> Found {
        if number >= self.next_number {
            return Found::Wait;
        }
        let after = self.runs.partition_point(|run| run.first <= number);
        let run = after.checked_sub(1).and_then(|i| self.runs.get(i));
        match run.and_then(|run| Some((run, run.frames.get((number - run.first) as usize)?))) {
            Some((run, frame)) => Found::Frame(Arc::clone(&run.track), Arc::clone(frame)),
            None => Found::Gone,
        }
    }

    /// How many milliseconds `frame` lies behind the newest one.
    pub(crate) fn lag_ms(&self, frame: &Frame) -> i64 {
        let newest = self.runs.back().and_then(|run| run.frames.last());
        newest.map_or(0, |n| n.received_at.as_millisecond() - frame.received_at.as_millisecond())
    }

    /// Forgets all pictures; numbers and times carry on.
    pub(crate) fn clear(&mut self) {
        self.end_session();
        self.last_key = None;
    }
}

fn same_track(old: &Track, new: &NewTrack) -> bool {
    old.codec == new.codec
        && old.decoder_config == new.decoder_config
        && (old.width, old.height) == (new.width, new.height)
        && old.rfc6381 == new.rfc6381
}
