//! Waves: what open sessions suffer, and that all is as before when they are over.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use town::registry::Load;
use town::script::Script;

use crate::support::{LONG, Stageplay};
use crate::viewer::Viewer;

const QUIET: Script = Script { cycle_s: 240.0, quiet: true };

fn is_reset(error: ErrorKind) -> bool {
    // The second when the reset came before the request was written, the third when its cause was no longer told.
    matches!(error, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof)
}

async fn wave_when(play: &Stageplay, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let (status, answer) = play.ask("GET", "/wave", "").await;
        assert_eq!(status, 200);
        if fits(&answer["wave"]) {
            return answer["wave"].clone();
        }
        assert!(began.elapsed() < LONG, "{what}: {answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_of_half_the_cameras_resets_and_refuses_and_spares_the_rest() {
    let load = Load { cameras: 20, alone: true, ..Load::default() };
    let play = Stageplay::loaded(1, QUIET, load).await;
    let rtsp = play.town.rtsp;
    let mut viewers = Vec::new();
    for number in 1..=4 {
        viewers.push(Viewer::play(rtsp, &format!("load-{number:05}")).await.unwrap());
    }
    assert_eq!(play.ask("GET", "/wave", "").await, (200, json!({ "wave": null })));

    let wave = r#"{"behaviour":{"kind":"offline"},"share":0.5,"for_s":3600}"#;
    let told = play.order("/wave", wave).await;
    assert_eq!((&told["cameras"], &told["on"], &told["ids"][1]), (&json!(10), &json!(true), &json!("load-00003")));
    for (at, viewer) in viewers.iter_mut().enumerate() {
        if at % 2 == 0 {
            let end = viewer.end().await;
            assert!(is_reset(end), "{at}: {end:?}");
            let id = format!("load-{:05}", at + 1);
            let refused = Viewer::play(rtsp, &id).await.err().expect("nobody is there").kind();
            assert!(is_reset(refused), "{refused:?}");
        } else {
            for _ in 0..60 {
                viewer.packet().await.unwrap();
            }
        }
    }
    let (status, refused) = play.ask("POST", "/wave", wave).await;
    assert_eq!(status, 409, "{refused}");
    assert!(refused["error"].as_str().unwrap().contains("DELETE /wave"), "{refused}");

    assert_eq!(play.ask("DELETE", "/wave", "").await, (200, json!({ "ended": true })));
    assert_eq!(play.ask("DELETE", "/wave", "").await, (200, json!({ "ended": false })));
    let mut back = Viewer::play(rtsp, "load-00001").await.unwrap();
    back.packet().await.unwrap();

    // The farm's own record has all of them: four that played, two refused, one that played again.
    let (_, record) = play.ask("GET", "/connections?since=0", "").await;
    let rows = record["connections"].as_array().unwrap();
    let told: Vec<(&str, bool)> =
        rows.iter().map(|row| (row["camera"].as_str().unwrap(), row["playing_us"].is_u64())).collect();
    let [one, two, three, four] = ["load-00001", "load-00002", "load-00003", "load-00004"];
    assert_eq!(
        told,
        [(one, true), (two, true), (three, true), (four, true), (one, false), (three, false), (one, true)]
    );
    assert!(rows.windows(2).all(|pair| pair[0]["accepted_us"].as_u64() <= pair[1]["accepted_us"].as_u64()));
    assert!(rows.iter().all(|row| row["method"] == "DESCRIBE"), "{record}");
    let (_, later) = play.ask("GET", "/connections?since=6", "").await;
    assert_eq!((&later["next"], &later["connections"][0]), (&json!(7), &rows[6]));
    assert_eq!(play.ask("GET", "/connections?since=soon", "").await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wave_that_comes_again_ends_by_itself_and_by_a_reset() {
    let load = Load { cameras: 3, alone: true, ..Load::default() };
    let play = Stageplay::loaded(1, QUIET, load).await;
    let began = Instant::now();
    let wave = r#"{"behaviour":{"kind":"offline"},"prefix":"load-","for_s":1,"every_s":3,"repeat":2}"#;
    play.order("/wave", wave).await;
    let between = wave_when(&play, "a pause", |wave| wave["on"] == false).await;
    assert_eq!((&between["round"], &between["repeat"]), (&json!(1), &json!(2)));
    let mut viewer = Viewer::play(play.town.rtsp, "load-00002").await.unwrap();
    // Opened in the pause; the second round ends it.
    let end = viewer.end().await;
    assert!(is_reset(end), "{end:?}");
    assert!(began.elapsed() > Duration::from_millis(2_900), "{:?}", began.elapsed());
    wave_when(&play, "the end", Value::is_null).await;
    assert!(began.elapsed() > Duration::from_millis(3_900), "{:?}", began.elapsed());
    Viewer::play(play.town.rtsp, "load-00002").await.unwrap().packet().await.unwrap();

    play.order("/wave", r#"{"behaviour":{"kind":"offline"},"share":1,"for_s":3600}"#).await;
    assert!(Viewer::play(play.town.rtsp, "load-00002").await.is_err());
    play.order("/reset", "").await;
    wave_when(&play, "a reset ends it", Value::is_null).await;
    Viewer::play(play.town.rtsp, "load-00002").await.unwrap().packet().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_wave_a_camera_does_what_it_was_told_by_hand() {
    let play = Stageplay::quiet(1).await;
    let (_, state) = play.ask("GET", "/state", "").await;
    let homes: Vec<&String> = state["cameras"].as_object().unwrap().keys().filter(|id| id.contains("home")).collect();
    let [first, second, ..] = homes[..] else { panic!("residents have cameras: {state}") };
    play.order(&format!("/cameras/{first}"), r#"{"behaviour":{"kind":"silent_stall"}}"#).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let told = play.order("/wave", r#"{"behaviour":{"kind":"auth_reject"},"owner":"resident","for_s":3600}"#).await;
    assert_eq!(told["cameras"], homes.len(), "{told}");
    for id in [first, second] {
        let refused = Viewer::play(play.town.rtsp, id).await.err().expect("refused").to_string();
        assert!(refused.contains("401"), "{refused}");
    }
    // Told by hand while the wave has it: what holds afterwards.
    play.order(&format!("/cameras/{second}"), r#"{"behaviour":{"kind":"offline"}}"#).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let refused = Viewer::play(play.town.rtsp, second).await.err().expect("still refused").to_string();
    assert!(refused.contains("401"), "{refused}");

    assert_eq!(play.ask("DELETE", "/wave", "").await.0, 200);
    let mut stalled = Viewer::play(play.town.rtsp, first).await.unwrap();
    assert!(stalled.is_silent_for(Duration::from_secs(3)).await, "it is as silent as it was");
    let gone = Viewer::play(play.town.rtsp, second).await.err().expect("off the net").kind();
    assert!(is_reset(gone), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn waves_that_make_no_sense_are_refused() {
    let play = Stageplay::quiet(1).await;
    let offline = r#""behaviour":{"kind":"offline"}"#;
    for (body, says) in [
        (format!(r#"{{{offline},"for_s":1}}"#), "which cameras"),
        (format!(r#"{{{offline},"share":2,"for_s":1}}"#), "at most 1, found 2"),
        (format!(r#"{{{offline},"cameras":28,"for_s":1}}"#), "from 1 to 27"),
        (format!(r#"{{{offline},"prefix":"nobody","for_s":1}}"#), "no camera fits"),
        (format!(r#"{{{offline},"owner":"nobody","for_s":1}}"#), "unknown variant `nobody`"),
        (format!(r#"{{{offline},"share":1}}"#), "missing field `for_s`"),
        (format!(r#"{{{offline},"share":1,"for_s":1,"loud":true}}"#), "unknown field `loud`"),
        (r#"{"behaviour":{"kind":"explode"},"share":1,"for_s":1}"#.to_owned(), "explode"),
        ("{".to_owned(), ""),
    ] {
        let (status, answer) = play.ask("POST", "/wave", &body).await;
        assert_eq!(status, 400, "{body}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains(says), "{body}: {answer}");
    }
    assert_eq!(play.ask("GET", "/wave", "").await, (200, json!({ "wave": null })));
}
