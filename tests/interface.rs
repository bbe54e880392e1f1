//! The outside interface, as programs of others rely on it: addresses, shapes, names of metrics.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::hub::{Folder, Hub};

const ROWS: &str = "gauge-1,sensor,river_gauge,一号水位站,governance,g1,106.1,29.3,,,,,town/gauge-1,raw,m,10,limits.blue=3\n\
                    cam-1,camera,waterway,一号桥,police,g1,106.1,29.3,rtsp://127.0.0.1:9/main,,,demand,,,,,looks_at=gauge-1\n\
                    cam-2,camera,yard,李家院,resident,g2,106.2,29.4,rtsp://127.0.0.1:9/two,,,demand,,,,,\n";

fn town() -> (Folder, Hub, String) {
    let folder = Folder::new();
    assert!(folder.import(ROWS).status.success());
    let hub = folder.run();
    let token = folder.token("admin");
    (folder, hub, token)
}

/// The status line of a WebSocket handshake.
fn handshake(hub: &Hub, path: &str, more: &str) -> String {
    let mut stream = TcpStream::connect(&hub.addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n",
        hub.addr
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    String::from_utf8_lossy(&head).into_owned()
}

#[test]
fn what_needs_no_login_answers_and_everything_else_asks_for_one() {
    let (_folder, hub, _) = town();
    for open in ["/healthz", "/readyz", "/metrics", "/api/openapi.json"] {
        assert_eq!(hub.get("", open).0, 200, "{open}");
    }
    for closed in ["sources", "sources/cam-1", "observations?source=gauge-1", "alarms", "incidents", "audit", "rules"] {
        let (status, body) = hub.get("", &format!("/api/v1/{closed}"));
        assert_eq!(status, 401, "{closed}: {body}");
    }
    assert!(handshake(&hub, "/api/v1/events", "").ends_with("401"));
    assert!(handshake(&hub, "/api/v1/live", "").ends_with("401"));
    assert_eq!(hub.get("", "/api/v1/nothing").0, 404);
}

#[test]
fn sources_are_found_by_every_filter_and_by_pages() {
    let (_folder, hub, token) = town();
    let ids = |query: &str| -> Vec<String> {
        let (status, page) = hub.get(&token, &format!("/api/v1/sources?{query}"));
        assert_eq!(status, 200, "{query}: {page}");
        page["items"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("kind=sensor"), ["gauge-1"]);
    assert_eq!(ids("class=waterway"), ["cam-1"]);
    assert_eq!(ids("grid=g2"), ["cam-2"]);
    assert_eq!(ids("owner=police"), ["cam-1"]);
    assert_eq!(ids("q=%E4%B8%80%E5%8F%B7%E6%A1%A5"), ["cam-1"]);
    assert_eq!(ids("kind=camera&state=idle").len() + ids("kind=camera&state=unknown").len(), 2);
    let (_, first) = hub.get(&token, "/api/v1/sources?limit=2");
    let next = first["next_cursor"].as_str().unwrap();
    assert_eq!(ids(&format!("limit=2&cursor={next}")).len(), 1);
    let (_, one) = hub.get(&token, "/api/v1/sources/cam-1");
    assert!(one.to_string().contains("looks_at") && !one.to_string().contains("password"), "{one}");
    assert_eq!(hub.get(&token, "/api/v1/sources?kind=boat").0, 400);
    assert_eq!(hub.get(&token, "/api/v1/sources/nobody").0, 404);
}

#[test]
fn a_snapshot_of_what_gives_no_picture_says_so() {
    let (_folder, hub, token) = town();
    {
        let without_picture = "cam-1";
        let (status, body) = hub.get(&token, &format!("/api/v1/sources/{without_picture}/snapshot.jpg"));
        assert_eq!((status, body["error"]["code"].as_str()), (503, Some("no_picture")), "{without_picture}: {body}");
    }
    for no_camera in ["gauge-1", "nobody"] {
        assert_eq!(hub.get(&token, &format!("/api/v1/sources/{no_camera}/snapshot.jpg")).0, 404, "{no_camera}");
    }
}

#[test]
fn a_person_reports_and_the_incident_goes_through_its_steps() {
    let (folder, hub, token) = town();
    let report = json!({ "title": "路面积水", "hazard": "flood", "level": "yellow", "grid": "g1" });
    let (status, incident) = hub.post(&token, "/api/v1/incidents", &report);
    assert_eq!(status, 201, "{incident}");
    let id = incident["id"].as_str().unwrap();
    let (status, accepted) = hub.post(&token, &format!("/api/v1/incidents/{id}/accept"), &json!({}));
    assert_eq!(status, 200, "{accepted}");
    let (status, listed) = hub.get(&token, "/api/v1/incidents");
    assert_eq!((status, listed["items"][0]["id"].as_str()), (200, Some(id)));
    let (status, unknown) = hub.post(&token, &format!("/api/v1/incidents/{id}/fly"), &json!({}));
    assert!(status == 400 && unknown.to_string().contains("expected one of acknowledge"), "{unknown}");
    let (_, audit) = hub.get(&token, "/api/v1/audit");
    assert!(audit["items"].as_array().is_some_and(|rows| !rows.is_empty()), "{audit}");
    hub.stop();
    assert!(folder.command(&["log", "verify"]).status.success());
}

#[test]
fn both_sockets_open_with_a_token() {
    let (_folder, hub, token) = town();
    let bearer = format!("Authorization: Bearer {token}\r\n");
    assert!(handshake(&hub, "/api/v1/events", &bearer).ends_with("101"));
    assert!(handshake(&hub, "/api/v1/live", &bearer).ends_with("101"));
}

#[test]
fn the_metrics_have_the_names_that_dashboards_of_others_ask_for() {
    let (_folder, hub, token) = town();
    let (_, text) = hub.get(&token, "/metrics");
    let text = text.as_str().unwrap();
    let missing: Vec<&str> = [
        "gridward_sources{kind=\"camera\",state=\"live\"}",
        "gridward_sources{kind=\"sensor\",state=\"unknown\"}",
        "gridward_frames_total",
        "gridward_video_bytes_total",
        "gridward_observations_total",
        "gridward_dead_letters_total",
        "gridward_alarms_total{level=\"red\"}",
        "gridward_incidents_open",
        "gridward_queue_depth{queue=\"intake\"}",
        "gridward_ingest_to_event_seconds_bucket",
    ]
    .into_iter()
    .filter(|name| !text.contains(name))
    .collect();
    assert!(missing.is_empty(), "missing before anything has happened: {missing:?}\n{text}");
}
