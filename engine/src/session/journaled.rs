//! The journal of a session: what is written before the stages start, and the threads that write.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use journal::{
    AppendError, Identity, Keeper, LANE_INPUT, OpenError, Options, RecordHeader, Sealed, SinkKind,
    Writer,
};
use model::order::EndReason;
use model::time::Nanos;

use super::{Control, Session, SessionError, Summary};
use crate::pipeline::{Finished, Pipeline, Split, Tapes, Threads, unwatched};
use crate::recorder::{Gate, RecordError, Recorder, RecorderThread, Waits};
use crate::setup::SEMANTICS;
use crate::source::Source;
use crate::tape::{KIND_RULES_LOADED, KIND_RUN_METADATA, KIND_SNAPSHOT, Tape};
use crate::topology::{Placement, give_way, pin};

/// Where and how to journal.
#[derive(Clone, Debug)]
pub struct JournalSpec {
    /// A folder that does not exist yet or is empty.
    pub dir: PathBuf,
    /// Bytes of one segment.
    pub segment_bytes: u64,
    /// How bytes reach the disk.
    pub sink: SinkKind,
    /// Whether anything is synced: not for runs that can be repeated.
    pub sync: bool,
    /// Hash of the program's build: a journal says what wrote it.
    pub build_hash: [u8; 32],
}

/// Bytes of a segment unless told otherwise: half a second at 32 MB/s. A session waits until its
/// first segment is faulted in and, at its end, until the keeper is through with a spare and the
/// last segment is hashed: with 64 MiB that took, traced, 70 to 90 of 500 ms.
pub const SEGMENT_BYTES: u64 = 16 << 20;

