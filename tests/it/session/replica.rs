//! A replica that follows a journal stands where the session stands, also while the journal grows.

use std::path::Path;

use engine::replay::ReplayError;
use engine::replica::Replica;
use journal::{ReadError, SinkKind};
use model::codec::{Image, ImageWriter};
use model::event::{Event, Kind, Lane};
use model::id::Seq;

use super::lab::{defaults, events, fused, generated, journaled};

const SEED: u64 = 3;
const SECONDS: u64 = 400;
const ALL: Seq = Seq(u64::MAX);
/// Bytes of the segments that `journaled` writes: a running session's file has all of them.
const SEGMENT_BYTES: usize = 16 << 20;
const SEGMENT: &str = "00000000.slj";

fn of(events: &[Event], lane: Lane) -> Vec<Event> {
    events.iter().filter(|event| event.kind().lane() == lane).copied().collect()
}

fn open(dir: &Path) -> Replica {
    Replica::open(dir).unwrap().expect("the journal has begun")
}

#[test]
fn a_replica_stands_where_the_session_stood_and_shows_what_it_decided() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("whole");
    let (session, mut market) = generated(SEED, SECONDS, defaults());
    let ran = journaled(&session, &mut market, &dir, SinkKind::Pwrite, &fused());
    let mut replica = open(&dir);
    let mut shown = Vec::new();
    replica.follow(ALL, |event| shown.push(*event)).unwrap();
    let written = events(&dir);
    for lane in [Lane::Input, Lane::Strategy, Lane::Risk] {
        let (shown, written) = (of(&shown, lane), of(&written, lane));
        assert!(!written.is_empty(), "{lane:?}");
        assert_eq!(shown, written, "{lane:?}");
    }
    let mut image = ImageWriter::default();
    ran.finished.stations.strategy.stage.save(&mut image);
    ran.finished.stations.risk.stage.save(&mut image);
    assert!(replica.image() == image.finish(), "another state");
    let (glance, summary) = (replica.glance(), &ran.summary);
    assert!(summary.fills > 0 && summary.decisions > summary.approvals, "{summary:?}");
    assert_eq!(glance.verdicts, [summary.decisions, summary.approvals, summary.cuts]);
    assert_eq!((glance.fills, glance.ended), (summary.fills, true));
    assert_eq!(glance.equity, Some(summary.equity_end));
    assert_eq!(glance.start, summary.equity_start);
    let refused: u64 = glance.refusals.iter().map(|(_, count)| count).sum();
    assert_eq!(refused, summary.decisions - summary.approvals);
    assert_eq!(glance.feeds.len(), session.instruments.len());
}

#[test]
fn a_replica_goes_on_as_the_journal_grows_at_any_byte() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("whole");
    let (session, mut market) = generated(SEED, SECONDS, defaults());
    journaled(&session, &mut market, &dir, SinkKind::Pwrite, &fused());
    let bytes = std::fs::read(dir.join(SEGMENT)).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let mut whole = open(&dir);
    whole.follow(ALL, |_| {}).unwrap();

    let live = scratch.path().join("live");
    std::fs::create_dir(&live).unwrap();
    let grow = |length: usize| {
        let mut left = bytes[..length].to_vec();
        if length < bytes.len() {
            left.resize(SEGMENT_BYTES, 0);
        }
        std::fs::write(live.join(SEGMENT), left).unwrap();
    };
    // Before its first records are whole there is nothing to follow, and that is told as such.
    for length in [4_096, 4_096 + 600] {
        grow(length);
        let opened = Replica::open(&live);
        assert!(matches!(opened, Ok(None) | Err(ReplayError::NoMetadata)), "{length}: {opened:?}");
    }
    let mut follower: Option<Replica> = None;
    let mut steps = 0;
    for nth in 1..=7 {
        // Odd lengths: most cuts fall into a record.
        let length = if nth == 7 { bytes.len() } else { used / 7 * nth + 13 * nth };
        grow(length);
        let replica = follower.get_or_insert_with(|| open(&live));
        let before = replica.glance().seq;
        replica.follow(ALL, |_| {}).unwrap();
        steps += u64::from(replica.glance().seq > before);
    }
    assert!(steps >= 6, "it did not follow: {steps}");
    let follower = follower.unwrap();
    assert!(follower.image() == whole.image(), "another state");
    assert_eq!(follower.glance().seq, whole.glance().seq);
}

#[test]
fn a_replica_stops_at_the_seq_that_it_is_asked_for() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("whole");
    let (session, mut market) = generated(SEED, SECONDS, defaults());
    journaled(&session, &mut market, &dir, SinkKind::Pwrite, &fused());
    let fills: Vec<_> =
        events(&dir).into_iter().filter(|event| event.kind() == Kind::Fill).collect();
    let third = fills[2].seq;
    let mut replica = open(&dir);
    replica.follow(Seq(third.0 - 1), |event| assert!(event.seq < third)).unwrap();
    assert_eq!(replica.glance().fills, 2);
    replica.follow(third, |_| {}).unwrap();
    assert_eq!((replica.glance().fills, replica.glance().seq), (3, third));
}

#[test]
fn no_journal_is_told() {
    let scratch = tempfile::tempdir().unwrap();
    let none = Replica::open(scratch.path()).unwrap_err();
    assert!(matches!(none, ReplayError::Read(ReadError::NoJournal { .. })), "{none}");
}
