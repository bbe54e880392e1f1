//! One connection of rumqttc, version 3.1.1 or 5 behind one face.
//!
//! An event loop here lives for one connection: after any error it is dropped and a new one is built. That puts the
//! library's traps out of reach (events and requests left over from the connection before, the packet-id collision
//! that never ends, reconnects without delay). Nothing is published through it, so nothing can be lost in its queues.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use native_tls::{Certificate, Identity, TlsConnector};
use rumqttc::{NetworkOptions, QoS, TlsConfiguration, Transport, v5};

use super::config::{Address, BrokerConfig, Version};
use crate::ledger::Ticket;

/// How long the connect, the TLS and MQTT handshakes and a flush may take.
const CONNECT_TIMEOUT_S: u64 = 10;

/// Requests (acks, subscriptions) that wait for the event loop. When full, the task that acknowledges waits.
const REQUESTS: usize = 1024;

/// The largest packet that the connection survives. Payloads beyond the configured size become dead letters; only
/// beyond this the connection has to be dropped, since the library must hold a packet whole.
pub(super) const HARD_PACKET_BYTES: usize = 16 << 20;

/// Why a connection failed or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// A stable word: `connect`, `timeout`, `tls`, `auth_refused`, `refused`, `settings`, `protocol`, `oversize`,
    /// `closed`, `stalled`, `overrun`, `not_kept`.
    pub code: &'static str,
    /// What happened, without secrets.
    pub detail: String,
}

impl Failure {
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

/// What the connection tells.
#[derive(Debug)]
pub(super) enum Event {
    /// The broker accepted us.
    Up {
        /// Whether it kept our session.
        session_present: bool,
    },
    /// A message.
    Message(Incoming),
    /// A SUBSCRIBE left, with this packet id; in the order they were asked for.
    SubscribeSent(u16),
    /// The broker answered it; `refused` are the positions it refused.
    SubscribeAnswered { packet_id: u16, refused: Vec<usize> },
    /// A ping left.
    Pinged,
    /// Our DISCONNECT left.
    Parted,
    /// Nothing of interest.
    Other,
}

/// A message as it came.
#[derive(Debug)]
pub(super) struct Incoming {
    /// Meant to be UTF-8.
    pub topic: Bytes,
    pub payload: Bytes,
    /// 0 to 2.
    pub qos: u8,
    pub packet_id: u16,
    pub retained: bool,
}

/// Sends requests to the event loop, from another task than the one that polls it.
#[derive(Clone)]
pub(super) enum Client {
    V4(rumqttc::AsyncClient),
    V5(v5::AsyncClient),
}

/// The connection itself.
pub(super) enum EventLoop {
    V4(Box<rumqttc::EventLoop>),
    V5(Box<v5::EventLoop>),
}

/// Builds a client; nothing is sent before the first poll. Reads files, so not for an async worker.
pub(super) fn open(
    config: &BrokerConfig,
    login: Option<(&str, &str)>,
    clean_session: bool,
) -> Result<(Client, EventLoop), Failure> {
    let address = Address::parse(&config.url)
        .ok_or_else(|| Failure::new("settings", "url is not mqtt://host[:port] or mqtts://host[:port]"))?;
    let transport = if address.tls {
        Transport::tls_with_config(TlsConfiguration::NativeConnector(tls(config)?))
    } else {
        Transport::tcp()
    };
    let password = match &config.password_file {
        Some(file) => {
            let text = read(file, "password_file")?;
            String::from_utf8(text).map_err(|_| Failure::new("settings", "password_file is not UTF-8 text"))?
        }
        None => String::new(),
    };
    let credentials = match login {
        Some((user, secret)) => Some((user.to_owned(), secret.to_owned())),
        None if config.username.is_empty() => None,
        // Editors end a file with a line end that is not part of the password.
        None => Some((config.username.clone(), password.trim_end_matches(['\r', '\n']).to_owned())),
    };
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(CONNECT_TIMEOUT_S);
    match config.version {
        Version::V311 => {
            let mut options = rumqttc::MqttOptions::new(config.client_id(), address.host, address.port);
            options
                .set_transport(transport)
                .set_keep_alive(config.keep_alive())
                .set_clean_session(clean_session)
                .set_max_packet_size(HARD_PACKET_BYTES, HARD_PACKET_BYTES)
                .set_inflight(1000)
                .set_manual_acks(true);
            if let Some((user, password)) = credentials {
                options.set_credentials(user, password);
            }
            let (client, mut events) = rumqttc::AsyncClient::new(options, REQUESTS);
            events.set_network_options(network);
            Ok((Client::V4(client), EventLoop::V4(Box::new(events))))
        }
        Version::V5 => {
            let mut options = v5::MqttOptions::new(config.client_id(), address.host, address.port);
            options
                .set_transport(transport)
                .set_keep_alive(config.keep_alive())
                .set_clean_start(clean_session)
                .set_session_expiry_interval(Some(config.session_expiry_s))
                .set_receive_maximum(Some(config.receive_maximum.max(1)))
                .set_max_packet_size(Some(HARD_PACKET_BYTES as u32))
                .set_outgoing_inflight_upper_limit(1000)
                .set_connection_timeout(CONNECT_TIMEOUT_S)
                .set_network_options(network)
                .set_manual_acks(true);
            if let Some((user, password)) = credentials {
                options.set_credentials(user, password);
            }
            let (client, events) = v5::AsyncClient::new(options, REQUESTS);
            Ok((Client::V5(client), EventLoop::V5(Box::new(events))))
        }
    }
}

fn read(file: &Path, key: &str) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|e| Failure::new("settings", format!("{key} cannot be read: {e}")))
}

