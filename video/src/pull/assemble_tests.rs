use proptest::prelude::*;

use super::*;

const SPS: [u8; 25] = [
    0x67, 0x64, 0x00, 0x2A, 0xAC, 0x2C, 0x6A, 0x81, 0xE0, 0x08, 0x9F, 0x96, 0x6E, 0x02, 0x02, 0x02, 0x80, 0x00, 0x03,
    0x84, 0x00, 0x00, 0xAF, 0xC8, 0x02,
];
const PPS: [u8; 4] = [0x68, 0xEE, 0x31, 0xB2];

fn stream(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&[0, 0, 0, 1][..], unit].concat()).collect()
}

#[test]
fn a_key_frame_brings_its_track_and_loses_its_parameter_sets() {
    let mut assembler = Assembler::new(Codec::H264);
    let unit = assembler.take(&stream(&[&[9, 0xF0], &SPS, &PPS, &[6, 1], &[0x65, 9, 9]])).unwrap();
    assert!(unit.is_key);
    assert_eq!(&unit.data[..], [0, 0, 0, 2, 6, 1, 0, 0, 0, 3, 0x65, 9, 9]);
    let track = unit.track.unwrap();
    assert_eq!((track.rfc6381.as_str(), track.width, track.height), ("avc1.64002a", 1_920, 1_080));
    let annexb = crate::decode::annexb::access_unit(Codec::H264, &track.decoder_config, &unit.data).unwrap();
    assert_eq!(annexb, stream(&[&SPS, &PPS, &[6, 1], &[0x65, 9, 9]]));

    let delta = assembler.take(&stream(&[&[0x41, 7]])).unwrap();
    assert!(!delta.is_key && delta.track.is_none());
    let again = assembler.take(&stream(&[&SPS, &PPS, &[0x65, 8]])).unwrap();
    assert!(again.track.is_none(), "the same sets are no news");
}

#[test]
fn sets_from_the_description_count_and_new_ones_count_from_their_key_frame() {
    let mut assembler = Assembler::new(Codec::H264);
    assembler.learn(&stream(&[&SPS, &PPS]));
    assert!(assembler.take(&stream(&[&[0x65, 1]])).unwrap().track.is_some());
    let other = [0x68, 0xEE, 0x3C, 0x80];
    assert!(assembler.take(&stream(&[&other, &[0x41, 1]])).unwrap().track.is_none());
    let track = assembler.take(&stream(&[&[0x65, 1]])).unwrap().track.unwrap();
    assert!(track.decoder_config.ends_with(&other));
}

#[test]
fn what_holds_no_picture_is_none() {
    let mut assembler = Assembler::new(Codec::H264);
    assert_eq!(assembler.take(&stream(&[&SPS, &PPS])), None);
    assert_eq!(assembler.take(&[]), None);
    let lone = assembler.take(&stream(&[&[0x65, 1]])).unwrap();
    assert!(lone.track.is_some(), "the sets came before");
}

#[test]
fn a_jpeg_tells_its_size() {
    let head = [0xFF, 0xD8, 0xFF, 0xDB, 0, 4, 1, 2, 0xFF, 0xC0, 0, 11, 8, 0x01, 0xE0, 0x02, 0x80, 1, 1, 0x11, 0];
    assert_eq!(jpeg_size(&head), Some((640, 480)));
    assert_eq!(jpeg_size(&head[..15]), None);
    let mut assembler = Assembler::new(Codec::Mjpeg);
    let unit = assembler.take(&head).unwrap();
    assert!(unit.is_key && unit.track.is_some());
    assert_eq!(assembler.take(&head).unwrap().track, None);
}

#[test]
fn codec_strings_are_those_of_the_standard() {
    // ISO/IEC 14496-15, E.3: `hev1.1.6.L93.B0` and its like.
    let profile = [0x01, 0x60, 0, 0, 0, 0xB0, 0, 0, 0, 0, 0, 93];
    assert_eq!(h265_codec(&profile), "hvc1.1.6.L93.B0");
    let high = [0x62, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 120];
    assert_eq!(h265_codec(&high), "hvc1.A2.4.H120");
}

proptest! {
    #[test]
    fn any_bytes_are_taken_without_panic(
        codec in prop_oneof![Just(Codec::H264), Just(Codec::H265), Just(Codec::Mjpeg)],
        units in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..6),
        raw in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut assembler = Assembler::new(codec);
        let units: Vec<&[u8]> = units.iter().map(Vec::as_slice).collect();
        let bytes = stream(&units);
        assembler.learn(&raw);
        for input in [&bytes, &raw] {
            if let Some(unit) = assembler.take(input) {
                // Start codes of three bytes become lengths of four.
                prop_assert!(unit.data.len() <= 2 * input.len() + 4);
            }
        }
    }
}
