//! Keeps the rules: looks at their files, hands good sets to the engine in one swap, and does what people ask of them.
//!
//! Files are read and compiled on threads of their own; the engine's task only takes the finished set over. A bad file
//! leaves the rules before in force, is told once in the log and shown until it is mended.

mod jobs;
mod life;
mod past;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alerting::lint::{Finding, lint};
use alerting::{Problem, RuleSet};
use anyhow::Context;
use dashboard::rules::{Ask, Book, Jobs, Refused, Reloaded};
use jiff::tz::TimeZone;
use model::log::Audit;
use model::{Actor, LogBody, Source, Timestamp};
use storage::Storage;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::{settings, warning};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Name and text of each file, in the order of names.
type Files = Vec<(String, String)>;

/// The keeper of the rules.
pub struct Rulebook {
    dir: PathBuf,
    storage: Storage,
    sources: watch::Receiver<Arc<Vec<Arc<Source>>>>,
    engine: mpsc::Sender<warning::Ask>,
    told: watch::Sender<Book>,
    jobs: jobs::Line,
    /// What is in force.
    files: Files,
    rules: Arc<RuleSet>,
    /// What was last read and was not good, so that it is told once.
    refused: Option<Files>,
}

impl Rulebook {
    /// Begins with what the engine was begun with.
    pub fn new(
        dir: PathBuf,
        (files, rules): (Files, RuleSet),
        storage: Storage,
        sources: watch::Receiver<Arc<Vec<Arc<Source>>>>,
        engine: mpsc::Sender<warning::Ask>,
        told: watch::Sender<Book>,
        jobs: Jobs,
    ) -> anyhow::Result<Self> {
        let line = jobs::Line::start(jobs, storage.clone()).context("cannot start the backtests' thread")?;
        let book =
            Self { dir, storage, sources, engine, told, jobs: line, files, rules: Arc::new(rules), refused: None };
        book.tell(Vec::new());
        Ok(book)
    }

    /// Serves until shut down.
    pub async fn run(mut self, mut asks: mpsc::Receiver<Ask>, token: CancellationToken) {
        let mut pace = tokio::time::interval(LOOK);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut hangup = signal(SignalKind::hangup()).ok();
        loop {
            let hung_up = async {
                match &mut hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = token.cancelled() => break,
                ask = asks.recv() => match ask {
                    Some(ask) => self.answer(ask).await,
                    None => break,
                },
                _ = hung_up => {
                    let _ = self.reload().await;
                }
                _ = pace.tick() => self.look().await,
            }
        }
        self.jobs.end();
    }

    async fn answer(&mut self, ask: Ask) {
        // Whoever asked may have gone; what was done stands.
        match ask {
            Ask::Reload(reply) => drop(reply.send(self.reload().await)),
            Ask::Text(rule, reply) => drop(reply.send(self.text(&rule).await)),
            Ask::Check(text, sources, reply) => drop(reply.send(self.check(text, sources).await)),
            Ask::Write(written, reply) => drop(reply.send(self.write(written).await)),
            Ask::Move(step, reply) => drop(reply.send(self.advance(step).await)),
            Ask::Explain(rule, source, None, reply) => {
                let (ask, answer) = oneshot::channel();
                if self.engine.send(warning::Ask::Explain(rule, source, ask)).await.is_err() {
                    let _ = reply.send(Err(gone()));
                    return;
                }
                let answer = answer.await.map_err(|_| gone());
                let answer = answer.and_then(|answer| answer.map_err(past::not_known));
                let _ = reply.send(answer);
            }
            Ask::Explain(rule, source, Some(at), reply) => {
                let past = past::Past {
                    rules: Arc::clone(&self.rules),
                    rule,
                    source,
                    at,
                    sources: Arc::clone(&self.sources.borrow()),
                    storage: self.storage.clone(),
                };
                tokio::spawn(async move { reply.send(past.explain().await) });
            }
            Ask::Backtest(wish, reply) => {
                let compiled = match &wish.text {
                    Some(text) => self.tried(text.clone()).await,
                    None => Ok((*self.rules).clone()),
                };
                let begun = compiled.and_then(|rules| self.jobs.add(wish, rules));
                let _ = reply.send(begun);
            }
        }
    }

    /// Reads the files now.
    async fn reload(&mut self) -> Result<Reloaded, Refused> {
        let began = Instant::now();
        let files = self.read().await?;
        let changed = files != self.files;
        if !changed {
            self.refused = None;
            self.tell(Vec::new());
        } else {
            let set = compiled(files.clone()).await?;
            match set {
                Ok(set) => self.take_over(files, set, began).await?,
                Err(problems) => {
                    self.refuse(files, problems.clone());
                    return Err(Refused::BadText(problems.into_iter().map(Finding::from).collect()));
                }
            }
        }
        let (rules, version) = (self.rules.len(), self.rules.version());
        Ok(Reloaded { rules, version, changed, took_s: began.elapsed().as_secs_f64() })
    }

    /// Looks whether the files have changed; what is wrong with them is told once.
    async fn look(&mut self) {
        let began = Instant::now();
        let Ok(files) = self.read().await else { return };
        if files == self.files {
            if self.refused.take().is_some() {
                tracing::info!("the rule files are again as they are in force");
                self.tell(Vec::new());
            }
            return;
        }
        if self.refused.as_ref() == Some(&files) {
            return;
        }
        match compiled(files.clone()).await {
            Ok(Ok(set)) => drop(self.take_over(files, set, began).await),
            Ok(Err(problems)) => self.refuse(files, problems),
            Err(_) => {}
        }
    }

