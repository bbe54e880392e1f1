//! School gate, park and lane, and the figures that several scenes share: people, trees, houses, hills.

use std::f32::consts::TAU;

use tiny_skia::Color;

use super::BAND;
use super::canvas::{Canvas, Dice, HEIGHT, WIDTH, mix, rgb, veil};

/// A person on foot whose soles stand at (`x`, `y`); `looks` (0 to 1) chooses the clothes, `pace` moves the legs.
pub fn person(canvas: &mut Canvas, x: f32, y: f32, height: f32, looks: f32, pace: f32) {
    let coats = [
        rgb(196, 62, 54),
        rgb(52, 92, 156),
        rgb(236, 236, 230),
        rgb(64, 68, 76),
        rgb(232, 184, 60),
        rgb(74, 136, 96),
        rgb(206, 120, 150),
        rgb(120, 92, 140),
    ];
    let coat = coats[((looks * 8.0) as usize).min(7)];
    let trousers = if ((looks * 32.0) as u32).is_multiple_of(2) { rgb(44, 48, 60) } else { rgb(92, 96, 108) };
    let h = height;
    let swing = (TAU * pace).sin() * 0.11 * h;
    canvas.ellipse(x, y, 0.2 * h, 0.035 * h, veil(rgb(16, 18, 20), 0.35));
    canvas.line(&[(x, y - 0.46 * h), (x + swing, y)], 0.09 * h, trousers);
    canvas.line(&[(x, y - 0.46 * h), (x - swing, y)], 0.09 * h, mix(trousers, rgb(0, 0, 0), 0.25));
    canvas.line(
        &[(x, y - 0.76 * h), (x - swing * 0.9 - 0.04 * h, y - 0.46 * h)],
        0.07 * h,
        mix(coat, rgb(0, 0, 0), 0.25),
    );
    canvas.round_rect(x - 0.12 * h, y - 0.82 * h, 0.24 * h, 0.4 * h, 0.07 * h, coat);
    canvas.line(
        &[(x, y - 0.76 * h), (x + swing * 0.9 + 0.04 * h, y - 0.46 * h)],
        0.07 * h,
        mix(coat, rgb(255, 255, 255), 0.12),
    );
    canvas.disc(x, y - 0.9 * h, 0.09 * h, rgb(228, 188, 158));
    canvas.ellipse(x, y - 0.945 * h, 0.095 * h, 0.06 * h, rgb(34, 30, 30));
}

/// A broad-leaved tree whose foot stands at (`x`, `y`).
pub fn tree(canvas: &mut Canvas, x: f32, y: f32, size: f32, leaves: Color) {
    canvas.ellipse(x, y, size * 0.5, size * 0.08, veil(rgb(20, 28, 18), 0.3));
    canvas.line(&[(x, y), (x, y - size)], size * 0.13, rgb(104, 82, 62));
    let dark = mix(leaves, rgb(18, 36, 22), 0.35);
    let light = mix(leaves, rgb(206, 222, 140), 0.3);
    for (dx, dy, r, color) in [
        (-0.38, -1.05, 0.42, dark),
        (0.4, -1.0, 0.42, dark),
        (0.0, -1.0, 0.46, leaves),
        (-0.22, -1.38, 0.4, leaves),
        (0.26, -1.36, 0.38, leaves),
        (0.02, -1.62, 0.32, light),
        (-0.3, -1.3, 0.18, light),
    ] {
        canvas.disc(x + dx * size, y + dy * size, r * size, color);
    }
}

/// A small white house with a dark tiled roof; (`x`, `y`) is its lower left corner.
pub fn house(canvas: &mut Canvas, x: f32, y: f32, width: f32, height: f32) {
    canvas.rect(x, y - height, width, height, rgb(236, 234, 226));
    canvas.rect(x + width * 0.72, y - height, width * 0.28, height, rgb(206, 204, 198));
    canvas.poly(
        &[
            (x - 3.0, y - height),
            (x + width * 0.16, y - height * 1.5),
            (x + width * 0.84, y - height * 1.5),
            (x + width + 3.0, y - height),
        ],
        rgb(72, 76, 84),
    );
    for pane in 0..2 {
        canvas.rect(
            x + width * (0.16 + 0.3 * pane as f32),
            y - height * 0.7,
            width * 0.16,
            height * 0.34,
            rgb(84, 100, 112),
        );
    }
}

