//! An industrial yard: halls, tanks, containers, a forklift; and a fire when it is told so.

use std::f32::consts::TAU;

use super::BAND;
use super::canvas::{Canvas, Dice, HEIGHT, WIDTH, mix, rgb, veil};
use super::lively::person;

const FIRE: (f32, f32) = (392.0, 196.0);

/// Halls, tanks, containers, fence.
pub fn backdrop(canvas: &mut Canvas, smoke: bool, seed: u32) {
    let mut dice = Dice::new(seed);
    let haze = if smoke { 1.0 } else { 0.0 };
    canvas.gradient(
        0.0,
        BAND,
        WIDTH,
        180.0,
        mix(rgb(134, 174, 206), rgb(150, 158, 164), haze * 0.5),
        rgb(226, 228, 224),
    );
    for number in 0..12 {
        let x = number as f32 * 58.0 + dice.between(-16.0, 16.0);
        canvas.rect(x, 140.0 - dice.between(8.0, 26.0), dice.between(26.0, 50.0), 40.0, rgb(178, 188, 194));
    }
    canvas.gradient(0.0, 158.0, WIDTH, 50.0, rgb(150, 160, 142), rgb(134, 142, 126));
    // Chimney and tanks.
    canvas.poly(&[(95.0, 208.0), (101.0, 56.0), (113.0, 56.0), (119.0, 208.0)], rgb(186, 180, 174));
    for ring in 0..3 {
        canvas.rect(100.0 - ring as f32, 64.0 + ring as f32 * 26.0, 14.0 + 2.0 * ring as f32, 10.0, rgb(200, 56, 48));
    }
    for (x, top, width) in [(500.0, 104.0, 56.0), (562.0, 92.0, 62.0)] {
        canvas.gradient(x, top, width, 104.0, rgb(222, 226, 228), rgb(170, 176, 182));
        canvas.rect(x + width * 0.7, top, width * 0.3, 104.0, veil(rgb(90, 98, 106), 0.35));
        canvas.ellipse(x + width / 2.0, top, width / 2.0, 9.0, rgb(236, 238, 240));
        canvas.rect(x, top + 34.0, width, 7.0, rgb(44, 104, 160));
    }
    hall(canvas, 150.0, 118.0, 190.0, 96.0);
    hall(canvas, 352.0, 134.0, 132.0, 78.0);
    // The ground.
    canvas.gradient(0.0, 206.0, WIDTH, HEIGHT - 206.0, rgb(150, 150, 146), rgb(112, 112, 110));
    for number in 0..7 {
        let y = 218.0 + (number * number) as f32 * 3.4;
        canvas.line(&[(0.0, y), (WIDTH, y)], 0.8, rgb(132, 132, 129));
    }
    canvas.poly(&[(210.0, 208.0), (330.0, 208.0), (470.0, HEIGHT), (120.0, HEIGHT)], rgb(98, 99, 100));
    for step in 0..6 {
        let y = 220.0 + (step * step) as f32 * 4.6;
        canvas.rect(276.0 + step as f32 * 3.0, y, 4.0 + step as f32, 4.0 + step as f32 * 2.0, rgb(226, 196, 62));
    }
    containers(canvas, &mut dice);
    drums(canvas);
    // The fence in front.
    for post in 0..14 {
        let x = post as f32 * 50.0 - 6.0;
        canvas.line(&[(x, 322.0), (x, 360.0)], 3.0, rgb(70, 78, 84));
    }
    for wire in [328.0, 340.0, 352.0] {
        canvas.line(&[(0.0, wire), (WIDTH, wire)], 1.0, rgb(84, 92, 98));
    }
}

