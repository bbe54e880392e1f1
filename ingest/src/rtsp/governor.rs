//! The fleet governor: who may connect when.
//!
//! Owns every retry. Sources never sleep and retry by themselves. Pure: time is an argument, a duration since any fixed
//! moment; randomness is seeded; the driver (`fleet`) opens the sessions it permits and tells it what became of them.
//!
//! Permits obey, all at once: a global rate with a small burst, a cap on connections being opened, the same cap for
//! each server, and an order: the area of an emergency, then viewers, then cameras that were well, then those whose last try failed (a dead camera holds its
//! slot for seconds); among equals first come first served, with a head start for key sites, which is a time, so that
//! nobody waits for ever behind them; probes take what is left. A failed camera waits with decorrelated jitter (each wait is random
//! between the shortest one and three times the last) and gets a fresh ladder only after having been live for a while.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use video::StreamKey;

/// What the governor keeps to; see `RtspConfig` for the words.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub connects_per_s: f64,
    pub burst: f64,
    pub connecting_max: usize,
    pub connecting_per_host_max: usize,
    pub retry_min: Duration,
    pub retry_max: Duration,
    pub stable: Duration,
    pub auth_retry: Duration,
}

/// Who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Priority {
    /// It stands in the area of an emergency.
    Area,
    /// Somebody waits for the picture.
    Viewer,
    /// The hub keeps the stream for itself, and the place matters most: a school gate, the river.
    KeySite,
    /// The hub keeps the stream for itself.
    Always,
    /// The hub asks how a camera on demand is.
    Probe,
}

/// How much earlier than the others' a key site's turn comes. While all of a large town is dark its cameras wait that long
/// for a slot (13,000 tries at 64 slots, most of them held for seconds); with less the key sites would come back in the
/// middle of the others.
const HEAD_START: Duration = Duration::from_secs(300);

/// The place in the order: the group, in it the time of being ready (less a head start), and which was first of two at the
/// same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    group: Group,
    /// After [`HEAD_START`] before the governor's beginning, so that it is never negative.
    turn: Duration,
    seq: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Area,
    Viewer,
    Well,
    Failed,
    Probe,
}

/// How a session ended, as far as the next one depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It failed in any way but the next.
    Failed,
    /// The camera refused the credentials.
    AuthFailed,
}

#[derive(Debug)]
enum Stage {
    Waiting {
        due: Duration,
        seq: u64,
        auth: bool,
    },
    Ready(Place),
    /// Holds a connection slot.
    Connecting,
    Playing,
}

#[derive(Debug)]
struct Entry {
    host: Arc<str>,
    priority: Priority,
    stage: Stage,
    /// The last wait; zero before the first.
    ladder: Duration,
    live_since: Option<Duration>,
}

impl Entry {
    fn place(&self, now: Duration, seq: u64) -> Place {
        let group = match self.priority {
            Priority::Area => Group::Area,
            Priority::Viewer => Group::Viewer,
            Priority::Probe => Group::Probe,
            _ if self.ladder.is_zero() => Group::Well,
            _ => Group::Failed,
        };
        let turn = if self.priority == Priority::KeySite { now } else { now + HEAD_START };
        Place { group, turn, seq }
    }
}

#[derive(Debug, Default)]
struct Host {
    connecting: usize,
    streams: usize,
    ready: BTreeSet<(Place, StreamKey)>,
    /// Under which head the host stands in `Governor::open`.
    listed: Option<Place>,
}

#[derive(Debug)]
pub(crate) struct Governor {
    limits: Limits,
    rng: SmallRng,
    entries: HashMap<StreamKey, Entry>,
    timers: BTreeSet<(Duration, u64, StreamKey)>,
    hosts: HashMap<Arc<str>, Host>,
    /// Servers with a stream ready and a slot free, by the stream that is first there.
    open: BTreeSet<(Place, Arc<str>)>,
    connecting: usize,
    ready: usize,
    tokens: f64,
    refilled: Duration,
    next_seq: u64,
}

