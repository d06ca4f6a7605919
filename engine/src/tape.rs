//! Where a stage's records go: into the journal, against a journal, or nowhere.
//!
//! In replay the tape holds what the journal says and compares it with what is computed again. The
//! first difference is kept with its seq and field; the session then goes on, so that the counts
//! still tell how far the journal reaches.

use std::path::Path;
use std::sync::Arc;

use journal::{ReadError, Reader};
use model::codec::{DecodeError, decode};
use model::event::{EVENT_BYTES, Event, FLAG_LAST, FLAG_MORE, Lane};

use crate::recorder::LaneRecorder;

mod naming;

pub use naming::Naming;

/// Records of one or more lanes.
#[derive(Debug)]
pub enum Tape {
    /// Journaled, or nowhere when the recorder is off.
    Record(LaneRecorder),
    /// Compared with a journal, by lane.
    Compare(Vec<Comparison>),
}

/// One lane of a journal, being compared.
#[derive(Debug)]
pub struct Comparison {
    lane: Lane,
    reader: JournaledEvents,
    /// Where other rules decide: events are compared by the names of rules.
    naming: Option<Arc<Naming>>,
    /// Records.
    compared: u64,
    /// The first event that was computed after the journal's last one of this lane.
    beyond: Option<Event>,
    difference: Option<Difference>,
    /// The last record compared ends a message where it is computed and not in the journal: no
    /// difference if the journal ends there, as a kill may leave it.
    cut: Option<Difference>,
    failed: Option<TapeError>,
}

/// A record that is not what the journal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Seq of the record.
    pub seq: u64,
    /// Lane and kind, then the field: `Risk Decision.qty`.
    pub field: String,
    /// What the journal says; none where it has no record.
    pub journaled: Option<Event>,
    /// What was computed; none where nothing was.
    pub recomputed: Option<Event>,
    /// The part of the records that is not the same.
    pub part: Part,
}

/// A part of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it: another kind, or no record.
    Whole,
    /// A field of the header.
    Header(&'static str),
    /// A field of the payload.
    Payload(&'static str),
}

/// How far a comparison may reach: what counts as a record too few or too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The journal was sealed: both count.
    Sealed,
    /// The journal's session was killed: what is computed beyond its end does not count.
    Killed,
    /// The replay was broken off: what the journal has beyond it does not count either.
    BrokenOff,
}

/// A journal whose records cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum TapeError {
    /// The journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record is no event.
    #[error("record with seq {seq} is no event of this version: {source}")]
    Decode {
        /// Seq of the record.
        seq: u64,
        /// Why.
        source: DecodeError,
    },
}

/// The events of one lane of a journal, in order.
#[derive(Debug)]
pub struct JournaledEvents {
    reader: Reader,
    lane: u8,
    /// The second half of a record of two events.
    half: Option<Event>,
}

/// First record type that is no event: texts such as the run's metadata.
pub const KIND_TEXT_MIN: u16 = 0x4000;
/// Record type of the run's metadata: a [`crate::setup::Setup`] as JSON.
pub const KIND_RUN_METADATA: u16 = 0x4001;
/// Record type of one rule text: its name, a line feed, the text.
pub const KIND_RULES_LOADED: u16 = 0x4002;
/// Record type of the state that a resumed session goes on from: a
/// [`crate::session::snapshot::Snapshot`].
pub const KIND_SNAPSHOT: u16 = 0x4003;

impl Tape {
    /// Returns a tape that keeps nothing.
    #[must_use]
    pub fn off() -> Self {
        Self::Record(LaneRecorder::off())
    }

    /// Records or compares those of the events that belong to `lane`.
    #[inline]
    pub fn write(&mut self, lane: Lane, events: &[Event]) {
        match self {
            Self::Record(recorder) => recorder.record_lane(lane, events),
            Self::Compare(lanes) => {
                if let Some(comparison) = lanes.iter_mut().find(|c| c.lane == lane) {
                    for event in events.iter().filter(|e| e.kind().lane() == lane) {
                        comparison.compare(event);
                    }
                }
            }
        }
    }

