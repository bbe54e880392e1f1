//! The connection log on a real file: what survives, what is unknown, what leaves.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use model::{Kind, SourceState, SourceStatus, Timestamp};
use sqlx::ConnectOptions;
use storage::{Config, HUB_DOWN, NOT_HEARD, Opener, Storage, Timeline};

async fn open(dir: &Path) -> Storage {
    let config = Config { data_dir: dir.to_owned(), ..Config::default() };
    Storage::open(&config, Opener::Hub).await.unwrap().0
}

fn status(id: &str, state: SourceState, reason: Option<&str>) -> SourceStatus {
    SourceStatus {
        source: id.into(),
        kind: Kind::Camera,
        profile: None,
        state,
        since: Timestamp::now(),
        reason: reason.map(str::to_owned),
        detail: reason.map(|reason| format!("detail of {reason}")),
        last_data_at: None,
        stream: None,
    }
}

async fn last_day(storage: &Storage, id: &str) -> Timeline {
    let now = Timestamp::now();
    storage.connections().timeline(id, now - SignedDuration::from_hours(24), now).await.unwrap()
}

fn told(timeline: &Timeline) -> Vec<&str> {
    timeline.segments.iter().map(|one| one.reason.as_deref().unwrap_or(one.state.as_str())).collect()
}

/// A connection of the test's own to the file.
async fn file(dir: &Path) -> sqlx::SqliteConnection {
    sqlx::sqlite::SqliteConnectOptions::new().filename(dir.join("connections.db")).connect().await.unwrap()
}

/// Whether the writer has begun the file.
async fn tables_stand(dir: &Path) -> bool {
    if !dir.join("connections.db").exists() {
        return false;
    }
    let tables: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master WHERE type = 'index'")
        .fetch_one(&mut file(dir).await)
        .await
        .unwrap();
    tables > 1
}

#[tokio::test]
async fn the_log_survives_a_restart_and_the_time_between_is_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    storage.connections().note(&status("cam", SourceState::Live, None), Timestamp::now());
    assert_eq!(last_day(&storage, "cam").await.rows.len(), 1, "seen before it is on disk");
    tokio::time::sleep(Duration::from_millis(20)).await;
    storage.connections().note(&status("cam", SourceState::Offline, Some("connect_refused")), Timestamp::now());
    tokio::time::sleep(Duration::from_millis(20)).await;
    storage.connections().close().await;
    drop(storage);
    tokio::time::sleep(Duration::from_millis(60)).await;

    let storage = open(dir.path()).await;
    let timeline = last_day(&storage, "cam").await;
    assert_eq!(told(&timeline)[..4], [HUB_DOWN, NOT_HEARD, "live", "connect_refused"], "{timeline:?}");
    assert_eq!(told(&timeline)[4], HUB_DOWN, "{timeline:?}");
    assert_eq!(told(&timeline).last(), Some(&NOT_HEARD), "this hub has not heard of it yet");
    let newest = &timeline.rows[0];
    assert_eq!((newest.state, newest.detail.as_deref()), (SourceState::Offline, Some("detail of connect_refused")));
    assert_eq!(timeline.rows.len(), 2);
    storage.connections().note(&status("cam", SourceState::Live, None), Timestamp::now());
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(told(&last_day(&storage, "cam").await).last(), Some(&"live"));
    assert_eq!(told(&last_day(&storage, "nobody").await).last(), Some(&NOT_HEARD));
}

#[tokio::test]
async fn a_hub_that_is_killed_knows_until_when_it_lived() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    storage.connections().note(&status("cam", SourceState::Live, None), Timestamp::now());
    // On disk within two ticks, without anybody closing anything.
    let began = std::time::Instant::now();
    loop {
        let count = async || -> i64 {
            sqlx::query_scalar("SELECT COUNT(*) FROM change").fetch_one(&mut file(dir.path()).await).await.unwrap()
        };
        if tables_stand(dir.path()).await && count().await == 1 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "the row never came to disk");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // As if it had died an hour ago.
    let mut connection = file(dir.path()).await;
    for statement in [
        "UPDATE run SET began_ms = began_ms - 3700000, seen_ms = seen_ms - 3600000",
        "UPDATE change SET at_ms = at_ms - 3650000",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    drop(storage);
    let storage = open(dir.path()).await;
    let timeline = last_day(&storage, "cam").await;
    let down: Vec<_> = timeline.segments.iter().filter(|one| one.reason.as_deref() == Some(HUB_DOWN)).collect();
    assert_eq!(down.len(), 2, "before the first and after the kill: {timeline:?}");
    assert!(down[1].to.duration_since(down[1].from) > SignedDuration::from_mins(59));
}

