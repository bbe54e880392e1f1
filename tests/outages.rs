//! Outages as the running hub learns them: cameras that refuse, grouped; the connection log over a restart and a kill.

use std::fmt::Write;

use serde_json::Value;

use crate::hub::{Folder, Hub, free_port};

/// Cameras that nobody answers for: four behind one host in one grid, and one elsewhere. Nothing listens on the port.
fn town() -> (Folder, Hub, String) {
    let folder = Folder::new();
    let port = free_port();
    let mut rows = String::new();
    for n in 1..5 {
        let owner = if n % 2 == 0 { "police" } else { "traffic" };
        writeln!(
            rows,
            "nvr-{n},camera,street,录像机 {n},{owner},g{},106.1,29.3,rtsp://127.0.0.2:{port}/ch{n},,,always,,,,,",
            n % 2
        )
        .unwrap();
    }
    writeln!(rows, "lone,camera,street,独立,governance,g3,106.1,29.3,rtsp://127.0.0.3:{port}/a,,,always,,,,,").unwrap();
    writeln!(rows, "later,camera,street,按需,governance,g3,106.1,29.3,rtsp://127.0.0.4:{port}/a,,,demand,,,,,")
        .unwrap();
    assert!(folder.import(&rows).status.success());
    let hub = folder.run();
    let token = folder.token("viewer");
    (folder, hub, token)
}

fn reasons(log: &Value) -> Vec<String> {
    let segments = log["segments"].as_array().unwrap().iter();
    segments.map(|one| one["reason"].as_str().or(one["state"].as_str()).unwrap().to_owned()).collect()
}

#[test]
fn a_dead_recorder_is_one_group_and_its_cameras_have_a_log_over_restarts() {
    let (folder, hub, token) = town();
    let told = hub.wait_for(&token, "/api/v1/outages", |told| told["away"] == 5);
    let group = &told["groups"][0];
    assert_eq!(told["groups"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!((&group["cause"]["type"], &group["cause"]["host"]), (&"recorder".into(), &"127.0.0.2".into()));
    assert_eq!(
        (&group["away"], &group["members"], &group["reasons"]["connect_refused"]),
        (&4.into(), &4.into(), &4.into())
    );
    assert_eq!(told["alone"], 1);
    let rates = hub.get(&token, "/api/v1/rates?kind=camera").1;
    assert_eq!(
        (&rates["all"]["away"], &rates["all"]["unknown"], &rates["all"]["online_rate"]),
        (&5.into(), &1.into(), &0.0.into())
    );
    let metrics = hub.get("", "/metrics").1;
    for line in [
        "gridward_sources_by_owner{kind=\"camera\",owner=\"police\",standing=\"away\"} 2",
        "gridward_sources_by_owner{kind=\"camera\",owner=\"governance\",standing=\"unknown\"} 1",
        "gridward_outage_groups{cause=\"recorder\"} 1",
        "gridward_outage_groups{cause=\"grid\"} 0",
        "gridward_connection_log_rows_total",
        "gridward_connection_log_merged_total 0",
    ] {
        assert!(metrics.as_str().unwrap().contains(line), "{line} is missing in {metrics}");
    }
    let path = "/api/v1/sources/nvr-1/connections";
    hub.wait_for(&token, path, |log| log["rows"][0]["reason"] == "connect_refused");
    assert_eq!(hub.stop().0, Some(0));

    // A stop in order, then a kill: what was between is unknown both times.
    for _ in 0..2 {
        std::thread::sleep(std::time::Duration::from_millis(300));
        let hub = folder.run();
        let log = hub.wait_for(&token, path, |log| {
            log["segments"].as_array().is_some_and(|all| all.last().unwrap()["reason"] == "connect_refused")
        });
        let told = reasons(&log);
        let before = told.iter().position(|reason| reason == "connect_refused").expect("the first run is still known");
        assert_eq!(told[before + 1], "hub_down", "{told:?}");
        assert_eq!(told[0], "hub_down", "before the first hub: {told:?}");
        // The writer has had its second.
        std::thread::sleep(std::time::Duration::from_millis(2_500));
        hub.kill();
    }
    let hub = folder.run();
    let told = reasons(&hub.get(&token, path).1);
    assert!(told.iter().filter(|reason| *reason == "connect_refused").count() >= 3, "{told:?}");
    assert_eq!(told.iter().filter(|reason| *reason == "hub_down").count(), 4, "{told:?}");
    hub.stop();
    // What is taken out of the registry and what is hidden has no log.
    assert!(folder.path().join("data/connections.db").exists());
}
