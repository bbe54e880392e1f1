//! The life of rules: what people ask of the rulebook, and how it can be refused. Who keeps it is told over a channel.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alerting::backtest::Report;
use alerting::lint::Finding;
use alerting::{Explanation, Problem, RuleStatus};
use model::{Actor, GridId, RuleChange, RuleId, Source, SourceId, Timestamp, UserId};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};
use utoipa::ToSchema;

/// Backtests that wait for their turn; one runs at a time.
const WAITING: usize = 8;
/// Backtests that are kept when they have ended, the newest.
const ENDED: usize = 20;

/// The rules as they were last read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Book {
    /// Hash over the meaning of all rules in force.
    pub version: String,
    /// When they were taken over.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub loaded_at: Option<Timestamp>,
    /// What is wrong with the files as they are now; the rules before stay in force meanwhile.
    pub problems: Vec<Problem>,
}

/// What a reload came to.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Reloaded {
    /// How many rules there are.
    pub rules: usize,
    /// Hash over their meaning.
    pub version: String,
    /// Whether anything is another than before.
    pub changed: bool,
    /// How long it took, in seconds.
    pub took_s: f64,
}

/// A rule's text and what was done to it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RuleText {
    /// The rule.
    pub id: RuleId,
    /// Hash of its meaning.
    pub version: String,
    /// Where it is in its life.
    pub status: RuleStatus,
    /// The file it stands in.
    pub file: String,
    /// Whether it may be written here; else its file is edited by hand, and the text may be copied under another id.
    pub writable: bool,
    /// The text, a whole file that holds this rule alone.
    pub text: String,
    /// What was done to it, the oldest first.
    pub steps: Vec<RuleStepView>,
}

/// A step in the life of a rule, as the log has it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RuleStepView {
    /// The row's number in the log.
    pub seq: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
    /// What, with the text of that version.
    pub change: RuleChange,
}

/// Why something was not done. Nothing was changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Refused {
    /// No such thing.
    NotFound(&'static str),
    /// The text has problems.
    BadText(Vec<Finding>),
    /// A field is wrong.
    Bad(String),
    /// Not as things stand.
    Conflict(String),
    /// The disk takes no writes, or the hub is shutting down.
    Unavailable(String),
}

/// The way back to whoever asked.
pub type Reply<T> = oneshot::Sender<Result<T, Refused>>;

/// What is asked.
pub enum Ask {
    /// Reads the files again.
    Reload(Reply<Reloaded>),
    /// A rule's text.
    Text(RuleId, Reply<RuleText>),
    /// What is wrong with a text, and what somebody should look at; beside the rules in force and these sources.
    Check(String, Vec<Arc<Source>>, Reply<Vec<Finding>>),
    /// Writes a rule.
    Write(Written, Reply<RuleText>),
    /// Moves a rule on in its life.
    Move(Move, Reply<RuleText>),
    /// What a rule sees at a source now, or saw at a moment.
    Explain(RuleId, SourceId, Option<Timestamp>, Reply<Explanation>),
    /// Tries a rule over the past; the answer is the number under which [`Jobs`] has it.
    Backtest(Wish, Reply<u64>),
}

/// A rule to be written.
#[derive(Debug)]
pub struct Written {
    /// Its id; the text must hold this one alone.
    pub rule: RuleId,
    /// The whole file.
    pub text: String,
    /// Why.
    pub note: String,
    /// Who.
    pub by: Actor,
}

/// A step in a rule's life.
#[derive(Debug)]
pub struct Move {
    /// The rule.
    pub rule: RuleId,
    /// Where it goes.
    pub to: RuleStatus,
    /// Why.
    pub reason: String,
    /// Without what a promotion asks for.
    pub overridden: bool,
    /// Who.
    pub by: Actor,
}

/// A backtest to be made.
pub struct Wish {
    /// The rule; of the text, when there is one.
    pub rule: Option<RuleId>,
    /// A text to be tried in place of the rules in force.
    pub text: Option<String>,
    /// From.
    pub from: Timestamp,
    /// To.
    pub to: Timestamp,
    /// How many alarms a day a source may raise before limits are sought that calm it.
    pub calm_per_day: f64,
    /// The sources that the caller may see.
    pub sources: Vec<Arc<Source>>,
    /// Whether the caller may see a grid's incidents.
    pub sees_grid: Arc<dyn Fn(&GridId) -> bool + Send + Sync>,
    /// Whether that is the whole town.
    pub whole: bool,
    /// Who.
    pub by: UserId,
}

/// Where a backtest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Another runs first.
    Waiting,
    /// It runs.
    Running,
    /// It has ended, and has a report.
    Done,
    /// It could not be made; `error` says why.
    Failed,
    /// Somebody ended it.
    Cancelled,
}

