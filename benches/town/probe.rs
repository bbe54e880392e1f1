//! Sensors of the bench's own among the town's, and a screen that follows them: how long a reading takes from before
//! its PUBLISH is written to its acknowledgement (it is on disk) and to its delta on the event socket.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::hub::Hub;
use super::mqtt;
use super::oracle::Sent;
use super::socket::EventSocket;

/// Their ids begin with it.
pub const PREFIX: &str = "probe-";
const SENSORS: usize = 100;
/// A reading of one of them in turn, so each speaks once a second and nothing of it is gathered with its next.
const EVERY: Duration = Duration::from_millis(10);
/// For the last readings to be seen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Their lines of the sources file.
pub fn rows() -> String {
    let mut rows = String::new();
    for number in 0..SENSORS {
        // Writing to a String cannot fail.
        let _ = writeln!(rows, "{},sensor,meter,probe,governance,yunting,,,,,,,bench/{number},raw,,1,", id(number));
    }
    rows
}

fn id(number: usize) -> String {
    format!("{PREFIX}{number:03}")
}

/// A measurement under way.
pub struct Probe {
    stop: Arc<AtomicBool>,
    published: Arc<AtomicU64>,
    sender: JoinHandle<()>,
    acks: JoinHandle<Vec<Duration>>,
    screen: JoinHandle<Seen>,
}

/// What the screen has shown.
#[derive(Default)]
struct Seen {
    took: Vec<Duration>,
    /// Readings in whose place a later one was shown.
    passed_over: u64,
}

/// How long readings took.
pub struct Screen {
    pub published: u64,
    pub acknowledged: Vec<Duration>,
    pub shown: Vec<Duration>,
    /// Readings in whose place a later one was shown.
    pub passed_over: u64,
}

impl Screen {
    /// What each probe has sent, as the oracle takes it.
    pub fn sent(&self) -> BTreeMap<String, Sent> {
        let of = |total: u64, number: usize| (total + (SENSORS - 1 - number) as u64) / SENSORS as u64;
        let sensor = |number| {
            let (sent, acknowledged) = (of(self.published, number), of(self.acknowledged.len() as u64, number));
            (id(number), Sent { qos: 1, sent, acknowledged })
        };
        (0..SENSORS).map(sensor).collect()
    }
}

impl Probe {
    /// Opens a screen and begins to publish.
    pub fn start(hub: &Hub, token: &str, mqtt_port: u16) -> Probe {
        let topics: Vec<String> = (0..SENSORS).map(|number| format!("readings:{}", id(number))).collect();
        let mut socket = EventSocket::open(&hub.addr, token, &topics);
        socket.wait_for("the snapshot", |message| message["type"] == "snapshot");
        let mut writer = mqtt::connect(mqtt_port);
        let mut reader = writer.try_clone().unwrap();
        reader.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let published = Arc::new(AtomicU64::new(0));
        let times: Arc<Mutex<Vec<Instant>>> = Arc::default();

        let (stopped, count, sent) = (Arc::clone(&stop), Arc::clone(&published), Arc::clone(&times));
        let sender = std::thread::spawn(move || {
            let began = Instant::now();
            for number in 0_usize.. {
                std::thread::sleep((EVERY * number as u32).saturating_sub(began.elapsed()));
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                sent.lock().unwrap().push(Instant::now());
                writer.write_all(&publish(number)).unwrap();
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        let ended = |stopped: &AtomicBool, count: &AtomicU64, seen: u64, since: &mut Option<Instant>| {
            stopped.load(Ordering::Relaxed)
                && (seen >= count.load(Ordering::Relaxed)
                    || since.get_or_insert_with(Instant::now).elapsed() > PATIENCE)
        };
        let (stopped, count, sent) = (Arc::clone(&stop), Arc::clone(&published), Arc::clone(&times));
        let acks = std::thread::spawn(move || {
            let (mut took, mut since, mut read) = (Vec::new(), None, Vec::new());
            while !ended(&stopped, &count, took.len() as u64, &mut since) {
                let mut bytes = [0; 4_096];
                if let Ok(length) = reader.read(&mut bytes) {
                    read.extend(&bytes[..length]);
                }
                while read.len() >= 4 {
                    let packet: Vec<u8> = read.drain(..4).collect();
                    // Acknowledgements come in order, so how many there were gives the number.
                    assert_eq!(packet, [&[0x40, 2], &mqtt::packet_id(took.len()).to_be_bytes()[..]].concat());
                    took.push(sent.lock().unwrap()[took.len()].elapsed());
                }
            }
            took
        });
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&published));
        let screen = std::thread::spawn(move || {
            let (mut seen, mut since) = (Seen::default(), None);
            let mut last = [0_u64; SENSORS];
            while !ended(&stopped, &count, seen.took.len() as u64 + seen.passed_over, &mut since) {
                let message = socket.next().expect("the socket stays open");
                for op in message["ops"].as_array().into_iter().flatten() {
                    let Some(value) = op["item"]["value"].as_f64() else { continue };
                    let source = op["item"]["source"].as_str().and_then(|id| id.strip_prefix(PREFIX));
                    let Some(sensor) = source.and_then(|number| number.parse::<usize>().ok()) else { continue };
                    let value = value as u64;
                    if value <= last[sensor] {
                        continue;
                    }
                    seen.passed_over += value - last[sensor] - 1;
                    last[sensor] = value;
                    let number = (value as usize - 1) * SENSORS + sensor;
                    seen.took.push(times.lock().unwrap()[number].elapsed());
                }
            }
            seen
        });
        Probe { stop, published, sender, acks, screen }
    }

    /// Ends it when the last readings were seen.
    pub fn stop(self) -> Screen {
        self.stop.store(true, Ordering::Relaxed);
        self.sender.join().unwrap();
        let seen = self.screen.join().unwrap();
        Screen {
            published: self.published.load(Ordering::Relaxed),
            acknowledged: self.acks.join().unwrap(),
            shown: seen.took,
            passed_over: seen.passed_over,
        }
    }
}

/// Reading `number` of all, which is the sensor's own number `number / SENSORS + 1`.
fn publish(number: usize) -> Vec<u8> {
    mqtt::publish(&format!("bench/{}", number % SENSORS), number, &(number / SENSORS + 1).to_string())
}
