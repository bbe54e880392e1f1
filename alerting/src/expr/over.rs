//! Functions over a span of time: what they are called, what they ask of the engine, what they make of samples.

use std::sync::Arc;

/// A function over the samples of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Avg,
    Min,
    Max,
    Sum,
    Count,
    /// Last less first, by the time between them, in an hour.
    Rate,
    /// Last less first.
    Delta,
    /// Whether a value differs from the one before it; without a span the last one alone is asked.
    Changed,
    /// Whether nothing usable has come for the span.
    Absent,
}

impl Over {
    pub const ALL: [(&str, Over); 9] = [
        ("avg", Over::Avg),
        ("min", Over::Min),
        ("max", Over::Max),
        ("sum", Over::Sum),
        ("count", Over::Count),
        ("rate", Over::Rate),
        ("delta", Over::Delta),
        ("changed", Over::Changed),
        ("absent", Over::Absent),
    ];

    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, over)| *over)
    }

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, over)| *over == self).map_or("", |(name, _)| name)
    }

    /// Whether it says something of a reading that does not come.
    pub fn sees_absence(self) -> bool {
        matches!(self, Over::Count | Over::Absent)
    }

    pub fn is_truth(self) -> bool {
        matches!(self, Over::Changed | Over::Absent)
    }
}

/// A function as a condition names it; equal ones are asked once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub over: Over,
    /// The reading; none for the rule's own.
    pub reading: Option<Arc<str>>,
    /// Milliseconds; 0 for `changed(x)`.
    pub span_ms: i64,
}

impl Span {
    /// Whether it is worked out of samples.
    pub fn keeps_samples(&self) -> bool {
        self.over != Over::Absent
    }
}

/// What a function gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Answer {
    Number(f64),
    Truth(bool),
    Unknown,
    /// The samples are words.
    Words,
}

/// The longest unit that says it without a rest.
pub(crate) fn time_text(ms: i64) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)];
    let whole = units.iter().find(|(_, size)| ms % size == 0);
    whole.map_or_else(|| format!("{}s", ms / 1_000), |(unit, size)| format!("{}{unit}", ms / size))
}
