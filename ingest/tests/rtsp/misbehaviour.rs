//! Every misbehaviour the farm can play: what the hub says of it, that the camera comes back, and that no neighbour suffers.
//!
//! All cameras stand on one farm and one hub, as behind one recorder, and misbehave at the same time.

use std::sync::Arc;
use std::time::Duration;

use ingest::rtsp::CameraSpec;
use model::status::{Backend, Hint};
use model::{Profile, SourceState, SourceStatus};
use town::rtsp::{Auth, Behaviour, Direction, Farm, SdpDefect};
use town::scene::Scene;

use super::support::{
    Hub, camera, camera_with, eventually, farm_camera, farm_config, quick, sessions, url, with_login,
};

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
        let from = self.hub.count(id);
        self.set(id, behaviour);
        from
    }

    /// The camera behaves again and is live again.
    async fn heals(&self, id: &str) {
        self.set(id, Behaviour::Normal);
        let from = self.hub.count(id);
        self.hub.live(id, from).await;
        self.hub.frames(id, Profile::Sub, 30).await;
    }

    /// Refused or without an answer from the start: told as offline for this reason, then well.
    async fn offline(&self, id: &str, reason: &str) {
        self.hub.state(id, 0, SourceState::Offline, reason).await;
        self.heals(id).await;
    }

    /// Breaks off in mid-stream: told as offline or, where that will do, as connecting, for one of these reasons.
    async fn breaks(&self, id: &str, from: usize, least: SourceState, reasons: &[&str]) {
        let away = |s: &SourceStatus| {
            (s.state == SourceState::Offline || s.state == least)
                && s.reason.as_deref().is_some_and(|r| reasons.contains(&r))
        };
        self.hub.until(id, Profile::Main, from, &format!("away for {reasons:?}"), away).await;
    }

    /// The hub takes no notice: one session, frames without a hole, never anything but live.
    async fn unmoved(&self, id: &str, frames: usize) {
        self.hub.live(id, 0).await;
        self.hub.frames(id, Profile::Sub, frames).await;
        self.never_left_live(id, &[]);
        assert_eq!(sessions(&self.farm, id), (1, 1), "{id}");
    }

    fn never_left_live(&self, id: &str, but: &[&str]) {
        let path = self.hub.path(id);
        let fine = |(state, reason): &(SourceState, Option<String>)| match state {
            SourceState::Connecting if reason.is_none() => true,
            SourceState::Live => true,
            _ => reason.as_deref().is_some_and(|r| but.contains(&r)),
        };
        assert!(path.iter().all(fine), "{id}: {path:?}");
    }
}

/// Cameras that misbehave from the start; those without a word begin well and are told later.
fn cases() -> Vec<(&'static str, Auth, Behaviour)> {
    let sdp = |defect| Behaviour::BadSdp { defect };
    let open = [
        ("offline", Behaviour::Normal),
        ("half-open", Behaviour::Normal),
        ("silent-stall", Behaviour::Normal),
        ("key-frames-cease", Behaviour::Normal),
        ("clock-back", Behaviour::Normal),
        ("clock-forward", Behaviour::Normal),
        ("wrong-ssrc", Behaviour::Normal),
        ("one-byte-per-second", Behaviour::Normal),
        ("no-key-frames", Behaviour::NoKeyFrames),
        ("slow-describe", Behaviour::SlowDescribe { ms: 600_000 }),
        ("slow-but-in-time", Behaviour::SlowDescribe { ms: 1_500 }),
        ("rst-mid-frame", Behaviour::RstMidFrame),
        ("seq-jump-back", Behaviour::SeqJumpBack),
        ("huge-content-length", Behaviour::HugeContentLength),
        ("endless-header", Behaviour::EndlessHeader),
        ("sdp-origin", sdp(SdpDefect::OriginWithoutAddress)),
        ("sdp-double-in", sdp(SdpDefect::DoubleIn)),
        ("sdp-port", sdp(SdpDefect::NegativePort)),
        ("sdp-type", sdp(SdpDefect::MissingContentType)),
        ("sdp-sets", sdp(SdpDefect::NoParameterSets)),
        ("limit-453", Behaviour::SessionLimit { max: 0, status: 453 }),
        ("limit-503", Behaviour::SessionLimit { max: 0, status: 503 }),
        ("lost-marker", Behaviour::LostMarker),
        ("keepalive-refused", Behaviour::KeepaliveRefused),
    ];
    let digest = [("auth-reject", Behaviour::AuthReject), ("nonce-expiry", Behaviour::NonceExpiry { s: 1 })];
    let open = open.map(|(id, behaviour)| (id, Auth::None, behaviour));
    let digest = digest.map(|(id, behaviour)| (id, Auth::Digest, behaviour));
    open.into_iter().chain(digest).collect()
}

