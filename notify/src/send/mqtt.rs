//! A topic on a broker, QoS 1, a connection for each message: what is told this way is rare, and a connection that stands
//! idle for weeks is one that has died unseen when the siren is wanted.

use std::time::Duration;

use rumqttc::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS, Transport};
use url::Url;

use super::{Failure, event};
use crate::notice::{Kind, Notice};
use crate::telling::Mqtt;

/// Requests to the library in flight: one message and the good-bye.
const REQUESTS: usize = 4;
/// The largest packet either way.
const PACKET_BYTES: usize = 256 * 1024;
/// How long the good-bye may take; the message was taken by then.
const PARTING: Duration = Duration::from_secs(1);

pub(super) struct Topic {
    config: Mqtt,
    host: String,
    port: u16,
    tls: bool,
    password: Option<String>,
}

impl std::fmt::Debug for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topic").field("topic", &self.config.topic).field("host", &self.host).finish_non_exhaustive()
    }
}

impl Topic {
    pub fn new(config: &Mqtt) -> Result<Self, String> {
        let url = Url::parse(&config.url).map_err(|error| format!("an address that cannot be read ({error})"))?;
        let tls = url.scheme() == "mqtts";
        let host = url.host_str().filter(|_| tls || url.scheme() == "mqtt");
        let host = host.ok_or("an address that is not mqtt(s)://HOST")?.trim_matches(['[', ']']).to_owned();
        let port = url.port().unwrap_or(if tls { 8_883 } else { 1_883 });
        let password = config.password.as_ref().map(|password| password.read()).transpose()?;
        Ok(Self { config: config.clone(), host, port, tls, password })
    }

    pub async fn send(&self, notice: &Notice) -> Result<(), Failure> {
        let fixed = if notice.content.kind == Kind::Over { &self.config.payload_over } else { &self.config.payload };
        let payload = fixed.clone().unwrap_or_else(|| event::of(notice).to_string());
        // A name for each connection: two messages at once must not close one another.
        let id = format!("gridward-out-{:012x}", rand::random::<u64>() >> 16);
        let mut options = MqttOptions::new(id, &self.host, self.port);
        options.set_clean_session(true).set_max_packet_size(PACKET_BYTES, PACKET_BYTES);
        if let Some(name) = &self.config.username {
            options.set_credentials(name, self.password.clone().unwrap_or_default());
        }
        if self.tls {
            let connector = native_tls::TlsConnector::new().map_err(|error| Failure::new(format!("TLS: {error}")))?;
            options.set_transport(Transport::tls_with_config(rumqttc::TlsConfiguration::NativeConnector(connector)));
        }
        let (client, mut events) = AsyncClient::new(options, REQUESTS);
        let asked = client.publish(&self.config.topic, QoS::AtLeastOnce, self.config.retain, payload).await;
        asked.map_err(|_| Failure::new("the message could not be handed over"))?;
        self.acknowledged(&mut events).await?;
        // Whoever has acknowledged has it; that the good-bye arrives is no more than polite.
        if client.disconnect().await.is_ok() {
            let _ = tokio::time::timeout(PARTING, parted(&mut events)).await;
        }
        Ok(())
    }

    async fn acknowledged(&self, events: &mut EventLoop) -> Result<(), Failure> {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::PubAck(_))) => return Ok(()),
                Ok(_) => {}
                // Its text is the library's and holds no password.
                Err(error) => return Err(Failure::new(format!("{}: {}", self.host, plain(&error)))),
            }
        }
    }
}

async fn parted(events: &mut EventLoop) {
    while let Ok(event) = events.poll().await {
        if event == Event::Outgoing(Outgoing::Disconnect) {
            return;
        }
    }
}

fn plain(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ConnectionRefused(code) => format!("the broker refused: {code:?}"),
        other => other.to_string(),
    }
}
