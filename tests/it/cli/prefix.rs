//! What a kill leaves, at chosen places: a session's journal cut behind, or inside, a record of
//! each kind. A kill at random (see the signals) rarely ends at the rare ones.

use std::collections::BTreeMap;
use std::path::Path;

use journal::Reader;
use model::event::KINDS;
use tests::program::run;

use super::data::{SNAPSHOT, TAKER, changes, depth, line, trade, write};

/// Bytes of a segment: a running session's file has all of them from the start.
const SEGMENT_BYTES: usize = 4 << 20;
const DEMO: &str = "demo --seconds 60 --json --segment-mib 4 --topology fused --journal J";

/// Returns the bytes of a finished session's journal, one segment.
fn journal(folder: &Path) -> Vec<u8> {
    let ran = run(folder, &DEMO.split(' ').collect::<Vec<_>>());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!folder.join("J/00000001.slj").exists(), "more than one segment: cut the first's end");
    std::fs::read(folder.join("J/00000000.slj")).unwrap()
}

/// Leaves the first `length` bytes of a journal, as a kill would: the rest is zero.
fn cut(folder: &Path, bytes: &[u8], length: usize) {
    let mut left = bytes[..length].to_vec();
    left.resize(SEGMENT_BYTES, 0);
    write(folder, "J/00000000.slj", left);
}

/// Returns the kinds of the records that can be read.
fn kinds(folder: &Path) -> Vec<u16> {
    let mut reader = Reader::open(&folder.join("J")).unwrap();
    let mut kinds = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        kinds.push(record.header.kind);
    }
    kinds
}

/// Returns the smallest length of a file in which `count` records can be read.
fn length_of(folder: &Path, bytes: &[u8], count: usize) -> usize {
    let (mut short, mut enough) = (4_096, bytes.len());
    while short + 1 < enough {
        let middle = usize::midpoint(short, enough);
        cut(folder, bytes, middle);
        if kinds(folder).len() < count { short = middle } else { enough = middle }
    }
    enough
}

#[test]
fn a_journal_cut_behind_a_record_of_any_kind_replays_to_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let bytes = journal(folder);
    let all = kinds(folder);
    let mut places: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
    for (index, kind) in all.iter().enumerate().skip(all.len() / 3) {
        places.entry(*kind).or_default().push(index);
    }
    let mut wrong = Vec::new();
    let mut tried = 0;
    for kind in KINDS {
        // One in the midst of many of its kind: whichever came to be, it came from others.
        let Some(places) = places.get(&(*kind as u16)) else { continue };
        let index = places[places.len() / 2];
        let length = length_of(folder, &bytes, index + 1);
        cut(folder, &bytes, length);
        let verified = run(folder, &["journal", "verify", "J", "--json"]);
        assert_eq!(verified.json()["verdict"], "clean", "{}: {verified:?}", kind.name());
        let replayed = run(folder, &["replay", "J", "--json"]);
        let replay = replayed.json();
        assert_eq!(replay["records"], index as u64 + 1, "{}: {replay}", kind.name());
        if (replayed.code, &replay["equal"]) != (Some(0), &true.into()) {
            wrong.push(format!("{}: {}", kind.name(), replay["first_difference"]));
        }
        tried += 1;
    }
    assert!(tried >= 12, "kinds in the demo: {tried}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A message of several records is journaled record by record: a kill leaves part of it, also with
/// decisions on that part behind it.
#[test]
fn a_journal_cut_inside_a_message_replays_to_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut lines = vec![line(0, SNAPSHOT), line(1_000_000, &depth(11, 12))];
    for nth in 13..40_u64 {
        let asks: Vec<_> = (1..7).map(|n| format!(r#"["10{n}.00","{nth}"]"#)).collect();
        let at = i64::try_from(nth).unwrap() * 2_000_000;
        lines.push(line(at, &changes(nth, nth, &asks.join(","))));
        lines.push(line(at + 1_000_000, &trade("BTCUSDT", nth, "101.00", "1")));
    }
    write(folder, "x.log", lines.concat());
    write(folder, "taker.rules", TAKER);
    let command = "backtest --data x.log --rules taker.rules --segment-mib 4 --journal J \
                   --topology fused --json";
    let ran = run(folder, &command.split_whitespace().collect::<Vec<_>>());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let bytes = std::fs::read(folder.join("J/00000000.slj")).unwrap();
    let all = kinds(folder);
    let level = model::event::Kind::BookLevel as u16;
    let mut inside = 0;
    for count in all.len() - 24..all.len() - 1 {
        if all[count - 1] != level || all[count] != level {
            continue;
        }
        cut(folder, &bytes, length_of(folder, &bytes, count));
        let replayed = run(folder, &["replay", "J", "--json"]);
        let replay = replayed.json();
        assert_eq!(replay["equal"], true, "cut behind record {count}: {replay}");
        inside += 1;
    }
    assert!(inside >= 6, "cuts inside a message: {inside} in {all:?}");
}

#[test]
fn a_journal_cut_inside_a_record_is_torn_and_its_prefix_replays() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let bytes = journal(folder);
    let count = kinds(folder).len() / 2;
    let length = length_of(folder, &bytes, count);
    cut(folder, &bytes, length - 1);
    let verified = run(folder, &["journal", "verify", "J", "--json"]);
    let verdict = verified.json();
    assert_eq!((verified.code, &verdict["verdict"]), (Some(1), &"torn".into()), "{verdict}");
    assert!(verdict["at"].is_u64() && !verdict["detail"].as_str().unwrap().is_empty(), "{verdict}");
    assert_eq!(
        (&verdict["records"], &verdict["sealed"]),
        (&(count as u64 - 1).into(), &false.into())
    );
    let shown = run(folder, &["journal", "verify", "J"]);
    assert!(shown.stdout.contains("Journal J: torn"), "{shown:?}");
    let replayed = run(folder, &["replay", "J", "--json"]);
    assert_eq!((replayed.code, &replayed.json()["equal"]), (Some(0), &true.into()), "{replayed:?}");
}
