use bytes::Bytes;
use model::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::{Codec, ReadEvent};

fn track(tag: u8) -> NewTrack {
    NewTrack {
        codec: Codec::H264,
        rfc6381: "avc1.42c00a".into(),
        width: 640,
        height: 360,
        decoder_config: Bytes::from(vec![1, 0x42, tag]),
    }
}

fn frame(ms: i64, is_key: bool, size: usize) -> NewFrame {
    NewFrame {
        pts_90k: ms * 90,
        is_key,
        data: Bytes::from(vec![0; size]),
        received_at: Timestamp::from_millisecond(ms).unwrap(),
    }
}

fn small() -> Config {
    Config { per_camera_bytes: 1_000, total_bytes: 2_000, ..Config::default() }
}

fn drain(reader: &mut Reader) -> Vec<String> {
    std::iter::from_fn(|| reader.try_next())
        .map(|event| match event {
            ReadEvent::Track(t, _) => format!("track{}", t.generation),
            ReadEvent::Frame(f) => format!("{}{}", if f.is_key { "K" } else { "d" }, f.number),
            ReadEvent::Lagged { missed } => format!("lag{missed}"),
        })
        .collect()
}

#[test]
fn a_reader_begins_at_the_newest_key_frame() {
    let rings = Rings::new(&Config::default());
    let mut writer = rings.writer("cam".into(), Profile::Sub);
    writer.set_track(track(1));
    for (i, key) in [true, false, false, true, false].into_iter().enumerate() {
        writer.push(frame(i as i64 * 40, key, 10));
    }
    let mut reader = rings.reader(&"cam".into(), Profile::Sub);
    assert_eq!(drain(&mut reader), ["track1", "K4", "d5"]);
    writer.push(frame(200, false, 10));
    assert_eq!(drain(&mut reader), ["d6"]);
}

#[test]
fn frames_before_track_or_key_frame_are_refused_and_counted() {
    let rings = Rings::new(&Config::default());
    let mut writer = rings.writer("cam".into(), Profile::Sub);
    writer.push(frame(0, true, 10));
    writer.set_track(track(1));
    writer.push(frame(40, false, 10));
    writer.push(frame(80, true, 10));
    assert_eq!(drain(&mut rings.reader(&"cam".into(), Profile::Sub)), ["track1", "K1"]);
    assert_eq!(rings.stats().refused_frames, 2);
}

#[test]
fn new_parameter_sets_begin_a_generation_and_the_same_ones_do_not() {
    let rings = Rings::new(&Config::default());
    let mut writer = rings.writer("cam".into(), Profile::Sub);
    let mut reader = rings.reader(&"cam".into(), Profile::Sub);
    assert_eq!(writer.set_track(track(1)), 1);
    writer.push(frame(0, true, 10));
    assert_eq!(writer.set_track(track(1)), 1);
    writer.push(frame(40, false, 10));
    assert_eq!(drain(&mut reader), ["track1", "K1", "d2"]);
    assert_eq!(writer.set_track(track(2)), 2);
    writer.push(frame(80, false, 10));
    writer.push(frame(120, true, 10));
    assert_eq!(drain(&mut reader), ["track2", "K3"]);
}

#[test]
fn a_reader_who_fell_behind_resumes_at_the_newest_key_frame_and_is_told() {
    let rings = Rings::new(&small());
    let mut writer = rings.writer("cam".into(), Profile::Sub);
    writer.set_track(track(1));
    let mut reader = rings.reader(&"cam".into(), Profile::Sub);
    writer.push(frame(0, true, 100));
    assert_eq!(drain(&mut reader), ["track1", "K1"]);
    for i in 1..30 {
        writer.push(frame(i * 40, i % 5 == 0, 100));
    }
    assert_eq!(drain(&mut reader), ["lag24", "K26", "d27", "d28", "d29", "d30"]);
}

#[test]
fn a_viewer_two_seconds_late_is_moved_and_a_recorder_is_not() {
    let rings = Rings::new(&Config::default());
    let mut writer = rings.writer("cam".into(), Profile::Sub);
    writer.set_track(track(1));
    let mut viewer = rings.reader(&"cam".into(), Profile::Sub);
    let mut recorder = rings.reader(&"cam".into(), Profile::Sub).without_lag_limit();
    writer.push(frame(0, true, 10));
    assert_eq!(drain(&mut viewer).len() + drain(&mut recorder).len(), 4);
    for i in 1..=5 {
        writer.push(frame(i * 1_000, i % 2 == 0, 10));
    }
    assert_eq!(drain(&mut viewer), ["lag3", "K5", "d6"]);
    assert_eq!(drain(&mut recorder), ["d2", "K3", "d4", "K5", "d6"]);
}

