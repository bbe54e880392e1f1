//! Every announced alarm of 45 days in 12 bytes, with the rule and source that raised it.
//!
//! Rules and sources are told by the number of their pair, so that the ring knows no text. A pair lives as long as
//! something names it: a raise in the ring or an alarm that is active.

use std::collections::{HashMap, VecDeque};

use model::{RuleId, SourceId, Verdict};

use super::hours::{HOUR_S, KEPT_HOURS};

/// The most raises kept: more than twice the 216,000 that 200 an hour come to in 45 days; 6 MB.
pub(crate) const MAX_RAISES: usize = 500_000;
/// As many raises of one rule and source ...
const CHATTER_RAISES: usize = 3;
/// ... within this time are chatter.
const CHATTER_MS: i64 = 60_000;

/// One announced alarm.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raise {
    /// Seconds since 1970; good until 2106.
    at_s: u32,
    pub pair: u32,
    pub verdict: Option<Verdict>,
}

impl Raise {
    pub fn at_s(&self) -> i64 {
        i64::from(self.at_s)
    }
}

/// A rule and a source.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub rule: RuleId,
    pub source: SourceId,
    /// The desk's number.
    pub desk: u8,
    named: u32,
    /// When it was raised last and the time before, in milliseconds.
    last: [i64; CHATTER_RAISES - 1],
    chatters: bool,
}

/// The ring and its pairs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Raises {
    ring: VecDeque<Raise>,
    /// The number of the first raise in the ring.
    first: u64,
    pairs: Vec<Option<Pair>>,
    free: Vec<u32>,
    numbers: HashMap<(RuleId, SourceId), u32>,
}

impl Raises {
    /// The number of a pair, named once more; to be let go with [`Raises::release`].
    pub fn name(&mut self, rule: &RuleId, source: &SourceId, desk: u8) -> u32 {
        let key = (rule.clone(), source.clone());
        if let Some(&number) = self.numbers.get(&key) {
            if let Some(pair) = &mut self.pairs[number as usize] {
                pair.named += 1;
                // A rule that changes hands takes its figures along.
                pair.desk = desk;
            }
            return number;
        }
        let pair = Pair {
            rule: rule.clone(),
            source: source.clone(),
            desk,
            named: 1,
            last: [i64::MIN; CHATTER_RAISES - 1],
            chatters: false,
        };
        let number = match self.free.pop() {
            Some(number) => {
                self.pairs[number as usize] = Some(pair);
                number
            }
            None => {
                self.pairs.push(Some(pair));
                (self.pairs.len() - 1) as u32
            }
        };
        self.numbers.insert(key, number);
        number
    }

    /// No longer names a pair.
    pub fn release(&mut self, number: u32) {
        let place = &mut self.pairs[number as usize];
        let Some(pair) = place else { return };
        pair.named -= 1;
        if pair.named == 0 {
            self.numbers.remove(&(pair.rule.clone(), pair.source.clone()));
            *place = None;
            self.free.push(number);
        }
    }

    /// All pairs by number; none where a number is free.
    pub fn pairs(&self) -> &[Option<Pair>] {
        &self.pairs
    }

    pub fn pair(&self, number: u32) -> Option<&Pair> {
        self.pairs.get(number as usize)?.as_ref()
    }

    /// Notes a raise of a pair, announced or not; true when it begins to chatter with it.
    pub fn chatters(&mut self, number: u32, at_ms: i64) -> bool {
        let Some(pair) = self.pairs.get_mut(number as usize).and_then(Option::as_mut) else { return false };
        let was = pair.chatters;
        // A minute that has not three raises ends it.
        pair.chatters = pair.last[0] > i64::MIN && at_ms - pair.last[0] < CHATTER_MS;
        pair.last = [pair.last[1], at_ms];
        pair.chatters && !was
    }

    /// Takes an announced alarm in; its number.
    pub fn push(&mut self, at_s: i64, pair: u32) -> u64 {
        if let Some(known) = self.pairs.get_mut(pair as usize).and_then(Option::as_mut) {
            known.named += 1;
        }
        self.forget(at_s);
        if self.ring.len() == MAX_RAISES {
            self.pop();
        }
        self.ring.push_back(Raise { at_s: at_s.clamp(0, i64::from(u32::MAX)) as u32, pair, verdict: None });
        self.first + self.ring.len() as u64 - 1
    }

    /// Lets go of what is older than 45 days.
    pub fn forget(&mut self, now_s: i64) {
        let oldest = (now_s.div_euclid(HOUR_S) - KEPT_HOURS) * HOUR_S;
        while self.ring.front().is_some_and(|raise| raise.at_s() < oldest) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some(raise) = self.ring.pop_front() {
            self.first += 1;
            self.release(raise.pair);
        }
    }

    /// What an alarm turned out to be; nothing when it has left the ring.
    pub fn judge(&mut self, number: u64, verdict: Option<Verdict>) {
        let place = number.checked_sub(self.first).and_then(|place| self.ring.get_mut(place as usize));
        if let Some(raise) = place {
            raise.verdict = verdict;
        }
    }

    /// The raises from `from_s` and before `to_s`, with their pairs.
    pub fn between(&self, from_s: i64, to_s: i64) -> impl Iterator<Item = (&Raise, &Pair)> {
        let begin = self.ring.partition_point(|raise| raise.at_s() < from_s);
        let end = self.ring.partition_point(|raise| raise.at_s() < to_s).max(begin);
        self.ring.range(begin..end).filter_map(|raise| Some((raise, self.pair(raise.pair)?)))
    }

    /// Raises and pairs that are kept.
    pub fn sizes(&self) -> (usize, usize) {
        (self.ring.len(), self.numbers.len())
    }
}
