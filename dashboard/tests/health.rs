//! Rates, outages and the connection log: what is counted, what is guessed, and what a scope hides.

use model::{Grid, GridId, Kind, Owner, Profile, Source, SourceState, SourceStatus, Timestamp};
use serde_json::{Value, json};

use crate::support::{Hub, hub, source};

fn status(id: &str, kind: Kind, state: SourceState, reason: Option<&str>) -> SourceStatus {
    SourceStatus {
        source: id.into(),
        kind,
        profile: (kind == Kind::Camera).then_some(Profile::Sub),
        state,
        since: Timestamp::now(),
        reason: reason.map(str::to_owned),
        detail: None,
        last_data_at: None,
        stream: None,
    }
}

fn camera(id: &str, grid: &str, owner: Owner, host: &str) -> Source {
    Source { url: format!("rtsp://{host}:554/{id}"), ..source(id, grid, owner) }
}

fn grid(id: &str, parent: Option<&str>) -> Grid {
    Grid { id: id.into(), name: id.into(), parent: parent.map(GridId::from), outline: Vec::new() }
}

/// Ten cameras of the police behind one recorder in g1, of which eight are away; four of the traffic office in g2, one
/// of which is degraded; a sensor that nothing is known of.
async fn town() -> Hub {
    let hub = hub().await;
    let mut sources: Vec<Source> =
        (0..10).map(|n| camera(&format!("nvr-{n}"), "g1", Owner::Police, "10.20.0.7")).collect();
    sources.extend((0..4).map(|n| camera(&format!("road-{n}"), "g2", Owner::Traffic, &format!("10.30.0.{n}"))));
    sources.push(Source { kind: Kind::Sensor, url: String::new(), ..source("gauge", "g2", Owner::Governance) });
    let grids = vec![grid("town", None), grid("v1", Some("town")), grid("g1", Some("v1")), grid("g2", Some("town"))];
    hub.feed.set_registry(sources, grids);
    for n in 0..10 {
        let (state, reason) = match n {
            0..8 => (SourceState::Offline, Some("connect_timeout")),
            _ => (SourceState::Live, None),
        };
        hub.feed.status(status(&format!("nvr-{n}"), Kind::Camera, state, reason));
    }
    for n in 0..4 {
        let state = if n == 0 { SourceState::Degraded } else { SourceState::Live };
        hub.feed.status(status(&format!("road-{n}"), Kind::Camera, state, None));
    }
    hub
}

#[tokio::test]
async fn rates_are_told_by_owner_and_by_grid() {
    let hub = town().await;
    let li = hub.log_in("li").await;
    let told = hub.get(&li, "/api/v1/rates?kind=camera").await.body;
    assert_eq!(
        (&told["all"]["total"], &told["all"]["online"], &told["all"]["intact"]),
        (&json!(14), &json!(6), &json!(5))
    );
    let of = |list: &str, name: &str, value: &str| -> Value {
        told[list].as_array().unwrap().iter().find(|one| one[name] == value).unwrap().clone()
    };
    assert_eq!(of("owners", "owner", "police")["online_rate"], json!(0.2));
    assert_eq!(of("owners", "owner", "traffic")["intact_rate"], json!(0.75));
    assert_eq!(of("grids", "grid", "v1")["away"], json!(8), "a village holds its grids");
    assert_eq!(of("grids", "grid", "town")["states"], json!({ "live": 5, "degraded": 1, "offline": 8 }));
    let sensors = hub.get(&li, "/api/v1/rates?kind=sensor").await.body;
    assert_eq!((&sensors["all"]["unknown"], &sensors["all"]["online_rate"]), (&json!(1), &Value::Null));
    assert_eq!(hub.get(&li, "/api/v1/rates").await.body["all"]["total"], json!(15));
    assert_eq!(hub.get(&li, "/api/v1/rates?kind=boat").await.status, 400);
}

