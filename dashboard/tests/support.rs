//! A server over real storage, in process, and those who ask it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use bytes::Bytes;
use command::Desk;
use futures::{SinkExt, StreamExt};
use metrics_exporter_prometheus::PrometheusBuilder;
use model::{Grid, GridId, Kind, Owner, Role, Scope, Source, Timestamp};
use serde_json::{Value, json};
use storage::{Opener, Storage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::sync::CancellationToken;
use video::{NewFrame, NewTrack, RingWriter, Rings, Stills};

/// A server with its storage, gone at the end.
pub struct Hub {
    _dir: tempfile::TempDir,
    pub addr: SocketAddr,
    pub storage: Storage,
    pub feed: dashboard::Feed,
    pub rings: Rings,
    pub token: CancellationToken,
    pub kpis: alerting::kpi::Handle,
}

pub fn source(id: &str, grid: &str, owner: Owner) -> Source {
    Source {
        class: "street".into(),
        name: id.to_uppercase(),
        url: "rtsp://127.0.0.1/x".into(),
        ..Source::new(id, Kind::Camera, owner, grid)
    }
}

/// Li is at the desk, Wang on patrol; yellow and graver goes to both.
pub fn telling() -> notify::Telling {
    toml::from_str(
        "persons = [{id = 'li', name = 'Li', user = 'li', phone = '+8613800000000', email = 'li@town'},
           {id = 'wang', name = 'Wang', user = 'wang'}]
         shifts = [{role = 'desk', persons = ['li']}, {role = 'patrol', persons = ['wang']}]
         [[routes]]
         name = 'river'
         level = 'yellow'
         grids = ['v1']
         steps = [{channels = ['app'], to = ['role:desk']}, {after = '5m', channels = ['app'], to = ['role:patrol']}]",
    )
    .unwrap()
}

/// Cameras `a` in grid g1, `b` in g2, `r` a resident's in g1; v1 holds g1. Users admin, li (operator), wang (responder),
/// eye (viewer), and narrow, an operator who sees police cameras in v1 only.
pub async fn hub() -> Hub {
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
    // Nothing lingers, and no still is waited for long.
    let video = video::Config { demand_linger_s: 0, snapshot_wait_ms: 300, ..video::Config::default() };
    let rings = Rings::new(&video);
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
    let kpis = alerting::kpi::Handle::new(alerting::kpi::Kpis::new(Timestamp::now()), Default::default());
    let recorder = PrometheusBuilder::new().build_recorder();
    let deps = dashboard::Deps {
        storage: storage.clone(),
        command: handle,
        alarms: alerting::Handle::channel(1).0,
        feed: feed.clone(),
        metrics: recorder.handle(),
        rules: Arc::new(|| json!([])),
        kpis: kpis.clone(),
        rulebook: dashboard::rules::Handle::channel(1).0,
        emergency: dashboard::emergency::Handle::channel(1).0,
        telling: Arc::new(telling()),
        map_file: None,
        rings: rings.clone(),
        stills: Stills::start(&video, rings.clone()),
    };
    let token = CancellationToken::new();
    let config = dashboard::Config { bind: SocketAddr::from(([127, 0, 0, 1], 0)), ..dashboard::Config::default() };
    let server = dashboard::start(config, deps, token.clone()).await.unwrap();
    Hub { _dir: dir, addr: server.addr, storage, feed, rings, token, kpis }
}

/// What a request was answered with.
pub struct Answer {
    pub status: StatusCode,
    pub head: String,
    pub body: Value,
    pub bytes: Vec<u8>,
}

