//! The control address.

use serde_json::Value;

use crate::support::{Ear, Mosquitto, Stageplay};

#[tokio::test(flavor = "multi_thread")]
async fn a_fire_started_by_hand_is_smelt_and_seen() {
    let broker = Mosquitto::start();
    let mut ear = Ear::listen(broker.port).await;
    let play = Stageplay::quiet(broker.port).await;
    let (status, listed) = play.ask("GET", "/events", "").await;
    let names: Vec<&str> = listed["events"].as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap()).collect();
    assert_eq!((status, names), (200, vec!["flood", "fire", "cover", "door", "silence", "dropout"]));
    assert_eq!(listed["under_way"], Value::Array(Vec::new()));

    play.order("/events/fire", "").await;
    ear.payload("town/smoke/smoke-1", "true").await;
    let (_, state) = play.ask("GET", "/state", "").await;
    assert_eq!(state["events"][0]["event"], "fire");
    assert_eq!(state["events"][0]["by"], "control");
    assert_eq!(state["sensors"]["smoke-1"]["value"], true);
    assert_eq!(state["cameras"]["cam-yard-1"]["scene"]["smoke"], true);
    assert_eq!(state["gateways"]["yard"]["connected"], true);

    play.order("/reset", "").await;
    ear.payload("town/smoke/smoke-1", "false").await;
    let (_, state) = play.ask("GET", "/state", "").await;
    assert_eq!(state["events"], Value::Array(Vec::new()));
    assert_eq!(state["cameras"]["cam-yard-1"]["scene"]["smoke"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn cameras_take_orders_and_mistakes_are_told() {
    // Without a broker: cameras need none.
    let play = Stageplay::quiet(1).await;
    let shot = play.order("/cameras/cam-park-2", r#"{"covered":true,"behaviour":{"kind":"silent_stall"}}"#).await;
    assert_eq!((&shot["covered"], &shot["behaviour"]["kind"]), (&true.into(), &"silent_stall".into()));
    play.order("/cameras/cam-river-1", r#"{"scene":{"kind":"river","level_cm":450}}"#).await;
    let (_, state) = play.ask("GET", "/state", "").await;
    assert_eq!(state["cameras"]["cam-river-1"]["scene"]["level_cm"], 450);
    assert_eq!(state["cameras"]["cam-park-2"]["covered"], true);
    assert_eq!(state["gateways"]["river"]["connected"], false);

    for (path, body, status, says) in [
        ("/events/earthquake", "", 404, "there are flood, fire"),
        ("/cameras/cam-none", r#"{"covered":true}"#, 404, "no camera is named"),
        ("/sensors/gauge-none", r#"{"silent":true}"#, 404, "no sensor is named"),
        ("/gateways/none", r#"{"offline":true}"#, 404, "no gateway is named"),
        ("/cameras/cam-park-2", r#"{"colour":"red"}"#, 400, "unknown field"),
        ("/cameras/cam-park-2", r#"{"behaviour":{"kind":"explode"}}"#, 400, "explode"),
        ("/sensors/gauge-1", r#"{"value":"high"}"#, 400, "measures a number"),
        ("/sensors/gauge-1", "{", 400, ""),
    ] {
        let (found, answer) = play.ask("POST", path, body).await;
        assert_eq!(found, status, "{path} {body}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains(says), "{path} {body}: {answer}");
    }
}
