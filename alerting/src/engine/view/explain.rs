//! What a rule sees at a source, for a person to read. Asks what the engine asks, and changes nothing.

use jiff::SignedDuration;
use model::{Level, Timestamp, Value};
use serde_json::json;

use super::{Track, Trouble, View};
use crate::explanation::{
    CalendarSight, ConditionSight, Explanation, LevelSight, NameSight, Reason, TimerSight, Verdict,
};
use crate::expr::{Condition, Named, Tri};
use crate::rule::{After, Trigger};

/// What is seen of a rule over several sources at its anchor.
pub(in crate::engine) struct WholeSight {
    /// Whether each count is reached.
    pub raises: Vec<Tri>,
    /// The parts, and where they hold.
    pub names: Vec<NameSight>,
}

impl WholeSight {
    /// A part with whether it holds, or the value of a source at which it does.
    pub fn name(name: String, value: Option<Value>) -> NameSight {
        let missing = value.is_none().then(|| "no_value".to_owned());
        NameSight { name, reading: None, value, received_at: None, age_s: None, missing }
    }
}

impl View<'_> {
    /// `whole` is what is seen of a rule over several sources.
    pub fn explain(&self, track: Option<&Track>, whole: Option<&WholeSight>) -> Explanation {
        let levels: Vec<LevelSight> =
            (0..self.rule.places()).map(|place| self.level_sight(place, track, whole)).collect();
        let alarm = track.and_then(|track| track.alarm.as_deref().cloned());
        let mut reasons = Vec::new();
        let verdict = self.answer(track, &levels, &mut reasons);
        let shelved_until = track.and_then(|track| track.shelf).filter(|until| *until > self.now);
        if let Some(until) = shelved_until {
            reasons.push(Reason::new("shelved", [("until", json!(until))]));
        }
        Explanation {
            rule: self.rule.id.clone(),
            version: self.rule.version.to_string(),
            status: self.rule.status,
            source: self.known.source.id.clone(),
            at: self.now,
            verdict,
            reasons,
            state: self.known.state,
            calendar: self.rule.only.as_ref().map(|calendar| CalendarSight {
                name: calendar.name.to_string(),
                open: self.is_open(),
                next_edge: calendar.next_edge(self.now),
            }),
            shelved_until,
            levels,
            alarm,
        }
    }

    fn level_sight(&self, place: usize, track: Option<&Track>, whole: Option<&WholeSight>) -> LevelSight {
        let (level, wait) = self.rule.level(place);
        let mut ignored = Trouble::default();
        let (raise, clear) = match whole {
            Some(whole) => (whole.raises[place], !whole.raises[place]),
            None if self.is_open() => (self.raise(place, &mut ignored), self.clear(place)),
            None => (Tri::False, self.clear(place)),
        };
        let (raise_text, clear_text) = self.texts(place);
        let (raise_names, clear_names) = match &self.rule.trigger {
            Trigger::Reading { reading, levels } => {
                let names = |condition: &Condition| self.names(condition, reading);
                let level = &levels[place];
                (names(&level.raise), level.clear.as_ref().map(names).unwrap_or_default())
            }
            Trigger::Absent { reading, .. } => (vec![self.reading_sight("x", reading)], Vec::new()),
            Trigger::State { .. } => (vec![self.state_sight()], Vec::new()),
            Trigger::Composite(_) => (whole.map(|whole| whole.names.clone()).unwrap_or_default(), Vec::new()),
        };
        let timer = track.and_then(|track| track.timers.get(place)).and_then(|timer| {
            let since = timer.since?;
            Some(TimerSight { since, elapsed_s: seconds(timer.elapsed(self.now)), due: timer.due(wait) })
        });
        LevelSight {
            level,
            raise: ConditionSight { text: raise_text, holds: holds(raise), names: raise_names },
            clear: ConditionSight { text: clear_text, holds: holds(clear), names: clear_names },
            for_s: seconds(wait),
            timer,
        }
    }

    fn texts(&self, place: usize) -> (String, String) {
        let info = crate::info::RuleInfo::of(self.rule);
        let level = info.levels.into_iter().nth(place);
        level.map(|level| (level.raise, level.clear)).unwrap_or_default()
    }

    fn answer(&self, track: Option<&Track>, levels: &[LevelSight], reasons: &mut Vec<Reason>) -> Verdict {
        if let Some(alarm) = track.and_then(|track| track.alarm.as_ref()) {
            self.stands(alarm, levels, reasons);
            return Verdict::Raised;
        }
        if let Some(calendar) = self.rule.only.as_ref().filter(|_| !self.is_open()) {
            let opens_at = calendar.next_edge(self.now);
            let name = calendar.name.to_string();
            reasons.push(Reason::new("calendar_shut", [("calendar", json!(name)), ("opens_at", json!(opens_at))]));
            return Verdict::Closed;
        }
        let (mut waits, mut unknown) = (false, false);
        for sight in levels.iter().rev() {
            let level = sight.level.as_str();
            match (sight.raise.holds, &sight.timer) {
                (Some(true), Some(timer)) => {
                    waits = true;
                    let values = [("level", json!(level)), ("since", json!(timer.since)), ("due", json!(timer.due))];
                    reasons.push(Reason::new("waits", values));
                }
                (None, timer) => {
                    unknown = true;
                    self.cannot_say(sight.level, &sight.raise, reasons);
                    if let Some(timer) = timer {
                        let elapsed = json!(timer.elapsed_s);
                        let values = [("level", json!(level)), ("elapsed_s", elapsed), ("for_s", json!(sight.for_s))];
                        reasons.push(Reason::new("paused", values));
                    }
                }
                _ => reasons
                    .push(Reason::new("not_met", [("level", json!(level)), ("condition", json!(told(&sight.raise)))])),
            }
        }
        let is_absence = matches!(self.rule.trigger, Trigger::Absent { after: After::Intervals(_), .. });
        if is_absence && self.known.source.interval_s.is_none_or(|s| s == 0) {
            reasons.push(Reason::new("no_interval", []));
        }
        match (waits, unknown) {
            (true, _) => Verdict::Waiting,
            (false, true) => Verdict::Unknown,
            (false, false) => Verdict::NotMet,
        }
    }

    /// Why an alarm stands, and still does.
    fn stands(&self, alarm: &model::Alarm, levels: &[LevelSight], reasons: &mut Vec<Reason>) {
        let since = alarm.raised_at;
        reasons.push(Reason::new(
            "raised",
            [
                ("level", json!(alarm.level.as_str())),
                ("since", json!(since)),
                ("condition", json!(alarm.evidence.condition)),
                ("values", json!(alarm.evidence.values)),
            ],
        ));
        let Some(sight) = levels.iter().find(|sight| sight.level == alarm.level) else { return };
        match sight.clear.holds {
            Some(true) => {
                let until = super::shifted(alarm.raised_at, self.rule.hold);
                reasons.push(Reason::new("held", [("until", json!(until))]));
            }
            Some(false) => {
                reasons.push(Reason::new("not_cleared", [("condition", json!(told(&sight.clear)))]));
            }
            None => {
                reasons.push(Reason::new("clear_unknown", [("condition", json!(sight.clear.text))]));
                self.what_lacks(&sight.clear, reasons);
            }
        }
        if alarm.stale {
            reasons.push(Reason::new("stale", []));
        }
    }

    fn cannot_say(&self, level: Level, condition: &ConditionSight, reasons: &mut Vec<Reason>) {
        let values = [("level", json!(level.as_str())), ("condition", json!(condition.text))];
        reasons.push(Reason::new("unknown", values));
        self.what_lacks(condition, reasons);
    }

    /// Which names have no usable value, and why.
    fn what_lacks(&self, condition: &ConditionSight, reasons: &mut Vec<Reason>) {
        let mut add = |reason: Reason| {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        };
        if let Some(since) = self.known.blind {
            add(Reason::new("broker_away", [("since", json!(since))]));
        }
        let after = self.rule.max_gap.or_else(|| self.known.gap());
        let mut whole = true;
        for name in &condition.names {
            let Some(missing) = &name.missing else { continue };
            whole = false;
            match missing.as_str() {
                "too_old" => add(Reason::new(
                    "too_old",
                    [("name", json!(name.name)), ("age_s", json!(name.age_s)), ("after_s", json!(after.map(seconds)))],
                )),
                "state_unknown" => add(Reason::new("state_unknown", [("state", json!(self.known.state.as_str()))])),
                "broker_away" => {}
                other => add(Reason::new(other, [("name", json!(name.name))])),
            }
        }
        if whole && let Some(clash) = self.clash() {
            let values = [
                ("operator", json!(clash.operator)),
                ("found", json!(clash.found)),
                ("expected", json!(clash.expected)),
            ];
            add(Reason::new("wrong_kind", values));
        }
    }

    fn clash(&self) -> Option<crate::expr::TypeClash> {
        let mut trouble = Trouble::default();
        for place in 0..self.rule.places() {
            self.raise(place, &mut trouble);
        }
        trouble.clash
    }

    fn names(&self, condition: &Condition, reading: &str) -> Vec<NameSight> {
        let env = self.env(reading);
        let named = condition.names().into_iter().map(|(written, named)| match named {
            Named::X => self.reading_sight(&written, reading),
            Named::Reading(name) => self.reading_sight(&written, name),
            Named::Limit(name) => {
                let value = env.limit(name).map(Value::Number);
                let missing = value.is_none().then(|| "no_limit".to_owned());
                NameSight { name: written, reading: None, value, received_at: None, age_s: None, missing }
            }
            Named::Tag(name) => {
                let value = self.known.source.tags.get(name).cloned().map(Value::Text);
                let missing = value.is_none().then(|| "no_tag".to_owned());
                NameSight { name: written, reading: None, value, received_at: None, age_s: None, missing }
            }
            Named::Field(field) => {
                let value = Some(Value::Text(field.of(&self.known.source).to_owned()));
                NameSight { name: written, reading: None, value, received_at: None, age_s: None, missing: None }
            }
        });
        named.collect()
    }

    fn reading_sight(&self, written: &str, reading: &str) -> NameSight {
        if let Some(kept) = self.kept(reading) {
            let value = Some(kept.clone());
            let (name, reading) = (written.to_owned(), Some(reading.to_owned()));
            return NameSight { name, reading, value, received_at: None, age_s: None, missing: None };
        }
        let last = self.slot(reading).and_then(|slot| slot.live.as_ref());
        let age = last.map(|last| self.now.duration_since(last.received));
        // Only the rule's own reading grows old; of the others the last value is taken.
        let too_old = written == "x" && self.is_missing();
        let missing = match last {
            None => Some("no_value"),
            Some(_) if too_old => Some("too_old"),
            Some(_) => None,
        };
        NameSight {
            name: written.to_owned(),
            reading: Some(reading.to_owned()),
            value: last.map(|last| last.value.clone()),
            received_at: last.map(|last| last.received),
            age_s: age.map(seconds),
            missing: missing.map(str::to_owned),
        }
    }

    fn state_sight(&self) -> NameSight {
        let is_known = self.is_in(&[]) != Tri::Unknown;
        NameSight {
            name: "state".to_owned(),
            reading: None,
            value: Some(Value::Text(self.known.state.as_str().to_owned())),
            received_at: None,
            age_s: None,
            missing: (!is_known).then(|| "state_unknown".to_owned()),
        }
    }
}

