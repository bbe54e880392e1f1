//! Storage on real files: durability, the chain, retention, recovery.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use model::log::Audit;
use model::{Actor, Grid, GridId, Kind, LogBody, Observation, Owner, Quality, Role, Scope, Source, Timestamp, Value};
use storage::{
    AuditFilter, Config, Credentials, HistoryQuery, HistorySeq, Opener, Scan, SourceFilter, SourceRow, Storage,
};

async fn open(dir: &Path) -> Storage {
    let config = Config { data_dir: dir.to_owned(), ..Config::default() };
    Storage::open(&config, Opener::Hub).await.unwrap().0
}

fn audit(subject: &str) -> LogBody {
    LogBody::Audit(Audit {
        action: "video.view".into(),
        subject: subject.into(),
        purpose: None,
        detail: serde_json::Value::Null,
    })
}

fn observation(source: &str, value: f64, second: i64) -> Observation {
    let at = Timestamp::from_second(1_795_000_000 + second).unwrap();
    Observation {
        source: source.into(),
        reading: "level".into(),
        value: Value::Number(value),
        quality: Quality::Good,
        phenomenon_time: at,
        received_at: at,
        retained: false,
    }
}

fn camera(id: &str, grid: &str, owner: Owner) -> SourceRow {
    SourceRow {
        source: Source {
            class: "street".into(),
            name: format!("街 {id}"),
            url: "rtsp://127.0.0.1/x".into(),
            ..Source::new(id, Kind::Camera, owner, grid)
        },
        credentials: Some(Credentials { username: "u".into(), password: "secret".into() }),
    }
}

fn grid(id: &str, parent: Option<&str>) -> Grid {
    Grid { id: id.into(), name: id.into(), parent: parent.map(GridId::from), outline: Vec::new() }
}

#[tokio::test]
async fn the_chain_shows_a_changed_and_a_missing_row() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    let now = Timestamp::now();
    for subject in ["a", "b", "c", "d"] {
        storage.log().append(&Actor::Hub, now, vec![audit(subject)]).await.unwrap();
    }
    let report = storage.log().verify().await.unwrap();
    assert_eq!((report.rows, &report.first_bad), (4, &None));
    assert_eq!(report.head, storage.log().head().await.unwrap());

    let path = dir.path().join("gridward.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut forger = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("UPDATE log SET body = replace(body, '\"c\"', '\"x\"') WHERE seq = 3")
        .execute(&mut forger)
        .await
        .unwrap();
    assert_eq!(storage.log().verify().await.unwrap().first_bad.unwrap().0, 3);
    sqlx::query("DELETE FROM log WHERE seq = 2").execute(&mut forger).await.unwrap();
    assert_eq!(storage.log().verify().await.unwrap().first_bad.unwrap().0, 2);
}

#[tokio::test]
async fn appends_of_two_processes_keep_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    let hub = open(dir.path()).await;
    let config = Config { data_dir: dir.path().to_owned(), ..Config::default() };
    let (tool, _) = Storage::open(&config, Opener::Tool).await.unwrap();
    let now = Timestamp::now();
    let (actor, bodies) = (Actor::Hub, |i: u32| vec![audit(&i.to_string())]);
    let appends = (0..40).map(|i| {
        let log = if i % 2 == 0 { hub.log() } else { tool.log() };
        log.append(&actor, now, bodies(i))
    });
    for done in futures::future::join_all(appends).await {
        done.unwrap();
    }
    let report = hub.log().verify().await.unwrap();
    assert_eq!((report.rows, report.first_bad), (40, None));
    let found = hub.log().audit(&AuditFilter { action: Some("video".into()), ..AuditFilter::default() }, 100).await;
    assert_eq!(found.unwrap().len(), 40);
}

#[tokio::test]
async fn a_second_hub_on_one_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _first = open(dir.path()).await;
    let config = Config { data_dir: dir.path().to_owned(), ..Config::default() };
    let refused = Storage::open(&config, Opener::Hub).await.err().unwrap();
    assert!(refused.to_string().contains("another hub is running"), "{refused}");
}

