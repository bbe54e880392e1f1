//! An encoded loop of pictures, cut into access units and packetised once for all viewers.
//!
//! A clip holds whole GOPs and starts with a key frame. Its packets are complete but for the
//! fields that differ from viewer to viewer: interleave channel, sequence number, timestamp, SSRC.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

/// Payload bytes of one RTP packet: fits a 1,500-byte MTU with room for a tunnel's headers.
pub const MAX_PAYLOAD_BYTES: usize = 1400;
/// Bytes before the payload: `$`, channel, length (RFC 2326 10.12) and the RTP header.
pub const PREFIX_BYTES: usize = 4 + RTP_HEADER_BYTES;
const RTP_HEADER_BYTES: usize = 12;
const PAYLOAD_TYPE: u8 = 96;

const NAL_TYPE_IDR: u8 = 5;
const NAL_TYPE_SPS: u8 = 7;
const NAL_TYPE_PPS: u8 = 8;
const NAL_TYPE_AUD: u8 = 9;
const NAL_TYPE_FU_A: u8 = 28;

/// One picture, ready to be sent.
#[derive(Clone, Debug)]
pub struct AccessUnit {
    /// Decodable without an earlier picture.
    pub is_key: bool,
    /// NAL units without start codes, in decode order, parameter sets included.
    pub nals: Vec<Bytes>,
    /// The packets, one after another, each with its interleave prefix.
    pub wire: Bytes,
    /// Where each packet begins in `wire`.
    pub packets: Vec<u32>,
}

impl AccessUnit {
    /// Packetises (RFC 6184, packetization-mode 1: single NAL unit and FU-A packets).
    pub fn new(nals: Vec<Bytes>) -> AccessUnit {
        let is_key = nals.iter().any(|nal| nal_type(nal) == NAL_TYPE_IDR);
        let mut wire = BytesMut::with_capacity(nals.iter().map(|nal| nal.len() + 64).sum());
        let mut packets = Vec::new();
        for (index, nal) in nals.iter().enumerate() {
            let last_nal = index + 1 == nals.len();
            if nal.len() <= MAX_PAYLOAD_BYTES {
                put_packet(&mut wire, &mut packets, last_nal, &[nal]);
                continue;
            }
            let indicator = (nal[0] & 0xe0) | NAL_TYPE_FU_A;
            let count = (nal.len() - 1).div_ceil(MAX_PAYLOAD_BYTES - 2);
            for (part, fragment) in nal[1..].chunks(MAX_PAYLOAD_BYTES - 2).enumerate() {
                let (first, last) = (part == 0, part + 1 == count);
                let header = nal_type(nal) | (u8::from(first) << 7) | (u8::from(last) << 6);
                put_packet(&mut wire, &mut packets, last_nal && last, &[&[indicator, header], fragment]);
            }
        }
        AccessUnit { is_key, nals, wire: wire.freeze(), packets }
    }

    /// Bytes of RTP payload, as a sender report counts them.
    pub fn payload_bytes(&self) -> usize {
        self.wire.len() - self.packets.len() * PREFIX_BYTES
    }
}

fn put_packet(wire: &mut BytesMut, packets: &mut Vec<u32>, marker: bool, parts: &[&[u8]]) {
    let length = RTP_HEADER_BYTES + parts.iter().map(|part| part.len()).sum::<usize>();
    packets.push(u32::try_from(wire.len()).expect("an access unit is far below 4 GiB"));
    wire.put_u8(b'$');
    wire.put_u8(0);
    wire.put_u16(u16::try_from(length).expect("MAX_PAYLOAD_BYTES is below 65,536"));
    wire.put_u8(0x80);
    wire.put_u8(PAYLOAD_TYPE | (u8::from(marker) << 7));
    wire.put_bytes(0, 10);
    for part in parts {
        wire.put_slice(part);
    }
}

/// The viewer's own fields of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// Interleave channel (TCP only).
    pub channel: u8,
    /// RTP timestamp, 90 kHz.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Clear the marker bit of every packet.
    pub drop_marker: bool,
}

/// Writes the viewer's fields into a copy of [`AccessUnit::wire`]; sequence numbers run on from `first_seq`.
pub fn stamp(copy: &mut [u8], packets: &[u32], first_seq: u16, stamp: Stamp) {
    let mut seq = first_seq;
    for &start in packets {
        let head = &mut copy[start as usize..start as usize + PREFIX_BYTES];
        head[1] = stamp.channel;
        if stamp.drop_marker {
            head[5] &= 0x7f;
        }
        head[6..8].copy_from_slice(&seq.to_be_bytes());
        head[8..12].copy_from_slice(&stamp.timestamp.to_be_bytes());
        head[12..16].copy_from_slice(&stamp.ssrc.to_be_bytes());
        seq = seq.wrapping_add(1);
    }
}

/// A loop of access units.
#[derive(Debug)]
pub struct Clip {
    /// Picture width.
    pub width: u32,
    /// Picture height.
    pub height: u32,
    /// Pictures a second.
    pub fps: u32,
    /// Sequence parameter set without start code.
    pub sps: Bytes,
    /// Picture parameter set without start code.
    pub pps: Bytes,
    /// The pictures; the first is a key frame.
    pub units: Vec<Arc<AccessUnit>>,
}

/// Why encoded bytes are no clip.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// No SPS or PPS was found.
    #[error("the encoded stream has no parameter sets")]
    NoParameterSets,
    /// The first picture is not a key frame, or there is none.
    #[error("the encoded stream does not begin with a key frame")]
    NoKeyFrame,
}

