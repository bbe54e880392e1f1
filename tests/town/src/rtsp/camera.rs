//! One camera of the farm, its two streams and who is watching them.
//!
//! A stream belongs to one pacer shard, which calls [`Stream::fire`] once a picture; sessions come
//! and go under the stream's lock. Frame numbers count from the Unix epoch, so that every loop is
//! aligned to the wall clock and the RTP timestamp of a frame follows from its number alone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use serde::{Deserialize, Serialize};

use super::auth::Auth;
use super::behaviour::{Behaviour, Direction};
use super::clip::{AccessUnit, Clip};
use super::overlay;
use super::session::{Outcome, Session};
use crate::scene::{ClipKey, Library, Scene, Size};

/// RTP clock of video, ticks a second (RFC 6184 section 8.2.1).
const CLOCK_HZ: u32 = 90_000;

/// What a camera is and shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CameraSpec {
    /// Identifier; the RTSP paths are `/ID/main` and `/ID/sub`.
    pub id: String,
    /// Name for people, burnt into the picture.
    pub name: String,
    /// What stands before the lens.
    pub scene: Scene,
    /// Whose camera it is; the farm only carries it.
    #[serde(default)]
    pub owner: Option<String>,
    /// How it asks who is there.
    #[serde(default)]
    pub auth: Auth,
    /// Seconds from key frame to key frame: 1, 2, 5 or 10.
    #[serde(default = "one_second")]
    pub gop_s: u32,
}

fn one_second() -> u32 {
    1
}

/// Which of a camera's two pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// 1280x720; of load cameras 1920x1080.
    Main,
    /// 640x360; of load cameras 352x288.
    Sub,
}

/// Where a camera's pictures come from.
#[derive(Debug)]
pub enum Film {
    /// Drawn scenes from the library.
    Drawn,
    /// One clip for many cameras, shifted by some frames so that key frames spread over time.
    Shared(Arc<SharedClip>),
}

/// A clip of many cameras, made when the first of them is described.
#[derive(Debug)]
pub struct SharedClip {
    key: ClipKey,
    clip: OnceLock<Arc<Clip>>,
}

impl SharedClip {
    /// The clip that `key` names, not made yet.
    pub fn new(key: ClipKey) -> Arc<SharedClip> {
        Arc::new(SharedClip { key, clip: OnceLock::new() })
    }

    /// The clip; waits until it is made. Cancel-safe.
    pub async fn wait(&self, library: &Library) -> anyhow::Result<Arc<Clip>> {
        if self.clip.get().is_none() {
            // Whoever else waited has set the same one.
            let _ = self.clip.set(library.wait(&self.key).await?);
        }
        Ok(self.clip.get().expect("set above").clone())
    }
}

impl Film {
    fn size(&self, profile: Profile) -> Size {
        match (self, profile) {
            (Film::Shared(shared), _) => shared.key.size,
            (Film::Drawn, Profile::Main) => Size::MAIN,
            (Film::Drawn, Profile::Sub) => Size::SUB,
        }
    }
}

/// A camera and what it is told to do now.
#[derive(Debug)]
pub struct Camera {
    /// As configured.
    pub spec: CameraSpec,
    state: Mutex<CameraState>,
    refused: AtomicU64,
    /// Main stream.
    pub main: Arc<Stream>,
    /// Sub stream.
    pub sub: Arc<Stream>,
}

#[derive(Debug)]
struct CameraState {
    scene: Scene,
    covered: bool,
    offline: bool,
    behaviour: Behaviour,
    /// What a wave makes it do in the place of `behaviour`.
    wave: Option<Behaviour>,
}

/// Everything the pacer must know of the camera for one picture.
#[derive(Clone, Debug)]
pub struct Orders {
    /// What is before the lens.
    pub scene: Scene,
    /// How to misbehave.
    pub behaviour: Behaviour,
}

