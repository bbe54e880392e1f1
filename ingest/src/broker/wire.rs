//! Packets on the wire, the versions made equal.
//!
//! The bytes are read and written by `rmqtt-codec`; here its two families of packets become one.

use std::num::NonZeroU16;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use rmqtt_codec::error::{DecodeError, EncodeError};
use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::v5::{DisconnectReasonCode, PublishProperties, RetainHandling};
use rmqtt_codec::{MqttCodec, MqttPacket, v3, v5, version};
use tokio_util::codec::{Decoder as _, Encoder as _};

use super::message::Delivery;
use crate::ledger::{Answer, Ticket};

/// Which protocol a client speaks; 3.1 counts as 3.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V3,
    V5,
}

/// A CONNECT.
#[derive(Debug)]
pub(super) struct Connect {
    pub version: Version,
    pub client_id: ByteString,
    pub clean: bool,
    pub keep_alive_s: u16,
    pub username: Option<ByteString>,
    pub password: Option<Bytes>,
    pub will: Option<Will>,
    /// For how long the session is to be kept, in seconds; `u32::MAX` for ever.
    pub session_expiry_s: u32,
    pub receive_maximum: u16,
    pub max_packet_bytes: u32,
    /// Asks for an authentication that we do not have.
    pub wants_auth: bool,
}

/// What is to be published when a client is lost.
#[derive(Debug)]
pub(super) struct Will {
    pub topic: ByteString,
    pub payload: Bytes,
    pub qos: u8,
    pub retain: bool,
    pub delay_s: u32,
    pub properties: Option<PublishProperties>,
}

/// How a client wants to get messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Options {
    /// 0 or 1.
    pub qos: u8,
    pub no_local: bool,
    pub retain_as_published: bool,
    /// Whether kept messages are wanted: always, for a new subscription only, or never.
    pub retained: RetainHandling,
}

/// A packet from a client.
#[derive(Debug)]
pub(super) enum In {
    Publish(Box<Publish>),
    Puback(u16),
    Pubrel(u16),
    Subscribe {
        packet_id: u16,
        filters: Vec<(ByteString, Options)>,
        has_id: bool,
    },
    Unsubscribe {
        packet_id: u16,
        filters: Vec<ByteString>,
    },
    Ping,
    Disconnect {
        with_will: bool,
        session_expiry_s: Option<u32>,
    },
    /// A packet that a client has no business to send.
    Unexpected,
}

/// An answer that waits to be written.
#[derive(Debug)]
pub(super) enum Control {
    Pong,
    Pubcomp { packet_id: u16, known: bool },
    Suback { packet_id: u16, codes: Vec<Granted> },
    Unsuback { packet_id: u16, existed: Vec<bool> },
}

/// What a subscription got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Granted {
    Qos(u8),
    BadFilter,
    NoSharing,
    NoIds,
    TooMany,
}

/// Why a client is turned away or sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    BadLogin,
    BadClientId,
    BadAuthMethod,
    /// It takes only packets too small for any answer.
    TooSmall,
    Full,
}

/// The smallest packet that a client must take, in bytes: all answers but those to many filters fit.
pub(super) const MIN_CLIENT_PACKET: u32 = 32;

/// Reads the CONNECT once it is complete. The codec for all later packets comes with it.
pub(super) fn read_connect(
    buf: &mut BytesMut,
    max_packet_bytes: u32,
) -> Result<Option<(Connect, Decoder)>, DecodeError> {
    let Some(found) = version::VersionCodec.decode(buf)? else { return Ok(None) };
    let mut codec = match found {
        version::ProtocolVersion::MQTT3 => MqttCodec::V3(v3::Codec::new(max_packet_bytes)),
        version::ProtocolVersion::MQTT5 => MqttCodec::V5(v5::Codec::new(max_packet_bytes, 0)),
    };
    // A decoder begun here is thrown away when the packet is not complete; it must not eat the header.
    let mut attempt = buf.clone();
    let connect = match codec.decode(&mut attempt)? {
        None => return Ok(None),
        Some((MqttPacket::V3(v3::Packet::Connect(c)), _)) => connect_v3(*c),
        Some((MqttPacket::V5(v5::Packet::Connect(c)), _)) => connect_v5(*c),
        Some(_) => return Err(DecodeError::UnsupportedPacketType),
    };
    *buf = attempt;
    Ok(Some((connect, Decoder { codec })))
}

