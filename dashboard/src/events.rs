//! `/api/v1/events`: a snapshot, then numbered deltas, by subscription and within the caller's scope.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use model::{Source, SourceId, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{interval, interval_at, timeout};

use crate::access::{Caller, RECHECK};
use crate::error::ApiError;
use crate::feed::{Change, Delta};
use crate::state::AppState;

/// How often a quiet socket hears that all is well.
const TICK: Duration = Duration::from_secs(2);
/// How long a send may take before the reader counts as gone.
const SEND_LIMIT: Duration = Duration::from_secs(10);
/// Sources whose readings one socket may follow.
const MAX_READINGS: usize = 200;
/// The largest message a client may send.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Messages heard from one socket in [`HEARING`]; each may cost a snapshot of the town.
const MAX_HEARD: u32 = 60;
const HEARING: Duration = Duration::from_secs(10);
/// Sockets open at a time: two desks and a thousand phones are far fewer.
const MAX_SOCKETS: usize = 2_000;
/// Characters of a client's own words that an error repeats.
const MAX_REPEATED: usize = 200;

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientMessage {
    /// `incidents`, `alarms`, `sources`, `hub`, `floods`, `readings:SOURCE`.
    subscribe: Vec<String>,
    /// Where it was when its last socket ended.
    #[serde(default)]
    resume: Option<Resume>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resume {
    epoch: String,
    seq: u64,
}

#[derive(Debug, Default, PartialEq)]
struct Topics {
    incidents: bool,
    alarms: bool,
    sources: bool,
    hub: bool,
    floods: bool,
    readings: HashSet<SourceId>,
}

impl Topics {
    fn parse(names: &[String]) -> Result<Self, String> {
        let mut topics = Self::default();
        for name in names {
            match name.as_str() {
                "incidents" => topics.incidents = true,
                "alarms" => topics.alarms = true,
                "sources" => topics.sources = true,
                "hub" => topics.hub = true,
                "floods" => topics.floods = true,
                other => {
                    let id = other.strip_prefix("readings:").and_then(|id| SourceId::parse(id).ok());
                    topics.readings.insert(id.ok_or_else(|| format!("unknown topic {other:?}"))?);
                }
            }
        }
        if topics.readings.len() > MAX_READINGS {
            return Err(format!("at most {MAX_READINGS} sources' readings on one socket"));
        }
        Ok(topics)
    }
}

/// What a client's message asks for, or what is wrong with it in few words.
fn read_message(text: &str) -> Result<(Topics, Option<Resume>), String> {
    let message: ClientMessage = serde_json::from_str(text).map_err(|error| shorten(&error.to_string()))?;
    let topics = Topics::parse(&message.subscribe).map_err(|error| shorten(&error))?;
    Ok((topics, message.resume))
}

/// The same for the fuzz target.
#[cfg(feature = "fuzzing")]
pub fn check_message(text: &str) -> Result<(), String> {
    read_message(text).map(drop)
}

fn shorten(text: &str) -> String {
    text.chars().take(MAX_REPEATED).collect()
}

/// Upgrades to the socket; needs a log-in or token like any request.
pub async fn socket(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    if state.feed.readers() >= MAX_SOCKETS {
        metrics::counter!("gridward_event_sockets_refused_total").increment(1);
        return Err(ApiError::unavailable(format!("{MAX_SOCKETS} event sockets are open already")));
    }
    let upgrade = upgrade.max_message_size(MAX_MESSAGE_BYTES).max_frame_size(MAX_MESSAGE_BYTES);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let open = metrics::gauge!("gridward_event_sockets");
        open.increment(1.0);
        Session { state, caller, topics: Topics::default(), seq: 0, epoch: String::new() }.run(socket).await;
        open.decrement(1.0);
    }))
}

type Sources = BTreeMap<SourceId, Arc<Source>>;

struct Session {
    state: Arc<AppState>,
    caller: Caller,
    topics: Topics,
    seq: u64,
    epoch: String,
}

