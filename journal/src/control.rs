//! Payloads of the journal's own records. Each begins with the absolute offset below which all
//! bytes were on stable storage when it was written, so one reader of that *claim* serves all.
//!
//! ```text
//! BARRIER             END_SEGMENT              RECOVERED
//!  0   8 durable_off   0   8 durable_off        0  8 durable_off
//!  8   8 durable_seq   8   8 records            8  8 durable_seq
//! 16  32 hash         16   8 last_seq          16  8 orphans
//!                     24   8 last_ts_ns        24  8 case letter
//!                     32   8 final (0 or 1)
//!                     40  32 previous hash
//!                     72  32 hash
//! ```

use crate::fields::{Packer, Unpacker};
use crate::layout::{
    KIND_BARRIER, KIND_END_SEGMENT, KIND_RECOVERED, LANE_CONTROL, RecordHeader, TAIL_RESERVE_BYTES,
};
use crate::order::Order;

/// Space of an END_SEGMENT frame.
pub(crate) const END_SEGMENT_BYTES: u64 = 160;
/// Space of a RECOVERED frame.
pub(crate) const RECOVERED_BYTES: u64 = 64;

const _: () = assert!(END_SEGMENT_BYTES + RECOVERED_BYTES <= TAIL_RESERVE_BYTES);

/// BARRIER: everything up to the end of a sealed segment is on stable storage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Barrier {
    /// Absolute offset of the end of the sealed segment's END_SEGMENT.
    pub(crate) durable_off: u64,
    /// Last input sequence below it.
    pub(crate) durable_seq: u64,
    /// Hash of the sealed segment, which covers all before it through the chain.
    pub(crate) hash: [u8; 32],
}

impl Barrier {
    pub(crate) fn encode(&self) -> [u8; 48] {
        Packer::new()
            .put(&self.durable_off.to_le_bytes())
            .put(&self.durable_seq.to_le_bytes())
            .put(&self.hash)
            .done()
    }

    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let mut input = Unpacker::new(payload);
        let barrier =
            Self { durable_off: input.u64()?, durable_seq: input.u64()?, hash: input.array()? };
        input.is_empty().then_some(barrier)
    }
}

/// END_SEGMENT: the segment is complete and was synced before this record was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct EndSegment {
    /// Absolute offset of this record.
    pub(crate) durable_off: u64,
    /// Frames in this segment before this one.
    pub(crate) records: u64,
    /// Last input sequence so far, 0 if none.
    pub(crate) last_seq: u64,
    /// Time of the last input so far, `i64::MIN` if none.
    pub(crate) last_ts_ns: i64,
    /// True if the run ended in order with this segment.
    pub(crate) is_final: bool,
    /// Hash in the END_SEGMENT of the previous segment, zeros in segment 0.
    pub(crate) previous_hash: [u8; 32],
    /// BLAKE3 of the previous hash and all bytes of the segment before this record.
    pub(crate) hash: [u8; 32],
}

impl EndSegment {
    pub(crate) fn encode(&self) -> [u8; 104] {
        Packer::new()
            .put(&self.durable_off.to_le_bytes())
            .put(&self.records.to_le_bytes())
            .put(&self.last_seq.to_le_bytes())
            .put(&self.last_ts_ns.to_le_bytes())
            .put(&u64::from(self.is_final).to_le_bytes())
            .put(&self.previous_hash)
            .put(&self.hash)
            .done()
    }

    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let mut input = Unpacker::new(payload);
        let footer = Self {
            durable_off: input.u64()?,
            records: input.u64()?,
            last_seq: input.u64()?,
            last_ts_ns: input.i64()?,
            is_final: match input.u64()? {
                0 => false,
                1 => true,
                _ => return None,
            },
            previous_hash: input.array()?,
            hash: input.array()?,
        };
        input.is_empty().then_some(footer)
    }
}

/// RECOVERED: a torn tail was cut here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Recovered {
    /// Absolute offset of this record.
    pub(crate) durable_off: u64,
    /// Last input sequence below it.
    pub(crate) durable_seq: u64,
    /// Valid records behind the cut that were given up.
    pub(crate) orphans: u64,
    /// Letter of the case in the recovery table.
    pub(crate) letter: u8,
}

impl Recovered {
    pub(crate) fn encode(&self) -> [u8; 32] {
        Packer::new()
            .put(&self.durable_off.to_le_bytes())
            .put(&self.durable_seq.to_le_bytes())
            .put(&self.orphans.to_le_bytes())
            .put(&[self.letter])
            .done()
    }
}

/// The record header of a control record at this point of the order.
pub(crate) fn header(kind: u16, order: &Order) -> RecordHeader {
    RecordHeader {
        seq: order.last_seq(),
        ts_ns: order.last_ts_ns(),
        kind,
        lane: LANE_CONTROL,
        flags: 0,
    }
}

/// The offset below which a valid record proves all bytes durable, if it is a record that does. A
/// claim beyond the record itself would be nonsense and is not believed.
pub(crate) fn claim(header: &RecordHeader, payload: &[u8], at: u64) -> Option<u64> {
    let claims = matches!(header.kind, KIND_BARRIER | KIND_END_SEGMENT | KIND_RECOVERED);
    if header.lane != LANE_CONTROL || !claims {
        return None;
    }
    Unpacker::new(payload).u64().filter(|&durable_off| durable_off <= at)
}
