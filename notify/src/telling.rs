//! The file that says whom to tell: channels, persons, shifts, routes.

use std::fmt;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use model::{GridId, Hazard, Level, Owner, RuleId, UserId};
use serde::{Deserialize, Serialize};

use crate::hours::{Hours, Zone};

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telling {
    /// The zone of hours and of the times in messages; `Asia/Shanghai` without.
    pub zone: Option<Zone>,
    /// The language of messages.
    pub language: Language,
    /// The ways out of the hub.
    pub channels: Channels,
    /// Who can be told.
    pub persons: Vec<Person>,
    /// Who is on duty when.
    pub shifts: Vec<Shift>,
    /// What is told to whom.
    pub routes: Vec<Route>,
}

/// The language of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Chinese.
    #[default]
    Zh,
    /// English.
    En,
}

/// The ways out of the hub, by kind; the names are unique over all kinds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Channels {
    /// Programs of others.
    pub webhook: Vec<Webhook>,
    /// Robots of group chats.
    pub robot: Vec<Robot>,
    /// E-mail.
    pub mail: Vec<Mail>,
    /// MQTT topics: sirens, boards, other systems.
    pub mqtt: Vec<Mqtt>,
}

/// A program that gets CloudEvents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// As routes name it.
    pub name: String,
    /// Where; fixed here, never taken from a message.
    pub url: String,
    /// With what each body is signed.
    pub secret: Secret,
}

/// A robot of a group chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Robot {
    /// As routes name it.
    pub name: String,
    /// Whose robot.
    pub kind: RobotKind,
    /// The token in the robot's address.
    pub token: Secret,
    /// With what a message is signed; DingTalk and Feishu.
    #[serde(default)]
    pub secret: Option<Secret>,
    /// Another address than the maker's, as of a relay; the token is added to it as to the maker's.
    #[serde(default)]
    pub url: Option<String>,
}

/// Whose robot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RobotKind {
    /// 企业微信.
    Wecom,
    /// 钉钉.
    Dingtalk,
    /// 飞书.
    Feishu,
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// As routes name it.
    pub name: String,
    /// The server.
    pub host: String,
    /// Its port; 465, 587 or 25 by the security without.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the way there is kept from others.
    #[serde(default)]
    pub security: Security,
    /// The sender, as `Gridward <hub@town.example>`.
    pub from: String,
    /// The name to log in with; no log-in without.
    #[serde(default)]
    pub username: Option<String>,
    /// The password.
    #[serde(default)]
    pub password: Option<Secret>,
}

/// How the way to a mail server is kept from others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// TLS from the first byte.
    #[default]
    Tls,
    /// TLS after a word in clear, or nothing at all.
    Starttls,
    /// None; for a server on the same machine.
    None,
}

/// A topic on a broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mqtt {
    /// As routes name it.
    pub name: String,
    /// `mqtt://host[:port]` or `mqtts://host[:port]`.
    pub url: String,
    /// Where; no wildcards.
    pub topic: String,
    /// What is sent, as `ON` for a siren's relay; the CloudEvent without.
    #[serde(default)]
    pub payload: Option<String>,
    /// What is sent when it is over, as `OFF`; the CloudEvent without.
    #[serde(default)]
    pub payload_over: Option<String>,
    /// Whether the broker keeps the last message for those who come later.
    #[serde(default)]
    pub retain: bool,
    /// The name to log in with.
    #[serde(default)]
    pub username: Option<String>,
    /// The password.
    #[serde(default)]
    pub password: Option<Secret>,
}

/// Somebody who can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// As shifts and routes name them.
    pub id: String,
    /// As they are called.
    pub name: String,
    /// The name they log in to the hub with; for the channel `app`.
    #[serde(default)]
    pub user: Option<UserId>,
    /// Their phone, by which robots mention them.
    #[serde(default)]
    pub phone: Option<String>,
    /// Their e-mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// Their name with the robots (WeCom's userid, DingTalk's userid, Feishu's open_id).
    #[serde(default)]
    pub handle: Option<String>,
    /// Messages in an hour before further ones below orange are put together; no limit without.
    #[serde(default)]
    pub per_hour_max: Option<u32>,
}

/// Who is on duty when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// As which role, as `desk`, `patrol`, `shift_lead`.
    pub role: String,
    /// Who; ids of persons.
    pub persons: Vec<String>,
    /// When; always without.
    #[serde(default)]
    pub when: Vec<Hours>,
}