impl Session {
    async fn run(mut self, mut socket: WebSocket) {
        let mut flushed = self.state.feed.watch();
        let mut tick = interval(TICK);
        let mut recheck = interval_at(tokio::time::Instant::now() + RECHECK, RECHECK);
        let token = self.state.token.clone();
        let mut begun = false;
        let (mut hearing_since, mut heard) = (Instant::now(), 0);
        loop {
            let texts = tokio::select! {
                () = token.cancelled() => break,
                _ = recheck.tick() => match self.caller.again(&self.state).await {
                    Ok(Some(caller)) => {
                        self.caller = caller;
                        continue;
                    }
                    Ok(None) => {
                        let text = error_text("unauthenticated", "the log-in has ended or the token was taken back");
                        let _ = timeout(SEND_LIMIT, socket.send(Message::Text(text.into()))).await;
                        break;
                    }
                    // The database does not answer: what was true a moment ago still is.
                    Err(_) => continue,
                },
                message = socket.recv() => match message {
                    Some(Ok(Message::Text(text))) => {
                        if hearing_since.elapsed() > HEARING {
                            (hearing_since, heard) = (Instant::now(), 0);
                        }
                        heard += 1;
                        if heard > MAX_HEARD {
                            metrics::counter!("gridward_event_sockets_dropped_total").increment(1);
                            break;
                        }
                        let answers = self.hear(&text);
                        begun |= !self.epoch.is_empty();
                        answers
                    }
                    Some(Ok(Message::Binary(_))) => vec![error_text("bad_request", "expected text")],
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                },
                changed = flushed.changed(), if begun => match changed {
                    Ok(()) => self.news(),
                    Err(_) => return,
                },
                _ = tick.tick(), if begun => {
                    let hub = if self.topics.hub { (*self.state.feed.snapshot().hub).clone() } else { Value::Null };
                    vec![json!({ "type": "tick", "seq": self.seq, "at": Timestamp::now(), "hub": hub }).to_string()]
                }
            };
            for text in texts {
                let sent = timeout(SEND_LIMIT, socket.send(Message::Text(text.into()))).await;
                if !matches!(sent, Ok(Ok(()))) {
                    metrics::counter!("gridward_event_sockets_dropped_total").increment(1);
                    return;
                }
            }
        }
        // The reader learns that the hub goes away; it may be gone itself.
        let _ = timeout(SEND_LIMIT, socket.send(Message::Close(None))).await;
    }

    /// Takes a subscription in; answers with what the socket says to it.
    fn hear(&mut self, text: &str) -> Vec<String> {
        let resume = match read_message(text) {
            Ok((topics, resume)) => {
                self.topics = topics;
                resume
            }
            Err(error) => return vec![error_text("bad_request", &error)],
        };
        if let Some(resume) = resume
            && self.state.feed.since(&resume.epoch, resume.seq).is_some()
        {
            self.epoch = resume.epoch;
            self.seq = resume.seq;
            let resumed = json!({ "type": "resumed", "epoch": self.epoch, "seq": self.seq }).to_string();
            return std::iter::once(resumed).chain(self.news()).collect();
        }
        vec![self.snapshot()]
    }

