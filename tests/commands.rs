//! The command line: every answer a newcomer meets.

use crate::hub::{Folder, gridward};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn init_writes_settings_that_check_finds_good_and_never_overwrites() {
    let folder = Folder::new();
    let checked = folder.command(&["check"]);
    assert!(checked.status.success(), "{checked:?}");
    let again = gridward().arg("init").arg(folder.path()).output().unwrap();
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("exists already"), "{again:?}");
}

#[test]
fn check_lists_every_problem_and_exits_64() {
    let folder = Folder::new();
    folder.add_config("colour = 1\n[[mqtt.brokers]]\nname = \"a\"\nurl = 5\n");
    let checked = folder.command(&["check"]);
    let told = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(64), "{told}");
    assert!(told.contains("notify.colour") && told.contains("mqtt.brokers[0].url"), "{told}");
    let missing = gridward().args(["check", "--config", "/nowhere/hub.toml"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(64));
    assert!(text(&missing.stderr).contains("gridward init"), "{missing:?}");
}

#[test]
fn a_bad_row_refuses_the_whole_file_unless_partial() {
    let folder = Folder::new();
    let rows = "good,sensor,smoke,烟感,governance,g1,,,,,,,t/1,raw,,,\nbad,sensor,smoke,n,nobody,g1,,,,,,,t/2,raw,,,\n";
    let refused = folder.import(rows);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("line 3, column owner"), "{refused:?}");
    assert_eq!(text(&folder.command(&["sources", "export"]).stdout).lines().count(), 1);
    let file = folder.path().join("sources.csv");
    let file = file.to_str().unwrap();
    let dry = folder.command(&["sources", "import", file, "--partial", "--dry-run"]);
    assert!(text(&dry.stdout).contains("1 source would be taken"), "{dry:?}");
    assert_eq!(text(&folder.command(&["sources", "export"]).stdout).lines().count(), 1);
    let taken = folder.command(&["sources", "import", file, "--partial"]);
    assert!(taken.status.success(), "{taken:?}");
    assert!(text(&folder.command(&["sources", "export"]).stdout).contains("good,sensor,smoke,烟感"));
}

#[test]
fn accounts_are_made_and_logged_and_the_chain_verifies() {
    let folder = Folder::new();
    let made = folder.command(&["user", "add", "li", "--role", "operator"]);
    assert!(made.status.success() && text(&made.stdout).contains("password: "), "{made:?}");
    let twice = folder.command(&["user", "add", "li", "--role", "operator"]);
    assert!(text(&twice.stderr).contains("user li exists already"), "{twice:?}");
    let role = folder.command(&["user", "add", "x", "--role", "king"]);
    assert!(text(&role.stderr).contains("expected one of viewer"), "{role:?}");
    let grid = folder.command(&["token", "create", "--role", "viewer", "--grid", "nowhere"]);
    assert!(text(&grid.stderr).contains("grid nowhere is not known"), "{grid:?}");
    assert_eq!(folder.token("viewer").len(), 67);
    let verified = folder.command(&["log", "verify"]);
    assert!(text(&verified.stdout).starts_with("2 rows, chain whole"), "{verified:?}");
}

#[test]
fn a_forgotten_password_is_replaced_and_ends_what_the_old_one_opened() {
    let folder = Folder::new();
    let hub = folder.run();
    let admin = folder.token("admin");
    let made = folder.command(&["user", "add", "li", "--role", "operator"]);
    assert!(made.status.success(), "{made:?}");
    let log_in = |password: &str| {
        let body = serde_json::json!({ "username": "li", "password": password });
        hub.post("", "/api/v1/session", &body)
    };
    let printed =
        |said: &[u8]| text(said).lines().find_map(|l| l.strip_prefix("password: ").map(str::to_owned)).unwrap();
    let old = printed(&made.stdout);
    for _ in 0..4 {
        assert_eq!(log_in("a wrong password").0, 401);
    }
    assert_eq!(log_in("a wrong password").0, 429);
    assert_eq!(log_in(&old).0, 429, "the name is locked");
    let changed = folder.command(&["user", "password", "li"]);
    assert!(changed.status.success(), "{changed:?}");
    assert_eq!(log_in(&printed(&changed.stdout)).0, 200, "the lock is lifted");
    assert_eq!(log_in(&old).0, 401);
    let nobody = folder.command(&["user", "password", "wang"]);
    assert!(!nobody.status.success() && text(&nobody.stderr).contains("user wang"), "{nobody:?}");
    let (_, rows) = hub.get(&admin, "/api/v1/audit?action=user.password");
    assert_eq!(rows["items"][0]["body"]["subject"], "li", "{rows}");
}

#[test]
fn a_sigterm_drains_within_ten_seconds() {
    let folder = Folder::new();
    let hub = folder.run();
    let token = folder.token("viewer");
    assert_eq!(hub.get(&token, "/readyz").0, 200);
    let second = gridward().args(["run", "--config"]).arg(folder.config()).output().unwrap();
    assert!(text(&second.stderr).contains("another hub is running"), "{second:?}");
    let (code, took) = hub.stop();
    assert_eq!(code, Some(0));
    assert!(took.as_secs() < 10, "{took:?}");
}

