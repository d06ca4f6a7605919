//! Read-only summary of a journal from the first page and the last record of each segment.
//!
//! It reads what is not sealed and next to nothing of the rest, so it is cheap and proves little:
//! records in the midst of a sealed segment may be altered. What it can tell it tells: files that
//! are missing, cut, swapped or of another run, and a broken chain of headers and seals. Where two
//! segments do not fit together the walk judges, so the verdict is that of [`crate::verify()`].

use std::path::{Path, PathBuf};

use crate::control::{END_SEGMENT_BYTES, EndSegment};
use crate::disk::Disk;
use crate::error::ReadError;
use crate::frame::check;
use crate::header::{FirstPage, Identity, SegmentHeader};
use crate::layout::{
    HEADER_BYTES, KIND_END_SEGMENT, LANE_INPUT, RecordHeader, SEGMENT_BYTES_MIN, segment_name,
};
use crate::seal::Place;
use crate::verdict::{Case, Verdict};
use crate::verify::is_in_flight;
use crate::walk::{Ending, Step, Walk, read_first_page};
use crate::window::Window;

/// What [`info`] found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Info {
    /// Who wrote the journal.
    pub identity: Identity,
    /// Length of a segment that is not sealed.
    pub segment_bytes: u64,
    /// The segments that were begun, in order.
    pub segments: Vec<SegmentInfo>,
    /// Segment files without a header: spares of a live or killed run.
    pub spares: u64,
    /// Records, the journal's own and every piece of a fragmented record included.
    pub records: u64,
    /// True if the run ended in order.
    pub sealed: bool,
    /// True if a writer was at work.
    pub live: bool,
    /// What a look at headers and ends can tell; only [`crate::verify()`] computes everything.
    pub verdict: Verdict,
    /// The segment file of a finding; `None` if there is none.
    pub segment: Option<PathBuf>,
    /// What was found where, for people; empty if there is no finding.
    pub detail: String,
}

/// One segment of an [`Info`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentInfo {
    /// Place in the journal, from 0.
    pub index: u64,
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Records in it, END_SEGMENT included.
    pub records: u64,
    /// Its inputs; `None` if it holds none.
    pub inputs: Option<InputSpan>,
    /// True if END_SEGMENT is written.
    pub sealed: bool,
}

/// The inputs of a segment, first and last inclusive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InputSpan {
    /// Sequence of the first input.
    pub first_seq: u64,
    /// Time of the first input in nanoseconds.
    pub first_ts_ns: i64,
    /// Sequence of the last input.
    pub last_seq: u64,
    /// Time of the last input in nanoseconds.
    pub last_ts_ns: i64,
}

/// Summarises a journal from headers and footers; only unsealed segments, and those beside a
/// finding, are read through. The verdict is what this can tell: use [`crate::verify()`] for a
/// check.
///
/// # Errors
/// [`ReadError::NoJournal`] if there is none, [`ReadError::Version`] if another version wrote it,
/// [`ReadError::Corrupt`] if its first header is damaged, [`ReadError::Disk`] if the file system
/// refuses.
pub fn info(dir: &Path) -> Result<Info, ReadError> {
    let disk = Disk::default();
    let locked = disk.is_locked(dir).unwrap_or(false);
    let first = Walk::open(&disk, dir, false)?.map_err(crate::reader::corrupt)?;
    let place = first.place();
    let mut info = Info {
        identity: *first.identity(),
        segment_bytes: place.segment_bytes,
        segments: Vec::new(),
        spares: 0,
        records: 0,
        sealed: false,
        live: false,
        verdict: Verdict::Clean,
        segment: None,
        detail: String::new(),
    };
    let mut look = Look { disk: &disk, dir, place, before: None, ending: None };
    let mut from = 0;
    loop {
        let indexes = disk.segments(dir)?;
        let Some(&index) = indexes.iter().find(|&&index| index >= from) else { break };
        look.at(index, &mut info)?;
        from = index.saturating_add(1);
    }
    look.end()?;
    info.sealed = look.before.as_ref().is_some_and(|last| last.ends_run);
    info.live = locked && !info.sealed;
    if let Some(ending) = look.ending.filter(|ending| !(locked && is_in_flight(ending))) {
        info.verdict = ending.case.verdict(ending.at);
        info.sealed &= ending.case == Case::Sealed;
        if info.verdict != Verdict::Clean {
            info.detail = format!("case {}: {}", ending.case.letter(), ending.detail);
            info.segment = Some(ending.path);
        }
    }
    Ok(info)
}

/// The look at one segment after the other.
struct Look<'a> {
    disk: &'a Disk,
    dir: &'a Path,
    place: Place,
    /// The last segment that was begun.
    before: Option<Begun>,
    /// The end of the valid prefix, once something did not fit.
    ending: Option<Ending>,
}

/// What the next segment must fit.
struct Begun {
    header: SegmentHeader,
    footer: Option<EndSegment>,
    /// True if nothing may follow.
    ends_run: bool,
    /// True if it was read to its end, and the walk found it whole and the next one fitting.
    walked: bool,
}

