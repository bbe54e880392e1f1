//! Emergency mode of the running hub: the area first, residents never, and over a kill.

use serde_json::{Value, json};
use town::rtsp::{Auth, CameraSpec, Farm, FarmConfig};
use town::scene::Scene;

use crate::hub::{Folder, Hub};

const PATH: &str = "/api/v1/emergency";

/// A camera in the area that is pulled on demand, a resident's beside it, and one elsewhere that is always pulled.
const CAMERAS: [(&str, &str, &str, &str); 3] =
    [("bank", "governance", "g1", "demand"), ("yard", "resident", "g1", "demand"), ("far", "police", "g2", "always")];

async fn farm() -> Farm {
    let camera = |(id, ..): (&str, &str, &str, &str)| CameraSpec {
        id: id.into(),
        name: id.into(),
        scene: Scene::Street,
        owner: None,
        auth: Auth::None,
        gop_s: 1,
    };
    Farm::start_shared(FarmConfig::default(), CAMERAS.map(camera).to_vec()).await.unwrap()
}

/// A hub with a single place for a session.
fn folder(farm: &Farm) -> Folder {
    let folder = Folder::new();
    let text = std::fs::read_to_string(folder.config()).unwrap();
    std::fs::write(folder.config(), text.replace("sessions_max = 20000", "sessions_max = 1")).unwrap();
    let row = |(id, owner, grid, mode)| {
        format!("{id},camera,street,{id},{owner},{grid},,,rtsp://{}/{id}/main,,,{mode},,,,,\n", farm.addr())
    };
    assert!(folder.import(&CAMERAS.map(row).concat()).status.success());
    let grids =
        r#"[{"id":"g1","name":"g1","parent":null,"outline":[]},{"id":"g2","name":"g2","parent":null,"outline":[]}]"#;
    let file = folder.path().join("grids.json");
    std::fs::write(&file, grids).unwrap();
    let sources = folder.path().join("sources.csv");
    let arguments = ["sources", "import", sources.to_str().unwrap(), "--grids", file.to_str().unwrap()];
    let imported = folder.command(&arguments);
    assert!(imported.status.success(), "{imported:?}");
    folder
}

fn state(hub: &Hub, token: &str, id: &str, state: &str, reason: Option<&str>) {
    hub.wait_for(token, &format!("/api/v1/sources/{id}"), |source| {
        source["state"] == state && source["statuses"][0]["reason"] == json!(reason)
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emergency_takes_the_place_of_the_rest_and_outlives_a_kill() {
    let farm = farm().await;
    tokio::task::block_in_place(|| play(&farm));
}

fn play(farm: &Farm) {
    let folder = folder(farm);
    let (lead, operator) = (folder.token("lead"), folder.token("operator"));
    let hub = folder.run();
    state(&hub, &operator, "far", "live", None);

    let wish = json!({ "grids": ["g1"], "reason": "flood at the bank", "hours": 2 });
    assert_eq!(hub.post(&operator, PATH, &wish).0, 403);
    for (bad, word) in [
        (json!({ "grids": [], "reason": "x" }), "grids"),
        (json!({ "grids": ["g9"], "reason": "x" }), "g9"),
        (json!({ "grids": ["g1"], "reason": " " }), "reason"),
        (json!({ "grids": ["g1"], "reason": "x", "hours": 100 }), "hours"),
    ] {
        let (status, said) = hub.post(&lead, PATH, &bad);
        assert!(status == 400 && said.to_string().contains(word), "{bad}: {status} {said}");
    }
    assert_eq!(hub.get(&operator, PATH), (200, json!({ "emergency": null })));

    let (status, begun) = hub.post(&lead, PATH, &wish);
    assert_eq!(status, 200, "{begun}");
    let cost = &begun["cost"];
    assert_eq!((&cost["cameras"], &cost["streams"], &cost["opened"]), (&json!(1), &json!(1), &json!(1)), "{begun}");
    assert_eq!((&cost["shed_usual"], &cost["probes_paused"]), (&json!(1), &json!(true)), "{begun}");
    state(&hub, &operator, "bank", "live", None);
    state(&hub, &operator, "far", "idle", Some("shed"));

    // A change of the registry does not make it look free.
    let more = folder.import("gauge,sensor,rain_gauge,gauge,governance,g2,,,,,,,town/gauge,raw,mm,60,\n");
    assert!(more.status.success(), "{more:?}");
    hub.wait_for(&operator, "/api/v1/sources/gauge", |source| source["id"] == "gauge");
    // It is counted anew a moment after the screens have the new source.
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(hub.get(&operator, PATH).1["emergency"]["cost"], *cost);

    // Killed in the middle of it: it goes on, for the reason and the time it began with.
    hub.kill();
    let hub = folder.run();
    state(&hub, &operator, "bank", "live", None);
    state(&hub, &operator, "far", "idle", Some("shed"));
    let (_, on) = hub.get(&operator, PATH);
    let same = |key: &str| assert_eq!(on["emergency"][key], begun[key], "{on}");
    ["grids", "reason", "by", "since", "until"].into_iter().for_each(same);
    // The health is told every two seconds.
    hub.wait_for(&operator, "/api/v1/hub", |told| told["details"]["emergency"]["until"] == begun["until"]);
    assert_eq!(farm.camera_stats("yard").unwrap().sessions_total, 0, "a resident's camera stays closed");

    assert_eq!(hub.delete(&operator, PATH).0, 403);
    assert_eq!(hub.delete(&lead, PATH).0, 200);
    state(&hub, &operator, "far", "live", None);
    state(&hub, &operator, "bank", "idle", None);
    assert_eq!(hub.delete(&lead, PATH).0, 404);
    let (_, rows) = hub.get(&lead, "/api/v1/audit?action=emergency");
    let told = |row: &Value| row["body"]["action"].as_str().unwrap().to_owned();
    let told: Vec<String> = rows["items"].as_array().unwrap().iter().map(told).collect();
    assert_eq!(told, ["emergency.end", "emergency.begin"]);

    // Ended is ended, after a restart as well.
    assert_eq!(hub.stop().0, Some(0));
    let hub = folder.run();
    state(&hub, &operator, "far", "live", None);
    assert_eq!(hub.get(&operator, PATH), (200, json!({ "emergency": null })));
    hub.stop();
}
