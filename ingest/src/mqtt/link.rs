//! Keeps one broker connected: connects, subscribes, acknowledges, and begins again.
//!
//! Two tasks a connection. The *poller* only polls the library and never waits for anybody but the broker, so that
//! pings go out whatever happens behind it. The *keeper* (the link's own task) sends acknowledgements and subscriptions
//! and is the one owner of retries.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use metrics::{counter, gauge};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::MAX_DEAD_PAYLOAD_BYTES;
use super::client::{self, Backoff, Client, Event, EventLoop, Failure, Gone, Incoming};
use super::config::BrokerConfig;
use super::handoff::{Handoff, Raw};
use super::routes::Routes;
use super::watch::Watch;
use crate::broker::HubLogin;
use crate::ledger::{Ack, Answer, Ledger, Ticket};

/// Filters in one SUBSCRIBE: keeps the packet below the smallest limits that brokers set.
const FILTERS_A_PACKET: usize = 64;

/// Messages of QoS 1 that a connection holds itself when the handoff is full, before it gives up the connection. Only a
/// broker without a window (3.1.1 allows 65,535 on the way) gets there.
const HELD_MESSAGES: usize = 4096;
/// The same in bytes.
const HELD_BYTES: usize = 32 << 20;

/// How long the last acknowledgements may take when the hub stops.
const PARTING: Duration = Duration::from_secs(3);

/// Failures by an oversize packet in a row after which the broker's session is thrown away: it would send the same
/// packet for ever.
const OVERSIZE_IN_A_ROW: u32 = 2;

/// How a link stands, for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LinkHealth {
    /// The broker's name.
    pub broker: String,
    /// Whether it is connected.
    pub connected: bool,
    /// Since when.
    pub since: Timestamp,
    /// Why not: a stable word, as `connect`, `auth_refused`, `tls`.
    pub reason: Option<String>,
    /// What happened, without secrets.
    pub detail: Option<String>,
}

/// One broker's link.
pub(super) struct Link {
    pub number: usize,
    pub config: Arc<BrokerConfig>,
    pub login: Option<HubLogin>,
    pub handoff: Arc<Handoff>,
    pub routes: watch::Receiver<Arc<Vec<Routes>>>,
    pub watch: Arc<Mutex<Watch>>,
    pub health: Arc<Mutex<Vec<LinkHealth>>>,
    pub strays: mpsc::Receiver<String>,
}

/// How a connection ended.
struct Ended {
    failure: Failure,
    /// How long it stood; zero when it never did.
    stood: Duration,
}

/// What poller and keeper share for one connection.
struct Shared {
    ledger: Arc<Ledger>,
    handoff: Arc<Handoff>,
    /// Filters of the SUBSCRIBEs that were asked for and have not left, in order.
    asked: Mutex<VecDeque<Vec<String>>>,
    /// How many SUBSCRIBEs the broker has not answered.
    unanswered: AtomicUsize,
    /// Wakes the keeper, for acknowledgements and for the last answer.
    ready: Arc<Notify>,
    /// When the broker accepted us.
    up: watch::Sender<Option<Instant>>,
    /// Set when the hub stops: messages are no longer taken.
    parting: CancellationToken,
    broker: String,
    keep_alive: Duration,
    max_payload: usize,
}

impl Link {
    pub async fn run(mut self, token: CancellationToken) {
        let name = self.config.name.clone();
        let connected = gauge!("gridward_mqtt_connected", "broker" => name.clone());
        connected.set(0.0);
        // With a kept session messages come at once: not before it is known whose they are.
        tokio::select! {
            known = self.routes.wait_for(|routes| !routes.is_empty()) => if known.is_err() { return },
            () = token.cancelled() => return,
        }
        let mut backoff = Backoff::default();
        let mut oversize = 0;
        while !token.is_cancelled() {
            if oversize >= OVERSIZE_IN_A_ROW {
                oversize = 0;
                self.throw_session_away(&token).await;
            }
            let ended = self.connection(&token).await;
            connected.set(0.0);
            if token.is_cancelled() {
                break;
            }
            let Ended { failure, stood } = ended;
            oversize = if failure.code == "oversize" { oversize + 1 } else { 0 };
            counter!("gridward_mqtt_disconnects_total", "broker" => name.clone(), "reason" => failure.code)
                .increment(1);
            self.tell(false, Some(&failure));
            let wait = backoff.next(&failure, stood, rand::random());
            warn!(broker = name, reason = failure.code, detail = failure.detail, ?wait, "broker link down");
            tokio::select! {
                () = sleep(wait) => {}
                () = token.cancelled() => break,
            }
        }
        self.tell(false, None);
    }

