//! One sequenced, checksummed, append-only record of everything a run saw and decided.
//!
//! A journal is a directory of equally long segment files (`00000000.slj`, `00000001.slj`, …) and a
//! lock file. One [`Writer`] appends records; any number of [`Reader`]s, in this or another
//! process, read them back in the same order. The crate knows bytes, sequence numbers and
//! checksums; it does not know what a trade is, reads no clock and starts no thread.
//!
//! What it guarantees:
//! - After a killed process, an exact prefix of the records is read back, at least up to the last
//!   flush that returned; the mapped sink needs no flush.
//! - After a power loss, an exact prefix of the records is read back, at least up to the last
//!   successful sync. A record that was never written is never returned.
//! - *Torn* (the tail of a crash) and *corrupt* (damage to bytes proven to be on stable storage)
//!   are told apart, and only a torn tail is ever cut. The table stands in [`verdict`].
//! - After the first failed sync the writer refuses everything: a retried sync may report success
//!   for lost data.
//! - A full disk is an error, never a signal: space is reserved and faulted in before it is used.
//!
//! What it does not offer: more than one writer, removal or change of records, a sync per record
//! (the unit of durability is the segment), and copies on other machines.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use journal::{Identity, LANE_INPUT, Options, Reader, RecordHeader, SinkKind, Writer};
//!
//! # let scratch = tempfile::tempdir()?;
//! # let dir = scratch.path().join("run");
//! let identity = Identity { run_id: 7, nonce: 0x5EED, ..Identity::ZERO };
//! let options = Options { segment_bytes: 1 << 20, sink: SinkKind::Mmap, sync: true, identity };
//! let (mut writer, _keeper) = Writer::create(&dir, &options)?;
//! let header = RecordHeader { seq: 1, ts_ns: 10, kind: 1, lane: LANE_INPUT, flags: 0 };
//! writer.append(header, b"best bid 101")?;
//! writer.flush()?; // From here on it survives the death of the process.
//! writer.seal()?;
//!
//! let mut reader = Reader::open(&dir)?;
//! let record = reader.next()?.ok_or("the journal is empty")?;
//! assert_eq!((record.header, record.payload), (header, &b"best bid 101"[..]));
//! # Ok(())
//! # }
//! ```
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::wildcard_enum_match_arm
    )
)]

/// Typed errors: what was attempted, on what, what to do.
pub mod error;
/// Constants and the record header, byte by byte.
pub mod layout;
/// The repair of a torn tail.
pub mod recovery;
/// The lettered table that tells clean, torn and corrupt apart.
pub mod verdict;
/// Read-only check of a whole journal.
pub mod verify;

/// Payloads of the journal's own records.
mod control;
/// The one door to the file system.
mod disk;
/// Fixed-width little-endian fields in and out of byte arrays.
mod fields;
/// One record on disk: checksum, validation.
mod frame;
/// The first page of a segment, and the identity of a run.
mod header;
/// The mapped segment: the only file with unsafe code.
mod map;
/// The rules of order, checked before a write and after a read.
mod order;
/// The segment written by system calls.
mod pwrite;
/// Records in file order, fragments joined.
mod reader;
/// The sealing of a full segment: sync, hash, footer.
mod seal;
/// A segment in use, whichever way it is written.
mod sink;
/// The keeper: prepares spare segments and seals full ones off the writer's thread.
mod spare;
/// The checksum of a record.
mod sum;
/// Read-only summary of a journal from headers and ends.
mod summary;
/// The search for valid records behind the end of the valid prefix.
mod survey;
/// The walk over all frames of a journal up to its end or its first fault.
mod walk;
/// A buffered view of one segment file.
mod window;
/// The single writer.
mod writer;

#[cfg(test)]
mod tests;

pub use error::{AppendError, DiskError, OpenError, OrderError, ReadError};
pub use header::Identity;
pub use layout::{
    KIND_BARRIER, KIND_END_SEGMENT, KIND_RECOVERED, LANE_CONTROL, LANE_EGRESS, LANE_EXECUTION,
    LANE_INPUT, LANE_RISK, LANE_STRATEGY, LANE_TELEMETRY, RecordHeader,
};
pub use reader::{Reader, Record};
pub use recovery::{Recovery, recover};
pub use sink::SinkKind;
pub use spare::Keeper;
pub use summary::{Info, InputSpan, SegmentInfo, info};
pub use verdict::{Case, Verdict};
pub use verify::{Report, at_rest, verify};
pub use writer::{Options, Sealed, Writer};
