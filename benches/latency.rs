//! How long a reading takes from the sensor to the screen: `cargo bench --bench latency -- [RATE] [SECONDS]`.
//!
//! 200 sensors send RATE (200) readings a second for SECONDS (60) at QoS 1, first to the hub's own broker, then through
//! mosquitto; a screen follows all of them on the event socket. The hub is the real binary with all its syncs. Printed
//! are the times from the moment before a PUBLISH is written to its acknowledgement (the reading is on disk) and to the
//! delta on the screen, which waits up to 50 ms for others.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]
#![expect(dead_code, reason = "the tests' helpers, of which a part is used here")]

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[path = "../tests/hub.rs"]
mod hub;
#[path = "../tests/mosquitto.rs"]
mod mosquitto;
#[path = "town/mqtt.rs"]
mod mqtt;
#[path = "../tests/socket.rs"]
mod socket;

use hub::{Folder, free_port};
use mosquitto::Mosquitto;
use socket::EventSocket;

const SENSORS: usize = 200;

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let rate = numbers.first().copied().unwrap_or(200);
    let seconds = numbers.get(1).copied().unwrap_or(60);
    for with_mosquitto in [false, true] {
        measure(with_mosquitto, rate, seconds);
    }
}

fn measure(with_mosquitto: bool, rate: u64, seconds: u64) {
    let folder = Folder::new();
    let mosquitto = with_mosquitto.then(|| Mosquitto::start(folder.path(), ""));
    let port = mosquitto.as_ref().map_or_else(free_port, |mosquitto| mosquitto.port);
    let text = std::fs::read_to_string(folder.config()).unwrap();
    let settings = match mosquitto {
        Some(_) => format!("{text}\n[[mqtt.brokers]]\nname = \"town\"\nurl = \"mqtt://127.0.0.1:{port}\"\n"),
        None => text.replace("[mqtt]", &format!("[mqtt]\nembedded = \"127.0.0.1:{port}\"")),
    };
    std::fs::write(folder.config(), settings).unwrap();
    let rows: String =
        (0..SENSORS).map(|n| format!("s{n},sensor,river_gauge,n,governance,g1,,,,,,,t/{n},raw,m,10,\n")).collect();
    assert!(folder.import(&rows).status.success());
    let token = folder.token("operator");
    let hub = folder.run();
    hub.wait_for(&token, "/api/v1/hub", |hub| hub["details"]["brokers"][0]["connected"] == true);

    let count = usize::try_from(rate * seconds).unwrap();
    let sent: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let topics: Vec<String> = (0..SENSORS).map(|n| format!("readings:s{n}")).collect();
    let mut screen = EventSocket::open(&hub.addr, &token, &topics);
    screen.wait_for("the snapshot", |message| message["type"] == "snapshot");
    std::thread::sleep(Duration::from_secs(2));

    let mut writer = mqtt::connect(port);
    let mut reader = writer.try_clone().unwrap();
    let times = Arc::clone(&sent);
    let acks = std::thread::spawn(move || {
        let mut packet = [0; 4];
        let mut took = Vec::with_capacity(count);
        while took.len() < count {
            reader.read_exact(&mut packet).unwrap();
            let id = usize::from(u16::from_be_bytes([packet[2], packet[3]])) - 1;
            // Acknowledgements come in order, so the id and how many there were give the number.
            let number = took.len() / 60_000 * 60_000 + id;
            took.push(times.lock().unwrap()[number].elapsed());
        }
        took
    });
    let times = Arc::clone(&sent);
    let screens = std::thread::spawn(move || {
        let mut took = Vec::with_capacity(count);
        while took.len() < count {
            let message = screen.next().expect("the socket stays open");
            for op in message["ops"].as_array().into_iter().flatten() {
                let Some(number) = op["item"]["value"].as_f64() else { continue };
                took.push(times.lock().unwrap()[number as usize].elapsed());
            }
        }
        took
    });
    let began = Instant::now();
    for number in 0..count {
        let due = Duration::from_secs_f64(number as f64 / rate as f64);
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        let packet = mqtt::publish(&format!("t/{}", number % SENSORS), number, &number.to_string());
        sent.lock().unwrap().push(Instant::now());
        writer.write_all(&packet).unwrap();
    }
    let through = if with_mosquitto { "mosquitto" } else { "own broker" };
    println!("{rate}/s for {seconds} s through {through}");
    // mosquitto acknowledges before the hub has it; only the hub's own broker tells of the disk.
    let to = if with_mosquitto { "mosquitto's acknowledgement" } else { "acknowledged, on disk" };
    print(to, acks.join().unwrap());
    print("on the screen", screens.join().unwrap());
    hub.stop();
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |q: f64| times[((times.len() - 1) as f64 * q) as usize].as_secs_f64() * 1_000.0;
    println!(
        "  {what}: p50 {:.1} ms  p95 {:.1} ms  p99 {:.1} ms  max {:.1} ms  of {}",
        at(0.5),
        at(0.95),
        at(0.99),
        at(1.0),
        times.len()
    );
}
