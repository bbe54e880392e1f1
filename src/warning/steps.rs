//! Steps of the wall clock: told by comparing it with the steady one.

use jiff::SignedDuration;
use model::Timestamp;
use tokio::time::Instant;

/// A smaller difference is the clock being slewed, or a moment between two readings of it.
const SMALLEST: SignedDuration = SignedDuration::from_secs(2);

/// The two clocks as they last agreed.
pub(super) struct Steps {
    wall: Timestamp,
    steady: Instant,
}

impl Steps {
    pub fn new(wall: Timestamp, steady: Instant) -> Self {
        Self { wall, steady }
    }

    /// By how much the wall clock was set since the last look; none when both went on alike. A slow drift is taken up.
    pub fn look(&mut self, wall: Timestamp, steady: Instant) -> Option<SignedDuration> {
        let lived = SignedDuration::try_from(steady.duration_since(self.steady)).unwrap_or(SignedDuration::ZERO);
        let by = wall.duration_since(self.wall) - lived;
        (self.wall, self.steady) = (wall, steady);
        (by.abs() >= SMALLEST).then_some(by)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_step_is_told_once_and_a_drift_never() {
        let (wall, steady) = (Timestamp::from_second(1_795_000_000).unwrap(), Instant::now());
        let mut steps = Steps::new(wall, steady);
        let mut look = |wall_ms: i64, lived_ms: u64| {
            steps.look(wall + SignedDuration::from_millis(wall_ms), steady + Duration::from_millis(lived_ms))
        };
        assert_eq!(look(3_600_000, 3_600_000), None);
        assert_eq!(look(3_700_500, 3_700_000), None, "half a second in a hundred");
        assert_eq!(look(7_311_000, 3_710_000), Some(SignedDuration::from_millis(3_600_500)));
        assert_eq!(look(7_321_000, 3_720_000), None);
        assert_eq!(look(3_721_000, 3_720_000), Some(SignedDuration::from_secs(-3_600)));
    }
}
