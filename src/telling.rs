//! Tells people: follows the event log, keeps what is to be told in the outbox, has it sent.
//!
//! Two tasks. The *follower* gives the log's rows to the planner and keeps what it decides, in one piece, before anything
//! is sent. The *deliverer* sends what waits, a bounded number at a time for each channel, and is the one owner of tries.
//! A message is sent again only if the hub was killed between the other side's answer and its row.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use dashboard::Feed;
use dashboard::feed::Told;
use model::{Observation, Quality, Source, Timestamp, Value};
use notify::send::{Failure, Sender, random_wait_after};
use notify::{APP, Content, Made, Notice, Planner, Remembered, State, Target, Town};
use storage::{Message, MessageFilter, MessageState, NewMessage, NewStep, Plan, Storage};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::own;

/// How long a full disk is left alone between tries.
const RETRY: Duration = Duration::from_secs(1);
/// The longest sleep when nothing is due.
const IDLE: Duration = Duration::from_secs(60);
/// Rows of the log read at once.
const PAGE: u32 = 1_000;
/// How often the outbox's figures are told.
const FIGURES: Duration = Duration::from_secs(2);
/// How often old messages are looked for.
const RETAIN: Duration = Duration::from_secs(3_600);
/// How long a message that was given up counts in the hub's own alarm.
const DEAD_COUNTS: Duration = Duration::from_secs(24 * 3_600);
/// The time a budget is for.
const BUDGET: Duration = Duration::from_secs(3_600);

/// Everything that telling needs.
pub struct Telling {
    pub config: notify::Config,
    pub telling: Arc<notify::Telling>,
    pub storage: Storage,
    pub feed: Feed,
    pub sources: watch::Receiver<Arc<Vec<Arc<Source>>>>,
}

/// The log's rows in, messages in the outbox out.
pub struct Follower {
    telling: Telling,
    planner: Planner,
    /// The last row that the planner has seen.
    seen: i64,
}

/// What waits in the outbox, out of the hub.
pub struct Deliverer {
    config: notify::Config,
    telling: Arc<notify::Telling>,
    storage: Storage,
    feed: Feed,
    sender: Arc<Sender>,
    observations: mpsc::Sender<Observation>,
}

impl Telling {
    /// The planner as it was when the hub stopped, and who sends. Call it before anything new is written to the log: routes
    /// that are new say nothing of what began before. `observations` is where the deliverer says how the outbox is.
    pub async fn load(self, observations: mpsc::Sender<Observation>) -> anyhow::Result<(Follower, Deliverer)> {
        let limit = Duration::from_secs(self.config.try_limit_s.into());
        let sender = Sender::new(Arc::clone(&self.telling), limit).map_err(|problems| {
            let told = problems.into_iter().map(|p| format!("{}: found {}, expected {}", p.key, p.found, p.expected));
            anyhow::anyhow!("telling cannot begin: {}", told.collect::<Vec<_>>().join("; "))
        })?;
        let outbox = self.storage.outbox();
        let last = self.storage.log().last().await?;
        let names: Vec<&str> = self.telling.routes.iter().map(|route| route.name.as_str()).collect();
        let since: BTreeMap<String, i64> = outbox.routes_since(&names, last).await?.into_iter().collect();
        let mut planner = Planner::new(Arc::clone(&self.telling), since);
        let town = self.town();
        let mut seen = 0;
        let each = |entry: model::LogEntry| {
            seen = entry.seq;
            planner.observe(&entry, &town);
        };
        self.storage.log().replay(0, each).await?;
        planner.remember(remembered(&self.storage).await?);
        let (config, telling, storage) = (self.config.clone(), Arc::clone(&self.telling), self.storage.clone());
        let feed = self.feed.clone();
        let deliverer = Deliverer { config, telling, storage, feed, sender: Arc::new(sender), observations };
        Ok((Follower { telling: self, planner, seen }, deliverer))
    }

    fn town(&self) -> Town {
        Town::new(&self.feed.grids(), self.sources.borrow().iter().map(|source| &**source))
    }
}

