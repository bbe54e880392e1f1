//! One thing wrong with the settings, told so that it can be mended without the source code.

use std::fmt;

/// One thing wrong in a settings file or in the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file's name, or the environment variable's.
    pub origin: String,
    /// The line in the file, from 1; none for the environment or for what is missing everywhere.
    pub line: Option<usize>,
    /// Which key, as `mqtt.brokers[0].url`; empty when the file as a whole is meant.
    pub key: String,
    /// What is wrong: found and expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)
    }
}
