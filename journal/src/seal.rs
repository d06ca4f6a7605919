//! The sealing of a full segment: look, sync, hash, END_SEGMENT, sync, cut.
//!
//! The look comes first because a file that another program cut or removed takes writes without an
//! error: nothing but its length and its name tell.
//!
//! The order makes END_SEGMENT a proof: it is written only after everything before it was synced,
//! and the file is shortened only after END_SEGMENT was synced. So a valid END_SEGMENT means that
//! the whole segment was on stable storage, and a short file without one was cut by somebody else.
//! Segments are sealed in order, which lets the chain of hashes run from END_SEGMENT to
//! END_SEGMENT: `hash[n] = BLAKE3(hash[n-1] ‖ bytes of segment n before its END_SEGMENT)`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::control::{self, END_SEGMENT_BYTES, EndSegment};
use crate::error::{Action, DiskError};
use crate::frame;
use crate::layout::{HEADER_BYTES, KIND_END_SEGMENT, to_u64, to_usize};
use crate::order::Order;
use crate::sink::Segment;

/// Bytes read at a time for a hash: enough for BLAKE3 to use all vector lanes, and few enough that
/// a thread which waits for this processor gets it after some 20 microseconds.
const HASH_CHUNK_BYTES: usize = 64 * 1024;

/// A segment the writer has left.
#[derive(Debug)]
pub(crate) struct Retired {
    pub(crate) segment: Segment,
    /// Offset in the file at which END_SEGMENT goes.
    pub(crate) end: u64,
    /// Frames in the segment.
    pub(crate) records: u64,
    /// The order after its last record; END_SEGMENT takes the next number.
    pub(crate) order: Order,
    /// True if no segment follows.
    pub(crate) is_final: bool,
}

/// What a successful seal proves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SealReport {
    /// Absolute offset of the end of END_SEGMENT.
    pub(crate) durable_off: u64,
    /// Last input sequence in the segment or before it.
    pub(crate) durable_seq: u64,
    /// The segment's hash.
    pub(crate) hash: [u8; 32],
    /// Bytes of all segment files so far.
    pub(crate) bytes: u64,
    /// True if the run ended with this segment.
    pub(crate) is_final: bool,
}

/// The place of a segment in its journal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) segment_bytes: u64,
    pub(crate) nonce: u64,
}

impl Place {
    /// Absolute offset of an offset in a segment.
    pub(crate) fn absolute(&self, index: u64, offset: u64) -> u64 {
        index.saturating_mul(self.segment_bytes).saturating_add(offset)
    }
}

/// Seals a segment and returns its END_SEGMENT. On an error the segment counts as unsealed and
/// nothing after it may be sealed.
pub(crate) fn seal(
    retired: Retired,
    place: Place,
    previous_hash: [u8; 32],
) -> Result<EndSegment, DiskError> {
    let Retired { segment, end, records, order, is_final } = retired;
    let index = segment.index;
    // The mapping goes first: nothing may store into a file that is about to be shortened.
    let file = segment.into_file();
    file.confirm(place.segment_bytes)?;
    file.sync_data()?;
    let hash = file.attempt(Action::Read, |file| hash(file, end, &previous_hash))?;
    let footer = EndSegment {
        durable_off: place.absolute(index, end),
        records,
        last_seq: order.last_seq(),
        last_ts_ns: order.last_ts_ns(),
        is_final,
        previous_hash,
        hash,
    };
    let payload = footer.encode();
    let header = control::header(KIND_END_SEGMENT, &order);
    let mut bytes = Vec::with_capacity(to_usize(END_SEGMENT_BYTES));
    frame::build(header, order.next_rec_no(), &payload, place.nonce, footer.durable_off)
        .assemble(&mut bytes);
    assert_eq!(to_u64(bytes.len()), END_SEGMENT_BYTES, "END_SEGMENT has a fixed length");
    file.write_at(&bytes, end)?;
    file.sync_data()?;
    file.shorten(end.saturating_add(END_SEGMENT_BYTES))?;
    file.sync_all()?;
    Ok(footer)
}

/// BLAKE3 of the previous hash and the first `end` bytes of the file.
///
/// Where the keeper shares its processor with the writer's thread, others may wait for a record
/// meanwhile, and the scheduler would let this go on for a tick, 4 ms: hence it asks to be put off
/// after each chunk.
pub(crate) fn hash(file: &File, end: u64, previous_hash: &[u8; 32]) -> io::Result<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(previous_hash);
    let mut buffer = vec![0; HASH_CHUNK_BYTES.min(to_usize(end.max(HEADER_BYTES)))];
    let mut offset = 0;
    while offset < end {
        let wanted = to_usize(end.saturating_sub(offset)).min(buffer.len());
        let (chunk, _) = buffer.split_at_mut(wanted);
        file.read_exact_at(chunk, offset)?;
        hasher.update(chunk);
        std::thread::yield_now();
        offset = offset.saturating_add(to_u64(wanted));
    }
    Ok(*hasher.finalize().as_bytes())
}
