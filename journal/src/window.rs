//! A buffered view of one segment file: large reads, small looks, no allocation per look.
//!
//! Bytes are copied from the page cache and then checked, so neither a live writer nor a program
//! that cuts the file can change them between the check and the use. The end of the file reads as
//! "no bytes".

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::error::{Action, DiskError};
use crate::layout::{to_u64, to_usize};

/// Bytes read at a time. Sixteen of the longest frames: what is read twice at a refill stays small.
const WINDOW_BYTES: u64 = 1024 * 1024;

/// The view.
#[derive(Debug)]
pub(crate) struct Window {
    disk: Disk,
    path: PathBuf,
    file: File,
    /// Offset in the file of the first buffered byte.
    start: u64,
    buffer: Vec<u8>,
    /// Buffered bytes that are valid.
    filled: usize,
    /// True if the file ended behind the buffered bytes.
    ended: bool,
}

impl Window {
    /// Opens a segment file; `segment_bytes` bounds the buffer.
    pub(crate) fn open(disk: &Disk, path: &Path, segment_bytes: u64) -> Result<Self, DiskError> {
        let file = disk.open_for_reading(path)?;
        Ok(Self {
            disk: disk.clone(),
            path: path.to_path_buf(),
            file,
            start: 0,
            buffer: vec![0; to_usize(segment_bytes.min(WINDOW_BYTES))],
            filled: 0,
            ended: false,
        })
    }

    /// Turns to another segment of the same journal and keeps the buffer.
    pub(crate) fn turn_to(&mut self, path: &Path) -> Result<(), DiskError> {
        self.file = self.disk.open_for_reading(path)?;
        self.path = path.to_path_buf();
        self.forget();
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Drops the buffered bytes, so that the next look sees what was written since.
    pub(crate) fn forget(&mut self) {
        self.filled = 0;
        self.ended = false;
    }

    /// The bytes from `offset` on: at least `wanted`, unless the file ends before.
    #[inline]
    pub(crate) fn view(&mut self, offset: u64, wanted: u64) -> Result<&[u8], DiskError> {
        let range = self.buffered(offset, wanted);
        let range = match range {
            Some(range) => range,
            None => {
                self.fill(offset)?;
                0..self.filled
            }
        };
        Ok(self.bytes(range))
    }

    /// Bytes at a place that `view` has just shown, by their place in the buffer.
    #[inline]
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or(&[])
    }

    /// Place in the buffer of the byte at `offset`, which `view` has just shown.
    #[inline]
    pub(crate) fn place_of(&self, offset: u64) -> usize {
        to_usize(offset.saturating_sub(self.start))
    }

    /// True if all bytes from `offset` to the end of the file are zero.
    pub(crate) fn is_zero_from(&mut self, mut offset: u64) -> Result<bool, DiskError> {
        loop {
            let bytes = self.view(offset, 1)?;
            if bytes.is_empty() {
                return Ok(true);
            }
            if bytes.iter().any(|&byte| byte != 0) {
                return Ok(false);
            }
            offset = offset.saturating_add(to_u64(bytes.len()));
        }
    }

    #[inline]
    fn buffered(&self, offset: u64, wanted: u64) -> Option<Range<usize>> {
        let begin = to_usize(offset.checked_sub(self.start)?);
        let have = self.filled.checked_sub(begin)?;
        (to_u64(have) >= wanted || self.ended).then_some(begin..self.filled)
    }

    #[cold]
    fn fill(&mut self, offset: u64) -> Result<(), DiskError> {
        self.start = offset;
        self.filled = 0;
        let Self { disk, path, file, buffer, filled, ended, .. } = self;
        disk.attempt(Action::Read, path, || {
            loop {
                let (_, rest) = buffer.split_at_mut(*filled);
                if rest.is_empty() {
                    *ended = false;
                    return Ok(());
                }
                let count = file.read_at(rest, offset.saturating_add(to_u64(*filled)))?;
                if count == 0 {
                    *ended = true;
                    return Ok(());
                }
                *filled = filled.saturating_add(count);
            }
        })
    }
}
