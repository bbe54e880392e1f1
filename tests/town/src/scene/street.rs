//! A street with traffic in both directions, seen from a lamp post.

use tiny_skia::Color;

use super::BAND;
use super::canvas::{Canvas, Dice, HEIGHT, WIDTH, mix, rgb, veil};
use super::lively::{person, tree};

const VANISH: (f32, f32) = (322.0, 108.0);
/// Lines below the horizon at distance 1.
const NEAR_Y: f32 = 262.0;

/// Where a point `across` units right of the middle and `distance` away stands in the picture, and its scale.
fn ground(across: f32, distance: f32) -> (f32, f32, f32) {
    (VANISH.0 + across / distance, VANISH.1 + NEAR_Y / distance, 1.0 / distance)
}

/// Houses, pavement, trees, lane marks.
pub fn backdrop(canvas: &mut Canvas, seed: u32) {
    let mut dice = Dice::new(seed);
    let evening = dice.roll();
    let sky = mix(rgb(126, 172, 212), rgb(196, 178, 176), evening * 0.7);
    canvas.gradient(0.0, BAND, WIDTH, 90.0, sky, rgb(232, 234, 230));
    skyline(canvas, &mut dice);
    // Pavement, kerb, carriageway.
    canvas.poly(
        &[(0.0, 200.0), (VANISH.0, VANISH.1), (WIDTH, 200.0), (WIDTH, HEIGHT), (0.0, HEIGHT)],
        rgb(172, 168, 160),
    );
    for step in 0..14 {
        let (_, y, scale) = ground(0.0, 1.0 + step as f32 * 0.35);
        canvas.line(&[(0.0, y), (WIDTH, y)], (1.2 * scale).max(0.4), rgb(156, 152, 145));
    }
    let road = |half: f32| {
        let (far_left, far_y, _) = ground(-half, 40.0);
        let (far_right, ..) = ground(half, 40.0);
        let (near_left, near_y, _) = ground(-half, 0.9);
        let (near_right, ..) = ground(half, 0.9);
        [(far_left, far_y), (far_right, far_y), (near_right, near_y), (near_left, near_y)]
    };
    canvas.poly(&road(302.0), rgb(214, 210, 202));
    canvas.poly(&road(292.0), rgb(74, 77, 82));
    dashes(canvas, -3.5, 7.0, 0.0, 40.0, rgb(232, 190, 60));
    for lane in [-146.0, 146.0] {
        dashes(canvas, lane - 2.5, 5.0, 0.55, 12.0, rgb(226, 228, 228));
    }
    for edge in [-282.0, 278.0] {
        dashes(canvas, edge, 5.0, 0.0, 40.0, rgb(210, 212, 212));
    }
    crossing(canvas);
    houses(canvas, seed, -1.0);
    houses(canvas, seed ^ 0xabc, 1.0);
    for number in (0..6).rev() {
        let distance = 1.5 + number as f32 * 1.1;
        for side in [-1.0, 1.0] {
            let (x, y, scale) = ground(side * 388.0, distance);
            tree(canvas, x, y, 96.0 * scale, rgb(74, 122, 66));
            let (x, y, scale) = ground(side * 330.0, distance + 0.5);
            lamp(canvas, x, y, scale, side);
        }
    }
}

fn skyline(canvas: &mut Canvas, dice: &mut Dice) {
    for number in 0..16 {
        let x = number as f32 * 42.0 + dice.between(-10.0, 10.0);
        let height = dice.between(14.0, 44.0);
        canvas.rect(
            x,
            116.0 - height,
            dice.between(20.0, 36.0),
            height,
            mix(rgb(168, 184, 198), rgb(196, 204, 210), dice.roll()),
        );
    }
}

fn dashes(canvas: &mut Canvas, across: f32, width: f32, gap: f32, far: f32, color: Color) {
    let mut distance = 0.9;
    while distance < far {
        let end = if gap == 0.0 { far } else { distance + 0.4 };
        let (a, ay, _) = ground(across, distance);
        let (b, ..) = ground(across + width, distance);
        let (c, cy, _) = ground(across + width, end);
        let (d, ..) = ground(across, end);
        canvas.poly(&[(a, ay), (b, ay), (c, cy), (d, cy)], color);
        distance = end + gap.max(0.01);
    }
}

fn crossing(canvas: &mut Canvas) {
    let mut across = -276.0;
    while across < 270.0 {
        let (a, ay, _) = ground(across, 1.62);
        let (b, ..) = ground(across + 22.0, 1.62);
        let (c, cy, _) = ground(across + 22.0, 2.02);
        let (d, ..) = ground(across, 2.02);
        canvas.poly(&[(a, ay), (b, ay), (c, cy), (d, cy)], rgb(222, 224, 222));
        across += 42.0;
    }
}

