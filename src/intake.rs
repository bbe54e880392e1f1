//! Observations on their way: to the screens, to disk, and only then acknowledged.

use std::time::Duration;

use dashboard::Feed;
use ingest::mqtt::{DeadLetter, Ingested};
use model::Observation;
use storage::{NewDeadLetter, Storage};
use tokio::sync::mpsc;

use crate::warning::Kept;

/// Messages that share one commit at most.
const BATCH: usize = 4_096;
/// How long a full disk is left alone between tries.
const RETRY: Duration = Duration::from_secs(1);

/// Takes messages of the links, and observations that the hub makes itself (picture checks), until the senders of both
/// have ended. A message is acknowledged, in the order of receipt, when its observations are on disk and on their way to
/// the early warning; while storage takes none, they wait here and the links slow down.
pub async fn observations(
    mut messages: mpsc::Receiver<Ingested>,
    mut made: mpsc::Receiver<Observation>,
    storage: Storage,
    feed: Feed,
    engine: mpsc::Sender<Kept>,
) {
    let (mut batch, mut own) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
    let (mut linked, mut making) = (true, true);
    while linked || making {
        tokio::select! {
            count = messages.recv_many(&mut batch, BATCH), if linked => linked = count > 0,
            count = made.recv_many(&mut own, BATCH), if making => making = count > 0,
        }
        metrics::gauge!("gridward_queue_depth", "queue" => "intake").set(messages.len() as f64);
        metrics::gauge!("gridward_queue_depth", "queue" => "checks").set(made.len() as f64);
        let mut observations: Vec<Observation> = batch.iter().flat_map(|m| m.observations.iter().cloned()).collect();
        observations.append(&mut own);
        if observations.is_empty() {
            batch.drain(..).for_each(|message: Ingested| message.ack.done());
            continue;
        }
        observations.iter().for_each(|observation| feed.observation(observation));
        let until = loop {
            match storage.history().append(observations.clone()).await {
                Ok(until) => break until,
                Err(storage::Error::Closed) => return,
                Err(_) => {
                    metrics::counter!("gridward_history_retries_total").increment(1);
                    tokio::time::sleep(RETRY).await;
                }
            }
        };
        if engine.send(Kept { observations, until }).await.is_err() {
            // The early warning has ended; it finds these in the history when it starts again.
            return;
        }
        batch.drain(..).for_each(|message| message.ack.done());
    }
}

/// Files what could not be decoded until the links have ended; what cannot be filed is counted and acknowledged, so
/// that it does not come back for ever.
pub async fn dead_letters(mut letters: mpsc::Receiver<DeadLetter>, storage: Storage) {
    let mut batch = Vec::with_capacity(BATCH);
    while letters.recv_many(&mut batch, BATCH).await > 0 {
        let (rows, acks): (Vec<NewDeadLetter>, Vec<_>) = batch
            .drain(..)
            .map(|letter| {
                let row = NewDeadLetter {
                    at: letter.at,
                    broker: letter.broker,
                    topic: letter.topic,
                    source: letter.source,
                    reason: letter.reason,
                    payload_head: letter.payload_head,
                    payload_bytes: letter.payload_len as u64,
                };
                (row, letter.ack)
            })
            .unzip();
        if let Err(error) = storage.dead_letters().append(&rows).await {
            metrics::counter!("gridward_dead_letters_lost_total").increment(rows.len() as u64);
            tracing::warn!(%error, count = rows.len(), "dead letters could not be filed");
        }
        acks.into_iter().for_each(|ack| ack.done());
    }
}
