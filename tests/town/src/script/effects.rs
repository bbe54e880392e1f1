//! What events do, added up.

use std::collections::{BTreeMap, BTreeSet};

/// Departures from quiet times, by source id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// Added to a sensor's number, in its own unit.
    pub added: BTreeMap<&'static str, f64>,
    /// Contacts and detectors that are on: smoke, open doors.
    pub on: BTreeSet<&'static str>,
    /// Sensors that say nothing.
    pub silent: BTreeSet<&'static str>,
    /// Cameras before which something burns.
    pub burning: BTreeSet<&'static str>,
    /// Cameras with something over the lens.
    pub covered: BTreeSet<&'static str>,
    /// Cameras off the net.
    pub offline: BTreeSet<&'static str>,
}

impl Effects {
    /// Adds to a sensor's number; of two events that do so at once the stronger counts.
    pub fn add(&mut self, sensor: &'static str, amount: f64) {
        let entry = self.added.entry(sensor).or_default();
        *entry = entry.max(amount);
    }
}
