//! The outbox as a caller sees it: kept in one piece, taken once, found by the gravest first.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use model::{Level, Timestamp};
use storage::{Config, MessageFilter, MessageState, NewMessage, NewStep, Opener, Plan, Storage};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

async fn open(dir: &std::path::Path) -> Storage {
    let config = Config { data_dir: dir.to_owned(), ..Config::default() };
    Storage::open(&config, Opener::Hub).await.unwrap().0
}

fn message(key: &str, level: Level) -> NewMessage {
    NewMessage {
        key: key.to_owned(),
        incident: Some("i1".into()),
        grid: Some("g1".into()),
        step: "all/0".to_owned(),
        channel: "mail".to_owned(),
        recipient: "li".to_owned(),
        level,
        at: at(0),
        state: MessageState::Waiting,
        error: None,
        body: "{}".to_owned(),
    }
}

fn plan(position: i64, messages: Vec<NewMessage>) -> Plan {
    let step = NewStep { incident: "i1".into(), step: format!("s{position}"), at: at(0), told: "[]".to_owned() };
    Plan { position, steps: vec![step], messages, summed: Vec::new() }
}

#[tokio::test]
async fn a_plan_is_kept_in_one_piece_and_a_key_is_taken_once() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    let outbox = storage.outbox();
    assert_eq!(outbox.position().await.unwrap(), None);
    let kept = plan(7, vec![message("a", Level::Blue), message("b", Level::Red), message("a", Level::Blue)]);
    assert_eq!(outbox.plan(&kept).await.unwrap(), 2);
    assert_eq!(outbox.plan(&kept).await.unwrap(), 0, "the same once more, as after a stop");
    drop(storage);
    let storage = open(dir.path()).await;
    let outbox = storage.outbox();
    assert_eq!(outbox.position().await.unwrap(), Some(7));
    assert_eq!(outbox.steps().await.unwrap(), kept.steps);
    let due = outbox.due("mail", at(1), &[], 10).await.unwrap();
    assert_eq!(due.iter().map(|m| m.key.as_str()).collect::<Vec<_>>(), ["b", "a"], "the gravest first");
    assert_eq!(outbox.due("mail", at(1), &[due[0].id], 10).await.unwrap().len(), 1, "one is on its way");
    assert!(outbox.due("other", at(1), &[], 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_message_is_tried_given_up_and_tried_again_by_a_person() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    let outbox = storage.outbox();
    outbox.plan(&plan(1, vec![message("a", Level::Blue), message("b", Level::Blue)])).await.unwrap();
    let first = outbox.due("mail", at(1), &[], 1).await.unwrap().remove(0);
    outbox.failed(first.id, &format!("no\nroute {}", "x".repeat(1_000)), at(60)).await.unwrap();
    let failed = outbox.get(first.id).await.unwrap().unwrap();
    let error = failed.error.unwrap();
    assert!(error.starts_with("no route") && error.len() == 300, "{error}");
    assert_eq!((failed.tries, failed.next_try), (1, at(60)));
    assert_eq!(outbox.due("mail", at(59), &[], 10).await.unwrap().len(), 1, "it waits");
    assert_eq!(outbox.next_try(at(2)).await.unwrap(), Some(at(60)));
    outbox.dead(first.id, "no route", at(60)).await.unwrap();
    assert!(outbox.due("mail", at(99), &[], 10).await.unwrap().iter().all(|m| m.id != first.id));
    assert_eq!(outbox.depth().await.unwrap().dead, 1);
    let again = outbox.retry(first.id, at(100)).await.unwrap();
    assert_eq!((again.state, again.tries, again.ended_at), (MessageState::Waiting, 0, None));
    outbox.sent(first.id, at(101)).await.unwrap();
    outbox.failed(first.id, "late", at(200)).await.unwrap();
    assert_eq!(outbox.get(first.id).await.unwrap().unwrap().state, MessageState::Sent, "sent is sent");
    assert!(matches!(outbox.retry(first.id, at(102)).await, Err(storage::Error::Missing(_))));
    let filter = MessageFilter { state: Some(MessageState::Sent), incident: Some("i1".into()), ..Default::default() };
    assert_eq!(outbox.list(&filter, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn held_messages_leave_with_their_summary_and_old_ones_with_time() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    let outbox = storage.outbox();
    let held = NewMessage { state: MessageState::Held, ..message("a", Level::Blue) };
    outbox.plan(&plan(1, vec![held])).await.unwrap();
    assert_eq!(outbox.depth().await.unwrap().held, 1);
    assert!(outbox.told_since(at(-1)).await.unwrap().is_empty(), "held is not told");
    let summary = NewMessage { incident: None, ..message("sum", Level::Blue) };
    let sum = Plan { summed: vec!["a".to_owned()], ..plan(1, vec![summary]) };
    outbox.plan(&sum).await.unwrap();
    assert_eq!(outbox.depth().await.unwrap().held, 0);
    outbox.plan(&plan(2, vec![message("own", Level::Blue)])).await.unwrap();
    assert_eq!(outbox.told_since(at(-1)).await.unwrap(), [("li".to_owned(), at(0))]);
    assert_eq!(outbox.retain(at(10), |_| true).await.unwrap(), 1, "the summed one; the others wait");
    assert_eq!(outbox.steps().await.unwrap().len(), 2, "the incident is open");
    outbox.retain(at(10), |_| false).await.unwrap();
    assert!(outbox.steps().await.unwrap().is_empty());
    let since = outbox.routes_since(&["river"], 5).await.unwrap();
    assert_eq!(since, [("river".to_owned(), 5)]);
    assert_eq!(outbox.routes_since(&["river"], 9).await.unwrap(), since, "a route keeps its beginning");
}

#[tokio::test]
async fn a_damaged_outbox_is_set_aside_and_the_hub_starts() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("outbox.db"), vec![7u8; 8_192]).unwrap();
    let storage = open(dir.path()).await;
    storage.outbox().plan(&plan(1, vec![message("a", Level::Blue)])).await.unwrap();
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(names.iter().any(|name| name.to_string_lossy().starts_with("outbox.db.corrupt-")), "{names:?}");
}

#[tokio::test]
async fn the_log_tells_when_there_is_news() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(dir.path()).await;
    let mut news = storage.log().news();
    let audit =
        model::log::Audit { action: "x".into(), subject: "y".into(), purpose: None, detail: Default::default() };
    storage.log().append(&model::Actor::Hub, at(0), vec![model::LogBody::Audit(audit)]).await.unwrap();
    news.changed().await.unwrap();
    assert_eq!(*news.borrow(), 1);
    assert_eq!(storage.log().last().await.unwrap(), 1);
}
