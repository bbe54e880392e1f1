//! From a camera's lens to a viewer: the real hub against a farm of RTSP cameras with drawn pictures.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use model::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};
use town::rtsp::{Auth, CameraSpec, Farm, FarmConfig};
use town::scene::Scene;

use crate::hub::{Folder, Hub};

const LIMIT: Duration = Duration::from_secs(40);
const RIVER: &str = "cam-river";
const STREET: &str = "cam-street";

/// Two cameras: the river is pulled always, the street on demand.
struct Town {
    farm: Farm,
    folder: Folder,
    hub: Hub,
    token: String,
}

impl Town {
    async fn start() -> Self {
        let camera =
            |id: &str, scene, auth| CameraSpec { id: id.into(), name: id.into(), scene, owner: None, auth, gop_s: 1 };
        let clips = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clips");
        let config = FarmConfig { cache_dir: Some(clips), ..FarmConfig::default() };
        let (username, password) = (config.username.clone(), config.password.clone());
        let cameras = vec![camera(RIVER, Scene::river(3.2), Auth::Digest), camera(STREET, Scene::Street, Auth::Basic)];
        let farm = Farm::start(config, cameras).await.unwrap();
        let folder = Folder::new();
        let settings = std::fs::read_to_string(folder.config()).unwrap();
        let settings = settings.replace("check_interval_s = 5", "check_interval_s = 1");
        std::fs::write(folder.config(), settings.replace("demand_linger_s = 10", "demand_linger_s = 1")).unwrap();
        let row = |id: &str, mode: &str| {
            let addr = farm.addr();
            format!(
                "{id},camera,river,{id},governance,g1,,,rtsp://{addr}/{id}/main,{username},{password},{mode},,,,,sub=/{id}/sub\n"
            )
        };
        let imported = folder.import(&(row(RIVER, "always") + &row(STREET, "demand")));
        assert!(imported.status.success(), "{imported:?}");
        let token = folder.token("operator");
        let hub = folder.run();
        Self { farm, folder, hub, token }
    }

    /// Asks until the answer fits, without keeping the farm waiting.
    fn wait_for(&self, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
        tokio::task::block_in_place(|| self.hub.wait_for(&self.token, path, fits))
    }

    fn state(&self, id: &str, state: &str) {
        self.wait_for(&format!("/api/v1/sources/{id}"), |source| source["state"] == state);
    }

    /// A request by hand: status, headers in lower case, bytes.
    async fn fetch(&self, path: &str) -> (u16, String, Vec<u8>) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = TcpStream::connect(&self.hub.addr).await.unwrap();
        let request = format!("GET {path} HTTP/1.0\r\nHost: hub\r\nAuthorization: Bearer {}\r\n\r\n", self.token);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(LIMIT, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        let body = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
        let head = String::from_utf8_lossy(&answer[..body]).to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head, answer[body..].to_vec())
    }

    async fn viewer(&self) -> Viewer {
        let stream = TcpStream::connect(&self.hub.addr).await.unwrap();
        let mut request = format!("ws://{}/api/v1/live", self.hub.addr).into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        Viewer { socket: client_async(request, stream).await.unwrap().0 }
    }

    fn sessions(&self, id: &str) -> usize {
        self.farm.camera_stats(id).unwrap().sessions
    }
}

struct Viewer {
    socket: WebSocketStream<TcpStream>,
}

/// A packet of the live socket.
#[derive(Debug)]
struct Packet {
    kind: u8,
    at_ms: i64,
    bytes: usize,
}

impl Viewer {
    async fn watch(&mut self, source: &str) {
        let word = json!({ "sub": [{ "t": 1, "source": source }], "purpose": "integration" });
        self.socket.send(Message::text(word.to_string())).await.unwrap();
    }

    /// The next packet; words go into `words`, the newest of each type.
    async fn packet(&mut self, words: &mut BTreeMap<String, Value>) -> Packet {
        loop {
            match tokio::time::timeout(LIMIT, self.socket.next()).await.expect("the hub sends").unwrap().unwrap() {
                Message::Binary(bytes) => {
                    let at_ms = i64::from_be_bytes(bytes[4..12].try_into().unwrap());
                    return Packet { kind: bytes[2], at_ms, bytes: bytes.len() - 12 };
                }
                Message::Text(text) => {
                    let word: Value = serde_json::from_str(&text).unwrap();
                    words.insert(word["type"].as_str().unwrap().to_owned(), word);
                }
                Message::Close(why) => panic!("closed: {why:?}"),
                _ => {}
            }
        }
    }
}

/// Width and height out of a JPEG's frame header (ITU-T T.81, B.2.2).
fn jpeg_size(jpeg: &[u8]) -> (u16, u16) {
    assert!(jpeg.starts_with(&[0xFF, 0xD8]) && jpeg.ends_with(&[0xFF, 0xD9]), "a whole JPEG");
    let at = jpeg.windows(2).position(|bytes| bytes == [0xFF, 0xC0]).unwrap();
    let be = |i: usize| u16::from_be_bytes([jpeg[at + i], jpeg[at + i + 1]]);
    (be(7), be(5))
}

