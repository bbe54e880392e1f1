//! What the broker keeps for one client: its queue, what is on the way to it, its subscriptions.
//!
//! A session outlives its connection when the client asks for it. Locks are held for moments and never across a wait.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytestring::ByteString;
use rmqtt_codec::v5::DisconnectReasonCode;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::message::{Delivery, Message};
use super::wire::{Control, Options};
use crate::ledger::Ledger;

/// The most messages of QoS 1 on the way to a client that sets no limit of its own. Enough for 20,000 a second when a
/// subscriber takes 100 ms to make them durable.
const WINDOW: usize = 2000;

/// One connection of a client, for those who hand it something to write.
#[derive(Debug)]
pub(super) struct Wire {
    /// Wakes the task that writes.
    pub wake: Arc<Notify>,
    /// What the client published and waits to have acknowledged.
    pub ledger: Arc<Ledger>,
    control: Mutex<Vec<Control>>,
    /// Told when controls were written.
    pub control_written: Notify,
    pub closing: CancellationToken,
    reason: Mutex<Option<DisconnectReasonCode>>,
}

impl Wire {
    pub fn new(parent: &CancellationToken) -> Arc<Self> {
        let wake = Arc::new(Notify::new());
        Arc::new(Self {
            ledger: Ledger::new(Arc::clone(&wake)),
            wake,
            control: Mutex::default(),
            control_written: Notify::new(),
            closing: parent.child_token(),
            reason: Mutex::default(),
        })
    }

    /// Puts an answer in line; returns how many are in line.
    pub fn put(&self, control: Control) -> usize {
        let mut waiting = lock(&self.control);
        waiting.push(control);
        let count = waiting.len();
        drop(waiting);
        self.wake.notify_one();
        count
    }

    pub fn take_controls(&self) -> Vec<Control> {
        std::mem::take(&mut *lock(&self.control))
    }

    pub fn controls(&self) -> usize {
        lock(&self.control).len()
    }

    /// Ends the connection; the first reason stays.
    pub fn close(&self, reason: DisconnectReasonCode) {
        lock(&self.reason).get_or_insert(reason);
        self.closing.cancel();
    }

