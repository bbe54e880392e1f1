//! `gridward rules backtest`: a rule over the stored past, beside a running hub.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use alerting::RuleSet;
use alerting::backtest::Report;
use anyhow::{Context, bail};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use model::RuleId;

use super::replay::Replay;

/// Between two looks of the progress bar, in milliseconds.
const BAR_MS: u128 = 200;
/// The width of the bar.
const BAR: usize = 30;

/// What is asked on the command line.
pub struct Asked {
    pub rule: String,
    pub from: Timestamp,
    pub to: Timestamp,
    pub file: Option<PathBuf>,
    pub json: bool,
    pub calm_per_day: f64,
}

/// Reads `2026-11-01`, in the zone of the machine, or `2026-11-01T08:00:00+08:00`.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let date: Date = text.parse().map_err(|_| "expected a date or a time with its zone".to_owned())?;
    let midnight = date.to_datetime(jiff::civil::Time::midnight());
    TimeZone::system().to_timestamp(midnight).map_err(|error| error.to_string())
}

/// Tries the rule and prints what came of it.
pub async fn backtest(config: &Path, asked: Asked) -> anyhow::Result<()> {
    let settings = crate::settings::read(config)?;
    let mut files = crate::settings::rule_files(&settings.alerting.rules_dir)?;
    let rule = RuleId::new(asked.rule.as_str());
    if let Some(file) = &asked.file {
        // In place of the rules of the same ids: calendars of the others may be used.
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        files = vec![(file.display().to_string(), text)];
    }
    let rules: RuleSet = crate::settings::compile(&files)?;
    if rules.place_of(&rule).is_none() {
        bail!("no rule {rule} in the rule files");
    }
    let Some((storage, sources)) = super::registry(&settings.storage).await? else {
        bail!("{} holds no hub's data", settings.storage.data_dir.display());
    };
    let to = asked.to.min(Timestamp::now());
    if asked.from >= to {
        bail!("--from must lie before --to, and before now");
    }
    let replay = Replay {
        rules,
        rule,
        sources,
        sees_grid: Arc::new(|_| true),
        from: asked.from,
        to,
        calm_per_day: asked.calm_per_day,
    };
    let began = Instant::now();
    let runtime = tokio::runtime::Handle::current();
    let shown = std::io::stderr().is_terminal();
    let played = tokio::task::spawn_blocking(move || {
        let mut bar_at = Instant::now();
        let mut told = |share: f64, readings: u64| {
            if shown && (share >= 1.0 || bar_at.elapsed().as_millis() >= BAR_MS) {
                bar_at = Instant::now();
                bar(share, readings, began);
            }
        };
        let never = AtomicBool::new(false);
        runtime.block_on(replay.play(&storage, &mut told, &never))
    });
    let Some((report, _)) = played.await.context("the backtest broke off")?? else { return Ok(()) };
    if shown {
        eprintln!();
    }
    let mut out = std::io::stdout().lock();
    if asked.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        write!(out, "{}", in_words(&report))?;
    }
    Ok(())
}

fn bar(share: f64, readings: u64, began: Instant) {
    let full = (share * BAR as f64).round() as usize;
    let per_s = readings as f64 / began.elapsed().as_secs_f64().max(0.001);
    let line = format!("{}{}", "#".repeat(full.min(BAR)), ".".repeat(BAR.saturating_sub(full)));
    eprint!("\r[{line}] {:3.0} %  {readings} readings, {per_s:.0}/s ", share * 100.0);
}

fn in_words(report: &Report) -> String {
    let Report { rule, version, from, to, sources, readings, raised, standing, per_day, .. } = report;
    let mut text = format!(
        "{rule} ({version}) from {from} to {to}: {sources} sources, {readings} readings\n\
         {raised} alarms raised, {per_day:.2} a day, at {} sources; {standing} stood already\n",
        report.sources_raising
    );
    for (level, count) in &report.by_level {
        text += &format!("  {level}: {count}\n");
    }
    for count in report.by_source.iter().take(10) {
        let active = count.active_s / 3_600.0;
        text += &format!("  {}: {} raised, {:.2} a day, {active:.1} h\n", count.source, count.raised, count.per_day);
    }
    for calm in &report.calm {
        text += &format!(
            "  {}: a limit of {:.3} instead of {:.3} would make it {:.2} a day\n",
            calm.source, calm.limit_then, calm.limit_now, calm.per_day_then
        );
    }
    for (name, load) in [("before", &report.load_before), ("after", &report.load_after)] {
        text += &format!(
            "load {name}: {:.2} an hour, worst hour {}, {} floods of ten minutes ({:.2} %)\n",
            load.per_hour, load.worst_hour, load.flood_windows, load.flood_percent
        );
    }
    let found = &report.matched;
    let percent = |share: Option<f64>| share.map_or("unknown".to_owned(), |share| format!("{share:.0} %"));
    text += &format!(
        "verdicts: {} true, {} false, {} open, {} without an incident; precision {}, recall {}\n",
        found.true_alarms,
        found.false_alarms,
        found.open,
        found.unmatched,
        percent(found.precision),
        percent(found.recall)
    );
    text
}
