use std::process::Command;
use std::sync::OnceLock;

use bytes::Bytes;
use model::Timestamp;
use mp4_atom::{Any, Atom, Codec as AtomCodec, DecodeMaybe, Ftyp, Mdat, Moof, Moov};

use super::*;

/// SPS and PPS of 16x16 pixels, baseline, and one black IDR picture: made with `ffmpeg -f lavfi -i color=black:s=16x16 -c:v libx264`.
const AVCC: &[u8] = include_bytes!("../testdata/black16.avcc");
const IDR: &[u8] = include_bytes!("../testdata/black16.idr");

fn track() -> Track {
    Track {
        generation: 1,
        codec: Codec::H264,
        rfc6381: "avc1.42c00a".into(),
        width: 16,
        height: 16,
        decoder_config: Bytes::from_static(AVCC),
    }
}

fn frame(number: u64, decode_time: i64, is_key: bool) -> Frame {
    Frame {
        number,
        generation: 1,
        pts_90k: 0,
        decode_time_90k: decode_time,
        duration_90k: 3_600,
        is_key,
        received_at: Timestamp::UNIX_EPOCH,
        data: Bytes::from_static(IDR),
        fragment: OnceLock::new(),
    }
}

fn atoms(bytes: &[u8]) -> Vec<Any> {
    let mut rest = bytes;
    let mut found = Vec::new();
    while let Some(atom) = Any::decode_maybe(&mut rest).unwrap() {
        found.push(atom);
    }
    assert!(rest.is_empty(), "{} bytes left", rest.len());
    found
}

#[test]
fn the_init_segment_reads_back_as_written() {
    let init = init_segment(&track());
    let [Any::Ftyp(Ftyp { major_brand, .. }), Any::Moov(Moov { mvhd, trak, mvex, .. })] = &atoms(&init)[..] else {
        panic!("not ftyp and moov");
    };
    assert_eq!(major_brand.to_string(), "iso6");
    assert_eq!((mvhd.timescale, mvhd.duration, mvhd.next_track_id), (90_000, 0, 2));
    assert_eq!((trak[0].mdia.mdhd.timescale, trak[0].mdia.mdhd.duration), (90_000, 0));
    assert_eq!((trak[0].tkhd.width.integer(), trak[0].tkhd.height.integer()), (16, 16));
    assert_eq!(mvex.as_ref().unwrap().trex[0].track_id, 1);
    let AtomCodec::Avc1(avc1) = &trak[0].mdia.minf.stbl.stsd.codecs[0] else { panic!("no avc1") };
    assert_eq!((avc1.visual.width, avc1.visual.height), (16, 16));
    assert_eq!(avc1.avcc.avc_profile_indication, AVCC[1]);
}

#[test]
fn a_fragment_reads_back_as_written() {
    let bytes = fragment(&frame(7, 1 << 40, false));
    let [Any::Moof(Moof { mfhd, traf }), Any::Mdat(Mdat { data })] = &atoms(&bytes)[..] else {
        panic!("not moof and mdat");
    };
    assert_eq!(mfhd.sequence_number, 7);
    assert_eq!(traf[0].tfdt.as_ref().unwrap().base_media_decode_time, 1 << 40);
    let run = &traf[0].trun[0];
    let sample = run.samples.get(0).unwrap();
    assert_eq!(run.data_offset, Some(108));
    assert_eq!((sample.duration, sample.size, sample.flags), (Some(3_600), Some(IDR.len() as u32), Some(DELTA_FLAGS)));
    assert_eq!(&data[..], IDR);
    assert_eq!(&bytes[MOOF_BYTES + 8..], IDR, "the data offset points at the picture");
}

#[test]
fn the_moof_is_byte_for_byte_as_agreed() {
    let moof = &fragment(&frame(2, 3_600, true))[..MOOF_BYTES];
    let golden = "00000064 6d6f6f66 00000010 6d666864 00000000 00000002 0000004c 74726166 00000010 74666864 00020000 00000001 \
                  00000014 74666474 01000000 00000000 00000e10 00000020 7472756e 00000701 00000001 0000006c 00000e10";
    let golden: String = golden.split_whitespace().collect();
    let hex: String = moof.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, format!("{golden}{:08x}02000000", IDR.len()));
    assert_eq!(Moof::KIND.to_string(), "moof");
}

#[test]
fn ffprobe_decodes_what_we_write() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("live.mp4");
    let mut file = init_segment(&track()).to_vec();
    for n in 0..5 {
        file.extend_from_slice(&fragment(&frame(n + 1, 90_000 + n as i64 * 3_600, true)));
    }
    std::fs::write(&path, file).unwrap();
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-show_entries", "frame=pts,key_frame,width", "-of", "csv=p=0"])
        .arg(&path)
        .output()
        .expect("ffprobe is installed with FFmpeg");
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    let lines: Vec<String> =
        String::from_utf8_lossy(&out.stdout).lines().map(|l| l.trim_end_matches(',').into()).collect();
    assert_eq!(lines, ["1,90000,16", "1,93600,16", "1,97200,16", "1,100800,16", "1,104400,16"]);
}
