//! What all connections share: sessions, subscriptions, kept messages, and the way of a message to its subscribers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytestring::ByteString;
use metrics::{counter, gauge};
use rmqtt_codec::v5::{DisconnectReasonCode, RetainHandling};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Config;
use super::message::{Delivery, Message};
use super::session::{Budget, Offer, Session, lock};
use super::users::Users;
use super::wire::{Granted, Options};
use crate::ledger::Ack;
use crate::topic::{self, TopicTree};

/// How often expired kept messages are looked for.
const EXPIRY_SWEEP: Duration = Duration::from_secs(60);

/// How often those who wait look whether waiting still makes sense.
const WAIT_STEP: Duration = Duration::from_millis(250);

/// The shared state.
#[derive(Debug)]
pub(super) struct Core {
    pub config: Config,
    pub users: Users,
    pub token: CancellationToken,
    /// Set when the hub's link has subscribed for the first time.
    pub hub_subscribed: CancellationToken,
    started_at: Instant,
    pub connections: AtomicUsize,
    sessions: Mutex<HashMap<ByteString, Arc<Session>>>,
    tree: RwLock<TopicTree<Subscriber>>,
    retained: Mutex<Retained>,
    budget: Arc<Budget>,
    names: AtomicU64,
    swept_at: Mutex<Instant>,
}

/// A subscription in the tree.
#[derive(Debug)]
struct Subscriber {
    session: Arc<Session>,
    options: Options,
}

/// Kept messages by topic.
#[derive(Debug, Default)]
struct Retained {
    by_topic: HashMap<ByteString, Arc<Message>>,
    bytes: usize,
}

impl Retained {
    fn forget_expired(&mut self, now: Instant) {
        let bytes = &mut self.bytes;
        self.by_topic.retain(|_, message| {
            let is_over = message.is_expired(now);
            if is_over {
                *bytes -= message.size();
            }
            !is_over
        });
    }
}

/// Where a message comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'o> {
    /// The publisher's session, so that it need not get its own message.
    pub session: Option<&'o Arc<Session>>,
    /// Ends the wait for slow subscribers.
    pub closing: &'o CancellationToken,
}

impl Core {
    pub fn new(config: Config, users: Users, token: CancellationToken) -> Self {
        Self {
            budget: Arc::new(Budget::new(config.total_queue_bytes)),
            config,
            hub_subscribed: users.hub_subscribed(),
            started_at: Instant::now(),
            users,
            token,
            connections: AtomicUsize::new(0),
            sessions: Mutex::default(),
            tree: RwLock::default(),
            retained: Mutex::default(),
            names: AtomicU64::new(0),
            swept_at: Mutex::new(Instant::now()),
        }
    }

    /// Waits until the hub's link has subscribed, or the time set for that is over.
    ///
    /// After a restart the sensors are back before the hub's link has made its 20,000 subscriptions. A message that
    /// nobody has subscribed to yet would be acknowledged and gone.
    pub async fn hub_is_there(&self) {
        let latest = self.started_at + Duration::from_secs(self.config.hub_wait_s);
        tokio::select! {
            () = self.hub_subscribed.cancelled() => {}
            () = tokio::time::sleep_until(latest.into()) => {}
        }
    }

    /// A client id for a client that has none.
    pub fn new_name(&self) -> ByteString {
        let n = self.names.fetch_add(1, Ordering::Relaxed);
        ByteString::from(format!("auto-{:08x}-{n}", rand::random::<u32>()))
    }

    /// The session of a client: the kept one, or a new one. None when there are too many.
    pub fn session(&self, id: &ByteString, clean: bool, is_hub: bool) -> Option<(Arc<Session>, bool)> {
        let mut sessions = lock(&self.sessions);
        if let Some(old) = sessions.get(id) {
            if !clean && !old.is_over(Instant::now()) && !old.ends_with_connection() {
                return Some((Arc::clone(old), true));
            }
            let old = sessions.remove(id)?;
            self.forget(&old);
        }
        if sessions.len() >= self.config.max_sessions {
            return None;
        }
        let id = ByteString::from(id.to_string());
        let session = Session::new(id.clone(), is_hub, Arc::clone(&self.budget), self.config.queue_bytes);
        sessions.insert(id, Arc::clone(&session));
        Some((session, false))
    }

    /// Ends a session unless another has taken its place.
    pub fn end(&self, session: &Arc<Session>) {
        let mut sessions = lock(&self.sessions);
        if sessions.get(&session.id).is_some_and(|s| Arc::ptr_eq(s, session)) {
            sessions.remove(&session.id);
        }
        drop(sessions);
        self.forget(session);
    }