    async fn read(&mut self) -> Result<Files, Refused> {
        let dir = self.dir.clone();
        let read = tokio::task::spawn_blocking(move || settings::rule_files(&dir)).await.map_err(|_| gone())?;
        read.map_err(|error| {
            let told = error.to_string();
            if self.told.borrow().problems.first().is_none_or(|problem| problem.found != told) {
                tracing::error!(%error, "the rule files cannot be read; the rules before stay in force");
            }
            let file = self.dir.display().to_string();
            let expected = "rule files that can be read".to_owned();
            let problem = Problem { file, line: 0, column: 0, found: told.clone(), expected, code: "file" };
            self.tell(vec![problem]);
            Refused::Unavailable(told)
        })
    }

    fn refuse(&mut self, files: Files, problems: Vec<Problem>) {
        if self.refused.as_ref() == Some(&files) {
            return;
        }
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        tracing::error!(
            problems = problems.len(),
            first,
            "the rule files are not good; the rules before stay in force"
        );
        self.refused = Some(files);
        self.tell(problems);
    }

    /// Hands a good set to the engine, and waits until what follows from it is on disk.
    async fn take_over(&mut self, files: Files, set: RuleSet, began: Instant) -> Result<(), Refused> {
        let (done, taken) = oneshot::channel();
        self.engine.send(warning::Ask::Rules(set.clone(), done)).await.map_err(|_| gone())?;
        taken.await.map_err(|_| gone())?;
        let took = began.elapsed().as_secs_f64();
        metrics::histogram!("gridward_rules_reload_seconds").record(took);
        (self.files, self.rules, self.refused) = (files, Arc::new(set), None);
        self.tell(Vec::new());
        let (rules, version) = (self.rules.len(), self.rules.version());
        tracing::info!(rules, version, took_s = took, "rules taken over");
        let detail = serde_json::json!({ "count": rules, "version": version });
        let subject = env!("CARGO_PKG_VERSION").to_owned();
        let audit = Audit { action: "rules.load".to_owned(), subject, purpose: None, detail };
        if let Err(error) = self.storage.log().append(&Actor::Hub, Timestamp::now(), vec![LogBody::Audit(audit)]).await
        {
            tracing::error!(%error, "that rules were taken over could not be logged");
        }
        Ok(())
    }

    fn tell(&self, problems: Vec<Problem>) {
        metrics::gauge!("gridward_rules_ok").set(if problems.is_empty() { 1.0 } else { 0.0 });
        let version = self.rules.version();
        self.told.send_modify(|book| {
            if book.version != version || book.loaded_at.is_none() {
                book.loaded_at = Some(Timestamp::now());
            }
            (book.version, book.problems) = (version, problems);
        });
    }

    /// What is wrong with a text beside the rules in force, and what somebody should look at.
    async fn check(&self, text: String, sources: Vec<Arc<Source>>) -> Result<Vec<Finding>, Refused> {
        let (files, own) = self.with(text);
        let today = TimeZone::system().to_datetime(Timestamp::now()).date();
        let look = move || match RuleSet::load(&files) {
            Ok(rules) => lint(&rules, Some(&sources), today),
            Err(problems) => problems.into_iter().map(Finding::from).collect(),
        };
        let found = tokio::task::spawn_blocking(look).await.map_err(|_| gone())?;
        Ok(found.into_iter().filter(|finding| finding.file == own).collect())
    }

    /// The rules with a text in place of those of the same ids.
    async fn tried(&self, text: String) -> Result<RuleSet, Refused> {
        let (files, _) = self.with(text);
        let set = compiled(files).await?;
        set.map_err(|problems| Refused::BadText(problems.into_iter().map(Finding::from).collect()))
    }

    /// The files in force with a text beside them, in place of whatever file holds a rule of the same id alone; and the
    /// text's name. A rule of a file with others is left out of it.
    fn with(&self, text: String) -> (Files, String) {
        let name = "text".to_owned();
        let own = RuleSet::load(&[(name.clone(), text.clone())]).ok();
        let ids: Vec<&model::RuleId> = own.iter().flat_map(RuleSet::ids).collect();
        let mut files: Files = self
            .files
            .iter()
            .map(|(file, known)| {
                let lines = ids.iter().filter_map(|id| self.lines_of(file, known, id));
                (file.clone(), without(known, lines.collect()))
            })
            .collect();
        files.push((name.clone(), text));
        (files, name)
    }

    /// The lines on which a rule stands in a file, from 0.
    fn lines_of(&self, file: &str, text: &str, id: &model::RuleId) -> Option<std::ops::Range<usize>> {
        let (of, line, ..) = self.rules.place_of(id)?;
        if of != file {
            return None;
        }
        let own = alerting::snippet(text, &self.rules, id)?;
        // Two lines of the snippet are its head.
        Some(line - 1..line - 1 + own.lines().count().saturating_sub(2))
    }
}

/// A text without some of its lines. Where rules stood, a remark stays, so that all others keep their places.
fn without(text: &str, gone: Vec<std::ops::Range<usize>>) -> String {
    if gone.is_empty() {
        return text.to_owned();
    }
    let line = |(number, line): (usize, &str)| {
        if gone.iter().any(|lines| lines.contains(&number)) { "#".to_owned() } else { line.to_owned() }
    };
    let left: Vec<String> = text.lines().enumerate().map(line).collect();
    let text = left.join("\n") + "\n";
    // A list of which nothing is left.
    let is_empty = |text: &str| !text.lines().any(|line| line.trim_start().starts_with("- "));
    if is_empty(&text) { text.replacen("rules:", "rules: []", 1) } else { text }
}

async fn compiled(files: Files) -> Result<Result<RuleSet, Vec<Problem>>, Refused> {
    tokio::task::spawn_blocking(move || RuleSet::load(&files)).await.map_err(|_| gone())
}

fn gone() -> Refused {
    Refused::Unavailable("the hub is shutting down".to_owned())
}