    fn tell(&self, up: bool, failure: Option<&Failure>) {
        let now = Timestamp::now();
        self.watch.lock().unwrap_or_else(PoisonError::into_inner).link(self.number, up, now);
        let mut all = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(health) = all.get_mut(self.number) {
            if health.connected != up {
                health.since = now;
            }
            health.connected = up;
            health.reason = failure.map(|f| f.code.to_owned());
            health.detail = failure.map(|f| f.detail.clone());
        }
    }

    async fn open(&self, clean_session: bool) -> Result<(Client, EventLoop), Failure> {
        let config = Arc::clone(&self.config);
        let login = self.login.clone();
        // Reads the password and certificates.
        tokio::task::spawn_blocking(move || {
            let login = login.as_ref().map(|l| (l.username.as_str(), l.password()));
            client::open(&config, login, clean_session)
        })
        .await
        .unwrap_or_else(|e| Err(Failure::new("settings", e.to_string())))
    }

    /// Connects once without the session that holds an undeliverable packet.
    async fn throw_session_away(&mut self, token: &CancellationToken) {
        warn!(
            broker = self.config.name,
            "the broker's session holds a packet too large to take; the session and what waits in it is thrown away"
        );
        counter!("gridward_mqtt_session_resets_total", "broker" => self.config.name.clone()).increment(1);
        let Ok((client, mut events)) = self.open(true).await else { return };
        let _ = tokio::select! {
            up = timeout(Duration::from_secs(15), events.poll()) => up,
            () = token.cancelled() => return,
        };
        let _ = client.disconnect().await;
        let _ = timeout(Duration::from_secs(1), async {
            while !matches!(events.poll().await, Ok(Event::Parted) | Err(_)) {}
        })
        .await;
    }

    /// One connection from beginning to end.
    async fn connection(&mut self, token: &CancellationToken) -> Ended {
        let (client, events) = match self.open(false).await {
            Ok(opened) => opened,
            Err(failure) => return Ended { failure, stood: Duration::ZERO },
        };
        let ready = Arc::new(Notify::new());
        let (up, mut up_seen) = watch::channel(None);
        let shared = Arc::new(Shared {
            ledger: Ledger::new(Arc::clone(&ready)),
            handoff: Arc::clone(&self.handoff),
            asked: Mutex::default(),
            unanswered: AtomicUsize::new(0),
            ready: Arc::clone(&ready),
            up,
            parting: CancellationToken::new(),
            broker: self.config.name.clone(),
            keep_alive: self.config.keep_alive(),
            max_payload: self.config.max_packet_bytes,
        });
        let mut poller = Poller { task: tokio::spawn(poll(events, Arc::clone(&shared))) };
        let kept = self.keep(&client, &shared, &ready, &mut up_seen, &mut poller, token).await;
        let stood = shared.up.borrow().map_or(Duration::ZERO, |since| since.elapsed());
        let failure = match kept {
            Err(Gone) => why((&mut poller.task).await),
            Ok(Some(failure)) => failure,
            Ok(None) => {
                self.part(&client, &shared, poller).await;
                Failure::new("closed", "the hub stops")
            }
        };
        Ended { failure, stood }
    }

    /// Serves a connection until it ends: by itself ([`Gone`]), by our decision (a failure) or because the hub stops.
    async fn keep(
        &mut self,
        client: &Client,
        shared: &Shared,
        ready: &Notify,
        up_seen: &mut watch::Receiver<Option<Instant>>,
        poller: &mut Poller,
        token: &CancellationToken,
    ) -> Result<Option<Failure>, Gone> {
        let mut subscribed = BTreeSet::new();
        let mut tickets = Vec::new();
        let mut is_up = false;
        loop {
            tokio::select! {
                () = token.cancelled() => return Ok(None),
                ended = &mut poller.task => return Ok(Some(why(ended))),
                Ok(()) = up_seen.changed(), if !is_up => {
                    is_up = true;
                    self.routes.mark_changed();
                    gauge!("gridward_mqtt_connected", "broker" => shared.broker.clone()).set(1.0);
                    info!(broker = shared.broker, "broker link up");
                    self.tell(true, None);
                }
                changed = self.routes.changed(), if is_up => {
                    if changed.is_err() {
                        // The registry's follower has ended: so does the hub.
                        return Ok(None);
                    }
                    let routes = self.routes.borrow_and_update().clone();
                    if let Some(routes) = routes.get(self.number) {
                        subscribe(client, shared, &mut subscribed, &routes.filters).await?;
                        ready.notify_one();
                    }
                }
                Some(topic) = self.strays.recv(), if is_up => {
                    if subscribed.contains(&topic) {
                        // Its sensor has come back in the meantime.
                        continue;
                    }
                    // A subscription that the session kept from a sensor that is gone.
                    debug!(broker = shared.broker, topic, "unsubscribing a topic that no sensor has");
                    client.unsubscribe(&topic).await?;
                }
                () = ready.notified() => {
                    if shared.ledger.is_abandoned() {
                        return Ok(Some(Failure::new("not_kept", "a message could not be kept; it is asked for again")));
                    }
                    send_acks(client, shared, &mut tickets).await?;
                    let all_answered = !subscribed.is_empty() && shared.unanswered.load(Ordering::Acquire) == 0;
                    if let (Some(login), true) = (&self.login, all_answered || self.nothing_to_subscribe()) {
                        login.tell_subscribed();
                    }
                }
            }
        }
    }

