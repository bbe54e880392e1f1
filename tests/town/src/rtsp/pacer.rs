//! The clock of the farm: a few tasks that send every stream's next picture when it is due.
//!
//! A shard holds a queue of (due, stream); there is no timer for a camera or a session. Streams
//! that nobody watches are not in any queue.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::camera::Stream;
use crate::scene::Library;

/// A stream that is later than this skips frames instead of sending them in a burst.
const MAX_LATE_US: u64 = 1_000_000;
/// Streams fired before other tasks of the same thread get a turn.
const BATCH: usize = 256;

/// Hands streams to their shard.
#[derive(Debug)]
pub struct Pacer {
    shards: Vec<Arc<Shard>>,
}

#[derive(Debug, Default)]
struct Shard {
    inbox: Mutex<Vec<Arc<Stream>>>,
    wake: Notify,
    late_frames: AtomicU64,
}

struct Due {
    at_us: u64,
    number: u64,
    stream: Arc<Stream>,
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        self.at_us == other.at_us
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Due) -> std::cmp::Ordering {
        self.at_us.cmp(&other.at_us)
    }
}

impl Pacer {
    /// Starts `shards` tasks; they end with `token`.
    pub fn start(shards: usize, library: &Arc<Library>, token: &CancellationToken) -> (Pacer, Vec<JoinHandle<()>>) {
        let shards: Vec<_> = (0..shards.max(1)).map(|_| Arc::new(Shard::default())).collect();
        let tasks =
            shards.iter().map(|shard| tokio::spawn(run(shard.clone(), library.clone(), token.clone()))).collect();
        (Pacer { shards }, tasks)
    }

    /// Puts a stream into its shard's queue unless it is there.
    pub fn schedule(&self, stream: &Arc<Stream>) {
        if !stream.scheduled.swap(true, Ordering::AcqRel) {
            let shard = &self.shards[stream.shard % self.shards.len()];
            shard.inbox.lock().expect("no holder panics").push(stream.clone());
            shard.wake.notify_one();
        }
    }

    /// Frames that were skipped because this machine was too busy.
    pub fn late_frames(&self) -> u64 {
        self.shards.iter().map(|shard| shard.late_frames.load(Ordering::Relaxed)).sum()
    }
}

async fn run(shard: Arc<Shard>, library: Arc<Library>, token: CancellationToken) {
    let mut queue: BinaryHeap<Reverse<Due>> = BinaryHeap::new();
    let mut scratch = Vec::new();
    loop {
        let now = now_us();
        for stream in std::mem::take(&mut *shard.inbox.lock().expect("no holder panics")) {
            let number = stream.frame_at(now) + 1;
            queue.push(Reverse(Due { at_us: stream.due_us(number), number, stream }));
        }
        let mut fired = 0;
        while queue.peek().is_some_and(|Reverse(due)| due.at_us <= now) && fired < BATCH {
            let Some(Reverse(due)) = queue.pop() else { break };
            fired += 1;
            if due.stream.fire(&library, due.number, now, &mut scratch) {
                let mut number = due.number + 1;
                let newest = due.stream.frame_at(now);
                if due.stream.due_us(number) + MAX_LATE_US < now && newest > number {
                    shard.late_frames.fetch_add(newest - number, Ordering::Relaxed);
                    number = newest;
                }
                queue.push(Reverse(Due { at_us: due.stream.due_us(number), number, stream: due.stream }));
            }
        }
        if token.is_cancelled() {
            return;
        }
        if fired == BATCH {
            tokio::task::yield_now().await;
            continue;
        }
        let wait = queue.peek().map_or(3_600_000_000, |Reverse(due)| due.at_us.saturating_sub(now_us()));
        tokio::select! {
            () = tokio::time::sleep(Duration::from_micros(wait)) => {}
            () = shard.wake.notified() => {}
            () = token.cancelled() => return,
        }
    }
}

/// Microseconds since the Unix epoch.
pub fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}
