//! What a report is made of, copied: whoever folds rows waits for the copy alone, not for the report.

use super::cases::CaseFigures;
use super::desk::Desk;
use super::figures::{NoReport, Query};
use super::fold::{ALL, Kpis, Now};
use super::hours::{HOUR_S, KEPT_HOURS};
use super::raises::{Pair, Raise};
use super::shifts::By;

/// A copy of what one desk has come to in the time of a report; 216,000 raises and 60,000 pairs are some 7 MB.
#[derive(Debug, Clone)]
pub struct Picture {
    pub(super) desk: Desk,
    /// The desks' names by number.
    pub(super) names: Vec<Option<String>>,
    pub(super) now: Now,
    pub(super) began_s: i64,
    pub(super) clock_s: i64,
    /// Hours since 1970.
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) by: By,
    pub(super) raises: Vec<Raise>,
    pub(super) pairs: Vec<Option<Pair>>,
    pub(super) cases: Vec<CaseFigures>,
}

impl Kpis {
    /// Copies what the report needs that is asked for, as of the last look at the clock.
    pub fn picture(&self, query: &Query) -> Result<Picture, NoReport> {
        let number = match &query.desk {
            None => ALL,
            Some(name) => self.desk(name).ok_or_else(|| NoReport::NoSuchDesk(name.clone()))?,
        };
        let from = query.from.as_second().div_euclid(HOUR_S);
        let to = (query.to.as_second() + HOUR_S - 1).div_euclid(HOUR_S);
        if query.to <= query.from {
            return Err(NoReport::Empty);
        }
        if to - from > KEPT_HOURS + 1 {
            return Err(NoReport::TooLong);
        }
        let (from_s, to_s) = (from * HOUR_S, to * HOUR_S);
        let of_desk = |desk: u8| number == ALL || desk == number;
        Ok(Picture {
            desk: self.desks[usize::from(number)].clone(),
            names: self.desks.iter().map(|desk| desk.name.clone()).collect(),
            now: self.now(number),
            began_s: self.began_s,
            clock_s: self.clock_s,
            from,
            to,
            by: query.by,
            raises: self
                .raises
                .between(from_s, to_s)
                .filter(|(_, pair)| of_desk(pair.desk))
                .map(|(raise, _)| *raise)
                .collect(),
            pairs: self.raises.pairs().to_vec(),
            cases: self.cases.between(from_s, to_s).filter(|case| of_desk(case.desk)).collect(),
        })
    }
}
