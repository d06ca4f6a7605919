//! Resident memory of one session that sees the same capture again and again.
//!
//! The capture is journaled once by the program. Its market data then goes from the journal through
//! the stages of this process, many times in a row, each time later by the capture's length: one
//! session, as a live one that runs for days. Whatever grows with what a session has seen shows
//! here.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use engine::program;
use engine::replay::{JournalSource, Origin};
use engine::session::journaled::run;
use engine::session::{Session, ToTheEnd};
use engine::source::{Message, Progress, Source};
use engine::topology::{Topology, place};
use journal::ReadError;
use model::time::{Nanos, SECOND_NS};

use crate::host::{cores, resident_kib};

/// A capture that begins again when it has ended.
#[derive(Debug)]
struct Looped {
    journal: PathBuf,
    inner: JournalSource,
    /// Nanoseconds that are added to the times of this pass.
    later_ns: i64,
    first: Nanos,
    last: Nanos,
    left: usize,
    progress: Progress,
    /// Resident memory in KiB at the end of each pass.
    resident: Vec<u64>,
}

impl Looped {
    fn open(journal: &Path, passes: usize) -> anyhow::Result<Self> {
        let mut inner = JournalSource::open(journal)?;
        let first = inner.peek().context("the journal holds no message")?;
        Ok(Self {
            journal: journal.to_owned(),
            inner,
            later_ns: 0,
            first,
            last: first,
            left: passes.saturating_sub(1),
            progress: Progress::default(),
            resident: Vec::with_capacity(passes),
        })
    }

    /// Notes what is resident, and begins again if there is a pass left.
    fn turn(&mut self) -> Result<(), ReadError> {
        self.resident.push(resident_kib());
        if self.left > 0 {
            self.left -= 1;
            // A second passes between two passes.
            self.later_ns += self.last.since(self.first) + SECOND_NS;
            self.inner = JournalSource::open(&self.journal)?;
        }
        Ok(())
    }
}

impl Source for Looped {
    fn peek(&mut self) -> Option<Nanos> {
        Some(self.inner.peek()?.plus(self.later_ns))
    }

    fn take(&mut self, into: &mut Message) -> bool {
        if !self.inner.take(into) {
            return false;
        }
        self.last = into.ts;
        into.ts = into.ts.plus(self.later_ns);
        self.progress.messages += 1;
        self.progress.failed |= self.inner.fault.is_some();
        if self.inner.peek().is_none() {
            self.progress.failed |= self.turn().is_err();
        }
        true
    }

    fn progress(&self) -> Progress {
        self.progress
    }
}

/// Runs a session over `passes` passes of a journaled capture; resident memory in KiB after each.
///
/// # Errors
/// The journal cannot be read, or a pass did not bring as many messages as the first.
pub fn passes(journal: &Path, passes: usize) -> anyhow::Result<Vec<u64>> {
    let origin = Origin::read(journal)?;
    let checked = program::load(origin.texts)?;
    let session = Session::build(origin.setup, &checked)?;
    let mut placement = place(Topology::Fused, None, &cores())?;
    placement.cores.clear();
    let mut source = Looped::open(journal, passes)?;
    let ran = run(&session, &mut source, None, &placement, &mut ToTheEnd)?;
    let messages = ran.summary.progress.messages;
    ensure!(!source.progress.failed, "the journal could not be read to its end");
    ensure!(source.resident.len() == passes, "{} passes ran", source.resident.len());
    ensure!(
        messages > 0 && messages.is_multiple_of(u64::try_from(passes)?),
        "{messages} messages are no {passes} equal passes"
    );
    Ok(source.resident)
}
