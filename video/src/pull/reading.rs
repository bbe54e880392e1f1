//! The thread of one pull: opens, reads, and takes access units apart until nobody wants more.

use std::ffi::CString;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ffmpeg_next as ff;
use ffmpeg_next::codec::Id;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::util::interrupt;
use ffmpeg_next::{Dictionary, Packet, Rescale, media};
use model::Timestamp;
use tokio::sync::mpsc;

use super::assemble::Assembler;
use super::{PullError, PullRequest, Pulled};
use crate::decode::{ACCESS_UNIT_BYTES_MAX, prepare};
use crate::{Codec, NewFrame, TIMESCALE};

/// Between two frames of which the second has no time: a fortieth of a second, for the ring's own timeline to correct.
const UNTIMED_STEP_90K: i64 = 2_250;
/// How long the source's answer to the goodbye is waited for.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

pub(super) struct Reading {
    pub request: PullRequest,
    pub out: mpsc::Sender<Result<Pulled, PullError>>,
    pub stop: Arc<AtomicBool>,
}

impl Reading {
    pub(super) fn run(self) {
        let read = catch_unwind(AssertUnwindSafe(|| self.read()));
        let ended = read.unwrap_or_else(|_| {
            metrics::counter!("gridward_decode_defects_total").increment(1);
            Err(PullError::Broken("a defect in the reader".to_owned()))
        });
        if let Err(error) = ended {
            let _ = self.out.blocking_send(Err(error));
        }
    }

    /// Ends well when the source ends the stream or nobody wants more.
    fn read(&self) -> Result<(), PullError> {
        let patience = Arc::new(Patience::new(&self.stop, self.request.open_limit));
        let mut input = self.open(&patience)?;
        let read = self.frames(&mut input);
        // Closing says goodbye to the source, which it could not do while it is being interrupted.
        patience.begin(Stage::Closing);
        drop(input);
        read
    }

    fn frames(&self, input: &mut Input) -> Result<(), PullError> {
        let (stream, codec, sets, clock) = choose(input)?;
        if self.out.blocking_send(Ok(Pulled::Opened)).is_err() {
            return Ok(());
        }
        let mut assembler = Assembler::new(codec);
        assembler.learn(&sets);
        let mut packet = Packet::empty();
        let mut last_pts = 0;
        loop {
            match packet.read(input) {
                Ok(()) => {}
                Err(ff::Error::Eof) => return Ok(()),
                Err(ff::Error::Exit) if self.stop.load(Ordering::Relaxed) => return Ok(()),
                Err(error) => return Err(judge(error)),
            }
            if packet.stream() != stream {
                continue;
            }
            let Some(bytes) = packet.data() else { continue };
            if bytes.len() > ACCESS_UNIT_BYTES_MAX {
                return Err(PullError::Broken(format!("an access unit of {} bytes", bytes.len())));
            }
            let pts = packet.pts().or(packet.dts()).map(|pts| pts.rescale(clock, (1, TIMESCALE as i32)));
            last_pts = pts.unwrap_or(last_pts + UNTIMED_STEP_90K);
            let Some(unit) = assembler.take(bytes) else { continue };
            let received_at = Timestamp::now();
            let frame = NewFrame { pts_90k: last_pts, is_key: unit.is_key, data: unit.data, received_at };
            let pulled = Pulled::Frame { frame, track: unit.track, damaged: packet.is_corrupt() };
            if self.out.blocking_send(Ok(pulled)).is_err() {
                return Ok(());
            }
        }
    }

    fn open(&self, patience: &Arc<Patience>) -> Result<Input, PullError> {
        prepare();
        let mut options = Dictionary::new();
        for (name, value) in &self.request.options {
            options.set(name, value);
        }
        let url = CString::new(self.request.url.as_str()).map_err(|_| PullError::Broken("no address".to_owned()))?;
        let asked = Arc::clone(patience);
        let input = open(&url, options, move || asked.is_over());
        // An interrupted opening fails in many ways.
        let late = patience.is_over();
        patience.begin(Stage::Reading);
        input.map_err(|error| if late { PullError::OpenTimeout(self.request.open_limit) } else { judge(error) })
    }
}

