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
    assert!(told.contains("town.colour") && told.contains("mqtt.brokers[0].url"), "{told}");
    let missing = gridward().args(["check", "--config", "/nowhere/hub.toml"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
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
    assert!(text(&dry.stdout).contains("1 sources would be taken"), "{dry:?}");
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