#[test]
fn a_gop_larger_than_the_budget_leaves_whole_and_live_readers_go_on() {
    let rings = Rings::new(&small());
    let mut writer = rings.writer("cam".into(), Profile::Sub);
    writer.set_track(track(1));
    let mut reader = rings.reader(&"cam".into(), Profile::Sub);
    let mut seen = Vec::new();
    for i in 0..25 {
        writer.push(frame(i * 40, i == 0, 100));
        seen.extend(drain(&mut reader));
        assert!(rings.stats().bytes <= 1_100, "{:?}", rings.stats());
    }
    assert_eq!(seen.len(), 26, "{seen:?}");
    assert!(rings.stats().dropped_gops >= 2);
    assert!(rings.latest_key(&"cam".into(), None).is_some(), "a still is possible all the same");
    let mut late = rings.reader(&"cam".into(), Profile::Sub);
    assert!(drain(&mut late).is_empty());
    writer.push(frame(2_000, true, 100));
    assert_eq!(drain(&mut late), ["track1", "K26"]);
}

#[test]
fn a_frame_too_large_is_a_hole_that_readers_learn_of() {
    let rings = Rings::new(&small());
    let mut writer = rings.writer("cam".into(), Profile::Sub);
    writer.set_track(track(1));
    let mut reader = rings.reader(&"cam".into(), Profile::Sub);
    writer.push(frame(0, true, 10));
    writer.push(frame(40, false, 1_001));
    writer.push(frame(80, false, 10));
    assert_eq!(drain(&mut reader), ["track1", "K1"]);
    assert_eq!(rings.stats().bytes, 10, "what depends on the lost frame is not kept");
    writer.push(frame(120, true, 10));
    assert_eq!(drain(&mut reader), ["lag2", "K4"]);
}

#[test]
fn the_town_wide_budget_takes_the_oldest_gop_of_any_camera() {
    let rings = Rings::new(&small());
    let mut old = rings.writer("old".into(), Profile::Sub);
    let mut new = rings.writer("new".into(), Profile::Sub);
    let mut third = rings.writer("third".into(), Profile::Sub);
    for writer in [&mut old, &mut new, &mut third] {
        writer.set_track(track(1));
    }
    for ms in [0, 40] {
        old.push(frame(ms, true, 400));
    }
    for ms in [80, 120] {
        new.push(frame(ms, true, 400));
    }
    third.push(frame(160, true, 400));
    assert_eq!((rings.stats().bytes, rings.stats().dropped_gops), (2_000, 0));
    third.push(frame(200, true, 400));
    assert_eq!((rings.stats().bytes, rings.stats().dropped_gops), (2_000, 1));
    assert_eq!(drain(&mut rings.reader(&"old".into(), Profile::Sub).without_lag_limit()), ["track1", "K2"]);
}

#[test]
fn old_gops_leave_by_age_and_are_no_drop() {
    let rings = Rings::new(&Config { ring_seconds_max: 3, ..Config::default() });
    let mut writer = rings.writer("cam".into(), Profile::Sub);
    writer.set_track(track(1));
    for i in 0..100 {
        writer.push(frame(i * 100, i % 10 == 0, 10));
    }
    // The newest frame is of 9.9 s: what began at 6 s still covers the 3 s before it.
    assert_eq!((rings.stats().bytes, rings.stats().dropped_gops), (400, 0));
}

#[test]
fn a_session_that_ended_leaves_a_still_but_nothing_to_join() {
    let rings = Rings::new(&Config::default());
    let mut writer = rings.writer("cam".into(), Profile::Main);
    writer.set_track(track(1));
    writer.push(frame(0, true, 10));
    writer.push(frame(40, false, 10));
    let mut faithful = rings.reader(&"cam".into(), Profile::Main);
    assert_eq!(drain(&mut faithful), ["track1", "K1", "d2"]);
    drop(writer);
    assert_eq!(rings.latest_key(&"cam".into(), None).map(|key| key.frame.number), Some(1));
    assert_eq!((rings.stats().bytes, rings.stats().cameras), (10, 0));
    let mut late = rings.reader(&"cam".into(), Profile::Main);
    assert!(drain(&mut late).is_empty());
    let mut next = rings.writer("cam".into(), Profile::Main);
    assert_eq!(next.set_track(track(1)), 1);
    next.push(frame(60_000, false, 10));
    next.push(frame(60_040, true, 10));
    assert_eq!(drain(&mut faithful), ["K3"]);
    assert_eq!(drain(&mut late), ["track1", "K3"]);
}

