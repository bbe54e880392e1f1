//! One client's connection: the handshake, a task that reads and a task that writes.
//!
//! The reader does the routing and waits where a subscriber has no room, so that TCP slows the publisher. The writer
//! never waits for anything but the client.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use bytestring::ByteString;
use metrics::{Counter, counter};
use rmqtt_codec::error::DecodeError;
use rmqtt_codec::types::Publish;
use rmqtt_codec::v5::{DisconnectReasonCode, ToReasonCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;
use tracing::debug;

use super::core::{Core, Origin};
use super::message::{self, Message};
use super::session::{Session, Wire};
use super::users::Caller;
use super::wire::{self, Connect, Control, Decoder, Encoder, Granted, In, Refusal, Version, Welcome, Will};
use crate::ledger::{Answer, Ticket};
use crate::topic;

/// How long a client may take to say CONNECT.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// How long a client with a wrong password waits for its answer.
const WRONG_LOGIN: Duration = Duration::from_secs(1);

/// Unacknowledged messages of one publisher beyond which its connection is read no further.
const OUTSTANDING: usize = 4096;

/// Answers in line beyond which the connection is read no further: the client does not read them.
const CONTROLS: usize = 256;

/// About how many bytes are written at once.
const WRITE_BATCH: usize = 64 * 1024;

/// The bytes read at once: small for a sensor that says a word a minute, larger once reads fill it.
const READ_SMALL: usize = 1024;
const READ_LARGE: usize = 64 * 1024;

/// How long the last bytes may take when a connection is closed.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How a connection ended, for its will.
enum End {
    /// DISCONNECT: no will.
    Parted { session_expiry_s: Option<u32> },
    /// Lost, thrown out, or DISCONNECT with the wish for the will.
    Lost { session_expiry_s: Option<u32> },
}

/// Serves a client until it goes.
pub(super) async fn serve(core: Arc<Core>, stream: TcpStream, peer: SocketAddr) {
    let _counted = Counted::new(&core);
    let _ = stream.set_nodelay(true);
    if let Err(e) = run(&core, stream).await {
        debug!(%peer, error = %e, "mqtt client closed");
    }
}

/// A connection in the count, and out of it however its task ends.
struct Counted<'c>(&'c Core);

