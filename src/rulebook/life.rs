//! A rule's life: written, tried, in force, retired; each step a row of the log before it is done.

use std::io::Write;
use std::path::{Path, PathBuf};

use alerting::lint::Finding;
use alerting::{RuleSet, RuleStatus};
use dashboard::rules::{Move, Refused, RuleStepView, RuleText, Written};
use jiff::SignedDuration;
use model::{Actor, LogBody, RuleChange, RuleId, RuleStep, Timestamp};

use super::{Files, Rulebook, compiled, gone};
use crate::settings::CONSOLE_RULES;

/// A shadow run counts from this on.
const SHADOW_RUN: SignedDuration = SignedDuration::from_hours(1);
/// The longest text; a request is smaller anyway.
const MAX_TEXT: usize = 128 * 1024;

impl Rulebook {
    /// A rule's text, and what was done to it.
    pub(super) async fn text(&self, id: &RuleId) -> Result<RuleText, Refused> {
        let (file, _, version, status) = self.rules.place_of(id).ok_or(Refused::NotFound("rule"))?;
        let whole = self.files.iter().find(|(name, _)| name == file).map(|(_, text)| text.as_str()).unwrap_or_default();
        let writable = self.is_own(id, file);
        let text = if writable { Some(whole.to_owned()) } else { alerting::snippet(whole, &self.rules, id) };
        let rows = self.storage.log().rule(id).await.map_err(unread)?;
        let steps = rows.into_iter().filter_map(|row| match row.body {
            LogBody::Rule(change) => Some(RuleStepView { seq: row.seq, at: row.at, by: row.actor, change }),
            _ => None,
        });
        Ok(RuleText {
            id: id.clone(),
            version: version.to_owned(),
            status,
            file: file.to_owned(),
            writable,
            text: text.unwrap_or_default(),
            steps: steps.collect(),
        })
    }

    /// Writes a rule, when the whole set is good with it.
    pub(super) async fn write(&mut self, written: Written) -> Result<RuleText, Refused> {
        let Written { rule: id, text, note, by } = written;
        good_name(&id)?;
        if text.len() > MAX_TEXT {
            return Err(Refused::Bad(format!("text: expected at most {MAX_TEXT} bytes")));
        }
        let before =
            self.rules.place_of(&id).map(|(file, _, version, status)| (file.to_owned(), version.to_owned(), status));
        if let Some((file, ..)) = &before
            && !self.is_own(&id, file)
        {
            return Err(Refused::Conflict(format!("{id} stands in {file}: edit that, or copy it under another id")));
        }
        let (files, set) = self.with_own(&id, &text).await?;
        let (file, _, version, status) =
            set.place_of(&id).ok_or_else(|| Refused::Bad(format!("text: expected the rule {id}")))?;
        let others = set.ids().filter(|other| set.place_of(other).is_some_and(|(of, ..)| of == file)).count();
        if others != 1 {
            return Err(Refused::Bad(format!("text: expected the rule {id} alone")));
        }
        let is_in_force = |status: RuleStatus| status == RuleStatus::Active;
        match &before {
            // Words may change while it is in force; its meaning may not.
            Some((_, old, RuleStatus::Active)) if is_in_force(status) && old == version => {}
            Some((_, _, RuleStatus::Active)) => {
                let why = "a rule in force keeps its meaning: copy it under another id, try that, and retire this one";
                return Err(Refused::Conflict(why.to_owned()));
            }
            _ if is_in_force(status) => {
                let why =
                    "a rule begins as draft or shadow; it goes into force by its status, with trial and second person";
                return Err(Refused::Conflict(why.to_owned()));
            }
            _ => {}
        }
        let step = RuleStep::Written { text: text.clone(), note };
        let change =
            RuleChange { rule: id.clone(), version: version.to_owned(), status: status.as_str().to_owned(), step };
        self.put(&id, &text, files, set, change, by).await
    }

    /// Moves a rule on in its life.
    pub(super) async fn advance(&mut self, step: Move) -> Result<RuleText, Refused> {
        let Move { rule: id, to, reason, overridden, by } = step;
        let (file, _, version, from) = self.rules.place_of(&id).ok_or(Refused::NotFound("rule"))?;
        let (file, version) = (file.to_owned(), version.to_owned());
        if !self.is_own(&id, &file) {
            return Err(Refused::Conflict(format!("{id} stands in {file}: its status is written there")));
        }
        if from == to {
            return Err(Refused::Conflict(format!("it is {} already", to.as_str())));
        }
        let mut proof = None;
        let mut was_overridden = false;
        if to == RuleStatus::Active {
            match self.may_promote(&id, &version, from, &by).await? {
                Ok(found) => proof = Some(found),
                Err(_) if overridden => was_overridden = true,
                Err(why) => return Err(Refused::Conflict(why)),
            }
        }
        let whole = self.files.iter().find(|(name, _)| *name == file).map(|(_, text)| text.clone()).unwrap_or_default();
        let text = alerting::with_status(&whole, to).ok_or_else(|| {
            Refused::Conflict("its text has a shape in which the status cannot be set; write it by hand".to_owned())
        })?;
        let (files, set) = self.with_own(&id, &text).await?;
        if set.place_of(&id).is_none_or(|(_, _, now, status)| now != version || status != to) {
            return Err(Refused::Conflict(
                "its status could not be set without changing more; write it by hand".to_owned(),
            ));
        }
        let step = RuleStep::StatusSet {
            from: from.as_str().to_owned(),
            reason,
            proof: proof.map(str::to_owned),
            overridden: was_overridden,
            text: text.clone(),
        };
        let change = RuleChange { rule: id.clone(), version, status: to.as_str().to_owned(), step };
        self.put(&id, &text, files, set, change, by).await
    }

