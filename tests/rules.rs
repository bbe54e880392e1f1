//! Rules through their life: written, tried over the past, on trial, in force; and their files while the hub runs.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use alerting::RuleSet;
use alerting::backtest::{Backtest, warm_up};
use model::{LogBody, Observation, Source, Timestamp};
use serde_json::{Value, json};
use storage::{Opener, Scan, Storage};

use crate::hub::{Folder, Hub, free_port, gridward, signal};
use crate::sensor::Link;

/// A folder with two gauges over the hub's own broker; its port.
fn town() -> (Folder, u16) {
    let (folder, port) = (Folder::new(), free_port());
    let text = std::fs::read_to_string(folder.config()).unwrap();
    let text = text.replace("[mqtt]", &format!("[mqtt]\nembedded = \"127.0.0.1:{port}\""));
    std::fs::write(folder.config(), text).unwrap();
    let rows: String = (1..=2)
        .map(|n| {
            format!("gauge-{n},sensor,river_gauge,水位,governance,g{n},106.1,29.2,,,,,town/gauge-{n},raw,m,10,limits.blue=3.0\n")
        })
        .collect();
    assert!(folder.import(&rows).status.success());
    (folder, port)
}

/// Publishes readings one after another, each acknowledged before the next.
struct Sensors {
    link: Link,
    number: u16,
}

impl Sensors {
    fn open(port: u16) -> Self {
        Self { link: Link::open(port, "gauges").expect("the broker listens"), number: 0 }
    }

    fn publish(&mut self, gauge: u32, metres: f64) {
        self.number += 1;
        assert!(self.link.publish(&format!("town/gauge-{gauge}"), self.number, &metres.to_string()));
        while !self.link.acknowledged().expect("the broker is there").contains(&self.number) {}
    }
}

/// A rule over the gauges, as a file of its own.
fn rule(id: &str, status: &str, limit: f64) -> String {
    format!(
        "version: 1\nrules:\n- id: {id}\n  status: {status}\n  title: {{zh: 水位, en: Level}}\n  hazard: flood\n  about:\n    \
         owner: water-office\n    action: {{zh: 看, en: Look}}\n    rationale: a test\n  \
         on: {{class: river_gauge, reading: level}}\n  levels:\n    blue: {{raise: x >= {limit:?}, clear: x < {:?}}}\n",
        limit - 0.1
    )
}

fn problems(hub: &Hub, token: &str) -> Vec<Value> {
    hub.get(token, "/api/v1/rules").1["problems"].as_array().unwrap().clone()
}

/// A backtest over the API, to its end.
fn backtest(hub: &Hub, token: &str, body: &Value) -> Value {
    let (status, begun) = hub.post(token, "/api/v1/rules/backtest", body);
    assert_eq!(status, 202, "{begun}");
    let path = format!("/api/v1/rules/backtests/{}", begun["id"]);
    hub.wait_for(token, &path, |job| job["state"] == "done" || job["state"] == "failed")
}

