//! Drives the early warning: observations, link states, orders and time in; alarm and incident transitions to disk,
//! then to the screens.
//!
//! One task owns the engine and the desk. An alarm's row and the incident rows that follow from it go to the log in one
//! piece, and nothing is shown before it is there. While storage takes no writes the transitions wait here and are
//! tried again each second; people are refused, states of links still reach the screens.

mod measures;
mod pieces;
mod start;
mod steps;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alerting::{AlarmCommand, Engine, Explanation, NotKnown, Refused, RuleSet};
use command::{Command, Desk, Refusal, RefusalCode, Request};
use dashboard::Feed;
use model::{
    Actor, Alarm, AlarmChange, AlarmId, AlarmTransition, Incident, IncidentId, IncidentTransition, LogBody,
    Observation, Profile, RuleId, Source, SourceId, SourceStatus, Timestamp,
};
use storage::{HistorySeq, Storage};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use self::pieces::{Row, pieces};
use self::steps::Steps;

/// How often what the engine remembers is kept; what came after is read again from the history at a start.
const SNAPSHOT: Duration = Duration::from_secs(15);
/// How long a full disk is left alone between tries.
const RETRY: Duration = Duration::from_secs(1);
/// How often the rules' own figures are told.
const FIGURES: Duration = Duration::from_secs(1);
/// The longest sleep when no deadline is near.
const IDLE: Duration = Duration::from_secs(3_600);
/// Messages taken in one go, so that their transitions share a commit.
const BATCH: usize = 64;

/// Observations that are on disk.
pub struct Kept {
    /// In the order of receipt.
    pub observations: Vec<Observation>,
    /// Where the last of them stands.
    pub until: HistorySeq,
}

/// What comes in.
pub struct Inputs {
    /// Observations, each batch in the order it was kept.
    pub kept: mpsc::Receiver<Kept>,
    /// States of links.
    pub statuses: mpsc::Receiver<SourceStatus>,
    /// What people want of incidents.
    pub orders: mpsc::Receiver<Request>,
    /// What people want of alarms.
    pub alarms: mpsc::Receiver<alerting::Request>,
    /// What is asked about rules.
    pub asks: mpsc::Receiver<Ask>,
    /// The registry.
    pub sources: watch::Receiver<Arc<Vec<Arc<Source>>>>,
}

/// What is asked of the engine about its rules.
pub enum Ask {
    /// Other rules, in one swap; answered when what follows from it is on disk.
    Rules(RuleSet, oneshot::Sender<()>),
    /// What a rule sees at a source now.
    Explain(RuleId, SourceId, oneshot::Sender<Result<Explanation, NotKnown>>),
}

/// The rules with what they are doing, as the API tells them.
#[derive(Clone, Default)]
pub struct Figures(Arc<Mutex<Arc<serde_json::Value>>>);

impl Figures {
    /// The last told.
    pub fn get(&self) -> serde_json::Value {
        (**self.0.lock().unwrap_or_else(PoisonError::into_inner)).clone()
    }

