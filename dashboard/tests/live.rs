//! The live socket, with viewers that behave and viewers that do not.

use std::time::Duration;

use model::{Kind, Owner, Profile, SourceState, SourceStatus, Timestamp};
use serde_json::{Value, json};
use storage::AuditFilter;

use crate::support::{Film, Got, Hub, LIMIT, hub, source};

fn sub(t: u16, source: &str) -> Value {
    json!({ "sub": [{ "t": t, "source": source }] })
}

/// The rows of live views, the newest first: who, what, why.
async fn views(hub: &Hub) -> Vec<Value> {
    let filter = AuditFilter { action: Some("live.view".into()), ..AuditFilter::default() };
    let rows = hub.storage.log().audit(&filter, 100).await.unwrap();
    rows.into_iter().map(|row| serde_json::to_value(row).unwrap()).collect()
}

fn status(id: &str, state: SourceState, reason: Option<&str>) -> SourceStatus {
    SourceStatus {
        source: id.into(),
        kind: Kind::Camera,
        profile: Some(Profile::Sub),
        state,
        since: Timestamp::from_second(1_795_000_000).unwrap(),
        reason: reason.map(str::to_owned),
        detail: None,
        last_data_at: None,
        stream: None,
    }
}

#[tokio::test]
async fn a_viewer_begins_with_init_and_key_frame_and_goes_on_live() {
    let hub = hub().await;
    let cookie = hub.log_in("li").await;
    let mut film = Film::new(&hub.rings, "a");
    film.turn(true, 100);
    film.turn(false, 100);
    let key_at = film.turn(true, 300);
    film.turn(false, 40);
    let mut viewer = hub.live(&cookie).await;
    viewer.say(json!({ "sub": [{ "t": 3, "source": "a", "profile": "auto" }], "purpose": "smoke reported" })).await;
    assert_eq!(viewer.word("state").await["state"], "unknown");
    let hello = viewer.word("hello").await;
    let expected = json!({ "type": "hello", "t": 3, "codec": "avc1.42c00a", "timescale": 90000, "width": 16,
        "height": 16, "epoch": 1, "profile": "sub", "audit": true });
    assert_eq!(hello, expected);
    let rows = views(&hub).await;
    assert_eq!(rows.len(), 1, "written before the first byte");
    assert_eq!((&rows[0]["body"]["subject"], &rows[0]["body"]["purpose"]), (&json!("a"), &json!("smoke reported")));
    assert_eq!(rows[0]["body"]["detail"], json!({ "profile": "sub", "mode": "video" }));
    let Got::Picture { t: 3, kind: 0, bytes, .. } = viewer.next().await else { panic!("init comes first") };
    assert_eq!(&bytes[4..8], b"ftyp");
    let (kind, at_ms, bytes) = viewer.picture().await;
    assert_eq!((kind, at_ms), (1, key_at), "the newest key frame, with the time it was received");
    assert_eq!((&bytes[4..8], bytes.len()), (&b"moof"[..], 100 + 8 + 300));
    assert_eq!(viewer.picture().await.0, 2);
    let live_at = film.turn(false, 50);
    let (kind, at_ms, _) = viewer.picture().await;
    assert_eq!((kind, at_ms), (2, live_at));
}

#[tokio::test]
async fn motion_jpeg_is_named_and_not_played_as_video() {
    let hub = hub().await;
    let cookie = hub.log_in("li").await;
    let mut film = Film::new(&hub.rings, "a");
    film.change_to_jpeg();
    film.turn(true, 100);
    let mut viewer = hub.live(&cookie).await;
    viewer.say(sub(1, "a")).await;
    let hello = viewer.word("hello").await;
    assert_eq!((&hello["codec"], &hello["epoch"]), (&json!("mp4v.6C"), &json!(2)));
    film.turn(true, 100);
    assert!(viewer.is_quiet(Duration::from_millis(300)).await, "neither an init segment nor fragments");
    // The camera is set to H.264 after all.
    film.change();
    film.turn(true, 200);
    assert_eq!(viewer.word("hello").await["codec"], "avc1.4d401e");
    assert_eq!((viewer.picture().await.0, viewer.picture().await.0), (0, 1));
}

