use super::super::measure::{HEIGHT, WIDTH};
use super::*;

/// Repeatable noise.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32) / (1u64 << 24) as f32
    }

    /// About normal, with deviation 1.
    fn noise(&mut self) -> f32 {
        (0..6).map(|_| self.next()).sum::<f32>() * 1.414 - 4.243
    }
}

/// A picture by a function of place, with noise.
fn picture(seed: u64, noise: f32, level: impl Fn(f32, f32) -> f32) -> Luma {
    let mut dice = Dice(seed);
    let (width, height) = (WIDTH as usize, HEIGHT as usize);
    let pixels = (0..width * height)
        .map(|i| {
            let (x, y) = ((i % width) as f32 / width as f32, (i / width) as f32 / height as f32);
            (level(x, y) + dice.noise() * noise).clamp(0.0, 255.0) as u8
        })
        .collect();
    Luma { width, height, pixels }
}

/// Houses, windows, a road: `light` 1 by day, towards 0 by night.
fn street(x: f32, y: f32, light: f32) -> f32 {
    let house = if y < 0.6 { 60.0 + 50.0 * ((x * 7.0).floor() % 2.0) } else { 90.0 };
    let window = if y < 0.55 && (x * 28.0).fract() < 0.4 && (y * 12.0).fract() < 0.5 { 45.0 } else { 0.0 };
    let kerb = if (y - 0.65).abs() < 0.02 { 60.0 } else { 0.0 };
    (house - window + kerb) * light
}

/// A few street lamps with their glow.
fn lamps(x: f32, y: f32) -> f32 {
    let glow = |lx: f32| {
        let d2 = ((x - lx) * 1.8).powi(2) + (y - 0.35).powi(2);
        210.0 * (-d2 * 900.0).exp() + 30.0 * (-d2 * 30.0).exp()
    };
    glow(0.2) + glow(0.55) + glow(0.85)
}

/// A name below and a clock above, as cameras write them.
fn lettered(mut luma: Luma) -> Luma {
    let width = luma.width;
    for y in (2..9).chain(82..87) {
        for x in (4..width - 30).filter(|x| x % 4 < 2) {
            luma.pixels[y * width + x] = 250;
        }
    }
    luma
}

fn hand(seed: u64) -> Luma {
    lettered(picture(seed, 1.5, |x, y| 12.0 + 7.0 * (0.4 * x + 0.6 * y)))
}

fn day(seed: u64) -> Luma {
    lettered(picture(seed, 1.0, |x, y| street(x, y, 1.0)))
}

fn at(s: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + s).unwrap()
}

/// Shows one picture every 5 s from `from_s` on; the classes.
fn show(
    classifier: &mut Classifier,
    from_s: i64,
    pictures: impl IntoIterator<Item = Luma>,
) -> Vec<Option<PictureClass>> {
    let looks = pictures.into_iter().enumerate();
    looks.map(|(i, luma)| classifier.look(&luma, at(from_s + 5 * i as i64))).collect()
}

const NORMAL: Option<PictureClass> = Some(PictureClass::Normal);
const COVERED: Option<PictureClass> = Some(PictureClass::Covered);

#[test]
fn a_hand_over_the_lens_is_covered_at_the_second_look_and_free_at_the_second_look() {
    let mut classifier = Classifier::default();
    assert_eq!(show(&mut classifier, 0, (0..6).map(day)), [NORMAL; 6]);
    assert_eq!(show(&mut classifier, 30, (0..4).map(hand)), [NORMAL, COVERED, COVERED, COVERED]);
    assert_eq!(show(&mut classifier, 50, (0..3).map(day)), [COVERED, NORMAL, NORMAL]);
}

#[test]
fn light_through_fingers_or_a_white_bag_is_covered_too() {
    let fingers = |seed| picture(seed, 2.0, |x, y| 30.0 + 120.0 * ((x - 0.5).powi(2) + (y - 0.5).powi(2)));
    let bag = |seed| picture(seed, 1.0, |x, _| 170.0 + 20.0 * x);
    for cover in [&fingers as &dyn Fn(u64) -> Luma, &bag] {
        let mut classifier = Classifier::default();
        show(&mut classifier, 0, (0..6).map(day));
        assert_eq!(show(&mut classifier, 30, (0..3).map(cover)).last(), Some(&COVERED));
    }
}

#[test]
fn a_covered_camera_stays_covered_for_hours() {
    let mut classifier = Classifier::default();
    show(&mut classifier, 0, (0..6).map(day));
    let classes = show(&mut classifier, 30, (0..2_000).map(hand));
    assert!(classes[1..].iter().all(|class| *class == COVERED));
}

