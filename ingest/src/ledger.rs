//! Acknowledgements that leave in the order the messages came, each after its message is safe.
//!
//! One ledger belongs to one connection. A message takes a ticket when it is received; [`Ack::done`] marks it; tickets
//! leave from the front while marked (MQTT-4.6.0-2: in the order of receipt). An [`Ack`] that outlives its connection
//! touches only the dead ledger, so no packet id is ever acknowledged on a later connection. The link uses it towards
//! its broker, and the embedded broker towards its publishers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What has to be acknowledged on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The packet id of the message.
    pub packet_id: u16,
    /// Which packet answers it.
    pub answer: Answer,
}

/// The packet that answers a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// PUBACK, for QoS 1.
    Puback,
    /// PUBREC, for QoS 2.
    Pubrec,
}

/// The outstanding acknowledgements of one connection.
#[derive(Debug)]
pub struct Ledger {
    inner: Mutex<Inner>,
    /// Told when a ticket becomes ready or is abandoned.
    wake: Arc<Notify>,
    /// Told when tickets left, for those who wait for room.
    pub(crate) room: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// The number of the ticket at the front of `slots`.
    first: u64,
    slots: VecDeque<(Ticket, bool)>,
    abandoned: bool,
}

impl Ledger {
    /// An empty ledger that tells `wake` when [`Ledger::take_ready`] has something.
    pub fn new(wake: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self { inner: Mutex::default(), wake, room: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing here panics while it holds the lock, so what a poisoned one holds is whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a message at the end.
    pub fn enter(self: &Arc<Self>, ticket: Ticket) -> Ack {
        let mut inner = self.lock();
        inner.slots.push_back((ticket, false));
        let number = inner.first + inner.slots.len() as u64 - 1;
        Ack { slot: Some((Arc::clone(self), number)) }
    }

    /// Appends the tickets that may leave now.
    pub fn take_ready(&self, out: &mut Vec<Ticket>) {
        let before = out.len();
        let mut inner = self.lock();
        while let Some((ticket, true)) = inner.slots.front().copied() {
            inner.slots.pop_front();
            inner.first += 1;
            out.push(ticket);
        }
        drop(inner);
        if out.len() > before {
            self.room.notify_waiters();
        }
    }

    /// How many messages are not acknowledged yet.
    pub fn outstanding(&self) -> usize {
        self.lock().slots.len()
    }

    /// Whether an [`Ack`] was dropped without [`Ack::done`]: its message was not kept and must be delivered again,
    /// which in MQTT takes a new connection.
    pub fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    fn done(&self, number: u64) {
        let mut inner = self.lock();
        // A number below `first` has left already; it cannot be marked twice since `Ack::done` consumes.
        if let Some(slot) = number.checked_sub(inner.first).and_then(|i| inner.slots.get_mut(i as usize)) {
            slot.1 = true;
        }
        let front_ready = inner.slots.front().is_some_and(|s| s.1);
        drop(inner);
        if front_ready {
            self.wake.notify_one();
        }
    }

    fn abandon(&self) {
        self.lock().abandoned = true;
        self.wake.notify_one();
    }
}

/// The duty to acknowledge one message; [`Ack::done`] when it is safe.
///
/// Dropped without `done`, the message counts as not kept: the connection is closed and the broker delivers again.
#[derive(Debug)]
#[must_use = "a message whose Ack is dropped is delivered again"]
pub struct Ack {
    slot: Option<(Arc<Ledger>, u64)>,
}

impl Ack {
    /// For a message that needs no acknowledgement (QoS 0), and for tests.
    pub fn none() -> Self {
        Self { slot: None }
    }

    /// The message is on disk and was offered to the engines: tell the broker.
    pub fn done(mut self) {
        if let Some((ledger, number)) = self.slot.take() {
            ledger.done(number);
        }
    }

    /// Whether anybody waits for it.
    pub fn is_needed(&self) -> bool {
        self.slot.is_some()
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        if let Some((ledger, _)) = self.slot.take() {
            ledger.abandon();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(packet_id: u16) -> Ticket {
        Ticket { packet_id, answer: Answer::Puback }
    }

    fn ready(ledger: &Ledger) -> Vec<u16> {
        let mut out = Vec::new();
        ledger.take_ready(&mut out);
        out.iter().map(|t| t.packet_id).collect()
    }

    #[test]
    fn tickets_leave_in_the_order_of_receipt() {
        let ledger = Ledger::new(Arc::default());
        let acks: Vec<Ack> = [7, 8, 9].into_iter().map(|id| ledger.enter(ticket(id))).collect();
        let [a, b, c] = acks.try_into().unwrap();
        c.done();
        b.done();
        assert!(ready(&ledger).is_empty());
        a.done();
        assert_eq!(ready(&ledger), [7, 8, 9]);
        assert_eq!(ledger.outstanding(), 0);
    }

    #[test]
    fn a_dropped_ack_is_not_sent_but_told() {
        let ledger = Ledger::new(Arc::default());
        let first = ledger.enter(ticket(1));
        ledger.enter(ticket(2)).done();
        drop(first);
        assert!(ledger.is_abandoned() && ready(&ledger).is_empty());
    }
}
