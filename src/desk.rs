//! Drives the desk: orders and time in, transitions to disk, then to the screens.

use command::{Config, Desk, Refusal, RefusalCode, Request};
use dashboard::Feed;
use model::{Actor, Incident, IncidentTransition, LogBody, Timestamp};
use storage::Storage;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The desk with what it needs to be durable and seen.
pub struct DeskDriver {
    config: Config,
    desk: Desk,
    storage: Storage,
    feed: Feed,
}

impl DeskDriver {
    /// The desk as the log left it; open incidents go to the feed.
    pub async fn load(config: Config, storage: Storage, feed: Feed) -> Result<Self, storage::Error> {
        let desk = from_log(&config, &storage).await?;
        for incident in desk.incidents().filter(|incident| incident.is_open()) {
            feed.incident(incident.clone());
        }
        Ok(Self { config, desk, storage, feed })
    }

    /// Serves orders and limits until shut down.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Request>, token: CancellationToken) {
        loop {
            let now = Timestamp::now();
            let wait = self.desk.next_deadline().map_or(std::time::Duration::from_secs(3_600), |at| {
                std::time::Duration::try_from(at.duration_since(now)).unwrap_or_default()
            });
            tokio::select! {
                () = token.cancelled() => return,
                request = orders.recv() => match request {
                    Some(request) => self.order(request).await,
                    None => return,
                },
                () = tokio::time::sleep(wait) => {
                    let made = self.desk.tick(Timestamp::now());
                    if self.keep(made).await.is_err() {
                        // The limit stays passed; it is told when storage takes writes again.
                        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                    }
                }
            }
        }
    }

    async fn order(&mut self, request: Request) {
        let answer = match self.desk.command(&request.order, Timestamp::now()) {
            Ok(made) => {
                let id = made.last().map(|transition| transition.incident.clone());
                match self.keep(made).await {
                    Ok(()) => id.and_then(|id| self.desk.incident(&id).cloned()).ok_or_else(unavailable),
                    Err(_) => Err(unavailable()),
                }
            }
            Err(refusal) => Err(refusal),
        };
        // Whoever asked may have gone; the change stands.
        let _ = request.reply.send(answer);
    }

    /// Makes transitions durable, then shows them. On an error the desk is again what the log says.
    async fn keep(&mut self, made: Vec<IncidentTransition>) -> Result<(), storage::Error> {
        let mut touched: Vec<_> = made.iter().map(|transition| transition.incident.clone()).collect();
        touched.dedup();
        let rows: Vec<(Actor, LogBody)> =
            made.into_iter().map(|made| (made.actor.clone(), LogBody::Incident(made))).collect();
        if rows.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.storage.log().append_each(Timestamp::now(), rows).await {
            tracing::error!(%error, "an incident's transition could not be kept and was undone");
            self.desk = from_log(&self.config, &self.storage).await?;
            return Err(error);
        }
        let changed: Vec<Incident> = touched.iter().filter_map(|id| self.desk.incident(id).cloned()).collect();
        for incident in changed {
            self.feed.incident(incident);
        }
        Ok(())
    }
}

fn unavailable() -> Refusal {
    Refusal::new(RefusalCode::Unavailable, "storage does not take writes; try again")
}

async fn from_log(config: &Config, storage: &Storage) -> Result<Desk, storage::Error> {
    let mut transitions = Vec::new();
    let collect = |entry: model::LogEntry| {
        if let LogBody::Incident(transition) = entry.body {
            transitions.push(transition);
        }
    };
    storage.log().replay(0, collect).await?;
    Ok(Desk::from_log(config.clone(), transitions))
}