fn hall(canvas: &mut Canvas, x: f32, y: f32, width: f32, height: f32) {
    canvas.gradient(x, y, width, height, rgb(176, 190, 198), rgb(146, 160, 168));
    let teeth = (width / 38.0) as u32;
    for tooth in 0..teeth {
        let left = x + tooth as f32 * width / teeth as f32;
        let right = left + width / teeth as f32;
        canvas.poly(&[(left, y), (left, y - 22.0), (right, y)], rgb(92, 116, 132));
        canvas.poly(
            &[(left + 1.0, y), (left + 1.0, y - 18.0), (left + 8.0, y - 13.0), (left + 8.0, y)],
            rgb(176, 208, 220),
        );
    }
    let mut seam = x + 8.0;
    while seam < x + width {
        canvas.line(&[(seam, y + 2.0), (seam, y + height)], 0.6, rgb(134, 148, 156));
        seam += 9.0;
    }
    for pane in 0..(width / 30.0) as u32 {
        canvas.rect(x + 12.0 + pane as f32 * 30.0, y + 14.0, 18.0, 12.0, rgb(88, 112, 128));
    }
    canvas.rect(x + width * 0.36, y + height - 52.0, 46.0, 52.0, rgb(62, 72, 80));
    for slat in 0..6 {
        let up = y + height - 48.0 + slat as f32 * 8.0;
        canvas.line(&[(x + width * 0.36, up), (x + width * 0.36 + 46.0, up)], 0.8, rgb(86, 98, 106));
    }
    canvas.rect(x, y + height - 5.0, width, 5.0, rgb(104, 112, 118));
}

fn containers(canvas: &mut Canvas, dice: &mut Dice) {
    let paints = [rgb(184, 66, 48), rgb(44, 104, 152), rgb(58, 124, 92), rgb(206, 148, 48), rgb(122, 90, 76)];
    for (x, y) in [(-34.0, 198.0), (-34.0, 237.0), (76.0, 237.0), (532.0, 207.0), (532.0, 246.0), (638.0, 246.0)] {
        let paint = dice.pick(&paints);
        let x = x + dice.between(-3.0, 3.0);
        canvas.rect(x, y, 102.0, 38.0, paint);
        canvas.rect(x, y, 102.0, 3.0, mix(paint, rgb(255, 255, 255), 0.3));
        for rib in 0..12 {
            canvas.rect(x + 5.0 + rib as f32 * 8.0, y + 5.0, 3.0, 29.0, mix(paint, rgb(10, 10, 10), 0.22));
        }
        canvas.rect(x, y + 35.0, 102.0, 3.0, mix(paint, rgb(10, 10, 10), 0.45));
    }
}

fn drums(canvas: &mut Canvas) {
    for number in 0..5 {
        let (x, y) = (436.0 + number as f32 * 17.0, 220.0 + (number % 2) as f32 * 5.0);
        let paint = if number % 2 == 0 { rgb(38, 92, 146) } else { rgb(196, 84, 40) };
        canvas.rect(x, y, 14.0, 22.0, paint);
        canvas.ellipse(x + 7.0, y, 7.0, 2.6, mix(paint, rgb(255, 255, 255), 0.35));
        canvas.rect(x, y + 9.0, 14.0, 2.0, mix(paint, rgb(255, 255, 255), 0.25));
    }
}

/// Forklift, workers, steam; and fire.
pub fn motion(canvas: &mut Canvas, smoke: bool, seed: u32, t: f32) {
    // White steam from the chimney.
    for number in 0..12 {
        let age = (number as f32 / 12.0 + t * 2.0).fract();
        let (x, y) = (107.0 + age * 56.0, 54.0 - age * 16.0);
        canvas.disc(x, y, 4.0 + age * 12.0, veil(rgb(246, 247, 248), 0.42 * (1.0 - age)));
    }
    if smoke {
        fire(canvas, seed, t);
    }
    let swing = (TAU * t).sin();
    let facing = if (TAU * t).cos() > 0.0 { 1.0 } else { -1.0 };
    forklift(canvas, 290.0 + swing * 110.0, 286.0, facing);
    let mut dice = Dice::new(seed ^ 0x33);
    for number in 0..4 {
        let phase = dice.roll();
        let across = (TAU * (t + phase)).sin() * 46.0;
        // With a fire in the yard the workers run to the gate.
        let hurry = if smoke { 4.0 } else { 1.0 };
        person(
            canvas,
            170.0 + number as f32 * 108.0 + across,
            262.0 + number as f32 * 13.0,
            36.0 + number as f32 * 3.0,
            phase,
            t * 10.0 * hurry,
        );
    }
}

