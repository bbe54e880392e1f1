//! The way from the dashboard to the engine's driver: what a person can ask of an alarm, and how it can be refused.

use model::{Alarm, AlarmId, Timestamp, UserId};
use tokio::sync::{mpsc, oneshot};

/// What a person does to an alarm.
#[derive(Debug, Clone, PartialEq)]
pub enum AlarmCommand {
    /// I have seen it.
    Acknowledge {
        /// Who.
        by: UserId,
    },
    /// Put it aside.
    Shelve {
        /// Who.
        by: UserId,
        /// Until when.
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// No longer aside.
    Unshelve {
        /// Who.
        by: UserId,
    },
}

/// Why an alarm was not changed. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No such active alarm.
    #[error("no such active alarm")]
    NotFound,
    /// Somebody has done it already.
    #[error("{0}")]
    AlreadyDone(String),
    /// A field is empty, too long or out of range.
    #[error("{0}")]
    BadField(String),
    /// It could not be made durable; try again.
    #[error("storage does not take writes; try again")]
    Unavailable,
}

/// A wish under way to the driver.
#[derive(Debug)]
pub struct Request {
    /// Which alarm.
    pub alarm: AlarmId,
    /// What is wanted.
    pub command: AlarmCommand,
    /// The alarm after it, once that is on disk, or why not.
    pub reply: oneshot::Sender<Result<Alarm, Refused>>,
}

/// Sends wishes about alarms to the driver. Clones share one bounded channel.
#[derive(Debug, Clone)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
}

impl Handle {
    /// A handle and the receiving end for the driver; at most `capacity` wishes wait.
    pub fn channel(capacity: usize) -> (Self, mpsc::Receiver<Request>) {
        let (requests, receiver) = mpsc::channel(capacity);
        (Self { requests }, receiver)
    }

    /// Has a wish carried out; when this returns `Ok`, the change is on disk. Cancel-safe: a dropped wait leaves the
    /// wish in force.
    pub async fn order(&self, alarm: AlarmId, command: AlarmCommand) -> Result<Alarm, Refused> {
        let (reply, answer) = oneshot::channel();
        let request = Request { alarm, command, reply };
        self.requests.send(request).await.map_err(|_| Refused::Unavailable)?;
        answer.await.map_err(|_| Refused::Unavailable)?
    }
}
