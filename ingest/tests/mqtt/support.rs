//! Processes and helpers: mosquitto on a free port, its clients, a hub's link, a publisher that floods.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ingest::mqtt::{self, BrokerConfig, DeadLetter, Ingested, MqttConfig, MqttHandle, SensorSpec};
use model::{Kind, Observation, Owner, Source, SourceState, SourceStatus};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// How long a test waits for something that must happen.
pub const LONG: Duration = Duration::from_secs(20);

/// Shows the log of the code under test when `RUST_LOG` is set.
pub fn log() {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_test_writer()
        .try_init();
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Debian's mosquitto with a configuration of the test's.
pub struct Mosquitto {
    pub port: u16,
    dir: tempfile::TempDir,
    child: Option<Child>,
}

impl Mosquitto {
    pub fn start(extra: &str) -> Self {
        let mut broker = Self { port: free_port(), dir: tempfile::tempdir().unwrap(), child: None };
        let defaults =
            if extra.contains("listener") { String::new() } else { format!("listener {} 127.0.0.1\n", broker.port) };
        let anonymous = if extra.contains("allow_anonymous") { "" } else { "allow_anonymous true\n" };
        let extra = extra.replace("{port}", &broker.port.to_string());
        let file = broker.dir.path().join("mosquitto.conf");
        std::fs::write(file, format!("{defaults}{anonymous}max_queued_messages 0\n{extra}")).unwrap();
        broker.run();
        broker
    }

    pub fn run(&mut self) {
        let file = self.dir.path().join("mosquitto.conf");
        let program = if Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "mosquitto" };
        let child = Command::new(program)
            .arg("-c")
            .arg(file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto is installed (apt install mosquitto mosquitto-clients)");
        self.child = Some(child);
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(started.elapsed() < LONG, "mosquitto does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Publishes with Debian's client; whether it succeeded.
pub fn publish(port: u16, topic: &str, payload: &[u8], args: &[&str]) -> bool {
    let mut child = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-t", topic])
        // `-s` refuses an empty message.
        .arg(if payload.is_empty() { "-n" } else { "-s" })
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("mosquitto_pub is installed");
    let mut input = child.stdin.take().unwrap();
    let _ = input.write_all(payload);
    drop(input);
    child.wait().unwrap().success()
}

/// The same from a test on an async runtime.
pub async fn publish_later(port: u16, topic: &str, payload: &[u8], args: &[&str]) -> bool {
    let (topic, payload) = (topic.to_owned(), payload.to_vec());
    let args: Vec<String> = args.iter().map(|s| s.to_string()).collect();
    tokio::task::spawn_blocking(move || {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        publish(port, &topic, &payload, &args)
    })
    .await
    .unwrap()
}

/// A running `mosquitto_sub` whose lines go to a file.
pub struct Subscriber {
    child: Child,
    file: PathBuf,
    _dir: tempfile::TempDir,
}

impl Subscriber {
    pub fn start(port: u16, args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("lines");
        let out = std::fs::File::create(&file).unwrap();
        let child = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &port.to_string()])
            .args(args)
            .stdout(out)
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto_sub is installed");
        Self { child, file, _dir: dir }
    }

    pub fn lines(&self) -> Vec<String> {
        std::fs::read_to_string(&self.file).unwrap().lines().map(str::to_owned).collect()
    }

    /// Waits for a number of lines.
    pub async fn wait_for(&self, count: usize) -> Vec<String> {
        let started = Instant::now();
        loop {
            let lines = self.lines();
            if lines.len() >= count || started.elapsed() > LONG {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills it without a DISCONNECT.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.kill();
    }
}

pub fn source(id: &str, topic: &str, format: &str) -> Source {
    Source {
        class: "river_gauge".into(),
        name: id.into(),
        topic: topic.into(),
        format: format.into(),
        ..Source::new(id, Kind::Sensor, Owner::Governance, "g")
    }
}

pub fn list(sources: impl IntoIterator<Item = Source>) -> Arc<Vec<SensorSpec>> {
    Arc::new(sources.into_iter().map(|s| SensorSpec { source: Arc::new(s) }).collect())
}

/// The hub's side of the links.
pub struct Hub {
    pub sensors: watch::Sender<Arc<Vec<SensorSpec>>>,
    pub out: mpsc::Receiver<Ingested>,
    pub dead: mpsc::Receiver<DeadLetter>,
    pub status: mpsc::Receiver<SourceStatus>,
    pub handle: Option<MqttHandle>,
    token: CancellationToken,
}

impl Hub {
    pub fn start(config: MqttConfig, sources: impl IntoIterator<Item = Source>) -> Self {
        Self::with_capacity(config, sources, 1024)
    }

    pub fn with_capacity(config: MqttConfig, sources: impl IntoIterator<Item = Source>, capacity: usize) -> Self {
        log();
        assert_eq!(config.problems(), []);
        let (sensors, sensors_seen) = watch::channel(list(sources));
        let (out_in, out) = mpsc::channel(capacity);
        let (dead_in, dead) = mpsc::channel(1024);
        let (status_in, status) = mpsc::channel(16);
        let token = CancellationToken::new();
        let handle = mqtt::start(config, sensors_seen, out_in, dead_in, status_in, token.clone());
        Self { sensors, out, dead, status, handle: Some(handle), token }
    }

    /// Waits until all links are up and, since that says nothing of subscriptions, until the broker has answered for
    /// them: a moment.
    pub async fn up(&self) {
        let started = Instant::now();
        while !self.handle.as_ref().unwrap().links().iter().all(|l| l.connected) {
            assert!(started.elapsed() < LONG, "not connected: {:?}", self.handle.as_ref().unwrap().links());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }

    pub async fn next(&mut self) -> Ingested {
        tokio::time::timeout(LONG, self.out.recv()).await.expect("a message within 20 s").expect("links run")
    }

    /// The next message, kept at once.
    pub async fn observe(&mut self) -> Vec<Observation> {
        let ingested = self.next().await;
        ingested.ack.done();
        ingested.observations
    }

    /// Nothing comes for a while.
    pub async fn quiet(&mut self, wait: Duration) {
        if let Ok(Some(unexpected)) = tokio::time::timeout(wait, self.out.recv()).await {
            panic!("unexpected {unexpected:?}");
        }
    }

    /// Waits for a state of a sensor.
    pub async fn state(&mut self, id: &str, state: SourceState, reason: Option<&str>) {
        let found = tokio::time::timeout(LONG, async {
            while let Some(status) = self.status.recv().await {
                if status.source.as_str() == id && status.state == state && status.reason.as_deref() == reason {
                    return;
                }
            }
        });
        found.await.unwrap_or_else(|_| panic!("{id} did not become {state:?} {reason:?}"));
    }

    pub async fn stop(mut self) {
        self.token.cancel();
        // Whoever stops the hub goes on receiving until the links have ended.
        let handle = self.handle.take().unwrap();
        tokio::time::timeout(LONG, handle.join()).await.expect("ends in time");
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

pub fn to(port: u16) -> MqttConfig {
    MqttConfig { brokers: vec![broker(port)], ..MqttConfig::default() }
}

pub fn broker(port: u16) -> BrokerConfig {
    BrokerConfig {
        name: "test".into(),
        url: format!("mqtt://127.0.0.1:{port}"),
        keep_alive_s: 5,
        ..BrokerConfig::default()
    }
}

/// A bare MQTT 3.1.1 client that writes as fast as the socket takes it.
pub struct Bare {
    pub stream: TcpStream,
}

impl Bare {
    pub async fn connect(port: u16, id: &str) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut packet = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60];
        packet.extend((id.len() as u16).to_be_bytes());
        packet.extend(id.as_bytes());
        stream.write_all(&frame(0x10, &packet)).await.unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, [0x20, 2, 0, 0]);
        Self { stream }
    }
}

pub fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut length = body.len();
    loop {
        let byte = (length % 128) as u8;
        length /= 128;
        packet.push(if length > 0 { byte | 0x80 } else { byte });
        if length == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

/// A PUBLISH; with a packet id it is of QoS 1.
pub fn publish_packet(topic: &str, packet_id: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(topic.len() + payload.len() + 4);
    body.extend((topic.len() as u16).to_be_bytes());
    body.extend(topic.as_bytes());
    if let Some(id) = packet_id {
        body.extend(id.to_be_bytes());
    }
    body.extend(payload);
    frame(if packet_id.is_some() { 0x32 } else { 0x30 }, &body)
}

/// Publishes `count` numbers on a topic as fast as the broker takes them, with up to 60,000 unacknowledged; returns how
/// many were acknowledged (for QoS 0: how many were sent).
pub async fn flood(port: u16, name: String, topic: String, count: u32, qos: u8) -> u32 {
    let bare = Bare::connect(port, &name).await;
    let (mut read, mut write) = bare.stream.into_split();
    let window = Arc::new(tokio::sync::Semaphore::new(60_000));
    let acks = Arc::clone(&window);
    let reader = tokio::spawn(async move {
        let mut acked = 0;
        let mut buf = Vec::with_capacity(64 * 1024);
        while qos > 0 && acked < count {
            if read.read_buf(&mut buf).await.unwrap_or(0) == 0 {
                break;
            }
            // Only PUBACKs come, four bytes each.
            let whole = buf.len() / 4;
            assert!(buf.chunks_exact(4).all(|p| p[0] == 0x40 && p[1] == 2));
            buf.drain(..whole * 4);
            acked += whole as u32;
            acks.add_permits(whole);
        }
        acked
    });
    let mut batch = Vec::new();
    for n in 0..count {
        let id = (qos > 0).then(|| (n % 65_000) as u16 + 1);
        if qos > 0 {
            if window.available_permits() == 0 {
                write.write_all(&std::mem::take(&mut batch)).await.unwrap();
            }
            window.acquire().await.unwrap().forget();
        }
        batch.extend(publish_packet(&topic, id, n.to_string().as_bytes()));
        if batch.len() > 16 * 1024 {
            write.write_all(&std::mem::take(&mut batch)).await.unwrap();
        }
    }
    write.write_all(&batch).await.unwrap();
    let acked = reader.await.unwrap();
    write.write_all(&[0xe0, 0]).await.unwrap();
    if qos == 0 { count } else { acked }
}
