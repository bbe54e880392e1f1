//! What the hub has said it has, it has: after kill -9 at any moment, torn files, a full disk.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::dice::Dice;
use crate::hub::{Folder, Hub, free_port, gridward};
use crate::mosquitto::Mosquitto;
use crate::sensor::{Link, Sensor};
use crate::socket::EventSocket;

const GAUGE: &str = "gauge-1,sensor,river_gauge,水位,governance,g1,,,,,,,town/gauge-1,raw,m,10,\n";

/// A folder with one gauge on the hub's own broker, which listens on this port at each start.
fn embedded() -> (Folder, u16) {
    let (folder, port) = (Folder::new(), free_port());
    let text = std::fs::read_to_string(folder.config()).unwrap();
    std::fs::write(folder.config(), text.replace("[mqtt]", &format!("[mqtt]\nembedded = \"127.0.0.1:{port}\"")))
        .unwrap();
    assert!(folder.import(GAUGE).status.success());
    (folder, port)
}

fn verify(folder: &Folder) {
    let verified = folder.command(&["log", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
}

/// All numbers in the history, read from its files by a program of somebody else's.
fn kept_numbers(folder: &Folder) -> BTreeSet<u32> {
    let script = "import glob,sqlite3,sys\n\
                  for f in glob.glob(sys.argv[1] + '/data/history/*.db'):\n\
                  \tfor (n,) in sqlite3.connect(f).execute('SELECT number FROM observation'): print(int(n))";
    let out = Command::new("python3").args(["-c", script]).arg(folder.path()).output().unwrap();
    assert!(out.status.success(), "{out:?}");
    String::from_utf8(out.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

fn missing(folder: &Folder, wanted: &BTreeSet<u32>) -> Vec<u32> {
    let kept = kept_numbers(folder);
    wanted.iter().copied().filter(|number| !kept.contains(number)).collect()
}

#[test]
fn no_acknowledged_reading_is_lost_by_kill_9_with_the_hubs_own_broker() {
    let (folder, port) = embedded();
    let mut dice = Dice::new("embedded broker");
    let sensor = Sensor::start(port, "town/gauge-1");
    for _ in 0..6 {
        let hub = folder.run();
        sensor.progress(30);
        dice.sleep_ms(600);
        hub.kill();
        // At this moment: what is acknowledged is kept, with nobody there to mend anything.
        let acknowledged = sensor.acknowledged();
        let lost = missing(&folder, &acknowledged);
        assert!(lost.is_empty(), "acknowledged and not kept: {:?}", &lost[..lost.len().min(10)]);
    }
    let hub = folder.run();
    sensor.progress(1);
    let (sent, acknowledged) = sensor.finish();
    assert_eq!(acknowledged.len(), sent as usize, "every reading is acknowledged in the end");
    assert_eq!(hub.stop().0, Some(0));
    assert_eq!(missing(&folder, &acknowledged), Vec::<u32>::new());
    verify(&folder);
}

#[test]
fn no_acknowledged_reading_is_lost_by_kill_9_with_a_persistent_mosquitto() {
    let folder = Folder::new();
    let broker = Mosquitto::start(folder.path(), "persistence true\nautosave_interval 1\n");
    folder.add_config(&format!("[[mqtt.brokers]]\nname = \"town\"\nurl = \"mqtt://127.0.0.1:{}\"\n", broker.port));
    assert!(folder.import(GAUGE).status.success());
    let token = folder.token("viewer");
    let hub = folder.run();
    // From the first subscription on the broker keeps the hub's session, so that nothing it takes is lost.
    hub.wait_for(&token, "/api/v1/hub", |hub| hub["details"]["brokers"][0]["connected"] == true);
    hub.wait_for(&token, "/api/v1/sources/gauge-1", |source| {
        let mut probe = Link::open(broker.port, "probe").unwrap();
        probe.publish("town/gauge-1", 1, "999999");
        source["readings"][0]["value"] == 999_999.0
    });
    let mut dice = Dice::new("mosquitto");
    let sensor = Sensor::start(broker.port, "town/gauge-1");
    let mut hub = Some(hub);
    for _ in 0..6 {
        let running = hub.take().unwrap_or_else(|| folder.run());
        sensor.progress(30);
        dice.sleep_ms(600);
        running.kill();
        sensor.progress(30); // The broker goes on taking.
    }
    let hub = folder.run();
    let (sent, acknowledged) = sensor.finish();
    assert_eq!(acknowledged.len(), sent as usize);
    let last = f64::from(sent - 1);
    hub.wait_for(&token, "/api/v1/sources/gauge-1", |source| source["readings"][0]["value"] == last);
    assert_eq!(hub.stop().0, Some(0));
    assert_eq!(missing(&folder, &acknowledged), Vec::<u32>::new());
    verify(&folder);
}

/// A request that may fail, as any does of a hub that is killed; none when there was no whole answer.
fn try_post(addr: &str, token: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(addr).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, serde_json::from_str(body).ok()?))
}

#[test]
fn no_incident_that_was_answered_is_lost_by_kill_9() {
    let folder = Folder::new();
    assert!(folder.import(GAUGE).status.success());
    let token = folder.token("operator");
    let mut dice = Dice::new("incidents");
    // Each incident's id, and whether its acknowledgement was answered too.
    let answered: Arc<Mutex<Vec<(String, bool)>>> = Arc::default();
    for round in 0..6 {
        let hub = folder.run();
        let clients: Vec<_> = (0..3)
            .map(|client| {
                let (addr, token, answered) = (hub.addr.clone(), token.clone(), Arc::clone(&answered));
                std::thread::spawn(move || {
                    for number in 0.. {
                        let title = format!("report {round}-{client}-{number}");
                        let report = json!({ "title": title, "hazard": "fire", "level": "blue", "grid": "g1" });
                        let Some((201, made)) = try_post(&addr, &token, "/api/v1/incidents", &report) else { return };
                        let id = made["id"].as_str().unwrap().to_owned();
                        let at = answered.lock().unwrap().len();
                        answered.lock().unwrap().push((id.clone(), false));
                        let path = format!("/api/v1/incidents/{id}/acknowledge");
                        let Some((200, _)) = try_post(&addr, &token, &path, &json!({})) else { return };
                        let mut all = answered.lock().unwrap();
                        let place = all[at..].iter().position(|(known, _)| *known == id).unwrap() + at;
                        all[place].1 = true;
                    }
                })
            })
            .collect();
        let (began, before) = (Instant::now(), answered.lock().unwrap().len());
        while answered.lock().unwrap().len() < before + 5 {
            assert!(began.elapsed() < Duration::from_secs(60), "no incident was answered");
            std::thread::sleep(Duration::from_millis(5));
        }
        dice.sleep_ms(300);
        hub.kill();
        clients.into_iter().for_each(|client| client.join().unwrap());
    }
    let hub = folder.run();
    let answered = std::mem::take(&mut *answered.lock().unwrap());
    assert!(answered.len() >= 30, "{}", answered.len());
    for (id, is_acknowledged) in &answered {
        let (status, incident) = hub.get(&token, &format!("/api/v1/incidents/{id}"));
        assert_eq!(status, 200, "{id} was answered and is lost");
        let steps: Vec<&str> =
            incident["transitions"].as_array().unwrap().iter().filter_map(|t| t["change"]["type"].as_str()).collect();
        assert!(!is_acknowledged || steps.contains(&"acknowledged"), "{id}: {incident}");
    }
    hub.stop();
    verify(&folder);
}

/// The newest day's file of the history.
fn day_file(folder: &Folder) -> PathBuf {
    let entries = std::fs::read_dir(folder.path().join("data/history")).unwrap();
    entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "db")).max().unwrap()
}

