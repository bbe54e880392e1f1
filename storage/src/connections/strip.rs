//! From changes and runs of the hub to the state at each moment. Pure.

use model::{SourceState, Timestamp};

use super::{ConnectionRow, Run};

/// The reason of a time when no hub ran.
pub const HUB_DOWN: &str = "hub_down";
/// The reason of a time when the hub ran and had not heard of the source yet.
pub const NOT_HEARD: &str = "not_heard";

/// A state that lasted.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// When it began.
    pub from: Timestamp,
    /// When it ended.
    pub to: Timestamp,
    /// Which.
    pub state: SourceState,
    /// Why.
    pub reason: Option<String>,
    /// Changes within it that were too many to keep: it is the state at its beginning, and was not all the time.
    pub merged: u32,
}

/// The state at each moment from `from` to `to`. `rows` by time, with the last one before `from` if there is one; `runs`
/// by time. A row tells the state until the next one or the end of its run; the rest is unknown.
pub(super) fn segments(rows: &[ConnectionRow], runs: &[Run], from: Timestamp, to: Timestamp) -> Vec<Segment> {
    let mut strip = Strip { segments: Vec::new(), at: from, to };
    for run in runs {
        if run.began > strip.at {
            strip.until(run.began, SourceState::Unknown, Some(HUB_DOWN), 0);
        }
        let within = rows.iter().filter(|row| row.at >= run.began && row.at <= run.seen);
        let (mut state, mut reason) = (SourceState::Unknown, Some(NOT_HEARD));
        for row in within {
            strip.until(row.at, state, reason, row.merged);
            (state, reason) = (row.state, row.reason.as_deref());
        }
        strip.until(run.seen, state, reason, 0);
    }
    strip.until(to, SourceState::Unknown, Some(HUB_DOWN), 0);
    strip.segments
}

struct Strip {
    segments: Vec<Segment>,
    /// Up to where it is told.
    at: Timestamp,
    to: Timestamp,
}

impl Strip {
    fn until(&mut self, end: Timestamp, state: SourceState, reason: Option<&str>, merged: u32) {
        let end = end.min(self.to);
        if end <= self.at {
            return;
        }
        match self.segments.last_mut() {
            Some(last)
                if last.state == state && last.reason.as_deref() == reason && last.merged == 0 && merged == 0 =>
            {
                last.to = end;
            }
            _ => {
                let reason = reason.map(str::to_owned);
                self.segments.push(Segment { from: self.at, to: end, state, reason, merged });
            }
        }
        self.at = end;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + s).unwrap()
    }

    fn row(s: i64, state: SourceState) -> ConnectionRow {
        ConnectionRow { at: at(s), state, reason: None, detail: None, merged: 0 }
    }

    fn run(began: i64, seen: i64) -> Run {
        Run { began: at(began), seen: at(seen) }
    }

    fn told(segments: &[Segment]) -> Vec<(i64, i64, &str)> {
        let s = |t: Timestamp| t.as_second() - 1_795_000_000;
        segments
            .iter()
            .map(|one| (s(one.from), s(one.to), one.reason.as_deref().unwrap_or(one.state.as_str())))
            .collect()
    }

    #[test]
    fn what_no_hub_saw_is_unknown_and_not_the_last_state() {
        let rows = [row(10, SourceState::Live), row(40, SourceState::Offline), row(110, SourceState::Live)];
        let runs = [run(5, 60), run(100, 150)];
        assert_eq!(
            told(&segments(&rows, &runs, at(0), at(200))),
            [
                (0, 5, HUB_DOWN),
                (5, 10, NOT_HEARD),
                (10, 40, "live"),
                (40, 60, "offline"),
                (60, 100, HUB_DOWN),
                (100, 110, NOT_HEARD),
                (110, 150, "live"),
                (150, 200, HUB_DOWN),
            ]
        );
    }

    #[test]
    fn the_last_row_before_the_range_tells_its_beginning() {
        let rows = [row(-500, SourceState::Live), row(40, SourceState::Stalled)];
        assert_eq!(told(&segments(&rows, &[run(-600, 60)], at(0), at(60))), [(0, 40, "live"), (40, 60, "stalled")]);
        // Of an earlier run it tells nothing.
        assert_eq!(
            told(&segments(&rows, &[run(-600, -400), run(-100, 60)], at(0), at(60))),
            [(0, 40, NOT_HEARD), (40, 60, "stalled")]
        );
        assert_eq!(told(&segments(&[], &[], at(0), at(60))), [(0, 60, HUB_DOWN)]);
    }

    #[test]
    fn a_time_of_many_changes_says_so() {
        let rows = [row(0, SourceState::Live), ConnectionRow { merged: 7, ..row(50, SourceState::Offline) }];
        let strip = segments(&rows, &[run(0, 60)], at(0), at(60));
        assert_eq!((strip[0].merged, strip[1].merged), (7, 0));
    }

    proptest! {
        #[test]
        fn every_moment_has_one_state(
            times in proptest::collection::btree_set(-100i64..400, 0..30),
            ends in proptest::collection::btree_set(-150i64..450, 0..9),
        ) {
            let states = SourceState::ALL;
            let rows: Vec<_> = times.iter().enumerate().map(|(n, s)| row(*s, states[n % states.len()])).collect();
            let ends: Vec<i64> = ends.into_iter().collect();
            let runs: Vec<_> = ends.chunks_exact(2).map(|pair| run(pair[0], pair[1])).collect();
            let strip = segments(&rows, &runs, at(0), at(300));
            prop_assert_eq!((strip.first().unwrap().from, strip.last().unwrap().to), (at(0), at(300)));
            for pair in strip.windows(2) {
                prop_assert_eq!(pair[0].to, pair[1].from);
            }
            for one in &strip {
                prop_assert!(one.from < one.to);
                let ran = runs.iter().any(|run| run.began <= one.from && one.to <= run.seen);
                prop_assert_eq!(ran, one.reason.as_deref() != Some(HUB_DOWN));
            }
        }
    }
}
