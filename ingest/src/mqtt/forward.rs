//! From messages to observations: finds the sensors of a topic, decodes, tells the watch, hands on.
//!
//! One task a link. It waits when the next part is full, which fills the handoff behind it, which slows the broker.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use metrics::{Counter, counter};
use model::{Observation, SourceId};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::decode::{Message, decode};
use super::handoff::{Handoff, Raw};
use super::routes::{Receivers, Routes};
use super::watch::Watch;
use super::{DeadLetter, Ingested, MAX_DEAD_PAYLOAD_BYTES};
use crate::ledger::Ack;

/// How long messages already here are still handed on after the hub was told to stop.
const DRAIN: Duration = Duration::from_secs(2);

/// Everything the task needs.
pub(super) struct Forward {
    pub broker: Arc<str>,
    pub link: usize,
    pub handoff: Arc<Handoff>,
    pub routes: watch::Receiver<Arc<Vec<Routes>>>,
    pub watch: Arc<Mutex<Watch>>,
    pub max_payload: usize,
    pub out: mpsc::Sender<Ingested>,
    pub dead: mpsc::Sender<DeadLetter>,
    /// Topics that no sensor has, for the link to unsubscribe; when full they wait for their next message.
    pub strays: mpsc::Sender<String>,
}

/// What a message came to, before anything is sent.
#[derive(Default)]
struct Found {
    observations: Vec<Observation>,
    /// Why it, or the part of it for one sensor, is no use.
    dead: Option<(&'static str, String, Option<SourceId>)>,
    is_stray: bool,
}

impl Forward {
    pub async fn run(self, token: CancellationToken) {
        let taken = counter!("gridward_observations_total");
        let mut routes_seen = self.routes.clone();
        let mut routes = routes_seen.borrow_and_update().clone();
        let work = async {
            loop {
                let raw = tokio::select! {
                    raw = self.handoff.next() => raw,
                    () = token.cancelled(), if !token.is_cancelled() => continue,
                    () = std::future::ready(()), if token.is_cancelled() && self.handoff.len() == 0 => break,
                };
                if routes_seen.has_changed().unwrap_or(false) {
                    routes = routes_seen.borrow_and_update().clone();
                }
                self.handle(raw, &routes, &taken).await;
            }
        };
        // What does not get through in time is not acknowledged and comes again.
        tokio::select! {
            () = work => {}
            () = async { token.cancelled().await; tokio::time::sleep(DRAIN).await } => {}
        }
    }

    async fn handle(&self, raw: Raw, routes: &[Routes], taken: &Counter) {
        let Some(routes) = routes.get(self.link) else { return };
        let found = self.look(&raw, routes);
        if found.is_stray
            && let Ok(topic) = std::str::from_utf8(&raw.topic)
        {
            let _ = self.strays.try_send(topic.to_owned());
        }
        let Raw { topic, payload, payload_len, received_at, ack, .. } = raw;
        let mut ack = Some(ack);
        if let Some((code, reason, source)) = found.dead {
            counter!("gridward_dead_letters_total", "reason" => code).increment(1);
            let letter = DeadLetter {
                at: received_at,
                broker: self.broker.to_string(),
                topic: String::from_utf8_lossy(&topic).chars().take(256).collect(),
                source,
                reason,
                payload_head: payload[..payload.len().min(MAX_DEAD_PAYLOAD_BYTES)].to_vec(),
                payload_len,
                // With readings beside it, those carry the duty to acknowledge.
                ack: if found.observations.is_empty() { ack.take() } else { None }.unwrap_or_else(Ack::none),
            };
            if let Err(full) = self.dead.try_send(letter) {
                // A list for people to look at must not stop the readings: counted, acknowledged, let go.
                counter!("gridward_dead_letters_dropped_total").increment(1);
                full.into_inner().ack.done();
            }
        }
        let Some(ack) = ack else { return };
        if found.observations.is_empty() {
            ack.done();
            return;
        }
        taken.increment(found.observations.len() as u64);
        // An error means that the receiver is gone: the hub is stopping, and the message comes again.
        let _ = self.out.send(Ingested { observations: found.observations, ack }).await;
    }