#[tokio::test]
async fn history_gives_back_what_it_took_across_midnight() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    let mut mark = HistorySeq::default();
    for hour in 0..30 {
        let seq =
            storage.history().append(vec![observation("gauge-1", f64::from(hour), i64::from(hour) * 3_600)]).await;
        if hour == 9 {
            mark = seq.unwrap();
        }
    }
    let query = HistoryQuery {
        source: "gauge-1".into(),
        reading: Some("level".into()),
        from: Timestamp::from_second(1_795_000_000).unwrap(),
        to: Timestamp::from_second(1_795_200_000).unwrap(),
        limit: 1_000,
    };
    let found = storage.history().query(&query).await.unwrap();
    assert_eq!(found.len(), 30);
    assert_eq!(found[29], observation("gauge-1", 29.0, 29 * 3_600));
    let mut replayed = Vec::new();
    storage.history().replay(mark, |_, o| replayed.push(o.value.as_number().unwrap())).await.unwrap();
    assert_eq!(replayed, (10..30).map(f64::from).collect::<Vec<_>>());
    let last = storage.history().last_values().await.unwrap();
    assert_eq!(last.last().unwrap().value, Value::Number(29.0));
    let buckets = storage.history().buckets(&query, 7_200_000).await.unwrap();
    assert_eq!(buckets.iter().map(|b| b.count).sum::<u64>(), 30);
    assert!(buckets.iter().all(|b| b.min <= b.avg && b.avg <= b.max));
}

#[tokio::test]
async fn values_of_every_kind_survive() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    let mut kinds = [observation("s", 1.5, 0), observation("s", 0.0, 1), observation("s", 0.0, 2)];
    kinds[1].value = Value::Bool(true);
    kinds[2].value = Value::Text("covered".into());
    kinds[1].quality = Quality::Uncertain;
    kinds[2].retained = true;
    storage.history().append(kinds.to_vec()).await.unwrap();
    let mut back = Vec::new();
    storage.history().replay(HistorySeq::default(), |_, o| back.push(o)).await.unwrap();
    assert_eq!(back, kinds);
}

#[tokio::test]
async fn retention_deletes_whole_days_and_never_today() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { data_dir: dir.path().to_owned(), history_days: 2, ..Config::default() };
    let (storage, _) = Storage::open(&config, Opener::Hub).await.unwrap();
    for day in 0..6 {
        storage.history().append(vec![observation("s", 1.0, day * 86_400)]).await.unwrap();
    }
    let now = observation("s", 1.0, 5 * 86_400).received_at;
    let deleted = storage.history().retain(now).unwrap();
    assert_eq!(deleted.len(), 3, "{deleted:?}");
    let mut left = 0;
    storage.history().replay(HistorySeq::default(), |_, _| left += 1).await.unwrap();
    assert_eq!(left, 3);
}

#[tokio::test]
async fn a_damaged_day_is_set_aside_and_the_start_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    storage.history().append(vec![observation("s", 1.0, 0)]).await.unwrap();
    drop(storage);
    let day = std::fs::read_dir(dir.path().join("history"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|e| e == "db"))
        .unwrap();
    std::fs::write(&day, b"not a database").unwrap();
    // The writer task of the dropped storage may still hold the lock for a moment.
    let config = Config { data_dir: dir.path().to_owned(), ..Config::default() };
    let mut opened = Storage::open(&config, Opener::Hub).await;
    for _ in 0..50 {
        if opened.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        opened = Storage::open(&config, Opener::Hub).await;
    }
    let (storage, report) = opened.unwrap();
    assert_eq!(report.set_aside.len(), 1);
    storage.history().append(vec![observation("s", 2.0, 1)]).await.unwrap();
}