#[test]
fn files_are_taken_over_while_the_hub_runs_and_a_bad_one_leaves_the_old_in_force() {
    let folder = Folder::new();
    let hub = folder.run();
    let (token, admin) = (folder.token("viewer"), folder.token("admin"));
    let version = |hub: &Hub| hub.get(&token, "/api/v1/rules").1["version"].as_str().unwrap().to_owned();
    let first = version(&hub);
    assert_eq!(hub.metric("gridward_rules_ok"), 1.0);
    let file = folder.path().join("rules/more.yaml");
    std::fs::write(&file, rule("more", "active", 3.0)).unwrap();
    let page = hub.wait_for(&token, "/api/v1/rules", |page| page["version"] != first.as_str());
    assert!(page["items"].as_array().unwrap().iter().any(|rule| rule["id"] == "more"), "{page}");
    let second = version(&hub);
    // Bad: told with its place, and nothing else happens.
    std::fs::write(&file, rule("more", "active", 3.0).replace("flood", "plague")).unwrap();
    hub.wait_for(&token, "/api/v1/rules", |page| page["problems"] != json!([]));
    let told = problems(&hub, &token);
    assert!(told[0]["file"].as_str().unwrap().ends_with("more.yaml") && told[0]["line"] == 6, "{told:?}");
    assert_eq!((version(&hub), hub.metric("gridward_rules_ok")), (second.clone(), 0.0));
    let (status, refused) = hub.post(&admin, "/api/v1/rules/reload", &json!({}));
    assert_eq!((status, &refused["error"]["code"]), (422, &json!("bad_rules")), "{refused}");
    assert_eq!(hub.post(&token, "/api/v1/rules/reload", &json!({})).0, 403);
    // Mended, and said so by a signal and by a request.
    std::fs::write(&file, rule("more", "active", 3.5)).unwrap();
    signal(hub.pid(), "HUP");
    hub.wait_for(&token, "/api/v1/rules", |page| page["problems"] == json!([]) && page["version"] != second.as_str());
    let (status, done) = hub.post(&admin, "/api/v1/rules/reload", &json!({}));
    assert_eq!((status, &done["changed"], &done["rules"]), (200, &json!(false), &json!(13)), "{done}");
    std::fs::remove_file(&file).unwrap();
    let (_, done) = hub.post(&admin, "/api/v1/rules/reload", &json!({}));
    assert_eq!((&done["changed"], version(&hub)), (&json!(true), first), "{done}");
    assert!(hub.metric("gridward_rules_reload_seconds_count") >= 3.0);
    assert_eq!(hub.stop().0, Some(0));
}

