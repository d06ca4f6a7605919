//! Replay: decisions computed again from a journal, and compared with what it says.
//!
//! The setup and the rules come from the journal's first records, market data from its input lane.
//! Everything else — the simulated venue's reports, timers, bars, day rolls, and every decision —
//! is computed again and compared record by record.

use std::path::Path;
use std::sync::Arc;

use journal::{ReadError, Reader, Verdict, at_rest, info};
use model::event::{Body, Event, FLAG_DERIVED, FLAG_LAST, Kind, Lane};
use model::id::Seq;
use model::order::EndReason;
use model::time::Nanos;

use dsl::span::Source as RulesText;

use crate::pipeline::{Pipeline, Split, Tapes, Threads, unwatched};
use crate::program::{self, RulesError};
use crate::recorder::Gate;
use crate::session::{Control, Session, SessionError, Summary};
use crate::setup::{SEMANTICS, Setup};
use crate::source::{Message, Progress, Source};
use crate::tape::{
    Comparison, Difference, JournaledEvents, KIND_RULES_LOADED, KIND_RUN_METADATA, KIND_TEXT_MIN,
    Naming, Reach, Tape, TapeError,
};
use crate::topology::Placement;

/// What a journal says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The setup.
    pub setup: Setup,
    /// The rule texts.
    pub texts: Vec<RulesText>,
    /// When the session started.
    pub start: Nanos,
    /// How it ended; none when it was killed.
    pub end: Option<EndReason>,
    /// Hash of the build that wrote it.
    pub build_hash: [u8; 32],
    /// Records of all lanes.
    pub records: u64,
    /// Bytes up to the end of the last of them, segments counted whole.
    pub bytes: u64,
    /// The tear at its end, if there is one.
    pub torn: Option<Tear>,
}

/// Where a crash took the end of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tear {
    /// Absolute offset of the first byte that is no record.
    pub at: u64,
    /// Records behind it that are intact by themselves: they are given up, since what stood between
    /// is not known.
    pub orphans: u64,
}

