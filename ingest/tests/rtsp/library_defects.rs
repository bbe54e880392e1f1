//! Cameras that run into a defect of the libraries, found by `tests/fuzz` (camera_session): each costs its own session,
//! is told, is tried again, and no other camera is touched. FFmpeg reads them in the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::status::{Backend, Hint};
use model::{Profile, SourceState, SourceStatus};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use town::rtsp::{Auth, Farm};

use super::make::{Make, SIZE, Sends, serve};
use super::support::{Hub, camera, eventually, farm_camera, farm_config, quick, sessions, url};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
    a=fmtp:96 packetization-mode=1;profile-level-id=4D001E;sprop-parameter-sets=Z00AHpWoKA9k,aO48gA==\r\na=control:t\r\n";

/// A camera that answers what it is asked in this order, on each connection; and how many connections it had.
async fn scripted(answers: Vec<Vec<u8>>) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let answers = answers.clone();
            tokio::spawn(async move {
                let mut bytes = [0; 4_096];
                for answer in answers {
                    if !matches!(stream.read(&mut bytes).await, Ok(1..)) || stream.write_all(&answer).await.is_err() {
                        return;
                    }
                }
                while let Ok(1..) = stream.read(&mut bytes).await {}
            });
        }
    });
    (port, connections)
}

fn described(sdp: &str) -> Vec<u8> {
    let head = "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: ";
    format!("{head}{}\r\n\r\n{sdp}", sdp.len()).into_bytes()
}

/// An interleaved RTP packet without the mark that ends a picture.
fn packet(sequence: u16, time: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![b'$', 0];
    bytes.extend((12 + payload.len() as u16).to_be_bytes());
    bytes.extend([0x80, 96]);
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(time.to_be_bytes());
    bytes.extend([0, 0, 0, 1]);
    bytes.extend(payload);
    bytes
}

async fn costs_its_own_session(answers: Vec<Vec<u8>>) {
    let farm = Farm::start_shared(farm_config(), vec![farm_camera("well", Auth::None)]).await.unwrap();
    let (port, connections) = scripted(answers).await;
    let odd = camera("odd", &format!("rtsp://127.0.0.1:{port}/"));
    let hub = Hub::start(quick(), vec![camera("well", &url(&farm, "well")), odd]);
    hub.live("well", 0).await;
    hub.until("odd", Profile::Main, 0, "internal", |status| status.reason.as_deref() == Some("internal")).await;
    eventually("it is tried again", || connections.load(Ordering::SeqCst) >= 3).await;
    hub.frames("well", Profile::Main, 30).await;
    assert_eq!(sessions(&farm, "well"), (1, 1), "the other one is not touched");
    hub.stop().await;
}

/// retina 0.4.21, `push with data already pending`: the packet that ends a picture by its new time is itself no good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_packet_behind_a_picture_without_a_mark() {
    let setup = "RTSP/1.0 200 OK\r\nCSeq: 2\r\nSession: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n";
    let mut play = b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nSession: 1\r\n\r\n".to_vec();
    let picture = [0x65, 0x88, 0x84, 0x00, 0x10];
    play.extend([packet(1, 0, &picture), packet(2, 3_600, &[]), packet(3, 7_200, &picture)].concat());
    costs_its_own_session(vec![described(SDP), setup.into(), play]).await;
}

/// sdp-types 0.1.8, a failed assertion: something that is no line, before a line of the session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_description_with_something_that_is_no_line() {
    let sdp = SDP.replace("m=video", "no line\r\na=control:*\r\nm=video");
    costs_its_own_session(vec![described(&sdp)]).await;
}

/// A camera whose every session with the library ends so is read by FFmpeg, after the usual number of tries.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_library_fails_over_in_mid_stream_is_read_by_ffmpeg() {
    let port = serve(Make { sends: Sends::EmptyPackets, ..Make::PLAIN }).await;
    let hub = Hub::start(quick(), vec![camera("odd", &format!("rtsp://127.0.0.1:{port}/live"))]);
    let defect = |s: &SourceStatus| s.reason.as_deref() == Some("internal");
    let from = hub.until("odd", Profile::Main, 0, "internal", defect).await;
    let told = |s: &SourceStatus| {
        s.stream.as_ref().is_some_and(|f| f.backend == Some(Backend::Ffmpeg) && f.fps > 15.0) && s.reason.is_none()
    };
    let at = hub.until("odd", Profile::Main, from, "read by FFmpeg", told).await;
    let said = hub.said("odd", Profile::Main);
    let facts = said[at].stream.clone().unwrap();
    assert!(facts.hints.contains(&Hint::FfmpegNeeded) && (facts.width, facts.height) == SIZE, "{facts:?}");
    // Two failures (`quick`) and no third: then it is FFmpeg's, which passes over the empty packet of each second.
    let failures = said[..at].iter().filter(|s| s.reason.is_some()).count();
    assert!((1..=2).contains(&failures), "{:?}", hub.path("odd"));
    hub.frames("odd", Profile::Main, 60).await;
    assert_eq!(hub.path("odd").last().unwrap().0, SourceState::Live, "{:?}", hub.path("odd"));
    hub.stop().await;
}
