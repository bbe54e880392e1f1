//! Log-in, scope, the case flow, audit.

use serde_json::{Value, json};

use crate::support::hub;

#[tokio::test]
async fn nothing_but_health_is_open_without_a_log_in() {
    let hub = hub().await;
    let document = serde_json::to_value(dashboard::openapi()).unwrap();
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "a").replace("{name}", "a").replace("{step}", "note");
        for method in methods.as_object().unwrap().keys().map(|m| m.to_uppercase()) {
            if (path.as_str(), method.as_str()) == ("/api/v1/session", "POST") {
                continue;
            }
            let body = (method == "POST").then(|| json!({}));
            let answer = hub.call(&method, &path, &[], body).await;
            assert_eq!(answer.status, 401, "{method} {path}");
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked}");
    assert_eq!(hub.call("GET", "/healthz", &[], None).await.status, 200);
    assert_eq!(hub.call("GET", "/readyz", &[], None).await.status, 200);
    assert!(hub.call("GET", "/api/openapi.json", &[], None).await.body["paths"].is_object());
}

#[tokio::test]
async fn wrong_passwords_lock_and_say_for_how_long() {
    let hub = hub().await;
    let wrong = json!({ "username": "li", "password": "wrong" });
    for _ in 0..4 {
        let answer = hub.call("POST", "/api/v1/session", &[], Some(wrong.clone())).await;
        assert_eq!((answer.status.as_u16(), &answer.body["error"]["code"]), (401, &json!("bad_credentials")));
    }
    let locked = hub.call("POST", "/api/v1/session", &[], Some(wrong)).await;
    assert_eq!((locked.status.as_u16(), &locked.body["error"]["code"]), (429, &json!("locked_out")));
    assert!(locked.body["error"]["details"]["retry_after_s"].as_u64().unwrap() >= 59);
    assert!(locked.head.to_lowercase().contains("retry-after"));
    let right = json!({ "username": "li", "password": "demo-password" });
    assert_eq!(hub.call("POST", "/api/v1/session", &[], Some(right)).await.status, 429, "even with the right one");
}

#[tokio::test]
async fn a_change_from_another_site_is_refused() {
    let hub = hub().await;
    let cookie = hub.log_in("li").await;
    let body = json!({ "title": "x", "hazard": "fire", "level": "blue", "grid": "g1" });
    let bare = hub.call("POST", "/api/v1/incidents", &[("Cookie", &cookie)], Some(body.clone())).await;
    assert_eq!(bare.status, 403);
    let headers = [("Cookie", cookie.as_str()), ("X-Gridward", "1"), ("Origin", "http://evil")];
    assert_eq!(hub.call("POST", "/api/v1/incidents", &headers, Some(body.clone())).await.status, 403);
    let headers = [("Cookie", cookie.as_str()), ("X-Gridward", "1"), ("Origin", "http://hub")];
    assert_eq!(hub.call("POST", "/api/v1/incidents", &headers, Some(body)).await.status, 201);
}

#[tokio::test]
async fn a_scope_hides_other_grids_and_owners_everywhere() {
    let hub = hub().await;
    let (li, narrow) = (hub.log_in("li").await, hub.log_in("narrow").await);
    assert_eq!(hub.get(&li, "/api/v1/sources").await.body["total"], 3);
    let page = hub.get(&narrow, "/api/v1/sources").await.body;
    assert_eq!((page["total"].as_u64(), page["items"][0]["id"].as_str()), (Some(1), Some("a")));
    for hidden in ["b", "r"] {
        assert_eq!(hub.get(&narrow, &format!("/api/v1/sources/{hidden}")).await.status, 404);
        assert_eq!(hub.get(&narrow, &format!("/api/v1/observations?source={hidden}")).await.status, 404);
    }
    let report = |grid: &str| json!({ "title": "smoke", "hazard": "fire", "level": "red", "grid": grid });
    assert_eq!(hub.post(&narrow, "/api/v1/incidents", report("g2")).await.status, 400);
    let id = hub.post(&li, "/api/v1/incidents", report("g2")).await.body["id"].as_str().unwrap().to_owned();
    assert_eq!(hub.get(&narrow, "/api/v1/incidents").await.body["items"], json!([]));
    assert_eq!(hub.get(&narrow, &format!("/api/v1/incidents/{id}")).await.status, 404);
    assert_eq!(hub.post(&narrow, &format!("/api/v1/incidents/{id}/acknowledge"), json!({})).await.status, 404);
    assert_eq!(hub.get(&li, &format!("/api/v1/incidents/{id}")).await.status, 200);
}

