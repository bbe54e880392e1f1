//! The switch between back-ends: who may turn it, for what, and what stands in the registry and the log afterwards.

use model::{Kind, Owner, Role, Scope, Source};
use serde_json::json;
use storage::SourceRow;

use crate::support::{Hub, hub, source};

/// The support's hub with the cameras `a` (g1) and `b` (g2) and a sensor `gauge` in its registry, and an administrator
/// of the village v1 alone.
async fn town() -> Hub {
    let hub = hub().await;
    let gauge = Source { kind: Kind::Sensor, url: String::new(), ..source("gauge", "g1", Owner::Police) };
    let sources = vec![source("a", "g1", Owner::Police), source("b", "g2", Owner::Police), gauge];
    let rows: Vec<_> = sources.iter().map(|s| SourceRow { source: s.clone(), credentials: None }).collect();
    hub.storage.registry().put_sources(&rows).await.unwrap();
    let grids = hub.feed.grids();
    hub.feed.set_registry(sources, grids.to_vec());
    let village = Scope { grids: vec!["v1".into()], owners: vec![] };
    hub.storage.users().add(&"chen".into(), "demo-password", Role::Admin, &village).await.unwrap();
    hub
}

async fn tag(hub: &Hub, id: &str) -> Option<String> {
    hub.storage.registry().source(id).await.unwrap().unwrap().tags.get("backend").cloned()
}

#[tokio::test]
async fn an_administrator_chooses_and_takes_back_and_the_audit_has_both() {
    let hub = town().await;
    let admin = hub.log_in("admin").await;
    let path = "/api/v1/sources/a/backend";
    let answer = hub.post(&admin, path, json!({ "backend": "ffmpeg" })).await;
    assert_eq!((answer.status.as_u16(), &answer.body["tags"]["backend"]), (200, &json!("ffmpeg")), "{}", answer.body);
    assert_eq!((tag(&hub, "a").await.as_deref(), tag(&hub, "b").await), (Some("ffmpeg"), None));
    let csv = storage::csv::export(&hub.storage.registry().all().await.unwrap()).unwrap();
    assert!(String::from_utf8(csv).unwrap().contains("backend=ffmpeg"));

    assert_eq!(hub.post(&admin, path, json!({ "backend": "auto" })).await.status, 200);
    assert_eq!(tag(&hub, "a").await, None);
    let rows = hub.get(&admin, "/api/v1/audit?action=source.backend").await.body;
    let rows: Vec<_> = rows["items"].as_array().unwrap().iter().map(|row| &row["body"]).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[1]["subject"], &rows[1]["detail"]), (&json!("a"), &json!({ "from": "auto", "to": "ffmpeg" })));
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_changes_nothing() {
    let hub = town().await;
    let (admin, li, chen) = (hub.log_in("admin").await, hub.log_in("li").await, hub.log_in("chen").await);
    let version = hub.storage.registry().version().await.unwrap();
    let ffmpeg = json!({ "backend": "ffmpeg" });
    for (who, id, body, status, told) in [
        (&li, "a", ffmpeg.clone(), 403, "operator"),
        (&chen, "b", ffmpeg.clone(), 404, "source"),
        (&admin, "none", ffmpeg.clone(), 404, "source"),
        (&admin, "gauge", ffmpeg.clone(), 400, "sensor"),
        (&admin, "a", json!({ "backend": "gstreamer" }), 400, "expected auto, retina or ffmpeg"),
    ] {
        let answer = hub.post(who, &format!("/api/v1/sources/{id}/backend"), body).await;
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert!(answer.status == status && message.contains(told), "{id}: {} {message}", answer.status);
    }
    assert_eq!(hub.storage.registry().version().await.unwrap(), version);
    let rows = hub.get(&admin, "/api/v1/audit?action=source.backend").await.body;
    assert_eq!(rows["items"], json!([]));
    assert_eq!(
        hub.post(&chen, "/api/v1/sources/a/backend", ffmpeg).await.status,
        200,
        "within the scope it is allowed"
    );
}
