//! The fleet: drives the governor, opens and closes sessions, follows the registry and the viewers.
//!
//! One task holds all of this; sessions are tasks of their own. It decides nothing about times (`governor`) and looks at
//! no frames (`session`).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use model::{Profile, SourceId, SourceState, SourceStatus, Timestamp};
use retina::client::SessionGroup;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use video::{Pulls, Rings, StreamKey};

use super::admission::Claim;
use super::area::Order;
use super::attempts::{Attempt, Attempts, Policy};
use super::config::SessionLimits;
use super::failure::{Failure, Phase, Reason};
use super::governor::{Ended, Governor, Priority};
use super::plan::{Plan, plans};
use super::report::{Outbox, Reporter};
use super::session::{End, Job, Progress};
use super::{CameraSpec, RtspConfig};

mod admit;
mod probes;

/// Progress of sessions on its way to the fleet, which always drains it; sessions wait when it is full.
const PROGRESS_CAPACITY: usize = 1_024;

/// Demand is left alone for so many times as long as following it took: while not all claims have a place, each look at it
/// is a look at all of them, and viewers that come meanwhile are taken in together.
const DEMAND_REST: u32 = 9;

struct Entry {
    plan: Plan,
    reporter: Arc<Reporter>,
    /// Present while a session runs, which includes its being stopped.
    session: Option<CancellationToken>,
    /// Whether the stream is in the governor's hands.
    governed: bool,
    /// Its session got as far as PLAY, so that the camera has something to forget afterwards.
    played: bool,
    /// When its last session that had got so far ended.
    ended_at: Option<Instant>,
    /// Its nonce seemed to run out at the last try; twice in a row means that the credentials are bad.
    doubted: bool,
    /// It is in the governor's hands only to be asked how it is.
    probing: bool,
    /// When it is asked next; it stands in `Fleet::probes` under that.
    probe_due: Option<Instant>,
    attempts: Attempts,
    /// How its session was made; what it is while none runs says nothing.
    attempt: Option<Attempt>,
    /// When its session's first key frame came.
    live_at: Option<Instant>,
    /// It has left the registry; goes when its session has ended.
    removed: bool,
}

impl Entry {
    /// Takes a nonce that ran out twice in a row for refused credentials; whether the credentials are refused.
    fn doubt(&mut self, failure: &mut Failure) -> bool {
        if failure.reason == Reason::NonceExpired && std::mem::replace(&mut self.doubted, true) {
            failure.reason = Reason::AuthFailed;
        }
        failure.reason == Reason::AuthFailed
    }
}

struct Fleet {
    policy: Policy,
    pulls: Pulls,
    limits: SessionLimits,
    key_classes: Arc<[String]>,
    /// Zero: nobody is probed.
    probe_interval: Duration,
    auth_retry: Duration,
    /// Who is probed next.
    probes: BTreeSet<(Instant, StreamKey)>,
    rings: Rings,
    governor: Governor,
    entries: HashMap<StreamKey, Entry>,
    groups: HashMap<Arc<str>, Arc<SessionGroup>>,
    sessions: JoinSet<End>,
    by_task: HashMap<Id, StreamKey>,
    demand: BTreeSet<StreamKey>,
    /// Streams that are wanted for anything and could be pulled.
    claims: usize,
    sessions_max: usize,
    /// The cameras of an emergency.
    area: HashSet<SourceId>,
    /// Streams that are wanted and have no place.
    shed: HashSet<StreamKey>,
    outbox: Arc<Outbox>,
    progress: mpsc::Sender<(StreamKey, Progress)>,
    began: Instant,
}