    fn snapshot(&mut self) -> String {
        let snapshot = self.state.feed.snapshot();
        let sources = self.state.feed.sources();
        let sees = |id: &SourceId| sources.get(id).is_some_and(|source| self.caller.sees(source));
        let mut topics = BTreeMap::new();
        if self.topics.incidents {
            let seen: Vec<_> = snapshot.incidents.iter().filter(|i| self.caller.sees_grid(&i.grid)).collect();
            topics.insert("incidents".to_owned(), json!(seen.iter().map(|i| &***i).collect::<Vec<_>>()));
        }
        if self.topics.alarms {
            let seen: Vec<_> = snapshot.alarms.iter().filter(|a| self.caller.sees_alarm(&sources, a)).collect();
            topics.insert("alarms".to_owned(), json!(seen.iter().map(|a| &***a).collect::<Vec<_>>()));
        }
        if self.topics.sources {
            let seen: Vec<_> = snapshot.statuses.iter().filter(|s| sees(&s.source)).collect();
            topics.insert("sources".to_owned(), json!(seen.iter().map(|s| &***s).collect::<Vec<_>>()));
        }
        if self.topics.hub {
            topics.insert("hub".to_owned(), (*snapshot.hub).clone());
        }
        if self.topics.floods {
            // Counts by desk: they name no place and no source, so that no scope hides them.
            topics.insert("floods".to_owned(), json!(*snapshot.floods));
        }
        for id in self.topics.readings.iter().filter(|id| sees(id)) {
            let last = self.state.feed.readings_of(id.as_str());
            topics.insert(format!("readings:{id}"), json!(last.iter().map(|o| &**o).collect::<Vec<_>>()));
        }
        self.epoch = snapshot.epoch;
        self.seq = snapshot.seq;
        let at = Timestamp::now();
        json!({ "type": "snapshot", "epoch": self.epoch, "seq": self.seq, "at": at, "topics": topics }).to_string()
    }

    /// What has happened since the last message; a fresh snapshot when that is too much.
    fn news(&mut self) -> Vec<String> {
        match self.state.feed.since(&self.epoch, self.seq) {
            Some(deltas) => {
                let sources = self.state.feed.sources();
                deltas.iter().filter_map(|delta| self.delta_text(delta, &sources)).collect()
            }
            None => vec![self.snapshot()],
        }
    }

    fn delta_text(&mut self, delta: &Delta, sources: &Sources) -> Option<String> {
        self.seq = delta.seq;
        let ops: Vec<Value> = delta.changes.iter().filter_map(|change| self.op_of(change, sources)).collect();
        if ops.is_empty() {
            return None;
        }
        Some(json!({ "type": "delta", "seq": delta.seq, "at": delta.at, "ops": ops }).to_string())
    }

    /// The change as this reader may see it; none when it may not or does not want to.
    fn op_of(&self, change: &Change, sources: &Sources) -> Option<Value> {
        let sees = |id: &SourceId| sources.get(id).is_some_and(|source| self.caller.sees(source));
        match change {
            Change::Incident(i) if self.topics.incidents && self.caller.sees_grid(&i.grid) => Some(
                json!({ "topic": "incidents", "id": i.id, "item": if i.is_open() { json!(**i) } else { Value::Null } }),
            ),
            Change::Alarm(a) if self.topics.alarms && self.caller.sees_alarm(sources, a) => Some(
                json!({ "topic": "alarms", "id": a.id, "item": if a.is_active() { json!(**a) } else { Value::Null } }),
            ),
            Change::Status(s) if self.topics.sources && sees(&s.source) => {
                Some(json!({ "topic": "sources", "id": s.source, "item": **s }))
            }
            Change::Reading(o) if self.topics.readings.contains(&o.source) && sees(&o.source) => {
                Some(json!({ "topic": format!("readings:{}", o.source), "id": &*o.reading, "item": **o }))
            }
            Change::Hub(hub) if self.topics.hub => Some(json!({ "topic": "hub", "id": "hub", "item": **hub })),
            Change::Floods(floods) if self.topics.floods => {
                Some(json!({ "topic": "floods", "id": "floods", "item": **floods }))
            }
            Change::Notice(notice) if sees(&notice.source) => {
                Some(json!({ "topic": "notices", "id": notice.source, "item": **notice }))
            }
            Change::Told(told)
                if told.user == self.caller.name && told.grid.as_ref().is_none_or(|g| self.caller.sees_grid(g)) =>
            {
                Some(json!({ "topic": "told", "id": told.key, "item": **told }))
            }
            _ => None,
        }
    }
}

fn error_text(code: &str, message: &str) -> String {
    json!({ "type": "error", "code": code, "message": message }).to_string()
}