/// A condition with the values in it, as `x >= 3 (x = 2.9)`.
fn told(condition: &ConditionSight) -> String {
    let value = |name: &NameSight| {
        let value = match name.value.as_ref()? {
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Text(text) => format!("'{text}'"),
        };
        Some(format!("{} = {value}", name.name))
    };
    let values: Vec<String> = condition.names.iter().filter_map(value).collect();
    if values.is_empty() { condition.text.clone() } else { format!("{} ({})", condition.text, values.join(", ")) }
}

fn holds(tri: Tri) -> Option<bool> {
    match tri {
        Tri::True => Some(true),
        Tri::False => Some(false),
        Tri::Unknown => None,
    }
}

fn seconds(time: SignedDuration) -> f64 {
    time.as_secs_f64()
}

/// What an explanation says of a rule that does not watch the source.
pub(in crate::engine) fn not_watched(rule: &crate::rule::Rule, known: &super::Known, now: Timestamp) -> Explanation {
    let reason = if rule.status.watches() {
        Reason::new("not_selected", [("class", json!(known.source.class))])
    } else {
        Reason::new("status", [("status", json!(rule.status.as_str()))])
    };
    Explanation {
        rule: rule.id.clone(),
        version: rule.version.to_string(),
        status: rule.status,
        source: known.source.id.clone(),
        at: now,
        verdict: Verdict::NotWatched,
        reasons: vec![reason],
        state: known.state,
        calendar: None,
        shelved_until: None,
        levels: Vec::new(),
        alarm: None,
    }
}
