//! One rule of a rule file.

use std::sync::Arc;

use jiff::SignedDuration;
use jiff::civil::Date;
use model::alarm::Title;
use model::{Hazard, Level, RuleId, Unit};

use super::fields::{File, Map, duration_of};
use super::select::{On, What};
use super::{Calendars, checks, composite, version_of};
use crate::engine::MAX_SHELF;
use crate::expr::{Condition, Names, Span};
use crate::problem::{Pos, shown};
use crate::rule::{After, Chatter, LevelRule, OnMissing, Retained, Rule, RuleStatus, Trigger};
use crate::yaml::Node;

/// The longest id; alarm ids are made of it and the source's.
const MAX_ID_CHARS: usize = 60;
/// The most report intervals a reading may be away.
const MAX_INTERVALS: u32 = 10_000;
/// The most samples or raises that a rule may ask for.
const MAX_COUNT: u32 = 1_000;

impl File<'_> {
    /// Reads everything of it, so that every problem is told, before anything missing ends it.
    pub fn rule(&mut self, node: &Node, calendars: &Calendars) -> Option<Rule> {
        let mut map = self.map(node, "a rule")?;
        let id = self.required(&mut map, "id").and_then(|node| self.id(node));
        let status = map
            .take("status")
            .map(|node| self.one_of(node, RuleStatus::ALL.iter().map(|status| (status.as_str(), *status))));
        let title = self.required(&mut map, "title").and_then(|node| self.title(node));
        let hazard = self
            .required(&mut map, "hazard")
            .and_then(|node| self.one_of(node, Hazard::ALL.iter().map(|hazard| (hazard.as_str(), *hazard))));
        let about = self.required(&mut map, "about").and_then(|node| self.about(node));
        let several = composite::KEYS.iter().any(|key| map.has(key));
        let on = self.required(&mut map, "on").and_then(|node| self.on(node, several));
        let hold = self.duration(map.take("hold"));
        let max_gap = map.take("max_gap").map(|node| self.duration(Some(node)));
        let on_missing = map.take("on_missing").map(|node| {
            if several {
                self.problems.add(
                    node.at,
                    "`on_missing` beside parts",
                    "no such key: what is unknown counts for nothing",
                );
            }
            let words = [("hold", OnMissing::Hold), ("clear", OnMissing::Clear), ("raise", OnMissing::Raise)];
            self.one_of(node, words)
        });
        let retained = map
            .take("retained")
            .map(|node| self.one_of(node, [("ignored", Retained::Ignored), ("state", Retained::State)]));
        let only = map.take("only").map(|node| self.only(node, calendars));
        let inhibited_by = self.inhibitors(map.take("inhibited_by"));
        let trigger = if several { self.composite(&mut map) } else { self.trigger(&mut map, on.as_ref()) };
        let min_samples = map.take("min_samples").map(|node| self.count(node));
        let quality = map.take("quality").map(|node| self.one_of(node, [("good", true), ("usable", false)]));
        let startup_grace = self.duration(map.take("startup_grace"));
        let chatter = map.take("chatter_limit").map(|node| self.chatter(node));
        self.nothing_left(map);
        let (on, trigger, about) = (on?, trigger?, about?);
        let mut rule = Rule {
            id: id?,
            at: node.at,
            status: status.unwrap_or(Some(RuleStatus::default()))?,
            version: "".into(),
            file: Arc::clone(self.problems.file()),
            title: title?,
            action: about.action,
            owner: about.owner,
            author: about.author,
            rationale: about.rationale,
            review: about.review,
            hazard: hazard?,
            select: on.select,
            listens: listens(&trigger),
            unit: on.unit,
            spans: spans(&trigger),
            min_samples: min_samples.unwrap_or(Some(1))?,
            good_only: quality.unwrap_or(Some(false))?,
            startup_grace: startup_grace?,
            chatter: chatter.map_or(Some(None), |chatter| chatter.map(Some))?,
            trigger,
            hold: hold?,
            max_gap: max_gap.map_or(Some(None), |gap| gap.map(Some))?,
            on_missing: on_missing.unwrap_or(Some(OnMissing::default()))?,
            retained: retained.unwrap_or(Some(Retained::default()))?,
            only: only.map_or(Some(None), |only| only.map(Some))?,
            inhibited_by: inhibited_by?,
        };
        rule.version = version_of(&rule);
        Some(rule)
    }

    fn id(&mut self, node: &Node) -> Option<RuleId> {
        let text = self.text(node)?;
        let good = (1..=MAX_ID_CHARS).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !good {
            let expected = format!("1 to {MAX_ID_CHARS} lower-case letters, digits and -");
            self.problems.add(node.at, shown(text), expected);
            return None;
        }
        Some(RuleId::new(text))
    }

    fn count(&mut self, node: &Node) -> Option<u32> {
        let text = self.text(node)?;
        let count = text.parse().ok().filter(|count| (1..=MAX_COUNT).contains(count));
        if count.is_none() {
            self.problems.add(node.at, shown(text), format!("a number from 1 to {MAX_COUNT}"));
        }
        count
    }

    fn chatter(&mut self, node: &Node) -> Option<Chatter> {
        const FORM: &str = "a mapping, as {count: 5, per: 1h, then: shelve 8h}";
        let mut map = self.map(node, FORM)?;
        let count = self.required(&mut map, "count").and_then(|node| self.count(node));
        let per = self.required(&mut map, "per").and_then(|node| self.duration(Some(node)));
        let then = self.required(&mut map, "then").and_then(|node| {
            let text = self.text(node)?;
            let time = text.strip_prefix("shelve ").and_then(|time| duration_of(time.trim()));
            let time = time.filter(|time| !time.is_zero() && *time <= MAX_SHELF);
            if time.is_none() {
                self.problems.add(node.at, shown(text), "shelve and a time of at most 8h, as shelve 30m");
            }
            time
        });
        self.nothing_left(map);
        Some(Chatter { count: count?, per: per?, shelve: then? })
    }

    /// Without an owner and an action there is no alarm: that is what ISA-18.2 calls one.
    fn about(&mut self, node: &Node) -> Option<About> {
        let mut map = self.map(node, "a mapping with `owner` and `action`")?;
        let owner = self.required(&mut map, "owner").and_then(|node| self.text(node));
        let action = self.required(&mut map, "action").and_then(|node| self.title(node));
        let author = map.take("author").map(|node| self.text(node));
        let rationale = map.take("rationale").map(|node| self.text(node));
        let review = map.take("review").map(|node| self.date(node));
        self.nothing_left(map);
        Some(About {
            owner: owner?.to_owned(),
            action: action?,
            author: author.map_or(Some(None), |text| text.map(|text| Some(text.to_owned())))?,
            rationale: rationale.map_or(Some(None), |text| text.map(|text| Some(text.to_owned())))?,
            review: review.map_or(Some(None), |date| date.map(Some))?,
        })
    }

    fn only(&mut self, node: &Node, calendars: &Calendars) -> Option<Arc<crate::calendar::Calendar>> {
        let text = self.text(node)?;
        let found = calendars.get(text).map(Arc::clone);
        if found.is_none() {
            let mut names: Vec<&str> = calendars.keys().map(|name| &**name).collect();
            names.sort_unstable();
            let expected = match names.as_slice() {
                [] => "a name under `calendars`".to_owned(),
                names => format!("one of {}", names.join(", ")),
            };
            self.problems.add(node.at, format!("the unknown calendar {}", shown(text)), expected);
        }
        found
    }

    /// What of `levels`, `level`, `raise`, `clear`, `absent` and `for` the rule's `on` asks for.
    fn trigger(&mut self, map: &mut Map<'_>, on: Option<&On>) -> Option<Trigger> {
        let wait = self.duration(map.take("for"));
        let (levels, level) = (map.take("levels"), map.take("level"));
        let (raise, clear, absent) = (map.take("raise"), map.take("clear"), map.take("absent"));
        let at = map.at;
        let reading = match &on?.what {
            What::States(states) => {
                self.refuse([("levels", levels), ("raise", raise), ("clear", clear), ("absent", absent)], "a state");
                let level = self.level(level, at);
                return Some(Trigger::State { states: states.clone(), level: level?, wait: wait? });
            }
            What::Reading(reading) => Arc::clone(reading),
            // A rule over several sources is read elsewhere.
            What::Anchor => return None,
        };
        if let Some(absent) = absent {
            self.refuse([("levels", levels), ("raise", raise), ("clear", clear)], "`absent`");
            let (after, level) = (self.after(absent), self.level(level, at));
            return Some(Trigger::Absent { reading, after: after?, level: level?, wait: wait? });
        }
        if let Some(levels) = levels {
            self.refuse([("level", level), ("raise", raise), ("clear", clear)], "`levels`");
            // What is wrong with the levels is told beside what is wrong with the wait.
            let levels = self.levels(levels, wait.unwrap_or_default(), on?.unit);
            return wait.and(levels).map(|levels| Trigger::Reading { reading, levels });
        }
        let Some(raise) = raise else {
            self.problems.add(at, "no `levels`", "`levels`, or `level` with `raise`, or `level` with `absent`");
            return None;
        };
        let level = self.level(level, at);
        let made = self.level_rule(raise, clear, level?, wait?, on?.unit, raise.at)?;
        checks::overlap(self.problems, &made, raise.at);
        Some(Trigger::Reading { reading, levels: vec![made] })
    }

    fn refuse<const N: usize>(&mut self, given: [(&str, Option<&Node>); N], beside: &str) {
        for (key, node) in given {
            if let Some(node) = node {
                self.problems.add(node.at, format!("`{key}` beside {beside}"), "one of the two");
            }
        }
    }

    pub fn level(&mut self, node: Option<&Node>, at: Pos) -> Option<Level> {
        let Some(node) = node else {
            self.problems.add(at, "no `level`", "the level of the alarm");
            return None;
        };
        self.one_of(node, Level::ALL.iter().map(|level| (level.as_str(), *level)))
    }

    fn after(&mut self, node: &Node) -> Option<After> {
        let text = self.text(node)?;
        let intervals = text.strip_suffix('x').and_then(|count| count.parse().ok());
        let after = match intervals.filter(|count| (1..=MAX_INTERVALS).contains(count)) {
            Some(count) => Some(After::Intervals(count)),
            None => duration_of(text).filter(|time| !time.is_zero()).map(After::Time),
        };
        if after.is_none() {
            self.problems.add(node.at, shown(text), "a time, as 15m, or report intervals, as 3x");
        }
        after
    }

    fn levels(&mut self, node: &Node, default: SignedDuration, unit: Option<&'static Unit>) -> Option<Vec<LevelRule>> {
        let mut map = self.map(node, "levels, as blue: {raise: ..., clear: ...}")?;
        let mut levels = Vec::new();
        let mut whole = true;
        for level in Level::ALL {
            let Some(node) = map.take(level.as_str()) else { continue };
            let made = self.level_of(node, level, default, unit);
            whole &= made.is_some();
            levels.extend(made.map(|made| (made, node.at)));
        }
        if levels.is_empty() && whole {
            self.problems.add(map.at, "no level", "at least one of blue, yellow, orange, red");
            whole = false;
        }
        self.nothing_left(map);
        for (level, at) in &levels {
            checks::overlap(self.problems, level, *at);
        }
        checks::rising(self.problems, &levels);
        whole.then(|| levels.into_iter().map(|(level, _)| level).collect())
    }

    fn level_of(
        &mut self,
        node: &Node,
        level: Level,
        default: SignedDuration,
        unit: Option<&'static Unit>,
    ) -> Option<LevelRule> {
        let mut map = self.map(node, "a mapping with `raise` and perhaps `clear` and `for`")?;
        let raise = self.required(&mut map, "raise");
        let clear = map.take("clear");
        let wait = match map.take("for") {
            None => Some(default),
            given => self.duration(given),
        };
        self.nothing_left(map);
        self.level_rule(raise?, clear, level, wait?, unit, node.at)
    }

    fn level_rule(
        &mut self,
        raise: &Node,
        clear: Option<&Node>,
        level: Level,
        wait: SignedDuration,
        unit: Option<&'static Unit>,
        at: Pos,
    ) -> Option<LevelRule> {
        let raise = self.condition_in(raise, Names::All, unit);
        let clear = match clear {
            Some(clear) => self.condition_in(clear, Names::All, unit).map(Some),
            None => Some(None),
        };
        let (raise, clear) = (raise?, clear?);
        let mut limits: Vec<Arc<str>> = Vec::new();
        for limit in [Some(&raise), clear.as_ref()].into_iter().flatten().flat_map(|condition| condition.limits()) {
            if !limits.contains(limit) {
                limits.push(Arc::clone(limit));
            }
        }
        let sees_absence = raise.sees_absence() || clear.as_ref().is_some_and(Condition::sees_absence);
        Some(LevelRule { level, raise, clear, wait, limits, sees_absence, at })
    }
}