    fn forget(&self, session: &Arc<Session>) {
        session.close(DisconnectReasonCode::SessionTakenOver);
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        for filter in session.filters() {
            tree.remove(&filter, |s| Arc::ptr_eq(&s.session, session));
            session.unsubscribe(&filter);
        }
        drop(tree);
        // Whoever waits for room in it need not.
        session.room.notify_waiters();
    }

    /// Subscribes and hands over what is kept on the topic.
    pub fn subscribe(&self, session: &Arc<Session>, filter: &ByteString, options: Options) -> Granted {
        if topic::check_filter(filter).is_err() {
            return Granted::BadFilter;
        }
        if filter.starts_with("$share/") {
            return Granted::NoSharing;
        }
        let before = match session.subscribe(filter, options, self.config.max_subscriptions) {
            None => return Granted::TooMany,
            Some(before) => before,
        };
        {
            let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
            if before.is_some() {
                tree.remove(filter, |s| Arc::ptr_eq(&s.session, session));
            }
            tree.insert(filter, Subscriber { session: Arc::clone(session), options });
        }
        let wanted = match options.retained {
            RetainHandling::AtSubscribe => true,
            RetainHandling::AtSubscribeNew => before.is_none(),
            RetainHandling::NoAtSubscribe => false,
        };
        if wanted {
            let kept = self.kept(filter);
            let count = kept.len();
            for (number, message) in kept.into_iter().enumerate() {
                let qos = message.qos.min(options.qos);
                if !session.push_retained(Delivery { message, qos, retain: true, ack: None }) {
                    let dropped = (count - number) as u64;
                    counter!("gridward_broker_dropped_total", "reason" => "retained_queue_full").increment(dropped);
                    break;
                }
            }
        }
        Granted::Qos(options.qos)
    }

    pub fn unsubscribe(&self, session: &Arc<Session>, filter: &str) -> bool {
        let existed = session.unsubscribe(filter);
        if existed {
            let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
            tree.remove(filter, |s| Arc::ptr_eq(&s.session, session));
        }
        existed
    }

    fn kept(&self, filter: &str) -> Vec<Arc<Message>> {
        let now = Instant::now();
        let store = lock(&self.retained);
        if !topic::has_wildcard(filter) {
            return store.by_topic.get(filter).filter(|m| !m.is_expired(now)).cloned().into_iter().collect();
        }
        let matching = store.by_topic.values().filter(|m| !m.is_expired(now) && topic::matches(filter, &m.topic));
        matching.cloned().collect()
    }

    /// Keeps a message for later subscribers, or lets the kept one go when the payload is empty.
    fn keep(&self, message: &Message) {
        let mut store = lock(&self.retained);
        if let Some(old) = store.by_topic.remove(&message.topic) {
            store.bytes -= old.size();
        }
        if !message.payload.is_empty() {
            let size = message.size();
            let config = &self.config;
            if store.by_topic.len() >= config.max_retained || store.bytes + size > config.max_retained_bytes {
                counter!("gridward_broker_dropped_total", "reason" => "retained_full").increment(1);
                return;
            }
            store.bytes += size;
            let own = message.detached();
            store.by_topic.insert(own.topic.clone(), Arc::new(own));
        }
    }

    /// Brings a message to all who subscribed.
    ///
    /// Waits while a subscriber that must not lose it has no room: that is what slows publishers down. `ack` is passed
    /// to the hub's own link if that is among the subscribers, so that a publisher is told only what is durable; else
    /// it is done when all queues have the message.
    pub async fn publish(&self, message: Message, ack: Option<Ack>, origin: Origin<'_>) {
        if message.retain {
            self.keep(&message);
        }
        let message = Arc::new(message);
        let mut ack = ack;
        for (session, options) in self.subscribers(&message.topic, origin.session) {
            let qos = message.qos.min(options.qos);
            let mut delivery = Delivery {
                message: Arc::clone(&message),
                qos,
                retain: message.retain && options.retain_as_published,
                ack: if session.is_hub && qos > 0 { ack.take() } else { None },
            };
            loop {
                match session.offer(delivery) {
                    Offer::Taken => break,
                    Offer::Dropped => {
                        let reason = if qos == 0 { "qos0_queue_full" } else { "offline_queue_full" };
                        counter!("gridward_broker_dropped_total", "reason" => reason).increment(1);
                        break;
                    }
                    Offer::Full(back) => delivery = back,
                }
                // A client that floods itself cannot read its own acknowledgements while it waits here.
                if origin.session.is_some_and(|s| Arc::ptr_eq(s, &session)) && !session.is_hub {
                    counter!("gridward_broker_dropped_total", "reason" => "own_queue_full").increment(1);
                    break;
                }
                if !self.wait_for(&session, origin).await {
                    return;
                }
            }
        }
        if let Some(ack) = ack {
            ack.done();
        }
    }

