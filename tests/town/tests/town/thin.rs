//! Load cameras with few pictures a second.

use std::time::{Duration, Instant};

use serde_json::json;
use town::registry::Load;
use town::script::Script;

use crate::support::Stageplay;
use crate::viewer::Viewer;

#[tokio::test(flavor = "multi_thread")]
async fn thin_load_cameras_say_their_rate_keep_it_and_count_it() {
    const FPS: u32 = 3;
    let load = Load { cameras: 4, alone: true, fps: FPS, ..Load::default() };
    let play = Stageplay::loaded(1, Script { cycle_s: 240.0, quiet: true }, load).await;
    let mut viewer = Viewer::play(play.town.rtsp, "load-00002").await.unwrap();
    assert!(viewer.sdp.contains("a=framerate:3\r\n"), "{}", viewer.sdp);
    // Pictures: their time, whether one is a key frame, and when they came.
    let mut pictures: Vec<(u32, bool, Instant)> = Vec::new();
    let mut is_key = false;
    while pictures.len() < 19 {
        let packet = viewer.packet().await.unwrap();
        is_key |= packet.nal_type == 5;
        if packet.marker {
            pictures.push((packet.timestamp, std::mem::take(&mut is_key), Instant::now()));
        }
    }
    let steps: Vec<u32> = pictures.windows(2).map(|pair| pair[1].0.wrapping_sub(pair[0].0)).collect();
    assert_eq!(steps, [90_000 / FPS; 18], "one picture each third of a second");
    let keys: Vec<usize> = (0..pictures.len()).filter(|at| pictures[*at].1).collect();
    assert_eq!(keys, [0, 6, 12, 18], "a key frame each other second, the first at once");
    // 18 pictures are 6 s; the first may have come late.
    let took = pictures[18].2 - pictures[0].2;
    assert!(took > Duration::from_secs(5), "{took:?}");
    drop(viewer);
    let sent = loop {
        let (_, sent) = play.ask("GET", "/sent", "").await;
        if sent["cameras"]["sessions"] == 0 {
            break sent;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let figures = &sent["cameras"];
    assert_eq!((&figures["cameras"], &figures["dropped"]), (&json!(4), &json!(0)), "{figures}");
    // What was under way when the viewer left was sent as well.
    let frames = figures["frames"].as_u64().unwrap();
    assert!((19..=22).contains(&frames), "{figures}");
    let kilobits = figures["bytes"].as_u64().unwrap() * 8 * u64::from(FPS) / frames / 1_000;
    assert!((10..120).contains(&kilobits), "{kilobits} kbit/s: {figures}");
}
