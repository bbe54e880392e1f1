//! Stills over HTTP.

use model::Timestamp;
use serde_json::json;

use crate::support::{Film, hub};

const PATH: &str = "/api/v1/sources/a/snapshot.jpg";

#[tokio::test]
async fn a_still_is_a_jpeg_with_its_time_and_a_row_in_the_audit() {
    let hub = hub().await;
    let mut film = Film::new(&hub.rings, "a");
    film.real();
    let cookie = hub.log_in("eye").await;
    let answer = hub.get(&cookie, &format!("{PATH}?purpose=shift%20round")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.bytes[..2], [0xFF, 0xD8]);
    let head = answer.head.to_lowercase();
    let value = |name: &str| {
        let line = head.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in {head}"));
        line.split_once(": ").unwrap().1.to_owned()
    };
    assert_eq!((value("content-type"), value("cache-control")), ("image/jpeg".into(), "no-store".into()));
    assert!(value("age").parse::<u64>().unwrap() < 30 && value("last-modified").ends_with("gmt"));
    let taken: Timestamp = value("x-frame-time").to_uppercase().parse().unwrap();
    assert!(Timestamp::now().duration_since(taken).as_secs() < 30);
    let rows = hub.get(&hub.log_in("admin").await, "/api/v1/audit?action=snapshot.view").await.body;
    let row = &rows["items"][0];
    assert_eq!((&row["body"]["subject"], &row["body"]["purpose"]), (&json!("a"), &json!("shift round")));
    assert_eq!(row["actor"]["user"].as_str().or(row["actor"]["id"].as_str()).unwrap_or("eye"), "eye");
}

#[tokio::test]
async fn what_may_not_be_watched_is_not_shown() {
    let hub = hub().await;
    let mut film = Film::new(&hub.rings, "b");
    film.real();
    let (narrow, li) = (hub.log_in("narrow").await, hub.log_in("li").await);
    assert_eq!(hub.get(&narrow, "/api/v1/sources/b/snapshot.jpg").await.status, 404);
    let closed = hub.get(&li, "/api/v1/sources/r/snapshot.jpg").await;
    assert_eq!((closed.status.as_u16(), &closed.body["error"]["code"]), (403, &json!("break_glass_required")));
    assert_eq!(hub.call("GET", PATH, &[], None).await.status, 401);
    let rows = hub.get(&hub.log_in("admin").await, "/api/v1/audit?action=snapshot.view").await.body;
    assert_eq!(rows["items"], json!([]), "nothing was seen, nothing is written");
}

#[tokio::test]
async fn a_camera_that_shows_nothing_is_a_clear_error() {
    let hub = hub().await;
    let li = hub.log_in("li").await;
    let none = hub.get(&li, PATH).await;
    assert_eq!((none.status.as_u16(), &none.body["error"]["code"]), (503, &json!("no_picture")));
    assert!(none.head.to_lowercase().contains("retry-after"));
    let mut film = Film::new(&hub.rings, "a");
    film.turn(true, 100);
    let broken = hub.get(&li, PATH).await;
    assert_eq!((broken.status.as_u16(), &broken.body["error"]["code"]), (503, &json!("undecodable")));
    assert_eq!(hub.get(&li, &format!("{PATH}?profile=huge")).await.status, 400);
}