impl Governor {
    pub(crate) fn new(limits: Limits, seed: u64) -> Self {
        Self {
            tokens: limits.burst,
            limits,
            rng: SmallRng::seed_from_u64(seed),
            entries: HashMap::new(),
            timers: BTreeSet::new(),
            hosts: HashMap::new(),
            open: BTreeSet::new(),
            connecting: 0,
            ready: 0,
            refilled: Duration::ZERO,
            next_seq: 0,
        }
    }

    /// A stream is wanted from now on, with a fresh ladder; whatever was known of it before is forgotten.
    pub(crate) fn add(&mut self, key: StreamKey, host: Arc<str>, priority: Priority, now: Duration) {
        self.remove(&key);
        self.hosts.entry(Arc::clone(&host)).or_default().streams += 1;
        let entry = Entry { host, priority, stage: Stage::Playing, ladder: Duration::ZERO, live_since: None };
        self.entries.insert(key.clone(), entry);
        self.make_ready(&key, now);
    }

    /// A stream is not wanted any more, or its session was stopped on purpose.
    pub(crate) fn remove(&mut self, key: &StreamKey) {
        self.leave_stage(key);
        let Some(entry) = self.entries.remove(key) else { return };
        if let Some(host) = self.hosts.get_mut(&entry.host) {
            host.streams -= 1;
            if host.streams == 0 {
                self.hosts.remove(&entry.host);
            }
        }
    }

