//! Telling people, with the real hub: signed events out, through kill -9, acknowledgement, messages given up.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};

use crate::hub::{Folder, Hub, free_port};

/// A program that takes webhooks until it is dropped.
struct Receiver {
    port: u16,
    events: Arc<Mutex<Vec<Value>>>,
    ends: Arc<AtomicBool>,
    serving: Option<JoinHandle<()>>,
}

impl Receiver {
    fn start(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let (events, ends): (Arc<Mutex<Vec<Value>>>, Arc<AtomicBool>) = Default::default();
        let (got, stop) = (Arc::clone(&events), Arc::clone(&ends));
        let serving = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                // A hub that is killed hangs up in the middle.
                if let Some(event) = stream.ok().and_then(take) {
                    got.lock().unwrap().push(event);
                }
            }
        });
        Self { port, events, ends, serving: Some(serving) }
    }

    /// The events about an incident, as `step` in the order of arrival.
    fn of(&self, incident: &str) -> Vec<String> {
        let events = self.events.lock().unwrap();
        let own = events.iter().filter(|event| event["subject"] == incident);
        own.map(|event| event["data"]["step"].as_str().unwrap().to_owned()).collect()
    }

    fn wait_for(&self, incident: &str, count: usize) -> Vec<String> {
        let began = Instant::now();
        loop {
            let of = self.of(incident);
            if of.len() >= count {
                return of;
            }
            assert!(began.elapsed() < Duration::from_secs(40), "{incident}: {of:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let _ = self.serving.take().map(JoinHandle::join);
    }
}

/// Takes one event in; answers 204 when its signature is good.
fn take(stream: TcpStream) -> Option<Value> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut stream = BufReader::new(stream);
    let (mut length, mut signature) = (0, String::new());
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        match line.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
            Some((name, value)) if name.eq_ignore_ascii_case("gridward-signature") => signature = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let (second, mac) = signature.strip_prefix("t=")?.split_once(",v1=")?;
    let mut expected = Hmac::<sha2::Sha256>::new_from_slice(b"s3cret").unwrap();
    expected.update(second.as_bytes());
    expected.update(b".");
    expected.update(&body);
    let expected: String = expected.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(mac, expected, "the signature");
    stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").ok()?;
    Some(serde_json::from_slice(&body).unwrap())
}

/// A folder whose hub tells a webhook at once, and again after three seconds unless somebody acknowledges.
fn folder(port: u16) -> Folder {
    let folder = Folder::new();
    let row = "gauge-1,sensor,river_gauge,水位,governance,g1,106.1,29.2,,,,,town/gauge-1,raw,m,10,limits.blue=3\n";
    assert!(folder.import(row).status.success());
    std::fs::write(folder.path().join("w.secret"), "s3cret\n").unwrap();
    let text = format!(
        "[[channels.webhook]]\nname = 'w'\nurl = 'http://127.0.0.1:{port}/in'\nsecret = 'file:w.secret'\n\
         [[routes]]\nname = 'river'\nhazards = ['flood']\n\
         steps = [{{channels = ['w']}}, {{after = '3s', channels = ['w']}}]\n"
    );
    std::fs::write(folder.path().join("telling.toml"), text).unwrap();
    folder
}

fn report(hub: &Hub, token: &str) -> String {
    let report = json!({ "title": "路面积水", "hazard": "flood", "level": "yellow", "grid": "g1" });
    let (status, incident) = hub.post(token, "/api/v1/incidents", &report);
    assert_eq!(status, 201, "{incident}");
    incident["id"].as_str().unwrap().to_owned()
}

fn acknowledge(hub: &Hub, token: &str, id: &str) {
    let (status, body) = hub.post(token, &format!("/api/v1/incidents/{id}/acknowledge"), &json!({}));
    assert_eq!(status, 200, "{body}");
}

#[test]
fn an_incident_is_told_and_an_acknowledgement_stops_the_chain() {
    let receiver = Receiver::start(free_port());
    let folder = folder(receiver.port);
    let hub = folder.run();
    let token = folder.token("operator");
    let (seen, unseen) = (report(&hub, &token), report(&hub, &token));
    assert_eq!(receiver.wait_for(&seen, 1), ["river/0@yellow"]);
    acknowledge(&hub, &token, &seen);
    assert_eq!(receiver.wait_for(&unseen, 2), ["river/0@yellow", "river/1"]);
    // Both chains began in the same moment; the one that was acknowledged would have gone on by now.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(receiver.of(&seen).len(), 1);
    let told = hub.get(&token, &format!("/api/v1/notifications?incident={unseen}")).1;
    let items = told["items"].as_array().unwrap();
    assert!(items.len() == 2 && items.iter().all(|item| item["state"] == "sent" && item["tries"] == 1), "{told}");
    assert!(hub.metric("gridward_notifications_total") >= 3.0);
    let wish = json!({ "level": "red", "hazard": "flood", "grid": "g1" });
    let would = hub.post(&token, "/api/v1/routes/test", &wish).1;
    assert_eq!(would["items"][1]["told"][0]["channel"], "w", "{would}");
    let (code, took) = hub.stop();
    assert!(code == Some(0) && took < Duration::from_secs(8), "{code:?} {took:?}");
}

