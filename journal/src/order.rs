//! The rules of order, checked by the writer before a record is written and by every reader after
//! it was read.
//!
//! - Record numbers increase by one, control records included.
//! - Lane 0: the sequence increases by one, time strictly. The first input may carry any sequence.
//! - Other lanes: the sequence is at most that of the last input (0 before the first).
//! - A fragmented record is a run of frames with the same header; nothing comes between, except the
//!   END_SEGMENT of a segment that fills up. It counts once, with its last piece. A RECOVERED
//!   record ends a run that a crash cut short.

use crate::error::OrderError;
use crate::layout::{
    FLAG_FRAGMENT, FLAG_FRAGMENT_FIRST, FLAG_FRAGMENT_LAST, FLAGS_JOURNAL, KIND_END_SEGMENT,
    KIND_RECOVERED, LANE_CONTROL, LANE_COUNT, LANE_INPUT, RecordHeader, low_bits,
};

/// Flags of the first, a middle and the last piece.
pub(crate) const PIECE_FIRST: u8 = FLAG_FRAGMENT | FLAG_FRAGMENT_FIRST;
pub(crate) const PIECE_MIDDLE: u8 = FLAG_FRAGMENT;
pub(crate) const PIECE_LAST: u8 = FLAG_FRAGMENT | FLAG_FRAGMENT_LAST;

/// What the next record must look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Order {
    /// Number of the next record.
    next_rec_no: u64,
    /// The next input sequence; 0 before the first input.
    next_seq: u64,
    /// Time of the last input; `i64::MIN` before the first.
    last_ts_ns: i64,
    /// The header, without fragment flags, of a fragmented record that is not complete.
    open: Option<RecordHeader>,
}

impl Order {
    pub(crate) fn at(next_rec_no: u64, next_seq: u64, last_ts_ns: i64) -> Self {
        Self { next_rec_no, next_seq, last_ts_ns, open: None }
    }

    /// The order before the first record of a journal.
    pub(crate) fn start() -> Self {
        Self::at(0, 0, i64::MIN)
    }

    #[inline]
    pub(crate) fn next_rec_no(&self) -> u64 {
        self.next_rec_no
    }

    pub(crate) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The last input sequence, 0 if there is none.
    #[inline]
    pub(crate) fn last_seq(&self) -> u64 {
        self.next_seq.saturating_sub(1)
    }

    pub(crate) fn last_ts_ns(&self) -> i64 {
        self.last_ts_ns
    }

    /// True inside a fragmented record.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The same order after one more control record, or after the place kept for one.
    pub(crate) fn after_control(mut self) -> Self {
        self.next_rec_no = self.next_rec_no.wrapping_add(1);
        self
    }

    /// True if a segment that starts with this order may follow, whether or not a fragmented record
    /// runs over the boundary.
    pub(crate) fn continues_with(&self, base: &Self) -> bool {
        Self { open: None, ..*self } == Self { open: None, ..*base }
    }

    /// Takes over a fragmented record that runs on from the previous segment.
    pub(crate) fn carrying(self, previous: &Self) -> Self {
        Self { open: previous.open, ..self }
    }

    /// Checks the stored number of a record that was read.
    #[inline]
    pub(crate) fn check_number(&self, found: u32) -> Result<(), OrderError> {
        let expected = low_bits(self.next_rec_no);
        if found == expected { Ok(()) } else { Err(OrderError::RecordNumber { expected, found }) }
    }

    /// Checks the header of the next record.
    #[inline]
    pub(crate) fn check(&self, header: &RecordHeader) -> Result<(), OrderError> {
        if usize::from(header.lane) >= LANE_COUNT {
            return Err(OrderError::Lane { found: header.lane });
        }
        let piece = header.flags & FLAGS_JOURNAL;
        if self.open.is_none() && piece == 0 {
            return self.check_sequence(header);
        }
        self.check_piece(header, piece)
    }

    #[inline]
    fn check_sequence(&self, header: &RecordHeader) -> Result<(), OrderError> {
        let RecordHeader { seq, ts_ns, lane, .. } = *header;
        if lane != LANE_INPUT {
            return if seq <= self.last_seq() {
                Ok(())
            } else {
                Err(OrderError::Cause { last: self.last_seq(), found: seq })
            };
        }
        // The largest number is refused because no input could follow it.
        if (self.next_seq != 0 && seq != self.next_seq) || seq == u64::MAX {
            return Err(OrderError::Sequence { expected: self.next_seq, found: seq });
        }
        if ts_ns <= self.last_ts_ns {
            return Err(OrderError::Time { last_ns: self.last_ts_ns, found_ns: ts_ns });
        }
        Ok(())
    }

    fn check_piece(&self, header: &RecordHeader, piece: u8) -> Result<(), OrderError> {
        let Some(open) = self.open else {
            return if piece == PIECE_FIRST {
                self.check_sequence(header)
            } else {
                Err(OrderError::Fragment)
            };
        };
        let may_interrupt = header.lane == LANE_CONTROL
            && matches!(header.kind, KIND_END_SEGMENT | KIND_RECOVERED)
            && piece == 0;
        let goes_on = matches!(piece, PIECE_MIDDLE | PIECE_LAST) && whole(*header) == open;
        if goes_on || may_interrupt { Ok(()) } else { Err(OrderError::Fragment) }
    }