fn fire(canvas: &mut Canvas, seed: u32, t: f32) {
    let mut dice = Dice::new(seed ^ 0xf12e);
    let flicker = 0.8 + 0.2 * (TAU * 9.0 * t).sin();
    for ring in 1..=6 {
        canvas.disc(FIRE.0, FIRE.1, 17.0 * ring as f32 * flicker, veil(rgb(255, 140, 40), 0.05));
    }
    // Smoke: puffs rise, grow, lean with the wind and thin out.
    for _ in 0..46 {
        let age = (dice.roll() + t * 2.0).fract();
        let sway = (dice.roll() - 0.5) * (24.0 + 90.0 * age);
        let x = FIRE.0 + sway * 0.7 + age * age * 130.0;
        let y = FIRE.1 - 10.0 - age * 158.0 + (dice.roll() - 0.5) * 14.0;
        let size = 13.0 + 38.0 * age * (0.6 + 0.4 * dice.roll());
        let shade = mix(rgb(30, 28, 28), rgb(112, 110, 110), age * (0.5 + 0.5 * dice.roll()));
        canvas.disc(x, y.max(BAND - size), size, veil(shade, 0.42 * (1.0 - age * 0.75)));
    }
    for number in 0..15 {
        let x = FIRE.0 - 34.0 + number as f32 * 4.8;
        let lick = 16.0
            + 24.0 * (TAU * (7.0 * t + dice.roll())).sin().abs()
            + 16.0 * (1.0 - ((number as f32 - 7.0) / 7.0).powi(2));
        let color = dice.pick(&[rgb(252, 118, 26), rgb(255, 170, 40), rgb(240, 78, 22)]);
        canvas.shape(veil(color, 0.88), |path| {
            path.move_to(x - 8.0, FIRE.1 + 14.0);
            path.quad_to(x - 9.0, FIRE.1 - lick * 0.4, x + 2.0, FIRE.1 + 8.0 - lick);
            path.quad_to(x + 9.0, FIRE.1 - lick * 0.3, x + 8.0, FIRE.1 + 14.0);
            path.close();
        });
    }
    for number in 0..6 {
        let x = FIRE.0 - 18.0 + number as f32 * 7.0;
        let lick = 12.0 + 12.0 * (TAU * (8.0 * t + dice.roll())).sin().abs();
        canvas.ellipse(x, FIRE.1 + 8.0 - lick * 0.3, 5.0, lick * 0.6, veil(rgb(255, 236, 150), 0.85));
    }
}

fn forklift(canvas: &mut Canvas, x: f32, y: f32, facing: f32) {
    let at = |dx: f32| x + facing * dx;
    let boxed = |canvas: &mut Canvas, from: f32, to: f32, top: f32, height: f32, color| {
        let (a, b) = (at(from).min(at(to)), at(from).max(at(to)));
        canvas.round_rect(a, top, b - a, height, 2.0, color);
    };
    canvas.ellipse(x + 4.0 * facing, y + 1.0, 42.0, 4.5, veil(rgb(10, 10, 10), 0.4));
    boxed(canvas, -30.0, 18.0, y - 26.0, 19.0, rgb(242, 182, 34));
    boxed(canvas, -30.0, -14.0, y - 34.0, 12.0, rgb(62, 64, 68));
    canvas.line(
        &[(at(-12.0), y - 26.0), (at(-9.0), y - 54.0), (at(10.0), y - 54.0), (at(14.0), y - 26.0)],
        2.4,
        rgb(56, 58, 62),
    );
    canvas.disc(at(-2.0), y - 42.0, 4.4, rgb(222, 178, 146));
    boxed(canvas, -7.0, 4.0, y - 38.0, 14.0, rgb(232, 112, 32));
    canvas.ellipse(at(-2.0), y - 45.5, 5.0, 2.6, rgb(250, 214, 44));
    canvas.line(&[(at(23.0), y - 62.0), (at(23.0), y - 2.0)], 3.4, rgb(70, 72, 76));
    canvas.line(&[(at(23.0), y - 14.0), (at(44.0), y - 14.0)], 2.4, rgb(70, 72, 76));
    boxed(canvas, 26.0, 46.0, y - 34.0, 19.0, rgb(176, 134, 84));
    for wheel in [-20.0, 12.0] {
        canvas.disc(at(wheel), y - 5.0, 7.0, rgb(26, 26, 28));
        canvas.disc(at(wheel), y - 5.0, 2.6, rgb(160, 162, 164));
    }
}
