//! The bounded queue between the task that polls a connection and the task that decodes.
//!
//! Offering never waits. When it is full, the poller drops messages of QoS 0 (counted) and holds back those of QoS 1,
//! for which it reads no further: the broker's window and TCP slow the senders.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::ledger::Ack;

/// The most messages that wait: a second of 8,000 a second, while the history commits some times a second.
pub(super) const MAX_MESSAGES: usize = 8192;

/// The most bytes that wait.
const MAX_BYTES: usize = 32 << 20;

/// A message on its way to the decoder.
#[derive(Debug)]
pub(super) struct Raw {
    pub topic: Bytes,
    /// The payload, or its first bytes if it was larger than allowed.
    pub payload: Bytes,
    /// Its full length.
    pub payload_len: usize,
    pub retained: bool,
    pub received_at: Timestamp,
    pub ack: Ack,
}

impl Raw {
    pub fn size(&self) -> usize {
        self.topic.len() + self.payload.len() + 64
    }
}

#[derive(Debug, Default)]
pub(super) struct Handoff {
    inner: Mutex<Inner>,
    filled: Notify,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    queue: VecDeque<Raw>,
    bytes: usize,
}

impl Inner {
    /// A quarter is kept for messages that must not be dropped.
    fn has_room(&self, may_drop: bool) -> bool {
        let (messages, bytes) =
            if may_drop { (MAX_MESSAGES / 4 * 3, MAX_BYTES / 4 * 3) } else { (MAX_MESSAGES, MAX_BYTES) };
        self.queue.len() < messages && self.bytes < bytes
    }
}

impl Handoff {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a message, or gives it back when full.
    pub fn offer(&self, raw: Raw) -> Result<(), Raw> {
        let may_drop = !raw.ack.is_needed();
        let mut inner = self.lock();
        if !inner.has_room(may_drop) {
            return Err(raw);
        }
        inner.bytes += raw.size();
        inner.queue.push_back(raw);
        let first = inner.queue.len() == 1;
        drop(inner);
        if first {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// The next message. Cancel-safe. For one reader.
    pub async fn next(&self) -> Raw {
        loop {
            {
                let mut inner = self.lock();
                if let Some(raw) = inner.queue.pop_front() {
                    inner.bytes -= raw.size();
                    let told = inner.queue.len() == MAX_MESSAGES / 2 || inner.queue.is_empty();
                    drop(inner);
                    if told {
                        self.emptied.notify_waiters();
                    }
                    return raw;
                }
            }
            self.filled.notified().await;
        }
    }

    /// Returns when half of the queue has been taken since it was full, or at once when it is not full. May also
    /// return early.
    pub async fn room(&self) {
        let emptied = self.emptied.notified();
        tokio::pin!(emptied);
        emptied.as_mut().enable();
        if self.lock().has_room(false) {
            return;
        }
        emptied.await;
    }

    pub fn len(&self) -> usize {
        self.lock().queue.len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ledger::{Answer, Ledger, Ticket};

    fn raw(ack: Ack) -> Raw {
        Raw {
            topic: Bytes::new(),
            payload: Bytes::new(),
            payload_len: 0,
            retained: false,
            received_at: Timestamp::UNIX_EPOCH,
            ack,
        }
    }

    #[tokio::test]
    async fn qos_0_leaves_room_for_qos_1() {
        let handoff = Handoff::default();
        let ledger = Ledger::new(Arc::default());
        let must = |n| raw(ledger.enter(Ticket { packet_id: n, answer: Answer::Puback }));
        let mut taken = 0;
        while handoff.offer(raw(Ack::none())).is_ok() {
            taken += 1;
        }
        assert_eq!(taken, MAX_MESSAGES / 4 * 3);
        for n in 0..(MAX_MESSAGES / 4) {
            handoff.offer(must(n as u16)).unwrap();
        }
        assert!(handoff.offer(must(1)).is_err());
        for _ in 0..MAX_MESSAGES / 2 {
            handoff.next().await;
        }
        handoff.room().await;
        handoff.offer(must(2)).unwrap();
    }
}