#[test]
fn what_could_not_be_told_comes_after_kill_9_once() {
    let port = free_port();
    let folder = folder(port);
    let hub = folder.run();
    let token = folder.token("operator");
    let id = report(&hub, &token);
    acknowledge(&hub, &token, &id);
    let tried = |page: &Value| page["items"][0]["tries"].as_u64().is_some_and(|tries| tries >= 1);
    let page = hub.wait_for(&token, "/api/v1/outbox", tried);
    assert!(page["items"][0]["error"].as_str().unwrap().contains("127.0.0.1"), "{page}");
    hub.kill();
    let hub = folder.run();
    let receiver = Receiver::start(port);
    assert_eq!(receiver.wait_for(&id, 1), ["river/0@yellow"]);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(receiver.of(&id).len(), 1, "once, and acknowledged stays acknowledged");
    assert_eq!(hub.get(&token, "/api/v1/outbox").1["waiting"], 0);
}

#[test]
fn kills_at_any_moment_lose_nothing_and_double_only_what_they_interrupt() {
    let receiver = Receiver::start(free_port());
    let folder = folder(receiver.port);
    let token = folder.token("operator");
    let (mut told, mut kills) = (Vec::new(), 0);
    for round in 0..6u64 {
        let hub = folder.run();
        for _ in 0..3 {
            let id = report(&hub, &token);
            acknowledge(&hub, &token, &id);
            told.push(id);
        }
        std::thread::sleep(Duration::from_millis(17 * round));
        hub.kill();
        kills += 1;
    }
    let _hub = folder.run();
    for id in &told {
        let steps = receiver.wait_for(id, 1);
        assert!(steps.iter().all(|step| step == "river/0@yellow"), "{steps:?}");
    }
    std::thread::sleep(Duration::from_secs(1));
    let twice: usize = told.iter().map(|id| receiver.of(id).len() - 1).sum();
    // One killed hub has at most four messages on their way over a channel.
    assert!(twice <= 4 * kills, "{twice} doubled by {kills} kills");
}

#[test]
fn what_was_given_up_raises_an_alarm_until_a_person_has_it_tried_again() {
    let port = free_port();
    let folder = folder(port);
    let text = std::fs::read_to_string(folder.config()).unwrap();
    std::fs::write(folder.config(), text.replace("tries_max = 12", "tries_max = 1")).unwrap();
    let hub = folder.run();
    let token = folder.token("operator");
    let id = report(&hub, &token);
    acknowledge(&hub, &token, &id);
    let page = hub.wait_for(&token, "/api/v1/outbox?state=dead", |page| page["items"][0]["state"] == "dead");
    hub.wait_for(&token, "/api/v1/alarms", |page| page["items"][0]["rule"] == "outbox-dead");
    let receiver = Receiver::start(port);
    let retry = format!("/api/v1/outbox/{}/retry", page["items"][0]["id"]);
    assert_eq!(hub.post(&folder.token("viewer"), &retry, &json!({})).0, 403);
    assert_eq!(hub.post(&token, &retry, &json!({})).0, 200);
    receiver.wait_for(&id, 1);
    hub.wait_for(&token, "/api/v1/alarms", |page| page["items"] == json!([]));
    assert_eq!(hub.post(&token, &retry, &json!({})).0, 404, "it was sent");
}

#[test]
fn every_problem_of_whom_to_tell_is_told_with_its_line() {
    let folder = Folder::new();
    assert!(folder.command(&["check"]).status.success());
    let text = "zone = 'Mars/Crater'\n[[persons]]\nid = 'li'\nname = 'Li'\nage = 4\n";
    std::fs::write(folder.path().join("telling.toml"), text).unwrap();
    let told = |folder: &Folder| {
        let refused = folder.command(&["check"]);
        assert_eq!(refused.status.code(), Some(64));
        String::from_utf8(refused.stderr).unwrap()
    };
    let first = told(&folder);
    assert!(first.contains("telling.toml:1: zone") && first.contains("telling.toml:5: persons[0].age"), "{first}");
    let text = "[[routes]]\nname = 'a'\nsteps = [\n  {channels = ['post']},\n]\n[[channels.webhook]]\nname = 'w'\n\
                url = 'http://h'\nsecret = 'file:none'\n";
    std::fs::write(folder.path().join("telling.toml"), text).unwrap();
    let second = told(&folder);
    assert!(second.contains("telling.toml:4: routes[0].steps[0].channels[0]: found post"), "{second}");
    assert!(second.contains("telling.toml:9: channels.webhook[0].secret"), "{second}");
}
