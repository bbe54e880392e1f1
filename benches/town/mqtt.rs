//! MQTT 3.1.1 by hand for the benches: nothing between the clock and the socket.

use std::io::{Read, Write};
use std::net::TcpStream;

/// A connection that a broker on this machine has accepted.
pub fn connect(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(b"\x10\x11\0\x04MQTT\x04\x02\0\x3c\0\x05bench").unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [0x20, 2, 0, 0]);
    stream
}

/// The packet id of message `number`: never 0, and again only after 60,000.
pub fn packet_id(number: usize) -> u16 {
    (number % 60_000) as u16 + 1
}

/// Message `number` as a PUBLISH at QoS 1; topic and payload are a few dozen bytes.
pub fn publish(topic: &str, number: usize, payload: &str) -> Vec<u8> {
    let rest = 2 + topic.len() + 2 + payload.len();
    assert!(rest < 128, "one byte holds the length");
    let mut packet = vec![0x32, rest as u8];
    packet.extend((topic.len() as u16).to_be_bytes());
    packet.extend(topic.as_bytes());
    packet.extend(packet_id(number).to_be_bytes());
    packet.extend(payload.as_bytes());
    packet
}