fn tls(config: &BrokerConfig) -> Result<TlsConnector, Failure> {
    let wrong = |key: &str, e: native_tls::Error| Failure::new("settings", format!("{key}: {e}"));
    let mut builder = TlsConnector::builder();
    if let Some(file) = &config.ca_file {
        builder.disable_built_in_roots(true);
        let pem = read(file, "ca_file")?;
        for certificate in Certificate::stack_from_pem(&pem).map_err(|e| wrong("ca_file", e))? {
            builder.add_root_certificate(certificate);
        }
    }
    if let (Some(cert), Some(key)) = (&config.client_cert_file, &config.client_key_file) {
        let identity = Identity::from_pkcs8(&read(cert, "client_cert_file")?, &read(key, "client_key_file")?)
            .map_err(|e| wrong("client_cert_file", e))?;
        builder.identity(identity);
    }
    builder.build().map_err(|e| wrong("tls", e))
}

/// The event loop is gone: the connection has ended.
#[derive(Debug)]
pub(super) struct Gone;

impl Client {
    /// Waits for room in the request queue; never call it from the task that polls.
    pub async fn ack(&self, ticket: Ticket) -> Result<(), Gone> {
        match self {
            Client::V4(client) => {
                let mut answer = rumqttc::Publish::new("", QoS::AtLeastOnce, Vec::new());
                answer.pkid = ticket.packet_id;
                client.ack(&answer).await.map_err(|_| Gone)
            }
            Client::V5(client) => {
                let mut answer =
                    v5::mqttbytes::v5::Publish::new("", v5::mqttbytes::QoS::AtLeastOnce, Bytes::new(), None);
                answer.pkid = ticket.packet_id;
                client.ack(&answer).await.map_err(|_| Gone)
            }
        }
    }

    /// Subscribes at QoS 1.
    pub async fn subscribe(&self, filters: &[String]) -> Result<(), Gone> {
        match self {
            Client::V4(client) => {
                let list = filters.iter().map(|f| rumqttc::SubscribeFilter::new(f.clone(), QoS::AtLeastOnce));
                client.subscribe_many(list).await.map_err(|_| Gone)
            }
            Client::V5(client) => {
                let list =
                    filters.iter().map(|f| v5::mqttbytes::v5::Filter::new(f.clone(), v5::mqttbytes::QoS::AtLeastOnce));
                client.subscribe_many(list).await.map_err(|_| Gone)
            }
        }
    }

