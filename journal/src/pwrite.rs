//! A segment written by system calls: frames are collected in a buffer and leave it in whole runs.
//!
//! One call carries thousands of records, and pages that a run covers whole are never zeroed first,
//! so this is the cheaper way to fill new pages. A failing disk is an error here and never a
//! signal. The bytes in the file are the same as those of the mapped segment. The space of the
//! segment is reserved before, so a full disk shows when a spare is prepared and not in the middle
//! of a run.
//!
//! Guarantees: runs go out one after the other, each where the last one ended, so the file holds a
//! prefix of the frames whenever the process is killed. What is in the buffer is in no file yet:
//! the writer says so of [`Writer::append`](crate::Writer::append).

use crate::disk::SegmentFile;
use crate::error::DiskError;
use crate::frame::NewFrame;
use crate::layout::{FRAME_BYTES_MAX, to_u64, to_usize};

/// Bytes collected at most: some 2,700 events, which fit a second-level cache beside the ring they
/// came from, and make the cost of a call vanish in that of the copy.
const RUN_BYTES: usize = 256 * 1024;
const _: () = assert!(RUN_BYTES >= 2 * to_usize(FRAME_BYTES_MAX));

/// The frames that are not yet in the file.
#[derive(Debug)]
pub(crate) struct PwriteSegment {
    run: Vec<u8>,
    /// Offset in the file of the run.
    start: u64,
}

impl PwriteSegment {
    pub(crate) fn new() -> Self {
        Self { run: Vec::with_capacity(RUN_BYTES), start: 0 }
    }

    /// Puts a frame at `offset`, which is where the last one ended, into the buffer; writes what
    /// was there before if there is no room.
    #[inline]
    pub(crate) fn commit(
        &mut self,
        file: &SegmentFile,
        offset: usize,
        frame: &NewFrame<'_>,
    ) -> Result<(), DiskError> {
        if self.run.len().saturating_add(to_usize(frame.bytes())) > RUN_BYTES {
            self.flush(file)?;
        }
        if self.run.is_empty() {
            self.start = to_u64(offset);
        }
        let end = to_usize(self.start).saturating_add(self.run.len());
        assert_eq!(end, offset, "a run has no gap");
        frame.assemble(&mut self.run);
        Ok(())
    }

    /// Writes the run in one call. A process that is killed in it leaves a run that is cut at some
    /// byte; checksums tell. After a failure nothing more may be written.
    pub(crate) fn flush(&mut self, file: &SegmentFile) -> Result<(), DiskError> {
        if self.run.is_empty() {
            return Ok(());
        }
        file.write_at(&self.run, self.start)?;
        self.run.clear();
        Ok(())
    }

    /// True if nothing is in the buffer.
    pub(crate) fn is_flushed(&self) -> bool {
        self.run.is_empty()
    }
}
