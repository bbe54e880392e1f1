//! What is wrong in a rule file, where, and what was expected instead.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// The most problems told about one file; a broken file would otherwise repeat itself thousands of times.
pub const MAX_PROBLEMS_PER_FILE: usize = 100;

/// One thing wrong in a rule file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Problem {
    /// The file, as it was named to the loader.
    pub file: String,
    /// Line, from 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// Column in characters, from 1; 0 when the line as a whole is meant.
    pub column: usize,
    /// What stands there.
    pub found: String,
    /// What should.
    pub expected: String,
    /// What kind of problem, as `no-owner`; `file` for most. docs/trying-rules.md tells cause and cure.
    pub code: &'static str,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, found, expected, .. } = self;
        write!(f, "{file}:{line}:{column}: found {found}, expected {expected}")
    }
}

/// A place in a file: line and column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub(crate) struct Pos {
    pub line: usize,
    pub column: usize,
}

/// Collects the problems of one file.
#[derive(Debug)]
pub(crate) struct Problems {
    file: Arc<str>,
    list: Vec<Problem>,
}

impl Problems {
    pub fn new(file: &str) -> Self {
        Self { file: file.into(), list: Vec::new() }
    }

    pub fn add(&mut self, at: Pos, found: impl Into<String>, expected: impl Into<String>) {
        self.add_as("file", at, found, expected);
    }

    /// As [`Problems::add`], for a problem that has a code of its own.
    pub fn add_as(&mut self, code: &'static str, at: Pos, found: impl Into<String>, expected: impl Into<String>) {
        if self.list.len() >= MAX_PROBLEMS_PER_FILE {
            return;
        }
        let (mut found, expected) = (found.into(), expected.into());
        if self.list.len() + 1 == MAX_PROBLEMS_PER_FILE {
            found.push_str(" (and more problems after this one)");
        }
        let problem = Problem { file: self.file.to_string(), line: at.line, column: at.column, found, expected, code };
        self.list.push(problem);
    }

    /// Whether nothing more will be told: what follows need not be read.
    pub fn is_full(&self) -> bool {
        self.list.len() >= MAX_PROBLEMS_PER_FILE
    }

    pub fn file(&self) -> &Arc<str> {
        &self.file
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// In the order of the file.
    pub fn into_list(mut self) -> Vec<Problem> {
        self.list.sort_by_key(|problem| (problem.line, problem.column));
        self.list
    }
}

/// A text from a file as it may be shown: short, on one line.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    let mut short: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST).is_some() {
        short.push_str("...");
    }
    format!("`{short}`")
}
