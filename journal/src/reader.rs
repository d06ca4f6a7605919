//! Records in file order, fragments joined.
//!
//! Reads sealed, unsealed and live journals without a lock. Streams through one buffer; a record
//! allocates only if it is fragmented, and then into a buffer that is kept. Checks everything but
//! the hashes of segments, which [`verify`](crate::verify()) does.

use std::path::Path;

use crate::disk::Disk;
use crate::error::ReadError;
use crate::header::Identity;
use crate::layout::{FLAG_FRAGMENT, FLAG_FRAGMENT_FIRST, FLAG_FRAGMENT_LAST, RecordHeader};
use crate::order::whole;
use crate::verdict::Verdict;
use crate::walk::{Ending, Located, Step, Walk};

/// One record as it was appended, or one of the journal's own (lane 5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// What the writer said about it.
    pub header: RecordHeader,
    /// Its number in the journal; of a fragmented record, that of the first piece.
    pub rec_no: u64,
    /// Its bytes, valid until the next call.
    pub payload: &'a [u8],
}

/// Reads a journal from its first record on.
///
/// The journal's own records are returned too, so that record numbers show no gap where there is
/// none; a replay passes over lane 5.
#[derive(Debug)]
pub struct Reader {
    walk: Walk,
    /// The pieces so far of a fragmented record, and the header and number of the first.
    joined: Vec<u8>,
    open: Option<(RecordHeader, u64)>,
    verdict: Option<Verdict>,
    /// Intact records behind the end.
    orphans: u64,
}

impl Reader {
    /// Opens the journal in `dir`, read-only and without its lock.
    ///
    /// # Errors
    /// [`ReadError::NoJournal`] if there is none, [`ReadError::Version`] if another version of the
    /// format wrote it, [`ReadError::Corrupt`] if it is damaged from the start,
    /// [`ReadError::Disk`] if the file system refuses.
    pub fn open(dir: &Path) -> Result<Self, ReadError> {
        let walk = Walk::open(&Disk::default(), dir, false)?.map_err(corrupt)?;
        Ok(Self { walk, joined: Vec::new(), open: None, verdict: None, orphans: 0 })
    }

    /// The next record, or `None` at the end of the valid prefix: the seal, the end of a live or
    /// killed run, or a torn tail; [`verdict`](Self::verdict) tells. A later call looks again and
    /// goes on if a live writer did. Each call at the end searches everything behind it, which
    /// reads up to a whole segment: this is no way to poll.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] at damage to durable bytes, [`ReadError::Disk`] if the file system
    /// refuses.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator's items cannot borrow from the reader's buffer"
    )]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        loop {
            let frame = match self.walk.step()? {
                Step::Frame(frame) => frame,
                Step::End(ending) => {
                    let verdict = ending.case.verdict(ending.at);
                    self.verdict = Some(verdict);
                    self.orphans = ending.orphans;
                    return match verdict {
                        Verdict::Corrupt { .. } => Err(corrupt(ending)),
                        Verdict::Clean | Verdict::Torn { .. } => Ok(None),
                    };
                }
            };
            if frame.header.flags & FLAG_FRAGMENT == 0 {
                let payload = self.walk.payload(&frame);
                return Ok(Some(Record { header: frame.header, rec_no: frame.rec_no, payload }));
            }
            if let Some((header, rec_no)) = self.join(&frame) {
                return Ok(Some(Record { header, rec_no, payload: &self.joined }));
            }
        }
    }

    /// Bytes from the journal's beginning to the end of the last record that was read, segments
    /// counted whole.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.walk.place().absolute(self.walk.index(), self.walk.head())
    }

    /// Who wrote the journal.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        self.walk.identity()
    }

    /// What the end means, once `next` has returned `None` or `Corrupt`.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    /// Records behind a torn place that are intact by themselves, once `next` has returned `None`.
    #[must_use]
    pub fn orphans(&self) -> u64 {
        self.orphans
    }

    /// Adds a piece; header and number of the record if it is complete.
    fn join(&mut self, piece: &Located) -> Option<(RecordHeader, u64)> {
        let flags = piece.header.flags;
        if flags & FLAG_FRAGMENT_FIRST != 0 {
            self.joined.clear();
            self.open = Some((whole(piece.header), piece.rec_no));
        }
        self.joined.extend_from_slice(self.walk.payload(piece));
        if flags & FLAG_FRAGMENT_LAST != 0 { self.open.take() } else { None }
    }
}

/// The error for a reader that meets a corrupt place.
pub(crate) fn corrupt(ending: Ending) -> ReadError {
    let Ending { case, at, path, detail, .. } = ending;
    ReadError::Corrupt { at, segment: path, case, detail }
}