#[tokio::test]
async fn old_rows_leave_by_age_and_by_number_but_not_what_still_holds() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    let now = Timestamp::now();
    storage.connections().note(&status("steady", SourceState::Live, None), now);
    for n in 0..10 {
        let state = if n % 2 == 0 { SourceState::Live } else { SourceState::Offline };
        storage.connections().note(&status("flaps", state, None), now + SignedDuration::from_millis(n));
    }
    storage.connections().close().await;
    drop(storage);
    // Ten days pass, in which the same hub runs.
    let mut connection = file(dir.path()).await;
    for statement in ["UPDATE run SET began_ms = began_ms - 864000000", "UPDATE change SET at_ms = at_ms - 863990000"] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    let rows = async |connection: &mut sqlx::SqliteConnection| -> i64 {
        sqlx::query_scalar("SELECT COUNT(*) FROM change").fetch_one(connection).await.unwrap()
    };
    assert_eq!(rows(&mut connection).await, 11);
    let storage = open(dir.path()).await;
    let began = std::time::Instant::now();
    while rows(&mut connection).await != 2 {
        assert!(began.elapsed() < Duration::from_secs(20), "{} rows are left", rows(&mut connection).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for id in ["steady", "flaps"] {
        let timeline = last_day(&storage, id).await;
        let expected = if id == "steady" { "live" } else { "offline" };
        assert_eq!(told(&timeline)[0], expected, "ten days old, and still so: {timeline:?}");
    }
    drop(storage);
    // By number: of the first of two sources only what still holds.
    let dir = tempfile::tempdir().unwrap();
    let config = Config { data_dir: dir.path().to_owned(), connection_log_rows_max: 6, ..Config::default() };
    let storage = Storage::open(&config, Opener::Hub).await.unwrap().0;
    for (id, from) in [("old", 0), ("new", 20)] {
        for n in 0..6 {
            let state = if n % 2 == 0 { SourceState::Live } else { SourceState::Offline };
            storage
                .connections()
                .note(&status(id, state, None), Timestamp::now() + SignedDuration::from_millis(from + n));
        }
    }
    let began = std::time::Instant::now();
    loop {
        if tables_stand(dir.path()).await && rows(&mut file(dir.path()).await).await == 7 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "rows never became 7");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_a_new_one_begun() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("connections.db"), vec![0x5a; 8_192]).unwrap();
    let storage = open(dir.path()).await;
    storage.connections().note(&status("cam", SourceState::Live, None), Timestamp::now());
    storage.connections().close().await;
    assert_eq!(last_day(&storage, "cam").await.rows.len(), 1);
    let aside = std::fs::read_dir(dir.path()).unwrap();
    let aside =
        aside.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("connections.db.corrupt"));
    assert_eq!(aside.count(), 1);
}

#[tokio::test]
async fn thirteen_thousand_changes_are_on_disk_soon_and_nobody_waited() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    let ids: HashSet<_> = (0..13_000).map(|n| model::SourceId::from(format!("cam-{n:05}").as_str())).collect();
    let began = std::time::Instant::now();
    for id in &ids {
        storage
            .connections()
            .note(&status(id.as_str(), SourceState::Offline, Some("connect_timeout")), Timestamp::now());
    }
    let noted = began.elapsed();
    storage.connections().close().await;
    let count: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM change").fetch_one(&mut file(dir.path()).await).await.unwrap();
    println!("13,000 changes: told in {noted:?}, on disk after {:?}", began.elapsed());
    assert_eq!(count, 13_000);
    storage.connections().keep_only(&HashSet::new(), Timestamp::now());
    let timeline = last_day(&storage, "cam-00007").await;
    assert_eq!(timeline.rows[0].reason.as_deref(), Some("removed"));
}
