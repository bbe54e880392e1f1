//! A river below a bridge, with a staff gauge that shows the water level.

use std::f32::consts::TAU;

use tiny_skia::Color;

use super::BAND;
use super::canvas::{Canvas, Dice, HEIGHT, WIDTH, mix, rgb, veil};
use super::lively::{hills, house, tree};

const FAR_BANK_Y: f32 = 176.0;
const STAFF_X: f32 = 508.0;
/// Where 2.5 m and one metre more stand on the staff.
const STAFF_BASE_Y: f32 = 322.0;
const STAFF_METRE: f32 = 76.0;

struct Look {
    /// Metres above 2.5 m.
    rise: f32,
    /// Where the water meets the staff.
    staff_y: f32,
    /// Where it meets the far bank.
    far_y: f32,
    /// How bad the weather is, 0 to 1.
    gloom: f32,
}

fn look(level_cm: u16) -> Look {
    let rise = (f32::from(level_cm) - 250.0) / 100.0;
    Look {
        rise,
        staff_y: STAFF_BASE_Y - rise * STAFF_METRE,
        far_y: FAR_BANK_Y + 14.0 - rise * 5.0,
        gloom: ((rise - 0.6) / 1.2).clamp(0.0, 1.0),
    }
}

fn staff_y(metres: f32) -> f32 {
    STAFF_BASE_Y - (metres - 2.5) * STAFF_METRE
}

/// Sky, far bank, bridge, water, gauge.
pub fn backdrop(canvas: &mut Canvas, level_cm: u16, seed: u32) {
    let look = look(level_cm);
    let mut dice = Dice::new(seed);
    let sky_top = mix(rgb(120, 168, 205), rgb(92, 102, 112), look.gloom);
    let sky_low = mix(rgb(222, 232, 234), rgb(158, 164, 166), look.gloom);
    canvas.gradient(0.0, BAND, WIDTH, 130.0, sky_top, sky_low);
    hills(canvas, 128.0, 26.0, mix(rgb(150, 172, 186), sky_low, 0.25), seed);
    hills(canvas, 146.0, 22.0, mix(rgb(112, 142, 146), rgb(110, 118, 120), look.gloom), seed ^ 0x55);
    // The far bank: trees, houses, a stone wall.
    canvas.rect(0.0, 150.0, WIDTH, 30.0, rgb(96, 122, 88));
    for number in 0..26 {
        let x = number as f32 * 26.0 + dice.between(-8.0, 8.0);
        if dice.roll() < 0.42 {
            house(canvas, x, 164.0, dice.between(22.0, 34.0), dice.between(14.0, 22.0));
        } else {
            tree(canvas, x, 166.0, dice.between(10.0, 17.0), rgb(70, 104, 66));
        }
    }
    canvas.gradient(0.0, 162.0, WIDTH, 34.0, rgb(150, 146, 134), rgb(104, 102, 96));
    for row in 0..3 {
        canvas.line(&[(0.0, 170.0 + row as f32 * 8.0), (WIDTH, 170.0 + row as f32 * 8.0)], 0.6, rgb(120, 117, 108));
    }
    water(canvas, &look);
    bridge(canvas, &look);
    embankment(canvas, &look);
    gauge(canvas, &look);
    if look.gloom > 0.0 {
        canvas.rect(0.0, BAND, WIDTH, HEIGHT - BAND, veil(rgb(40, 46, 52), 0.16 * look.gloom));
    }
}

fn water_colors(look: &Look) -> (Color, Color) {
    let mud = (look.rise / 1.8).clamp(0.0, 1.0);
    (mix(rgb(150, 176, 178), rgb(160, 146, 118), mud), mix(rgb(52, 92, 100), rgb(104, 84, 56), mud))
}

fn water(canvas: &mut Canvas, look: &Look) {
    let (far, near) = water_colors(look);
    canvas.gradient(0.0, look.far_y, WIDTH, HEIGHT - look.far_y, far, near);
    // The far bank in the water.
    canvas.gradient(0.0, look.far_y, WIDTH, 26.0, veil(rgb(72, 84, 70), 0.55), veil(rgb(72, 84, 70), 0.0));
}

