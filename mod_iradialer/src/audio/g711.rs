//! G.711: 16-bit samples to a byte (ITU-T G.711, 1988).

/// The A-law byte of a sample.
pub fn a_law(sample: i16) -> u8 {
    // The law knows 13 bits. A negative sample is coded by its complement, so that -1 is as loud as 0.
    let sign = if sample >= 0 { 0x80 } else { 0 };
    let magnitude = (if sample >= 0 { sample } else { !sample }) as u16 >> 3;
    let code = match magnitude.checked_ilog2() {
        Some(top @ 5..) => {
            let segment = top as u16 - 4;
            segment << 4 | (magnitude >> segment) & 0x0F
        }
        _ => magnitude >> 1,
    };
    // Every second bit is inverted on the line.
    (sign | code as u8) ^ 0x55
}

/// The µ-law byte of a sample.
pub fn mu_law(sample: i16) -> u8 {
    const BIAS: u16 = 0x84;
    const CLIP: u16 = 32_635;
    let sign = if sample < 0 { 0x80 } else { 0 };
    let biased = sample.unsigned_abs().min(CLIP) + BIAS;
    // The bias makes it 132 at the least, so the highest bit is at 7 or above.
    let segment = biased.ilog2() as u16 - 7;
    let code = segment << 4 | (biased >> (segment + 3)) & 0x0F;
    !(sign | code as u8)
}

/// The sample that a receiver makes of an A-law byte.
pub fn of_a_law(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let (segment, step) = (i32::from(byte >> 4 & 7), i32::from(byte & 0x0F));
    let value = match segment {
        0 => (step << 4) + 8,
        _ => ((step << 4) + 0x108) << (segment - 1),
    };
    (if byte & 0x80 != 0 { value } else { -value }) as i16
}

/// The sample that a receiver makes of a µ-law byte.
pub fn of_mu_law(byte: u8) -> i16 {
    let byte = !byte;
    let (segment, step) = (i32::from(byte >> 4 & 7), i32::from(byte & 0x0F));
    let value = (((step << 3) + 0x84) << segment) - 0x84;
    (if byte & 0x80 != 0 { -value } else { value }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_and_the_loudest_are_as_in_the_recommendation() {
        assert_eq!(
            [a_law(0), a_law(i16::MAX), a_law(i16::MIN)],
            [0xD5, 0xAA, 0x2A]
        );
        assert_eq!(
            [mu_law(0), mu_law(i16::MAX), mu_law(i16::MIN)],
            [0xFF, 0x80, 0x00]
        );
    }

    #[test]
    fn every_byte_comes_back_from_what_it_stands_for() {
        for byte in 0..=255 {
            assert_eq!(a_law(of_a_law(byte)), byte);
            // There are two bytes for zero.
            let expected = if byte == 0x7F { 0xFF } else { byte };
            assert_eq!(mu_law(of_mu_law(byte)), expected);
        }
    }

    #[test]
    fn no_sample_is_off_by_more_than_half_a_step() {
        for sample in i16::MIN..=i16::MAX {
            let (sample, loud) = (i32::from(sample), i32::from(sample).abs());
            // A step is a sixteenth of its segment, which reaches to twice its beginning.
            let allowed = (loud / 16).max(16);
            for heard in [
                of_a_law(a_law(sample as i16)),
                of_mu_law(mu_law(sample as i16)),
            ] {
                let off = (i32::from(heard) - sample).abs();
                assert!(off <= allowed, "{sample} is heard as {heard}");
            }
        }
    }
}