/// What went out for one camera since start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameraStats {
    /// Camera id.
    pub id: String,
    /// Open sessions that were set up, both profiles.
    pub sessions: usize,
    /// Sessions begun since start.
    pub sessions_total: u64,
    /// Requests with credentials that were refused.
    pub refused: u64,
    /// Pictures sent, summed over viewers.
    pub frames: u64,
    /// Bytes sent, summed over viewers.
    pub bytes: u64,
    /// Pictures dropped because a viewer was slow.
    pub dropped: u64,
}

impl Camera {
    /// Builds a camera whose streams have their own phase, sequence of SSRCs and clock base.
    pub fn new(spec: CameraSpec, film: impl Fn(Profile) -> Film) -> Arc<Camera> {
        Arc::new_cyclic(|camera| {
            let stream = |profile| {
                let seed = seed_of(&spec.id, profile);
                let film = film(profile);
                let fps = film.size(profile).fps;
                Arc::new(Stream {
                    camera: camera.clone(),
                    profile,
                    film,
                    fps,
                    phase_us: seed % u64::from(1_000_000 / fps),
                    frame_shift: (seed >> 20) % 600,
                    clock_base: (seed >> 32) as u32,
                    clock_jump: AtomicU64::new(0),
                    shard: (seed >> 8) as usize,
                    scheduled: AtomicBool::new(false),
                    state: Mutex::default(),
                    counts: Counts::default(),
                })
            };
            Camera {
                state: Mutex::new(CameraState {
                    scene: spec.scene,
                    covered: false,
                    offline: false,
                    behaviour: Behaviour::Normal,
                    wave: None,
                }),
                refused: AtomicU64::new(0),
                main: stream(Profile::Main),
                sub: stream(Profile::Sub),
                spec,
            }
        })
    }

    /// One of the two streams.
    pub fn stream(&self, profile: Profile) -> &Arc<Stream> {
        match profile {
            Profile::Main => &self.main,
            Profile::Sub => &self.sub,
        }
    }

    /// What to show and how to behave right now.
    pub fn orders(&self) -> Orders {
        let state = self.state();
        let behaviour = state.wave.as_ref().unwrap_or(&state.behaviour);
        let covered = state.covered || *behaviour == Behaviour::Covered;
        let behaviour = if state.offline { Behaviour::Offline } else { behaviour.clone() };
        Orders { scene: if covered { Scene::Covered } else { state.scene }, behaviour }
    }

    /// Changes what stands before the lens; visible at the next key frame.
    pub fn set_scene(&self, scene: Scene) {
        self.state().scene = scene;
    }

    /// Covers or uncovers the lens.
    pub fn set_covered(&self, covered: bool) {
        self.state().covered = covered;
    }

    /// Takes the camera off the net or brings it back.
    pub fn set_offline(&self, offline: bool) {
        self.state().offline = offline;
        if offline {
            self.reset_sessions();
        }
    }

