//! A killed session goes on exactly as the one that was not killed.
//!
//! A session is run to its end once. Its journal, cut at any byte, is what a kill at that moment
//! left. Brought back from there, the session must write the records that the whole one wrote from
//! that place on, end with the same account, and replay by itself.

use std::path::{Path, PathBuf};

use engine::generate::Generated;
use engine::session::Summary;
use engine::session::resume::{Rest, ResumeError, resume};
use journal::SinkKind;
use model::event::{Event, Lane};

use super::lab::{
    Evidence, assert_replays, defaults, events, fused, generated, journaled, replayed, split,
};

const SEED: u64 = 3;
const SECONDS: u64 = 400;
/// Bytes of the segments that `journaled` writes: a running session's file has all of them.
const SEGMENT_BYTES: usize = 16 << 20;

/// A session that nobody killed.
struct Whole {
    bytes: Vec<u8>,
    events: Vec<Event>,
    summary: Summary,
}

impl Whole {
    fn run(dir: &Path) -> Self {
        let (session, mut market) = generated(SEED, SECONDS, defaults());
        let ran = journaled(&session, &mut market, dir, SinkKind::Pwrite, &fused());
        assert!(!dir.join("00000001.slj").exists(), "more than one segment: cut the first's end");
        let bytes = std::fs::read(dir.join("00000000.slj")).unwrap();
        Evidence::from(&ran.summary).assert_not_empty("the whole session");
        Self { bytes, events: events(dir), summary: ran.summary }
    }

    /// Leaves the first bytes of the journal, as a kill would.
    fn killed(&self, dir: &Path, length: usize) -> PathBuf {
        std::fs::create_dir_all(dir).unwrap();
        let mut left = self.bytes[..length].to_vec();
        left.resize(SEGMENT_BYTES, 0);
        std::fs::write(dir.join("00000000.slj"), left).unwrap();
        dir.to_path_buf()
    }
}

/// Returns the records of a lane from behind a seq on, without what names a run.
pub(crate) fn behind(events: &[Event], lane: Lane, seq: u64) -> Vec<Event> {
    let later = |event: &&Event| event.kind().lane() == lane && event.seq.0 > seq;
    events.iter().filter(later).copied().collect()
}

/// Brings a killed session back and lets it end. Returns the seq that it went on from.
#[track_caller]
fn goes_on(whole: &Whole, killed: &Path, to: &Path) -> u64 {
    let resumed = resume(killed).expect("a session");
    let from = resumed.session.snapshot().expect("a snapshot").clone();
    let mut market = Generated::new(SEED, SECONDS);
    let mut rest = Rest::of(&mut market, from.messages);
    let ran = journaled(&resumed.session, &mut rest, to, SinkKind::Mmap, &fused());
    let records = events(to);
    for lane in [Lane::Input, Lane::Strategy, Lane::Risk, Lane::Execution, Lane::Egress] {
        assert_eq!(
            behind(&whole.events, lane, from.seq.0),
            behind(&records, lane, 0),
            "{lane:?} from seq {} on",
            from.seq.0
        );
    }
    let (ours, theirs) = (&ran.summary, &whole.summary);
    assert_eq!(ours.equity_end, theirs.equity_end);
    assert_eq!(ours.equity_start, theirs.equity_start);
    assert_eq!(ours.max_drawdown, theirs.max_drawdown);
    assert_eq!(ours.fees, theirs.fees);
    assert_replays(to, &fused(), &ran.summary.decisions_hash);
    from.seq.0
}

#[test]
fn a_session_killed_at_any_byte_goes_on_as_if_it_had_not_been() {
    let scratch = tempfile::tempdir().unwrap();
    let whole = Whole::run(&scratch.path().join("whole"));
    let mut seqs = Vec::new();
    for nth in 1..24_usize {
        // Odd steps, so that records are cut at every place.
        let length = whole.bytes.len() * nth / 24 + nth * 7;
        let killed = whole.killed(&scratch.path().join(format!("killed-{nth}")), length);
        seqs.push(goes_on(&whole, &killed, &scratch.path().join(format!("on-{nth}"))));
    }
    assert!(seqs.is_sorted() && seqs.windows(2).all(|pair| pair[0] < pair[1]), "{seqs:?}");
    println!("went on from seq {seqs:?}");
}

/// The second kill: what goes on from a snapshot is killed too.
#[test]
fn a_session_that_went_on_goes_on_again() {
    let scratch = tempfile::tempdir().unwrap();
    let whole = Whole::run(&scratch.path().join("whole"));
    let killed = whole.killed(&scratch.path().join("killed"), whole.bytes.len() / 3);
    let second = scratch.path().join("second");
    let first_seq = goes_on(&whole, &killed, &second);
    let bytes = std::fs::read(second.join("00000000.slj")).unwrap();
    let length = bytes.len() / 2 + 13;
    let killed = Whole { bytes, events: Vec::new(), summary: whole.summary.clone() }
        .killed(&scratch.path().join("killed again"), length);
    let second_seq = goes_on(&whole, &killed, &scratch.path().join("third"));
    assert!(second_seq > first_seq + 1_000, "{first_seq} {second_seq}");
    let third = scratch.path().join("third");
    let hash = replayed(&third, &fused()).summary.decisions_hash;
    assert_replays(&third, &split(), &hash);
}

#[test]
fn a_state_that_would_have_decided_otherwise_is_not_gone_on_from() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("whole");
    let whole = Whole::run(&dir);
    let ended = resume(&dir).unwrap_err();
    assert!(matches!(ended, ResumeError::Ended { .. }), "{ended}");
    let nothing = whole.killed(&scratch.path().join("nothing"), 4_096 + 64);
    let nothing = resume(&nothing).unwrap_err();
    let text = nothing.to_string();
    assert!(text.contains("the run's metadata") || text.contains("no whole message"), "{text}");
    let none = resume(&scratch.path().join("none")).unwrap_err();
    assert!(matches!(none, ResumeError::Open(_)), "{none}");
}
