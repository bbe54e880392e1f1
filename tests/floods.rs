//! Flood mode, from the broker to the event socket, and through kill -9.

use model::{FloodChange, LogBody};
use serde_json::{Value, json};
use storage::{Opener, Storage};

use crate::hub::{Folder, Hub, free_port};
use crate::sensor::Link;
use crate::socket::EventSocket;

const GAUGES: u16 = 12;

/// A folder with a hub's broker on `port` and gauges that stand apart, so that each has an alarm of its own.
fn river(port: u16) -> Folder {
    let folder = Folder::new();
    let rows: String = (0..GAUGES)
        .map(|n| {
            let limits = "limits.blue=3.0;limits.yellow=3.5;limits.orange=4.0;limits.red=4.5";
            format!(
                "gauge-{n},sensor,river_gauge,水位,governance,g1,106.{n},29.2,,,,,town/gauge-{n},raw,m,600,{limits}\n"
            )
        })
        .collect();
    assert!(folder.import(&rows).status.success());
    let text = std::fs::read_to_string(folder.config()).unwrap();
    let text = text.replace("[mqtt]", &format!("[mqtt]\nembedded = \"127.0.0.1:{port}\""));
    std::fs::write(folder.config(), text).unwrap();
    folder
}

fn publish(port: u16, gauges: std::ops::Range<u16>, metres: &str) {
    for n in gauges {
        let mut link = Link::open(port, &format!("gauge-{n}")).expect("the broker listens");
        assert!(link.publish(&format!("town/gauge-{n}"), 1, metres));
        while !link.acknowledged().expect("the broker is there").contains(&1) {}
    }
}

/// The report, once it has so many alarms.
fn report(hub: &Hub, token: &str, alarms: u16) -> Value {
    hub.wait_for(token, "/api/v1/kpis", |report| report["total"]["alarms"] == json!(alarms))
}

fn flood_rows(folder: &Folder) -> Vec<(Option<String>, bool)> {
    let settings = storage::Config { data_dir: folder.path().join("data"), ..storage::Config::default() };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (storage, _) = Storage::open(&settings, Opener::Tool).await.unwrap();
        let mut rows = Vec::new();
        let each = |row: model::LogEntry| {
            if let LogBody::Flood(flood) = row.body {
                rows.push((flood.desk, matches!(flood.change, FloodChange::Began { .. })));
            }
        };
        storage.log().replay(0, each).await.unwrap();
        rows
    })
}

#[test]
fn a_flood_is_logged_and_told_once_and_is_the_same_after_kill_9() {
    let port = free_port();
    let folder = river(port);
    let token = folder.token("lead");
    let hub = folder.run();
    hub.wait_for(&token, "/api/v1/hub", |hub| hub["details"]["brokers"][0]["connected"] == true);
    let mut screen = EventSocket::open(&hub.addr, &token, &["floods".to_owned()]);
    publish(port, 0..10, "3.10");
    let calm = report(&hub, &token, 10);
    assert_eq!(calm["now"]["flood_since"], Value::Null, "ten are none");
    publish(port, 10..GAUGES, "3.10");
    let flooded = hub.wait_for(&token, "/api/v1/kpis", |report| report["now"]["flood_since"].is_string());
    let since = flooded["now"]["flood_since"].clone();
    assert_eq!(flooded["desks"].as_array().unwrap().len(), 1);
    let desk = flooded["desks"][0].as_str().unwrap().to_owned();
    let floods = |message: &Value| {
        let ops = message["ops"].as_array().cloned().unwrap_or_default();
        ops.into_iter().find(|op| op["topic"] == "floods" && op["item"] != json!([])).map(|op| op["item"].clone())
    };
    let message = screen.wait_for("a flood", |message| floods(message).is_some());
    let told = floods(&message).unwrap();
    let desks: Vec<&Value> = told.as_array().unwrap().iter().map(|flood| &flood["desk"]).collect();
    assert_eq!(desks, [&Value::Null, &json!(desk)]);
    assert_eq!(told[0]["since"], since);
    for name in ["all", desk.as_str()] {
        let line = format!("gridward_flood_mode{{desk=\"{name}\"}} 1");
        hub.wait_for("", "/metrics", |text| text.as_str().is_some_and(|text| text.contains(&line)));
    }
    report(&hub, &token, GAUGES);
    hub.kill();
    let rows = flood_rows(&folder);
    assert_eq!(rows, [(None, true), (Some(desk.clone()), true)]);

    let hub = folder.run();
    let again = report(&hub, &token, GAUGES);
    assert_eq!((&again["now"]["flood_since"], &again["total"]["floods"]), (&since, &json!(1)));
    let mut screen = EventSocket::open(&hub.addr, &token, &["floods".to_owned()]);
    let message = screen.wait_for("a snapshot", |message| message["topics"]["floods"].is_array());
    let snapshot = &message["topics"]["floods"];
    assert_eq!((snapshot.as_array().unwrap().len(), &snapshot[0]["since"]), (2, &since));
    hub.stop();
    assert_eq!(flood_rows(&folder), rows, "it is told once");
}
