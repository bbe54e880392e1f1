//! The hub and the town, each a process of its own, and what both say of themselves.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::hub::{Folder, Hub, free_port, signal};
use super::oracle::{Kept, Sent};
use super::probe;

/// A folder with the hub's files, and a town that plays.
pub struct Stage {
    folder: Folder,
    town: Town,
    /// The hub's own broker.
    pub mqtt_port: u16,
    /// `[video] total_bytes`.
    pub budget_bytes: u64,
    began: Instant,
}

struct Town {
    child: Child,
    control: String,
}

/// What both say at a moment; counts are since their start.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub at: Instant,
    /// Cameras that are live, for the hub.
    pub live: usize,
    pub hub_cpu_s: f64,
    pub hub_kib: u64,
    pub town_cpu_s: f64,
    pub town_kib: u64,
    pub ring_bytes: u64,
    /// Frames and lost packets as the hub counted them.
    pub frames_taken: u64,
    pub lost_packets: u64,
    /// Frames as the town counted them.
    pub frames_sent: u64,
    pub frames_dropped: u64,
    pub frames_late: u64,
    pub published_qos0: u64,
    pub published_qos1: u64,
    pub acknowledged: u64,
    pub not_sent: u64,
    pub burst_left: u64,
    /// Readings of QoS 0 that the hub says it has dropped.
    pub dropped_qos0: u64,
    /// Observations on disk.
    pub committed: u64,
}

/// From one moment to another.
pub struct Span {
    pub first: Figures,
    pub last: Figures,
    /// The fewest cameras that were live.
    pub least_live: usize,
}

impl Span {
    pub fn seconds(&self) -> f64 {
        (self.last.at - self.first.at).as_secs_f64()
    }

    /// A count's growth.
    pub fn grown(&self, of: fn(&Figures) -> u64) -> u64 {
        of(&self.last) - of(&self.first)
    }

    /// Cores that were busy.
    pub fn cores(&self, of: fn(&Figures) -> f64) -> f64 {
        (of(&self.last) - of(&self.first)) / self.seconds()
    }
}

impl Stage {
    /// A folder, a town that plays, and its sources in the hub's registry.
    pub fn set(cameras: usize, fps: u32, sensors: usize) -> Stage {
        let folder = Folder::new();
        let mqtt_port = free_port();
        let settings = std::fs::read_to_string(folder.config()).unwrap();
        // The budget of connections is open: all cameras are one machine here.
        let settings = settings
            .replace("[mqtt]", &format!("[mqtt]\nembedded = \"127.0.0.1:{mqtt_port}\""))
            .replace("connects_per_s = 100.0", "connects_per_s = 2000.0\nconnect_burst = 1000\nconnecting_max = 512")
            .replace("connecting_per_host_max = 8", "connecting_per_host_max = 512");
        std::fs::write(folder.config(), &settings).unwrap();
        let read: toml::Table = settings.parse().unwrap();
        let budget_bytes = read["video"]["total_bytes"].as_integer().unwrap() as u64;

        let town = Town::start(&folder, mqtt_port, cameras, fps, sensors);
        let mut csv = std::fs::read_to_string(folder.path().join("town/sources.csv")).unwrap();
        csv += &probe::rows();
        let (file, grids) = (folder.path().join("all.csv"), folder.path().join("town/grids.json"));
        std::fs::write(&file, csv).unwrap();
        let import = ["sources", "import", file.to_str().unwrap(), "--grids", grids.to_str().unwrap()];
        let done = folder.command(&import);
        assert!(done.status.success(), "{done:?}");
        Stage { folder, town, mqtt_port, budget_bytes, began: Instant::now() }
    }

    /// Starts the hub; with it, a token of an operator.
    pub fn start_hub(&self) -> (Hub, String) {
        let hub = self.folder.run();
        let token = self.folder.token("operator");
        (hub, token)
    }

    /// What both say now.
    pub fn figures(&self, hub: &Hub) -> Figures {
        let (_, metrics) = hub.get("", "/metrics");
        let text = metrics.as_str().expect("metrics are text");
        let sent = self.town.ask("GET", "/sent", "");
        let at = Instant::now();
        let number = |part: &str, name: &str| sent[part][name].as_u64().unwrap();
        let (hub_cpu_s, hub_kib) = process(hub.pid());
        let (town_cpu_s, town_kib) = process(self.town.child.id());
        Figures {
            at,
            live: metric(text, "gridward_sources{kind=\"camera\",state=\"live\"}") as usize,
            hub_cpu_s,
            hub_kib,
            town_cpu_s,
            town_kib,
            ring_bytes: metric(text, "gridward_ring_bytes"),
            frames_taken: metric(text, "gridward_frames_total"),
            lost_packets: metric(text, "gridward_rtsp_lost_packets_total"),
            frames_sent: number("cameras", "frames"),
            frames_dropped: number("cameras", "dropped"),
            frames_late: number("cameras", "late"),
            published_qos0: number("sensors", "published_qos0"),
            published_qos1: number("sensors", "published_qos1"),
            acknowledged: number("sensors", "acknowledged"),
            not_sent: number("sensors", "not_sent"),
            burst_left: number("sensors", "burst_left"),
            dropped_qos0: metric(text, "gridward_mqtt_dropped_total") + metric(text, "gridward_broker_dropped_total"),
            committed: metric(text, "gridward_history_committed_total"),
        }
    }

