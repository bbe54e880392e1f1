//! What the town's sensors say to a real broker.

use std::collections::BTreeMap;
use std::time::Duration;

use ingest::mqtt::decode::{Format, Message, decode};
use jiff::Timestamp;
use model::{Kind, Source, Value};

use crate::support::{Ear, Mosquitto, Stageplay};

/// The sensors of the file that the hub imports.
fn sensors(play: &Stageplay) -> BTreeMap<String, Source> {
    let parsed = storage::csv::parse(&std::fs::read(play.dir.path().join("sources.csv")).unwrap());
    assert_eq!(parsed.problems, []);
    let sensors = parsed.rows.into_iter().map(|row| row.source).filter(|source| source.kind == Kind::Sensor);
    sensors.map(|source| (source.topic.clone(), source)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_can_decode_every_sensor_from_the_start() {
    let broker = Mosquitto::start();
    let mut ear = Ear::listen(broker.port).await;
    let play = Stageplay::quiet(broker.port).await;
    let mut silent = sensors(&play);
    assert_eq!(silent.len(), 60);
    while let Some(waiting) = silent.keys().next().cloned() {
        let known: Vec<String> = silent.keys().cloned().collect();
        let heard = ear.wait(&waiting, |p| known.contains(&p.topic)).await;
        let source = silent.remove(&heard.topic).unwrap();
        let format = Format::parse(&source.format).unwrap();
        let message =
            Message { topic: &heard.topic, payload: &heard.payload, retained: false, received_at: Timestamp::now() };
        let found = decode(&message, &format, &source).unwrap_or_else(|error| panic!("{}: {error}", source.id));
        assert!(
            source.class == "air" || found.iter().any(|o| &*o.reading == source.default_reading()),
            "{}: {found:?}",
            source.id
        );
        assert!(found.iter().all(|o| o.quality == model::Quality::Good), "{found:?}");
        // Mosquitto hands on at the lower of both qualities; the ear asks for 1.
        let acknowledged = matches!(source.class.as_str(), "river_gauge" | "smoke" | "door" | "power");
        assert_eq!(heard.qos == rumqttc::QoS::AtLeastOnce, acknowledged, "{}", source.id);
    }
    // States are kept for those who come later, readings are not.
    let mut late = Ear::listen(broker.port).await;
    late.wait("a kept door", |p| p.retain && p.topic == "town/door/door-1" && p.payload == "closed").await;
    late.wait("a kept gateway", |p| p.retain && p.topic == "town/gateway/river/state" && p.payload == "online").await;
    play.town.shutdown().await;
    ear.payload("town/gateway/river/state", "offline").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gauges_keep_their_interval() {
    let broker = Mosquitto::start();
    let mut ear = Ear::listen(broker.port).await;
    let _play = Stageplay::quiet(broker.port).await;
    ear.wait("the first level", |p| p.topic == "town/river_gauge/gauge-1").await;
    let heard = ear.during(Duration::from_millis(11_500)).await;
    let levels: Vec<f64> = heard
        .iter()
        .filter(|p| p.topic == "town/river_gauge/gauge-1")
        .map(|p| std::str::from_utf8(&p.payload).unwrap().parse().unwrap())
        .collect();
    assert_eq!(levels.len(), 2, "every five seconds: {levels:?}");
    assert!(levels.iter().all(|level| (2.5..2.9).contains(level)), "{levels:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sensors_come_back_after_the_broker_has_restarted() {
    let mut broker = Mosquitto::start();
    let play = Stageplay::quiet(broker.port).await;
    let mut ear = Ear::listen(broker.port).await;
    ear.wait("before", |p| p.topic == "town/river_gauge/gauge-1").await;
    broker.kill();
    // What changes meanwhile is told afterwards.
    play.order("/sensors/door-1", r#"{"value":true}"#).await;
    broker.run();
    let mut ear = Ear::listen(broker.port).await;
    ear.payload("town/gateway/south/state", "online").await;
    ear.payload("town/door/door-1", "open").await;
    ear.wait("after", |p| p.topic == "town/river_gauge/gauge-1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_off_the_net_leaves_its_last_will() {
    let broker = Mosquitto::start();
    let mut ear = Ear::listen(broker.port).await;
    let play = Stageplay::quiet(broker.port).await;
    ear.payload("town/gateway/yard/state", "online").await;
    play.order("/gateways/yard", r#"{"offline":true}"#).await;
    ear.payload("town/gateway/yard/state", "offline").await;
    play.order("/gateways/yard", r#"{"offline":false}"#).await;
    ear.payload("town/gateway/yard/state", "online").await;
    ear.wait("a reading", |p| p.topic == "town/temperature/temp-1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hands_set_silence_and_break_sensors() {
    let broker = Mosquitto::start();
    let mut ear = Ear::listen(broker.port).await;
    let play = Stageplay::quiet(broker.port).await;
    play.order("/sensors/gauge-2", r#"{"value":4.25}"#).await;
    ear.payload("town/river_gauge/gauge-2", "4.25").await;
    play.order("/sensors/temp-3", r#"{"value":88}"#).await;
    let sources = sensors(&play);
    let heard = ear
        .wait("88 degrees", |p| p.topic == "town/temperature/temp-3" && p.payload.windows(2).any(|w| w == b"88"))
        .await;
    let message =
        Message { topic: &heard.topic, payload: &heard.payload, retained: false, received_at: Timestamp::now() };
    let read = decode(&message, &Format::Senml, &sources[&heard.topic]).unwrap();
    assert_eq!(read[0].value, Value::Number(88.0));

    play.order("/sensors/gauge-1", r#"{"garbage":true}"#).await;
    ear.wait("garbage", |p| p.topic == "town/river_gauge/gauge-1" && p.payload == town::sensors::GARBAGE).await;
    play.order("/sensors/gauge-1", r#"{"garbage":false,"silent":true}"#).await;
    // What was said before the order is heard before the answer to the next one.
    play.order("/sensors/gauge-3", r#"{"value":3.33}"#).await;
    ear.payload("town/river_gauge/gauge-3", "3.33").await;
    let heard = ear.during(Duration::from_secs(7)).await;
    assert!(heard.iter().any(|p| p.topic == "town/river_gauge/gauge-4"), "the others go on");
    let spoke: Vec<_> = heard.iter().filter(|p| p.topic == "town/river_gauge/gauge-1").collect();
    assert!(spoke.is_empty(), "{spoke:?}");
    play.order("/sensors/gauge-1", r#"{"silent":null}"#).await;
    ear.wait("gauge-1 again", |p| p.topic == "town/river_gauge/gauge-1").await;
}