/// What is told to whom. All that is set must match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Unique; a renamed route is a new one.
    pub name: String,
    /// This level and higher ones.
    #[serde(default = "blue")]
    pub level: Level,
    /// These hazards; all when empty.
    #[serde(default)]
    pub hazards: Vec<Hazard>,
    /// These grids with all inside them; all when empty.
    #[serde(default)]
    pub grids: Vec<GridId>,
    /// Alarms of these rules; all, and people's reports, when empty.
    #[serde(default)]
    pub rules: Vec<RuleId>,
    /// Sources of these owners; all, and people's reports, when empty.
    #[serde(default)]
    pub owners: Vec<Owner>,
    /// Incidents that begin in these hours; always when empty.
    #[serde(default)]
    pub when: Vec<Hours>,
    /// The chain, in the order of time.
    pub steps: Vec<Step>,
    /// Whether those who were told are told that it is over.
    #[serde(default)]
    pub over: bool,
}

fn blue() -> Level {
    Level::Blue
}

/// A step of a chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// How long after the chain began, as `0s`, `5m`; at once without.
    #[serde(default)]
    pub after: After,
    /// What makes the step needless. Without: never for what is told at once, `acknowledged` for what comes later.
    #[serde(default)]
    pub unless: Option<Unless>,
    /// Over which channels; `app` is the console.
    pub channels: Vec<String>,
    /// Who; for channels with persons behind them, and for whom a robot mentions.
    #[serde(default)]
    pub to: Vec<To>,
}

/// A time of at most 7 days.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct After(pub SignedDuration);

/// What makes a step needless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unless {
    /// A person has seen it.
    Acknowledged,
    /// A desk has taken it in (受理).
    Accepted,
    /// Somebody was sent (派遣).
    Dispatched,
    /// Nothing: it is told while the incident is open.
    Never,
}

/// Who a step is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum To {
    /// Whoever is on duty in this role.
    Role(String),
    /// This person.
    Person(String),
    /// Whoever the incident was dispatched to, if they are in the list of persons.
    Responder,
}

/// Where a secret is: never in the file itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Secret {
    /// In this file, without a line end.
    File(PathBuf),
    /// In this environment variable.
    Env(String),
}

/// One thing wrong with the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which key, as `routes[0].steps[1].to`.
    pub key: String,
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: String,
}

impl Problem {
    /// A problem at a key.
    pub fn new(key: impl Into<String>, found: impl fmt::Display, expected: impl Into<String>) -> Self {
        Self { key: key.into(), found: found.to_string(), expected: expected.into() }
    }
}

impl Telling {
    /// The zone of hours and of the times in messages.
    pub fn zone(&self) -> TimeZone {
        let zone = self.zone.as_ref().map(|zone| zone.0.clone());
        zone.or_else(|| TimeZone::get("Asia/Shanghai").ok()).unwrap_or(TimeZone::UTC)
    }

    /// A person.
    pub fn person(&self, id: &str) -> Option<&Person> {
        self.persons.iter().find(|person| person.id == id)
    }

    /// All secrets and where they are written.
    pub fn secrets(&self) -> Vec<(String, &Secret)> {
        let Channels { webhook, robot, mail, mqtt } = &self.channels;
        let mut all: Vec<(String, &Secret)> = Vec::new();
        all.extend(webhook.iter().enumerate().map(|(n, c)| (format!("channels.webhook[{n}].secret"), &c.secret)));
        for (n, channel) in robot.iter().enumerate() {
            all.push((format!("channels.robot[{n}].token"), &channel.token));
            all.extend(channel.secret.iter().map(|secret| (format!("channels.robot[{n}].secret"), secret)));
        }
        let mail = mail.iter().enumerate().map(|(n, c)| (format!("channels.mail[{n}].password"), &c.password));
        let mqtt = mqtt.iter().enumerate().map(|(n, c)| (format!("channels.mqtt[{n}].password"), &c.password));
        all.extend(mail.chain(mqtt).filter_map(|(key, secret)| Some((key, secret.as_ref()?))));
        all
    }

    /// Makes the paths of secrets relative to a folder.
    pub fn relative_to(&mut self, base: &Path) {
        let Channels { webhook, robot, mail, mqtt } = &mut self.channels;
        let secrets = webhook.iter_mut().map(|c| &mut c.secret);
        let secrets = secrets.chain(robot.iter_mut().flat_map(|c| std::iter::once(&mut c.token).chain(&mut c.secret)));
        let secrets = secrets.chain(mail.iter_mut().filter_map(|c| c.password.as_mut()));
        for secret in secrets.chain(mqtt.iter_mut().filter_map(|c| c.password.as_mut())) {
            if let Secret::File(path) = secret {
                *path = base.join(&*path);
            }
        }
    }
}

impl Unless {
    /// The name in the file and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Unless::Acknowledged => "acknowledged",
            Unless::Accepted => "accepted",
            Unless::Dispatched => "dispatched",
            Unless::Never => "never",
        }
    }
}

