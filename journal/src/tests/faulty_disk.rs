//! Every operation of the file system fails once, and from then on: nothing that was acknowledged
//! is lost, nothing is accepted after a failed sync, and what is left behind can be recovered.

use std::path::Path;

use super::faults::Faults;
use super::support::{Given, edit, files, frames, input, options, read, script, write_killed};
use crate::error::Action;
use crate::recovery::recover_on;
use crate::{
    AppendError, DiskError, OpenError, Options, ReadError, SinkKind, Verdict, Writer, recover,
    verify,
};

/// Writes until the first failure, with a flush after every `pace` records; the records
/// acknowledged, which is what was flushed, and whether the seal was.
fn run(
    disk: crate::disk::Disk,
    dir: &Path,
    (sink, pace): (SinkKind, usize),
    given: &[Given],
) -> (usize, bool) {
    let Ok((mut writer, _)) = Writer::create_on(disk, dir, &options(sink)) else {
        return (0, false);
    };
    let mut acknowledged = 0;
    for (index, (header, payload)) in given.iter().enumerate() {
        if let Err(error) = writer.append(*header, payload) {
            let after = writer.append(*header, payload);
            let appended = index + usize::from(after.is_ok());
            let poisons =
                |cause: &DiskError| cause.action.is_sync() || cause.action == Action::Write;
            if matches!(&error, AppendError::Disk(cause) if poisons(cause)) {
                assert!(matches!(after, Err(AppendError::Poisoned)), "{error}");
            }
            return (if writer.flush().is_ok() { appended } else { acknowledged }, false);
        }
        if (index + 1).is_multiple_of(pace) {
            if let Err(error) = writer.flush() {
                assert!(matches!(error, AppendError::Disk(_)), "{error}");
                let after = writer.append(*header, payload);
                assert!(matches!(after, Err(AppendError::Poisoned)), "{error}");
                assert!(matches!(writer.flush(), Err(AppendError::Poisoned)), "{error}");
                return (acknowledged, false);
            }
            acknowledged = index + 1;
        }
    }
    if writer.seal().is_ok() { (given.len(), true) } else { (acknowledged, false) }
}

#[test]
fn every_failing_operation_leaves_the_acknowledged_prefix() {
    let given = script(40);
    for way in [(SinkKind::Mmap, 1), (SinkKind::Pwrite, 1), (SinkKind::Pwrite, 9)] {
        for persistent in [false, true] {
            for fail_at in 0.. {
                let scratch = tempfile::tempdir().unwrap();
                let dir = scratch.path().join("run");
                let (disk, faults) = Faults::disk(fail_at, persistent, None);
                let (acknowledged, sealed) = run(disk, &dir, way, &given);
                check_left_behind(&dir, &given, acknowledged, sealed);
                if faults.seen() <= fail_at {
                    assert!(sealed, "nothing failed");
                    break;
                }
                assert!(fail_at < 1000, "the run ends");
            }
        }
    }
}

#[track_caller]
fn check_left_behind(dir: &Path, given: &[Given], acknowledged: usize, sealed: bool) {
    match verify(dir) {
        Err(ReadError::NoJournal { .. }) | Err(ReadError::Disk(_)) => {
            assert_eq!(acknowledged, 0);
        }
        Err(error) => panic!("{error}"),
        Ok(report) => {
            assert!(!matches!(report.verdict, Verdict::Corrupt { .. }), "{}", report.detail);
            assert!(report.sealed || !sealed, "an acknowledged seal is there");
            recover(dir).unwrap();
            let (found, end) = read(dir);
            assert_eq!(end.unwrap(), Verdict::Clean);
            assert!(found.len() >= acknowledged, "{} of {acknowledged}", found.len());
            assert_eq!(found, given[..found.len()]);
        }
    }
}

#[test]
fn full_disk_is_named_and_passes() {
    let scratch = tempfile::tempdir().unwrap();
    let reserve = Action::Reserve(super::support::SEGMENT_BYTES);
    let (disk, _) = Faults::disk(1, false, Some(reserve));
    let (mut writer, _) =
        Writer::create_on(disk, scratch.path(), &options(SinkKind::Mmap)).unwrap();
    let mut refused = Vec::new();
    for (header, payload) in script(45) {
        if let Err(error) = writer.append(header, &payload) {
            refused.push(error.to_string());
            writer.append(header, &payload).unwrap();
        }
    }
    let path = super::support::segment(scratch.path(), 1);
    let expected = format!(
        "cannot reserve 8192 bytes for {}; free space on this file system, choose shorter \
         segments, or use a file system with fallocate such as ext4, xfs or tmpfs",
        path.display()
    );
    assert_eq!(refused, [expected]);
    writer.seal().unwrap();
    assert!(verify(scratch.path()).unwrap().sealed);
}

