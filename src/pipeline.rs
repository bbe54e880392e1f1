//! The one page that wires the hub: channels, starts, the order of the shutdown.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use model::log::Audit;
use model::{Actor, LogBody, Timestamp};
use storage::{Opener, Storage};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::cameras::Cameras;
use crate::emergency::Emergencies;
use crate::registry::Followers;
use crate::rulebook::Rulebook;
use crate::settings::Settings;
use crate::telling::Telling;
use crate::warning::{Inputs, Warning};
use crate::{cameras, intake, limits, settings, telemetry};

/// Messages between the links and the disk: two seconds of a burst of 20,000/s would be 40,000; the links hold back
/// what is more.
const INTAKE: usize = 16_384;
/// Observations that the hub makes itself (picture checks) on their way to the disk; the checks drop and count more.
const CHECKS: usize = 1_024;
/// Dead letters on their way; the links drop and count what is more.
const DEAD_LETTERS: usize = 1_024;
/// Changes of state on their way to the screens; the senders keep the latest of each source meanwhile.
const STATUSES: usize = 4_096;
/// Orders on their way to the desk; people wait for room.
const ORDERS: usize = 256;
/// What is asked of the engine about its rules; the rulebook waits for each answer.
const RULES: usize = 16;
/// Batches of kept observations on their way to the early warning; the intake waits, so the links hold back.
const KEPT: usize = 64;
/// All must have ended by then after SIGTERM.
const DRAIN: Duration = Duration::from_secs(10);
/// How often the hub's own health is told, and retention looked after.
const HEALTH: Duration = Duration::from_secs(2);
const RETENTION: Duration = Duration::from_secs(600);

