//! The sources file: CSV in, CSV out, every bad row named.
//!
//! Pure: bytes in, rows and problems out. What a row says is checked here; whether it is taken is the caller's choice.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use model::{GridId, Kind, Owner, Place, PullMode, PullTags, Source, SourceId, Timestamp};

use crate::registry::{Credentials, SourceRow};

/// The columns, in the order of an exported file.
pub const HEADER: [&str; 17] = [
    "id",
    "kind",
    "class",
    "name",
    "owner",
    "grid",
    "lon",
    "lat",
    "url",
    "username",
    "password",
    "mode",
    "topic",
    "format",
    "unit",
    "interval_s",
    "tags",
];

/// Columns without which no row can be read.
const REQUIRED: [&str; 6] = ["id", "kind", "class", "name", "owner", "grid"];

/// Classes of places where no camera may be.
const PRIVATE_PLACES: [&str; 6] = ["toilet", "changing_room", "dormitory", "hotel_room", "bathroom", "nursing_room"];

/// The largest file taken, in bytes: 13,000 rows need 4 MB.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The longest field, in bytes.
const MAX_FIELD_BYTES: usize = 4_096;

/// Problems after which the rest is not read: a file of another kind would have millions.
const MAX_PROBLEMS: usize = 10_000;

/// One thing wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: u64,
    /// The column's name; empty when the row or file as a whole is meant.
    pub column: String,
    /// What is wrong: found and expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if !self.column.is_empty() {
            write!(f, ", column {}", self.column)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parsed {
    /// The good rows.
    pub rows: Vec<SourceRow>,
    /// Everything wrong with the others.
    pub problems: Vec<Problem>,
}

/// Reads a file: UTF-8 with or without a byte order mark, comma-separated, quotes as Excel writes them.
pub fn parse(bytes: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    if bytes.len() > MAX_BYTES {
        parsed.problems.push(whole(format!("found {} bytes, expected at most {MAX_BYTES}", bytes.len())));
        return parsed;
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Err(error) = std::str::from_utf8(bytes) {
        let line = bytes[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count() as u64 + 1;
        let message = "found bytes that are no UTF-8, expected UTF-8 (in Excel: save as \"CSV UTF-8\")".to_owned();
        parsed.problems.push(Problem { line, column: String::new(), message });
        return parsed;
    }
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(bytes);
    let columns = match columns_of(&mut reader) {
        Ok(columns) => columns,
        Err(problems) => {
            parsed.problems = problems;
            return parsed;
        }
    };
    let mut lines: HashMap<String, u64> = HashMap::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                parsed.problems.push(Problem { line, column: String::new(), message: error.to_string() });
                break;
            }
        };
        if record.iter().all(str::is_empty) {
            continue;
        }
        let line = record.position().map_or(0, csv::Position::line);
        let mut row = Row { line, columns: &columns, record: &record, problems: Vec::new() };
        let source = row.read();
        if let Some(first) = lines.insert(row.text("id").to_owned(), line) {
            row.wrong("id", format!("found {:?} a second time, first on line {first}", row.text("id")));
        }
        if row.problems.is_empty() {
            parsed.rows.extend(source);
        }
        parsed.problems.append(&mut row.problems);
        if parsed.problems.len() >= MAX_PROBLEMS {
            let message = format!("found {MAX_PROBLEMS} problems up to here; the rest was not read");
            parsed.problems.push(Problem { line, column: String::new(), message });
            break;
        }
    }
    parsed
}

/// Writes sources with the header; passwords are never written.
pub fn export(rows: &[SourceRow]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADER)?;
    for SourceRow { source, credentials } in rows {
        let tags: Vec<String> = source.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        writer.write_record([
            source.id.as_str(),
            if source.kind == Kind::Camera { "camera" } else { "sensor" },
            &source.class,
            &source.name,
            source.owner.as_str(),
            source.grid.as_str(),
            &source.place.map(|p| p.lon.to_string()).unwrap_or_default(),
            &source.place.map(|p| p.lat.to_string()).unwrap_or_default(),
            &source.url,
            credentials.as_ref().map_or("", |c| &c.username),
            "",
            if source.mode == PullMode::Demand { "demand" } else { "always" },
            &source.topic,
            &source.format,
            &source.unit,
            &source.interval_s.map(|s| s.to_string()).unwrap_or_default(),
            &tags.join(";"),
        ])?;
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

fn whole(message: String) -> Problem {
    Problem { line: 1, column: String::new(), message }
}

fn columns_of(reader: &mut csv::Reader<&[u8]>) -> Result<HashMap<String, usize>, Vec<Problem>> {
    let header = reader.headers().map_err(|error| vec![whole(error.to_string())])?;
    let mut problems = Vec::new();
    let mut columns = HashMap::new();
    if header.len() == 1 && header.iter().any(|h| h.contains(';') || h.contains('\t') || h.contains('，')) {
        return Err(vec![whole(format!("found one column {:?}, expected columns parted by commas", &header[0]))]);
    }
    for (at, name) in header.iter().enumerate() {
        if !HEADER.contains(&name) {
            problems.push(whole(format!("found column {name:?}, expected only {}", HEADER.join(","))));
        } else if columns.insert(name.to_owned(), at).is_some() {
            problems.push(whole(format!("found column {name:?} twice")));
        }
    }
    for name in REQUIRED {
        if !columns.contains_key(name) {
            problems.push(whole(format!("column {name:?} is missing")));
        }
    }
    if problems.is_empty() { Ok(columns) } else { Err(problems) }
}

struct Row<'a> {
    line: u64,
    columns: &'a HashMap<String, usize>,
    record: &'a csv::StringRecord,
    problems: Vec<Problem>,
}

