//! A real broker, a client that reads what the town says, and a town on free ports.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, Publish, QoS};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use town::registry::Load;
use town::script::Script;
use town::sensors::FleetConfig;
use town::{Town, TownConfig};

/// How long a test waits for something that must happen.
pub const LONG: Duration = Duration::from_secs(30);

/// Debian's mosquitto on a free port; ended with its test.
pub struct Mosquitto {
    pub port: u16,
    dir: tempfile::TempDir,
    child: Option<Child>,
}

impl Mosquitto {
    pub fn start() -> Mosquitto {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut broker = Mosquitto { port, dir: tempfile::tempdir().unwrap(), child: None };
        let settings = format!("listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n");
        std::fs::write(broker.dir.path().join("mosquitto.conf"), settings).unwrap();
        broker.run();
        broker
    }

    pub fn run(&mut self) {
        let program = if Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "mosquitto" };
        let child = Command::new(program)
            .arg("-c")
            .arg(self.dir.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto is installed (scripts/packages.sh)");
        self.child = Some(child);
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(started.elapsed() < LONG, "mosquitto does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// It hears and says nothing more; nobody is told.
    pub fn freeze(&self) {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args(["-STOP", &pid]).status().unwrap().success());
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

/// Reads everything on some topics; connects again by itself.
pub struct Ear(mpsc::UnboundedReceiver<Publish>);

impl Ear {
    pub async fn listen(port: u16) -> Ear {
        Ear::listen_to("town/#", port).await
    }

    pub async fn listen_to(filter: &'static str, port: u16) -> Ear {
        let (heard, ear) = mpsc::unbounded_channel();
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        let mut ready = Some(ready);
        tokio::spawn(async move {
            let (client, mut events) = AsyncClient::new(MqttOptions::new("ear", "127.0.0.1", port), 16);
            while !heard.is_closed() {
                match events.poll().await {
                    Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                        client.try_subscribe(filter, QoS::AtLeastOnce).unwrap()
                    }
                    Ok(Event::Incoming(Incoming::SubAck(_))) => {
                        ready.take().map(|ready| ready.send(()));
                    }
                    Ok(Event::Incoming(Incoming::Publish(publish))) => {
                        let _ = heard.send(publish);
                    }
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        });
        tokio::time::timeout(LONG, is_ready).await.expect("the broker answers").unwrap();
        Ear(ear)
    }

    /// The next message that fits.
    pub async fn wait(&mut self, what: &str, fits: impl Fn(&Publish) -> bool) -> Publish {
        let found = async {
            loop {
                let publish = self.0.recv().await.expect("the reader runs");
                if fits(&publish) {
                    return publish;
                }
            }
        };
        tokio::time::timeout(LONG, found).await.unwrap_or_else(|_| panic!("heard nothing of: {what}"))
    }

    /// The next message of a topic with this payload.
    pub async fn payload(&mut self, topic: &str, payload: &str) -> Publish {
        self.wait(&format!("{topic} {payload}"), |p| p.topic == topic && p.payload == payload.as_bytes()).await
    }

    /// All messages of a while.
    pub async fn during(&mut self, while_: Duration) -> Vec<Publish> {
        let (until, mut all) = (tokio::time::Instant::now() + while_, Vec::new());
        while let Ok(Some(publish)) = tokio::time::timeout_at(until, self.0.recv()).await {
            all.push(publish);
        }
        all
    }
}

/// Pictures drawn once for all tests.
pub fn clips() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("town-clips")
}

/// A town on free ports, in a folder of its own.
pub struct Stageplay {
    pub town: Town,
    pub dir: tempfile::TempDir,
}

impl Stageplay {
    pub async fn quiet(mqtt_port: u16) -> Stageplay {
        Stageplay::with(mqtt_port, Script { cycle_s: 240.0, quiet: true }).await
    }

    pub async fn with(mqtt_port: u16, script: Script) -> Stageplay {
        Stageplay::loaded(mqtt_port, script, Load { cameras: 3, ..Load::default() }).await
    }

    pub async fn loaded(mqtt_port: u16, script: Script, load: Load) -> Stageplay {
        let dir = tempfile::tempdir().unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let config = TownConfig {
            dir: dir.path().to_owned(),
            clips: clips(),
            seed: 7,
            rtsp: any,
            mqtt: FleetConfig { host: "127.0.0.1".into(), port: mqtt_port },
            control: any,
            script,
            load,
        };
        let town = Town::start(config, |line| eprintln!("{line}")).await.unwrap();
        Stageplay { town, dir }
    }

    /// Asks the control address.
    pub async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        http(self.town.control, method, path, body).await
    }

    /// Asks for something that must be granted.
    pub async fn order(&self, path: &str, body: &str) -> Value {
        let (status, answer) = self.ask("POST", path, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }
}

/// One request; status and JSON.
pub async fn http(addr: SocketAddr, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: town\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}
