//! The area of an emergency comes first, and what is less important makes room, in its order.

use ingest::rtsp::RtspConfig;
use model::{AreaCost, Profile, PullMode, SourceState, SourceStatus};
use town::rtsp::{Auth, Farm};

use super::support::{Hub, camera, camera_with, eventually, farm_camera, farm_config, quick, sessions, url};

const NAMES: [&str; 7] = ["usual-1", "usual-2", "key", "watched", "in-1", "in-2", "in-3"];

fn shed(status: &SourceStatus) -> bool {
    status.state == SourceState::Idle && status.reason.as_deref() == Some("shed")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emergencys_area_is_pulled_first_and_the_weakest_claims_make_room() {
    let farm = Farm::start_shared(farm_config(), NAMES.map(|id| farm_camera(id, Auth::None)).to_vec()).await.unwrap();
    let demand = |id: &str| camera_with(id, &url(&farm, id), PullMode::Demand, &[]);
    let key = camera_with("key", &url(&farm, "key"), PullMode::Always, &[("priority", "key")]);
    let mut cameras = vec![camera("usual-1", &url(&farm, "usual-1")), camera("usual-2", &url(&farm, "usual-2")), key];
    cameras.extend(["watched", "in-1", "in-2", "in-3"].map(demand));
    let config = RtspConfig { sessions_max: 4, ..quick() };
    let hub = Hub::start(config, cameras);
    let _viewer = hub.rings.reader(&"watched".into(), Profile::Main);
    for id in ["usual-1", "usual-2", "key", "watched"] {
        hub.live(id, 0).await;
    }
    let open = |id: &str| sessions(&farm, id).0;

    // Two places are needed: the two usual cameras give theirs; what is watched and the key site stay.
    let from = [hub.count("usual-1"), hub.count("usual-2")];
    let claimed = hub.area(&["in-1", "in-2"]).await;
    let expected =
        AreaCost { cameras: 2, streams: 2, opened: 2, shed_usual: 2, probes_paused: true, ..AreaCost::default() };
    assert_eq!(claimed, expected);
    for id in ["in-1", "in-2"] {
        hub.live(id, 0).await;
    }
    for (id, from) in ["usual-1", "usual-2"].into_iter().zip(from) {
        hub.until(id, Profile::Main, from, "shed", shed).await;
        eventually("the session of a camera that made room is closed", || open(id) == 0).await;
    }
    assert_eq!([open("key"), open("watched"), open("in-3")], [1, 1, 0]);
    assert_eq!(hub.area(&["in-1", "in-2"]).await, expected, "named once more it costs what it costs");

    // A third one costs the key site its place: people's pictures go last.
    let from = hub.count("key");
    let claimed = hub.area(&["in-1", "in-2", "in-3"]).await;
    let expected = AreaCost { cameras: 3, streams: 3, opened: 3, shed_key_sites: 1, ..expected };
    assert_eq!(claimed, expected);
    hub.live("in-3", 0).await;
    hub.until("key", Profile::Main, from, "shed", shed).await;
    assert_eq!(open("watched"), 1);

    // Over: everything is as before.
    let from = ["usual-1", "usual-2", "key"].map(|id| hub.count(id));
    assert_eq!(hub.area(&[]).await, AreaCost::default());
    for (id, from) in ["usual-1", "usual-2", "key"].into_iter().zip(from) {
        hub.live(id, from).await;
    }
    for id in ["in-1", "in-2", "in-3"] {
        eventually("the area's cameras are let go", || open(id) == 0).await;
    }
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_takes_the_place_of_a_stream_nobody_watches_and_gives_it_back() {
    let farm = Farm::start_shared(farm_config(), ["own", "wanted"].map(|id| farm_camera(id, Auth::None)).to_vec());
    let farm = farm.await.unwrap();
    let wanted = camera_with("wanted", &url(&farm, "wanted"), PullMode::Demand, &[]);
    let config = RtspConfig { sessions_max: 1, ..quick() };
    let hub = Hub::start(config, vec![camera("own", &url(&farm, "own")), wanted]);
    hub.live("own", 0).await;
    let from = hub.count("own");
    hub.frames("wanted", Profile::Main, 10).await;
    let from = hub.until("own", Profile::Main, from, "shed", shed).await;
    // The viewer has left; after the linger the place is free again.
    hub.live("own", from).await;
    hub.stop().await;
}