/// What the outbox remembers of the planner.
async fn remembered(storage: &Storage) -> Result<Remembered, storage::Error> {
    let outbox = storage.outbox();
    let decided = outbox.steps().await?.into_iter().filter_map(|step| {
        let told: Vec<Target> = serde_json::from_str(&step.told).ok()?;
        Some(notify::Decided { incident: step.incident, step: step.step, at: step.at, told })
    });
    let held = MessageFilter { state: Some(MessageState::Held), ..MessageFilter::default() };
    let mut held: Vec<Notice> = outbox.list(&held, u32::MAX).await?.iter().filter_map(notice_of).collect();
    held.reverse();
    let since = Timestamp::now().saturating_sub(BUDGET).unwrap_or(Timestamp::MIN);
    Ok(Remembered { decided: decided.collect(), held, recent: outbox.told_since(since).await? })
}

impl Follower {
    /// Follows the log until shut down.
    pub async fn run(mut self, token: CancellationToken) {
        let mut news = self.telling.storage.log().news();
        let mut town = self.telling.town();
        let (mut log_open, mut registry_open, mut retain_at) = (true, true, Instant::now() + RETAIN);
        loop {
            // Marked as seen before it is read: what comes meanwhile wakes again.
            news.borrow_and_update();
            if let Err(error) = self.look(&town).await {
                tracing::error!(%error, "the event log cannot be read; people are told later");
            }
            let made = self.planner.tick(Timestamp::now(), &town);
            if !made.is_empty() && !self.keep(&made, &token).await {
                return;
            }
            if retain_at <= Instant::now() {
                self.retain().await;
                retain_at = Instant::now() + RETAIN;
            }
            let now = Timestamp::now();
            let due = self.planner.next_deadline(now);
            let wait = due.map_or(IDLE, |at| Duration::try_from(at.duration_since(now)).unwrap_or_default().min(IDLE));
            tokio::select! {
                () = token.cancelled() => return,
                changed = news.changed(), if log_open => log_open = changed.is_ok(),
                changed = self.telling.sources.changed(), if registry_open => {
                    registry_open = changed.is_ok();
                    town = self.telling.town();
                }
                () = sleep(wait.max(Duration::from_millis(1))) => {}
            }
        }
    }

