//! Windows against what one would work out by hand from all samples.

use proptest::prelude::*;

use super::*;

const S: i64 = 1_000;

fn window(span_s: i64, samples: &[(i64, f64)]) -> Window {
    let mut window = Window::new(span_s * S, 0);
    for (second, value) in samples {
        window.push(second * S, &Value::Number(*value), second * S);
    }
    window
}

fn ask(window: &Window, over: Over, span_s: i64, now_s: i64) -> Answer {
    window.ask(over, span_s * S, 1, now_s * S, 0)
}

#[test]
fn a_window_holds_what_is_younger_than_its_span() {
    let window = window(60, &[(0, 1.0), (30, 2.0), (60, 6.0)]);
    let at_60 = |over| ask(&window, over, 60, 60);
    assert_eq!(at_60(Over::Avg), Answer::Number(4.0), "the sample of second 0 has left at 60");
    assert_eq!(at_60(Over::Sum), Answer::Number(8.0));
    assert_eq!((at_60(Over::Min), at_60(Over::Max)), (Answer::Number(2.0), Answer::Number(6.0)));
    assert_eq!(at_60(Over::Delta), Answer::Number(4.0));
    assert_eq!(at_60(Over::Rate), Answer::Number(480.0), "4 in half a minute");
    assert_eq!(ask(&window, Over::Avg, 60, 90), Answer::Number(6.0));
    assert_eq!(ask(&window, Over::Delta, 60, 90), Answer::Unknown, "one sample has no difference");
    assert_eq!(ask(&window, Over::Avg, 60, 120), Answer::Unknown);
    assert_eq!(ask(&window, Over::Count, 60, 120), Answer::Number(0.0));
    assert_eq!(window.slides(Over::Avg, 60 * S, 60 * S, 0), Some(90 * S));
    assert_eq!(window.slides(Over::Avg, 60 * S, 120 * S, 0), None);
}

#[test]
fn a_count_is_unknown_until_the_whole_span_was_heard() {
    let window = window(60, &[(0, 1.0), (30, 2.0)]);
    assert_eq!(window.ask(Over::Count, 60 * S, 1, 80 * S, 30 * S), Answer::Unknown);
    assert_eq!(window.slides(Over::Count, 60 * S, 80 * S, 30 * S), Some(90 * S));
    assert_eq!(window.ask(Over::Count, 60 * S, 1, 90 * S, 30 * S), Answer::Number(0.0));
}

#[test]
fn few_samples_say_nothing_where_the_rule_asks_for_more() {
    let window = window(60, &[(0, 1.0), (10, 2.0)]);
    assert_eq!(window.ask(Over::Avg, 60 * S, 3, 10 * S, 0), Answer::Unknown);
    assert_eq!(window.ask(Over::Rate, 60 * S, 3, 10 * S, 0), Answer::Unknown);
    assert_eq!(window.ask(Over::Avg, 60 * S, 2, 10 * S, 0), Answer::Number(1.5));
}

#[test]
fn a_change_is_seen_against_the_value_before_the_window() {
    let mut window = window(60, &[(0, 1.0), (100, 2.0)]);
    assert_eq!(ask(&window, Over::Changed, 60, 100), Answer::Truth(true));
    assert_eq!(window.ask(Over::Changed, 0, 1, 500 * S, 0), Answer::Truth(true));
    assert_eq!(ask(&window, Over::Changed, 60, 160), Answer::Truth(false), "the change has left");
    window.push(200 * S, &Value::Number(2.0), 200 * S);
    assert_eq!(window.ask(Over::Changed, 0, 1, 200 * S, 0), Answer::Truth(false));
    assert_eq!(ask(&Window::new(60 * S, 0), Over::Changed, 60, 0), Answer::Unknown);
}

#[test]
fn words_are_counted_and_compared_and_not_averaged() {
    let mut window = Window::new(60 * S, 0);
    for (second, word) in [(1, "normal"), (2, "covered"), (3, "covered")] {
        window.push(second * S, &Value::Text(word.into()), second * S);
    }
    assert_eq!(ask(&window, Over::Avg, 60, 3), Answer::Words);
    assert_eq!(ask(&window, Over::Changed, 60, 3), Answer::Truth(true));
    assert_eq!(window.ask(Over::Changed, 0, 1, 3 * S, 0), Answer::Truth(false));
    assert_eq!(ask(&window, Over::Count, 2, 3), Answer::Number(2.0));
}

