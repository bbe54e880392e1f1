//! Who sees what people were told, who is on duty, what a route would tell.

use model::{Level, Role, Scope, Timestamp};
use serde_json::{Value, json};
use storage::{MessageState, NewMessage, Plan};

use crate::support::{Hub, hub};

fn message(number: u32, grid: &str, recipient: &str) -> NewMessage {
    NewMessage {
        key: format!("i{number}|{recipient}"),
        incident: Some(format!("i{number}").as_str().into()),
        grid: Some(grid.into()),
        step: "river/0@red".into(),
        channel: "app".into(),
        recipient: recipient.into(),
        level: Level::Red,
        at: Timestamp::now(),
        state: MessageState::Dead,
        error: Some("nobody_on_duty".into()),
        body: json!({ "kind": "opened" }).to_string(),
    }
}

/// Incident 1 in g1 told to Li and Wang, incident 2 in g2 told to Li, a summary to Wang.
async fn told() -> Hub {
    let hub = hub().await;
    let summary = NewMessage { incident: None, grid: None, ..message(3, "g1", "wang") };
    let messages = vec![message(1, "g1", "li"), message(1, "g1", "wang"), message(2, "g2", "li"), summary];
    hub.storage.outbox().plan(&Plan { position: 1, messages, ..Plan::default() }).await.unwrap();
    hub
}

async fn ids(hub: &Hub, who: &str, path: &str) -> Vec<i64> {
    let answer = hub.get(&hub.log_in(who).await, path).await;
    assert_eq!(answer.status, 200, "{who} {path}: {}", answer.body);
    answer.body["items"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn the_scope_and_the_desk_decide_what_is_seen() {
    let hub = told().await;
    assert_eq!(ids(&hub, "li", "/api/v1/notifications").await, [4, 3, 2, 1]);
    assert_eq!(ids(&hub, "li", "/api/v1/notifications?incident=i1").await, [2, 1]);
    assert_eq!(ids(&hub, "narrow", "/api/v1/notifications").await, [2, 1], "g2 and what has no grid do not exist");
    assert_eq!(ids(&hub, "wang", "/api/v1/notifications").await, [4, 2], "a responder sees their own");
    assert_eq!(ids(&hub, "eye", "/api/v1/notifications").await, [0i64; 0]);
    assert_eq!(ids(&hub, "narrow", "/api/v1/outbox?state=dead").await, [2, 1]);
    let first = hub.get(&hub.log_in("li").await, "/api/v1/notifications?limit=3").await.body;
    assert_eq!(ids(&hub, "li", &format!("/api/v1/notifications?limit=3&cursor={}", first["next_cursor"])).await, [1]);
}

#[tokio::test]
async fn desks_see_the_outbox_and_try_again_what_is_theirs() {
    let hub = told().await;
    for path in ["/api/v1/outbox", "/api/v1/roster", "/api/v1/routes"] {
        for who in ["wang", "eye"] {
            assert_eq!(hub.get(&hub.log_in(who).await, path).await.status, 403, "{who} {path}");
        }
    }
    let (narrow, li) = (hub.log_in("narrow").await, hub.log_in("li").await);
    assert_eq!(hub.post(&narrow, "/api/v1/outbox/3/retry", json!({})).await.status, 404, "outside the scope");
    assert_eq!(hub.post(&li, "/api/v1/outbox/no/retry", json!({})).await.status, 404);
    let again = hub.post(&narrow, "/api/v1/outbox/1/retry", json!({})).await;
    assert_eq!((again.status.as_u16(), &again.body["state"]), (200, &json!("waiting")), "{}", again.body);
    let outbox = hub.get(&li, "/api/v1/outbox").await.body;
    assert_eq!((&outbox["waiting"], &outbox["dead"]), (&json!(1), &json!(3)));
    assert_eq!(hub.get(&narrow, "/api/v1/outbox").await.body["dead"], Value::Null, "counts of what they cannot see");
    let everything = Scope::default();
    hub.storage.users().add(&"boss".into(), "demo-password", Role::Lead, &everything).await.unwrap();
    let audit = hub.get(&hub.log_in("boss").await, "/api/v1/audit?action=outbox.retry").await.body;
    assert_eq!(audit["items"].as_array().unwrap().len(), 1, "{audit}");
}

#[tokio::test]
async fn the_roster_and_the_routes_show_no_address() {
    let hub = told().await;
    let li = hub.log_in("li").await;
    let roster = hub.get(&li, "/api/v1/roster").await.body;
    assert_eq!(roster["roles"][0], json!({ "role": "desk", "on_duty": ["li"] }));
    assert_eq!(roster["persons"][0]["reached_by"], json!(["app", "mail", "robot"]));
    let routes = hub.get(&li, "/api/v1/routes").await.body;
    assert_eq!(routes["items"][0]["name"], "river");
    let shown = format!("{roster}{routes}");
    assert!(!shown.contains("138") && !shown.contains('@'), "{shown}");
}

#[tokio::test]
async fn a_made_up_incident_says_who_would_be_told() {
    let hub = told().await;
    let (li, narrow) = (hub.log_in("li").await, hub.log_in("narrow").await);
    let test = |grid: &str| json!({ "level": "red", "hazard": "flood", "grid": grid });
    let would = hub.post(&li, "/api/v1/routes/test", test("g1")).await.body;
    let recipients: Vec<_> = would["items"].as_array().unwrap().iter().map(|i| &i["told"][0]["recipient"]).collect();
    assert_eq!(recipients, ["li", "wang"], "{would}");
    assert_eq!(would["items"][1]["unless"], "acknowledged");
    assert_eq!(hub.post(&li, "/api/v1/routes/test", test("g2")).await.body["items"], json!([]));
    assert_eq!(hub.post(&narrow, "/api/v1/routes/test", test("g2")).await.status, 400, "it does not exist");
    assert_eq!(hub.post(&hub.log_in("eye").await, "/api/v1/routes/test", test("g1")).await.status, 403);
    assert!(hub.storage.outbox().list(&Default::default(), 10).await.unwrap().len() == 4, "nothing was planned");
}
