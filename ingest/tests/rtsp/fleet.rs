//! What the fleet does as a whole: demand, the registry, power cuts, the end.

use std::sync::Arc;
use std::time::Duration;

use ingest::rtsp::RtspConfig;
use model::{Profile, PullMode, SourceState};
use town::rtsp::{Auth, Behaviour, Farm, FarmConfig};

use super::support::{
    Hub, SOON, camera, camera_with, eventually, farm_camera, farm_config, quick, sessions, url, with_login,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_on_demand_is_pulled_for_its_viewers_and_let_go_after_the_last() {
    let farm = Farm::start_shared(farm_config(), vec![farm_camera("cam", Auth::None)]).await.unwrap();
    let main = format!("rtsp://{}/cam/main", farm.addr());
    let hub = Hub::start(quick(), vec![camera_with("cam", &main, PullMode::Demand, &[("sub", "/cam/sub")])]);
    let idle = |profile, from| hub.until("cam", profile, from, "idle", |s| s.state == SourceState::Idle);
    idle(Profile::Main, 0).await;
    let from = idle(Profile::Sub, 0).await;
    assert_eq!(sessions(&farm, "cam"), (0, 0), "nobody watches");

    let first = hub.rings.reader(&"cam".into(), Profile::Sub);
    hub.frames("cam", Profile::Sub, 20).await;
    let from = hub.until("cam", Profile::Sub, from, "live", |s| s.state == SourceState::Live).await;
    assert_eq!(sessions(&farm, "cam"), (1, 1), "the main stream stays closed");
    // A second viewer, then a reload of the page within the linger: the same session.
    let second = hub.rings.reader(&"cam".into(), Profile::Sub);
    drop(first);
    drop(second);
    tokio::time::sleep(Duration::from_millis(300)).await;
    hub.frames("cam", Profile::Sub, 5).await;
    assert_eq!(sessions(&farm, "cam"), (1, 1));

    let from = idle(Profile::Sub, from).await;
    eventually("the session is closed", || sessions(&farm, "cam").0 == 0).await;
    // And again, this time main.
    hub.frames("cam", Profile::Main, 5).await;
    assert_eq!(sessions(&farm, "cam"), (1, 2));
    let said = hub.said("cam", Profile::Sub);
    assert!(said[from..].iter().all(|s| s.state == SourceState::Idle), "the sub stream stays as it was");
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_registry_is_followed_and_only_what_changed_is_touched() {
    let cameras = ["stays", "goes", "moves", "moved", "locked", "comes"];
    let auth = |id: &str| if id == "locked" { Auth::Digest } else { Auth::None };
    let cameras = cameras.map(|id| farm_camera(id, auth(id))).to_vec();
    let farm = Farm::start_shared(farm_config(), cameras).await.unwrap();
    let locked = camera("locked", &url(&farm, "locked"));
    let hub = Hub::start(
        quick(),
        vec![
            camera("stays", &url(&farm, "stays")),
            camera("goes", &url(&farm, "goes")),
            camera("moves", &url(&farm, "moves")),
            with_login(locked.clone(), "viewer", "old"),
            camera("bad", "http://127.0.0.1/"),
        ],
    );
    for id in ["stays", "goes", "moves"] {
        hub.live(id, 0).await;
    }
    hub.state("locked", 0, SourceState::AuthFailed, "auth_failed").await;
    hub.state("bad", 0, SourceState::Offline, "bad_url").await;
    let frames = hub.frames("stays", Profile::Sub, 1).await;

    hub.cameras.send_replace(Arc::new(vec![
        camera("stays", &url(&farm, "stays")),
        camera("moves", &url(&farm, "moved")),
        with_login(locked, "viewer", "town-demo"),
        camera("comes", &url(&farm, "comes")),
        camera("bad", &url(&farm, "moves")),
    ]));
    hub.live("comes", 0).await;
    hub.live("locked", 0).await;
    hub.live("bad", 0).await;
    eventually("the old sessions are closed", || sessions(&farm, "goes").0 == 0).await;
    eventually("the new address is pulled", || sessions(&farm, "moved").0 == 1).await;
    assert!(hub.rings.latest_key(&"goes".into(), None).is_none(), "its pictures are forgotten");
    let said = hub.count("goes");
    // What was not changed was not touched: one session, and the frames go on counting.
    assert_eq!(sessions(&farm, "stays"), (1, 1));
    let later = hub.frames("stays", Profile::Sub, 15).await;
    assert!(later[14].number > frames[0].number);
    assert_eq!(hub.count("goes"), said, "nothing is said of a camera that is gone");
    hub.stop().await;
    eventually("all is closed", || farm.stats().cameras.iter().all(|c| c.sessions == 0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_of_fifty_cameras_is_told_and_healed() {
    let cameras: Vec<_> = (0..50).map(|n| farm_camera(&format!("cam-{n}"), Auth::None)).collect();
    let farm = Farm::start_shared(farm_config(), cameras.clone()).await.unwrap();
    let specs = cameras.iter().map(|c| camera(&c.id, &url(&farm, &c.id))).collect();
    let hub = Hub::start(quick(), specs);
    for c in &cameras {
        hub.live(&c.id, 0).await;
    }
    let listen = farm.addr();
    farm.shutdown().await;
    let mut from = Vec::new();
    for c in &cameras {
        from.push(hub.state(&c.id, 0, SourceState::Offline, "connect_refused").await);
    }
    let farm = Farm::start_shared(FarmConfig { listen, ..farm_config() }, cameras.clone()).await.unwrap();
    for (c, from) in cameras.iter().zip(from) {
        let back = hub.live(&c.id, from).await;
        let said = &hub.said(&c.id, Profile::Main)[back];
        assert!(said.last_data_at.is_some(), "{said:?}");
    }
    hub.stop().await;
    eventually("all is closed", || farm.stats().cameras.iter().all(|c| c.sessions == 0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_cameras_are_let_go_in_time_though_some_do_not_answer() {
    const CAMERAS: usize = 200;
    let farm = Farm::start_synthetic(farm_config(), CAMERAS).await.unwrap();
    let ids: Vec<String> = (1..=CAMERAS).map(|n| format!("load-{n:05}")).collect();
    let hub = Hub::start(quick(), ids.iter().map(|id| camera(id, &url(&farm, id))).collect());
    for id in &ids {
        hub.live(id, 0).await;
    }
    for id in &ids[..5] {
        farm.set_behaviour(id, Behaviour::HalfOpen);
    }
    let took = tokio::time::timeout(SOON, hub.stop()).await.expect("the end waits for nobody for ever");
    // The limit is 4 s; the rest is a busy machine.
    assert!(took < Duration::from_secs(8), "{took:?}");
    let open = farm.stats().cameras.iter().filter(|c| c.sessions > 0).count();
    assert!(open <= 5, "{open} sessions were left open");
    println!("{CAMERAS} sessions closed in {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cameras_on_demand_are_asked_how_they_are_and_nothing_of_them_is_kept() {
    let cameras = vec![farm_camera("well", Auth::None), farm_camera("locked", Auth::Digest)];
    let farm = Farm::start_shared(farm_config(), cameras).await.unwrap();
    let demand = |id: &str, url: &str| camera_with(id, url, PullMode::Demand, &[]);
    let locked = demand("locked", &url(&farm, "locked"));
    let config = RtspConfig { probe_interval_s: 2, ..quick() };
    let hub = Hub::start(
        config,
        vec![
            demand("well", &url(&farm, "well")),
            with_login(locked.clone(), "viewer", "wrong"),
            demand("gone", "rtsp://127.0.0.1:9/gone"),
        ],
    );
    let known =
        |id, from| hub.until(id, Profile::Main, from, "known", |s| s.state == SourceState::Idle && s.stream.is_some());
    let at = known("well", 0).await;
    let facts = hub.said("well", Profile::Main)[at].stream.clone().unwrap();
    assert!(facts.width > 0 && facts.fps > 1.0 && facts.gop_frames > 0 && facts.bitrate_bps > 0, "{facts:?}");
    assert_eq!(hub.path("well"), [(SourceState::Idle, None)], "a probe is no news");
    assert!(hub.rings.latest_key(&"well".into(), None).is_none(), "no picture of a probe is kept");
    let locked_from = hub.state("locked", 0, SourceState::AuthFailed, "auth_failed").await;
    let gone_from = hub.state("gone", 0, SourceState::Offline, "connect_refused").await;
    eventually("it is let go, and asked again", || sessions(&farm, "well").1 >= 2).await;

    // Somebody wants to see it, probe or not.
    hub.frames("well", Profile::Main, 10).await;
    let live = hub.until("well", Profile::Main, at, "live", |s| s.state == SourceState::Live).await;
    hub.until("well", Profile::Main, live, "idle", |s| s.state == SourceState::Idle).await;
    // Nobody tries the wrong password again; the right one is tried soon.
    assert!(hub.said("locked", Profile::Main)[locked_from..].iter().all(|s| s.state == SourceState::AuthFailed));
    hub.cameras.send_replace(Arc::new(vec![
        demand("well", &url(&farm, "well")),
        with_login(locked, "viewer", "town-demo"),
        demand("gone", &url(&farm, "well")),
    ]));
    known("locked", locked_from).await;
    known("gone", gone_from).await;
    hub.stop().await;
    eventually("all is closed", || farm.stats().cameras.iter().all(|c| c.sessions == 0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_without_viewers_is_read_at_turns_and_at_once_for_a_viewer() {
    let farm = Farm::start_shared(farm_config(), vec![farm_camera("cam", Auth::None)]).await.unwrap();
    let config = RtspConfig { read_every_ms: 1_000, ..quick() };
    let hub = Hub::start(config, vec![camera("cam", &url(&farm, "cam"))]);
    hub.live("cam", 0).await;
    // Unwatched: over 15 frames a second come in a turn, so that looks 50 ms apart mostly find nothing new.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (mut looks, mut with_news, mut last) = (0, 0, hub.rings.stats().bytes);
    while looks < 60 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let bytes = hub.rings.stats().bytes;
        (looks, with_news, last) = (looks + 1, with_news + u32::from(bytes != last), bytes);
    }
    assert!((1..=8).contains(&with_news), "news at {with_news} of {looks} looks");

    // Watched: after the first turn frames come one by one.
    let mut reader = hub.rings.reader(&"cam".into(), Profile::Sub);
    let began = tokio::time::Instant::now();
    let (mut pauses, mut last) = (Vec::new(), began);
    while pauses.len() < 30 {
        let event = tokio::time::timeout(SOON, reader.next()).await.unwrap();
        let now = tokio::time::Instant::now();
        if matches!(event, video::ReadEvent::Frame(_)) && began.elapsed() > Duration::from_millis(1_500) {
            pauses.push(now - last);
        }
        last = now;
    }
    let long = pauses.iter().filter(|pause| **pause > Duration::from_millis(500)).count();
    assert!(long <= 1, "{pauses:?}");
    hub.stop().await;
}
