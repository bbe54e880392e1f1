//! A farm of RTSP/1.0 cameras in one process.
//!
//! Pictures are encoded once ([`crate::scene`]), packetised once ([`clip`]) and shared by all
//! viewers; a few pacer tasks send what is due. Here belong the protocol and the cameras'
//! misbehaviours; what the pictures show is the business of [`crate::scene`], when something
//! happens in the town is the script's.

mod auth;
mod behaviour;
mod camera;
pub mod clip;
mod connection;
mod out;
pub(crate) mod overlay;
mod pacer;
mod record;
mod request;
mod sdp;
mod session;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpSocket, UdpSocket};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use auth::Auth;
pub use behaviour::{Behaviour, Direction, SdpDefect};
pub use camera::{CameraSpec, CameraStats, Profile};
pub use record::{Connect, Connects};

use crate::scene::{ClipKey, Library, Scene, Size};
use camera::{Camera, Cameras, Film, SharedClip};
use pacer::{Pacer, now_us};
use record::Record;

/// Settings of a farm.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FarmConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// User name of every camera.
    pub username: String,
    /// Password of every camera.
    pub password: String,
    /// Where encoded clips are kept between starts; `None` keeps them in memory only.
    pub cache_dir: Option<PathBuf>,
    /// Seconds without a sign of life after which a session may end.
    pub session_timeout_s: u32,
    /// Bytes that may wait for one viewer; beyond, whole GOPs are dropped.
    pub queue_bytes: usize,
    /// Bytes the kernel may hold for one viewer besides; `None` leaves it to the kernel, which gives megabytes.
    pub send_buffer_bytes: Option<u32>,
    /// Tasks that send; one a core is enough.
    pub shards: usize,
    /// Threads that draw and encode.
    pub encoders: usize,
    /// Pictures a second of load cameras' `/sub`, one of [`Size::LOAD_RATES`].
    pub load_fps: u32,
}

impl Default for FarmConfig {
    fn default() -> FarmConfig {
        FarmConfig {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            username: "viewer".into(),
            password: "town-demo".into(),
            cache_dir: None,
            session_timeout_s: 60,
            queue_bytes: 512 * 1024,
            send_buffer_bytes: None,
            shards: 2,
            encoders: 2,
            load_fps: Size::LOAD_SUB.fps,
        }
    }
}

/// Figures of the whole farm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FarmStats {
    /// One entry a camera, by id.
    pub cameras: Vec<CameraStats>,
    /// Frames skipped because this machine was too busy to send them in time.
    pub late_frames: u64,
}

/// A running farm. Dropping it ends it; [`Farm::shutdown`] also waits for the end.
#[derive(Debug)]
pub struct Farm {
    addr: SocketAddr,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    cameras: Cameras,
    library: Arc<Library>,
    pacer: Pacer,
    record: Record,
    udp: UdpPair,
    account: auth::Account,
    session_timeout_s: u32,
    queue_bytes: usize,
    token: CancellationToken,
}

#[derive(Debug)]
struct UdpPair {
    rtp: Arc<UdpSocket>,
    rtcp: Arc<UdpSocket>,
    rtp_port: u16,
    rtcp_port: u16,
}

impl Farm {
    /// Draws and encodes what the cameras show first, then listens. Other pictures follow in the background.
    pub async fn start(config: FarmConfig, cameras: Vec<CameraSpec>) -> anyhow::Result<Farm> {
        let library = Arc::new(Library::start(config.cache_dir.clone(), config.encoders)?);
        Farm::start_with_load(config, library, cameras, 0).await
    }

