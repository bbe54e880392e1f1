//! Measures of the alarms over HTTP: who may see them, what is refused, JSON and CSV of the same report.

use alerting::kpi::Kpis;
use model::alarm::Title;
use model::{AlarmChange, AlarmTransition, Evidence, Hazard, Level, LogBody, Owner, Role, Scope, Timestamp};
use serde_json::json;

use crate::support::{Hub, hub};

const PATHS: [&str; 2] = ["/api/v1/kpis", "/api/v1/kpis.csv"];

async fn people(hub: &Hub) {
    let narrow = Scope { grids: vec!["v1".into()], owners: Vec::new() };
    let police = Scope { grids: Vec::new(), owners: vec![Owner::Police] };
    let all = Scope::default();
    let leads = [("lead", Role::Lead, &all), ("lead-v1", Role::Lead, &narrow), ("lead-police", Role::Lead, &police)];
    for (name, role, scope) in leads.into_iter().chain([("admin-v1", Role::Admin, &narrow)]) {
        hub.storage.users().add(&name.into(), "demo-password", role, scope).await.unwrap();
    }
}

/// Twelve alarms of camera `a` and one that is shelved, a second ago.
fn alarms(kpis: &mut Kpis, now: Timestamp) {
    for n in 0..13 {
        let words = || Title { zh: "烟".into(), en: "smoke".into() };
        let evidence = Evidence {
            rule_version: "1".into(),
            condition: "x".into(),
            value: None,
            values: Default::default(),
            since: None,
        };
        let change = AlarmChange::Raised {
            level: Level::Orange,
            hazard: Hazard::Fire,
            title: words(),
            action: words(),
            owner: Some("fire-desk".into()),
            grid: "g1".into(),
            place: None,
            shelved_until: (n == 12).then_some(now),
            suppressed_by: None,
            shadow: false,
            evidence,
        };
        let alarm = format!("a-{n}").as_str().into();
        let raised = AlarmTransition { alarm, rule: "smoke".into(), source: "a".into(), seq: 1, at: now, change };
        kpis.take_body(&LogBody::Alarm(raised), now);
    }
}

#[tokio::test]
async fn leads_and_administrators_of_the_whole_town_see_them_and_nobody_else() {
    let hub = hub().await;
    people(&hub).await;
    let matrix = [
        ("eye", 403),
        ("wang", 403),
        ("li", 403),
        ("narrow", 403),
        ("lead", 200),
        ("admin", 200),
        ("lead-v1", 403),
        ("lead-police", 403),
        ("admin-v1", 403),
    ];
    for (name, status) in matrix {
        let cookie = hub.log_in(name).await;
        for path in PATHS {
            assert_eq!(hub.get(&cookie, path).await.status, status, "{name} {path}");
        }
    }
}

#[tokio::test]
async fn a_report_holds_figures_against_lines_and_has_the_names_of_opc_ua() {
    let hub = hub().await;
    people(&hub).await;
    let now = Timestamp::now();
    alarms(&mut hub.kpis.lock(), now);
    let lead = hub.log_in("lead").await;
    let report = hub.get(&lead, "/api/v1/kpis?desk=fire-desk&by=shift").await.body;
    assert_eq!((&report["total"]["alarms"], &report["total"]["suppressed"]), (&json!(12), &json!({ "shelved": 1 })));
    let kpi = |id: &str| report["kpis"].as_array().unwrap().iter().find(|kpi| kpi["id"] == id).unwrap().clone();
    let high = kpi("priority_high");
    assert_eq!((&high["value"], &high["good"], &high["verdict"]), (&json!(1.0), &json!(0.05), &json!("over")));
    assert_eq!(kpi("limits_kept")["verdict"], "none");
    for name in [
        "AlarmCount",
        "CurrentAlarmRate",
        "MaximumAlarmRate",
        "AverageAlarmRate",
        "MaximumActiveState",
        "MaximumUnAck",
        "MaximumReAlarmCount",
    ] {
        assert!(report["opc_ua"][name].is_number(), "{name}: {}", report["opc_ua"]);
    }
    assert_eq!((&report["opc_ua"]["AlarmCount"], &report["opc_ua"]["MaximumReAlarmCount"]), (&json!(12), &json!(11)));
    assert!(report["now"]["flood_since"].is_string() && report["floods"].as_array().unwrap().len() == 1);
    assert_eq!((&report["top"][0]["rule"], &report["top"][0]["source"]), (&json!("smoke"), &json!("a")));
    assert_eq!(report["cameras"][0]["source"], "a");
    assert!(report["periods"].as_array().unwrap().iter().all(|one| one["shift"] == "day" || one["shift"] == "night"));
    let csv = hub.get(&lead, "/api/v1/kpis.csv?desk=fire-desk&by=shift").await;
    assert!(csv.head.to_lowercase().contains("content-type: text/csv"), "{}", csv.head);
    let text = String::from_utf8_lossy(&csv.bytes).into_owned();
    assert!(text.contains("from,to,shift,covered_h,alarms,raised_red"), "{text}");
    let lines = text.lines().filter(|line| line.contains("T") && line.contains(",day,") || line.contains(",night,"));
    assert_eq!(lines.count(), report["periods"].as_array().unwrap().len());
}

#[tokio::test]
async fn what_cannot_be_told_is_refused_with_its_field() {
    let hub = hub().await;
    people(&hub).await;
    let lead = hub.log_in("lead").await;
    for (query, word) in [
        ("desk=nobody", "desk"),
        ("by=week", "by"),
        ("from=yesterday", "from"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
        ("from=2025-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "45 days"),
        ("to=-009999-01-02T00:00:00Z", "to"),
        ("station=1", "station"),
    ] {
        for path in PATHS {
            let answer = hub.get(&lead, &format!("{path}?{query}")).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.body["error"]["code"]),
                (400, &json!("bad_request")),
                "{query}"
            );
            assert!(answer.body["error"]["message"].as_str().unwrap().contains(word), "{query}: {}", answer.body);
        }
    }
}
