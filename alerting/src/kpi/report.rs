//! A report on the alarms of a desk, as the API and the console tell it: plain data.

use std::collections::BTreeMap;

use model::{Level, RuleId, SourceId, Timestamp};
use serde::Serialize;

use super::lines::{Kpi, KpiVerdict};
use super::shifts::{By, Shift};

/// How the alarms of a desk, or of the hub, were over a time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct KpiReport {
    /// From, a whole hour.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub from: Timestamp,
    /// To, a whole hour; the one that is on counts so far.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub to: Timestamp,
    /// Hours of it that have been and for which there are figures.
    pub covered_h: f64,
    /// The desk; none for the whole hub.
    pub desk: Option<String>,
    /// All desks that have figures.
    pub desks: Vec<String>,
    /// What `periods` are.
    pub by: By,
    /// The zone of days and shifts.
    pub zone: String,
    /// The hours of the day shift.
    pub day_shift: String,
    /// The figures with their lines.
    pub kpis: Vec<Kpi>,
    /// The same by the names of OPC UA part 9, AlarmMetricsType.
    pub opc_ua: OpcUa,
    /// What is so now.
    pub now: NowFigures,
    /// Counts over the whole time.
    pub total: KpiPeriod,
    /// The stretches of it, rising.
    pub periods: Vec<KpiPeriod>,
    /// Day shifts and night shifts, each taken together.
    pub shifts: Vec<ShiftFigures>,
    /// Floods that were on, rising; at most 720.
    pub floods: Vec<FloodSpan>,
    /// The ten rules and sources that raised most, most first.
    pub top: Vec<Noisy>,
    /// Each rule that raised, most first; at most 100.
    pub rules: Vec<RuleFigures>,
    /// The cameras that raised most, most first; at most 20.
    pub cameras: Vec<CameraFigures>,
    /// How long people took, by level, the gravest first.
    pub times: Vec<LevelTimes>,
    /// Steps with a limit that were done or late, and how many were late.
    pub limits: LimitsKept,
}

/// Alarms by level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ByLevel {
    /// Level I.
    pub red: u32,
    /// Level II.
    pub orange: u32,
    /// Level III.
    pub yellow: u32,
    /// Level IV.
    pub blue: u32,
}

impl From<[u32; 4]> for ByLevel {
    fn from([blue, yellow, orange, red]: [u32; 4]) -> Self {
        Self { red, orange, yellow, blue }
    }
}

/// Counts of a stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct KpiPeriod {
    /// From, a whole hour.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub from: Timestamp,
    /// To, a whole hour.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub to: Timestamp,
    /// Which shift, in a report by shifts.
    pub shift: Option<Shift>,
    /// Hours of it that have been.
    pub covered_h: f64,
    /// Alarms announced.
    pub alarms: u32,
    /// The same by level at their raise.
    pub raised: ByLevel,
    /// Cleared, by level at their end.
    pub cleared: ByLevel,
    /// Acknowledged by a person.
    pub acknowledged: ByLevel,
    /// Raised and not announced, by cause; causes that took nothing are left out.
    pub suppressed: BTreeMap<String, u32>,
    /// Put aside by people.
    pub shelvings: u32,
    /// Alarms an hour; none before a minute of it has been.
    pub per_hour: Option<f64>,
    /// How that stands against the line.
    pub verdict: KpiVerdict,
    /// The most in any ten minutes.
    pub peak_10_min: u32,
    /// Windows of ten minutes by the clock with more than ten alarms.
    pub windows_over_10: u32,
    /// Seconds in flood.
    pub flood_s: u32,
    /// Floods that began.
    pub floods: u32,
    /// Times a rule began to chatter at a source.
    pub chattering: u32,
    /// Cleared within ten seconds.
    pub fleeting: u32,
    /// The most alarms at a time that had stood for more than a day.
    pub standing: u32,
}

/// A kind of shift over the whole time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ShiftFigures {
    /// Which.
    pub shift: Shift,
    /// Hours of it that have been.
    pub covered_h: f64,
    /// Alarms announced.
    pub alarms: u32,
    /// The figures that hours alone give.
    pub kpis: Vec<Kpi>,
}

