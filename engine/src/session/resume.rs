//! A killed session, brought back from its journal: the same positions, orders, counters, latches.
//!
//! ```text
//! journal  ==inputs, decisions==========|--inputs--|..half a message
//! state    computed again and compared..^ snapshot
//! source   ..messages that are in it....|==the same messages again, and what follows====>
//! journal of the run that goes on       [metadata, rules, snapshot]==inputs, decisions====>
//! ```
//!
//! All inputs of the journal are computed again from its beginning, or from the snapshot that it
//! began with, and every decision is compared: a state that would have decided otherwise is not the
//! one that was killed, and nothing trades on it. The lanes of a journal do not end together, since
//! the journal thread writes decisions behind their inputs. So the state that counts is that of the
//! last message of which all lanes have all; the messages behind it are taken from the source once
//! more. That asks for a source that gives the same messages again, as recorded and generated
//! markets do, and the simulated venue, which is computed with them.
//!
//! The run that goes on has a journal of its own, names the one before as its parent, and holds the
//! snapshot: it replays by itself. What the kill cut off is cut from the parent by its recovery.

use std::path::Path;

use journal::{OpenError, Verdict, recover};
use model::id::RunId;
use model::order::EndReason;
use model::time::Nanos;

use super::snapshot::Snapshot;
use super::{Driver, Session, SessionError};
use crate::feed::Feed;
use crate::pipeline::{Finished, Pipeline};
use crate::program;
use crate::recorder::Gate;
use crate::replay::{JournalSource, Origin, ReplayError};
use crate::setup::Setup;
use crate::source::{Message, Progress, Source};
use crate::tape::{Comparison, Reach, Tape};

/// A session that goes on where a killed one stopped.
#[derive(Debug)]
pub struct Resumed {
    /// The session, with the snapshot that it goes on from.
    pub session: Session,
    /// Records of the journal that were compared on the way.
    pub compared: u64,
    /// True if the journal had a torn tail, which was cut.
    pub repaired: bool,
}

/// Why a session cannot be brought back. Nothing trades then.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The journal cannot be opened or repaired.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The journal is damaged where it was durable.
    #[error(
        "journal {dir} is corrupt at byte {at}: {detail}; restore a copy of it, since what was \
         decided behind that place is not known"
    )]
    Corrupt {
        /// The journal.
        dir: String,
        /// Absolute offset up to which it is valid.
        at: u64,
        /// What was found.
        detail: String,
    },
    /// The session ended in order: there is nothing to go on with.
    #[error("the session of journal {dir} was not killed, it ended ({end:?}); start a new one")]
    Ended {
        /// The journal.
        dir: String,
        /// How.
        end: EndReason,
    },
    /// The session was killed before its first message was journaled whole.
    #[error("journal {dir} holds no whole message; start the session anew")]
    Nothing {
        /// The journal.
        dir: String,
    },
    /// What the program computes is not what the journal says.
    #[error(
        "the session cannot go on: at seq {seq} this program computes another {field} than the \
         journal says; nothing may trade on a state that is not the one that was killed; compare \
         with `replay`, and use the version that wrote the journal"
    )]
    Diverged {
        /// Seq of the first difference.
        seq: u64,
        /// Lane, kind and field.
        field: String,
    },
    /// The journal cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

/// How far the journal proves the session: after the message with that last seq, when so many
/// messages were taken from the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut {
    seq: u64,
    messages: u64,
}

/// Repairs the journal of a killed session if need be, computes the session's state again, and
/// returns the session that goes on from it. Its source is the same as before, [`Rest`] of it.
///
/// # Errors
/// [`ResumeError`] when the journal does not prove the state.
pub fn resume(dir: &Path) -> Result<Resumed, ResumeError> {
    let shown = || dir.display().to_string();
    let recovery = recover(dir)?;
    if let Verdict::Corrupt { at } = recovery.report.verdict {
        return Err(ResumeError::Corrupt { dir: shown(), at, detail: recovery.report.detail });
    }
    let origin = Origin::read(dir)?;
    if let Some(end) = origin.end {
        return Err(ResumeError::Ended { dir: shown(), end });
    }
    let session = origin.session()?;
    let (cut, compared) = prove(dir, &session, &origin)?;
    let cut = cut.ok_or_else(|| ResumeError::Nothing { dir: shown() })?;
    let snapshot = compute(dir, &session, &origin, cut)?;
    let setup = continued(&origin.setup, cut);
    let checked = program::load(origin.texts).map_err(|e| ReplayError::Rules(Box::new(e)))?;
    let session = Session::build(setup, &checked).map_err(ReplayError::Session)?;
    let session = session.go_on_from(snapshot).map_err(ReplayError::Session)?;
    Ok(Resumed { session, compared, repaired: recovery.repaired })
}

