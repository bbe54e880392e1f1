//! The embedded broker with third-party clients, and with bytes that no client would send.

use std::time::Duration;

use ingest::broker::{self, EmbeddedBroker};
use ingest::mqtt::MqttConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::support::{self, Bare, Hub, Subscriber, frame, log, publish_later, publish_packet, source};

pub struct Running {
    pub broker: EmbeddedBroker,
    pub port: u16,
    _guard: DropGuard,
}

pub async fn start(config: broker::Config) -> Running {
    log();
    let token = CancellationToken::new();
    let broker = broker::start_with("127.0.0.1:0".parse().unwrap(), config, token.clone()).await.unwrap();
    Running { port: broker.addr.port(), broker, _guard: token.drop_guard() }
}

pub async fn default() -> Running {
    start(broker::Config { hub_wait_s: 0, ..broker::Config::default() }).await
}

async fn settle() {
    tokio::time::sleep(Duration::from_millis(400)).await;
}

#[tokio::test]
async fn clients_of_every_version_and_qos_talk_to_each_other() {
    let running = default().await;
    let mut subscribers = Vec::new();
    for version in ["mqttv31", "mqttv311", "mqttv5"] {
        for qos in ["0", "1", "2"] {
            let args = ["-V", version, "-q", qos, "-t", "town/+/v", "-t", "other/#", "-F", "%t %q %p"];
            subscribers.push((qos, Subscriber::start(running.port, &args)));
        }
    }
    settle().await;
    let mut sent = 0;
    for version in ["mqttv311", "mqttv5"] {
        for qos in ["0", "1", "2"] {
            assert!(publish_later(running.port, "town/a/v", qos.as_bytes(), &["-V", version, "-q", qos]).await);
            assert!(publish_later(running.port, "other", qos.as_bytes(), &["-V", version, "-q", qos]).await);
            assert!(publish_later(running.port, "town/a/w", b"no", &["-V", version, "-q", qos]).await);
            sent += 2;
        }
    }
    for (asked, subscriber) in &subscribers {
        let lines = subscriber.wait_for(sent).await;
        assert_eq!(lines.len(), sent, "{lines:?}");
        for line in lines {
            let parts: Vec<&str> = line.split(' ').collect();
            // The lower of what was published (the payload) and what was asked for, and 1 at most.
            let expected = parts[2].min(asked).min("1");
            assert_eq!(parts[1], expected, "asked {asked}: {line}");
        }
    }
}

#[tokio::test]
async fn kept_messages_reach_later_subscribers_and_go_with_an_empty_one() {
    let running = default().await;
    assert!(publish_later(running.port, "state/a", b"one", &["-q", "1", "-r"]).await);
    assert!(publish_later(running.port, "state/a", b"two", &["-q", "1", "-r"]).await);
    assert!(publish_later(running.port, "state/b", b"bee", &["-q", "0", "-r", "-V", "mqttv5"]).await);
    for args in [&["-t", "state/#"][..], &["-t", "+/a", "-t", "state/b"]] {
        let mut args = args.to_vec();
        args.extend(["-F", "%r %t %p", "-q", "1", "-V", "mqttv5"]);
        let subscriber = Subscriber::start(running.port, &args);
        let mut lines = subscriber.wait_for(2).await;
        lines.sort();
        assert_eq!(lines, ["1 state/a two", "1 state/b bee"]);
        // Live, it is not marked.
        assert!(publish_later(running.port, "state/a", b"two", &["-q", "1", "-r"]).await);
        assert_eq!(subscriber.wait_for(3).await[2], "0 state/a two");
    }
    let as_published =
        Subscriber::start(running.port, &["-t", "state/a", "-F", "%r %p", "-V", "mqttv5", "--retain-as-published"]);
    as_published.wait_for(1).await;
    assert!(publish_later(running.port, "state/a", b"three", &["-r"]).await);
    assert_eq!(as_published.wait_for(2).await, ["1 two", "1 three"]);
    assert!(publish_later(running.port, "state/a", b"", &["-r"]).await);
    let late = Subscriber::start(running.port, &["-t", "state/#", "-F", "%t"]);
    late.wait_for(1).await;
    settle().await;
    assert_eq!(late.lines(), ["state/b"]);
}

