//! The repair of a torn tail, where the table of `verdict` allows it.
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
use crate::layout::{
    HEADER_BYTES, KIND_RECOVERED, SEGMENT_BYTES_MAX, segment_name, to_u64, to_usize,
};
use crate::verdict::Verdict;
use crate::verify::{Report, examine};
use crate::walk::{Ending, Walk};

/// Bytes of zeros written at a time.
const ZERO_CHUNK_BYTES: usize = 64 * 1024;

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
        let path = dir.join(segment_name(index));
        if disk.oddity(&path, SEGMENT_BYTES_MAX)?.is_none() {
            disk.open_segment(dir, index)?.sync_all()?;
        }
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