impl<'c> Counted<'c> {
    fn new(core: &'c Core) -> Self {
        core.connections.fetch_add(1, Ordering::Relaxed);
        Self(core)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A session with its connection; parted however the task ends, so that a fault in the codec leaves nobody behind who
/// seems to be there.
struct Attached {
    session: Arc<Session>,
    wire: Arc<Wire>,
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.wire.closing.cancel();
        self.session.detach(&self.wire, None);
    }
}

async fn run(core: &Arc<Core>, stream: TcpStream) -> Result<(), ClientError> {
    let (mut read, mut write) = stream.into_split();
    let mut buf = BytesMut::new();
    let handshake = async {
        loop {
            if let Some(found) = wire::read_connect(&mut buf, core.config.max_packet_bytes)? {
                return Ok::<_, ClientError>(found);
            }
            buf.reserve(READ_SMALL);
            if read.read_buf(&mut buf).await? == 0 {
                return Err(ClientError::Closed);
            }
        }
    };
    let (connect, mut decoder) = tokio::select! {
        found = timeout(HANDSHAKE, handshake) => found.map_err(|_| ClientError::TooSlow)??,
        () = core.token.cancelled() => return Ok(()),
    };
    let mut encoder = Encoder::new(connect.version, connect.max_packet_bytes);
    let admitted = match admit(core, &connect) {
        Ok(admitted) => admitted,
        Err(refusal) => {
            counter!("gridward_broker_refused_total", "reason" => reason(refusal)).increment(1);
            if refusal == Refusal::BadLogin {
                // Guesses cost time, and a connection each.
                tokio::select! {
                    () = tokio::time::sleep(WRONG_LOGIN) => {}
                    () = core.token.cancelled() => return Ok(()),
                }
            }
            let mut out = BytesMut::new();
            encoder.refuse(refusal, &mut out);
            let _ = timeout(LAST_WORDS, write.write_all(&out)).await;
            return Ok(());
        }
    };
    let Admitted { session, wire, welcome, will } = admitted;
    let _attached = Attached { session: Arc::clone(&session), wire: Arc::clone(&wire) };
    let mut first = BytesMut::new();
    encoder.welcome(&welcome, &mut first);
    let writer =
        tokio::spawn(Writer { session: Arc::clone(&session), wire: Arc::clone(&wire), encoder }.run(write, first));
    let mut reader = Reader {
        core: Arc::clone(core),
        session: Arc::clone(&session),
        wire: Arc::clone(&wire),
        version: connect.version,
        hub_is_there: false,
        qos0: counter!("gridward_broker_messages_total", "qos" => "0"),
        qos1: counter!("gridward_broker_messages_total", "qos" => "1"),
        qos2: counter!("gridward_broker_messages_total", "qos" => "2"),
    };
    // MQTT-3.1.2-22: one and a half times the keep-alive.
    let patience = match connect.keep_alive_s {
        0 => None,
        s => Some(Duration::from_millis(u64::from(s) * 1500)),
    };
    let ended = reader.run(&mut read, &mut buf, &mut decoder, patience).await;
    let (end, result) = match ended {
        Ok(end) => (end, Ok(())),
        Err(e) => {
            wire.close(e.reason_code());
            counter!("gridward_broker_closed_total", "reason" => e.label()).increment(1);
            (End::Lost { session_expiry_s: None }, Err(e))
        }
    };
    // Closes the writer too, with whatever reason came first.
    wire.closing.cancel();
    let _ = writer.await;
    leave(core, &session, &wire, end, will).await;
    result
}

/// What a client that was let in gets.
struct Admitted {
    session: Arc<Session>,
    wire: Arc<Wire>,
    welcome: Welcome,
    will: Option<Will>,
}

fn admit(core: &Core, connect: &Connect) -> Result<Admitted, Refusal> {
    if connect.wants_auth {
        return Err(Refusal::BadAuthMethod);
    }
    if (1..wire::MIN_CLIENT_PACKET).contains(&connect.max_packet_bytes) {
        return Err(Refusal::TooSmall);
    }
    let caller = core.users.check(connect.username.as_deref(), connect.password.as_deref()).ok_or(Refusal::BadLogin)?;
    if connect.client_id.len() > topic::MAX_TOPIC_BYTES || connect.client_id.chars().any(char::is_control) {
        return Err(Refusal::BadClientId);
    }
    if let Some(will) = &connect.will
        && topic::check_name(&will.topic).is_err()
    {
        return Err(Refusal::BadClientId);
    }
    let is_hub = caller == Caller::Hub;
    // Ids of the hub's own links cannot be taken over by a guest.
    if !is_hub && &*connect.client_id == super::HUB_CLIENT_ID {
        return Err(Refusal::BadClientId);
    }
    let assigned = connect.client_id.is_empty().then(|| core.new_name());
    let id = assigned.as_ref().unwrap_or(&connect.client_id);
    let (session, session_present) = core.session(id, connect.clean, is_hub).ok_or(Refusal::Full)?;
    let expiry_s = connect.session_expiry_s.min(core.config.session_expiry_max_s);
    let wire = Wire::new(&core.token);
    session.attach(&wire, usize::from(connect.receive_maximum), Some(Duration::from_secs(u64::from(expiry_s))));
    let will = connect.will.as_ref().map(|w| Will {
        topic: ByteString::from(w.topic.to_string()),
        payload: bytes::Bytes::copy_from_slice(&w.payload),
        properties: w.properties.clone(),
        ..*w
    });
    let welcome = Welcome {
        session_present,
        assigned_client_id: assigned,
        session_expiry_s: expiry_s,
        max_packet_bytes: core.config.max_packet_bytes,
    };
    Ok(Admitted { session, wire, welcome, will })
}

fn reason(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::BadLogin => "login",
        Refusal::BadClientId => "client_id",
        Refusal::BadAuthMethod => "auth_method",
        Refusal::TooSmall => "packet_size",
        Refusal::Full => "full",
    }
}