/// What must become of each.
async fn play(stage: &Stage, id: &str) {
    let hub = &stage.hub;
    match id {
        "offline" => {
            let from = stage.spoil(id, Behaviour::Offline).await;
            stage.breaks(id, from, SourceState::Offline, &["connection_lost", "connection_closed"]).await;
            stage.heals(id).await;
        }
        "half-open" => {
            let from = stage.spoil(id, Behaviour::HalfOpen).await;
            // What is missed first depends on when the next keepalive is due.
            let missed = |s: &SourceStatus| matches!(s.reason.as_deref(), Some("no_frames" | "keepalive_timeout"));
            let from = hub.until(id, Profile::Main, from, "missed", missed).await;
            hub.state(id, from, SourceState::Offline, "describe_timeout").await;
            stage.heals(id).await;
        }
        "silent-stall" => {
            let from = stage.spoil(id, Behaviour::SilentStall).await;
            hub.state(id, from, SourceState::Stalled, "no_frames").await;
            // It takes session after session without a picture: stalled it stays.
            eventually("sessions after the stall", || sessions(&stage.farm, id).1 >= 3).await;
            assert_eq!(hub.path(id).last().unwrap().0, SourceState::Stalled);
            stage.heals(id).await;
        }
        "one-byte-per-second" => {
            let from = stage.spoil(id, Behaviour::OneBytePerSecond).await;
            hub.state(id, from, SourceState::Stalled, "no_frames").await;
            stage.heals(id).await;
        }
        "no-key-frames" => {
            hub.state(id, 0, SourceState::Stalled, "no_key_frame").await;
            stage.heals(id).await;
        }
        "key-frames-cease" => {
            // The usual distance of key frames must be known, else a long one is assumed.
            hub.frames(id, Profile::Sub, 40).await;
            let from = stage.spoil(id, Behaviour::NoKeyFrames).await;
            let from = hub.state(id, from, SourceState::Degraded, "no_key_frame").await;
            hub.state(id, from, SourceState::Stalled, "no_key_frame").await;
            stage.heals(id).await;
        }
        "clock-back" | "clock-forward" => {
            let direction = if id == "clock-back" { Direction::Back } else { Direction::Forward };
            stage.spoil(id, Behaviour::TimestampJump { direction, seconds: 7_200 }).await;
            stage.unmoved(id, 60).await;
        }
        "wrong-ssrc" => {
            let from = stage.spoil(id, Behaviour::WrongSsrc).await;
            hub.state(id, from, SourceState::Offline, "stream_errors").await;
            stage.heals(id).await;
        }
        "rst-mid-frame" | "seq-jump-back" => {
            let from = hub.live(id, 0).await;
            let lost = ["connection_lost", "connection_closed"];
            let reasons = if id == "rst-mid-frame" { &lost[..] } else { &["stream_errors"] };
            stage.breaks(id, from, SourceState::Connecting, reasons).await;
            stage.heals(id).await;
        }
        "nonce-expiry" => {
            // The camera cuts the session at the first keepalive, again and again; it is back at once each time.
            eventually("a third session", || sessions(&stage.farm, id).1 >= 3).await;
            stage.heals(id).await;
            stage.never_left_live(id, &["connection_closed"]);
        }
        "auth-reject" => {
            hub.state(id, 0, SourceState::AuthFailed, "auth_failed").await;
            // Several times the longest wait for everything else.
            tokio::time::sleep(Duration::from_secs(4)).await;
            assert_eq!(stage.farm.camera_stats(id).unwrap().refused, 1, "tried once and not again");
            assert_eq!(hub.path(id).last().unwrap().0, SourceState::AuthFailed);
        }
        "slow-describe" | "huge-content-length" => stage.offline(id, "describe_timeout").await,
        "endless-header" => stage.offline(id, "protocol_error").await,
        "sdp-origin" | "sdp-port" => {
            // Beyond the usual session; FFmpeg reads it.
            let from = hub.state(id, 0, SourceState::Offline, "bad_description").await;
            let from = hub.live(id, from).await;
            hub.frames(id, Profile::Sub, 30).await;
            let read_by = |s: &SourceStatus| s.stream.as_ref().is_some_and(|f| f.backend == Some(Backend::Ffmpeg));
            let at = hub.until(id, Profile::Main, from, "read by FFmpeg", read_by).await;
            let facts = hub.said(id, Profile::Main)[at].stream.clone().unwrap();
            assert!(facts.hints.contains(&Hint::FfmpegNeeded) && facts.width > 0, "{facts:?}");
        }
        "limit-453" | "limit-503" => stage.offline(id, "session_limit").await,
        "sdp-double-in" | "sdp-type" | "sdp-sets" | "lost-marker" => stage.unmoved(id, 45).await,
        // Keepalives come every two seconds.
        "keepalive-refused" => stage.unmoved(id, 120).await,
        "slow-but-in-time" => {
            stage.unmoved(id, 30).await;
            let facts = hub.said(id, Profile::Main).into_iter().find_map(|s| s.stream).unwrap();
            assert!(facts.first_frame_ms >= 1_500, "{facts:?}");
        }
        other => panic!("nothing is expected of {other}"),
    }
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
    let mut cameras: Vec<_> = cases.iter().map(|(id, auth, _)| farm_camera(id, *auth)).collect();
    for (id, auth) in WELL.into_iter().zip([Auth::None, Auth::None, Auth::Digest, Auth::Basic]) {
        cameras.push(farm_camera(id, auth));
    }
    let farm = Farm::start_shared(farm_config(), cameras).await.unwrap();
    let mut specs: Vec<CameraSpec> = Vec::new();
    for (id, _, behaviour) in &cases {
        assert!(farm.set_behaviour(id, behaviour.clone()));
        specs.push(with_login(camera(id, &url(&farm, id)), "viewer", "town-demo"));
    }
    specs.extend(others(&farm));
    let hub = Hub::start(quick(), specs);
    let stage = Arc::new(Stage { hub, farm });
    let mut plays = tokio::task::JoinSet::new();
    for (id, ..) in cases {
        let stage = Arc::clone(&stage);
        plays.spawn(async move { play(&stage, id).await });
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
    // Pictures are drawn and encoded when they are first asked for, and one camera's key frames come ten seconds apart.
    let config = ingest::rtsp::RtspConfig {
        describe_ms_max: 60_000,
        first_frame_ms_max: 30_000,
        first_key_ms_max: 30_000,
        ..quick()
    };
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
        let told = |s: &SourceStatus| s.stream.as_ref().is_some_and(|f| f.gop_frames == 150);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_lives_through_what_cameras_do_and_tells_it() {
    use SourceState::{AuthFailed, Connecting, Live, Offline, Stalled};
    // What becomes of a camera that is read by FFmpeg and begins to misbehave: one of these states.
    let cases: [(&str, Auth, Behaviour, &[SourceState]); 11] = [
        ("endless-header", Auth::None, Behaviour::EndlessHeader, &[Offline]),
        ("huge-content-length", Auth::None, Behaviour::HugeContentLength, &[Offline]),
        ("slow-describe", Auth::None, Behaviour::SlowDescribe { ms: 600_000 }, &[Offline]),
        ("limit-453", Auth::None, Behaviour::SessionLimit { max: 0, status: 453 }, &[Offline]),
        ("auth-reject", Auth::Digest, Behaviour::AuthReject, &[AuthFailed]),
        ("silent-stall", Auth::None, Behaviour::SilentStall, &[Stalled]),
        ("half-open", Auth::None, Behaviour::HalfOpen, &[Stalled, Offline]),
        ("one-byte", Auth::None, Behaviour::OneBytePerSecond, &[Stalled]),
        ("rst-mid-frame", Auth::None, Behaviour::RstMidFrame, &[Connecting, Offline]),
        ("wrong-ssrc", Auth::None, Behaviour::WrongSsrc, &[Live]),
        ("seq-jump-back", Auth::None, Behaviour::SeqJumpBack, &[Live]),
    ];
    let cameras = cases.iter().map(|(id, auth, ..)| farm_camera(id, *auth)).chain([farm_camera("well", Auth::None)]);
    let farm = Farm::start_shared(farm_config(), cameras.collect()).await.unwrap();
    let by_ffmpeg = |id: &str| {
        let spec = camera_with(id, &url(&farm, id), model::PullMode::Always, &[("backend", "ffmpeg")]);
        with_login(spec, "viewer", "town-demo")
    };
    let specs = cases.iter().map(|(id, ..)| by_ffmpeg(id)).chain([by_ffmpeg("well")]).collect();
    for (id, _, behaviour, _) in &cases {
        assert!(farm.set_behaviour(id, behaviour.clone()));
    }
    let whole = Stage { hub: Hub::start(quick(), specs), farm };
    let stage = &whole;
    let plays = cases.iter().map(async |(id, _, _, states)| {
        let expected = |s: &SourceStatus| states.contains(&s.state) && (s.reason.is_some() || s.state == Live);
        stage.hub.until(id, Profile::Main, 0, &format!("{states:?}"), expected).await;
        if states.contains(&Live) {
            stage.hub.frames(id, Profile::Sub, 60).await;
        } else if !states.contains(&AuthFailed) {
            stage.heals(id).await;
        }
    });
    futures::future::join_all(plays).await;
    assert_eq!(stage.farm.camera_stats("auth-reject").unwrap().refused, 1, "tried once and not again");
    stage.hub.frames("well", Profile::Sub, 15).await;
    stage.never_left_live("well", &[]);
    let Stage { hub, farm } = whole;
    hub.stop().await;
    // FFmpeg has said goodbye, as far as cameras listen.
    eventually("the sessions are closed", || sessions(&farm, "well").0 == 0).await;
}