#[test]
fn a_day_of_fast_readings_stays_small_and_its_sums_exact() {
    let mut window = Window::new(86_400 * S, 0);
    for second in 0..90_000 {
        window.push(second * S, &Value::Number((second % 10) as f64), second * S);
    }
    assert!(window.is_thinned());
    assert!(window.samples.len() <= MOST_SAMPLES && window.cells.len() <= CELLS as usize + 2);
    // The far edge is coarse by a cell: 168 seconds.
    let Answer::Number(count) = ask(&window, Over::Count, 86_400, 89_999) else { panic!() };
    assert!((86_400.0..=86_400.0 + 169.0).contains(&count), "{count}");
    assert_eq!(ask(&window, Over::Sum, 60, 89_999), Answer::Number(270.0));
    assert_eq!(ask(&window, Over::Max, 86_400, 89_999), Answer::Number(9.0));
    let bytes = serde_json::to_vec(&window).unwrap();
    assert_eq!(serde_json::from_slice::<Window>(&bytes).unwrap(), window);
}

#[test]
fn a_sample_takes_sixteen_bytes() {
    assert_eq!(size_of::<Sample>(), 16);
}

proptest! {
    /// Whatever the order within the bound, every function says what a plain list of the samples says.
    #[test]
    fn the_way_does_not_matter(
        gaps in prop::collection::vec((1i64..20_000, -5i32..5), 1..60),
        jitter in prop::collection::vec(0i64..ORDER_MS, 60),
        span_s in 1i64..300,
        after_s in 0i64..200,
    ) {
        let mut at = 0;
        let samples: Vec<(i64, f64)> = gaps.iter().map(|(gap, value)| { at += gap; (at, f64::from(*value)) }).collect();
        let mut shuffled: Vec<(i64, i64, f64)> =
            samples.iter().zip(&jitter).map(|((at, value), late)| (at + late, *at, *value)).collect();
        shuffled.sort_by_key(|(arrives, at, _)| (*arrives, *at));
        let (span, now) = (span_s * S, at + ORDER_MS + after_s * S);
        let (mut ordered, mut mixed) = (Window::new(span, 0), Window::new(span, 0));
        samples.iter().for_each(|(at, value)| { ordered.push(*at, &Value::Number(*value), *at); });
        shuffled.iter().for_each(|(arrives, at, value)| { mixed.push(*at, &Value::Number(*value), *arrives); });
        let inside: Vec<(i64, f64)> = samples.iter().copied().filter(|(at, _)| *at > now - span).collect();
        for (_, over) in Over::ALL {
            let by_hand = by_hand(over, &samples, &inside, now - span);
            for window in [&ordered, &mixed] {
                prop_assert_eq!(window.ask(over, span, 1, now, 0), by_hand, "{:?}", over);
            }
            prop_assert_eq!(ordered.slides(over, span, now, 0), mixed.slides(over, span, now, 0));
        }
        let last = samples.len() - 1;
        let changed = if last == 0 { Answer::Unknown } else { Answer::Truth(samples[last].1 != samples[last - 1].1) };
        prop_assert_eq!(mixed.ask(Over::Changed, 0, 1, now, 0), changed);
    }
}

fn by_hand(over: Over, all: &[(i64, f64)], inside: &[(i64, f64)], edge: i64) -> Answer {
    let values: Vec<f64> = inside.iter().map(|(_, value)| *value).collect();
    let sum: f64 = values.iter().sum();
    let ends = inside.first().zip(inside.last()).filter(|_| inside.len() > 1);
    match over {
        Over::Count if edge < 0 => Answer::Unknown,
        Over::Count => Answer::Number(values.len() as f64),
        Over::Absent => Answer::Unknown,
        Over::Changed => {
            let pairs: Vec<bool> = all.windows(2).filter(|pair| pair[1].0 > edge).map(|p| p[0].1 != p[1].1).collect();
            let before = all.iter().any(|(at, _)| *at <= edge);
            if pairs.is_empty() && !before { Answer::Unknown } else { Answer::Truth(pairs.contains(&true)) }
        }
        Over::Rate | Over::Delta => ends.map_or(Answer::Unknown, |(first, last)| match over {
            Over::Rate => Answer::Number((last.1 - first.1) * 3_600_000.0 / (last.0 - first.0) as f64),
            _ => Answer::Number(last.1 - first.1),
        }),
        _ if values.is_empty() => Answer::Unknown,
        Over::Avg => Answer::Number(sum / values.len() as f64),
        Over::Sum => Answer::Number(sum),
        Over::Min => Answer::Number(values.iter().copied().fold(f64::INFINITY, f64::min)),
        Over::Max => Answer::Number(values.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
    }
}
