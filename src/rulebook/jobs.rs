//! Backtests, one at a time, on a thread of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use alerting::RuleSet;
use dashboard::rules::{JobState, Jobs, Refused, Wish};
use model::{Actor, LogBody, RuleChange, RuleId, RuleStep, Timestamp};
use storage::Storage;

use crate::rules::replay::Replay;

/// Backtests on their way to the thread; the list of jobs holds fewer waiting ones than that.
const LINE: usize = 16;

/// The line of backtests, and the thread that makes them.
pub struct Line {
    jobs: Jobs,
    work: Option<SyncSender<Work>>,
}

struct Work {
    id: u64,
    replay: Replay,
    cancel: Arc<AtomicBool>,
    /// Whom it counts for, when it is over the whole town and of the rules in force.
    on_record: Option<Actor>,
}

impl Line {
    /// Starts the thread; it ends with the line.
    pub fn start(jobs: Jobs, storage: Storage) -> std::io::Result<Self> {
        let (work, taken) = sync_channel::<Work>(LINE);
        let (list, runtime) = (jobs.clone(), tokio::runtime::Handle::current());
        std::thread::Builder::new().name("backtests".to_owned()).spawn(move || {
            while let Ok(work) = taken.recv() {
                if !work.cancel.load(Ordering::Relaxed) {
                    runtime.block_on(make(work, &list, &storage));
                }
            }
        })?;
        Ok(Self { jobs, work: Some(work) })
    }

    /// Adds one; answers with its number.
    pub fn add(&mut self, wish: Wish, rules: RuleSet) -> Result<u64, Refused> {
        let rule = match (&wish.rule, wish.text.is_some()) {
            (Some(rule), _) => rule.clone(),
            (None, true) => only_of_text(&rules).ok_or_else(|| Refused::Bad("rule: say which".to_owned()))?,
            (None, false) => return Err(Refused::Bad("rule or text: one is needed".to_owned())),
        };
        if rules.place_of(&rule).is_none() {
            return Err(Refused::NotFound("rule"));
        }
        let full = || Refused::Unavailable("too many backtests wait".to_owned());
        let (id, cancel) = self.jobs.add(rule.clone(), [wish.from, wish.to], wish.by.clone()).ok_or_else(full)?;
        let on_record = wish.whole.then(|| Actor::User(wish.by.clone()));
        let replay = Replay {
            rules,
            rule,
            sources: wish.sources,
            sees_grid: wish.sees_grid,
            from: wish.from,
            to: wish.to,
            calm_per_day: wish.calm_per_day,
        };
        let work = Work { id, replay, cancel, on_record };
        // Refused when the line is full, or over.
        let waits = self.work.as_ref().is_some_and(|line| line.try_send(work).is_ok());
        if waits {
            return Ok(id);
        }
        self.jobs.cancel(id);
        Err(full())
    }

    /// Ends what runs and what waits.
    pub fn end(&mut self) {
        self.jobs.list().iter().for_each(|job| self.jobs.cancel(job.id));
        self.work = None;
    }
}

/// The one rule of the text that is tried.
fn only_of_text(rules: &RuleSet) -> Option<RuleId> {
    let mut of_text = rules.ids().filter(|id| rules.place_of(id).is_some_and(|(file, ..)| file == "text"));
    let only = of_text.next()?;
    of_text.next().is_none().then(|| only.clone())
}

async fn make(work: Work, jobs: &Jobs, storage: &Storage) {
    jobs.update(work.id, |job| job.state = JobState::Running);
    let mut told = |progress: f64, readings: u64| {
        jobs.update(work.id, |job| (job.progress, job.readings) = (progress, readings));
    };
    match work.replay.play(storage, &mut told, &work.cancel).await {
        Ok(Some((report, _))) => {
            if let Some(by) = work.on_record {
                let (_, _, _, status) =
                    work.replay.rules.place_of(&work.replay.rule).unwrap_or(("", 0, "", alerting::RuleStatus::Draft));
                let step = RuleStep::Backtested {
                    from: report.from,
                    to: report.to,
                    raised: report.raised as u64,
                    per_day: report.per_day,
                };
                let (rule, version, status) = (report.rule.clone(), report.version.clone(), status.as_str().to_owned());
                let row = LogBody::Rule(RuleChange { rule, version, status, step });
                if let Err(error) = storage.log().append(&by, Timestamp::now(), vec![row]).await {
                    // It is made all the same; it does not count for a promotion.
                    tracing::error!(%error, "a backtest could not be logged");
                }
            }
            jobs.update(work.id, |job| {
                (job.state, job.report, job.progress) = (JobState::Done, Some(Arc::new(report)), 1.0);
            });
        }
        Ok(None) => jobs.update(work.id, |job| job.state = JobState::Cancelled),
        Err(error) => {
            tracing::error!(%error, "a backtest failed");
            jobs.update(work.id, |job| (job.state, job.error) = (JobState::Failed, Some(format!("{error:#}"))));
        }
    }
}