/// The metrics of OPC UA part 9 for the time of the report; `Current...` is now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "PascalCase")]
pub struct OpcUa {
    /// Since when the others count: the begin of the report, or of the log.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub start_time: Timestamp,
    /// Alarms announced.
    pub alarm_count: u32,
    /// Minutes over which rates are calculated.
    pub rate: u16,
    /// Alarms in the last so many minutes.
    pub current_alarm_rate: f64,
    /// The most in so many minutes.
    pub maximum_alarm_rate: f64,
    /// The mean of so many minutes.
    pub average_alarm_rate: f64,
    /// The longest time an alarm was active, in milliseconds, active ones so far.
    pub maximum_active_state: f64,
    /// The longest time an announced alarm was not acknowledged, in milliseconds.
    #[serde(rename = "MaximumUnAck")]
    pub maximum_un_ack: f64,
    /// How often the same rule was raised again at the same source, at most.
    pub maximum_re_alarm_count: u32,
}

/// What is so now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NowFigures {
    /// When: at most a second ago.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// Announced in the last ten minutes.
    pub last_10_min: u32,
    /// Announced in the last hour.
    pub last_hour: u32,
    /// Alarms that are active.
    pub active: u32,
    /// Announced and not acknowledged.
    pub unacknowledged: u32,
    /// Put aside.
    pub shelved: u32,
    /// Stand for more than a day.
    pub standing: u32,
    /// Since when there is a flood; none when there is none.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub flood_since: Option<Timestamp>,
}

/// A flood.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FloodSpan {
    /// When it began.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub since: Timestamp,
    /// None while it is on.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub until: Option<Timestamp>,
    /// Announced from ten minutes before its begin to its end.
    pub alarms: u32,
    /// The most in any ten minutes of it.
    pub peak: u32,
}

/// A rule at a source that raises often.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Noisy {
    /// The rule.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub rule: RuleId,
    /// The source.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub source: SourceId,
    /// Whose rule it is.
    pub desk: Option<String>,
    /// Alarms announced.
    pub alarms: u32,
    /// Of all alarms of the report, 0 to 1.
    pub share: f64,
    /// Closed as false.
    pub judged_false: u32,
}

/// What people found an alarm to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct KpiJudged {
    /// Alarms announced.
    pub alarms: u32,
    /// Of them, those whose incident was closed with a verdict.
    pub judged: u32,
    /// Of them, those that were false.
    pub judged_false: u32,
    /// Of them, those nobody needed to know of.
    pub judged_nuisance: u32,
    /// False ones of those judged, 0 to 1; none while none is judged.
    pub false_share: Option<f64>,
}

/// A rule's quality.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RuleFigures {
    /// The rule.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub rule: RuleId,
    /// Its alarms.
    #[serde(flatten)]
    pub judged: KpiJudged,
    /// How its false ones stand against the line.
    pub verdict: KpiVerdict,
}

/// A camera's share of attention.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CameraFigures {
    /// The camera.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub source: SourceId,
    /// Its alarms.
    #[serde(flatten)]
    pub judged: KpiJudged,
    /// Alarms in 45 days at this rate.
    pub per_45_days: f64,
    /// How that stands against the line.
    pub verdict: KpiVerdict,
}

/// How long people took with incidents of a level.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LevelTimes {
    /// The incident's level.
    pub level: Level,
    /// Incidents reported in the time of the report.
    pub incidents: u32,
    /// Until somebody acknowledged it.
    pub acknowledge: Took,
    /// Until somebody was sent.
    pub dispatch: Took,
    /// Until it was closed.
    pub close: Took,
}

/// Seconds from the report, of those that got so far.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Took {
    /// How many got so far.
    pub count: u32,
    /// Half of them took at most so long.
    pub median_s: Option<f64>,
    /// Nine of ten took at most so long.
    pub p90_s: Option<f64>,
}

/// LimitsKept of the case flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LimitsKept {
    /// Steps with a limit that were done, or whose limit has passed.
    pub steps: u32,
    /// Of them, those whose limit passed first.
    pub late: u32,
}
