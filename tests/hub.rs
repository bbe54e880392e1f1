//! Runs the real binary in a folder of its own, and talks to it as anyone would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A folder with a hub's files; gone at the end.
pub struct Folder {
    dir: tempfile::TempDir,
}

/// A running hub, ended with its folder's test.
pub struct Hub {
    child: Child,
    pub addr: String,
}

/// The binary that was just built, or the one that `GRIDWARD_BIN` names.
pub fn gridward() -> Command {
    let binary = std::env::var_os("GRIDWARD_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_gridward").into());
    let mut command = Command::new(binary);
    command.env("GRIDWARD_HTTP__BIND", "127.0.0.1:0").env("RUST_LOG", "warn");
    command
}

impl Folder {
    /// As `gridward init` makes it, without the embedded broker.
    pub fn new() -> Self {
        let folder = Self { dir: tempfile::tempdir().unwrap() };
        let made = gridward().arg("init").arg(folder.dir.path()).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let text = std::fs::read_to_string(folder.config()).unwrap();
        std::fs::write(folder.config(), text.replace("embedded = \"127.0.0.1:1883\"", "")).unwrap();
        folder
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn config(&self) -> PathBuf {
        self.dir.path().join("hub.toml")
    }

    /// Adds lines to the settings.
    pub fn add_config(&self, text: &str) {
        let mut all = std::fs::read_to_string(self.config()).unwrap();
        all.push_str(text);
        std::fs::write(self.config(), all).unwrap();
    }

    /// Runs a command with `--config`.
    pub fn command(&self, arguments: &[&str]) -> Output {
        gridward().args(arguments).arg("--config").arg(self.config()).output().unwrap()
    }

    /// Imports a sources file.
    pub fn import(&self, rows: &str) -> Output {
        let file = self.dir.path().join("sources.csv");
        std::fs::write(&file, format!("{HEADER}\n{rows}")).unwrap();
        self.command(&["sources", "import", file.to_str().unwrap()])
    }

    /// A fresh token.
    pub fn token(&self, role: &str) -> String {
        let made = self.command(&["token", "create", "--role", role]);
        assert!(made.status.success(), "{made:?}");
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    }

    /// Starts the hub and waits until it serves.
    pub fn run(&self) -> Hub {
        Hub::wait_ready(self.run_command())
    }

    /// Starts the hub and kills it (-9) that much later, however far it is by then.
    pub fn run_and_kill(&self, after: Duration) {
        let mut child = self.run_command().stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(after);
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn run_command(&self) -> Command {
        let mut command = gridward();
        command.args(["run", "--config"]).arg(self.config());
        command
    }
}

pub const HEADER: &str =
    "id,kind,class,name,owner,grid,lon,lat,url,username,password,mode,topic,format,unit,interval_s,tags";

impl Hub {
    /// Starts a command that runs the hub, and waits until it serves.
    pub fn wait_ready(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().expect("the hub prints a line").unwrap();
        let addr = line.strip_prefix("ready http://").expect("it says that it is ready").to_owned();
        Hub { child, addr }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A GET with a token; status and body.
    pub fn get(&self, token: &str, path: &str) -> (u16, Value) {
        self.ask(token, "GET", path, "")
    }

    /// A POST of JSON with a token; status and body.
    pub fn post(&self, token: &str, path: &str, body: &Value) -> (u16, Value) {
        self.ask(token, "POST", path, &body.to_string())
    }

    /// A PUT of JSON with a token; status and body.
    pub fn put(&self, token: &str, path: &str, body: &Value) -> (u16, Value) {
        self.ask(token, "PUT", path, &body.to_string())
    }

    /// A DELETE with a token; status and body.
    pub fn delete(&self, token: &str, path: &str) -> (u16, Value) {
        self.ask(token, "DELETE", path, "")
    }

    /// A counter or gauge, all its labels together; 0 while it is not there.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("", "/metrics").1;
        let is_it = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        let values = text.as_str().unwrap().lines().filter(is_it).filter_map(|line| line.rsplit(' ').next());
        values.map(|value| value.parse::<f64>().unwrap()).sum()
    }

    fn ask(&self, token: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let auth = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {}\r\n{auth}Content-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}",
            self.addr
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned())))
    }

    /// Asks until the answer fits, for at most 20 seconds.
    pub fn wait_for(&self, token: &str, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.wait_long_for(Duration::from_secs(20), token, path, fits)
    }

    /// Asks until the answer fits, for at most this time.
    pub fn wait_long_for(&self, most: Duration, token: &str, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let (_, body) = self.get(token, path);
            if fits(&body) {
                return body;
            }
            assert!(began.elapsed() < most, "{path} never became as expected: {body}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// SIGTERM; the exit code and how long it took.
    pub fn stop(mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        signal(self.pid(), "TERM");
        let status = self.child.wait().unwrap();
        (status.code(), began.elapsed())
    }

    /// kill -9.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // Ended already, or the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process this test started.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().unwrap();
    assert!(sent.success());
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
