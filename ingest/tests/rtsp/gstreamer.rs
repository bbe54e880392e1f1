//! GStreamer's RTSP server: H.264 and H.265, digest, both transports, killed and started again.

use std::process::Stdio;
use std::time::Duration;

use ingest::rtsp::{CameraSpec, RtspConfig};
use model::status::{Backend, StreamFacts, Transport};
use model::{Profile, PullMode, SourceState, SourceStatus};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::support::{Hub, SOON, camera_with, quick, with_login};

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    async fn start(port: u16) -> Server {
        Server::start_with(port, &[]).await
    }

    async fn start_with(port: u16, more: &[&str]) -> Server {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rtsp/gst_server.py");
        // Debian's own Python: the bindings are one of its packages.
        let mut child = Command::new("/usr/bin/python3")
            .args([script, "--user", "viewer", "--password", "pass word", "--port", &port.to_string()])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("scripts/packages.sh installs GStreamer's RTSP server and its Python bindings");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(SOON, lines.next_line()).await.unwrap().unwrap();
        let line = line.expect("GStreamer's RTSP server starts (scripts/packages.sh installs what it needs)");
        let port = line.strip_prefix("ready ").unwrap().parse().unwrap();
        Server { child, port }
    }

    fn camera(&self, id: &str, path: &str, transport: &str) -> CameraSpec {
        self.tagged(id, path, &[("transport", transport)])
    }

    fn tagged(&self, id: &str, path: &str, tags: &[(&str, &str)]) -> CameraSpec {
        self.at(id, &format!("rtsp://127.0.0.1:{}{path}", self.port), tags)
    }

    fn at(&self, id: &str, url: &str, tags: &[(&str, &str)]) -> CameraSpec {
        with_login(camera_with(id, url, PullMode::Always, tags), "viewer", "pass word")
    }
}

/// A new pipeline takes its time to answer and to make the first picture.
fn patient() -> RtspConfig {
    RtspConfig {
        describe_ms_max: 20_000,
        setup_ms_max: 10_000,
        play_ms_max: 10_000,
        first_frame_ms_max: 15_000,
        first_key_ms_max: 15_000,
        ..quick()
    }
}

