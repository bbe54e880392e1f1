//! Answers written by hand, for what no server of ours or others' does by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use model::SourceState;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::support::{Hub, camera, eventually, quick, with_login};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
    a=fmtp:96 packetization-mode=1;profile-level-id=4D001E;sprop-parameter-sets=Z00AHpWoKA9k,aO48gA==\r\na=control:track1\r\n";
const MPEG4: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n\
    a=rtpmap:96 MP4V-ES/90000\r\na=control:track1\r\n";
const AUDIO: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\na=control:track1\r\n";

/// Answers each request by its method; none says nothing at all.
type Script = fn(&str, usize) -> Option<String>;

struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
}

async fn serve(script: Script) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let number = count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(converse(socket, script, number));
        }
    });
    Server { port, connections }
}

async fn converse(mut socket: TcpStream, script: Script, connection: usize) {
    let mut text = String::new();
    let mut buffer = [0u8; 4096];
    while let Ok(read @ 1..) = socket.read(&mut buffer).await {
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        while let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let method = head.split(' ').next().unwrap().to_owned();
            let login = head.contains("Authorization:");
            let cseq = head.lines().find_map(|l| l.strip_prefix("CSeq: ")).unwrap().to_owned();
            text = rest.to_owned();
            let word = if login { format!("{method} with credentials") } else { method };
            let Some(answer) = script(&word, connection) else { continue };
            let (status, rest) = answer.split_once("\r\n").unwrap();
            let answer = format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\n{rest}");
            if socket.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

fn described(sdp: &str) -> Option<String> {
    Some(format!("200 OK\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len()))
}

fn who_is_there() -> Option<String> {
    Some("401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n\r\n".into())
}

const SET_UP: &str = "200 OK\r\nSession: 1;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n";

/// A hub with this one camera.
async fn hub_for(script: Script) -> (Server, Hub) {
    let server = serve(script).await;
    let spec = camera("cam", &format!("rtsp://127.0.0.1:{}/live", server.port));
    let hub = Hub::start(quick(), vec![with_login(spec, "viewer", "secret")]);
    (server, hub)
}

#[tokio::test]
async fn each_phase_has_its_time_and_its_reason() {
    let cases: [(Script, &str); 9] = [
        (|_, _| None, "describe_timeout"),
        (|m, _| if m == "DESCRIBE" { described(SDP) } else { None }, "setup_timeout"),
        (
            |m, _| match m {
                "DESCRIBE" => described(SDP),
                "SETUP" => Some(SET_UP.into()),
                _ => None,
            },
            "play_timeout",
        ),
        (|_, _| described("this is no description"), "bad_description"),
        (|_, _| described(MPEG4), "unsupported_codec"),
        (|_, _| described(AUDIO), "no_video"),
        (
            |m, _| match m {
                "DESCRIBE" => described(SDP),
                _ => Some("461 Unsupported Transport\r\n\r\n".into()),
            },
            "transport_refused",
        ),
        (|_, _| Some("500 Internal Server Error\r\n\r\n".into()), "refused"),
        (|_, _| Some("200 OK\r\nContent-Length: much\r\n\r\n".into()), "protocol_error"),
    ];
    let mut running = Vec::new();
    for (script, reason) in cases {
        running.push((hub_for(script).await, reason));
    }
    for ((_, hub), reason) in &running {
        hub.state("cam", 0, SourceState::Offline, reason).await;
        let detail = hub.said("cam", model::Profile::Main).last().unwrap().detail.clone().unwrap();
        assert!(!detail.is_empty() && !detail.contains("secret"), "{detail}");
    }
}

#[tokio::test]
async fn a_host_that_takes_no_connection_gives_its_place_back_early() {
    // A backlog that is full: the kernel answers no further SYN.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let addr = listener.local_addr().unwrap();
    let mut fillers = Vec::new();
    for _ in 0..8 {
        fillers.push(tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(addr)).await);
    }
    assert!(fillers.iter().any(Result::is_err), "the backlog is full");
    let config = ingest::rtsp::RtspConfig { describe_ms_max: 60_000, ..quick() };
    let hub = Hub::start(config, vec![camera("cam", &format!("rtsp://{addr}/live"))]);
    hub.state("cam", 0, SourceState::Offline, "connect_timeout").await;
}

#[tokio::test]
async fn a_nonce_that_ran_out_is_tried_again_once_and_then_the_credentials_are_bad() {
    // DESCRIBE is open to these credentials, SETUP never.
    let (server, hub) = hub_for(|m, _| match m {
        "DESCRIBE with credentials" => described(SDP),
        _ => who_is_there(),
    })
    .await;
    hub.state("cam", 0, SourceState::AuthFailed, "auth_failed").await;
    assert!(hub.path("cam").contains(&(SourceState::Offline, Some("nonce_expired".into()))), "{:?}", hub.path("cam"));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(server.connections.load(Ordering::SeqCst), 2, "two tries, not one more");

    // Here it ran out once only: the second connection gets as far as PLAY.
    let (server, hub) = hub_for(|m, connection| match (m, connection) {
        ("DESCRIBE with credentials", _) => described(SDP),
        ("SETUP with credentials", 1..) => Some(SET_UP.into()),
        ("PLAY with credentials", _) => None,
        _ => who_is_there(),
    })
    .await;
    hub.state("cam", 0, SourceState::Offline, "play_timeout").await;
    eventually("a third try", || server.connections.load(Ordering::SeqCst) >= 3).await;
}
