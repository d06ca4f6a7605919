//! What the end of a journal means, as a table of lettered cases, and the repair of a torn tail.
//!
//! The outcome is a value, not an error: policy decides. *Proven* means that a valid record behind
//! the place (BARRIER, END_SEGMENT or RECOVERED) says the bytes at the place were on stable
//! storage.
//!
//! | | the walk stops at | behind it | verdict |
//! |---|---|---|---|
//! | A | the final END_SEGMENT | nothing | Clean, sealed |
//! | B | no record (length 0), no open fragments | only zeros | Clean, unsealed: killed |
//! | C | no record, inside a fragmented record | only zeros | Torn |
//! | D | no record | bytes other than zero, not proven | Torn: a hole, or no length stored |
//! | E | an invalid record | not proven | Torn: a half-written record |
//! | F | a lost header after a sealed segment | not proven | Torn at the start of that segment |
//! | G | no record, an invalid one or a lost header | proven | Corrupt: damage to durable bytes |
//! | H | as G, in a file shorter than its segment | not proven | Corrupt: somebody cut it |
//! | I | a segment file that is missing | – | Corrupt |
//! | J | an intact segment that does not belong here | – | Corrupt: stale, doubled or swapped |
//! | K | END_SEGMENT or BARRIER, which disagrees with what it seals | – | Corrupt: altered |
//! | L | END_SEGMENT | bytes in its file, or a segment after the final one | Corrupt |
//! | M | the header of segment 0 | – | Corrupt: it was durable before the run began |
//!
//! One more state is no ending: a segment without a valid END_SEGMENT whose successor's header
//! continues exactly where it stops (record number, input sequence, time and end offset) is
//! complete; the run was killed before the seal. The walk goes on.
//!
//! Why H is not Torn: a segment has its full length, durably, before its first record, and is
//! shortened only after its END_SEGMENT was synced. No crash makes a file short.
//!
//! Limit: bytes that were synced after the last proof and then rot look torn (D, E, F). The unit of
//! proof is the segment.
//!
//! Repair of C to F: files behind the cut are removed, last first; zeros are written from the cut
//! to the end of the segment and synced; RECOVERED is appended and synced. Each step leaves a
//! journal that is torn at the same place or clean, so a crash in between is repaired by running it
//! again; a crash just before the last step loses the note and no record.

use std::path::Path;

use crate::control::{self, END_SEGMENT_BYTES, RECOVERED_BYTES, Recovered};
use crate::disk::Disk;
use crate::error::{DiskError, OpenError, ReadError};
use crate::frame;
use crate::header::SegmentHeader;
use crate::layout::{HEADER_BYTES, KIND_RECOVERED, segment_name, to_u64, to_usize};
use crate::verify::{Report, examine};
use crate::walk::{Ending, Walk};

/// Bytes of zeros written at a time.
const ZERO_CHUNK_BYTES: usize = 64 * 1024;

/// What the end of a journal means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// All records are whole; nothing was lost.
    Clean,
    /// A crash took the records from this absolute offset on; none of them was proven durable.
    Torn {
        /// Absolute offset: segment index × segment length + offset in the file.
        at: u64,
    },
    /// Durable bytes are damaged, missing or out of place. Nothing may be cut.
    Corrupt {
        /// Absolute offset up to which the records are valid.
        at: u64,
    },
}

/// A row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Case {
    /// A: ended in order.
    Sealed,
    /// B: killed, with only whole records.
    Unsealed,
    /// C: killed inside a fragmented record.
    OpenFragments,
    /// D: no record, but bytes behind.
    Hole,
    /// E: a half-written record.
    TornRecord,
    /// F: a segment whose header was not written out.
    LostHeader,
    /// G: damage below a proven offset.
    ProvenDamage,
    /// H: a file that was cut.
    ShortFile,
    /// I: a file that is missing.
    MissingSegment,
    /// J: a file from elsewhere.
    ForeignSegment,
    /// K: contents that do not fit the seal.
    WrongSeal,
    /// L: bytes where none can be.
    BytesBehindSeal,
    /// M: the first header.
    FirstHeader,
}

impl Case {
    /// All cases in the order of the table.
    pub const ALL: [Self; 13] = [
        Self::Sealed,
        Self::Unsealed,
        Self::OpenFragments,
        Self::Hole,
        Self::TornRecord,
        Self::LostHeader,
        Self::ProvenDamage,
        Self::ShortFile,
        Self::MissingSegment,
        Self::ForeignSegment,
        Self::WrongSeal,
        Self::BytesBehindSeal,
        Self::FirstHeader,
    ];