    fn set(&self, value: serde_json::Value) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

/// The engine and the desk, with what they need to be durable and seen.
pub struct Warning {
    config: command::Config,
    engine: Engine,
    desk: Desk,
    /// Active alarms as the log tells them.
    alarms: BTreeMap<AlarmId, Alarm>,
    /// The same of rules on trial: for the log and nobody else.
    shadows: BTreeMap<AlarmId, Alarm>,
    /// The last observation that the engine has seen.
    seen: HistorySeq,
    /// The last row of the log that engine and desk hold.
    logged: i64,
    /// What was lost at the last stop and is to be kept first.
    untold: Made,
    storage: Storage,
    feed: Feed,
    figures: Figures,
    /// Folds each row that is on disk.
    kpis: alerting::kpi::Handle,
}

/// Transitions that belong together, with when what caused them came in.
#[derive(Default)]
struct Made {
    rows: Vec<Row>,
    alarms: Vec<Alarm>,
    incidents: Vec<IncidentId>,
    raised: Vec<(model::Level, Option<Timestamp>)>,
}

impl Made {
    fn incidents(&mut self, made: Vec<IncidentTransition>) {
        for transition in made {
            if !self.incidents.contains(&transition.incident) {
                self.incidents.push(transition.incident.clone());
            }
            self.rows.push((transition.actor.clone(), LogBody::Incident(transition)));
        }
    }
}

impl Warning {
    /// Serves until the observations end (their senders are gone at the end of a drain), or until shut down while
    /// storage takes no writes.
    pub async fn run(mut self, mut inputs: Inputs, token: CancellationToken) {
        let mut snapshot_at = Instant::now() + SNAPSHOT;
        let mut figures_at = Instant::now();
        let (mut batch, mut told, mut registry_open) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH), true);
        let untold = std::mem::take(&mut self.untold);
        if !self.keep(untold, &mut inputs, &token).await {
            return;
        }
        // The first memory is kept at once, so that a stop in the first seconds finds where to begin.
        self.snapshot().await;
        let mut changed = false;
        let mut steps = Steps::new(Timestamp::now(), Instant::now());
        loop {
            if !self.measure(&mut inputs, &token).await {
                return;
            }
            if figures_at <= Instant::now() {
                self.tell_measures();
                self.figures.set(serde_json::to_value(self.engine.rules()).unwrap_or_default());
                figures_at = Instant::now() + FIGURES;
            }
            if snapshot_at <= Instant::now() {
                if std::mem::take(&mut changed) {
                    self.snapshot().await;
                }
                snapshot_at = Instant::now() + SNAPSHOT;
            }
            let wake = self.wake().min(snapshot_at).min(figures_at);
            let (mut made, mut swapped, mut stepped) = (Made::default(), None, false);
            tokio::select! {
                biased;
                Some(request) = inputs.orders.recv() => {
                    self.order(request).await;
                    continue;
                }
                Some(request) = inputs.alarms.recv() => {
                    self.alarm_order(request).await;
                    continue;
                }
                Some(ask) = inputs.asks.recv() => match ask {
                    Ask::Rules(rules, done) => {
                        let out = self.engine.replace_rules(rules, Timestamp::now());
                        self.follow(out, None, &mut made);
                        (swapped, figures_at) = (Some(done), Instant::now());
                    }
                    Ask::Explain(rule, source, reply) => {
                        let now = Timestamp::now();
                        let out = self.engine.tick(now);
                        self.follow(out, None, &mut made);
                        let _ = reply.send(self.engine.explain(&rule, &source, now));
                    }
                },
                _ = inputs.statuses.recv_many(&mut told, BATCH), if statuses_may_come(&inputs.statuses) => {
                    stepped = self.follow_clock(&mut steps, &mut made);
                    told.drain(..).for_each(|status| self.status(&status, &mut made));
                }
                count = inputs.kept.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        break;
                    }
                    metrics::gauge!("gridward_queue_depth", "queue" => "engine").set(inputs.kept.len() as f64);
                    stepped = self.follow_clock(&mut steps, &mut made);
                    for kept in batch.drain(..) {
                        for observation in &kept.observations {
                            let out = self.engine.observe(observation);
                            self.follow(out, Some(observation.received_at), &mut made);
                        }
                        self.seen = kept.until;
                    }
                }
                news = inputs.sources.changed(), if registry_open => match news {
                    Ok(()) => {
                        stepped = self.follow_clock(&mut steps, &mut made);
                        let sources = Arc::clone(&inputs.sources.borrow_and_update());
                        let out = self.engine.replace_sources(sources.iter().cloned(), Timestamp::now());
                        self.follow(out, None, &mut made);
                    }
                    Err(_) => registry_open = false,
                },
                () = sleep_until(wake) => {
                    stepped = self.follow_clock(&mut steps, &mut made);
                    let out = self.engine.tick(Timestamp::now());
                    self.follow(out, None, &mut made);
                }
            }
            made.incidents(self.desk.tick(Timestamp::now()));
            changed = true;
            if !self.keep(made, &mut inputs, &token).await {
                // Not on disk and not shown: the history still has what caused it, and the next start finds it.
                return;
            }
            if let Some(done) = swapped {
                let _ = done.send(());
            }
            if stepped {
                // The history before and after is by different clocks: a restart must not read it as one.
                self.snapshot().await;
            }
        }
        self.snapshot().await;
        // The drain is over for observations; orders are answered until everything ends.
        loop {
            tokio::select! {
                () = token.cancelled() => return,
                Some(request) = inputs.orders.recv() => self.order(request).await,
                Some(request) = inputs.alarms.recv() => self.alarm_order(request).await,
                else => return,
            }
        }
    }

    /// Looks whether the clock was set, before anything is judged by it; true when it was.
    fn follow_clock(&mut self, steps: &mut Steps, made: &mut Made) -> bool {
        let Some(by) = steps.look(Timestamp::now(), Instant::now()) else { return false };
        tracing::warn!(by_s = by.as_secs_f64(), "the clock was set; waits and ages go on where they were");
        let out = self.engine.clock_stepped(by, Timestamp::now());
        self.follow(out, None, made);
        true
    }

    /// When engine or desk next have something to do.
    fn wake(&self) -> Instant {
        let now = Timestamp::now();
        let flood = self.kpis.lock().next_deadline();
        let next = self.engine.next_deadline().into_iter().chain(self.desk.next_deadline()).chain(flood).min();
        let wait = next.map_or(IDLE, |at| Duration::try_from(at.duration_since(now)).unwrap_or_default().min(IDLE));
        Instant::now() + wait
    }

    /// The alarm rows of what the engine said, and what the desk makes of it.
    fn follow(&mut self, out: Vec<AlarmTransition>, received: Option<Timestamp>, made: &mut Made) {
        for transition in out {
            let Some(transition) = self.in_force(transition, made) else { continue };
            let alarm = match self.alarms.get_mut(&transition.alarm) {
                Some(alarm) => {
                    alarm.apply(&transition);
                    alarm.clone()
                }
                None => {
                    let Some(alarm) = Alarm::begin(&transition) else { continue };
                    self.alarms.insert(alarm.id.clone(), alarm.clone());
                    alarm
                }
            };
            if !alarm.is_active() {
                self.alarms.remove(&alarm.id);
            }
            if let AlarmChange::Raised { level, .. } = &transition.change {
                made.raised.push((*level, received));
            }
            let (actor, change, at) = (actor_of(&transition.change), transition.change.clone(), transition.at);
            made.rows.push((actor, LogBody::Alarm(transition)));
            made.incidents(self.desk.alarm(&alarm, &change, at));
            made.alarms.push(alarm);
        }
    }

    /// What a rule on trial says goes to the log and to nobody else.
    fn in_force(&mut self, transition: AlarmTransition, made: &mut Made) -> Option<AlarmTransition> {
        let begun = Alarm::begin(&transition).filter(|alarm| alarm.shadow);
        if let Some(alarm) = begun {
            metrics::counter!("gridward_shadow_alarms_total").increment(1);
            self.shadows.insert(alarm.id.clone(), alarm);
        } else {
            let Some(alarm) = self.shadows.get_mut(&transition.alarm) else { return Some(transition) };
            alarm.apply(&transition);
            if !alarm.is_active() {
                self.shadows.remove(&transition.alarm);
            }
        }
        made.rows.push((Actor::Hub, LogBody::Shadow(transition)));
        None
    }

    fn status(&mut self, status: &SourceStatus, made: &mut Made) {
        self.tell(status);
        let out = self.engine.status(status, Timestamp::now());
        self.follow(out, None, made);
    }

    /// Shows a state of a link, and takes it down in the connection log; neither waits.
    fn tell(&self, status: &SourceStatus) {
        self.feed.status(status.clone());
        if let Some(leading) = self.feed.leading_of(&status.source) {
            self.storage.connections().note(&leading, Timestamp::now());
        }
    }

    /// Makes transitions durable, however long it takes, then shows them; false when shut down before that.
    async fn keep(&mut self, mut made: Made, inputs: &mut Inputs, token: &CancellationToken) -> bool {
        if made.rows.is_empty() {
            return true;
        }
        let mut waiting: HashMap<(SourceId, Option<Profile>), SourceStatus> = HashMap::new();
        for piece in pieces(std::mem::take(&mut made.rows)) {
            while let Err(error) = self.append(&piece).await {
                tracing::error!(%error, rows = piece.len(), "alarms wait for the disk");
                metrics::counter!("gridward_log_retries_total").increment(1);
                let again = Instant::now() + RETRY;
                loop {
                    tokio::select! {
                        () = token.cancelled() => return false,
                        () = sleep_until(again) => break,
                        Some(request) = inputs.orders.recv() => {
                            let _ = request.reply.send(Err(unavailable()));
                        }
                        Some(request) = inputs.alarms.recv() => {
                            let _ = request.reply.send(Err(Refused::Unavailable));
                        }
                        Some(status) = inputs.statuses.recv() => {
                            self.tell(&status);
                            waiting.insert((status.source.clone(), status.profile), status);
                        }
                    }
                }
            }
        }
        self.show(made);
        let mut later = Made::default();
        for status in waiting.into_values() {
            let out = self.engine.status(&status, Timestamp::now());
            self.follow(out, None, &mut later);
        }
        Box::pin(self.keep(later, inputs, token)).await
    }

    async fn append(&mut self, rows: &[Row]) -> Result<(), storage::Error> {
        let entries = self.storage.log().append_each(Timestamp::now(), rows.to_vec()).await?;
        if let Some(last) = entries.last() {
            self.logged = last.seq;
        }
        let mut kpis = self.kpis.lock();
        entries.iter().for_each(|entry| kpis.take(entry));
        Ok(())
    }

    /// What is on disk goes to the screens.
    fn show(&self, made: Made) {
        for (level, received) in made.raised {
            metrics::counter!("gridward_alarms_total", "level" => level.as_str()).increment(1);
            if let Some(received) = received {
                let took = Timestamp::now().duration_since(received).as_secs_f64().max(0.0);
                metrics::histogram!("gridward_ingest_to_event_seconds").record(took);
            }
        }
        for alarm in made.alarms {
            self.feed.alarm(alarm);
        }
        let changed = made.incidents.iter().filter_map(|id| self.desk.incident(id));
        for incident in changed.cloned().collect::<Vec<Incident>>() {
            self.feed.incident(incident);
        }
    }

    async fn order(&mut self, request: Request) {
        let now = Timestamp::now();
        let answer = match self.desk.command(&request.order, now) {
            Ok(transitions) => {
                let id = transitions.last().map(|transition| transition.incident.clone());
                let mut made = Made::default();
                made.incidents(transitions);
                // Whoever has seen the incident has seen its alarms; sounds stop.
                let mut before = Vec::new();
                if let (Command::Acknowledge, Some(id), Actor::User(by)) =
                    (&request.order.command, &id, &request.order.actor)
                {
                    before = self.acknowledge_alarms(id, by, now, &mut made);
                }
                match self.append(&made.rows).await {
                    Ok(()) => {
                        self.show(made);
                        id.and_then(|id| self.desk.incident(&id).cloned()).ok_or_else(unavailable)
                    }
                    Err(error) => {
                        tracing::error!(%error, "an incident's transition could not be kept and was undone");
                        before.iter().for_each(|alarm| self.restore(alarm));
                        self.desk_from_log().await;
                        Err(unavailable())
                    }
                }
            }
            Err(refusal) => Err(refusal),
        };
        // Whoever asked may have gone; the change stands.
        let _ = request.reply.send(answer);
    }

    /// Acknowledges the active alarms of an incident; answers with how they stood before.
    fn acknowledge_alarms(
        &mut self,
        id: &IncidentId,
        by: &model::UserId,
        now: Timestamp,
        made: &mut Made,
    ) -> Vec<Alarm> {
        let alarms = self.desk.incident(id).map(|incident| incident.active_alarms.clone()).unwrap_or_default();
        let mut before = Vec::new();
        for id in alarms {
            let Some(alarm) = self.alarms.get(&id).filter(|alarm| alarm.acknowledged_by.is_none()) else { continue };
            let alarm = alarm.clone();
            if let Ok(transition) = self.engine.command(&id, AlarmCommand::Acknowledge { by: by.clone() }, now) {
                before.push(alarm);
                self.follow(vec![transition], None, made);
            }
        }
        before
    }

    async fn alarm_order(&mut self, request: alerting::Request) {
        let before = self.alarms.get(&request.alarm).cloned();
        if before.is_none() {
            // Rules on trial have alarms too, and nobody may touch those.
            let _ = request.reply.send(Err(Refused::NotFound));
            return;
        }
        let answer = match (self.engine.command(&request.alarm, request.command, Timestamp::now()), before) {
            (Ok(transition), Some(before)) => {
                let mut made = Made::default();
                self.follow(vec![transition], None, &mut made);
                match self.append(&made.rows).await {
                    Ok(()) => {
                        self.show(made);
                        self.alarms.get(&request.alarm).cloned().ok_or(Refused::NotFound)
                    }
                    Err(error) => {
                        tracing::error!(%error, alarm = %request.alarm, "a change of an alarm could not be kept and was undone");
                        self.restore(&before);
                        self.desk_from_log().await;
                        Err(Refused::Unavailable)
                    }
                }
            }
            (Ok(_), None) => Err(Refused::NotFound),
            (Err(refused), _) => Err(refused),
        };
        let _ = request.reply.send(answer);
    }

    /// Puts an alarm back as it stood.
    fn restore(&mut self, before: &Alarm) {
        self.engine.undo(before);
        self.alarms.insert(before.id.clone(), before.clone());
    }

    /// Keeps what the engine remembers; a failure is told by storage's health, and the one before stays.
    async fn snapshot(&mut self) {
        let began = Instant::now();
        let bytes = start::encode(self.seen, self.logged, &self.engine.snapshot());
        metrics::histogram!("gridward_engine_snapshot_seconds").record(began.elapsed().as_secs_f64());
        if let Err(error) = self.storage.meta().put(start::SNAPSHOT_NAME, &bytes).await {
            tracing::warn!(%error, "the engine's memory could not be kept");
        }
    }

    /// The desk as the log has it; tried until it can be read.
    async fn desk_from_log(&mut self) {
        loop {
            match start::desk_from_log(&self.config, &self.storage).await {
                Ok(desk) => {
                    self.desk = desk;
                    return;
                }
                Err(error) => {
                    tracing::error!(%error, "the event log cannot be read");
                    sleep(RETRY).await;
                }
            }
        }
    }
}

fn statuses_may_come(statuses: &mpsc::Receiver<SourceStatus>) -> bool {
    !statuses.is_closed() || !statuses.is_empty()
}

fn actor_of(change: &AlarmChange) -> Actor {
    match change {
        AlarmChange::Acknowledged { by }
        | AlarmChange::Shelved { by, automatic: false, .. }
        | AlarmChange::Unshelved { by: Some(by) } => Actor::User(by.clone()),
        _ => Actor::Hub,
    }
}

fn unavailable() -> Refusal {
    Refusal::new(RefusalCode::Unavailable, "storage does not take writes; try again")
}