fn connect_v3(c: v3::Connect) -> Connect {
    Connect {
        version: Version::V3,
        client_id: c.client_id,
        clean: c.clean_session,
        keep_alive_s: c.keep_alive,
        username: c.username,
        password: c.password,
        will: c.last_will.map(|w| Will {
            topic: w.topic,
            payload: w.message,
            qos: w.qos.value(),
            retain: w.retain,
            delay_s: 0,
            properties: None,
        }),
        session_expiry_s: if c.clean_session { 0 } else { u32::MAX },
        receive_maximum: u16::MAX,
        max_packet_bytes: 0,
        wants_auth: false,
    }
}

fn connect_v5(c: v5::Connect) -> Connect {
    Connect {
        version: Version::V5,
        client_id: c.client_id,
        clean: c.clean_start,
        keep_alive_s: c.keep_alive,
        username: c.username,
        password: c.password,
        will: c.last_will.map(|w| Will {
            topic: w.topic,
            payload: w.message,
            qos: w.qos.value(),
            retain: w.retain,
            delay_s: w.will_delay_interval_sec.unwrap_or(0),
            properties: Some(PublishProperties {
                correlation_data: w.correlation_data,
                message_expiry_interval: w.message_expiry_interval,
                content_type: w.content_type,
                user_properties: w.user_properties,
                is_utf8_payload: w.is_utf8_payload.unwrap_or(false),
                response_topic: w.response_topic,
                ..PublishProperties::default()
            }),
        }),
        session_expiry_s: c.session_expiry_interval_secs,
        receive_maximum: c.receive_max.map_or(u16::MAX, NonZeroU16::get),
        max_packet_bytes: c.max_packet_size.map_or(0, |m| m.get()),
        wants_auth: c.auth_method.is_some(),
    }
}

/// Reads packets after the CONNECT.
#[derive(Debug)]
pub(super) struct Decoder {
    codec: MqttCodec,
}

impl Decoder {
    /// The next complete packet in the buffer.
    pub fn next(&mut self, buf: &mut BytesMut) -> Result<Option<In>, DecodeError> {
        Ok(self.codec.decode(buf)?.map(|(packet, _)| match packet {
            MqttPacket::V3(packet) => in_v3(packet),
            MqttPacket::V5(packet) => in_v5(packet),
            MqttPacket::Version(_) => In::Unexpected,
        }))
    }
}

fn in_v3(packet: v3::Packet) -> In {
    match packet {
        v3::Packet::Publish(p) => In::Publish(p),
        v3::Packet::PublishAck { packet_id } => In::Puback(packet_id.get()),
        v3::Packet::PublishRelease { packet_id } => In::Pubrel(packet_id.get()),
        v3::Packet::Subscribe { packet_id, topic_filters } => In::Subscribe {
            packet_id: packet_id.get(),
            filters: topic_filters
                .into_iter()
                .map(|(filter, qos)| {
                    let options = Options {
                        qos: qos.value().min(1),
                        no_local: false,
                        retain_as_published: false,
                        retained: RetainHandling::AtSubscribe,
                    };
                    (filter, options)
                })
                .collect(),
            has_id: false,
        },
        v3::Packet::Unsubscribe { packet_id, topic_filters } => {
            In::Unsubscribe { packet_id: packet_id.get(), filters: topic_filters }
        }
        v3::Packet::PingRequest => In::Ping,
        v3::Packet::Disconnect => In::Disconnect { with_will: false, session_expiry_s: None },
        _ => In::Unexpected,
    }
}

fn in_v5(packet: v5::Packet) -> In {
    match packet {
        v5::Packet::Publish(p) => In::Publish(p),
        v5::Packet::PublishAck(ack) => In::Puback(ack.packet_id.get()),
        v5::Packet::PublishRelease(rel) => In::Pubrel(rel.packet_id.get()),
        v5::Packet::Subscribe(s) => In::Subscribe {
            packet_id: s.packet_id.get(),
            has_id: s.id.is_some(),
            filters: s
                .topic_filters
                .into_iter()
                .map(|(filter, o)| {
                    let options = Options {
                        qos: o.qos.value().min(1),
                        no_local: o.no_local,
                        retain_as_published: o.retain_as_published,
                        retained: o.retain_handling,
                    };
                    (filter, options)
                })
                .collect(),
        },
        v5::Packet::Unsubscribe(u) => In::Unsubscribe { packet_id: u.packet_id.get(), filters: u.topic_filters },
        v5::Packet::PingRequest => In::Ping,
        v5::Packet::Disconnect(d) => In::Disconnect {
            with_will: d.reason_code == DisconnectReasonCode::DisconnectWithWillMessage,
            session_expiry_s: d.session_expiry_interval_secs,
        },
        _ => In::Unexpected,
    }
}

/// What a client is told when it is accepted.
#[derive(Debug)]
pub(super) struct Welcome {
    pub session_present: bool,
    pub assigned_client_id: Option<ByteString>,
    pub session_expiry_s: u32,
    pub max_packet_bytes: u32,
}