    /// The letter of the row.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Sealed => 'A',
            Self::Unsealed => 'B',
            Self::OpenFragments => 'C',
            Self::Hole => 'D',
            Self::TornRecord => 'E',
            Self::LostHeader => 'F',
            Self::ProvenDamage => 'G',
            Self::ShortFile => 'H',
            Self::MissingSegment => 'I',
            Self::ForeignSegment => 'J',
            Self::WrongSeal => 'K',
            Self::BytesBehindSeal => 'L',
            Self::FirstHeader => 'M',
        }
    }

    /// The verdict on a journal whose valid prefix ends at the absolute offset `at`.
    #[must_use]
    pub fn verdict(self, at: u64) -> Verdict {
        match self {
            Self::Sealed | Self::Unsealed => Verdict::Clean,
            Self::OpenFragments | Self::Hole | Self::TornRecord | Self::LostHeader => {
                Verdict::Torn { at }
            }
            Self::ProvenDamage
            | Self::ShortFile
            | Self::MissingSegment
            | Self::ForeignSegment
            | Self::WrongSeal
            | Self::BytesBehindSeal
            | Self::FirstHeader => Verdict::Corrupt { at },
        }
    }

    pub(crate) fn explanation(self) -> &'static str {
        match self {
            Self::Sealed => "the run ended in order",
            Self::Unsealed => "the run was killed, its records are whole",
            Self::OpenFragments => "the run ended inside a fragmented record",
            Self::Hole => "the run ended with bytes behind its last record",
            Self::TornRecord => "the run ended in a half-written record",
            Self::LostHeader => "the run ended before a segment header was written out",
            Self::ProvenDamage => "bytes that were on stable storage are damaged",
            Self::ShortFile => "the file was cut",
            Self::MissingSegment => "a segment is missing",
            Self::ForeignSegment => "a file of another run or place lies here",
            Self::WrongSeal => "the segment does not fit its seal",
            Self::BytesBehindSeal => "bytes lie behind a seal",
            Self::FirstHeader => "the first header is damaged",
        }
    }
}

/// What the walk saw where it stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sight {
    /// The END_SEGMENT that ends the run.
    FinalFooter,
    /// A length of zero, or the end of the file.
    NoRecord,
    /// Bytes that are no record, or a record out of order.
    BadRecord,
    /// No header where a sealed segment is followed by one.
    LostHeader,
    /// No file.
    MissingFile,
    /// An intact header that does not belong here.
    ForeignHeader,
    /// An END_SEGMENT or BARRIER that does not fit.
    WrongSeal,
    /// Bytes after an END_SEGMENT.
    BytesBehind,
}

impl Sight {
    /// True if the verdict depends on the length of the file.
    pub(crate) fn asks_for_length(self) -> bool {
        matches!(self, Self::NoRecord | Self::BadRecord | Self::LostHeader)
    }
}

/// All that the table needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence {
    pub(crate) sight: Sight,
    /// A valid record behind proves the bytes here durable.
    pub(crate) proven: bool,
    /// Something behind is not zero.
    pub(crate) dirt: bool,
    /// The file is shorter than its segment.
    pub(crate) short: bool,
    /// A fragmented record is not complete.
    pub(crate) open: bool,
}

/// The table.
pub(crate) fn decide(evidence: &Evidence) -> Case {
    let Evidence { sight, proven, dirt, short, open } = *evidence;
    match sight {
        Sight::FinalFooter => Case::Sealed,
        Sight::MissingFile => Case::MissingSegment,
        Sight::ForeignHeader => Case::ForeignSegment,
        Sight::WrongSeal => Case::WrongSeal,
        Sight::BytesBehind => Case::BytesBehindSeal,
        Sight::NoRecord | Sight::BadRecord | Sight::LostHeader if proven => Case::ProvenDamage,
        Sight::NoRecord | Sight::BadRecord | Sight::LostHeader if short => Case::ShortFile,
        Sight::LostHeader => Case::LostHeader,
        Sight::BadRecord => Case::TornRecord,
        Sight::NoRecord if dirt => Case::Hole,
        Sight::NoRecord if open => Case::OpenFragments,
        Sight::NoRecord => Case::Unsealed,
    }
}

/// What [`recover`] found and did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovery {
    /// The journal as it was found.
    pub report: Report,
    /// True if a torn tail was cut. The journal is clean then.
    pub repaired: bool,
}

