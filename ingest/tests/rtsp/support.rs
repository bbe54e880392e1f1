//! A hub of cameras only, what it says of them, and farms to pull from.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use ingest::rtsp::{CameraSpec, Credentials, RtspConfig, RtspHandle};
use model::{AreaCost, Kind, Owner, Profile, PullMode, Source, SourceId, SourceState, SourceStatus};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use town::rtsp::{Auth, Farm, FarmConfig};
use town::scene::Scene;
use video::{ReadEvent, Rings};

/// For everything that should happen soon; the machine may be busy.
pub const SOON: Duration = Duration::from_secs(45);

pub fn log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| "off".into());
        tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().init();
    });
}

/// Limits short enough for tests, long enough for a busy machine.
pub fn quick() -> RtspConfig {
    RtspConfig {
        connects_per_s: 1_000.0,
        probe_interval_s: 0,
        connect_burst: 100,
        connecting_max: 256,
        connecting_per_host_max: 256,
        retry_ms_min: 200,
        retry_ms_max: 1_000,
        stable_s: 1,
        connect_ms_max: 1_000,
        describe_ms_max: 3_000,
        setup_ms_max: 2_000,
        play_ms_max: 2_000,
        first_frame_ms_max: 3_000,
        first_key_ms_max: 4_000,
        stall_ms: 3_000,
        error_budget: 8,
        facts_interval_s: 1,
        ffmpeg_after_failures: 2,
        teardown_ms_max: 4_000,
        ..RtspConfig::default()
    }
}

pub fn camera(id: &str, url: &str) -> CameraSpec {
    camera_with(id, url, PullMode::Always, &[])
}

pub fn camera_with(id: &str, url: &str, mode: PullMode, tags: &[(&str, &str)]) -> CameraSpec {
    let source = Source {
        class: "street".into(),
        name: id.into(),
        mode,
        url: url.into(),
        tags: tags.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        ..Source::new(id, Kind::Camera, Owner::Governance, "grid-1")
    };
    CameraSpec { source: Arc::new(source), credentials: None }
}

pub fn with_login(spec: CameraSpec, username: &str, password: &str) -> CameraSpec {
    let credentials = Credentials { username: username.into(), password: password.into() };
    CameraSpec { credentials: Some(credentials), ..spec }
}

type Said = Arc<Mutex<HashMap<(SourceId, Profile), Vec<SourceStatus>>>>;

/// A running camera side of ingest, with everything it said.
pub struct Hub {
    pub rings: Rings,
    pub cameras: watch::Sender<Arc<Vec<CameraSpec>>>,
    said: Said,
    news: Arc<Notify>,
    token: CancellationToken,
    handle: RtspHandle,
}

impl Hub {
    pub fn start(config: RtspConfig, cameras: Vec<CameraSpec>) -> Hub {
        log();
        assert_eq!(config.problems(), []);
        let rings = Rings::new(&video::Config { demand_linger_s: 1, ..video::Config::default() });
        let (cameras, cameras_rx) = watch::channel(Arc::new(cameras));
        let (status, mut status_rx) = mpsc::channel::<SourceStatus>(1_024);
        let token = CancellationToken::new();
        let (said, news) = (Said::default(), Arc::new(Notify::new()));
        tokio::spawn({
            let (said, news) = (Arc::clone(&said), Arc::clone(&news));
            async move {
                while let Some(status) = status_rx.recv().await {
                    let key = (status.source.clone(), status.profile.unwrap());
                    said.lock().unwrap().entry(key).or_default().push(status);
                    news.notify_waiters();
                }
            }
        });
        let handle = ingest::rtsp::start(config, rings.clone(), cameras_rx, status, token.clone());
        Hub { rings, cameras, said, news, token, handle }
    }

    /// Names the cameras of an emergency.
    pub async fn area(&self, cameras: &[&str]) -> AreaCost {
        let area = cameras.iter().map(|id| SourceId::from(*id)).collect();
        self.handle.areas().set(area).await.unwrap()
    }

