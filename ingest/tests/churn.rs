//! Sessions that come and go by the thousand leave nothing behind: no file descriptor, no memory.
//!
//! A program of its own, for it counts what the whole process holds (the hub's side and the farm's). `make test` runs
//! 1,000 sessions; `GRIDWARD_CHURN_SESSIONS=40000 cargo test -p ingest --test churn -- --nocapture` all of them.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ingest::rtsp::{CameraSpec, RtspConfig};
use model::{Kind, Owner, Profile, PullMode, Source};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use town::rtsp::{Farm, FarmConfig};
use video::{ReadEvent, Rings};

/// Cameras that are watched and left, and cameras that enter and leave the registry.
const WATCHED: usize = 100;
const LISTED: usize = 100;
/// Frames taken of each session.
const FRAMES: usize = 3;
/// For one session; the machine may be busy.
const SOON: Duration = Duration::from_secs(60);
/// What the process may hold more than after the first tenth of the sessions: allocators do not give back all.
const MORE_KIB: i64 = 16 << 10;

fn camera(number: usize, farm: &Farm, mode: PullMode) -> CameraSpec {
    let source = Source {
        class: "street".into(),
        mode,
        url: format!("rtsp://{}/load-{number:05}/sub", farm.addr()),
        ..Source::new(format!("load-{number:05}").as_str(), Kind::Camera, Owner::Governance, "grid-1")
    };
    CameraSpec { source: Arc::new(source), credentials: None }
}

async fn frames(rings: &Rings, camera: &CameraSpec) {
    let mut reader = rings.reader(&camera.source.id, Profile::Main);
    let taking = async {
        let mut taken = 0;
        while taken < FRAMES {
            taken += usize::from(matches!(reader.next().await, ReadEvent::Frame(_)));
        }
    };
    timeout(SOON, taking).await.unwrap_or_else(|_| panic!("{}: no frames", camera.source.id));
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < SOON, "{what}: not within {SOON:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn open(farm: &Farm, camera: &CameraSpec) -> usize {
    farm.camera_stats(camera.source.id.as_str()).unwrap().sessions
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn resident_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// So many times each camera is watched for a moment and left, or enters the registry and leaves it.
async fn churn(rounds: usize, farm: &Arc<Farm>, rings: &Rings, list: &watch::Sender<Arc<Vec<CameraSpec>>>) {
    let watched: Vec<CameraSpec> = list.borrow().to_vec();
    let viewers: Vec<_> = watched
        .iter()
        .map(|camera| {
            let (camera, farm, rings) = (camera.clone(), Arc::clone(farm), rings.clone());
            tokio::spawn(async move {
                for _ in 0..rounds {
                    frames(&rings, &camera).await;
                    until("the session of a camera nobody watches ends", || open(&farm, &camera) == 0).await;
                }
            })
        })
        .collect();
    let listed: Vec<CameraSpec> =
        (0..LISTED).map(|number| camera(WATCHED + 1 + number, farm, PullMode::Always)).collect();
    for _ in 0..rounds {
        list.send_replace(Arc::new([&watched[..], &listed[..]].concat()));
        for camera in &listed {
            frames(rings, camera).await;
        }
        list.send_replace(Arc::new(watched.clone()));
        until("the sessions of cameras that left the registry end", || listed.iter().all(|c| open(farm, c) == 0)).await;
    }
    for viewer in viewers {
        viewer.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_come_and_go_leave_nothing_behind() {
    let sessions: usize = std::env::var("GRIDWARD_CHURN_SESSIONS").map_or(1_000, |count| count.parse().unwrap());
    let cache_dir = Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("clips"));
    let config = FarmConfig { cache_dir, ..FarmConfig::default() };
    let farm = Arc::new(Farm::start_synthetic(config, WATCHED + LISTED).await.unwrap());
    let rings = Rings::new(&video::Config { demand_linger_s: 1, ..video::Config::default() });
    let watched = (1..=WATCHED).map(|number| camera(number, &farm, PullMode::Demand)).collect();
    let (list, cameras) = watch::channel(Arc::new(watched));
    let (status, mut told) = mpsc::channel(1_024);
    tokio::spawn(async move { while told.recv().await.is_some() {} });
    let config = RtspConfig {
        connects_per_s: 1_000.0,
        connect_burst: 200,
        connecting_per_host_max: 64,
        probe_interval_s: 0,
        ..RtspConfig::default()
    };
    let token = CancellationToken::new();
    let hub = ingest::rtsp::start(config, rings.clone(), cameras, status, token.clone());

    let rounds = sessions.div_ceil(WATCHED + LISTED);
    let first = rounds.div_ceil(10);
    churn(first, &farm, &rings, &list).await;
    until("all sessions are closed", || farm.stats().cameras.iter().all(|camera| camera.sessions == 0)).await;
    let settled = || {
        let (mut before, mut quiet) = (descriptors(), 0);
        move || {
            let now = descriptors();
            quiet = if now == before { quiet + 1 } else { 0 };
            before = now;
            quiet >= 50
        }
    };
    until("connections are gone", settled()).await;
    let (fds, kib, begun) = (descriptors(), resident_kib(), Instant::now());

    churn(rounds - first, &farm, &rings, &list).await;
    until("all sessions are closed", || farm.stats().cameras.iter().all(|camera| camera.sessions == 0)).await;
    let took = begun.elapsed().as_secs_f64();
    until(&format!("the {fds} file descriptors of before"), || descriptors() <= fds).await;
    let (total, more) = (farm.stats().cameras.iter().map(|c| c.sessions_total).sum::<u64>(), resident_kib() - kib);
    println!(
        "{total} sessions, the last {} in {took:.0} s: file descriptors {fds} before, {} after; resident {kib} KiB \
         before, {more:+} KiB after",
        (rounds - first) * (WATCHED + LISTED),
        descriptors(),
    );
    assert!(total as usize >= sessions, "{total} sessions were opened");
    assert!(more <= MORE_KIB, "{more} KiB more than before");
    token.cancel();
    hub.join().await;
}
