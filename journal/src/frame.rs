//! One record on disk: how its checksum is made and how bytes become a record again.
//!
//! The checksum is seeded with the run's nonce, the absolute offset and the length, so that bytes
//! of another run, bytes at another place and bytes cut at another length do not validate even if
//! they are intact. The padding is not summed but must be zero.

use crate::layout::{
    FRAME_ALIGN, FRAME_BYTES_MAX, FrameBody, RecordHeader, aligned, low_bits, to_u64, to_usize,
};
use crate::sum::sum;

/// A frame about to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewFrame<'a> {
    /// Bytes 0..4, to be stored last.
    pub(crate) len: u32,
    /// Bytes 4..8.
    pub(crate) crc: u32,
    /// Bytes 8..32.
    pub(crate) body: FrameBody,
    /// Bytes 32..len.
    pub(crate) payload: &'a [u8],
}

/// A frame that validated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) header: RecordHeader,
    /// Low bits of the record number.
    pub(crate) rec_no: u32,
    pub(crate) payload: &'a [u8],
    /// Space taken, padding included.
    pub(crate) bytes: u64,
}

/// Why bytes are not a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The length is zero or the file ends here.
    #[error("no record was committed here")]
    Absent,
    /// The length is below 32, above 64 KiB or leads out of the segment.
    #[error("the record length {0} is impossible")]
    Length(u32),
    /// The checksum does not fit bytes, offset, length and nonce.
    #[error("the record checksum does not match")]
    Checksum,
    /// The bytes between the record and the next one are not zero.
    #[error("the padding of the record is not zero")]
    Padding,
}

/// The space a payload of this length takes.
#[inline]
pub(crate) fn frame_bytes(payload: usize) -> u64 {
    aligned(FRAME_ALIGN.saturating_add(to_u64(payload)))
}

/// Prepares a frame for the absolute offset `at`. The payload is within the limit: the writer
/// checked it.
#[inline]
pub(crate) fn build<'a>(
    header: RecordHeader,
    rec_no: u64,
    payload: &'a [u8],
    nonce: u64,
    at: u64,
) -> NewFrame<'a> {
    assert!(frame_bytes(payload.len()) <= FRAME_BYTES_MAX, "the payload fits a frame");
    let len = low_bits(FRAME_ALIGN.saturating_add(to_u64(payload.len())));
    let body = header.encode(low_bits(rec_no));
    let crc = sum(seed(nonce, at, len), &body, payload);
    NewFrame { len, crc, body, payload }
}

impl NewFrame<'_> {
    /// Space taken, padding included.
    #[inline]
    pub(crate) fn bytes(&self) -> u64 {
        aligned(u64::from(self.len))
    }

    /// Appends the whole frame to `out`, padding included.
    #[inline]
    pub(crate) fn assemble(&self, out: &mut Vec<u8>) {
        let end = out.len().saturating_add(to_usize(self.bytes()));
        out.extend_from_slice(&self.len.to_le_bytes());
        out.extend_from_slice(&self.crc.to_le_bytes());
        out.extend_from_slice(&self.body);
        out.extend_from_slice(self.payload);
        out.resize(end, 0);
    }
}

/// Validates the frame at the start of `bytes`, which lies at the absolute offset `at` and reaches
/// at most to the end of the segment.
#[inline]
pub(crate) fn check(bytes: &[u8], nonce: u64, at: u64) -> Result<Frame<'_>, Fault> {
    let Some((len, rest)) = bytes.split_first_chunk::<4>() else {
        return Err(Fault::Absent);
    };
    let len = u32::from_le_bytes(*len);
    if len == 0 {
        return Err(Fault::Absent);
    }
    let taken = aligned(u64::from(len));
    let frame = bytes.get(..to_usize(taken));
    if u64::from(len) < FRAME_ALIGN || taken > FRAME_BYTES_MAX || frame.is_none() {
        return Err(Fault::Length(len));
    }
    let Some((crc, rest)) = rest.split_first_chunk::<4>() else {
        return Err(Fault::Length(len));
    };
    let Some((summed, _)) = rest.split_at_checked(to_usize(u64::from(len).saturating_sub(8)))
    else {
        return Err(Fault::Length(len));
    };
    let Some((body, payload)) = summed.split_first_chunk::<24>() else {
        return Err(Fault::Length(len));
    };
    if sum(seed(nonce, at, len), body, payload) != u32::from_le_bytes(*crc) {
        return Err(Fault::Checksum);
    }
    let padding = frame.and_then(|frame| frame.get(to_usize(u64::from(len))..)).unwrap_or(&[]);
    if padding.iter().any(|&byte| byte != 0) {
        return Err(Fault::Padding);
    }
    let (header, rec_no) = RecordHeader::decode(body);
    Ok(Frame { header, rec_no, payload, bytes: taken })
}

/// Mixes nonce, place and length into a checksum seed; two rounds of a multiply-xorshift, so that
/// any single difference changes about half of the bits.
#[inline]
fn seed(nonce: u64, at: u64, len: u32) -> u32 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut mixed = nonce ^ at.wrapping_mul(ODD);
    mixed = (mixed ^ mixed >> 32).wrapping_mul(ODD) ^ u64::from(len);
    mixed = (mixed ^ mixed >> 29).wrapping_mul(ODD);
    low_bits(mixed >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: RecordHeader = RecordHeader { seq: 3, ts_ns: -4, kind: 5, lane: 6, flags: 0xF0 };

    fn bytes(payload: &[u8], nonce: u64, at: u64) -> Vec<u8> {
        let mut out = Vec::new();
        build(HEADER, 9, payload, nonce, at).assemble(&mut out);
        out
    }

    #[test]
    fn frame_reads_back_only_at_its_own_place_and_nonce() {
        let frame = bytes(b"forty bytes of payload", 1, 4096);
        let read = check(&frame, 1, 4096).unwrap();
        assert_eq!((read.header, read.rec_no, read.bytes), (HEADER, 9, 64));
        assert_eq!(read.payload, b"forty bytes of payload");
        assert_eq!(check(&frame, 2, 4096).unwrap_err(), Fault::Checksum);
        assert_eq!(check(&frame, 1, 4128).unwrap_err(), Fault::Checksum);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        let frame = bytes(&[0; 7], 1, 4096);
        for bit in 0..frame.len() * 8 {
            let mut changed = frame.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(check(&changed, 1, 4096).is_err(), "bit {bit}");
        }
        for cut in 0..frame.len() {
            assert!(check(&frame[..cut], 1, 4096).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn seed_depends_on_nonce_place_and_length() {
        let seeds = [seed(1, 4096, 64), seed(2, 4096, 64), seed(1, 4128, 64), seed(1, 4096, 65)];
        for (index, one) in seeds.iter().enumerate() {
            assert!(!seeds[..index].contains(one), "{seeds:x?}");
        }
    }

    #[test]
    fn event_of_64_bytes_takes_96() {
        assert_eq!(frame_bytes(64), 96);
        assert_eq!(bytes(&[1; 64], 0, 0).len(), 96);
    }
}
