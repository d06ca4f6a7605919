//! A segment mapped into memory, and the only unsafe code of the program.
//!
//! It exists because storing a record into a mapped, faulted-in page is two orders of magnitude
//! faster than a system call per record. The writer calls it once per record; nobody reads through
//! it: readers, the hash of a seal and the footer go through `pread` and `pwrite`, which on Linux
//! see the same page cache.
//!
//! Invariants, cited by number below:
//!
//! 1. *Bounds.* `map` covers exactly `map.len()` bytes of the file from offset 0 and stays mapped
//!    until the value is dropped. `commit` asserts, in release too, that the frame lies inside.
//! 2. *Length of the file.* The file keeps at least that length while it is mapped, or a store
//!    would raise SIGBUS. It was reserved with fallocate before the mapping, the journal's lock
//!    excludes other writers, and the only code that shortens it (`seal`) drops this value before.
//!    Every page was faulted in writable by `MADV_POPULATE_WRITE`, so no store needs a block that
//!    the disk does not have. What remains is a foreign program that truncates the file, or a disk
//!    that fails while a reclaimed page is read back: the kernel then ends the process, and
//!    recovery applies.
//! 3. *One writer.* `commit` takes `&mut self` and there is one mapping per segment. No Rust
//!    reference to mapped bytes is ever formed, apart from the atomic length, so stores alias
//!    nothing that the compiler may reason about. Other processes that map the file read bytes that
//!    change under them and must copy and checksum, as `frame` does.
//! 4. *Alignment.* The mapping is page-aligned and `commit` asserts that frames start at multiples
//!    of 32, so the length word, the checksum word and the next length slot are aligned.

#![expect(unsafe_code, reason = "stores into a mapping: docs/unsafe.md lists every block")]

use std::fs::File;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use memmap2::{Advice, MmapOptions, MmapRaw};

use crate::frame::NewFrame;
use crate::layout::{FRAME_ALIGN, to_usize};

/// Offset of the checksum in a frame.
const CRC_OFFSET: usize = 4;
/// Offset of the rest of the header in a frame.
const BODY_OFFSET: usize = 8;
/// Offset of the payload in a frame.
const PAYLOAD_OFFSET: usize = 32;
/// Bytes of a payload that are copied at once.
const BLOCK_BYTES: usize = 32;

/// The writer's mapping of one segment.
#[derive(Debug)]
pub(crate) struct MappedSegment {
    map: MmapRaw,
}

impl MappedSegment {
    /// Maps the first `bytes` bytes, which must be reserved already.
    pub(crate) fn new(file: &File, bytes: u64) -> io::Result<Self> {
        let map = MmapOptions::new().len(to_usize(bytes)).map_raw(file)?;
        Ok(Self { map })
    }

    /// Faults in every page, writable, so that later stores neither fault nor fail. Unlike
    /// `MAP_POPULATE` it reports errors, and unlike touching the pages it reports them without a
    /// signal.
    pub(crate) fn populate(&self) -> io::Result<()> {
        self.map.advise(Advice::PopulateWrite)
    }

    /// Stores a frame at `offset` and commits it by its length, last.
    ///
    /// # Panics
    /// If the frame does not lie inside the segment or is not aligned: a programmer's error in the
    /// writer, checked in release because it stands between the program and wild stores.
    #[inline]
    pub(crate) fn commit(&mut self, offset: usize, frame: &NewFrame<'_>) {
        let taken = to_usize(frame.bytes());
        let end = offset.saturating_add(taken);
        assert!(end <= self.map.len(), "the frame lies in the segment");
        assert!(offset.is_multiple_of(to_usize(FRAME_ALIGN)), "frames are aligned");
        assert!(frame.payload.len() <= taken.saturating_sub(PAYLOAD_OFFSET), "the payload fits");
        if end < self.map.len() {
            // The next frame's length slot is zero in a fresh segment; this is the second net.
            self.store(end, &[0; BODY_OFFSET]);
        }
        // Whole blocks have a length that the compiler knows: an event is two of them, and a call
        // that copies any number of bytes would cost more than its copy.
        let (blocks, rest) = frame.payload.as_chunks::<BLOCK_BYTES>();
        let mut at = offset.saturating_add(PAYLOAD_OFFSET);
        for block in blocks {
            self.store(at, block);
            at = at.saturating_add(BLOCK_BYTES);
        }
        if !rest.is_empty() {
            self.store(at, rest);
        }
        self.store(offset.saturating_add(BODY_OFFSET), &frame.body);
        self.store(offset.saturating_add(CRC_OFFSET), &frame.crc.to_le_bytes());
        self.publish(offset, frame.len);
    }

    /// Copies bytes to an offset that `commit` checked.
    #[inline]
    fn store(&mut self, offset: usize, bytes: &[u8]) {
        // SAFETY: offset + bytes.len() <= map.len(): `commit` asserted it (invariant 1), so the
        // pointer stays inside the mapping.
        let target = unsafe { self.map.as_mut_ptr().add(offset) };
        // SAFETY: the target is mapped and writable for bytes.len() bytes (invariants 1 and 2), and
        // cannot overlap a Rust slice (invariant 3).
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len()) };
    }

    /// Stores the length that makes a frame visible.
    #[inline]
    fn publish(&mut self, offset: usize, len: u32) {
        // SAFETY: offset + 4 <= map.len(): `commit` asserted it (invariant 1).
        let slot = unsafe { self.map.as_mut_ptr().add(offset) };
        // SAFETY: the word is mapped for as long as `self` lives (invariants 1 and 2), aligned
        // (invariant 4), and accessed by nobody else in this process (invariant 3).
        let len_slot = unsafe { AtomicU32::from_ptr(slot.cast::<u32>()) };
        // ORDERING: Release; the partner is a reader's load of the length word, in the kernel's
        // copy of a `pread` or an Acquire load in a mapping of another process. Whoever sees the
        // length sees checksum, header and payload.
        len_slot.store(len.to_le(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::frame;
    use crate::layout::RecordHeader;

    const HEADER: RecordHeader = RecordHeader { seq: 1, ts_ns: 2, kind: 3, lane: 0, flags: 0 };

    #[test]
    fn committed_frame_is_what_assembly_says() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(8192).unwrap();
        let mut mapped = MappedSegment::new(&file, 8192).unwrap();
        mapped.populate().unwrap();
        let new = frame::build(HEADER, 5, &[0xAB; 41], 7, 4096);
        mapped.commit(4096, &new);
        let mut expected = Vec::new();
        new.assemble(&mut expected);
        let mut found = vec![0; expected.len()];
        file.read_exact_at(&mut found, 4096).unwrap();
        assert_eq!(found, expected);
    }

    #[test]
    #[should_panic(expected = "the frame lies in the segment")]
    fn frame_beyond_the_end_is_never_stored() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4096).unwrap();
        let mut mapped = MappedSegment::new(&file, 4096).unwrap();
        mapped.commit(4096 - 32, &frame::build(HEADER, 0, &[1], 0, 0));
    }

    #[test]
    fn last_frame_may_end_with_the_segment() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4096).unwrap();
        let mut mapped = MappedSegment::new(&file, 4096).unwrap();
        mapped.commit(4096 - 64, &frame::build(HEADER, 0, &[1], 0, 0));
    }
}
