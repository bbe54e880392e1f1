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
        /// Whether its rule is on trial: it is counted and shown, and nobody is told.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        shadow: bool,
        /// The alarm that explains it, when there was one at its first moment.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        suppressed_by: Option<Box<Cause>>,
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
    /// Put aside for a time by a person, or by the hub because it was raised too often.
    Shelved {
        /// Who; `hub` for the hub itself.
        by: UserId,
        /// Until when.
        #[cfg_attr(feature = "schema", schema(value_type = String, format = DateTime))]
        until: Timestamp,
        /// Why.
        reason: String,
        /// Whether the hub did it by itself.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        automatic: bool,
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
    /// Another alarm explains it, so that nobody needs to be told of it: suppressed by design, as ISA-18.2 says.
    Suppressed {
        /// The alarm that explains it.
        by: Cause,
    },
    /// What explained it is over; it is told as if it were raised now.
    Unsuppressed,
}

/// The alarm that explains another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Cause {
    /// Which alarm.
    pub alarm: AlarmId,
    /// Its rule.
    pub rule: RuleId,
    /// Its source.
    pub source: SourceId,
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
    /// The alarm that explains it; while there is one it opens no incident and makes no sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed_by: Option<Cause>,
    /// Whether its data is too old to judge.
    pub stale: bool,
    /// Whether its rule was on trial when it was raised; nobody is told then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
    /// Why it was raised or last changed level.
    pub evidence: Evidence,
    /// The number of the last transition.
    pub seq: u32,
}

impl Alarm {
    /// Begins an alarm from its first transition; none unless that is [`AlarmChange::Raised`].
    pub fn begin(first: &AlarmTransition) -> Option<Self> {
        let AlarmChange::Raised {
            level,
            hazard,
            title,
            action,
            grid,
            place,
            shelved_until,
            suppressed_by,
            shadow,
            evidence,
            ..
        } = &first.change
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
            suppressed_by: suppressed_by.as_deref().cloned(),
            stale: false,
            shadow: *shadow,
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
            AlarmChange::Suppressed { by } => self.suppressed_by = Some(by.clone()),
            AlarmChange::Unsuppressed => self.suppressed_by = None,
        }
    }

    /// Whether the condition still holds.
    pub fn is_active(&self) -> bool {
        self.cleared_at.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row of a log written before alarms could explain one another.
    #[test]
    fn old_rows_of_the_log_are_read_as_ever() {
        let old = r#"{"alarm":"r:s:1","rule":"r","source":"s","seq":1,"at":"2026-11-18T22:26:40Z","change":{"type":"raised",
            "level":"blue","hazard":"flood","title":{"zh":"水","en":"water"},"action":{"zh":"看","en":"look"},"grid":"g1",
            "place":null,"evidence":{"rule_version":"v","condition":"x > 3","value":3.2,"values":{},"since":null}}}"#;
        let row: AlarmTransition = serde_json::from_str(old).unwrap();
        let alarm = Alarm::begin(&row).unwrap();
        assert_eq!(alarm.suppressed_by, None);
        let again = serde_json::to_string(&row).unwrap();
        assert!(!again.contains("suppressed_by"), "what is not there is not written: {again}");
    }
}