    /// The same with pictures from `library`, and `load` cameras for load tests beside the drawn ones (see
    /// [`Farm::start_synthetic`]).
    pub async fn start_with_load(
        config: FarmConfig,
        library: Arc<Library>,
        cameras: Vec<CameraSpec>,
        load: usize,
    ) -> anyhow::Result<Farm> {
        let mut cameras: Vec<_> = cameras.into_iter().map(|spec| Camera::new(spec, |_| Film::Drawn)).collect();
        let first: Vec<_> =
            cameras.iter().map(|camera| camera.sub.clip_key(&camera.spec, &camera.orders(), 0)).collect();
        for key in &first {
            library.request(key);
        }
        for key in &first {
            library.wait(key).await.with_context(|| format!("cannot draw camera {}", key.id))?;
        }
        for camera in &cameras {
            library.foresee(&camera.sub.clip_key(&camera.spec, &camera.orders(), 0));
        }
        if load > 0 {
            cameras.extend(load_cameras(&library, load, config.load_fps).await?);
        }
        Farm::listen(config, library, cameras).await
    }

    /// Cameras that all share one tiny CIF clip, whatever their scenes: starts at once, for tests of the protocol.
    ///
    /// What needs a clip of its own ([`Behaviour::SpsChange`], [`Behaviour::LongGop`], [`Behaviour::Covered`]) shows nothing here.
    pub async fn start_shared(config: FarmConfig, cameras: Vec<CameraSpec>) -> anyhow::Result<Farm> {
        let library = Arc::new(Library::start(config.cache_dir.clone(), 1)?);
        let clip = SharedClip::new(ClipKey::load(Size::LOAD_SUB));
        clip.wait(&library).await?;
        let cameras = cameras.into_iter().map(|spec| Camera::new(spec, |_| Film::Shared(clip.clone()))).collect();
        Farm::listen(config, library, cameras).await
    }

    /// `count` cameras `load-00001`... (no password) for load tests: all share one clip for `/sub` (352x288, 15
    /// pictures a second unless `load_fps` says otherwise, 260 kbit/s) and one for `/main` (1920x1080, 25 pictures a
    /// second, 4 Mbit/s), which is made when it is first asked for.
    pub async fn start_synthetic(config: FarmConfig, count: usize) -> anyhow::Result<Farm> {
        let library = Arc::new(Library::start(config.cache_dir.clone(), 1)?);
        let cameras = load_cameras(&library, count, config.load_fps).await?;
        Farm::listen(config, library, cameras).await
    }

    async fn listen(config: FarmConfig, library: Arc<Library>, cameras: Vec<Arc<Camera>>) -> anyhow::Result<Farm> {
        let listener = bind(&config).with_context(|| format!("cannot listen on {}", config.listen))?;
        let addr = listener.local_addr()?;
        let udp = UdpPair::bind(addr.ip()).await.context("no free pair of UDP ports")?;
        let token = CancellationToken::new();
        let (pacer, mut tasks) = Pacer::start(config.shards, &library, &token);
        let shared = Arc::new(Shared {
            cameras: cameras.into_iter().map(|camera| (camera.spec.id.clone(), camera)).collect(),
            library,
            pacer,
            record: Record::default(),
            udp,
            account: auth::Account {
                realm: "Gridward town".into(),
                username: config.username,
                password: config.password,
            },
            session_timeout_s: config.session_timeout_s,
            queue_bytes: config.queue_bytes,
            token,
        });
        tasks.push(tokio::spawn(accept(listener, shared.clone())));
        tasks.push(tokio::spawn(drain_udp(shared.clone())));
        Ok(Farm { addr, shared, tasks })
    }

    /// Where the farm listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Changes what a camera looks at, from its next key frame on; false when there is no such camera.
    pub fn set_scene(&self, id: &str, scene: Scene) -> bool {
        self.with_camera(id, |camera| camera.set_scene(scene))
    }

    /// Covers or uncovers a camera's lens.
    pub fn set_covered(&self, id: &str, covered: bool) -> bool {
        self.with_camera(id, |camera| camera.set_covered(covered))
    }

    /// Takes a camera off the net (its sessions are reset) or brings it back.
    pub fn set_offline(&self, id: &str, offline: bool) -> bool {
        self.with_camera(id, |camera| camera.set_offline(offline))
    }

    /// Tells a camera how to behave.
    pub fn set_behaviour(&self, id: &str, behaviour: Behaviour) -> bool {
        self.with_camera(id, |camera| camera.set_behaviour(behaviour))
    }

