//! Position in a file: its lines one after the other, and what is wrong with them.

use engine::source::{Message, Progress};
use model::event::{BadInput, Body};
use model::id::{InstrumentId, NO_INSTRUMENT};
use model::order::InputFault;
use model::time::Nanos;

use super::lines::{Lines, Step};

/// Position in a file, and what was counted on the way.
#[derive(Debug)]
pub(super) struct Cursor {
    lines: Lines,
    source: u16,
    /// The instrument of the file, or none where it has several.
    instrument: InstrumentId,
    /// Time of the last line that could be read.
    clock_ns: i64,
    /// Lines are rows of a table, whose last field may be any part of a number.
    by_rows: bool,
    messages: u64,
    bad: u64,
    failed: bool,
}

/// What [`Cursor::next`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A line to be read.
    Line,
    /// A line that is too long, already reported.
    TooLong,
    /// The file cannot be read any further, already reported.
    Failed,
    /// The end.
    End,
}

impl Cursor {
    /// Returns a cursor before the first line; `first_ns` is the first time that the file names.
    pub(super) fn new(lines: Lines, source: u16, instrument: InstrumentId, first_ns: i64) -> Self {
        Self {
            lines,
            source,
            instrument,
            clock_ns: first_ns,
            by_rows: false,
            messages: 0,
            bad: 0,
            failed: false,
        }
    }

    /// Declares that lines are rows of a table: of one that may be cut nothing is used.
    pub(super) fn by_rows(self) -> Self {
        Self { by_rows: true, ..self }
    }

    /// Moves to the next line; reports what is none.
    pub(super) fn next(&mut self, into: &mut Message) -> Next {
        match self.lines.advance() {
            Step::Line => {
                self.messages = self.messages.saturating_add(1);
                Next::Line
            }
            Step::End => Next::End,
            Step::TooLong => {
                self.messages = self.messages.saturating_add(1);
                self.fault(into, self.instrument, InputFault::TooLarge);
                Next::TooLong
            }
            Step::Failed => {
                self.failed = true;
                self.fault(into, self.instrument, InputFault::Truncated);
                Next::Failed
            }
        }
    }

    /// Returns what has been read so far.
    pub(super) fn progress(&self) -> Progress {
        let Self { lines, messages, bad, failed, .. } = self;
        let (bytes, bytes_total) = lines.position();
        Progress { messages: *messages, bad: *bad, bytes, bytes_total, failed: *failed }
    }

    /// Returns the index of the file, as faults name it.
    pub(super) fn source(&self) -> u16 {
        self.source
    }

    /// Takes back the counting of a line that holds no message: the header.
    pub(super) fn uncount(&mut self) {
        self.messages = self.messages.saturating_sub(1);
    }

    /// Returns the current line. A row that may be cut is empty, and so malformed: `12.5` may have
    /// been `12.507`.
    pub(super) fn line(&self) -> &[u8] {
        if self.by_rows && self.lines.is_cut() { &[] } else { self.lines.line() }
    }

    /// Returns the number of the current line.
    pub(super) fn number(&self) -> u64 {
        self.lines.number()
    }

    /// Returns the instrument of the file, or none where it has several.
    pub(super) fn instrument(&self) -> InstrumentId {
        self.instrument
    }

    /// Takes the time of a line over; tells whether it steps back.
    pub(super) fn tick(&mut self, into: &mut Message, time_ns: i64) -> bool {
        let steps_back = time_ns < self.clock_ns;
        self.clock_ns = time_ns;
        into.ts = Nanos(time_ns);
        steps_back
    }

    /// Reports that the current line was not used, or not as it stands.
    pub(super) fn fault(
        &mut self,
        into: &mut Message,
        instrument: InstrumentId,
        fault: InputFault,
    ) {
        self.fault_before(into.updates.len(), into, instrument, fault);
    }

    /// As [`Cursor::fault`], before what the message led to: its updates from `mark` on.
    pub(super) fn fault_before(
        &mut self,
        mark: usize,
        into: &mut Message,
        instrument: InstrumentId,
        fault: InputFault,
    ) {
        self.fault_at(mark, into, instrument, (fault, self.lines.number()));
    }

    /// Reports `count` earlier messages that were not used after all, before what the current line
    /// led to: its updates from `mark` on. Nothing for none.
    pub(super) fn unused(
        &mut self,
        mark: usize,
        into: &mut Message,
        (instrument, count): (InstrumentId, u64),
    ) {
        if count > 0 {
            let line = self.lines.number();
            self.report(mark, into, instrument, (InputFault::Gap, line, count));
        }
    }

    /// As [`Cursor::fault_before`], for a message that began on the line of this number.
    pub(super) fn fault_at(
        &mut self,
        mark: usize,
        into: &mut Message,
        instrument: InstrumentId,
        (fault, line): (InputFault, u64),
    ) {
        self.report(mark, into, instrument, (fault, line, 1));
    }

    fn report(
        &mut self,
        mark: usize,
        into: &mut Message,
        instrument: InstrumentId,
        (fault, line, count): (InputFault, u64, u64),
    ) {
        self.bad = self.bad.saturating_add(count);
        into.ts = Nanos(self.clock_ns);
        let source = self.source;
        let bad = BadInput { line, count, source, fault };
        let mark = mark.min(into.updates.len());
        into.updates.insert(mark, (instrument, Body::BadInput(bad)));
    }
}

/// Returns the instrument of a file that has exactly one, else none.
pub(super) fn only(instruments: &[InstrumentId]) -> InstrumentId {
    match instruments {
        [only] => *only,
        _ => NO_INSTRUMENT,
    }
}
