//! Settings of the MQTT part, as `[mqtt]` in `hub.toml`.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::broker;

/// The name of the link to the embedded broker, for the sensors' tag `broker`.
pub const EMBEDDED: &str = "embedded";

/// Settings of the MQTT part.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MqttConfig {
    /// Where the embedded broker listens, as `127.0.0.1:1883`; none to run without. The hub links to it under the name
    /// `embedded`, before all other brokers.
    pub embedded: Option<SocketAddr>,
    /// Limits and users of the embedded broker.
    pub embedded_broker: broker::Config,
    /// The town's own brokers. A sensor says with its tag `broker` which one it is on; without the tag it is on the
    /// first, counting the embedded one.
    pub brokers: Vec<BrokerConfig>,
    /// How the hub logs in at its embedded broker; filled in by [`MqttConfig::use_embedded`].
    #[serde(skip)]
    pub embedded_login: Option<broker::HubLogin>,
}

/// The version of the protocol spoken with a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Version {
    /// MQTT 3.1.1.
    #[default]
    #[serde(rename = "3.1.1")]
    V311,
    /// MQTT 5.
    #[serde(rename = "5")]
    V5,
}

/// One broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrokerConfig {
    /// Its name, for the sensors' tag `broker`, for logs and for metrics.
    pub name: String,
    /// Its address: `mqtt://host[:1883]` or, over TLS, `mqtts://host[:8883]`; without user and password.
    pub url: String,
    /// The protocol version, `3.1.1` or `5`.
    pub version: Version,
    /// The client id; empty means `gridward-NAME`. It must stay the same, since the broker keeps the messages of a hub
    /// that is away under it, and no two hubs may share it.
    pub client_id: String,
    /// The user to log in as; empty to log in without.
    pub username: String,
    /// The file that holds the password and nothing else; read at every connect, so that it can be replaced.
    pub password_file: Option<PathBuf>,
    /// The file of the certificate authority (PEM) that the broker's certificate must come from; none for the
    /// platform's own list.
    pub ca_file: Option<PathBuf>,
    /// The hub's own certificate with its chain (PEM), for brokers that ask for one.
    pub client_cert_file: Option<PathBuf>,
    /// The key of that certificate (PKCS 8, PEM).
    pub client_key_file: Option<PathBuf>,
    /// After how many seconds of quiet the link is tested; 5 to 3600. A dead broker is noticed after about twice this.
    pub keep_alive_s: u16,
    /// The largest payload that is decoded, in bytes; larger ones become dead letters.
    pub max_packet_bytes: usize,
    /// How many messages of QoS 1 the broker may have on the way to us, for MQTT 5; older ones have their own limit.
    pub receive_maximum: u16,
    /// How long the broker is to keep our session and its messages while we are away, in seconds, for MQTT 5; older
    /// ones decide themselves.
    pub session_expiry_s: u32,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            url: String::new(),
            version: Version::V311,
            client_id: String::new(),
            username: String::new(),
            password_file: None,
            ca_file: None,
            client_cert_file: None,
            client_key_file: None,
            keep_alive_s: 30,
            max_packet_bytes: 256 * 1024,
            receive_maximum: 2_000,
            session_expiry_s: 86_400,
        }
    }
}

/// What is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Which key, as `mqtt.brokers[0].url`.
    pub key: String,
    /// What is there.
    pub found: String,
    /// What should be there.
    pub expected: &'static str,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {:?}", self.key, self.expected, self.found)
    }
}

impl MqttConfig {
    /// Points the link named `embedded` at a running broker.
    pub fn use_embedded(&mut self, broker: &broker::EmbeddedBroker) {
        self.embedded = Some(broker.addr);
        self.embedded_login = Some(broker.login.clone());
    }

