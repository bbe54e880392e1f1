//! A report's periods as CSV (RFC 4180): a line for each, numbers and times alone, so that nothing needs quotes.

use std::fmt::Write;

use super::cause::Cause;
use super::report::{ByLevel, KpiPeriod, KpiReport};
use super::shifts::Shift;

const LEVELS: [&str; 4] = ["red", "orange", "yellow", "blue"];

impl KpiReport {
    /// The periods, the first line names the columns.
    pub fn csv(&self) -> String {
        let mut columns: Vec<String> = ["from", "to", "shift", "covered_h", "alarms"].map(str::to_owned).to_vec();
        for what in ["raised", "cleared", "acknowledged"] {
            columns.extend(LEVELS.iter().map(|level| format!("{what}_{level}")));
        }
        columns.extend(Cause::ALL.iter().map(|cause| format!("suppressed_{}", cause.as_str())));
        let rest = ["shelvings", "per_hour", "peak_10_min", "windows_over_10", "flood_s", "floods"];
        columns.extend(rest.into_iter().chain(["chattering", "fleeting", "standing"]).map(str::to_owned));
        let mut text = columns.join(",") + "\r\n";
        for period in &self.periods {
            text += &(line(period).join(",") + "\r\n");
        }
        text
    }
}

fn line(period: &KpiPeriod) -> Vec<String> {
    let shift = match period.shift {
        Some(Shift::Day) => "day",
        Some(Shift::Night) => "night",
        None => "",
    };
    let mut line = vec![period.from.to_string(), period.to.to_string(), shift.to_owned()];
    line.extend([number(period.covered_h), period.alarms.to_string()]);
    for ByLevel { red, orange, yellow, blue } in [period.raised, period.cleared, period.acknowledged] {
        line.extend([red, orange, yellow, blue].map(|count| count.to_string()));
    }
    let kept_back = |cause: &Cause| period.suppressed.get(cause.as_str()).copied().unwrap_or(0).to_string();
    line.extend(Cause::ALL.iter().map(kept_back));
    line.extend([period.shelvings.to_string(), period.per_hour.map_or_else(String::new, number)]);
    let rest = [period.peak_10_min, period.windows_over_10, period.flood_s, period.floods];
    line.extend(rest.into_iter().chain([period.chattering, period.fleeting, period.standing]).map(|n| n.to_string()));
    line
}

/// At most three digits after the point.
fn number(value: f64) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    let _ = write!(text, "{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
