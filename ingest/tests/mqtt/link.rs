//! The hub's link against Debian's mosquitto.

use std::time::Duration;

use ingest::mqtt::{BrokerConfig, MqttConfig, Version};
use model::{SourceState, Value};

use super::support::{self, Hub, Mosquitto, Subscriber, publish_later, source, to};

fn number(observations: &[model::Observation]) -> f64 {
    assert_eq!(observations.len(), 1);
    observations[0].value.as_number().unwrap()
}

fn with_version(port: u16, version: Version) -> MqttConfig {
    MqttConfig { brokers: vec![BrokerConfig { version, ..support::broker(port) }], ..MqttConfig::default() }
}

async fn readings_arrive(version: Version) {
    let broker = Mosquitto::start("");
    let mut hub = Hub::start(
        with_version(broker.port, version),
        [source("g1", "river/g1", "raw"), source("g2", "river/g2", "json")],
    );
    hub.up().await;
    for qos in ["0", "1"] {
        assert!(publish_later(broker.port, "river/g1", b"3.5", &["-q", qos]).await);
        let found = hub.observe().await;
        assert_eq!((found[0].source.as_str(), &*found[0].reading, number(&found)), ("g1", "level", 3.5));
        assert!(!found[0].retained);
    }
    assert!(publish_later(broker.port, "river/g2", br#"{"level":4,"wet":true}"#, &["-q", "1", "-V", "mqttv5"]).await);
    let found = hub.observe().await;
    assert_eq!(found.len(), 2);
    assert!(found.iter().any(|o| &*o.reading == "wet" && o.value == Value::Bool(true)));
    hub.state("g1", SourceState::Live, None).await;
    hub.stop().await;
}

#[tokio::test]
async fn readings_arrive_over_mqtt_3() {
    readings_arrive(Version::V311).await;
}

#[tokio::test]
async fn readings_arrive_over_mqtt_5() {
    readings_arrive(Version::V5).await;
}

#[tokio::test]
async fn the_link_comes_back_and_subscribes_anew_after_the_broker_lost_everything() {
    let mut broker = Mosquitto::start("");
    let mut hub = Hub::start(to(broker.port), [source("g1", "river/g1", "raw")]);
    hub.up().await;
    for round in 0..3 {
        broker.kill();
        broker.run();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        hub.up().await;
        assert!(publish_later(broker.port, "river/g1", round.to_string().as_bytes(), &["-q", "1"]).await);
        assert_eq!(number(&hub.observe().await), f64::from(round));
    }
    hub.stop().await;
}

async fn messages_wait(version: Version) {
    let broker = Mosquitto::start("");
    let sensors = || [source("g1", "river/g1", "raw")];
    let hub = Hub::start(with_version(broker.port, version), sensors());
    hub.up().await;
    hub.stop().await;
    for n in 0..50 {
        assert!(publish_later(broker.port, "river/g1", n.to_string().as_bytes(), &["-q", "1"]).await);
    }
    let mut hub = Hub::start(with_version(broker.port, version), sensors());
    for n in 0..50 {
        assert_eq!(number(&hub.observe().await), f64::from(n));
    }
    hub.stop().await;
}

#[tokio::test]
async fn what_is_published_while_the_hub_is_away_waits_for_it() {
    messages_wait(Version::V311).await;
}

#[tokio::test]
async fn what_is_published_while_the_hub_is_away_waits_for_it_in_mqtt_5() {
    messages_wait(Version::V5).await;
}

#[tokio::test]
async fn a_message_is_acknowledged_only_when_it_is_done() {
    let broker = Mosquitto::start("");
    let sensors = || [source("g1", "river/g1", "raw")];
    let mut hub = Hub::start(to(broker.port), sensors());
    hub.up().await;
    for n in 0..3 {
        assert!(publish_later(broker.port, "river/g1", n.to_string().as_bytes(), &["-q", "1"]).await);
    }
    let mut kept = Vec::new();
    for _ in 0..3 {
        kept.push(hub.next().await);
    }
    // The second is done before the first: neither may be acknowledged yet. The third never is.
    let third = kept.pop().unwrap();
    kept.pop().unwrap().ack.done();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let first = kept.pop().unwrap();
    first.ack.done();
    tokio::time::sleep(Duration::from_millis(300)).await;
    hub.stop().await;
    drop(third);
    let mut hub = Hub::start(to(broker.port), sensors());
    assert_eq!(number(&hub.observe().await), 2.0);
    hub.quiet(Duration::from_millis(500)).await;
    hub.stop().await;
    // Done, it does not come a third time.
    let mut hub = Hub::start(to(broker.port), sensors());
    hub.up().await;
    hub.quiet(Duration::from_millis(500)).await;
    hub.stop().await;
}

#[tokio::test]
async fn a_message_that_could_not_be_kept_comes_again() {
    let broker = Mosquitto::start("");
    let mut hub = Hub::start(to(broker.port), [source("g1", "river/g1", "raw")]);
    hub.up().await;
    assert!(publish_later(broker.port, "river/g1", b"7", &["-q", "1"]).await);
    drop(hub.next().await);
    assert_eq!(number(&hub.observe().await), 7.0);
    hub.stop().await;
}

#[tokio::test]
async fn garbage_and_giants_harm_nobody_else() {
    let broker = Mosquitto::start("");
    let mut hub = Hub::start(to(broker.port), [source("g1", "river/g1", "raw"), source("any", "yard/#", "json")]);
    hub.up().await;
    let giant = vec![b'9'; 300 * 1024];
    for payload in [&b"\xff\xfe\x00"[..], b"", b"NaN", &giant] {
        assert!(publish_later(broker.port, "river/g1", payload, &["-q", "1"]).await);
    }
    assert!(publish_later(broker.port, "yard/x", b"[1,2", &["-q", "1"]).await);
    assert!(publish_later(broker.port, "river/g1", b"1.5", &["-q", "1"]).await);
    assert_eq!(number(&hub.observe().await), 1.5);
    let mut reasons = Vec::new();
    for _ in 0..5 {
        let letter = tokio::time::timeout(support::LONG, hub.dead.recv()).await.unwrap().unwrap();
        assert!(letter.payload_head.len() <= 1024);
        if letter.payload_len > 1024 {
            assert_eq!(letter.payload_len, giant.len());
        }
        reasons.push((letter.source.map(|s| s.to_string()).unwrap_or_default(), letter.reason));
        letter.ack.done();
    }
    assert!(reasons[0].1.contains("UTF-8") && reasons[1].1.contains("empty"), "{reasons:?}");
    assert!(reasons[2].1.contains("not finite") && reasons[3].1.contains("307200 bytes"), "{reasons:?}");
    assert!(reasons[4].0 == "any" && reasons[4].1.contains("not JSON"), "{reasons:?}");
    hub.stop().await;
    // Acknowledged, all of them.
    let mut hub = Hub::start(to(broker.port), [source("g1", "river/g1", "raw"), source("any", "yard/#", "json")]);
    hub.up().await;
    hub.quiet(Duration::from_millis(300)).await;
    assert!(hub.dead.try_recv().is_err());
    hub.stop().await;
}

#[tokio::test]
async fn a_packet_too_large_to_take_does_not_come_for_ever() {
    let broker = Mosquitto::start("");
    let mut hub = Hub::start(to(broker.port), [source("g1", "river/g1", "raw")]);
    hub.up().await;
    assert!(publish_later(broker.port, "river/g1", &vec![b'1'; 20 << 20], &["-q", "1"]).await);
    // Two connections fail by it, then its session is thrown away.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut heard = false;
    for _ in 0..20 {
        assert!(publish_later(broker.port, "river/g1", b"2", &["-q", "1"]).await);
        if let Ok(Some(found)) = tokio::time::timeout(Duration::from_secs(1), hub.out.recv()).await {
            assert_eq!(number(&found.observations), 2.0);
            found.ack.done();
            heard = true;
            break;
        }
    }
    assert!(heard, "{:?}", hub.handle.as_ref().unwrap().links());
    hub.stop().await;
}

#[tokio::test]
async fn sensors_may_come_and_go() {
    let broker = Mosquitto::start("");
    let mut hub = Hub::start(to(broker.port), [source("a", "t/a", "raw")]);
    hub.up().await;
    hub.sensors.send_replace(support::list([source("b", "t/b", "raw")]));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(publish_later(broker.port, "t/a", b"1", &["-q", "1"]).await);
    assert!(publish_later(broker.port, "t/b", b"2", &["-q", "1"]).await);
    let found = hub.observe().await;
    assert_eq!(found[0].source.as_str(), "b");
    hub.quiet(Duration::from_millis(300)).await;
    assert!(hub.dead.try_recv().is_err(), "unsubscribed, so nothing strays");
    hub.stop().await;
    // A sensor removed while the hub was away: the broker's session still has it; after one stray it is gone.
    let mut hub = Hub::start(to(broker.port), [source("c", "t/c", "raw")]);
    hub.up().await;
    assert!(publish_later(broker.port, "t/b", b"2", &["-q", "1"]).await);
    let letter = tokio::time::timeout(support::LONG, hub.dead.recv()).await.unwrap().unwrap();
    assert!(letter.reason.contains("no sensor"));
    letter.ack.done();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(publish_later(broker.port, "t/b", b"2", &["-q", "1"]).await);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(hub.dead.try_recv().is_err());
    hub.stop().await;
}

#[tokio::test]
async fn a_last_will_and_a_lost_broker_are_two_reasons() {
    let mut broker = Mosquitto::start("");
    let mut gauge = source("g1", "river/g1", "raw");
    gauge.tags.insert("offline_topic".into(), "river/g1/state".into());
    let mut hub = Hub::start(to(broker.port), [gauge]);
    hub.up().await;
    assert!(publish_later(broker.port, "river/g1", b"1", &["-q", "1"]).await);
    hub.observe().await;
    hub.state("g1", SourceState::Live, None).await;
    let will = ["-t", "x", "--will-topic", "river/g1/state", "--will-payload", "offline", "--will-qos", "1"];
    let mut device = Subscriber::start(broker.port, &will);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(device.id() > 0);
    device.kill();
    hub.state("g1", SourceState::Offline, Some("last_will")).await;
    assert!(publish_later(broker.port, "river/g1/state", b"online", &["-q", "1"]).await);
    hub.state("g1", SourceState::Live, None).await;
    broker.kill();
    hub.state("g1", SourceState::Unknown, Some("broker_unreachable")).await;
    broker.run();
    hub.state("g1", SourceState::Live, None).await;
    hub.stop().await;
}

#[tokio::test]
async fn retained_readings_are_marked() {
    let broker = Mosquitto::start("");
    assert!(publish_later(broker.port, "river/g1", b"9", &["-q", "1", "-r"]).await);
    let mut hub = Hub::start(to(broker.port), [source("g1", "river/g1", "raw")]);
    assert!(hub.observe().await[0].retained);
    assert!(publish_later(broker.port, "river/g1", b"10", &["-q", "1", "-r"]).await);
    assert!(!hub.observe().await[0].retained);
    hub.stop().await;
}

async fn a_stalled_hub(version: Version) {
    let broker = Mosquitto::start("");
    let mut hub = Hub::with_capacity(with_version(broker.port, version), [source("g1", "river/+", "raw")], 1);
    hub.up().await;
    // Two and a half keep-alives without anybody taking anything, while 30,000 messages press.
    let (one, zero) = tokio::join!(
        tokio::spawn(support::flood(broker.port, "one".into(), "river/one".into(), 10_000, 1)),
        tokio::spawn(support::flood(broker.port, "zero".into(), "river/zero".into(), 20_000, 0)),
    );
    assert_eq!((one.unwrap(), zero.unwrap()), (10_000, 20_000));
    tokio::time::sleep(Duration::from_millis(12_500)).await;
    let link = hub.handle.as_ref().unwrap().links().remove(0);
    assert!(link.connected && link.since.duration_since(jiff_now()).abs().as_secs() >= 12, "{link:?}");
    let mut next = 0.0;
    while next < 10_000.0 {
        let found = hub.observe().await;
        let text = number(&found);
        // Messages of QoS 0 came over the same filter and some were dropped; those of QoS 1 are in order and whole.
        if text == next && !found[0].retained {
            next += 1.0;
        }
    }
    hub.stop().await;
}

fn jiff_now() -> model::Timestamp {
    model::Timestamp::now()
}

#[tokio::test]
async fn a_stalled_hub_keeps_its_connection_and_loses_no_qos_1_message() {
    a_stalled_hub(Version::V311).await;
}

#[tokio::test]
async fn a_stalled_hub_keeps_its_connection_and_loses_no_qos_1_message_in_mqtt_5() {
    a_stalled_hub(Version::V5).await;
}

struct Tls {
    dir: tempfile::TempDir,
}

impl Tls {
    /// An authority of our own and a certificate of it for 127.0.0.1.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "test authority");
        let authority = params.self_signed(&authority_key).unwrap();
        let issuer = rcgen::Issuer::new(params, authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        for (name, text) in
            [("ca.pem", authority.pem()), ("cert.pem", certificate.pem()), ("key.pem", key.serialize_pem())]
        {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        Self { dir }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }
}

#[tokio::test]
async fn tls_with_user_and_password() {
    let tls = Tls::new();
    let users = tls.file("users");
    let made =
        std::process::Command::new("mosquitto_passwd").args(["-b", "-c"]).arg(&users).args(["hub", "s3cret"]).status();
    assert!(made.unwrap().success());
    let broker = Mosquitto::start(&format!(
        "listener {{port}} 127.0.0.1\nallow_anonymous false\npassword_file {}\ncafile {}\ncertfile {}\nkeyfile {}\nuser root\n",
        users.display(),
        tls.file("ca.pem").display(),
        tls.file("cert.pem").display(),
        tls.file("key.pem").display()
    ));
    std::fs::write(tls.file("password"), "s3cret\n").unwrap();
    let config = |version, password: &str, ca: Option<&str>| MqttConfig {
        brokers: vec![BrokerConfig {
            url: format!("mqtts://127.0.0.1:{}", broker.port),
            version,
            username: "hub".into(),
            password_file: Some(tls.file(password)),
            ca_file: ca.map(|c| tls.file(c)),
            ..support::broker(broker.port)
        }],
        ..MqttConfig::default()
    };
    let ca = tls.file("ca.pem").display().to_string();
    for version in [Version::V311, Version::V5] {
        let mut hub = Hub::start(config(version, "password", Some("ca.pem")), [source("g1", "river/g1", "raw")]);
        hub.up().await;
        let args = ["-q", "1", "--cafile", &ca, "-u", "hub", "-P", "s3cret"];
        assert!(publish_later(broker.port, "river/g1", b"5", &args).await);
        assert_eq!(number(&hub.observe().await), 5.0);
        hub.stop().await;
    }
    // A certificate of an authority that is not ours, and a wrong password, are told apart.
    std::fs::write(tls.file("wrong"), "guess").unwrap();
    for (password, ca, reason) in [("password", None, "tls"), ("wrong", Some("ca.pem"), "auth_refused")] {
        let hub = Hub::start(config(Version::V5, password, ca), []);
        let started = std::time::Instant::now();
        loop {
            let link = hub.handle.as_ref().unwrap().links().remove(0);
            assert!(!link.connected);
            if link.reason.as_deref() == Some(reason) {
                assert!(!link.detail.unwrap_or_default().contains("guess"));
                break;
            }
            assert!(started.elapsed() < support::LONG, "{link:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        hub.stop().await;
    }
}
