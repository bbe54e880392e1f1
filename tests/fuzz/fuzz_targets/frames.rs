//! Access units and parameter sets as a camera may send them, through a ring to viewers and to the decoder's door: the
//! stream's time, fragments, budgets, NAL units behind lengths that lie.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use model::{Profile, Timestamp};
use video::{Codec, NewFrame, NewTrack, ReadEvent, Rings, fmp4};

const RING_BYTES: usize = 64 << 10;

/// Takes what an input has.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    fn number(&mut self) -> i64 {
        let mut bytes = [0; 8];
        let taken = self.bytes(8);
        bytes[..taken.len()].copy_from_slice(taken);
        i64::from_le_bytes(bytes)
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let limits = video::Config { per_camera_bytes: RING_BYTES, total_bytes: RING_BYTES, ..video::Config::default() };
    let rings = Rings::new(&limits);
    let mut writer = rings.writer("cam-1".into(), Profile::Main);
    let mut reader = rings.reader(&"cam-1".into(), Profile::Main).without_lag_limit();
    let (mut end, mut config, mut now_ms) = (None, (Codec::H264, Bytes::new()), 1_795_000_000_000);
    while !input.0.is_empty() {
        let operation = input.byte();
        match operation % 8 {
            0 => {
                let codec = if input.byte() % 2 == 0 { Codec::H264 } else { Codec::H265 };
                let length = usize::from(input.byte());
                let decoder_config = Bytes::copy_from_slice(input.bytes(length));
                let (width, height) = (input.number() as u32, input.number() as u32);
                config = (codec, decoder_config.clone());
                writer.set_track(NewTrack { codec, rfc6381: "avc1.4d401e".to_owned(), width, height, decoder_config });
            }
            1 => writer = rings.writer("cam-1".into(), Profile::Main),
            _ => {
                now_ms += i64::from(input.byte()) * if operation & 32 == 0 { 1 } else { -100 };
                let length = usize::from(input.byte()) * if operation & 64 == 0 { 1 } else { 256 };
                let data = Bytes::copy_from_slice(input.bytes(length));
                let pts_90k = if operation & 16 == 0 { input.number() } else { now_ms * 90 };
                let received_at = Timestamp::from_millisecond(now_ms).expect("near our time");
                decoder_door(&config, &data);
                writer.push(NewFrame { pts_90k, is_key: operation & 8 == 0, data, received_at });
            }
        }
        assert!(rings.stats().bytes <= RING_BYTES, "{:?}", rings.stats());
        if operation & 128 == 0 {
            read(&mut reader, &mut end);
        }
    }
    read(&mut reader, &mut end);
});

fn read(reader: &mut video::Reader, end: &mut Option<i64>) {
    while let Some(event) = reader.try_next() {
        match event {
            ReadEvent::Track(track, init) => {
                assert!(init.len() > track.decoder_config.len());
                assert_eq!(boxes(&init), ["ftyp", "moov"]);
            }
            ReadEvent::Frame(frame) => {
                assert!(frame.duration_90k > 0);
                assert!(end.is_none_or(|end| end <= frame.decode_time_90k), "time runs back");
                *end = Some(frame.decode_time_90k + i64::from(frame.duration_90k));
                let fragment = frame.fragment();
                assert_eq!(boxes(&fragment), ["moof", "mdat"]);
                assert_eq!(fragment[fmp4::MOOF_BYTES + 8..], frame.data);
            }
            ReadEvent::Lagged { missed } => assert!(missed > 0),
        }
    }
}

/// The names of the boxes that the bytes are made of, with nothing left over.
fn boxes(mut bytes: &[u8]) -> Vec<&str> {
    let mut names = Vec::new();
    while !bytes.is_empty() {
        let size = u32::from_be_bytes(bytes[..4].try_into().expect("four bytes")) as usize;
        names.push(std::str::from_utf8(&bytes[4..8]).expect("a name"));
        bytes = &bytes[size..];
    }
    names
}

fn decoder_door((codec, config): &(Codec, Bytes), frame: &[u8]) {
    if let Some(unit) = video::fuzzing::access_unit(*codec, config, frame) {
        // A start code of four bytes instead of a length of two or four.
        assert!(unit.len() <= 3 * config.len() + frame.len());
    }
}
