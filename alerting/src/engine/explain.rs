//! Why an alarm stands at a source, or does not.

use model::{RuleId, SourceId, Timestamp};

use super::view::{View, not_watched};
use super::{Engine, in_ms};
use crate::explanation::{Explanation, NotKnown};
use crate::rule::Trigger;

impl Engine {
    /// What a rule sees at a source. `now` must not lie before what the engine has seen; deadlines up to it must have
    /// been run ([`Engine::tick`]).
    pub fn explain(&self, rule: &RuleId, source: &SourceId, now: Timestamp) -> Result<Explanation, NotKnown> {
        let now = in_ms(now).max(self.clock);
        let number = self.rules.find(rule).ok_or(NotKnown::Rule)?;
        let place = *self.places.get(source).ok_or(NotKnown::Source)?;
        let (rule, known) = (self.rules.at(number), &self.sources[place as usize]);
        let Ok(bound) = known.bounds.binary_search_by_key(&number, |bound| bound.rule) else {
            return Ok(not_watched(rule, known, now));
        };
        let whole = match &rule.trigger {
            Trigger::Composite(composite) => Some(self.whole_sight(number, composite, place, now)),
            _ => None,
        };
        Ok(View { rule, known, now }.explain(known.bounds[bound].track.as_deref(), whole.as_ref()))
    }
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
