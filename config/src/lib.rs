//! Settings: one TOML file, overridden key by key from the environment, checked as a whole.
//!
//! Belongs here: reading, overriding, and telling every problem with its file, line, what was found and what was
//! expected. Does not belong here: what the settings mean - each part owns its `Config` type - or running anything.

mod document;
mod problem;

pub use document::{ENV_PREFIX, line_of_key, read};
pub use problem::Problem;

/// A commented settings file that runs as it is.
pub const EXAMPLE: &str = include_str!("../hub.example.toml");

/// A commented file of whom to tell, in which nobody is told anything yet.
pub const TELLING_EXAMPLE: &str = include_str!("../telling.example.toml");
