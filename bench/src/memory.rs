//! Resident memory of a session that runs the same capture again and again.
//!
//! The capture is journaled once by the program; its market data then goes through the stages of
//! this process, from the journal, many times. Whatever grows with each run shows here.

use std::path::Path;

use anyhow::ensure;

use engine::program;
use engine::replay::{JournalSource, Origin};
use engine::session::journaled::run;
use engine::session::{Session, ToTheEnd};
use engine::topology::{Topology, place};

use crate::host::{cores, resident_kib};

/// Resident memory in KiB after each loop.
///
/// # Errors
/// The journal cannot be replayed, or a loop decides differently from `decisions_hash`.
pub fn loops(journal: &Path, decisions_hash: &str, count: usize) -> anyhow::Result<Vec<u64>> {
    let origin = Origin::read(journal)?;
    let checked = program::load(origin.texts)?;
    let session = Session::build(origin.setup, &checked)?;
    let mut placement = place(Topology::Fused, None, &cores())?;
    placement.cores.clear();
    let mut resident = Vec::with_capacity(count);
    for nth in 0..count {
        let mut source = JournalSource::open(journal)?;
        let ran = run(&session, &mut source, None, &placement, &mut ToTheEnd)?;
        ensure!(
            ran.summary.decisions_hash == decisions_hash,
            "loop {nth} decided differently from the recorded run"
        );
        drop((ran, source));
        resident.push(resident_kib());
    }
    Ok(resident)
}
