//! How far a noisy source's limits would have to be moved until it raises no more than so often.
//!
//! A rule that compares its reading with limits says the same of limits moved by d as of readings moved by -d. So the
//! engine itself is asked, over the source's own readings, with d halved in until it is just enough.

use std::sync::Arc;

use jiff::SignedDuration;
use model::{AlarmChange, Observation, RuleId, Source, SourceId, Timestamp, Value};
use serde::Serialize;

use super::Backtest;
use crate::expr::Direction;
use crate::rule::Trigger;
use crate::ruleset::RuleSet;

/// How often the distance is halved; a thousandth of the range of values.
const ROUNDS: usize = 12;

/// What would calm a source.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Calm {
    /// The source.
    pub source: SourceId,
    /// Alarms a day as the limits stand.
    pub per_day_now: f64,
    /// Alarms a day that were asked for.
    pub wanted_per_day: f64,
    /// Alarms a day with the limits moved.
    pub per_day_then: f64,
    /// By how much all limits of the rule would have to be moved; below zero for a rule that speaks when a value falls.
    pub move_by: f64,
    /// Where the lowest level stands now.
    pub limit_now: f64,
    /// Where it would stand.
    pub limit_then: f64,
}

/// Asks the engine; none for a rule of another shape, a source that is calm, or one that no limit calms. `readings` are
/// the source's own, in the order of receipt.
pub fn calm(
    rules: &RuleSet,
    rule: &RuleId,
    source: &Arc<Source>,
    readings: &[Observation],
    window: [Timestamp; 3],
    wanted_per_day: f64,
) -> Option<Calm> {
    let (direction, limit_now) = shape(rules, rule, source)?;
    let days = window[2].duration_since(window[1]).as_secs_f64() / 86_400.0;
    if days <= 0.0 {
        return None;
    }
    let ask = |move_by: f64| raised(rules, rule, source, readings, window, move_by).map(|count| count as f64 / days);
    let per_day_now = ask(0.0)?;
    if per_day_now <= wanted_per_day {
        return None;
    }
    let numbers = readings.iter().filter_map(|observation| match observation.value {
        Value::Number(number) => Some(number),
        _ => None,
    });
    let (sign, far) = match direction {
        Direction::Above => (1.0, numbers.fold(f64::NEG_INFINITY, f64::max) - limit_now),
        Direction::Below => (-1.0, limit_now - numbers.fold(f64::INFINITY, f64::min)),
    };
    // A little beyond the farthest value nothing raises.
    let mut enough = far.max(0.0) * 1.001 + 1e-9;
    let mut per_day_then = ask(sign * enough).filter(|per_day| *per_day <= wanted_per_day)?;
    let mut too_little = 0.0;
    for _ in 0..ROUNDS {
        let middle = (too_little + enough) / 2.0;
        match ask(sign * middle)? {
            per_day if per_day <= wanted_per_day => (enough, per_day_then) = (middle, per_day),
            _ => too_little = middle,
        }
    }
    let move_by = sign * enough;
    Some(Calm {
        source: source.id.clone(),
        per_day_now,
        wanted_per_day,
        per_day_then,
        move_by,
        limit_now,
        limit_then: limit_now + move_by,
    })
}

/// The side on which the rule speaks, and where its lowest level stands for the source; none unless every condition
/// compares the reading with a limit or a number.
fn shape(rules: &RuleSet, rule: &RuleId, source: &Source) -> Option<(Direction, f64)> {
    let rule = rules.at(rules.find(rule)?);
    let Trigger::Reading { levels, .. } = &rule.trigger else { return None };
    for level in levels {
        level.raise.threshold()?;
        if let Some(clear) = &level.clear {
            clear.threshold()?;
        }
    }
    levels.iter().find_map(|level| {
        let threshold = level.raise.threshold()?;
        let base = threshold.limit.map_or(Some(0.0), |limit| source.limit(limit))?;
        Some((threshold.direction, base + threshold.offset))
    })
}

fn raised(
    rules: &RuleSet,
    rule: &RuleId,
    source: &Arc<Source>,
    readings: &[Observation],
    window: [Timestamp; 3],
    move_by: f64,
) -> Option<usize> {
    let mut backtest = Backtest::new(rules, rule, std::slice::from_ref(source), window).ok()?;
    for observation in readings {
        let value = match observation.value {
            Value::Number(number) => Value::Number(number - move_by),
            ref other => other.clone(),
        };
        backtest.observe(&Observation { value, ..observation.clone() });
    }
    backtest.end();
    Some(backtest.said().filter(|said| matches!(said.change, AlarmChange::Raised { .. })).count())
}

/// Readings of one source that are kept in memory for this at most.
pub const MAX_READINGS: usize = 500_000;

/// The shortest window for which a number a day means something.
pub const SHORTEST: SignedDuration = SignedDuration::from_hours(1);
