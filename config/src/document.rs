//! Reads a settings file and the environment into a typed value, or says everything that is wrong with them.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};
use toml::{Table, Value};
use toml_edit::{Document, Item};

use crate::Problem;

/// Environment variables with this prefix override the file: `GRIDWARD_HTTP__BIND` is `bind` in `[http]`.
pub const ENV_PREFIX: &str = "GRIDWARD_";

/// More problems than this are not looked for; a person mends the first ones and asks again.
const MAX_PROBLEMS: usize = 100;

/// Reads `text` (a file called `file`) under the overrides in `env` into `T`.
///
/// A value in the environment is taken as a TOML value if it is one (`true`, `30`, `["a", "b"]`), else as a string.
/// A single `_` belongs to the key; `__` separates section and key.
pub fn read<T: DeserializeOwned>(
    file: &str,
    text: &str,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<T, Vec<Problem>> {
    let document = match text.parse::<Document<String>>() {
        Ok(document) => document,
        Err(error) => {
            let line = error.span().map(|span| line_of(text, span.start));
            let message = error.message().trim().replace('\n', "; ");
            return Err(vec![Problem { origin: file.to_owned(), line, key: String::new(), message }]);
        }
    };
    let mut table: Table = match toml::from_str(text) {
        Ok(table) => table,
        Err(error) => {
            let message = error.message().to_owned();
            return Err(vec![Problem { origin: file.to_owned(), line: None, key: String::new(), message }]);
        }
    };
    let overrides = override_from(&mut table, env);
    let place = |keys: &[Key]| place_of(file, text, &document, &overrides, keys);
    let mut problems = Vec::new();
    let mut taken_out: Vec<Vec<Key>> = Vec::new();
    loop {
        match serde_path_to_error::deserialize::<_, T>(Value::Table(table.clone())) {
            Ok(value) if problems.is_empty() => return Ok(value),
            Ok(_) => break,
            Err(error) => {
                let mut message = error.inner().to_string().trim().replace('\n', " ");
                // The path is told apart from the message.
                if let Some((head, _)) = message.rsplit_once(" in `") {
                    message.truncate(head.len());
                }
                let mut keys = keys_of(error.path());
                if let Some(unknown) = field_of(&message, "unknown").map(Key::Name)
                    && keys.last() != Some(&unknown)
                {
                    keys.push(unknown);
                }
                let missing = field_of(&message, "missing").map(|name| {
                    let mut path = keys.clone();
                    path.push(Key::Name(name));
                    path
                });
                // What is missing because it was taken out below has been told already.
                if !missing.is_some_and(|path| taken_out.contains(&path)) {
                    if let Some(Value::String(found)) = value_at(&table, &keys)
                        && ![format!("{found:?}"), format!("`{found}`")].iter().any(|told| message.contains(told))
                    {
                        message.push_str(&format!(", found {found:?}"));
                    }
                    let (origin, line) = place(&keys);
                    problems.push(Problem { origin, line, key: key_text(&keys), message });
                }
                // What is wrong is taken out, so that the next round finds the next problem.
                if problems.len() >= MAX_PROBLEMS || !remove(&mut table, &keys) {
                    break;
                }
                taken_out.push(keys);
            }
        }
    }
    Err(problems)
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Name(String),
    Index(usize),
}

/// Sets every override; answers which variable set which key.
fn override_from(table: &mut Table, env: impl IntoIterator<Item = (String, String)>) -> BTreeMap<Vec<String>, String> {
    let mut set = BTreeMap::new();
    for (name, text) in env {
        let Some(rest) = name.strip_prefix(ENV_PREFIX) else { continue };
        let keys: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
        // One part alone is no key of ours but a switch of the program itself, as GRIDWARD_REQUIRE_UI.
        let [sections @ .., key] = keys.as_slice() else { continue };
        if sections.is_empty() {
            continue;
        }
        insert_at(table, sections, key, value_of(&text));
        set.insert(keys, name);
    }
    set
}

fn insert_at(table: &mut Table, sections: &[String], key: &str, value: Value) {
    let [section, deeper @ ..] = sections else {
        table.insert(key.to_owned(), value);
        return;
    };
    let entry = table.entry(section.clone()).or_insert_with(|| Value::Table(Table::new()));
    if !entry.is_table() {
        *entry = Value::Table(Table::new());
    }
    if let Value::Table(next) = entry {
        insert_at(next, deeper, key, value);
    }
}

fn value_of(text: &str) -> Value {
    let parsed: Option<Table> = toml::from_str(&format!("value = {text}")).ok();
    let value = parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn keys_of(path: &Path) -> Vec<Key> {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(Key::Index(*index)),
            Segment::Map { key } => Some(Key::Name(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// The name in "unknown field `name`" or "missing field `name`".
fn field_of(message: &str, what: &str) -> Option<String> {
    let rest = message.strip_prefix(what)?.strip_prefix(" field `")?;
    Some(rest.split_once('`')?.0.to_owned())
}

fn key_text(keys: &[Key]) -> String {
    let mut text = String::new();
    for key in keys {
        match key {
            Key::Name(name) if text.is_empty() => text.push_str(name),
            Key::Name(name) => {
                text.push('.');
                text.push_str(name);
            }
            Key::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// The line of a key as problems name it, as `routes[0].steps[1].to`; of the nearest key above it that is there.
pub fn line_of_key(text: &str, key: &str) -> Option<usize> {
    let document = text.parse::<Document<String>>().ok()?;
    let mut keys = Vec::new();
    for part in key.split('.') {
        let (name, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
        keys.push(Key::Name(name.to_owned()));
        while let Some((index, more)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            keys.push(Key::Index(index.parse().ok()?));
            rest = more;
        }
    }
    place_of("", text, &document, &BTreeMap::new(), &keys).1
}

fn place_of(
    file: &str,
    text: &str,
    document: &Document<String>,
    overrides: &BTreeMap<Vec<String>, String>,
    keys: &[Key],
) -> (String, Option<usize>) {
    let names: Vec<String> = keys
        .iter()
        .map_while(|key| match key {
            Key::Name(name) => Some(name.clone()),
            Key::Index(_) => None,
        })
        .collect();
    // A section that only the environment names is the variable's too.
    let named = overrides.get(&names).or_else(|| {
        let first = document
            .as_table()
            .get(names.first()?)
            .is_none()
            .then(|| overrides.iter().find(|(keys, _)| keys.starts_with(&names)).map(|(_, variable)| variable));
        first.flatten()
    });
    if let Some(variable) = named {
        return (format!("environment variable {variable}"), None);
    }
    let mut item: &Item = document.as_item();
    let mut start = None;
    for key in keys {
        let next = match key {
            Key::Name(name) => {
                let key_start = item
                    .as_table_like()
                    .and_then(|table| table.get_key_value(name))
                    .and_then(|(key, item)| key.span().or_else(|| item.span()))
                    .map(|span| span.start);
                start = key_start.or(start);
                item.get(name.as_str())
            }
            Key::Index(index) => {
                let next = item.get(*index);
                start = next.and_then(Item::span).map(|span| span.start).or(start);
                next
            }
        };
        match next {
            Some(next) => item = next,
            None => break,
        }
    }
    (file.to_owned(), start.map(|start| line_of(text, start)))
}

fn value_at<'a>(table: &'a Table, keys: &[Key]) -> Option<&'a Value> {
    let (first, rest) = keys.split_first()?;
    let Key::Name(name) = first else { return None };
    rest.iter().try_fold(table.get(name)?, |value, key| match key {
        Key::Name(name) => value.get(name.as_str()),
        Key::Index(index) => value.get(*index),
    })
}

/// Takes the value at `keys` out; whether there was one.
fn remove(table: &mut Table, keys: &[Key]) -> bool {
    let [parents @ .., last] = keys else { return false };
    let mut root = Value::Table(std::mem::take(table));
    let mut target = Some(&mut root);
    for key in parents {
        target = match (key, target) {
            (Key::Name(name), Some(value)) => value.get_mut(name.as_str()),
            (Key::Index(index), Some(value)) => value.get_mut(*index),
            (_, None) => None,
        };
    }
    let removed = match (last, target) {
        (Key::Name(name), Some(Value::Table(table))) => table.remove(name).is_some(),
        (Key::Index(index), Some(Value::Array(array))) if *index < array.len() => {
            array.remove(*index);
            true
        }
        _ => false,
    };
    if let Value::Table(root) = root {
        *table = root;
    }
    removed
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[derive(Debug, serde::Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        http: Http,
        #[serde(default)]
        brokers: Vec<Broker>,
    }

    #[derive(Debug, serde::Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Http {
        bind: SocketAddr,
        #[serde(default)]
        days: u32,
    }

    #[derive(Debug, serde::Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Broker {
        name: String,
        #[serde(default)]
        port: u16,
    }

    fn problems(text: &str, env: &[(&str, &str)]) -> Vec<String> {
        let env = env.iter().map(|(k, v)| (k.to_string(), v.to_string()));
        read::<Settings>("hub.toml", text, env).unwrap_err().iter().map(Problem::to_string).collect()
    }

    #[test]
    fn every_problem_is_told_with_its_line() {
        let text = "[http]\nbind = \"nowhere\"\ndays = -3\ncolour = 1\n[[brokers]]\nname = \"a\"\nport = 70000\n";
        let told = problems(text, &[]);
        assert_eq!(told.len(), 4, "{told:#?}");
        assert!(told.iter().any(|p| p.starts_with("hub.toml:2: http.bind: invalid socket address")), "{told:#?}");
        assert!(told.iter().any(|p| p.starts_with("hub.toml:3: http.days:")), "{told:#?}");
        assert!(told.iter().any(|p| p.starts_with("hub.toml:4: http.colour: unknown field `colour`")), "{told:#?}");
        assert!(told.iter().any(|p| p.starts_with("hub.toml:7: brokers[0].port:")), "{told:#?}");
    }

    #[test]
    fn a_key_that_is_found_wrong_later_has_its_line_too() {
        let text = "[http]\nbind = 1\n[[brokers]]\nname = \"a\"\n[[brokers]]\nports = [\n  1,\n  {x = 2},\n]\n";
        assert_eq!(line_of_key(text, "http.bind"), Some(2));
        assert_eq!(line_of_key(text, "brokers[1].ports[1].x"), Some(8));
        assert_eq!(line_of_key(text, "brokers[0].port"), Some(3), "its table");
        assert_eq!(line_of_key(text, "nothing"), None);
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let env = [("GRIDWARD_HTTP__DAYS", "30"), ("PATH", "/bin"), ("GRIDWARD_REQUIRE_UI", "1")];
        let env = env.iter().map(|(k, v)| (k.to_string(), v.to_string()));
        let read: Settings = read("hub.toml", "[http]\nbind = \"127.0.0.1:1\"\ndays = 1\n", env).unwrap();
        assert_eq!(read.http.days, 30);
    }

    #[test]
    fn a_bad_override_names_its_variable() {
        let told = problems("[http]\nbind = \"127.0.0.1:1\"\n", &[("GRIDWARD_HTTP__BIND", "x")]);
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0].starts_with("environment variable GRIDWARD_HTTP__BIND: http.bind"), "{told:#?}");
        assert!(told[0].ends_with("found \"x\""), "{told:#?}");
    }

    #[test]
    fn a_section_that_only_the_environment_names_is_told_as_the_variable() {
        let told = problems("[http]\nbind = \"127.0.0.1:1\"\n", &[("GRIDWARD_SHOP__OPEN", "1")]);
        assert!(told[0].starts_with("environment variable GRIDWARD_SHOP__OPEN: shop: unknown field"), "{told:#?}");
    }

    #[test]
    fn broken_toml_names_the_line() {
        let told = problems("[http]\nbind = \n", &[]);
        assert!(told[0].starts_with("hub.toml:2"), "{told:#?}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", value in "\\PC*") {
            let _ = read::<Settings>("f", &text, [("GRIDWARD_HTTP__DAYS".to_owned(), value)]);
        }
    }
}
