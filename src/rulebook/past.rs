//! What a rule saw at a source at a moment of the past: the history played again by the rules in force now.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use alerting::backtest::{self, Backtest};
use alerting::{Explanation, NotKnown, RuleSet};
use dashboard::rules::Refused;
use model::{LogBody, RuleId, Source, SourceId, SourceStatus, Timestamp};
use storage::{Scan, Storage};

/// An alarm that was raised so long before is found again; one that is older begins anew.
const MOST_BEFORE: jiff::SignedDuration = jiff::SignedDuration::from_hours(24 * 7);
/// The most rows of the log about alarms of one rule at one source that are looked at.
const ROWS: u32 = 1_000;

pub struct Past {
    pub rules: Arc<RuleSet>,
    pub rule: RuleId,
    pub source: SourceId,
    pub at: Timestamp,
    pub sources: Arc<Vec<Arc<Source>>>,
    pub storage: Storage,
}

impl Past {
    pub async fn explain(self) -> Result<Explanation, Refused> {
        let source = self.sources.iter().find(|source| source.id == self.source);
        let source = source.cloned().ok_or(Refused::NotFound("source"))?;
        let own = [source];
        let warm_up = backtest::warm_up(&self.rules, &self.rule, &own).ok_or(Refused::NotFound("rule"))?;
        let stood_since = self.stood_since().await?;
        let earliest = self.at.checked_sub(MOST_BEFORE).unwrap_or(self.at);
        let begin = stood_since.unwrap_or(self.at).max(earliest);
        let begin = begin.checked_sub(warm_up).unwrap_or(begin);
        // The moment itself belongs to it.
        let to = self.at.checked_add(jiff::SignedDuration::from_millis(1)).unwrap_or(self.at);
        let mut test = Backtest::new(&self.rules, &self.rule, &own, [begin, begin, to]).map_err(not_known)?;
        if test.sources().is_empty() {
            let engine = alerting::Engine::new((*self.rules).clone(), own, self.at);
            return engine.explain(&self.rule, &self.source, self.at).map_err(not_known);
        }
        let mut states = Vec::new();
        if test.wants_states() {
            let timeline =
                self.storage.connections().timeline(self.source.as_str(), begin, to).await.map_err(unread)?;
            for segment in timeline.segments {
                states.push((segment.from, status(&own[0], segment.state, segment.from, segment.reason)));
            }
        }
        let mut states = states.into_iter().peekable();
        let readings = test.wanted();
        let readings: HashSet<model::Reading> = readings.into_iter().collect();
        let sources = HashSet::from([self.source.clone()]);
        let scan = Scan { from: begin, to, sources, readings: Some(readings) };
        let each = |observation: model::Observation| {
            while let Some((at, status)) = states.next_if(|(at, _)| *at <= observation.received_at) {
                test.status(&status, at);
            }
            test.observe(&observation);
            ControlFlow::Continue(())
        };
        self.storage.history().scan(&scan, each).await.map_err(unread)?;
        states.for_each(|(at, status)| test.status(&status, at));
        test.explain(&self.source, self.at).map_err(not_known)
    }

    /// When the alarm was raised that stood at the moment, by the log.
    async fn stood_since(&self) -> Result<Option<Timestamp>, Refused> {
        let rows = self.storage.log().alarms_of(&self.rule, &self.source, self.at, ROWS).await.map_err(unread)?;
        let mut stands = None;
        for row in rows {
            let (LogBody::Alarm(transition) | LogBody::Shadow(transition)) = row.body else { continue };
            match transition.change {
                model::AlarmChange::Raised { .. } => stands = Some(transition.at),
                model::AlarmChange::Cleared { .. } => stands = None,
                _ => {}
            }
        }
        Ok(stands)
    }
}

fn status(source: &Source, state: model::SourceState, since: Timestamp, reason: Option<String>) -> SourceStatus {
    let (profile, detail, last_data_at, stream) = (None, None, None, None);
    SourceStatus {
        source: source.id.clone(),
        kind: source.kind,
        profile,
        state,
        since,
        reason,
        detail,
        last_data_at,
        stream,
    }
}

pub fn not_known(what: NotKnown) -> Refused {
    match what {
        NotKnown::Rule => Refused::NotFound("rule"),
        NotKnown::Source => Refused::NotFound("source"),
    }
}

fn unread(error: storage::Error) -> Refused {
    tracing::error!(%error, "the past cannot be read");
    Refused::Unavailable("the past cannot be read".to_owned())
}
