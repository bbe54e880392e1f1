//! Sensors over Debian's mosquitto: readings reach the API, and no acknowledged one is lost by kill -9.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use crate::hub::{Folder, free_port};

struct Mosquitto {
    child: Child,
    port: u16,
}

impl Mosquitto {
    fn start(dir: &std::path::Path) -> Self {
        let port = free_port();
        let file = dir.join("mosquitto.conf");
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 100\n"
        );
        std::fs::write(&file, text).unwrap();
        let child = Command::new("mosquitto").arg("-c").arg(file).stderr(Stdio::null()).spawn().unwrap();
        let began = std::time::Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed().as_secs() < 10, "mosquitto does not listen");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Self { child, port }
    }

    fn publish(&self, topic: &str, payloads: &[String]) {
        let mut publisher = Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-q", "1", "-l", "-t", topic])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        publisher.stdin.take().unwrap().write_all((payloads.join("\n") + "\n").as_bytes()).unwrap();
        assert!(publisher.wait().unwrap().success());
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ROWS: &str = "gauge-1,sensor,river_gauge,水位,governance,g1,,,,,,,town/gauge-1,raw,m,10,\n\
                    smoke-1,sensor,smoke,烟感,governance,g1,,,,,,,town/smoke-1,json,,60,\n";

fn town() -> (Folder, Mosquitto) {
    let folder = Folder::new();
    let broker = Mosquitto::start(folder.path());
    folder.add_config(&format!("[[mqtt.brokers]]\nname = \"town\"\nurl = \"mqtt://127.0.0.1:{}\"\n", broker.port));
    assert!(folder.import(ROWS).status.success());
    (folder, broker)
}

#[test]
fn readings_reach_the_api_and_garbage_becomes_dead_letters() {
    let (folder, broker) = town();
    let hub = folder.run();
    let token = folder.token("admin");
    hub.wait_for(&token, "/api/v1/hub", |hub| hub["details"]["brokers"][0]["connected"] == true);
    broker.publish("town/gauge-1", &["3.25".into()]);
    broker.publish("town/smoke-1", &["{\"smoke\": true, \"battery\": 87}".into(), "not json".into()]);
    let source = hub.wait_for(&token, "/api/v1/sources/gauge-1", |s| s["readings"][0]["value"] == 3.25);
    assert_eq!(source["state"], "live");
    let page = hub.wait_for(&token, "/api/v1/observations?source=smoke-1", |p| {
        p["items"].as_array().is_some_and(|items| items.len() == 2)
    });
    assert!(page.to_string().contains("\"smoke\""), "{page}");
    let letters = hub.wait_for(&token, "/api/v1/dead-letters", |l| l["total"] == 1);
    assert_eq!(letters["items"][0]["source"], "smoke-1");
    let metrics = hub.get(&token, "/metrics").1;
    for name in ["gridward_observations_total", "gridward_dead_letters_total", "gridward_ingest_to_event_seconds"] {
        assert!(metrics.as_str().unwrap().contains(name), "{name} is missing");
    }
}

#[test]
fn no_acknowledged_reading_is_lost_by_kill_9() {
    let (folder, broker) = town();
    let token = folder.token("viewer");
    let hub = folder.run();
    hub.wait_for(&token, "/api/v1/hub", |hub| hub["details"]["brokers"][0]["connected"] == true);
    hub.kill();
    // The broker keeps what comes while the hub is away, and sends again what the hub had not acknowledged.
    for round in 0..5 {
        let hub = folder.run();
        let payloads: Vec<String> = (0..400).map(|i| (round * 400 + i).to_string()).collect();
        broker.publish("town/gauge-1", &payloads);
        std::thread::sleep(std::time::Duration::from_millis(40 * round));
        hub.kill();
    }
    let hub = folder.run();
    let path = "/api/v1/observations?source=gauge-1&limit=1000&step_s=86400";
    hub.wait_for(&token, path, |page| {
        let counts = page["buckets"].as_array().map(|b| b.iter().filter_map(|b| b["count"].as_u64()).sum::<u64>());
        counts.is_some_and(|count| count >= 2_000)
    });
    hub.stop();
    let verified = folder.command(&["log", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
    let seen = values(&folder);
    let missing: Vec<u32> = (0..2_000).filter(|value| !seen.contains(value)).collect();
    assert!(missing.is_empty(), "{} readings are missing: {:?}", missing.len(), &missing[..missing.len().min(10)]);
}

/// All values in the history, read from its files by a program of somebody else's.
fn values(folder: &Folder) -> std::collections::HashSet<u32> {
    let script = "import glob,sqlite3,sys\n\
                  for f in glob.glob(sys.argv[1] + '/data/history/*.db'):\n\
                  \tfor (n,) in sqlite3.connect(f).execute('SELECT number FROM observation'): print(int(n))";
    let out = Command::new("python3").args(["-c", script]).arg(folder.path()).output().unwrap();
    assert!(out.status.success(), "{out:?}");
    String::from_utf8(out.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}
