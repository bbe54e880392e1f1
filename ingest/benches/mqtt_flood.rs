//! The flood at full size: 500,000 messages of QoS 0 and 100,000 of QoS 1 from four publishers at full speed, while the
//! hub's link is subscribed and its receiver commits in groups, as the history does.
//!
//! Prints figures; ends with an error when a message of QoS 1 or a client is lost. With mosquitto installed, the same
//! flood goes through it for comparison.
#![expect(clippy::unwrap_used, reason = "what fails here ends the measurement")]

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ingest::broker;
use ingest::mqtt::MqttConfig;
use tokio_util::sync::CancellationToken;

#[expect(dead_code, reason = "the tests' helpers, of which a part is used here")]
#[path = "../tests/mqtt/support.rs"]
mod support;

use support::{Hub, Mosquitto, source};

/// How long a commit takes: what an NVMe disk needs for one flush.
const COMMIT: Duration = Duration::from_millis(5);

#[derive(Clone, Copy)]
struct Load {
    publishers: u32,
    qos_0_each: u32,
    qos_1_each: u32,
}

#[tokio::main]
async fn main() {
    let loads = [
        ("500,000 of QoS 0", Load { publishers: 4, qos_0_each: 125_000, qos_1_each: 0 }),
        ("100,000 of QoS 1", Load { publishers: 4, qos_0_each: 0, qos_1_each: 25_000 }),
        ("both at once", Load { publishers: 4, qos_0_each: 125_000, qos_1_each: 25_000 }),
        ("100,000 of QoS 1 from 100", Load { publishers: 100, qos_0_each: 0, qos_1_each: 1_000 }),
    ];
    let mut lost = 0;
    for (name, load) in loads {
        let token = CancellationToken::new();
        let broker = broker::start("127.0.0.1:0".parse().unwrap(), token.clone()).await.unwrap();
        let mut config = MqttConfig::default();
        config.use_embedded(&broker);
        lost += run(&format!("embedded  {name}"), broker.addr.port(), config, load).await;
        token.cancel();
        broker.join().await;
    }
    if std::path::Path::new("/usr/sbin/mosquitto").exists() {
        for (name, load) in loads {
            let mosquitto = Mosquitto::start("");
            run(&format!("mosquitto {name}"), mosquitto.port, support::to(mosquitto.port), load).await;
        }
    }
    assert_eq!(lost, 0, "messages of QoS 1 were lost");
}

/// Runs one load; returns how many messages of QoS 1 were lost.
async fn run(name: &str, port: u16, config: MqttConfig, load: Load) -> u32 {
    let mut hub = Hub::with_capacity(config, [source("any", "flood/#", "raw")], 4096);
    hub.up().await;
    let started = Instant::now();
    let mut floods = tokio::task::JoinSet::new();
    for p in 0..load.publishers {
        floods.spawn(async move {
            let one = support::flood(port, format!("one-{p}"), format!("flood/1/{p}"), load.qos_1_each, 1);
            let zero = support::flood(port, format!("zero-{p}"), format!("flood/0/{p}"), load.qos_0_each, 0);
            tokio::join!(one, zero)
        });
    }
    let publishers = tokio::spawn(async move {
        let mut clients = 0;
        while let Some(done) = floods.join_next().await {
            clients += u32::from(done.is_ok_and(|d| d == (load.qos_1_each, load.qos_0_each)));
        }
        (clients, started.elapsed())
    });
    let mut qos_1: HashMap<u64, u32> = HashMap::new();
    let mut qos_0 = 0u32;
    let mut last = Instant::now();
    let mut batch = Vec::new();
    while last.elapsed() < Duration::from_secs(2) {
        let wait = tokio::time::timeout(Duration::from_millis(200), hub.out.recv_many(&mut batch, 4096));
        if wait.await.unwrap_or(0) == 0 {
            continue;
        }
        last = Instant::now();
        tokio::time::sleep(COMMIT).await;
        for message in batch.drain(..) {
            if message.ack.is_needed() {
                *qos_1.entry(message.observations[0].value.as_number().unwrap() as u64).or_default() += 1;
            } else {
                qos_0 += 1;
            }
            message.ack.done();
        }
    }
    let took = last - started;
    let (clients, published) = tokio::time::timeout(support::LONG, publishers).await.unwrap().unwrap();
    let sent_1 = load.publishers * load.qos_1_each;
    let sent_0 = load.publishers * load.qos_0_each;
    let got_1: u32 =
        (0..u64::from(load.qos_1_each)).map(|n| qos_1.get(&n).copied().unwrap_or(0).min(load.publishers)).sum();
    let again: u32 = qos_1.values().sum::<u32>() - got_1;
    println!(
        "{name}: published in {:.2} s, observed in {:.2} s ({:.0}/s); QoS 1 {got_1}/{sent_1} (+{again} again), QoS 0 {qos_0}/{sent_0}; \
         publishers served {clients}/{}; memory now {} MiB",
        published.as_secs_f64(),
        took.as_secs_f64(),
        f64::from(got_1 + qos_0) / took.as_secs_f64(),
        load.publishers,
        resident_mib(),
    );
    hub.stop().await;
    (sent_1 - got_1) + (load.publishers - clients)
}

/// The resident memory of this process, with publishers and all.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
