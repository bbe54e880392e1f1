//! MQTT. (stub)
pub mod decode;