impl Look<'_> {
    /// Looks at segment file `index`.
    fn at(&mut self, index: u64, info: &mut Info) -> Result<(), ReadError> {
        let path = self.dir.join(segment_name(index));
        let odd = self.disk.oddity(&path, self.place.segment_bytes)?;
        let page = match odd {
            None => read_first_page(self.disk, self.dir, index)?,
            Some(_) => FirstPage::Damaged,
        };
        let ours = |header: &SegmentHeader| {
            header.index == index
                && header.identity == info.identity
                && header.segment_bytes == info.segment_bytes
        };
        let header = match page {
            FirstPage::Valid(header) if ours(&header) => header,
            // Whether it is a spare or a lost header is told by the segment before it.
            FirstPage::Zero => {
                info.spares = info.spares.saturating_add(1);
                return Ok(());
            }
            FirstPage::Valid(_) | FirstPage::Version(_) | FirstPage::Damaged => {
                return self.judge();
            }
        };
        let described = describe(self.disk, self.dir, &header)?;
        let fits = self.before.as_ref().is_none_or(|before| {
            before.walked || before.is_followed_by(&header, described.footer.as_ref(), self.place)
        });
        if !fits {
            self.judge()?;
        }
        if self.ending.is_none() {
            self.ending = described.ending;
        }
        info.records = info.records.saturating_add(described.segment.records);
        info.segments.push(described.segment);
        self.before = Some(Begun {
            header: *header,
            footer: described.footer,
            ends_run: described.footer.is_some_and(|footer| footer.is_final),
            walked: described.walked,
        });
        Ok(())
    }

    /// What comes after the last segment that was begun.
    fn end(&mut self) -> Result<(), ReadError> {
        let Some(last) = &self.before else { return Ok(()) };
        let beyond = self.disk.segments(self.dir)?.last().is_some_and(|&i| i > last.header.index);
        // A last segment that is sealed and not final lost the next one; behind a final one nothing
        // may lie. What is not sealed was read through.
        if last.footer.is_some() && (beyond || !last.ends_run) { self.judge() } else { Ok(()) }
    }

    /// Lets the walk tell what is wrong between the last segment and what comes after it.
    fn judge(&mut self) -> Result<(), ReadError> {
        let Some(before) = self.before.as_ref().filter(|_| self.ending.is_none()) else {
            return Ok(());
        };
        let mut walk = Walk::at_segment(self.disk, self.dir, &before.header, false)?;
        // The seal of the next segment is the last thing that can disagree with this one.
        while walk.index() <= before.header.index.saturating_add(1) {
            if let Step::End(ending) = walk.step()? {
                self.ending = Some(ending);
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Begun {
    fn is_followed_by(
        &self,
        next: &SegmentHeader,
        sealed: Option<&EndSegment>,
        place: Place,
    ) -> bool {
        let Some(footer) = &self.footer else { return false };
        let records = self.header.base_rec_no.saturating_add(footer.records).saturating_add(1);
        next.index == self.header.index.saturating_add(1)
            && !footer.is_final
            && next.base_rec_no == records
            && next.base_seq.saturating_sub(1) == footer.last_seq
            && next.base_ts_ns == footer.last_ts_ns
            && place.absolute(self.header.index, next.previous_end) == footer.durable_off
            && sealed.is_none_or(|sealed| sealed.previous_hash == footer.hash)
    }
}

/// A segment, described.
struct Described {
    segment: SegmentInfo,
    footer: Option<EndSegment>,
    /// The journal's end, if the walk met it.
    ending: Option<Ending>,
    /// True if the walk went on into the next segment.
    walked: bool,
}

/// Describes one segment; reads it through if it is not sealed.
fn describe(disk: &Disk, dir: &Path, header: &SegmentHeader) -> Result<Described, ReadError> {
    let path = dir.join(segment_name(header.index));
    let mut window = Window::open(disk, &path, SEGMENT_BYTES_MIN)?;
    let bytes = disk.length(&path)?;
    let mut footer = footer_at_end(&mut window, header, bytes)?;
    // A seal that is not at the end of its file was not finished, or has something behind it.
    let is_cut_to_its_seal = footer.is_some();
    let mut first: Option<RecordHeader> = None;
    let mut walk = Walk::at_segment(disk, dir, header, false)?;
    let mut last = *walk.order();
    let (mut ending, mut walked) = (None, false);
    while !is_cut_to_its_seal || first.is_none() {
        match walk.step()? {
            Step::Frame(frame) if walk.index() == header.index => {
                last = *walk.order();
                footer = footer.or(walk.footer().copied());
                if frame.header.lane == LANE_INPUT && first.is_none() {
                    first = Some(frame.header);
                }
            }
            Step::Frame(_) => {
                walked = true;
                break;
            }
            Step::End(end) => {
                ending = Some(end);
                break;
            }
        }
    }
    let (records, last_seq, last_ts_ns) = match &footer {
        Some(footer) => (footer.records.saturating_add(1), footer.last_seq, footer.last_ts_ns),
        None => {
            let records = last.next_rec_no().saturating_sub(header.base_rec_no);
            (records, last.last_seq(), last.last_ts_ns())
        }
    };
    let inputs = first.map(|first| InputSpan {
        first_seq: first.seq,
        first_ts_ns: first.ts_ns,
        last_seq,
        last_ts_ns,
    });
    let sealed = footer.is_some();
    let segment = SegmentInfo { index: header.index, path, bytes, records, inputs, sealed };
    Ok(Described { segment, footer, ending, walked })
}

/// END_SEGMENT of a sealed file, which ends with it.
fn footer_at_end(
    window: &mut Window,
    header: &SegmentHeader,
    bytes: u64,
) -> Result<Option<EndSegment>, ReadError> {
    let offset = bytes.saturating_sub(END_SEGMENT_BYTES);
    if offset < HEADER_BYTES {
        return Ok(None);
    }
    let place = Place { segment_bytes: header.segment_bytes, nonce: header.identity.nonce };
    let at = place.absolute(header.index, offset);
    let frame = check(window.view(offset, END_SEGMENT_BYTES)?, place.nonce, at);
    let payload = frame.ok().filter(|frame| frame.header.kind == KIND_END_SEGMENT);
    Ok(payload.and_then(|frame| EndSegment::decode(frame.payload)))
}