/// The messages of QoS 1 and 2 that a client may have on the way to us.
const RECEIVE_MAXIMUM: NonZeroU16 = NonZeroU16::new(1024).unwrap();

/// Writes packets to one client.
#[derive(Debug)]
pub(super) struct Encoder {
    codec: MqttCodec,
    /// The largest packet the client takes; 0 for no limit.
    max_packet_bytes: u32,
}

impl Encoder {
    pub fn new(version: Version, max_packet_bytes: u32) -> Self {
        // One that takes nothing is told so all the same, and the codec counts below zero with less.
        let max_packet_bytes = if max_packet_bytes < MIN_CLIENT_PACKET { 0 } else { max_packet_bytes };
        let codec = match version {
            Version::V3 => MqttCodec::V3(v3::Codec::new(0)),
            Version::V5 => MqttCodec::V5(v5::Codec::new(0, max_packet_bytes)),
        };
        Self { codec, max_packet_bytes }
    }

    fn put(&mut self, v3: impl FnOnce() -> v3::Packet, v5: impl FnOnce() -> v5::Packet, buf: &mut BytesMut) {
        let packet = match self.codec {
            MqttCodec::V5(_) => MqttPacket::V5(v5()),
            _ => MqttPacket::V3(v3()),
        };
        // Packets of our own making are small and well formed.
        let _ = self.codec.encode(packet, buf);
    }

    pub fn welcome(&mut self, welcome: &Welcome, buf: &mut BytesMut) {
        self.put(
            || {
                v3::Packet::ConnectAck(v3::ConnectAck {
                    return_code: v3::ConnectAckReason::ConnectionAccepted,
                    session_present: welcome.session_present,
                })
            },
            || {
                v5::Packet::ConnectAck(Box::new(v5::ConnectAck {
                    session_present: welcome.session_present,
                    reason_code: v5::ConnectAckReason::Success,
                    session_expiry_interval_secs: Some(welcome.session_expiry_s),
                    receive_max: RECEIVE_MAXIMUM,
                    max_packet_size: Some(welcome.max_packet_bytes),
                    assigned_client_id: welcome.assigned_client_id.clone(),
                    retain_available: true,
                    wildcard_subscription_available: true,
                    subscription_identifiers_available: false,
                    shared_subscription_available: false,
                    ..v5::ConnectAck::default()
                }))
            },
            buf,
        );
    }

    pub fn refuse(&mut self, refusal: Refusal, buf: &mut BytesMut) {
        self.put(
            || {
                let return_code = match refusal {
                    Refusal::BadLogin => v3::ConnectAckReason::BadUserNameOrPassword,
                    Refusal::BadClientId => v3::ConnectAckReason::IdentifierRejected,
                    Refusal::BadAuthMethod => v3::ConnectAckReason::NotAuthorized,
                    Refusal::Full | Refusal::TooSmall => v3::ConnectAckReason::ServiceUnavailable,
                };
                v3::Packet::ConnectAck(v3::ConnectAck { return_code, session_present: false })
            },
            || {
                let reason_code = match refusal {
                    Refusal::BadLogin => v5::ConnectAckReason::BadUserNameOrPassword,
                    Refusal::BadClientId => v5::ConnectAckReason::ClientIdentifierNotValid,
                    Refusal::BadAuthMethod => v5::ConnectAckReason::BadAuthenticationMethod,
                    Refusal::TooSmall => v5::ConnectAckReason::PacketTooLarge,
                    Refusal::Full => v5::ConnectAckReason::ServerBusy,
                };
                v5::Packet::ConnectAck(Box::new(v5::ConnectAck { reason_code, ..v5::ConnectAck::default() }))
            },
            buf,
        );
    }