#[test]
fn failed_creation_leaves_room_for_another() {
    for fail_at in 0.. {
        let scratch = tempfile::tempdir().unwrap();
        let (disk, faults) = Faults::disk(fail_at, false, None);
        let first = Writer::create_on(disk, scratch.path(), &options(SinkKind::Mmap));
        if faults.seen() <= fail_at {
            first.unwrap();
            break;
        }
        assert!(matches!(first.unwrap_err(), OpenError::Disk(_)));
        Writer::create(scratch.path(), &options(SinkKind::Mmap)).unwrap();
    }
}

#[test]
fn recovery_that_fails_anywhere_is_finished_by_the_next() {
    let scratch = tempfile::tempdir().unwrap();
    for lost_header in [false, true] {
        for fail_at in 0.. {
            let dir = scratch.path().join(format!("{lost_header}-{fail_at}"));
            write_killed(&dir, &script(45));
            if lost_header {
                edit(&dir, 2, |bytes| bytes[..4096].fill(0));
            } else {
                edit(&dir, 2, |bytes| {
                    let third = frames(bytes)[2].0;
                    bytes[third + 40] ^= 1;
                });
            }
            let before = read(&dir).0;
            let (disk, faults) = Faults::disk(fail_at, true, None);
            let first = recover_on(&disk, &dir);
            let second = recover(&dir).unwrap();
            assert!(!matches!(second.report.verdict, Verdict::Corrupt { .. }));
            let after = read(&dir);
            assert_eq!((after.0, after.1.unwrap()), (before, Verdict::Clean));
            let settled = files(&dir);
            assert!(!recover(&dir).unwrap().repaired);
            assert_eq!(files(&dir), settled, "a clean journal is left alone");
            if faults.seen() <= fail_at {
                assert!(first.unwrap().repaired);
                break;
            }
            assert!(matches!(first, Err(OpenError::Disk(_) | OpenError::Read(_))));
        }
    }
}

#[test]
fn recovery_syncs_every_segment_before_it_reads() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    write_killed(dir, &script(45));
    for fail_at in 0..3 {
        let (disk, _) = Faults::disk(fail_at, true, Some(Action::Sync));
        let refused = recover_on(&disk, dir).unwrap_err();
        assert!(refused.to_string().starts_with("cannot sync"), "{refused}");
    }
    let (disk, faults) = Faults::disk(3, true, Some(Action::Sync));
    recover_on(&disk, dir).unwrap();
    assert_eq!(faults.seen(), 3, "one sync for each segment");
}

#[test]
fn sync_that_fails_and_then_works_is_not_believed() {
    let scratch = tempfile::tempdir().unwrap();
    // Sync 0 and 1 belong to the creation, 2 to the spare, 3 to the first seal.
    let (disk, faults) = Faults::disk(3, false, Some(Action::Sync));
    let (mut writer, _) =
        Writer::create_on(disk, scratch.path(), &options(SinkKind::Mmap)).unwrap();
    let error = (1..).find_map(|seq| writer.append(input(seq), &[0; 64]).err()).unwrap();
    assert!(error.to_string().starts_with("cannot sync"), "{error}");
    let syncs = faults.seen();
    let records = writer.records();
    assert!(matches!(writer.append(input(9), &[]).unwrap_err(), AppendError::Poisoned));
    assert!(matches!(writer.append_blob(input(9), &[]).unwrap_err(), AppendError::Poisoned));
    assert_eq!(writer.records(), records);
    assert!(matches!(writer.seal().unwrap_err(), AppendError::Poisoned));
    assert_eq!(faults.seen(), syncs, "no sync is tried again");
    // Nothing proves the segment durable.
    assert!(!crate::info(scratch.path()).unwrap().segments[0].sealed);
}

#[test]
fn a_journal_that_is_not_to_be_synced_asks_no_disk_for_it() {
    let given = script(200);
    for action in [Action::Sync, Action::SyncDirectory] {
        for sync in [true, false] {
            let scratch = tempfile::tempdir().unwrap();
            let (disk, _) = Faults::disk(0, true, Some(action));
            let options = Options { sync, ..options(SinkKind::Pwrite) };
            let created = Writer::create_on(disk, scratch.path(), &options);
            assert_eq!(created.is_err(), sync, "{action:?}");
            let Ok((mut writer, _)) = created else { continue };
            for (header, payload) in &given {
                writer.append(*header, payload).unwrap();
            }
            writer.seal().unwrap();
            assert_eq!(verify(scratch.path()).unwrap().verdict, Verdict::Clean);
            assert_eq!(read(scratch.path()).0, given);
        }
    }
}
