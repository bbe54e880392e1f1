//! Drawn pictures of the town: what the simulated cameras see.
//!
//! A scene is drawn with vector shapes, frame by frame, encoded once by an `ffmpeg` child and kept
//! as a loop of ten seconds. Here belong drawing, encoding and the store of loops; sending them is
//! the business of [`crate::rtsp`].

mod canvas;
mod encode;
mod library;
mod lively;
mod paint;
mod river;
mod street;
mod text;
mod yard;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use library::Library;
pub use paint::Painter;

/// Seconds after which every motion in a drawn scene is where it began.
pub const PERIOD_S: u32 = 10;
/// Height of the dark band at the top that carries the clock, in lines of the 640x360 design.
pub const BAND: f32 = 32.0;

/// Lowest and highest water level that is drawn, and the step between drawn levels, in centimetres.
const LEVELS_CM: (u16, u16, u16) = (250, 500, 10);

/// What stands before a camera's lens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Scene {
    /// A river with a bridge and a staff gauge.
    River {
        /// Water level in centimetres; use [`Scene::river`], which rounds to a drawn level.
        level_cm: u16,
    },
    /// A street with traffic.
    Street,
    /// A school gate with a crowd.
    SchoolGate,
    /// An industrial yard.
    Yard {
        /// Something burns behind the hall.
        smoke: bool,
    },
    /// A park with walkers.
    Park,
    /// A village lane.
    Lane,
    /// A hand over the lens.
    Covered,
    /// A plain moving pattern for load tests.
    Pattern,
}

impl Scene {
    /// The river at the drawn level nearest to `level_m` metres (2.5 to 5.0 in steps of 0.1).
    pub fn river(level_m: f64) -> Scene {
        let (low, high, step) = LEVELS_CM;
        let steps = (level_m * 100.0 / f64::from(step)).round().clamp(0.0, 1000.0) as u16;
        Scene::River { level_cm: (steps * step).clamp(low, high) }
    }

    /// Scenes that the same camera may have to show next, the likeliest first.
    fn siblings(self) -> Vec<Scene> {
        let (low, high, step) = LEVELS_CM;
        let mut all = match self {
            Scene::River { level_cm } => {
                let mut levels: Vec<u16> = (low..=high).step_by(usize::from(step)).collect();
                // The water comes from where it is; that it rises is what people watch for.
                levels.sort_by_key(|level| (*level < level_cm, level.abs_diff(level_cm)));
                levels.into_iter().map(|level_cm| Scene::River { level_cm }).collect()
            }
            Scene::Yard { .. } => vec![Scene::Yard { smoke: false }, Scene::Yard { smoke: true }],
            _ => vec![self],
        };
        all.push(Scene::Covered);
        all
    }
}

/// Width and height of a picture, in pixels, its rate and its bit rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Pixels; a multiple of 16.
    pub width: u32,
    /// Pixels; even.
    pub height: u32,
    /// Pictures a second; a divisor of the RTP clock, 90,000.
    pub fps: u32,
    /// Upper bound of the bit rate, kbit/s.
    pub kilobits: u32,
}

impl Size {
    /// Main profile.
    pub const MAIN: Size = Size { width: 1280, height: 720, fps: 15, kilobits: 2_000 };
    /// Sub profile.
    pub const SUB: Size = Size { width: 640, height: 360, fps: 15, kilobits: 600 };
    /// What a camera changes to that changes its parameter sets in mid-stream.
    pub const CHANGED: Size = Size { width: 480, height: 272, fps: 15, kilobits: 400 };
    /// Sub profile of load tests: CIF.
    pub const LOAD_SUB: Size = Size { width: 352, height: 288, fps: 15, kilobits: 260 };
    /// The pictures a second that [`Size::load_sub`] takes: divisors of the RTP clock.
    pub const LOAD_RATES: [u32; 11] = [1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 15];
    /// Main profile of load tests: full HD.
    pub const LOAD_MAIN: Size = Size { width: 1920, height: 1080, fps: 25, kilobits: 4_000 };

    /// [`Size::LOAD_SUB`] with other pictures a second, thin in bits as well: twice as many a picture at most.
    pub fn load_sub(fps: u32) -> Size {
        let (usual, kilobits) = (Size::LOAD_SUB, Size::LOAD_SUB.kilobits);
        Size { fps, kilobits: (2 * kilobits * fps).div_ceil(usual.fps).min(kilobits), ..usual }
    }
}

/// Everything that decides how a loop looks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClipKey {
    /// What is seen.
    pub scene: Scene,
    /// Camera id, burnt in; also varies the scene from camera to camera.
    pub id: Arc<str>,
    /// Camera name, burnt in.
    pub name: Arc<str>,
    /// Picture size.
    pub size: Size,
    /// Seconds from key frame to key frame.
    pub gop_s: u32,
}

impl ClipKey {
    /// A clip that all cameras of a load test share: a key frame each second, of thin streams each other second, or
    /// nearly all their pictures would be large ones.
    pub fn load(size: Size) -> ClipKey {
        let gop_s = if size.fps < 5 { 2 } else { 1 };
        ClipKey { scene: Scene::Pattern, id: "load".into(), name: "load".into(), size, gop_s }
    }

    /// Length of the loop; an even number of GOPs, because neighbouring IDR pictures alternate their `idr_pic_id`.
    fn loop_s(&self) -> u32 {
        match self.size {
            // Made while the first viewer waits.
            Size::LOAD_MAIN => 2,
            _ if self.gop_s == 1 => PERIOD_S,
            _ => 2 * PERIOD_S,
        }
    }

    /// Seconds after which every motion is where it began.
    fn motion_s(&self) -> u32 {
        self.loop_s().min(PERIOD_S)
    }

    fn seed(&self) -> u32 {
        self.id.bytes().fold(2_166_136_261, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn river_levels_round_to_drawn_ones() {
        assert_eq!(Scene::river(3.04), Scene::River { level_cm: 300 });
        assert_eq!(Scene::river(3.06), Scene::River { level_cm: 310 });
        assert_eq!(Scene::river(0.2), Scene::River { level_cm: 250 });
        assert_eq!(Scene::river(9.0), Scene::River { level_cm: 500 });
        assert_eq!(Scene::river(f64::NAN), Scene::River { level_cm: 250 });
    }
}