fn age_ms(at_ms: i64) -> i64 {
    Timestamp::now().as_millisecond() - at_ms
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_is_watched_live_and_as_a_still() {
    let town = Town::start().await;
    town.state(RIVER, "live");
    let (status, head, jpeg) = town.fetch(&format!("/api/v1/sources/{RIVER}/snapshot.jpg")).await;
    assert_eq!(status, 200, "{head}");
    assert!(head.contains("content-type: image/jpeg") && head.contains("x-frame-time: "), "{head}");
    assert_eq!(jpeg_size(&jpeg), (640, 360));

    let mut viewer = town.viewer().await;
    let mut words = BTreeMap::new();
    let asked = Instant::now();
    viewer.watch(RIVER).await;
    assert_eq!(viewer.packet(&mut words).await.kind, 0);
    let first = viewer.packet(&mut words).await;
    let took = asked.elapsed();
    assert_eq!(first.kind, 1);
    assert!(took < Duration::from_secs(2), "the first picture came after {took:?}");
    let hello = &words["hello"];
    assert!(hello["codec"].as_str().unwrap().starts_with("avc1."), "{hello}");
    assert_eq!((&hello["width"], &hello["height"], &hello["profile"]), (&json!(640), &json!(360), &json!("sub")));
    assert_eq!(words["state"]["state"], "live");
    // Three seconds of film: key frames among them, times rise, and the last is fresh.
    let (mut keys, mut last) = (0, first);
    for _ in 0..45 {
        let packet = viewer.packet(&mut words).await;
        assert!(packet.at_ms >= last.at_ms && packet.bytes > 108, "{packet:?} after {last:?}");
        keys += u32::from(packet.kind == 1);
        last = packet;
    }
    assert!(
        keys >= 2 && age_ms(last.at_ms) < 2_000,
        "{keys} key frames, the last frame is {} ms old",
        age_ms(last.at_ms)
    );
    assert!(!words.contains_key("drop") && !words.contains_key("error"), "{words:?}");

    let metrics = town.hub.get(&town.token, "/metrics").1;
    let metrics = metrics.as_str().unwrap();
    for line in [
        "gridward_sources{kind=\"camera\",state=\"live\"} 1",
        "gridward_sources{kind=\"camera\",state=\"idle\"} 1",
        "gridward_live_sockets 1",
        "gridward_live_tiles{mode=\"video\"} 1",
        "gridward_live_first_frame_seconds_count 1",
    ] {
        assert!(metrics.contains(line), "{line} is missing");
    }
    for name in ["gridward_frames_total", "gridward_video_bytes_total", "gridward_live_bytes_total"] {
        assert!(metrics.lines().any(|line| line.starts_with(name) && !line.ends_with(" 0")), "{name} counts");
    }
    let source = town.hub.get(&town.token, &format!("/api/v1/sources/{RIVER}")).1.to_string();
    assert!(!source.contains("town-demo"), "no password leaves the hub: {source}");
    let lead = town.folder.token("lead");
    let rows = town.hub.get(&lead, "/api/v1/audit?action=live.view").1;
    assert_eq!(rows["items"][0]["body"]["purpose"], "integration");
    assert_eq!(town.hub.get(&lead, "/api/v1/audit?action=snapshot.view").1["items"].as_array().unwrap().len(), 1);

    let (code, took) = tokio::task::block_in_place(|| town.hub.stop());
    assert!(code == Some(0) && took < Duration::from_secs(10), "ended with {code:?} after {took:?}");
    town.farm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_on_demand_is_pulled_while_somebody_looks() {
    let town = Town::start().await;
    town.state(STREET, "idle");
    assert_eq!(town.sessions(STREET), 0);
    let mut viewer = town.viewer().await;
    let mut words = BTreeMap::new();
    viewer.watch(STREET).await;
    assert_eq!(viewer.packet(&mut words).await.kind, 0);
    assert_eq!(viewer.packet(&mut words).await.kind, 1);
    assert_eq!(town.sessions(STREET), 1);
    town.state(STREET, "live");
    // A second viewer costs the camera nothing.
    let mut second = town.viewer().await;
    second.watch(STREET).await;
    assert_eq!(second.packet(&mut words).await.kind, 0);
    assert_eq!(town.sessions(STREET), 1);
    drop((viewer, second));
    town.state(STREET, "idle");
    tokio::time::timeout(LIMIT, async {
        while town.sessions(STREET) > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("the session is given back");
    // A still pulls it as well, and waits; on its first day the farm draws the large picture for longer than that.
    let path = format!("/api/v1/sources/{STREET}/snapshot.jpg?profile=main");
    let began = Instant::now();
    let jpeg = loop {
        let (status, head, body) = town.fetch(&path).await;
        if status == 200 {
            break body;
        }
        assert!(status == 503 && began.elapsed() < LIMIT, "{head}{}", String::from_utf8_lossy(&body));
    };
    assert_eq!(jpeg_size(&jpeg), (1280, 720));
    town.farm.set_offline(STREET, true);
    town.state(STREET, "idle");
    town.farm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_over_the_lens_becomes_an_observation() {
    let town = Town::start().await;
    let path = format!("/api/v1/sources/{RIVER}");
    let picture = |class: &'static str| {
        move |source: &Value| {
            let readings = source["readings"].as_array().map(Vec::as_slice).unwrap_or_default();
            readings.iter().any(|reading| reading["reading"] == "picture" && reading["value"] == class)
        }
    };
    town.wait_for(&path, picture("normal"));
    assert!(town.farm.set_covered(RIVER, true));
    town.wait_for(&path, picture("covered"));
    assert!(town.farm.set_covered(RIVER, false));
    town.wait_for(&path, picture("normal"));
    let kept = town.wait_for(&format!("/api/v1/observations?source={RIVER}&reading=picture"), |page| {
        page["items"].as_array().is_some_and(|items| items.len() >= 3)
    });
    assert!(kept.to_string().contains("covered"), "the history has it: {kept}");
    town.farm.shutdown().await;
}