#[tokio::test]
async fn the_registry_filters_by_nested_grid_owner_and_text() {
    let dir = tempfile::tempdir().unwrap();
    let registry = open(dir.path()).await.registry().clone();
    registry
        .put_grids(&[
            grid("town", None),
            grid("village", Some("town")),
            grid("g1", Some("village")),
            grid("g2", Some("town")),
        ])
        .await
        .unwrap();
    let before = registry.version().await.unwrap();
    registry
        .put_sources(&[
            camera("c1", "g1", Owner::Police),
            camera("c2", "g2", Owner::Traffic),
            camera("c_3", "g1", Owner::Resident),
        ])
        .await
        .unwrap();
    assert!(registry.version().await.unwrap() > before);
    let ids = |filter: SourceFilter| {
        let registry = registry.clone();
        async move {
            let found = registry.sources(&filter, None, 100).await.unwrap();
            found.iter().map(|s| s.id.to_string()).collect::<Vec<_>>()
        }
    };
    assert_eq!(ids(SourceFilter { grids: vec!["village".into()], ..SourceFilter::default() }).await, ["c1", "c_3"]);
    assert_eq!(ids(SourceFilter { owners: vec![Owner::Traffic], ..SourceFilter::default() }).await, ["c2"]);
    assert_eq!(ids(SourceFilter { text: Some("C_".into()), ..SourceFilter::default() }).await, ["c_3"]);
    assert_eq!(registry.count(&SourceFilter::default()).await.unwrap(), 3);
    let mut again = camera("c1", "g2", Owner::Police);
    again.credentials = None;
    registry.put_sources(&[again]).await.unwrap();
    let all = registry.all().await.unwrap();
    assert_eq!(all[0].credentials.as_ref().unwrap().password, "secret", "kept when the file has none");
    assert!(!format!("{:?}", all[0]).contains("secret"));
}

#[tokio::test]
async fn one_tag_changes_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let registry = open(dir.path()).await.registry().clone();
    let mut first = camera("c1", "g1", Owner::Police);
    first.source.tags = [("sub".to_owned(), "/sub".to_owned())].into();
    registry.put_sources(&[first, camera("c2", "g2", Owner::Traffic)]).await.unwrap();
    let (before, version) = (registry.all().await.unwrap(), registry.version().await.unwrap());

    let source = registry.set_tag("c1", "backend", Some("ffmpeg")).await.unwrap();
    let mut wanted = before.clone();
    wanted[0].source.tags.insert("backend".into(), "ffmpeg".into());
    assert_eq!((&source, &registry.all().await.unwrap()), (&wanted[0].source, &wanted), "credentials and all");
    assert_eq!(registry.version().await.unwrap(), version + 1);

    // What is so already wakes nobody.
    registry.set_tag("c1", "backend", Some("ffmpeg")).await.unwrap();
    registry.set_tag("c2", "backend", None).await.unwrap();
    assert_eq!(registry.version().await.unwrap(), version + 1);

    registry.set_tag("c1", "backend", None).await.unwrap();
    assert_eq!(registry.all().await.unwrap(), before);
    assert_eq!(registry.version().await.unwrap(), version + 2);
    let missing = registry.set_tag("c9", "backend", None).await.unwrap_err();
    assert!(matches!(&missing, storage::Error::Missing(what) if what.contains("c9")), "{missing}");
}

#[tokio::test]
async fn passwords_tokens_sessions_and_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let users = open(dir.path()).await.users().clone();
    let now = Timestamp::now();
    users.add(&"li".into(), "right-password", Role::Operator, &Scope::default()).await.unwrap();
    assert!(users.add(&"li".into(), "other", Role::Admin, &Scope::default()).await.is_err());
    assert!(users.check("li", "wrong").await.unwrap().is_none());
    assert!(users.check("nobody", "right-password").await.unwrap().is_none());
    assert_eq!(users.check("li", "right-password").await.unwrap().unwrap().role, Role::Operator);
    let later = now.checked_add(jiff::SignedDuration::from_hours(1)).unwrap();
    let key = users.begin_session(&"li".into(), later).await.unwrap();
    assert!(users.session(&key, now).await.unwrap().is_some());
    assert!(users.session(&key, later).await.unwrap().is_none(), "expired");
    users.end_session(&key).await.unwrap();
    assert!(users.session(&key, now).await.unwrap().is_none(), "ended");
    for _ in 0..4 {
        users.note_failure("li", now).await.unwrap();
    }
    assert_eq!(users.lockout("li", now).await.unwrap(), None);
    users.note_failure("li", now).await.unwrap();
    assert_eq!(users.lockout("li", now).await.unwrap().unwrap().retry_after_s, 60);
    users.note_failure("li", now).await.unwrap();
    assert_eq!(users.lockout("li", now).await.unwrap().unwrap().retry_after_s, 120);
    users.note_success("li").await.unwrap();
    assert_eq!(users.lockout("li", now).await.unwrap(), None);
    let key = users.begin_session(&"li".into(), later).await.unwrap();
    for _ in 0..5 {
        users.note_failure("li", now).await.unwrap();
    }
    users.set_password("li", "another-password").await.unwrap();
    assert!(users.session(&key, now).await.unwrap().is_none(), "ended by the new password");
    assert_eq!(users.lockout("li", now).await.unwrap(), None, "lifted by the new password");
    assert!(users.check("li", "right-password").await.unwrap().is_none());
    assert!(users.check("li", "another-password").await.unwrap().is_some());
    assert!(users.set_password("nobody", "another-password").await.is_err());
    let token = users.create_token(&"probe".into(), Role::Viewer, &Scope::default()).await.unwrap();
    assert_eq!(users.token(&token.secret, now).await.unwrap().unwrap().id, token.id);
    users.revoke_token("probe").await.unwrap();
    assert!(users.token(&token.secret, now).await.unwrap().is_none());
}