#[tokio::test]
async fn a_slow_viewer_drops_to_a_key_frame_is_told_and_slows_nobody() {
    let hub = hub().await;
    let cookie = hub.log_in("li").await;
    let mut film = Film::new(&hub.rings, "a");
    film.turn(true, 20_000);
    let slow = hub.try_live(&[("cookie", &cookie)], Some(4_096)).await;
    let mut slow = slow.unwrap_or_else(|status| panic!("{status}"));
    slow.say(sub(1, "a")).await;
    assert_eq!(slow.picture().await.0, 0);
    let mut fast = hub.live(&cookie).await;
    fast.say(sub(9, "a")).await;
    assert_eq!((fast.picture().await.0, fast.picture().await.0), (0, 1));
    // 20 s of 4 Mbit/s, while the slow one reads nothing: the fast one gets every frame.
    let mut key_at = 0;
    for n in 1..=510 {
        let at_ms = film.turn(n % 25 == 0, 20_000);
        let got = tokio::time::timeout(LIMIT, fast.next()).await.unwrap();
        assert_eq!(got.name(), if n % 25 == 0 { "key" } else { "delta" }, "frame {n}");
        let Got::Picture { at_ms: got_ms, .. } = got else { panic!("a picture") };
        assert_eq!(got_ms, at_ms);
        key_at = if n % 25 == 0 { at_ms } else { key_at };
    }
    let mut before = 0;
    let dropped = loop {
        match slow.next().await {
            Got::Word(word) if word["type"] == "drop" => break word["frames"].as_u64().unwrap(),
            Got::Picture { .. } => before += 1,
            Got::Word(_) => {}
            Got::Closed(why) => panic!("{why:?}"),
        }
    };
    assert!(dropped > 200, "{dropped} frames dropped, {before} had been on their way");
    let (kind, at_ms, _) = slow.picture().await;
    assert_eq!((kind, at_ms), (1, key_at), "at the newest key frame");
    let mut last = at_ms;
    for _ in 0..3 {
        let (kind, at_ms, _) = slow.picture().await;
        assert_eq!((kind, at_ms), (2, last + 40), "and on without a hole");
        last = at_ms;
    }
}

#[tokio::test]
async fn every_viewer_and_every_tile_gets_the_same_bytes() {
    let hub = hub().await;
    let cookie = hub.log_in("li").await;
    let mut film = Film::new(&hub.rings, "a");
    film.turn(true, 500);
    let mut first = hub.live(&cookie).await;
    first.say(sub(1, "a")).await;
    let early = [first.picture().await.2, first.picture().await.2];
    let mut second = hub.live(&cookie).await;
    second.say(json!({ "sub": [{ "t": 1, "source": "a" }, { "t": 2, "source": "a" }] })).await;
    let mut late = [Vec::new(), Vec::new()];
    while late.iter().any(|tile| tile.len() < 2) {
        if let Got::Picture { t, bytes, .. } = second.next().await {
            late[usize::from(t) - 1].push(bytes);
        }
    }
    assert!(late.iter().all(|tile| tile[..] == early), "init and fragment are the same for all");
}

#[tokio::test]
async fn a_tile_given_up_is_not_wanted_any_more() {
    let hub = hub().await;
    let cookie = hub.log_in("li").await;
    let mut demand = hub.rings.demand();
    let mut viewer = hub.live(&cookie).await;
    viewer.say(json!({ "sub": [{ "t": 1, "source": "a" }, { "t": 2, "source": "b", "profile": "main" }] })).await;
    let key = |id: &str, profile| (id.into(), profile);
    let wanted = |set: std::collections::BTreeSet<_>| set.into_iter().collect::<Vec<_>>();
    tokio::time::timeout(LIMIT, async {
        while wanted(demand.changed().await) != [key("a", Profile::Sub), key("b", Profile::Main)] {}
    })
    .await
    .expect("both streams are wanted");
    let mut film = Film::new(&hub.rings, "a");
    film.turn(true, 10);
    assert_eq!((viewer.picture().await.0, viewer.picture().await.0), (0, 1));
    viewer.say(json!({ "unsub": [1, 77] })).await;
    tokio::time::timeout(LIMIT, async { while wanted(demand.changed().await) != [key("b", Profile::Main)] {} })
        .await
        .expect("only the other one is wanted");
    film.turn(false, 10);
    assert!(viewer.is_quiet(Duration::from_millis(500)).await);
    drop(viewer);
    tokio::time::timeout(LIMIT, async { while !demand.changed().await.is_empty() {} }).await.expect("nobody watches");
}