fn bridge(canvas: &mut Canvas, look: &Look) {
    let stone = rgb(188, 182, 168);
    let shade = rgb(128, 122, 112);
    let (deck_y, left, right) = (124.0, 96.0, 660.0);
    let spans = 4;
    let span = (right - left) / spans as f32;
    for number in 0..=spans {
        let x = left + number as f32 * span;
        canvas.gradient(x - 9.0, look.far_y, 18.0, 34.0, veil(shade, 0.55), veil(shade, 0.0));
    }
    let foot_y = look.far_y + 3.0;
    canvas.shape(stone, |path| {
        path.move_to(left - 70.0, deck_y + 14.0);
        path.line_to(left, deck_y);
        path.line_to(right, deck_y);
        path.line_to(right, foot_y);
        for number in (0..spans).rev() {
            let x = left + number as f32 * span;
            let (a, b) = (x + span - 9.0, x + 9.0);
            path.line_to(a, foot_y);
            path.line_to(a, foot_y.min(160.0));
            path.cubic_to(a - span * 0.12, deck_y + 5.0, b + span * 0.12, deck_y + 5.0, b, foot_y.min(160.0));
            path.line_to(b, foot_y);
        }
        path.line_to(left - 9.0, foot_y);
        path.line_to(left - 70.0, foot_y - 6.0);
        path.close();
    });
    for number in 0..=spans {
        let x = left + number as f32 * span;
        canvas.rect(x + 3.0, deck_y + 12.0, 6.0, foot_y - deck_y - 12.0, veil(shade, 0.5));
    }
    canvas.line(&[(left - 70.0, deck_y + 14.0), (left, deck_y), (right, deck_y)], 3.0, rgb(214, 208, 194));
    canvas.line(&[(left - 70.0, deck_y + 5.0), (left, deck_y - 9.0), (right, deck_y - 9.0)], 1.4, shade);
    let mut x = left - 66.0;
    while x < right {
        let y = if x < left { deck_y + 14.0 * (left - x) / 70.0 } else { deck_y };
        canvas.line(&[(x, y - 9.0), (x, y)], 1.0, shade);
        x += 9.0;
    }
}

/// A sloping bank on the near left, with the four warning levels painted on it.
fn embankment(canvas: &mut Canvas, look: &Look) {
    let edge = |rise: f32| ((150.0 - rise * 18.0, 198.0 - rise * 6.0), (300.0 - rise * 78.0, HEIGHT));
    let (far, near) = edge(look.rise);
    canvas.poly(&[(0.0, 176.0), (60.0, 178.0), far, near, (0.0, HEIGHT)], rgb(158, 154, 144));
    for (metres, color) in
        [(3.0, rgb(52, 112, 196)), (3.5, rgb(232, 200, 44)), (4.0, rgb(238, 134, 34)), (4.5, rgb(208, 40, 36))]
    {
        if metres - 2.5 > look.rise {
            let (far, near) = edge(metres - 2.5);
            canvas.line(&[far, near], 3.2, color);
        }
    }
    // Steps down to the water.
    for step in 0..16 {
        let share = step as f32 / 16.0;
        let y = 208.0 + share * share * 150.0;
        canvas.line(&[(8.0, y), (66.0 - share * 30.0, y)], 1.0 + share * 2.0, rgb(124, 120, 112));
    }
    canvas.line(&[far, near], 2.4, veil(rgb(236, 240, 236), 0.7));
    canvas.poly(&[(0.0, 176.0), (60.0, 178.0), (20.0, HEIGHT), (0.0, HEIGHT)], rgb(110, 128, 84));
    for post in 0..5 {
        let share = post as f32 / 4.0;
        let (x, y) = (60.0 - share * 34.0, 178.0 + share * 140.0);
        canvas.line(&[(x, y), (x, y - 16.0 - share * 26.0)], 2.0 + share * 2.0, rgb(226, 228, 226));
    }
    canvas.line(&[(60.0, 164.0), (26.0, 280.0)], 2.2, rgb(226, 228, 226));
}