/// A soft line of hills whose feet stand at `y`.
pub fn hills(canvas: &mut Canvas, y: f32, height: f32, color: Color, seed: u32) {
    let shift = (seed % 97) as f32;
    canvas.shape(color, |path| {
        path.move_to(0.0, y + 40.0);
        for step in 0..=40 {
            let x = step as f32 * 16.0;
            let wave = ((x + shift * 9.0) * 0.011).sin() + 0.5 * ((x + shift * 31.0) * 0.027).sin();
            path.line_to(x, y - height * (0.5 + 0.34 * wave));
        }
        path.line_to(WIDTH, y + 40.0);
        path.close();
    });
}

/// A school behind its gate, which carries its name.
pub fn school_backdrop(canvas: &mut Canvas, name: &str, seed: u32) {
    let mut dice = Dice::new(seed);
    canvas.gradient(0.0, BAND, WIDTH, 120.0, rgb(132, 178, 214), rgb(230, 236, 236));
    for number in 0..9 {
        tree(
            canvas,
            number as f32 * 80.0 + dice.between(-20.0, 20.0),
            186.0,
            dice.between(40.0, 58.0),
            rgb(82, 130, 74),
        );
    }
    // The teaching block.
    canvas.gradient(96.0, 62.0, 448.0, 128.0, rgb(240, 226, 204), rgb(222, 204, 178));
    canvas.rect(88.0, 55.0, 464.0, 9.0, rgb(176, 84, 62));
    for floor in 0..3 {
        let y = 74.0 + floor as f32 * 38.0;
        canvas.rect(96.0, y + 28.0, 448.0, 4.0, rgb(202, 178, 150));
        for pane in 0..14 {
            let x = 104.0 + pane as f32 * 31.4;
            canvas.rect(x, y, 23.0, 22.0, mix(rgb(92, 128, 152), rgb(164, 196, 210), dice.roll()));
            canvas.line(&[(x + 11.5, y), (x + 11.5, y + 22.0)], 1.2, rgb(244, 244, 240));
        }
    }
    canvas.rect(270.0, 50.0, 100.0, 140.0, rgb(190, 92, 68));
    canvas.disc(320.0, 84.0, 17.0, rgb(250, 250, 246));
    canvas.line(&[(320.0, 84.0), (320.0, 73.0)], 2.0, rgb(40, 40, 44));
    canvas.line(&[(320.0, 84.0), (328.0, 88.0)], 2.0, rgb(40, 40, 44));
    // Forecourt, road, crossing.
    canvas.gradient(0.0, 186.0, WIDTH, 110.0, rgb(196, 188, 176), rgb(178, 172, 164));
    canvas.gradient(0.0, 292.0, WIDTH, HEIGHT - 292.0, rgb(88, 91, 96), rgb(72, 75, 80));
    canvas.rect(0.0, 288.0, WIDTH, 5.0, rgb(222, 218, 208));
    for bar in 0..9 {
        let x = 222.0 + bar as f32 * 24.0;
        canvas.poly(
            &[
                (x, 296.0),
                (x + 13.0, 296.0),
                (x + 17.0 + (bar as f32 - 4.0) * 5.0, HEIGHT),
                (x + (bar as f32 - 4.0) * 5.0, HEIGHT),
            ],
            rgb(226, 228, 226),
        );
    }
    // Wall, pillars, board.
    for (x, width) in [(0.0, 176.0), (464.0, 176.0)] {
        canvas.gradient(x, 176.0, width, 46.0, rgb(214, 206, 192), rgb(188, 178, 164));
        canvas.rect(x, 171.0, width, 7.0, rgb(168, 82, 62));
        for rail in 0..(width / 9.0) as u32 {
            canvas.line(
                &[(x + 5.0 + rail as f32 * 9.0, 152.0), (x + 5.0 + rail as f32 * 9.0, 171.0)],
                1.6,
                rgb(62, 70, 78),
            );
        }
    }
    for x in [164.0, 446.0] {
        canvas.gradient(x, 118.0, 30.0, 112.0, rgb(190, 96, 72), rgb(150, 70, 54));
        canvas.rect(x - 4.0, 112.0, 38.0, 8.0, rgb(232, 224, 208));
    }
    canvas.rect(176.0, 96.0, 288.0, 30.0, rgb(120, 36, 32));
    canvas.rect(179.0, 99.0, 282.0, 24.0, rgb(150, 44, 38));
    canvas.text_centred(&spaced(name), 320.0, 118.0, 21.0, rgb(250, 222, 140));
    // The sliding gate, half open.
    for bar in 0..9 {
        let x = 196.0 + bar as f32 * 9.0;
        canvas.line(&[(x, 192.0), (x + 8.0, 226.0)], 2.0, rgb(176, 184, 190));
        canvas.line(&[(x + 8.0, 192.0), (x, 226.0)], 2.0, rgb(206, 212, 216));
    }
    canvas.rect(194.0, 189.0, 84.0, 4.0, rgb(226, 190, 52));
    // The guard's box and parked electric bikes.
    canvas.rect(482.0, 170.0, 44.0, 62.0, rgb(236, 238, 238));
    canvas.rect(488.0, 178.0, 32.0, 24.0, rgb(104, 146, 170));
    canvas.rect(478.0, 164.0, 52.0, 8.0, rgb(52, 96, 150));
    for number in 0..7 {
        bike(canvas, 26.0 + number as f32 * 19.0, 262.0, dice.roll());
    }
}

