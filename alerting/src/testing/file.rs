//! A test file, from YAML.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use model::{
    Kind as SourceKind, Level, Observation, Owner, Place, Quality, RuleId, Source, SourceId, SourceState, SourceStatus,
    Timestamp,
};

use super::expect::{Expected, ExpectedAlarm, State};
use super::series::{self, Sample};
use super::{Event, Open, Test, TestFile};
use crate::handle::AlarmCommand;
use crate::load::fields::{File, Map};
use crate::problem::{Pos, Problem, Problems, shown};
use crate::ruleset::RuleSet;
use crate::yaml::{self, Kind, Node, Style};

/// The largest test file, in bytes.
const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// The most events of a test.
const MAX_EVENTS: usize = 1_000_000;
/// The longest time in a test.
const MAX_TIME: SignedDuration = SignedDuration::from_hours(24 * 400);
/// When a test begins that does not say; a Thursday.
const START: &str = "2026-01-01T00:00:00Z";
/// How far apart readings are that do not say.
const EVERY: SignedDuration = SignedDuration::from_secs(60);

pub(super) fn read(name: &str, text: &str, open: Open<'_>) -> Result<TestFile, Vec<Problem>> {
    let mut problems = Problems::new(name);
    let mut rules = RuleSet::default();
    let mut tests = Vec::new();
    let mut elsewhere = Vec::new();
    if text.len() > MAX_FILE_BYTES {
        problems.add(Pos::default(), format!("{} bytes", text.len()), format!("at most {MAX_FILE_BYTES}"));
    } else if let Some(root) = yaml::parse(text, &mut problems) {
        let mut file = File { problems: &mut problems };
        if let Some(mut map) = file.map(&root, "a mapping with `rules` and `tests`") {
            let named = file.required(&mut map, "rules").and_then(|node| file.list(node, "a list of rule files"));
            let list = file.required(&mut map, "tests").and_then(|node| file.list(node, "a list of tests"));
            file.nothing_left(map);
            match load(&mut file, named.unwrap_or_default(), open) {
                Ok(set) => rules = set,
                Err(told) => elsewhere = told,
            }
            tests = list.unwrap_or_default().iter().filter_map(|node| file.test(node, &rules)).collect();
        }
    } else if problems.is_empty() {
        problems.add(Pos { line: 1, column: 1 }, "nothing", "a mapping with `rules` and `tests`");
    }
    let mut told = problems.into_list();
    told.extend(elsewhere);
    if told.is_empty() { Ok(TestFile { name: name.to_owned(), rules, tests }) } else { Err(told) }
}

/// The rules that the file names; what is wrong in them is told beside what is wrong in the file.
fn load(file: &mut File<'_>, named: &[Node], open: Open<'_>) -> Result<RuleSet, Vec<Problem>> {
    let mut files = Vec::new();
    for node in named {
        let Some(path) = file.text(node) else { continue };
        match open(path) {
            Ok(read) => files.push(read),
            Err(why) => file.problems.add(node.at, shown(path), format!("a rule file ({why})")),
        }
    }
    Ok(RuleSet::load(&files)?.in_force())
}

