//! What has come before a connection ended is kept, though the broker may never send it again.

use ingest::mqtt::{BrokerConfig, MqttConfig, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::support::{self, Hub, frame, publish_packet, source};

/// The next packet a client sends; all here have less than 128 bytes.
async fn packet(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).await.unwrap();
    let mut body = vec![0; usize::from(head[1])];
    stream.read_exact(&mut body).await.unwrap();
    body
}

/// A broker for one connection: says yes to everything, sends nine readings and is gone in the same moment.
async fn last_words(listener: TcpListener, version: Version, qos_1: bool) {
    let is_5 = version == Version::V5;
    let (mut stream, _) = listener.accept().await.unwrap();
    packet(&mut stream).await;
    stream.write_all(&frame(0x20, if is_5 { &[0, 0, 0] } else { &[0, 0] })).await.unwrap();
    let subscribe = packet(&mut stream).await;
    let id = [subscribe[0], subscribe[1]];
    stream.write_all(&frame(0x90, &[&id[..], if is_5 { &[0, 1] } else { &[1] }].concat())).await.unwrap();
    let mut words = Vec::new();
    for number in 1..=9u16 {
        let payload = [if is_5 { &b"\0"[..] } else { b"" }, number.to_string().as_bytes()].concat();
        words.extend(publish_packet("river/g1", qos_1.then_some(number), &payload));
    }
    // On one thread: the hub finds the words and the end together.
    assert_eq!(stream.try_write(&words).unwrap(), words.len());
}

async fn are_kept(version: Version, qos_1: bool) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let config =
        MqttConfig { brokers: vec![BrokerConfig { version, ..support::broker(port) }], ..MqttConfig::default() };
    let broker = tokio::spawn(last_words(listener, version, qos_1));
    let mut hub = Hub::start(config, [source("g1", "river/g1", "raw")]);
    for number in 1..=9 {
        let found = hub.observe().await;
        assert_eq!(found[0].value.as_number(), Some(f64::from(number)));
    }
    broker.await.unwrap();
    hub.stop().await;
}

#[tokio::test]
async fn last_words_of_a_broker_are_kept() {
    are_kept(Version::V311, true).await;
    are_kept(Version::V311, false).await;
}

#[tokio::test]
async fn last_words_of_a_broker_are_kept_in_mqtt_5() {
    are_kept(Version::V5, true).await;
    are_kept(Version::V5, false).await;
}
