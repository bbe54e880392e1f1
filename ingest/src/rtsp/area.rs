//! The area of an emergency: its cameras are pulled before all others, what is less important makes room.

use std::collections::HashSet;

use model::SourceId;
use tokio::sync::{mpsc, oneshot};

/// What an area has got, and at whose cost: against how it would be now without one, whatever area was in force before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claimed {
    /// Streams of the area that are pulled or being connected now.
    pub streams: usize,
    /// Those among them that nobody would pull without it.
    pub opened: usize,
    /// Streams of the area that cannot be pulled: the limit on sessions is smaller than the area.
    pub refused: usize,
    /// Streams that somebody watches and that are closed for it.
    pub shed_watched: usize,
    /// Streams of key sites that are closed for it.
    pub shed_key_sites: usize,
    /// Other streams the hub keeps for itself that are closed for it.
    pub shed_usual: usize,
    /// Cameras on demand are not probed meanwhile.
    pub probes_paused: bool,
}

#[derive(Debug)]
pub(crate) struct Order {
    pub area: HashSet<SourceId>,
    pub reply: oneshot::Sender<Claimed>,
}

/// Names the area to the fleet. Clones speak to the same fleet.
#[derive(Debug, Clone)]
pub struct Areas(pub(super) mpsc::Sender<Order>);

impl Areas {
    /// These cameras are pulled before all others from now on, whether or not somebody watches; none ends it. The
    /// newest call counts. None when the hub is shutting down. Cancel-safe: a dropped wait leaves the order in force.
    pub async fn set(&self, area: HashSet<SourceId>) -> Option<Claimed> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Order { area, reply }).await.ok()?;
        answer.await.ok()
    }
}
