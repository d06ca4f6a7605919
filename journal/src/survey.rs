//! The search behind the end of the valid prefix, which tells a torn tail from damage.
//!
//! From the given place to the end of the last segment file it looks at every multiple of 32 for a
//! record that validates. The checksum is seeded with the offset, so what validates was written
//! there by this run (but for a chance of 2⁻³² per place that holds anything at all).

use std::path::Path;

use crate::control::claim;
use crate::disk::Disk;
use crate::error::DiskError;
use crate::frame::{Frame, check};
use crate::layout::{FRAME_ALIGN, FRAME_BYTES_MAX, HEADER_BYTES, segment_name, to_u64, to_usize};
use crate::seal::Place;
use crate::window::Window;

/// What lies behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Survey {
    /// The highest absolute offset below which some record proves all bytes durable.
    pub(crate) proven: u64,
    /// Valid records found.
    pub(crate) orphans: u64,
    /// True if any byte is not zero.
    pub(crate) dirt: bool,
}

/// Searches from `offset` in segment `first` over all of `indexes` from there.
pub(crate) fn survey(
    disk: &Disk,
    dir: &Path,
    indexes: &[u64],
    place: Place,
    (first, offset): (u64, u64),
) -> Result<Survey, DiskError> {
    let mut found = Survey::default();
    for &index in indexes.iter().filter(|&&index| index >= first) {
        let path = dir.join(segment_name(index));
        if disk.oddity(&path, place.segment_bytes)?.is_some() {
            // No record can lie there, and a search might never end.
            found.dirt = true;
            continue;
        }
        let mut window = Window::open(disk, &path, place.segment_bytes)?;
        let start = if index == first { offset } else { 0 };
        let search = Search { place, index };
        search.header(&mut window, start, &mut found)?;
        search.frames(&mut window, start.max(HEADER_BYTES), &mut found)?;
    }
    Ok(found)
}

/// The search in one segment.
struct Search {
    place: Place,
    index: u64,
}

impl Search {
    fn header(&self, window: &mut Window, start: u64, found: &mut Survey) -> Result<(), DiskError> {
        if start < HEADER_BYTES {
            let page = window.view(0, HEADER_BYTES)?;
            found.dirt |= page.iter().take(to_usize(HEADER_BYTES)).any(|&byte| byte != 0);
        }
        Ok(())
    }

    fn frames(
        &self,
        window: &mut Window,
        mut offset: u64,
        found: &mut Survey,
    ) -> Result<(), DiskError> {
        loop {
            let bytes = window.view(offset, FRAME_BYTES_MAX)?;
            if bytes.is_empty() {
                return Ok(());
            }
            let zeros = leading_zero_lines(bytes);
            if zeros > 0 {
                offset = offset.saturating_add(zeros);
                continue;
            }
            found.dirt = true;
            let at = self.place.absolute(self.index, offset);
            let step = match check(bytes, self.place.nonce, at) {
                Ok(frame) => {
                    found.count(&frame, at);
                    frame.bytes
                }
                Err(_) => FRAME_ALIGN,
            };
            offset = offset.saturating_add(step);
        }
    }
}

impl Survey {
    fn count(&mut self, frame: &Frame<'_>, at: u64) {
        self.orphans = self.orphans.saturating_add(1);
        self.proven = self.proven.max(claim(&frame.header, frame.payload, at).unwrap_or(0));
    }
}

/// Bytes in whole lines of 32 zeros at the start; a short last line counts as whole.
fn leading_zero_lines(bytes: &[u8]) -> u64 {
    let lines = bytes
        .chunks(to_usize(FRAME_ALIGN))
        .take_while(|line| line.iter().all(|&byte| byte == 0))
        .count();
    to_u64(lines).saturating_mul(FRAME_ALIGN)
}
