//! Saying one message over one channel. No retries here: whoever calls owns them.

mod event;
mod http;
mod mail;
mod mqtt;
mod robot;
mod sign;
mod webhook;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::notice::Notice;
use crate::telling::{Problem, Telling};
use crate::text::words;

/// The first wait after a failed try, and the longest.
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(600);

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Failure {
    /// What happened, without secrets.
    pub detail: String,
    /// How long the other side wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl Failure {
    pub(crate) fn new(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), retry_after: None }
    }
}

/// All channels that leave the hub, ready to be used; the console's is not among them.
#[derive(Debug)]
pub struct Sender {
    telling: Arc<Telling>,
    channels: HashMap<String, Channel>,
    limit: Duration,
}

#[derive(Debug)]
enum Channel {
    Webhook(webhook::Hook),
    Robot(robot::Group),
    Mail(mail::Server),
    Mqtt(mqtt::Topic),
}

impl Sender {
    /// Reads the secrets; what cannot be used is told. `limit` is for one message.
    pub fn new(telling: Arc<Telling>, limit: Duration) -> Result<Self, Vec<Problem>> {
        let (mut channels, mut problems) = (HashMap::new(), Vec::new());
        let mut add = |key: String, name: &str, made: Result<Channel, String>| match made {
            Ok(channel) => drop(channels.insert(name.to_owned(), channel)),
            Err(why) => problems.push(Problem::new(key, why, "a channel that can be used")),
        };
        let all = &telling.channels;
        for (n, config) in all.webhook.iter().enumerate() {
            add(format!("channels.webhook[{n}]"), &config.name, webhook::Hook::new(config).map(Channel::Webhook));
        }
        for (n, config) in all.robot.iter().enumerate() {
            add(format!("channels.robot[{n}]"), &config.name, robot::Group::new(config).map(Channel::Robot));
        }
        for (n, config) in all.mail.iter().enumerate() {
            add(format!("channels.mail[{n}]"), &config.name, mail::Server::new(config, limit).map(Channel::Mail));
        }
        for (n, config) in all.mqtt.iter().enumerate() {
            add(format!("channels.mqtt[{n}]"), &config.name, mqtt::Topic::new(config).map(Channel::Mqtt));
        }
        if problems.is_empty() { Ok(Self { telling, channels, limit }) } else { Err(problems) }
    }

    /// The names of all channels that leave the hub.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        self.channels.keys().map(String::as_str)
    }

    /// Says a message; `Ok` when the other side has taken it. Dropped in the middle, it may or may not have been taken.
    pub async fn send(&self, notice: &Notice, now: Timestamp) -> Result<(), Failure> {
        let channel = self.channels.get(&notice.target.channel);
        let channel = channel.ok_or_else(|| Failure::new("there is no such channel any more"))?;
        let said = async {
            match channel {
                Channel::Webhook(hook) => hook.send(notice, now).await,
                Channel::Robot(group) => {
                    let mention = notice.content.mention.iter().filter_map(|id| self.telling.person(id)).collect();
                    group.send(&words(notice, &self.telling), mention, now).await
                }
                Channel::Mail(server) => {
                    let persons = self.telling.recipients(&notice.target.recipient, now);
                    server.send(&words(notice, &self.telling), &persons, &notice.key).await
                }
                Channel::Mqtt(topic) => topic.send(notice).await,
            }
        };
        match tokio::time::timeout(self.limit, said).await {
            Ok(done) => done,
            Err(_) => Err(Failure::new(format!("no answer within {} s", self.limit.as_secs()))),
        }
    }
}

/// How long a message is left alone after its `tries`th failure (from 1); `random` in 0..1 spreads them.
pub fn wait_after(tries: u32, random: f64) -> Duration {
    let wait = FIRST.saturating_mul(2u32.saturating_pow(tries.saturating_sub(1).min(20))).min(LONGEST);
    wait.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
}

/// As [`wait_after`], at random.
pub fn random_wait_after(tries: u32) -> Duration {
    wait_after(tries, rand::random())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_ten_minutes_and_are_spread() {
        let waits: Vec<u64> = (1..10).map(|tries| wait_after(tries, 1.0).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(wait_after(1, 0.0), Duration::from_millis(2_500));
        assert_eq!(wait_after(u32::MAX, 1.0), LONGEST);
    }
}