#[test]
fn an_older_writer_is_not_heard_any_more() {
    let rings = Rings::new(&Config::default());
    let mut old = rings.writer("cam".into(), Profile::Sub);
    let mut new = rings.writer("cam".into(), Profile::Sub);
    new.set_track(track(2));
    new.push(frame(0, true, 10));
    old.set_track(track(1));
    old.push(frame(0, true, 10));
    drop(old);
    assert_eq!(drain(&mut rings.reader(&"cam".into(), Profile::Sub)), ["track1", "K1"]);
    assert_eq!(rings.live(Profile::Sub), ["cam".into()]);
}

#[test]
fn every_viewer_gets_the_same_fragment_bytes() {
    let rings = Rings::new(&Config::default());
    let mut writer = rings.writer("cam".into(), Profile::Sub);
    writer.set_track(track(1));
    writer.push(frame(0, true, 10));
    let fragments: Vec<_> = (0..2)
        .map(|_| {
            let mut reader = rings.reader(&"cam".into(), Profile::Sub);
            reader.try_next();
            let Some(ReadEvent::Frame(frame)) = reader.try_next() else { panic!("no frame") };
            frame.fragment().as_ptr()
        })
        .collect();
    assert_eq!(fragments[0], fragments[1]);
}

#[test]
fn forgotten_sources_hold_nothing() {
    let rings = Rings::new(&Config::default());
    let mut writer = rings.writer("cam".into(), Profile::Sub);
    writer.set_track(track(1));
    writer.push(frame(0, true, 10));
    drop(writer);
    rings.forget(&"cam".into());
    assert_eq!(rings.stats().bytes, 0);
    assert!(rings.lock_streams().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_reader_waits_for_a_writer_that_does_not_exist_yet() {
    let rings = Rings::new(&Config::default());
    let mut reader = rings.reader(&"cam".into(), Profile::Sub);
    let waiting = tokio::spawn(async move { reader.next().await });
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let mut writer = rings.writer("cam".into(), Profile::Sub);
    writer.set_track(track(1));
    writer.push(frame(0, true, 10));
    assert!(matches!(waiting.await.unwrap(), ReadEvent::Track(..)));
}

#[tokio::test(start_paused = true)]
async fn demand_lingers_ten_seconds_after_the_last_reader() {
    let rings = Rings::new(&Config::default());
    let mut demand = rings.demand();
    let first = rings.reader(&"cam".into(), Profile::Main);
    let second = rings.reader(&"cam".into(), Profile::Main);
    assert_eq!(demand.changed().await.into_iter().collect::<Vec<_>>(), [("cam".into(), Profile::Main)]);
    drop(first);
    let begin = tokio::time::Instant::now();
    drop(second);
    assert!(demand.changed().await.is_empty());
    assert_eq!(begin.elapsed().as_secs(), 10);
    let third = rings.reader(&"cam".into(), Profile::Main);
    assert_eq!(demand.changed().await.len(), 1);
    drop(third);
    let _back_in_time = rings.reader(&"cam".into(), Profile::Main);
    let quiet = tokio::time::timeout(std::time::Duration::from_secs(60), demand.changed()).await;
    assert!(quiet.is_err(), "a reader who returns within the linger keeps the stream wanted");
}

/// What a camera and its readers may do to a ring.
#[derive(Debug, Clone)]
enum Act {
    Push { camera: usize, key: bool, size: usize, step_ms: i64 },
    Track { camera: usize, tag: u8 },
    Restart { camera: usize },
    Read { reader: usize, events: usize },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0..3usize, prop::bool::weighted(0.2), 1..500usize, -2_000..4_000i64)
            .prop_map(|(camera, key, size, step_ms)| Act::Push { camera, key, size, step_ms }),
        1 => (0..3usize, 0..3u8).prop_map(|(camera, tag)| Act::Track { camera, tag }),
        1 => (0..3usize).prop_map(|camera| Act::Restart { camera }),
        4 => (0..6usize, 0..12usize).prop_map(|(reader, events)| Act::Read { reader, events }),
    ]
}

