//! One live socket: its tiles, what it may see, and the one task that sends.
//!
//! While a batch is on its way nothing new is pulled, so that what waits in memory for a slow viewer is one batch; what
//! waits in the rings is everybody's.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures::future::{AbortHandle, Abortable, Aborted, BoxFuture};
use futures::stream::{FuturesUnordered, SplitSink, StreamExt};
use futures::{FutureExt, SinkExt};
use metrics::{Counter, Histogram, counter, gauge, histogram};
use model::log::Audit;
use model::{Profile, SourceId, SourceState, Timestamp};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::pull::{Pull, Pulled};
use super::wire::{self, Kind, Mode, Say, Sub, TILES_MAX};
use crate::access::Caller;
use crate::error::ApiError;
use crate::state::AppState;

/// How often states are compared with what was told, and all else is looked after.
const TICK: Duration = Duration::from_millis(250);
/// How often it is asked again whether the caller may still see each tile.
const RECHECK: Duration = Duration::from_secs(3);
/// How long one batch may take to leave before the viewer counts as gone.
const SEND_LIMIT: Duration = Duration::from_secs(10);
/// A batch ends with the frame that fills it: at 10 Mbit/s it leaves in a twentieth of a second.
const BATCH_BYTES: usize = 64 * 1024;
/// How often the other end is asked whether it lives, and how long it may be silent.
const PING: Duration = Duration::from_secs(20);
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Answers that may wait while nothing leaves; a client that asks on without reading is closed.
const WAITING_MAX: usize = 1_024;
/// Subscriptions a socket may make at once, and a second from then on: each is a row in the audit.
const SUBS_BURST: f64 = 256.0;
const SUBS_PER_S: f64 = 8.0;

struct Tile {
    /// Tells this tile from an earlier one of the same number.
    serial: u64,
    source: SourceId,
    profile: Profile,
    mode: Mode,
    since: Instant,
    /// Whether a picture has left.
    begun: bool,
    /// State and reason last told.
    told: Option<(SourceState, Option<String>)>,
    /// Until the audit row stands.
    waiting: Option<Pull>,
    pulling: Option<AbortHandle>,
}

impl Drop for Tile {
    fn drop(&mut self) {
        if let Some(pulling) = &self.pulling {
            pulling.abort();
        }
        gauge!("gridward_live_tiles", "mode" => self.mode.as_str()).decrement(1.0);
    }
}

/// A tile's next picture, with where the one after comes from.
type Next = (u16, u64, Pull, Pulled);
/// Tiles whose audit rows were to be written, and whether they were.
type Audited = (Vec<(u16, u64)>, Result<(), ApiError>);

struct Meters {
    frames: Counter,
    bytes: Counter,
    dropped: Counter,
    first: Histogram,
}

/// Why a socket ends, when the other end has not gone.
struct End {
    code: u16,
    reason: &'static str,
}

pub(super) struct Session {
    state: Arc<AppState>,
    caller: Caller,
    tiles: HashMap<u16, Tile>,
    serial: u64,
    pulls: FuturesUnordered<Abortable<BoxFuture<'static, Next>>>,
    audits: FuturesUnordered<BoxFuture<'static, Audited>>,
    rechecks: FuturesUnordered<BoxFuture<'static, Result<Option<Caller>, ApiError>>>,
    rechecked_at: Instant,
    /// What leaves next.
    out: VecDeque<Message>,
    /// Since when the present batch is on its way.
    sending_since: Option<Instant>,
    pinged_at: Instant,
    heard_at: Instant,
    subs: f64,
    subs_at: Instant,
    meters: Meters,
}

impl Session {
    pub(super) fn new(state: Arc<AppState>, caller: Caller) -> Self {
        let now = Instant::now();
        Self {
            state,
            caller,
            tiles: HashMap::new(),
            serial: 0,
            pulls: FuturesUnordered::new(),
            audits: FuturesUnordered::new(),
            rechecks: FuturesUnordered::new(),
            rechecked_at: now,
            out: VecDeque::new(),
            sending_since: None,
            pinged_at: now,
            heard_at: now,
            subs: SUBS_BURST,
            subs_at: now,
            meters: Meters {
                frames: counter!("gridward_live_frames_total"),
                bytes: counter!("gridward_live_bytes_total"),
                dropped: counter!("gridward_live_dropped_frames_total"),
                first: histogram!("gridward_live_first_frame_seconds"),
            },
        }
    }

