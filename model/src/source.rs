//! Sources: the cameras and sensors of a town.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{GridId, Place, SourceId, Timestamp};

/// The values of the tag `service` of a source that no rule is about.
pub const OUT_OF_SERVICE: [&str; 2] = ["out", "maintenance"];

/// A camera or a sensor as the registry knows it. Holds no secret: passwords stay in `storage`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Source {
    /// Its id, unique over cameras and sensors.
    pub id: SourceId,
    /// Camera or sensor.
    pub kind: Kind,
    /// What it is, as rules select it: `river_gauge`, `smoke`, `street`, `school_gate`.
    pub class: String,
    /// Its name, in the town's language.
    pub name: String,
    /// Which of the five kinds of owner it belongs to.
    pub owner: Owner,
    /// The grid it stands in.
    pub grid: GridId,
    /// Where it stands, when known.
    pub place: Option<Place>,
    /// Whether a camera is pulled always or on demand; sensors are always `always`.
    pub mode: PullMode,
    /// Camera: main stream, `rtsp://host[:port]/path` or `rtsps://`, without credentials. Sensor: empty.
    #[serde(default)]
    pub url: String,
    /// Sensor: MQTT topic, may hold the wildcards `+` and `#`. Camera: empty.
    #[serde(default)]
    pub topic: String,
    /// Sensor: the payload format, as `raw`, `json`, `senml`, `map:level=/d/0/v`. Camera: empty.
    #[serde(default)]
    pub format: String,
    /// Sensor: UCUM unit of the reading, as `m`, `Cel`, `%`; may be empty.
    #[serde(default)]
    pub unit: String,
    /// Sensor: how often it reports, in seconds; none when it reports on change only.
    #[serde(default)]
    pub interval_s: Option<u32>,
    /// Free attributes. Known keys: `limits.NAME` (a number for rules), `sub` (URL or path of a camera's sub stream),
    /// `looks_at` (source ids a camera sees, separated by spaces), `bearing` (degrees), `transport` (`tcp` or `udp`),
    /// `backend` (`auto`, `retina` or `ffmpeg`), `tls` (which certificate of an `rtsps://` camera is trusted),
    /// `priority` (`key` or `usual`), `service` (`out` or `maintenance`: no rule is about it) with `service_until` (RFC 3339),
    /// `site` (what it watches over), `gateway`, `broker` (which of the configured brokers a sensor is on), `offline_topic`.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl Source {
    /// A source of which no more is known: nothing is said of its place, address, form or interval; a camera is pulled always.
    pub fn new(id: impl Into<SourceId>, kind: Kind, owner: Owner, grid: impl Into<GridId>) -> Self {
        Self {
            id: id.into(),
            kind,
            class: String::new(),
            name: String::new(),
            owner,
            grid: grid.into(),
            place: None,
            mode: PullMode::default(),
            url: String::new(),
            topic: String::new(),
            format: String::new(),
            unit: String::new(),
            interval_s: None,
            tags: BTreeMap::new(),
        }
    }

    /// A number from the registry for rules: `limit("yellow")` reads the tag `limits.yellow`.
    pub fn limit(&self, name: &str) -> Option<f64> {
        self.tags.get(&format!("limits.{name}"))?.parse().ok()
    }

    /// Until when no rule is about it, by the tags `service` (`out` or `maintenance`) and `service_until` (RFC 3339); none
    /// while it serves. Without a time that can be read, until the tag is taken away.
    pub fn out_of_service(&self, now: Timestamp) -> Option<Timestamp> {
        self.tags.get("service").filter(|word| OUT_OF_SERVICE.contains(&word.as_str()))?;
        let until = self.tags.get("service_until").and_then(|text| text.parse().ok()).unwrap_or(Timestamp::MAX);
        (now < until).then_some(until)
    }

    /// Camera: the host in its URL, in lower case and without the port: a recorder serves many cameras from one host.
    /// None for a sensor, and for a URL that names no host.
    pub fn host(&self) -> Option<String> {
        let (_, rest) = self.url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?.0,
            None => host.split(':').next()?,
        };
        (!name.is_empty()).then(|| name.to_ascii_lowercase())
    }

    /// The ids of the sources that a camera looks at (tag `looks_at`).
    pub fn looks_at(&self) -> impl Iterator<Item = &str> {
        self.tags.get("looks_at").map(String::as_str).unwrap_or_default().split_whitespace()
    }

    /// The reading that a payload without names carries: by class, as `level` for a river gauge; else `value`.
    pub fn default_reading(&self) -> &'static str {
        match self.class.as_str() {
            "river_gauge" => "level",
            "rain_gauge" => "rain",
            "smoke" => "smoke",
            "temperature" => "temperature",
            "door" => "open",
            "bin" => "fill",
            "power" => "power",
            _ => "value",
        }
    }
}

