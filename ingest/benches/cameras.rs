//! What a camera costs: the fleet with its rings, bare retina, the fleet by its second back-end (FFmpeg), and one
//! `ffmpeg -c copy` per camera, all from the same farm.
//!
//! `cargo bench -p ingest --bench cameras [-- 500 2000]`. The farm and each client are processes of their own, measured by the
//! kernel's count of their CPU time and their resident memory. They share the machine, so read the ratios.
#![expect(clippy::unwrap_used, reason = "what fails here ends the measurement")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use ingest::rtsp::{CameraSpec, RtspConfig};
use model::{Kind, Owner, Profile, Source, SourceState};
use retina::client::{PlayOptions, Session, SessionOptions, SetupOptions};
use retina::codec::{CodecItem, FrameFormat};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use town::rtsp::{Farm, FarmConfig};

/// Rounds of each measurement; medians are told.
const ROUNDS: usize = 3;
/// Time between the last camera's first picture and the measurement: rings are full then (they keep 10 s).
const SETTLE: Duration = Duration::from_secs(12);
const MEASURE: Duration = Duration::from_secs(15);
/// Cameras that are pulled by FFmpeg: by the fleet's threads, and by a process each.
const FFMPEGS: usize = 30;
const FPS: f64 = 15.0;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["farm", cameras] => run(farm(cameras.parse().unwrap())),
        ["pull", "fleet", cameras, addr] => {
            // On the threads that the hub has for it.
            let threads = ingest::rtsp::Threads::start().unwrap();
            run(pull_fleet(cameras.parse().unwrap(), addr, None, threads));
        }
        ["pull", "fleet-ffmpeg", cameras, addr] => {
            let threads = ingest::rtsp::Threads::start().unwrap();
            run(pull_fleet(cameras.parse().unwrap(), addr, Some("ffmpeg"), threads));
        }
        ["pull", "retina", cameras, addr] => run(pull_bare(cameras.parse().unwrap(), addr)),
        [] => measure(&[500, 2_000]),
        sizes => measure(&sizes.iter().map(|s| s.parse().expect("a number of cameras")).collect::<Vec<usize>>()),
    }
}

fn run(work: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(work);
}

// ------------------------------------------------------------------------------------------------ the one that measures

struct Figures {
    open_s: f64,
    cpu_share: f64,
    farm_share: f64,
    rss_kib: f64,
    ring_kib: f64,
    frames_share: f64,
}

fn measure(sizes: &[usize]) {
    println!(
        "client                  cameras  open s  cores  core/camera   vs retina  KiB/camera (of it rings)  farm cores  frames"
    );
    for &cameras in sizes {
        let mut farm = Process::this(&["farm", &cameras.to_string()]);
        let addr = farm.line();
        let of = |client: &str, cameras: usize| {
            let rounds: Vec<Figures> = (0..ROUNDS).map(|_| pull(client, cameras, &addr, &farm)).collect();
            let median = |figure: fn(&Figures) -> f64| {
                let mut all: Vec<f64> = rounds.iter().map(figure).collect();
                all.sort_by(f64::total_cmp);
                all[all.len() / 2]
            };
            Figures {
                open_s: median(|f| f.open_s),
                cpu_share: median(|f| f.cpu_share),
                farm_share: median(|f| f.farm_share),
                rss_kib: median(|f| f.rss_kib),
                ring_kib: median(|f| f.ring_kib),
                frames_share: median(|f| f.frames_share),
            }
        };
        let (bare, fleet) = (of("retina", cameras), of("fleet", cameras));
        tell("retina", cameras, &bare, &bare, cameras);
        tell("fleet", cameras, &fleet, &bare, cameras);
        let few = FFMPEGS.min(cameras);
        tell("hub's fleet, by FFmpeg", few, &of("fleet-ffmpeg", few), &bare, cameras);
        let ffmpeg = pull_ffmpeg(&addr, &farm);
        tell("ffmpeg", FFMPEGS, &ffmpeg, &bare, cameras);
        farm.say("stats");
        println!("farm: {}", farm.line());
    }
}

