use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::channel::mpsc;
use model::Timestamp;
use proptest::prelude::*;

use super::*;

const EVERY: Duration = Duration::from_millis(60);

fn ms(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

/// What waits in a channel.
fn of<T>(rx: &mut mpsc::UnboundedReceiver<T>) -> impl FnMut(&mut Context<'_>) -> Poll<Option<T>> {
    |cx| rx.poll_next_unpin(cx)
}

#[tokio::test]
async fn at_turns_what_comes_wakes_nobody_and_all_of_it_is_taken() {
    let (tx, mut rx) = mpsc::unbounded();
    let mut pace = Pace::new(EVERY);
    assert!(matches!(pace.next(Read::AtTurns, of(&mut rx)).await, Next::Turn));
    let begun = Instant::now();
    for n in 0..3 {
        tx.unbounded_send(n).unwrap();
    }
    for n in 0..3 {
        let Next::Item(Some(found)) = pace.next(Read::AtTurns, of(&mut rx)).await else { panic!("no item {n}") };
        assert_eq!(found, n);
        assert!(begun.elapsed() >= EVERY - Duration::from_millis(2), "{:?}", begun.elapsed());
    }
    assert!(matches!(pace.next(Read::AtTurns, of(&mut rx)).await, Next::Turn));
    drop(tx);
    assert!(matches!(pace.next(Read::AtTurns, of(&mut rx)).await, Next::Item(None)));
}

#[tokio::test]
async fn at_once_nothing_waits_for_a_turn() {
    let (tx, mut rx) = mpsc::unbounded();
    let mut pace = Pace::new(Duration::from_secs(600));
    let sender = tx.clone();
    tokio::spawn(async move {
        tokio::task::yield_now().await;
        sender.unbounded_send(1).unwrap();
    });
    assert!(matches!(pace.next(Read::AtOnce, of(&mut rx)).await, Next::Item(Some(1))));
    // And everything else is looked at, though turns are ten minutes apart.
    assert!(matches!(pace.next(Read::AtOnce, of(&mut rx)).await, Next::Turn));
    drop(tx);
}

#[tokio::test]
async fn who_begins_to_watch_waits_for_the_turn_and_for_nothing_after_it() {
    let (tx, mut rx) = mpsc::unbounded();
    let mut pace = Pace::new(EVERY);
    assert!(matches!(pace.next(Read::AtTurns, of(&mut rx)).await, Next::Turn));
    let begun = Instant::now();
    tx.unbounded_send(1).unwrap();
    assert!(matches!(pace.next(Read::AtOnce, of(&mut rx)).await, Next::Item(Some(1))));
    assert!(begun.elapsed() >= EVERY - Duration::from_millis(2));
    tx.unbounded_send(2).unwrap();
    let polled = futures::poll!(std::pin::pin!(pace.next(Read::AtOnce, of(&mut rx))));
    assert!(matches!(polled, Poll::Ready(Next::Item(Some(2)))));
}

#[test]
fn frames_of_one_turn_are_placed_where_they_came() {
    let mut arrivals = Arrivals::default();
    // A camera of 20 frames a second, read at once for a second, then each 200 ms; its way takes 30 ms.
    for n in 0..20 {
        assert_eq!(arrivals.place(n * 4_500, ms(1_000_030 + n * 50)), ms(1_000_030 + n * 50));
    }
    for n in 20..60 {
        let turn = 1_000_030 + (n * 50 + 199) / 200 * 200;
        assert_eq!(arrivals.place(n * 4_500, ms(turn)), ms(1_000_030 + n * 50), "frame {n}");
    }
}

#[test]
fn a_jump_of_the_cameras_clock_is_a_new_beginning() {
    let mut arrivals = Arrivals::default();
    arrivals.place(0, ms(10_000));
    assert_eq!(arrivals.place(90_000 * 3_600, ms(10_050)), ms(10_050));
    assert_eq!(arrivals.place(-90_000 * 3_600, ms(10_100)), ms(10_100));
    assert_eq!(arrivals.place(-90_000 * 3_600 + 4_500, ms(10_200)), ms(10_150));
}

#[test]
fn a_slow_clock_is_followed() {
    let mut arrivals = Arrivals::default();
    let mut worst = 0;
    // Its second lasts 1,000.5 ms of ours, for an hour.
    for n in 0..36_000_i64 {
        let came = 5_000_000 + n * 100 + n * 100 / 2_000;
        worst = worst.max((arrivals.place(n * 9_000, ms(came)).as_millisecond() - came).abs());
    }
    assert!(worst <= 3, "{worst} ms");
}

proptest! {
    #[test]
    fn an_arrival_is_never_after_now_nor_before_the_last(
        frames in proptest::collection::vec((any::<i64>(), 0..400_i64), 1..200),
    ) {
        let (mut arrivals, mut now, mut last) = (Arrivals::default(), 1_000_000, 0);
        for (pts, step) in frames {
            now += step;
            let came = arrivals.place(pts, ms(now)).as_millisecond();
            prop_assert!(came <= now && came >= last, "{came} at {now} after {last}");
            last = came;
        }
    }
}
