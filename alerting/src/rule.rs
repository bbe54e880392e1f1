//! Rules in their usable form: compiled, with every time and level known.

use std::sync::Arc;

use jiff::SignedDuration;
use jiff::civil::Date;
use model::alarm::Title;
use model::{Hazard, Level, Owner, RuleId, SourceState, Unit};
use serde::{Deserialize, Serialize};

use crate::calendar::Calendar;
use crate::composite::Composite;
use crate::expr::{Condition, Span};
use crate::problem::Pos;
use crate::relation::Relation;

/// The most levels of a rule.
pub(crate) const LEVELS: usize = Level::ALL.len();

/// Where a rule is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RuleStatus {
    /// Being written: checked, and about no source.
    Draft,
    /// On trial: raises alarms that nobody is told of.
    Shadow,
    /// In force.
    #[default]
    Active,
    /// Given up, and kept to be read: about no source.
    Retired,
}

impl RuleStatus {
    /// All of them, in the order of a rule's life.
    pub const ALL: [RuleStatus; 4] = [RuleStatus::Draft, RuleStatus::Shadow, RuleStatus::Active, RuleStatus::Retired];

    /// The name in files and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            RuleStatus::Draft => "draft",
            RuleStatus::Shadow => "shadow",
            RuleStatus::Active => "active",
            RuleStatus::Retired => "retired",
        }
    }

    /// Whether the rule watches sources.
    pub fn watches(self) -> bool {
        matches!(self, RuleStatus::Shadow | RuleStatus::Active)
    }
}

/// One rule.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub id: RuleId,
    /// Where it stands in its file.
    pub at: Pos,
    pub status: RuleStatus,
    /// Hash of the meaning: equal for texts that differ in blanks, comments and order of keys only.
    pub version: Arc<str>,
    pub file: Arc<str>,
    pub title: Title,
    pub action: Title,
    pub owner: String,
    /// Who wrote it.
    pub author: Option<String>,
    /// Why it is as it is.
    pub rationale: Option<String>,
    /// When it is to be looked at again.
    pub review: Option<Date>,
    pub hazard: Hazard,
    pub select: Select,
    pub trigger: Trigger,
    /// How long the active alarm stands at least.
    pub hold: SignedDuration,
    /// How long after the last usable value the data counts as missing; none: by the source's report interval.
    pub max_gap: Option<SignedDuration>,
    pub on_missing: OnMissing,
    pub retained: Retained,
    /// When the rule is in force; none for always.
    pub only: Option<Arc<Calendar>>,
    /// The alarms that explain its own, so that nobody needs to be told of them.
    pub inhibited_by: Vec<Inhibitor>,
    /// The readings whose arrival may change its mind.
    pub listens: Vec<Arc<str>>,
    /// Fewer samples in a span say nothing.
    pub min_samples: u32,
    /// Whether values of uncertain quality are none to it.
    pub good_only: bool,
    /// For how long absences and states of links say nothing once the source is first heard of, or again.
    pub startup_grace: SignedDuration,
    /// When it is put aside by the hub itself.
    pub chatter: Option<Chatter>,
    /// The unit of its numbers.
    pub unit: Option<&'static Unit>,
    /// The functions over time that its conditions ask, each with the reading that it is about.
    pub spans: Vec<(Arc<str>, Span)>,
}

/// How often it may be raised at a source before the hub puts it aside there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chatter {
    pub count: u32,
    pub per: SignedDuration,
    pub shelve: SignedDuration,
}

/// While that rule has an alarm at a related source, an alarm is suppressed.
#[derive(Debug, Clone)]
pub(crate) struct Inhibitor {
    pub rule: RuleId,
    pub relation: Relation,
    /// Where the file names the rule.
    pub at: Pos,
}

/// Which sources a rule is about.
#[derive(Debug, Clone)]
pub(crate) struct Select {
    /// The classes; empty for all, as in the lists that follow.
    pub classes: Vec<String>,
    pub kind: Option<model::Kind>,
    pub owners: Vec<Owner>,
    /// Grids by their ids; what lies inside them is not known here.
    pub grids: Vec<String>,
    /// Kinds of site (tag `site_kind`).
    pub sites: Vec<String>,
    /// Tags, each with the values that will do.
    pub tags: Vec<(String, Vec<String>)>,
    pub condition: Option<Condition>,
}