/// Runs the fleet until the token is cancelled and all sessions are closed or the time for that is over.
pub(crate) async fn run(
    config: RtspConfig,
    rings: Rings,
    mut cameras: watch::Receiver<Arc<Vec<CameraSpec>>>,
    mut areas: mpsc::Receiver<Order>,
    status: mpsc::Sender<SourceStatus>,
    token: CancellationToken,
) {
    let (progress, mut progress_rx) = mpsc::channel(PROGRESS_CAPACITY);
    let outbox = Arc::new(Outbox::default());
    let told = CancellationToken::new();
    let delivery = tokio::spawn({
        let (outbox, told) = (Arc::clone(&outbox), told.clone());
        async move { outbox.deliver(status, told).await }
    });
    let mut demand = rings.demand();
    let mut fleet = Fleet::new(&config, rings, outbox, progress);
    let (mut registry_open, mut demand_due) = (true, Instant::now());
    let list = Arc::clone(&cameras.borrow_and_update());
    fleet.follow_registry(&list);
    loop {
        fleet.begin_probes();
        fleet.open_permitted();
        let permit = fleet.governor.next_deadline().map(|at| fleet.began + at);
        let listens = demand_due <= Instant::now();
        let demand_next = (!listens).then_some(demand_due);
        let deadline = permit.into_iter().chain(fleet.next_probe()).chain(demand_next).min();
        tokio::select! {
            () = token.cancelled() => break,
            changed = cameras.changed(), if registry_open => match changed {
                Ok(()) => {
                    let list = Arc::clone(&cameras.borrow_and_update());
                    fleet.follow_registry(&list);
                }
                // Nobody will change the registry any more; what runs goes on.
                Err(_) => registry_open = false,
            },
            wanted = demand.changed(), if listens => {
                let begun = Instant::now();
                fleet.follow_demand(wanted);
                demand_due = Instant::now() + begun.elapsed() * DEMAND_REST;
            }
            Some(order) = areas.recv() => fleet.follow_area(order),
            Some((key, progress)) = progress_rx.recv() => fleet.progress(&key, progress),
            Some(ended) = fleet.sessions.join_next_with_id() => fleet.session_ended(ended),
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {}
        }
    }
    progress_rx.close();
    fleet.close(&config).await;
    told.cancel();
    let _ = delivery.await;
}

