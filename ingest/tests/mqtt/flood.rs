//! The flood: publishers at full speed at the embedded broker while the hub's link is subscribed.
//!
//! Smaller than the requirement, for every test run; `cargo bench -p ingest --bench mqtt_flood` runs it whole.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ingest::mqtt::MqttConfig;

use super::support::{self, Hub, Subscriber, source};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_qos_1_message_and_no_client_is_lost_in_a_flood() {
    const PUBLISHERS: u32 = 4;
    const QOS_1_EACH: u32 = 10_000;
    const QOS_0_EACH: u32 = 25_000;
    let running = super::broker::default().await;
    let mut config = MqttConfig::default();
    config.use_embedded(&running.broker);
    let mut hub = Hub::start(config, [source("any", "flood/#", "raw")]);
    let bystander = Subscriber::start(running.port, &["-t", "calm", "-F", "%p", "-k", "5"]);
    hub.up().await;
    let mut floods = tokio::task::JoinSet::new();
    for p in 0..PUBLISHERS {
        let port = running.port;
        floods.spawn(async move {
            let one = support::flood(port, format!("one-{p}"), format!("flood/1/{p}"), QOS_1_EACH, 1);
            let zero = support::flood(port, format!("zero-{p}"), format!("flood/0/{p}"), QOS_0_EACH, 0);
            tokio::join!(one, zero)
        });
    }
    // The observations do not say their topic, but each publisher counts up: a number must come once per publisher.
    let started = Instant::now();
    let mut seen: HashMap<u64, u32> = HashMap::new();
    let mut taken = 0u64;
    let mut last = Instant::now();
    while last.elapsed() < Duration::from_secs(3) && started.elapsed() < Duration::from_secs(120) {
        let Ok(Some(message)) = tokio::time::timeout(Duration::from_millis(200), hub.out.recv()).await else {
            continue;
        };
        last = Instant::now();
        // Only what waits for an acknowledgement is of QoS 1.
        if message.ack.is_needed() {
            *seen.entry(message.observations[0].value.as_number().unwrap() as u64).or_default() += 1;
        }
        message.ack.done();
        taken += 1;
    }
    while let Some(done) = floods.join_next().await {
        assert_eq!(done.unwrap(), (QOS_1_EACH, QOS_0_EACH), "every publisher is served to its end");
    }
    let missing: Vec<u64> = (0..u64::from(QOS_1_EACH)).filter(|n| seen.get(n) != Some(&PUBLISHERS)).collect();
    assert!(missing.is_empty(), "{} of {QOS_1_EACH} not as often as published", missing.len());
    assert!(taken > u64::from(PUBLISHERS * QOS_1_EACH));
    assert!(hub.handle.as_ref().unwrap().links()[0].connected);
    assert!(support::publish_later(running.port, "calm", b"still here", &[]).await);
    assert_eq!(bystander.wait_for(1).await, ["still here"]);
    hub.stop().await;
}
