//! The way from the dashboard to the desk's driver.

use model::Incident;
use tokio::sync::{mpsc, oneshot};

use crate::{Order, Refusal, RefusalCode};

/// An order under way to the driver.
#[derive(Debug)]
pub struct Request {
    /// What is wanted.
    pub order: Order,
    /// The incident after it, once its transitions are on disk, or why not.
    pub reply: oneshot::Sender<Result<Incident, Refusal>>,
}

/// Sends orders to the desk's driver. Clones share one bounded channel.
#[derive(Debug, Clone)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
}

impl Handle {
    /// A handle and the receiving end for the driver; at most `capacity` orders wait.
    pub fn channel(capacity: usize) -> (Self, mpsc::Receiver<Request>) {
        let (requests, receiver) = mpsc::channel(capacity);
        (Self { requests }, receiver)
    }

    /// Has an order carried out. When this returns `Ok`, the change is on disk. Cancel-safe: a dropped wait leaves the
    /// order in force.
    pub async fn order(&self, order: Order) -> Result<Incident, Refusal> {
        let (reply, answer) = oneshot::channel();
        let gone = || Refusal::new(RefusalCode::Unavailable, "the desk is shutting down");
        self.requests.send(Request { order, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}