    fn nothing_to_subscribe(&self) -> bool {
        self.routes.borrow().get(self.number).is_some_and(|r| r.filters.is_empty())
    }

    /// Lets what is already taken be kept and acknowledged, then takes leave.
    async fn part(&self, client: &Client, shared: &Shared, mut poller: Poller) {
        shared.parting.cancel();
        let mut tickets = Vec::new();
        let _ = timeout(PARTING, async {
            while shared.ledger.outstanding() > 0 && !shared.ledger.is_abandoned() {
                send_acks(client, shared, &mut tickets).await?;
                sleep(Duration::from_millis(10)).await;
            }
            send_acks(client, shared, &mut tickets).await?;
            client.disconnect().await
        })
        .await;
        let _ = timeout(Duration::from_secs(1), &mut poller.task).await;
    }
}

/// The poller's task, ended with its connection.
struct Poller {
    task: JoinHandle<Failure>,
}

/// Why a poller ended. The library may panic on what a hostile broker sends; that ends one connection, not the hub.
fn why(ended: Result<Failure, tokio::task::JoinError>) -> Failure {
    ended.unwrap_or_else(|e| Failure::new("protocol", e.to_string()))
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn send_acks(client: &Client, shared: &Shared, tickets: &mut Vec<Ticket>) -> Result<(), Gone> {
    tickets.clear();
    shared.ledger.take_ready(tickets);
    for ticket in tickets.iter() {
        client.ack(*ticket).await?;
    }
    Ok(())
}

async fn subscribe(
    client: &Client,
    shared: &Shared,
    have: &mut BTreeSet<String>,
    want: &BTreeSet<String>,
) -> Result<(), Gone> {
    let new: Vec<String> = want.difference(have).cloned().collect();
    let old: Vec<String> = have.difference(want).cloned().collect();
    if !new.is_empty() || !old.is_empty() {
        info!(broker = shared.broker, subscribed = new.len(), unsubscribed = old.len(), "subscriptions changed");
    }
    for batch in new.chunks(FILTERS_A_PACKET) {
        shared.asked.lock().unwrap_or_else(PoisonError::into_inner).push_back(batch.to_vec());
        shared.unanswered.fetch_add(1, Ordering::AcqRel);
        client.subscribe(batch).await?;
    }
    for filter in &old {
        client.unsubscribe(filter).await?;
    }
    have.clone_from(want);
    Ok(())
}

/// Polls a connection until it fails.
async fn poll(mut events: EventLoop, shared: Arc<Shared>) -> Failure {
    // A ping leaves in each keep-alive, so an event comes at least that often once connected.
    let patience = shared.keep_alive * 2 + Duration::from_secs(15);
    let mut taker = Taker { shared: &shared, held: VecDeque::new(), held_bytes: 0 };
    let mut answers: VecDeque<(u16, Vec<String>)> = VecDeque::new();
    let mut until_pause = 0;
    loop {
        if taker.flush() {
            until_pause = 0;
        } else if until_pause > 0 {
            until_pause -= 1;
        } else {
            // Full: read no more, so that TCP slows the broker, but come back in time for pings.
            let waited = timeout(shared.keep_alive / 6, shared.handoff.room()).await;
            if waited.is_err() {
                // Nobody takes anything: what may be dropped must not stand in the way of what may not.
                taker.drop_qos_0();
                until_pause = 32;
            }
            continue;
        }
        let event = match timeout(patience, events.poll()).await {
            Err(_) => return Failure::new("stalled", "no sign of the broker"),
            Ok(Err(failure)) => {
                // They are here: a broker that is gone for good does not send them again.
                let _ = events.left_over().into_iter().try_for_each(|message| taker.take(message));
                return failure;
            }
            Ok(Ok(event)) => event,
        };
        match event {
            Event::Up { session_present } => {
                debug!(broker = shared.broker, session_present, "accepted");
                shared.up.send_replace(Some(Instant::now()));
            }
            Event::Message(message) => {
                if let Err(failure) = taker.take(message) {
                    return failure;
                }
            }
            Event::SubscribeSent(id) => {
                let batch = shared.asked.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                answers.push_back((id, batch.unwrap_or_default()));
            }
            Event::SubscribeAnswered { packet_id, refused } => {
                if shared.unanswered.fetch_sub(1, Ordering::AcqRel) == 1 {
                    shared.ready.notify_one();
                }
                let place = answers.iter().position(|(id, _)| *id == packet_id);
                let batch = place.and_then(|i| answers.remove(i)).map(|(_, batch)| batch).unwrap_or_default();
                if !refused.is_empty() {
                    counter!("gridward_mqtt_subscriptions_refused_total", "broker" => shared.broker.clone())
                        .increment(refused.len() as u64);
                    let first = refused.first().and_then(|i| batch.get(*i)).cloned().unwrap_or_default();
                    warn!(broker = shared.broker, count = refused.len(), first, "the broker refused subscriptions");
                }
            }
            Event::Parted => return Failure::new("closed", "the hub stops"),
            Event::Pinged | Event::Other => {}
        }
    }
}

/// Puts messages into the handoff, or holds them while it is full.
struct Taker<'s> {
    shared: &'s Shared,
    held: VecDeque<Raw>,
    held_bytes: usize,
}