impl Hub {
    /// One request over a real socket.
    pub async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
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
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let body_at = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        let bytes = answer[body_at..].to_vec();
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = if head.contains("chunked") { body.lines().nth(1).unwrap_or_default() } else { body };
        let body = serde_json::from_str(body).unwrap_or(Value::String(body.to_owned()));
        Answer { status, head: head.to_owned(), body, bytes }
    }

    pub async fn log_in(&self, name: &str) -> String {
        let body = json!({ "username": name, "password": "demo-password" });
        let answer = self.call("POST", "/api/v1/session", &[], Some(body)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let line = answer.head.lines().find(|l| l.to_lowercase().starts_with("set-cookie:")).unwrap();
        assert!(line.contains("HttpOnly") && line.contains("SameSite=Strict"), "{line}");
        line.split_once(": ").unwrap().1.split(';').next().unwrap().to_owned()
    }

    pub async fn get(&self, cookie: &str, path: &str) -> Answer {
        self.call("GET", path, &[("Cookie", cookie)], None).await
    }

    pub async fn post(&self, cookie: &str, path: &str, body: Value) -> Answer {
        self.call("POST", path, &[("Cookie", cookie), ("X-Gridward", "1")], Some(body)).await
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

/// How long anything may take on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(30);

/// A viewer on the live socket.
pub struct Viewer {
    socket: WebSocketStream<TcpStream>,
}

/// What a viewer gets.
#[derive(Debug, Clone, PartialEq)]
pub enum Got {
    Word(Value),
    Picture {
        t: u16,
        kind: u8,
        at_ms: i64,
        bytes: Bytes,
    },
    /// The socket was closed, with this code and reason.
    Closed(Option<(u16, String)>),
}

impl Got {
    /// The word's type, or what else it is.
    pub fn name(&self) -> String {
        match self {
            Got::Word(word) => word["type"].as_str().unwrap_or_default().to_owned(),
            Got::Picture { kind, .. } => ["init", "key", "delta", "jpeg"][usize::from(*kind)].to_owned(),
            Got::Closed(_) => "closed".to_owned(),
        }
    }
}

impl Hub {
    /// Opens the live socket with these headers; the status when it is refused.
    pub async fn try_live(
        &self,
        headers: &[(&'static str, &str)],
        receive_bytes: Option<usize>,
    ) -> Result<Viewer, u16> {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        if let Some(bytes) = receive_bytes {
            socket.set_recv_buffer_size(bytes as u32).unwrap();
        }
        let stream = socket.connect(self.addr).await.unwrap();
        let mut request = "ws://hub/api/v1/live".into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
        }
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(Viewer { socket }),
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn live(&self, cookie: &str) -> Viewer {
        self.try_live(&[(header::COOKIE.as_str(), cookie)], None).await.unwrap_or_else(|status| panic!("{status}"))
    }
}

impl Viewer {
    pub async fn say(&mut self, word: Value) {
        self.socket.send(Message::text(word.to_string())).await.unwrap();
    }

    pub async fn next(&mut self) -> Got {
        loop {
            let message = tokio::time::timeout(LIMIT, self.socket.next()).await.expect("the hub says something");
            match message {
                Some(Ok(Message::Text(text))) => return Got::Word(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Binary(bytes))) => {
                    assert_eq!(bytes[3], 0, "no flags");
                    return Got::Picture {
                        t: u16::from_be_bytes([bytes[0], bytes[1]]),
                        kind: bytes[2],
                        at_ms: i64::from_be_bytes(bytes[4..12].try_into().unwrap()),
                        bytes: bytes.slice(12..),
                    };
                }
                Some(Ok(Message::Close(frame))) => {
                    return Got::Closed(frame.map(|f| (f.code.into(), f.reason.to_string())));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Got::Closed(None),
            }
        }
    }

    /// The next thing of this name; what comes before is left out.
    pub async fn wait(&mut self, name: &str) -> Got {
        loop {
            let got = self.next().await;
            if got.name() == name {
                return got;
            }
            assert_ne!(got.name(), "closed", "while waiting for {name}: {got:?}");
        }
    }

    /// The next word of this type.
    pub async fn word(&mut self, name: &str) -> Value {
        match self.wait(name).await {
            Got::Word(word) => word,
            other => panic!("{other:?}"),
        }
    }

    /// The next picture of any kind.
    pub async fn picture(&mut self) -> (u8, i64, Bytes) {
        loop {
            match self.next().await {
                Got::Picture { kind, at_ms, bytes, .. } => return (kind, at_ms, bytes),
                Got::Word(_) => {}
                Got::Closed(why) => panic!("closed: {why:?}"),
            }
        }
    }

    /// Whether nothing but words comes for a while.
    pub async fn is_quiet(&mut self, long: Duration) -> bool {
        tokio::time::timeout(long, self.picture()).await.is_err()
    }
}

/// A camera of 25 frames a second that a test turns by hand.
pub struct Film {
    writer: RingWriter,
    began_ms: i64,
    frames: i64,
}

/// One black picture of 16x16, and its parameter sets.
const AVCC: &[u8] = include_bytes!("../../video/testdata/black16.avcc");
const IDR: &[u8] = include_bytes!("../../video/testdata/black16.idr");

impl Film {
    pub fn new(rings: &Rings, id: &str) -> Self {
        let mut writer = rings.writer(id.into(), model::Profile::Sub);
        writer.set_track(NewTrack {
            codec: video::Codec::H264,
            rfc6381: "avc1.42c00a".into(),
            width: 16,
            height: 16,
            decoder_config: Bytes::from_static(AVCC),
        });
        Self { writer, began_ms: Timestamp::now().as_millisecond(), frames: 0 }
    }

    /// Other parameter sets from the next key frame on.
    pub fn change(&mut self) {
        self.writer.set_track(NewTrack {
            codec: video::Codec::H264,
            rfc6381: "avc1.4d401e".into(),
            width: 32,
            height: 32,
            decoder_config: Bytes::from_static(AVCC),
        });
    }

    /// Motion JPEG from the next frame on.
    pub fn change_to_jpeg(&mut self) {
        self.writer.set_track(NewTrack {
            codec: video::Codec::Mjpeg,
            rfc6381: "mp4v.6C".into(),
            width: 16,
            height: 16,
            decoder_config: Bytes::new(),
        });
    }

    /// A real picture, received now.
    pub fn real(&mut self) {
        self.push(true, Bytes::from_static(IDR), Timestamp::now());
    }

    /// A frame of so many bytes that no decoder would like; the film's own time goes on by 40 ms.
    pub fn turn(&mut self, is_key: bool, bytes: usize) -> i64 {
        let at = self.began_ms + self.frames * 40;
        self.push(is_key, Bytes::from(vec![7; bytes]), Timestamp::from_millisecond(at).unwrap());
        at
    }

    fn push(&mut self, is_key: bool, data: Bytes, received_at: Timestamp) {
        self.writer.push(NewFrame { pts_90k: self.frames * 3_600, is_key, data, received_at });
        self.frames += 1;
    }
}
