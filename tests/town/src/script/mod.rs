//! What happens in the town, and when: a script of events that repeats, as a pure function of time.
//!
//! Here belongs what an event does at a moment after it began. Who starts one out of turn, and what was
//! set by hand, is [`crate::director`]'s business; telling it to the farm and the sensors the stage's.

mod curve;
mod effects;
mod event;

pub use effects::Effects;
pub use event::Event;

/// The cycle for which the events' own times are written, in seconds.
pub const CYCLE_S: f64 = 240.0;

/// The cycle of events.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// Seconds after which all repeats.
    pub cycle_s: f64,
    /// Nothing happens by itself.
    pub quiet: bool,
}

/// An event that is under way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Active {
    /// Which.
    pub event: Event,
    /// Seconds since it began.
    pub elapsed_s: f64,
    /// Seconds until it ends.
    pub left_s: f64,
}

impl Script {
    /// How much faster than written events run: a shorter cycle squeezes them, a longer one only spreads them.
    fn pace(&self) -> f64 {
        (CYCLE_S / self.cycle_s).max(1.0)
    }

    /// Seconds an event takes.
    pub fn duration_s(&self, event: Event) -> f64 {
        event.duration_s() / self.pace()
    }

    /// What the cycle has under way at `t` seconds after it began.
    pub fn active(&self, t: f64) -> Vec<Active> {
        if self.quiet || t < 0.0 {
            return Vec::new();
        }
        let phase = t % self.cycle_s;
        Event::ALL.iter().filter_map(|event| self.at(*event, phase - event.starts_at_s() / self.pace())).collect()
    }

    /// An event that began `elapsed_s` ago, if it is still under way.
    pub fn at(&self, event: Event, elapsed_s: f64) -> Option<Active> {
        let left_s = self.duration_s(event) - elapsed_s;
        (elapsed_s >= 0.0 && left_s > 0.0).then_some(Active { event, elapsed_s, left_s })
    }

    /// What the events under way do to sensors and cameras.
    pub fn effects(&self, active: &[Active]) -> Effects {
        let mut effects = Effects::default();
        for now in active {
            now.event.apply(now.elapsed_s * self.pace(), &mut effects);
        }
        effects
    }
}

#[cfg(test)]
mod tests;