/// The pier and the staff on it, down to the water.
fn gauge(canvas: &mut Canvas, look: &Look) {
    let (top, bottom) = (92.0, look.staff_y);
    canvas.gradient(STAFF_X - 46.0, top, 120.0, bottom - top, rgb(176, 172, 164), rgb(140, 136, 128));
    canvas.rect(STAFF_X + 58.0, top, 16.0, bottom - top, rgb(112, 108, 102));
    canvas.rect(STAFF_X - 52.0, top - 7.0, 132.0, 9.0, rgb(204, 200, 192));
    // Wet and green above the water.
    canvas.gradient(STAFF_X - 46.0, bottom - 15.0, 120.0, 15.0, veil(rgb(70, 76, 60), 0.0), veil(rgb(60, 68, 54), 0.6));
    // The recording hut.
    canvas.rect(STAFF_X - 2.0, top - 41.0, 62.0, 34.0, rgb(232, 232, 226));
    canvas.poly(
        &[(STAFF_X - 9.0, top - 41.0), (STAFF_X + 29.0, top - 56.0), (STAFF_X + 67.0, top - 41.0)],
        rgb(76, 104, 134),
    );
    canvas.rect(STAFF_X + 8.0, top - 32.0, 16.0, 25.0, rgb(92, 112, 128));
    canvas.rect(STAFF_X + 34.0, top - 31.0, 17.0, 13.0, rgb(150, 186, 204));
    canvas.line(&[(STAFF_X + 54.0, top - 46.0), (STAFF_X + 54.0, top - 57.0)], 1.4, rgb(90, 90, 92));

    let staff_width = 34.0;
    canvas.rect(STAFF_X - 2.0, top + 6.0, staff_width + 4.0, (bottom - top - 6.0).max(0.0), rgb(40, 42, 46));
    canvas.rect(STAFF_X, top + 8.0, staff_width, (bottom - top - 8.0).max(0.0), rgb(250, 250, 246));
    for tenth in 20..=55 {
        let metres = tenth as f32 / 10.0;
        let y = staff_y(metres);
        if y > bottom - 1.0 || y < top + 12.0 {
            continue;
        }
        let even_metre = (tenth / 10) % 2 == 0;
        let ink = if even_metre { rgb(28, 30, 34) } else { rgb(204, 30, 34) };
        let height = (STAFF_METRE / 20.0).min(bottom - y);
        if tenth % 5 == 0 {
            canvas.rect(STAFF_X, y, staff_width, height.min(2.2), ink);
        }
        canvas.rect(STAFF_X, y, if tenth % 2 == 0 { 11.0 } else { 7.0 }, height, ink);
        if tenth % 10 == 0 && y + 7.0 < bottom {
            canvas.text(&format!("{}", tenth / 10), STAFF_X + 15.0, y + 9.5, 24.0, ink);
        }
        if tenth % 10 == 5 && y + 3.0 < bottom {
            canvas.text(".5", STAFF_X + 15.0, y + 6.0, 15.0, ink);
        }
    }
    for (metres, color) in
        [(3.0, rgb(52, 112, 196)), (3.5, rgb(232, 200, 44)), (4.0, rgb(238, 134, 34)), (4.5, rgb(208, 40, 36))]
    {
        let y = staff_y(metres);
        if y < bottom - 2.0 {
            canvas.poly(&[(STAFF_X - 4.0, y), (STAFF_X - 18.0, y - 7.0), (STAFF_X - 18.0, y + 7.0)], color);
            canvas.rect(STAFF_X - 40.0, y - 2.0, 23.0, 4.0, color);
        }
    }
    // Reflection.
    let depth = (HEIGHT - bottom).min(70.0);
    if depth > 2.0 {
        canvas.gradient(
            STAFF_X - 46.0,
            bottom,
            120.0,
            depth,
            veil(rgb(104, 102, 94), 0.65),
            veil(rgb(104, 102, 94), 0.0),
        );
        canvas.gradient(
            STAFF_X,
            bottom,
            staff_width,
            depth * 0.7,
            veil(rgb(236, 236, 230), 0.42),
            veil(rgb(236, 236, 230), 0.0),
        );
    }
}