#[test]
fn night_falls_without_a_cover() {
    // 40 minutes from day to a night with lamps, and to one without any light but noise.
    for lit in [true, false] {
        let mut classifier = Classifier::default();
        let dusk = |i: u64| {
            let light = 1.0 - i as f32 / 480.0;
            picture(i, 3.0, |x, y| 4.0 + street(x, y, light * light) + if lit { lamps(x, y) } else { 0.0 })
        };
        let classes = show(&mut classifier, 0, (0..480).map(dusk));
        let night = show(&mut classifier, 2_400, (0..400).map(|i| dusk(480 + i % 3)));
        let wrong = classes.iter().chain(&night).position(|class| *class != NORMAL);
        assert_eq!(wrong, None, "lit {lit}");
    }
}

#[test]
fn lights_that_go_out_leave_something_to_see() {
    let mut classifier = Classifier::default();
    show(&mut classifier, 0, (0..20).map(day));
    let moon = |seed| picture(seed, 3.0, |x, y| 5.0 + street(x, y, 0.08));
    assert!(show(&mut classifier, 100, (0..20).map(moon)).iter().all(|class| *class == NORMAL));
    let lamp = |seed| picture(seed, 3.0, |x, y| 5.0 + lamps(x, y));
    let mut classifier = Classifier::default();
    show(&mut classifier, 0, (0..20).map(day));
    assert!(show(&mut classifier, 100, (0..20).map(lamp)).iter().all(|class| *class == NORMAL));
}

#[test]
fn a_dark_camera_seen_for_the_first_time_is_not_judged() {
    let dark = |seed| picture(seed, 2.0, |_, _| 12.0);
    let mut classifier = Classifier::default();
    assert!(show(&mut classifier, 0, (0..60).map(dark)).iter().all(Option::is_none));
    assert_eq!(show(&mut classifier, 300, [day(1)]), [NORMAL], "morning");
}

#[test]
fn what_was_covered_before_a_restart_stays_so_until_it_is_free() {
    let mut classifier = Classifier::knowing(PictureClass::Covered);
    assert!(show(&mut classifier, 0, (0..10).map(hand)).iter().all(|class| *class == COVERED));
    assert_eq!(show(&mut classifier, 50, (0..2).map(day)).last(), Some(&NORMAL));
    let mut classifier = Classifier::knowing(PictureClass::Normal);
    assert!(show(&mut classifier, 0, (0..10).map(hand)).iter().all(Option::is_none));
}

#[test]
fn nothing_to_see_in_daylight_from_the_start_is_covered_after_a_minute() {
    let bag = |seed| picture(seed, 1.0, |_, _| 190.0);
    let classes = show(&mut Classifier::default(), 0, (0..14).map(bag));
    assert_eq!((classes[5], classes[13]), (None, COVERED));
}

#[test]
fn no_signal_is_black() {
    let mut classifier = Classifier::default();
    show(&mut classifier, 0, (0..3).map(day));
    let none = |_| lettered(picture(0, 0.0, |_, _| 1.0));
    assert_eq!(show(&mut classifier, 15, (0..2).map(none)).last(), Some(&Some(PictureClass::Black)));
    assert_eq!(show(&mut classifier, 25, (0..2).map(day)).last(), Some(&NORMAL));
}

#[test]
fn the_same_picture_for_minutes_is_frozen_also_under_a_running_clock() {
    let mut classifier = Classifier::default();
    let frozen = |i: u64| {
        let mut luma = day(7);
        luma.pixels[3 * WIDTH as usize + i as usize % 100] = 0;
        luma
    };
    let classes = show(&mut classifier, 0, (0..40).map(frozen));
    assert_eq!((classes[20], classes[39]), (NORMAL, Some(PictureClass::Frozen)));
    assert_eq!(show(&mut classifier, 200, (0..2).map(day)).last(), Some(&NORMAL));
}

#[test]
fn a_quiet_scene_with_noise_is_not_frozen() {
    let mut classifier = Classifier::default();
    let quiet = |seed| picture(seed, 0.7, |x, y| street(x, y, 0.9));
    assert!(show(&mut classifier, 0, (0..200).map(quiet)).iter().all(|class| *class == NORMAL));
}

#[test]
fn one_odd_picture_changes_nothing() {
    let mut classifier = Classifier::default();
    for round in 0..20 {
        assert!(show(&mut classifier, round * 20, [day(1), day(2), day(3), hand(4)]).iter().all(|c| *c == NORMAL));
    }
}

#[test]
fn a_picture_of_another_size_is_not_judged() {
    let luma = Luma { width: 3, height: 1, pixels: vec![0; 3] };
    assert_eq!(Classifier::default().look(&luma, at(0)), None);
}
