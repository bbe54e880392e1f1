use super::*;
use crate::sample::{coded, key_frame};
use crate::{Codec, RingWriter};

/// Width, height of a JPEG out of its frame header (ITU-T T.81, B.2.2).
fn jpeg_size(jpeg: &[u8]) -> (u32, u32) {
    assert_eq!(jpeg[..2], [0xFF, 0xD8], "begins as a JPEG");
    assert_eq!(jpeg[jpeg.len() - 2..], [0xFF, 0xD9], "ends as a JPEG");
    let at = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    let be = |i: usize| u32::from(u16::from_be_bytes([jpeg[at + i], jpeg[at + i + 1]]));
    (be(7), be(5))
}

fn writer(rings: &Rings, profile: Profile, codec: Codec, graph: &str) -> (RingWriter, Bytes) {
    let (track, data) = coded(codec, graph);
    let mut writer = rings.writer("cam".into(), profile);
    writer.set_track(track);
    (writer, data)
}

fn stills(config: Config) -> (Rings, Stills) {
    let rings = Rings::new(&config);
    (rings.clone(), Stills::start(&config, rings))
}

#[tokio::test]
async fn a_key_frame_of_either_codec_becomes_a_jpeg_of_its_size() {
    for codec in [Codec::H264, Codec::H265, Codec::Mjpeg] {
        let (rings, stills) = stills(Config::default());
        let (mut writer, data) = writer(&rings, Profile::Sub, codec, "testsrc=s=640x360");
        writer.push(key_frame(&data));
        let still = stills.still(&"cam".into(), None).await.unwrap();
        assert_eq!((still.width, still.height), (640, 360));
        assert_eq!(jpeg_size(&still.jpeg), (640, 360));
        assert!(still.jpeg.len() > 4_000, "a picture with something in it: {}", still.jpeg.len());
        assert!(Timestamp::now().duration_since(still.received_at).as_secs() < 30);
        tokio::task::spawn_blocking(move || stills.close()).await.unwrap();
    }
}

#[tokio::test]
async fn large_pictures_are_scaled_down() {
    let (rings, stills) = stills(Config { snapshot_width_max: 320, ..Config::default() });
    let (mut writer, data) = writer(&rings, Profile::Main, Codec::H264, "testsrc=s=1280x720");
    writer.push(key_frame(&data));
    let still = stills.still(&"cam".into(), Some(Profile::Main)).await.unwrap();
    assert_eq!(jpeg_size(&still.jpeg), (320, 180));
}

#[tokio::test]
async fn callers_within_a_second_share_one_decode() {
    let (rings, stills) = stills(Config::default());
    let (mut writer, data) = writer(&rings, Profile::Sub, Codec::H264, "testsrc=s=640x360");
    writer.push(key_frame(&data));
    let cam = SourceId::from("cam");
    let asked = (0..50).map(|_| {
        let (stills, cam) = (stills.clone(), cam.clone());
        tokio::spawn(async move { stills.still(&cam, None).await.unwrap() })
    });
    let mut got = Vec::new();
    for answer in asked.collect::<Vec<_>>() {
        got.push(answer.await.unwrap());
    }
    writer.push(key_frame(&data));
    got.push(stills.still(&cam, None).await.unwrap());
    assert!(got.iter().all(|still| Arc::ptr_eq(still, &got[0])), "one picture for all");
    tokio::time::sleep(EVERY).await;
    let later = stills.still(&cam, None).await.unwrap();
    assert_eq!((later.frame.1, got[0].frame.1), (2, 1), "a second later the newer one");
    let again = stills.still(&cam, None).await.unwrap();
    assert!(Arc::ptr_eq(&later, &again));
}

#[tokio::test]
async fn a_camera_on_demand_becomes_wanted_and_is_waited_for() {
    let (rings, stills) = stills(Config::default());
    let cam = SourceId::from("cam");
    let asked = tokio::spawn({
        let (stills, cam) = (stills.clone(), cam.clone());
        async move { stills.still(&cam, None).await }
    });
    let wanted = rings.demand().changed().await;
    assert!(wanted.contains(&(cam.clone(), Profile::Sub)));
    let (mut writer, data) = writer(&rings, Profile::Sub, Codec::H264, "testsrc=s=640x360");
    writer.push(key_frame(&data));
    assert_eq!(asked.await.unwrap().unwrap().frame, (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_camera_that_sends_nothing_is_told_in_time() {
    let (rings, stills) = stills(Config { snapshot_wait_ms: 3_000, ..Config::default() });
    let began = tokio::time::Instant::now();
    assert_eq!(stills.still(&"cam".into(), None).await, Err(StillError::NoPicture));
    assert_eq!(began.elapsed().as_secs(), 3);
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert!(rings.demand().current().is_empty(), "and is not wanted any more");
}

#[tokio::test]
async fn a_camera_that_is_gone_shows_its_last_picture() {
    let (rings, stills) = stills(Config { snapshot_wait_ms: 50, ..Config::default() });
    let (mut writer, data) = writer(&rings, Profile::Sub, Codec::H264, "testsrc=s=640x360");
    let hour_ago = Timestamp::from_second(Timestamp::now().as_second() - 3_600).unwrap();
    writer.push(crate::NewFrame { received_at: hour_ago, ..key_frame(&data) });
    drop(writer);
    assert_eq!(stills.still(&"cam".into(), None).await.unwrap().received_at, hour_ago);
}

#[tokio::test]
async fn broken_bytes_are_an_error_and_end_no_thread() {
    let (rings, stills) = stills(Config { snapshot_threads: 1, ..Config::default() });
    let (mut good, data) = writer(&rings, Profile::Sub, Codec::H264, "testsrc=s=640x360");
    let mut bad = rings.writer("bad".into(), Profile::Sub);
    let (track, _) = coded(Codec::H265, "testsrc=s=64x64");
    bad.set_track(track);
    bad.push(key_frame(&Bytes::from_static(&[0, 0, 0, 3, 0x26, 1, 0xFF])));
    let answer = stills.still(&"bad".into(), None).await;
    assert!(matches!(answer, Err(StillError::Decode(DecodeError::Broken(_)))), "{answer:?}");
    good.push(key_frame(&data));
    stills.still(&"cam".into(), None).await.unwrap();
}
