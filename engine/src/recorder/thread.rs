//! The journal thread: merges the lanes and writes.
//!
//! Of the records that wait in the lanes, the one with the lowest seq is written next; of equal
//! ones, the one of the lane that comes first in the chain. That is causal order, because the lanes
//! are looked at *from the last to the first*: a stage records what it puts out before it passes it
//! on, so whoever sees a record sees, if it looks afterwards, all that led to it. A lane whose next
//! record is half there is as good as empty: nothing that follows from it can be there.
//!
//! Records reach the file in runs. A run ends when the lanes are empty and somebody may wait at the
//! gate, at the latest so many records after the one that is waited for; when nothing has come for
//! a while; before the thread sleeps; and when the writer's buffer is full.

use journal::{AppendError, RecordHeader, Sealed, Writer};
use model::codec::encode;
use model::event::{EVENT_BYTES, Event, FLAG_MORE, Lane};
use model::id::Seq;

use super::progress::Progress;
use crate::idle::{Idler, Wait};
use crate::lane::Inlet;

/// LIMIT: events taken out of a lane at once: 8 KiB, so five lanes stay in the first-level cache,
/// and the ring's shared indices are touched once for many records.
const BATCH_EVENTS: usize = 128;

/// LIMIT: records written behind one that the gate may wait for before the run ends: 100 records
/// of 96 bytes cost about one system call.
const BEHIND_GATE_MAX: u32 = 100;

/// LIMIT: looks in a row that find nothing before a run ends of which nobody waits for a record: a
/// few microseconds, so that a lane which is filled a little at a time is not written so.
const EMPTY_LOOKS_MAX: u32 = 64;

/// The journal thread.
#[derive(Debug)]
pub struct RecorderThread {
    // INVARIANT: declared before the lanes, so dropped before them: a stage that finds its lane
    // closed finds the journal lost.
    progress: Progress,
    writer: Writer,
    tracks: Vec<Track>,
    idler: Idler,
    /// Empty looks in a row before a run ends.
    patience: u32,
}

/// The run that is not yet known to be in the file.
#[derive(Clone, Copy, Default, Debug)]
struct Run {
    records: u32,
    /// Those of the execution lane, for which the gate may wait.
    executions: u64,
    /// Records since the first of those.
    behind: u32,
}

/// The journal was not written to its end.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A record was refused or its write failed.
    #[error("cannot journal the record of lane {lane:?} with seq {}; the session stops", seq.0)]
    Append {
        /// Its lane.
        lane: Lane,
        /// Its seq.
        seq: Seq,
        /// The journal's reason.
        #[source]
        source: AppendError,
    },
    /// An event that announces another is followed by one that is not its second half.
    #[error(
        "cannot journal the record of lane {lane:?} with seq {}: its second event is missing; \
         fix the stage that recorded it", seq.0
    )]
    Halved {
        /// Its lane.
        lane: Lane,
        /// Its seq.
        seq: Seq,
    },
    /// The records at the end could not be handed to the file.
    #[error("cannot write the newest records of the journal; the session stops")]
    Flush(#[source] AppendError),
    /// The last sync or seal failed.
    #[error("cannot seal the journal; recover it before its records are used")]
    Seal(#[source] AppendError),
}

/// One lane, and the events already taken out of its ring.
#[derive(Debug)]
struct Track {
    inlet: Inlet,
    staged: Vec<Event>,
    /// Index in `staged` of the next event.
    at: usize,
}

/// A whole record, as it is staged.
#[derive(Clone, Copy, Debug)]
struct Record<'a> {
    first: &'a Event,
    second: Option<&'a Event>,
}

impl RecorderThread {
    /// `inlets` stand in the order of the chain.
    pub(super) fn new(
        writer: Writer,
        inlets: Vec<Inlet>,
        (idler, wait): (Idler, Wait),
        progress: Progress,
    ) -> Self {
        let tracks = inlets.into_iter().map(Track::new).collect();
        // Who sleeps between looks has waited long enough after the first.
        let patience = if matches!(wait, Wait::SleepMicros(_)) { 0 } else { EMPTY_LOOKS_MAX };
        Self { progress, writer, tracks, idler, patience }
    }

    /// Writes until all lanes are dropped, then seals. Half a record at the end is dropped: its
    /// stage died between the two events and passed neither on.
    ///
    /// # Errors
    /// [`RecordError`] for the first write that failed; the journal is then not sealed.
    pub fn run(mut self) -> Result<Sealed, RecordError> {
        let drained = self.drain();
        let Self { progress, writer, tracks, .. } = self;
        // Before the seal, which may take long, and after which a lane is only in the way.
        drop(tracks);
        drained?;
        let sealed = writer.seal().map_err(RecordError::Seal)?;
        progress.seal();
        Ok(sealed)
    }

