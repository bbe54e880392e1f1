//! The simulated town.