    /// Serves the socket until either end closes it.
    pub(super) async fn run(mut self, socket: WebSocket) {
        let (mut sink, mut incoming) = socket.split();
        let token = self.state.token.clone();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = loop {
            let sending = self.sending_since.is_some();
            let end = tokio::select! {
                () = token.cancelled() => Some(End { code: close_code::AWAY, reason: "the hub stops" }),
                sent = send(&mut sink, &mut self.out), if sending => match sent {
                    Ok(()) => {
                        self.sending_since = None;
                        None
                    }
                    Err(_) => return,
                },
                message = incoming.next() => match message {
                    Some(Ok(message)) => match self.hear(message) {
                        Ok(end) => end,
                        Err(Gone) => return,
                    },
                    Some(Err(_)) | None => return,
                },
                _ = tick.tick() => self.tick(),
                Some(audited) = self.audits.next() => {
                    self.audited(audited);
                    None
                }
                Some(caller) = self.rechecks.next() => self.rechecked(caller),
                Some(next) = self.pulls.next(), if !sending => {
                    self.batch(next);
                    None
                }
            };
            if let Some(end) = end {
                break end;
            }
            if self.sending_since.is_none() && !self.out.is_empty() {
                self.sending_since = Some(Instant::now());
            }
        };
        self.out.push_back(Message::Close(Some(CloseFrame { code: end.code, reason: end.reason.into() })));
        // A viewer that reads learns why; one that does not is gone all the same.
        let _ = timeout(Duration::from_secs(1), send(&mut sink, &mut self.out)).await;
    }

    fn hear(&mut self, message: Message) -> Result<Option<End>, Gone> {
        self.heard_at = Instant::now();
        match message {
            Message::Text(text) => match wire::read(&text) {
                Ok(heard) => {
                    heard.unsub.iter().for_each(|t| drop(self.tiles.remove(t)));
                    self.subscribe(heard.sub, heard.purpose);
                }
                Err(problem) => self.refuse(None, "bad_request", &problem),
            },
            Message::Binary(_) => self.refuse(None, "bad_request", "expected text"),
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(_) => return Err(Gone),
        }
        let full = self.out.len() > WAITING_MAX;
        Ok(full.then_some(End { code: close_code::POLICY, reason: "answers are not read" }))
    }

    fn subscribe(&mut self, subs: Vec<Sub>, purpose: Option<String>) {
        let now = Timestamp::now();
        let (mut opened, mut rows) = (Vec::new(), Vec::new());
        let purpose = purpose.map(|purpose| purpose.trim().to_owned()).filter(|purpose| !purpose.is_empty());
        for sub in subs {
            // A number that is in use means: something else there.
            self.tiles.remove(&sub.t);
            match self.open(&sub, now) {
                Ok(tile) => {
                    let detail = serde_json::json!({ "profile": tile.profile, "mode": tile.mode });
                    let subject = tile.source.to_string();
                    rows.push(Audit { action: "live.view".to_owned(), subject, purpose: purpose.clone(), detail });
                    opened.push((sub.t, tile.serial));
                    self.tiles.insert(sub.t, tile);
                }
                Err((code, message)) => self.refuse(Some(sub.t), code, &message),
            }
        }
        if rows.is_empty() {
            return;
        }
        let (state, actor) = (Arc::clone(&self.state), self.caller.actor());
        self.audits.push(async move { (opened, state.audit_rows(actor, rows).await) }.boxed());
        self.tell_states();
    }