    /// Changes how the camera behaves.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        self.state().behaviour = behaviour;
        self.follow_orders();
    }

    /// A wave takes the camera, however it was told to behave, or (`None`) leaves it as it would be without.
    pub fn set_wave(&self, wave: Option<Behaviour>) {
        self.state().wave = wave;
        self.follow_orders();
    }

    /// What a change of behaviour does at once.
    fn follow_orders(&self) {
        let behaviour = self.orders().behaviour;
        for stream in [&self.main, &self.sub] {
            let jump = match behaviour {
                Behaviour::TimestampJump { direction: Direction::Forward, seconds } => seconds.wrapping_mul(90_000),
                Behaviour::TimestampJump { direction: Direction::Back, seconds } => {
                    seconds.wrapping_mul(90_000).wrapping_neg()
                }
                _ => 0,
            };
            stream.clock_jump.store(u64::from(jump), Ordering::Relaxed);
        }
        if behaviour == Behaviour::Offline {
            self.reset_sessions();
        }
    }

    /// Notes a 401; one to a request without credentials is only the question for them.
    pub fn count_refused(&self, had_credentials: bool) {
        self.refused.fetch_add(u64::from(had_credentials), Ordering::Relaxed);
    }

    /// Figures of both streams.
    pub fn stats(&self) -> CameraStats {
        let refused = self.refused.load(Ordering::Relaxed);
        let mut stats = CameraStats { id: self.spec.id.clone(), refused, ..CameraStats::default() };
        for stream in [&self.main, &self.sub] {
            stats.sessions += stream.state().sessions.len();
            stats.sessions_total += stream.counts.sessions.load(Ordering::Relaxed);
            stats.frames += stream.counts.frames.load(Ordering::Relaxed);
            stats.bytes += stream.counts.bytes.load(Ordering::Relaxed);
            stats.dropped += stream.counts.dropped.load(Ordering::Relaxed);
        }
        stats
    }

    fn reset_sessions(&self) {
        for stream in [&self.main, &self.sub] {
            for session in std::mem::take(&mut stream.state().sessions) {
                session.out().reset();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, CameraState> {
        self.state.lock().expect("no holder panics")
    }
}

/// One encoded stream of a camera.
#[derive(Debug)]
pub struct Stream {
    camera: std::sync::Weak<Camera>,
    profile: Profile,
    film: Film,
    /// Pictures a second.
    fps: u32,
    /// Offset of this stream's frames inside the frame period, so that a farm does not send all at once.
    pub phase_us: u64,
    frame_shift: u64,
    clock_base: u32,
    clock_jump: AtomicU64,
    /// Picks the pacer shard (modulo their number).
    pub shard: usize,
    /// Whether a pacer holds it in its queue; set by whoever hands it over.
    pub scheduled: AtomicBool,
    state: Mutex<StreamState>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct StreamState {
    sessions: Vec<Arc<Session>>,
    current: Option<Arc<Clip>>,
    clocked: overlay::Cache,
}

#[derive(Debug, Default)]
struct Counts {
    sessions: AtomicU64,
    frames: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
}

impl Stream {
    /// The clip this stream should show under `orders` at frame `number`.
    pub fn clip_key(&self, spec: &CameraSpec, orders: &Orders, number: u64) -> ClipKey {
        let second = number / u64::from(self.fps);
        let small = orders.behaviour == Behaviour::SpsChange && second / 10 % 2 == 1;
        let gop_s = if orders.behaviour == Behaviour::LongGop { 10 } else { spec.gop_s };
        let size = if small { Size::CHANGED } else { self.film.size(self.profile) };
        ClipKey { scene: orders.scene, id: spec.id.as_str().into(), name: spec.name.as_str().into(), size, gop_s }
    }

    /// A clip to describe the stream with; waits until one is encoded.
    pub async fn describe(&self, library: &Library, now_us: u64) -> anyhow::Result<Arc<Clip>> {
        match &self.film {
            Film::Shared(shared) => shared.wait(library).await,
            Film::Drawn => {
                let camera = self.camera.upgrade().ok_or_else(|| anyhow::anyhow!("the farm is gone"))?;
                let key = self.clip_key(&camera.spec, &camera.orders(), self.frame_at(now_us));
                library.wait(&key).await
            }
        }
    }

    /// The number of the newest frame at `now_us` (microseconds since the Unix epoch).
    pub fn frame_at(&self, now_us: u64) -> u64 {
        (now_us.saturating_sub(self.phase_us)) * u64::from(self.fps) / 1_000_000
    }

    /// When a frame is due, in microseconds since the Unix epoch.
    pub fn due_us(&self, number: u64) -> u64 {
        // Rounded up, so that `frame_at(due_us(n)) == n`.
        (number * 1_000_000).div_ceil(u64::from(self.fps)) + self.phase_us
    }

    /// RTP timestamp of a frame.
    pub fn timestamp(&self, number: u64) -> u32 {
        let ticks = (number as u32).wrapping_mul(CLOCK_HZ / self.fps);
        self.clock_base.wrapping_add(ticks).wrapping_add(self.clock_jump.load(Ordering::Relaxed) as u32)
    }

    /// RTP timestamp of a moment, for sender reports.
    pub fn timestamp_at(&self, now_us: u64) -> u32 {
        let ticks = (now_us.saturating_sub(self.phase_us) as u128 * u128::from(CLOCK_HZ) / 1_000_000) as u32;
        self.clock_base.wrapping_add(ticks).wrapping_add(self.clock_jump.load(Ordering::Relaxed) as u32)
    }

    /// The first key frame after `number`.
    pub fn next_key(&self, gop_s: u32, number: u64) -> u64 {
        let shift = self.shift();
        let gop_s = if let Film::Shared(shared) = &self.film { shared.key.gop_s } else { gop_s };
        let gop = u64::from(gop_s * self.fps);
        ((number + shift) / gop + 1) * gop - shift
    }

    fn shift(&self) -> u64 {
        match self.film {
            Film::Drawn => 0,
            Film::Shared(_) => self.frame_shift,
        }
    }

    /// Takes in a session; false when `limit` are there already.
    pub fn add(&self, session: Arc<Session>, limit: Option<usize>) -> bool {
        let mut state = self.state();
        if limit.is_some_and(|limit| state.sessions.len() >= limit) {
            return false;
        }
        state.sessions.push(session);
        self.counts.sessions.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Lets a session go.
    pub fn remove(&self, session: &Arc<Session>) {
        self.state().sessions.retain(|other| !Arc::ptr_eq(other, session));
    }

    /// Sends frame `number` to every session; false when nobody is left and the pacer may forget the stream.
    pub fn fire(&self, library: &Library, number: u64, now_us: u64, scratch: &mut Vec<u8>) -> bool {
        let Some(camera) = self.camera.upgrade() else { return false };
        let orders = camera.orders();
        let mut state = self.state();
        state.sessions.retain(|session| !session.is_over(now_us));
        if state.sessions.is_empty() {
            state.current = None;
            // Cleared under the lock: whoever adds a session now sees it and hands the stream over again.
            self.scheduled.store(false, Ordering::Release);
            return false;
        }
        let Some(unit) = self.unit(&mut state, &camera.spec, &orders, library, number) else { return true };
        for session in &state.sessions {
            match session.deliver(self, &unit, number, now_us, &orders.behaviour, scratch) {
                Outcome::Sent(bytes) => {
                    self.counts.frames.fetch_add(1, Ordering::Relaxed);
                    self.counts.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                }
                Outcome::Dropped => {
                    self.counts.dropped.fetch_add(1, Ordering::Relaxed);
                }
                Outcome::Held => {}
            }
        }
        true
    }

    /// The picture of frame `number`; clips change only where the new one has a key frame.
    fn unit(
        &self,
        state: &mut StreamState,
        spec: &CameraSpec,
        orders: &Orders,
        library: &Library,
        number: u64,
    ) -> Option<Arc<AccessUnit>> {
        if let Film::Shared(shared) = &self.film {
            // Not there yet only for one who sets up what was never described.
            let clip = shared.clip.get()?;
            let at = (number + self.shift()) % clip.units.len() as u64;
            return Some(clip.units[at as usize].clone());
        }
        let on_second = number.is_multiple_of(u64::from(self.fps));
        if (state.current.is_none() || on_second)
            && let Some(wanted) = library.get(&self.clip_key(spec, orders, number))
            && wanted.units[(number % wanted.units.len() as u64) as usize].is_key
        {
            state.current = Some(wanted);
        }
        let clip = state.current.clone()?;
        let at = (number % clip.units.len() as u64) as usize;
        Some(state.clocked.with_clock(&clip, at, number / u64::from(self.fps)))
    }

    fn state(&self) -> MutexGuard<'_, StreamState> {
        self.state.lock().expect("no holder panics")
    }
}

/// A stable number from a name (FNV-1a, then mixed), so that a camera keeps its phase over restarts.
fn seed_of(id: &str, profile: Profile) -> u64 {
    let salt = match profile {
        Profile::Main => 1,
        Profile::Sub => 2,
    };
    let mut hash = 0xcbf2_9ce4_8422_2325u64 ^ salt;
    for byte in id.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash ^ (hash >> 32)
}

/// Cameras by id.
pub type Cameras = HashMap<String, Arc<Camera>>;
