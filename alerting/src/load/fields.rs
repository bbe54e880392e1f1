//! The pieces that every part of a rule file is made of.

use jiff::SignedDuration;
use jiff::civil::Date;
use model::Unit;
use model::alarm::Title;

use crate::expr::{Condition, Names};
use crate::problem::{Pos, Problems, shown};
use crate::yaml::{self, Kind, Node, Style};

/// A file under reading. Each method answers `None` when it has told a problem.
pub(crate) struct File<'p> {
    pub problems: &'p mut Problems,
}

/// A mapping whose keys are taken out one after another; what is left is unknown.
pub(crate) struct Map<'n> {
    pub at: Pos,
    entries: Vec<(&'n yaml::Key, &'n Node)>,
    known: Vec<&'static str>,
}

impl<'n> Map<'n> {
    pub fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        self.known.push(key);
        let at = self.entries.iter().position(|(k, _)| k.text == key)?;
        Some(self.entries.swap_remove(at).1)
    }

    /// Whether a key is there, not yet taken out.
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(k, _)| k.text == key)
    }

    pub fn entries(&self) -> impl Iterator<Item = &(&'n yaml::Key, &'n Node)> {
        self.entries.iter()
    }
}

impl File<'_> {
    pub fn map<'n>(&mut self, node: &'n Node, expected: &str) -> Option<Map<'n>> {
        match &node.kind {
            Kind::Map(entries) => {
                let entries = entries.iter().map(|(key, node)| (key, node)).collect();
                Some(Map { at: node.at, entries, known: Vec::new() })
            }
            _ => {
                self.problems.add(node.at, node.shown(), expected);
                None
            }
        }
    }

    pub fn list<'n>(&mut self, node: &'n Node, expected: &str) -> Option<&'n [Node]> {
        match &node.kind {
            Kind::List(items) => Some(items),
            _ => {
                self.problems.add(node.at, node.shown(), expected);
                None
            }
        }
    }

    pub fn text<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        match &node.kind {
            Kind::Scalar(scalar) if !scalar.text.trim().is_empty() => Some(scalar.text.trim()),
            _ => {
                self.problems.add(node.at, node.shown(), "a text");
                None
            }
        }
    }

    pub fn required<'n>(&mut self, map: &mut Map<'n>, key: &'static str) -> Option<&'n Node> {
        let found = map.take(key);
        if found.is_none() {
            let code = match key {
                "owner" => "no-owner",
                "action" => "no-action",
                _ => "file",
            };
            self.problems.add_as(code, map.at, format!("no `{key}`"), format!("`{key}: ...`"));
        }
        found
    }

    /// One of a closed set of words.
    pub fn one_of<'k, T>(&mut self, node: &Node, known: impl IntoIterator<Item = (&'k str, T)>) -> Option<T> {
        let text = self.text(node)?;
        let mut names = Vec::new();
        for (name, value) in known {
            if name == text {
                return Some(value);
            }
            names.push(name);
        }
        self.problems.add(node.at, shown(text), format!("one of {}", names.join(", ")));
        None
    }

    /// A text in the two languages of the console.
    pub fn title(&mut self, node: &Node) -> Option<Title> {
        let mut map = self.map(node, "a text in two languages: {zh: ..., en: ...}")?;
        let zh = self.required(&mut map, "zh").and_then(|node| self.text(node));
        let en = self.required(&mut map, "en").and_then(|node| self.text(node));
        self.nothing_left(map);
        Some(Title { zh: zh?.to_owned(), en: en?.to_owned() })
    }

    pub fn condition(&mut self, node: &Node, names: Names) -> Option<Condition> {
        self.condition_in(node, names, None)
    }

    /// A condition whose numbers are in a unit.
    pub fn condition_in(&mut self, node: &Node, names: Names, unit: Option<&'static Unit>) -> Option<Condition> {
        let Kind::Scalar(scalar) = &node.kind else {
            self.problems.add(node.at, node.shown(), "a condition, as x >= 3");
            return None;
        };
        let faults = match Condition::compile_in(&scalar.text, names, unit) {
            Ok(condition) => return Some(condition),
            Err(faults) => faults,
        };
        for fault in faults {
            // A block's text begins on the line after its mark, and its indent is not known here.
            let at = match (scalar.style, fault.column) {
                (Style::Block, _) => Pos { line: node.at.line + fault.line, column: 0 },
                (_, 0) => node.at,
                (Style::Quoted, column) => Pos { line: node.at.line + fault.line - 1, column: node.at.column + column },
                (Style::Plain, column) => {
                    Pos { line: node.at.line + fault.line - 1, column: node.at.column + column - 1 }
                }
            };
            self.problems.add(at, fault.found, fault.expected);
        }
        None
    }

    /// A day.
    pub fn date(&mut self, node: &Node) -> Option<Date> {
        let text = self.text(node)?;
        let date = text.parse::<Date>().ok();
        if date.is_none() {
            self.problems.add(node.at, shown(text), "a date, as 2027-05-01");
        }
        date
    }

    /// A time; none given is none waited.
    pub fn duration(&mut self, node: Option<&Node>) -> Option<SignedDuration> {
        let Some(node) = node else { return Some(SignedDuration::ZERO) };
        let text = self.text(node)?;
        let time = duration_of(text);
        if time.is_none() {
            self.problems.add(node.at, shown(text), "a time of at most 366d, as 30s, 5m, 2h or 1d");
        }
        time
    }

    pub fn nothing_left(&mut self, map: Map<'_>) {
        for (key, _) in map.entries {
            let expected = format!("one of {}", map.known.join(", "));
            self.problems.add(key.at, format!("the unknown key {}", shown(&key.text)), expected);
        }
    }
}

/// `30s`, `5m`, `2h`, `1d`.
pub(crate) fn duration_of(text: &str) -> Option<SignedDuration> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit_s = match &text[split..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let seconds = i64::from(text[..split].parse::<u32>().ok()?) * unit_s;
    (seconds <= 366 * 86_400).then(|| SignedDuration::from_secs(seconds))
}