/// The school's name out of its camera's, with room between the letters.
fn spaced(name: &str) -> String {
    let school = name.trim_end_matches("校门");
    let school = if name.ends_with("校门") && !school.is_empty() { school } else { "中心小学" };
    school.chars().map(String::from).collect::<Vec<_>>().join(" ")
}

fn bike(canvas: &mut Canvas, x: f32, y: f32, looks: f32) {
    let paint =
        [rgb(204, 52, 48), rgb(240, 240, 236), rgb(46, 108, 168), rgb(60, 62, 68)][((looks * 4.0) as usize).min(3)];
    for wheel in [-9.0, 9.0] {
        canvas.disc(x + wheel, y - 5.0, 5.4, rgb(28, 28, 30));
        canvas.disc(x + wheel, y - 5.0, 2.4, rgb(150, 152, 154));
    }
    canvas.line(&[(x - 9.0, y - 6.0), (x + 4.0, y - 7.0), (x + 8.0, y - 22.0)], 3.2, paint);
    canvas.round_rect(x - 10.0, y - 15.0, 13.0, 5.0, 2.0, rgb(40, 40, 44));
    canvas.line(&[(x + 4.0, y - 23.0), (x + 11.0, y - 22.0)], 1.8, rgb(40, 40, 44));
}

/// Parents and children at the gate.
pub fn school_motion(canvas: &mut Canvas, seed: u32, t: f32) {
    let mut dice = Dice::new(seed ^ 0xc401);
    let mut people = Vec::new();
    for number in 0..44 {
        let y = 226.0 + dice.roll() * dice.roll() * 78.0;
        let (home, phase, looks) = (dice.between(140.0, 560.0), dice.roll(), dice.roll());
        let child = number % 3 != 0;
        let walks = number % 2 == 0;
        let (x, pace) = if walks {
            let way = if number % 4 == 0 { 1.0 } else { -1.0 };
            ((home + way * (t + phase) * (WIDTH + 80.0)).rem_euclid(WIDTH + 80.0) - 40.0, t * 12.0 + phase)
        } else {
            (home + (TAU * (t + phase)).sin() * 5.0, 0.02 * (TAU * (2.0 * t + phase)).sin())
        };
        people.push((x, y, child, looks, pace));
    }
    people.sort_by(|a, b| a.1.total_cmp(&b.1));
    for (x, y, child, looks, pace) in people {
        let size = (y - 130.0) * 0.42;
        let height = if child { size * 0.72 } else { size };
        person(canvas, x, y, height, looks, pace);
        if child {
            // The yellow cap of small pupils, and a satchel.
            canvas.ellipse(x, y - 0.96 * height, 0.12 * height, 0.075 * height, rgb(252, 214, 52));
            canvas.round_rect(
                x - 0.17 * height,
                y - 0.76 * height,
                0.1 * height,
                0.26 * height,
                2.0,
                rgb(44, 112, 176),
            );
        }
    }
    // A warden with a vest waves the children across.
    let (x, y) = (424.0, 330.0);
    person(canvas, x, y, 84.0, 0.55, 0.0);
    canvas.round_rect(x - 10.5, y - 69.0, 21.0, 32.0, 4.0, rgb(206, 240, 50));
    canvas.rect(x - 10.5, y - 56.0, 21.0, 4.0, rgb(236, 238, 238));
    let wave = (TAU * 4.0 * t).sin() * 9.0;
    canvas.line(&[(x - 9.0, y - 62.0), (x - 24.0, y - 80.0 + wave)], 5.0, rgb(206, 240, 50));
    canvas.poly(
        &[(x - 26.0, y - 82.0 + wave), (x - 44.0, y - 96.0 + wave), (x - 28.0, y - 104.0 + wave)],
        rgb(220, 40, 36),
    );
}

