//! The simulated town.

pub mod rtsp;
pub mod scene;