/// A row of house fronts on one side, far ones first.
fn houses(canvas: &mut Canvas, seed: u32, side: f32) {
    let signs = ["超市", "面馆", "药店", "茶庄", "书店", "五金", "水果", "银行", "早餐", "理发"];
    let walls = [rgb(226, 216, 198), rgb(206, 196, 186), rgb(196, 206, 210), rgb(214, 190, 168), rgb(188, 184, 176)];
    let boards = [rgb(190, 44, 40), rgb(34, 92, 150), rgb(32, 122, 84), rgb(204, 122, 30), rgb(110, 54, 120)];
    let mut dice = Dice::new(seed);
    let wide = 0.72;
    for number in (0..9).rev() {
        let near = 1.0 + number as f32 * wide;
        let far = near + wide * 0.97;
        let floors = 3 + (dice.roll() * 3.0) as u32;
        let wall = dice.pick(&walls);
        let at = |distance: f32, up: f32| {
            let (x, y, scale) = ground(side * 520.0, distance);
            (x, y - up * scale)
        };
        let tall = 96.0 + 92.0 * floors as f32;
        canvas.poly(&[at(near, 0.0), at(far, 0.0), at(far, tall), at(near, tall)], wall);
        canvas.poly(
            &[at(near, tall), at(far, tall), at(far, tall + 14.0), at(near, tall + 14.0)],
            mix(wall, rgb(80, 70, 64), 0.5),
        );
        for floor in 0..floors {
            let low = 118.0 + 92.0 * floor as f32;
            for pane in 0..3 {
                let (a, b) = (near + wide * (0.12 + 0.29 * pane as f32), near + wide * (0.31 + 0.29 * pane as f32));
                let lit = dice.roll() < 0.18;
                let glass =
                    if lit { rgb(246, 222, 150) } else { mix(rgb(96, 122, 142), rgb(150, 176, 190), dice.roll()) };
                canvas.poly(&[at(a, low), at(b, low), at(b, low + 54.0), at(a, low + 54.0)], glass);
            }
        }
        // The shop on the ground floor.
        canvas.poly(
            &[at(near + 0.05, 4.0), at(far - 0.05, 4.0), at(far - 0.05, 66.0), at(near + 0.05, 66.0)],
            rgb(64, 72, 80),
        );
        canvas.poly(
            &[at(near + 0.12, 8.0), at(near + 0.42, 8.0), at(near + 0.42, 60.0), at(near + 0.12, 60.0)],
            rgb(240, 222, 176),
        );
        canvas.poly(
            &[at(near + 0.03, 70.0), at(far - 0.03, 70.0), at(far - 0.03, 102.0), at(near + 0.03, 102.0)],
            dice.pick(&boards),
        );
        let (x, y) = at(near + wide * 0.5, 76.0);
        let size = 24.0 / (near + wide * 0.5);
        let sign = dice.pick(&signs);
        if size > 6.0 && (30.0..WIDTH - 30.0).contains(&x) {
            canvas.text_centred(sign, x, y, size, rgb(255, 248, 226));
        }
    }
}

fn lamp(canvas: &mut Canvas, x: f32, y: f32, scale: f32, side: f32) {
    let top = y - 300.0 * scale;
    canvas.line(&[(x, y), (x, top)], (5.0 * scale).max(0.8), rgb(96, 102, 108));
    canvas.line(&[(x, top), (x - side * 60.0 * scale, top - 8.0 * scale)], (4.0 * scale).max(0.7), rgb(96, 102, 108));
    canvas.ellipse(x - side * 64.0 * scale, top - 6.0 * scale, 16.0 * scale, 4.0 * scale, rgb(244, 238, 206));
}

struct Car {
    across: f32,
    distance: f32,
    away: bool,
    paint: Color,
    kind: u32,
}

