//! The sensors: what they measure, how they write it, and how it gets to a broker.

mod fleet;
pub mod load;
mod payload;
mod value;

pub use fleet::{Fleet, FleetConfig, LinkState};
pub use payload::{GARBAGE, encode};
pub use value::{Conditions, value};