/// Brings a journal whose writer is gone into a clean state, if that loses nothing durable.
///
/// Takes the writer's lock and syncs everything before it reads, so that what it judges is what
/// stays. A torn tail is cut and a RECOVERED record appended; a clean journal loses its empty spare
/// segments; a corrupt one is not touched. Running it again changes nothing more.
///
/// # Errors
/// [`OpenError::Locked`] if a writer is alive, [`OpenError::Read`] if there is no journal of this
/// format version, [`OpenError::Disk`] if the file system refuses.
pub fn recover(dir: &Path) -> Result<Recovery, OpenError> {
    recover_on(&Disk::default(), dir)
}

pub(crate) fn recover_on(disk: &Disk, dir: &Path) -> Result<Recovery, OpenError> {
    if disk.segments(dir)?.is_empty() {
        return Err(ReadError::NoJournal { dir: dir.to_path_buf() }.into());
    }
    let _lock = disk.lock(dir)?;
    for index in disk.segments(dir)? {
        disk.open_segment(dir, index)?.sync_all()?;
    }
    disk.sync_dir(dir)?;
    let (report, end) = examine(disk, dir)?;
    let Some((walk, ending)) = end else {
        return Ok(Recovery { report, repaired: false });
    };
    match report.verdict {
        Verdict::Corrupt { .. } => Ok(Recovery { report, repaired: false }),
        Verdict::Clean => {
            remove_after(disk, dir, ending.index)?;
            Ok(Recovery { report, repaired: false })
        }
        Verdict::Torn { .. } => {
            remove_after(disk, dir, ending.index)?;
            cut(disk, dir, &walk, &ending)?;
            Ok(Recovery { report, repaired: true })
        }
    }
}

/// Removes the segment files after `index`, last first, so that no gap ever shows.
fn remove_after(disk: &Disk, dir: &Path, index: u64) -> Result<(), DiskError> {
    let mut removed = false;
    for later in disk.segments(dir)?.into_iter().rev().take_while(|&later| later > index) {
        disk.remove(&dir.join(segment_name(later)))?;
        removed = true;
    }
    if removed { disk.sync_dir(dir) } else { Ok(()) }
}

/// Zeros the segment from the end of the valid prefix and appends RECOVERED there.
fn cut(disk: &Disk, dir: &Path, walk: &Walk, ending: &Ending) -> Result<(), DiskError> {
    let place = walk.place();
    let file = disk.open_segment(dir, ending.index)?;
    file.reserve(place.segment_bytes)?;
    let zeros = vec![0; ZERO_CHUNK_BYTES];
    let mut offset = ending.offset;
    while offset < place.segment_bytes {
        let wanted = to_usize(place.segment_bytes.saturating_sub(offset)).min(zeros.len());
        let (chunk, _) = zeros.split_at(wanted);
        file.write_at(chunk, offset)?;
        offset = offset.saturating_add(to_u64(wanted));
    }
    // Bytes beyond the segment are not the journal's.
    file.shorten(place.segment_bytes)?;
    file.sync_all()?;
    let mut offset = ending.offset;
    if offset < HEADER_BYTES {
        file.write_at(&lost_header(walk, ending).encode(), 0)?;
        file.sync_data()?;
        offset = HEADER_BYTES;
    }
    if offset.saturating_add(RECOVERED_BYTES) > place.segment_bytes {
        // The reserve is used up by earlier notes; the cut itself is done.
        return Ok(());
    }
    let at = place.absolute(ending.index, offset);
    let note = Recovered {
        durable_off: at,
        durable_seq: walk.order().last_seq(),
        orphans: ending.orphans,
        letter: u8::try_from(ending.case.letter()).unwrap_or_default(),
    };
    let mut bytes = Vec::with_capacity(to_usize(RECOVERED_BYTES));
    let header = control::header(KIND_RECOVERED, walk.order());
    frame::build(header, walk.order().next_rec_no(), &note.encode(), place.nonce, at)
        .assemble(&mut bytes);
    assert_eq!(to_u64(bytes.len()), RECOVERED_BYTES, "RECOVERED has a fixed length");
    file.write_at(&bytes, offset)?;
    file.sync_data()
}

/// The header of a segment that lost it; all of it follows from the segments before.
fn lost_header(walk: &Walk, ending: &Ending) -> SegmentHeader {
    let order = walk.order();
    SegmentHeader {
        identity: *walk.identity(),
        segment_bytes: walk.place().segment_bytes,
        index: ending.index,
        base_rec_no: order.next_rec_no(),
        base_seq: order.next_seq(),
        base_ts_ns: order.last_ts_ns(),
        previous_end: walk.head().saturating_sub(END_SEGMENT_BYTES),
    }
}
