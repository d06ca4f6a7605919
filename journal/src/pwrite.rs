//! A segment written by system calls: one `pwrite` per record.
//!
//! Slower than the mapped segment by about a microsecond per record, but a failing disk is an error
//! here and never a signal. The bytes in the file are the same. The space of the segment is
//! reserved before, so a full disk shows when a spare is prepared and not in the middle of a
//! record.

use crate::disk::SegmentFile;
use crate::error::DiskError;
use crate::frame::NewFrame;
use crate::layout::{FRAME_BYTES_MAX, to_u64, to_usize};

/// The buffer in which frames are put together.
#[derive(Debug)]
pub(crate) struct PwriteSegment {
    assembled: Vec<u8>,
}

impl PwriteSegment {
    pub(crate) fn new() -> Self {
        Self { assembled: Vec::with_capacity(to_usize(FRAME_BYTES_MAX)) }
    }

    /// Writes a frame at `offset`. Length and content go out in one call, so a killed process may
    /// leave a frame that is cut at a page boundary; the checksum tells.
    pub(crate) fn commit(
        &mut self,
        file: &SegmentFile,
        offset: usize,
        frame: &NewFrame<'_>,
    ) -> Result<(), DiskError> {
        frame.assemble(&mut self.assembled);
        file.write_at(&self.assembled, to_u64(offset))
    }
}
