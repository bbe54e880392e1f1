//! The bounded queue between the task that polls a connection and the task that decodes.
//!
//! Offering never waits. When it is full, the poller reads no further, so that the broker's window and TCP slow the
//! senders; see `link`.

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
    fn has_room(&self) -> bool {
        self.queue.len() < MAX_MESSAGES && self.bytes < MAX_BYTES
    }
}

impl Handoff {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a message, or gives it back when full.
    pub fn offer(&self, raw: Raw) -> Result<(), Raw> {
        let mut inner = self.lock();
        if !inner.has_room() {
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
        if self.lock().has_room() {
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
    use super::*;

    fn raw() -> Raw {
        Raw {
            topic: Bytes::new(),
            payload: Bytes::new(),
            payload_len: 0,
            retained: false,
            received_at: Timestamp::UNIX_EPOCH,
            ack: Ack::none(),
        }
    }

    #[tokio::test]
    async fn a_full_queue_gives_messages_back_until_half_of_it_is_taken() {
        let handoff = Handoff::default();
        for _ in 0..MAX_MESSAGES {
            handoff.offer(raw()).unwrap();
        }
        assert!(handoff.offer(raw()).is_err());
        let taken = async {
            for _ in 0..MAX_MESSAGES / 2 {
                tokio::task::yield_now().await;
                handoff.next().await;
            }
        };
        tokio::join!(handoff.room(), taken);
        assert_eq!(handoff.len(), MAX_MESSAGES / 2);
        handoff.offer(raw()).unwrap();
    }
}
