//! Real pictures for tests: drawn and coded by the `ffmpeg` program.

use std::process::Command;

use bytes::Bytes;
use model::Timestamp;

use crate::{Codec, NewFrame, NewTrack};

/// One coded picture of a filter graph (`testsrc=s=640x360`), with its parameter sets.
pub(crate) fn coded(codec: Codec, graph: &str) -> (NewTrack, Bytes) {
    let (encoder, format) = match codec {
        Codec::H264 => ("libx264", "h264"),
        Codec::H265 => ("libx265", "hevc"),
        Codec::Mjpeg => ("mjpeg", "mjpeg"),
    };
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", graph, "-frames:v", "1", "-pix_fmt", "yuv420p"])
        .args(["-c:v", encoder, "-preset", "ultrafast", "-x265-params", "log-level=none", "-f", format, "-"])
        .output()
        .expect("ffmpeg is installed");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    if codec == Codec::Mjpeg {
        let decoder_config = Bytes::new();
        let track = NewTrack { codec, rfc6381: "mp4v.6C".into(), width: 640, height: 360, decoder_config };
        return (track, Bytes::from(out.stdout));
    }
    let (mut sets, mut frame) = (Vec::new(), Vec::new());
    for unit in units(&out.stdout) {
        let is_set = match codec {
            Codec::H264 => matches!(unit[0] & 0x1F, 7 | 8),
            Codec::H265 => matches!(unit[0] >> 1 & 0x3F, 32..=34),
            Codec::Mjpeg => false,
        };
        if is_set {
            sets.push(unit);
        } else {
            frame.extend_from_slice(&(unit.len() as u32).to_be_bytes());
            frame.extend_from_slice(unit);
        }
    }
    let track = NewTrack {
        codec,
        rfc6381: "test".into(),
        width: 640,
        height: 360,
        decoder_config: Bytes::from(config(codec, &sets)),
    };
    (track, Bytes::from(frame))
}

/// A key frame received now.
pub(crate) fn key_frame(data: &Bytes) -> NewFrame {
    let received_at = Timestamp::now();
    NewFrame { pts_90k: received_at.as_millisecond() * 90, is_key: true, data: data.clone(), received_at }
}

fn units(stream: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = (0..stream.len().saturating_sub(2)).filter(|i| stream[*i..*i + 3] == [0, 0, 1]).collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    let unit = |(start, end): (&usize, usize)| {
        let unit = &stream[start + 3..end];
        unit.strip_suffix(&[0]).unwrap_or(unit)
    };
    starts.iter().zip(ends).map(unit).collect()
}

/// The box that holds the parameter sets, as far as our decoder reads it.
fn config(codec: Codec, sets: &[&[u8]]) -> Vec<u8> {
    let mut out = match codec {
        Codec::H264 => vec![1, sets[0][1], sets[0][2], sets[0][3], 0xFF],
        Codec::H265 => [vec![0; 22], vec![sets.len() as u8]].concat(),
        Codec::Mjpeg => return Vec::new(),
    };
    for set in sets {
        match codec {
            Codec::H264 if set[0] & 0x1F == 7 => out.push(0xE1),
            Codec::H264 => out.push(1),
            Codec::H265 => out.extend([set[0] >> 1, 0, 1]),
            Codec::Mjpeg => {}
        }
        out.extend((set.len() as u16).to_be_bytes());
        out.extend_from_slice(set);
    }
    out
}