#[tokio::test]
async fn a_will_is_published_for_the_lost_and_not_for_those_who_part() {
    let running = default().await;
    let watcher = Subscriber::start(running.port, &["-t", "gone/#", "-F", "%t %p", "-q", "1"]);
    settle().await;
    for (i, version) in ["mqttv311", "mqttv5"].into_iter().enumerate() {
        let topic = format!("gone/{version}");
        let args = ["-t", "x", "-V", version, "--will-topic", &topic, "--will-payload", "lost", "--will-qos", "1"];
        let mut device = Subscriber::start(running.port, &args);
        settle().await;
        device.kill();
        assert_eq!(watcher.wait_for(i + 1).await[i], format!("{topic} lost"));
    }
    let parted = ["-q", "1", "--will-topic", "gone/parted", "--will-payload", "lost"];
    assert!(publish_later(running.port, "y", b"1", &parted).await);
    settle().await;
    assert_eq!(watcher.lines().len(), 2);
}

#[tokio::test]
async fn a_session_waits_for_its_client() {
    let running = default().await;
    for (id, extra) in [("old", &["-V", "mqttv311"][..]), ("new", &["-V", "mqttv5", "-x", "600"])] {
        let mut args = vec!["-i", id, "-c", "-q", "1", "-t", "wait/#", "-F", "%p"];
        args.extend(extra);
        let mut first = Subscriber::start(running.port, &args);
        settle().await;
        first.kill();
        settle().await;
        for n in 0..20 {
            assert!(publish_later(running.port, "wait/x", n.to_string().as_bytes(), &["-q", "1"]).await);
        }
        let second = Subscriber::start(running.port, &args);
        let expected: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        assert_eq!(second.wait_for(20).await, expected);
        // Without the wish to keep it, the session is gone.
        drop(second);
        settle().await;
        let clean = Subscriber::start(running.port, &["-i", id, "-q", "1", "-t", "nothing"]);
        settle().await;
        drop(clean);
        assert!(publish_later(running.port, "wait/x", b"lost", &["-q", "1"]).await);
        let third = Subscriber::start(running.port, &args);
        settle().await;
        assert!(third.lines().is_empty());
    }
}

#[tokio::test]
async fn properties_of_mqtt_5_pass_through() {
    let running = default().await;
    let subscriber =
        Subscriber::start(running.port, &["-V", "mqttv5", "-t", "p/#", "-F", "%C %R %D %P %E %p", "-q", "1"]);
    settle().await;
    let args = [
        "-V",
        "mqttv5",
        "-q",
        "1",
        "-D",
        "publish",
        "content-type",
        "text/plain",
        "-D",
        "publish",
        "response-topic",
        "back",
        "-D",
        "publish",
        "correlation-data",
        "abc",
        "-D",
        "publish",
        "user-property",
        "k",
        "v",
        "-D",
        "publish",
        "message-expiry-interval",
        "60",
    ];
    assert!(publish_later(running.port, "p/1", b"hello", &args).await);
    let lines = subscriber.wait_for(1).await;
    assert!(lines[0].starts_with("text/plain back abc k:v "), "{lines:?}");
    let expiry: u32 = lines[0].split(' ').nth(4).unwrap().parse().unwrap();
    assert!((58..=60).contains(&expiry), "{lines:?}");
    let lines: Vec<&str> = lines[0].split(' ').collect();
    assert_eq!(lines.last(), Some(&"hello"));
}

#[tokio::test]
async fn a_second_connection_takes_the_session_over() {
    let running = default().await;
    let mut first = Bare::connect(running.port, "twin").await;
    let _second = Bare::connect(running.port, "twin").await;
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), first.stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn users_are_asked_for_and_nobody_is_the_hub() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("users");
    std::fs::write(&file, "gauge:right\n").unwrap();
    let running = start(broker::Config { users_file: Some(file), hub_wait_s: 0, ..broker::Config::default() }).await;
    assert!(publish_later(running.port, "a", b"1", &["-u", "gauge", "-P", "right", "-q", "1"]).await);
    for args in [&["-u", "gauge", "-P", "wrong"][..], &["-u", "other"], &[], &["-u", "gridward-hub", "-P", "x"]] {
        let mut args = args.to_vec();
        args.extend(["-q", "1"]);
        assert!(!publish_later(running.port, "a", b"1", &args).await, "{args:?}");
    }
    let id = ["-i", "gridward-embedded", "-u", "gauge", "-P", "right", "-q", "1"];
    assert!(!publish_later(running.port, "a", b"1", &id).await);
    // The hub itself gets in with the secret of this start.
    let mut config = MqttConfig::default();
    config.use_embedded(&running.broker);
    let hub = Hub::start(config, []);
    hub.up().await;
    hub.stop().await;
}