impl Clip {
    /// Cuts an Annex B stream with access unit delimiters.
    pub fn parse(annex_b: &[u8], width: u32, height: u32, fps: u32) -> Result<Clip, ClipError> {
        let mut groups: Vec<Vec<Bytes>> = Vec::new();
        for nal in split_annex_b(annex_b) {
            match nal_type(nal) {
                NAL_TYPE_AUD => groups.push(Vec::new()),
                // SEI carries the encoder's options: of no use to anybody on the wire.
                6 => {}
                _ => {
                    if groups.is_empty() {
                        groups.push(Vec::new());
                    }
                    if let Some(group) = groups.last_mut() {
                        group.push(Bytes::copy_from_slice(nal));
                    }
                }
            }
        }
        groups.retain(|group| !group.is_empty());
        let find = |kind| groups.iter().flatten().find(|nal| nal_type(nal) == kind).cloned();
        let sps = find(NAL_TYPE_SPS).ok_or(ClipError::NoParameterSets)?;
        let pps = find(NAL_TYPE_PPS).ok_or(ClipError::NoParameterSets)?;
        let units: Vec<_> = groups.into_iter().map(|nals| Arc::new(AccessUnit::new(nals))).collect();
        if !units.first().is_some_and(|unit| unit.is_key) {
            return Err(ClipError::NoKeyFrame);
        }
        Ok(Clip { width, height, fps, sps, pps, units })
    }

    /// Mean bit rate of the loop, in bits a second.
    pub fn bits_per_second(&self) -> u64 {
        let bytes: usize = self.units.iter().map(|unit| unit.payload_bytes()).sum();
        (bytes as u64 * 8 * u64::from(self.fps)) / self.units.len().max(1) as u64
    }
}

/// The `nal_unit_type` of a NAL unit (0 for none).
pub fn nal_type(nal: &[u8]) -> u8 {
    nal.first().map_or(0, |byte| byte & 0x1f)
}

/// NAL units between start codes (three or four bytes), without trailing zeros.
fn split_annex_b(data: &[u8]) -> Vec<&[u8]> {
    let mut starts = Vec::new();
    let mut at = 0;
    while at + 3 <= data.len() {
        if data[at + 2] > 1 {
            at += 3;
        } else if data[at..at + 3] == [0, 0, 1] {
            starts.push(at + 3);
            at += 3;
        } else {
            at += 1;
        }
    }
    let ends = starts.iter().skip(1).map(|start| start - 3).chain([data.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| {
            let nal = &data[start..end];
            let zeros = nal.iter().rev().take_while(|&&byte| byte == 0).count();
            &nal[..nal.len() - zeros]
        })
        .filter(|nal| !nal.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets_of(unit: &AccessUnit) -> Vec<&[u8]> {
        let mut rest = &unit.wire[..];
        let mut out = Vec::new();
        while !rest.is_empty() {
            let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
            out.push(&rest[4..4 + length]);
            rest = &rest[4 + length..];
        }
        out
    }

    #[test]
    fn a_large_nal_becomes_fu_a_packets_that_join_to_the_same_nal() {
        let nal: Vec<u8> = std::iter::once(0x65).chain((0..5000u32).map(|n| (n % 251) as u8)).collect();
        let unit = AccessUnit::new(vec![Bytes::from_static(&[0x67, 1, 2]), nal.clone().into()]);
        assert!(unit.is_key);
        let packets = packets_of(&unit);
        assert_eq!(packets.len(), unit.packets.len());
        assert_eq!(&packets[0][12..], &[0x67, 1, 2]);
        let mut joined = vec![(packets[1][12] & 0xe0) | (packets[1][13] & 0x1f)];
        for packet in &packets[1..] {
            assert!(packet.len() <= 12 + MAX_PAYLOAD_BYTES);
            joined.extend_from_slice(&packet[14..]);
        }
        assert_eq!(joined, nal);
        let markers: Vec<bool> = packets.iter().map(|packet| packet[1] & 0x80 != 0).collect();
        assert_eq!(markers.iter().filter(|set| **set).count(), 1);
        assert!(markers.last().unwrap());
        assert!(packets[1][13] & 0x80 != 0, "start bit");
        assert!(packets.last().unwrap()[13] & 0x40 != 0, "end bit");
    }

    #[test]
    fn stamping_numbers_the_packets_across_the_wrap() {
        let unit = AccessUnit::new(vec![vec![0x61; 4000].into()]);
        let mut copy = unit.wire.to_vec();
        stamp(&mut copy, &unit.packets, 65535, Stamp { channel: 2, timestamp: 7, ssrc: 9, drop_marker: false });
        let seqs: Vec<u16> =
            unit.packets.iter().map(|&at| u16::from_be_bytes([copy[at as usize + 6], copy[at as usize + 7]])).collect();
        assert_eq!(seqs, [65535, 0, 1]);
        assert_eq!(copy[1], 2);
    }

    #[test]
    fn annex_b_is_cut_at_start_codes_of_both_lengths() {
        let data = [
            0, 0, 0, 1, 9, 0x10, 0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 1, 0x65, 3, 0, 0, 0, 1, 9, 1, 0, 0, 1,
            0x61, 4,
        ];
        let clip = Clip::parse(&data, 16, 16, 15).unwrap();
        assert_eq!(clip.units.len(), 2);
        assert_eq!(clip.units[0].nals.len(), 3);
        assert!(clip.units[0].is_key && !clip.units[1].is_key);
        assert_eq!(&clip.sps[..], [0x67, 1]);
    }
}
