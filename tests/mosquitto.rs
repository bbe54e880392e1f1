//! Debian's mosquitto, as the town's broker.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::hub::free_port;

/// Debian's mosquitto on a free port.
pub struct Mosquitto {
    child: Child,
    file: PathBuf,
    /// Where it listens, on loopback.
    pub port: u16,
}

impl Mosquitto {
    /// Starts it with these further lines of settings.
    pub fn start(dir: &std::path::Path, extra: &str) -> Self {
        let port = free_port();
        let file = dir.join("mosquitto.conf");
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 100\n\
             persistence_location {}/\nuser root\n{extra}",
            dir.display()
        );
        std::fs::write(&file, text).unwrap();
        let mosquitto = Self { child: spawn(&file), file, port };
        mosquitto.wait_until_it_listens();
        mosquitto
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, with what it has on disk.
    pub fn restart(&mut self) {
        self.child = spawn(&self.file);
        self.wait_until_it_listens();
    }

    fn wait_until_it_listens(&self) {
        let began = std::time::Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(began.elapsed().as_secs() < 10, "mosquitto does not listen");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// Publishes payloads at QoS 1, a line each.
    pub fn publish(&self, topic: &str, payloads: &[String]) {
        let mut publisher = Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-q", "1", "-l", "-t", topic])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        publisher.stdin.take().unwrap().write_all((payloads.join("\n") + "\n").as_bytes()).unwrap();
        assert!(publisher.wait().unwrap().success());
    }
}

fn spawn(file: &std::path::Path) -> Child {
    Command::new("mosquitto").arg("-c").arg(file).stderr(Stdio::null()).spawn().unwrap()
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
