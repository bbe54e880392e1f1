//! Status reports: each stream's state with its beginning, sent on change; the newest word wins.
//!
//! Sessions never wait here. What cannot be sent yet stays in the outbox, one word per stream; a newer one replaces it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use metrics::counter;
use model::status::StreamFacts;
use model::{Kind, Profile, SourceId, SourceState, SourceStatus, Timestamp};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use video::StreamKey;

/// Statuses on their way out: at most one per stream, so bounded by the registry.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Mutex<HashMap<StreamKey, SourceStatus>>,
    news: Notify,
}

impl Outbox {
    fn put(&self, status: SourceStatus) {
        let Some(profile) = status.profile else { return };
        let replaced = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.insert((status.source.clone(), profile), status).is_some()
        };
        if replaced {
            counter!("gridward_status_coalesced_total").increment(1);
        }
        self.news.notify_one();
    }

    /// Hands statuses on until the token is cancelled; then what waits is offered without waiting.
    pub(crate) async fn deliver(&self, out: mpsc::Sender<SourceStatus>, token: CancellationToken) {
        let stopped = async {
            loop {
                self.news.notified().await;
                while !self.is_empty() {
                    // Taken only when there is room, so that the newest word goes.
                    let Ok(slot) = out.reserve().await else { return };
                    let Some(status) = self.take() else { break };
                    slot.send(status);
                }
            }
        };
        tokio::select! {
            () = token.cancelled() => {}
            () = stopped => return,
        }
        while let Some(status) = self.take() {
            if out.try_send(status).is_err() {
                break;
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn take(&self) -> Option<SourceStatus> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let key = waiting.keys().next()?.clone();
        waiting.remove(&key)
    }
}

/// Speaks for one session: for both profiles of a camera when the session serves both.
#[derive(Debug)]
pub(crate) struct Reporter {
    source: SourceId,
    profiles: Vec<Profile>,
    outbox: Arc<Outbox>,
    now: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    state: SourceState,
    since: Timestamp,
    reason: Option<&'static str>,
    detail: Option<String>,
    last_data_at: Option<Timestamp>,
    stream: Option<StreamFacts>,
}

impl Reporter {
    pub(crate) fn new(source: SourceId, profiles: Vec<Profile>, outbox: Arc<Outbox>, now: Timestamp) -> Self {
        let current = Current {
            state: SourceState::Unknown,
            since: now,
            reason: None,
            detail: None,
            last_data_at: None,
            stream: None,
        };
        Self { source, profiles, outbox, now: Mutex::new(current) }
    }

    /// The state from now on; sent when state or reason differ from before.
    pub(crate) fn state(
        &self,
        state: SourceState,
        reason: Option<&'static str>,
        detail: Option<String>,
        now: Timestamp,
    ) {
        let mut current = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if current.state == state && current.reason == reason {
            return;
        }
        if current.state != state {
            current.since = now;
        }
        (current.state, current.reason, current.detail) = (state, reason, detail);
        self.send(&current);
    }

    /// What the stream is, measured anew; always sent.
    pub(crate) fn facts(&self, facts: StreamFacts, last_data_at: Option<Timestamp>) {
        let mut current = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        (current.stream, current.last_data_at) = (Some(facts), last_data_at);
        self.send(&current);
    }

    /// When the last frame came; goes along with the next report.
    pub(crate) fn data_until(&self, last_data_at: Option<Timestamp>) {
        let mut current = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        current.last_data_at = last_data_at.or(current.last_data_at);
    }

    /// The state last told.
    pub(crate) fn current(&self) -> SourceState {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).state
    }

    fn send(&self, current: &Current) {
        for profile in &self.profiles {
            self.outbox.put(SourceStatus {
                source: self.source.clone(),
                kind: Kind::Camera,
                profile: Some(*profile),
                state: current.state,
                since: current.since,
                reason: current.reason.map(str::to_owned),
                detail: current.detail.clone(),
                last_data_at: current.last_data_at,
                stream: current.stream.clone(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[tokio::test]
    async fn the_newest_word_wins_while_the_channel_is_full() {
        let outbox = Arc::new(Outbox::default());
        let (tx, mut rx) = mpsc::channel(1);
        let token = CancellationToken::new();
        let reporter = Reporter::new("cam".into(), vec![Profile::Sub], Arc::clone(&outbox), ms(0));
        let other = Reporter::new("cam-2".into(), vec![Profile::Sub], Arc::clone(&outbox), ms(0));
        let delivery = tokio::spawn({
            let (outbox, token) = (Arc::clone(&outbox), token.clone());
            async move { outbox.deliver(tx, token).await }
        });
        other.state(SourceState::Idle, None, None, ms(1));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        for i in 2..50 {
            let state = if i % 2 == 0 { SourceState::Connecting } else { SourceState::Offline };
            reporter.state(state, Some("connect_refused"), None, ms(i));
        }
        assert_eq!(rx.recv().await.unwrap().source, "cam-2".into());
        let newest = rx.recv().await.unwrap();
        assert_eq!((newest.state, newest.since), (SourceState::Offline, ms(49)));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        assert!(rx.try_recv().is_err(), "what was overtaken is not sent");
        token.cancel();
        delivery.await.unwrap();
    }

    #[tokio::test]
    async fn since_moves_with_the_state_and_not_with_the_reason() {
        let outbox = Arc::new(Outbox::default());
        let reporter = Reporter::new("cam".into(), vec![Profile::Main, Profile::Sub], Arc::clone(&outbox), ms(0));
        reporter.state(SourceState::Offline, Some("connect_refused"), None, ms(5));
        reporter.state(SourceState::Offline, Some("connect_timeout"), None, ms(9));
        let told: Vec<_> = std::iter::from_fn(|| outbox.take()).collect();
        assert_eq!(told.len(), 2, "one for each profile");
        assert!(told.iter().all(|s| s.since == ms(5) && s.reason.as_deref() == Some("connect_timeout")));
        reporter.state(SourceState::Offline, Some("connect_timeout"), None, ms(10));
        assert!(outbox.take().is_none(), "no change, no word");
    }
}