#[tokio::test]
async fn a_silent_client_is_closed_after_one_and_a_half_keep_alives() {
    let running = default().await;
    let mut stream = TcpStream::connect(("127.0.0.1", running.port)).await.unwrap();
    stream.write_all(&frame(0x10, b"\0\x04MQTT\x04\x02\0\x01\0\x02ka")).await.unwrap();
    let started = std::time::Instant::now();
    let mut all = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut all)).await.unwrap().unwrap();
    assert_eq!(all, [0x20, 2, 0, 0]);
    assert!((1.4..3.0).contains(&started.elapsed().as_secs_f64()), "{:?}", started.elapsed());
    // And one who never says CONNECT, after five seconds.
    let mut mute = TcpStream::connect(("127.0.0.1", running.port)).await.unwrap();
    tokio::time::timeout(Duration::from_secs(8), mute.read_to_end(&mut all)).await.unwrap().unwrap();
}

#[tokio::test]
async fn hostile_bytes_end_one_connection_and_no_other() {
    let running = default().await;
    let witness = Subscriber::start(running.port, &["-t", "witness", "-q", "1", "-F", "%p"]);
    settle().await;
    let good = frame(0x10, b"\0\x04MQTT\x04\x02\0\x3c\0\x01h");
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for round in 0..400 {
        let mut stream = TcpStream::connect(("127.0.0.1", running.port)).await.unwrap();
        let mut bytes = Vec::new();
        match round % 4 {
            // Noise from the beginning, and noise after a good beginning.
            0 => {}
            1 => bytes.extend(&good),
            // A good packet with some bytes changed.
            2 => {
                bytes.extend(&good);
                bytes.extend(publish_packet("a/b", Some(1), b"payload"));
                bytes.extend(frame(0x82, b"\0\x02\0\x03a/#\x01"));
                for _ in 0..3 {
                    let at = random() as usize % bytes.len();
                    bytes[at] = random() as u8;
                }
            }
            // A length that promises too much.
            _ => {
                bytes.extend(&good);
                bytes.extend([0x30, 0xff, 0xff, 0xff, 0x7f]);
            }
        }
        bytes.extend((0..random() % 200).map(|_| random() as u8));
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let mut sink = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(6), stream.read_to_end(&mut sink)).await;
    }
    assert!(publish_later(running.port, "witness", b"alive", &["-q", "1"]).await);
    assert_eq!(witness.wait_for(1).await, ["alive"]);
}

#[tokio::test]
async fn a_message_of_qos_2_is_taken_once() {
    let running = default().await;
    let subscriber = Subscriber::start(running.port, &["-t", "two", "-q", "2", "-F", "%p"]);
    settle().await;
    let mut client = Bare::connect(running.port, "exact").await;
    let mut publish = publish_packet("two", Some(9), b"once");
    publish[0] = 0x34;
    let mut answer = [0; 4];
    for _ in 0..3 {
        client.stream.write_all(&publish).await.unwrap();
        client.stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, [0x50, 2, 0, 9]);
        publish[0] = 0x3c;
    }
    client.stream.write_all(&[0x62, 2, 0, 9]).await.unwrap();
    client.stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [0x70, 2, 0, 9]);
    subscriber.wait_for(1).await;
    settle().await;
    assert_eq!(subscriber.lines(), ["once"]);
}

#[tokio::test]
async fn a_publisher_is_told_when_the_hub_has_it_on_disk() {
    let running = default().await;
    let mut config = MqttConfig::default();
    config.use_embedded(&running.broker);
    let mut hub = Hub::start(config.clone(), [source("g1", "river/g1", "raw")]);
    hub.up().await;
    let mut client = Bare::connect(running.port, "gauge").await;
    // The second has no subscriber and could be answered at once, but answers keep the order.
    client.stream.write_all(&publish_packet("river/g1", Some(1), b"1")).await.unwrap();
    client.stream.write_all(&publish_packet("nobody", Some(2), b"1")).await.unwrap();
    let kept = hub.next().await;
    let mut answer = [0; 8];
    let early = tokio::time::timeout(Duration::from_millis(500), client.stream.read_exact(&mut answer)).await;
    assert!(early.is_err(), "told too early");
    kept.ack.done();
    let told = client.stream.read_exact(&mut answer);
    tokio::time::timeout(Duration::from_secs(5), told).await.unwrap().unwrap();
    assert_eq!(answer, [0x40, 2, 0, 1, 0x40, 2, 0, 2]);
    // The hub goes away before it has the next: the publisher waits, and is told by the hub's next start.
    client.stream.write_all(&publish_packet("river/g1", Some(3), b"3")).await.unwrap();
    let lost = hub.next().await;
    hub.stop().await;
    drop(lost);
    let mut hub = Hub::start(config, [source("g1", "river/g1", "raw")]);
    let again = hub.observe().await;
    assert_eq!(again[0].value.as_number(), Some(3.0));
    let mut answer = [0; 4];
    let told = client.stream.read_exact(&mut answer);
    tokio::time::timeout(Duration::from_secs(5), told).await.unwrap().unwrap();
    assert_eq!(answer, [0x40, 2, 0, 3]);
    hub.stop().await;
}

