//! Damage everywhere: every cut and every flipped bit of a small journal. Whatever is read is an
//! exact prefix of what was written, and no verdict is better than the truth.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use proptest::prelude::*;

use super::support::{Given, files, read, script, segment, write_killed, write_sealed};
use crate::{Verdict, info, recover, verify};

/// Inputs of a journal of three segments.
const INPUTS: u64 = 45;

fn open(dir: &Path, index: usize) -> File {
    OpenOptions::new().write(true).open(segment(dir, index as u64)).unwrap()
}

#[track_caller]
fn check_prefix(dir: &Path, given: &[Given], what: &str) {
    let (found, _) = read(dir);
    assert!(found.len() <= given.len() && found == given[..found.len()], "{what}");
}

#[test]
fn every_flipped_bit_of_a_sealed_journal_is_corruption() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    write_sealed(dir, &script(INPUTS));
    for (index, bytes) in files(dir).iter().enumerate() {
        let file = open(dir, index);
        for offset in (0..bytes.len()).filter(|&offset| is_dense(offset)) {
            for bit in 0..8 {
                file.write_all_at(&[bytes[offset] ^ 1 << bit], offset as u64).unwrap();
                // The version may be the flipped bit, but not with a fitting checksum.
                let report = verify(dir).unwrap();
                let corrupt = matches!(report.verdict, Verdict::Corrupt { .. });
                assert!(corrupt, "segment {index} byte {offset} bit {bit}: {}", report.detail);
            }
            file.write_all_at(&[bytes[offset]], offset as u64).unwrap();
        }
    }
    assert!(verify(dir).unwrap().sealed, "the journal was whole between the flips");
}

#[test]
fn every_damaged_byte_of_a_killed_journal_leaves_an_exact_prefix() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let given = script(INPUTS);
    write_killed(dir, &given);
    for (index, bytes) in files(dir).iter().enumerate() {
        let file = open(dir, index);
        for offset in (0..bytes.len()).filter(|&offset| is_dense(offset)) {
            let flipped = bytes[offset] ^ 1 << (offset % 8);
            file.write_all_at(&[flipped], offset as u64).unwrap();
            let what = format!("segment {index} byte {offset}");
            let report = verify(dir).unwrap();
            // What was sealed is proven; the active segment is not.
            match report.verdict {
                Verdict::Clean => panic!("{what} passed"),
                Verdict::Torn { .. } => assert_eq!(index, 2, "{what}"),
                Verdict::Corrupt { .. } => assert!(index < 2, "{what}"),
            }
            check_prefix(dir, &given, &what);
            file.write_all_at(&[bytes[offset]], offset as u64).unwrap();
        }
    }
    assert_eq!(verify(dir).unwrap().verdict, Verdict::Clean);
}

/// All of the records and of the fields of a header; every 16th byte of a header's zeros.
fn is_dense(offset: usize) -> bool {
    !(240..4088).contains(&offset) || offset.is_multiple_of(16)
}

#[test]
fn every_cut_is_corruption_and_leaves_an_exact_prefix() {
    let scratch = tempfile::tempdir().unwrap();
    let given = script(INPUTS);
    for sealed in [true, false] {
        let dir = scratch.path().join(if sealed { "sealed" } else { "killed" });
        if sealed {
            write_sealed(&dir, &given);
        } else {
            write_killed(&dir, &given);
        }
        for (index, bytes) in files(&dir).iter().enumerate() {
            let file = open(&dir, index);
            for cut in (0..bytes.len()).rev() {
                file.set_len(cut as u64).unwrap();
                let what = format!("sealed {sealed} segment {index} cut at {cut}");
                let report = verify(&dir).unwrap();
                let corrupt = matches!(report.verdict, Verdict::Corrupt { .. });
                assert!(corrupt, "{what}: {}", report.detail);
                if cut.is_multiple_of(8) {
                    check_prefix(&dir, &given, &what);
                }
            }
            file.write_all_at(bytes, 0).unwrap();
        }
    }
}

#[test]
fn every_lost_tail_of_the_active_segment_is_an_exact_prefix() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let given = script(INPUTS);
    write_killed(dir, &given);
    let whole = files(dir).pop().unwrap();
    let file = open(dir, 2);
    let mut fewest = given.len();
    for end in (0..whole.len()).rev() {
        // What was not written out reads as zero.
        file.write_all_at(&[0], end as u64).unwrap();
        let report = verify(dir).unwrap();
        assert!(!matches!(report.verdict, Verdict::Corrupt { .. }), "{}", report.detail);
        let (found, _) = read(dir);
        assert!(found.len() <= fewest && found == given[..found.len()], "end {end}");
        fewest = found.len();
    }
    assert!(fewest > 0 && fewest < given.len());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// A power loss: of what was not synced, any subset of sectors is on the disk.
    #[test]
    fn any_subset_of_unsynced_sectors_is_torn_or_clean_and_keeps_what_was_sealed(
        lost in proptest::collection::vec(any::<bool>(), 16),
        whole_pages in any::<bool>(),
    ) {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path();
        let given = script(INPUTS);
        write_killed(dir, &given);
        let sector = if whole_pages { 4096 } else { 512 };
        let file = open(dir, 2);
        for (index, _) in lost.iter().enumerate().filter(|&(_, &lost)| lost) {
            let offset = (index * sector) as u64;
            if offset < 8192 {
                file.write_all_at(&vec![0; sector], offset).unwrap();
            }
        }
        let report = verify(dir).unwrap();
        prop_assert!(!matches!(report.verdict, Verdict::Corrupt { .. }), "{}", report.detail);
        let (found, _) = read(dir);
        prop_assert_eq!(&found[..], &given[..found.len()]);
        let sealed = info(dir).unwrap().segments[1].inputs.unwrap().last_seq;
        prop_assert!(report.last_seq >= sealed);
        recover(dir).unwrap();
        prop_assert_eq!(read(dir).0, found);
        prop_assert_eq!(verify(dir).unwrap().verdict, Verdict::Clean);
    }
}