    /// A tile whose stream is wanted from now on, and which shows nothing before its audit row stands.
    fn open(&mut self, sub: &Sub, now: Timestamp) -> Result<Tile, (&'static str, String)> {
        if self.tiles.len() >= TILES_MAX {
            return Err(("too_many", format!("at most {TILES_MAX} tiles on one socket")));
        }
        if !self.may_subscribe() {
            return Err(("too_many", "too many subscriptions in a short time".to_owned()));
        }
        let source = self.state.feed.sources().get(sub.source.as_str()).cloned();
        let source = source.ok_or_else(|| ApiError::not_found("camera")).and_then(|source| {
            self.caller.may_watch(&self.state, &source, now)?;
            Ok(source)
        });
        let source = source.map_err(|error| (error.code(), error.message().to_owned()))?;
        self.serial += 1;
        let (profile, mode) = (sub.profile.chosen(), sub.mode);
        gauge!("gridward_live_tiles", "mode" => mode.as_str()).increment(1.0);
        Ok(Tile {
            serial: self.serial,
            source: source.id.clone(),
            profile,
            mode,
            since: Instant::now(),
            begun: false,
            told: None,
            waiting: Some(Pull::new(&self.state.rings, &self.state.stills, &source.id, profile, mode)),
            pulling: None,
        })
    }

    fn may_subscribe(&mut self) -> bool {
        let now = Instant::now();
        let passed_s = now.duration_since(self.subs_at).as_secs_f64();
        self.subs_at = now;
        self.subs = (self.subs + passed_s * SUBS_PER_S).min(SUBS_BURST);
        let may = self.subs >= 1.0;
        if may {
            self.subs -= 1.0;
        }
        may
    }

    fn audited(&mut self, (opened, outcome): Audited) {
        for (t, serial) in opened {
            let Some(tile) = self.tiles.get_mut(&t).filter(|tile| tile.serial == serial) else { continue };
            match (&outcome, tile.waiting.take()) {
                (Ok(()), Some(pull)) => self.pull(t, serial, pull),
                (Ok(()), None) => {}
                (Err(_), _) => self.end(t, "unavailable", "the view cannot be written to the audit"),
            }
        }
    }

    /// Waits for the tile's next picture.
    fn pull(&mut self, t: u16, serial: u64, mut pull: Pull) {
        let Some(tile) = self.tiles.get_mut(&t).filter(|tile| tile.serial == serial) else { return };
        let (handle, registration) = AbortHandle::new_pair();
        tile.pulling = Some(handle);
        let next = async move {
            let pulled = pull.next().await;
            (t, serial, pull, pulled)
        };
        self.pulls.push(Abortable::new(next.boxed(), registration));
    }

    /// Takes a picture and all others that are there, until the batch is full.
    fn batch(&mut self, first: Result<Next, Aborted>) {
        let mut bytes = self.take(first);
        while bytes < BATCH_BYTES {
            let Some(Some(next)) = self.pulls.next().now_or_never() else { break };
            bytes += self.take(next);
        }
    }

    /// Queues what a tile has; answers with its size.
    fn take(&mut self, next: Result<Next, Aborted>) -> usize {
        let Ok((t, serial, pull, pulled)) = next else { return 0 };
        let Some(tile) = self.tiles.get_mut(&t).filter(|tile| tile.serial == serial) else { return 0 };
        let size = match pulled {
            Pulled::Track(track, init) => {
                self.out.push_back(Say::hello(t, &track, tile.profile));
                init.map_or(0, |init| {
                    self.out.push_back(wire::picture(t, Kind::Init, Timestamp::now(), &init));
                    init.len()
                })
            }
            Pulled::Frame(frame) => {
                let kind = if frame.is_key { Kind::Key } else { Kind::Delta };
                let fragment = frame.fragment();
                self.out.push_back(wire::picture(t, kind, frame.received_at, &fragment));
                self.meters.shown(tile, fragment.len())
            }
            Pulled::Still(still) => {
                self.out.push_back(wire::picture(t, Kind::Jpeg, still.received_at, &still.jpeg));
                self.meters.shown(tile, still.jpeg.len())
            }
            Pulled::Lagged(frames) => {
                self.meters.dropped.increment(frames);
                self.out.push_back(Say::Drop { t, frames }.text());
                0
            }
            Pulled::Failed(problem) => {
                self.end(t, "unavailable", &problem);
                return 0;
            }
        };
        self.pull(t, serial, pull);
        size
    }