impl Select {
    /// For the rule's version.
    pub fn meaning(&self) -> String {
        let Select { classes, kind, owners, grids, sites, tags, condition } = self;
        let condition = condition.as_ref().map(Condition::meaning);
        format!("{classes:?} {kind:?} {owners:?} {grids:?} {sites:?} {tags:?} {condition:?}")
    }
}

/// What makes an alarm of it.
#[derive(Debug, Clone)]
pub(crate) enum Trigger {
    /// A reading, by levels, the lowest first; at most [`LEVELS`].
    Reading { reading: Arc<str>, levels: Vec<LevelRule> },
    /// The state of the source's link.
    State { states: Vec<SourceState>, level: Level, wait: SignedDuration },
    /// A reading that does not come.
    Absent { reading: Arc<str>, after: After, level: Level, wait: SignedDuration },
    /// Several things that hold together at sources that belong together.
    Composite(Box<Composite>),
}

/// How long a reading may be away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    Time(SignedDuration),
    /// So many of the source's own report intervals; a source without one is not watched.
    Intervals(u32),
}

/// One level of a rule over a reading.
#[derive(Debug, Clone)]
pub(crate) struct LevelRule {
    pub level: Level,
    pub raise: Condition,
    /// None: over when `raise` is false.
    pub clear: Option<Condition>,
    /// How long `raise` must hold.
    pub wait: SignedDuration,
    /// The limits that `raise` or `clear` name.
    pub limits: Vec<Arc<str>>,
    /// Where it stands in its file.
    pub at: Pos,
    /// Whether `raise` or `clear` says something of a reading that does not come.
    pub sees_absence: bool,
}

/// What missing data means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OnMissing {
    /// Nothing: an alarm stays and turns stale, a wait pauses.
    #[default]
    Hold,
    /// As if all were well.
    Clear,
    /// As if the lowest level's condition held.
    Raise,
}

/// What a retained message is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Retained {
    /// A broker's memory of an event: not used.
    #[default]
    Ignored,
    /// A state that still holds.
    State,
}

impl Rule {
    /// Whether its alarms are for nobody yet.
    pub fn is_shadow(&self) -> bool {
        self.status == RuleStatus::Shadow
    }

    /// How far back it looks: its windows, its parts, its graces and the raises that it counts.
    pub fn reach(&self) -> SignedDuration {
        let longest = self.spans.iter().map(|(_, span)| span.span_ms).max().unwrap_or(0);
        let within = match &self.trigger {
            Trigger::Composite(composite) => composite.within,
            _ => SignedDuration::ZERO,
        };
        let chatter = self.chatter.map_or(SignedDuration::ZERO, |chatter| chatter.per.saturating_add(chatter.shelve));
        [within, self.startup_grace, chatter]
            .into_iter()
            .fold(SignedDuration::from_millis(longest), |all, time| all.saturating_add(time))
    }

    /// How many levels it has.
    pub fn places(&self) -> usize {
        match &self.trigger {
            Trigger::Reading { levels, .. } => levels.len(),
            Trigger::State { .. } | Trigger::Absent { .. } => 1,
            Trigger::Composite(composite) => composite.counts.len(),
        }
    }

    /// The level at a place (0 is the lowest), and how long its condition must hold.
    pub fn level(&self, place: usize) -> (Level, SignedDuration) {
        match &self.trigger {
            Trigger::Reading { levels, .. } => (levels[place].level, levels[place].wait),
            Trigger::State { level, wait, .. } | Trigger::Absent { level, wait, .. } => (*level, *wait),
            Trigger::Composite(composite) => (composite.counts[place].level, composite.counts[place].wait),
        }
    }

    /// The place of a level, if the rule has it.
    pub fn place_of(&self, level: Level) -> Option<usize> {
        (0..self.places()).find(|place| self.level(*place).0 == level)
    }
}