/// Computes the journal's session again and compares; returns how far the journal proves it and how
/// many records were compared.
fn prove(
    dir: &Path,
    session: &Session,
    origin: &Origin,
) -> Result<(Option<Cut>, u64), ResumeError> {
    let lanes = Comparison::all(dir, None).map_err(ReplayError::Read)?;
    let mut cut = None;
    let finished = follow(dir, session, origin, Tape::Compare(lanes.into()), |at, pipeline| {
        let covered = pipeline.is_covered();
        if covered {
            cut = Some(at);
        }
        covered
    })?;
    let mut compared = 0_u64;
    for comparison in finished.1.tapes.into_iter().flat_map(Tape::into_comparisons) {
        // Broken off: what the journal has of the next message is not looked at.
        let (count, difference) = comparison.finish(Reach::BrokenOff).map_err(ReplayError::Tape)?;
        compared = compared.saturating_add(count);
        if let Some(found) = difference {
            return Err(ResumeError::Diverged { seq: found.seq, field: found.field });
        }
    }
    Ok((cut, compared))
}

/// Computes the journal's session again up to the cut and takes its state.
fn compute(
    dir: &Path,
    session: &Session,
    origin: &Origin,
    cut: Cut,
) -> Result<Snapshot, ResumeError> {
    let (feed, finished) = follow(dir, session, origin, Tape::off(), |at, _| at != cut)?;
    let parent = u128::from_str_radix(&origin.setup.run_id, 16).unwrap_or_default();
    Ok(Snapshot::of(RunId(parent), &feed, &finished.stations, cut.messages))
}

/// Runs the session of a journal until `goes_on` says no, asked after the beginning and after each
/// message or other thing that happened.
fn follow(
    dir: &Path,
    session: &Session,
    origin: &Origin,
    tape: Tape,
    mut goes_on: impl FnMut(Cut, &Pipeline) -> bool,
) -> Result<(Feed, Finished), ResumeError> {
    let mut source = JournalSource::open(dir).map_err(ReplayError::Read)?;
    let run = |source: &mut JournalSource| -> Result<_, SessionError> {
        let mut feed = session.ready_feed(origin.start)?;
        let mut pipeline = Pipeline::fused(session.ready_stations(Gate::off())?, tape);
        let mut driver = Driver::new(&mut feed, &mut pipeline);
        driver.begin(session, origin.start)?;
        while goes_on(driver.place(), driver.pipeline) && driver.step(source)? {}
        Ok((feed, pipeline.finish()?))
    };
    let done = run(&mut source).map_err(ReplayError::Session)?;
    match source.fault {
        Some(fault) => Err(ReplayError::Tape(fault).into()),
        None => Ok(done),
    }
}

/// Returns the setup of the run that goes on: the same, under an identity of its own.
fn continued(setup: &Setup, cut: Cut) -> Setup {
    let mut hasher = blake3::Hasher::new();
    hasher.update(setup.run_id.as_bytes());
    hasher.update(&cut.seq.to_le_bytes());
    let head = hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default();
    Setup { run_id: format!("{:032x}", u128::from_le_bytes(head)), ..setup.clone() }
}

impl Driver<'_> {
    /// Returns where the session is between two messages.
    fn place(&self) -> Cut {
        Cut { seq: self.feed.seq().0, messages: self.taken }
    }
}

/// What a source has left behind its first messages, which an earlier run took.
pub struct Rest<'a> {
    source: &'a mut dyn Source,
    /// What was counted of the messages passed over.
    before: Progress,
}

impl<'a> Rest<'a> {
    /// Passes over the first `messages` messages of a source; it may have fewer.
    pub fn of(source: &'a mut dyn Source, messages: u64) -> Self {
        let mut message = Message::default();
        for _ in 0..messages {
            if source.peek().is_none() || !source.take(&mut message) {
                break;
            }
        }
        let before = source.progress();
        Self { source, before }
    }
}

impl std::fmt::Debug for Rest<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Rest").field("before", &self.before).finish_non_exhaustive()
    }
}

impl Source for Rest<'_> {
    fn peek(&mut self) -> Option<Nanos> {
        self.source.peek()
    }

    fn take(&mut self, into: &mut Message) -> bool {
        self.source.take(into)
    }

    fn intended(&self) -> Option<u64> {
        self.source.intended()
    }

    fn wait(&mut self, until: Nanos) -> bool {
        self.source.wait(until)
    }

    fn progress(&self) -> Progress {
        let all = self.source.progress();
        Progress {
            messages: all.messages.saturating_sub(self.before.messages),
            bad: all.bad.saturating_sub(self.before.bad),
            ..all
        }
    }

    fn horizon(&self) -> Option<Nanos> {
        self.source.horizon()
    }
}
