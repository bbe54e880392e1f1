//! Load sensors and cameras: what the town says it has sent is what arrives.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rumqttc::{Publish, QoS};
use serde_json::{Value, json};
use town::registry::Load;
use town::script::Script;

use crate::support::{Ear, LONG, Mosquitto, Stageplay};

const SENSORS: usize = 50;

async fn under_load(mqtt_port: u16, cameras: usize) -> Stageplay {
    let script = Script { cycle_s: 240.0, quiet: true };
    Stageplay::loaded(mqtt_port, script, Load { cameras, sensors: SENSORS, alone: true, ..Load::default() }).await
}

/// Asks what was sent until it fits.
async fn sent_when(play: &Stageplay, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let (status, sent) = play.ask("GET", "/sent", "").await;
        assert_eq!(status, 200);
        if fits(&sent) {
            return sent;
        }
        assert!(began.elapsed() < LONG, "{what}: {sent}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Counts by sensor, in the order they came.
fn counts(heard: &[Publish]) -> BTreeMap<String, Vec<u64>> {
    let mut counts: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for publish in heard {
        let id = publish.topic.strip_prefix("town/load/").expect("nobody else is there").to_owned();
        counts.entry(id).or_default().push(std::str::from_utf8(&publish.payload).unwrap().parse().unwrap());
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn what_load_sensors_say_they_sent_in_a_burst_arrives_in_order() {
    let broker = Mosquitto::start();
    let mut ear = Ear::listen_to("town/load/#", broker.port).await;
    let play = under_load(broker.port, 0).await;
    sent_when(&play, "all are connected", |sent| {
        sent["sensors"]["connected"] == 4 && sent["sensors"]["sensors"] == SENSORS
    })
    .await;
    let answer = play.order("/burst", r#"{"rate":500,"seconds":2}"#).await;
    assert_eq!(answer, json!({"readings": 1_000, "seconds": 2}));
    let (status, refused) = play.ask("POST", "/burst", r#"{"rate":1,"seconds":1}"#).await;
    assert_eq!(status, 409, "{refused}");
    assert!(refused["error"].as_str().unwrap().contains("still to come"), "{refused}");
    let began = Instant::now();
    let mut heard = Vec::new();
    // The usual readings go on beside the burst, so both counts are taken until they agree.
    let sent = loop {
        heard.append(&mut ear.during(Duration::from_millis(100)).await);
        let (_, sent) = play.ask("GET", "/sent", "").await;
        let figures = &sent["sensors"];
        let number = |name: &str| figures[name].as_u64().unwrap();
        let all = number("published_qos0") + number("published_qos1");
        if number("burst_left") == 0 && number("acknowledged") == number("published_qos1") && all == heard.len() as u64
        {
            break sent;
        }
        assert!(began.elapsed() < LONG, "{} heard: {sent}", heard.len());
    };
    assert!(began.elapsed() > Duration::from_millis(1_500), "spread over two seconds: {:?}", began.elapsed());
    let figures = &sent["sensors"];
    assert!(heard.len() >= 1_000, "{}", heard.len());
    assert_eq!(figures["repeated"], 0, "{figures}");
    let of_qos1 = heard.iter().filter(|publish| publish.qos == QoS::AtLeastOnce).count();
    assert_eq!(figures["published_qos1"], of_qos1, "{figures}");
    play.order("/load", r#"{"silent":true}"#).await;
    heard.append(&mut ear.during(Duration::from_millis(1_500)).await);
    let (_, each) = play.ask("GET", "/sent/sensors", "").await;
    assert!(ear.during(Duration::from_millis(1_500)).await.is_empty(), "all sleep");
    let counts = counts(&heard);
    assert_eq!(counts.len(), SENSORS);
    for (id, counts) in counts {
        assert_eq!(counts, (1..=counts.len() as u64).collect::<Vec<_>>(), "{id}");
        assert_eq!(each[&id]["sent"], counts.len(), "{id}");
        let acknowledged = if each[&id]["qos"] == 1 { counts.len() } else { 0 };
        assert_eq!(each[&id]["acknowledged"], acknowledged, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_of_qos_1_outlive_a_broker_that_restarts() {
    let mut broker = Mosquitto::start();
    let play = under_load(broker.port, 0).await;
    sent_when(&play, "all are connected", |sent| sent["sensors"]["connected"] == 4).await;
    play.order("/burst", r#"{"rate":200,"seconds":3}"#).await;
    sent_when(&play, "some went out", |sent| sent["sensors"]["published_qos1"].as_u64().unwrap() > 50).await;
    broker.freeze();
    sent_when(&play, "some wait for their acknowledgement", |sent| {
        let number = |name: &str| sent["sensors"][name].as_u64().unwrap();
        number("published_qos1") >= number("acknowledged") + 20
    })
    .await;
    broker.kill();
    sent_when(&play, "the break is seen", |sent| {
        sent["sensors"]["connected"] == 0 && sent["sensors"]["not_sent"].as_u64().unwrap() > 10
    })
    .await;
    broker.run();
    let sent = sent_when(&play, "all are acknowledged in the end", |sent| {
        let figures = &sent["sensors"];
        figures["connected"] == 4 && figures["burst_left"] == 0 && figures["acknowledged"] == figures["published_qos1"]
    })
    .await;
    assert!(sent["sensors"]["repeated"].as_u64().unwrap() >= 20, "{sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bursts_that_make_no_sense_are_refused() {
    let play = Stageplay::quiet(1).await;
    for (body, status, says) in [
        (r#"{"rate":10,"seconds":1}"#, 409, "--load-sensors"),
        (r#"{"rate":0,"seconds":1}"#, 400, "rate must be from 1"),
        (r#"{"rate":10,"seconds":4000}"#, 400, "seconds from 1 to 3600"),
        (r#"{"rate":10}"#, 400, "missing field `seconds`"),
        (r#"{"rate":10,"seconds":1,"loud":true}"#, 400, "unknown field"),
        (r#"{"rate":-3,"seconds":1}"#, 400, "invalid value"),
    ] {
        let (found, answer) = play.ask("POST", "/burst", body).await;
        assert_eq!(found, status, "{body}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains(says), "{body}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn load_cameras_count_what_they_send() {
    use tokio::io::AsyncReadExt as _;
    let play = under_load(1, 20).await;
    let mut viewers = Vec::new();
    for number in 1..=20 {
        let child = tokio::process::Command::new("ffmpeg")
            .args(["-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i"])
            .arg(format!("rtsp://{}/load-{number:05}/sub", play.town.rtsp))
            .args(["-c", "copy", "-t", "2", "-f", "framecrc", "-"])
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        viewers.push(child);
    }
    let mut frames = 0;
    for mut viewer in viewers {
        let mut told = String::new();
        let mut stdout = viewer.stdout.take().unwrap();
        tokio::time::timeout(LONG * 2, stdout.read_to_string(&mut told)).await.unwrap().unwrap();
        frames += told.lines().filter(|line| !line.starts_with('#')).count();
    }
    assert!(frames >= 20 * 29, "{frames} pictures");
    let sent = sent_when(&play, "all have left", |sent| sent["cameras"]["sessions"] == 0).await;
    let figures = &sent["cameras"];
    assert_eq!((&figures["cameras"], &figures["dropped"]), (&json!(20), &json!(0)), "{figures}");
    assert!(figures["sessions_total"].as_u64().unwrap() >= 20, "{figures}");
    // The viewers end when they have had enough; what was under way to them then was sent as well.
    let told = figures["frames"].as_u64().unwrap() as usize;
    assert!((frames..frames * 3).contains(&told), "{told} sent, {frames} seen");
    assert!(figures["bytes"].as_u64().unwrap() > told as u64 * 1_000, "{figures}");
}