    /// Everything that is wrong.
    pub fn problems(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let mut add = |key: String, found: &str, expected: &'static str| {
            problems.push(ConfigProblem { key, found: found.to_owned(), expected });
        };
        if let Some(addr) = self.embedded
            && !addr.ip().is_loopback()
            && self.embedded_broker.users_file.is_none()
            && !self.embedded_broker.allow_anonymous
        {
            add(
                "mqtt.embedded".into(),
                &addr.to_string(),
                "a loopback address, or mqtt.embedded_broker.users_file, or mqtt.embedded_broker.allow_anonymous = true",
            );
        }
        for (i, broker) in self.brokers.iter().enumerate() {
            let key = |name: &str| format!("mqtt.brokers[{i}].{name}");
            let names = self.brokers[..i].iter().map(|b| b.name.as_str());
            if model::SourceId::parse(&broker.name).is_err() || broker.name == EMBEDDED {
                add(key("name"), &broker.name, "a short name of letters, digits and -, other than `embedded`");
            } else if names.into_iter().any(|n| n == broker.name) {
                add(key("name"), &broker.name, "a name that no other broker has");
            }
            if Address::parse(&broker.url).is_none() {
                // The text is not shown: it may hold a password.
                add(key("url"), "another text", "mqtt://host[:port] or mqtts://host[:port], without user and password");
            }
            if !(5..=3600).contains(&broker.keep_alive_s) {
                add(key("keep_alive_s"), &broker.keep_alive_s.to_string(), "5 to 3600");
            }
            if !(1024..=super::decode::MAX_PAYLOAD_BYTES).contains(&broker.max_packet_bytes) {
                add(key("max_packet_bytes"), &broker.max_packet_bytes.to_string(), "1024 to 1048576");
            }
            if broker.receive_maximum == 0 {
                add(key("receive_maximum"), "0", "1 to 65535");
            }
            if broker.client_cert_file.is_some() != broker.client_key_file.is_some() {
                add(key("client_cert_file"), "one of two", "both client_cert_file and client_key_file, or neither");
            }
        }
        problems
    }

    /// All links to keep, the embedded broker's first.
    pub(super) fn links(&self) -> Vec<BrokerConfig> {
        let embedded = self.embedded.map(|addr| BrokerConfig {
            name: EMBEDDED.to_owned(),
            url: format!("mqtt://{addr}"),
            ..BrokerConfig::default()
        });
        embedded.into_iter().chain(self.brokers.iter().cloned()).collect()
    }
}

impl BrokerConfig {
    pub(super) fn client_id(&self) -> String {
        if self.client_id.is_empty() { format!("gridward-{}", self.name) } else { self.client_id.clone() }
    }

    pub(super) fn keep_alive(&self) -> Duration {
        Duration::from_secs(u64::from(self.keep_alive_s.clamp(5, 3600)))
    }
}

/// A broker's address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub host: String,
    pub port: u16,
    pub tls: bool,
}

impl Address {
    pub fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.trim().split_once("://")?;
        let (tls, default_port) = match scheme {
            "mqtt" | "tcp" => (false, 1883),
            "mqtts" | "ssl" => (true, 8883),
            _ => return None,
        };
        let rest = rest.trim_end_matches('/');
        if rest.is_empty() || rest.contains(['@', '/', '?', ' ']) {
            return None;
        }
        let after_host = if rest.starts_with('[') { rest.find(']')? + 1 } else { rest.find(':').unwrap_or(rest.len()) };
        let (host, port) = rest.split_at(after_host);
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|p| *p > 0)?,
            None if port.is_empty() => default_port,
            None => return None,
        };
        (!host.is_empty()).then(|| Self { host: host.to_owned(), port, tls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str, port: u16, tls: bool) -> Option<Address> {
        Some(Address { host: host.into(), port, tls })
    }

    #[test]
    fn addresses_parse() {
        assert_eq!(Address::parse("mqtt://broker"), address("broker", 1883, false));
        assert_eq!(Address::parse("mqtts://10.0.0.1:8884/"), address("10.0.0.1", 8884, true));
        assert_eq!(Address::parse("mqtt://[::1]:1884"), address("[::1]", 1884, false));
        for bad in
            ["broker", "http://broker", "mqtt://", "mqtt://u:p@broker", "mqtt://b:x", "mqtt://b:0", "mqtt://[::1"]
        {
            assert_eq!(Address::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_problem_is_told_and_no_password() {
        let config = MqttConfig {
            embedded: Some("0.0.0.0:1883".parse().unwrap()),
            brokers: vec![
                BrokerConfig { name: "a".into(), url: "mqtt://x:secret@y".into(), ..Default::default() },
                BrokerConfig { name: "a".into(), url: "mqtt://y".into(), keep_alive_s: 1, ..Default::default() },
            ],
            ..Default::default()
        };
        let problems = config.problems();
        let keys: Vec<&str> = problems.iter().map(|p| p.key.as_str()).collect();
        assert_eq!(
            keys,
            ["mqtt.embedded", "mqtt.brokers[0].url", "mqtt.brokers[1].name", "mqtt.brokers[1].keep_alive_s"]
        );
        assert!(!problems.iter().any(|p| p.to_string().contains("secret")));
        assert!(MqttConfig::default().problems().is_empty());
    }

    #[test]
    fn settings_read_from_text_and_unknown_keys_are_refused() {
        let text = r#"{"embedded":"127.0.0.1:1883","brokers":[{"name":"town","url":"mqtts://b","version":"5"}]}"#;
        let config: MqttConfig = serde_json::from_str(text).unwrap();
        assert_eq!(config.brokers[0].version, Version::V5);
        assert_eq!(config.links()[0].name, EMBEDDED);
        assert_eq!(config.links()[1].client_id(), "gridward-town");
        assert!(serde_json::from_str::<MqttConfig>(r#"{"embeded":null}"#).is_err());
    }
}