/// Publishes the will where one is due and keeps or ends the session.
async fn leave(core: &Core, session: &Arc<Session>, wire: &Arc<Wire>, end: End, will: Option<Will>) {
    let (will, expiry_s) = match end {
        End::Parted { session_expiry_s } => (None, session_expiry_s),
        End::Lost { session_expiry_s } => (will, session_expiry_s),
    };
    let expiry = expiry_s.map(|s| Some(Duration::from_secs(u64::from(s.min(core.config.session_expiry_max_s)))));
    let is_current = session.detach(wire, expiry);
    let now = Instant::now();
    let is_over = is_current && session.is_over(now);
    if let Some(will) = will
        && !core.token.is_cancelled()
    {
        let delay = Duration::from_secs(u64::from(will.delay_s));
        let (properties, expires_at) = Message::take_properties(will.properties, now);
        let message = Message {
            topic: will.topic,
            payload: will.payload,
            qos: will.qos,
            retain: will.retain,
            properties,
            expires_at,
        };
        if !delay.is_zero() && is_current && !is_over {
            session.set_late_will(now + delay, Arc::new(message));
        } else if delay.is_zero() || is_over {
            // With a delay and a new connection in our place, the will is not wanted (MQTT 5, 3.1.3.2.2).
            core.publish(message, None, Origin { session: None, closing: &core.token }).await;
        }
    }
    if is_over {
        core.end(session);
    }
}