fn log_of(file: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", file.display()))
}

fn append_garbage(file: &Path) {
    let mut file = OpenOptions::new().append(true).open(file).unwrap();
    file.write_all(&[0x5a; 6_000]).unwrap();
}

fn cut(file: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(file).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(bytes)).unwrap();
}

/// Publishes numbers at the hub's own broker and waits until it has them.
fn keep(port: u16, numbers: std::ops::Range<u32>) {
    let mut link = (0..100).find_map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        Link::open(port, "keeper")
    });
    let link = link.as_mut().expect("the broker answers");
    let count = numbers.len();
    for number in numbers {
        assert!(link.publish("town/gauge-1", number as u16 + 1, &number.to_string()));
    }
    let (mut answered, began) = (0, Instant::now());
    while answered < count {
        answered += link.acknowledged().expect("the connection stays").len();
        assert!(began.elapsed() < Duration::from_secs(60), "{answered} of {count} acknowledged");
    }
}

/// What the newest row of this action tells.
fn told(hub: &Hub, token: &str, action: &str) -> Value {
    hub.get(token, &format!("/api/v1/audit?action={action}&limit=1")).1["items"][0]["body"]["detail"].clone()
}

#[test]
fn a_torn_tail_is_cut_counted_and_told_and_the_start_succeeds() {
    let (folder, port) = embedded();
    let token = folder.token("admin");
    let report = json!({ "title": "smoke", "hazard": "fire", "level": "red", "grid": "g1" });
    let hub = folder.run();
    keep(port, 0..50);
    let (status, made) = hub.post(&token, "/api/v1/incidents", &report);
    assert_eq!(status, 201, "{made}");
    hub.kill();

    // Bytes behind the last whole commit, as a power cut leaves them.
    append_garbage(&log_of(&folder.path().join("data/gridward.db")));
    append_garbage(&log_of(&day_file(&folder)));
    let hub = folder.run();
    assert_eq!(told(&hub, &token, "hub.start")["cut_bytes"], 12_000);
    assert_eq!(hub.metric("gridward_storage_cut_bytes_total"), 12_000.0);
    let kept = hub.get(&token, "/api/v1/observations?source=gauge-1").1;
    assert_eq!(kept["items"].as_array().unwrap().len(), 50);
    assert_eq!(hub.get(&token, &format!("/api/v1/incidents/{}", made["id"].as_str().unwrap())).0, 200);
    keep(port, 50..60);
    hub.kill();

    // The last commit itself cut short.
    cut(&log_of(&day_file(&folder)), 100);
    let hub = folder.run();
    assert!(told(&hub, &token, "hub.start")["cut_bytes"].as_u64().unwrap() > 0);
    keep(port, 60..70);
    assert_eq!(hub.stop().0, Some(0));

    // A day's file with bytes behind its end is read as it is; one that has lost its second half is set aside.
    append_garbage(&day_file(&folder));
    let hub = folder.run();
    assert_eq!(told(&hub, &token, "hub.start")["set_aside"], json!([]));
    hub.stop();
    let day = day_file(&folder);
    cut(&day, std::fs::metadata(&day).unwrap().len() / 2);
    let hub = folder.run();
    let set_aside = told(&hub, &token, "hub.start")["set_aside"].clone();
    assert_eq!(set_aside.as_array().map(Vec::len), Some(1), "{set_aside}");
    assert_eq!(hub.metric("gridward_storage_set_aside_total"), 1.0);
    keep(port, 70..80);
    let kept = hub.get(&token, "/api/v1/observations?source=gauge-1").1;
    assert_eq!(kept["items"].as_array().unwrap().len(), 10);
    hub.stop();
    verify(&folder);
}

