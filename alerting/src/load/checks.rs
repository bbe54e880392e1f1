//! What a compiler cannot see: levels in the wrong order, a clear that overlaps its raise.

use crate::expr::Direction;
use crate::problem::{Pos, Problems};
use crate::rule::LevelRule;

/// A value must not raise and clear at once.
pub(super) fn overlap(problems: &mut Problems, level: &LevelRule, at: Pos) {
    let Some(clear) = &level.clear else { return };
    let (Some(up), Some(down)) = (level.raise.threshold(), clear.threshold()) else { return };
    if up.limit != down.limit {
        return;
    }
    let crossed = match up.direction {
        Direction::Above => down.offset > up.offset,
        Direction::Below => down.offset < up.offset,
    };
    let both_hold = up.offset == down.offset && up.inclusive && down.inclusive;
    if up.direction == down.direction || crossed || both_hold {
        let found = format!("a clear ({}) that overlaps the raise ({})", clear.text(), level.raise.text());
        problems.add_as("levels-overlap", at, found, "a clear on the other side of the raise");
    }
}

/// A higher level must not be reached before a lower one.
pub(super) fn rising(problems: &mut Problems, levels: &[(LevelRule, Pos)]) {
    for pair in levels.windows(2) {
        let [(lower, _), (higher, at)] = pair else { continue };
        let (Some(low), Some(high)) = (lower.raise.threshold(), higher.raise.threshold()) else { continue };
        let same_base = low.limit == high.limit && low.direction == high.direction;
        let falls = match low.direction {
            Direction::Above => high.offset <= low.offset,
            Direction::Below => high.offset >= low.offset,
        };
        // Two levels at one threshold may differ in how long they wait.
        let waits_longer = high.offset == low.offset && higher.wait > lower.wait;
        if same_base && falls && !waits_longer {
            let found = format!("{} no farther than {}", higher.level.as_str(), lower.level.as_str());
            problems.add_as("levels-fall", *at, found, "levels that rise");
        }
    }
}