/// What was told of a stream once its frame rate was known.
async fn facts(hub: &Hub, id: &str) -> StreamFacts {
    let told = |s: &SourceStatus| s.stream.as_ref().is_some_and(|f| f.fps > 15.0);
    let at = hub.until(id, Profile::Main, 0, "told with a frame rate", told).await;
    hub.said(id, Profile::Main)[at].stream.clone().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_codecs_come_over_both_transports_and_return_after_the_server_died() {
    let mut server = Server::start(0).await;
    let config = patient();
    let ids = ["h264-tcp", "h264-udp", "h265-tcp", "h265-udp"];
    let specs = ids.map(|id| {
        let (codec, transport) = id.split_once('-').unwrap();
        server.camera(id, &format!("/{codec}"), transport)
    });
    let wrong = with_login(server.camera("wrong", "/h264", "tcp"), "viewer", "wrong");
    let hub = Hub::start(config, specs.into_iter().chain([wrong]).collect());
    for id in ids {
        hub.frames(id, Profile::Main, 60).await;
        let facts = facts(&hub, id).await;
        let family = if id.starts_with("h264") { "avc1." } else { "hvc1." };
        assert!(facts.codec.starts_with(family), "{facts:?}");
        assert_eq!((facts.width, facts.height), (320, 180));
        assert!(!hub.rings.latest_key(&id.into(), None).unwrap().track.decoder_config.is_empty());
    }
    hub.state("wrong", 0, SourceState::AuthFailed, "auth_failed").await;

    let from = ids.map(|id| hub.count(id));
    server.child.kill().await.unwrap();
    let mut away = Vec::new();
    for (id, from) in ids.iter().zip(from) {
        away.push(hub.state(id, from, SourceState::Offline, "connect_refused").await);
    }
    let port = server.port;
    let _server = Server::start(port).await;
    for (id, from) in ids.iter().zip(away) {
        hub.live(id, from).await;
        hub.frames(id, Profile::Main, 30).await;
    }
    let took = hub.stop().await;
    assert!(took < Duration::from_secs(8), "{took:?}");
}

/// What a viewer needs of a track.
fn track(hub: &Hub, id: &str) -> (video::Codec, String, u32, u32, Vec<u8>) {
    let track = hub.rings.latest_key(&id.into(), None).unwrap().track;
    (track.codec, track.rfc6381.clone(), track.width, track.height, track.decoder_config.to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_reads_what_our_session_reads_and_players_see_no_difference() {
    let server = Server::start(0).await;
    let ways = [("retina", "tcp"), ("ffmpeg", "tcp"), ("ffmpeg", "udp")];
    let mut specs = Vec::new();
    for codec in ["h264", "h265", "mjpeg"] {
        for (backend, transport) in ways {
            let id = format!("{codec}-{backend}-{transport}");
            specs.push(server.tagged(&id, &format!("/{codec}"), &[("backend", backend), ("transport", transport)]));
        }
    }
    let wrong = server.tagged("wrong", "/h264", &[("backend", "ffmpeg")]);
    specs.push(with_login(wrong, "viewer", "wrong"));
    specs.push(server.tagged("nothing", "/nothing", &[("backend", "ffmpeg")]));
    let hub = Hub::start(patient(), specs);
    for codec in ["h264", "h265", "mjpeg"] {
        for (backend, transport) in ways {
            let id = format!("{codec}-{backend}-{transport}");
            hub.frames(&id, Profile::Main, 60).await;
            let facts = facts(&hub, &id).await;
            assert_eq!(facts.backend.map(Backend::as_str), Some(backend), "{id}");
            assert_eq!(facts.transport.map(Transport::as_str), Some(transport), "{id}");
            assert!(facts.hints.is_empty(), "{id}: as it was wished for; {facts:?}");
            assert_eq!(track(&hub, &id), track(&hub, &format!("{codec}-retina-tcp")), "{id}");
        }
    }
    hub.state("wrong", 0, SourceState::AuthFailed, "auth_failed").await;
    hub.state("nothing", 0, SourceState::Offline, "not_found").await;
    let took = hub.stop().await;
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_costs_no_picture() {
    let server = Server::start(0).await;
    let paths = ["h264-aac", "h264-pcma", "pcmu-h264"];
    let specs = paths.iter().flat_map(|path| {
        ["retina", "ffmpeg"]
            .map(|backend| server.tagged(&format!("{path} {backend}"), &format!("/{path}"), &[("backend", backend)]))
    });
    let hub = Hub::start(patient(), specs.collect());
    for id in paths.iter().flat_map(|path| ["retina", "ffmpeg"].map(|backend| format!("{path} {backend}"))) {
        hub.frames(&id, Profile::Main, 60).await;
        let facts = facts(&hub, &id).await;
        assert!(facts.codec.starts_with("avc1.") && facts.width == 320, "{id}: {facts:?}");
        let fine = |(state, reason): &(SourceState, Option<String>)| *state != SourceState::Offline && reason.is_none();
        assert!(hub.path(&id).iter().all(fine), "{id}: {:?}", hub.path(&id));
    }
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rtsps_comes_with_the_certificate_that_is_trusted_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["cam.town".to_owned()]).unwrap();
    let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let files = ["--certificate", certificate.to_str().unwrap(), "--key", key.to_str().unwrap()];
    let server = Server::start_with(0, &files).await;
    let plain = Server::start(0).await;

    let print: String = Sha256::digest(made.cert.der()).iter().map(|byte| format!("{byte:02X}")).collect();
    let pin = format!("pin:{print}");
    let url = format!("rtsps://127.0.0.1:{}/h264-pcma", server.port);
    let at = |id: &str, tags: &[(&str, &str)]| server.at(id, &url, tags);
    let other = format!("pin:{}", "0".repeat(64));
    let hub = Hub::start(
        patient(),
        vec![
            at("pinned", &[("tls", &pin)]),
            at("pinned-udp", &[("tls", &pin), ("transport", "udp")]),
            at("pinned-ffmpeg", &[("tls", &pin), ("backend", "ffmpeg")]),
            at("insecure", &[("tls", "insecure")]),
            with_login(at("wrong-login", &[("tls", &pin)]), "viewer", "wrong"),
            at("unknown", &[]),
            at("other", &[("tls", &other)]),
            at("nonsense", &[("tls", "pin:beef")]),
            plain.at("no-tls", &format!("rtsps://127.0.0.1:{}/h264", plain.port), &[("tls", "insecure")]),
            plain.at("nobody", "rtsps://127.0.0.1:9/h264", &[("tls", "insecure")]),
        ],
    );
    for id in ["pinned", "pinned-udp", "pinned-ffmpeg", "insecure"] {
        hub.frames(id, Profile::Main, 60).await;
        let facts = facts(&hub, id).await;
        assert_eq!((facts.width, facts.transport), (320, Some(Transport::Tcp)), "{id}: {facts:?}");
    }
    hub.state("wrong-login", 0, SourceState::AuthFailed, "auth_failed").await;
    hub.state("nobody", 0, SourceState::Offline, "connect_refused").await;
    hub.state("nonsense", 0, SourceState::Offline, "bad_url").await;
    for (id, words) in [("unknown", "certificate"), ("other", &print.to_lowercase()), ("no-tls", "")] {
        let at = hub.state(id, 0, SourceState::Offline, "tls_failed").await;
        let detail = hub.said(id, Profile::Main)[at].detail.clone().unwrap();
        assert!(detail.contains(words), "{id}: {detail}");
        println!("{id}: {detail}");
    }
    let took = hub.stop().await;
    assert!(took < Duration::from_secs(8), "{took:?}");
}