impl Fleet {
    fn new(
        config: &RtspConfig,
        rings: Rings,
        outbox: Arc<Outbox>,
        progress: mpsc::Sender<(StreamKey, Progress)>,
    ) -> Self {
        Self {
            policy: config.attempt_policy(),
            pulls: Pulls::new(config.ffmpeg_sessions_max),
            limits: config.session_limits(),
            key_classes: config.key_classes.clone().into(),
            probe_interval: Duration::from_secs(config.probe_interval_s.into()),
            auth_retry: Duration::from_secs(config.auth_retry_s.into()),
            probes: BTreeSet::new(),
            rings,
            governor: Governor::new(config.governor_limits(), rand::random()),
            entries: HashMap::new(),
            groups: HashMap::new(),
            sessions: JoinSet::new(),
            by_task: HashMap::new(),
            demand: BTreeSet::new(),
            claims: 0,
            sessions_max: config.sessions_max,
            area: HashSet::new(),
            shed: HashSet::new(),
            outbox,
            progress,
            began: Instant::now(),
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn follow_registry(&mut self, cameras: &[CameraSpec]) {
        let mut named = HashSet::new();
        let key_classes = Arc::clone(&self.key_classes);
        for plan in cameras.iter().flat_map(|camera| plans(camera, &key_classes)) {
            named.insert(plan.key());
            self.follow_plan(plan);
        }
        let gone: Vec<_> = self.entries.keys().filter(|key| !named.contains(*key)).cloned().collect();
        for key in gone {
            self.remove(&key);
        }
        let hosts: HashSet<_> =
            self.entries.values().filter_map(|e| e.plan.target.as_ref().ok()).map(|t| Arc::clone(&t.host)).collect();
        self.groups.retain(|host, _| hosts.contains(host));
        self.admit();
    }

    fn follow_plan(&mut self, plan: Plan) {
        let key = plan.key();
        match self.entries.get_mut(&key) {
            Some(entry) if entry.plan.same_session(&plan) => {
                entry.plan = plan;
                entry.removed = false;
            }
            Some(entry) => {
                tracing::info!(source = %key.0, profile = key.1.as_str(), "camera changed, opened anew");
                if entry.plan.profiles != plan.profiles {
                    entry.reporter = reporter(&plan, &self.outbox);
                }
                (entry.plan, entry.removed) = (plan, false);
                if let Some(stop) = &entry.session {
                    stop.cancel();
                }
                // Its ladder, or its wait for other credentials, is over.
                (entry.governed, entry.probing) = (false, false);
                entry.attempts = Attempts::default();
                self.governor.remove(&key);
                // Soon, since somebody has mended it; not all of an import at once.
                self.probe_within(&key, Duration::from_secs(10));
            }
            None => {
                let reporter = reporter(&plan, &self.outbox);
                let entry = Entry {
                    plan,
                    reporter,
                    session: None,
                    governed: false,
                    played: false,
                    ended_at: None,
                    doubted: false,
                    probing: false,
                    probe_due: None,
                    attempts: Attempts::default(),
                    attempt: None,
                    live_at: None,
                    removed: false,
                };
                self.entries.insert(key.clone(), entry);
            }
        }
        if self.entries.get(&key).is_some_and(|entry| entry.probe_due.is_none()) {
            self.probe_within(&key, self.probe_interval);
        }
        self.settle(&key);
    }

    fn remove(&mut self, key: &StreamKey) {
        self.governor.remove(key);
        let Some(entry) = self.entries.get_mut(key) else { return };
        (entry.governed, entry.probing, entry.removed) = (false, false, true);
        if let Some(due) = entry.probe_due.take() {
            self.probes.remove(&(due, key.clone()));
        }
        match &entry.session {
            Some(stop) => stop.cancel(),
            None => self.drop_entry(key),
        }
    }

    fn drop_entry(&mut self, key: &StreamKey) {
        self.entries.remove(key);
        let other = |profile| self.entries.get(&(key.0.clone(), profile)).is_none_or(|e| e.removed);
        if other(Profile::Main) && other(Profile::Sub) {
            self.rings.forget(&key.0);
        }
    }

    /// Takes in all that has changed since it was last asked: the demand tells what is wanted now, not each change.
    fn follow_demand(&mut self, wanted: BTreeSet<StreamKey>) {
        let changed =
            wanted.symmetric_difference(&self.demand).cloned().map(|key| match self.entries.contains_key(&key) {
                true => key,
                // A camera without a sub stream has one entry, under main, for both.
                false => (key.0, Profile::Main),
            });
        let changed: BTreeSet<StreamKey> = changed.collect();
        let before = self.claims_among(&changed);
        self.demand = wanted;
        self.claims = self.claims + self.claims_among(&changed) - before;
        changed.iter().for_each(|key| self.settle(key));
        // All claims are looked at only when not all have a place.
        if self.claims > self.sessions_max || !self.shed.is_empty() {
            self.admit();
        }
    }

    fn demanded(&self, plan: &Plan) -> bool {
        plan.profiles.iter().any(|p| self.demand.contains(&(plan.source.clone(), *p)))
    }

    /// Brings one stream to what registry and viewers want.
    fn settle(&mut self, key: &StreamKey) {
        let now = self.now();
        let Some(entry) = self.entries.get(key).filter(|e| !e.removed) else { return };
        let claim = self.claim(&entry.plan);
        let is_shed = claim.is_some() && self.shed.contains(key);
        let wanted = claim.is_some() && !is_shed;
        let priority = match claim {
            Some(Claim::Area) => Priority::Area,
            Some(Claim::Viewer) => Priority::Viewer,
            Some(Claim::KeySite) => Priority::KeySite,
            Some(Claim::Usual) | None => Priority::Always,
        };
        let Some(entry) = self.entries.get_mut(key) else { return };
        if entry.probing {
            if !wanted {
                return;
            }
            // The probe makes room; when its session has ended this is asked again.
            (entry.probing, entry.governed) = (false, false);
            self.governor.remove(key);
            if let Some(stop) = &entry.session {
                stop.cancel();
            }
        }
        match (&entry.plan.target, wanted) {
            (Err(problem), _) => {
                let detail = Some(problem.clone());
                entry.reporter.state(SourceState::Offline, Some(Reason::BadUrl.as_str()), detail, Timestamp::now());
            }
            (Ok(_), true) if entry.governed => self.governor.set_priority(key, priority, now),
            // A session that is being stopped ends first; then this is asked again.
            (Ok(_), true) if entry.session.is_some() => {}
            (Ok(target), true) => {
                entry.governed = true;
                entry.reporter.state(SourceState::Connecting, None, None, Timestamp::now());
                self.governor.add(key.clone(), Arc::clone(&target.host), priority, now);
            }
            (Ok(_), false) => {
                entry.governed = false;
                self.governor.remove(key);
                match &entry.session {
                    Some(stop) => stop.cancel(),
                    // Known to be away until a probe says otherwise.
                    None if entry.probe_due.is_some() && is_away(entry.reporter.current()) => {}
                    None => {
                        let reason = is_shed.then_some(Reason::Shed.as_str());
                        entry.reporter.state(SourceState::Idle, reason, None, Timestamp::now());
                    }
                }
            }
        }
    }

    fn open_permitted(&mut self) {
        for key in self.governor.poll(self.now()) {
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            let Ok(target) = entry.plan.target.clone() else { continue };
            let group = self.groups.entry(Arc::clone(&target.host)).or_default();
            let stop = CancellationToken::new();
            let attempt = entry.attempts.next(entry.plan.backend, entry.plan.transport, self.began.elapsed());
            (entry.attempt, entry.live_at) = (Some(attempt), None);
            let job = Job {
                plan: entry.plan.clone(),
                target,
                group: Arc::clone(group),
                rings: self.rings.clone(),
                reporter: Arc::clone(&entry.reporter),
                limits: self.limits.clone(),
                progress: self.progress.clone(),
                attempt,
                pulls: self.pulls.clone(),
                ended_at: entry.ended_at,
                stop: stop.clone(),
                probe: entry.probing,
            };
            entry.session = Some(stop);
            let task = self.sessions.spawn(job.run());
            self.by_task.insert(task.id(), key);
        }
        let (connecting, waiting) = self.governor.counts();
        gauge!("gridward_rtsp_connecting").set(connecting as f64);
        gauge!("gridward_rtsp_waiting").set(waiting as f64);
        gauge!("gridward_rtsp_sessions").set(self.sessions.len() as f64);
    }

    fn progress(&mut self, key: &StreamKey, progress: Progress) {
        // A word of a session that is being stopped says nothing about the next one.
        let Some(entry) = self.entries.get_mut(key).filter(|e| e.governed) else { return };
        (entry.played, entry.doubted) = (true, false);
        match progress {
            Progress::Playing => self.governor.playing(key),
            Progress::Live => {
                counter!("gridward_rtsp_connects_total", "outcome" => "live").increment(1);
                entry.live_at = Some(Instant::now());
                let now = self.now();
                self.governor.live(key, now);
            }
        }
    }

    fn session_ended(&mut self, ended: Result<(Id, End), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(key) = self.by_task.remove(&id) else { return };
        let Some(entry) = self.entries.get_mut(&key) else { return };
        let end = ended.map(|(_, end)| end).unwrap_or_else(|error| {
            tracing::error!(source = %key.0, profile = key.1.as_str(), %error, "a camera session ended with a defect");
            End::Failed(Failure::new(Phase::Stream, Reason::Internal, "a defect; the log has it"))
        });
        if std::mem::take(&mut entry.played) {
            entry.ended_at = Some(Instant::now());
        }
        let stopped = entry.session.take().is_some_and(|stop| stop.is_cancelled());
        if entry.removed {
            return self.drop_entry(&key);
        }
        if let (End::Failed(failure), false, Some(attempt)) = (&end, stopped, entry.attempt.take()) {
            let lived = entry.live_at.take().map(|at| at.elapsed());
            entry.attempts.ended(attempt, failure, lived, self.began.elapsed(), &self.policy);
        }
        match end {
            End::Probed => self.probed(&key),
            End::Failed(failure) if !stopped && entry.probing => self.probe_failed(&key, failure),
            End::Failed(failure) if !stopped => self.failed(&key, failure),
            _ => self.settle(&key),
        }
    }

    fn failed(&mut self, key: &StreamKey, mut failure: Failure) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let auth = entry.doubt(&mut failure);
        if !failure.was_live {
            let outcome = if auth { "auth_failed" } else { "failed" };
            counter!("gridward_rtsp_connects_total", "outcome" => outcome).increment(1);
        }
        let (phase, reason) = (failure.phase.as_str(), failure.reason.as_str());
        counter!("gridward_rtsp_failures_total", "phase" => phase, "reason" => reason).increment(1);
        let wait = self.governor.ended(key, if auth { Ended::AuthFailed } else { Ended::Failed }, self.began.elapsed());
        let state = failure.state(wait);
        let (source, profile, detail) = (&key.0, key.1.as_str(), failure.detail.as_str());
        if entry.reporter.current() == state {
            // A camera that stays away is no news with each try.
            tracing::debug!(%source, profile, phase, reason, ?wait, "camera failed again");
        } else if state == SourceState::Connecting {
            tracing::info!(%source, profile, phase, reason, detail, ?wait, "camera broke off");
        } else {
            tracing::warn!(%source, profile, phase, reason, detail, ?wait, "camera failed");
        }
        entry.reporter.state(state, Some(reason), Some(failure.detail), Timestamp::now());
    }

    /// Ends all sessions in batches: each sends its TEARDOWN, thousands at once would be a storm of their own.
    async fn close(mut self, config: &RtspConfig) {
        let deadline = Instant::now() + Duration::from_millis(config.teardown_ms_max);
        let running: Vec<CancellationToken> = self.entries.values().filter_map(|e| e.session.clone()).collect();
        for batch in running.chunks(config.teardown_batch.max(1)) {
            let left = self.sessions.len().saturating_sub(batch.len());
            batch.iter().for_each(CancellationToken::cancel);
            let closed = async {
                while self.sessions.len() > left && self.sessions.join_next().await.is_some() {}
                // A batch has a second; a camera that does not answer TEARDOWN does not hold up the rest.
                let answered = async {
                    for group in self.groups.values() {
                        group.await_stale_sessions(&group.stale_sessions()).await;
                    }
                };
                let _ = timeout(Duration::from_secs(1), answered).await;
            };
            if timeout_at(deadline, closed).await.is_err() {
                break;
            }
        }
        let left = self.sessions.len();
        if left > 0 {
            tracing::warn!(sessions = left, "sessions were cut off without TEARDOWN");
        }
        self.sessions.shutdown().await;
        // FFmpeg's threads see within a moment that nobody wants more, and say goodbye to their cameras.
        if timeout(Duration::from_secs(2), self.pulls.ended()).await.is_err() {
            tracing::warn!("a thread of FFmpeg was left behind");
        }
    }
}

fn is_away(state: SourceState) -> bool {
    matches!(state, SourceState::Offline | SourceState::AuthFailed | SourceState::Stalled)
}

fn reporter(plan: &Plan, outbox: &Arc<Outbox>) -> Arc<Reporter> {
    let source: SourceId = plan.source.clone();
    Arc::new(Reporter::new(source, plan.profiles.clone(), Arc::clone(outbox), Timestamp::now()))
}