impl Row<'_> {
    fn text(&self, column: &str) -> &str {
        self.columns.get(column).and_then(|at| self.record.get(*at)).unwrap_or_default()
    }

    fn wrong(&mut self, column: &str, message: String) {
        self.problems.push(Problem { line: self.line, column: column.to_owned(), message });
    }

    fn read(&mut self) -> Option<SourceRow> {
        if self.record.len() > self.columns.len() {
            let message = format!("found {} fields, expected at most {}", self.record.len(), self.columns.len());
            self.wrong("", message);
        }
        for column in HEADER {
            let text = self.text(column);
            if text.len() > MAX_FIELD_BYTES {
                let message = format!("found {} bytes, expected at most {MAX_FIELD_BYTES}", text.len());
                self.wrong(column, message);
            } else if text.chars().any(char::is_control) {
                self.wrong(column, "found a line break or another control character".to_owned());
            }
        }
        let id = SourceId::parse(self.text("id")).map_err(|error| self.wrong("id", error.to_string())).ok();
        let grid = GridId::parse(self.text("grid")).map_err(|error| self.wrong("grid", error.to_string())).ok();
        let kind = self.one_of("kind", &[("camera", Kind::Camera), ("sensor", Kind::Sensor)]);
        let owners: Vec<(&str, Owner)> = Owner::ALL.iter().map(|o| (o.as_str(), *o)).collect();
        let owner = self.one_of("owner", &owners);
        let mode = if self.text("mode").is_empty() {
            Some(PullMode::Always)
        } else {
            self.one_of("mode", &[("always", PullMode::Always), ("demand", PullMode::Demand)])
        };
        let class = self.text("class").to_owned();
        if class.is_empty() || !class.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            self.wrong("class", format!("found {class:?}, expected lower-case letters, digits and _"));
        }
        let name = self.text("name").to_owned();
        if name.is_empty() || name.chars().count() > 200 {
            self.wrong("name", "expected 1 to 200 characters".to_owned());
        }
        let (place, interval_s, tags) = (self.place(), self.interval(), self.tags());
        match kind {
            Some(Kind::Camera) => self.check_camera(&class, &tags),
            Some(Kind::Sensor) => self.check_sensor(),
            None => {}
        }
        let username = self.text("username").to_owned();
        let credentials =
            (!username.is_empty()).then(|| Credentials { username, password: self.text("password").to_owned() });
        if credentials.is_none() && !self.text("password").is_empty() {
            self.wrong("password", "found a password without a username".to_owned());
        }
        let source = Source {
            id: id?,
            kind: kind?,
            class,
            name,
            owner: owner?,
            grid: grid?,
            place,
            mode: mode?,
            url: self.text("url").to_owned(),
            topic: self.text("topic").to_owned(),
            format: self.text("format").to_owned(),
            unit: self.text("unit").to_owned(),
            interval_s,
            tags,
        };
        Some(SourceRow { source, credentials })
    }

    fn one_of<T: Copy>(&mut self, column: &str, known: &[(&str, T)]) -> Option<T> {
        let text = self.text(column);
        let found = known.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            self.wrong(column, format!("found {text:?}, expected one of {}", names.join(", ")));
        }
        found
    }

    fn place(&mut self) -> Option<Place> {
        if self.text("lon").is_empty() && self.text("lat").is_empty() {
            return None;
        }
        let lon = self.degrees("lon", 180.0);
        let lat = self.degrees("lat", 90.0);
        Some(Place { lon: lon?, lat: lat? })
    }

    fn degrees(&mut self, column: &str, limit: f64) -> Option<f64> {
        let text = self.text(column);
        let degrees = text.parse::<f64>().ok().filter(|d| d.abs() <= limit);
        if degrees.is_none() {
            self.wrong(column, format!("found {text:?}, expected degrees from -{limit} to {limit}"));
        }
        degrees
    }

    fn interval(&mut self) -> Option<u32> {
        let text = self.text("interval_s");
        if text.is_empty() {
            return None;
        }
        let seconds = text.parse::<u32>().ok().filter(|s| (1..=604_800).contains(s));
        if seconds.is_none() {
            self.wrong("interval_s", format!("found {text:?}, expected whole seconds from 1 to 604800"));
        }
        seconds
    }

    fn tags(&mut self) -> BTreeMap<String, String> {
        let mut tags = BTreeMap::new();
        let text = self.text("tags").to_owned();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some((key, value)) if !key.trim().is_empty() => {
                    let (key, value) = (key.trim(), value.trim());
                    if key.starts_with("limits.") && value.parse::<f64>().is_err() {
                        self.wrong("tags", format!("found {part:?}, expected a number as limit"));
                    }
                    if key == "service" && value != "in" && !model::source::OUT_OF_SERVICE.contains(&value) {
                        self.wrong("tags", format!("found {part:?}, expected service=in, out or maintenance"));
                    }
                    if key == "service_until" && value.parse::<Timestamp>().is_err() {
                        self.wrong("tags", format!("found {part:?}, expected a time, as 2026-11-25T08:00:00+08:00"));
                    }
                    if tags.insert(key.to_owned(), value.to_owned()).is_some() {
                        self.wrong("tags", format!("found the key {key:?} twice"));
                    }
                }
                _ => self.wrong("tags", format!("found {part:?}, expected key=value;key=value")),
            }
        }
        tags
    }

    fn check_camera(&mut self, class: &str, tags: &BTreeMap<String, String>) {
        if PRIVATE_PLACES.contains(&class) {
            self.wrong("class", format!("found {class:?}: no camera in private places"));
        }
        if let Err(message) = camera_url(self.text("url")) {
            self.wrong("url", message);
        }
        for problem in PullTags::read(tags).problems() {
            self.wrong("tags", problem.to_string());
        }
        // A path goes with the address of the main stream.
        if let Some(Err(message)) = tags.get("sub").filter(|sub| sub.contains("://")).map(|sub| camera_url(sub)) {
            self.wrong("tags", format!("sub: {message}"));
        }
    }

    fn check_sensor(&mut self) {
        let topic = self.text("topic").to_owned();
        let levels: Vec<&str> = topic.split('/').collect();
        let bad_wildcard = levels.iter().enumerate().any(|(at, level)| {
            (level.contains('#') && (*level != "#" || at + 1 != levels.len())) || (level.contains('+') && *level != "+")
        });
        if topic.is_empty() {
            self.wrong("topic", "is empty, expected an MQTT topic".to_owned());
        } else if bad_wildcard || topic.len() > 65_535 || topic.contains('\0') {
            self.wrong("topic", format!("found {topic:?}, expected + for a whole level and # only at the end"));
        }
        let format = self.text("format").to_owned();
        let known = match format.split_once(':') {
            None => matches!(format.as_str(), "raw" | "json" | "senml"),
            Some(("raw", reading)) => !reading.is_empty(),
            Some(("map", pairs)) => {
                let mut pairs = pairs.split_whitespace().peekable();
                pairs.peek().is_some()
                    && pairs
                        .all(|p| p.split_once('=').is_some_and(|(name, at)| !name.is_empty() && at.starts_with('/')))
            }
            Some(_) => false,
        };
        if !known {
            let expected = "raw, raw:READING, json, senml or map:READING=/json/pointer ...";
            self.wrong("format", format!("found {format:?}, expected {expected}"));
        }
    }
}

/// Whether a camera can be pulled from there; what is wrong is told without a secret.
fn camera_url(url: &str) -> Result<(), String> {
    let Some(rest) = url.strip_prefix("rtsp://").or_else(|| url.strip_prefix("rtsps://")) else {
        let found = without_secret(url);
        return Err(format!("found {found:?}, expected rtsp://host[:port]/path or rtsps://"));
    };
    let host = rest.split('/').next().unwrap_or_default();
    if host.contains('@') {
        return Err("found credentials in the address, expected them in the columns username and password".to_owned());
    }
    if host.is_empty() || host.starts_with(':') || rest.chars().any(char::is_whitespace) {
        return Err(format!("found {url:?}, expected rtsp://host[:port]/path"));
    }
    Ok(())
}

/// An address as it may be shown in a message.
fn without_secret(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}...{}", &url[..scheme + 3], &url[at..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