    /// Gives the planner what is new in the log.
    async fn look(&mut self, town: &Town) -> Result<(), storage::Error> {
        loop {
            let rows = self.telling.storage.log().read(self.seen, PAGE).await?;
            for row in &rows {
                self.planner.observe(row, town);
                self.seen = row.seq;
            }
            if rows.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    /// Makes a plan durable, however long it takes; false when shut down before that: the next start plans it again.
    async fn keep(&self, made: &Made, token: &CancellationToken) -> bool {
        let plan = plan_of(made, self.seen);
        while let Err(error) = self.telling.storage.outbox().plan(&plan).await {
            tracing::error!(%error, messages = plan.messages.len(), "messages wait for the disk");
            tokio::select! {
                () = token.cancelled() => return false,
                () = sleep(RETRY) => {}
            }
        }
        for message in &plan.messages {
            let state = message.state.as_str();
            let channel = message.channel.clone();
            metrics::counter!("gridward_notifications_planned_total", "channel" => channel, "state" => state)
                .increment(1);
        }
        true
    }

    async fn retain(&self) {
        let keep = Duration::from_secs(24 * 3_600 * u64::from(self.telling.config.keep_days));
        let cut = Timestamp::now().saturating_sub(keep).unwrap_or(Timestamp::MIN);
        let open: std::collections::HashSet<&str> = self.planner.open().map(|id| id.as_str()).collect();
        match self.telling.storage.outbox().retain(cut, |id| open.contains(id)).await {
            Ok(0) => {}
            Ok(deleted) => tracing::info!(deleted, "old messages left the outbox"),
            Err(error) => tracing::warn!(%error, "old messages could not be deleted"),
        }
    }
}

fn plan_of(made: &Made, position: i64) -> Plan {
    let steps = made.decided.iter().map(|decided| NewStep {
        incident: decided.incident.clone(),
        step: decided.step.clone(),
        at: decided.at,
        told: json(&decided.told),
    });
    let messages = made.notices.iter().map(|notice| NewMessage {
        key: notice.key.clone(),
        incident: notice.incident.clone(),
        grid: notice.content.grid.clone(),
        step: notice.step.clone(),
        channel: notice.target.channel.clone(),
        recipient: notice.target.recipient.clone(),
        level: notice.level,
        at: notice.at,
        state: match notice.state {
            State::Waiting => MessageState::Waiting,
            State::Held => MessageState::Held,
            State::Dead(_) => MessageState::Dead,
        },
        error: if let State::Dead(why) = notice.state { Some(why.to_owned()) } else { None },
        body: json(&notice.content),
    });
    Plan { position, steps: steps.collect(), messages: messages.collect(), summed: made.summed.clone() }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("texts, numbers and names")
}

/// A message as the sender wants it; none when its words cannot be read.
fn notice_of(message: &Message) -> Option<Notice> {
    let content: Content = serde_json::from_str(&message.body).ok()?;
    Some(Notice {
        key: message.key.clone(),
        incident: message.incident.clone(),
        step: message.step.clone(),
        target: Target { channel: message.channel.clone(), recipient: message.recipient.clone() },
        level: message.level,
        at: message.at,
        state: State::Waiting,
        content,
    })
}

impl Deliverer {
    /// Sends until shut down. What is on its way then may be sent once more after the next start.
    pub async fn run(self, token: CancellationToken) {
        let me = Arc::new(self);
        let names: Vec<String> = me.sender.channels().chain([APP]).map(str::to_owned).collect();
        me.strand(&names).await;
        let mut away: HashMap<String, Vec<i64>> = HashMap::new();
        let mut sending: JoinSet<(String, i64)> = JoinSet::new();
        let mut figures_at = Instant::now();
        let mut told = None;
        loop {
            if figures_at <= Instant::now() {
                told = me.figures(told).await;
                figures_at = Instant::now() + FIGURES;
            }
            for name in &names {
                let on_way = away.entry(name.clone()).or_default();
                let room = me.config.at_once_max.saturating_sub(u32::try_from(on_way.len()).unwrap_or(u32::MAX));
                if room == 0 {
                    continue;
                }
                let due = me.storage.outbox().due(name, Timestamp::now(), on_way, room).await;
                let due = due.unwrap_or_else(|error| {
                    tracing::error!(%error, "the outbox cannot be read");
                    Vec::new()
                });
                for message in due {
                    on_way.push(message.id);
                    let (me, token) = (Arc::clone(&me), token.clone());
                    sending.spawn(async move {
                        let (channel, id) = (message.channel.clone(), message.id);
                        me.send(message, &token).await;
                        (channel, id)
                    });
                }
            }
            let now = Timestamp::now();
            let next = me.storage.outbox().next_try(now).await.ok().flatten();
            let wait = next.map_or(IDLE, |at| Duration::try_from(at.duration_since(now)).unwrap_or_default().min(IDLE));
            let wake = (Instant::now() + wait).min(figures_at);
            tokio::select! {
                () = token.cancelled() => break,
                Some(done) = sending.join_next() => {
                    // A send that panicked keeps its place; the message is sent after the next start.
                    if let Ok((channel, id)) = done {
                        away.entry(channel).or_default().retain(|known| *known != id);
                    }
                }
                () = me.storage.outbox().work() => {}
                () = sleep_until(wake) => {}
            }
        }
        sending.shutdown().await;
    }

    /// What waits for a channel that is no more is given up: somebody has to see it.
    async fn strand(&self, names: &[String]) {
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        match self.storage.outbox().strand(&known, Timestamp::now()).await {
            Ok(0) => {}
            Ok(count) => tracing::warn!(count, "messages wait for channels that are no longer in the settings"),
            Err(error) => tracing::error!(%error, "the outbox cannot be written"),
        }
    }

    async fn send(&self, message: Message, token: &CancellationToken) {
        let now = Timestamp::now();
        let sent = match notice_of(&message) {
            Some(notice) if message.channel == APP => self.show(&notice),
            Some(notice) => self.sender.send(&notice, now).await,
            None => Err(Failure { detail: "its words cannot be read".to_owned(), retry_after: None }),
        };
        let outbox = self.storage.outbox();
        let tries = message.tries + 1;
        let gives_up = tries >= self.config.tries_max;
        let outcome = match (&sent, gives_up) {
            (Ok(()), _) => "sent",
            (Err(_), false) => "failed",
            (Err(_), true) => "dead",
        };
        metrics::counter!("gridward_notifications_total", "channel" => message.channel.clone(), "outcome" => outcome)
            .increment(1);
        if let Err(failure) = &sent {
            tracing::warn!(notification = message.id, channel = message.channel, tries, outcome, "not told: {failure}");
        }
        // Until it is on disk it must not be sent again.
        loop {
            let now = Timestamp::now();
            let kept = match &sent {
                Ok(()) => outbox.sent(message.id, now).await,
                Err(failure) if gives_up => outbox.dead(message.id, &failure.detail, now).await,
                Err(failure) => {
                    let wait = random_wait_after(tries).max(failure.retry_after.unwrap_or_default());
                    let next = now.saturating_add(wait);
                    outbox.failed(message.id, &failure.detail, next.unwrap_or(Timestamp::MAX)).await
                }
            };
            match kept {
                Ok(()) => return,
                Err(error) => {
                    tracing::error!(%error, notification = message.id, "what became of a message waits for the disk")
                }
            }
            tokio::select! {
                () = token.cancelled() => return,
                () = sleep(RETRY) => {}
            }
        }
    }

    /// Shows a message to the person in the console.
    fn show(&self, notice: &Notice) -> Result<(), Failure> {
        let persons = self.telling.recipients(&notice.target.recipient, Timestamp::now());
        let users: Vec<_> = persons.iter().filter_map(|person| person.user.clone()).collect();
        if users.is_empty() {
            return Err(Failure { detail: "nobody who logs in stands behind it".to_owned(), retry_after: None });
        }
        for user in users {
            self.feed.told(Told {
                user,
                key: notice.key.clone(),
                incident: notice.incident.clone(),
                grid: notice.content.grid.clone(),
                level: notice.level,
                kind: notice.content.kind.as_str(),
                title: notice.content.title.clone(),
                count: notice.content.count,
            });
        }
        Ok(())
    }

    /// Tells how the outbox is: metrics, and an observation of the hub itself when that has changed.
    async fn figures(&self, told: Option<u64>) -> Option<u64> {
        let now = Timestamp::now();
        let since = now.saturating_sub(DEAD_COUNTS).unwrap_or(Timestamp::MIN);
        let outbox = self.storage.outbox();
        let (Ok(depth), Ok(dead)) = (outbox.depth().await, outbox.dead_since(since).await) else { return told };
        for (state, count) in [("waiting", depth.waiting), ("held", depth.held), ("dead", depth.dead)] {
            metrics::gauge!("gridward_outbox_depth", "state" => state).set(count as f64);
        }
        // A hub that has nothing to say of itself writes nothing, unless an alarm of before has to end.
        let stands = || self.feed.snapshot().alarms.iter().any(|alarm| alarm.source.as_str() == own::HUB);
        if told == Some(dead) || (told.is_none() && dead == 0 && !stands()) {
            return Some(dead);
        }
        let observation = Observation {
            source: own::HUB.into(),
            reading: own::OUTBOX_DEAD.into(),
            value: Value::Number(dead as f64),
            quality: Quality::Good,
            phenomenon_time: now,
            received_at: now,
            retained: false,
        };
        // Full: it is told at the next look.
        if self.observations.try_send(observation).is_ok() { Some(dead) } else { told }
    }
}
