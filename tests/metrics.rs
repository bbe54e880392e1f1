//! What the hub counts is on paper, and is there before anything has happened.

use std::collections::BTreeSet;
use std::path::Path;

use crate::hub::Folder;

/// Every name of ours in the sources of these folders, outside comments.
fn names_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            names_in(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&entry).unwrap();
            for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
                for part in line.split("\"gridward_").skip(1) {
                    let name = part.split('"').next().unwrap_or_default();
                    let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
                    if is_name && !name.is_empty() && name != "session" {
                        found.insert(format!("gridward_{name}"));
                    }
                }
            }
        }
    }
}

#[test]
fn every_metric_is_described_for_those_who_operate_a_hub() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = BTreeSet::new();
    for part in ["src", "alerting/src", "command/src", "dashboard/src", "ingest/src", "storage/src", "video/src"] {
        names_in(&root.join(part), &mut names);
    }
    assert!(names.len() > 50, "{names:?}");
    let text = std::fs::read_to_string(root.join("docs/operating.md")).unwrap();
    let missing: Vec<&String> = names.iter().filter(|name| !text.contains(&format!("`{name}"))).collect();
    assert!(missing.is_empty(), "docs/operating.md says nothing of {missing:#?}");
}

#[test]
fn what_the_interface_promises_is_there_from_the_start() {
    let folder = Folder::new();
    let hub = folder.run();
    let told = hub.wait_for("", "/metrics", |text| {
        text.as_str().is_some_and(|text| text.contains("gridward_ingest_to_event_seconds_bucket"))
    });
    let text = told.as_str().unwrap();
    for name in [
        "gridward_sources{kind=\"camera\",state=\"live\"}",
        "gridward_sources{kind=\"sensor\",state=\"silent\"}",
        "gridward_frames_total",
        "gridward_video_bytes_total",
        "gridward_observations_total",
        "gridward_dead_letters_total",
        "gridward_alarms_total{level=\"red\"}",
        "gridward_incidents_open",
        "gridward_mqtt_dropped_total",
        "gridward_live_dropped_frames_total",
        "gridward_event_sockets_dropped_total",
        "gridward_storage_ok 1",
        "gridward_queue_depth{queue=\"log\"}",
        "gridward_queue_depth{queue=\"history\"}",
        "gridward_queue_depth{queue=\"intake\"}",
        "# TYPE gridward_ingest_to_event_seconds histogram",
    ] {
        assert!(text.contains(name), "{name} is missing in\n{text}");
    }
}