    pub async fn unsubscribe(&self, filter: &str) -> Result<(), Gone> {
        match self {
            Client::V4(client) => client.unsubscribe(filter).await.map_err(|_| Gone),
            Client::V5(client) => client.unsubscribe(filter).await.map_err(|_| Gone),
        }
    }

    pub async fn disconnect(&self) -> Result<(), Gone> {
        match self {
            Client::V4(client) => client.disconnect().await.map_err(|_| Gone),
            Client::V5(client) => client.disconnect().await.map_err(|_| Gone),
        }
    }
}

impl EventLoop {
    /// The next event. Not cancel-safe: once dropped in the middle, the connection must be dropped too.
    pub async fn poll(&mut self) -> Result<Event, Failure> {
        match self {
            EventLoop::V4(events) => events.poll().await.map(event_v4).map_err(failure_v4),
            EventLoop::V5(events) => events.poll().await.map(event_v5).map_err(failure_v5),
        }
    }

    /// After a failure: the messages that were read together with the end of the connection. The library would tell
    /// them after it has connected anew, which this event loop never does.
    pub fn left_over(&mut self) -> Vec<Incoming> {
        let events: Vec<Event> = match self {
            EventLoop::V4(events) => events.state.events.drain(..).map(event_v4).collect(),
            EventLoop::V5(events) => events.state.events.drain(..).map(event_v5).collect(),
        };
        let message = |event| if let Event::Message(message) = event { Some(message) } else { None };
        events.into_iter().filter_map(message).collect()
    }
}

fn event_v4(event: rumqttc::Event) -> Event {
    use rumqttc::{Event::*, Packet};
    match event {
        Incoming(Packet::ConnAck(ack)) => Event::Up { session_present: ack.session_present },
        Incoming(Packet::Publish(p)) => Event::Message(self::Incoming {
            topic: p.topic.into(),
            payload: p.payload,
            qos: p.qos as u8,
            packet_id: p.pkid,
            retained: p.retain,
        }),
        Incoming(Packet::SubAck(ack)) => Event::SubscribeAnswered {
            packet_id: ack.pkid,
            refused: refused(ack.return_codes.iter().map(|c| matches!(c, rumqttc::SubscribeReasonCode::Success(_)))),
        },
        Outgoing(out) => outgoing(&out),
        Incoming(_) => Event::Other,
    }
}

fn event_v5(event: v5::Event) -> Event {
    use v5::Event::*;
    use v5::mqttbytes::v5::{Packet, SubscribeReasonCode};
    match event {
        Incoming(Packet::ConnAck(ack)) => Event::Up { session_present: ack.session_present },
        Incoming(Packet::Publish(p)) => Event::Message(self::Incoming {
            topic: p.topic,
            payload: p.payload,
            qos: p.qos as u8,
            packet_id: p.pkid,
            retained: p.retain,
        }),
        Incoming(Packet::SubAck(ack)) => Event::SubscribeAnswered {
            packet_id: ack.pkid,
            refused: refused(ack.return_codes.iter().map(|c| matches!(c, SubscribeReasonCode::Success(_)))),
        },
        Outgoing(out) => outgoing(&out),
        Incoming(_) => Event::Other,
    }
}

fn refused(granted: impl Iterator<Item = bool>) -> Vec<usize> {
    granted.enumerate().filter(|(_, granted)| !granted).map(|(i, _)| i).collect()
}

fn outgoing(out: &rumqttc::Outgoing) -> Event {
    match out {
        rumqttc::Outgoing::Subscribe(id) => Event::SubscribeSent(*id),
        rumqttc::Outgoing::PingReq => Event::Pinged,
        rumqttc::Outgoing::Disconnect => Event::Parted,
        _ => Event::Other,
    }
}