/// Camera or sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Video over RTSP.
    Camera,
    /// Readings over MQTT.
    Sensor,
}

/// The five kinds of owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The governance office 综治.
    Governance,
    /// Police 公安.
    Police,
    /// Traffic 交通.
    Traffic,
    /// Telecom operators 电信.
    Telecom,
    /// Villagers' own 村民自设: closed by default, opened by break-glass with notice.
    Resident,
}

impl Owner {
    /// All owners.
    pub const ALL: [Owner; 5] = [Owner::Governance, Owner::Police, Owner::Traffic, Owner::Telecom, Owner::Resident];

    /// The name in files, the API and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Owner::Governance => "governance",
            Owner::Police => "police",
            Owner::Traffic => "traffic",
            Owner::Telecom => "telecom",
            Owner::Resident => "resident",
        }
    }
}

/// When a camera's stream is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PullMode {
    /// The sub stream always, the main stream on demand.
    #[default]
    Always,
    /// Only while somebody watches.
    Demand,
}

/// Which of a camera's two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Full size.
    Main,
    /// Small; what walls and checks use.
    Sub,
}

impl Profile {
    /// The name in the API and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Profile::Main => "main",
            Profile::Sub => "sub",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_out_of_service_by_its_tags_until_its_time() {
        let at = |second: i64| Timestamp::from_second(1_795_000_000 + second).unwrap();
        let out = |tags: &[(&str, &str)], second: i64| {
            let mut source = Source::new("s", Kind::Sensor, Owner::Police, "g");
            source.tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            source.out_of_service(at(second))
        };
        let until = at(60).to_string();
        assert_eq!(out(&[], 0), None);
        assert_eq!(out(&[("service", "in")], 0), None);
        assert_eq!(out(&[("service_until", &until)], 0), None);
        assert_eq!(out(&[("service", "out")], 0), Some(Timestamp::MAX));
        assert_eq!(out(&[("service", "maintenance"), ("service_until", &until)], 59), Some(at(60)));
        assert_eq!(out(&[("service", "maintenance"), ("service_until", &until)], 60), None);
        assert_eq!(out(&[("service", "out"), ("service_until", "soon")], 0), Some(Timestamp::MAX));
    }

    #[test]
    fn the_host_is_what_cameras_of_one_recorder_share() {
        let host = |url: &str| {
            let source = Source { url: url.into(), ..Source::new("c", Kind::Camera, Owner::Police, "g") };
            source.host()
        };
        assert_eq!(host("rtsp://10.1.2.3/ch1").as_deref(), Some("10.1.2.3"));
        assert_eq!(host("rtsp://10.1.2.3:554/ch2?x=/y").as_deref(), Some("10.1.2.3"));
        assert_eq!(host("rtsp://NVR-7.Town:8554").as_deref(), Some("nvr-7.town"));
        assert_eq!(host("rtsp://[fe80::1]:554/a").as_deref(), Some("fe80::1"));
        assert_eq!(host("rtsp://user:secret@nvr/a").as_deref(), Some("nvr"), "never a secret");
        for none in ["", "nvr/a", "rtsp://", "rtsp:///a", "rtsp://[fe80"] {
            assert_eq!(host(none), None, "{none}");
        }
    }
}