    /// Empties the lanes to their end, and writes what comes out until a write fails.
    fn drain(&mut self) -> Result<(), RecordError> {
        let Self { progress, writer, tracks, idler, patience } = self;
        let mut outcome = Ok(());
        let mut run = Run::default();
        let mut empty_looks: u32 = 0;
        loop {
            while let Some(record) = next_record(tracks) {
                idler.busy();
                empty_looks = 0;
                if outcome.is_ok() {
                    outcome = run.add(writer, progress, &record);
                }
            }
            let ended = tracks.iter().all(|track| track.inlet.is_finished());
            let waited_for = run.executions > 0 || empty_looks >= *patience;
            if outcome.is_ok() && run.records > 0 && (waited_for || ended) {
                outcome = run.end(writer, progress);
            }
            if ended {
                return outcome;
            }
            empty_looks = empty_looks.saturating_add(1);
            // A lane that ended early is no reason to stay awake: either an event, or all ended.
            // A run that has not ended is one: it must not sleep with the thread.
            idler.idle(|| {
                (outcome.is_ok() && run.records > 0)
                    || tracks.iter().any(|track| track.inlet.has_events())
                    || tracks.iter().all(|track| track.inlet.is_abandoned())
            });
        }
    }
}

impl Run {
    /// Writes one more record. After a failure nothing more may be written.
    #[inline]
    fn add(
        &mut self,
        writer: &mut Writer,
        progress: &mut Progress,
        record: &Record<'_>,
    ) -> Result<(), RecordError> {
        if let Err(error) = write(writer, record) {
            progress.fail();
            // For whoever looks into it later; the first failure is the one to report.
            writer.flush().ok();
            return Err(error);
        }
        self.records = self.records.saturating_add(1);
        self.executions = self.executions.saturating_add(u64::from(record.is_execution()));
        if self.executions > 0 {
            self.behind = self.behind.saturating_add(1);
            if self.behind > BEHIND_GATE_MAX {
                return self.end(writer, progress);
            }
        }
        Ok(())
    }

    /// Hands the run to the file, and only then tells the gate.
    fn end(&mut self, writer: &mut Writer, progress: &mut Progress) -> Result<(), RecordError> {
        if let Err(cause) = writer.flush() {
            progress.fail();
            return Err(RecordError::Flush(cause));
        }
        if self.executions > 0 {
            progress.publish(self.executions);
        }
        *self = Self::default();
        Ok(())
    }
}

impl Track {
    fn new(inlet: Inlet) -> Self {
        Self { inlet, staged: Vec::with_capacity(BATCH_EVENTS), at: 0 }
    }

    /// The seq of the next record, if all of it is there.
    #[inline]
    fn look(&mut self) -> Option<Seq> {
        if !self.is_whole() {
            self.refill();
        }
        if self.is_whole() { self.staged.get(self.at).map(|event| event.seq) } else { None }
    }

    /// True when a whole record is staged.
    #[inline]
    fn is_whole(&self) -> bool {
        match self.staged.get(self.at..) {
            Some([first, rest @ ..]) => first.flags & FLAG_MORE == 0 || !rest.is_empty(),
            Some([]) | None => false,
        }
    }

    /// Takes events out of the ring; half a record that is already here stays.
    fn refill(&mut self) {
        self.staged.drain(..self.at);
        self.at = 0;
        let room = BATCH_EVENTS.saturating_sub(self.staged.len());
        self.inlet.try_pop_batch(&mut self.staged, room);
    }

    #[inline]
    fn take(&mut self) -> Option<Record<'_>> {
        let (first, rest) = self.staged.get(self.at..)?.split_first()?;
        self.at = self.at.saturating_add(1);
        if first.flags & FLAG_MORE == 0 {
            return Some(Record { first, second: None });
        }
        let second = rest.first()?;
        self.at = self.at.saturating_add(1);
        Some(Record { first, second: Some(second) })
    }
}

impl Record<'_> {
    fn lane(&self) -> Lane {
        self.first.kind().lane()
    }

    fn is_execution(&self) -> bool {
        self.lane() == Lane::Execution
    }
}

/// The record to write next, in the order that the module describes.
#[inline]
fn next_record(tracks: &mut [Track]) -> Option<Record<'_>> {
    let waiting = tracks.iter_mut().rev().filter_map(|track| Some((track.look()?, track)));
    let (_, track) = waiting.reduce(|later, earlier| {
        // `earlier` in the chain: it goes first among equals.
        if earlier.0 <= later.0 { earlier } else { later }
    })?;
    track.take()
}

fn write(writer: &mut Writer, record: &Record<'_>) -> Result<(), RecordError> {
    let Record { first, second } = *record;
    let (lane, seq) = (record.lane(), first.seq);
    let header = RecordHeader {
        seq: seq.0,
        ts_ns: first.ts.0,
        kind: first.kind() as u16,
        lane: lane as u8,
        flags: 0,
    };
    let appended = match second {
        None => writer.append(header, &encode(first)),
        Some(second) if belongs(first, second) => {
            let mut payload = [0; 2 * EVENT_BYTES];
            let (front, back) = payload.split_at_mut(EVENT_BYTES);
            front.copy_from_slice(&encode(first));
            back.copy_from_slice(&encode(second));
            writer.append(header, &payload)
        }
        Some(_) => return Err(RecordError::Halved { lane, seq }),
    };
    appended.map_err(|source| RecordError::Append { lane, seq, source })
}

/// True when the two events are one record.
fn belongs(first: &Event, second: &Event) -> bool {
    let same = first.seq == second.seq && first.kind().lane() == second.kind().lane();
    same && second.flags & FLAG_MORE == 0
}
