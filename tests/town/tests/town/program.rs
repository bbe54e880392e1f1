//! The `town` program: its files, its one line, its end.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{clips, http};

fn town() -> Command {
    Command::new(env!("CARGO_BIN_EXE_town"))
}

#[test]
fn write_makes_three_files_that_are_the_same_every_time() {
    let dir = tempfile::tempdir().unwrap();
    let files = |name: &str| {
        let to = dir.path().join(name);
        let done = town().args(["write", "--load", "5", "--load-sensors", "6", "--dir"]).arg(&to).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        ["sources.csv", "grids.json", "map.geojson"].map(|file| std::fs::read_to_string(to.join(file)).unwrap())
    };
    let first = files("a");
    assert_eq!(first, files("b"));
    assert_eq!(first[0].lines().count(), 1 + 24 + 60 + 5 + 6);
    assert!(first[0].contains("rtsp://127.0.0.1:8554/cam-river-1/main,viewer,town-demo,always"));
    let grids: Vec<model::Grid> = serde_json::from_str(&first[1]).unwrap();
    assert_eq!(grids.len(), 71);
    assert!(first[2].contains("虚构示例"));
}

#[tokio::test(flavor = "multi_thread")]
async fn run_says_ready_and_ends_cleanly_on_sigterm() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = town()
        .args(["run", "--rtsp", "127.0.0.1:0", "--mqtt", "127.0.0.1:1", "--control", "127.0.0.1:0", "--quiet-script"])
        .arg("--dir")
        .arg(dir.path())
        .arg("--clips")
        .arg(clips())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let line = tokio::task::spawn_blocking(move || stdout.lines().next().unwrap().unwrap()).await.unwrap();
    let (rtsp, control) = line.strip_prefix("ready rtsp=").unwrap().split_once(" control=http://").unwrap();
    assert_ne!(rtsp, "127.0.0.1:0");
    let csv = std::fs::read_to_string(dir.path().join("sources.csv")).unwrap();
    assert!(csv.contains(&format!("rtsp://{rtsp}/cam-street-1/sub")), "the file names the port that was taken");
    let (status, state) = http(control.parse().unwrap(), "GET", "/state", "").await;
    assert_eq!((status, &state["quiet_script"]), (200, &true.into()));

    let asked = Instant::now();
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    assert!(status.success(), "{status:?}");
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    for (wrong, says) in [
        (["--mqtt", "nowhere"], "HOST:PORT"),
        (["--cycle-s", "5"], "from 30"),
        (["--load-sensors", "100000"], "from 0 to 99999"),
        (["--load", "many"], "from 0 to 99999"),
        (["--load-fps", "7"], "expected one of [1, 2, 3"),
        (["--load-fps", "0"], "expected one of [1, 2, 3"),
    ] {
        let done = town()
            .args(["run", "--dir", "/nowhere", "--rtsp", "127.0.0.1:0", "--control", "127.0.0.1:0"])
            .args(wrong)
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&done.stderr).contains(says), "{done:?}");
    }
}
