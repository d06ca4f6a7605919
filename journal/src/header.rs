//! The segment header: who wrote this file, which place it has, what precedes it.
//!
//! ```text
//! off  size  field            off  size  field
//!   0     4  magic "SLJ1"      64    16  run_id
//!   4     4  format version    80    16  parent_run_id
//!   8     8  segment_bytes     96     8  wall_ns
//!  16     8  index            104     4  semantics
//!  24     8  base_rec_no      108     4  header_bytes = 4096
//!  32     8  base_seq         112    32  build_hash
//!  40     8  base_ts_ns       144    32  config_hash
//!  48     8  previous_end     176    32  rules_hash
//!  56     8  nonce            208    32  schema_hash
//!                             240  3852  zeros
//!                            4092     4  crc32c of bytes 0..4092
//! ```
//!
//! The header of segment 0 is synced before the writer exists. Later headers are written at the
//! roll, before the first record of their segment, and become durable with it. The hash of the
//! previous segment is not here: at the roll it is not known yet, since hashing a segment takes
//! tens of milliseconds. The chain of hashes runs through the END_SEGMENT records instead.

use crate::fields::{Packer, Unpacker};
use crate::layout::{FORMAT_VERSION, HEADER_BYTES, MAGIC, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
use crate::order::Order;

/// Length of the header as an array length.
const HEADER_LEN: usize = to_array_len(HEADER_BYTES);
/// The part the checksum covers.
const CHECKED_LEN: usize = HEADER_LEN - 4;
/// The sum of the fields above.
const FIELDS_LEN: usize = 240;

/// Identity of a run, the same in all its segments. All of it comes from the caller: this crate
/// reads no clock, no random numbers and no environment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// This run.
    pub run_id: u128,
    /// The run this one continues, or 0.
    pub parent_run_id: u128,
    /// Hash of the program.
    pub build_hash: [u8; 32],
    /// Hash of the effective configuration.
    pub config_hash: [u8; 32],
    /// Hash of the rule texts at the start.
    pub rules_hash: [u8; 32],
    /// Hash of the table of record kinds and their encodings.
    pub schema_hash: [u8; 32],
    /// Version of the decision semantics.
    pub semantics: u32,
    /// Wall clock at the start of the run, nanoseconds since the Unix epoch.
    pub wall_ns: i64,
    /// Seed of the record checksums. Must differ between runs, so that bytes of an older file that
    /// show up in this one do not validate.
    pub nonce: u64,
}

impl Identity {
    /// The identity of nobody: a start for struct update syntax in tools and tests.
    pub const ZERO: Self = Self {
        run_id: 0,
        parent_run_id: 0,
        build_hash: [0; 32],
        config_hash: [0; 32],
        rules_hash: [0; 32],
        schema_hash: [0; 32],
        semantics: 0,
        wall_ns: 0,
        nonce: 0,
    };
}

/// The fields of the first page of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SegmentHeader {
    pub(crate) identity: Identity,
    /// Length of every segment of this journal.
    pub(crate) segment_bytes: u64,
    /// Place of this segment, from 0.
    pub(crate) index: u64,
    /// Number of its first record.
    pub(crate) base_rec_no: u64,
    /// The input sequence that comes next, 0 if there was no input yet.
    pub(crate) base_seq: u64,
    /// Time of the last input before this segment, `i64::MIN` if there was none.
    pub(crate) base_ts_ns: i64,
    /// Where the records of the previous segment end, 0 in segment 0: the proof that the previous
    /// segment is complete although its END_SEGMENT may be missing.
    pub(crate) previous_end: u64,
}

/// What the first page of a file turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum FirstPage {
    /// A header of this version.
    Valid(Box<SegmentHeader>),
    /// A header with a valid checksum, of another version.
    Version(u32),
    /// Nothing but zeros: a spare segment, or a page that a power loss took.
    Zero,
    /// Anything else.
    Damaged,
}

impl SegmentHeader {
    /// The order a reader of this segment starts from.
    pub(crate) fn order(&self) -> Order {
        Order::at(self.base_rec_no, self.base_seq, self.base_ts_ns)
    }

    pub(crate) fn encode(&self) -> [u8; HEADER_LEN] {
        let id = &self.identity;
        let fields = Packer::<CHECKED_LEN>::new()
            .put(&MAGIC)
            .put(&FORMAT_VERSION.to_le_bytes())
            .put(&self.segment_bytes.to_le_bytes())
            .put(&self.index.to_le_bytes())
            .put(&self.base_rec_no.to_le_bytes())
            .put(&self.base_seq.to_le_bytes())
            .put(&self.base_ts_ns.to_le_bytes())
            .put(&self.previous_end.to_le_bytes())
            .put(&id.nonce.to_le_bytes())
            .put(&id.run_id.to_le_bytes())
            .put(&id.parent_run_id.to_le_bytes())
            .put(&id.wall_ns.to_le_bytes())
            .put(&id.semantics.to_le_bytes())
            .put(&header_bytes().to_le_bytes())
            .put(&id.build_hash)
            .put(&id.config_hash)
            .put(&id.rules_hash)
            .put(&id.schema_hash)
            .done();
        let checksum = crc32c::crc32c(&fields);
        Packer::<HEADER_LEN>::new().put(&fields).put(&checksum.to_le_bytes()).done()
    }