impl File<'_> {
    fn test(&mut self, node: &Node, rules: &RuleSet) -> Option<Test> {
        let mut map = self.map(node, "a test with `name`, `devices`, `readings`, `expect`")?;
        let name = self.required(&mut map, "name").and_then(|node| self.text(node)).unwrap_or_default();
        let rule = map.take("rule").and_then(|node| self.rule_id(node, rules));
        let start = match map.take("start") {
            Some(node) => self.moment(node),
            None => START.parse().ok(),
        };
        let every = map.take("every").map_or(Some(EVERY), |node| self.step(node));
        let mut test = Test {
            line: node.at.line,
            name: name.to_owned(),
            rule,
            start: start.unwrap_or_default(),
            sources: Vec::new(),
            events: Vec::new(),
            expected: Vec::new(),
        };
        if let Some(devices) = self.required(&mut map, "devices").and_then(|node| self.map(node, "devices by id")) {
            for (key, node) in devices.entries() {
                test.sources.extend(self.device(&key.text, node).map(Arc::new));
            }
        }
        if let Some(devices) = map.take("readings").and_then(|node| self.map(node, "readings by device")) {
            for (key, node) in devices.entries() {
                let Some(source) = self.known(&test, &key.text, key.at) else { continue };
                let Some(readings) = self.map(node, "values by reading, as {level: 1+1x5}") else { continue };
                for (key, node) in readings.entries() {
                    self.readings(&mut test, &source, &key.text, node, every.unwrap_or(EVERY));
                }
            }
        }
        for node in map.take("states").and_then(|node| self.list(node, "a list of states")).unwrap_or_default() {
            self.state(&mut test, node);
        }
        for node in map.take("people").and_then(|node| self.list(node, "a list of what people do")).unwrap_or_default()
        {
            self.person(&mut test, node, rules);
        }
        for node in
            map.take("restart_at").and_then(|node| self.list(node, "a list of times, as [4m]")).unwrap_or_default()
        {
            if let Some(at) = self.since(node) {
                test.add(at, Event::Restart);
            }
        }
        let expected = self.required(&mut map, "expect").and_then(|node| self.list(node, "a list of expectations"));
        for node in expected.unwrap_or_default() {
            if let Some(expected) = self.expected(&test, node, rules) {
                test.add(expected.at, Event::Expect(test.expected.len()));
                test.expected.push(expected);
            }
        }
        self.nothing_left(map);
        if test.events.len() > MAX_EVENTS {
            self.problems.add(node.at, format!("{} events", test.events.len()), format!("at most {MAX_EVENTS}"));
        }
        test.events.sort_by_key(|(at, event)| (*at, event.rank()));
        Some(test)
    }

    fn device(&mut self, id: &str, node: &Node) -> Option<Source> {
        let mut map = self.map(node, "a device, as {class: smoke}")?;
        let mut source = Source::new(id, SourceKind::Sensor, Owner::Governance, "g1");
        let text = |file: &mut Self, key: &'static str, map: &mut Map<'_>| {
            map.take(key).and_then(|node| file.text(node)).map(str::to_owned)
        };
        if let Some(node) = map.take("kind") {
            let kinds = [("camera", SourceKind::Camera), ("sensor", SourceKind::Sensor)];
            source.kind = self.one_of(node, kinds).unwrap_or(source.kind);
        }
        if let Some(node) = map.take("owner") {
            let owners = Owner::ALL.iter().map(|owner| (owner.as_str(), *owner));
            source.owner = self.one_of(node, owners).unwrap_or(source.owner);
        }
        source.class = text(self, "class", &mut map).unwrap_or_default();
        source.name = text(self, "name", &mut map).unwrap_or_else(|| id.to_owned());
        source.unit = text(self, "unit", &mut map).unwrap_or_default();
        if let Some(grid) = text(self, "grid", &mut map) {
            source.grid = grid.as_str().into();
        }
        if let Some(node) = map.take("interval") {
            source.interval_s = self.step(node).and_then(|time| u32::try_from(time.as_secs()).ok());
        }
        if let Some(node) = map.take("place") {
            source.place = self.place(node);
        }
        let mut tags = BTreeMap::new();
        for (key, prefix) in [("tags", ""), ("limits", "limits.")] {
            let Some(map) = map.take(key).and_then(|node| self.map(node, "values by name")) else { continue };
            for (key, node) in map.entries() {
                let Some(value) = self.text(node) else { continue };
                if !prefix.is_empty() && value.parse::<f64>().is_err() {
                    self.problems.add(node.at, shown(value), "a number");
                }
                tags.insert(format!("{prefix}{}", key.text), value.to_owned());
            }
        }
        source.tags = tags;
        self.nothing_left(map);
        Some(source)
    }

    fn place(&mut self, node: &Node) -> Option<Place> {
        let numbers: Vec<f64> = match &node.kind {
            Kind::List(items) => items.iter().filter_map(|item| self.text(item)?.parse().ok()).collect(),
            _ => Vec::new(),
        };
        match numbers.as_slice() {
            [lon, lat] if lon.abs() <= 180.0 && lat.abs() <= 90.0 => Some(Place { lon: *lon, lat: *lat }),
            _ => {
                self.problems.add(node.at, node.shown(), "[longitude, latitude] in degrees");
                None
            }
        }
    }

    /// `1+1x5`, a list of values, or a mapping with `values` and perhaps `every` and `from`.
    fn readings(&mut self, test: &mut Test, source: &SourceId, reading: &str, node: &Node, every: SignedDuration) {
        let (mut every, mut from, mut values) = (every, SignedDuration::ZERO, node);
        if let Kind::Map(_) = node.kind {
            let Some(mut map) = self.map(node, "values") else { return };
            if let Some(node) = map.take("every") {
                every = self.step(node).unwrap_or(every);
            }
            if let Some(node) = map.take("from") {
                from = self.since(node).unwrap_or(from);
            }
            let Some(found) = self.required(&mut map, "values") else { return };
            values = found;
            self.nothing_left(map);
        }
        let mut step = 0i32;
        let mut add = |test: &mut Test, file: &mut Self, sample: Sample, more: &More| {
            let at = every.checked_mul(step).and_then(|time| time.checked_add(from));
            step = step.saturating_add(1);
            let Some((value, quality)) = sample else { return };
            let Some(at) = at.filter(|at| *at <= MAX_TIME) else {
                file.problems.add(values.at, "readings of more than 400 days", "fewer");
                return;
            };
            let received_at = test.moment(at);
            let phenomenon_time = received_at.checked_sub(more.late).unwrap_or(received_at);
            let observation = Observation {
                source: source.clone(),
                reading: reading.into(),
                value,
                quality,
                phenomenon_time,
                received_at,
                retained: more.retained,
            };
            test.add(at, Event::Reading(observation));
        };
        match &values.kind {
            Kind::Scalar(scalar) => {
                let samples = series::parse(&scalar.text, values.at, self.problems).unwrap_or_default();
                samples.into_iter().for_each(|sample| add(test, self, sample, &More::default()));
            }
            Kind::List(items) => {
                for item in items {
                    let Some((sample, more)) = self.sample(item) else { continue };
                    add(test, self, sample, &more);
                }
            }
            Kind::Map(_) => self.problems.add(values.at, "a mapping", "values, as 1+1x5 or [1, 2]"),
        }
    }

    /// One item of a list of values.
    fn sample(&mut self, node: &Node) -> Option<(Sample, More)> {
        match &node.kind {
            Kind::Scalar(scalar) if scalar.style == Style::Plain && scalar.text == "_" => Some((None, More::default())),
            Kind::Scalar(scalar) => {
                let value = match scalar.style {
                    Style::Plain => series::value_of(&scalar.text),
                    Style::Quoted | Style::Block => model::Value::Text(scalar.text.clone()),
                };
                Some((Some((value, Quality::Good)), More::default()))
            }
            _ => {
                let mut map = self.map(node, "a value")?;
                let value = self.required(&mut map, "value").and_then(|node| self.sample(node));
                let qualities = [("good", Quality::Good), ("uncertain", Quality::Uncertain), ("bad", Quality::Bad)];
                let quality = map.take("quality").and_then(|node| self.one_of(node, qualities));
                let late = map.take("late").and_then(|node| self.since(node)).unwrap_or_default();
                let retained =
                    map.take("retained").and_then(|node| self.one_of(node, [("true", true), ("false", false)]));
                self.nothing_left(map);
                let ((value, _), _) = value.and_then(|(sample, more)| Some((sample?, more)))?;
                let more = More { late, retained: retained.unwrap_or(false) };
                Some((Some((value, quality.unwrap_or_default())), more))
            }
        }
    }

    fn state(&mut self, test: &mut Test, node: &Node) {
        let Some(mut map) = self.map(node, "a state, as {at: 5m, device: gauge-1, state: offline}") else { return };
        let at = self.required(&mut map, "at").and_then(|node| self.since(node));
        let source = self.required(&mut map, "device").and_then(|node| self.device_of(test, node));
        let states = SourceState::ALL.iter().map(|state| (state.as_str(), *state));
        let state = self.required(&mut map, "state").and_then(|node| self.one_of(node, states));
        let reason = map.take("reason").and_then(|node| self.text(node)).map(str::to_owned);
        self.nothing_left(map);
        let (Some(at), Some(source), Some(state)) = (at, source, state) else { return };
        let kind = test.sources.iter().find(|known| known.id == source).map_or(SourceKind::Sensor, |known| known.kind);
        let since = test.moment(at);
        let (profile, detail, last_data_at, stream) = (None, None, None, None);
        let status = SourceStatus { source, kind, profile, state, since, reason, detail, last_data_at, stream };
        test.add(at, Event::State(status));
    }

    fn person(&mut self, test: &mut Test, node: &Node, rules: &RuleSet) {
        let expected = "what a person does, as {at: 5m, device: gauge-1, do: acknowledge}";
        let Some(mut map) = self.map(node, expected) else { return };
        let at = self.required(&mut map, "at").and_then(|node| self.since(node));
        let device = self.required(&mut map, "device").and_then(|node| self.device_of(test, node));
        let rule = map.take("rule").and_then(|node| self.rule_id(node, rules));
        let words = ["acknowledge", "shelve", "unshelve"];
        let what = self.required(&mut map, "do").and_then(|node| self.one_of(node, words.map(|word| (word, word))));
        let long = map.take("for").and_then(|node| self.since(node)).unwrap_or(SignedDuration::from_hours(1));
        self.nothing_left(map);
        let (Some(at), Some(device), Some(what)) = (at, device, what) else { return };
        let by = model::UserId::from("tester");
        let command = match what {
            "acknowledge" => AlarmCommand::Acknowledge { by },
            "unshelve" => AlarmCommand::Unshelve { by },
            _ => AlarmCommand::Shelve { by, until: test.moment(at + long), reason: "a test".to_owned() },
        };
        test.add(at, Event::Person { device, rule, command, line: node.at.line });
    }

    fn expected(&mut self, test: &Test, node: &Node, rules: &RuleSet) -> Option<Expected> {
        let mut map = self.map(node, "an expectation, as {at: 3m, alarms: []}")?;
        let at = self.required(&mut map, "at").and_then(|node| self.since(node));
        let list = map.take("alarms").map(|node| self.list(node, "a list of alarms"));
        let raised = map.take("raised").map(|node| {
            let count = self.text(node).and_then(|text| text.parse::<usize>().ok());
            if count.is_none() {
                self.problems.add(node.at, node.shown(), "how many alarms were raised until then");
            }
            count
        });
        if list.is_none() && raised.is_none() {
            self.problems.add(node.at, "neither `alarms` nor `raised`", "one of them");
        }
        self.nothing_left(map);
        let alarms = list.map(|items| {
            let found: Vec<Option<ExpectedAlarm>> =
                items.unwrap_or_default().iter().map(|item| self.expected_alarm(test, item, rules)).collect();
            found.into_iter().flatten().collect()
        });
        Some(Expected { line: node.at.line, at: at?, alarms, raised: raised.flatten() })
    }

    fn expected_alarm(&mut self, test: &Test, node: &Node, rules: &RuleSet) -> Option<ExpectedAlarm> {
        let mut map = self.map(node, "an alarm, as {device: gauge-1, level: blue}")?;
        let device = self.required(&mut map, "device").and_then(|node| self.device_of(test, node));
        let rule = map.take("rule").and_then(|node| self.rule_id(node, rules));
        let levels = Level::ALL.iter().map(|level| (level.as_str(), *level));
        let level = map.take("level").and_then(|node| self.one_of(node, levels));
        let state = map.take("state").and_then(|node| self.one_of(node, State::ALL));
        self.nothing_left(map);
        Some(ExpectedAlarm { device: device?, rule, level, state })
    }

    fn rule_id(&mut self, node: &Node, rules: &RuleSet) -> Option<RuleId> {
        let id = RuleId::from(self.text(node)?);
        if rules.find(&id).is_none() {
            self.problems.add(node.at, shown(id.as_str()), "a rule of the files under `rules`");
        }
        Some(id)
    }

    fn device_of(&mut self, test: &Test, node: &Node) -> Option<SourceId> {
        let text = self.text(node)?;
        self.known(test, text, node.at)
    }

    fn known(&mut self, test: &Test, id: &str, at: Pos) -> Option<SourceId> {
        let found = test.sources.iter().find(|source| source.id.as_str() == id).map(|source| source.id.clone());
        if found.is_none() {
            self.problems.add(at, shown(id), "a device of the test");
        }
        found
    }

    /// A time since the start: `0s`, `5m30s`.
    fn since(&mut self, node: &Node) -> Option<SignedDuration> {
        let text = self.text(node)?;
        let time = time_of(text).filter(|time| *time <= MAX_TIME);
        if time.is_none() {
            self.problems.add(node.at, shown(text), "a time, as 0s, 5m30s, 1d");
        }
        time
    }

    /// A time that is not none.
    fn step(&mut self, node: &Node) -> Option<SignedDuration> {
        let time = self.since(node)?;
        if time.is_zero() {
            self.problems.add(node.at, node.shown(), "a time of at least 1s");
            return None;
        }
        Some(time)
    }

    fn moment(&mut self, node: &Node) -> Option<Timestamp> {
        let text = self.text(node)?;
        let at = text.parse::<Timestamp>().ok();
        if at.is_none() {
            self.problems.add(node.at, shown(text), "a time with its zone, as 2026-07-01T08:00:00+08:00");
        }
        at
    }
}

/// What a list may say of a reading beside its value.
#[derive(Default)]
struct More {
    late: SignedDuration,
    retained: bool,
}

impl Test {
    fn moment(&self, since: SignedDuration) -> Timestamp {
        self.start.checked_add(since).unwrap_or(self.start)
    }

    fn add(&mut self, since: SignedDuration, event: Event) {
        self.events.push((self.moment(since), event));
    }
}

/// One or more of `1d`, `2h`, `5m`, `30s`, one after another.
fn time_of(text: &str) -> Option<SignedDuration> {
    let mut total = SignedDuration::ZERO;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_ascii_alphabetic())? + 1;
        let part = crate::load::fields::duration_of(rest.get(..end)?)?;
        total = total.checked_add(part)?;
        rest = &rest[end..];
    }
    Some(total)
}