/// A backtest under way, or ended.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Job {
    /// Its number.
    pub id: u64,
    /// The rule.
    pub rule: RuleId,
    /// From.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// To.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Who asked for it.
    #[schema(value_type = String)]
    pub by: UserId,
    /// Where it is.
    pub state: JobState,
    /// How far it is, from 0 to 1.
    pub progress: f64,
    /// Readings seen so far.
    pub readings: u64,
    /// Why it failed.
    pub error: Option<String>,
    /// What came of it.
    #[schema(value_type = Option<Report>)]
    pub report: Option<Arc<Report>>,
    #[serde(skip)]
    cancel: Arc<AtomicBool>,
}

/// The backtests; the newest ended ones are kept. Clones share one list.
#[derive(Debug, Clone, Default)]
pub struct Jobs(Arc<Mutex<List>>);

#[derive(Debug, Default)]
struct List {
    last: u64,
    jobs: VecDeque<Job>,
}

impl Jobs {
    /// Adds one that waits; none when too many do.
    pub fn add(&self, rule: RuleId, [from, to]: [Timestamp; 2], by: UserId) -> Option<(u64, Arc<AtomicBool>)> {
        let mut list = self.lock();
        if list.jobs.iter().filter(|job| job.state == JobState::Waiting).count() >= WAITING {
            return None;
        }
        list.last += 1;
        let (id, cancel) = (list.last, Arc::new(AtomicBool::new(false)));
        let state = JobState::Waiting;
        let (progress, readings, error, report) = (0.0, 0, None, None);
        let job = Job { id, rule, from, to, by, state, progress, readings, error, report, cancel: Arc::clone(&cancel) };
        list.jobs.push_back(job);
        let ended = |job: &Job| !matches!(job.state, JobState::Waiting | JobState::Running);
        while list.jobs.iter().filter(|job| ended(job)).count() > ENDED {
            let Some(oldest) = list.jobs.iter().position(ended) else { break };
            list.jobs.remove(oldest);
        }
        Some((id, cancel))
    }

    /// Changes one.
    pub fn update(&self, id: u64, change: impl FnOnce(&mut Job)) {
        if let Some(job) = self.lock().jobs.iter_mut().find(|job| job.id == id) {
            change(job);
        }
    }

    /// One of them.
    pub fn get(&self, id: u64) -> Option<Job> {
        self.lock().jobs.iter().find(|job| job.id == id).cloned()
    }

    /// All of them without their reports, the newest first.
    pub fn list(&self) -> Vec<Job> {
        self.lock().jobs.iter().rev().map(|job| Job { report: None, ..job.clone() }).collect()
    }

    /// Ends one; it may take a moment.
    pub fn cancel(&self, id: u64) {
        self.update(id, |job| {
            job.cancel.store(true, Ordering::Relaxed);
            if job.state == JobState::Waiting {
                job.state = JobState::Cancelled;
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way to who keeps the rules. Clones share one bounded channel.
#[derive(Clone)]
pub struct Handle {
    asks: mpsc::Sender<Ask>,
    book: watch::Receiver<Book>,
    /// The backtests.
    pub jobs: Jobs,
}

impl Handle {
    /// A handle with the other ends: what is asked, and where to tell what the rules are. At most `capacity` asks wait.
    pub fn channel(capacity: usize) -> (Self, mpsc::Receiver<Ask>, watch::Sender<Book>) {
        let (asks, taken) = mpsc::channel(capacity);
        let (told, book) = watch::channel(Book::default());
        (Self { asks, book, jobs: Jobs::default() }, taken, told)
    }

    /// The rules as they were last read.
    pub fn book(&self) -> Book {
        self.book.borrow().clone()
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn ask<T>(&self, ask: impl FnOnce(Reply<T>) -> Ask) -> Result<T, Refused> {
        let gone = || Refused::Unavailable("the hub is shutting down".to_owned());
        let (reply, answer) = oneshot::channel();
        self.asks.send(ask(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backtests_wait_in_a_bounded_line_and_old_ones_are_forgotten() {
        let jobs = Jobs::default();
        let add = || jobs.add("r".into(), [Timestamp::MIN, Timestamp::MAX], "li".into());
        let ids: Vec<u64> = (0..WAITING).map(|_| add().unwrap().0).collect();
        assert!(add().is_none(), "the line is full");
        jobs.cancel(ids[0]);
        assert_eq!(jobs.get(ids[0]).unwrap().state, JobState::Cancelled);
        let last = add().unwrap().0;
        for _ in 0..3 * ENDED {
            jobs.update(last, |job| job.state = JobState::Running);
            jobs.cancel(last);
            assert!(jobs.get(last).unwrap().cancel.load(Ordering::Relaxed));
            let id = jobs.list().iter().find(|job| job.state == JobState::Waiting).unwrap().id;
            jobs.cancel(id);
            add().unwrap();
        }
        let ended = jobs.list().iter().filter(|job| job.state == JobState::Cancelled).count();
        assert_eq!(ended, ENDED, "{}", jobs.list().len());
    }
}
