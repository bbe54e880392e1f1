//! Holds the dependency direction of ARCHITECTURE.md: which part may know which.

use std::collections::BTreeSet;

/// Part -> our own parts it may name as dependencies.
const MAY_KNOW: [(&str, &[&str]); 9] = [
    ("model", &[]),
    ("config", &[]),
    ("video", &["model"]),
    ("ingest", &["model", "video"]),
    ("alerting", &["model"]),
    ("command", &["model"]),
    ("notify", &["model"]),
    ("storage", &["model"]),
    ("dashboard", &["model", "video", "storage", "alerting", "command", "notify"]),
];

/// Part -> crates it must not name: the worlds it is kept from.
const MUST_NOT_KNOW: [(&str, &[&str]); 9] = [
    ("model", &["tokio", "sqlx", "axum", "rumqttc", "retina", "toml"]),
    ("config", &["tokio", "sqlx", "axum"]),
    ("video", &["retina", "axum", "rumqttc", "sqlx"]),
    ("ingest", &["sqlx", "axum", "cel", "ffmpeg-next"]),
    ("alerting", &["sqlx", "axum", "rumqttc", "retina", "ffmpeg-next"]),
    ("command", &["sqlx", "axum", "rumqttc", "retina", "ffmpeg-next"]),
    ("notify", &["sqlx", "axum", "retina", "rmqtt-codec", "ffmpeg-next"]),
    ("storage", &["axum", "rumqttc", "retina", "cel"]),
    ("dashboard", &["retina", "rumqttc", "ffmpeg-next", "sqlx"]),
];

/// The names in the `[dependencies]` table of a part's manifest; what only tests use is free.
fn dependencies(part: &str) -> BTreeSet<String> {
    let path = format!("{}/{part}/Cargo.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let mut inside = false;
    let mut names = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == "[dependencies]";
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
            names.insert(name.to_owned());
        }
    }
    assert!(!names.is_empty(), "{path} has no [dependencies]");
    names
}

#[test]
fn each_part_knows_only_what_it_may() {
    let parts: BTreeSet<&str> = MAY_KNOW.iter().map(|(part, _)| *part).collect();
    for (part, may) in MAY_KNOW {
        for name in dependencies(part) {
            let ours = parts.contains(name.as_str());
            assert!(!ours || may.contains(&name.as_str()), "{part} must not know {name}");
        }
    }
}

#[test]
fn each_part_is_kept_from_the_worlds_of_others() {
    for (part, kept_from) in MUST_NOT_KNOW {
        let found = dependencies(part);
        for name in kept_from {
            assert!(!found.contains(*name), "{part} must not use {name}");
        }
    }
}
