//! The cameras' own clocks, as their sender reports tell them.

use std::time::Duration;

use model::status::{Backend, StreamFacts};
use model::{Profile, PullMode, SourceState, SourceStatus, Timestamp};
use town::rtsp::{Auth, Behaviour, Farm};

use super::support::{Hub, camera, camera_with, farm_camera, farm_config, quick, sessions, url};

const OFF_S: i32 = 7_200;
/// What the loopback and a turn of reading may add, on a busy machine.
const LATE_MS: i64 = 1_000;

/// Waits for facts that fit; only those of a stream with a measured rate count, which has had time to be told a clock.
async fn facts(hub: &Hub, id: &str, from: usize, what: &str, fits: impl Fn(&StreamFacts) -> bool) -> usize {
    let told = |s: &SourceStatus| s.stream.as_ref().is_some_and(|f| f.fps > 10.0 && fits(f));
    hub.until(id, Profile::Main, from, what, told).await
}

fn is_about(facts: &StreamFacts, offset_ms: i64) -> bool {
    facts.clock_offset_ms.is_some_and(|ms| (offset_ms - LATE_MS..=offset_ms + 50).contains(&ms))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_off_is_told_and_changes_nothing_of_the_stream() {
    let ids = ["ahead", "behind", "right", "says-nothing", "by-ffmpeg"];
    let farm = Farm::start_shared(farm_config(), ids.map(|id| farm_camera(id, Auth::None)).to_vec()).await.unwrap();
    farm.set_behaviour("ahead", Behaviour::ClockOffset { seconds: OFF_S });
    farm.set_behaviour("behind", Behaviour::ClockOffset { seconds: -OFF_S });
    farm.set_behaviour("says-nothing", Behaviour::NoSenderReports);
    farm.set_behaviour("by-ffmpeg", Behaviour::ClockOffset { seconds: OFF_S });
    let mut specs: Vec<_> = ids[..4].iter().map(|id| camera(id, &url(&farm, id))).collect();
    specs.push(camera_with("by-ffmpeg", &url(&farm, "by-ffmpeg"), PullMode::Always, &[("backend", "ffmpeg")]));
    let hub = Hub::start(quick(), specs);

    let off_ms = i64::from(OFF_S) * 1_000;
    facts(&hub, "ahead", 0, "two hours ahead", |f| is_about(f, off_ms) && f.is_clock_off()).await;
    let from = facts(&hub, "behind", 0, "two hours behind", |f| is_about(f, -off_ms) && f.is_clock_off()).await;
    facts(&hub, "right", 0, "right", |f| is_about(f, 0) && !f.is_clock_off()).await;
    // Somebody has set it.
    farm.set_behaviour("behind", Behaviour::Normal);
    facts(&hub, "behind", from, "right again", |f| is_about(f, 0)).await;
    facts(&hub, "by-ffmpeg", 0, "read by FFmpeg", |f| f.backend == Some(Backend::Ffmpeg)).await;
    facts(&hub, "says-nothing", 0, "measured", |_| true).await;
    for id in ["says-nothing", "by-ffmpeg"] {
        let told: Vec<_> = hub.said(id, Profile::Main).into_iter().filter_map(|s| s.stream).collect();
        assert!(told.len() > 3, "{id}: facts come each second");
        assert!(told.iter().all(|f| f.clock_offset_ms.is_none() && !f.is_clock_off()), "{id}: unknown is no zero");
    }
    for id in ids {
        // A reader begins at the newest key frame, which may be a second old.
        let frames = hub.frames(id, Profile::Sub, 45).await;
        let now = Timestamp::now();
        let placed = frames.iter().map(|frame| now.duration_since(frame.received_at));
        let right = placed.clone().all(|age| (-0.1..20.0).contains(&age.as_secs_f64()));
        assert!(right, "{id}: frames are placed by the hub's clock, {:?}", placed.collect::<Vec<_>>());
        assert!(frames.is_sorted_by_key(|frame| frame.received_at), "{id}");
        let spread = frames[44].received_at.duration_since(frames[0].received_at).as_secs_f64();
        assert!((2.0..4.5).contains(&spread), "{id}: 45 frames of 15 a second within {spread} s");
        let path = hub.path(id);
        assert!(
            path.iter().all(|(s, why)| matches!(s, SourceState::Connecting | SourceState::Live) && why.is_none()),
            "{id}: {path:?}"
        );
        assert_eq!(sessions(&farm, id), (1, 1), "{id}");
    }
    assert!(hub.stop().await < Duration::from_secs(10));
}