#[tokio::test]
async fn what_the_scope_hides_does_not_exist_and_leaves_no_row() {
    let hub = hub().await;
    let cookie = hub.log_in("narrow").await;
    let mut viewer = hub.live(&cookie).await;
    for (t, hidden) in [(1, "b"), (2, "r"), (3, "nothing"), (4, "no/id")] {
        viewer.say(sub(t, hidden)).await;
        let error = viewer.word("error").await;
        assert_eq!((&error["t"], &error["code"]), (&json!(t), &json!("not_found")), "{hidden}");
    }
    assert_eq!(views(&hub).await.len(), 0);
    assert!(hub.rings.demand().current().is_empty(), "and nothing is pulled");
}

#[tokio::test]
async fn a_residents_camera_wants_a_purpose_on_record_first() {
    let hub = hub().await;
    let cookie = hub.log_in("li").await;
    let mut film = Film::new(&hub.rings, "r");
    film.turn(true, 10);
    let mut viewer = hub.live(&cookie).await;
    viewer.say(sub(1, "r")).await;
    let error = viewer.word("error").await;
    assert_eq!((&error["t"], &error["code"]), (&json!(1), &json!("break_glass_required")));
    assert!(viewer.is_quiet(Duration::from_millis(300)).await);
    let opened = hub.post(&cookie, "/api/v1/sources/r/break-glass", json!({ "purpose": "missing child" })).await;
    assert_eq!(opened.status, 200);
    viewer.say(sub(1, "r")).await;
    assert_eq!((viewer.picture().await.0, viewer.picture().await.0), (0, 1));
    // For whoever opened it, and for nobody else.
    let mut other = hub.live(&hub.log_in("admin").await).await;
    other.say(sub(1, "r")).await;
    assert_eq!(other.word("error").await["code"], "break_glass_required");
}

#[tokio::test]
async fn a_view_ends_when_the_camera_leaves_the_scope() {
    let hub = hub().await;
    let cookie = hub.log_in("narrow").await;
    let mut film = Film::new(&hub.rings, "a");
    film.turn(true, 10);
    let mut viewer = hub.live(&cookie).await;
    viewer.say(sub(5, "a")).await;
    assert_eq!((viewer.picture().await.0, viewer.picture().await.0), (0, 1));
    let grids = (*hub.feed.grids()).clone();
    hub.feed.set_registry(vec![source("a", "g2", Owner::Police)], grids);
    let error = viewer.word("error").await;
    assert_eq!((&error["t"], &error["code"]), (&json!(5), &json!("not_found")));
    film.turn(false, 10);
    assert!(viewer.is_quiet(Duration::from_millis(500)).await);
}

#[tokio::test]
async fn a_view_ends_with_the_log_in() {
    let hub = hub().await;
    let cookie = hub.log_in("li").await;
    let mut film = Film::new(&hub.rings, "a");
    film.turn(true, 10);
    let mut viewer = hub.live(&cookie).await;
    viewer.say(sub(5, "a")).await;
    assert_eq!((viewer.picture().await.0, viewer.picture().await.0), (0, 1));
    let headers = [("Cookie", cookie.as_str()), ("X-Gridward", "1")];
    assert_eq!(hub.call("DELETE", "/api/v1/session", &headers, None).await.status, 204);
    let error = viewer.word("error").await;
    assert_eq!((&error["t"], &error["code"]), (&Value::Null, &json!("forbidden")));
    assert_eq!(viewer.next().await, Got::Closed(Some((1008, "session_ended".into()))));
}

#[tokio::test]
async fn states_are_told_at_once_and_on_change() {
    let hub = hub().await;
    hub.feed.status(status("a", SourceState::Connecting, None));
    let mut viewer = hub.live(&hub.log_in("eye").await).await;
    viewer.say(sub(1, "a")).await;
    let expected =
        json!({ "type": "state", "t": 1, "state": "connecting", "reason": null, "since": "2026-11-18T11:06:40Z" });
    assert_eq!(viewer.word("state").await, expected);
    hub.feed.status(status("a", SourceState::Offline, Some("connect_refused")));
    let told = viewer.word("state").await;
    assert_eq!((&told["state"], &told["reason"]), (&json!("offline"), &json!("connect_refused")));
}