/// Waves, foam at the pier, traffic on the bridge, a boat, birds, rain.
pub fn motion(canvas: &mut Canvas, level_cm: u16, seed: u32, t: f32) {
    let look = look(level_cm);
    let (_, near) = water_colors(&look);
    let mut dice = Dice::new(seed ^ 0x9e37);
    for _ in 0..110 {
        let depth = dice.roll();
        let y = look.far_y + 6.0 + depth * depth * (HEIGHT - look.far_y - 10.0);
        let reach = 8.0 + 46.0 * depth * depth;
        let drift = (dice.roll() + t * if depth > 0.5 { 2.0 } else { 1.0 }).fract();
        let x = drift * (WIDTH + 160.0) - 80.0;
        let bob = (TAU * (2.0 * t + dice.roll())).sin() * (0.6 + depth);
        let on_bank = x < 300.0 - look.rise * 78.0 - (HEIGHT - y) * 0.92;
        let on_pier = (STAFF_X - 50.0 - reach..STAFF_X + 80.0).contains(&x) && y < look.staff_y + 3.0;
        if on_bank || on_pier {
            continue;
        }
        let light = dice.roll() < 0.5;
        let color = if light { veil(rgb(228, 238, 236), 0.30) } else { veil(mix(near, rgb(20, 30, 34), 0.5), 0.35) };
        canvas.curve(0.8 + depth * 1.5, color, |path| {
            path.move_to(x, y + bob);
            path.quad_to(x + reach / 2.0, y + bob - 1.5 - depth * 2.5, x + reach, y + bob);
        });
    }
    boat(canvas, &look, t);
    foam(canvas, &look, t);
    for number in 0..3 {
        let x = ((t + number as f32 / 3.0).fract()) * 760.0 - 60.0;
        let body = [rgb(196, 60, 52), rgb(236, 236, 232), rgb(56, 96, 150)][number];
        canvas.round_rect(x, 112.0, 20.0, 7.0, 2.0, body);
        canvas.round_rect(x + 4.0, 108.5, 11.0, 5.0, 2.0, rgb(60, 74, 86));
        canvas.disc(x + 4.5, 119.5, 2.0, rgb(24, 24, 26));
        canvas.disc(x + 15.5, 119.5, 2.0, rgb(24, 24, 26));
    }
    if look.gloom < 0.3 {
        birds(canvas, t);
    }
    if look.gloom > 0.35 {
        rain(canvas, seed, t, look.gloom);
    }
}

fn boat(canvas: &mut Canvas, look: &Look, t: f32) {
    let y = look.far_y + 46.0 + (TAU * 2.0 * t).sin() * 1.2;
    let x = 318.0 + (TAU * t).sin() * 3.0;
    canvas.ellipse(x + 34.0, y + 8.0, 40.0, 4.0, veil(rgb(20, 28, 30), 0.35));
    canvas.shape(rgb(92, 62, 42), |path| {
        path.move_to(x - 8.0, y - 5.0);
        path.quad_to(x + 34.0, y + 4.0, x + 78.0, y - 6.0);
        path.line_to(x + 66.0, y + 8.0);
        path.line_to(x + 6.0, y + 8.0);
        path.close();
    });
    canvas.shape(rgb(158, 132, 92), |path| {
        path.move_to(x + 18.0, y);
        path.quad_to(x + 34.0, y - 24.0, x + 52.0, y);
        path.close();
    });
    canvas.line(&[(x + 64.0, y - 4.0), (x + 64.0, y - 20.0)], 1.4, rgb(70, 52, 40));
}

fn foam(canvas: &mut Canvas, look: &Look, t: f32) {
    for number in 0..11 {
        let phase = number as f32 / 11.0;
        let x = STAFF_X - 50.0 + phase * 128.0;
        let size = 3.0 + 1.6 * (TAU * (2.0 * t + phase * 3.0)).sin();
        canvas.ellipse(x, look.staff_y + 1.0, 7.0, size * 0.5, veil(rgb(240, 246, 244), 0.55));
    }
}

fn birds(canvas: &mut Canvas, t: f32) {
    for number in 0..4 {
        let x = (t + 0.08 * number as f32).fract() * 760.0 - 60.0;
        let y = 62.0 + number as f32 * 7.0 + (TAU * (t + number as f32 * 0.2)).sin() * 6.0;
        let wing = (TAU * (12.0 * t + number as f32 * 0.3)).sin() * 3.0;
        canvas.curve(1.3, rgb(66, 76, 86), |path| {
            path.move_to(x - 6.0, y - wing);
            path.quad_to(x - 2.0, y - 1.0, x, y);
            path.quad_to(x + 2.0, y - 1.0, x + 6.0, y - wing);
        });
    }
}

fn rain(canvas: &mut Canvas, seed: u32, t: f32, gloom: f32) {
    let mut dice = Dice::new(seed ^ 0x7a17);
    for _ in 0..(90.0 * gloom) as u32 {
        let fall = (dice.roll() + t * 14.0).fract();
        let x = dice.roll() * (WIDTH + 60.0) - fall * 40.0;
        let y = BAND + fall * (HEIGHT - BAND);
        canvas.line(&[(x, y), (x - 3.0, y + 13.0)], 0.9, veil(rgb(222, 230, 236), 0.38));
    }
}
