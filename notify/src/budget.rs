//! How many messages a person gets in an hour, and what becomes of those beyond it: one summary, nothing dropped.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use model::Level;
use model::alarm::Title;

use crate::notice::{Content, Item, Kind, Made, Notice, State, Target};
use crate::telling::Person;

/// The time a budget is for.
pub(crate) const WINDOW: SignedDuration = SignedDuration::from_hours(1);
/// How long messages gather for a summary: a person over budget gets six more messages an hour at most.
const GATHER: SignedDuration = SignedDuration::from_mins(10);
/// Lines of a summary; the rest is counted.
const LINES: usize = 20;

/// What everybody has got in the last hour, and what is held back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Budgets {
    told: BTreeMap<String, VecDeque<Timestamp>>,
    held: BTreeMap<Target, Gathered>,
}

#[derive(Debug, Clone)]
struct Gathered {
    since: Timestamp,
    level: Level,
    keys: Vec<String>,
    items: Vec<Item>,
}

impl Budgets {
    /// Whether the person gets one more message of this level now. Orange and red are never held back.
    pub fn admits(&mut self, person: &Person, level: Level, now: Timestamp) -> bool {
        let told = self.told.entry(person.id.clone()).or_default();
        while told.front().is_some_and(|at| now.duration_since(*at) >= WINDOW) {
            told.pop_front();
        }
        let room = person.per_hour_max.is_none_or(|most| told.len() < most as usize);
        room || level >= Level::Orange
    }

    /// Counts a message that was admitted.
    pub fn count(&mut self, person: &str, at: Timestamp) {
        self.told.entry(person.to_owned()).or_default().push_back(at);
    }

    /// Keeps a message for the next summary.
    pub fn hold(&mut self, notice: &Notice) {
        let Some(incident) = notice.incident.clone() else { return };
        let gathered = self.held.entry(notice.target.clone()).or_insert_with(|| Gathered {
            since: notice.at,
            level: notice.level,
            keys: Vec::new(),
            items: Vec::new(),
        });
        gathered.since = gathered.since.min(notice.at);
        gathered.level = gathered.level.max(notice.level);
        gathered.keys.push(notice.key.clone());
        if gathered.items.len() < LINES {
            let title = notice.content.title.clone();
            gathered.items.push(Item { incident, title, level: notice.level, at: notice.at });
        }
    }

    /// When the next summary is due.
    pub fn next(&self) -> Option<Timestamp> {
        self.held.values().map(|gathered| due(gathered.since)).min()
    }

    /// Makes the summaries that are due.
    pub fn sum_up(&mut self, now: Timestamp, made: &mut Made) {
        let ready: Vec<Target> =
            self.held.iter().filter(|(_, gathered)| due(gathered.since) <= now).map(|(t, _)| t.clone()).collect();
        for target in ready {
            let Some(gathered) = self.held.remove(&target) else { continue };
            let count = gathered.keys.len();
            let step = format!("summary@{}", gathered.since);
            let content = Content {
                kind: Kind::Summary,
                title: Title { zh: format!("{count} 条消息汇总"), en: format!("{count} messages in one") },
                action: None,
                level: gathered.level,
                hazard: None,
                grid: None,
                grid_name: String::new(),
                place: None,
                reported_at: gathered.since,
                waited_s: 0,
                mention: Vec::new(),
                items: gathered.items,
                count,
            };
            made.notices.push(Notice {
                key: Notice::key_of("", &step, &target),
                incident: None,
                step,
                target,
                level: gathered.level,
                at: now,
                state: State::Waiting,
                content,
            });
            made.summed.extend(gathered.keys);
        }
    }
}

fn due(since: Timestamp) -> Timestamp {
    since.saturating_add(GATHER).unwrap_or(Timestamp::MAX)
}