    /// Everything said of a stream.
    pub fn said(&self, id: &str, profile: Profile) -> Vec<SourceStatus> {
        self.said.lock().unwrap().get(&(id.into(), profile)).cloned().unwrap_or_default()
    }

    /// The states a stream went through, with their reasons, each once in a row.
    pub fn path(&self, id: &str) -> Vec<(SourceState, Option<String>)> {
        let mut path: Vec<_> = self.said(id, Profile::Main).into_iter().map(|s| (s.state, s.reason)).collect();
        path.dedup();
        path
    }

    /// Waits until something said of the stream, from number `from` on, fits; returns its number.
    pub async fn until(
        &self,
        id: &str,
        profile: Profile,
        from: usize,
        what: &str,
        fits: impl Fn(&SourceStatus) -> bool,
    ) -> usize {
        let looking = async {
            loop {
                let news = self.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                if let Some(at) = self.said(id, profile).iter().skip(from).position(&fits) {
                    return from + at;
                }
                news.await;
            }
        };
        match timeout(SOON, looking).await {
            Ok(found) => found,
            Err(_) => {
                let detail = self.said(id, profile).pop().and_then(|s| s.detail);
                panic!("{id}: not {what} within {SOON:?}; it was {:?}, at last {detail:?}", self.path(id))
            }
        }
    }

    pub async fn state(&self, id: &str, from: usize, state: SourceState, reason: &str) -> usize {
        let wanted = (!reason.is_empty()).then_some(reason);
        let what = format!("{} ({reason})", state.as_str());
        self.until(id, Profile::Main, from, &what, |s| s.state == state && s.reason.as_deref() == wanted).await
    }

    pub async fn live(&self, id: &str, from: usize) -> usize {
        self.state(id, from, SourceState::Live, "").await
    }

    pub fn count(&self, id: &str) -> usize {
        self.said(id, Profile::Main).len()
    }

    /// Reads frames until `count` have come; they must follow one another without a hole, in number and in time.
    pub async fn frames(&self, id: &str, profile: Profile, count: usize) -> Vec<Arc<video::Frame>> {
        let mut reader = self.rings.reader(&id.into(), profile);
        let mut frames: Vec<Arc<video::Frame>> = Vec::new();
        while frames.len() < count {
            match timeout(SOON, reader.next()).await {
                Ok(ReadEvent::Frame(frame)) => {
                    if let Some(last) = frames.last() {
                        assert_eq!(frame.number, last.number + 1);
                        assert_eq!(frame.decode_time_90k, last.decode_time_90k + i64::from(last.duration_90k));
                    }
                    frames.push(frame);
                }
                Ok(ReadEvent::Track(..)) => {}
                Ok(ReadEvent::Lagged { missed }) => panic!("{id}: {missed} frames missed"),
                Err(_) => {
                    panic!("{id}: {} of {count} frames within {SOON:?}; it was {:?}", frames.len(), self.path(id))
                }
            }
        }
        frames
    }

    /// Ends the hub; returns how long that took.
    pub async fn stop(self) -> Duration {
        let begun = Instant::now();
        self.token.cancel();
        self.handle.join().await;
        begun.elapsed()
    }
}

/// Where drawn clips are kept between test runs.
pub fn clips() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("clips")
}

pub fn farm_config() -> FarmConfig {
    FarmConfig { cache_dir: Some(clips()), session_timeout_s: 4, ..FarmConfig::default() }
}

pub fn farm_camera(id: &str, auth: Auth) -> town::rtsp::CameraSpec {
    town::rtsp::CameraSpec { id: id.into(), name: id.into(), scene: Scene::Lane, owner: None, auth, gop_s: 1 }
}

pub fn url(farm: &Farm, id: &str) -> String {
    format!("rtsp://{}/{id}/sub", farm.addr())
}

/// The sessions a camera of the farm has open, and has had.
pub fn sessions(farm: &Farm, id: &str) -> (usize, u64) {
    let stats = farm.camera_stats(id).unwrap();
    (stats.sessions, stats.sessions_total)
}

/// Waits until `holds`; for facts that no event tells.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < SOON, "not within {SOON:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
