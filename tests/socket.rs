//! The event socket as a small client sees it: RFC 6455 by hand, text frames only.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

/// An open socket.
pub struct EventSocket {
    stream: TcpStream,
    read: Vec<u8>,
}

impl EventSocket {
    /// Opens the socket and subscribes.
    pub fn open(addr: &str, token: &str, topics: &[String]) -> Self {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let request = format!(
            "GET /api/v1/events HTTP/1.1\r\nHost: {addr}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut socket = Self { stream, read: Vec::new() };
        let end = loop {
            if let Some(at) = socket.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(socket.fill(), "the hub closed the connection");
        };
        let head = String::from_utf8(socket.read.drain(..end).collect()).unwrap();
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        socket.say(&serde_json::json!({ "subscribe": topics }).to_string());
        socket
    }

    /// Sends a text. The mask is zero, which is as good as any here.
    pub fn say(&mut self, text: &str) {
        let mut frame = vec![0x81];
        match text.len() {
            length @ 0..=125 => frame.push(0x80 | length as u8),
            length => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.stream.write_all(&frame).unwrap();
    }

    /// The next message; none when the hub has closed.
    pub fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((head, length)) = self.frame()
                && self.read.len() >= head + length
            {
                let is_text = self.read[0] & 0x0f == 1;
                let bytes: Vec<u8> = self.read.drain(..head + length).skip(head).collect();
                if is_text {
                    return Some(serde_json::from_slice(&bytes).unwrap());
                }
                continue;
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// Waits for a message that fits.
    pub fn wait_for(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let message = self.next().unwrap_or_else(|| panic!("the socket closed before {what}"));
            if fits(&message) {
                return message;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{what} did not come");
        }
    }

    /// The lengths of the first frame's head and content, once they can be read.
    fn frame(&self) -> Option<(usize, usize)> {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        match self.read.get(1)? & 0x7f {
            126 => Some((4, number(self.read.get(2..4)?))),
            127 => Some((10, number(self.read.get(2..10)?))),
            length => Some((2, usize::from(length))),
        }
    }

    fn fill(&mut self) -> bool {
        let mut bytes = [0; 64 * 1024];
        match self.stream.read(&mut bytes) {
            Ok(count) => {
                self.read.extend(&bytes[..count]);
                count > 0
            }
            Err(error) => panic!("nothing came for 20 s: {error}"),
        }
    }
}
