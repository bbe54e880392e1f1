//! The API over real storage, in process: log-in, scope, the case flow, audit.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::StatusCode;
use command::Desk;
use metrics_exporter_prometheus::PrometheusBuilder;
use model::{Grid, GridId, Kind, Owner, PullMode, Role, Scope, Source, Timestamp};
use serde_json::{Value, json};
use storage::{Opener, Storage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

struct Hub {
    _dir: tempfile::TempDir,
    addr: SocketAddr,
    storage: Storage,
    token: CancellationToken,
}

fn source(id: &str, grid: &str, owner: Owner) -> Source {
    Source {
        id: id.into(),
        kind: Kind::Camera,
        class: "street".into(),
        name: id.to_uppercase(),
        owner,
        grid: grid.into(),
        place: None,
        mode: PullMode::Always,
        url: "rtsp://127.0.0.1/x".into(),
        topic: String::new(),
        format: String::new(),
        unit: String::new(),
        interval_s: None,
        tags: BTreeMap::new(),
    }
}

async fn hub() -> Hub {
    let dir = tempfile::tempdir().unwrap();
    let config = storage::Config { data_dir: dir.path().to_owned(), ..storage::Config::default() };
    let (storage, _) = Storage::open(&config, Opener::Hub).await.unwrap();
    let everything = Scope::default();
    for (name, role) in
        [("admin", Role::Admin), ("li", Role::Operator), ("wang", Role::Responder), ("eye", Role::Viewer)]
    {
        storage.users().add(&name.into(), "demo-password", role, &everything).await.unwrap();
    }
    let village = Scope { grids: vec!["v1".into()], owners: vec![Owner::Police] };
    storage.users().add(&"narrow".into(), "demo-password", Role::Operator, &village).await.unwrap();
    let feed = dashboard::Feed::new();
    let grid = |id: &str, parent: Option<&str>| Grid {
        id: id.into(),
        name: id.into(),
        parent: parent.map(GridId::from),
        outline: Vec::new(),
    };
    feed.set_registry(
        vec![source("a", "g1", Owner::Police), source("b", "g2", Owner::Police), source("r", "g1", Owner::Resident)],
        vec![grid("town", None), grid("v1", Some("town")), grid("g1", Some("v1")), grid("g2", Some("town"))],
    );
    let (handle, mut orders) = command::Handle::channel(16);
    let log = storage.log().clone();
    let told = feed.clone();
    tokio::spawn(async move {
        let mut desk = Desk::from_log(command::Config::default(), []);
        while let Some(request) = orders.recv().await {
            let done = desk.command(&request.order, Timestamp::now());
            let answer = match done {
                Ok(made) => {
                    let id = made[0].incident.clone();
                    let bodies = made.into_iter().map(model::LogBody::Incident).collect();
                    log.append(&request.order.actor, Timestamp::now(), bodies).await.unwrap();
                    let incident = desk.incident(&id).unwrap().clone();
                    told.incident(incident.clone());
                    Ok(incident)
                }
                Err(refusal) => Err(refusal),
            };
            let _ = request.reply.send(answer);
        }
    });
    let recorder = PrometheusBuilder::new().build_recorder();
    let deps = dashboard::Deps {
        storage: storage.clone(),
        command: handle,
        feed,
        metrics: recorder.handle(),
        rules: Arc::new(|| json!([])),
        map_file: None,
    };
    let token = CancellationToken::new();
    let config = dashboard::Config { bind: SocketAddr::from(([127, 0, 0, 1], 0)), ..dashboard::Config::default() };
    let server = dashboard::start(config, deps, token.clone()).await.unwrap();
    Hub { _dir: dir, addr: server.addr, storage, token }
}

struct Answer {
    status: StatusCode,
    head: String,
    body: Value,
}

impl Hub {
    /// One request over a real socket.
    async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
        let mut stream = tokio::net::TcpStream::connect(self.addr).await.unwrap();
        let body = body.map(|b| b.to_string()).unwrap_or_default();
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            request += "Content-Type: application/json\r\n";
        }
        request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = if head.contains("chunked") { body.lines().nth(1).unwrap_or_default() } else { body };
        let body = serde_json::from_str(body).unwrap_or(Value::String(body.to_owned()));
        Answer { status, head: head.to_owned(), body }
    }

    async fn log_in(&self, name: &str) -> String {
        let body = json!({ "username": name, "password": "demo-password" });
        let answer = self.call("POST", "/api/v1/session", &[], Some(body)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let line = answer.head.lines().find(|l| l.to_lowercase().starts_with("set-cookie:")).unwrap();
        assert!(line.contains("HttpOnly") && line.contains("SameSite=Strict"), "{line}");
        line.split_once(": ").unwrap().1.split(';').next().unwrap().to_owned()
    }

    async fn get(&self, cookie: &str, path: &str) -> Answer {
        self.call("GET", path, &[("Cookie", cookie)], None).await
    }

    async fn post(&self, cookie: &str, path: &str, body: Value) -> Answer {
        self.call("POST", path, &[("Cookie", cookie), ("X-Gridward", "1")], Some(body)).await
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

#[tokio::test]
async fn nothing_but_health_is_open_without_a_log_in() {
    let hub = hub().await;
    let document = serde_json::to_value(dashboard::openapi()).unwrap();
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "a").replace("{name}", "a").replace("{step}", "note");
        for method in methods.as_object().unwrap().keys().map(|m| m.to_uppercase()) {
            if (path.as_str(), method.as_str()) == ("/api/v1/session", "POST") {
                continue;
            }
            let body = (method == "POST").then(|| json!({}));
            let answer = hub.call(&method, &path, &[], body).await;
            assert_eq!(answer.status, 401, "{method} {path}");
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked}");
    assert_eq!(hub.call("GET", "/healthz", &[], None).await.status, 200);
    assert_eq!(hub.call("GET", "/readyz", &[], None).await.status, 200);
    assert!(hub.call("GET", "/api/openapi.json", &[], None).await.body["paths"].is_object());
}

#[tokio::test]
async fn wrong_passwords_lock_and_say_for_how_long() {
    let hub = hub().await;
    let wrong = json!({ "username": "li", "password": "wrong" });
    for _ in 0..4 {
        let answer = hub.call("POST", "/api/v1/session", &[], Some(wrong.clone())).await;
        assert_eq!((answer.status.as_u16(), &answer.body["error"]["code"]), (401, &json!("bad_credentials")));
    }
    let locked = hub.call("POST", "/api/v1/session", &[], Some(wrong)).await;
    assert_eq!((locked.status.as_u16(), &locked.body["error"]["code"]), (429, &json!("locked_out")));
    assert!(locked.body["error"]["details"]["retry_after_s"].as_u64().unwrap() >= 59);
    assert!(locked.head.to_lowercase().contains("retry-after"));
    let right = json!({ "username": "li", "password": "demo-password" });
    assert_eq!(hub.call("POST", "/api/v1/session", &[], Some(right)).await.status, 429, "even with the right one");
}

#[tokio::test]
async fn a_change_from_another_site_is_refused() {
    let hub = hub().await;
    let cookie = hub.log_in("li").await;
    let body = json!({ "title": "x", "hazard": "fire", "level": "blue", "grid": "g1" });
    let bare = hub.call("POST", "/api/v1/incidents", &[("Cookie", &cookie)], Some(body.clone())).await;
    assert_eq!(bare.status, 403);
    let headers = [("Cookie", cookie.as_str()), ("X-Gridward", "1"), ("Origin", "http://evil")];
    assert_eq!(hub.call("POST", "/api/v1/incidents", &headers, Some(body.clone())).await.status, 403);
    let headers = [("Cookie", cookie.as_str()), ("X-Gridward", "1"), ("Origin", "http://hub")];
    assert_eq!(hub.call("POST", "/api/v1/incidents", &headers, Some(body)).await.status, 201);
}

#[tokio::test]
async fn a_scope_hides_other_grids_and_owners_everywhere() {
    let hub = hub().await;
    let (li, narrow) = (hub.log_in("li").await, hub.log_in("narrow").await);
    assert_eq!(hub.get(&li, "/api/v1/sources").await.body["total"], 3);
    let page = hub.get(&narrow, "/api/v1/sources").await.body;
    assert_eq!((page["total"].as_u64(), page["items"][0]["id"].as_str()), (Some(1), Some("a")));
    for hidden in ["b", "r"] {
        assert_eq!(hub.get(&narrow, &format!("/api/v1/sources/{hidden}")).await.status, 404);
        assert_eq!(hub.get(&narrow, &format!("/api/v1/observations?source={hidden}")).await.status, 404);
    }
    let report = |grid: &str| json!({ "title": "smoke", "hazard": "fire", "level": "red", "grid": grid });
    assert_eq!(hub.post(&narrow, "/api/v1/incidents", report("g2")).await.status, 400);
    let id = hub.post(&li, "/api/v1/incidents", report("g2")).await.body["id"].as_str().unwrap().to_owned();
    assert_eq!(hub.get(&narrow, "/api/v1/incidents").await.body["items"], json!([]));
    assert_eq!(hub.get(&narrow, &format!("/api/v1/incidents/{id}")).await.status, 404);
    assert_eq!(hub.post(&narrow, &format!("/api/v1/incidents/{id}/acknowledge"), json!({})).await.status, 404);
    assert_eq!(hub.get(&li, &format!("/api/v1/incidents/{id}")).await.status, 200);
}

#[tokio::test]
async fn an_incident_goes_from_report_to_close_over_the_api() {
    let hub = hub().await;
    let (li, wang, eye) = (hub.log_in("li").await, hub.log_in("wang").await, hub.log_in("eye").await);
    let report =
        json!({ "title": "smoke in the yard", "hazard": "fire", "level": "orange", "grid": "g1", "text": "seen" });
    assert_eq!(hub.post(&eye, "/api/v1/incidents", report.clone()).await.status, 403);
    let made = hub.post(&li, "/api/v1/incidents", report).await;
    let path = format!("/api/v1/incidents/{}", made.body["id"].as_str().unwrap());
    let step = |cookie: String, name: &'static str, body: Value| {
        let (hub, path) = (&hub, format!("{path}/{name}"));
        async move { hub.post(&cookie, &path, body).await }
    };
    assert_eq!(step(li.clone(), "explode", json!({})).await.status, 400);
    assert_eq!(step(li.clone(), "dispatch", json!({ "responder": "wang" })).await.body["error"]["code"], "wrong_step");
    for name in ["acknowledge", "take", "accept", "file"] {
        let answer = step(li.clone(), name, json!({})).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
    }
    assert_eq!(step(li.clone(), "dispatch", json!({ "responder": "nobody" })).await.status, 400);
    assert_eq!(step(li.clone(), "dispatch", json!({ "responder": "wang" })).await.status, 200);
    assert_eq!(step(wang, "handle", json!({})).await.status, 200);
    assert_eq!(step(li.clone(), "verify", json!({})).await.status, 200);
    assert_eq!(step(li.clone(), "close", json!({ "verdict": "true" })).await.status, 200);
    let view = hub.get(&li, &path).await.body;
    assert_eq!(view["outcome"], json!({ "type": "closed", "verdict": "true" }));
    assert_eq!(view["transitions"].as_array().unwrap().len(), 10);
    let ended = hub.get(&li, "/api/v1/incidents?state=ended").await.body;
    assert_eq!(ended["items"].as_array().unwrap().len(), 1);
    assert_eq!(hub.storage.log().verify().await.unwrap().first_bad, None);
}