    /// False when the answer is larger than the client takes: it cannot be left out, so the client has to go.
    pub fn control(&mut self, control: Control, buf: &mut BytesMut) -> bool {
        let answers = match &control {
            Control::Suback { codes, .. } => codes.len(),
            Control::Unsuback { existed, .. } => existed.len(),
            Control::Pong | Control::Pubcomp { .. } => 0,
        };
        // Beside the answers: type and length up to 5, packet id 2, no properties 1.
        if self.max_packet_bytes > 0 && answers + 8 > self.max_packet_bytes as usize {
            return false;
        }
        match control {
            Control::Pong => self.put(|| v3::Packet::PingResponse, || v5::Packet::PingResponse, buf),
            Control::Pubcomp { packet_id, known } => {
                let packet_id = id(packet_id);
                self.put(
                    || v3::Packet::PublishComplete { packet_id },
                    || {
                        v5::Packet::PublishComplete(v5::PublishAck2 {
                            packet_id,
                            reason_code: if known {
                                v5::PublishAck2Reason::Success
                            } else {
                                v5::PublishAck2Reason::PacketIdNotFound
                            },
                            properties: Vec::new(),
                            reason_string: None,
                        })
                    },
                    buf,
                );
            }
            Control::Suback { packet_id, codes } => {
                let packet_id = id(packet_id);
                self.put(
                    || v3::Packet::SubscribeAck {
                        packet_id,
                        status: codes
                            .iter()
                            .map(|c| match c {
                                Granted::Qos(q) => v3::SubscribeReturnCode::Success(qos(*q)),
                                _ => v3::SubscribeReturnCode::Failure,
                            })
                            .collect(),
                    },
                    || {
                        v5::Packet::SubscribeAck(v5::SubscribeAck {
                            packet_id,
                            properties: Vec::new(),
                            reason_string: None,
                            status: codes.iter().map(|c| code_v5(*c)).collect(),
                        })
                    },
                    buf,
                );
            }
            Control::Unsuback { packet_id, existed } => {
                let packet_id = id(packet_id);
                self.put(
                    || v3::Packet::UnsubscribeAck { packet_id },
                    || {
                        v5::Packet::UnsubscribeAck(v5::UnsubscribeAck {
                            packet_id,
                            properties: Vec::new(),
                            reason_string: None,
                            status: existed
                                .iter()
                                .map(|e| match e {
                                    true => v5::UnsubscribeAckReason::Success,
                                    false => v5::UnsubscribeAckReason::NoSubscriptionExisted,
                                })
                                .collect(),
                        })
                    },
                    buf,
                );
            }
        }
        true
    }

    pub fn answer(&mut self, ticket: Ticket, buf: &mut BytesMut) {
        let packet_id = id(ticket.packet_id);
        let v5_ack = || v5::PublishAck {
            packet_id,
            reason_code: v5::PublishAckReason::Success,
            properties: Vec::new(),
            reason_string: None,
        };
        match ticket.answer {
            Answer::Puback => {
                self.put(|| v3::Packet::PublishAck { packet_id }, || v5::Packet::PublishAck(v5_ack()), buf);
            }
            Answer::Pubrec => {
                self.put(|| v3::Packet::PublishReceived { packet_id }, || v5::Packet::PublishReceived(v5_ack()), buf);
            }
        }
    }

    /// Fails when the client said that it takes no packet of this size.
    pub fn publish(
        &mut self,
        delivery: &Delivery,
        packet_id: Option<u16>,
        dup: bool,
        now: Instant,
        buf: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let message = &delivery.message;
        let is_v5 = matches!(self.codec, MqttCodec::V5(_));
        let publish = Box::new(Publish {
            dup,
            retain: delivery.retain,
            qos: qos(delivery.qos),
            topic: message.topic.clone(),
            packet_id: packet_id.and_then(NonZeroU16::new),
            payload: message.payload.clone(),
            properties: if is_v5 { Some(message.properties_out(now).unwrap_or_default()) } else { None },
        });
        let packet = if is_v5 {
            MqttPacket::V5(v5::Packet::Publish(publish))
        } else {
            MqttPacket::V3(v3::Packet::Publish(publish))
        };
        let before = buf.len();
        let result = self.codec.encode(packet, buf);
        if result.is_err() {
            buf.truncate(before);
        }
        result
    }

    /// Says why the connection is closed; only MQTT 5 can.
    pub fn goodbye(&mut self, reason: DisconnectReasonCode, buf: &mut BytesMut) {
        if matches!(self.codec, MqttCodec::V5(_)) {
            let packet = v5::Disconnect { reason_code: reason, ..v5::Disconnect::default() };
            let _ = self.codec.encode(MqttPacket::V5(v5::Packet::Disconnect(packet)), buf);
        }
    }
}

fn code_v5(granted: Granted) -> v5::SubscribeAckReason {
    match granted {
        Granted::Qos(0) => v5::SubscribeAckReason::GrantedQos0,
        Granted::Qos(_) => v5::SubscribeAckReason::GrantedQos1,
        Granted::BadFilter => v5::SubscribeAckReason::TopicFilterInvalid,
        Granted::NoSharing => v5::SubscribeAckReason::SharedSubscriptionNotSupported,
        Granted::NoIds => v5::SubscribeAckReason::SubscriptionIdentifiersNotSupported,
        Granted::TooMany => v5::SubscribeAckReason::QuotaExceeded,
    }
}

fn id(packet_id: u16) -> NonZeroU16 {
    NonZeroU16::new(packet_id).unwrap_or(NonZeroU16::MIN)
}

fn qos(value: u8) -> QoS {
    match value {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}