fn tell(client: &str, cameras: usize, f: &Figures, bare: &Figures, bare_cameras: usize) {
    let per_camera = f.cpu_share / cameras as f64;
    println!(
        "{client:<23} {cameras:>7}  {:>6.1}  {:>5.2}  {per_camera:>11.6}  {:>9.2}x  {:>10.0} ({:>5.0})            {:>10.2}  {:>5.1} %",
        f.open_s,
        f.cpu_share,
        per_camera / (bare.cpu_share / bare_cameras as f64),
        f.rss_kib / cameras as f64,
        f.ring_kib / cameras as f64,
        f.farm_share,
        f.frames_share * 100.0,
    );
}

fn pull(client: &str, cameras: usize, addr: &str, farm: &Process) -> Figures {
    let begun = Instant::now();
    let mut puller = Process::this(&["pull", client, &cameras.to_string(), addr]);
    let idle_kib = rss_kib(puller.child.id());
    assert_eq!(puller.line(), "open");
    let open_s = begun.elapsed().as_secs_f64();
    std::thread::sleep(SETTLE);
    let read = |p: &mut Process| {
        p.say("figures");
        let line = p.line();
        line.split(' ').map(|n| n.parse::<u64>().unwrap()).collect::<Vec<_>>()
    };
    let before = (Instant::now(), cpu_s(puller.child.id()), cpu_s(farm.child.id()), read(&mut puller)[0]);
    std::thread::sleep(MEASURE);
    let took = before.0.elapsed().as_secs_f64();
    let cpu_share = (cpu_s(puller.child.id()) - before.1) / took;
    let farm_share = (cpu_s(farm.child.id()) - before.2) / took;
    let rss_kib = rss_kib(puller.child.id()) - idle_kib;
    let after = read(&mut puller);
    let frames_share = (after[0] - before.3) as f64 / (took * FPS * cameras as f64);
    Figures { open_s, cpu_share, farm_share, rss_kib, ring_kib: after[1] as f64 / 1024.0, frames_share }
}

fn pull_ffmpeg(addr: &str, farm: &Process) -> Figures {
    let begun = Instant::now();
    let mut children: Vec<Child> = (1..=FFMPEGS)
        .map(|n| {
            let url = format!("rtsp://{addr}/load-{n:05}/sub");
            Command::new("ffmpeg")
                .args(["-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", &url, "-c", "copy"])
                .args(["-f", "null", "-"])
                .spawn()
                .expect("scripts/packages.sh installs ffmpeg")
        })
        .collect();
    std::thread::sleep(SETTLE);
    let open_s = begun.elapsed().as_secs_f64() - SETTLE.as_secs_f64();
    let sum = |of: fn(u32) -> f64| children.iter().map(|c| of(c.id())).sum::<f64>();
    let before = (Instant::now(), sum(cpu_s), cpu_s(farm.child.id()));
    std::thread::sleep(MEASURE);
    let took = before.0.elapsed().as_secs_f64();
    let cpu_share = (sum(cpu_s) - before.1) / took;
    let farm_share = (cpu_s(farm.child.id()) - before.2) / took;
    let rss_kib = sum(rss_kib);
    for child in &mut children {
        let _ = child.kill();
        let _ = child.wait();
    }
    // It does not say how many frames it had.
    Figures { open_s, cpu_share, farm_share, rss_kib, ring_kib: 0.0, frames_share: f64::NAN }
}

/// This program in another role, as a child.
struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Process {
    fn this(arguments: &[&str]) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut hello = String::new();
        lines.read_line(&mut hello).unwrap();
        assert_eq!(hello.trim(), "here");
        Process { child, lines }
    }

    fn say(&mut self, word: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{word}").unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of a process so far, in seconds.
fn cpu_s(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // Fields 14 and 15 (proc(5)); the name before them may hold blanks. 100 ticks a second on Linux.
    let ticks: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (ticks[11].parse::<f64>().unwrap() + ticks[12].parse::<f64>().unwrap()) / 100.0
}

fn rss_kib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

// ------------------------------------------------------------------------------------------------------ the other roles

/// Answers each line of standard input; ends with it.
async fn answer(figures: impl Fn() -> String) {
    let (tx, mut rx) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            if line.is_err() || tx.blocking_send(()).is_err() {
                return;
            }
        }
    });
    while rx.recv().await.is_some() {
        println!("{}", figures());
    }
}

async fn farm(cameras: usize) {
    println!("here");
    let farm = Farm::start_synthetic(FarmConfig::default(), cameras).await.unwrap();
    println!("{}", farm.addr());
    let figures = || {
        let stats = farm.stats();
        let dropped: u64 = stats.cameras.iter().map(|c| c.dropped).sum();
        format!("{dropped} pictures dropped for slow clients, {} sent too late", stats.late_frames)
    };
    answer(figures).await;
}