    /// What a promotion rests on, or what it lacks.
    async fn may_promote(
        &self,
        id: &RuleId,
        version: &str,
        from: RuleStatus,
        by: &Actor,
    ) -> Result<Result<&'static str, String>, Refused> {
        let rows = self.storage.log().rule(id).await.map_err(unread)?;
        let (mut author, mut backtested, mut shadow_since) = (None, false, None);
        for row in &rows {
            let LogBody::Rule(change) = &row.body else { continue };
            if change.version != version {
                shadow_since = None;
                continue;
            }
            match &change.step {
                RuleStep::Written { .. } => author = Some(&row.actor),
                RuleStep::Backtested { .. } => backtested = true,
                RuleStep::StatusSet { .. } => {}
            }
            match (change.status.as_str(), &change.step) {
                (_, RuleStep::Backtested { .. }) => {}
                ("shadow", _) => drop(shadow_since.get_or_insert(row.at)),
                _ => shadow_since = None,
            }
        }
        let ran = shadow_since.filter(|_| from == RuleStatus::Shadow);
        let has_run = ran.is_some_and(|since| Timestamp::now().duration_since(since) >= SHADOW_RUN);
        let proof = match (backtested, has_run) {
            (true, _) => "backtest",
            (false, true) => "shadow",
            (false, false) => {
                return Ok(Err(
                    "this version has no backtest of the whole town and no shadow run of an hour on record".to_owned(),
                ));
            }
        };
        if author == Some(by) {
            return Ok(Err("somebody other than who wrote it must put it in force".to_owned()));
        }
        Ok(Ok(proof))
    }

    /// The set with a text as the rule's own file.
    async fn with_own(&self, id: &RuleId, text: &str) -> Result<(Files, RuleSet), Refused> {
        let name = self.own_file(id).display().to_string();
        let mut files: Files = self.files.iter().filter(|(file, _)| *file != name).cloned().collect();
        files.push((name, text.to_owned()));
        files.sort();
        match compiled(files.clone()).await? {
            Ok(set) => Ok((files, set)),
            Err(problems) => Err(Refused::BadText(problems.into_iter().map(Finding::from).collect())),
        }
    }

    /// The log first, then the file, then the engine.
    async fn put(
        &mut self,
        id: &RuleId,
        text: &str,
        files: Files,
        set: RuleSet,
        change: RuleChange,
        by: Actor,
    ) -> Result<RuleText, Refused> {
        let began = std::time::Instant::now();
        let (file, bytes) = (self.own_file(id), text.to_owned());
        let draft = tokio::task::spawn_blocking(move || prepare(&file, &bytes)).await.map_err(|_| gone())?;
        let draft = draft.map_err(|error| Refused::Unavailable(format!("the rule cannot be written: {error}")))?;
        if let Err(error) = self.storage.log().append(&by, Timestamp::now(), vec![LogBody::Rule(change)]).await {
            let _ = std::fs::remove_file(&draft);
            tracing::error!(%error, "a rule's change could not be logged and was not made");
            return Err(Refused::Unavailable("storage does not take writes; try again".to_owned()));
        }
        let file = self.own_file(id);
        let placed = tokio::task::spawn_blocking(move || place(&draft, &file)).await.map_err(|_| gone())?;
        placed.map_err(|error| Refused::Unavailable(format!("the rule cannot be written: {error}")))?;
        self.take_over(files, set, began).await?;
        self.text(id).await
    }

    fn own_file(&self, id: &RuleId) -> PathBuf {
        self.dir.join(CONSOLE_RULES).join(format!("{id}.yaml"))
    }

    fn is_own(&self, id: &RuleId, file: &str) -> bool {
        Path::new(file) == self.own_file(id)
    }
}

/// The id becomes a file's name.
fn good_name(id: &RuleId) -> Result<(), Refused> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=60).contains(&id.as_str().len()) && id.as_str().chars().all(good) {
        Ok(())
    } else {
        Err(Refused::Bad("id: expected 1 to 60 lower-case letters, digits and -".to_owned()))
    }
}

/// Writes beside the file, on disk when this returns.
fn prepare(file: &Path, text: &str) -> std::io::Result<PathBuf> {
    let dir = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    let draft = file.with_extension("draft");
    let mut out = std::fs::File::create(&draft)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    Ok(draft)
}

/// Puts it in place of the file.
fn place(draft: &Path, file: &Path) -> std::io::Result<()> {
    std::fs::rename(draft, file)?;
    std::fs::File::open(file.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn unread(error: storage::Error) -> Refused {
    tracing::error!(%error, "the event log cannot be read");
    Refused::Unavailable("the event log cannot be read".to_owned())
}