    /// Returns how many execution records were written here: what the gate waits for.
    #[must_use]
    pub fn executions(&self) -> u64 {
        match self {
            Self::Record(recorder) => recorder.executions(),
            Self::Compare(_) => 0,
        }
    }

    /// Returns true when the journal is lost: the session must stop. A comparison that cannot go on
    /// tells why at its end, with the record.
    #[must_use]
    pub fn failed(&self) -> bool {
        match self {
            Self::Record(recorder) => recorder.failed(),
            Self::Compare(_) => false,
        }
    }

    /// Tells whether the journal has all that was computed so far, whole and the same.
    #[must_use]
    pub fn is_covered(&self) -> bool {
        match self {
            Self::Record(_) => true,
            Self::Compare(lanes) => lanes.iter().all(Comparison::is_covered),
        }
    }

    /// Returns the comparisons, if this tape compares.
    #[must_use]
    pub fn into_comparisons(self) -> Vec<Comparison> {
        match self {
            Self::Record(_) => Vec::new(),
            Self::Compare(lanes) => lanes,
        }
    }
}

impl Comparison {
    /// Opens one lane of a journal; with `naming`, to compare what other rules decide.
    ///
    /// # Errors
    /// [`ReadError`] when the journal cannot be opened.
    pub fn open(dir: &Path, lane: Lane, naming: Option<Arc<Naming>>) -> Result<Self, ReadError> {
        let reader = JournaledEvents::open(dir, lane)?;
        Ok(Self {
            lane,
            reader,
            naming,
            compared: 0,
            beyond: None,
            difference: None,
            cut: None,
            failed: None,
        })
    }

    /// Opens all lanes of a journal that a session computes, in the order of the chain.
    ///
    /// # Errors
    /// [`ReadError`] when the journal cannot be opened.
    pub fn all(dir: &Path, naming: Option<&Arc<Naming>>) -> Result<[Self; 5], ReadError> {
        let open = |lane| Self::open(dir, lane, naming.cloned());
        Ok([
            open(Lane::Input)?,
            open(Lane::Strategy)?,
            open(Lane::Risk)?,
            open(Lane::Execution)?,
            open(Lane::Egress)?,
        ])
    }

    fn compare(&mut self, event: &Event) {
        if self.failed.is_some() {
            return;
        }
        match self.reader.advance() {
            Ok(Some(journaled)) => {
                self.compared = self.compared.saturating_add(ends_record(&journaled));
                let earlier = self.cut.take();
                self.difference = self.difference.take().or(earlier);
                if self.difference.is_none()
                    && let Some(found) = self.differs(&journaled, event)
                {
                    let found = Some(found);
                    if ends_early(&journaled, event) {
                        self.cut = found;
                    } else {
                        self.difference = found;
                    }
                }
            }
            Ok(None) => self.beyond = self.beyond.or(Some(*event)),
            Err(error) => self.failed = Some(error),
        }
    }

    /// Tells whether the journal has all that was compared, whole and the same.
    fn is_covered(&self) -> bool {
        let Self { beyond, difference, cut, failed, .. } = self;
        beyond.is_none() && difference.is_none() && cut.is_none() && failed.is_none()
    }

    fn differs(&self, journaled: &Event, recomputed: &Event) -> Option<Difference> {
        let Some(naming) = &self.naming else {
            return (journaled != recomputed).then(|| difference(journaled, recomputed));
        };
        let (one, other) = (naming.journaled(journaled), naming.recomputed(recomputed));
        // What is told is what stands in the records.
        let (journaled, recomputed) = (Some(*journaled), Some(*recomputed));
        (one != other).then(|| Difference { journaled, recomputed, ..difference(&one, &other) })
    }

