//! Each channel against a server: HTTP and SMTP of this test, Debian's mosquitto.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use model::alarm::Title;
use model::{Hazard, Level, Timestamp};
use notify::send::{Failure, Sender};
use notify::{Content, Kind, Notice, State, Target, Telling};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

fn notice(channel: &str, recipient: &str) -> Notice {
    let title = Title { zh: "一号桥水位超警".into(), en: "Water above the mark".into() };
    let at = "2026-11-24T12:00:00Z".parse().unwrap();
    Notice {
        key: format!("i1|river/0@red|{channel}|{recipient}"),
        incident: Some("i1".into()),
        step: "river/0@red".into(),
        target: Target { channel: channel.into(), recipient: recipient.into() },
        level: Level::Red,
        at,
        state: State::Waiting,
        content: Content {
            kind: Kind::Opened,
            title: title.clone(),
            action: Some(title),
            level: Level::Red,
            hazard: Some(Hazard::Flood),
            grid: Some("g1".into()),
            grid_name: "北岸".into(),
            place: None,
            reported_at: at,
            waited_s: 0,
            mention: Vec::new(),
            items: Vec::new(),
            count: 0,
        },
    }
}

/// A sender over settings whose secrets lie in `dir`.
fn sender(dir: &tempfile::TempDir, text: &str) -> Sender {
    std::fs::write(dir.path().join("secret"), "s3cret\n").unwrap();
    let mut telling: Telling = toml::from_str(text).unwrap();
    telling.relative_to(dir.path());
    assert_eq!(telling.problems(), []);
    Sender::new(Arc::new(telling), Duration::from_secs(3)).unwrap()
}

/// Takes one request and answers it; gives its head and body.
async fn http_once(answer: String) -> (u16, JoinHandle<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut got = Vec::new();
        let mut buffer = [0; 4_096];
        let (head, body) = loop {
            let count = stream.read(&mut buffer).await.unwrap();
            assert!(count > 0, "it ended early");
            got.extend_from_slice(&buffer[..count]);
            let text = String::from_utf8_lossy(&got).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length =
                    head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
                if body.len() >= length.unwrap().parse::<usize>().unwrap() {
                    break (head.to_owned(), body.to_owned());
                }
            }
        };
        // Whoever hangs up in the middle of a long answer is right.
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
        (head, body)
    });
    (port, served)
}

fn answer(status: &str, more: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{more}\r\n{body}", body.len())
}

fn hook(port: u16) -> String {
    format!("[[channels.webhook]]\nname = 'w'\nurl = 'http://127.0.0.1:{port}/in?a=b'\nsecret = 'file:secret'")
}

async fn post_to(answer: String) -> (Result<(), Failure>, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let (port, served) = http_once(answer).await;
    let sent = sender(&dir, &hook(port)).send(&notice("w", "*"), Timestamp::now()).await;
    let (head, body) = served.await.unwrap();
    (sent, head, body)
}

#[tokio::test]
async fn a_webhook_gets_a_signed_cloud_event() {
    let (sent, head, body) = post_to(answer("204 No Content", "", "")).await;
    sent.unwrap();
    assert!(head.starts_with("POST /in?a=b HTTP/1.1\r\n"), "{head}");
    let header = |name: &str| {
        let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}: "))).unwrap();
        line.split_once(": ").unwrap().1.to_owned()
    };
    assert!(header("content-type").starts_with("application/cloudevents+json"));
    let signature = header("gridward-signature");
    let (second, mac) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    assert!((Timestamp::now().as_second() - second.parse::<i64>().unwrap()).abs() < 30);
    let mut expected = Hmac::<sha2::Sha256>::new_from_slice(b"s3cret").unwrap();
    expected.update(format!("{second}.{body}").as_bytes());
    let expected: String = expected.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(mac, expected);
    let event: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&event["specversion"], &event["type"]), (&"1.0".into(), &"gridward.incident.opened".into()));
    assert_eq!((&event["subject"], &event["data"]["level"]), (&"i1".into(), &"red".into()));
    assert_eq!(event["id"].as_str().unwrap(), header("idempotency-key"));
}

#[tokio::test]
async fn redirects_are_not_followed_and_waits_are_respected() {
    let (sent, ..) = post_to(answer("307 Temporary Redirect", "Location: http://127.0.0.1:1/\r\n", "")).await;
    assert!(sent.unwrap_err().detail.contains("answered 307"));
    let (sent, ..) = post_to(answer("503 Busy", "Retry-After: 120\r\n", "come\nback")).await;
    let failure = sent.unwrap_err();
    assert_eq!(failure.retry_after, Some(Duration::from_secs(120)));
    assert!(failure.detail.ends_with("answered 503: come back"), "{}", failure.detail);
}