proptest! {
    #[test]
    fn readers_never_see_a_delta_after_a_gap_and_budgets_hold(acts in prop::collection::vec(act(), 1..300)) {
        let config = Config { per_camera_bytes: 1_200, total_bytes: 2_500, ring_seconds_max: 8, ..Config::default() };
        let rings = Rings::new(&config);
        let id = |camera: usize| SourceId::new(format!("cam-{camera}"));
        let mut writers: Vec<_> = (0..3).map(|c| Some(rings.writer(id(c), Profile::Sub))).collect();
        let mut readers: Vec<_> = (0..6)
            .map(|r| rings.reader(&id(r % 3), Profile::Sub))
            .enumerate()
            .map(|(r, reader)| if r < 3 { reader } else { reader.without_lag_limit() })
            .collect();
        // Per reader: number of the last frame, whether a gap was told since, and the generation told.
        let mut last: Vec<(u64, bool, u32)> = vec![(0, true, 0); 6];
        let mut ms = 1_000_000;
        for act in acts {
            match act {
                Act::Push { camera, key, size, step_ms } => {
                    ms += step_ms;
                    if let Some(writer) = &mut writers[camera] { writer.push(frame(ms, key, size)); }
                }
                Act::Track { camera, tag } => {
                    if let Some(writer) = &mut writers[camera] { writer.set_track(track(tag)); }
                }
                Act::Restart { camera } => {
                    writers[camera] = None;
                    writers[camera] = Some(rings.writer(id(camera), Profile::Sub));
                }
                Act::Read { reader, events } => for _ in 0..events {
                    let seen = &mut last[reader];
                    match readers[reader].try_next() {
                        None => break,
                        Some(ReadEvent::Lagged { missed }) => {
                            prop_assert!(missed > 0);
                            *seen = (seen.0 + missed, true, seen.2);
                        }
                        Some(ReadEvent::Track(track, _)) => seen.2 = track.generation,
                        Some(ReadEvent::Frame(f)) => {
                            prop_assert!(f.is_key || !seen.1, "delta {} after a gap", f.number);
                            prop_assert!(seen.0 == 0 || f.number == seen.0 + 1, "{} after {}", f.number, seen.0);
                            prop_assert_eq!(f.generation, seen.2);
                            *seen = (f.number, false, seen.2);
                        }
                    }
                },
            }
            // The budgets bound what runs hold; the newest key frame of each camera may stand beside them.
            let pinned: usize = (0..3).filter_map(|c| rings.latest_key(&id(c), None)).map(|key| key.frame.data.len()).sum();
            prop_assert!(rings.stats().bytes <= 2_500.max(pinned), "{:?}", rings.stats());
            for stream in rings.lock_streams().values() {
                prop_assert!(stream.lock().ring.bytes() <= 1_200 + 500);
            }
        }
        let held: usize = rings.lock_streams().values().map(|s| s.lock().ring.bytes()).sum();
        prop_assert_eq!(held, rings.stats().bytes);
    }
}

#[test]
fn favoured_cameras_keep_more_and_lose_last() {
    let rings = Rings::new(&Config { per_camera_bytes: 10_000, total_bytes: 1_000, ..Config::default() });
    let mut writers: Vec<_> = ["in", "out"].map(|id| rings.writer(id.into(), Profile::Sub)).into();
    let kept = |id: &str| rings.existing(&id.into(), Profile::Sub).unwrap().lock().ring.runs();
    let mut push = |second: i64| {
        for writer in &mut writers {
            writer.set_track(track(1));
            writer.push(frame(second * 1_000, true, 100));
        }
    };
    (0..3).for_each(&mut push);
    assert_eq!((kept("in"), kept("out")), (3, 3));

    // Ten fit: what began before the emergency is kept as well, and the other camera pays.
    rings.favour(["in".into()].into());
    (3..9).for_each(&mut push);
    assert_eq!((kept("in"), kept("out")), (9, 1));
    (9..14).for_each(&mut push);
    assert_eq!(rings.stats().bytes, 1_000);
    // The other one has its newest GOP still.
    assert_eq!((kept("in"), kept("out")), (9, 1));

    rings.favour(HashSet::new());
    (14..20).for_each(&mut push);
    assert!(kept("out") >= 4, "usual again: {} and {}", kept("in"), kept("out"));
}

#[test]
fn a_favoured_ring_keeps_its_longer_time() {
    let rings = Rings::new(&Config { ring_seconds_max: 10, emergency_ring_seconds_max: 30, ..Config::default() });
    rings.favour(["in".into()].into());
    for id in ["in", "out"] {
        let mut writer = rings.writer(id.into(), Profile::Sub);
        writer.set_track(track(1));
        for second in 0..60 {
            writer.push(frame(second * 1_000, true, 10));
        }
        std::mem::forget(writer);
    }
    let bytes = |id: &str| rings.existing(&id.into(), Profile::Sub).unwrap().lock().ring.bytes();
    assert_eq!((bytes("in"), bytes("out")), (310, 110));
}