/// What the pull is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Opening,
    /// Without a limit: the asker watches over the frames.
    Reading,
    Closing,
}

/// How long FFmpeg may wait for the source; asked by FFmpeg several times a second.
struct Patience {
    stop: Arc<AtomicBool>,
    open_limit: Duration,
    stage: Mutex<(Stage, Instant)>,
}

impl Patience {
    fn new(stop: &Arc<AtomicBool>, open_limit: Duration) -> Self {
        Self { stop: Arc::clone(stop), open_limit, stage: Mutex::new((Stage::Opening, Instant::now())) }
    }

    fn begin(&self, stage: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = (stage, Instant::now());
    }

    fn is_over(&self) -> bool {
        let (stage, since) = *self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let stopped = self.stop.load(Ordering::Relaxed);
        match stage {
            Stage::Opening => stopped || since.elapsed() > self.open_limit,
            Stage::Reading => stopped,
            Stage::Closing => since.elapsed() > CLOSE_LIMIT,
        }
    }
}

/// Opens without looking into the streams: nothing is decoded here, and parameter sets come with the first key frame.
#[expect(unsafe_code, reason = "the wrapper opens only with a look into the streams, which decodes what is hostile")]
fn open(
    url: &CString,
    options: Dictionary,
    interrupted: impl FnMut() -> bool + Send + 'static,
) -> Result<Input, ff::Error> {
    // SAFETY: as `ffmpeg_next::format::input_with_interrupt_and_dictionary`, without its last step. The guard owns the closure
    // and outlives the context: it is dropped after a failed open, which has freed the context, or goes along with it.
    unsafe {
        let mut context = ff::ffi::avformat_alloc_context();
        if context.is_null() {
            return Err(ff::Error::Other { errno: ff::error::ENOMEM });
        }
        let interrupt = interrupt::new(Box::new(interrupted));
        (*context).interrupt_callback = interrupt.interrupt;
        let mut options = options.disown();
        let opened =
            ff::ffi::avformat_open_input(&raw mut context, url.as_ptr(), std::ptr::null_mut(), &raw mut options);
        drop(Dictionary::own(options));
        match opened {
            0.. => Ok(Input::wrap_with_interrupt(context, interrupt.guard)),
            error => Err(ff::Error::from(error)),
        }
    }
}

/// The first video stream in a codec that is carried: its number, codec, parameter sets and clock.
fn choose(input: &Input) -> Result<(usize, Codec, Vec<u8>, ff::Rational), PullError> {
    let mut other = None;
    for stream in input.streams() {
        let parameters = stream.parameters();
        if parameters.medium() != media::Type::Video {
            continue;
        }
        let codec = match parameters.id() {
            Id::H264 => Codec::H264,
            Id::HEVC => Codec::H265,
            Id::MJPEG => Codec::Mjpeg,
            id => {
                other = Some(PullError::Codec(id.name().to_owned()));
                continue;
            }
        };
        return Ok((stream.index(), codec, sets(&parameters), stream.time_base()));
    }
    Err(other.unwrap_or(PullError::NoVideo))
}

/// Parameter sets that the description named, as a byte stream.
#[expect(unsafe_code, reason = "the wrapper has no word for them")]
fn sets(parameters: &ff::codec::Parameters) -> Vec<u8> {
    // SAFETY: the pointer is null or leads to so many bytes while the parameters live.
    unsafe {
        let raw = &*parameters.as_ptr();
        if raw.extradata.is_null() || raw.extradata_size <= 0 {
            return Vec::new();
        }
        std::slice::from_raw_parts(raw.extradata, raw.extradata_size as usize).to_vec()
    }
}

fn judge(error: ff::Error) -> PullError {
    match error {
        ff::Error::HttpUnauthorized | ff::Error::HttpForbidden => PullError::Unauthorized,
        ff::Error::HttpNotFound => PullError::NotFound,
        ff::Error::HttpBadRequest | ff::Error::HttpOther4xx | ff::Error::HttpServerError => {
            PullError::Refused(error.to_string())
        }
        ff::Error::Other { errno } => {
            PullError::Io { kind: io::Error::from_raw_os_error(errno).kind(), text: error.to_string() }
        }
        other => PullError::Broken(other.to_string()),
    }
}
