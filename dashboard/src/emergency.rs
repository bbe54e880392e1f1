//! Emergency mode: what people order, and what they see of it. Who carries it out is told over a channel.

use model::{Actor, AreaCost, GridId, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};
use utoipa::ToSchema;

/// An emergency that is on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Emergency {
    /// Its area: these grids with all inside them.
    pub grids: Vec<GridId>,
    /// Why, in the words of whoever began it.
    pub reason: String,
    /// Who began it.
    pub by: Actor,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// What the area has got, and at whose cost.
    pub cost: AreaCost,
}

/// What is to be done.
#[derive(Debug)]
pub enum Order {
    /// Begins, or takes the place of the one that is on. Its `cost` is filled in.
    Begin(Emergency, oneshot::Sender<Result<Emergency, String>>),
    /// Ends; the answer is what was on, if anything was.
    End(Actor, oneshot::Sender<Result<Option<Emergency>, String>>),
}

/// The way to who carries emergencies out. Clones share one bounded channel.
#[derive(Debug, Clone)]
pub struct Handle {
    orders: mpsc::Sender<Order>,
    current: watch::Receiver<Option<Emergency>>,
}

impl Handle {
    /// A handle with the other ends: orders to take, and where to tell what is on. At most `capacity` orders wait.
    pub fn channel(capacity: usize) -> (Self, mpsc::Receiver<Order>, watch::Sender<Option<Emergency>>) {
        let (orders, taken) = mpsc::channel(capacity);
        let (told, current) = watch::channel(None);
        (Self { orders, current }, taken, told)
    }

    /// The emergency that is on.
    pub fn current(&self) -> Option<Emergency> {
        self.current.borrow().clone()
    }

    /// Begins an emergency; when this returns `Ok` it is in the log and in force.
    pub(crate) async fn begin(&self, emergency: Emergency) -> Result<Emergency, String> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order::Begin(emergency, reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Ends the one that is on.
    pub(crate) async fn end(&self, actor: Actor) -> Result<Option<Emergency>, String> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order::End(actor, reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

fn gone() -> String {
    "the hub is shutting down".to_owned()
}