#[tokio::test]
async fn dead_letters_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { data_dir: dir.path().to_owned(), dead_letters_max: 3, ..Config::default() };
    let (storage, _) = Storage::open(&config, Opener::Hub).await.unwrap();
    let letter = storage::NewDeadLetter {
        at: Timestamp::now(),
        broker: "b".into(),
        topic: "t".into(),
        source: None,
        reason: "no JSON".into(),
        payload_head: vec![0xff],
        payload_bytes: 1,
    };
    storage.dead_letters().append(&vec![letter; 5]).await.unwrap();
    assert_eq!(storage.dead_letters().count().await.unwrap(), 3);
    assert_eq!(storage.dead_letters().list(None, 10).await.unwrap()[0].id, 5);
}

/// Opens the folder of a storage that was just dropped; its writers may hold the lock for a moment.
async fn reopen(dir: &Path) -> (Storage, storage::RecoveryReport) {
    let config = Config { data_dir: dir.to_owned(), ..Config::default() };
    for _ in 0..200 {
        if let Ok(opened) = Storage::open(&config, Opener::Hub).await {
            return opened;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Storage::open(&config, Opener::Hub).await.unwrap()
}

fn whole_range(source: &str) -> HistoryQuery {
    HistoryQuery {
        source: source.into(),
        reading: None,
        from: Timestamp::from_second(1_794_000_000).unwrap(),
        to: Timestamp::from_second(1_797_000_000).unwrap(),
        limit: 1_000,
    }
}

/// The newest day's file.
fn newest_day(dir: &Path) -> std::path::PathBuf {
    let entries = std::fs::read_dir(dir.join("history")).unwrap().map(|e| e.unwrap().path());
    entries.filter(|p| p.extension().is_some_and(|e| e == "db")).max().unwrap()
}

#[tokio::test]
async fn what_a_gateway_sends_days_late_is_found_at_its_own_time() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    let day = 86_400;
    let mut late = observation("s", 1.0, 100);
    late.received_at = observation("s", 1.0, 5 * day).received_at;
    let in_time = [observation("s", 0.0, 0), observation("s", 2.0, 200)];
    for o in in_time.iter().chain([&late]) {
        storage.history().append(vec![o.clone()]).await.unwrap();
    }
    let at = |second: i64| observation("s", 0.0, second).phenomenon_time;
    let query = HistoryQuery { from: at(0), to: at(1_000), ..whole_range("s") };
    let values = |found: Vec<Observation>| found.iter().map(|o| o.value.as_number().unwrap()).collect::<Vec<_>>();
    assert_eq!(values(storage.history().query(&query).await.unwrap()), [0.0, 1.0, 2.0]);
    let first_two = HistoryQuery { limit: 2, ..query.clone() };
    assert_eq!(values(storage.history().query(&first_two).await.unwrap()), [0.0, 1.0]);
    let buckets = storage.history().buckets(&query, 1_000_000).await.unwrap();
    let whole: Vec<_> = buckets.iter().map(|b| (b.count, b.avg)).collect();
    assert_eq!(whole, [(3, 1.0)], "one step, though its observations lie in two files");
}

#[tokio::test]
async fn a_day_damaged_in_its_middle_is_passed_over_and_then_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    let day = 86_400;
    storage.history().append(vec![observation("s", 1.0, 0)]).await.unwrap();
    let many = (0..2_000).map(|n| observation("s", f64::from(n), day + i64::from(n))).collect();
    storage.history().append(many).await.unwrap();
    drop(storage);
    let (storage, _) = reopen(dir.path()).await;
    let path = newest_day(dir.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let pages = bytes.len() / 4_096;
    assert!(pages > 8, "{pages}");
    // All pages but the header's: the tables' roots too.
    bytes[4_096..].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    storage.history().last_values().await.unwrap();
    assert_eq!(storage.history().query(&whole_range("s")).await.unwrap().len(), 1, "the other day still answers");
    // The writer finds it too; readings go on in a new file.
    storage.history().append(vec![observation("s", 7.0, day + 5_000)]).await.unwrap();
    let found = storage.history().query(&whole_range("s")).await.unwrap();
    assert_eq!(found.iter().map(|o| o.value.as_number().unwrap()).collect::<Vec<_>>(), [1.0, 7.0]);
}

#[tokio::test]
async fn a_checkpoint_that_a_kill_cut_short_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    for n in 0..600 {
        storage.history().append(vec![observation("s", f64::from(n), i64::from(n))]).await.unwrap();
    }
    // As a kill leaves it: all pages in the log, some brought over, the header first.
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join("history")).unwrap();
    let day = newest_day(dir.path());
    let log = std::path::PathBuf::from(format!("{}-wal", day.display()));
    let name = day.file_name().unwrap();
    let to = copy.path().join("history").join(name);
    std::fs::copy(&log, format!("{}-wal", to.display())).unwrap();
    std::fs::copy(&day, &to).unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&day);
    let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut other).await.unwrap();
    let whole = std::fs::read(&day).unwrap();
    assert!(whole.len() > 4 * 4_096);
    std::fs::write(&to, &whole[..2 * 4_096]).unwrap();
    let (storage, report) = reopen(copy.path()).await;
    assert_eq!(report.set_aside, Vec::<std::path::PathBuf>::new());
    assert_eq!(storage.history().query(&whole_range("s")).await.unwrap().len(), 600);
}

