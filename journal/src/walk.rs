//! The walk over all frames of a journal, from the first to the end or to the first fault.
//!
//! Readers, the verifier and recovery all take this walk, so there is one judgement of what a valid
//! prefix is. It collects the evidence at the end; the table in `recovery` decides what it means.
//! The walk never writes and may run beside a live writer: a place that looks like an end is read
//! once more after the search behind it, since the writer may have moved on meanwhile.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::control::{Barrier, END_SEGMENT_BYTES, EndSegment};
use crate::disk::Disk;
use crate::error::{Action, DiskError, OrderError, ReadError};
use crate::frame::{Fault, check};
use crate::header::{FirstPage, Identity, SegmentHeader};
use crate::layout::{
    FRAME_ALIGN, FRAME_BYTES_MAX, HEADER_BYTES, KIND_BARRIER, KIND_END_SEGMENT, LANE_CONTROL,
    RecordHeader, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, segment_name, to_usize,
};
use crate::order::Order;
use crate::seal::{Place, hash};
use crate::survey::{Survey, survey};
use crate::verdict::{Case, Evidence, Sight, decide};
use crate::window::Window;

/// A place in a journal and what a record there must look like.
#[derive(Debug)]
pub(crate) struct Walk {
    disk: Disk,
    dir: PathBuf,
    identity: Identity,
    place: Place,
    window: Window,
    index: u64,
    /// Offset in the segment of the next frame.
    head: u64,
    base_rec_no: u64,
    order: Order,
    /// The last sealed segment; `None` if the walk began in the middle or met one without seal.
    chain: Option<Link>,
    /// END_SEGMENT of this segment, once it was read.
    footer: Option<EndSegment>,
    /// True if the hash of each sealed segment is computed and compared.
    hashing: bool,
}

/// A link of the chain of hashes.
#[derive(Clone, Copy, Debug)]
struct Link {
    hash: [u8; 32],
    /// Absolute offset of the end of the segment with that hash.
    end: u64,
}

/// One step of the walk.
#[derive(Debug)]
pub(crate) enum Step {
    Frame(Located),
    End(Ending),
}

/// A valid frame. Its payload is in the window until the next step.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    pub(crate) header: RecordHeader,
    pub(crate) rec_no: u64,
    payload: Range<usize>,
    bytes: u64,
}

/// Where the valid prefix ends, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Ending {
    pub(crate) case: Case,
    /// Absolute offset of the end.
    pub(crate) at: u64,
    /// Segment and offset in it, the same place.
    pub(crate) index: u64,
    pub(crate) offset: u64,
    pub(crate) path: PathBuf,
    /// Valid records behind the end.
    pub(crate) orphans: u64,
    pub(crate) detail: String,
}

/// Why a frame was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
enum Stop {
    #[error(transparent)]
    Frame(Fault),
    #[error("a valid record stands in the wrong place: {0}")]
    Order(OrderError),
    #[error("END_SEGMENT disagrees with the records before it")]
    Footer,
    #[error("BARRIER disagrees with the seal of the segment before it")]
    Barrier,
    #[error("the hash in END_SEGMENT is not that of the segment")]
    Hash,
}

impl Walk {
    /// Starts at the first segment. The inner error is a journal that is corrupt from the start.
    pub(crate) fn open(
        disk: &Disk,
        dir: &Path,
        hashing: bool,
    ) -> Result<Result<Self, Ending>, ReadError> {
        let indexes = disk.segments(dir)?;
        let no_journal = || ReadError::NoJournal { dir: dir.to_path_buf() };
        let first = *indexes.first().ok_or_else(no_journal)?;
        let path = dir.join(segment_name(0));
        let corrupt = |case: Case, detail: &str| Ending {
            case,
            at: 0,
            index: 0,
            offset: 0,
            path: path.clone(),
            orphans: 0,
            detail: detail.to_owned(),
        };
        if first != 0 {
            return Ok(Err(corrupt(Case::MissingSegment, "the first segment file is missing")));
        }
        if let Some(oddity) = disk.oddity(&path, SEGMENT_BYTES_MAX)? {
            return Ok(Err(corrupt(Case::NoSegmentFile, &oddity)));
        }
        let mut window = Window::open(disk, &path, SEGMENT_BYTES_MIN)?;
        match first_page(&mut window)? {
            FirstPage::Valid(header) if header.index == 0 => {
                match disk.oddity(&path, header.segment_bytes)? {
                    Some(oddity) => Ok(Err(corrupt(Case::NoSegmentFile, &oddity))),
                    None => Self::at_segment(disk, dir, &header, hashing).map(Ok),
                }
            }
            FirstPage::Valid(_) => {
                Ok(Err(corrupt(Case::ForeignSegment, "the file is another segment, misnamed")))
            }
            FirstPage::Version(version) => Err(ReadError::Version { path, version }),
            // The first header is durable before a second file is made: a creation that was cut
            // short leaves one file.
            FirstPage::Zero if indexes.len() == 1 && window.is_zero_from(0)? => Err(no_journal()),
            FirstPage::Zero => {
                Ok(Err(corrupt(Case::FirstHeader, "the header of the first segment is gone")))
            }
            FirstPage::Damaged => {
                Ok(Err(corrupt(Case::FirstHeader, "the header of the first segment is damaged")))
            }
        }
    }