/// Lawn, pond, pavilion.
pub fn park_backdrop(canvas: &mut Canvas, seed: u32) {
    let mut dice = Dice::new(seed);
    canvas.gradient(0.0, BAND, WIDTH, 120.0, rgb(126, 178, 218), rgb(232, 240, 238));
    hills(canvas, 130.0, 30.0, rgb(156, 184, 186), seed);
    for number in 0..22 {
        let x = number as f32 * 31.0 + dice.between(-10.0, 10.0);
        tree(canvas, x, 166.0, dice.between(24.0, 40.0), mix(rgb(66, 122, 68), rgb(120, 158, 74), dice.roll()));
    }
    canvas.gradient(0.0, 160.0, WIDTH, HEIGHT - 160.0, rgb(136, 178, 96), rgb(96, 146, 72));
    // Pond with its reflection.
    canvas.ellipse(196.0, 226.0, 190.0, 40.0, rgb(178, 172, 158));
    canvas.ellipse(196.0, 226.0, 183.0, 36.0, rgb(112, 158, 170));
    canvas.ellipse(196.0, 216.0, 150.0, 18.0, veil(rgb(84, 124, 104), 0.5));
    pavilion(canvas, 168.0, 204.0);
    // The path.
    canvas.shape(rgb(216, 204, 180), |path| {
        path.move_to(WIDTH, 212.0);
        path.cubic_to(500.0, 224.0, 470.0, 250.0, 430.0, 288.0);
        path.cubic_to(400.0, 322.0, 250.0, 318.0, 90.0, HEIGHT);
        path.line_to(420.0, HEIGHT);
        path.cubic_to(560.0, 320.0, 520.0, 262.0, WIDTH, 240.0);
        path.close();
    });
    for number in 0..26 {
        let (x, y) = (dice.between(380.0, 640.0), dice.between(180.0, 204.0));
        let petal = [rgb(236, 92, 112), rgb(250, 206, 70), rgb(240, 240, 244), rgb(186, 110, 196)][number % 4];
        canvas.disc(x, y, 2.6, petal);
    }
    for (x, y) in [(470.0, 246.0), (330.0, 298.0)] {
        canvas.rect(x, y, 44.0, 4.0, rgb(142, 98, 62));
        canvas.rect(x, y - 10.0, 44.0, 4.0, rgb(142, 98, 62));
        canvas.rect(x + 4.0, y - 10.0, 3.0, 22.0, rgb(70, 70, 72));
        canvas.rect(x + 37.0, y - 10.0, 3.0, 22.0, rgb(70, 70, 72));
    }
    tree(canvas, 572.0, 300.0, 96.0, rgb(78, 132, 70));
    tree(canvas, 30.0, 330.0, 104.0, rgb(70, 122, 64));
}

fn pavilion(canvas: &mut Canvas, x: f32, y: f32) {
    canvas.ellipse(x + 45.0, y + 3.0, 62.0, 8.0, rgb(196, 190, 178));
    for column in 0..4 {
        canvas.rect(x + column as f32 * 28.0, y - 48.0, 5.0, 50.0, rgb(168, 52, 42));
    }
    canvas.rect(x - 2.0, y - 12.0, 93.0, 3.0, rgb(150, 46, 38));
    canvas.shape(rgb(62, 84, 78), |path| {
        path.move_to(x - 26.0, y - 52.0);
        path.quad_to(x + 20.0, y - 56.0, x + 42.0, y - 88.0);
        path.line_to(x + 48.0, y - 88.0);
        path.quad_to(x + 70.0, y - 56.0, x + 116.0, y - 52.0);
        path.quad_to(x + 45.0, y - 42.0, x - 26.0, y - 52.0);
        path.close();
    });
    canvas.disc(x + 45.0, y - 91.0, 4.0, rgb(214, 168, 66));
}