    fn tick(&mut self) -> Option<End> {
        let now = Instant::now();
        let stuck = self.sending_since.is_some_and(|since| now.duration_since(since) > SEND_LIMIT);
        if stuck || now.duration_since(self.heard_at) > SILENCE_MAX {
            counter!("gridward_live_sockets_dropped_total").increment(1);
            return Some(End { code: close_code::POLICY, reason: "nothing is read" });
        }
        if now.duration_since(self.pinged_at) > PING {
            self.pinged_at = now;
            self.out.push_back(Message::Ping(Default::default()));
        }
        if self.rechecks.is_empty() && now.duration_since(self.rechecked_at) > RECHECK {
            let (state, caller) = (Arc::clone(&self.state), self.caller.clone());
            self.rechecks.push(async move { caller.again(&state).await }.boxed());
        }
        self.tell_states();
        None
    }

    /// Ends what the caller may not see any more: the session or grant is over, the scope or the camera has changed.
    fn rechecked(&mut self, caller: Result<Option<Caller>, ApiError>) -> Option<End> {
        self.rechecked_at = Instant::now();
        match caller {
            Ok(Some(caller)) => self.caller = caller,
            Ok(None) => {
                self.tiles.clear();
                self.refuse(None, "forbidden", "the log-in has ended or the token was taken back");
                return Some(End { code: close_code::POLICY, reason: "session_ended" });
            }
            // The database does not answer: what was true a moment ago still is.
            Err(_) => {}
        }
        let (now, sources) = (Timestamp::now(), self.state.feed.sources());
        let ended: Vec<(u16, ApiError)> = self
            .tiles
            .iter()
            .filter_map(|(t, tile)| {
                let source = sources.get(&tile.source).ok_or_else(|| ApiError::not_found("camera"));
                source.and_then(|source| self.caller.may_watch(&self.state, source, now)).err().map(|error| (*t, error))
            })
            .collect();
        ended.into_iter().for_each(|(t, error)| self.end(t, error.code(), error.message()));
        None
    }

    fn tell_states(&mut self) {
        for (t, tile) in &mut self.tiles {
            let status = self.state.feed.status_of(&tile.source, tile.profile);
            let (state, reason) = match &status {
                Some(status) => (status.state, status.reason.as_deref()),
                None => (SourceState::Unknown, None),
            };
            if tile.told.as_ref().is_some_and(|(told, why)| *told == state && why.as_deref() == reason) {
                continue;
            }
            let since = status.as_ref().map_or_else(Timestamp::now, |status| status.since);
            self.out.push_back(Say::State { t: *t, state, reason, since }.text());
            tile.told = Some((state, reason.map(str::to_owned)));
        }
    }

    fn end(&mut self, t: u16, code: &str, message: &str) {
        self.tiles.remove(&t);
        self.refuse(Some(t), code, message);
    }

    fn refuse(&mut self, t: Option<u16>, code: &str, message: &str) {
        self.out.push_back(Say::Error { t, code, message }.text());
    }
}

impl Meters {
    fn shown(&self, tile: &mut Tile, bytes: usize) -> usize {
        self.frames.increment(1);
        self.bytes.increment(bytes as u64);
        if !std::mem::replace(&mut tile.begun, true) {
            self.first.record(tile.since.elapsed().as_secs_f64());
        }
        bytes
    }
}

/// The other end has said goodbye.
struct Gone;

/// Hands everything to the socket and waits until it has left. Cancel-safe: what was not handed over stays.
async fn send(sink: &mut SplitSink<WebSocket, Message>, out: &mut VecDeque<Message>) -> Result<(), axum::Error> {
    while !out.is_empty() {
        poll_fn(|cx| sink.poll_ready_unpin(cx)).await?;
        if let Some(message) = out.pop_front() {
            sink.start_send_unpin(message)?;
        }
    }
    sink.flush().await
}
