//! A rule as people see it.

use jiff::civil::Date;
use model::alarm::Title;
use model::{Hazard, Level, RuleId};
use serde::Serialize;

use crate::composite::Count;
use crate::rule::{After, LevelRule, Rule, RuleStatus, Trigger};

/// A rule with what it is doing.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RuleInfo {
    /// Its id.
    pub id: RuleId,
    /// Hash of its meaning.
    pub version: String,
    /// Where it is in its life.
    pub status: RuleStatus,
    /// The file it stands in.
    pub file: String,
    /// Its words.
    pub title: Title,
    /// What the operator should do.
    pub action: Title,
    /// Who answers for it.
    pub owner: String,
    /// Who wrote it.
    pub author: Option<String>,
    /// Why it is as it is.
    pub rationale: Option<String>,
    /// The day on which it is to be looked at again.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = Date))]
    pub review: Option<Date>,
    /// What harm.
    pub hazard: Hazard,
    /// The class of sources, or several with commas between; none for all.
    pub class: Option<String>,
    /// What it listens to: a reading, `state`, or the names of its parts.
    pub on: String,
    /// The unit of its numbers; none for that of the source.
    pub unit: Option<String>,
    /// The calendar it is in force by; none for always.
    pub only: Option<String>,
    /// Its levels, the lowest first.
    pub levels: Vec<LevelInfo>,
    /// The rules whose alarms explain its own, as `gateway-down (same gateway)`.
    pub inhibited_by: Vec<String>,
    /// How many sources it watches.
    pub sources: usize,
    /// Alarms that are active.
    pub active_alarms: usize,
    /// Sources at which a `for` runs.
    pub pending: usize,
    /// How often it could not say, since the hub started.
    pub unknowns: u64,
    /// The last value that did not fit.
    pub last_error: Option<String>,
}

/// A level of a rule.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LevelInfo {
    /// Which.
    pub level: Level,
    /// When it is raised.
    pub raise: String,
    /// When it is over.
    pub clear: String,
    /// Seconds for which `raise` must hold.
    pub for_s: i64,
}

impl RuleInfo {
    pub(crate) fn of(rule: &Rule) -> Self {
        let (on, levels) = match &rule.trigger {
            Trigger::Reading { reading, levels } => (reading.to_string(), levels.iter().map(LevelInfo::of).collect()),
            Trigger::State { states, level, wait } => {
                let names: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
                let raise = format!("state in [{}]", names.join(", "));
                let level = LevelInfo { level: *level, clear: format!("!({raise})"), raise, for_s: wait.as_secs() };
                ("state".to_owned(), vec![level])
            }
            Trigger::Absent { reading, after, level, wait } => {
                let raise = match after {
                    After::Time(time) => format!("no {reading} for {} s", time.as_secs()),
                    After::Intervals(count) => format!("no {reading} for {count} report intervals"),
                };
                let level = LevelInfo { level: *level, raise, clear: format!("a {reading}"), for_s: wait.as_secs() };
                (reading.to_string(), vec![level])
            }
            Trigger::Composite(composite) => {
                let names: Vec<&str> = composite.parts.iter().map(|part| &*part.name).collect();
                let level = |count: &Count| {
                    let raise = composite.words(count);
                    LevelInfo { level: count.level, clear: format!("!({raise})"), raise, for_s: count.wait.as_secs() }
                };
                (names.join(", "), composite.counts.iter().map(level).collect())
            }
        };
        let inhibited_by = rule.inhibited_by.iter().map(|cause| format!("{} ({})", cause.rule, cause.relation));
        Self {
            id: rule.id.clone(),
            version: rule.version.to_string(),
            status: rule.status,
            file: rule.file.to_string(),
            title: rule.title.clone(),
            action: rule.action.clone(),
            owner: rule.owner.clone(),
            author: rule.author.clone(),
            rationale: rule.rationale.clone(),
            review: rule.review,
            hazard: rule.hazard,
            class: (!rule.select.classes.is_empty()).then(|| rule.select.classes.join(", ")),
            on,
            unit: rule.unit.map(|unit| unit.name.to_owned()),
            only: rule.only.as_ref().map(|calendar| calendar.name.to_string()),
            levels,
            inhibited_by: inhibited_by.collect(),
            sources: 0,
            active_alarms: 0,
            pending: 0,
            unknowns: 0,
            last_error: None,
        }
    }
}

impl LevelInfo {
    fn of(rule: &LevelRule) -> Self {
        let raise = rule.raise.text().to_owned();
        let clear = rule.clear.as_ref().map_or_else(|| format!("!({raise})"), |clear| clear.text().to_owned());
        Self { level: rule.level, raise, clear, for_s: rule.wait.as_secs() }
    }
}
