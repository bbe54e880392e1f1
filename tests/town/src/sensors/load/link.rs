//! A concentrator's connection to the broker: writes what its book says, hears what is acknowledged.
//!
//! The packets are `rumqttc`'s, the connection is our own: many messages go out in one write, which its client does
//! not do.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rumqttc::mqttbytes::Error as PacketError;
use rumqttc::mqttbytes::v4::{Connect, ConnectReturnCode, Disconnect, Packet, PingReq};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::book::Book;
use crate::sensors::FleetConfig;

/// Readings due within this time go out together.
const GATHER: Duration = Duration::from_millis(10);
/// The first and the longest wait before the next try to connect.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));
/// For the broker to take the connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How often the broker is asked whether it is there, and how long it may leave that unanswered.
const PING: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(60));
/// For the last acknowledgements at the end.
const FAREWELL: Duration = Duration::from_secs(1);
/// The longest packet that a broker sends to one who only publishes.
const PACKET_BYTES_MAX: usize = 64 * 1024;

/// One concentrator.
#[derive(Debug)]
pub struct Link {
    name: String,
    book: Mutex<Book>,
    connected: AtomicBool,
    /// Told when a burst has begun.
    changed: Notify,
    began: Instant,
}

impl Link {
    /// A concentrator with this book, whose times count from `began`.
    pub fn new(name: String, book: Book, began: Instant) -> Arc<Link> {
        let (book, connected) = (Mutex::new(book), AtomicBool::new(false));
        Arc::new(Link { name, book, connected, changed: Notify::new(), began })
    }

    /// Its book, for a moment.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no holder panics")
    }

    /// Whether the broker has accepted it.
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// Begins a burst of `total` readings.
    pub fn burst(&self, total: u64, lasts_ms: u64) {
        self.book().burst(total, lasts_ms, self.now_ms());
        self.changed.notify_one();
    }

    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// Until something is due, and long enough that several go out together.
    fn pause(&self) -> Duration {
        let due_ms = self.book().next_due_ms().unwrap_or(u64::MAX);
        Duration::from_millis(due_ms.saturating_sub(self.now_ms())).clamp(GATHER, Duration::from_secs(1))
    }
}

/// Keeps a concentrator connected until `token` ends it.
pub async fn run(config: FleetConfig, link: Arc<Link>, token: CancellationToken) {
    let mut wait = RETRY.0;
    while !token.is_cancelled() {
        let connected = tokio::select! {
            connected = timeout(CONNECT, connect(&config, &link.name)) => connected,
            () = token.cancelled() => return,
        };
        match connected {
            Ok(Ok((socket, buffer))) => {
                wait = RETRY.0;
                link.connected.store(true, Ordering::Relaxed);
                link.book().reconnected();
                let ended = hold(&link, socket, buffer, &token).await;
                link.connected.store(false, Ordering::Relaxed);
                match ended {
                    Ok(()) => return,
                    Err(error) => tracing::warn!(concentrator = link.name, %error, "the broker is gone"),
                }
            }
            Ok(Err(error)) => tracing::debug!(concentrator = link.name, %error, "no broker"),
            Err(_) => tracing::debug!(concentrator = link.name, "the broker does not answer"),
        }
        let until = Instant::now() + wait.mul_f64(rand::random_range(0.5..1.0));
        wait = (wait * 2).min(RETRY.1);
        while Instant::now() < until && !token.is_cancelled() {
            link.book().send_due(link.now_ms(), false);
            tokio::select! {
                () = sleep(GATHER * 10) => {}
                () = token.cancelled() => {}
            }
        }
    }
}

fn invalid(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

/// A connection that the broker has accepted, and what it has said beyond that.
async fn connect(config: &FleetConfig, name: &str) -> io::Result<(TcpStream, BytesMut)> {
    let mut socket = TcpStream::connect((config.host.as_str(), config.port)).await?;
    socket.set_nodelay(true)?;
    let (mut out, mut buffer) = (BytesMut::new(), BytesMut::new());
    let mut hello = Connect::new(name);
    hello.keep_alive = PING.1.as_secs() as u16;
    hello.write(&mut out).map_err(invalid)?;
    socket.write_all(&out).await?;
    loop {
        match Packet::read(&mut buffer, PACKET_BYTES_MAX) {
            Ok(Packet::ConnAck(answer)) if answer.code == ConnectReturnCode::Success => return Ok((socket, buffer)),
            Ok(other) => return Err(invalid(format_args!("the broker answered {other:?}"))),
            Err(PacketError::InsufficientBytes(_)) => read(&socket, &mut buffer).await?,
            Err(error) => return Err(invalid(error)),
        }
    }
}

async fn read(socket: &TcpStream, buffer: &mut BytesMut) -> io::Result<()> {
    loop {
        socket.readable().await?;
        match socket.try_read_buf(buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// One connection, until it breaks (an error) or `token` ends it.
async fn hold(link: &Link, socket: TcpStream, mut buffer: BytesMut, token: &CancellationToken) -> io::Result<()> {
    let mut asked = Instant::now();
    let mut answered = Instant::now();
    loop {
        if asked.elapsed() >= PING.0 {
            asked = Instant::now();
            PingReq.write(&mut link.book().out).map_err(invalid)?;
        }
        if answered.elapsed() > PING.1 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        link.book().send_due(link.now_ms(), true);
        let waits = !flush(link, &socket)?;
        tokio::select! {
            () = sleep(link.pause()) => {}
            () = link.changed.notified() => {}
            ready = socket.writable(), if waits => ready?,
            heard = read(&socket, &mut buffer) => {
                heard?;
                answered = Instant::now();
                take(link, &mut buffer)?;
            }
            () = token.cancelled() => break,
        }
    }
    farewell(link, socket, buffer).await
}

/// Writes what the socket takes; whether that was all.
fn flush(link: &Link, socket: &TcpStream) -> io::Result<bool> {
    let mut book = link.book();
    while !book.out.is_empty() {
        match socket.try_write(&book.out) {
            Ok(sent) => drop(book.out.split_to(sent)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Takes what the broker has said.
fn take(link: &Link, buffer: &mut BytesMut) -> io::Result<()> {
    let mut book = link.book();
    loop {
        match Packet::read(buffer, PACKET_BYTES_MAX) {
            Ok(Packet::PubAck(ack)) => book.acknowledge(ack.pkid),
            Ok(Packet::PingResp) => {}
            Ok(other) => return Err(invalid(format_args!("unexpected from a broker: {other:?}"))),
            Err(PacketError::InsufficientBytes(_)) => return Ok(()),
            Err(error) => return Err(invalid(error)),
        }
    }
}

/// Waits for the last acknowledgements, then says goodbye.
async fn farewell(link: &Link, mut socket: TcpStream, mut buffer: BytesMut) -> io::Result<()> {
    let rest = link.book().out.split();
    let last = async {
        socket.write_all(&rest).await?;
        while link.book().unacknowledged() > 0 {
            read(&socket, &mut buffer).await?;
            take(link, &mut buffer)?;
        }
        let mut goodbye = BytesMut::new();
        Disconnect.write(&mut goodbye).map_err(invalid)?;
        socket.write_all(&goodbye).await
    };
    // What a broker leaves open at the end stays counted as not acknowledged.
    let _ = timeout(FAREWELL, last).await;
    Ok(())
}
