//! How often a session reads: at once while somebody watches, at turns while nobody does.
//!
//! A camera's access units come 15 to 25 times a second, and each costs a wake-up and two calls into the kernel when it is
//! taken at once. Without a viewer the kernel may gather what comes, and a turn takes it all: a third of the cost. What
//! is said of the stream (`health`) and when the session ends is decided elsewhere.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use model::Timestamp;
use tokio::time::{Instant, Sleep, sleep};

/// Between two looks at everything else while frames are taken at once.
const LOOK: Duration = Duration::from_secs(1);

/// When frames are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// As they come.
    AtOnce,
    /// All that have come, at each turn.
    AtTurns,
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next<T> {
    /// What the stream had.
    Item(T),
    /// Nothing more for now: time to look at everything else. Comes at least once a second while the stream waits.
    Turn,
}

/// Decides when one stream is read.
pub(crate) struct Pace {
    every: Duration,
    turn: Pin<Box<Sleep>>,
    /// Waits for the next turn, whatever comes.
    resting: bool,
}

impl Pace {
    /// Turns come each `every`.
    pub(crate) fn new(every: Duration) -> Self {
        Self { every, turn: Box::pin(sleep(LOOK)), resting: false }
    }

    /// What `poll` finds next, or a turn. At turns it is polled with a waker that does nothing: what has come since must be
    /// found without it. Cancel-safe.
    pub(crate) async fn next<T>(&mut self, read: Read, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Next<T> {
        poll_fn(|cx| self.poll(read, &mut poll, cx)).await
    }

    fn poll<T>(
        &mut self,
        read: Read,
        poll: &mut impl FnMut(&mut Context<'_>) -> Poll<T>,
        cx: &mut Context<'_>,
    ) -> Poll<Next<T>> {
        if self.resting {
            ready!(self.turn.as_mut().poll(cx));
            self.resting = false;
        }
        match read {
            Read::AtOnce => {
                if let Poll::Ready(item) = poll(cx) {
                    return Poll::Ready(Next::Item(item));
                }
                ready!(self.turn.as_mut().poll(cx));
                self.turn.as_mut().reset(Instant::now() + LOOK);
            }
            Read::AtTurns => {
                // The socket's news wakes nobody: the turn does.
                if let Poll::Ready(item) = poll(&mut Context::from_waker(Waker::noop())) {
                    return Poll::Ready(Next::Item(item));
                }
                self.turn.as_mut().reset(Instant::now() + self.every);
                self.resting = true;
            }
        }
        Poll::Ready(Next::Turn)
    }
}

/// A step of the camera's clock beyond this is a jump: its arrivals are learned anew.
const JUMP_MS: i64 = 2_000;
/// The shortest way is forgotten by so much a second, so that a camera's clock may run 0.1 % fast or slow.
const CREEP_MS_PER_S: i64 = 1;

/// When each frame of a turn came: from the camera's own clock and the shortest way a frame ever had.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    /// The hub's clock minus the camera's at the fastest frame, and when that was so, in ms.
    shortest: Option<(i64, i64)>,
    /// The last arrival told.
    last_ms: i64,
}

impl Arrivals {
    /// The arrival of a frame that was found at `now`: never after it, never before the frame that was found before it.
    pub(crate) fn place(&mut self, pts_90k: i64, now: Timestamp) -> Timestamp {
        let now_ms = now.as_millisecond();
        let way = now_ms.saturating_sub(pts_90k / 90);
        let shortest = match self.shortest {
            Some((shortest, at)) => {
                let crept = shortest.saturating_add((now_ms - at).max(0) / 1_000 * CREEP_MS_PER_S);
                let jumped = way.saturating_sub(crept).saturating_abs() > JUMP_MS;
                if jumped || way <= crept {
                    self.shortest = Some((way, now_ms));
                    way
                } else {
                    crept
                }
            }
            None => {
                self.shortest = Some((way, now_ms));
                way
            }
        };
        let came_ms = (pts_90k / 90).saturating_add(shortest).clamp(self.last_ms.min(now_ms), now_ms);
        self.last_ms = came_ms;
        if came_ms == now_ms { now } else { Timestamp::from_millisecond(came_ms).unwrap_or(now) }
    }
}

#[cfg(test)]
#[path = "pace_tests.rs"]
mod tests;
