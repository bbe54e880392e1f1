//! What a sequence parameter set says of the pictures: size and the fields that an `avcC` or `hvcC` box repeats.

use super::bits::Bits;

/// Sides beyond this are nonsense: the largest level of H.265 has 8,192 x 4,320 (ITU-T H.265, table A.8).
const SIDE_MAX: u32 = 16_384;

/// Of either codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sps {
    /// Displayed size in pixels.
    pub width: u32,
    pub height: u32,
    pub chroma_format: u8,
    pub luma_bits_minus_8: u8,
    pub chroma_bits_minus_8: u8,
    /// H.265 only: layers, and whether they are nested.
    pub sub_layers: u8,
    pub nested: bool,
}

/// Profiles whose sets say more about colours (ITU-T H.264, 7.3.2.1.1).
const HIGH_PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// Reads a set of H.264 (7.3.2.1.1), header byte included.
pub(super) fn h264(unit: &[u8]) -> Option<Sps> {
    let mut bits = Bits::new(unit.get(1..)?);
    let profile = bits.number(8)?;
    bits.skip(16)?;
    bits.unsigned()?;
    let (mut chroma, mut luma_bits, mut chroma_bits, mut separate) = (1, 0, 0, false);
    if HIGH_PROFILES.contains(&profile) {
        chroma = bits.unsigned()?;
        separate = chroma == 3 && bits.bit()?;
        (luma_bits, chroma_bits) = (bits.unsigned()?, bits.unsigned()?);
        bits.skip(1)?;
        if bits.bit()? {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if bits.bit()? {
                    scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.unsigned()?;
    match bits.unsigned()? {
        0 => drop(bits.unsigned()?),
        1 => {
            bits.skip(1)?;
            bits.signed()?;
            bits.signed()?;
            let cycle = bits.unsigned().filter(|n| *n < 256)?;
            (0..cycle).try_for_each(|_| bits.signed().map(drop))?;
        }
        _ => {}
    }
    bits.unsigned()?;
    bits.skip(1)?;
    let (columns, rows) = (bits.unsigned()?, bits.unsigned()?);
    let frames_only = bits.bit()?;
    if !frames_only {
        bits.skip(1)?;
    }
    bits.skip(1)?;
    let fields = if frames_only { 1 } else { 2 };
    let crop = crop(&mut bits)?;
    let (unit_x, unit_y) = if separate { (1, 1) } else { crop_unit(chroma)? };
    let width = side(columns.checked_add(1)?.checked_mul(16)?, crop[0], crop[1], unit_x)?;
    let height = side(rows.checked_add(1)?.checked_mul(16 * fields)?, crop[2], crop[3], unit_y * fields)?;
    let (chroma_format, luma_bits_minus_8, chroma_bits_minus_8) = depths(chroma, luma_bits, chroma_bits)?;
    Some(Sps { width, height, chroma_format, luma_bits_minus_8, chroma_bits_minus_8, sub_layers: 1, nested: true })
}

/// Reads a set of H.265 (7.3.2.2.1), the header of two bytes included.
pub(super) fn h265(unit: &[u8]) -> Option<Sps> {
    let mut bits = Bits::new(unit.get(2..)?);
    bits.skip(4)?;
    let layers_minus_1 = bits.number(3)?;
    let nested = bits.bit()?;
    profile_tier_level(&mut bits, layers_minus_1)?;
    bits.unsigned()?;
    let chroma = bits.unsigned()?;
    let separate = chroma == 3 && bits.bit()?;
    let (coded_width, coded_height) = (bits.unsigned()?, bits.unsigned()?);
    let crop = crop(&mut bits)?;
    let (unit_x, unit_y) = if separate { (1, 1) } else { crop_unit(chroma)? };
    let (luma_bits, chroma_bits) = (bits.unsigned()?, bits.unsigned()?);
    let (chroma_format, luma_bits_minus_8, chroma_bits_minus_8) = depths(chroma, luma_bits, chroma_bits)?;
    Some(Sps {
        width: side(coded_width, crop[0], crop[1], unit_x)?,
        height: side(coded_height, crop[2], crop[3], unit_y)?,
        chroma_format,
        luma_bits_minus_8,
        chroma_bits_minus_8,
        sub_layers: layers_minus_1 as u8 + 1,
        nested,
    })
}

/// 7.3.3 of H.265.
fn profile_tier_level(bits: &mut Bits, layers_minus_1: u32) -> Option<()> {
    bits.skip(88 + 8)?;
    let mut present = Vec::new();
    for _ in 0..layers_minus_1 {
        present.push((bits.bit()?, bits.bit()?));
    }
    if layers_minus_1 > 0 {
        bits.skip(2 * (8 - layers_minus_1 as usize))?;
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    Some(())
}

fn scaling_list(bits: &mut Bits, size: u32) -> Option<()> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..size {
        if next != 0 {
            next = (last + bits.signed()?).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

/// Left, right, top and bottom, in units of the chroma format.
fn crop(bits: &mut Bits) -> Option<[u32; 4]> {
    if !bits.bit()? {
        return Some([0; 4]);
    }
    Some([bits.unsigned()?, bits.unsigned()?, bits.unsigned()?, bits.unsigned()?])
}

/// Table 6-1 of both standards.
fn crop_unit(chroma: u32) -> Option<(u32, u32)> {
    Some(match chroma {
        0 | 3 => (1, 1),
        1 => (2, 2),
        2 => (2, 1),
        _ => return None,
    })
}

fn side(coded: u32, before: u32, after: u32, unit: u32) -> Option<u32> {
    let cut = before.checked_add(after)?.checked_mul(unit)?;
    coded.checked_sub(cut).filter(|side| (1..=SIDE_MAX).contains(side))
}

fn depths(chroma: u32, luma: u32, colours: u32) -> Option<(u8, u8, u8)> {
    (chroma <= 3 && luma <= 6 && colours <= 6).then_some((chroma as u8, luma as u8, colours as u8))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_of_real_cameras_are_read() {
        // Dahua IPC-HDW5231R-Z, 1920x1080: cropped from 1088 rows.
        let dahua = [
            0x67, 0x64, 0x00, 0x2A, 0xAC, 0x2C, 0x6A, 0x81, 0xE0, 0x08, 0x9F, 0x96, 0x6E, 0x02, 0x02, 0x02, 0x80, 0x00,
            0x03, 0x84, 0x00, 0x00, 0xAF, 0xC8, 0x02,
        ];
        let sps = h264(&dahua).unwrap();
        assert_eq!((sps.width, sps.height, sps.chroma_format), (1_920, 1_080, 1), "{sps:?}");
    }

    #[test]
    fn a_size_that_is_cropped_away_is_none() {
        assert_eq!(side(16, 4, 5, 2), None);
        assert_eq!(side(16, u32::MAX, 1, 2), None);
        assert_eq!(side(1_088, 0, 4, 2), Some(1_080));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_without_panic(unit in proptest::collection::vec(any::<u8>(), 0..120)) {
            for sps in [h264(&unit), h265(&unit)].into_iter().flatten() {
                prop_assert!(sps.width <= SIDE_MAX && sps.height <= SIDE_MAX && sps.sub_layers <= 8);
            }
        }
    }
}
