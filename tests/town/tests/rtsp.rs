//! The camera farm before clients that are not ours: FFmpeg's ffprobe and ffmpeg, and RTSP spoken by hand.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test")]

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;
use town::rtsp::{Auth, Behaviour, CameraSpec, Farm, FarmConfig};
use town::scene::Scene;

/// For a client to get and decode some seconds of video on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

fn config() -> FarmConfig {
    let clips = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("clips");
    FarmConfig { cache_dir: Some(clips), ..FarmConfig::default() }
}

fn camera(id: &str, auth: Auth) -> CameraSpec {
    CameraSpec { id: id.into(), name: format!("{id} 村口"), scene: Scene::Lane, owner: None, auth, gop_s: 1 }
}

/// Runs one of FFmpeg's programs; returns its standard output. It must not complain about the stream.
async fn run(program: &str, arguments: &[&str]) -> String {
    let child = Command::new(program)
        .args(["-hide_banner", "-loglevel", "warning"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("scripts/packages.sh installs ffmpeg");
    let output = timeout(LIMIT, child.wait_with_output()).await.expect("the client ends in time").unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program}: {said}");
    assert_eq!(said, "", "{program} has something to say");
    String::from_utf8(output.stdout).unwrap()
}

fn url(farm: &Farm, login: &str, path: &str) -> String {
    format!("rtsp://{login}{}/{path}", farm.addr())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffprobe_knows_both_streams_over_both_transports_and_both_kinds_of_login() {
    let farm = Farm::start(config(), vec![camera("digest", Auth::Digest), camera("basic", Auth::Basic)]).await.unwrap();
    for (path, size, transport) in [
        ("digest/main", "1280,720", "tcp"),
        ("digest/sub", "640,360", "udp"),
        ("basic/main", "1280,720", "udp"),
        ("basic/sub", "640,360", "tcp"),
    ] {
        let url = url(&farm, "viewer:town-demo@", path);
        let entries = "stream=codec_name,width,height,r_frame_rate";
        let arguments = ["-rtsp_transport", transport, "-show_entries", entries, "-of", "csv=p=0", &url];
        let said = run("ffprobe", &arguments).await;
        assert_eq!(said.trim(), format!("h264,{size},15/1"), "{path} over {transport}");
    }
    let refused = farm.camera_stats("digest").unwrap().refused;
    assert_eq!(refused, 0, "no good login was refused");
    let wrong = url(&farm, "viewer:wrong@", "digest/sub");
    let output = Command::new("ffprobe").args(["-rtsp_transport", "tcp", &wrong]).output().await.unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("401 Unauthorized"));
    farm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_decodes_what_it_gets_without_a_complaint_and_in_time() {
    let farm = Farm::start(config(), vec![camera("digest", Auth::Digest), camera("basic", Auth::Basic)]).await.unwrap();
    for (path, transport) in [("digest/main", "tcp"), ("digest/sub", "tcp"), ("basic/sub", "udp")] {
        let url = url(&farm, "viewer:town-demo@", path);
        // One line a picture: stream, dts, pts, duration, size, hash of the decoded picture.
        let arguments = ["-rtsp_transport", transport, "-i", &url, "-frames:v", "60", "-f", "framemd5", "-"];
        let said = run("ffmpeg", &arguments).await;
        let pictures: Vec<Vec<&str>> =
            said.lines().filter(|l| !l.starts_with('#')).map(|l| l.split(',').map(str::trim).collect()).collect();
        assert_eq!(pictures.len(), 60, "{path} over {transport}");
        let times: Vec<i64> = pictures.iter().map(|p| p[2].parse().unwrap()).collect();
        assert!(times.windows(2).all(|t| t[1] == t[0] + 1), "one picture each fifteenth of a second: {times:?}");
        let mut hashes: Vec<&str> = pictures.iter().map(|p| p[5]).collect();
        hashes.dedup();
        assert!(hashes.len() > 30, "the picture moves: {} of 60 differ from the one before", hashes.len());
    }
    farm.shutdown().await;
}

/// Reads one answer; interleaved frames before it are left out.
async fn answer(stream: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    loop {
        while let [b'$', ..] = *stream.fill_buf().await.unwrap() {
            frame(stream).await;
        }
        if stream.read_line(&mut head).await.unwrap() == 0 || head.ends_with("\r\n\r\n") {
            break;
        }
    }
    let length = head.lines().find_map(|l| l.strip_prefix("Content-Length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    head + &String::from_utf8(body).unwrap()
}

async fn frame(stream: &mut BufReader<TcpStream>) -> (u8, Vec<u8>) {
    let mut prefix = [0u8; 4];
    stream.read_exact(&mut prefix).await.unwrap();
    assert_eq!(prefix[0], b'$');
    let mut data = vec![0; usize::from(u16::from_be_bytes([prefix[2], prefix[3]]))];
    stream.read_exact(&mut data).await.unwrap();
    (prefix[1], data)
}

async fn ask(stream: &mut BufReader<TcpStream>, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    timeout(LIMIT, answer(stream)).await.unwrap()
}

fn u32_at(data: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(data[at..at + 4].try_into().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sender_reports_tie_the_rtp_clock_to_the_wall_clock() {
    let farm = Farm::start_shared(config(), vec![camera("cam", Auth::None)]).await.unwrap();
    let base = url(&farm, "", "cam/sub");
    let mut stream = BufReader::new(TcpStream::connect(farm.addr()).await.unwrap());
    let described = ask(&mut stream, &format!("DESCRIBE {base} RTSP/1.0\r\nCSeq: 1\r\n\r\n")).await;
    assert!(described.contains("a=rtpmap:96 H264/90000"), "{described}");
    let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=4-5";
    let set_up = ask(&mut stream, &format!("SETUP {base}/trackID=1 RTSP/1.0\r\nCSeq: 2\r\n{transport}\r\n\r\n")).await;
    let session = set_up.lines().find_map(|l| l.strip_prefix("Session: ")).unwrap().split(';').next().unwrap();
    let ssrc = set_up.split("ssrc=").nth(1).unwrap()[..8].to_owned();
    let ssrc = u32::from_str_radix(&ssrc, 16).unwrap();
    let playing = ask(&mut stream, &format!("PLAY {base} RTSP/1.0\r\nCSeq: 3\r\nSession: {session}\r\n\r\n")).await;
    let seq: u16 = playing.split("seq=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
    let first_time: u32 = playing.split("rtptime=").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();

    let (mut packets, mut octets) = (0u32, 0u32);
    let mut reports = Vec::new();
    let mut times = Vec::new();
    while reports.len() < 2 {
        let (channel, data) = timeout(LIMIT, frame(&mut stream)).await.unwrap();
        match channel {
            4 => {
                assert_eq!(u16::from_be_bytes([data[2], data[3]]), seq.wrapping_add(packets as u16));
                assert_eq!(u32_at(&data, 8), ssrc);
                times.push(u32_at(&data, 4));
                packets += 1;
                octets += (data.len() - 12) as u32;
            }
            5 => {
                assert_eq!((data[1], u32_at(&data, 4)), (200, ssrc), "a sender report of this source");
                assert_eq!((u32_at(&data, 20), u32_at(&data, 24)), (packets, octets));
                let ntp_s = f64::from(u32_at(&data, 8)) + f64::from(u32_at(&data, 12)) / f64::from(u32::MAX);
                let wall_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
                assert!((wall_s - (ntp_s - 2_208_988_800.0)).abs() < 5.0, "the farm and this test share a clock");
                reports.push((ntp_s, u32_at(&data, 16)));
            }
            other => panic!("channel {other} was never agreed on"),
        }
    }
    assert_eq!(times[0], first_time, "RTP-Info tells the first time");
    // Between the reports both clocks ran on by the same; and the reports' clock is the packets'.
    let (wall, ticks) = (reports[1].0 - reports[0].0, reports[1].1.wrapping_sub(reports[0].1));
    assert!((wall * 90_000.0 - f64::from(ticks)).abs() < 90.0, "{wall} s against {ticks} ticks");
    let ahead = reports[1].1.wrapping_sub(*times.last().unwrap()) as i32;
    assert!(ahead.abs() < 90_000 * 2, "the last packet lies {ahead} ticks before the report");

    let goodbye = ask(&mut stream, &format!("TEARDOWN {base} RTSP/1.0\r\nCSeq: 4\r\nSession: {session}\r\n\r\n")).await;
    assert!(goodbye.starts_with("RTSP/1.0 200"), "{goodbye}");
    assert_eq!(farm.camera_stats("cam").unwrap().sessions, 0);
    farm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_that_reads_nothing_loses_pictures_and_harms_nobody() {
    let config = FarmConfig { queue_bytes: 32 * 1024, send_buffer_bytes: Some(16 * 1024), ..config() };
    let farm = Farm::start_shared(config, vec![camera("cam", Auth::None)]).await.unwrap();
    let base = url(&farm, "", "cam/sub");
    // A tiny window, never read: the farm's own buffer fills up.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stuck = BufReader::new(socket.connect(farm.addr()).await.unwrap());
    ask(&mut stuck, &format!("SETUP {base}/trackID=1 RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP/TCP;unicast\r\n\r\n"))
        .await;
    ask(&mut stuck, &format!("PLAY {base} RTSP/1.0\r\nCSeq: 2\r\n\r\n")).await;
    let begun = tokio::time::Instant::now();
    while farm.camera_stats("cam").unwrap().dropped == 0 {
        assert!(begun.elapsed() < LIMIT, "pictures are dropped once the buffer is full");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let url = url(&farm, "", "cam/sub");
    run("ffmpeg", &["-rtsp_transport", "tcp", "-i", &url, "-frames:v", "30", "-f", "null", "-"]).await;
    assert!(farm.set_behaviour("cam", Behaviour::Offline));
    farm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn load_cameras_have_a_full_hd_stream_and_a_small_one_each_at_its_own_rate() {
    let farm = Farm::start_synthetic(config(), 3).await.unwrap();
    for (path, size, fps, kilobits) in [
        ("load-00001/sub", "352,288", 15, 200..300),
        ("load-00002/main", "1920,1080", 25, 3_000..4_500),
        ("load-00003/main", "1920,1080", 25, 3_000..4_500),
    ] {
        let url = url(&farm, "", path);
        let arguments = ["-rtsp_transport", "tcp", "-show_entries", "stream=width,height,r_frame_rate"];
        let said = run("ffprobe", &[&arguments[..], &["-of", "csv=p=0", &url]].concat()).await;
        assert_eq!(said.trim(), format!("{size},{fps}/1"), "{path}");
        let began = std::time::Instant::now();
        let arguments = ["-rtsp_transport", "tcp", "-read_intervals", "%+#100", "-show_entries", "packet=pts,size"];
        let said = run("ffprobe", &[&arguments[..], &["-of", "csv=p=0", &url]].concat()).await;
        let took = began.elapsed();
        // The first picture's time is not known to ffprobe.
        let pictures: Vec<(u64, u64)> = said
            .lines()
            .filter_map(|line| line.split_once(','))
            .filter_map(|(pts, size)| Some((pts.parse().ok()?, size.trim_end_matches(',').parse().ok()?)))
            .collect();
        assert!(pictures.len() >= 98, "{path}: {said}");
        assert!(pictures.windows(2).all(|pair| pair[1].0 - pair[0].0 == 90_000 / fps), "{path}: {pictures:?}");
        let bytes: u64 = pictures.iter().map(|(_, size)| size).sum();
        let told = bytes * 8 * fps / 1_000 / pictures.len() as u64;
        assert!(kilobits.contains(&told), "{path}: {told} kbit/s");
        assert!(took.as_secs_f64() > 80.0 / fps as f64, "{path}: a hundred pictures in {took:?}");
    }
    farm.shutdown().await;
}