#[tokio::test]
async fn an_incident_goes_from_report_to_close_over_the_api() {
    let hub = hub().await;
    let (li, wang, eye) = (hub.log_in("li").await, hub.log_in("wang").await, hub.log_in("eye").await);
    let report =
        json!({ "title": "smoke in the yard", "hazard": "fire", "level": "orange", "grid": "g1", "text": "seen" });
    assert_eq!(hub.post(&eye, "/api/v1/incidents", report.clone()).await.status, 403);
    let made = hub.post(&li, "/api/v1/incidents", report).await;
    let path = format!("/api/v1/incidents/{}", made.body["id"].as_str().unwrap());
    let step = |cookie: String, name: &'static str, body: Value| {
        let (hub, path) = (&hub, format!("{path}/{name}"));
        async move { hub.post(&cookie, &path, body).await }
    };
    assert_eq!(step(li.clone(), "explode", json!({})).await.status, 400);
    assert_eq!(step(li.clone(), "dispatch", json!({ "responder": "wang" })).await.body["error"]["code"], "wrong_step");
    for name in ["acknowledge", "take", "accept", "file"] {
        let answer = step(li.clone(), name, json!({})).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
    }
    assert_eq!(step(li.clone(), "dispatch", json!({ "responder": "nobody" })).await.status, 400);
    assert_eq!(step(li.clone(), "dispatch", json!({ "responder": "wang" })).await.status, 200);
    assert_eq!(step(wang, "handle", json!({})).await.status, 200);
    assert_eq!(step(li.clone(), "verify", json!({})).await.status, 200);
    assert_eq!(step(li.clone(), "close", json!({ "verdict": "true" })).await.status, 200);
    let view = hub.get(&li, &path).await.body;
    assert_eq!(view["outcome"], json!({ "type": "closed", "verdict": "true" }));
    assert_eq!(view["transitions"].as_array().unwrap().len(), 10);
    let ended = hub.get(&li, "/api/v1/incidents?state=ended").await.body;
    assert_eq!(ended["items"].as_array().unwrap().len(), 1);
    assert_eq!(hub.storage.log().verify().await.unwrap().first_bad, None);
}

#[tokio::test]
async fn administration_is_for_administrators_and_leaves_rows() {
    let hub = hub().await;
    let (admin, li) = (hub.log_in("admin").await, hub.log_in("li").await);
    for path in ["/api/v1/users", "/api/v1/tokens", "/api/v1/dead-letters", "/api/v1/audit"] {
        assert_eq!(hub.get(&li, path).await.status, 403, "{path}");
        assert_eq!(hub.get(&admin, path).await.status, 200, "{path}");
    }
    let new = json!({ "id": "probe", "role": "viewer" });
    let made = hub.post(&admin, "/api/v1/tokens", new.clone()).await;
    assert_eq!(hub.post(&admin, "/api/v1/tokens", new).await.status, 409);
    let bearer = format!("Bearer {}", made.body["token"].as_str().unwrap());
    assert_eq!(hub.call("GET", "/api/v1/sources", &[("Authorization", &bearer)], None).await.status, 200);
    assert_eq!(hub.call("GET", "/api/v1/users", &[("Authorization", &bearer)], None).await.status, 403);
    let rows = hub.get(&admin, "/api/v1/audit?action=token").await.body;
    assert_eq!(rows["items"][0]["body"]["subject"], "probe");
    let short = json!({ "name": "x", "password": "short", "role": "viewer" });
    assert_eq!(hub.post(&admin, "/api/v1/users", short).await.status, 400);
}

