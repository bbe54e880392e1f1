//! The way in for `tests/fuzz`: what a connection does with a client's bytes, without the connection.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

use super::message::{Delivery, Message};
use super::wire::{self, Control, Encoder, Granted, In, Version};
use crate::ledger::{Answer, Ticket};
use crate::topic;

/// As a broker with a small limit would set it, so that packets beyond it are found fast.
const MAX_PACKET_BYTES: u32 = 4096;

/// Reads a client's bytes in pieces, and writes the answers to them in both versions.
///
/// # Panics
/// When the buffer grows beyond what one packet may take, or a packet of our own making cannot be read back.
pub fn read_client(bytes: &[u8], piece: usize) {
    let mut pieces = bytes.chunks(piece.max(1));
    let mut buf = BytesMut::new();
    let (connect, mut decoder) = loop {
        match wire::read_connect(&mut buf, MAX_PACKET_BYTES) {
            Ok(Some(found)) => break found,
            Ok(None) => {}
            Err(_) => return,
        }
        let Some(piece) = pieces.next() else { return };
        buf.extend_from_slice(piece);
        assert!(buf.len() <= MAX_PACKET_BYTES as usize + 5 + piece.len(), "{} bytes wait for a CONNECT", buf.len());
    };
    if let Some(will) = &connect.will {
        let _ = topic::check_name(&will.topic);
        let _ = Message::take_properties(will.properties.clone(), Instant::now());
    }
    let mut encoders = [
        Encoder::new(connect.version, connect.max_packet_bytes),
        Encoder::new(Version::V3, 0),
        Encoder::new(Version::V5, 0),
    ];
    loop {
        loop {
            match decoder.next(&mut buf) {
                Ok(Some(packet)) => encoders.iter_mut().for_each(|encoder| answer(encoder, &packet)),
                Ok(None) => break,
                Err(_) => return,
            }
        }
        let Some(piece) = pieces.next() else { return };
        buf.extend_from_slice(piece);
        assert!(buf.len() <= MAX_PACKET_BYTES as usize + 5 + piece.len(), "{} bytes wait for a packet", buf.len());
    }
}

fn answer(encoder: &mut Encoder, packet: &In) {
    let mut out = BytesMut::new();
    match packet {
        In::Publish(publish) => {
            if topic::check_name(&publish.topic).is_err() {
                return;
            }
            let packet_id = publish.packet_id.map(NonZeroU16::get);
            let now = Instant::now();
            let (properties, expires_at) = Message::take_properties(publish.properties.clone(), now);
            let message = Message {
                topic: publish.topic.clone(),
                payload: publish.payload.clone(),
                qos: publish.qos.value(),
                retain: publish.retain,
                properties,
                expires_at,
            };
            let delivery = Delivery { message: Arc::new(message), qos: 1, retain: false, ack: None };
            if encoder.publish(&delivery, packet_id.or(Some(1)), false, now, &mut out).is_err() {
                assert!(out.is_empty(), "half a packet is left");
            }
            if let Some(packet_id) = packet_id {
                encoder.answer(Ticket { packet_id, answer: Answer::Puback }, &mut out);
                encoder.answer(Ticket { packet_id, answer: Answer::Pubrec }, &mut out);
            }
        }
        In::Pubrel(packet_id) => {
            encoder.control(Control::Pubcomp { packet_id: *packet_id, known: false }, &mut out);
        }
        In::Subscribe { packet_id, filters, .. } => {
            let codes = filters.iter().map(|(filter, options)| match topic::check_filter(filter) {
                Ok(()) => Granted::Qos(options.qos),
                Err(_) => Granted::BadFilter,
            });
            encoder.control(Control::Suback { packet_id: *packet_id, codes: codes.collect() }, &mut out);
        }
        In::Unsubscribe { packet_id, filters } => {
            let existed = filters.iter().map(|filter| topic::check_filter(filter).is_ok()).collect();
            encoder.control(Control::Unsuback { packet_id: *packet_id, existed }, &mut out);
        }
        In::Ping => {
            encoder.control(Control::Pong, &mut out);
        }
        In::Puback(_) | In::Disconnect { .. } | In::Unexpected => {}
    }
}