/// Walkers, ripples, swans' wake of a paddle boat, leaves in the wind.
pub fn park_motion(canvas: &mut Canvas, seed: u32, t: f32) {
    let mut dice = Dice::new(seed ^ 0x9a4c);
    for _ in 0..16 {
        let (x, y, phase) = (dice.between(60.0, 320.0), dice.between(214.0, 252.0), dice.roll());
        let shine = 0.25 + 0.25 * (TAU * (2.0 * t + phase)).sin();
        canvas.line(&[(x, y), (x + 26.0, y)], 1.1, veil(rgb(232, 244, 246), shine));
    }
    let drift = (TAU * t).sin();
    let x = 240.0 + drift * 34.0;
    canvas.ellipse(x, 238.0, 17.0, 5.0, rgb(250, 250, 248));
    canvas.curve(3.4, rgb(250, 250, 248), |path| {
        path.move_to(x + 13.0, 237.0);
        path.quad_to(x + 22.0, 228.0, x + 15.0, 222.0);
    });
    canvas.disc(x + 15.0, 221.0, 3.0, rgb(250, 250, 248));
    canvas.line(&[(x + 17.0, 221.0), (x + 21.0, 222.0)], 1.8, rgb(236, 140, 40));
    for number in 0..7 {
        let share = (dice.roll() + if number % 2 == 0 { t } else { -t }).rem_euclid(1.0);
        let (x, y) = on_path(share);
        person(canvas, x, y, 30.0 + share * 52.0, dice.roll(), t * 10.0 + dice.roll());
    }
}

/// The middle of the park's path, from the trees (0) to the camera (1).
fn on_path(share: f32) -> (f32, f32) {
    let rest = 1.0 - share;
    let weights = [rest.powi(3), 3.0 * rest * rest * share, 3.0 * rest * share * share, share.powi(3)];
    let corners = [(650.0, 226.0), (500.0, 240.0), (500.0, 312.0), (250.0, 352.0)];
    weights.iter().zip(corners).fold((0.0, 0.0), |(x, y), (weight, (px, py))| (x + weight * px, y + weight * py))
}

/// A lane between white walls.
pub fn lane_backdrop(canvas: &mut Canvas, seed: u32) {
    let mut dice = Dice::new(seed);
    canvas.gradient(0.0, BAND, WIDTH, 130.0, rgb(140, 184, 216), rgb(236, 238, 232));
    hills(canvas, 124.0, 44.0, rgb(146, 176, 178), seed);
    hills(canvas, 148.0, 34.0, rgb(104, 146, 116), seed ^ 0x3c);
    canvas.gradient(0.0, 150.0, WIDTH, 60.0, rgb(168, 190, 104), rgb(136, 168, 84));
    for number in 0..7 {
        house(
            canvas,
            196.0 + number as f32 * 38.0 + dice.between(-6.0, 6.0),
            184.0,
            dice.between(24.0, 36.0),
            dice.between(16.0, 24.0),
        );
    }
    canvas.gradient(0.0, 182.0, WIDTH, HEIGHT - 182.0, rgb(126, 158, 84), rgb(108, 138, 74));
    // The paved lane.
    canvas.poly(&[(306.0, 182.0), (330.0, 182.0), (520.0, HEIGHT), (110.0, HEIGHT)], rgb(186, 178, 164));
    for row in 0..12 {
        let y = 186.0 + (row * row) as f32 * 1.25;
        let half = (y - 176.0) * 1.1;
        canvas.line(&[(318.0 - half, y), (318.0 + half, y)], 0.5 + row as f32 * 0.12, rgb(160, 152, 138));
    }
    gable(canvas, 1.0);
    gable(canvas, -1.0);
    tree(canvas, 206.0, 232.0, 46.0, rgb(96, 138, 74));
    tree(canvas, 438.0, 236.0, 50.0, rgb(88, 132, 70));
}