#[test]
fn every_key_can_be_set_from_the_environment_and_a_bad_one_is_named() {
    let folder = Folder::new();
    let check = |name: &str, value: &str| {
        gridward().args(["check", "--config"]).arg(folder.config()).env(name, value).output().unwrap()
    };
    assert!(check("GRIDWARD_STORAGE__HISTORY_DAYS", "7").status.success());
    let bad = check("GRIDWARD_STORAGE__HISTORY_DAYS", "soon");
    assert_eq!(bad.status.code(), Some(64));
    let told = text(&bad.stderr);
    assert!(told.contains("GRIDWARD_STORAGE__HISTORY_DAYS") && told.contains("\"soon\""), "{told}");
    let bind = check("GRIDWARD_HTTP__BIND", "everywhere");
    assert!(text(&bind.stderr).contains("found \"everywhere\""), "{bind:?}");
    let elsewhere = tempfile::tempdir().unwrap();
    let data = elsewhere.path().join("data");
    let made = gridward()
        .args(["user", "add", "li", "--role", "lead", "--config"])
        .arg(folder.config())
        .env("GRIDWARD_STORAGE__DATA_DIR", &data)
        .output()
        .unwrap();
    assert!(made.status.success() && data.join("gridward.db").exists(), "{made:?}");
}

#[test]
fn a_file_without_the_columns_is_refused_even_in_part() {
    let folder = Folder::new();
    let file = folder.path().join("odd.csv");
    std::fs::write(&file, "id,kind\na,sensor\n").unwrap();
    let refused = folder.command(&["sources", "import", file.to_str().unwrap(), "--partial"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("column \"owner\" is missing"), "{refused:?}");
}

#[test]
fn commands_work_beside_a_running_hub_which_follows() {
    let folder = Folder::new();
    let hub = folder.run();
    let token = folder.token("admin");
    assert!(
        folder.import("gauge-9,sensor,river_gauge,水位,police,g7,,,,,,,t/9,raw,m,10,limits.blue=3\n").status.success()
    );
    let source = hub.wait_for(&token, "/api/v1/sources/gauge-9", |source| source["id"] == "gauge-9");
    assert_eq!(source["owner"], "police");
    let made = folder.command(&["user", "add", "wang", "--role", "operator", "--grid", "g7", "--owner", "police"]);
    assert!(made.status.success(), "{made:?}");
    let password = text(&made.stdout).lines().find_map(|l| l.strip_prefix("password: ").map(str::to_owned)).unwrap();
    let body = serde_json::json!({ "username": "wang", "password": password });
    let (status, session) = hub.post("", "/api/v1/session", &body);
    assert_eq!((status, &session["user"]["role"]), (200, &"operator".into()), "{session}");
    let exported = folder.command(&["sources", "export"]);
    assert!(text(&exported.stdout).contains("gauge-9,sensor,river_gauge,水位,police,g7"), "{exported:?}");
    assert!(folder.command(&["log", "verify"]).status.success());
}

#[test]
fn a_changed_row_of_the_log_is_found() {
    let folder = Folder::new();
    for name in ["li", "wang", "zhao"] {
        assert!(folder.command(&["user", "add", name, "--role", "viewer"]).status.success());
    }
    let script = "import sqlite3,sys\n\
                  db = sqlite3.connect(sys.argv[1])\n\
                  done = db.execute(\"UPDATE log SET body = replace(body, 'wang', 'wong')\")\n\
                  db.commit()\n\
                  sys.exit(done.rowcount == 0)";
    let changed = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(folder.path().join("data/gridward.db"))
        .output()
        .unwrap();
    assert!(changed.status.success(), "{changed:?}");
    let verified = folder.command(&["log", "verify"]);
    assert_eq!(verified.status.code(), Some(1));
    assert!(text(&verified.stderr).contains("the chain is broken at row 2"), "{verified:?}");
}

#[test]
fn a_second_signal_ends_at_once() {
    let folder = Folder::new();
    let hub = folder.run();
    // A request that never becomes whole keeps the drain waiting.
    let mut half = std::net::TcpStream::connect(&hub.addr).unwrap();
    let head =
        "POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    std::io::Write::write_all(&mut half, head.as_bytes()).unwrap();
    let token = folder.token("viewer");
    assert_eq!(hub.get(&token, "/readyz").0, 200);
    let pid = hub.pid();
    let again = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(1_500));
        crate::hub::signal(pid, "INT");
    });
    let (code, took) = hub.stop();
    again.join().unwrap();
    assert_eq!(code, Some(0));
    let drained = took.as_millis() >= 1_400;
    assert!(drained && took.as_secs() < 5, "{took:?}");
}