fn failure_io(error: &io::Error) -> Failure {
    use io::ErrorKind::*;
    let code = match error.kind() {
        ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof => "closed",
        _ => "connect",
    };
    Failure::new(code, error.to_string())
}

fn failure_v4(error: rumqttc::ConnectionError) -> Failure {
    use rumqttc::{ConnectReturnCode, ConnectionError::*, StateError};
    match &error {
        Io(e) => failure_io(e),
        NetworkTimeout | FlushTimeout => Failure::new("timeout", error.to_string()),
        Tls(e) => Failure::new("tls", e.to_string()),
        ConnectionRefused(ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized) => {
            Failure::new("auth_refused", error.to_string())
        }
        ConnectionRefused(_) => Failure::new("refused", error.to_string()),
        MqttState(StateError::Io(e)) => failure_io(e),
        MqttState(StateError::ConnectionAborted) => Failure::new("closed", error.to_string()),
        MqttState(StateError::AwaitPingResp) => Failure::new("stalled", "a ping was not answered"),
        MqttState(StateError::Deserialization(rumqttc::mqttbytes::Error::PayloadSizeLimitExceeded(n))) => {
            Failure::new("oversize", format!("a packet of {n} bytes, more than {HARD_PACKET_BYTES}"))
        }
        _ => Failure::new("protocol", error.to_string()),
    }
}

fn failure_v5(error: v5::ConnectionError) -> Failure {
    use v5::ConnectionError::*;
    use v5::StateError;
    use v5::mqttbytes::v5::ConnectReturnCode;
    match &error {
        Io(e) => failure_io(e),
        Timeout(_) => Failure::new("timeout", error.to_string()),
        Tls(e) => Failure::new("tls", e.to_string()),
        ConnectionRefused(ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized) => {
            Failure::new("auth_refused", error.to_string())
        }
        ConnectionRefused(_) => Failure::new("refused", error.to_string()),
        MqttState(StateError::Io(e)) => failure_io(e),
        MqttState(StateError::ConnectionAborted) => Failure::new("closed", error.to_string()),
        MqttState(StateError::AwaitPingResp) => Failure::new("stalled", "a ping was not answered"),
        MqttState(StateError::Deserialization(v5::mqttbytes::Error::PayloadSizeLimitExceeded { pkt_size, .. })) => {
            Failure::new("oversize", format!("a packet of {pkt_size} bytes, more than {HARD_PACKET_BYTES}"))
        }
        _ => Failure::new("protocol", error.to_string()),
    }
}

/// Waiting times between attempts: doubling with jitter, so that many hubs do not come back in step.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

/// The first and the longest wait.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);
/// The shortest wait after the broker refused our credentials: it may count attempts.
const AFTER_REFUSAL: Duration = Duration::from_secs(15);
/// How long a connection must have stood for the waits to begin anew.
const STABLE: Duration = Duration::from_secs(30);

impl Backoff {
    /// The next wait; `random` in 0..1.
    pub fn next(&mut self, failure: &Failure, stood: Duration, random: f64) -> Duration {
        if stood >= STABLE {
            self.attempts = 0;
        }
        let wait = (FIRST * 2u32.pow(self.attempts.min(10))).min(LONGEST);
        self.attempts += 1;
        let wait = if failure.code == "auth_refused" { wait.max(AFTER_REFUSAL) } else { wait };
        wait.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_minute_and_begin_anew_after_a_stable_connection() {
        let mut backoff = Backoff::default();
        let failure = Failure::new("connect", "");
        let waits: Vec<_> = (0..9).map(|_| backoff.next(&failure, Duration::ZERO, 1.0).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!(backoff.next(&failure, STABLE, 0.0).as_millis(), 250);
        let refused = Failure::new("auth_refused", "");
        assert!(backoff.next(&refused, STABLE, 0.0) >= AFTER_REFUSAL / 2);
    }
}