    /// Moves on over a record that was checked.
    #[inline]
    pub(crate) fn advance(&mut self, header: &RecordHeader) {
        // 2^64 records do not fit the offsets of a journal.
        self.next_rec_no = self.next_rec_no.wrapping_add(1);
        let piece = header.flags & FLAGS_JOURNAL;
        if piece == PIECE_FIRST || piece == PIECE_MIDDLE {
            self.open = Some(whole(*header));
            return;
        }
        if header.lane == LANE_CONTROL && header.kind == KIND_END_SEGMENT {
            return;
        }
        self.open = None;
        if header.lane == LANE_INPUT {
            self.next_seq = header.seq.saturating_add(1);
            self.last_ts_ns = header.ts_ns;
        }
    }
}

/// The header of the record that a piece belongs to.
pub(crate) fn whole(piece: RecordHeader) -> RecordHeader {
    RecordHeader { flags: piece.flags & !FLAGS_JOURNAL, ..piece }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{KIND_BARRIER, LANE_RISK};

    fn record(lane: u8, seq: u64, ts_ns: i64, flags: u8) -> RecordHeader {
        RecordHeader { seq, ts_ns, kind: 1, lane, flags }
    }

    /// Applies `before` and returns the answer to `last`.
    #[track_caller]
    fn check(before: &[RecordHeader], last: RecordHeader, expected: Result<(), OrderError>) {
        let mut order = Order::start();
        for header in before {
            order.check(header).unwrap();
            order.advance(header);
        }
        assert_eq!(order.check(&last), expected);
    }

    #[test]
    fn inputs_count_up_and_time_increases() {
        let first = record(LANE_INPUT, 40, 7, 0);
        check(&[], first, Ok(()));
        check(&[first], record(LANE_INPUT, 41, 8, 0), Ok(()));
        let gap = OrderError::Sequence { expected: 41, found: 42 };
        check(&[first], record(LANE_INPUT, 42, 8, 0), Err(gap));
        let twice = OrderError::Sequence { expected: 41, found: 40 };
        check(&[first], record(LANE_INPUT, 40, 8, 0), Err(twice));
        let stale = OrderError::Time { last_ns: 7, found_ns: 7 };
        check(&[first], record(LANE_INPUT, 41, 7, 0), Err(stale));
        let end = OrderError::Sequence { expected: 0, found: u64::MAX };
        check(&[], record(LANE_INPUT, u64::MAX, 0, 0), Err(end));
    }

    #[test]
    fn decisions_follow_their_cause() {
        let first = record(LANE_INPUT, 5, 1, 0);
        check(&[first], record(LANE_RISK, 5, 1, 0), Ok(()));
        check(&[first], record(LANE_RISK, 2, 1, 0), Ok(()));
        let early = OrderError::Cause { last: 5, found: 6 };
        check(&[first], record(LANE_RISK, 6, 1, 0), Err(early));
        check(&[], record(LANE_RISK, 0, 0, 0), Ok(()));
        check(&[], record(7, 0, 0, 0), Err(OrderError::Lane { found: 7 }));
    }

    #[test]
    fn fragments_stay_together_and_count_once() {
        let first = record(LANE_INPUT, 1, 1, PIECE_FIRST);
        let middle = record(LANE_INPUT, 1, 1, PIECE_MIDDLE);
        let last = record(LANE_INPUT, 1, 1, PIECE_LAST);
        let next = record(LANE_INPUT, 2, 2, 0);
        check(&[first, middle, last], next, Ok(()));
        check(&[first], next, Err(OrderError::Fragment));
        check(&[first], first, Err(OrderError::Fragment));
        check(&[], middle, Err(OrderError::Fragment));
        check(&[], last, Err(OrderError::Fragment));
        check(&[first], record(LANE_INPUT, 1, 2, PIECE_LAST), Err(OrderError::Fragment));
        check(&[], record(LANE_INPUT, 1, 1, FLAG_FRAGMENT_FIRST), Err(OrderError::Fragment));
        check(&[], record(LANE_INPUT, 1, 1, 8), Err(OrderError::Fragment));
        let barrier = RecordHeader { kind: KIND_BARRIER, ..record(LANE_CONTROL, 0, 0, 0) };
        check(&[first], barrier, Err(OrderError::Fragment));
        let recovered = RecordHeader { kind: KIND_RECOVERED, ..barrier };
        check(&[first], recovered, Ok(()));
        let end = RecordHeader { kind: KIND_END_SEGMENT, ..barrier };
        check(&[first, end, last], next, Ok(()));
        check(&[first, end], next, Err(OrderError::Fragment));
        check(&[first, recovered], record(LANE_INPUT, 1, 1, 0), Ok(()));
    }

    #[test]
    fn record_numbers_wrap_at_32_bits() {
        let order = Order::at(u64::from(u32::MAX) + 1, 0, 0);
        assert_eq!(order.check_number(0), Ok(()));
        let wrong = OrderError::RecordNumber { expected: 0, found: 1 };
        assert_eq!(order.check_number(1), Err(wrong));
    }
}
