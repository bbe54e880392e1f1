//! Sensors over Debian's mosquitto: readings reach the API, and what cannot be read is kept for a look.

use crate::hub::Folder;
use crate::mosquitto::Mosquitto;

const ROWS: &str = "gauge-1,sensor,river_gauge,水位,governance,g1,,,,,,,town/gauge-1,raw,m,10,\n\
                    smoke-1,sensor,smoke,烟感,governance,g1,,,,,,,town/smoke-1,json,,60,\n";

fn town() -> (Folder, Mosquitto) {
    let folder = Folder::new();
    let broker = Mosquitto::start(folder.path(), "");
    folder.add_config(&format!("[[mqtt.brokers]]\nname = \"town\"\nurl = \"mqtt://127.0.0.1:{}\"\n", broker.port));
    assert!(folder.import(ROWS).status.success());
    (folder, broker)
}

#[test]
fn readings_reach_the_api_and_garbage_becomes_dead_letters() {
    let (folder, broker) = town();
    let hub = folder.run();
    let token = folder.token("admin");
    hub.wait_for(&token, "/api/v1/hub", |hub| hub["details"]["brokers"][0]["connected"] == true);
    broker.publish("town/gauge-1", &["3.25".into()]);
    broker.publish("town/smoke-1", &["{\"smoke\": true, \"battery\": 87}".into(), "not json".into()]);
    let source = hub.wait_for(&token, "/api/v1/sources/gauge-1", |s| s["readings"][0]["value"] == 3.25);
    assert_eq!(source["state"], "live");
    let page = hub.wait_for(&token, "/api/v1/observations?source=smoke-1", |p| {
        p["items"].as_array().is_some_and(|items| items.len() == 2)
    });
    assert!(page.to_string().contains("\"smoke\""), "{page}");
    let letters = hub.wait_for(&token, "/api/v1/dead-letters", |l| l["total"] == 1);
    assert_eq!(letters["items"][0]["source"], "smoke-1");
    let metrics = hub.get(&token, "/metrics").1;
    for name in ["gridward_observations_total", "gridward_dead_letters_total", "gridward_ingest_to_event_seconds"] {
        assert!(metrics.as_str().unwrap().contains(name), "{name} is missing");
    }
}
