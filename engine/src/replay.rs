//! Replay: decisions computed again from a journal, and compared with what it says.
//!
//! The setup and the rules come from the journal's first records, market data from its input lane.
//! Everything else — the simulated venue's reports, timers, bars, day rolls, and every decision —
//! is computed again and compared record by record.

use std::path::{Path, PathBuf};

use journal::{ReadError, at_rest, info};
use model::order::EndReason;
use model::time::Nanos;

use dsl::span::Source as RulesText;

use crate::pipeline::{Pipeline, Split, Tapes, Threads, unwatched};
use crate::program::RulesError;
use crate::recorder::Gate;
use crate::session::{Control, SessionError, Summary};
use crate::source::Progress;
use crate::tape::{Comparison, Difference, KIND_TEXT_MIN, Reach, Tape, TapeError};
use crate::topology::Placement;

/// What a journal says of the session that wrote it.
mod origin;
/// The market data of a journal.
mod source;

pub use origin::{Origin, Tear};
pub use source::JournalSource;

/// The outcome of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Records that were compared.
    pub compared: u64,
    /// Records of the journal.
    pub records: u64,
    /// The first difference, by seq; when interrupted, the first so far.
    pub difference: Option<Difference>,
    /// True if the control stopped the replay before the journal's end.
    pub interrupted: bool,
    /// The tear at the journal's end: what was compared is what stands before it.
    pub torn: Option<Tear>,
    /// Identity of the build that wrote the journal.
    pub build_hash: [u8; 32],
    /// What the recomputed session did.
    pub summary: Summary,
}

/// Why a journal cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record cannot be understood.
    #[error(transparent)]
    Tape(#[from] TapeError),
    /// The journal has no run metadata.
    #[error("the journal does not begin with the run's metadata; was it written by this program?")]
    NoMetadata,
    /// The metadata is not of this version.
    #[error("the run's metadata cannot be read: {0}")]
    Metadata(serde_json::Error),
    /// Another meaning of decisions.
    #[error(
        "the journal was decided by semantics {journaled}, this program has {ours}: use the \
         version that wrote it"
    )]
    Semantics {
        /// The journal's.
        journaled: u32,
        /// Ours.
        ours: u32,
    },
    /// Other rules cannot go on from the state that the journal begins with.
    #[error(
        "journal {} goes on from the state of another under its own rules; ask what other rules \
         would have decided of the journal that it continues", dir.display()
    )]
    Continued {
        /// The journal.
        dir: PathBuf,
    },
    /// The rules cannot be used.
    #[error(transparent)]
    Rules(#[from] Box<RulesError>),
    /// The session failed.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// The caller's control of a replay. One that stops breaks the replay off: the session it computes
/// does not end there, so nothing of an end may be computed.
struct BreakOff<'a> {
    control: &'a mut dyn Control,
    stopped: bool,
}

impl Control for BreakOff<'_> {
    fn stop(&mut self) -> bool {
        self.stopped |= self.control.stop();
        self.stopped
    }

    fn reason(&self) -> Option<EndReason> {
        None
    }

    fn progress(&mut self, progress: &Progress, now: Nanos) {
        self.control.progress(progress, now);
    }
}

/// Replays a journal on a placement. `texts` in place of the journal's own rules ask what they
/// would have decided: then the comparison tells where they part, by the names of rules.
///
/// # Errors
/// [`ReplayError`] when the journal cannot be replayed, also because a session is writing it: each
/// lane is read by itself, and all must end at the same place.
pub fn replay(
    dir: &Path,
    texts: Option<Vec<RulesText>>,
    placement: &Placement,
    control: &mut dyn Control,
) -> Result<Replayed, ReplayError> {
    at_rest(dir)?;
    let origin = Origin::read(dir)?;
    let (session, naming) = origin.session_under(texts, dir)?;
    let mut source = JournalSource::open(dir)?;
    source.promise(origin.bytes);
    let stations = session.ready_stations(Gate::off())?;
    let lanes = Comparison::all(dir, naming.as_ref())?;
    let pipeline = if placement.split {
        let [input, strategy, risk, execution, egress] =
            lanes.map(|lane| Tape::Compare(vec![lane]));
        let tapes = Tapes::Each { input, strategy, risk, execution, egress };
        let cores = placement.cores.get(1..).unwrap_or_default().to_vec();
        let threads = Threads { wait: placement.wait, cores, around: unwatched };
        Split::start(stations, tapes, &threads).map_err(SessionError::from)?
    } else {
        Pipeline::fused(stations, Tape::Compare(lanes.into()))
    };
    let mut control = BreakOff { control, stopped: false };
    let (summary, finished) =
        session.run(&mut source, pipeline, origin.start, origin.end, &mut control)?;
    if let Some(fault) = source.fault {
        return Err(fault.into());
    }
    // A run that was killed while it ended has a SessionEnd and no seal.
    let reach = match control.stopped {
        true => Reach::BrokenOff,
        false if origin.end.is_some() && info(dir)?.sealed => Reach::Sealed,
        false => Reach::Killed,
    };
    let mut compared = 0_u64;
    let mut first: Option<Difference> = None;
    for comparison in finished.tapes.into_iter().flat_map(Tape::into_comparisons) {
        let (count, difference) = comparison.finish(reach)?;
        compared = compared.saturating_add(count);
        if let Some(found) = difference
            && first.as_ref().is_none_or(|known| found.seq < known.seq)
        {
            first = Some(found);
        }
    }
    Ok(Replayed {
        compared,
        records: origin.records,
        difference: first,
        interrupted: control.stopped,
        torn: origin.torn,
        build_hash: origin.build_hash,
        summary,
    })
}

/// Tells whether a record type is an event.
#[must_use]
pub fn is_event(kind: u16) -> bool {
    kind < KIND_TEXT_MIN
}