fn camera(number: usize, addr: &str, backend: Option<&str>) -> CameraSpec {
    let sub = ("sub".to_owned(), format!("/load-{number:05}/sub"));
    let backend = backend.map(|backend| ("backend".to_owned(), backend.to_owned()));
    let source = Source {
        class: "street".into(),
        url: format!("rtsp://{addr}/load-{number:05}/main"),
        tags: std::iter::once(sub).chain(backend).collect(),
        ..Source::new(format!("load-{number:05}").as_str(), Kind::Camera, Owner::Governance, "grid-1")
    };
    CameraSpec { source: Arc::new(source), credentials: None }
}

async fn pull_fleet(cameras: usize, addr: &str, backend: Option<&str>, threads: ingest::rtsp::Threads) {
    println!("here");
    let config = RtspConfig { connects_per_s: 1_000.0, connecting_per_host_max: 64, ..RtspConfig::default() };
    let rings = video::Rings::new(&video::Config::default());
    let specs = (1..=cameras).map(|n| camera(n, addr, backend)).collect();
    let (_cameras, cameras_rx) = watch::channel(Arc::new(specs));
    let (status, mut status_rx) = mpsc::channel(4_096);
    let frames = Arc::new(AtomicU64::new(0));
    let recorder = Frames(Arc::clone(&frames));
    metrics::set_global_recorder(recorder).unwrap();
    let _handle =
        threads.on(|| ingest::rtsp::start(config, rings.clone(), cameras_rx, status, CancellationToken::new()));
    let mut live = std::collections::HashSet::new();
    while live.len() < cameras {
        let said = status_rx.recv().await.unwrap();
        if said.state == SourceState::Live && said.profile == Some(Profile::Sub) {
            live.insert(said.source);
        }
    }
    tokio::spawn(async move { while status_rx.recv().await.is_some() {} });
    println!("open");
    answer(|| format!("{} {}", frames.load(Ordering::Relaxed), rings.stats().bytes)).await;
}

async fn pull_bare(cameras: usize, addr: &str) {
    println!("here");
    let frames = Arc::new(AtomicU64::new(0));
    let slots = Arc::new(Semaphore::new(64));
    let (live, mut live_rx) = mpsc::channel(64);
    for number in 1..=cameras {
        let (frames, slots, live) = (Arc::clone(&frames), Arc::clone(&slots), live.clone());
        let url = url::Url::parse(&format!("rtsp://{addr}/load-{number:05}/sub")).unwrap();
        tokio::spawn(async move {
            let slot = slots.acquire().await.unwrap();
            let mut session = Session::describe(url, SessionOptions::default()).await.unwrap();
            session.setup(0, SetupOptions::default().frame_format(FrameFormat::MP4)).await.unwrap();
            let mut demuxed = session.play(PlayOptions::default()).await.unwrap().demuxed().unwrap();
            drop(slot);
            let mut first = true;
            while let Some(item) = demuxed.next().await {
                if let Ok(CodecItem::VideoFrame(_)) = item {
                    frames.fetch_add(1, Ordering::Relaxed);
                    if std::mem::take(&mut first) {
                        live.send(()).await.unwrap();
                    }
                }
            }
        });
    }
    for _ in 0..cameras {
        live_rx.recv().await.unwrap();
    }
    println!("open");
    answer(|| format!("{} 0", frames.load(Ordering::Relaxed))).await;
}

/// Counts `gridward_frames_total` and nothing else.
struct Frames(Arc<AtomicU64>);

impl metrics::Recorder for Frames {
    fn describe_counter(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}
    fn describe_gauge(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}
    fn describe_histogram(&self, _: metrics::KeyName, _: Option<metrics::Unit>, _: metrics::SharedString) {}
    fn register_counter(&self, key: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Counter {
        if key.name() == "gridward_frames_total" {
            return metrics::Counter::from_arc(Arc::clone(&self.0));
        }
        metrics::Counter::noop()
    }
    fn register_gauge(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Gauge {
        metrics::Gauge::noop()
    }
    fn register_histogram(&self, _: &metrics::Key, _: &metrics::Metadata<'_>) -> metrics::Histogram {
        metrics::Histogram::noop()
    }
}