    pub fn close_reason(&self) -> Option<DisconnectReasonCode> {
        *lock(&self.reason)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The memory of all queues together.
#[derive(Debug, Default)]
pub(super) struct Budget {
    used: AtomicUsize,
    pub limit: usize,
}

impl Budget {
    pub fn new(limit: usize) -> Self {
        Self { used: AtomicUsize::new(0), limit }
    }

    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub fn is_exceeded(&self) -> bool {
        self.used() > self.limit
    }
}

/// A client's session.
#[derive(Debug)]
pub(super) struct Session {
    pub id: ByteString,
    /// The hub's own link: publishers' acknowledgements wait for it, and it is waited for whatever happens.
    pub is_hub: bool,
    inner: Mutex<Inner>,
    /// Told when a queue that was full has been half emptied, or the session came or went.
    pub room: Notify,
    budget: Arc<Budget>,
    queue_limit: usize,
}

#[derive(Debug)]
struct Inner {
    wire: Option<Arc<Wire>>,
    queue: VecDeque<Delivery>,
    /// What `queue` and `inflight` hold.
    held_bytes: usize,
    was_full: bool,
    /// Sent and not acknowledged, in the order of sending; from `resent` on they belong to an earlier connection.
    inflight: VecDeque<(u16, Delivery)>,
    resent: usize,
    /// The packet ids of `inflight`.
    used_ids: HashSet<u16>,
    last_packet_id: u16,
    window: usize,
    /// Messages of QoS 2 whose PUBREL has not come, and whether their PUBREC was written: only then are they ours.
    received: HashMap<u16, bool>,
    subscriptions: HashMap<ByteString, Options>,
    expiry: Option<Duration>,
    offline_since: Option<Instant>,
    late_will: Option<(Instant, Arc<Message>)>,
    last_progress: Instant,
}

/// What became of an offered message.
#[derive(Debug)]
pub(super) enum Offer {
    Taken,
    /// Not taken and not needed: the queue is full and it is of QoS 0, or nobody is there to empty it.
    Dropped,
    /// Not taken: wait for `room` and offer again.
    Full(Delivery),
}

/// One message to write.
#[derive(Debug)]
pub(super) struct ToSend {
    pub message: Delivery,
    pub packet_id: Option<u16>,
    pub dup: bool,
}

impl Session {
    pub fn new(id: ByteString, is_hub: bool, budget: Arc<Budget>, queue_limit: usize) -> Arc<Self> {
        let inner = Inner {
            wire: None,
            queue: VecDeque::new(),
            held_bytes: 0,
            was_full: false,
            inflight: VecDeque::new(),
            resent: 0,
            used_ids: HashSet::new(),
            last_packet_id: 0,
            window: WINDOW,
            received: HashMap::new(),
            subscriptions: HashMap::new(),
            expiry: None,
            offline_since: None,
            late_will: None,
            last_progress: Instant::now(),
        };
        Arc::new(Self { id, is_hub, inner: Mutex::new(inner), room: Notify::new(), budget, queue_limit })
    }

    /// Takes a new connection; the one before is closed. What was on the way is sent again.
    pub fn attach(&self, wire: &Arc<Wire>, window: usize, expiry: Option<Duration>) {
        let mut inner = lock(&self.inner);
        if let Some(old) = inner.wire.replace(Arc::clone(wire)) {
            old.close(DisconnectReasonCode::SessionTakenOver);
        }
        inner.resent = 0;
        // A message that was lost before it was ours comes again and must not be taken for a repetition. One that is
        // still on its way to the hub may so come twice; a reading kept twice is better than one kept never.
        inner.received.retain(|_, answered| *answered);
        inner.window = window.clamp(1, WINDOW);
        inner.expiry = expiry;
        inner.offline_since = None;
        inner.late_will = None;
        inner.last_progress = Instant::now();
        drop(inner);
        wire.wake.notify_one();
    }

    /// The connection has ended. Whether this was still the session's connection.
    pub fn detach(&self, wire: &Arc<Wire>, expiry: Option<Option<Duration>>) -> bool {
        let mut inner = lock(&self.inner);
        let is_ours = inner.wire.as_ref().is_some_and(|w| Arc::ptr_eq(w, wire));
        if is_ours {
            inner.wire = None;
            inner.offline_since = Some(Instant::now());
            if let Some(expiry) = expiry {
                inner.expiry = expiry;
            }
        }
        drop(inner);
        self.room.notify_waiters();
        is_ours
    }

    /// Ends the connection, whichever it is.
    pub fn close(&self, reason: DisconnectReasonCode) {
        if let Some(wire) = &lock(&self.inner).wire {
            wire.close(reason);
        }
    }

    /// Puts a message in line, or says why not. Never waits.
    pub fn offer(&self, delivery: Delivery) -> Offer {
        let size = delivery.message.size();
        let mut inner = lock(&self.inner);
        let online = inner.wire.is_some();
        let (own, all) = (self.queue_limit, self.budget.limit);
        let (own, all) = match delivery.qos {
            // The town's readings do not wait for what other clients have left lying.
            _ if self.is_hub => (own, usize::MAX),
            // QoS 0 leaves a quarter for what must arrive.
            0 => (own / 4 * 3, all / 4 * 3),
            // Those who are away leave half for those who are there.
            _ if !online => (own, all / 2),
            _ => (own, all),
        };
        if inner.held_bytes + size > own || self.budget.used() > all {
            if delivery.qos == 0 || !(online || self.is_hub) {
                return Offer::Dropped;
            }
            inner.was_full = true;
            return Offer::Full(delivery);
        }
        if !online && delivery.qos == 0 {
            return Offer::Dropped;
        }
        self.push(&mut inner, delivery, size);
        Offer::Taken
    }

    /// Puts a kept message in line for a new subscription; false when the client has a full queue of them already, as
    /// one has that subscribes to everything again and again.
    pub fn push_retained(&self, delivery: Delivery) -> bool {
        let size = delivery.message.size();
        let mut inner = lock(&self.inner);
        if inner.held_bytes > self.queue_limit && !self.is_hub {
            return false;
        }
        self.push(&mut inner, delivery, size);
        true
    }

    fn push(&self, inner: &mut Inner, delivery: Delivery, size: usize) {
        if inner.queue.is_empty() && inner.inflight.is_empty() {
            // Nothing to do is no lack of progress.
            inner.last_progress = Instant::now();
        }
        inner.held_bytes += size;
        self.budget.used.fetch_add(size, Ordering::Relaxed);
        inner.queue.push_back(delivery);
        if let Some(wire) = &inner.wire {
            wire.wake.notify_one();
        }
    }

    /// Takes what may be sent now, up to about `max_bytes`.
    pub fn take(&self, wire: &Arc<Wire>, max_bytes: usize, now: Instant, out: &mut Vec<ToSend>) {
        let mut inner = lock(&self.inner);
        if !inner.wire.as_ref().is_some_and(|w| Arc::ptr_eq(w, wire)) {
            return;
        }
        let mut bytes = 0;
        while bytes < max_bytes && inner.resent < inner.inflight.len() {
            let at = inner.resent;
            let (packet_id, delivery) = &inner.inflight[at];
            let copy = Delivery {
                message: Arc::clone(&delivery.message),
                qos: delivery.qos,
                retain: delivery.retain,
                ack: None,
            };
            bytes += copy.message.size();
            out.push(ToSend { message: copy, packet_id: Some(*packet_id), dup: true });
            inner.resent += 1;
        }
        while bytes < max_bytes {
            let Some(front) = inner.queue.front() else { break };
            if front.qos > 0 && inner.inflight.len() >= inner.window {
                break;
            }
            let Some(mut delivery) = inner.queue.pop_front() else { break };
            let size = delivery.message.size();
            let is_expired = delivery.message.is_expired(now);
            if delivery.qos == 0 || is_expired {
                self.free(&mut inner, size);
            }
            if is_expired {
                if let Some(ack) = delivery.ack {
                    ack.done();
                }
                continue;
            }
            bytes += size;
            if delivery.qos == 0 {
                out.push(ToSend { message: delivery, packet_id: None, dup: false });
                continue;
            }
            let packet_id = inner.free_packet_id();
            let kept = Delivery {
                message: Arc::clone(&delivery.message),
                qos: delivery.qos,
                retain: delivery.retain,
                ack: delivery.ack.take(),
            };
            inner.inflight.push_back((packet_id, kept));
            inner.resent = inner.inflight.len();
            out.push(ToSend { message: delivery, packet_id: Some(packet_id), dup: false });
        }
        let has_room = self.has_room_again(&mut inner);
        drop(inner);
        if has_room {
            self.room.notify_waiters();
        }
    }

    fn free(&self, inner: &mut Inner, size: usize) {
        inner.held_bytes -= size;
        self.budget.used.fetch_sub(size, Ordering::Relaxed);
    }

    fn has_room_again(&self, inner: &mut Inner) -> bool {
        let has_room = inner.was_full && inner.held_bytes <= self.queue_limit / 2;
        if has_room {
            inner.was_full = false;
        }
        has_room
    }

    /// Lets go of everything in line of a client that is away; returns how many messages that were.
    pub fn shed(&self) -> usize {
        let mut inner = lock(&self.inner);
        if inner.wire.is_some() || self.is_hub {
            return 0;
        }
        let queue = std::mem::take(&mut inner.queue);
        let bytes = queue.iter().map(|delivery| delivery.message.size()).sum();
        self.free(&mut inner, bytes);
        queue.len()
    }

    /// The client has a message: the publisher may be told.
    pub fn acknowledged(&self, packet_id: u16) {
        let mut inner = lock(&self.inner);
        // Clients acknowledge in order, so the place is the first.
        let Some(at) = inner.inflight.iter().position(|(id, _)| *id == packet_id) else { return };
        let entry = inner.inflight.remove(at);
        inner.used_ids.remove(&packet_id);
        if at < inner.resent {
            inner.resent -= 1;
        }
        inner.last_progress = Instant::now();
        if let Some((_, delivery)) = &entry {
            self.free(&mut inner, delivery.message.size());
        }
        let has_room = self.has_room_again(&mut inner);
        let wake = inner.wire.as_ref().filter(|_| !inner.queue.is_empty()).map(|w| Arc::clone(&w.wake));
        drop(inner);
        if has_room {
            self.room.notify_waiters();
        }
        if let Some(ack) = entry.and_then(|(_, delivery)| delivery.ack) {
            ack.done();
        }
        if let Some(wake) = wake {
            wake.notify_one();
        }
    }

    /// Bytes of messages have reached the client.
    pub fn progressed(&self) {
        lock(&self.inner).last_progress = Instant::now();
    }

    /// For how long nothing has moved although something waits.
    pub fn stalled_for(&self) -> Option<Duration> {
        let inner = lock(&self.inner);
        let waits = !inner.queue.is_empty() || !inner.inflight.is_empty();
        (inner.wire.is_some() && waits).then(|| inner.last_progress.elapsed())
    }

    /// Whether a message of QoS 2 is new; it is then remembered until its PUBREL.
    pub fn receive_once(&self, packet_id: u16) -> bool {
        let mut inner = lock(&self.inner);
        if inner.received.contains_key(&packet_id) {
            return false;
        }
        inner.received.insert(packet_id, false);
        true
    }

    /// The PUBREC of a message of QoS 2 has been written: its publisher need not send it again.
    pub fn answered_once(&self, packet_id: u16) {
        if let Some(answered) = lock(&self.inner).received.get_mut(&packet_id) {
            *answered = true;
        }
    }

    /// The PUBREL of a message of QoS 2; whether the message was known.
    pub fn release(&self, packet_id: u16) -> bool {
        lock(&self.inner).received.remove(&packet_id).is_some()
    }

    /// Enters a subscription: none when there are too many, else the options it had before.
    pub fn subscribe(&self, filter: &ByteString, options: Options, most: usize) -> Option<Option<Options>> {
        let mut inner = lock(&self.inner);
        if inner.subscriptions.len() >= most && !inner.subscriptions.contains_key(filter) {
            return None;
        }
        // A copy of its own: the filter came in a packet's buffer.
        let own = ByteString::from(filter.to_string());
        Some(inner.subscriptions.insert(own, options))
    }

    pub fn unsubscribe(&self, filter: &str) -> bool {
        lock(&self.inner).subscriptions.remove(filter).is_some()
    }

    pub fn filters(&self) -> Vec<ByteString> {
        lock(&self.inner).subscriptions.keys().cloned().collect()
    }

    pub fn set_late_will(&self, due: Instant, will: Arc<Message>) {
        lock(&self.inner).late_will = Some((due, will));
    }

    /// A will that is due now, or at once when the session ends.
    pub fn take_late_will(&self, now: Instant, ends: bool) -> Option<Arc<Message>> {
        let mut inner = lock(&self.inner);
        let is_due = inner.late_will.as_ref().is_some_and(|(due, _)| ends || *due <= now);
        if is_due { inner.late_will.take().map(|(_, will)| will) } else { None }
    }

    /// Whether its time is over.
    pub fn is_over(&self, now: Instant) -> bool {
        let inner = lock(&self.inner);
        match (inner.offline_since, inner.expiry) {
            (Some(since), Some(expiry)) => now.duration_since(since) >= expiry,
            _ => false,
        }
    }

    /// Whether it was asked for one connection only.
    pub fn ends_with_connection(&self) -> bool {
        lock(&self.inner).expiry == Some(Duration::ZERO)
    }

    /// Messages and bytes that wait, and whether the client is there.
    pub fn depth(&self) -> (usize, usize, bool) {
        let inner = lock(&self.inner);
        (inner.queue.len() + inner.inflight.len(), inner.held_bytes, inner.wire.is_some())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let bytes = lock(&self.inner).held_bytes;
        self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Inner {
    /// A packet id that nothing on the way uses; the window is far smaller than the number of ids.
    fn free_packet_id(&mut self) -> u16 {
        loop {
            self.last_packet_id = self.last_packet_id.checked_add(1).unwrap_or(1);
            if self.used_ids.insert(self.last_packet_id) {
                return self.last_packet_id;
            }
        }
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
