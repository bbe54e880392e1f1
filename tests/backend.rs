//! The switch between back-ends of the running hub: this camera is opened anew, its neighbour notices nothing.

use serde_json::{Value, json};
use town::rtsp::{Auth, CameraSpec, Farm, FarmConfig};
use town::scene::Scene;

use crate::hub::{Folder, Hub};

const CAMERAS: [&str; 2] = ["bank", "yard"];

async fn farm() -> Farm {
    let camera = |id: &str| CameraSpec {
        id: id.into(),
        name: id.into(),
        scene: Scene::Street,
        owner: None,
        auth: Auth::Digest,
        gop_s: 1,
    };
    Farm::start_shared(FarmConfig::default(), CAMERAS.map(camera).to_vec()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_switches_to_ffmpeg_and_back_while_the_hub_runs() {
    let farm = farm().await;
    tokio::task::block_in_place(|| play(&farm));
}

/// Waits until a camera is live and read by this back-end; its first status.
fn read_by(hub: &Hub, token: &str, id: &str, backend: &str) -> Value {
    let source = hub.wait_for(token, &format!("/api/v1/sources/{id}"), |source| {
        source["state"] == "live" && source["statuses"][0]["stream"]["backend"] == backend
    });
    source["statuses"][0].clone()
}

fn play(farm: &Farm) {
    let folder = Folder::new();
    let config = FarmConfig::default();
    let row = |id: &str| {
        let (addr, user, password) = (farm.addr(), &config.username, &config.password);
        format!("{id},camera,street,{id},governance,g1,,,rtsp://{addr}/{id}/main,{user},{password},always,,,,,\n")
    };
    assert!(folder.import(&CAMERAS.map(row).concat()).status.success());
    let (admin, lead) = (folder.token("admin"), folder.token("lead"));
    let hub = folder.run();
    for id in CAMERAS {
        read_by(&hub, &lead, id, "retina");
    }
    let path = "/api/v1/sources/bank/backend";
    let choose = |backend: &str| hub.post(&admin, path, &json!({ "backend": backend }));
    assert_eq!(hub.post(&lead, path, &json!({ "backend": "ffmpeg" })).0, 403);
    let sessions = |id: &str| farm.camera_stats(id).unwrap().sessions_total;
    assert_eq!(CAMERAS.map(sessions), [1, 1]);

    let (status, told) = choose("ffmpeg");
    assert_eq!((status, &told["tags"]["backend"]), (200, &json!("ffmpeg")), "{told}");
    let status = read_by(&hub, &lead, "bank", "ffmpeg");
    assert_eq!(status["stream"]["hints"], Value::Null, "wished for is not needed: {status}");
    // The registry knows, so whoever exports it and takes it in again keeps it.
    let exported = folder.command(&["sources", "export"]).stdout;
    let exported = String::from_utf8(exported).unwrap();
    let line = |id: &str| exported.lines().find(|line| line.starts_with(id)).unwrap().to_owned();
    assert!(line("bank").contains("backend=ffmpeg") && !line("yard").contains("backend"), "{exported}");

    assert_eq!(choose("auto").0, 200);
    read_by(&hub, &lead, "bank", "retina");
    assert_eq!(sessions("yard"), 1, "the other camera went on in the session it had");
    let (_, rows) = hub.get(&lead, "/api/v1/audit?action=source.backend");
    let told = |row: &Value| row["body"]["detail"]["to"].as_str().unwrap().to_owned();
    let told: Vec<String> = rows["items"].as_array().unwrap().iter().map(told).collect();
    assert_eq!(told, ["auto", "ffmpeg"]);
    hub.stop();
}
