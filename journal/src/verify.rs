//! Read-only check of a whole journal. It writes no byte; beside a live writer, whose lock it
//! notices, it describes a moment.

use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::error::ReadError;
use crate::layout::LANE_COUNT;
use crate::verdict::{Case, Verdict};
use crate::walk::{Ending, Step, Walk};

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
    /// True if a writer was at work: what is not written yet is no damage, and more will come.
    pub live: bool,
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
    let disk = Disk::default();
    // Asked first: a writer that ends meanwhile has sealed what the walk then sees.
    // What cannot be asked changes the words of the report, not its verdict.
    let locked = disk.is_locked(dir).unwrap_or(false);
    let (mut report, _) = examine(&disk, dir)?;
    if locked && !report.sealed {
        report.beside_writer();
    }
    Ok(report)
}

/// Refuses a journal that a writer is at work on, for readers that open it more than once and must
/// find the same each time. No second writer can come once the first is gone.
///
/// # Errors
/// [`ReadError::BeingWritten`] if a writer holds the journal, [`ReadError::Disk`] if its lock
/// cannot be asked, for then nobody knows.
pub fn at_rest(dir: &Path) -> Result<(), ReadError> {
    if Disk::default().is_locked(dir)? {
        return Err(ReadError::BeingWritten { dir: dir.to_path_buf() });
    }
    Ok(())
}

/// True if an ending is only what a writer has not written yet.
pub(crate) fn is_in_flight(ending: &Ending) -> bool {
    ending.orphans == 0 && !matches!(ending.case.verdict(0), Verdict::Corrupt { .. })
}

impl Report {
    /// Tells what was found beside a writer: a tail with nothing behind it is not torn but on its
    /// way.
    fn beside_writer(&mut self) {
        self.live = true;
        if self.orphans > 0 || matches!(self.verdict, Verdict::Corrupt { .. }) {
            return;
        }
        self.verdict = Verdict::Clean;
        self.case = Case::Unsealed;
        self.segment = None;
        self.detail = format!(
            "case {}: a session is writing the journal, its records so far are whole",
            self.case.letter()
        );
    }
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
        live: false,
        detail: format!("case {}: {}", ending.case.letter(), ending.detail),
    }
}