#[tokio::test]
async fn a_residents_camera_opens_only_with_a_purpose_on_record() {
    let hub = hub().await;
    let (admin, li) = (hub.log_in("admin").await, hub.log_in("li").await);
    assert_eq!(hub.post(&li, "/api/v1/sources/a/break-glass", json!({ "purpose": "look" })).await.status, 400);
    assert_eq!(hub.post(&li, "/api/v1/sources/r/break-glass", json!({ "purpose": " " })).await.status, 400);
    let opened = hub.post(&li, "/api/v1/sources/r/break-glass", json!({ "purpose": "missing child" })).await;
    assert_eq!(opened.status, 200);
    let rows = hub.get(&admin, "/api/v1/audit?action=video.break_glass").await.body;
    assert_eq!(rows["items"][0]["body"]["purpose"], "missing child");
}

/// Each route about rules, with the least role that may ask it; who keeps the rules is not there, so whoever may is told
/// just that.
#[tokio::test]
async fn routes_about_rules_ask_for_the_right_role() {
    use model::Role;
    let hub = hub().await;
    hub.storage.users().add(&"chief".into(), "demo-password", Role::Lead, &model::Scope::default()).await.unwrap();
    let village = model::Scope { grids: vec!["v1".into()], owners: Vec::new() };
    hub.storage.users().add(&"far-admin".into(), "demo-password", Role::Admin, &village).await.unwrap();
    let people = [
        (Role::Viewer, "eye"),
        (Role::Responder, "wang"),
        (Role::Operator, "li"),
        (Role::Lead, "chief"),
        (Role::Admin, "admin"),
    ];
    let text = json!({ "text": "" });
    let step = json!({ "status": "shadow", "reason": "r" });
    let wish = json!({ "rule": "r", "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z" });
    let routes = [
        ("GET", "/api/v1/rules", None, Role::Viewer, 200),
        ("GET", "/api/v1/rules/r/explain?source=a", None, Role::Viewer, 503),
        ("GET", "/api/v1/rules/r", None, Role::Operator, 503),
        ("GET", "/api/v1/rules/r/shadow", None, Role::Operator, 200),
        ("POST", "/api/v1/rules/check", Some(&text), Role::Lead, 503),
        ("POST", "/api/v1/rules/backtest", Some(&wish), Role::Lead, 503),
        ("GET", "/api/v1/rules/backtests", None, Role::Lead, 200),
        ("GET", "/api/v1/rules/backtests/1", None, Role::Lead, 404),
        ("DELETE", "/api/v1/rules/backtests/1", None, Role::Lead, 404),
        ("POST", "/api/v1/rules/r/status", Some(&step), Role::Lead, 503),
        ("PUT", "/api/v1/rules/r", Some(&text), Role::Admin, 503),
        ("POST", "/api/v1/rules/reload", None, Role::Admin, 503),
    ];
    // None is forgotten here.
    let document = serde_json::to_value(dashboard::openapi()).unwrap();
    let all = document["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/api/v1/rules"));
    assert_eq!(all.map(|(_, methods)| methods.as_object().unwrap().len()).sum::<usize>(), routes.len());
    for (role, name) in people {
        let cookie = hub.log_in(name).await;
        for (method, path, body, least, granted) in &routes {
            let headers = [("Cookie", cookie.as_str()), ("X-Gridward", "1")];
            let answer = hub.call(method, path, &headers, body.cloned()).await;
            let expected = if role >= *least { *granted } else { 403 };
            assert_eq!(answer.status, expected, "{name} {method} {path}: {}", answer.body);
        }
    }
    // Rules are about the whole town: whoever is bound to a part of it changes none.
    let cookie = hub.log_in("far-admin").await;
    let headers = [("Cookie", cookie.as_str()), ("X-Gridward", "1")];
    for (method, path, body) in [("PUT", "/api/v1/rules/r", &text), ("POST", "/api/v1/rules/r/status", &step)] {
        assert_eq!(hub.call(method, path, &headers, Some(body.clone())).await.status, 403, "{path}");
    }
    assert_eq!(hub.get(&cookie, "/api/v1/rules/r/explain?source=b").await.status, 404, "outside the scope");
    assert_eq!(hub.get(&cookie, "/api/v1/rules/r/explain?source=a").await.status, 503);
    let backwards = json!({ "rule": "r", "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z" });
    assert_eq!(hub.post(&cookie, "/api/v1/rules/backtest", backwards).await.status, 400);
}
