//! Letters: a CJK font of the system where there is one, a Latin one otherwise, none at worst.

use std::sync::OnceLock;

use ab_glyph::{Font as _, FontVec, PxScale, ScaleFont as _};
use tiny_skia::{Color, Pixmap};

/// Font files that Debian's packages install, best first, with the face to take (2 is Simplified Chinese in Noto's collections).
const FACES: [(&str, u32); 6] = [
    ("/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc", 2),
    ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", 2),
    ("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc", 0),
    ("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc", 0),
    ("/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf", 0),
    ("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", 0),
];

fn font() -> Option<&'static FontVec> {
    static FONT: OnceLock<Option<FontVec>> = OnceLock::new();
    FONT.get_or_init(|| {
        FACES.iter().find_map(|(path, face)| FontVec::try_from_vec_and_index(std::fs::read(path).ok()?, *face).ok())
    })
    .as_ref()
}

/// Whether a font with Chinese characters was found.
pub fn has_chinese() -> bool {
    font().is_some_and(|font| font.glyph_id('中').0 != 0)
}

/// Width of a line of text, in pixels.
pub fn width(text: &str, size: f32) -> f32 {
    let Some(font) = font() else { return 0.0 };
    let font = font.as_scaled(PxScale::from(size));
    text.chars().map(|letter| font.h_advance(font.glyph_id(letter))).sum()
}

/// A line of text as the pixels it touches: drawn once, painted on every frame.
pub struct Mask(Vec<(usize, u8)>);

impl Mask {
    /// A line whose baseline begins at (`x`, `y`) on a picture of `width` x `height` pixels.
    pub fn new(text: &str, x: f32, y: f32, size: f32, width: u32, height: u32) -> Mask {
        let mut touched = Vec::new();
        let Some(font) = font() else { return Mask(touched) };
        let scaled = font.as_scaled(PxScale::from(size));
        let mut pen = x;
        for letter in text.chars() {
            let id = font.glyph_id(letter);
            let glyph = id.with_scale_and_position(PxScale::from(size), ab_glyph::point(pen, y));
            pen += scaled.h_advance(id);
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            outline.draw(|dx, dy, coverage| {
                let (px, py) = (corner.x as i32 + dx as i32, corner.y as i32 + dy as i32);
                let inside = px >= 0 && py >= 0 && px < width as i32 && py < height as i32;
                let coverage = (coverage * 255.0).clamp(0.0, 255.0) as u8;
                if inside && coverage > 0 {
                    touched.push(((py as usize * width as usize + px as usize) * 4, coverage));
                }
            });
        }
        Mask(touched)
    }

    /// Paints it in a shade of grey.
    pub fn paint(&self, pixels: &mut [u8], ink: u8) {
        self.paint_color(pixels, [ink; 3], 1.0);
    }

    fn paint_color(&self, pixels: &mut [u8], ink: [u8; 3], alpha: f32) {
        let alpha = (alpha * 256.0) as i32;
        for &(at, coverage) in &self.0 {
            let share = i32::from(coverage) * alpha / 256;
            for (pixel, ink) in pixels[at..at + 3].iter_mut().zip(ink) {
                let under = i32::from(*pixel);
                *pixel = (under + (i32::from(ink) - under) * share / 255) as u8;
            }
        }
    }
}

/// Draws a line whose baseline begins at (`x`, `y`), in pixels of the pixmap.
pub fn draw(pixmap: &mut Pixmap, text: &str, x: f32, y: f32, size: f32, color: Color) {
    let mask = Mask::new(text, x, y, size, pixmap.width(), pixmap.height());
    let ink = color.to_color_u8();
    mask.paint_color(pixmap.data_mut(), [ink.red(), ink.green(), ink.blue()], color.alpha());
}
