//! The simulated town: a map, cameras that speak RTSP, sensors that speak MQTT, and a script of events.
//!
//! `map` makes the ground and `registry` puts sources on it; `scene` draws what cameras see and `rtsp` sends it;
//! `sensors` measure and report; `script` says what happens when, `director` what it comes to with what people ask
//! for, `wave` what many cameras do at once, `stage` tells the farm; `control` is the address where they ask. All of it is fictional.

pub mod control;
pub mod director;
pub mod limits;
pub mod map;
pub mod program;
pub mod registry;
pub mod rtsp;
pub mod scene;
pub mod script;
pub mod sensors;
pub mod stage;
mod town;
pub mod wave;

pub use town::{Town, TownConfig, write};
