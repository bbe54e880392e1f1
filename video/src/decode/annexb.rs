//! From MP4's form (parameter sets in a box, NAL units behind their lengths) to the byte stream that decoders read
//! (ITU-T H.264 and H.265, Annex B). Plain checked slices: any bytes may come in.

use crate::Codec;

const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Parameter sets, then the frame's NAL units, each behind a start code. None when a length points outside.
pub(crate) fn access_unit(codec: Codec, config: &[u8], frame: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(config.len() + frame.len() + 64);
    match codec {
        Codec::H264 => avcc(config, &mut out)?,
        Codec::H265 => hvcc(config, &mut out)?,
        // Not made of NAL units.
        Codec::Mjpeg => return None,
    }
    let mut rest = frame;
    while !rest.is_empty() {
        let length = u32::from_be_bytes(take(&mut rest, 4)?.try_into().ok()?);
        put(&mut out, take(&mut rest, length as usize)?);
    }
    Some(out)
}

/// ISO/IEC 14496-15, 5.3.3.1: five bytes, then SPS and PPS, each behind its length in two bytes.
fn avcc(config: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = config.get(5..)?;
    for mask in [0x1F, 0xFF] {
        let count = take(&mut rest, 1)?[0] & mask;
        units(&mut rest, count.into(), out)?;
    }
    Some(())
}

/// ISO/IEC 14496-15, 8.3.3.1: 22 bytes, then arrays of NAL units.
fn hvcc(config: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = config.get(22..)?;
    let arrays = take(&mut rest, 1)?[0];
    for _ in 0..arrays {
        take(&mut rest, 1)?;
        let count = u16::from_be_bytes(take(&mut rest, 2)?.try_into().ok()?);
        units(&mut rest, count, out)?;
    }
    Some(())
}

fn units(rest: &mut &[u8], count: u16, out: &mut Vec<u8>) -> Option<()> {
    for _ in 0..count {
        let length = u16::from_be_bytes(take(rest, 2)?.try_into().ok()?);
        put(out, take(rest, length.into())?);
    }
    Some(())
}

fn put(out: &mut Vec<u8>, unit: &[u8]) {
    out.extend_from_slice(&START_CODE);
    out.extend_from_slice(unit);
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(head)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameter_sets_come_before_the_frame() {
        let config = [1, 0x42, 0, 0x0A, 0xFF, 0xE1, 0, 2, 0x67, 1, 1, 0, 1, 0x68];
        let frame = [0, 0, 0, 2, 0x65, 9, 0, 0, 0, 1, 0x41];
        let unit = access_unit(Codec::H264, &config, &frame).unwrap();
        assert_eq!(unit, [0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 0, 0, 0, 1, 0x65, 9, 0, 0, 0, 1, 0x41]);
    }

    #[test]
    fn arrays_of_an_hvcc_are_all_taken() {
        let mut config = vec![0; 22];
        config.extend([2, 0x20, 0, 1, 0, 1, 0x40, 0x21, 0, 2, 0, 1, 0x42, 0, 1, 0x43]);
        let unit = access_unit(Codec::H265, &config, &[]).unwrap();
        assert_eq!(unit, [0, 0, 0, 1, 0x40, 0, 0, 0, 1, 0x42, 0, 0, 0, 1, 0x43]);
    }

    #[test]
    fn a_length_that_points_outside_is_refused() {
        let config = [1, 0x42, 0, 0x0A, 0xFF, 0xE0, 0];
        assert!(access_unit(Codec::H264, &config, &[0, 0, 0, 9, 1]).is_none());
        assert!(access_unit(Codec::H264, &config, &[0xFF; 7]).is_none());
        assert!(access_unit(Codec::H264, &config[..6], &[]).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_without_panic(
            h265 in any::<bool>(),
            config in proptest::collection::vec(any::<u8>(), 0..80),
            frame in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let codec = if h265 { Codec::H265 } else { Codec::H264 };
            if let Some(unit) = access_unit(codec, &config, &frame) {
                // Lengths of two bytes become start codes of four.
                prop_assert!(unit.len() <= 2 * (config.len() + frame.len()) + 4);
            }
        }
    }
}