#[tokio::test]
async fn administration_is_for_administrators_and_leaves_rows() {
    let hub = hub().await;
    let (admin, li) = (hub.log_in("admin").await, hub.log_in("li").await);
    for path in ["/api/v1/users", "/api/v1/tokens", "/api/v1/dead-letters", "/api/v1/audit"] {
        assert_eq!(hub.get(&li, path).await.status, 403, "{path}");
        assert_eq!(hub.get(&admin, path).await.status, 200, "{path}");
    }
    let new = json!({ "id": "probe", "role": "viewer" });
    let made = hub.post(&admin, "/api/v1/tokens", new.clone()).await;
    assert_eq!(hub.post(&admin, "/api/v1/tokens", new).await.status, 409);
    let bearer = format!("Bearer {}", made.body["token"].as_str().unwrap());
    assert_eq!(hub.call("GET", "/api/v1/sources", &[("Authorization", &bearer)], None).await.status, 200);
    assert_eq!(hub.call("GET", "/api/v1/users", &[("Authorization", &bearer)], None).await.status, 403);
    let rows = hub.get(&admin, "/api/v1/audit?action=token").await.body;
    assert_eq!(rows["items"][0]["body"]["subject"], "probe");
    let short = json!({ "name": "x", "password": "short", "role": "viewer" });
    assert_eq!(hub.post(&admin, "/api/v1/users", short).await.status, 400);
}

#[tokio::test]
async fn a_residents_camera_opens_only_with_a_purpose_on_record() {
    let hub = hub().await;
    let (admin, li) = (hub.log_in("admin").await, hub.log_in("li").await);
    assert_eq!(hub.post(&li, "/api/v1/sources/a/break-glass", json!({ "purpose": "look" })).await.status, 400);
    assert_eq!(hub.post(&li, "/api/v1/sources/r/break-glass", json!({ "purpose": " " })).await.status, 400);
    let opened = hub.post(&li, "/api/v1/sources/r/break-glass", json!({ "purpose": "missing child" })).await;
    assert_eq!(opened.status, 200);
    let rows = hub.get(&admin, "/api/v1/audit?action=video.break_glass").await.body;
    assert_eq!(rows["items"][0]["body"]["purpose"], "missing child");
}