#[tokio::test]
async fn new_parameter_sets_come_with_a_new_hello() {
    let hub = hub().await;
    let mut film = Film::new(&hub.rings, "a");
    film.turn(true, 10);
    let mut viewer = hub.live(&hub.log_in("li").await).await;
    viewer.say(sub(1, "a")).await;
    assert_eq!(viewer.word("hello").await["epoch"], 1);
    film.change();
    film.turn(true, 10);
    assert_eq!(viewer.word("hello").await["epoch"], 2);
    assert_eq!((viewer.picture().await.0, viewer.picture().await.0), (0, 1));
}

#[tokio::test]
async fn a_tile_of_stills_gets_jpegs() {
    let hub = hub().await;
    let mut film = Film::new(&hub.rings, "a");
    film.real();
    let mut viewer = hub.live(&hub.log_in("li").await).await;
    viewer.say(json!({ "sub": [{ "t": 1, "source": "a", "mode": "jpeg" }] })).await;
    assert_eq!(viewer.word("hello").await["codec"], "avc1.42c00a", "what video would be");
    let (kind, at_ms, bytes) = viewer.picture().await;
    assert_eq!((kind, &bytes[..2]), (3, &[0xFF, 0xD8][..]));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    film.real();
    assert!(viewer.picture().await.1 > at_ms, "a new picture with a new key frame");
    assert_eq!(views(&hub).await[0]["body"]["detail"]["mode"], "jpeg");
}

#[tokio::test]
async fn nonsense_is_answered_and_the_socket_goes_on() {
    let hub = hub().await;
    let mut film = Film::new(&hub.rings, "a");
    film.turn(true, 10);
    let mut viewer = hub.live(&hub.log_in("li").await).await;
    for nonsense in [json!("x"), json!({ "subscribe": [] }), json!({ "sub": [{ "t": -1, "source": "a" }] })] {
        viewer.say(nonsense).await;
        let error = viewer.word("error").await;
        assert_eq!((error.get("t"), &error["code"]), (None, &json!("bad_request")));
    }
    let tiles = |from: u16, to: u16| (from..to).map(|t| json!({ "t": t, "source": "a" })).collect::<Vec<_>>();
    viewer.say(json!({ "sub": tiles(0, 64) })).await;
    viewer.say(json!({ "sub": tiles(64, 65) })).await;
    let error = viewer.word("error").await;
    assert_eq!((&error["t"], &error["code"]), (&json!(64), &json!("too_many")));
    viewer.say(json!({ "unsub": [0], "sub": tiles(64, 65) })).await;
    let Got::Picture { .. } = viewer.wait("key").await else { panic!("a picture") };
    tokio::time::timeout(LIMIT, async { while views(&hub).await.len() < 65 {} }).await.expect("a row for each tile");
}

#[tokio::test]
async fn a_client_that_only_asks_is_slowed_down() {
    let hub = hub().await;
    let mut viewer = hub.live(&hub.log_in("li").await).await;
    let refused = async {
        loop {
            viewer.say(sub(1, "a")).await;
            if let Ok(Got::Word(word)) = tokio::time::timeout(Duration::from_millis(5), viewer.next()).await
                && word["code"] == "too_many"
            {
                return;
            }
        }
    };
    tokio::time::timeout(LIMIT, refused).await.expect("not every subscription is written to the audit for ever");
}

#[tokio::test]
async fn the_socket_opens_for_our_own_page_and_for_tokens_only() {
    let hub = hub().await;
    let cookie = hub.log_in("li").await;
    let status = |answer: Result<_, u16>| answer.err().unwrap_or(101);
    assert_eq!(status(hub.try_live(&[], None).await), 401);
    assert_eq!(status(hub.try_live(&[("authorization", "Bearer nonsense")], None).await), 401);
    assert_eq!(status(hub.try_live(&[("cookie", &cookie), ("origin", "http://evil")], None).await), 403);
    assert_eq!(status(hub.try_live(&[("cookie", &cookie), ("origin", "http://hub")], None).await), 101);
    let token = hub.storage.users().create_token(&"probe".into(), model::Role::Viewer, &model::Scope::default()).await;
    let bearer = format!("Bearer {}", token.unwrap().secret);
    assert_eq!(status(hub.try_live(&[("authorization", &bearer)], None).await), 101);
}

#[tokio::test]
async fn viewers_are_told_that_the_hub_stops() {
    let hub = hub().await;
    let mut viewer = hub.live(&hub.log_in("li").await).await;
    viewer.say(sub(1, "a")).await;
    viewer.word("state").await;
    hub.token.cancel();
    let Got::Closed(Some((1001, _))) = viewer.wait("closed").await else { panic!("closed as going away") };
}
