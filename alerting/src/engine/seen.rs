//! What a rule sees of a source's readings in time: last values, windows, absences, and when these change by themselves.

use jiff::SignedDuration;
use model::unit::Conversion;
use model::{Timestamp, Value};

use super::memory::{Slot, shifted};
use super::view::View;
use crate::expr::{Answer, InTime, Over, Readings, Span};
use crate::rule::Trigger;

impl View<'_> {
    /// The reading, as the rule takes it.
    pub(super) fn slot(&self, name: &str) -> Option<&Slot> {
        self.known.slot(name, self.rule.good_only)
    }

    pub(super) fn in_time<'t>(&self, reading: &'t str) -> InTime<'t> {
        InTime {
            now: self.now,
            reading,
            min_samples: self.rule.min_samples,
            into: self.conversion(),
            // Asked for every level of every reading: rules without a span need it not.
            missing: !self.rule.spans.is_empty() && self.is_missing(),
        }
    }

    /// From the source's unit into the rule's, where they differ.
    fn conversion(&self) -> Option<Conversion> {
        let (unit, own) = (self.rule.unit?, self.known.unit?);
        if std::ptr::eq(unit, own) { None } else { own.to(unit) }
    }

    /// Until when absences and states of links say nothing.
    pub(super) fn grace_end(&self) -> Timestamp {
        shifted(self.known.heard, self.rule.startup_grace)
    }

    /// Whether the rule must not speak of absences yet.
    pub(super) fn in_grace(&self) -> bool {
        !self.rule.startup_grace.is_zero() && self.now < self.grace_end()
    }

    /// When the next function over time may give something else though nothing comes.
    pub(super) fn next_slide(&self) -> Option<Timestamp> {
        let slides = self.rule.spans.iter().filter_map(|(reading, span)| self.slide(reading, span));
        let states = matches!(self.rule.trigger, Trigger::State { .. });
        let waits = states || self.rule.spans.iter().any(|(_, span)| span.over.sees_absence());
        slides.chain((waits && self.in_grace()).then(|| self.grace_end())).min()
    }

    fn slide(&self, reading: &str, span: &Span) -> Option<Timestamp> {
        let time = SignedDuration::from_millis(span.span_ms);
        let slot = self.slot(reading);
        if span.over == Over::Absent {
            return self.last_heard(slot).map(|last| shifted(last, time));
        }
        let heard = self.known.heard.as_millisecond();
        match slot.and_then(|slot| slot.window.as_ref()) {
            Some(window) => {
                let at = window.slides(span.over, span.span_ms, self.now.as_millisecond(), heard)?;
                Timestamp::from_millisecond(at).ok()
            }
            None => (span.over == Over::Count).then(|| shifted(self.known.heard, time)),
        }
    }

    /// When the reading was last heard of, or first waited for; none while nobody can hear.
    fn last_heard(&self, slot: Option<&Slot>) -> Option<Timestamp> {
        if self.known.blind.is_some() {
            return None;
        }
        Some(slot.and_then(|slot| slot.live.as_ref()).map_or(self.known.since, |last| last.received))
    }
}

impl Readings for View<'_> {
    fn reading(&self, name: &str) -> Option<&Value> {
        self.slot(name)?.live.as_ref().map(|last| &last.value)
    }

    fn over(&self, name: &str, over: Over, span_ms: i64, time: &InTime<'_>) -> Answer {
        if over.sees_absence() && (self.known.blind.is_some() || self.in_grace()) {
            return Answer::Unknown;
        }
        let slot = self.slot(name);
        let span = SignedDuration::from_millis(span_ms);
        if over == Over::Absent {
            let last = self.last_heard(slot);
            return last.map_or(Answer::Unknown, |last| Answer::Truth(time.now >= shifted(last, span)));
        }
        let (now, heard) = (time.now.as_millisecond(), self.known.heard.as_millisecond());
        match slot.and_then(|slot| slot.window.as_ref()) {
            Some(window) => window.ask(over, span_ms, time.min_samples, now, heard),
            None if over == Over::Count && now.saturating_sub(span_ms) >= heard => Answer::Number(0.0),
            None => Answer::Unknown,
        }
    }
}