    /// Lets a wave take a camera, or leave it; false when there is no such camera.
    pub fn set_wave(&self, id: &str, wave: Option<Behaviour>) -> bool {
        self.with_camera(id, |camera| camera.set_wave(wave))
    }

    /// The connections accepted since start, from that number on.
    pub fn connects(&self, since: u64) -> Connects {
        self.shared.record.since(since)
    }

    /// The behaviour a camera shows now.
    pub fn behaviour(&self, id: &str) -> Option<Behaviour> {
        self.shared.cameras.get(id).map(|camera| camera.orders().behaviour)
    }

    /// Figures of one camera since start.
    pub fn camera_stats(&self, id: &str) -> Option<CameraStats> {
        self.shared.cameras.get(id).map(|camera| camera.stats())
    }

    /// Figures since start.
    pub fn stats(&self) -> FarmStats {
        let mut cameras: Vec<_> = self.shared.cameras.values().map(|camera| camera.stats()).collect();
        cameras.sort_by(|a, b| a.id.cmp(&b.id));
        FarmStats { cameras, late_frames: self.shared.pacer.late_frames() }
    }

    /// Ends every session and waits for the farm's tasks.
    pub async fn shutdown(mut self) {
        self.shared.token.cancel();
        for task in std::mem::take(&mut self.tasks) {
            if let Err(error) = task.await {
                tracing::warn!(%error, "a task of the farm failed");
            }
        }
    }

    fn with_camera(&self, id: &str, act: impl FnOnce(&Camera)) -> bool {
        self.shared.cameras.get(id).map(|camera| act(camera)).is_some()
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        self.shared.token.cancel();
    }
}

impl UdpPair {
    /// An even port for RTP and the odd one above it for RTCP.
    async fn bind(ip: IpAddr) -> io::Result<UdpPair> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..64 {
            let rtp = UdpSocket::bind((ip, 0)).await?;
            let port = rtp.local_addr()?.port();
            if port % 2 == 1 {
                continue;
            }
            match UdpSocket::bind((ip, port + 1)).await {
                Ok(rtcp) => {
                    return Ok(UdpPair { rtp: rtp.into(), rtcp: rtcp.into(), rtp_port: port, rtcp_port: port + 1 });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

async fn load_cameras(library: &Library, count: usize, fps: u32) -> anyhow::Result<Vec<Arc<Camera>>> {
    anyhow::ensure!(Size::LOAD_RATES.contains(&fps), "{fps} pictures a second is none of {:?}", Size::LOAD_RATES);
    let sub = SharedClip::new(ClipKey::load(Size::load_sub(fps)));
    let main = SharedClip::new(ClipKey::load(Size::LOAD_MAIN));
    sub.wait(library).await?;
    let camera = |number| {
        let spec = CameraSpec {
            id: format!("load-{number:05}"),
            name: format!("load {number}"),
            scene: Scene::Street,
            owner: None,
            auth: Auth::None,
            gop_s: 1,
        };
        let film = |profile| match profile {
            Profile::Main => main.clone(),
            Profile::Sub => sub.clone(),
        };
        Camera::new(spec, |profile| Film::Shared(film(profile)))
    };
    Ok((1..=count).map(camera).collect())
}

/// What is set on the listening socket holds for the connections it takes.
fn bind(config: &FarmConfig) -> io::Result<TcpListener> {
    let socket = if config.listen.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    if let Some(bytes) = config.send_buffer_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    socket.bind(config.listen)?;
    // All cameras of a town may be called at the same moment.
    socket.listen(4_096)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    let number = shared.record.accepted(now_us());
                    connections.spawn(connection::serve(shared.clone(), socket, number));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = shared.token.cancelled() => break,
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Receiver reports and hole punching: read and forgotten, so that the sockets' buffers stay free.
async fn drain_udp(shared: Arc<Shared>) {
    let (mut a, mut b) = ([0u8; 2048], [0u8; 2048]);
    loop {
        tokio::select! {
            _ = shared.udp.rtp.recv_from(&mut a) => {}
            _ = shared.udp.rtcp.recv_from(&mut b) => {}
            () = shared.token.cancelled() => return,
        }
    }
}