/// Why a journaled session failed.
#[derive(Debug, thiserror::Error)]
pub enum JournaledError {
    /// The journal could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The preamble could not be written.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The journal thread failed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The session itself failed.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The setup could not be written as text.
    #[error("cannot write the run's metadata: {0}")]
    Metadata(#[from] serde_json::Error),
    /// The system gave no thread.
    #[error("cannot start the journal's threads: {0}")]
    Thread(std::io::Error),
    /// A journal thread panicked.
    #[error("a journal thread has ended by a defect; verify the journal before it is used")]
    Panicked,
}

/// What is left of a run: its summary, its stages, and the sealed journal if there is one.
#[derive(Debug)]
pub struct Ran {
    /// What the session did.
    pub summary: Summary,
    /// Its stages.
    pub finished: Finished,
    /// The journal.
    pub sealed: Option<Sealed>,
}

struct Writing {
    recorder: JoinHandle<Result<Sealed, RecordError>>,
    keeper: JoinHandle<()>,
}

/// Runs a session on a placement, with or without a journal.
///
/// # Errors
/// [`JournaledError`] when the session or its journal fails.
pub fn run(
    session: &Session,
    source: &mut dyn Source,
    journal: Option<&JournalSpec>,
    placement: &Placement,
    control: &mut dyn Control,
) -> Result<Ran, JournaledError> {
    // A session that goes on may find nothing left to do, and then ends in order.
    let resumed = session.snapshot().map(|snapshot| snapshot.ts);
    let start = resumed.or_else(|| source.peek()).ok_or(SessionError::NoData)?;
    let Placement { wait: stages, gate_wait: gate, journal_wait: journal_thread, .. } = *placement;
    let waits = Waits { stages, gate, journal: journal_thread };
    let (tapes, gate, writing) = match journal {
        None => (off(placement.split), Gate::off(), None),
        Some(spec) => {
            let (writer, keeper) = open(session, spec, start)?;
            let (tapes, gate, thread) = connect(writer, waits, placement.split);
            (tapes, gate, Some(Writing::start(thread, keeper, &placement.spare_cores)?))
        }
    };
    let ran = join(session, tapes, gate, placement).and_then(|pipeline| {
        // Last, so that no other thread inherits the one processor.
        if let Some(core) = placement.cores.first() {
            pin(*core);
        }
        session.run(source, pipeline, start, Some(EndReason::EndOfData), control)
    });
    // The tapes are gone from here on, which tells the journal thread that nothing more comes; and
    // what it has to say of a failure goes before what the stages saw of it.
    let ran = ran.map(|(summary, mut finished)| {
        finished.tapes.clear();
        (summary, finished)
    });
    let sealed = writing.map(Writing::finish).transpose()?;
    let (summary, finished) = ran?;
    Ok(Ran { summary, finished, sealed })
}

fn join(
    session: &Session,
    tapes: Tapes,
    gate: Gate,
    placement: &Placement,
) -> Result<Pipeline, SessionError> {
    let stations = session.ready_stations(gate)?;
    match tapes {
        Tapes::One(tape) => Ok(Pipeline::fused(stations, tape)),
        each @ Tapes::Each { .. } => {
            let cores = placement.cores.get(1..).unwrap_or_default().to_vec();
            let threads = Threads { wait: placement.wait, cores, around: unwatched };
            Ok(Split::start(stations, each, &threads)?)
        }
    }
}

fn off(split: bool) -> Tapes {
    if !split {
        return Tapes::One(Tape::off());
    }
    Tapes::Each {
        input: Tape::off(),
        strategy: Tape::off(),
        risk: Tape::off(),
        execution: Tape::off(),
        egress: Tape::off(),
    }
}

fn connect(writer: Writer, waits: Waits, split: bool) -> (Tapes, Gate, RecorderThread) {
    if !split {
        let Recorder { lanes, gate, thread, .. } = Recorder::fused(writer, waits);
        return (Tapes::One(Tape::Record(lanes)), gate, thread);
    }
    let Recorder { lanes, gate, thread, .. } = Recorder::split(writer, waits);
    let tapes = Tapes::Each {
        input: Tape::Record(lanes.input),
        strategy: Tape::Record(lanes.strategy),
        risk: Tape::Record(lanes.risk),
        execution: Tape::Record(lanes.execution),
        egress: Tape::Record(lanes.egress),
    };
    (tapes, gate, thread)
}

/// Creates the journal and writes what precedes the stages: the run's metadata, each rule text, and
/// the snapshot that the session goes on from, if it does: seq and time lead up to that then.
fn open(
    session: &Session,
    spec: &JournalSpec,
    start: Nanos,
) -> Result<(Writer, Keeper), JournaledError> {
    let metadata = serde_json::to_string(&session.setup)?;
    let run_id = u128::from_str_radix(&session.setup.run_id, 16).unwrap_or_default();
    let nonce = blake3::hash(&run_id.to_le_bytes());
    let options = Options {
        segment_bytes: spec.segment_bytes,
        sink: spec.sink,
        sync: spec.sync,
        identity: Identity {
            run_id,
            parent_run_id: session.snapshot().map_or(0, |snapshot| snapshot.parent.0),
            build_hash: spec.build_hash,
            config_hash: *blake3::hash(metadata.as_bytes()).as_bytes(),
            rules_hash: *crate::program::hash(&session.texts).as_bytes(),
            schema_hash: schema_hash(),
            semantics: SEMANTICS,
            wall_ns: start.0,
            nonce: u64::from_le_bytes(nonce.as_bytes().first_chunk().copied().unwrap_or_default()),
        },
    };
    let (mut writer, keeper) = Writer::create(&spec.dir, &options)?;
    let preamble = session.preamble().0;
    let (last_seq, last_ts) = match session.snapshot() {
        Some(snapshot) => (snapshot.seq.0, snapshot.ts.0),
        None => (preamble, start.0.saturating_sub(1)),
    };
    let before = preamble.saturating_sub(1);
    let mut header = RecordHeader {
        seq: last_seq.saturating_sub(before),
        ts_ns: last_ts.saturating_sub(i64::try_from(before).unwrap_or(i64::MAX)),
        kind: KIND_RUN_METADATA,
        lane: LANE_INPUT,
        flags: 0,
    };
    let mut next = |kind: u16, payload: &[u8]| {
        writer.append_blob(RecordHeader { kind, ..header }, payload)?;
        header.seq = header.seq.saturating_add(1);
        header.ts_ns = header.ts_ns.saturating_add(1);
        Ok::<_, AppendError>(())
    };
    next(KIND_RUN_METADATA, metadata.as_bytes())?;
    for text in &session.texts {
        next(KIND_RULES_LOADED, format!("{}\n{}", text.name, text.text).as_bytes())?;
    }
    if let Some(snapshot) = session.snapshot() {
        next(KIND_SNAPSHOT, &snapshot.encode())?;
    }
    Ok((writer, keeper))
}

/// Returns the hash of what record types mean: kinds by number and name.
#[must_use]
pub fn schema_hash() -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for kind in model::event::KINDS {
        hasher.update(&(*kind as u16).to_le_bytes());
        hasher.update(kind.name().as_bytes());
    }
    *hasher.finalize().as_bytes()
}

impl Writing {
    /// Starts both threads on the processors that no stage has, so that neither takes one away from
    /// a stage.
    fn start(
        thread: RecorderThread,
        keeper: Keeper,
        cores: &[usize],
    ) -> Result<Self, JournaledError> {
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let (own, last) = (cores.first().copied(), cores.get(1).or(cores.first()).copied());
        let keeper = named("keeper")
            .spawn(move || {
                last.map(pin);
                give_way();
                keeper.run();
            })
            .map_err(JournaledError::Thread)?;
        let recorder = named("journal")
            .spawn(move || {
                own.map(pin);
                thread.run()
            })
            .map_err(JournaledError::Thread)?;
        Ok(Self { recorder, keeper })
    }

    fn finish(self) -> Result<Sealed, JournaledError> {
        let sealed = self.recorder.join().map_err(|_| JournaledError::Panicked)??;
        self.keeper.join().map_err(|_| JournaledError::Panicked)?;
        Ok(sealed)
    }
}

/// Tells whether a path holds something already, so that a caller can choose another.
#[must_use]
pub fn is_taken(dir: &Path) -> bool {
    dir.read_dir().is_ok_and(|mut entries| entries.next().is_some())
}