#[tokio::test]
async fn outages_of_one_recorder_are_one_group_with_its_figures() {
    let hub = town().await;
    let li = hub.log_in("li").await;
    hub.feed.status(status("road-3", Kind::Camera, SourceState::AuthFailed, Some("auth_failed")));
    let told = hub.get(&li, "/api/v1/outages").await.body;
    assert_eq!((&told["away"], &told["alone"], &told["total"]), (&json!(9), &json!(1), &json!(9)));
    let groups = told["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{groups:?}");
    assert_eq!(groups[0]["cause"], json!({ "type": "recorder", "host": "10.20.0.7" }));
    assert_eq!((&groups[0]["away"], &groups[0]["members"]), (&json!(8), &json!(10)));
    assert_eq!(groups[0]["reasons"], json!({ "connect_timeout": 8 }));
    let id = groups[0]["id"].as_str().unwrap();
    // Its members by pages, and what failed by itself.
    let first = hub.get(&li, &format!("/api/v1/outages?group={id}&limit=5")).await.body;
    let cursor = first["next_cursor"].as_str().unwrap().replace(' ', "%20");
    let second = hub.get(&li, &format!("/api/v1/outages?group={id}&limit=5&cursor={cursor}")).await.body;
    let mut ids: Vec<_> = [&first, &second]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|item| item["source"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    assert_eq!(ids, (0..8).map(|n| format!("nvr-{n}")).collect::<Vec<_>>());
    assert_eq!(second["next_cursor"], Value::Null);
    let alone = hub.get(&li, "/api/v1/outages?group=none").await.body;
    assert_eq!((&alone["items"][0]["source"], &alone["items"][0]["reason"]), (&json!("road-3"), &json!("auth_failed")));
    assert_eq!(hub.get(&li, "/api/v1/outages?group=camera:recorder:10.0.0.1").await.status, 404);
    assert_eq!(hub.get(&li, "/api/v1/outages?cursor=x").await.status, 400);
}

#[tokio::test]
async fn what_the_scope_hides_is_in_no_count_and_no_group() {
    let hub = town().await;
    // A resident's cameras in g1 that are away, and police cameras in g2: both hidden from `narrow`.
    let mut sources: Vec<Source> = hub.feed.sources().values().map(|source| (**source).clone()).collect();
    sources.extend((0..5).map(|n| camera(&format!("hidden-{n}"), "g2", Owner::Police, "10.20.0.7")));
    sources.extend((0..5).map(|n| camera(&format!("yard-{n}"), "g1", Owner::Resident, "10.40.0.9")));
    let grids = hub.feed.grids().to_vec();
    hub.feed.set_registry(sources, grids);
    for n in 0..5 {
        for name in ["hidden", "yard"] {
            hub.feed.status(status(&format!("{name}-{n}"), Kind::Camera, SourceState::Offline, None));
        }
    }
    let narrow = hub.log_in("narrow").await;
    let rates = hub.get(&narrow, "/api/v1/rates").await.body;
    assert_eq!((&rates["all"]["total"], rates["owners"].as_array().unwrap().len()), (&json!(10), 1));
    let grids: Vec<_> = rates["grids"].as_array().unwrap().iter().map(|one| one["grid"].as_str().unwrap()).collect();
    assert_eq!(grids, ["v1", "g1"], "not the town above the scope");
    let outages = hub.get(&narrow, "/api/v1/outages").await.body;
    assert_eq!((&outages["away"], &outages["groups"][0]["members"]), (&json!(8), &json!(10)), "of those it sees");
    let text = outages.to_string();
    for hidden in ["hidden", "yard", "10.40.0.9", "\"town\"", "g2"] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    assert_eq!(hub.get(&narrow, "/api/v1/sources/hidden-1/connections").await.status, 404);
    assert_eq!(hub.get(&narrow, "/api/v1/sources/nvr-1/connections").await.status, 200);
    let li = hub.log_in("li").await;
    assert_eq!(hub.get(&li, "/api/v1/outages").await.body["away"], json!(18));
}

#[tokio::test]
async fn the_connection_log_of_a_source_is_told_with_its_strip() {
    let hub = town().await;
    let li = hub.log_in("li").await;
    let down = status("nvr-1", Kind::Camera, SourceState::Offline, Some("connect_timeout"));
    hub.storage.connections().note(&status("nvr-1", Kind::Camera, SourceState::Live, None), Timestamp::now());
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    hub.storage.connections().note(&down, Timestamp::now());
    let told = hub.get(&li, "/api/v1/sources/nvr-1/connections").await.body;
    let rows = told["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["reason"], &rows[1]["state"]), (2, &json!("connect_timeout"), &json!("live")));
    let segments = told["segments"].as_array().unwrap();
    assert_eq!(segments[0]["reason"], "hub_down", "the day before the hub began is unknown: {segments:?}");
    assert_eq!((&segments[0]["state"], &segments[0]["from"]), (&json!("unknown"), &told["from"]));
    assert_eq!(segments.last().unwrap()["state"], "offline");
    assert_eq!(told["days_kept"], 7);
    for (hours, expected) in [("1", 200), ("168", 200), ("0", 400), ("169", 400), ("x", 400)] {
        let answer = hub.get(&li, &format!("/api/v1/sources/nvr-1/connections?hours={hours}")).await;
        assert_eq!(answer.status, expected, "{hours}");
    }
}

#[tokio::test]
async fn a_bare_list_has_the_states_and_leaves_the_rest_out() {
    let hub = town().await;
    let li = hub.log_in("li").await;
    let full = hub.get(&li, "/api/v1/sources?limit=20").await.body;
    let bare = hub.get(&li, "/api/v1/sources?limit=20&bare=true").await.body;
    let pairs = full["items"].as_array().unwrap().iter().zip(bare["items"].as_array().unwrap());
    for (full, bare) in pairs {
        assert_eq!((&full["id"], &full["state"], &full["url"]), (&bare["id"], &bare["state"], &bare["url"]));
        assert_eq!((&bare["statuses"], &bare["readings"]), (&json!([]), &json!([])));
    }
    assert_eq!((&full["total"], &bare["total"]), (&json!(15), &json!(15)));
    assert!(!full["items"][1]["statuses"].as_array().unwrap().is_empty());
}