    /// Ends the comparison.
    ///
    /// # Errors
    /// [`TapeError`] when the journal could not be read to its end.
    pub fn finish(mut self, reach: Reach) -> Result<(u64, Option<Difference>), TapeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let rest = self.reader.advance()?;
        let cut = self.cut.take().filter(|_| reach == Reach::Sealed || rest.is_some());
        let only = |event: &Event, journaled, recomputed| Difference {
            seq: event.seq.0,
            field: format!("{:?} {}", self.lane, event.kind().name()),
            journaled,
            recomputed,
            part: Part::Whole,
        };
        let missing = rest.filter(|_| reach != Reach::BrokenOff);
        let missing = missing.map(|event| only(&event, Some(event), None));
        let beyond = self.beyond.filter(|_| reach == Reach::Sealed);
        let beyond = beyond.map(|event| only(&event, None, Some(event)));
        Ok((self.compared, self.difference.take().or(cut).or(missing).or(beyond)))
    }
}

impl JournaledEvents {
    /// Opens the events of one lane.
    ///
    /// # Errors
    /// [`ReadError`] when the journal cannot be opened.
    pub fn open(dir: &Path, lane: Lane) -> Result<Self, ReadError> {
        Ok(Self { reader: Reader::open(dir)?, lane: lane as u8, half: None })
    }

    /// Returns how far into the journal this has read, in bytes from its beginning.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.reader.position()
    }

    /// Returns the next event of the lane.
    ///
    /// # Errors
    /// [`TapeError`] when the journal cannot be read or a record is no event.
    pub fn advance(&mut self) -> Result<Option<Event>, TapeError> {
        if let Some(half) = self.half.take() {
            return Ok(Some(half));
        }
        while let Some(record) = self.reader.next()? {
            let header = record.header;
            if header.lane != self.lane || header.kind >= KIND_TEXT_MIN {
                continue;
            }
            let fault = |source| TapeError::Decode { seq: header.seq, source };
            let (first, second) =
                record.payload.split_at_checked(EVENT_BYTES).unwrap_or((record.payload, &[]));
            let event = decode(first).map_err(fault)?;
            if !second.is_empty() {
                self.half = Some(decode(second).map_err(fault)?);
            }
            return Ok(Some(event));
        }
        Ok(None)
    }
}

/// Names the first field in which two events differ.
#[must_use]
pub fn difference(journaled: &Event, recomputed: &Event) -> Difference {
    let seq = journaled.seq.0.min(recomputed.seq.0);
    let place = format!("{:?} {}", journaled.kind().lane(), journaled.kind().name());
    let differs = |field: &str, part: Part| Difference {
        seq,
        field: format!("{place}.{field}"),
        journaled: Some(*journaled),
        recomputed: Some(*recomputed),
        part,
    };
    if journaled.kind() != recomputed.kind() {
        return differs("kind", Part::Whole);
    }
    for ((name, one), (_, other)) in header(journaled).into_iter().zip(header(recomputed)) {
        if one != other {
            return differs(name, Part::Header(name));
        }
    }
    let fields = |event: &Event| {
        let mut fields = Vec::new();
        event.body().describe(&mut |name, value| fields.push((name, format!("{value:?}"))));
        fields
    };
    for ((name, one), (_, other)) in fields(journaled).into_iter().zip(fields(recomputed)) {
        if one != other {
            return differs(name, Part::Payload(name));
        }
    }
    differs("payload", Part::Whole)
}

/// Returns the fields of an event's header that records have each their own of.
#[must_use]
pub fn header(event: &Event) -> [(&'static str, i128); 4] {
    [
        ("seq", event.seq.0.into()),
        ("ts", event.ts.0.into()),
        ("instrument", event.instrument.0.into()),
        ("flags", event.flags.into()),
    ]
}

/// Tells whether two events differ only in that the computed one ends a message.
fn ends_early(journaled: &Event, computed: &Event) -> bool {
    let mut ended = *journaled;
    ended.flags |= FLAG_LAST;
    journaled != computed && ended == *computed
}

/// Returns 1 for an event that ends a record: of two events that are one record, the second.
fn ends_record(event: &Event) -> u64 {
    u64::from(event.flags & FLAG_MORE == 0)
}
