//! The six events: when they begin in a cycle, how long they take, what they do.

use serde::{Deserialize, Serialize};

use super::Effects;
use super::curve::along;

/// Something that happens in the town.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The river rises through blue and yellow to orange and falls, under heavy rain.
    Flood,
    /// Smoke and heat in the freight yard: one fire.
    Fire,
    /// Something hangs over the lens of a camera in the park.
    Cover,
    /// The pump house's door stands open.
    Door,
    /// A gauge falls silent.
    Silence,
    /// A camera drops off the net and returns.
    Dropout,
}

/// Metres the river rises, by seconds since the flood began.
const RISE_M: [(f64, f64); 6] = [(0.0, 0.0), (12.0, 0.45), (34.0, 0.95), (58.0, 1.45), (84.0, 1.5), (125.0, 0.0)];
/// The share of full rain.
const RAIN: [(f64, f64); 4] = [(0.0, 0.0), (4.0, 1.0), (96.0, 1.0), (118.0, 0.0)];
/// Kelvin above the usual under the burning shed's roof.
const HEAT_K: [(f64, f64); 6] = [(0.0, 0.0), (5.0, 4.0), (16.0, 38.0), (34.0, 54.0), (58.0, 40.0), (80.0, 0.0)];

impl Event {
    /// All events, in the order in which they begin.
    pub const ALL: [Event; 6] = [Event::Flood, Event::Fire, Event::Cover, Event::Door, Event::Silence, Event::Dropout];

    /// The name in the control API.
    pub fn as_str(self) -> &'static str {
        match self {
            Event::Flood => "flood",
            Event::Fire => "fire",
            Event::Cover => "cover",
            Event::Door => "door",
            Event::Silence => "silence",
            Event::Dropout => "dropout",
        }
    }

    /// What happens, in a sentence.
    pub fn about(self) -> &'static str {
        match self {
            Event::Flood => "the river at gauge-1 rises through blue and yellow to orange and falls; heavy rain",
            Event::Fire => "smoke and heat in the freight yard (smoke-1, smoke-2, temp-1, temp-2); cam-yard-1 sees it",
            Event::Cover => "cam-park-1 is covered",
            Event::Door => "the pump house's door (door-1) stands open",
            Event::Silence => "gauge-5 falls silent",
            Event::Dropout => "cam-street-3 drops off the net and returns",
        }
    }

    /// The event of a name.
    pub fn named(name: &str) -> Option<Event> {
        Event::ALL.into_iter().find(|event| event.as_str() == name)
    }

    /// When it begins in a cycle of [`super::CYCLE_S`]: the first three early, one after the other.
    pub(super) fn starts_at_s(self) -> f64 {
        match self {
            Event::Flood => 6.0,
            Event::Fire => 20.0,
            Event::Cover => 38.0,
            Event::Door => 70.0,
            Event::Silence => 128.0,
            Event::Dropout => 142.0,
        }
    }

    /// How long it takes at the pace of [`super::CYCLE_S`].
    pub(super) fn duration_s(self) -> f64 {
        match self {
            // Twelve seconds more than the course: so late it is at the farthest gauge.
            Event::Flood => 137.0,
            Event::Fire => 80.0,
            Event::Cover => 48.0,
            Event::Door => 130.0,
            Event::Silence => 60.0,
            Event::Dropout => 90.0,
        }
    }

    /// What it does `t` seconds after it began.
    pub(super) fn apply(self, t: f64, effects: &mut Effects) {
        match self {
            Event::Flood => {
                effects.add("gauge-1", along(&RISE_M, t));
                // Downstream it comes later and lower, elsewhere it is hardly seen.
                effects.add("gauge-2", 0.5 * along(&RISE_M, t - 8.0));
                effects.add("gauge-3", 0.14 * along(&RISE_M, t - 4.0));
                effects.add("gauge-4", 0.12 * along(&RISE_M, t + 4.0));
                effects.add("gauge-5", 0.1 * along(&RISE_M, t - 12.0));
                for (sensor, mm_h) in
                    [("rain-1", 27.0), ("rain-2", 14.0), ("rain-3", 11.0), ("rain-4", 15.0), ("rain-5", 8.0)]
                {
                    effects.add(sensor, mm_h * along(&RAIN, t));
                }
            }
            Event::Fire => {
                if (1.0..72.0).contains(&t) {
                    effects.burning.insert("cam-yard-1");
                }
                if (4.0..64.0).contains(&t) {
                    effects.on.insert("smoke-1");
                }
                if (11.0..56.0).contains(&t) {
                    effects.on.insert("smoke-2");
                }
                effects.add("temp-1", along(&HEAT_K, t));
                effects.add("temp-2", 0.75 * along(&HEAT_K, t - 6.0));
            }
            Event::Cover => {
                effects.covered.insert("cam-park-1");
            }
            Event::Door => {
                effects.on.insert("door-1");
            }
            Event::Silence => {
                effects.silent.insert("gauge-5");
            }
            Event::Dropout => {
                effects.offline.insert("cam-street-3");
            }
        }
    }
}