    /// Judges the first page of a file; `page` may be short if the file is.
    pub(crate) fn decode(page: &[u8]) -> FirstPage {
        if page.iter().all(|&byte| byte == 0) {
            return FirstPage::Zero;
        }
        let Some((fields, checksum)) = page.split_first_chunk::<CHECKED_LEN>() else {
            return FirstPage::Damaged;
        };
        if checksum != crc32c::crc32c(fields).to_le_bytes() {
            return FirstPage::Damaged;
        }
        decode_fields(fields).unwrap_or(FirstPage::Damaged)
    }
}

fn decode_fields(fields: &[u8; CHECKED_LEN]) -> Option<FirstPage> {
    let (known, reserved) = fields.split_first_chunk::<FIELDS_LEN>()?;
    let mut input = Unpacker::new(known);
    if input.array::<4>()? != MAGIC {
        return None;
    }
    let version = input.u32()?;
    if version != FORMAT_VERSION {
        return Some(FirstPage::Version(version));
    }
    let segment_bytes = input.u64()?;
    let index = input.u64()?;
    let base_rec_no = input.u64()?;
    let base_seq = input.u64()?;
    let base_ts_ns = input.i64()?;
    let previous_end = input.u64()?;
    let nonce = input.u64()?;
    let run_id = input.u128()?;
    let parent_run_id = input.u128()?;
    let wall_ns = input.i64()?;
    let semantics = input.u32()?;
    if !is_segment_length(segment_bytes) {
        return None;
    }
    if input.u32()? != header_bytes() || reserved.iter().any(|&byte| byte != 0) {
        return None;
    }
    let identity = Identity {
        run_id,
        parent_run_id,
        build_hash: input.array()?,
        config_hash: input.array()?,
        rules_hash: input.array()?,
        schema_hash: input.array()?,
        semantics,
        wall_ns,
        nonce,
    };
    let header = SegmentHeader {
        identity,
        segment_bytes,
        index,
        base_rec_no,
        base_seq,
        base_ts_ns,
        previous_end,
    };
    input.is_empty().then(|| FirstPage::Valid(Box::new(header)))
}

/// True for the lengths a segment may have.
pub(crate) fn is_segment_length(bytes: u64) -> bool {
    bytes.is_power_of_two() && (SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&bytes)
}

fn header_bytes() -> u32 {
    (HEADER_BYTES & 0xFFFF_FFFF) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "a constant of 4096, in a const context")]
const fn to_array_len(bytes: u64) -> usize {
    bytes as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_reads_back_and_any_changed_byte_is_seen() {
        let header = SegmentHeader {
            identity: Identity {
                run_id: 5,
                semantics: 3,
                wall_ns: -9,
                nonce: 77,
                ..Identity::ZERO
            },
            segment_bytes: 8192,
            index: 2,
            base_rec_no: 11,
            base_seq: 6,
            base_ts_ns: i64::MIN,
            previous_end: 7000,
        };
        let page = header.encode();
        assert_eq!(SegmentHeader::decode(&page), FirstPage::Valid(Box::new(header)));
        for at in 0..page.len() {
            let mut changed = page;
            changed[at] ^= 0x10;
            assert_eq!(SegmentHeader::decode(&changed), FirstPage::Damaged, "byte {at}");
        }
        for cut in 1..page.len() {
            assert_eq!(SegmentHeader::decode(&page[..cut]), FirstPage::Damaged, "cut at {cut}");
        }
    }

    #[test]
    fn other_versions_are_named_and_zeros_are_a_spare() {
        let mut page =
            SegmentHeader { identity: Identity::ZERO, segment_bytes: 8192, ..ANY }.encode();
        page[4] = 9;
        let checksum = crc32c::crc32c(&page[..CHECKED_LEN]).to_le_bytes();
        page[CHECKED_LEN..].copy_from_slice(&checksum);
        assert_eq!(SegmentHeader::decode(&page), FirstPage::Version(9));
        assert_eq!(SegmentHeader::decode(&[0; 4096]), FirstPage::Zero);
    }

    const ANY: SegmentHeader = SegmentHeader {
        identity: Identity::ZERO,
        segment_bytes: 8192,
        index: 0,
        base_rec_no: 0,
        base_seq: 0,
        base_ts_ns: 0,
        previous_end: 0,
    };
}
