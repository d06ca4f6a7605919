//! Spare segments ahead of the writer, and sealed segments behind it, off the writer's thread.
//!
//! ```text
//!            spares (1 queued + 1 in hand)
//!  Keeper  ------------------------------->  Writer
//!          <-------------------------------
//!            retired segments (2 at most)
//!          ------------------------------->
//!            seal reports
//! ```
//!
//! The work itself is a [`Workshop`], of which there is one per journal. It lies in a slot that
//! both ends share: a keeper that runs takes it out; a writer that needs a segment while it still
//! lies there takes it and does the work inline from then on. So a dropped or never started keeper
//! costs speed and nothing else, and nobody waits for a thread that does not run.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Select, Sender, bounded};

use crate::disk::{Disk, Lock, SegmentFile};
use crate::error::{AppendError, DiskError};
use crate::layout::segment_name;
use crate::seal::{Place, Retired, SealReport, seal};
use crate::sink::{Segment, SinkKind};

/// Spares waiting for the writer; the keeper holds one more in hand.
const SPARE_SLOTS: usize = 1;
/// Segments waiting for their seal; a writer that fills more of them than the disk takes must wait.
const RETIRED_SLOTS: usize = 2;
/// Reports waiting for the writer. More than segments can be out at once, so that the keeper never
/// waits for a writer that waits for a spare.
const REPORT_SLOTS: usize = 8;
const _: () = assert!(REPORT_SLOTS > RETIRED_SLOTS + SPARE_SLOTS + 1);

/// The work on segments: preparing them in order, sealing them in order.
#[derive(Debug)]
pub(crate) struct Workshop {
    pub(crate) disk: Disk,
    pub(crate) dir: PathBuf,
    pub(crate) kind: SinkKind,
    pub(crate) place: Place,
    /// The segment to prepare next.
    pub(crate) next_index: u64,
    /// Hash of the last sealed segment.
    pub(crate) previous_hash: [u8; 32],
    /// Lengths of all sealed files, from segment 0 on.
    pub(crate) sealed: Vec<u64>,
    /// Keeps other writers out until the last seal is done.
    pub(crate) _lock: Arc<Lock>,
}

impl Workshop {
    /// Creates the next segment. Its first page is written when its first record is.
    pub(crate) fn prepare(&mut self) -> Result<Segment, DiskError> {
        self.prepare_with(|_| Ok(()))
    }

    /// Creates the next segment. What `fill` writes and syncs is done before the pages are faulted
    /// in: a sync protects them again, and every first store would take a fault.
    pub(crate) fn prepare_with(
        &mut self,
        fill: impl FnOnce(&SegmentFile) -> Result<(), DiskError>,
    ) -> Result<Segment, DiskError> {
        let (index, bytes) = (self.next_index, self.place.segment_bytes);
        let file = self.disk.create_segment(&self.dir, index, bytes)?;
        if let Err(cause) = fill(&file) {
            // The first failure is the one to report; a left-over file is an empty spare.
            self.disk.remove(file.path()).ok();
            return Err(cause);
        }
        let segment = Segment::open(&self.disk, file, index, bytes, self.kind)?;
        self.next_index = index.saturating_add(1);
        Ok(segment)
    }

    /// Seals a segment; after the final one, removes the spares that nobody needs.
    pub(crate) fn seal(&mut self, retired: Retired) -> Result<SealReport, DiskError> {
        let (is_final, index) = (retired.is_final, retired.segment.index);
        if is_final {
            self.confirm_sealed()?;
        }
        let footer = seal(retired, self.place, self.previous_hash)?;
        self.previous_hash = footer.hash;
        let durable_off = footer.durable_off.saturating_add(crate::control::END_SEGMENT_BYTES);
        let in_file = durable_off.saturating_sub(self.place.absolute(index, 0));
        self.sealed.push(in_file);
        if is_final {
            self.remove_spares(index)?;
        }
        Ok(SealReport {
            durable_off,
            durable_seq: footer.last_seq,
            hash: footer.hash,
            bytes: self.sealed.iter().sum(),
            is_final,
        })
    }

    /// Checks, before the run is called whole, that no sealed segment was cut or removed since.
    fn confirm_sealed(&self) -> Result<(), DiskError> {
        for (index, bytes) in (0_u64..).zip(&self.sealed) {
            self.disk.confirm_sealed(&self.dir.join(segment_name(index)), *bytes)?;
        }
        Ok(())
    }

    fn remove_spares(&self, last: u64) -> Result<(), DiskError> {
        for index in (last.saturating_add(1)..self.next_index).rev() {
            self.disk.remove(&self.dir.join(segment_name(index)))?;
        }
        self.disk.sync_dir(&self.dir)
    }
}

/// Where the workshop lies until somebody takes it.
type Slot = Arc<Mutex<Option<Workshop>>>;

fn take(slot: &Slot) -> Option<Workshop> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Prepares spare segments and seals full ones on a thread of the caller's choice.
///
/// It may be dropped: the writer then does the same work itself, at each roll.
#[derive(Debug)]
pub struct Keeper {
    slot: Slot,
    spares: Sender<Result<Segment, DiskError>>,
    retired: Receiver<Retired>,
    reports: Sender<Result<SealReport, DiskError>>,
}

