//! The area of an emergency: its cameras are pulled before all others, what is less important makes room.

use std::collections::HashSet;

use model::{AreaCost, SourceId};
use tokio::sync::{mpsc, oneshot};

#[derive(Debug)]
pub(crate) struct Order {
    pub area: HashSet<SourceId>,
    pub reply: oneshot::Sender<AreaCost>,
}

/// Names the area to the fleet. Clones speak to the same fleet.
#[derive(Debug, Clone)]
pub struct Areas(pub(super) mpsc::Sender<Order>);

impl Areas {
    /// These cameras are pulled before all others from now on, whether or not somebody watches; none ends it. The
    /// newest call counts. None when the hub is shutting down. Cancel-safe: a dropped wait leaves the order in force.
    pub async fn set(&self, area: HashSet<SourceId>) -> Option<AreaCost> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Order { area, reply }).await.ok()?;
        answer.await.ok()
    }
}