#[tokio::test]
async fn wrong_passwords_are_forgotten_after_an_hour_and_few_are_checked_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let users = open(dir.path()).await.users().clone();
    let now = Timestamp::now();
    for name in ["a", "b"] {
        for _ in 0..4 {
            users.note_failure(name, now).await.unwrap();
        }
    }
    let later = now.checked_add(jiff::SignedDuration::from_mins(61)).unwrap();
    users.note_failure("a", later).await.unwrap();
    assert_eq!(users.lockout("a", later).await.unwrap(), None, "the four of an hour ago no longer count");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.path().join("gridward.db"));
    let mut reader = sqlx::ConnectOptions::connect(&options).await.unwrap();
    let rows: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM attempt").fetch_one(&mut reader).await.unwrap();
    assert_eq!(rows, 1, "names that strangers typed do not stay");
}

#[tokio::test]
async fn a_commit_that_sqlite_takes_back_itself_does_not_end_all_commits() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    let registry = storage.registry();
    registry.put_grids(&[grid("g1", None)]).await.unwrap();
    // A trigger that rolls the transaction back, as SQLite does with a full disk.
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.path().join("gridward.db"));
    let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
    let trigger = "CREATE TRIGGER full BEFORE INSERT ON log BEGIN SELECT RAISE(ROLLBACK, 'full'); END";
    sqlx::query(trigger).execute(&mut other).await.unwrap();
    let now = Timestamp::now();
    for _ in 0..3 {
        storage.log().append(&Actor::Hub, now, vec![audit("x")]).await.unwrap_err();
    }
    assert!(!storage.health().borrow().ok);
    sqlx::query("DROP TRIGGER full").execute(&mut other).await.unwrap();
    storage.log().append(&Actor::Hub, now, vec![audit("x")]).await.unwrap();
    registry.put_grids(&[grid("g2", None)]).await.unwrap();
    assert!(storage.health().borrow().ok);
}