#[test]
fn a_rule_goes_from_draft_over_trial_into_force_by_two_people() {
    let (folder, port) = town();
    let mut hub = folder.run();
    let (admin, lead, operator) = (folder.token("admin"), folder.token("lead"), folder.token("operator"));
    let began = Timestamp::now();
    let text = |status: &str, limit: f64| json!({ "text": rule("my-level", status, limit), "note": "a first try" });
    let one = "/api/v1/rules/my-level";
    let status = format!("{one}/status");
    // Written: only good, alone, under its own id, not yet in force, and by an administrator.
    assert_eq!(hub.put(&lead, one, &text("draft", 3.0)).0, 403);
    let (code, bad) = hub.put(&admin, one, &json!({ "text": "version: 1\nrules:\n- id: my-level\n" }));
    assert!(code == 422 && bad["error"]["details"]["problems"][0]["line"] == 3, "{bad}");
    assert_eq!(hub.put(&admin, one, &text("active", 3.0)).0, 409);
    assert_eq!(hub.put(&admin, "/api/v1/rules/other", &text("draft", 3.0)).0, 400);
    assert_eq!(hub.put(&admin, "/api/v1/rules/river-level", &text("draft", 3.0)).0, 409);
    assert_eq!(hub.put(&admin, "/api/v1/rules/..%2Fx", &text("draft", 3.0)).0, 400);
    assert!(!folder.path().join("rules/console").join("my-level.yaml").exists());
    let (code, written) = hub.put(&admin, one, &text("draft", 3.0));
    assert!(code == 200 && written["writable"] == true && written["status"] == "draft", "{written}");
    let (_, checked) = hub.post(&lead, "/api/v1/rules/check", &json!({ "text": rule("new", "draft", 3.0) }));
    assert_eq!(checked["items"], json!([]), "{checked}");
    let (_, checked) =
        hub.post(&lead, "/api/v1/rules/check", &json!({ "text": rule("new", "draft", 3.0).replace("x < ", "x > ") }));
    assert_eq!(checked["items"][0]["code"], "levels-overlap", "{checked}");
    // On trial: it raises, and nobody is told.
    let (code, moved) = hub.post(&lead, &status, &json!({ "status": "shadow", "reason": "to see" }));
    assert!(code == 200 && moved["status"] == "shadow", "{moved}");
    let mut sensors = Sensors::open(port);
    sensors.publish(1, 3.2);
    let shadow = format!("{one}/shadow");
    let seen = hub.wait_for(&operator, &shadow, |seen| seen["raised"] == 1);
    assert!(seen["active"] == 1 && seen["by_source"][0]["source"] == "gauge-1", "{seen}");
    assert!(!hub.get(&operator, "/api/v1/alarms").1.to_string().contains("my-level"));
    drop(sensors);
    hub.kill();
    hub = folder.run();
    assert_eq!(hub.get(&operator, &shadow).1["active"], 1, "it stands after a kill");
    hub.wait_for(&operator, "/api/v1/rules", |page| page.to_string().contains("my-level"));
    // Into force: not without a trial on record, nor by its author; not by an operator.
    let active = json!({ "status": "active", "reason": "it was right" });
    assert_eq!(hub.post(&operator, &status, &active).0, 403);
    let (code, refused) = hub.post(&lead, &status, &active);
    assert!(code == 409 && refused.to_string().contains("no backtest"), "{refused}");
    let wish = json!({ "rule": "my-level", "from": began, "to": Timestamp::now() });
    let job = backtest(&hub, &admin, &wish);
    assert_eq!(job["report"]["raised"], 1, "{job}");
    let (code, refused) = hub.post(&admin, &status, &active);
    assert!(code == 409 && refused.to_string().contains("somebody other"), "{refused}");
    let (code, moved) = hub.post(&lead, &status, &active);
    assert!(code == 200 && moved["status"] == "active", "{moved}");
    hub.wait_for(&operator, "/api/v1/alarms", |page| page.to_string().contains("my-level"));
    assert_eq!(hub.get(&operator, &shadow).1["active"], 0, "what was on trial has ended");
    // In force: its words may change, its meaning may not.
    assert_eq!(hub.put(&admin, one, &text("active", 3.1)).0, 409);
    let words = json!({ "text": rule("my-level", "active", 3.0).replace("Level", "Water level") });
    assert_eq!(hub.put(&admin, one, &words).0, 200);
    // What was done stands in the log, with who and the text of each version.
    let (_, told) = hub.get(&operator, one);
    let steps: Vec<&str> =
        told["steps"].as_array().unwrap().iter().map(|step| step["change"]["step"]["type"].as_str().unwrap()).collect();
    assert_eq!(steps, ["written", "status_set", "backtested", "status_set", "written"], "{told}");
    assert_eq!(told["steps"][3]["change"]["step"]["proof"], "backtest");
    assert!(told["steps"][0]["change"]["step"]["text"].as_str().unwrap().contains("status: draft"));
    // A lead may go on alone, with a reason, and that is on record too.
    assert_eq!(hub.put(&admin, "/api/v1/rules/quick", &json!({ "text": rule("quick", "draft", 9.0) })).0, 200);
    let alone = json!({ "status": "active", "reason": "the river rises", "override": true });
    let (code, moved) = hub.post(&admin, "/api/v1/rules/quick/status", &alone);
    assert!(code == 200 && moved["steps"][1]["change"]["step"]["overridden"] == true, "{moved}");
    assert_eq!(hub.post(&admin, "/api/v1/rules/quick/status", &json!({ "status": "retired", "reason": " " })).0, 400);
    assert_eq!(
        hub.post(&admin, "/api/v1/rules/river-level/status", &json!({ "status": "retired", "reason": "r" })).0,
        409
    );
    assert_eq!(hub.stop().0, Some(0));
    assert!(folder.command(&["log", "verify"]).status.success());
    assert!(folder.command(&["check"]).status.success());
}