impl std::fmt::Display for Tear {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { at, orphans } = self;
        write!(out, "at byte {at}; {orphans} intact records behind it are given up")
    }
}

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
    /// The rules cannot be used.
    #[error(transparent)]
    Rules(#[from] Box<RulesError>),
    /// The session failed.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// The market data of a journal, message by message as the session saw it: what replay computes the
/// rest from, and recorded data of another session.
#[derive(Debug)]
pub struct JournalSource {
    events: JournaledEvents,
    next: Option<Event>,
    /// When the session began, until its first message is taken: that message was stamped behind
    /// the records of the start, and came with it.
    start: Option<Nanos>,
    first: Option<Nanos>,
    /// Time of the last input before the session's end.
    last: Nanos,
    /// The session's end was read: what follows belongs to it.
    is_over: bool,
    progress: Progress,
    /// A message said something else than what was wrong with it.
    is_used: bool,
    /// A fault met while reading: the source ends there.
    pub fault: Option<TapeError>,
    pending: Message,
}

impl Origin {
    /// Reads what a journal says of itself.
    ///
    /// # Errors
    /// [`ReplayError`] when the journal does not hold it or is of other semantics.
    pub fn read(dir: &Path) -> Result<Self, ReplayError> {
        Self::read_while(dir, |_| true)
    }

    /// Reads the beginning only: setup, rules and start. What the journal ends with is not known
    /// then, whatever state it is in.
    ///
    /// # Errors
    /// [`ReplayError`] when the journal does not hold it or is of other semantics.
    pub fn begin(dir: &Path) -> Result<Self, ReplayError> {
        Self::read_while(dir, |kind| kind != Kind::SessionStart as u16)
    }

    /// Reads up to the first record whose kind says so, that one included.
    fn read_while(dir: &Path, goes_on: impl Fn(u16) -> bool) -> Result<Self, ReplayError> {
        let mut reader = Reader::open(dir)?;
        let build_hash = reader.identity().build_hash;
        let journaled = reader.identity().semantics;
        if journaled != SEMANTICS {
            return Err(ReplayError::Semantics { journaled, ours: SEMANTICS });
        }
        let mut setup = None;
        let mut texts = Vec::new();
        let mut start = Nanos(0);
        let mut end = None;
        let mut records = 0_u64;
        while let Some(record) = reader.next()? {
            records = records.saturating_add(1);
            let kind = record.header.kind;
            match kind {
                KIND_RUN_METADATA => {
                    let parsed: Setup =
                        serde_json::from_slice(record.payload).map_err(ReplayError::Metadata)?;
                    setup = Some(parsed);
                }
                KIND_RULES_LOADED => {
                    let text = String::from_utf8_lossy(record.payload);
                    let (name, text) = text.split_once('\n').unwrap_or(("<journal>", &text));
                    texts.push(RulesText { name: name.to_owned(), text: text.to_owned() });
                }
                kind if kind == Kind::SessionStart as u16 => start = Nanos(record.header.ts_ns),
                kind if kind == Kind::SessionEnd as u16 => {
                    end = Some(reason(record.payload, record.header.seq)?);
                }
                _ => {}
            }
            if !goes_on(kind) {
                break;
            }
        }
        let torn = match reader.verdict() {
            Some(Verdict::Torn { at }) => Some(Tear { at, orphans: reader.orphans() }),
            Some(Verdict::Clean | Verdict::Corrupt { .. }) | None => None,
        };
        let setup = setup.ok_or(ReplayError::NoMetadata)?;
        let bytes = reader.position();
        Ok(Self { setup, texts, start, end, build_hash, records, bytes, torn })
    }
}

fn reason(payload: &[u8], seq: u64) -> Result<EndReason, TapeError> {
    let event =
        model::codec::decode(payload).map_err(|source| TapeError::Decode { seq, source })?;
    let Body::SessionEnd(end) = event.body() else { return Ok(EndReason::EndOfData) };
    Ok(end.reason)
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
    let build = |texts: Vec<RulesText>| -> Result<Session, ReplayError> {
        let checked = program::load(texts).map_err(Box::new)?;
        Ok(Session::build(origin.setup.clone(), &checked)?)
    };
    let is_other = texts.is_some();
    let mut session = build(texts.unwrap_or_else(|| origin.texts.clone()))?;
    let naming = match is_other {
        true => {
            let own = build(origin.texts.clone())?;
            Some(Arc::new(Naming::new(&own.bound.rules, &session.bound.rules)))
        }
        false => None,
    };
    // With other rules the records keep the numbers of the journal's inputs.
    session.keep_preamble(Seq(u64::try_from(origin.texts.len()).unwrap_or(0).saturating_add(1)));
    let mut source = JournalSource::open(dir)?;
    source.promise(origin.bytes);
    let stations = session.stations(Gate::off());
    let lane = |lane: Lane| Comparison::open(dir, lane, naming.clone());
    let pipeline = if placement.split {
        let tape = |of: Lane| Ok::<_, ReadError>(Tape::Compare(vec![lane(of)?]));
        let tapes = Tapes::Each {
            input: tape(Lane::Input)?,
            strategy: tape(Lane::Strategy)?,
            risk: tape(Lane::Risk)?,
            execution: tape(Lane::Execution)?,
            egress: tape(Lane::Egress)?,
        };
        let cores = placement.cores.get(1..).unwrap_or_default().to_vec();
        let threads = Threads { wait: placement.wait, cores, around: unwatched };
        Split::start(stations, tapes, &threads).map_err(SessionError::from)?
    } else {
        let lanes = [Lane::Input, Lane::Strategy, Lane::Risk, Lane::Execution, Lane::Egress];
        let lanes = lanes.into_iter().map(lane).collect::<Result<Vec<_>, _>>()?;
        Pipeline::fused(stations, Tape::Compare(lanes))
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

impl JournalSource {
    /// Opens the market data of a journal.
    ///
    /// # Errors
    /// [`ReadError`] when the journal cannot be opened.
    pub fn open(dir: &Path) -> Result<Self, ReadError> {
        let mut source = Self {
            events: JournaledEvents::open(dir, Lane::Input)?,
            next: None,
            start: None,
            first: None,
            last: Nanos(0),
            is_over: false,
            progress: Progress::default(),
            is_used: false,
            fault: None,
            pending: Message::default(),
        };
        source.fetch();
        source.gather();
        Ok(source)
    }

    /// Says how many bytes there are to read, for those who watch; see [`Origin::bytes`].
    pub fn promise(&mut self, bytes: u64) {
        self.progress.bytes_total = bytes;
    }

    /// Tells whether there were messages, and every one of them was bad.
    #[must_use]
    pub fn is_unusable(&self) -> bool {
        !self.is_used && self.progress.messages > 0
    }

    fn fetch(&mut self) {
        self.next = match self.events.advance() {
            Ok(event) => event,
            Err(fault) => {
                self.fault = Some(fault);
                self.progress.failed = true;
                None
            }
        };
    }

    /// Collects the next message with something in it that feed did not derive.
    fn gather(&mut self) {
        self.pending.updates.clear();
        self.first = None;
        while let Some(event) = self.next {
            if event.kind() == Kind::SessionStart {
                self.start = Some(event.ts);
            }
            self.is_over |= event.kind() == Kind::SessionEnd;
            if !self.is_over {
                self.last = event.ts;
            }
            if event.flags & FLAG_DERIVED == 0 {
                if self.pending.updates.is_empty() {
                    self.pending.ts = event.ts;
                    self.first = Some(event.ts);
                }
                self.pending.updates.push((event.instrument, event.body()));
            }
            self.fetch();
            if event.flags & FLAG_LAST != 0 && !self.pending.updates.is_empty() {
                return;
            }
        }
    }
}

impl Source for JournalSource {
    fn peek(&mut self) -> Option<Nanos> {
        self.first.map(|first| self.start.unwrap_or(first))
    }

    fn take(&mut self, into: &mut Message) -> bool {
        if self.first.is_none() {
            return false;
        }
        self.start = None;
        std::mem::swap(into, &mut self.pending);
        let mut bad = 0_u64;
        for (_, body) in &into.updates {
            if let Body::BadInput(input) = body {
                bad = bad.saturating_add(input.count);
            } else {
                self.is_used = true;
            }
        }
        // A record of bad input stands for several messages that left nothing else.
        self.progress.messages = self.progress.messages.saturating_add(bad.max(1));
        self.progress.bad = self.progress.bad.saturating_add(bad);
        self.progress.bytes = self.events.position();
        self.gather();
        true
    }

    fn progress(&self) -> Progress {
        self.progress
    }

    fn horizon(&self) -> Option<Nanos> {
        Some(self.last)
    }
}

/// Tells whether a record type is an event.
#[must_use]
pub fn is_event(kind: u16) -> bool {
    kind < KIND_TEXT_MIN
}
