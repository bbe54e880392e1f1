//! What is published, and one copy of it on the way to one subscriber.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use rmqtt_codec::v5::PublishProperties;

use crate::ledger::Ack;

/// A published message, shared by all who get it.
#[derive(Debug)]
pub(super) struct Message {
    pub topic: ByteString,
    pub payload: Bytes,
    /// As published: 0 to 2.
    pub qos: u8,
    pub retain: bool,
    /// Of MQTT 5, passed on to subscribers that speak it; none when there are none.
    pub properties: Option<Box<PublishProperties>>,
    /// After this it is not delivered any more.
    pub expires_at: Option<Instant>,
}

impl Message {
    /// What it counts for in a queue: its bytes and about what the structures around it take.
    pub fn size(&self) -> usize {
        let properties = self.properties.as_ref().map_or(0, |p| {
            let users: usize = p.user_properties.iter().map(|(key, value)| key.len() + value.len() + 64).sum();
            let data = p.correlation_data.as_ref().map_or(0, Bytes::len);
            let texts = [&p.content_type, &p.response_topic].into_iter().flatten().map(|text| text.len());
            256 + users + data + texts.sum::<usize>()
        });
        self.topic.len() + self.payload.len() + properties + 64
    }

    pub fn is_expired(&self, now: Instant) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Properties as they go out: the expiry lessened by the time spent here.
    pub fn properties_out(&self, now: Instant) -> Option<PublishProperties> {
        let mut properties = match (&self.properties, self.expires_at) {
            (None, None) => return None,
            (properties, _) => properties.as_deref().cloned().unwrap_or_default(),
        };
        properties.message_expiry_interval = self.expires_at.and_then(|at| {
            let left = at.saturating_duration_since(now).as_secs().clamp(1, u64::from(u32::MAX));
            NonZeroU32::new(left as u32)
        });
        Some(properties)
    }

    /// Takes over properties that came with a PUBLISH, without those that hold for one connection only.
    pub fn take_properties(
        properties: Option<PublishProperties>,
        now: Instant,
    ) -> (Option<Box<PublishProperties>>, Option<Instant>) {
        let Some(mut properties) = properties else { return (None, None) };
        let expires_at =
            properties.message_expiry_interval.take().map(|s| now + Duration::from_secs(u64::from(s.get())));
        properties.topic_alias = None;
        properties.subscription_ids = Vec::new();
        let kept = (properties != PublishProperties::default()).then(|| Box::new(properties));
        (kept, expires_at)
    }

    /// A copy that does not hold on to the buffer it was read into, for keeping.
    pub fn detached(&self) -> Self {
        let (topic, payload) = detached(&self.topic, &self.payload);
        Self {
            topic,
            payload,
            qos: self.qos,
            retain: self.retain,
            properties: self.properties.clone(),
            expires_at: self.expires_at,
        }
    }
}

/// A topic and payload in memory of their own. What is read shares one buffer of 64 KiB; a queue that takes one message
/// in a thousand would hold a buffer for each, a hundred times what it counts.
pub(super) fn detached(topic: &ByteString, payload: &Bytes) -> (ByteString, Bytes) {
    let mut both = BytesMut::with_capacity(topic.len() + payload.len());
    both.extend_from_slice(topic.as_bytes());
    both.extend_from_slice(payload);
    let mut both = both.freeze();
    let payload = both.split_off(topic.len());
    // The bytes of a text are text.
    (ByteString::try_from(both).unwrap_or_default(), payload)
}

/// One message on the way to one subscriber.
#[derive(Debug)]
pub(super) struct Delivery {
    pub message: Arc<Message>,
    /// 0 or 1: QoS 2 is not granted to subscribers.
    pub qos: u8,
    /// The retain flag as the subscriber is to see it.
    pub retain: bool,
    /// The publisher's acknowledgement, when it waits for this subscriber's.
    pub ack: Option<Ack>,
}
