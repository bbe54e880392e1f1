//! A sheet of 640x360 units on which scenes are drawn with soft edges, whatever the picture's real size.

use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, LinearGradient, Paint, Path, PathBuilder, Pixmap, Point, Shader,
    SpreadMode, Stroke, Transform,
};

/// Width of the sheet, in its own units.
pub const WIDTH: f32 = 640.0;
/// Height of the sheet, in its own units.
pub const HEIGHT: f32 = 360.0;

/// An opaque colour.
pub fn rgb(red: u8, green: u8, blue: u8) -> Color {
    Color::from_rgba8(red, green, blue, 255)
}

/// A colour that lets something through (`alpha` 0 to 1).
pub fn veil(color: Color, alpha: f32) -> Color {
    let mut color = color;
    color.set_alpha(alpha.clamp(0.0, 1.0));
    color
}

/// `a` at 0, `b` at 1.
pub fn mix(a: Color, b: Color, share: f32) -> Color {
    let t = share.clamp(0.0, 1.0);
    let blend = |from: f32, to: f32| (from + (to - from) * t).clamp(0.0, 1.0);
    Color::from_rgba(
        blend(a.red(), b.red()),
        blend(a.green(), b.green()),
        blend(a.blue(), b.blue()),
        blend(a.alpha(), b.alpha()),
    )
    .unwrap_or(a)
}

/// The sheet.
#[derive(Clone)]
pub struct Canvas {
    pixmap: Pixmap,
    scale: (f32, f32),
}

impl Canvas {
    /// An empty sheet shown on `width` x `height` pixels.
    pub fn new(width: u32, height: u32) -> Canvas {
        let pixmap = Pixmap::new(width, height).expect("picture sizes are constants above zero");
        Canvas { pixmap, scale: (width as f32 / WIDTH, height as f32 / HEIGHT) }
    }

    /// Pixels, RGBA, opaque once the sheet is filled.
    pub fn pixels(&self) -> &[u8] {
        self.pixmap.data()
    }

    /// Pixels and the width of a row.
    pub fn pixels_mut(&mut self) -> (&mut [u8], u32) {
        let width = self.pixmap.width();
        (self.pixmap.data_mut(), width)
    }

    /// Pixels a unit, across and down.
    pub fn scale(&self) -> (f32, f32) {
        self.scale
    }

    /// Makes this sheet look like another of the same size.
    pub fn copy_from(&mut self, other: &Canvas) {
        self.pixmap.data_mut().copy_from_slice(other.pixmap.data());
    }

    /// Fills a path built by `build`.
    pub fn shape(&mut self, color: Color, build: impl FnOnce(&mut PathBuilder)) {
        let mut builder = PathBuilder::new();
        build(&mut builder);
        self.fill(builder.finish(), Shader::SolidColor(color));
    }

    /// A rectangle.
    pub fn rect(&mut self, x: f32, y: f32, width: f32, height: f32, color: Color) {
        self.poly(&[(x, y), (x + width, y), (x + width, y + height), (x, y + height)], color);
    }

    /// A rectangle that changes its colour from top to bottom.
    pub fn gradient(&mut self, x: f32, y: f32, width: f32, height: f32, top: Color, bottom: Color) {
        let shader = LinearGradient::new(
            Point::from_xy(0.0, y),
            Point::from_xy(0.0, y + height),
            vec![GradientStop::new(0.0, top), GradientStop::new(1.0, bottom)],
            SpreadMode::Pad,
            Transform::identity(),
        );
        let path = tiny_skia::Rect::from_xywh(x, y, width, height).map(PathBuilder::from_rect);
        self.fill(path, shader.unwrap_or(Shader::SolidColor(top)));
    }

    /// A closed polygon.
    pub fn poly(&mut self, points: &[(f32, f32)], color: Color) {
        self.shape(color, |path| {
            for (index, &(x, y)) in points.iter().enumerate() {
                if index == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
            }
            path.close();
        });
    }

    /// An ellipse around (`x`, `y`).
    pub fn ellipse(&mut self, x: f32, y: f32, rx: f32, ry: f32, color: Color) {
        let oval = tiny_skia::Rect::from_ltrb(x - rx, y - ry, x + rx, y + ry);
        self.fill(oval.and_then(PathBuilder::from_oval), Shader::SolidColor(color));
    }

    /// A disc.
    pub fn disc(&mut self, x: f32, y: f32, radius: f32, color: Color) {
        self.ellipse(x, y, radius, radius, color);
    }

    /// A rectangle with round corners.
    pub fn round_rect(&mut self, x: f32, y: f32, width: f32, height: f32, radius: f32, color: Color) {
        let r = radius.min(width / 2.0).min(height / 2.0);
        let (right, bottom) = (x + width, y + height);
        self.shape(color, |path| {
            path.move_to(x + r, y);
            path.line_to(right - r, y);
            path.quad_to(right, y, right, y + r);
            path.line_to(right, bottom - r);
            path.quad_to(right, bottom, right - r, bottom);
            path.line_to(x + r, bottom);
            path.quad_to(x, bottom, x, bottom - r);
            path.line_to(x, y + r);
            path.quad_to(x, y, x + r, y);
            path.close();
        });
    }

    /// A line with round ends through all points.
    pub fn line(&mut self, points: &[(f32, f32)], width: f32, color: Color) {
        self.curve(width, color, |path| {
            for (index, &(x, y)) in points.iter().enumerate() {
                if index == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
            }
        });
    }

    /// Strokes a path built by `build`.
    pub fn curve(&mut self, width: f32, color: Color, build: impl FnOnce(&mut PathBuilder)) {
        let mut builder = PathBuilder::new();
        build(&mut builder);
        let Some(path) = builder.finish() else { return };
        let stroke = Stroke { width, line_cap: LineCap::Round, ..Stroke::default() };
        let paint = paint(Shader::SolidColor(color));
        self.pixmap.stroke_path(&path, &paint, &stroke, Transform::from_scale(self.scale.0, self.scale.1), None);
    }

    /// A line of text whose baseline begins at (`x`, `y`).
    pub fn text(&mut self, text: &str, x: f32, y: f32, size: f32, color: Color) {
        let (sx, sy) = self.scale;
        super::text::draw(&mut self.pixmap, text, x * sx, y * sy, size * sy, color);
    }

    /// A line of text centred on `x`.
    pub fn text_centred(&mut self, text: &str, x: f32, y: f32, size: f32, color: Color) {
        let width = super::text::width(text, size);
        self.text(text, x - width / 2.0, y, size, color);
    }

    fn fill(&mut self, path: Option<Path>, shader: Shader<'_>) {
        let Some(path) = path else { return };
        let transform = Transform::from_scale(self.scale.0, self.scale.1);
        self.pixmap.fill_path(&path, &paint(shader), FillRule::Winding, transform, None);
    }
}

fn paint(shader: Shader<'_>) -> Paint<'_> {
    Paint { shader, anti_alias: true, ..Paint::default() }
}

/// Repeatable scatter: the same numbers for the same seed.
#[derive(Clone, Debug)]
pub struct Dice(u32);

impl Dice {
    /// Dice that fall the same way for the same seed.
    pub fn new(seed: u32) -> Dice {
        Dice(seed | 1)
    }

    /// From 0 (with) to 1 (without).
    pub fn roll(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        (self.0 >> 8) as f32 / (1u32 << 24) as f32
    }

    /// From `low` to `high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.roll()
    }

    /// One of `choices`.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[((self.roll() * choices.len() as f32) as usize).min(choices.len() - 1)]
    }
}
