//! Callers who want more than they may, and those who want the hub to stumble.

use axum::http::HeaderValue;
use futures::{SinkExt, StreamExt};
use model::{Observation, Owner, Quality, Role, Scope, Timestamp, Value as Reading};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::{Hub, LIMIT, hub};

/// Opens the event socket; the status when it is refused.
async fn events(hub: &Hub, headers: &[(&'static str, &str)]) -> Result<WebSocketStream<TcpStream>, u16> {
    let stream = TcpStream::connect(hub.addr).await.unwrap();
    let mut request = "ws://hub/api/v1/events".into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    match client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// The next word; none when the socket has ended.
async fn word(socket: &mut WebSocketStream<TcpStream>) -> Option<Value> {
    loop {
        match tokio::time::timeout(LIMIT, socket.next()).await.expect("something within 30 s")? {
            Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

async fn log_in(hub: &Hub, name: &str, password: &str) -> (u16, Value) {
    let body = json!({ "username": name, "password": password });
    let answer = hub.call("POST", "/api/v1/session", &[], Some(body)).await;
    (answer.status.as_u16(), answer.body["error"]["code"].clone())
}

#[tokio::test]
async fn one_address_may_not_try_many_names() {
    let hub = hub().await;
    for n in 0..30 {
        assert_eq!(log_in(&hub, &format!("name-{n}"), "wrong").await, (401, json!("bad_credentials")));
    }
    assert_eq!(log_in(&hub, "li", "demo-password").await, (429, json!("locked_out")), "even a right one has to wait");
    let rows = hub.storage.log().audit(&storage::AuditFilter::default(), 100).await.unwrap();
    assert_eq!(rows.len(), 30, "and what is not heard leaves no row");
}

#[tokio::test]
async fn right_passwords_of_a_whole_shift_are_not_counted() {
    let hub = hub().await;
    for _ in 0..40 {
        assert_eq!(log_in(&hub, "li", "demo-password").await.0, 200);
    }
}

#[tokio::test]
async fn guesses_sent_at_once_get_no_more_answers_than_one_by_one() {
    let hub = hub().await;
    let mut guesses: Vec<String> = (0..24).map(|n| format!("guess-{n}")).collect();
    guesses.push("demo-password".to_owned());
    let sent = guesses.iter().map(|guess| log_in(&hub, "li", guess));
    let answers = futures::future::join_all(sent).await;
    let told = answers.iter().filter(|(status, _)| *status == 401).count();
    assert!(told <= 8, "{told} guesses were told to be wrong: as many as are checked at a time, and the free ones");
    assert_ne!(log_in(&hub, "li", "demo-password").await.0, 200);
}

#[tokio::test]
async fn an_administrator_with_a_scope_hands_out_no_more_than_that() {
    let hub = hub().await;
    let narrow = Scope { grids: vec!["v1".into()], owners: vec![] };
    hub.storage.users().add(&"village".into(), "demo-password", Role::Admin, &narrow).await.unwrap();
    let village = hub.log_in("village").await;
    let token = |scope: Value| json!({ "id": "t", "role": "admin", "scope": scope });
    for beyond in [json!({}), json!({ "grids": ["town"] }), json!({ "grids": ["v1", "g2"] })] {
        assert_eq!(hub.post(&village, "/api/v1/tokens", token(beyond.clone())).await.status, 403, "{beyond}");
        let user = json!({ "name": "u", "password": "demo-password", "role": "viewer", "scope": beyond });
        assert_eq!(hub.post(&village, "/api/v1/users", user).await.status, 403);
    }
    assert_eq!(hub.post(&village, "/api/v1/tokens", token(json!({ "grids": ["g1"] }))).await.status, 201);
    let headers = [("Cookie", village.as_str()), ("X-Gridward", "1")];
    assert_eq!(hub.call("DELETE", "/api/v1/users/admin", &headers, None).await.status, 404);
    assert_eq!(hub.call("DELETE", "/api/v1/tokens/t", &headers, None).await.status, 204);
    let seen = hub.get(&village, "/api/v1/users").await.body.to_string();
    assert!(seen.contains("narrow") && !seen.contains("\"li\""), "{seen}");
}

#[tokio::test]
async fn an_auditor_with_a_scope_sees_what_happened_in_it() {
    let hub = hub().await;
    let scope = Scope { grids: vec!["v1".into()], owners: vec![Owner::Resident] };
    hub.storage.users().add(&"zhao".into(), "demo-password", Role::Lead, &scope).await.unwrap();
    let (li, zhao) = (hub.log_in("li").await, hub.log_in("zhao").await);
    hub.post(&li, "/api/v1/sources/r/break-glass", json!({ "purpose": "missing child" })).await;
    let rows = hub.get(&zhao, "/api/v1/audit?limit=2").await.body;
    let subjects: Vec<&str> =
        rows["items"].as_array().unwrap().iter().map(|row| row["body"]["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["r", "zhao"], "the resident's camera and the own log-in, not those of others");
}

#[tokio::test]
async fn a_socket_ends_with_the_token_it_was_opened_with() {
    let hub = hub().await;
    let token = hub.storage.users().create_token(&"probe".into(), Role::Viewer, &Scope::default()).await.unwrap();
    let bearer = format!("Bearer {}", token.secret);
    let mut socket = events(&hub, &[("authorization", &bearer)]).await.unwrap();
    socket.send(Message::text(r#"{"subscribe":["hub"]}"#)).await.unwrap();
    assert_eq!(word(&mut socket).await.unwrap()["type"], "snapshot");
    hub.storage.users().revoke_token("probe").await.unwrap();
    loop {
        let said = word(&mut socket).await.expect("it is told before it is closed");
        if said["type"] == "error" {
            assert_eq!(said["code"], "unauthenticated");
            break;
        }
    }
    assert_eq!(word(&mut socket).await, None);
}

#[tokio::test]
async fn a_socket_is_not_opened_from_another_site_and_does_not_listen_to_a_flood() {
    let hub = hub().await;
    let cookie = hub.log_in("li").await;
    let from_evil = events(&hub, &[("cookie", &cookie), ("origin", "http://evil")]).await;
    assert_eq!(from_evil.err(), Some(403));
    assert_eq!(events(&hub, &[]).await.err(), Some(401));
    let mut socket = events(&hub, &[("cookie", &cookie), ("origin", "http://hub")]).await.unwrap();
    socket.send(Message::text(format!("{{\"subscribe\":[\"{}\"]}}", "x".repeat(5_000)))).await.unwrap();
    let told = word(&mut socket).await.unwrap();
    assert_eq!(told["code"], "bad_request");
    assert!(told.to_string().len() < 500, "a long word is not repeated whole");
    for _ in 0..100 {
        if socket.send(Message::text(r#"{"subscribe":["sources"]}"#)).await.is_err() {
            break;
        }
    }
    let mut answers = 0;
    while word(&mut socket).await.is_some() {
        answers += 1;
    }
    assert!(answers < 100, "{answers}");
}

#[tokio::test]
async fn every_error_has_one_shape() {
    let hub = hub().await;
    let cookie = hub.log_in("li").await;
    let headers = [("Cookie", cookie.as_str()), ("X-Gridward", "1")];
    for (method, path, body, status, code) in [
        ("POST", "/api/v1/incidents", Some(json!({ "title": 1 })), 422, "bad_request"),
        ("POST", "/api/v1/incidents", Some(json!({ "colour": "x" })), 422, "bad_request"),
        ("GET", "/api/v1/sources?colour=blue", None, 400, "bad_request"),
        ("GET", "/api/v1/sources?limit=many", None, 400, "bad_request"),
        ("GET", "/api/v1/sources?limit=0", None, 400, "bad_request"),
        ("GET", "/api/v1/nothing", None, 404, "not_found"),
        ("PATCH", "/api/v1/incidents", None, 405, "method_not_allowed"),
        ("GET", "/api/v1/observations?source=a&from=yesterday", None, 400, "bad_request"),
        ("GET", "/api/v1/observations?source=a&step_s=0", None, 400, "bad_request"),
        ("GET", "/api/v1/incidents?cursor=mine", None, 400, "bad_request"),
    ] {
        let answer = hub.call(method, path, &headers, body).await;
        let told = (answer.status.as_u16(), &answer.body["error"]["code"]);
        assert_eq!(told, (status, &json!(code)), "{method} {path}: {}", answer.body);
        assert!(answer.body["error"]["message"].as_str().is_some_and(|m| !m.is_empty()), "{}", answer.body);
    }
    let large = json!({ "title": "x".repeat(400_000) });
    let answer = hub.call("POST", "/api/v1/incidents", &headers, Some(large)).await;
    assert_eq!((answer.status.as_u16(), &answer.body["error"]["code"]), (413, &json!("too_large")));
}

#[tokio::test]
async fn no_path_leads_out_of_the_console() {
    let hub = hub().await;
    for path in [
        "/../Cargo.toml",
        "/../../Cargo.toml",
        "/../../../../../../etc/passwd",
        "/assets/../../../Cargo.toml",
        "/..%2f..%2fCargo.toml",
        "/%2e%2e/%2e%2e/Cargo.toml",
        "//etc/passwd",
        "/assets//etc/passwd",
        "/....//....//etc/passwd",
    ] {
        let mut stream = TcpStream::connect(hub.addr).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains("[package]") && !answer.contains("root:"), "{path} gave a file:\n{answer}");
    }
}

#[tokio::test]
async fn pages_of_the_queue_hold_when_an_incident_ends_between_them() {
    let hub = hub().await;
    let li = hub.log_in("li").await;
    let mut made = Vec::new();
    for n in 0..6 {
        let level = ["blue", "red", "orange"][n % 3];
        let report = json!({ "title": format!("n{n}"), "hazard": "fire", "level": level, "grid": "g1" });
        let incident = hub.post(&li, "/api/v1/incidents", report).await.body;
        made.push(incident["id"].as_str().unwrap().to_owned());
    }
    let ids = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|i| i["id"].as_str().unwrap().to_owned()).collect()
    };
    let whole = ids(&hub.get(&li, "/api/v1/incidents").await.body);
    assert_eq!(whole, [1, 4, 2, 5, 0, 3].map(|n| made[n].clone()), "the gravest first, then the oldest");
    let first = hub.get(&li, "/api/v1/incidents?limit=2").await.body;
    assert_eq!(ids(&first), whole[..2]);
    // The one the cursor stands on goes away.
    let gone = hub.post(&li, &format!("/api/v1/incidents/{}/reject", whole[1]), json!({ "reason": "twice" })).await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    let cursor = first["next_cursor"].as_str().unwrap().replace('|', "%7C");
    let second = hub.get(&li, &format!("/api/v1/incidents?limit=2&cursor={cursor}")).await.body;
    assert_eq!(ids(&second), whole[2..4]);
    let mut all = Vec::new();
    let mut path = "/api/v1/incidents?state=all&limit=4".to_owned();
    loop {
        let page = hub.get(&li, &path).await.body;
        all.extend(ids(&page));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/incidents?state=all&limit=4&cursor={cursor}");
    }
    made.reverse();
    assert_eq!(all, made, "the newest first, each once");
    let ended = hub.get(&li, "/api/v1/incidents?state=ended").await.body;
    assert_eq!(ids(&ended), [whole[1].clone()]);
}

#[tokio::test]
async fn pages_of_readings_neither_repeat_nor_miss_what_was_said_at_once() {
    let hub = hub().await;
    let li = hub.log_in("li").await;
    let began = Timestamp::from_second(Timestamp::now().as_second() - 100).unwrap();
    let readings = ["a", "b", "c"];
    let batch: Vec<Observation> = (0..10i64)
        .flat_map(|second| readings.map(|name| (second, name)))
        .map(|(second, name)| {
            let at = began.checked_add(jiff::SignedDuration::from_secs(second)).unwrap();
            Observation {
                source: "a".into(),
                reading: name.into(),
                value: Reading::Number(second as f64),
                quality: Quality::Good,
                phenomenon_time: at,
                received_at: at,
                retained: false,
            }
        })
        .collect();
    hub.storage.history().append(batch).await.unwrap();
    let mut seen = Vec::new();
    let mut from = began.to_string();
    loop {
        let page = hub.get(&li, &format!("/api/v1/observations?source=a&limit=7&from={from}")).await.body;
        for item in page["items"].as_array().unwrap() {
            seen.push((item["value"].as_f64().unwrap() as i64, item["reading"].as_str().unwrap().to_owned()));
        }
        let Some(next) = page["next_from"].as_str() else { break };
        from = next.to_owned();
    }
    let expected: Vec<(i64, String)> = (0..10).flat_map(|s| readings.map(|name| (s, name.to_owned()))).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn who_never_ends_a_request_is_let_go_of() {
    let hub = hub().await;
    let began = std::time::Instant::now();
    let mut slow = TcpStream::connect(hub.addr).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: hub\r\nX-Slow: ").await.unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(LIMIT, slow.read_to_end(&mut answer)).await;
    ended.expect("closed within 30 s").unwrap();
    assert!(began.elapsed() >= std::time::Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(hub.call("GET", "/healthz", &[], None).await.status, 200);
}

#[tokio::test]
async fn an_alarm_of_another_owners_source_is_not_in_the_scope() {
    let hub = hub().await;
    let alarm = |source: &str| {
        serde_json::from_value::<model::Alarm>(json!({
            "id": format!("alarm-{source}"), "rule": "covered", "source": source, "grid": "g1", "place": null,
            "hazard": "fire", "level": "red", "peak": "red", "title": { "zh": "火", "en": "fire" },
            "action": { "zh": "看", "en": "look" }, "raised_at": "2026-11-24T00:00:00Z", "cleared_at": null,
            "acknowledged_by": null, "shelved_until": null, "stale": false, "seq": 1,
            "evidence": { "rule_version": "1", "condition": "x", "value": null, "since": null },
        }))
        .unwrap()
    };
    for source in ["a", "r"] {
        hub.feed.alarm(alarm(source));
    }
    let (li, narrow) = (hub.log_in("li").await, hub.log_in("narrow").await);
    let count = |answer: crate::support::Answer| answer.body["items"].as_array().unwrap().len();
    assert_eq!(count(hub.get(&li, "/api/v1/alarms").await), 2);
    assert_eq!(count(hub.get(&narrow, "/api/v1/alarms").await), 1, "the resident's camera is not theirs");
    assert_eq!(hub.post(&narrow, "/api/v1/alarms/alarm-r/acknowledge", json!({})).await.status, 404);
    let mut socket = events(&hub, &[("cookie", &narrow), ("origin", "http://hub")]).await.unwrap();
    socket.send(Message::text(r#"{"subscribe":["alarms"]}"#)).await.unwrap();
    let snapshot = word(&mut socket).await.unwrap();
    assert_eq!(snapshot["topics"]["alarms"].as_array().map(Vec::len), Some(1), "{snapshot}");
}