/// Traffic and walkers; what is far is drawn first.
pub fn motion(canvas: &mut Canvas, seed: u32, t: f32) {
    let mut dice = Dice::new(seed ^ 0x51ee7);
    let paints = [
        rgb(232, 234, 236),
        rgb(40, 44, 52),
        rgb(186, 38, 40),
        rgb(48, 88, 150),
        rgb(150, 156, 160),
        rgb(226, 190, 52),
        rgb(60, 116, 92),
    ];
    let mut cars = Vec::new();
    for number in 0..9 {
        let away = number % 2 == 0;
        let inner = number % 4 < 2;
        let laps = if inner { 2.0 } else { 1.0 };
        let share = (number as f32 / 9.0 + dice.between(0.0, 0.05) + t * laps).fract();
        let share = if away { share } else { 1.0 - share };
        let side = if away { 1.0 } else { -1.0 };
        cars.push(Car {
            across: side * if inner { 73.0 } else { 214.0 },
            distance: 0.8 + 13.0 * share,
            away,
            paint: dice.pick(&paints),
            kind: (dice.roll() * 5.0) as u32,
        });
    }
    cars.sort_by(|a, b| b.distance.total_cmp(&a.distance));
    for car in &cars {
        draw_car(canvas, car);
    }
    for number in 0..9 {
        let side = if number % 2 == 0 { -1.0 } else { 1.0 };
        let share = (dice.roll() + if number % 3 == 0 { -t } else { t }).rem_euclid(1.0);
        let distance = 1.35 + 4.5 * share;
        let (x, y, scale) = ground(side * dice.between(338.0, 366.0), distance);
        person(canvas, x, y, 118.0 * scale, dice.roll(), t * 10.0 + dice.roll());
    }
}

fn draw_car(canvas: &mut Canvas, car: &Car) {
    let (x, y, s) = ground(car.across, car.distance);
    let bus = car.kind == 0 && car.across.abs() > 150.0;
    let (half, tall) = if bus { (58.0, 150.0) } else { (50.0, 78.0) };
    let dark = mix(car.paint, rgb(10, 12, 16), 0.45);
    canvas.ellipse(x, y, 60.0 * s, 9.0 * s, veil(rgb(10, 12, 14), 0.5));
    for wheel in [-0.78, 0.78] {
        canvas.round_rect(x + wheel * half * s - 9.0 * s, y - 20.0 * s, 18.0 * s, 21.0 * s, 4.0 * s, rgb(22, 22, 24));
    }
    if bus {
        let paint = rgb(46, 126, 104);
        canvas.round_rect(x - half * s, y - tall * s, 2.0 * half * s, (tall - 10.0) * s, 8.0 * s, paint);
        canvas.round_rect(x - 50.0 * s, y - 132.0 * s, 100.0 * s, 62.0 * s, 5.0 * s, rgb(54, 70, 82));
        canvas.rect(x - 36.0 * s, y - 147.0 * s, 72.0 * s, 12.0 * s, rgb(28, 30, 32));
        canvas.rect(x - 26.0 * s, y - 144.0 * s, 52.0 * s, 6.0 * s, rgb(244, 168, 50));
    } else {
        let cabin = [(-38.0, 44.0), (38.0, 44.0), (30.0, tall), (-30.0, tall)].map(|(dx, up)| (x + dx * s, y - up * s));
        canvas.poly(&cabin, dark);
        let glass = [(-33.0, 46.0), (33.0, 46.0), (26.0, tall - 5.0), (-26.0, tall - 5.0)]
            .map(|(dx, up)| (x + dx * s, y - up * s));
        canvas.poly(&glass, rgb(66, 84, 98));
        let gleam = [(-20.0, 46.0), (-4.0, 46.0), (2.0, tall - 5.0), (-14.0, tall - 5.0)]
            .map(|(dx, up)| (x + dx * s, y - up * s));
        canvas.poly(&gleam, veil(rgb(190, 210, 222), 0.35));
        canvas.round_rect(x - half * s, y - 48.0 * s, 2.0 * half * s, 38.0 * s, 9.0 * s, car.paint);
        canvas.rect(x - half * s, y - 20.0 * s, 2.0 * half * s, 6.0 * s, dark);
        if car.kind == 1 {
            canvas.round_rect(x - 16.0 * s, y - (tall + 9.0) * s, 32.0 * s, 10.0 * s, 2.0 * s, rgb(250, 210, 60));
        }
    }
    let (plate, lights, glow) = if car.away {
        (rgb(44, 92, 170), rgb(226, 34, 30), 0.16)
    } else {
        (rgb(44, 92, 170), rgb(255, 246, 214), 0.26)
    };
    canvas.rect(x - 13.0 * s, y - 30.0 * s, 26.0 * s, 8.0 * s, plate);
    for lamp in [-0.76, 0.76] {
        let at = x + lamp * half * s;
        canvas.disc(at, y - 34.0 * s, 17.0 * s, veil(lights, glow));
        canvas.round_rect(at - 9.0 * s, y - 39.0 * s, 18.0 * s, 9.0 * s, 3.0 * s, lights);
    }
}
