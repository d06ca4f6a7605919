//! A segment in use, whichever way it is written. Both ways put the same bytes into the file.

use crate::disk::{Disk, SegmentFile};
use crate::error::{Action, DiskError};
use crate::frame::NewFrame;
use crate::map::MappedSegment;
use crate::pwrite::PwriteSegment;

/// How records reach the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SinkKind {
    /// Stores into a mapped segment: nanoseconds per record, no system call.
    Mmap,
    /// One system call per run of records, when [`Writer::flush`](crate::Writer::flush) asks or 256
    /// KiB are collected: a failing disk is an error and never a signal.
    Pwrite,
}

/// A segment file with its way of writing.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) index: u64,
    pub(crate) file: SegmentFile,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Mmap(MappedSegment),
    Pwrite(PwriteSegment),
}

impl Segment {
    /// Makes a segment of a file that is reserved; it is ready to be written. The file
    /// is removed again if that fails.
    pub(crate) fn open(
        disk: &Disk,
        file: SegmentFile,
        index: u64,
        bytes: u64,
        kind: SinkKind,
    ) -> Result<Self, DiskError> {
        let sink = match kind {
            SinkKind::Pwrite => Ok(Sink::Pwrite(PwriteSegment::new())),
            SinkKind::Mmap => map(&file, bytes).map(Sink::Mmap),
        };
        match sink {
            Ok(sink) => Ok(Self { index, file, sink }),
            Err(cause) => {
                // The first failure is the one to report; a left-over file is an empty spare.
                disk.remove(file.path()).ok();
                Err(cause)
            }
        }
    }

    /// Takes one frame; until `flush` it may be in no file.
    #[inline]
    pub(crate) fn commit(&mut self, offset: usize, frame: &NewFrame<'_>) -> Result<(), DiskError> {
        match &mut self.sink {
            Sink::Mmap(mapped) => {
                mapped.commit(offset, frame);
                Ok(())
            }
            Sink::Pwrite(written) => written.commit(&self.file, offset, frame),
        }
    }

    /// Hands to the file what `commit` took.
    #[inline]
    pub(crate) fn flush(&mut self) -> Result<(), DiskError> {
        match &mut self.sink {
            Sink::Mmap(_) => Ok(()),
            Sink::Pwrite(written) => written.flush(&self.file),
        }
    }

    /// Gives up the mapping, if there is one, and keeps the file.
    pub(crate) fn into_file(self) -> SegmentFile {
        if let Sink::Pwrite(written) = &self.sink {
            assert!(written.is_flushed(), "a segment is left with all its frames in the file");
        }
        self.file
    }
}

fn map(file: &SegmentFile, bytes: u64) -> Result<MappedSegment, DiskError> {
    let mapped = file.attempt(Action::Map, |file| MappedSegment::new(file, bytes))?;
    file.attempt(Action::Populate, |_| mapped.populate())?;
    Ok(mapped)
}
