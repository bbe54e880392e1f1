//! The lines that figures are held against, and what a figure is called against them.
//!
//! Those of the standard are of ANSI/ISA-18.2-2016, table 7 (the same as IEC 62682), as secondary sources quote it; the
//! standards' own text was not read. They are for one operator's desk. Others are our own and say so in docs/kpis.md.

use serde::Serialize;

/// What a figure is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum KpiVerdict {
    /// On the good side of the first line.
    Good,
    /// Between the two lines.
    Fair,
    /// Beyond the last line.
    Over,
    /// There is no line, or nothing was measured.
    None,
}

/// A figure with its lines.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Kpi {
    /// Which, as `alarms_per_hour`; docs/kpis.md tells each.
    pub id: String,
    /// `per_hour`, `per_10_min`, `share` (0 to 1) or `count`.
    pub unit: String,
    /// The figure; none when nothing was measured.
    pub value: Option<f64>,
    /// Good up to here.
    pub good: Option<f64>,
    /// Bearable up to here; none where there is nothing between good and over.
    pub limit: Option<f64>,
    /// Whether more is better: good is from the line up then.
    pub more_is_better: bool,
    /// How it stands against the lines.
    pub verdict: KpiVerdict,
}

/// A figure's name and lines.
pub(crate) struct Line {
    id: &'static str,
    unit: &'static str,
    good: Option<f64>,
    limit: Option<f64>,
    more_is_better: bool,
}

const fn at_most(id: &'static str, unit: &'static str, good: f64, limit: Option<f64>) -> Line {
    Line { id, unit, good: Some(good), limit, more_is_better: false }
}

pub(crate) const PER_HOUR: Line = at_most("alarms_per_hour", "per_hour", 6.0, Some(12.0));
pub(crate) const PER_WINDOW: Line = at_most("alarms_per_10_min", "per_10_min", 1.0, Some(2.0));
pub(crate) const CROWDED: Line = at_most("windows_over_10", "share", 0.01, None);
pub(crate) const PEAK: Line = at_most("peak_10_min", "count", 10.0, None);
pub(crate) const BUSY_HOURS: Line = at_most("hours_over_30", "share", 0.01, None);
pub(crate) const FLOOD: Line = at_most("time_in_flood", "share", 0.01, None);
pub(crate) const TOP_TEN: Line = at_most("top_ten", "share", 0.01, Some(0.05));
pub(crate) const CHATTERING: Line = at_most("chattering", "count", 0.0, None);
pub(crate) const FLEETING: Line = at_most("fleeting", "count", 0.0, None);
/// "Less than five on any day".
pub(crate) const STANDING: Line = at_most("standing", "count", 4.0, None);
/// "About 80, 15 and 5 %" of low, medium and high.
pub(crate) const LOW: Line =
    Line { id: "priority_low", unit: "share", good: Some(0.8), limit: None, more_is_better: true };
pub(crate) const MEDIUM: Line = at_most("priority_medium", "share", 0.15, None);
pub(crate) const HIGH: Line = at_most("priority_high", "share", 0.05, None);
/// Our own: a rule that is wrong more often is not listened to.
pub(crate) const FALSE: Line = at_most("false_alarms", "share", 0.2, None);
/// Our own: 13,000 cameras and two desks bear one each in 45 days.
pub(crate) const PER_CAMERA: Line = at_most("alarms_per_camera", "count", 1.0, None);
pub(crate) const LIMITS_KEPT: Line =
    Line { id: "limits_kept", unit: "share", good: None, limit: None, more_is_better: true };

impl Line {
    /// The figure with its verdict.
    pub fn of(&self, value: Option<f64>) -> Kpi {
        Kpi {
            id: self.id.to_owned(),
            unit: self.unit.to_owned(),
            value,
            good: self.good,
            limit: self.limit,
            more_is_better: self.more_is_better,
            verdict: self.verdict(value),
        }
    }

    /// How a value stands against the lines.
    pub fn verdict(&self, value: Option<f64>) -> KpiVerdict {
        let (Some(value), Some(good)) = (value, self.good) else { return KpiVerdict::None };
        let within = |line: f64| if self.more_is_better { value >= line } else { value <= line };
        if within(good) {
            KpiVerdict::Good
        } else if self.limit.is_some_and(within) {
            KpiVerdict::Fair
        } else {
            KpiVerdict::Over
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_line_is_on_its_good_side() {
        let told = |line: &Line, values: &[f64]| -> Vec<KpiVerdict> {
            values.iter().map(|value| line.verdict(Some(*value))).collect()
        };
        use KpiVerdict::{Fair, Good, None, Over};
        assert_eq!(told(&PER_HOUR, &[0.0, 6.0, 6.1, 12.0, 12.1]), [Good, Good, Fair, Fair, Over]);
        assert_eq!(told(&CHATTERING, &[0.0, 1.0]), [Good, Over]);
        assert_eq!(told(&LOW, &[0.9, 0.8, 0.79]), [Good, Good, Over]);
        assert_eq!(told(&LIMITS_KEPT, &[0.5]), [None]);
        assert_eq!(PER_HOUR.verdict(Option::None), None);
    }
}
