//! The sending half of one client's TCP connection.
//!
//! Media and answers share it, so both go through one bounded buffer; nobody waits here. What the
//! socket does not take at once stays in the buffer and is tried again with the next picture.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Writer side of a connection; shared by the connection's task and the pacer.
#[derive(Debug)]
pub struct Out {
    socket: TcpStream,
    pending: Mutex<Vec<u8>>,
    closed: AtomicBool,
    closing: Notify,
}

impl Out {
    /// Takes over a connected socket.
    pub fn new(socket: TcpStream) -> Out {
        Out { socket, pending: Mutex::default(), closed: AtomicBool::new(false), closing: Notify::new() }
    }

    /// The socket, for reading and its addresses.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Sends now what the socket takes and keeps the rest; returns what is kept, in bytes.
    pub fn send(&self, data: &[u8]) -> usize {
        let mut pending = self.pending.lock().expect("no holder panics");
        if !flush(&self.socket, &mut pending) {
            self.close();
            return 0;
        }
        let mut rest = data;
        while pending.is_empty() && !rest.is_empty() {
            match self.socket.try_write(rest) {
                Ok(sent) => rest = &rest[sent..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.close();
                    return 0;
                }
            }
        }
        pending.extend_from_slice(rest);
        pending.len()
    }

    /// Tries to send what is kept; returns what is still kept, in bytes.
    pub fn backlog(&self) -> usize {
        self.send(&[])
    }

    /// Ends the connection: its task wakes up and drops the socket.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.closing.notify_waiters();
        self.closing.notify_one();
    }

    /// Ends the connection with RST instead of FIN, like a camera that loses power.
    pub fn reset(&self) {
        // Failing means that the peer is gone already.
        let _ = self.socket.set_zero_linger();
        self.close();
    }

    /// Whether somebody ended the connection.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Waits until somebody ends the connection. Cancel-safe.
    pub async fn closed(&self) {
        while !self.is_closed() {
            self.closing.notified().await;
        }
    }
}

fn flush(socket: &TcpStream, pending: &mut Vec<u8>) -> bool {
    let mut sent = 0;
    while sent < pending.len() {
        match socket.try_write(&pending[sent..]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(_) => return false,
        }
    }
    pending.drain(..sent);
    if pending.is_empty() && pending.capacity() > 64 * 1024 {
        *pending = Vec::new();
    }
    true
}