#[tokio::test]
async fn a_day_that_was_begun_and_has_no_tables_yet_stops_nothing() {
    use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions, sqlite::SqliteJournalMode};
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("history")).unwrap();
    let file = SqliteConnectOptions::new().filename(dir.path().join("history/2026-11-18.db")).create_if_missing(true);
    let mut begun = file.journal_mode(SqliteJournalMode::Wal).connect().await.unwrap();
    sqlx::query("PRAGMA user_version = 1").execute(&mut begun).await.unwrap();
    begun.close().await.unwrap();
    let storage = open(dir.path()).await;
    assert_eq!(storage.history().last_values().await.unwrap(), []);
    let mut seen = 0;
    storage.history().replay(HistorySeq::default(), |_, _| seen += 1).await.unwrap();
    assert_eq!(seen, 0);
    storage.history().append(vec![observation("s", 1.0, 0)]).await.unwrap();
    assert_eq!(storage.history().last_values().await.unwrap().len(), 1);
}

/// Readings of sixty sources over midnight, one a minute each, in the order of receipt.
fn two_days() -> Vec<Observation> {
    let begin: Timestamp = "2026-07-01T19:00:00Z".parse().unwrap();
    let minute = |n: i64| begin + jiff::SignedDuration::from_mins(n);
    (0..600i64)
        .flat_map(|n| {
            (0..60).map(move |source| Observation {
                source: format!("s{source}").as_str().into(),
                reading: if n % 3 == 0 { "rain".into() } else { "level".into() },
                value: Value::Number(n as f64),
                quality: Quality::Good,
                // Some lie far back: what is walked goes by receipt.
                phenomenon_time: if n % 7 == 0 { minute(n - 300) } else { minute(n) },
                received_at: minute(n),
                retained: n % 11 == 0,
            })
        })
        .collect()
}

#[tokio::test]
async fn a_walk_gives_the_chosen_readings_in_the_order_of_receipt_over_midnight() {
    use std::ops::ControlFlow;
    let dir = tempfile::tempdir().unwrap();
    let config = Config { data_dir: dir.path().to_owned(), ..Config::default() };
    let (storage, _) = Storage::open(&config, Opener::Hub).await.unwrap();
    let all = two_days();
    for part in all.chunks(1_000) {
        storage.history().append(part.to_vec()).await.unwrap();
    }
    let ids = |of: std::ops::Range<usize>| {
        of.map(|n| format!("s{n}").as_str().into()).collect::<std::collections::HashSet<_>>()
    };
    for (sources, readings) in
        [(0..60, None), (0..59, Some(vec!["level"])), (3..5, None), (7..8, Some(vec!["rain"])), (90..91, None)]
    {
        for (from, to) in [(0usize, 600i64), (290, 310), (500, 501), (5, 5)] {
            let (from, to) = (all[from * 60].received_at, all[0].received_at + jiff::SignedDuration::from_mins(to));
            let scan = Scan {
                from,
                to,
                sources: ids(sources.clone()),
                readings: readings.as_ref().map(|r: &Vec<&str>| r.iter().map(|name| (*name).into()).collect()),
            };
            let mut found = Vec::new();
            let each = |observation| {
                found.push(observation);
                ControlFlow::Continue(())
            };
            storage.history().scan(&scan, each).await.unwrap();
            let expected: Vec<Observation> = all
                .iter()
                .filter(|o| (from..to).contains(&o.received_at) && scan.sources.contains(&o.source))
                .filter(|o| scan.readings.as_ref().is_none_or(|names| names.contains(&o.reading)))
                .cloned()
                .collect();
            assert_eq!(found, expected, "{sources:?} {readings:?} {from} {to}");
        }
    }
    let scan = Scan { from: all[0].received_at, to: Timestamp::MAX, sources: ids(0..1), readings: None };
    let mut count = 0;
    let each = |_| {
        count += 1;
        if count == 10 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    storage.history().scan(&scan, each).await.unwrap();
    assert_eq!(count, 10, "it ends when it is told to");
}
