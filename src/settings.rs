//! The hub's settings: the parts' own, under one section each.

use std::fmt;
use std::path::{Path, PathBuf};

use alerting::RuleSet;
use serde::{Deserialize, Serialize};

/// `hub.toml` as a whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `[storage]`.
    pub storage: storage::Config,
    /// `[http]`.
    pub http: dashboard::Config,
    /// `[mqtt]`.
    pub mqtt: ingest::mqtt::MqttConfig,
    /// `[rtsp]`.
    pub rtsp: ingest::rtsp::RtspConfig,
    /// `[video]`.
    pub video: video::Config,
    /// `[alerting]`.
    pub alerting: alerting::Config,
    /// `[desk]`.
    pub desk: command::Config,
    /// `[shifts]`.
    pub shifts: alerting::kpi::ShiftConfig,
    /// `[town]`.
    pub town: Town,
    /// `[notify]`.
    pub notify: notify::Config,
}

/// What the town looks like.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Town {
    /// The base map, a GeoJSON file.
    pub map: Option<PathBuf>,
}

/// The configuration has problems, which are told.
#[derive(Debug)]
pub struct BadConfig(Vec<config::Problem>);

impl fmt::Display for BadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "{count} problem{} in the configuration", if count == 1 { "" } else { "s" })?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for BadConfig {}

/// The folder in the rules' folder for rules written in the console; one file a rule.
pub const CONSOLE_RULES: &str = "console";

/// Name and text of every rule file of the folder, those of the folder `console` in it included; in the order of names.
pub fn rule_files(dir: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let problem = |origin: String, message: String| config::Problem { origin, line: None, key: String::new(), message };
    let unreadable = |path: &Path, error: &std::io::Error| {
        BadConfig(vec![problem(path.display().to_string(), format!("the rules cannot be read: {error}"))])
    };
    let mut paths = Vec::new();
    let written = dir.join(CONSOLE_RULES);
    for dir in [Some(dir), written.is_dir().then_some(written.as_path())].into_iter().flatten() {
        for entry in std::fs::read_dir(dir).map_err(|error| unreadable(dir, &error))? {
            let path = entry.map_err(|error| unreadable(dir, &error))?.path();
            if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let read = |path: &PathBuf| match std::fs::read_to_string(path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(error) => Err(unreadable(path, &error)),
    };
    Ok(paths.iter().map(read).collect::<Result<Vec<_>, _>>()?)
}

/// Reads all rules of the folder; either all are good, or everything wrong is told.
pub fn rules(dir: &Path) -> anyhow::Result<RuleSet> {
    compile(&rule_files(dir)?)
}

/// As [`rules`], of files that are read.
pub fn compile(files: &[(String, String)]) -> anyhow::Result<RuleSet> {
    let told = |problem: alerting::Problem| config::Problem {
        origin: problem.file,
        line: (problem.line > 0).then_some(problem.line),
        key: String::new(),
        message: format!("found {}, expected {}", problem.found, problem.expected),
    };
    Ok(RuleSet::load(files).map_err(|problems| BadConfig(problems.into_iter().map(told).collect()))?)
}

/// Reads whom to tell; nobody when no file is named.
pub fn telling(config: &notify::Config) -> anyhow::Result<notify::Telling> {
    let Some(path) = &config.file else { return Ok(notify::Telling::default()) };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot be read: {error}; it is named in [notify] file");
        BadConfig(vec![config::Problem { origin: name.clone(), line: None, key: String::new(), message }])
    })?;
    let mut telling: notify::Telling = config::read(&name, &text, []).map_err(BadConfig)?;
    telling.relative_to(path.parent().unwrap_or(Path::new(".")));
    let mut found = telling.problems();
    for (key, secret) in telling.secrets() {
        found.extend(secret.read().err().map(|error| notify::Problem::new(key, error, "a secret that can be read")));
    }
    if found.is_empty() {
        return Ok(telling);
    }
    let told = found.into_iter().map(|problem| config::Problem {
        origin: name.clone(),
        line: config::line_of_key(&text, &problem.key),
        message: format!("found {}, expected {}", problem.found, problem.expected),
        key: problem.key,
    });
    Err(BadConfig(told.collect()).into())
}

/// Reads the file under the environment's overrides; relative paths in it are relative to it.
pub fn read(path: &Path) -> anyhow::Result<Settings> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot be read: {error} (`gridward init DIR` makes one)");
        BadConfig(vec![config::Problem { origin: name.clone(), line: None, key: String::new(), message }])
    })?;
    let mut settings: Settings = config::read(&name, &text, std::env::vars()).map_err(BadConfig)?;
    let problem = |key: String, found: &str, expected: &str| config::Problem {
        origin: name.clone(),
        line: None,
        message: format!("found {found}, expected {expected}"),
        key,
    };
    let links = settings.mqtt.problems().into_iter().chain(settings.rtsp.problems());
    let mut found: Vec<_> = links.map(|p| problem(p.key, &p.found, p.expected)).collect();
    found.extend(settings.video.problems().into_iter().map(|p| problem(p.key, &p.found, p.expected)));
    found.extend(settings.notify.problems().into_iter().map(|p| problem(p.key, &p.found, &p.expected)));
    let shifts = settings.shifts.shifts().err().unwrap_or_default();
    found.extend(shifts.into_iter().map(|p| problem(p.key, &p.found, p.expected)));
    if !found.is_empty() {
        return Err(BadConfig(found).into());
    }
    let base = path.parent().unwrap_or(Path::new("."));
    settings.storage.data_dir = base.join(&settings.storage.data_dir);
    settings.alerting.rules_dir = base.join(&settings.alerting.rules_dir);
    settings.town.map = settings.town.map.map(|map| base.join(map));
    settings.notify.file = settings.notify.file.map(|file| base.join(file));
    if let Some(file) = &mut settings.mqtt.embedded_broker.users_file {
        *file = base.join(&*file);
    }
    for broker in &mut settings.mqtt.brokers {
        let files = [&mut broker.password_file, &mut broker.ca_file, &mut broker.client_cert_file];
        for file in files.into_iter().chain([&mut broker.client_key_file]).flatten() {
            *file = base.join(&*file);
        }
    }
    Ok(settings)
}
