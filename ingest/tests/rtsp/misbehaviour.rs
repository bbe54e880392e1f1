//! Every misbehaviour the farm can play: what the hub says of it, that the camera comes back, and that no neighbour suffers.
//!
//! All cameras stand on one farm and one hub, as behind one recorder, and misbehave at the same time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ingest::rtsp::CameraSpec;
use model::{Profile, SourceState};
use town::rtsp::{Auth, Behaviour, Direction, Farm, SdpDefect};
use town::scene::Scene;

use super::support::{
    Hub, camera, camera_with, eventually, farm_camera, farm_config, quick, sessions, url, with_login,
};

struct Case {
    id: &'static str,
    auth: Auth,
    /// Shown from the start; else the camera begins well.
    from_start: Option<Behaviour>,
    play: Play,
}

type Play = fn(Arc<Stage>, &'static str) -> Pin<Box<dyn Future<Output = ()> + Send>>;

struct Stage {
    hub: Hub,
    farm: Farm,
}

impl Stage {
    fn set(&self, id: &str, behaviour: Behaviour) {
        assert!(self.farm.set_behaviour(id, behaviour));
    }

    /// Live, then told to misbehave; returns where to look from.
    async fn spoil(&self, id: &str, behaviour: Behaviour) -> usize {
        self.hub.live(id, 0).await;
        self.set(id, behaviour);
        self.hub.count(id)
    }

    /// The camera behaves again and is live again.
    async fn heals(&self, id: &str) {
        self.set(id, Behaviour::Normal);
        let from = self.hub.count(id);
        self.hub.live(id, from).await;
        self.hub.frames(id, Profile::Sub, 30).await;
    }

    /// The camera takes no notice: one session, frames without a hole, never anything but live.
    async fn unmoved(&self, id: &str, frames: usize) {
        self.hub.live(id, 0).await;
        self.hub.frames(id, Profile::Sub, frames).await;
        self.never_left_live(id, &[]);
        assert_eq!(sessions(&self.farm, id), (1, 1), "{id}");
    }

    fn never_left_live(&self, id: &str, but: &[&str]) {
        let path = self.hub.path(id);
        let fine = |(state, reason): &(SourceState, Option<String>)| match state {
            SourceState::Connecting => reason.is_none(),
            SourceState::Live => true,
            _ => reason.as_deref().is_some_and(|r| but.contains(&r)),
        };
        assert!(path.iter().all(fine), "{id}: {path:?}");
    }
}

/// Refused or without an answer from the start: told as offline for this reason, then well.
async fn offline(stage: &Stage, id: &str, reason: &str) {
    stage.hub.state(id, 0, SourceState::Offline, reason).await;
    stage.heals(id).await;
}

/// Breaks off in mid-stream: told as offline or, when the next try is near, as connecting, for one of these reasons.
async fn breaks(stage: &Stage, id: &str, from: usize, reasons: &[&str]) {
    let hub = &stage.hub;
    let away = |s: &model::SourceStatus| {
        matches!(s.state, SourceState::Offline | SourceState::Connecting)
            && s.reason.as_deref().is_some_and(|r| reasons.contains(&r))
    };
    hub.until(id, Profile::Main, from, &format!("away for {reasons:?}"), away).await;
}

fn bad_sdp(defect: SdpDefect) -> Option<Behaviour> {
    Some(Behaviour::BadSdp { defect })
}

fn cases() -> Vec<Case> {
    let case = |id, play: Play| Case { id, auth: Auth::None, from_start: None, play };
    let from_start = |id, behaviour, play: Play| Case { from_start: Some(behaviour), ..case(id, play) };
    vec![
        case("offline", |s, id| {
            Box::pin(async move {
                let from = s.spoil(id, Behaviour::Offline).await;
                s.hub
                    .until(id, Profile::Main, from, "offline", |s| {
                        s.state == SourceState::Offline
                            && s.reason.as_deref().is_some_and(|r| r.starts_with("connection_"))
                    })
                    .await;
                s.heals(id).await;
            })
        }),
        case("half-open", |s, id| {
            Box::pin(async move {
                let from = s.spoil(id, Behaviour::HalfOpen).await;
                let from = s.hub.state(id, from, SourceState::Stalled, "no_frames").await;
                s.hub.state(id, from, SourceState::Offline, "describe_timeout").await;
                s.heals(id).await;
            })
        }),
        case("silent-stall", |s, id| {
            Box::pin(async move {
                let from = s.spoil(id, Behaviour::SilentStall).await;
                s.hub.state(id, from, SourceState::Stalled, "no_frames").await;
                // It takes session after session without a picture: stalled it stays.
                eventually("a session after the stall", || sessions(&s.farm, id).1 >= 3).await;
                assert_eq!(s.hub.path(id).last().unwrap().0, SourceState::Stalled);
                s.heals(id).await;
            })
        }),
        from_start("no-key-frames", Behaviour::NoKeyFrames, |s, id| {
            Box::pin(async move {
                s.hub.state(id, 0, SourceState::Stalled, "no_key_frame").await;
                s.heals(id).await;
            })
        }),
        case("key-frames-cease", |s, id| {
            Box::pin(async move {
                let from = s.spoil(id, Behaviour::NoKeyFrames).await;
                let from = s.hub.state(id, from, SourceState::Degraded, "no_key_frame").await;
                s.hub.state(id, from, SourceState::Stalled, "no_key_frame").await;
                s.heals(id).await;
            })
        }),
        Case {
            auth: Auth::Digest,
            ..from_start("auth-reject", Behaviour::AuthReject, |s, id| {
                Box::pin(async move {
                    s.hub.state(id, 0, SourceState::AuthFailed, "auth_failed").await;
                    // Several of the longest waits for everything else.
                    tokio::time::sleep(Duration::from_secs(4)).await;
                    assert_eq!(s.farm.camera_stats(id).unwrap().refused, 1, "tried once and not again");
                    assert_eq!(s.hub.path(id).last().unwrap().0, SourceState::AuthFailed);
                })
            })
        },
        from_start("slow-describe", Behaviour::SlowDescribe { ms: 600_000 }, |s, id| {
            Box::pin(async move {
                offline(&s, id, "describe_timeout").await;
            })
        }),
        from_start("slow-but-in-time", Behaviour::SlowDescribe { ms: 1_500 }, |s, id| {
            Box::pin(async move {
                s.unmoved(id, 30).await;
                let facts = s.hub.said(id, Profile::Main).into_iter().find_map(|s| s.stream).unwrap();
                assert!(facts.first_frame_ms >= 1_500, "{facts:?}");
            })
        }),
        from_start("rst-mid-frame", Behaviour::RstMidFrame, |s, id| {
            Box::pin(async move {
                let from = s.hub.live(id, 0).await;
                breaks(&s, id, from, &["connection_lost", "connection_closed"]).await;
                s.heals(id).await;
            })
        }),
        case("clock-back", |s, id| {
            Box::pin(async move {
                s.spoil(id, Behaviour::TimestampJump { direction: Direction::Back, seconds: 7_200 }).await;
                s.unmoved(id, 60).await;
            })
        }),
        case("clock-forward", |s, id| {
            Box::pin(async move {
                s.spoil(id, Behaviour::TimestampJump { direction: Direction::Forward, seconds: 7_200 }).await;
                s.unmoved(id, 60).await;
            })
        }),
        from_start("seq-jump-back", Behaviour::SeqJumpBack, |s, id| {
            Box::pin(async move {
                let from = s.hub.live(id, 0).await;
                breaks(&s, id, from, &["stream_errors"]).await;
                s.heals(id).await;
            })
        }),
        case("wrong-ssrc", |s, id| {
            Box::pin(async move {
                let from = s.spoil(id, Behaviour::WrongSsrc).await;
                s.hub.state(id, from, SourceState::Offline, "stream_errors").await;
                s.heals(id).await;
            })
        }),
        case("one-byte-per-second", |s, id| {
            Box::pin(async move {
                let from = s.spoil(id, Behaviour::OneBytePerSecond).await;
                s.hub.state(id, from, SourceState::Stalled, "no_frames").await;
                s.heals(id).await;
            })
        }),
        from_start("huge-content-length", Behaviour::HugeContentLength, |s, id| {
            Box::pin(async move {
                offline(&s, id, "describe_timeout").await;
            })
        }),
        from_start("endless-header", Behaviour::EndlessHeader, |s, id| {
            Box::pin(async move {
                offline(&s, id, "protocol_error").await;
            })
        }),
        Case {
            from_start: bad_sdp(SdpDefect::OriginWithoutAddress),
            ..case("sdp-origin", |s, id| {
                Box::pin(async move {
                    s.unmoved(id, 30).await;
                })
            })
        },
        Case {
            from_start: bad_sdp(SdpDefect::DoubleIn),
            ..case("sdp-double-in", |s, id| {
                Box::pin(async move {
                    s.unmoved(id, 30).await;
                })
            })
        },
        Case {
            from_start: bad_sdp(SdpDefect::NegativePort),
            ..case("sdp-port", |s, id| {
                Box::pin(async move {
                    s.unmoved(id, 30).await;
                })
            })
        },
        Case {
            from_start: bad_sdp(SdpDefect::MissingContentType),
            ..case("sdp-type", |s, id| {
                Box::pin(async move {
                    s.unmoved(id, 30).await;
                })
            })
        },
        Case {
            from_start: bad_sdp(SdpDefect::NoParameterSets),
            ..case("sdp-sets", |s, id| {
                Box::pin(async move {
                    s.unmoved(id, 30).await;
                })
            })
        },
        from_start("limit-453", Behaviour::SessionLimit { max: 0, status: 453 }, |s, id| {
            Box::pin(async move {
                offline(&s, id, "session_limit").await;
            })
        }),
        from_start("limit-503", Behaviour::SessionLimit { max: 0, status: 503 }, |s, id| {
            Box::pin(async move {
                offline(&s, id, "session_limit").await;
            })
        }),
        Case {
            auth: Auth::Digest,
            ..from_start("nonce-expiry", Behaviour::NonceExpiry { s: 1 }, |s, id| {
                Box::pin(async move {
                    // The camera cuts the session at the first keepalive, again and again; it is back at once each time.
                    eventually("a third session", || sessions(&s.farm, id).1 >= 3).await;
                    s.heals(id).await;
                    s.never_left_live(id, &[]);
                })
            })
        },
        from_start("lost-marker", Behaviour::LostMarker, |s, id| {
            Box::pin(async move {
                s.unmoved(id, 60).await;
            })
        }),
        from_start("keepalive-refused", Behaviour::KeepaliveRefused, |s, id| {
            Box::pin(async move {
                // Keepalives come every two seconds.
                s.unmoved(id, 120).await;
            })
        }),
    ]
}

/// Two that refuse the hub's credentials for good reasons, and the neighbours.
fn others(farm: &Farm) -> Vec<CameraSpec> {
    let udp = camera_with("well-udp", &url(farm, "well-udp"), model::PullMode::Always, &[("transport", "udp")]);
    vec![
        camera("well", &url(farm, "well")),
        udp,
        with_login(camera("well-digest", &url(farm, "well-digest")), "viewer", "town-demo"),
        with_login(camera("well-basic", &url(farm, "well-basic")), "viewer", "town-demo"),
        with_login(camera("bad-password", &url(farm, "well-digest")), "viewer", "wrong"),
        camera("no-password", &url(farm, "well-basic")),
        camera("not-there", &url(farm, "nobody")),
    ]
}

const WELL: [&str; 4] = ["well", "well-udp", "well-digest", "well-basic"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_misbehaviour_is_told_and_no_neighbour_suffers() {
    let cases = cases();
    let mut cameras: Vec<_> = cases.iter().map(|case| farm_camera(case.id, case.auth)).collect();
    for (id, auth) in WELL.into_iter().zip([Auth::None, Auth::None, Auth::Digest, Auth::Basic]) {
        cameras.push(farm_camera(id, auth));
    }
    let farm = Farm::start_shared(farm_config(), cameras).await.unwrap();
    let mut specs: Vec<CameraSpec> = Vec::new();
    for case in &cases {
        if let Some(behaviour) = &case.from_start {
            assert!(farm.set_behaviour(case.id, behaviour.clone()));
        }
        specs.push(with_login(camera(case.id, &url(&farm, case.id)), "viewer", "town-demo"));
    }
    specs.extend(others(&farm));
    let hub = Hub::start(quick(), specs);
    let stage = Arc::new(Stage { hub, farm });
    let mut plays = tokio::task::JoinSet::new();
    for case in cases {
        let stage = Arc::clone(&stage);
        plays.spawn(async move { (case.play)(stage, case.id).await });
    }
    let mut failed = Vec::new();
    while let Some(done) = plays.join_next().await {
        failed.extend(done.err().map(|error| match error.try_into_panic() {
            Ok(said) => said.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".into()),
            Err(error) => error.to_string(),
        }));
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    for id in WELL {
        stage.hub.frames(id, Profile::Sub, 15).await;
        stage.never_left_live(id, &[]);
        assert_eq!(sessions(&stage.farm, id), (1, 1), "{id}");
    }
    for (id, state, reason) in [
        ("bad-password", SourceState::AuthFailed, "auth_failed"),
        ("no-password", SourceState::AuthFailed, "auth_failed"),
        ("not-there", SourceState::Offline, "not_found"),
    ] {
        stage.hub.state(id, 0, state, reason).await;
        assert_eq!(stage.hub.path(id).last().unwrap().0, state, "{id}");
    }
    assert_eq!(stage.farm.camera_stats("well-digest").unwrap().refused, 1, "the wrong password was tried once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_the_picture_are_followed_and_change_no_state() {
    let drawn = |id: &str| town::rtsp::CameraSpec { scene: Scene::Park, ..farm_camera(id, Auth::None) };
    let farm =
        Farm::start(farm_config(), vec![drawn("sps-change"), drawn("long-gop"), drawn("covered")]).await.unwrap();
    farm.set_behaviour("sps-change", Behaviour::SpsChange);
    farm.set_behaviour("long-gop", Behaviour::LongGop);
    let specs = ["sps-change", "long-gop", "covered"].map(|id| camera(id, &url(&farm, id)));
    // Its key frames come ten seconds apart, so the first one may take as long.
    let config = ingest::rtsp::RtspConfig { first_frame_ms_max: 30_000, first_key_ms_max: 30_000, ..quick() };
    let stage = Stage { hub: Hub::start(config, specs.to_vec()), farm };

    let sps = async {
        let mut reader = stage.hub.rings.reader(&"sps-change".into(), Profile::Sub);
        let mut tracks = Vec::new();
        while tracks.len() < 3 {
            match tokio::time::timeout(super::support::SOON, reader.next()).await.unwrap() {
                video::ReadEvent::Track(track, _) => tracks.push((track.generation, track.width, track.height)),
                video::ReadEvent::Frame(frame) => assert_eq!(frame.generation, tracks.last().unwrap().0),
                video::ReadEvent::Lagged { missed } => panic!("{missed} frames missed"),
            }
        }
        assert_eq!(tracks.iter().map(|t| t.0).collect::<Vec<_>>(), [1, 2, 3]);
        assert_ne!(tracks[0].1, tracks[1].1, "{tracks:?}");
        assert_eq!(tracks[0].1, tracks[2].1, "{tracks:?}");
    };
    let long = async {
        let told = |s: &model::SourceStatus| s.stream.as_ref().is_some_and(|f| f.gop_frames == 150);
        stage.hub.until("long-gop", Profile::Main, 0, "told with a GOP of 150", told).await;
    };
    let covered = async {
        stage.hub.live("covered", 0).await;
        stage.farm.set_behaviour("covered", Behaviour::Covered);
        // From one key frame to the next the picture falls to almost nothing.
        let mut reader = stage.hub.rings.reader(&"covered".into(), Profile::Sub);
        let mut keys = Vec::new();
        while keys.len() < 2 || keys[keys.len() - 1] * 3 > keys[0] {
            assert!(keys.len() < 40, "the picture stays as large as it was: {keys:?}");
            let event = tokio::time::timeout(super::support::SOON, reader.next()).await.unwrap();
            if let video::ReadEvent::Frame(frame) = event
                && frame.is_key
            {
                keys.push(frame.data.len());
            }
        }
    };
    tokio::join!(sps, long, covered);
    for id in ["sps-change", "long-gop", "covered"] {
        stage.never_left_live(id, &[]);
        assert_eq!(sessions(&stage.farm, id), (1, 1), "{id}");
    }
}