    /// Starts at the segment with this header.
    pub(crate) fn at_segment(
        disk: &Disk,
        dir: &Path,
        header: &SegmentHeader,
        hashing: bool,
    ) -> Result<Self, ReadError> {
        let path = dir.join(segment_name(header.index));
        let segment_bytes = header.segment_bytes;
        Ok(Self {
            disk: disk.clone(),
            dir: dir.to_path_buf(),
            identity: header.identity,
            place: Place { segment_bytes, nonce: header.identity.nonce },
            window: Window::open(disk, &path, segment_bytes)?,
            index: header.index,
            head: HEADER_BYTES,
            base_rec_no: header.base_rec_no,
            order: header.order(),
            chain: (header.index == 0).then_some(Link { hash: [0; 32], end: 0 }),
            footer: None,
            hashing,
        })
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// The segment the walk is in.
    pub(crate) fn index(&self) -> u64 {
        self.index
    }

    /// Offset in that segment of the next frame.
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    /// The order after the last frame taken.
    pub(crate) fn order(&self) -> &Order {
        &self.order
    }

    /// END_SEGMENT of the segment the walk is in, if it was reached.
    pub(crate) fn footer(&self) -> Option<&EndSegment> {
        self.footer.as_ref()
    }

    /// The payload of the frame that the last step returned.
    #[inline]
    pub(crate) fn payload(&self, frame: &Located) -> &[u8] {
        self.window.bytes(frame.payload.clone())
    }

    /// Takes the next frame, or says why there is none.
    #[inline]
    pub(crate) fn step(&mut self) -> Result<Step, ReadError> {
        loop {
            if self.footer.is_some() {
                match self.leave()? {
                    Some(ending) => return Ok(Step::End(ending)),
                    None => continue,
                }
            }
            let stop = match self.locate()? {
                Ok(frame) => match self.take(&frame)? {
                    Ok(()) => return Ok(Step::Frame(frame)),
                    Err(stop) => stop,
                },
                Err(stop) => stop,
            };
            if let Some(ending) = self.stopped(stop)? {
                return Ok(Step::End(ending));
            }
        }
    }

    /// Looks at the frame at the head; at a fault, once more with fresh bytes.
    #[inline]
    fn locate(&mut self) -> Result<Result<Located, Stop>, DiskError> {
        match self.look()? {
            Ok(frame) => Ok(Ok(frame)),
            Err(_) => {
                self.window.forget();
                self.look()
            }
        }
    }

    #[inline]
    fn look(&mut self) -> Result<Result<Located, Stop>, DiskError> {
        let at = self.place.absolute(self.index, self.head);
        let frame = match check(self.window.view(self.head, FRAME_BYTES_MAX)?, self.place.nonce, at)
        {
            Ok(frame) => frame,
            Err(fault) => return Ok(Err(Stop::Frame(fault))),
        };
        let in_order =
            self.order.check_number(frame.rec_no).and_then(|()| self.order.check(&frame.header));
        if let Err(error) = in_order {
            return Ok(Err(Stop::Order(error)));
        }
        let (header, bytes, length) = (frame.header, frame.bytes, frame.payload.len());
        let begin = self.window.place_of(self.head.saturating_add(FRAME_ALIGN));
        let payload = begin..begin.saturating_add(length);
        Ok(Ok(Located { header, rec_no: self.order.next_rec_no(), payload, bytes }))
    }

    /// Moves over a frame; END_SEGMENT and BARRIER must agree with what came before them.
    #[inline]
    fn take(&mut self, frame: &Located) -> Result<Result<(), Stop>, DiskError> {
        if frame.header.lane == LANE_CONTROL {
            match self.check_control(frame)? {
                Ok(footer) => self.footer = footer,
                Err(stop) => return Ok(Err(stop)),
            }
        }
        self.order.advance(&frame.header);
        self.head = self.head.saturating_add(frame.bytes);
        Ok(Ok(()))
    }

    /// The END_SEGMENT, if the frame is one.
    #[cold]
    fn check_control(
        &self,
        frame: &Located,
    ) -> Result<Result<Option<EndSegment>, Stop>, DiskError> {
        match frame.header.kind {
            KIND_END_SEGMENT => Ok(self.check_footer(frame)?.map(Some)),
            KIND_BARRIER => {
                let agrees = Barrier::decode(self.payload(frame)).is_some_and(|barrier| {
                    let link = self.chain.filter(|link| link.end == barrier.durable_off);
                    link.is_none_or(|link| link.hash == barrier.hash)
                });
                Ok(if agrees { Ok(None) } else { Err(Stop::Barrier) })
            }
            _ => Ok(Ok(None)),
        }
    }

    fn check_footer(&self, frame: &Located) -> Result<Result<EndSegment, Stop>, DiskError> {
        let Some(footer) = EndSegment::decode(self.payload(frame)) else {
            return Ok(Err(Stop::Footer));
        };
        let expected = EndSegment {
            durable_off: self.place.absolute(self.index, self.head),
            records: self.order.next_rec_no().saturating_sub(self.base_rec_no),
            last_seq: self.order.last_seq(),
            last_ts_ns: self.order.last_ts_ns(),
            is_final: footer.is_final,
            previous_hash: self.chain.map_or(footer.previous_hash, |link| link.hash),
            hash: footer.hash,
        };
        if footer != expected {
            return Ok(Err(Stop::Footer));
        }
        if self.hashing {
            let computed = self.disk.attempt(Action::Read, self.window.path(), || {
                hash(self.window.file(), self.head, &footer.previous_hash)
            })?;
            if computed != footer.hash {
                return Ok(Err(Stop::Hash));
            }
        }
        Ok(Ok(footer))
    }

    /// Judges a place where no frame was taken; `None` if the journal goes on after all.
    #[cold]
    fn stopped(&mut self, stop: Stop) -> Result<Option<Ending>, ReadError> {
        let indexes = self.disk.segments(&self.dir)?;
        let here = (self.index, self.head);
        let sight = match stop {
            Stop::Footer | Stop::Barrier | Stop::Hash => {
                let ending = self.ending(Sight::WrongSeal, here, Survey::default(), &stop)?;
                return Ok(Some(ending));
            }
            Stop::Frame(Fault::Absent) => Sight::NoRecord,
            Stop::Frame(_) | Stop::Order(_) => Sight::BadRecord,
        };
        let next = self.index.saturating_add(1);
        let behind = survey(&self.disk, &self.dir, &indexes, self.place, here)?;
        if indexes.contains(&next) {
            if let Some(ending) = self.odd(next)? {
                return Ok(Some(ending));
            }
            let page = read_first_page(&self.disk, &self.dir, next)?;
            if let Some(ending) = self.foreign(&page, next)? {
                return Ok(Some(ending));
            }
            let proven = behind.proven > self.place.absolute(self.index, self.head);
            if let FirstPage::Valid(header) = page
                && self.is_continued_by(&header, self.order.after_control(), self.head)
                && !proven
            {
                self.enter(&header)?;
                return Ok(None);
            }
        } else if indexes.last().is_some_and(|&last| last > next) {
            return self.missing(next).map(Some);
        }
        let ending = self.ending(sight, here, behind, &stop)?;
        // A live writer may have moved on between the look and the search.
        if ending.case != Case::Unsealed && self.locate()?.is_ok() {
            return Ok(None);
        }
        Ok(Some(ending))
    }

    /// Goes from a sealed segment to the next; an ending if there is none.
    #[cold]
    fn leave(&mut self) -> Result<Option<Ending>, ReadError> {
        let Some(footer) = self.footer else {
            return Ok(None);
        };
        let here = (self.index, self.head);
        if !self.window.is_zero_from(self.head)? {
            let detail = &"bytes follow END_SEGMENT";
            return self.ending(Sight::BytesBehind, here, Survey::default(), detail).map(Some);
        }
        let indexes = self.disk.segments(&self.dir)?;
        let next = self.index.saturating_add(1);
        if footer.is_final {
            let behind = survey(&self.disk, &self.dir, &indexes, self.place, (next, 0))?;
            let (sight, detail) = if behind.dirt {
                (Sight::BytesBehind, "a segment follows the final END_SEGMENT")
            } else {
                (Sight::FinalFooter, "nothing follows")
            };
            return self.ending(sight, here, behind, &detail).map(Some);
        }
        if !indexes.contains(&next) {
            return self.missing(next).map(Some);
        }
        if let Some(ending) = self.odd(next)? {
            return Ok(Some(ending));
        }
        let page = read_first_page(&self.disk, &self.dir, next)?;
        if let Some(ending) = self.foreign(&page, next)? {
            return Ok(Some(ending));
        }
        let there = (next, 0);
        let end = self.head.saturating_sub(END_SEGMENT_BYTES);
        match page {
            FirstPage::Valid(header) if self.is_continued_by(&header, self.order, end) => {
                self.enter(&header)?;
                Ok(None)
            }
            FirstPage::Valid(_) => {
                let detail = &"it does not continue the sealed segment before it";
                self.ending(Sight::ForeignHeader, there, Survey::default(), detail).map(Some)
            }
            FirstPage::Version(_) | FirstPage::Zero | FirstPage::Damaged => {
                let behind = survey(&self.disk, &self.dir, &indexes, self.place, there)?;
                let detail = &"the segment before it is sealed";
                self.ending(Sight::LostHeader, there, behind, detail).map(Some)
            }
        }
    }

    fn is_continued_by(&self, header: &SegmentHeader, order: Order, end: u64) -> bool {
        order.continues_with(&header.order()) && header.previous_end == end
    }

    fn enter(&mut self, header: &SegmentHeader) -> Result<(), ReadError> {
        // Without the footer of the segment that is left, its hash is not known.
        let end = self.place.absolute(self.index, self.head);
        self.chain = self.footer.map(|footer| Link { hash: footer.hash, end });
        self.footer = None;
        self.index = header.index;
        self.head = HEADER_BYTES;
        self.base_rec_no = header.base_rec_no;
        self.order = header.order().carrying(&self.order);
        self.window.turn_to(&self.dir.join(segment_name(header.index)))?;
        Ok(())
    }

    /// The ending at a segment whose header is intact but not of this place in this journal.
    fn foreign(&self, page: &FirstPage, index: u64) -> Result<Option<Ending>, ReadError> {
        let detail = match page {
            FirstPage::Valid(header)
                if header.identity == self.identity
                    && header.segment_bytes == self.place.segment_bytes =>
            {
                if header.index == index {
                    return Ok(None);
                }
                format!("the file holds segment {} of this run", header.index)
            }
            FirstPage::Valid(_) => "the file is a segment of another run".to_owned(),
            FirstPage::Version(version) => format!("the segment has format version {version}"),
            FirstPage::Zero | FirstPage::Damaged => return Ok(None),
        };
        self.ending(Sight::ForeignHeader, (index, 0), Survey::default(), &detail).map(Some)
    }

    /// The ending at a file that can be no segment of this journal.
    fn odd(&self, index: u64) -> Result<Option<Ending>, ReadError> {
        let path = self.dir.join(segment_name(index));
        let Some(oddity) = self.disk.oddity(&path, self.place.segment_bytes)? else {
            return Ok(None);
        };
        self.ending(Sight::NoSegmentFile, (index, 0), Survey::default(), &oddity).map(Some)
    }

    fn missing(&self, index: u64) -> Result<Ending, ReadError> {
        let detail = &"the segment file is missing";
        self.ending(Sight::MissingFile, (index, 0), Survey::default(), detail)
    }

    /// Puts the evidence together and lets the table decide.
    fn ending(
        &self,
        sight: Sight,
        (index, offset): (u64, u64),
        behind: Survey,
        detail: &dyn std::fmt::Display,
    ) -> Result<Ending, ReadError> {
        let at = self.place.absolute(index, offset);
        let path = self.dir.join(segment_name(index));
        let case = decide(&Evidence {
            sight,
            proven: behind.proven > at,
            dirt: behind.dirt,
            short: sight.asks_for_length() && self.disk.length(&path)? < self.place.segment_bytes,
            open: self.order.is_open(),
        });
        let detail = format!("{} at byte {offset} of the file: {detail}", case.explanation());
        Ok(Ending { case, at, index, offset, path, orphans: behind.orphans, detail })
    }
}

fn first_page(window: &mut Window) -> Result<FirstPage, ReadError> {
    let bytes = window.view(0, HEADER_BYTES)?;
    let page = bytes.get(..to_usize(HEADER_BYTES)).unwrap_or(bytes);
    Ok(SegmentHeader::decode(page))
}

/// Reads the header of segment `index`.
pub(crate) fn read_first_page(disk: &Disk, dir: &Path, index: u64) -> Result<FirstPage, ReadError> {
    first_page(&mut Window::open(disk, &dir.join(segment_name(index)), SEGMENT_BYTES_MIN)?)
}
