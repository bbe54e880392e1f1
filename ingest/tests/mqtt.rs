//! The MQTT part against real brokers and clients: Debian's mosquitto, its command-line clients, and our own broker.
#![expect(clippy::unwrap_used, reason = "what fails here fails its test")]

#[path = "mqtt/broker.rs"]
mod broker;
#[path = "mqtt/ending.rs"]
mod ending;
#[path = "mqtt/flood.rs"]
mod flood;
#[path = "mqtt/link.rs"]
mod link;
#[path = "mqtt/support.rs"]
mod support;
