//! The town as a whole: files, farm, sensors, control; what the binary runs and tests start in their own process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::control::{self, Control};
use crate::director::Director;
use crate::map::TownMap;
use crate::registry::{LOGIN, Load, Registry};
use crate::rtsp::{Farm, FarmConfig};
use crate::scene::{ClipKey, Library, Size};
use crate::script::Script;
use crate::sensors::load::LoadSensors;
use crate::sensors::{Fleet, FleetConfig};
use crate::stage::Stage;

/// How long the parts may take to end.
const FAREWELL: Duration = Duration::from_secs(2);
/// Without a broker for so long, the script begins for the cameras alone.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a town is run.
#[derive(Clone, Debug)]
pub struct TownConfig {
    /// Where its files go.
    pub dir: PathBuf,
    /// Where encoded clips are kept, so that the next start need not draw them.
    pub clips: PathBuf,
    /// Decides map and noise.
    pub seed: u64,
    /// Where the farm listens.
    pub rtsp: SocketAddr,
    /// The broker.
    pub mqtt: FleetConfig,
    /// Where the control address listens.
    pub control: SocketAddr,
    /// The script.
    pub script: Script,
    /// Sources for load tests.
    pub load: Load,
}

/// A running town. Dropping it ends it; [`Town::shutdown`] also waits for the end.
#[derive(Debug)]
pub struct Town {
    /// Where the farm listens.
    pub rtsp: SocketAddr,
    /// Where the control address listens.
    pub control: SocketAddr,
    stage: Arc<Stage>,
    fleet: Arc<Fleet>,
    load: Arc<LoadSensors>,
    tasks: Vec<JoinHandle<()>>,
    token: CancellationToken,
}

/// Writes `sources.csv`, `grids.json` and `map.geojson` for a farm at `rtsp`.
pub fn write(dir: &std::path::Path, seed: u64, rtsp: SocketAddr, load: Load) -> anyhow::Result<Registry> {
    let map = TownMap::new(seed);
    let registry = Registry::new(&map, rtsp, load, seed);
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let files = [
        ("sources.csv", registry.csv()?),
        ("grids.json", serde_json::to_vec(&map.grids)?),
        ("map.geojson", serde_json::to_vec(&map.geojson())?),
    ];
    for (name, bytes) in files {
        let path = dir.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(registry)
}

impl Town {
    /// Starts everything; `progress` is told what is being done.
    pub async fn start(config: TownConfig, progress: impl Fn(&str)) -> anyhow::Result<Town> {
        let map = TownMap::new(config.seed);
        let planned = Registry::new(&map, config.rtsp, config.load, config.seed);
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let library = Arc::new(Library::start(Some(config.clips), threads)?);
        draw(&planned, &library, &progress).await?;
        let farm_config = FarmConfig {
            listen: config.rtsp,
            username: LOGIN.0.into(),
            password: LOGIN.1.into(),
            load_fps: config.load.fps,
            ..FarmConfig::default()
        };
        let farm = Farm::start_with_load(farm_config, library, planned.farm(), config.load.cameras).await?;
        let rtsp = farm.addr();
        let registry = write(&config.dir, config.seed, rtsp, config.load)?;
        let (sensors, load_sensors) = (registry.sensors.clone(), registry.load_sensors.clone());
        let stage = Arc::new(Stage::new(Director::new(registry, config.script, config.seed), farm));
        let token = CancellationToken::new();
        let fleet = Arc::new(Fleet::start(&config.mqtt, &sensors, &stage, &token));
        let load = Arc::new(LoadSensors::start(&config.mqtt, &load_sensors, &token));
        let listener =
            TcpListener::bind(config.control).await.with_context(|| format!("cannot listen on {}", config.control))?;
        let control = listener.local_addr()?;
        let router = control::router(Control { stage: stage.clone(), fleet: fleet.clone(), load: load.clone() });
        let tasks = vec![
            tokio::spawn(stage.clone().direct(token.clone())),
            tokio::spawn(raise_curtain(stage.clone(), token.clone())),
            tokio::spawn(serve(listener, router, token.clone())),
        ];
        Ok(Town { rtsp, control, stage, fleet, load, tasks, token })
    }

    /// Ends everything within a few seconds: gateways say goodbye, sessions are closed.
    pub async fn shutdown(mut self) {
        self.token.cancel();
        for task in std::mem::take(&mut self.tasks) {
            if timeout(FAREWELL, task).await.is_err() {
                tracing::warn!("a task of the town did not end in time");
            }
        }
        let (stage, fleet, load) = (self.stage.clone(), self.fleet.clone(), self.load.clone());
        drop(self);
        if let Some(mut fleet) = Arc::into_inner(fleet)
            && timeout(FAREWELL, fleet.join()).await.is_err()
        {
            tracing::warn!("a gateway did not end in time");
        }
        if let Some(mut load) = Arc::into_inner(load) {
            load.join(FAREWELL).await;
        }
        if let Some(stage) = Arc::into_inner(stage)
            && timeout(FAREWELL, stage.close()).await.is_err()
        {
            tracing::warn!("the farm did not end in time");
        }
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

/// Draws and encodes what the cameras show first, or finds it on disk, so that progress can be told.
async fn draw(registry: &Registry, library: &Library, progress: &impl Fn(&str)) -> anyhow::Result<()> {
    let began = Instant::now();
    let keys: Vec<ClipKey> = registry
        .farm()
        .iter()
        .map(|camera| ClipKey {
            scene: camera.scene,
            id: camera.id.as_str().into(),
            name: camera.name.as_str().into(),
            size: Size::SUB,
            gop_s: camera.gop_s,
        })
        .collect();
    keys.iter().for_each(|key| library.request(key));
    let mut told = Instant::now();
    for (done, key) in keys.iter().enumerate() {
        library.wait(key).await.with_context(|| format!("cannot draw camera {}", key.id))?;
        if told.elapsed() >= Duration::from_secs(1) {
            told = Instant::now();
            progress(&format!("drawing the cameras' pictures, {} of {}", done + 1, keys.len()));
        }
    }
    let took = began.elapsed();
    if took >= Duration::from_secs(1) {
        progress(&format!("{} cameras have their pictures after {:.1} s", keys.len(), took.as_secs_f64()));
    }
    Ok(())
}

async fn raise_curtain(stage: Arc<Stage>, token: CancellationToken) {
    if timeout(PATIENCE, token.cancelled()).await.is_err() {
        stage.curtain_up();
    }
}

async fn serve(listener: TcpListener, router: axum::Router, token: CancellationToken) {
    let stop = token.clone();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await });
    let served = async {
        if let Err(error) = server.await {
            tracing::error!(%error, "the control address failed");
        }
    };
    // Connections that are kept alive are not waited for.
    tokio::select! {
        () = served => {}
        () = async { token.cancelled().await; tokio::time::sleep(Duration::from_millis(300)).await } => {}
    }
}
