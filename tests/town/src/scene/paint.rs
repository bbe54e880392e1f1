//! Puts a scene's still and moving parts, its name and its clock band together, frame by frame.

use std::f32::consts::TAU;

use super::canvas::{Canvas, HEIGHT, WIDTH, rgb, veil};
use super::{BAND, ClipKey, Scene, lively, river, street, text, yard};

/// Colour of the band behind the clock.
pub const BAND_COLOR: (u8, u8, u8) = (18, 22, 26);

/// Draws the frames of one loop.
pub struct Painter {
    scene: Scene,
    seed: u32,
    /// Frames after which every motion is where it began.
    period: u32,
    backdrop: Canvas,
    canvas: Canvas,
    captions: Vec<Caption>,
}

struct Caption {
    mask: text::Mask,
    ink: u8,
}

impl Painter {
    /// Draws what does not move.
    pub fn new(key: &ClipKey) -> Painter {
        let mut backdrop = Canvas::new(key.size.width, key.size.height);
        let seed = key.seed();
        match key.scene {
            Scene::River { level_cm } => river::backdrop(&mut backdrop, level_cm, seed),
            Scene::Street => street::backdrop(&mut backdrop, seed),
            Scene::SchoolGate => lively::school_backdrop(&mut backdrop, &key.name, seed),
            Scene::Yard { smoke } => yard::backdrop(&mut backdrop, smoke, seed),
            Scene::Park => lively::park_backdrop(&mut backdrop, seed),
            Scene::Lane => lively::lane_backdrop(&mut backdrop, seed),
            Scene::Covered => {
                backdrop.gradient(0.0, 0.0, WIDTH, HEIGHT, rgb(13, 11, 11), rgb(19, 15, 13));
            }
            Scene::Pattern => backdrop.gradient(0.0, 0.0, WIDTH, HEIGHT, rgb(40, 70, 110), rgb(150, 160, 130)),
        }
        let captions = if key.scene == Scene::Pattern { Vec::new() } else { captions(key, &backdrop) };
        let period = key.motion_s() * key.size.fps;
        Painter { scene: key.scene, seed, period, canvas: backdrop.clone(), backdrop, captions }
    }

    /// Frame `number` as RGBA rows.
    pub fn frame(&mut self, number: u32) -> &[u8] {
        let t = (number % self.period) as f32 / self.period as f32;
        let canvas = &mut self.canvas;
        canvas.copy_from(&self.backdrop);
        match self.scene {
            Scene::River { level_cm } => river::motion(canvas, level_cm, self.seed, t),
            Scene::Street => street::motion(canvas, self.seed, t),
            Scene::SchoolGate => lively::school_motion(canvas, self.seed, t),
            Scene::Yard { smoke } => yard::motion(canvas, smoke, self.seed, t),
            Scene::Park => lively::park_motion(canvas, self.seed, t),
            Scene::Lane => lively::lane_motion(canvas, self.seed, t),
            Scene::Covered => {}
            Scene::Pattern => pattern(canvas, t),
        }
        if self.scene != Scene::Pattern {
            band(canvas);
        }
        for caption in &self.captions {
            let (pixels, _) = canvas.pixels_mut();
            caption.mask.paint(pixels, caption.ink);
        }
        canvas.pixels()
    }
}

/// The place of the clock, whose slices are exchanged later (see `rtsp::overlay`).
fn band(canvas: &mut Canvas) {
    let (red, green, blue) = BAND_COLOR;
    canvas.rect(0.0, 0.0, WIDTH, BAND, rgb(red, green, blue));
}

/// Camera id and name below, and that all this is made up.
fn captions(key: &ClipKey, canvas: &Canvas) -> Vec<Caption> {
    let (sx, sy) = canvas.scale();
    let (width, height) = (key.size.width, key.size.height);
    let name = if text::has_chinese() { format!("{}  {}", key.id, key.name) } else { key.id.to_string() };
    let notice = if text::has_chinese() { "SIMULATED 虚构" } else { "SIMULATED" };
    let mut captions = Vec::new();
    let mut write = |line: &str, x: f32, y: f32, size: f32| {
        let edge = (size * sy / 14.0).max(1.0);
        for (dx, dy) in [(-edge, 0.0), (edge, 0.0), (0.0, -edge), (0.0, edge), (edge, edge)] {
            captions.push(Caption {
                mask: text::Mask::new(line, x * sx + dx, y * sy + dy, size * sy, width, height),
                ink: 8,
            });
        }
        captions.push(Caption { mask: text::Mask::new(line, x * sx, y * sy, size * sy, width, height), ink: 250 });
    };
    write(&name, 12.0, HEIGHT - 12.0, 18.0);
    write(notice, WIDTH - 12.0 - text::width(notice, 11.0), HEIGHT - 12.0, 11.0);
    captions
}

/// Enough motion to fill the load test's bit rate.
fn pattern(canvas: &mut Canvas, t: f32) {
    for number in 0..24 {
        let phase = number as f32 / 24.0;
        let angle = TAU * (t + phase);
        let x = WIDTH / 2.0 + (WIDTH * 0.42) * (angle * (1.0 + (number % 3) as f32)).sin();
        let y = HEIGHT / 2.0 + (HEIGHT * 0.4) * (angle * (1.0 + (number % 2) as f32) + phase * 9.0).cos();
        let shade = rgb(60 + number * 8, 230 - number * 7, 40 + (number % 5) * 40);
        canvas.disc(x, y, 16.0 + (number % 4) as f32 * 9.0, veil(shade, 0.85));
    }
}
