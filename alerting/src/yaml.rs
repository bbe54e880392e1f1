//! YAML as a tree that knows where each piece stands.
//!
//! Built from the parser's events, not with a loader: aliases are refused (they make small files big), depth is bounded, and
//! duplicate keys are told. Rules need no YAML feature beyond mappings, sequences and scalars.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::problem::{Pos, Problems, shown};

/// The deepest nesting of a rule file that has a meaning is 6; more than this is a mistake or an attack.
const MAX_DEPTH: usize = 24;

/// The most items of a list: a set has at most so many rules.
const MOST_ITEMS: usize = 10_000;

/// A piece of a file.
#[derive(Debug)]
pub(crate) struct Node {
    pub at: Pos,
    pub kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Scalar(Scalar),
    Map(Vec<(Key, Node)>),
    List(Vec<Node>),
}

#[derive(Debug)]
pub(crate) struct Scalar {
    pub text: String,
    pub style: Style,
}

/// How a scalar is written; tells where its first character stands and whether `true` or `3` is a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Quoted,
    Block,
}

#[derive(Debug)]
pub(crate) struct Key {
    pub at: Pos,
    pub text: String,
}

impl Node {
    /// What stands here, in a few words.
    pub fn shown(&self) -> String {
        match &self.kind {
            Kind::Scalar(s) if s.text.is_empty() => "nothing".to_owned(),
            Kind::Scalar(s) => shown(&s.text),
            Kind::Map(_) => "a mapping".to_owned(),
            Kind::List(_) => "a list".to_owned(),
        }
    }
}

/// What is being built while events arrive.
enum Open {
    Map { at: Pos, entries: Vec<(Key, Node)>, key: Option<Key> },
    List { at: Pos, items: Vec<Node> },
}

/// Reads one document. None when it is empty or so broken that nothing can be said about the rest (a problem is told).
pub(crate) fn parse(text: &str, problems: &mut Problems) -> Option<Node> {
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    let mut parser = Parser::new_from_str(text);
    let mut documents = 0;
    loop {
        let (event, span) = match parser.next_event()? {
            Ok(pair) => pair,
            Err(error) => {
                let mark = error.marker();
                let at = Pos { line: mark.line(), column: mark.col() + 1 };
                problems.add(at, format!("broken YAML ({})", error.info()), "valid YAML");
                return None;
            }
        };
        let at = pos(span);
        if let Some(what) = unwanted(&event) {
            problems.add(at, what, "plain mappings, lists and scalars");
            return None;
        }
        let done = match event {
            Event::Nothing | Event::StreamStart | Event::DocumentEnd => continue,
            Event::StreamEnd => return root,
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    problems.add(at, "a second document", "one document a file");
                    return root;
                }
                continue;
            }
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                if open.len() >= MAX_DEPTH {
                    problems.add(at, format!("nesting deeper than {MAX_DEPTH}"), "a rule file");
                    return None;
                }
                open.push(match event {
                    Event::MappingStart(..) => Open::Map { at, entries: Vec::new(), key: None },
                    _ => Open::List { at, items: Vec::new() },
                });
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => match open.pop() {
                Some(Open::Map { at, entries, .. }) => Node { at, kind: Kind::Map(entries) },
                Some(Open::List { at, items }) => Node { at, kind: Kind::List(items) },
                None => return None,
            },
            Event::Scalar(value, style, ..) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                Node { at, kind: Kind::Scalar(Scalar { text: value.into_owned(), style }) }
            }
            Event::Alias(_) => return None,
        };
        match open.last_mut() {
            None => root = Some(done),
            Some(Open::List { items, .. }) => {
                if items.len() == MOST_ITEMS {
                    problems.add(done.at, format!("more than {MOST_ITEMS} items in one list"), "fewer");
                    return None;
                }
                items.push(done);
            }
            Some(Open::Map { entries, key, .. }) => match key.take() {
                Some(key) => add_entry(entries, key, done, problems),
                None => match done.kind {
                    Kind::Scalar(scalar) => *key = Some(Key { at: done.at, text: scalar.text }),
                    _ => {
                        problems.add(done.at, done.shown(), "a key that is a word");
                        return None;
                    }
                },
            },
        }
    }
}

fn add_entry(entries: &mut Vec<(Key, Node)>, key: Key, value: Node, problems: &mut Problems) {
    // Mappings of rule files have some twenty keys; beyond that a linear look-up per key would be quadratic.
    const MOST_KEYS: usize = 1_000;
    if entries.len() >= MOST_KEYS {
        if entries.len() == MOST_KEYS {
            problems.add(key.at, format!("more than {MOST_KEYS} keys in one mapping"), "fewer");
            entries.push((key, value));
        }
        return;
    }
    if let Some((first, _)) = entries.iter().find(|(k, _)| k.text == key.text) {
        problems.add(
            key.at,
            format!("{} a second time", shown(&key.text)),
            format!("it once (line {})", first.at.line),
        );
        return;
    }
    entries.push((key, value));
}

fn pos(span: Span) -> Pos {
    Pos { line: span.start.line(), column: span.start.col() + 1 }
}

/// The YAML features that a rule file must not use.
fn unwanted(event: &Event<'_>) -> Option<&'static str> {
    match event {
        Event::Alias(_) => Some("an alias (`*name`)"),
        Event::Scalar(_, _, anchor, tag) => anchored(*anchor, tag.is_some()),
        Event::MappingStart(anchor, tag) | Event::SequenceStart(anchor, tag) => anchored(*anchor, tag.is_some()),
        _ => None,
    }
}

fn anchored(anchor: usize, tagged: bool) -> Option<&'static str> {
    match (anchor, tagged) {
        (0, false) => None,
        (0, true) => Some("a tag (`!name`)"),
        _ => Some("an anchor (`&name`)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(text: &str) -> Vec<String> {
        let mut problems = Problems::new("f");
        parse(text, &mut problems);
        problems.into_list().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_piece_knows_its_place() {
        let mut problems = Problems::new("f");
        let node = parse("a: 1\nb:\n  - x\n  - \"y\"\n", &mut problems).unwrap();
        let Kind::Map(entries) = &node.kind else { panic!() };
        assert_eq!(entries[1].0.at, Pos { line: 2, column: 1 });
        let Kind::List(items) = &entries[1].1.kind else { panic!() };
        assert_eq!(items[1].at, Pos { line: 4, column: 5 });
        assert_eq!(problems.into_list(), []);
    }

    #[test]
    fn what_makes_small_files_big_is_refused() {
        assert!(problems_of("a: &x [1]\nb: *x\n")[0].starts_with("f:1:"));
        assert!(problems_of("a: !!binary x\n")[0].contains("a tag"));
        assert!(problems_of("a: 1\nb: 2\na: 3\n")[0].starts_with("f:3:1: found `a` a second time"));
        assert!(problems_of(&"[".repeat(40))[0].contains("nesting deeper than 24"));
        assert!(problems_of("a: 1\n---\nb: 2\n")[0].contains("a second document"));
        assert!(problems_of("a: [1\n")[0].contains("broken YAML"));
    }
}
