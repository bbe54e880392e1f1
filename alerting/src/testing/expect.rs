//! What must stand at a moment, and how it is compared with what stands.

use jiff::SignedDuration;
use model::{Alarm, Level, RuleId, SourceId, Timestamp};

/// What must stand at a moment.
#[derive(Debug)]
pub(super) struct Expected {
    pub line: usize,
    /// Since the start.
    pub at: SignedDuration,
    /// Exactly these; none when alarms are not compared.
    pub alarms: Option<Vec<ExpectedAlarm>>,
    /// How many alarms have been raised until then.
    pub raised: Option<usize>,
}

/// An alarm that must stand; what is not given may be anything.
#[derive(Debug)]
pub(super) struct ExpectedAlarm {
    pub device: SourceId,
    pub rule: Option<RuleId>,
    pub level: Option<Level>,
    pub state: Option<State>,
}

/// How an alarm stands; the first that fits, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Shelved,
    Stale,
    Acknowledged,
    Active,
}

impl State {
    pub const ALL: [(&str, State); 4] = [
        ("shelved", State::Shelved),
        ("stale", State::Stale),
        ("acknowledged", State::Acknowledged),
        ("active", State::Active),
    ];

    pub fn of(alarm: &Alarm, now: Timestamp) -> Self {
        if alarm.shelved_until.is_some_and(|until| until > now) {
            State::Shelved
        } else if alarm.stale {
            State::Stale
        } else if alarm.acknowledged_by.is_some() {
            State::Acknowledged
        } else {
            State::Active
        }
    }

    fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, state)| *state == self).map_or("", |(name, _)| name)
    }
}

impl ExpectedAlarm {
    fn fits(&self, alarm: &Alarm, now: Timestamp) -> bool {
        self.device == alarm.source
            && self.rule.as_ref().is_none_or(|rule| *rule == alarm.rule)
            && self.level.is_none_or(|level| level == alarm.level)
            && self.state.is_none_or(|state| state == State::of(alarm, now))
    }

    /// The narrower first, so that it is not left without the one alarm it fits.
    fn breadth(&self) -> usize {
        [self.rule.is_none(), self.level.is_none(), self.state.is_none()].into_iter().filter(|open| *open).count()
    }

    fn shown(&self) -> String {
        let mut words = vec![self.device.to_string()];
        words.extend(self.rule.as_ref().map(ToString::to_string));
        words.extend(self.level.map(|level| level.as_str().to_owned()));
        words.extend(self.state.map(|state| state.as_str().to_owned()));
        words.join(" ")
    }
}

/// What differs: the comparison in words, and whom it concerns; none when all is as expected.
pub(super) struct Differs {
    pub text: String,
    /// Rule, when it is known, and source.
    pub about: Vec<(Option<RuleId>, SourceId)>,
}

pub(super) fn compare(expected: &[ExpectedAlarm], got: &[&Alarm], now: Timestamp) -> Option<Differs> {
    let mut order: Vec<&ExpectedAlarm> = expected.iter().collect();
    order.sort_by_key(|alarm| alarm.breadth());
    let mut left: Vec<&&Alarm> = got.iter().collect();
    let mut missing = Vec::new();
    for wanted in order {
        match left.iter().position(|alarm| wanted.fits(alarm, now)) {
            Some(place) => drop(left.swap_remove(place)),
            None => missing.push(wanted),
        }
    }
    if missing.is_empty() && left.is_empty() {
        return None;
    }
    let list = |mut words: Vec<String>| {
        words.sort();
        if words.is_empty() { "no alarm".to_owned() } else { words.join("; ") }
    };
    let shown = |alarm: &&Alarm| {
        let state = State::of(alarm, now).as_str();
        format!("{} {} {} {state}", alarm.source, alarm.rule, alarm.level.as_str())
    };
    let text = format!(
        "    expected: {}\n    got:      {}",
        list(expected.iter().map(ExpectedAlarm::shown).collect()),
        list(got.iter().map(shown).collect())
    );
    let mut about: Vec<(Option<RuleId>, SourceId)> =
        missing.iter().map(|wanted| (wanted.rule.clone(), wanted.device.clone())).collect();
    about.extend(left.iter().map(|alarm| (Some(alarm.rule.clone()), alarm.source.clone())));
    about.dedup();
    Some(Differs { text, about })
}