    /// Begins a burst; how many readings it will be.
    pub fn burst(&self, rate: u64, seconds: u64) -> u64 {
        let wish = serde_json::json!({ "rate": rate, "seconds": seconds }).to_string();
        let answer = self.town.ask("POST", "/burst", &wish);
        answer["readings"].as_u64().unwrap_or_else(|| panic!("no burst: {answer}"))
    }

    /// Lets the town's sensors fall silent; what each has sent and had acknowledged until then.
    pub fn hush(&self) -> BTreeMap<String, Sent> {
        self.town.ask("POST", "/load", r#"{"silent":true}"#);
        let began = Instant::now();
        loop {
            let sent = self.town.ask("GET", "/sent", "");
            let waits = sent["sensors"]["acknowledged"] != sent["sensors"]["published_qos1"];
            if !waits || began.elapsed() > Duration::from_secs(20) {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        // What was sent at QoS 0 is on its way by then; nobody says when it has come.
        std::thread::sleep(Duration::from_secs(1));
        let all = self.town.ask("GET", "/sent/sensors", "");
        let sensor = |(id, sent): (&String, &Value)| {
            let number = |name: &str| sent[name].as_u64().unwrap();
            (id.clone(), Sent { qos: number("qos"), sent: number("sent"), acknowledged: number("acknowledged") })
        };
        all.as_object().unwrap().iter().map(sensor).collect()
    }

    /// The town's end.
    pub fn end(&self) {
        signal(self.town.child.id(), "TERM");
    }

    /// What the hub has kept of the town's sensors and of the probes, read from its files.
    pub fn history(&self) -> (Kept, Kept) {
        let config = storage::Config { data_dir: self.folder.path().join("data"), ..storage::Config::default() };
        let (mut sensors, mut probes) = (Kept::new(), Kept::new());
        let since = self.began.elapsed();
        let began = model::Timestamp::now() - since;
        let read = async {
            let (storage, _) = storage::Storage::open(&config, storage::Opener::Tool).await.unwrap();
            let each = |_, observation: model::Observation| {
                let Some(count) = observation.value.as_number() else { return };
                let id = observation.source.to_string();
                // What the hub says of itself, the town has not sent.
                if id == "hub" {
                    return;
                }
                let kept = if id.starts_with(probe::PREFIX) { &mut probes } else { &mut sensors };
                kept.entry(id).or_default().push(count as u64);
            };
            storage.history().replay(storage::HistorySeq::before_day_of(began), each).await.unwrap();
        };
        tokio::runtime::Runtime::new().unwrap().block_on(read);
        (sensors, probes)
    }
}

impl Town {
    fn start(folder: &Folder, mqtt_port: u16, cameras: usize, fps: u32, sensors: usize) -> Town {
        let dir = folder.path().join("town");
        let clips = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("load-clips");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([super::TOWN, "run", "--only-load", "--quiet-script", "--rtsp", "127.0.0.1:0"])
            .args(["--control", "127.0.0.1:0", "--mqtt", &format!("127.0.0.1:{mqtt_port}")])
            .args([
                "--load",
                &cameras.to_string(),
                "--load-fps",
                &fps.to_string(),
                "--load-sensors",
                &sensors.to_string(),
                "--dir",
            ])
            .arg(dir)
            .arg("--clips")
            .arg(clips)
            // The broker comes later and goes earlier than the town; thirty concentrators would say so.
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let line = BufReader::new(child.stdout.take().unwrap()).lines().next().expect("the town says a line").unwrap();
        let control = line.split_once("control=http://").expect("it says that it is ready").1.to_owned();
        Town { child, control }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(&self.control).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: town\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {answer}"))
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        // Ended already, or the measurement failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A metric by its name and labels; a name without labels is summed over all of them.
fn metric(text: &str, name: &str) -> u64 {
    let value = |line: &str| {
        let rest = line.strip_prefix(name)?;
        (rest.starts_with(' ') || rest.starts_with('{')).then(|| rest.rsplit(' ').next()?.parse::<f64>().ok()).flatten()
    };
    text.lines().filter_map(value).sum::<f64>() as u64
}

/// Seconds of CPU so far and KiB in memory.
fn process(pid: u32) -> (f64, u64) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // Fields 14 and 15 (proc(5)); the name before them may hold blanks. 100 ticks a second on Linux.
    let ticks: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let cpu_s = (ticks[11].parse::<f64>().unwrap() + ticks[12].parse::<f64>().unwrap()) / 100.0;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    (cpu_s, line.trim().trim_end_matches(" kB").parse().unwrap())
}