/// A near house front with the stepped wall of the region, on the right (1) or left (-1).
fn gable(canvas: &mut Canvas, side: f32) {
    let at = |x: f32| 320.0 + side * x;
    let quad = |canvas: &mut Canvas, points: [(f32, f32); 4], color| {
        canvas.poly(&points.map(|(x, y)| (at(x), y)), color);
    };
    quad(canvas, [(150.0, 118.0), (330.0, 66.0), (330.0, 360.0), (150.0, 246.0)], rgb(240, 238, 230));
    quad(canvas, [(150.0, 206.0), (330.0, 292.0), (330.0, 360.0), (150.0, 246.0)], rgb(204, 200, 190));
    for step in 0..3 {
        let x = 146.0 + step as f32 * 62.0;
        let y = 112.0 - step as f32 * 19.0;
        quad(canvas, [(x, y), (x + 66.0, y - 17.0), (x + 66.0, y - 4.0), (x, y + 10.0)], rgb(58, 62, 70));
    }
    quad(canvas, [(176.0, 176.0), (206.0, 184.0), (206.0, 281.0), (176.0, 262.0)], rgb(104, 66, 46));
    quad(canvas, [(180.0, 181.0), (190.0, 184.0), (190.0, 270.0), (180.0, 264.0)], rgb(128, 84, 58));
    for (x, y) in [(230.0, 150.0), (280.0, 142.0)] {
        quad(canvas, [(x, y), (x + 24.0, y - 4.0), (x + 24.0, y + 42.0), (x, y + 40.0)], rgb(74, 88, 98));
        quad(
            canvas,
            [(x + 11.0, y - 2.0), (x + 13.0, y - 2.0), (x + 13.0, y + 41.0), (x + 11.0, y + 41.0)],
            rgb(126, 92, 66),
        );
    }
    for x in [168.0, 214.0] {
        canvas.ellipse(at(x), 180.0, 6.5, 8.0, rgb(206, 42, 36));
        canvas.rect(at(x) - 3.0, 171.0, 6.0, 2.0, rgb(230, 180, 70));
        canvas.line(&[(at(x), 188.0), (at(x), 195.0)], 1.2, rgb(230, 180, 70));
    }
}

/// Walkers, a tricycle, hens, washing on a line.
pub fn lane_motion(canvas: &mut Canvas, seed: u32, t: f32) {
    let mut dice = Dice::new(seed ^ 0x1a4e);
    canvas.line(&[(160.0, 168.0), (226.0, 176.0)], 0.9, rgb(80, 80, 84));
    for number in 0..4 {
        let x = 168.0 + number as f32 * 14.0;
        let blow = (TAU * (2.0 * t + number as f32 * 0.2)).sin() * 2.4;
        let cloth = [rgb(222, 74, 70), rgb(244, 244, 240), rgb(70, 116, 176), rgb(240, 200, 90)][number];
        canvas.poly(&[(x, 170.0), (x + 10.0, 171.0), (x + 10.0 + blow, 190.0), (x + blow, 189.0)], cloth);
    }
    for number in 0..5 {
        let (home, phase) = (dice.between(250.0, 420.0), dice.roll());
        let x = home + (TAU * (t + phase)).sin() * 16.0;
        let y = 258.0 + dice.roll() * 54.0;
        let peck = ((TAU * (6.0 * t + phase)).sin() * 3.0).max(0.0);
        let feather = if number % 2 == 0 { rgb(190, 112, 52) } else { rgb(244, 240, 230) };
        canvas.ellipse(x, y - 5.0, 7.5, 5.0, feather);
        canvas.disc(x + 7.0, y - 10.0 + peck, 2.8, feather);
        canvas.disc(x + 7.0, y - 13.0 + peck, 1.3, rgb(214, 40, 36));
    }
    for number in 0..4 {
        let share = (dice.roll() + if number % 2 == 0 { t } else { -t }).rem_euclid(1.0);
        let y = 190.0 + share * share * 150.0;
        let x = 318.0 + (number as f32 - 1.5) * (y - 176.0) * 0.42;
        person(canvas, x, y, 16.0 + (y - 190.0) * 0.5, dice.roll(), t * 10.0 + dice.roll());
    }
}