#[tokio::test]
async fn an_endless_answer_and_a_silent_server_end() {
    let (sent, ..) = post_to(answer("200 OK", "", &"x".repeat(1 << 20))).await;
    assert!(sent.unwrap_err().detail.contains("more than 65536 bytes"));
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sender = sender(&dir, &hook(listener.local_addr().unwrap().port()));
    let began = std::time::Instant::now();
    let failure = sender.send(&notice("w", "*"), Timestamp::now()).await.unwrap_err();
    assert!(failure.detail.contains("no answer within 3 s") && began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_robot_that_refuses_with_a_good_status_is_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    for (said, taken) in
        [("{\"errcode\":0}", true), ("{\"errcode\":310000,\"errmsg\":\"sign not match\"}", false), ("ok", false)]
    {
        let (port, served) = http_once(answer("200 OK", "", said)).await;
        let text = format!(
            "[[channels.robot]]\nname = 'r'\nkind = 'dingtalk'\ntoken = 'file:secret'\nurl = 'http://127.0.0.1:{port}/send'"
        );
        let sent = sender(&dir, &text).send(&notice("r", "*"), Timestamp::now()).await;
        assert_eq!(sent.is_ok(), taken, "{said}: {sent:?}");
        assert!(sent.err().is_none_or(|failure| !failure.detail.contains("s3cret")));
        let (head, body) = served.await.unwrap();
        assert!(head.starts_with("POST /send?access_token=s3cret "), "{head}");
        assert!(body.contains("【红色 I】一号桥水位超警"), "{body}");
    }
}

/// A mail server that takes one mail; gives what was said to it. `refuse` refuses the recipient.
async fn smtp_once(refuse: bool) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.get_mut().write_all(b"220 mail\r\n").await.unwrap();
        let (mut said, mut in_data) = (String::new(), false);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return said;
            }
            said += &line;
            let reply: &[u8] = match line.trim_end() {
                "." if in_data => {
                    in_data = false;
                    b"250 kept\r\n"
                }
                _ if in_data => continue,
                line if line.starts_with("EHLO") => b"250-mail\r\n250 8BITMIME\r\n",
                line if line.starts_with("RCPT") && refuse => b"550 5.1.1 no such mailbox\r\n",
                "DATA" => {
                    in_data = true;
                    b"354 go on\r\n"
                }
                "QUIT" => b"221 bye\r\n",
                _ => b"250 ok\r\n",
            };
            stream.get_mut().write_all(reply).await.unwrap();
        }
    });
    (port, served)
}

fn mail(port: u16) -> String {
    format!(
        "persons = [{{id = 'li', name = '李值班', email = 'li@town.example'}}]\n[[channels.mail]]\nname = 'm'\n\
         host = '127.0.0.1'\nport = {port}\nsecurity = 'none'\nfrom = 'Gridward <hub@town.example>'"
    )
}

#[tokio::test]
async fn a_mail_arrives_whole_and_a_refusal_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (port, served) = smtp_once(false).await;
    sender(&dir, &mail(port)).send(&notice("m", "li"), Timestamp::now()).await.unwrap();
    let said = served.await.unwrap();
    assert!(said.contains("MAIL FROM:<hub@town.example>") && said.contains("RCPT TO:<li@town.example>"), "{said}");
    assert!(said.contains("Subject: =?utf-8?b?") && said.contains("Message-ID: <"), "{said}");
    let (port, served) = smtp_once(true).await;
    let failure = sender(&dir, &mail(port)).send(&notice("m", "li"), Timestamp::now()).await.unwrap_err();
    assert!(failure.detail.contains("no such mailbox"), "{}", failure.detail);
    served.abort();
}

/// Debian's mosquitto; ended with the test.
struct Broker(Child);

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_siren_hears_on_and_off_and_a_dead_broker_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = format!(
        "[[channels.mqtt]]\nname = 'siren'\nurl = 'mqtt://127.0.0.1:{port}'\ntopic = 'siren/1'\npayload = 'ON'\npayload_over = 'OFF'"
    );
    let sender = sender(&dir, &text);
    assert!(sender.send(&notice("siren", "*"), Timestamp::now()).await.is_err(), "nobody listens yet");
    let file = dir.path().join("mosquitto.conf");
    std::fs::write(&file, format!("listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n")).unwrap();
    let _broker = Broker(Command::new("mosquitto").arg("-c").arg(&file).stderr(Stdio::null()).spawn().unwrap());
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let subscriber = tokio::task::spawn_blocking(move || {
        let port = port.to_string();
        let all = ["-h", "127.0.0.1", "-p", &port, "-t", "#", "-C", "3", "-W", "20"];
        Command::new("mosquitto_sub").args(all).output().unwrap()
    });
    // The subscriber says when it is there by getting this.
    let ready = async {
        loop {
            let port = port.to_string();
            let pub_args = ["-h", "127.0.0.1", "-p", &port, "-t", "ready", "-m", "ready", "-r"];
            if Command::new("mosquitto_pub").args(pub_args).status().unwrap().success() {
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
    };
    ready.await;
    sender.send(&notice("siren", "*"), Timestamp::now()).await.unwrap();
    let mut over = notice("siren", "*");
    over.content.kind = Kind::Over;
    sender.send(&over, Timestamp::now()).await.unwrap();
    let heard = String::from_utf8(subscriber.await.unwrap().stdout).unwrap();
    assert_eq!(heard.lines().collect::<Vec<_>>(), ["ready", "ON", "OFF"]);
}
