//! Read-only check (`verify`) and summary (`info`) of a whole journal. Neither takes the lock or
//! writes a byte; beside a live writer they describe a moment of it.

use std::path::{Path, PathBuf};

use crate::control::{END_SEGMENT_BYTES, EndSegment};
use crate::disk::Disk;
use crate::error::ReadError;
use crate::frame::check;
use crate::header::{FirstPage, Identity, SegmentHeader};
use crate::layout::{
    HEADER_BYTES, KIND_END_SEGMENT, LANE_COUNT, LANE_INPUT, RecordHeader, SEGMENT_BYTES_MIN,
    segment_name,
};
use crate::seal::Place;
use crate::verdict::{Case, Verdict};
use crate::walk::{Ending, Step, Walk, read_first_page};
use crate::window::Window;

/// What [`verify`] found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Clean, torn or corrupt.
    pub verdict: Verdict,
    /// The row of the table in [`recovery`](crate::recovery) that applies.
    pub case: Case,
    /// The segment file of a finding; `None` if the journal is clean.
    pub segment: Option<PathBuf>,
    /// Valid records, the journal's own and every piece of a fragmented record included.
    pub records: u64,
    /// Valid records by lane.
    pub lanes: [u64; LANE_COUNT],
    /// Last valid input sequence, 0 if there is none.
    pub last_seq: u64,
    /// Time of the last valid input, `i64::MIN` if there is none.
    pub last_ts_ns: i64,
    /// Records behind the end of the valid prefix that are intact by themselves.
    pub orphans: u64,
    /// True if the run ended in order.
    pub sealed: bool,
    /// What was found where, for people.
    pub detail: String,
}

/// Checks everything: headers, checksums, order of records, hashes of sealed segments, their chain,
/// and what lies behind the end.
///
/// # Errors
/// [`ReadError::NoJournal`], [`ReadError::Version`] and [`ReadError::Disk`] if it cannot be checked
/// at all; damage is a verdict and not an error.
pub fn verify(dir: &Path) -> Result<Report, ReadError> {
    examine(&Disk::default(), dir).map(|(report, _)| report)
}

/// Verifies, and keeps the walk at its end for a repair; there is no walk if the journal is corrupt
/// from its first byte.
pub(crate) fn examine(
    disk: &Disk,
    dir: &Path,
) -> Result<(Report, Option<(Walk, Ending)>), ReadError> {
    let mut lanes = [0_u64; LANE_COUNT];
    let mut walk = match Walk::open(disk, dir, true)? {
        Ok(walk) => walk,
        Err(ending) => return Ok((report(&ending, None, lanes), None)),
    };
    loop {
        match walk.step()? {
            Step::Frame(frame) => {
                if let Some(count) = lanes.get_mut(usize::from(frame.header.lane)) {
                    *count = count.saturating_add(1);
                }
            }
            Step::End(ending) => {
                let report = report(&ending, Some(&walk), lanes);
                return Ok((report, Some((walk, ending))));
            }
        }
    }
}

fn report(ending: &Ending, walk: Option<&Walk>, lanes: [u64; LANE_COUNT]) -> Report {
    let verdict = ending.case.verdict(ending.at);
    Report {
        verdict,
        case: ending.case,
        segment: (verdict != Verdict::Clean).then(|| ending.path.clone()),
        records: lanes.iter().sum(),
        lanes,
        last_seq: walk.map_or(0, |walk| walk.order().last_seq()),
        last_ts_ns: walk.map_or(i64::MIN, |walk| walk.order().last_ts_ns()),
        orphans: ending.orphans,
        sealed: ending.case == Case::Sealed,
        detail: format!("case {}: {}", ending.case.letter(), ending.detail),
    }
}

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

/// Summarises a journal from headers and footers; only unsealed segments are read through. It
/// describes and does not check: use [`verify`] for that.
///
/// # Errors
/// [`ReadError::NoJournal`] if there is none, [`ReadError::Version`] if another version wrote it,
/// [`ReadError::Corrupt`] if its first header is damaged, [`ReadError::Disk`] if the file system
/// refuses.
pub fn info(dir: &Path) -> Result<Info, ReadError> {
    let disk = Disk::default();
    let first = Walk::open(&disk, dir, false)?.map_err(crate::reader::corrupt)?;
    let mut info = Info {
        identity: *first.identity(),
        segment_bytes: first.place().segment_bytes,
        segments: Vec::new(),
        spares: 0,
        records: 0,
        sealed: false,
    };
    for index in disk.segments(dir)? {
        let FirstPage::Valid(header) = read_first_page(&disk, dir, index)? else {
            info.spares = info.spares.saturating_add(1);
            continue;
        };
        let (segment, is_final) = describe(&disk, dir, &header)?;
        info.records = info.records.saturating_add(segment.records);
        info.sealed = is_final;
        info.segments.push(segment);
    }
    Ok(info)
}

/// Describes one segment, and says whether the run ended with it.
fn describe(
    disk: &Disk,
    dir: &Path,
    header: &SegmentHeader,
) -> Result<(SegmentInfo, bool), ReadError> {
    let path = dir.join(segment_name(header.index));
    let mut window = Window::open(disk, &path, SEGMENT_BYTES_MIN)?;
    let bytes = disk.length(&path)?;
    let mut footer = footer_at_end(&mut window, header, bytes)?;
    let mut first: Option<RecordHeader> = None;
    let mut walk = Walk::at_segment(disk, dir, header, false)?;
    let mut last = *walk.order();
    while footer.is_none() || first.is_none() {
        match walk.step()? {
            Step::Frame(frame) if walk.index() == header.index => {
                last = *walk.order();
                footer = footer.or(walk.footer().copied());
                if frame.header.lane == LANE_INPUT && first.is_none() {
                    first = Some(frame.header);
                }
            }
            Step::Frame(_) | Step::End(_) => break,
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
    Ok((segment, footer.is_some_and(|footer| footer.is_final)))
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
    let place =
        Place { segment_bytes: header.segment_bytes, nonce: header.identity.nonce, sync: true };
    let at = place.absolute(header.index, offset);
    let frame = check(window.view(offset, END_SEGMENT_BYTES)?, place.nonce, at);
    let payload = frame.ok().filter(|frame| frame.header.kind == KIND_END_SEGMENT);
    Ok(payload.and_then(|frame| EndSegment::decode(frame.payload)))
}
