//! What a session did, counted and hashed while it runs.
//!
//! The decisions' hash proves that two runs decided the same: BLAKE3 over one digest for each of
//! the lanes strategy, risk and execution, in that order; each digest is BLAKE3 over the lane's
//! records as type, seq, instrument, flags and payload. Engine time, record numbers, run id, builds
//! and paths are not in it. (Digests of digests, because the lanes are written side by side and
//! nothing may be held back until the end.)

use model::event::{Body, Event, FLAG_LAST, Kind, Lane};
use model::id::{InstrumentId, Seq};
use model::num::Money;
use model::order::{LatchState, Verdict};
use model::reject::{Code, RULE_CODE_BASE};
use model::time::Nanos;

use crate::limits::RULES_MAX;

/// Digest and length of one lane.
#[derive(Clone, Debug, Default)]
pub struct LaneDigest {
    hasher: blake3::Hasher,
    records: u64,
}

/// Counts of verdicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictCounts {
    /// All verdicts.
    pub decisions: u64,
    /// Approvals.
    pub approvals: u64,
    /// Approvals that a cap cut.
    pub cuts: u64,
    /// Refusals by code: built-in ones first, then rules.
    refusals: Vec<u64>,
}

/// A latch that armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Armed {
    /// Seq of the event that armed it.
    pub seq: Seq,
    /// Engine time of that event.
    pub ts: Nanos,
    /// The latch's rule.
    pub code: Code,
    /// Its instrument, if it is about one.
    pub instrument: InstrumentId,
    /// Equity of that moment; none when it was unknown.
    pub equity: Option<Money>,
}

/// LIMIT: latches that a session's result tells one by one; those after them are counted, and all
/// are in the journal.
pub const ARMED_MAX: usize = 20;

/// The latches that armed, first to last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatchLog {
    armed: Vec<Armed>,
    count: u64,
}

impl Default for LatchLog {
    fn default() -> Self {
        Self { armed: Vec::with_capacity(ARMED_MAX), count: 0 }
    }
}

impl LatchLog {
    /// Notes a latch that arms, and the equity that is told behind it.
    #[inline]
    pub fn add(&mut self, event: &Event) {
        if matches!(event.kind(), Kind::LatchChanged | Kind::RiskState) {
            self.note(event);
        }
    }

    #[cold]
    fn note(&mut self, event: &Event) {
        let Event { seq, ts, instrument, .. } = *event;
        if let Body::LatchChanged(latch) = event.body() {
            if latch.state == LatchState::Armed {
                self.count = self.count.saturating_add(1);
                if self.armed.len() < ARMED_MAX {
                    let (code, equity) = (latch.code, None);
                    self.armed.push(Armed { seq, ts, code, instrument, equity });
                }
            }
        } else if let Body::RiskState(state) = event.body()
            && state.known
        {
            for armed in self.armed.iter_mut().rev().take_while(|armed| armed.seq == seq) {
                armed.equity = Some(state.equity);
            }
        }
    }

    /// Returns the first of them.
    #[must_use]
    pub fn armed(&self) -> &[Armed] {
        &self.armed
    }

    /// Returns how many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }
}

impl LaneDigest {
    /// Adds a record.
    pub fn add(&mut self, event: &Event) {
        let mut head = [0_u8; 16];
        let (kind, rest) = head.split_at_mut(2);
        let (seq, rest) = rest.split_at_mut(8);
        let (instrument, flags) = rest.split_at_mut(4);
        kind.copy_from_slice(&(event.kind() as u16).to_le_bytes());
        seq.copy_from_slice(&event.seq.0.to_le_bytes());
        instrument.copy_from_slice(&event.instrument.0.to_le_bytes());
        flags.copy_from_slice(&(event.flags & !FLAG_LAST).to_le_bytes());
        self.hasher.update(&head);
        self.hasher.update(event.payload());
        self.records = self.records.saturating_add(1);
    }

    /// Returns the number of records.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Returns the digest so far.
    #[must_use]
    pub fn digest(&self) -> blake3::Hash {
        self.hasher.finalize()
    }
}

/// Returns the decisions' hash of three lanes, in hexadecimal.
#[must_use]
pub fn decisions_hash(strategy: &LaneDigest, risk: &LaneDigest, execution: &LaneDigest) -> String {
    let mut hasher = blake3::Hasher::new();
    for lane in [strategy, risk, execution] {
        hasher.update(lane.digest().as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

impl Default for VerdictCounts {
    fn default() -> Self {
        let codes = usize::from(RULE_CODE_BASE).saturating_add(RULES_MAX);
        Self { decisions: 0, approvals: 0, cuts: 0, refusals: vec![0; codes] }
    }
}

impl VerdictCounts {
    /// Counts an event if it is a verdict.
    pub fn add(&mut self, event: &Event) {
        if event.kind().lane() != Lane::Risk {
            return;
        }
        let Body::Decision(decision) = event.body() else { return };
        self.decisions = self.decisions.saturating_add(1);
        match decision.verdict {
            Verdict::Approve => {
                self.approvals = self.approvals.saturating_add(1);
                if decision.code != Code::NONE {
                    self.cuts = self.cuts.saturating_add(1);
                }
            }
            Verdict::Deny => {
                if let Some(count) = self.refusals.get_mut(usize::from(decision.code.0)) {
                    *count = count.saturating_add(1);
                }
            }
        }
    }

    /// Returns the refusals with a count, by code.
    pub fn refusals(&self) -> impl Iterator<Item = (Code, u64)> + '_ {
        self.refusals
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .filter_map(|(code, count)| u16::try_from(code).ok().map(|code| (Code(code), *count)))
    }
}

#[cfg(test)]
mod tests {
    use model::event::Settled;

    use super::*;

    fn lane(seq: u64) -> LaneDigest {
        let mut lane = LaneDigest::default();
        lane.add(&Event::new(Seq(seq), Nanos(0), InstrumentId(0), &Settled { message: 1 }));
        lane
    }

    #[test]
    fn the_hash_is_of_all_three_lanes_in_their_order() {
        let hashes = [
            decisions_hash(&lane(1), &lane(2), &lane(3)),
            decisions_hash(&lane(9), &lane(2), &lane(3)),
            decisions_hash(&lane(1), &lane(9), &lane(3)),
            decisions_hash(&lane(1), &lane(2), &lane(9)),
            decisions_hash(&lane(2), &lane(1), &lane(3)),
        ];
        for (nth, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..nth].contains(hash), "{nth}");
        }
        assert_eq!(hashes[0], decisions_hash(&lane(1), &lane(2), &lane(3)));
    }

    #[test]
    fn time_is_not_in_the_hash_and_the_payload_is() {
        let digest = |ts, message| {
            let mut lane = LaneDigest::default();
            lane.add(&Event::new(Seq(1), Nanos(ts), InstrumentId(0), &Settled { message }));
            lane.digest()
        };
        assert_eq!(digest(1, 5), digest(2, 5));
        assert_ne!(digest(1, 5), digest(1, 6));
    }
}