    /// Changes who goes first. A viewer's arrival shortens a long wait, but never that of refused credentials.
    pub(crate) fn set_priority(&mut self, key: &StreamKey, priority: Priority, now: Duration) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if entry.priority == priority {
            return;
        }
        let soon = now + self.limits.retry_min;
        let (was_ready, hasten) = match entry.stage {
            Stage::Ready(_) => (true, false),
            Stage::Waiting { due, auth, .. } => (false, !auth && priority == Priority::Viewer && due > soon),
            Stage::Connecting | Stage::Playing => (false, false),
        };
        if was_ready || hasten {
            self.leave_stage(key);
        }
        if let Some(entry) = self.entries.get_mut(key) {
            entry.priority = priority;
        }
        if was_ready {
            self.make_ready(key, now);
        } else if hasten {
            self.wait_until(key, soon, false);
        }
    }

    /// The session's PLAY is answered: its connection slot is free for the next.
    pub(crate) fn playing(&mut self, key: &StreamKey) {
        if matches!(self.entries.get(key).map(|e| &e.stage), Some(Stage::Connecting)) {
            self.leave_stage(key);
        }
    }

    /// The session's first key frame came.
    pub(crate) fn live(&mut self, key: &StreamKey, now: Duration) {
        self.playing(key);
        if let Some(entry) = self.entries.get_mut(key) {
            entry.live_since = Some(now);
        }
    }

    /// A session ended by itself; returns how long its camera waits.
    pub(crate) fn ended(&mut self, key: &StreamKey, how: Ended, now: Duration) -> Duration {
        self.leave_stage(key);
        let Some(entry) = self.entries.get_mut(key) else { return Duration::ZERO };
        let stable = entry.live_since.take().is_some_and(|since| now.saturating_sub(since) >= self.limits.stable);
        let (min, max) = (self.limits.retry_min, self.limits.retry_max);
        let wait = match how {
            // A tenth more at random: not all accounts of a recorder at the same moment.
            Ended::AuthFailed => {
                let most = self.limits.auth_retry.mul_f64(1.1);
                entry.ladder = Duration::ZERO;
                self.rng.random_range(self.limits.auth_retry..=most)
            }
            // A stable session that breaks is opened again at once (some Axis cut it when the nonce expires).
            Ended::Failed if stable => {
                entry.ladder = Duration::ZERO;
                self.rng.random_range(Duration::ZERO..=min)
            }
            Ended::Failed => {
                let most = (entry.ladder * 3).clamp(min, max);
                entry.ladder = self.rng.random_range(min..=most.max(min));
                entry.ladder
            }
        };
        self.wait_until(key, now + wait, how == Ended::AuthFailed);
        wait
    }

    /// The streams that may connect now.
    pub(crate) fn poll(&mut self, now: Duration) -> Vec<StreamKey> {
        let gained = now.saturating_sub(self.refilled).as_secs_f64() * self.limits.connects_per_s;
        self.tokens = (self.tokens + gained).min(self.limits.burst);
        self.refilled = self.refilled.max(now);
        while let Some((due, _, key)) = self.timers.first() {
            if *due > now {
                break;
            }
            let (due, key) = (*due, key.clone());
            self.leave_stage(&key);
            self.make_ready(&key, due);
        }
        let mut permitted = Vec::new();
        while self.tokens >= 1.0 && self.connecting < self.limits.connecting_max {
            let Some((_, host)) = self.open.first() else { break };
            let Some(key) = self.hosts.get(host).and_then(|h| h.ready.first()).map(|(_, key)| key.clone()) else {
                break;
            };
            self.leave_stage(&key);
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.stage = Stage::Connecting;
                let host = Arc::clone(&entry.host);
                self.connecting += 1;
                self.change_host(&host, |h| h.connecting += 1);
            }
            self.tokens -= 1.0;
            permitted.push(key);
        }
        permitted
    }

    /// When [`Governor::poll`] may have something to permit, without anything else happening; none when only a
    /// session's progress can change that.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let timer = self.timers.first().map(|(due, _, _)| *due);
        let can_start = !self.open.is_empty() && self.connecting < self.limits.connecting_max;
        let token = can_start.then(|| {
            let missing = (1.0 - self.tokens).max(0.0) / self.limits.connects_per_s;
            // A microsecond more, so that rounding never makes the driver spin.
            self.refilled + Duration::from_secs_f64(missing) + Duration::from_micros(1)
        });
        timer.into_iter().chain(token).min()
    }

    /// Connections being opened, and streams ready or waiting for their turn.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.connecting, self.ready + self.timers.len())
    }

    fn make_ready(&mut self, key: &StreamKey, now: Duration) {
        let seq = self.seq();
        let Some(entry) = self.entries.get_mut(key) else { return };
        let place = entry.place(now, seq);
        entry.stage = Stage::Ready(place);
        let (host, item) = (Arc::clone(&entry.host), (place, key.clone()));
        self.ready += 1;
        self.change_host(&host, |h| {
            h.ready.insert(item);
        });
    }

    fn wait_until(&mut self, key: &StreamKey, due: Duration, auth: bool) {
        let seq = self.seq();
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.stage = Stage::Waiting { due, seq, auth };
        self.timers.insert((due, seq, key.clone()));
    }

    /// Takes a stream out of whatever index or slot its stage holds; leaves it as playing.
    fn leave_stage(&mut self, key: &StreamKey) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let host = Arc::clone(&entry.host);
        match std::mem::replace(&mut entry.stage, Stage::Playing) {
            Stage::Waiting { due, seq, .. } => {
                self.timers.remove(&(due, seq, key.clone()));
            }
            Stage::Ready(place) => {
                self.ready -= 1;
                self.change_host(&host, |h| {
                    h.ready.remove(&(place, key.clone()));
                });
            }
            Stage::Connecting => {
                self.connecting -= 1;
                self.change_host(&host, |h| h.connecting -= 1);
            }
            Stage::Playing => {}
        }
    }

    /// Changes a server's queue or slots and keeps the index of open servers in step.
    fn change_host(&mut self, name: &Arc<str>, with: impl FnOnce(&mut Host)) {
        let Some(host) = self.hosts.get_mut(name) else { return };
        with(host);
        let free = host.connecting < self.limits.connecting_per_host_max;
        let head = host.ready.first().filter(|_| free).map(|(place, _)| *place);
        if head != host.listed {
            if let Some(place) = host.listed {
                self.open.remove(&(place, Arc::clone(name)));
            }
            if let Some(place) = head {
                self.open.insert((place, Arc::clone(name)));
            }
            host.listed = head;
        }
    }

    fn seq(&mut self) -> u64 {
        self.next_seq += 1;
        self.next_seq
    }
}

#[cfg(test)]
#[path = "governor_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "governor_town_tests.rs"]
mod town_tests;