impl Step {
    /// What makes the step needless, said or not.
    pub fn needless_when(&self) -> Unless {
        let usual = if self.after.0.is_zero() { Unless::Never } else { Unless::Acknowledged };
        self.unless.unwrap_or(usual)
    }
}

impl Secret {
    /// The secret itself; what is wrong is told without it.
    pub fn read(&self) -> Result<String, String> {
        let text = match self {
            Secret::File(path) => {
                std::fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?
            }
            Secret::Env(name) => {
                std::env::var(name).map_err(|_| format!("the environment variable {name} is not set"))?
            }
        };
        // Editors end a file with a line end that is not part of the secret.
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(text.to_owned()) }
    }
}

impl TryFrom<String> for Secret {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Secret::File(PathBuf::from(path))),
            Some(("env", name)) if !name.is_empty() => Ok(Secret::Env(name.to_owned())),
            // Whatever stands there may be the secret; it is not repeated.
            _ => Err("found something else, expected \"file:PATH\" or \"env:NAME\"".to_owned()),
        }
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> String {
        match secret {
            Secret::File(path) => format!("file:{}", path.display()),
            Secret::Env(name) => format!("env:{name}"),
        }
    }
}

impl TryFrom<String> for To {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("role", role)) if !role.is_empty() => Ok(To::Role(role.to_owned())),
            Some(("person", id)) if !id.is_empty() => Ok(To::Person(id.to_owned())),
            None if text == "responder" => Ok(To::Responder),
            _ => Err(format!("found {text:?}, expected \"role:ROLE\", \"person:ID\" or \"responder\"")),
        }
    }
}

impl From<To> for String {
    fn from(to: To) -> String {
        match to {
            To::Role(role) => format!("role:{role}"),
            To::Person(id) => format!("person:{id}"),
            To::Responder => "responder".to_owned(),
        }
    }
}

impl TryFrom<String> for After {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let unit_s = match &text[split..] {
            "s" => Some(1),
            "m" => Some(60),
            "h" => Some(3_600),
            "d" => Some(86_400),
            _ => None,
        };
        let seconds = text[..split].parse::<u32>().ok().zip(unit_s).map(|(number, unit)| i64::from(number) * unit);
        let time = seconds.filter(|s| *s <= 7 * 86_400).map(|s| After(SignedDuration::from_secs(s)));
        time.ok_or_else(|| format!("found {text:?}, expected a time of at most 7d, as \"30s\", \"5m\", \"2h\""))
    }
}

impl From<After> for String {
    fn from(after: After) -> String {
        match after.0.as_secs() {
            s if s > 0 && s % 3_600 == 0 => format!("{}h", s / 3_600),
            s if s > 0 && s % 60 == 0 => format!("{}m", s / 60),
            s => format!("{s}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example file with everything taken out of its comments.
    fn example() -> String {
        let text =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/telling.example.toml")).unwrap();
        let setting = |line: &str| {
            let is_key = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            line.starts_with(['[', ']', ' ']) || line.split_once(" = ").is_some_and(|(key, _)| is_key(key))
        };
        let lines = text.lines().map(|line| line.strip_prefix("# ").filter(|rest| setting(rest)).unwrap_or(line));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_example_is_good_as_it_is_and_out_of_its_comments() {
        let telling: Telling = toml::from_str(&example()).unwrap();
        assert_eq!(telling.problems(), []);
        assert_eq!((telling.routes.len(), telling.persons.len(), telling.secrets().len()), (1, 2, 6));
        let text = toml::to_string(&telling).unwrap();
        assert_eq!(toml::from_str::<Telling>(&text).unwrap(), telling, "it can be written and read back");
        let as_it_is = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/telling.example.toml"));
        assert!(toml::from_str::<Telling>(&as_it_is.unwrap()).unwrap().routes.is_empty());
    }

    #[test]
    fn secrets_are_read_without_their_line_end_and_never_printed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("w.secret"), "s3cret\r\n").unwrap();
        let text = "[[channels.webhook]]\nname = 'w'\nurl = 'http://h'\nsecret = 'file:w.secret'";
        let mut telling: Telling = toml::from_str(text).unwrap();
        telling.relative_to(dir.path());
        assert_eq!(telling.secrets()[0].1.read().unwrap(), "s3cret");
        assert!(!format!("{telling:?}").contains("s3cret"));
        std::fs::write(dir.path().join("w.secret"), "\n").unwrap();
        assert!(telling.secrets()[0].1.read().is_err());
        assert!(Secret::Env("GRIDWARD_NO_SUCH_VARIABLE".into()).read().is_err_and(|e| e.contains("is not set")));
    }
}