    fn look(&self, raw: &Raw, routes: &Routes) -> Found {
        let mut found = Found::default();
        let Ok(topic) = std::str::from_utf8(&raw.topic) else {
            found.dead = Some(("topic_not_text", "the topic is not UTF-8 text".to_owned(), None));
            return found;
        };
        let mut receivers = Receivers::default();
        routes.find(topic, &mut receivers);
        if receivers.readings.is_empty() && receivers.states.is_empty() {
            found.dead = Some(("no_sensor", "no sensor has this topic".to_owned(), None));
            found.is_stray = true;
            return found;
        }
        if raw.payload_len > self.max_payload {
            let source = receivers.readings.first().map(|r| r.source.id.clone());
            let reason = format!("the payload has {} bytes, more than {}", raw.payload_len, self.max_payload);
            found.dead = Some(("too_large", reason, source));
            return found;
        }
        let mut live: Vec<&SourceId> = Vec::new();
        let mut states: Vec<&SourceId> = Vec::new();
        let message = Message { topic, payload: &raw.payload, retained: raw.retained, received_at: raw.received_at };
        for route in &receivers.readings {
            match decode(&message, &route.format, &route.source) {
                Ok(observations) => {
                    found.observations.extend(observations);
                    live.push(&route.source.id);
                }
                Err(e) => found.dead = Some((e.code(), e.to_string(), Some(route.source.id.clone()))),
            }
        }
        let online = state_word(&raw.payload);
        for route in &receivers.states {
            match online {
                Some(_) => states.push(&route.source.id),
                // A topic may carry readings and be a state topic at once.
                None if live.is_empty() => {
                    let reason = "expected offline or online".to_owned();
                    found.dead = Some(("state_word", reason, Some(route.source.id.clone())));
                }
                None => {}
            }
        }
        self.tell(&live, &states, online == Some(false), raw.retained, raw.received_at);
        found
    }

    fn tell(&self, live: &[&SourceId], states: &[&SourceId], gone: bool, retained: bool, now: Timestamp) {
        if live.is_empty() && states.is_empty() {
            return;
        }
        let mut watch = self.watch.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for id in live {
            watch.data(id, retained, now);
        }
        for id in states {
            watch.will(id, gone, now);
        }
    }
}

/// What a state topic says: `online` and its like are true, `offline` and its like false. Also as `{"state":"online"}`,
/// which Zigbee2MQTT writes.
fn state_word(payload: &[u8]) -> Option<bool> {
    let text = std::str::from_utf8(payload).ok()?.trim();
    if text.starts_with('{') {
        let json: serde_json::Value = serde_json::from_str(text).ok()?;
        return word(json.get("state")?.as_str()?);
    }
    word(text)
}

fn word(text: &str) -> Option<bool> {
    const ONLINE: [&str; 6] = ["online", "true", "on", "1", "ready", "connected"];
    const OFFLINE: [&str; 6] = ["offline", "false", "off", "0", "lost", "disconnected"];
    let is = |list: &[&str]| list.iter().any(|w| text.eq_ignore_ascii_case(w));
    if is(&ONLINE) { Some(true) } else { is(&OFFLINE).then_some(false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_topics_speak_several_dialects() {
        for (payload, expected) in [
            ("offline", Some(false)),
            (" Online\n", Some(true)),
            ("{\"state\":\"offline\"}", Some(false)),
            ("lost", Some(false)),
            ("1", Some(true)),
            ("maybe", None),
            ("{\"state\":1}", None),
            ("", None),
        ] {
            assert_eq!(state_word(payload.as_bytes()), expected, "{payload}");
        }
    }
}
