//! FFmpeg reads files as it reads cameras, which is all these tests need; cameras are in ingest's tests.

use std::future::poll_fn;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Instant;

use tokio::time::timeout;

use super::*;
use crate::Codec;

const SOON: Duration = Duration::from_secs(20);

fn request(url: &str, open_limit: Duration) -> PullRequest {
    PullRequest { url: url.to_owned(), options: Vec::new(), open_limit }
}

async fn next(pull: &mut Pull) -> Option<Result<Pulled, PullError>> {
    timeout(SOON, poll_fn(|cx| pull.poll_next(cx))).await.unwrap()
}

/// Two seconds of 25 frames each, a key frame each second, with sound.
fn file(dir: &tempfile::TempDir, codec: &str, name: &str) -> String {
    let path = dir.path().join(name).to_str().unwrap().to_owned();
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc=s=322x180:r=25", "-f", "lavfi", "-i", "sine"])
        .args(["-t", "2", "-pix_fmt", "yuv420p", "-c:v", codec, "-g", "25", "-bf", "0", "-preset", "ultrafast"])
        .args(["-x265-params", "log-level=none:keyint=25:min-keyint=25", "-x264-params", "keyint=25", &path])
        .output()
        .expect("ffmpeg is installed");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    path
}

#[tokio::test]
async fn frames_come_whole_with_their_track_and_the_end_is_told() {
    let dir = tempfile::tempdir().unwrap();
    for (codec, encoder, rfc6381) in [(Codec::H264, "libx264", "avc1."), (Codec::H265, "libx265", "hvc1.1.6.L")] {
        let pulls = Pulls::new(1);
        let path = file(&dir, encoder, &format!("{encoder}.ts"));
        let mut pull = pulls.begin(request(&path, SOON)).unwrap();
        assert!(matches!(next(&mut pull).await, Some(Ok(Pulled::Opened))));
        let (mut tracks, mut keys, mut times) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(pulled) = next(&mut pull).await {
            let Ok(Pulled::Frame { frame, track, damaged: false }) = pulled else { panic!("{pulled:?}") };
            tracks.extend(track);
            times.push(frame.pts_90k);
            if frame.is_key {
                keys.push((times.len(), frame.data));
            }
        }
        assert_eq!((times.len(), tracks.len()), (50, 1), "{codec:?}");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 3_600), "{times:?}");
        assert_eq!(keys.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [1, 26]);
        let track = tracks.remove(0);
        assert_eq!((track.codec, track.width, track.height), (codec, 322, 180));
        assert!(track.rfc6381.starts_with(rfc6381), "{}", track.rfc6381);
        pulls.ended().await;
    }
}

#[tokio::test]
async fn one_more_than_the_limit_is_refused_until_a_place_is_free() {
    let quiet = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtsp://127.0.0.1:{}/x", quiet.local_addr().unwrap().port());
    let pulls = Pulls::new(1);
    let pull = pulls.begin(request(&url, SOON)).unwrap();
    assert_eq!(pulls.begin(request(&url, SOON)).unwrap_err(), PullError::Full(1));
    let begun = Instant::now();
    drop(pull);
    // The opening hangs on a source that says nothing; letting go ends it.
    timeout(SOON, pulls.ended()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(pulls.begin(request(&url, SOON)).is_ok());
}

#[tokio::test]
async fn opening_has_its_time_and_errors_hold_no_secret() {
    let quiet = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = quiet.local_addr().unwrap().port();
    let pulls = Pulls::new(2);
    let limit = Duration::from_millis(300);
    let mut late = pulls.begin(request(&format!("rtsp://viewer:secret@127.0.0.1:{port}/x"), limit)).unwrap();
    assert_eq!(next(&mut late).await.unwrap().unwrap_err(), PullError::OpenTimeout(limit));
    let refused = request("rtsp://viewer:secret@127.0.0.1:9/x", SOON);
    assert!(!format!("{refused:?}").contains("secret"));
    let error = next(&mut pulls.begin(refused).unwrap()).await.unwrap().unwrap_err();
    let PullError::Io { kind, text } = &error else { panic!("{error:?}") };
    assert_eq!((*kind, text.as_str()), (io::ErrorKind::ConnectionRefused, "Connection refused"));
}

#[test]
fn ffmpeg_says_nothing_on_standard_error() {
    // It would name addresses, and at its more talkative levels the log-in.
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", "pull::tests::opening_has_its_time_and_errors_hold_no_secret", "--nocapture"]);
    let out = test.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && String::from_utf8_lossy(&out.stdout).contains("1 passed"), "{said}");
    assert!(!said.contains(" @ 0x") && !said.contains("secret"), "{said}");
}