impl Keeper {
    /// Works until the writer is sealed or dropped, or until a sync fails; returns at once if the
    /// writer began to do the work itself. Every failure reaches the caller through the writer.
    pub fn run(self) {
        let Some(mut workshop) = take(&self.slot) else {
            return;
        };
        let mut in_hand = workshop.prepare();
        loop {
            let mut select = Select::new();
            let give = select.send(&self.spares);
            select.recv(&self.retired);
            let ready = select.select();
            if ready.index() == give {
                if ready.send(&self.spares, in_hand).is_err() {
                    break;
                }
                in_hand = workshop.prepare();
                continue;
            }
            let Ok(retired) = ready.recv(&self.retired) else {
                return;
            };
            match self.seal(workshop, retired) {
                Some(next) => workshop = next,
                None => return,
            }
        }
        // The writer is gone; what it left behind is still sealed.
        for retired in &self.retired {
            match self.seal(workshop, retired) {
                Some(next) => workshop = next,
                None => return,
            }
        }
    }

    /// Seals one segment and reports; `None` if that was the last thing to do.
    fn seal(&self, mut workshop: Workshop, retired: Retired) -> Option<Workshop> {
        let is_final = retired.is_final;
        let outcome = workshop.seal(retired);
        let goes_on = !is_final && outcome.is_ok();
        // The last report releases the writer, which must then find the lock free.
        let workshop = goes_on.then_some(workshop);
        // A writer that is gone needs no report.
        self.reports.send(outcome).ok();
        workshop
    }
}

/// The writer's end.
#[derive(Debug)]
pub(crate) struct Link {
    slot: Slot,
    spares: Receiver<Result<Segment, DiskError>>,
    retired: Sender<Retired>,
    reports: Receiver<Result<SealReport, DiskError>>,
    /// The workshop, once the writer has taken it.
    inline: Option<Workshop>,
    /// The newest report of an inline seal.
    sealed_inline: Option<SealReport>,
    /// Segments handed over of which no report was taken: while there are none, nobody needs to
    /// look.
    unreported: u32,
}

/// Connects a writer and its keeper.
pub(crate) fn connect(workshop: Workshop) -> (Link, Keeper) {
    let slot: Slot = Arc::new(Mutex::new(Some(workshop)));
    let (spares_in, spares) = bounded(SPARE_SLOTS);
    let (retired, retired_out) = bounded(RETIRED_SLOTS);
    let (reports_in, reports) = bounded(REPORT_SLOTS);
    let keeper = Keeper {
        slot: Arc::clone(&slot),
        spares: spares_in,
        retired: retired_out,
        reports: reports_in,
    };
    let link =
        Link { slot, spares, retired, reports, inline: None, sealed_inline: None, unreported: 0 };
    (link, keeper)
}

impl Link {
    /// The next segment: a spare, or one made here if no keeper works, or after a wait.
    pub(crate) fn next_segment(&mut self) -> Result<Segment, AppendError> {
        if let Ok(spare) = self.spares.try_recv() {
            return Ok(spare?);
        }
        if let Some(workshop) = self.workshop() {
            return Ok(workshop.prepare()?);
        }
        match self.spares.recv() {
            Ok(spare) => Ok(spare?),
            Err(_) => Err(self.why_gone()),
        }
    }

    /// Hands over a segment that is full.
    pub(crate) fn retire(&mut self, retired: Retired) -> Result<(), AppendError> {
        self.unreported = self.unreported.saturating_add(1);
        if let Some(workshop) = self.workshop() {
            self.sealed_inline = Some(workshop.seal(retired)?);
            return Ok(());
        }
        self.retired.send(retired).map_err(|_| self.why_gone())
    }

    /// Why a keeper that took the workshop works no more: one that stopped by itself has left the
    /// reason among its reports before it dropped its ends.
    fn why_gone(&mut self) -> AppendError {
        self.newest_report().map_or_else(AppendError::Disk, |_| AppendError::KeeperGone)
    }

    /// True if `newest_report` has something to say; one load while no segment is out.
    #[inline]
    pub(crate) fn has_report(&self) -> bool {
        self.unreported > 0 && (self.sealed_inline.is_some() || !self.reports.is_empty())
    }

    /// The newest of the reports that have arrived, or the failure among them.
    pub(crate) fn newest_report(&mut self) -> Result<Option<SealReport>, DiskError> {
        let mut newest = self.sealed_inline.take();
        if newest.is_some() {
            // An inline seal is done before the next segment is handed over.
            self.unreported = 0;
        }
        while let Ok(report) = self.reports.try_recv() {
            self.unreported = self.unreported.saturating_sub(1);
            newest = Some(report?);
        }
        Ok(newest)
    }

    /// Seals the last segment and waits until it is done.
    pub(crate) fn finish(mut self, last: Retired) -> Result<SealReport, AppendError> {
        self.retire(last)?;
        if let Some(report) = self.sealed_inline.take() {
            return Ok(report);
        }
        // The keeper drops its end after the last report.
        for report in &self.reports {
            let report = report?;
            if report.is_final {
                return Ok(report);
            }
        }
        Err(self.why_gone())
    }

    fn workshop(&mut self) -> Option<&mut Workshop> {
        if self.inline.is_none() {
            self.inline = take(&self.slot);
        }
        self.inline.as_mut()
    }
}
