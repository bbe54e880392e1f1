use bytes::Bytes;
use tokio::time::timeout;

use super::*;
use crate::sample::{coded, key_frame};
use crate::{Codec, RingWriter};

const LIMIT: Duration = Duration::from_secs(30);

fn config() -> Config {
    Config { check_interval_s: 1, ..Config::default() }
}

fn camera(rings: &Rings, id: &str) -> RingWriter {
    rings.writer(id.into(), Profile::Sub)
}

fn show(writer: &mut RingWriter, picture: &(crate::NewTrack, Bytes)) {
    writer.set_track(picture.0.clone());
    writer.push(key_frame(&picture.1));
}

#[tokio::test]
async fn a_covered_camera_is_told_and_freed_again() {
    let rings = Rings::new(&config());
    let (out, mut told) = mpsc::channel(64);
    let token = CancellationToken::new();
    let checks = Checks::start(&config(), rings.clone(), [], out, token.clone());
    let street = coded(Codec::H264, "testsrc=s=640x360");
    let hand = coded(Codec::H264, "color=c=0x100c0a:s=640x360,noise=alls=4");
    let mut writer = camera(&rings, "cam");
    let mut seen = Vec::new();
    for picture in [&street, &hand, &street] {
        // Key frames keep coming while the checks look.
        let word = timeout(LIMIT, async {
            loop {
                show(&mut writer, picture);
                if let Ok(word) = timeout(Duration::from_millis(200), told.recv()).await {
                    return word.unwrap();
                }
            }
        });
        let word = word.await.unwrap();
        assert_eq!((word.source.as_str(), &*word.reading), ("cam", "picture"));
        let Value::Text(class) = word.value else { panic!("a word is expected") };
        seen.push(class);
    }
    assert_eq!(seen, ["normal", "covered", "normal"]);
    token.cancel();
    checks.join().await;
}

#[tokio::test]
async fn with_more_cameras_than_budget_each_has_its_turn() {
    let config = Config { check_decodes_per_s_max: 20, ..config() };
    let rings = Rings::new(&config);
    let (out, mut told) = mpsc::channel(256);
    let token = CancellationToken::new();
    let street = coded(Codec::H264, "testsrc=s=320x180");
    let mut writers: Vec<_> = (0..60).map(|i| camera(&rings, &format!("cam-{i}"))).collect();
    writers.iter_mut().for_each(|writer| show(writer, &street));
    let began = Instant::now();
    let checks = Checks::start(&config, rings, [], out, token.clone());
    let mut seen = HashSet::new();
    while seen.len() < 60 {
        seen.insert(timeout(LIMIT, told.recv()).await.unwrap().unwrap().source);
    }
    let took = began.elapsed();
    assert!(took > Duration::from_millis(1_500), "60 at 20 a second: {took:?}");
    token.cancel();
    checks.join().await;
}

#[tokio::test]
async fn a_picture_is_looked_at_once() {
    let rings = Rings::new(&config());
    let (out, mut told) = mpsc::channel(8);
    let token = CancellationToken::new();
    let known = [("cam".into(), PictureClass::Covered)];
    let checks = Checks::start(&config(), rings.clone(), known, out, token.clone());
    let mut writer = camera(&rings, "cam");
    show(&mut writer, &coded(Codec::H264, "testsrc=s=640x360"));
    let first = timeout(LIMIT, told.recv()).await.unwrap().unwrap();
    assert_eq!(first.value, Value::Text("covered".into()), "one good look does not free it");
    assert!(timeout(Duration::from_secs(3), told.recv()).await.is_err(), "and the same frame is not looked at again");
    token.cancel();
    checks.join().await;
}
