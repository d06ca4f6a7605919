//! The checksum of a record: CRC32C of its header and payload, after a seed.
//!
//! A record is short, and short sums are where a library's general entry costs more than the sum:
//! it asks for the processor's features, aligns, and cuts off long blocks. Where the program is
//! compiled for processors that have the instruction, it is used here as it is, a word at a time;
//! elsewhere the crate crc32c decides while the program runs. Both give the same number, which a
//! test asserts; a mapped append spends a third of its time here.

use crate::layout::FrameBody;

/// The sum of bytes 8..len of a frame: the rest of its header, then its payload.
#[cfg(all(target_arch = "x86_64", target_feature = "sse4.2"))]
#[inline]
pub(crate) fn sum(seed: u32, body: &FrameBody, payload: &[u8]) -> u32 {
    use safe_arch::{crc32_u8, crc32_u64};

    let step = |crc, word: &[u8; 8]| crc32_u64(crc, u64::from_le_bytes(*word));
    let (head, _) = body.as_chunks::<8>();
    let (words, rest) = payload.as_chunks::<8>();
    let (fours, words) = words.as_chunks::<4>();
    // An event's payload is two fours. They are written out, because the compiler does not unroll
    // a loop, and counting its turns took as many instructions again as the sum.
    let mut crc = head.iter().fold(u64::from(!seed), step);
    for [one, two, three, four] in fours {
        crc = step(step(step(step(crc, one), two), three), four);
    }
    crc = words.iter().fold(crc, step);
    // The instruction leaves the upper half zero.
    let mut crc = crate::layout::low_bits(crc);
    for &byte in rest {
        crc = crc32_u8(crc, byte);
    }
    !crc
}

/// The sum of bytes 8..len of a frame: the rest of its header, then its payload.
#[cfg(not(all(target_arch = "x86_64", target_feature = "sse4.2")))]
#[inline]
pub(crate) fn sum(seed: u32, body: &FrameBody, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(seed, body), payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sum_is_that_of_the_library_for_every_short_length() {
        let bytes: Vec<u8> = (0..=255).cycle().take(300).map(|byte: u8| byte ^ 0x5A).collect();
        for (seed, length) in (0..300).map(|length| (0x9E37_79B9_u32.rotate_left(7), length)) {
            let seed = seed.wrapping_mul(u32::try_from(length).unwrap());
            let (body, payload) = (std::array::from_fn(|at| bytes[at]), &bytes[..length]);
            let expected = crc32c::crc32c_append(seed, &[&body, payload].concat());
            assert_eq!(sum(seed, &body, payload), expected, "{length} bytes");
        }
    }

    #[test]
    fn sum_is_castagnolis() {
        // The check value of CRC-32C in the catalogue of parametrised CRC algorithms is that of
        // "123456789"; here it stands behind 24 bytes that are taken out of the seed again.
        let before = crc32c::crc32c(&[0; 24]);
        assert_eq!(sum(0, &[0; 24], b"123456789"), crc32c::crc32c_append(before, b"123456789"));
        assert_eq!(crc32c::crc32c(b"123456789"), 0xE306_9283);
    }
}