    /// Waits for room at a subscriber; false when the publisher is gone.
    async fn wait_for(&self, session: &Arc<Session>, origin: Origin<'_>) -> bool {
        counter!("gridward_broker_waits_total").increment(1);
        tokio::select! {
            () = session.room.notified() => {}
            () = tokio::time::sleep(WAIT_STEP) => {}
            () = origin.closing.cancelled() => return false,
        }
        if !session.is_hub && self.has_stalled(session) {
            warn!(client = %session.id, "a subscriber takes nothing and is closed, others wait for it");
            counter!("gridward_broker_closed_total", "reason" => "stalled").increment(1);
            session.close(DisconnectReasonCode::QuotaExceeded);
        }
        true
    }

    fn has_stalled(&self, session: &Session) -> bool {
        session.stalled_for().is_some_and(|time| time > Duration::from_secs(self.config.slow_client_s))
    }

    /// Who gets a message, each once with the highest QoS of its subscriptions.
    fn subscribers(&self, name: &str, publisher: Option<&Arc<Session>>) -> Vec<(Arc<Session>, Options)> {
        let mut found: Vec<(Arc<Session>, Options)> = Vec::new();
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        tree.for_each_match(name, &mut |s: &Subscriber| {
            if s.options.no_local && publisher.is_some_and(|p| Arc::ptr_eq(p, &s.session)) {
                return;
            }
            match found.iter_mut().find(|(session, _)| Arc::ptr_eq(session, &s.session)) {
                Some((_, options)) => {
                    options.qos = options.qos.max(s.options.qos);
                    options.retain_as_published |= s.options.retain_as_published;
                }
                None => found.push((Arc::clone(&s.session), s.options)),
            }
        });
        // The hub first: it does not wait until some other subscriber has room.
        if let Some(hub) = found.iter().position(|(session, _)| session.is_hub) {
            found.swap(0, hub);
        }
        found
    }

    /// Ends sessions whose time is over, publishes wills that are due, and shows figures.
    pub async fn sweep(&self) {
        let now = Instant::now();
        let sessions: Vec<Arc<Session>> = lock(&self.sessions).values().cloned().collect();
        let mut waiting = 0;
        for session in &sessions {
            let is_over = session.is_over(now);
            if let Some(will) = session.take_late_will(now, is_over) {
                let will = will.detached();
                self.publish(will, None, Origin { session: None, closing: &self.token }).await;
            }
            if is_over {
                self.end(session);
            }
            waiting += session.depth().0;
        }
        let mut swept = lock(&self.swept_at);
        if now.duration_since(*swept) >= EXPIRY_SWEEP {
            *swept = now;
            lock(&self.retained).forget_expired(now);
        }
        drop(swept);
        gauge!("gridward_broker_connections").set(self.connections.load(Ordering::Relaxed) as f64);
        gauge!("gridward_broker_sessions").set(sessions.len() as f64);
        gauge!("gridward_broker_queued_messages").set(waiting as f64);
        gauge!("gridward_broker_queued_bytes").set(self.budget.used() as f64);
        gauge!("gridward_broker_retained").set(lock(&self.retained).by_topic.len() as f64);
    }

    /// A second, or less when the hub stops.
    pub async fn pause(&self) {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = self.token.cancelled() => {}
        }
    }

    /// With the memory for all queues used up: clients that take nothing are closed, then what lies there for clients
    /// that are away goes, the largest heap first. Else they would keep those waiting who are there.
    pub fn relieve(&self) {
        if !self.budget.is_exceeded() {
            return;
        }
        let sessions: Vec<Arc<Session>> = lock(&self.sessions).values().cloned().collect();
        for session in sessions.iter().filter(|s| !s.is_hub && self.has_stalled(s)) {
            warn!(client = %session.id, "a subscriber takes nothing and is closed, the memory for queues is used up");
            counter!("gridward_broker_closed_total", "reason" => "stalled").increment(1);
            session.close(DisconnectReasonCode::QuotaExceeded);
        }
        let mut away: Vec<(usize, &Arc<Session>)> = sessions
            .iter()
            .filter_map(|session| match session.depth() {
                (_, bytes, false) if bytes > 0 => Some((bytes, session)),
                _ => None,
            })
            .collect();
        away.sort_by_key(|(bytes, _)| *bytes);
        while self.budget.is_exceeded()
            && let Some((_, session)) = away.pop()
        {
            let dropped = session.shed();
            warn!(client = %session.id, dropped, "messages for a client that is away are dropped, memory is used up");
            counter!("gridward_broker_dropped_total", "reason" => "offline_queue_full").increment(dropped as u64);
        }
    }

    /// Closes every connection, as the hub stops.
    pub fn close_all(&self) {
        for session in lock(&self.sessions).values() {
            session.close(DisconnectReasonCode::ServerShuttingDown);
        }
    }
}