#[tokio::test]
async fn publishers_that_are_faster_than_a_restarted_hub_lose_nothing() {
    let running = start(broker::Config::default()).await;
    let mut client = Bare::connect(running.port, "gauge").await;
    client.stream.write_all(&publish_packet("river/g1", Some(1), b"1")).await.unwrap();
    let mut answer = [0; 4];
    let early = tokio::time::timeout(Duration::from_millis(700), client.stream.read_exact(&mut answer)).await;
    assert!(early.is_err(), "acknowledged before the hub has subscribed");
    let mut config = MqttConfig::default();
    config.use_embedded(&running.broker);
    let mut hub = Hub::start(config, [source("g1", "river/g1", "raw")]);
    assert_eq!(hub.observe().await[0].value.as_number(), Some(1.0));
    client.stream.read_exact(&mut answer).await.unwrap();
    hub.stop().await;
}

#[tokio::test]
async fn a_slow_subscriber_slows_publishers_and_loses_nothing() {
    let running = start(broker::Config { queue_bytes: 64 * 1024, hub_wait_s: 0, ..broker::Config::default() }).await;
    // Subscribes at QoS 1 and reads by hand.
    let mut slow = Bare::connect(running.port, "slow").await;
    slow.stream.write_all(&frame(0x82, b"\0\x01\0\x01s\x01")).await.unwrap();
    let mut suback = [0; 5];
    slow.stream.read_exact(&mut suback).await.unwrap();
    assert_eq!(suback, [0x90, 3, 0, 1, 1]);
    let publisher = tokio::spawn(support::flood(running.port, "fast".into(), "s".into(), 20_000, 1));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!publisher.is_finished(), "the queue holds far less than 20,000");
    // Now it reads and acknowledges everything.
    let (mut read, mut write) = slow.stream.into_split();
    let mut buf = Vec::new();
    let mut next = 0u32;
    while next < 20_000 {
        let got = tokio::time::timeout(Duration::from_secs(10), read.read_buf(&mut buf)).await.unwrap().unwrap();
        assert!(got > 0);
        let mut acks = Vec::new();
        let mut at = 0;
        while buf.len() >= at + 2 && buf.len() >= at + 2 + usize::from(buf[at + 1]) {
            let body = &buf[at + 2..at + 2 + usize::from(buf[at + 1])];
            assert_eq!(buf[at], 0x32);
            assert_eq!(&body[5..], next.to_string().as_bytes());
            acks.extend([0x40, 2, body[3], body[4]]);
            next += 1;
            at += 2 + body.len();
        }
        buf.drain(..at);
        write.write_all(&acks).await.unwrap();
    }
    assert_eq!(publisher.await.unwrap(), 20_000);
}

/// A subscription at QoS 1 of a bare client; it reads nothing.
async fn subscribe(client: &mut Bare, filter: &str) {
    let mut body = vec![0, 1];
    body.extend((filter.len() as u16).to_be_bytes());
    body.extend(filter.as_bytes());
    body.push(1);
    client.stream.write_all(&frame(0x82, &body)).await.unwrap();
    let mut answer = [0; 5];
    client.stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [0x90, 3, 0, 1, 1]);
}

/// Floods with messages of QoS 1 while the hub takes them; all must arrive and be acknowledged.
async fn flood_reaches_the_hub(port: u16, hub: &mut Hub, count: u32) {
    let flood = tokio::spawn(support::flood(port, "flood".into(), "flood/x".into(), count, 1));
    let mut seen = std::collections::HashSet::new();
    while seen.len() < count as usize {
        seen.insert(hub.observe().await[0].value.as_number().unwrap() as u32);
    }
    assert_eq!(tokio::time::timeout(support::LONG, flood).await.unwrap().unwrap(), count);
}

