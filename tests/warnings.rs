//! Early warning from the broker to the incident, and through kill -9.

use std::time::Duration;

use serde_json::{Value, json};

use crate::hub::{Folder, Hub, free_port};
use crate::mosquitto::Mosquitto;
use crate::sensor::Link;

const LIMITS: &str = "limits.blue=3.0;limits.yellow=3.5;limits.orange=4.0;limits.red=4.5";

/// A folder with one river gauge that reports every so many seconds.
fn gauge(interval_s: u32) -> Folder {
    let folder = Folder::new();
    let row = format!(
        "gauge-1,sensor,river_gauge,水位,governance,g1,106.1,29.2,,,,,town/gauge-1,raw,m,{interval_s},{LIMITS}\n"
    );
    let taken = folder.import(&row);
    assert!(taken.status.success(), "{taken:?}");
    folder
}

fn with_mosquitto(folder: &Folder) -> Mosquitto {
    let broker = Mosquitto::start(folder.path(), "");
    folder.add_config(&format!("[[mqtt.brokers]]\nname = \"town\"\nurl = \"mqtt://127.0.0.1:{}\"\n", broker.port));
    broker
}

fn connected(hub: &Hub, token: &str) {
    hub.wait_for(token, "/api/v1/hub", |hub| hub["details"]["brokers"][0]["connected"] == true);
}

fn one(hub: &Hub, token: &str, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let page = hub.wait_for(token, path, |page| {
        page["items"].as_array().is_some_and(|items| items.len() == 1 && fits(&items[0]))
    });
    page["items"][0].clone()
}

/// The river rises through three levels and falls: one alarm, one incident, whoever brings the readings.
fn rises_and_falls(folder: &Folder, mut publish: impl FnMut(&str)) {
    let hub = folder.run();
    let token = folder.token("operator");
    connected(&hub, &token);
    let mut last = Value::Null;
    for (metres, level) in [("3.10", "blue"), ("3.60", "yellow"), ("4.10", "orange")] {
        publish(metres);
        last = one(&hub, &token, "/api/v1/alarms", |alarm| alarm["level"] == level);
    }
    let incident = one(&hub, &token, "/api/v1/incidents", |incident| incident["level"] == "orange");
    assert_eq!(incident["alarms"], json!([last["id"]]));
    let step = format!("/api/v1/incidents/{}/acknowledge", incident["id"].as_str().unwrap());
    assert_eq!(hub.post(&token, &step, &json!({})).0, 200);
    let alarm = one(&hub, &token, "/api/v1/alarms", |alarm| !alarm["acknowledged_by"].is_null());
    let shelve = format!("/api/v1/alarms/{}/shelve", alarm["id"].as_str().unwrap());
    assert_eq!(hub.post(&token, &shelve, &json!({ "minutes": 481, "reason": "works" })).0, 400);
    assert_eq!(hub.post(&token, &shelve, &json!({ "minutes": 10, "reason": " " })).0, 400);
    let (status, shelved) = hub.post(&token, &shelve, &json!({ "minutes": 10, "reason": "works" }));
    assert!(status == 200 && shelved["shelved_until"].is_string(), "{status} {shelved}");
    let viewer = folder.token("viewer");
    assert_eq!(hub.post(&viewer, &shelve, &json!({ "minutes": 10, "reason": "works" })).0, 403);
    publish("2.00");
    hub.wait_for(&token, "/api/v1/alarms", |page| page["items"] == json!([]));
    one(&hub, &token, "/api/v1/incidents", |incident| incident["active_alarms"] == json!([]));
    let metrics = hub.get(&token, "/metrics").1;
    assert!(metrics.as_str().unwrap().contains("gridward_alarms_total{level=\"blue\"} 1"), "{metrics}");
}

#[test]
fn a_river_becomes_one_incident_over_mosquitto() {
    let folder = gauge(10);
    let broker = with_mosquitto(&folder);
    rises_and_falls(&folder, |metres| broker.publish("town/gauge-1", &[metres.to_owned()]));
}

#[test]
fn a_river_becomes_one_incident_over_the_hubs_own_broker() {
    let (folder, port) = (gauge(10), free_port());
    let text = std::fs::read_to_string(folder.config()).unwrap();
    let text = text.replace("[mqtt]", &format!("[mqtt]\nembedded = \"127.0.0.1:{port}\""));
    std::fs::write(folder.config(), text).unwrap();
    let mut number = 0;
    rises_and_falls(&folder, |metres| {
        number += 1;
        let mut link = Link::open(port, "gauge").expect("the broker listens");
        assert!(link.publish("town/gauge-1", number, metres));
        while !link.acknowledged().expect("the broker is there").contains(&number) {}
    });
}

#[test]
fn kill_9_in_a_wait_loses_nothing_and_repeats_nothing() {
    let folder = gauge(10);
    let broker = with_mosquitto(&folder);
    let token = folder.token("viewer");
    let hub = folder.run();
    connected(&hub, &token);
    // A repeated delivery is the same reading once more.
    broker.publish("town/gauge-1", &["3.20".to_owned(), "3.20".to_owned(), "3.20".to_owned()]);
    hub.wait_for(&token, "/api/v1/sources/gauge-1", |source| source["readings"][0]["value"] == 3.2);
    assert_eq!(hub.get(&token, "/api/v1/alarms").1["items"], json!([]), "its wait has five seconds to go");
    hub.kill();
    let mut hub = folder.run();
    let alarm = one(&hub, &token, "/api/v1/alarms", |alarm| alarm["level"] == "blue");
    let incident = one(&hub, &token, "/api/v1/incidents", |_| true);
    for round in 0..4u64 {
        connected(&hub, &token);
        let metres = if round % 2 == 0 { "3.25" } else { "3.30" };
        broker.publish("town/gauge-1", &[metres.to_owned(), metres.to_owned()]);
        std::thread::sleep(Duration::from_millis(300 * round));
        hub.kill();
        hub = folder.run();
        assert_eq!(one(&hub, &token, "/api/v1/alarms", |_| true)["id"], alarm["id"]);
        assert_eq!(one(&hub, &token, "/api/v1/incidents", |_| true)["id"], incident["id"]);
    }
    hub.stop();
    let verified = folder.command(&["log", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn a_gauge_that_falls_silent_raises() {
    let folder = gauge(2);
    let broker = with_mosquitto(&folder);
    let token = folder.token("viewer");
    let hub = folder.run();
    connected(&hub, &token);
    broker.publish("town/gauge-1", &["1.00".to_owned()]);
    hub.wait_for(&token, "/api/v1/sources/gauge-1", |source| source["state"] == "live");
    hub.wait_for(&token, "/api/v1/sources/gauge-1", |source| source["state"] == "silent");
    let alarm = one(&hub, &token, "/api/v1/alarms", |alarm| alarm["rule"] == "gauge-silent");
    assert_eq!(alarm["hazard"], "equipment");
    broker.publish("town/gauge-1", &["1.00".to_owned()]);
    hub.wait_for(&token, "/api/v1/alarms", |page| page["items"] == json!([]));
}

#[test]
fn every_problem_of_the_rules_is_told_with_its_line() {
    let folder = Folder::new();
    assert!(folder.command(&["check"]).status.success());
    let file = folder.path().join("rules/odd.yaml");
    std::fs::write(&file, "version: 1\nrules:\n- id: Odd\n  hazard: plague\n").unwrap();
    for command in ["check", "run"] {
        let refused = folder.command(&[command]);
        let told = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(64), "{told}");
        assert!(told.contains("odd.yaml:3") && told.contains("odd.yaml:4") && told.contains("plague"), "{told}");
    }
}