/// Something that takes the hub's space away and gives it back.
trait Space {
    fn take(&mut self);
    fn give_back(&mut self);
}

/// A file system of a few megabytes.
struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// None where nothing may be mounted.
    fn mount(at: PathBuf) -> Option<Self> {
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(&at).output().ok()?;
        done.status.success().then_some(Self { at })
    }
}

impl Space for SmallDisk {
    fn take(&mut self) {
        let mut filler = std::fs::File::create(self.at.join("filler")).unwrap();
        while filler.write_all(&[0; 4_096]).is_ok() {}
    }

    fn give_back(&mut self) {
        std::fs::remove_file(self.at.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

/// A limit on the size of files: no write beyond the first byte succeeds. Works without rights and without a mount.
struct Limit {
    pid: u32,
}

impl Limit {
    fn set(&self, limit: &str) {
        let pid = self.pid.to_string();
        let done =
            Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={limit}:unlimited")]).status().unwrap();
        assert!(done.success());
    }
}

impl Space for Limit {
    fn take(&mut self) {
        self.set("1");
    }

    fn give_back(&mut self) {
        self.set("unlimited");
    }
}

/// The hub under a shell that lets it outlive the signal of a file that grew too large; its log is such a file.
fn run_limited(folder: &Folder) -> Hub {
    let plain = gridward();
    let mut shell = Command::new("bash");
    shell.args(["-c", "trap '' XFSZ; exec 2>\"$0\"; exec \"$@\""]).arg(folder.path().join("hub.log"));
    shell.arg(plain.get_program()).args(["run", "--config"]).arg(folder.config());
    for (name, value) in plain.get_envs() {
        shell.env(name, value.unwrap());
    }
    Hub::wait_ready(shell)
}

fn outlives(folder: &Folder, port: u16, hub: Hub, space: &mut dyn Space) {
    let token = folder.token("operator");
    keep(port, 0..20);
    let report = json!({ "title": "before", "hazard": "fire", "level": "red", "grid": "g1" });
    assert_eq!(hub.post(&token, "/api/v1/incidents", &report).0, 201);
    assert_eq!(hub.get("", "/readyz").0, 200);
    let mut screen = EventSocket::open(&hub.addr, &token, &["hub".to_owned(), "readings:gauge-1".to_owned()]);
    screen.wait_for("the snapshot", |message| message["type"] == "snapshot");

    space.take();
    let mut link = Link::open(port, "late").unwrap();
    assert!(link.publish("town/gauge-1", 21, "20"));
    hub.wait_for("", "/readyz", |words| words.as_str().is_some_and(|words| words.contains("storage")));
    assert_eq!(hub.get("", "/readyz").0, 503);
    let seen = hub.wait_for(&token, "/api/v1/hub", |hub| hub["disk_full"] == true);
    assert_eq!(seen["storage_ok"], false);
    assert_eq!(hub.metric("gridward_storage_ok"), 0.0);
    // The screen is told without asking.
    screen.wait_for("word of the disk", |message| message.to_string().contains("\"disk_full\":true"));
    // Nothing is acknowledged that is not kept, ...
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        assert_eq!(link.acknowledged().as_deref(), Some(&[][..]), "acknowledged with a full disk");
    }
    let (status, refused) = hub.post(&token, "/api/v1/incidents", &report);
    assert!(status == 503 || status == 507, "{status} {refused}");
    // ... and everything that only reads goes on.
    for path in [
        "/api/v1/sources",
        "/api/v1/sources/gauge-1",
        "/api/v1/observations?source=gauge-1",
        "/api/v1/incidents",
        "/api/v1/incidents?state=all",
        "/api/v1/session",
        "/healthz",
        "/metrics",
    ] {
        let (status, body) = hub.get(&token, path);
        assert_eq!(status, 200, "{path}: {body}");
    }
    screen.wait_for("a sign of life", |message| message["type"] == "tick");

    space.give_back();
    hub.wait_for("", "/readyz", |words| words == "ready\n");
    let (mut answered, began) = (Vec::new(), Instant::now());
    while answered.is_empty() {
        answered = link.acknowledged().expect("the connection outlives it");
        assert!(began.elapsed() < Duration::from_secs(30), "the reading is never acknowledged");
    }
    assert_eq!(answered, [21]);
    assert_eq!(hub.post(&token, "/api/v1/incidents", &report).0, 201);
    assert_eq!(hub.get(&token, "/api/v1/hub").1["disk_full"], false);
    let incidents = hub.get(&token, "/api/v1/incidents").1;
    assert_eq!(incidents["items"].as_array().unwrap().len(), 2, "the refused one left no trace");
    assert_eq!(hub.stop().0, Some(0));
    assert_eq!(missing(folder, &(0..=20).collect()), Vec::<u32>::new());
    verify(folder);
}

#[test]
fn the_hub_outlives_a_full_disk() {
    let (folder, port) = embedded();
    let Some(mut disk) = SmallDisk::mount(folder.path().join("data")) else {
        println!("nothing may be mounted here; the test with a limit on files has to do");
        return;
    };
    // The mount hides what was imported before it.
    assert!(folder.import(GAUGE).status.success());
    let hub = folder.run();
    outlives(&folder, port, hub, &mut disk);
}

#[test]
fn the_hub_outlives_files_that_may_not_grow() {
    let (folder, port) = embedded();
    let hub = run_limited(&folder);
    let mut limit = Limit { pid: hub.pid() };
    outlives(&folder, port, hub, &mut limit);
}

/// The file name of so many days ago.
fn days_ago(days: u32) -> String {
    let out = Command::new("date").args(["-u", "-d", &format!("{days} days ago"), "+%F"]).output().unwrap();
    format!("{}.db", String::from_utf8(out.stdout).unwrap().trim())
}

#[test]
fn old_days_are_deleted_by_age_and_by_size_and_that_is_on_record() {
    let (folder, port) = embedded();
    let token = folder.token("admin");
    let hub = folder.run();
    keep(port, 0..10);
    hub.stop();
    let today = day_file(&folder);
    let history = folder.path().join("data/history");
    let put = |days: u32, megabytes: u64| {
        let path = history.join(days_ago(days));
        std::fs::copy(&today, &path).unwrap();
        // Bytes behind the end of a database belong to nothing, but they are on the disk.
        OpenOptions::new().write(true).open(&path).unwrap().set_len(megabytes * 1_000_000).unwrap();
        path
    };
    let (too_old, too_much, fits) = (put(40, 1), put(3, 3), put(2, 3));
    let text = std::fs::read_to_string(folder.config()).unwrap();
    std::fs::write(folder.config(), text.replace("history_max_mb = 50000", "history_max_mb = 5")).unwrap();
    let hub = folder.run();
    let rows = hub.wait_for(&token, "/api/v1/audit?action=history.delete", |page| {
        page["items"].as_array().is_some_and(|items| !items.is_empty())
    });
    let day = |path: &Path| {
        let name = path.file_stem().unwrap().to_str().unwrap().replace('-', "");
        name.parse::<u64>().unwrap()
    };
    assert_eq!(rows["items"][0]["body"]["detail"]["days"], json!([day(&too_old), day(&too_much)]), "{rows}");
    assert!(!too_old.exists() && !too_much.exists());
    assert!(fits.exists() && today.exists());
    let kept = hub.get(&token, "/api/v1/observations?source=gauge-1").1;
    assert!(!kept["items"].as_array().unwrap().is_empty());
    hub.stop();
    verify(&folder);
}