/// Why a client's connection is ended by us or by it.
#[derive(Debug, thiserror::Error)]
enum ClientError {
    #[error("connection closed without DISCONNECT")]
    Closed,
    #[error("no CONNECT in time")]
    TooSlow,
    #[error("nothing heard for one and a half keep-alives")]
    KeepAlive,
    #[error("bad packet: {0}")]
    Decode(#[from] DecodeError),
    #[error("a packet that a client must not send")]
    Protocol,
    #[error("bad topic: {0}")]
    Topic(#[from] topic::TopicError),
    #[error("connection: {0}")]
    Io(#[from] io::Error),
}

impl ClientError {
    fn reason_code(&self) -> DisconnectReasonCode {
        match self {
            ClientError::Closed | ClientError::Io(_) => DisconnectReasonCode::UnspecifiedError,
            ClientError::TooSlow => DisconnectReasonCode::MaximumConnectTime,
            ClientError::KeepAlive => DisconnectReasonCode::KeepAliveTimeout,
            ClientError::Decode(e) => e.to_reason_code(),
            ClientError::Protocol => DisconnectReasonCode::ProtocolError,
            ClientError::Topic(_) => DisconnectReasonCode::TopicNameInvalid,
        }
    }

    fn label(&self) -> &'static str {
        match self {
            ClientError::Closed | ClientError::Io(_) => "lost",
            ClientError::TooSlow => "no_connect",
            ClientError::KeepAlive => "keep_alive",
            ClientError::Decode(_) => "malformed",
            ClientError::Protocol => "protocol",
            ClientError::Topic(_) => "topic",
        }
    }
}

struct Reader {
    core: Arc<Core>,
    session: Arc<Session>,
    wire: Arc<Wire>,
    version: Version,
    hub_is_there: bool,
    qos0: Counter,
    qos1: Counter,
    qos2: Counter,
}

impl Reader {
    async fn run(
        &mut self,
        read: &mut OwnedReadHalf,
        buf: &mut BytesMut,
        // Not a field: the codec may not be shared between threads, as a reader across a wait would be.
        decoder: &mut Decoder,
        patience: Option<Duration>,
    ) -> Result<End, ClientError> {
        let mut chunk = READ_SMALL;
        loop {
            while let Some(packet) = decoder.next(buf)? {
                if let Some(end) = self.take(packet).await? {
                    return Ok(end);
                }
                // After each packet: a buffer holds thousands of small ones.
                if self.wire.closing.is_cancelled() || !self.room().await {
                    return Ok(End::Lost { session_expiry_s: None });
                }
            }
            if buf.capacity() - buf.len() < chunk / 2 {
                buf.reserve(chunk);
            }
            let space = buf.capacity() - buf.len();
            let got = tokio::select! {
                got = read.read_buf(buf) => got?,
                () = self.wire.closing.cancelled() => return Ok(End::Lost { session_expiry_s: None }),
                () = sleep_or_never(patience) => return Err(ClientError::KeepAlive),
            };
            if got == 0 {
                return Err(ClientError::Closed);
            }
            chunk = if got == space { READ_LARGE } else { (chunk / 2).max(READ_SMALL) };
        }
    }

    /// Waits while the client has too much unacknowledged or unread; false when it is gone.
    async fn room(&self) -> bool {
        loop {
            let acked = self.wire.ledger.room.notified();
            let written = self.wire.control_written.notified();
            if self.wire.ledger.outstanding() < OUTSTANDING && self.wire.controls() < CONTROLS {
                return true;
            }
            tokio::select! {
                () = acked => {}
                () = written => {}
                // In case the wake was told between the look and the wait.
                () = tokio::time::sleep(Duration::from_millis(100)) => {}
                () = self.wire.closing.cancelled() => return false,
            }
        }
    }

    async fn take(&mut self, packet: In) -> Result<Option<End>, ClientError> {
        match packet {
            In::Publish(publish) => self.publish(*publish).await?,
            In::Puback(id) => self.session.acknowledged(id),
            In::Pubrel(packet_id) => {
                let known = self.session.release(packet_id);
                self.wire.put(Control::Pubcomp { packet_id, known });
            }
            In::Subscribe { packet_id, filters, has_id } => {
                // The answer first, then what was kept; a live message may overtake it, which the standard allows.
                let codes = filters
                    .iter()
                    .map(
                        |(filter, options)| {
                            if has_id { Granted::NoIds } else { self.core.subscribe(&self.session, filter, *options) }
                        },
                    )
                    .collect();
                self.wire.put(Control::Suback { packet_id, codes });
            }
            In::Unsubscribe { packet_id, filters } => {
                let existed = filters.iter().map(|f| self.core.unsubscribe(&self.session, f)).collect();
                self.wire.put(Control::Unsuback { packet_id, existed });
            }
            In::Ping => {
                self.wire.put(Control::Pong);
            }
            In::Disconnect { with_will, session_expiry_s } => {
                return Ok(Some(if with_will {
                    End::Lost { session_expiry_s }
                } else {
                    End::Parted { session_expiry_s }
                }));
            }
            In::Unexpected => return Err(ClientError::Protocol),
        }
        Ok(None)
    }

    async fn publish(&mut self, publish: Publish) -> Result<(), ClientError> {
        topic::check_name(&publish.topic)?;
        if !self.hub_is_there {
            tokio::select! {
                () = self.core.hub_is_there() => self.hub_is_there = true,
                () = self.wire.closing.cancelled() => return Ok(()),
            }
        }
        let now = Instant::now();
        if publish.properties.as_ref().is_some_and(|p| p.topic_alias.is_some()) {
            // We said that we take none.
            return Err(ClientError::Protocol);
        }
        let packet_id = publish.packet_id.map(std::num::NonZeroU16::get);
        let enter = |answer| packet_id.map(|packet_id| self.wire.ledger.enter(Ticket { packet_id, answer }));
        let qos = publish.qos.value();
        let ack = match qos {
            0 => {
                self.qos0.increment(1);
                None
            }
            1 => {
                self.qos1.increment(1);
                enter(Answer::Puback)
            }
            _ => {
                self.qos2.increment(1);
                let ack = enter(Answer::Pubrec);
                if !packet_id.is_some_and(|id| self.session.receive_once(id)) {
                    // Ours already, and answered; the answer was lost.
                    if let Some(ack) = ack {
                        ack.done();
                    }
                    return Ok(());
                }
                ack
            }
        };
        let properties = if self.version == Version::V5 { publish.properties } else { None };
        let (properties, expires_at) = Message::take_properties(properties, now);
        let (topic, payload) = message::detached(&publish.topic, &publish.payload);
        let message = Message { topic, payload, qos, retain: publish.retain, properties, expires_at };
        self.core.publish(message, ack, Origin { session: Some(&self.session), closing: &self.wire.closing }).await;
        Ok(())
    }
}

async fn sleep_or_never(patience: Option<Duration>) {
    match patience {
        Some(patience) => tokio::time::sleep(patience).await,
        None => std::future::pending().await,
    }
}

struct Writer {
    session: Arc<Session>,
    wire: Arc<Wire>,
    encoder: Encoder,
}

impl Writer {
    async fn run(mut self, mut write: OwnedWriteHalf, first: BytesMut) {
        // The reader ends with the writer, whatever ends that.
        let _ends = self.wire.closing.clone().drop_guard();
        let mut buf = first;
        // Whether messages are among the bytes: answers to pings are no progress of a subscriber.
        let mut has_messages = false;
        let mut batch = Vec::new();
        let mut tickets = Vec::new();
        loop {
            let is_closing = self.wire.closing.is_cancelled();
            if !is_closing {
                has_messages |= self.fill(&mut buf, &mut batch, &mut tickets);
            }
            if buf.is_empty() {
                if is_closing {
                    break;
                }
                tokio::select! {
                    () = self.wire.wake.notified() => {}
                    () = self.wire.closing.cancelled() => {}
                }
                continue;
            }
            let written = tokio::select! {
                written = write.write_buf(&mut buf) => written,
                () = async { self.wire.closing.cancelled().await; tokio::time::sleep(LAST_WORDS).await } => break,
            };
            match written {
                Ok(0) | Err(_) => {
                    // The reader sees the same and ends the connection.
                    self.wire.closing.cancel();
                    return;
                }
                Ok(_) if has_messages => self.session.progressed(),
                Ok(_) => {}
            }
            if !buf.has_remaining() {
                has_messages = false;
                buf.clear();
                if buf.capacity() > 4 * WRITE_BATCH {
                    buf = BytesMut::new();
                }
            }
        }
        if buf.is_empty() {
            // Acknowledgements of what was published before a DISCONNECT still go out.
            self.answers(&mut buf, &mut tickets);
            if let Some(reason) = self.wire.close_reason() {
                self.encoder.goodbye(reason, &mut buf);
            }
            let _ = timeout(LAST_WORDS, write.write_all(&buf)).await;
        }
        let _ = timeout(LAST_WORDS, write.shutdown()).await;
    }

    fn answers(&mut self, buf: &mut BytesMut, tickets: &mut Vec<Ticket>) {
        tickets.clear();
        self.wire.ledger.take_ready(tickets);
        for ticket in tickets.iter() {
            if ticket.answer == Answer::Pubrec {
                self.session.answered_once(ticket.packet_id);
            }
            self.encoder.answer(*ticket, buf);
        }
    }

    /// Puts what waits into the buffer; whether messages are among it.
    fn fill(&mut self, buf: &mut BytesMut, batch: &mut Vec<super::session::ToSend>, tickets: &mut Vec<Ticket>) -> bool {
        if buf.len() >= WRITE_BATCH {
            return false;
        }
        let controls = self.wire.take_controls();
        if !controls.is_empty() {
            for control in controls {
                if !self.encoder.control(control, buf) {
                    self.wire.close(DisconnectReasonCode::PacketTooLarge);
                }
            }
            self.wire.control_written.notify_waiters();
        }
        self.answers(buf, tickets);
        if self.wire.ledger.is_abandoned() {
            // A message of this publisher was lost on the way to the hub: it has to send again.
            self.wire.close(DisconnectReasonCode::UnspecifiedError);
            return false;
        }
        batch.clear();
        let now = Instant::now();
        self.session.take(&self.wire, WRITE_BATCH, now, batch);
        let has_messages = !batch.is_empty();
        for item in batch.drain(..) {
            if self.encoder.publish(&item.message, item.packet_id, item.dup, now, buf).is_err() {
                // Larger than the client takes: as if delivered (MQTT-3.1.2-25).
                counter!("gridward_broker_dropped_total", "reason" => "too_large_for_client").increment(1);
                if let Some(id) = item.packet_id {
                    self.session.acknowledged(id);
                }
            }
        }
        has_messages
    }
}