#[test]
fn what_a_rule_sees_now_and_saw_then_is_explained() {
    let (folder, port) = town();
    std::fs::write(folder.path().join("rules/more.yaml"), rule("more", "active", 3.0)).unwrap();
    let hub = folder.run();
    let token = folder.token("viewer");
    let mut sensors = Sensors::open(port);
    sensors.publish(1, 2.5);
    hub.wait_for(&token, "/api/v1/sources/gauge-1", |source| source["readings"][0]["value"] == 2.5);
    std::thread::sleep(Duration::from_millis(50));
    let before = Timestamp::now();
    std::thread::sleep(Duration::from_millis(50));
    sensors.publish(1, 3.4);
    let now = "/api/v1/rules/more/explain?source=gauge-1";
    let told = hub.wait_for(&token, now, |told| told["verdict"] == "raised");
    assert_eq!(told["reasons"][0]["key"], "raised", "{told}");
    let (status, told) = hub.get(&token, &format!("{now}&at={before}"));
    assert_eq!(
        (status, &told["verdict"], &told["reasons"][0]["key"]),
        (200, &json!("not_met"), &json!("not_met")),
        "{told}"
    );
    assert_eq!(told["levels"][0]["raise"]["names"][0]["value"], 2.5, "{told}");
    let (_, told) = hub.get(&token, &format!("{now}&at={}", Timestamp::now()));
    assert_eq!(told["verdict"], "raised", "{told}");
    assert_eq!(hub.get(&token, "/api/v1/rules/none/explain?source=gauge-1").0, 404);
    assert_eq!(hub.get(&token, "/api/v1/rules/more/explain?source=none").0, 404);
    assert_eq!(hub.get(&token, &format!("{now}&at=2100-01-01T00:00:00Z")).0, 400);
    let made = folder.command(&["token", "create", "--role", "viewer", "--grid", "g2"]);
    let narrow = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    assert_eq!(hub.get(&narrow, now).0, 404, "what the scope hides does not exist");
    assert_eq!(hub.get(&narrow, "/api/v1/rules/more/explain?source=gauge-2").0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backtest_says_byte_for_byte_what_the_hub_said() {
    let (folder, port) = town();
    let text = rule("more", "active", 3.0).replace("  levels:", "  for: 1s\n  hold: 1s\n  levels:");
    std::fs::write(folder.path().join("rules/more.yaml"), &text).unwrap();
    let hub = folder.run();
    let (token, admin) = (folder.token("viewer"), folder.token("admin"));
    let mut sensors = Sensors::open(port);
    let from = Timestamp::now();
    for (gauge, metres, wait_ms) in [
        (1, 2.0, 10),
        (2, 3.3, 1_300),
        (1, 3.1, 400),
        (1, 3.2, 900),
        (2, 2.0, 1_100),
        (1, 3.05, 300),
        (1, 2.2, 50),
        (2, 3.0, 700),
        (2, 2.95, 600),
        (1, 3.4, 1_200),
        (2, 2.0, 30),
        (1, 2.0, 1_200),
    ] {
        sensors.publish(gauge, metres);
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
    hub.wait_for(&token, "/api/v1/alarms", |page| page["items"] == json!([]));
    // While the hub runs: from the command line, and over the API.
    let printed = gridward()
        .args(["rules", "backtest", "more", "--json", "--from", &from.to_string(), "--config"])
        .arg(folder.config())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&printed.stdout).unwrap_or_else(|error| panic!("{error}: {printed:?}"));
    let job = backtest(&hub, &admin, &json!({ "rule": "more", "from": from, "to": Timestamp::now() }));
    assert_eq!(job["report"]["raised"], report["raised"], "{job} {report}");
    let harder = json!({ "text": rule("more", "draft", 3.35), "from": from, "to": Timestamp::now() });
    assert_eq!(backtest(&hub, &admin, &harder)["report"]["raised"], 1);
    assert_eq!(hub.stop().0, Some(0));

    let config = storage::Config { data_dir: folder.path().join("data"), ..storage::Config::default() };
    let (storage, _) = Storage::open(&config, Opener::Tool).await.unwrap();
    let to = Timestamp::now();
    let mut live = Vec::new();
    storage
        .log()
        .replay(0, |entry| {
            if let LogBody::Alarm(transition) = entry.body
                && transition.rule.as_str() == "more"
            {
                live.push(serde_json::to_string(&transition).unwrap());
            }
        })
        .await
        .unwrap();
    let rules = RuleSet::load(&[("more.yaml".to_owned(), text)]).unwrap();
    let rows = storage.registry().all().await.unwrap();
    let sources: Vec<Arc<Source>> = rows.into_iter().map(|row| Arc::new(row.source)).collect();
    let begin = from.checked_sub(warm_up(&rules, &"more".into(), &sources).unwrap()).unwrap();
    let mut test = Backtest::new(&rules, &"more".into(), &sources, [begin, from, to]).unwrap();
    let ids: HashSet<_> = sources.iter().map(|source| source.id.clone()).collect();
    let scan = Scan { from: begin, to, sources: ids, readings: None };
    let each = |observation: Observation| {
        test.observe(&observation);
        ControlFlow::Continue(())
    };
    storage.history().scan(&scan, each).await.unwrap();
    test.end();
    let tried: Vec<String> = test.said().map(|transition| serde_json::to_string(transition).unwrap()).collect();
    let raised = tried.iter().filter(|text| text.contains("\"raised\"")).count();
    assert!(raised >= 3 && json!(raised) == report["raised"], "{raised} {report}");
    assert_eq!(tried, live);
}

#[test]
fn the_command_line_tells_what_is_wrong_and_exits_as_it_says() {
    let folder = Folder::new();
    let run = |arguments: &[&str]| {
        let done = gridward().args(arguments).current_dir(folder.path()).output().unwrap();
        let told = String::from_utf8(done.stdout).unwrap() + &String::from_utf8(done.stderr).unwrap();
        (done.status.code().unwrap(), told)
    };
    let (code, told) = run(&["rules", "check"]);
    assert_eq!(code, 0, "{told}");
    std::fs::write(
        folder.path().join("rules/bad.yaml"),
        rule("bad", "active", 3.0).replace("x >= 3.0", "x >= 3.0 && x < 2"),
    )
    .unwrap();
    let (code, told) = run(&["rules", "check"]);
    assert!(
        code == 64 && told.contains("rules/bad.yaml:13:11: error[unreachable]: bad: blue can never be raised"),
        "{told}"
    );
    std::fs::write(folder.path().join("rules/bad.yaml"), rule("bad", "active", 3.0).replace(", clear: x < 2.9", ""))
        .unwrap();
    let (code, told) = run(&["rules", "check", "rules/bad.yaml"]);
    assert!(code == 0 && told.contains("warning[no-clear]"), "{told}");
    assert_eq!(run(&["rules", "check", "--strict", "rules/bad.yaml"]).0, 64);
    assert!(folder.import("smoke-1,sensor,smoke,烟,governance,g1,,,,,,,t/1,raw,,,\n").status.success());
    let (_, told) = run(&["rules", "check"]);
    assert!(told.contains("[selects-nothing]: bad: no source") && !told.contains("[selects-nothing]: smoke"), "{told}");
    let tests = "rules: [rules/bad.yaml]\ntests:\n- name: t\n  devices: {g: {class: river_gauge}}\n  readings: {g: {level: 3.5}}\n  \
                 expect: [{at: 1s, alarms: []}]\n";
    std::fs::write(folder.path().join("a_test.yaml"), tests).unwrap();
    let (code, told) = run(&["rules", "test", "a_test.yaml"]);
    assert!(code == 1 && told.contains("t: FAILED") && told.contains("got:      g bad blue active"), "{code} {told}");
    std::fs::write(folder.path().join("a_test.yaml"), tests.replace("alarms: []", "alarms: [{device: g}]")).unwrap();
    let (code, told) = run(&["rules", "test", "."]);
    assert!(code == 0 && told.contains("1 tests passed"), "{code} {told}");
    std::fs::write(folder.path().join("a_test.yaml"), tests.replace("at: 1s", "at: soon")).unwrap();
    assert_eq!(run(&["rules", "test", "a_test.yaml"]).0, 64);
    let (code, told) = run(&["rules", "backtest", "none", "--from", "2026-01-01"]);
    assert!(code == 1 && told.contains("no rule none"), "{told}");
}
