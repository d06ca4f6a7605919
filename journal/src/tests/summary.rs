//! What a cheap look tells of a damaged journal: the same verdict as a check, wherever it can tell.

use std::path::Path;

use super::support::{edit, frames, options, script, segment, write, write_killed, write_sealed};
use crate::{Identity, Options, SinkKind, Verdict, info, verify};

/// Makes a sealed journal of three segments and damages it; the look must find what the check
/// finds.
#[track_caller]
fn finds(damage: impl Fn(&Path)) {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    write_sealed(dir, &script(45));
    damage(dir);
    let (found, report) = (info(dir).unwrap(), verify(dir).unwrap());
    assert!(matches!(report.verdict, Verdict::Corrupt { .. }), "{}", report.detail);
    assert_eq!(found.verdict, report.verdict, "{} and {}", found.detail, report.detail);
    assert_eq!((found.segment, found.detail), (report.segment, report.detail));
    assert!(!found.sealed);
}

fn rename(dir: &Path, from: u64, to: u64) {
    std::fs::rename(segment(dir, from), segment(dir, to)).unwrap();
}

fn copy(dir: &Path, from: u64, to: u64) {
    std::fs::copy(segment(dir, from), segment(dir, to)).unwrap();
}

#[test]
fn missing_segments_are_found_wherever_they_were() {
    finds(|dir| std::fs::remove_file(segment(dir, 1)).unwrap());
    finds(|dir| std::fs::remove_file(segment(dir, 2)).unwrap());
}

#[test]
fn swapped_and_doubled_segments_are_found() {
    finds(|dir| {
        rename(dir, 1, 7);
        rename(dir, 2, 1);
        rename(dir, 7, 2);
    });
    finds(|dir| copy(dir, 1, 2));
    finds(|dir| copy(dir, 2, 3));
    finds(|dir| copy(dir, 0, 1));
}

#[test]
fn segments_of_another_run_or_past_are_found() {
    let own = options(SinkKind::Pwrite).identity;
    for (run_id, first_bytes) in [(0xBAD, 13), (own.run_id, 700)] {
        finds(|dir| {
            let scratch = tempfile::tempdir().unwrap();
            let identity = Identity { run_id, ..own };
            let mut given = script(90);
            given[0].1 = vec![5; first_bytes];
            let other = Options { identity, ..options(SinkKind::Pwrite) };
            drop(write(scratch.path(), &other, &given));
            std::fs::copy(segment(scratch.path(), 2), segment(dir, 2)).unwrap();
        });
    }
    // The same numbers, another first record: only the chain of hashes tells.
    finds(|dir| {
        let scratch = tempfile::tempdir().unwrap();
        let mut given = script(45);
        given[0].1[0] ^= 1;
        write_sealed(scratch.path(), &given);
        std::fs::copy(segment(scratch.path(), 0), segment(dir, 0)).unwrap();
    });
}

#[test]
fn cut_and_lengthened_files_are_found() {
    for index in 0..3 {
        for bytes in [0, 4000, 4096, 5000] {
            if index > 0 || bytes > 4096 {
                finds(|dir| edit(dir, index, |file| file.truncate(bytes)));
            }
        }
        finds(|dir| edit(dir, index, |file| file.truncate(file.len() - 1)));
        finds(|dir| edit(dir, index, |file| file.push(7)));
        if index > 0 {
            finds(|dir| edit(dir, index, |file| file.resize(9000, 0)));
        }
    }
}

#[test]
fn altered_headers_first_records_and_ends_are_found() {
    for index in 0..3 {
        if index > 0 {
            finds(|dir| edit(dir, index, |file| file[70] ^= 1));
            finds(|dir| edit(dir, index, |file| file[..4096].fill(0)));
        }
        finds(|dir| edit(dir, index, |file| file[4096 + 40] ^= 1));
        finds(|dir| {
            edit(dir, index, |file| {
                let footer = frames(file).last().unwrap().0;
                file[footer + 40] ^= 1;
            });
        });
    }
}

#[test]
fn what_can_be_no_segment_is_found_and_not_read() {
    finds(|dir| {
        std::fs::remove_file(segment(dir, 1)).unwrap();
        std::os::unix::fs::symlink("/dev/zero", segment(dir, 1)).unwrap();
    });
    finds(|dir| std::os::unix::fs::symlink("/dev/zero", segment(dir, 3)).unwrap());
}

#[test]
fn a_journal_without_damage_has_no_finding() {
    let scratch = tempfile::tempdir().unwrap();
    let sealed = scratch.path().join("sealed");
    write_sealed(&sealed, &script(45));
    let killed = scratch.path().join("killed");
    write_killed(&killed, &script(45));
    std::fs::write(segment(&killed, 3), vec![0; 8192]).unwrap();
    for (dir, ends) in [(sealed, true), (killed, false)] {
        let found = info(&dir).unwrap();
        assert_eq!((found.verdict, found.sealed), (Verdict::Clean, ends), "{}", found.detail);
        assert_eq!((found.segment, found.detail.as_str()), (None, ""));
        assert_eq!(found.records, verify(&dir).unwrap().records);
    }
}

#[test]
fn a_torn_tail_is_told_as_torn() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    write_killed(dir, &script(45));
    edit(dir, 2, |bytes| {
        let (offset, len) = frames(bytes)[3];
        bytes[offset..offset + len].fill(0);
    });
    let (found, report) = (info(dir).unwrap(), verify(dir).unwrap());
    assert!(matches!(found.verdict, Verdict::Torn { .. }));
    assert_eq!((found.verdict, found.detail), (report.verdict, report.detail));
}