#[tokio::test]
async fn a_subscriber_that_only_pings_holds_nobody_up() {
    let config =
        broker::Config { hub_wait_s: 0, queue_bytes: 64 * 1024, slow_client_s: 1, ..broker::Config::default() };
    let running = start(config).await;
    let mut to_hub = MqttConfig::default();
    to_hub.use_embedded(&running.broker);
    let mut hub = Hub::start(to_hub, [source("g1", "flood/#", "raw")]);
    hub.up().await;
    let mut lazy = Bare::connect(running.port, "lazy").await;
    subscribe(&mut lazy, "flood/#").await;
    let (_reader, mut writer) = lazy.stream.into_split();
    let pings = tokio::spawn(async move {
        while writer.write_all(&[0xc0, 0]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    // Many times more than its queue holds.
    flood_reaches_the_hub(running.port, &mut hub, 8_000).await;
    pings.abort();
    hub.stop().await;
}

#[tokio::test]
async fn what_lies_for_clients_that_are_away_stops_no_one() {
    let config = broker::Config {
        hub_wait_s: 0,
        queue_bytes: 256 * 1024,
        total_queue_bytes: 256 * 1024,
        ..broker::Config::default()
    };
    let running = start(config).await;
    for id in ["away-1", "away-2", "away-3"] {
        let args = ["-i", id, "-c", "-q", "1", "-t", "flood/#", "-V", "mqttv311"];
        let mut client = Subscriber::start(running.port, &args);
        settle().await;
        client.kill();
    }
    let mut to_hub = MqttConfig::default();
    to_hub.use_embedded(&running.broker);
    let mut hub = Hub::start(to_hub, [source("g1", "flood/#", "raw")]);
    hub.up().await;
    let here = Subscriber::start(running.port, &["-t", "flood/#", "-q", "1", "-F", "%p"]);
    settle().await;
    flood_reaches_the_hub(running.port, &mut hub, 8_000).await;
    assert_eq!(here.wait_for(8_000).await.len(), 8_000);
    hub.stop().await;
}

#[tokio::test]
async fn a_wrong_password_waits_for_its_answer() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("users");
    std::fs::write(&file, "gauge:right\n").unwrap();
    let running = start(broker::Config { users_file: Some(file), hub_wait_s: 0, ..broker::Config::default() }).await;
    let mut stream = TcpStream::connect(("127.0.0.1", running.port)).await.unwrap();
    let started = std::time::Instant::now();
    stream.write_all(&frame(0x10, b"\0\x04MQTT\x04\xc2\0\x3c\0\x01h\0\x05gauge\0\x05wrong")).await.unwrap();
    let mut all = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut all)).await.unwrap().unwrap();
    assert_eq!(all, [0x20, 2, 0, 4]);
    assert!(started.elapsed() >= Duration::from_millis(900), "{:?}", started.elapsed());
}

#[tokio::test]
async fn answers_that_a_client_cannot_take_end_its_connection_only() {
    let running = default().await;
    let connect = |max_packet: u32| {
        let mut body = b"\0\x04MQTT\x05\x02\0\x3c\x05\x27".to_vec();
        body.extend(max_packet.to_be_bytes());
        body.extend(b"\0\x01h");
        frame(0x10, &body)
    };
    // Nothing fits.
    let mut stream = TcpStream::connect(("127.0.0.1", running.port)).await.unwrap();
    stream.write_all(&connect(5)).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert_eq!((answer[0], answer[3]), (0x20, 0x95), "refused: packet too large");
    // The answers to a hundred filters do not.
    let mut stream = TcpStream::connect(("127.0.0.1", running.port)).await.unwrap();
    let mut subscribe = vec![0, 1, 0];
    for n in 0..100 {
        subscribe.extend([0, 2, b'a' + n % 26, b'0' + n / 26, 1]);
    }
    stream.write_all(&connect(64)).await.unwrap();
    stream.write_all(&frame(0x82, &subscribe)).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer[0], 0x20);
    // DISCONNECT: reason, and a length of properties of 0.
    assert!(answer.ends_with(&[0xe0, 2, 0x95, 0]), "sent away: packet too large, {answer:?}");
    assert!(publish_later(running.port, "a", b"1", &["-q", "1"]).await);
}