/// What people are told of the rule itself.
struct About {
    owner: String,
    action: Title,
    author: Option<String>,
    rationale: Option<String>,
    review: Option<Date>,
}

fn listens(trigger: &Trigger) -> Vec<Arc<str>> {
    match trigger {
        Trigger::Reading { reading, levels } => {
            let mut names = vec![Arc::clone(reading)];
            let conditions = levels.iter().flat_map(|level| [Some(&level.raise), level.clear.as_ref()]).flatten();
            for name in conditions.flat_map(|condition| condition.readings()) {
                if !names.contains(name) {
                    names.push(Arc::clone(name));
                }
            }
            names
        }
        Trigger::Absent { reading, .. } => vec![Arc::clone(reading)],
        // What a composite's parts listen to is known at their own sources.
        Trigger::State { .. } | Trigger::Composite(_) => Vec::new(),
    }
}

/// The functions over time, each once, with the readings that they are about.
fn spans(trigger: &Trigger) -> Vec<(Arc<str>, Span)> {
    let Trigger::Reading { reading, levels } = trigger else { return Vec::new() };
    let mut spans: Vec<(Arc<str>, Span)> = Vec::new();
    let conditions = levels.iter().flat_map(|level| [Some(&level.raise), level.clear.as_ref()]).flatten();
    for span in conditions.flat_map(Condition::spans) {
        let of = Arc::clone(span.reading.as_ref().unwrap_or(reading));
        if !spans.iter().any(|(known, other)| *known == of && other.over == span.over && other.span_ms == span.span_ms)
        {
            spans.push((of, span.clone()));
        }
    }
    spans
}