impl Drop for Taker<'_> {
    /// The connection has ended: what still finds no room comes again, or is counted.
    fn drop(&mut self) {
        self.flush();
        self.drop_qos_0();
    }
}

impl Taker<'_> {
    /// Moves held messages on; whether none is left.
    fn flush(&mut self) -> bool {
        while let Some(raw) = self.held.pop_front() {
            let size = raw.size();
            if let Err(raw) = self.shared.handoff.offer(raw) {
                self.held.push_front(raw);
                return false;
            }
            self.held_bytes -= size;
        }
        true
    }

    fn drop_qos_0(&mut self) {
        let before = self.held.len();
        self.held.retain(|raw| raw.ack.is_needed());
        self.held_bytes = self.held.iter().map(Raw::size).sum();
        counter!("gridward_mqtt_dropped_total").increment((before - self.held.len()) as u64);
    }

    fn take(&mut self, message: Incoming) -> Result<(), Failure> {
        let qos = match message.qos {
            0 => "0",
            1 => "1",
            _ => return Err(Failure::new("protocol", "a message of QoS 2 that was not asked for")),
        };
        counter!("gridward_mqtt_messages_total", "qos" => qos).increment(1);
        if self.shared.parting.is_cancelled() {
            // Not acknowledged, so it comes again if it matters.
            return Ok(());
        }
        let ack = if message.qos == 0 {
            Ack::none()
        } else {
            self.shared.ledger.enter(Ticket { packet_id: message.packet_id, answer: Answer::Puback })
        };
        let payload_len = message.payload.len();
        let payload = if payload_len > self.shared.max_payload {
            // Only the head is wanted; a copy lets the rest go.
            bytes::Bytes::copy_from_slice(&message.payload[..payload_len.min(MAX_DEAD_PAYLOAD_BYTES)])
        } else {
            message.payload
        };
        let raw = Raw {
            topic: message.topic,
            payload,
            payload_len,
            retained: message.retained,
            received_at: Timestamp::now(),
            ack,
        };
        let refused = if self.held.is_empty() { self.shared.handoff.offer(raw).err() } else { Some(raw) };
        let Some(raw) = refused else { return Ok(()) };
        self.held_bytes += raw.size();
        self.held.push_back(raw);
        if self.held.len() > HELD_MESSAGES || self.held_bytes > HELD_BYTES {
            self.drop_qos_0();
        }
        if self.held.len() > HELD_MESSAGES || self.held_bytes > HELD_BYTES {
            return Err(Failure::new("overrun", "the broker sends faster than readings can be kept"));
        }
        Ok(())
    }
}