/// Runs the hub until a signal ends it.
pub async fn run(config: &Path) -> anyhow::Result<()> {
    let settings = settings::read(config)?;
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        // A log on a full disk must not end the task that writes it: the fallback is a print that panics.
        .log_internal_errors(false)
        .init();
    limits::raise_open_files();
    let metrics = telemetry::install()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let hub = start(settings, metrics).await?;
    println!("ready http://{}", hub.server.addr);

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("draining; a second signal ends at once");
    tokio::select! {
        ended = tokio::time::timeout(DRAIN, hub.stop()) => {
            if ended.is_err() {
                tracing::warn!(limit_s = DRAIN.as_secs(), "not everything ended in time");
            }
        }
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

struct Hub {
    storage: Storage,
    server: dashboard::Server,
    links: ingest::mqtt::MqttHandle,
    cameras: Cameras,
    sources: CancellationToken,
    rest: CancellationToken,
    takers: tokio::task::JoinSet<()>,
    others: tokio::task::JoinSet<()>,
}

async fn start(settings: Settings, metrics: PrometheusHandle) -> anyhow::Result<Hub> {
    let (storage, report) = Storage::open(&settings.storage, Opener::Hub).await.context("cannot open storage")?;
    let detail = serde_json::json!({ "cut_bytes": report.cut_bytes, "set_aside": report.set_aside });
    audit_if_room(&storage, "hub.start", detail).await?;
    let feed = dashboard::Feed::new();
    let (sources, rest) = (CancellationToken::new(), CancellationToken::new());
    let (mut takers, mut others) = (tokio::task::JoinSet::new(), tokio::task::JoinSet::new());

    // registry -> everyone
    let (sensors_in, sensors) = watch::channel(Arc::default());
    let (cameras_in, camera_list) = watch::channel(Arc::default());
    let (sources_in, source_list) = watch::channel(Arc::default());
    let followers = Followers { feed: feed.clone(), sensors: sensors_in, cameras: cameras_in, sources: sources_in };
    let version = followers.tell(&storage).await?;
    others.spawn(followers.follow(storage.clone(), version, rest.clone()));
    let last = storage.history().last_values().await?;
    last.iter().for_each(|observation| feed.observation(observation));

    // kept observations, states of links, orders -> engine and desk -> log -> feed
    let files = settings::rule_files(&settings.alerting.rules_dir)?;
    let rules = settings::compile(&files)?;
    let loaded = serde_json::json!({ "count": rules.len(), "version": rules.version() });
    audit_if_room(&storage, "rules.load", loaded).await?;
    let (command, orders) = command::Handle::channel(ORDERS);
    let (alarms, alarm_orders) = alerting::Handle::channel(ORDERS);
    let (to_engine, kept) = mpsc::channel(KEPT);
    let (status, statuses) = mpsc::channel(STATUSES);
    let known = source_list.borrow().iter().cloned().collect();
    let shifts = settings.shifts.shifts().map_err(|problems| anyhow::anyhow!("bad [shifts]: {problems:?}"))?;
    let (rulebook, book_asks, told_book) = dashboard::rules::Handle::channel(ORDERS);
    let (to_rules, asks) = mpsc::channel(RULES);
    let loaded = (files, rules.clone());
    let (warning, figures, kpis) =
        Warning::load(rules, known, settings.desk, shifts, storage.clone(), feed.clone()).await?;
    // the log -> who is told what -> outbox -> channels; before the early warning writes anything new
    let telling = Arc::new(settings::telling(&settings.notify)?);
    let (checks, made) = mpsc::channel::<model::Observation>(CHECKS);
    let people = Telling {
        config: settings.notify,
        telling: Arc::clone(&telling),
        storage: storage.clone(),
        feed: feed.clone(),
        sources: source_list.clone(),
    };
    let (follower, deliverer) = people.load(checks.clone()).await?;
    others.spawn(follower.run(rest.clone()));
    // It says how the outbox is, so it ends with the sources.
    others.spawn(deliverer.run(sources.clone()));
    let inputs = Inputs { kept, statuses, orders, alarms: alarm_orders, asks, sources: source_list.clone() };
    others.spawn(warning.run(inputs, rest.clone()));

    // rule files, people -> rulebook -> engine; the past -> backtests
    let (dir, engine) = (settings.alerting.rules_dir.clone(), to_rules);
    let jobs = rulebook.jobs.clone();
    let (book_sources, book_storage) = (source_list.clone(), storage.clone());
    let book = Rulebook::new(dir, loaded, book_storage, book_sources, engine, told_book, jobs)?;
    others.spawn(book.run(book_asks, rest.clone()));

    // sensors -> history -> ack
    let (out, messages) = mpsc::channel(INTAKE);
    let (dead, letters) = mpsc::channel(DEAD_LETTERS);
    let mut mqtt = settings.mqtt;
    if let Some(addr) = mqtt.embedded {
        let broker = ingest::broker::start_with(addr, mqtt.embedded_broker.clone(), rest.clone())
            .await
            .with_context(|| format!("the embedded broker cannot listen on {addr}"))?;
        mqtt.use_embedded(&broker);
        others.spawn(broker.join());
    }
    let links = ingest::mqtt::start(mqtt, sensors, out, dead, status.clone(), sources.clone());
    // cameras -> rings -> viewers, picture checks -> history; the intake ends when links and checks have ended
    let out = cameras::Out { status, observations: checks };
    let cameras = Cameras::start(settings.rtsp, &settings.video, camera_list, &last, out, &sources)
        .context("cannot start the cameras' threads")?;
    takers.spawn(intake::observations(messages, made, storage.clone(), feed.clone(), to_engine));
    takers.spawn(intake::dead_letters(letters, storage.clone()));

    // people -> emergency mode -> cameras, rings
    let (emergency, wishes, told) = dashboard::emergency::Handle::channel(ORDERS);
    let (areas, rings) = (cameras.areas(), cameras.rings.clone());
    let emergencies =
        Emergencies { storage: storage.clone(), feed: feed.clone(), areas, rings, sources: source_list, told };
    others.spawn(emergencies.run(wishes, rest.clone()));
    let on = emergency.clone();
    // What it is about is asked for at its own route, which knows scopes.
    let about = move || on.current().map(|now| serde_json::json!({ "since": now.since, "until": now.until })).into();
    others.spawn(health(storage.clone(), feed.clone(), links.links_view(), about, rest.clone()));
    others.spawn(retention(storage.clone(), rest.clone()));
    others.spawn(telemetry::upkeep(metrics.clone(), rest.clone()));

    let deps = dashboard::Deps {
        storage: storage.clone(),
        command,
        feed,
        metrics,
        alarms,
        rules: Arc::new(move || figures.get()),
        kpis,
        rulebook,
        emergency,
        telling,
        map_file: settings.town.map,
        rings: cameras.rings.clone(),
        stills: cameras.stills.clone(),
    };
    let bind = settings.http.bind;
    let server = dashboard::start(settings.http, deps, rest.clone())
        .await
        .with_context(|| format!("cannot serve on {bind} ([http] bind)"))?;
    Ok(Hub { storage, server, links, cameras, sources, rest, takers, others })
}

impl Hub {
    /// Sources end first, then what they have sent is kept and acknowledged, then everything else.
    async fn stop(mut self) {
        self.sources.cancel();
        tokio::join!(self.links.join(), self.cameras.join());
        while self.takers.join_next().await.is_some() {}
        if let Err(error) = audit(&self.storage, "hub.stop", serde_json::Value::Null).await {
            tracing::warn!(%error, "the stop could not be logged");
        }
        self.rest.cancel();
        self.server.join().await;
        while self.others.join_next().await.is_some() {}
        self.storage.connections().close().await;
    }
}

/// With a full disk the town is still to be seen, and the console says what is wrong.
async fn audit_if_room(storage: &Storage, action: &str, detail: serde_json::Value) -> Result<(), storage::Error> {
    match audit(storage, action, detail).await {
        Err(error @ storage::Error::DiskFull) => {
            tracing::error!(%error, action, "the start could not be logged");
            Ok(())
        }
        other => other,
    }
}

async fn audit(storage: &Storage, action: &str, detail: serde_json::Value) -> Result<(), storage::Error> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let audit = Audit { action: action.to_owned(), subject: version, purpose: None, detail };
    storage.log().append(&Actor::Hub, Timestamp::now(), vec![LogBody::Audit(audit)]).await?;
    Ok(())
}

async fn health(
    storage: Storage,
    feed: dashboard::Feed,
    links: impl Fn() -> Vec<ingest::mqtt::LinkHealth> + Send + Sync,
    emergency: impl Fn() -> serde_json::Value + Send + Sync,
    token: CancellationToken,
) {
    let mut pace = tokio::time::interval(HEALTH);
    loop {
        tokio::select! {
            () = token.cancelled() => return,
            _ = pace.tick() => {}
        }
        let state = storage.health().borrow().clone();
        let links: Vec<_> = links()
            .into_iter()
            .map(|link| {
                serde_json::json!({
                    "broker": link.broker, "connected": link.connected, "since": link.since, "reason": link.reason,
                })
            })
            .collect();
        feed.health(serde_json::json!({ "storage": state, "brokers": links, "emergency": emergency() }));
    }
}

async fn retention(storage: Storage, token: CancellationToken) {
    let mut pace = tokio::time::interval(RETENTION);
    loop {
        tokio::select! {
            () = token.cancelled() => return,
            _ = pace.tick() => {}
        }
        let asked = storage.clone();
        let deleted = tokio::task::spawn_blocking(move || asked.history().retain(Timestamp::now())).await;
        let done = match deleted {
            Ok(Ok(days)) if days.is_empty() => Ok(()),
            Ok(Ok(days)) => audit(&storage, "history.delete", serde_json::json!({ "days": days })).await,
            Ok(Err(error)) => Err(error),
            Err(_) => return,
        };
        if let Err(error) = done {
            tracing::error!(%error, "old observations could not be deleted");
        }
    }
}
