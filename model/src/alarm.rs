//! Alarms: the states of ISA-18.2 / OPC UA Part 9 as a fold of transitions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AlarmId, GridId, Hazard, Level, Place, RuleId, SourceId, Timestamp, UserId, Value};

/// One step in the life of an alarm; the alarm is what its transitions say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AlarmTransition {
    /// Which alarm.
    pub alarm: AlarmId,
    /// The rule that speaks.
    pub rule: RuleId,
    /// The source it speaks of.
    pub source: SourceId,
    /// 1 for the first transition of this alarm, rising by one.
    pub seq: u32,
    /// When, on the engine's clock.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// What changed.
    pub change: AlarmChange,
}

/// What a transition changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AlarmChange {
    /// The condition held long enough.
    Raised {
        /// At which level.
        level: Level,
        /// What harm.
        hazard: Hazard,
        /// The rule's words, in the two languages of the console.
        title: Title,
        /// What the operator should do, as the rule says.
        action: Title,
        /// Whose rule it is: the desk that has to act. None in rows of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// The grid of the source.
        grid: GridId,
        /// Where the source stands.
        place: Option<Place>,
        /// Until when it is shelved from its first moment, because the alarm before it was put aside till then.
        #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shelved_until: Option<Timestamp>,
        /// Why.
        evidence: Evidence,
    },
    /// The level rose or fell while active.
    LevelChanged {
        /// From.
        from: Level,
        /// To.
        to: Level,
        /// Why.
        evidence: Evidence,
    },
    /// The condition is over.
    Cleared {
        /// Why.
        evidence: Evidence,
    },
    /// A person has seen it.
    Acknowledged {
        /// Who.
        by: UserId,
    },
    /// Put aside for a time by a person.
    Shelved {
        /// Who.
        by: UserId,
        /// Until when.
        #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// Shelving is over: by a person, or by time when `by` is none.
    Unshelved {
        /// Who.
        by: Option<UserId>,
    },
    /// The data behind it is too old to say whether it still holds.
    Stale,
    /// Data is back.
    Fresh,
}

/// A short text in both languages of the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Title {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// Why a transition happened: enough to explain it later without the rule file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Evidence {
    /// Hash of the rule's meaning.
    pub rule_version: String,
    /// The expression that decided, as written in the rule.
    pub condition: String,
    /// The value of the reading, when one decided.
    pub value: Option<Value>,
    /// The names the expression used, with their values: readings and limits.
    #[serde(default)]
    pub values: BTreeMap<String, Value>,
    /// Since when the condition held.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub since: Option<Timestamp>,
}

/// An alarm as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Alarm {
    /// Its id.
    pub id: AlarmId,
    /// The rule.
    pub rule: RuleId,
    /// The source.
    pub source: SourceId,
    /// The grid of the source.
    pub grid: GridId,
    /// Where the source stands.
    pub place: Option<Place>,
    /// What harm.
    pub hazard: Hazard,
    /// The present level, or the last one when cleared.
    pub level: Level,
    /// The highest level so far.
    pub peak: Level,
    /// The rule's words.
    pub title: Title,
    /// What the operator should do.
    pub action: Title,
    /// When it was raised.
    #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
    pub raised_at: Timestamp,
    /// When it cleared; none while active.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub cleared_at: Option<Timestamp>,
    /// Who acknowledged it; none while unacknowledged.
    pub acknowledged_by: Option<UserId>,
    /// Until when it is shelved.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>, format = DateTime))]
    pub shelved_until: Option<Timestamp>,
    /// Whether its data is too old to judge.
    pub stale: bool,
    /// Why it was raised or last changed level.
    pub evidence: Evidence,
    /// The number of the last transition.
    pub seq: u32,
}

impl Alarm {
    /// Begins an alarm from its first transition; none unless that is [`AlarmChange::Raised`].
    pub fn begin(first: &AlarmTransition) -> Option<Self> {
        let AlarmChange::Raised { level, hazard, title, action, grid, place, shelved_until, evidence, .. } =
            &first.change
        else {
            return None;
        };
        Some(Self {
            id: first.alarm.clone(),
            rule: first.rule.clone(),
            source: first.source.clone(),
            grid: grid.clone(),
            place: *place,
            hazard: *hazard,
            level: *level,
            peak: *level,
            title: title.clone(),
            action: action.clone(),
            raised_at: first.at,
            cleared_at: None,
            acknowledged_by: None,
            shelved_until: *shelved_until,
            stale: false,
            evidence: evidence.clone(),
            seq: first.seq,
        })
    }

    /// Folds one more transition in. One whose number is not higher than the last is a repeat and changes nothing.
    pub fn apply(&mut self, transition: &AlarmTransition) {
        if transition.seq <= self.seq {
            return;
        }
        self.seq = transition.seq;
        match &transition.change {
            AlarmChange::Raised { .. } => {}
            AlarmChange::LevelChanged { to, evidence, .. } => {
                self.level = *to;
                self.peak = self.peak.max(*to);
                self.evidence = evidence.clone();
            }
            AlarmChange::Cleared { .. } => {
                self.cleared_at = Some(transition.at);
                self.stale = false;
            }
            AlarmChange::Acknowledged { by } => self.acknowledged_by = Some(by.clone()),
            AlarmChange::Shelved { until, .. } => self.shelved_until = Some(*until),
            AlarmChange::Unshelved { .. } => self.shelved_until = None,
            AlarmChange::Stale => self.stale = true,
            AlarmChange::Fresh => self.stale = false,
        }
    }

    /// Whether the condition still holds.
    pub fn is_active(&self) -> bool {
        self.cleared_at.is_none()
    }
}
