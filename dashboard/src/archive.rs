//! Every incident there ever was, for lists of those that have ended: a fold of the log that goes on where the last
//! question left it, so that a list does not read years of rows each time.

use std::collections::BTreeMap;

use model::{Incident, IncidentId, LogBody};
use storage::Log;

/// All incidents up to a row of the log; about a kilobyte each.
#[derive(Default)]
pub struct Archive {
    seq: i64,
    incidents: BTreeMap<IncidentId, Incident>,
}

impl Archive {
    /// Reads what the log has gained. Cancel-safe: what was read is kept.
    pub async fn catch_up(&mut self, log: &Log) -> Result<(), storage::Error> {
        let after = self.seq;
        log.replay(after, |entry| {
            self.seq = entry.seq;
            let LogBody::Incident(transition) = entry.body else { return };
            match self.incidents.get_mut(&transition.incident) {
                Some(incident) => incident.apply(&transition),
                None => {
                    let begun = Incident::begin(&transition);
                    self.incidents.extend(begun.map(|incident| (transition.incident.clone(), incident)));
                }
            }
        })
        .await
    }

    /// All incidents, the newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values().rev()
    }
}
