//! A journal that is being written: readers notice the writer and do not disturb it.

use super::support::{edit, frames, options, script, segment, write, write_killed};
use crate::verify::at_rest;
use crate::{ReadError, SinkKind, Verdict, Writer, info, verify};

#[test]
fn verify_and_info_tell_a_writer_at_work_from_a_killed_one() {
    for sink in [SinkKind::Mmap, SinkKind::Pwrite] {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path();
        let writer = write(dir, &options(sink), &script(45));
        let report = verify(dir).unwrap();
        assert_eq!((report.verdict, report.live, report.sealed), (Verdict::Clean, true, false));
        assert!(report.detail.contains("a session is writing"), "{}", report.detail);
        assert!(!report.detail.contains("killed"), "{}", report.detail);
        let found = info(dir).unwrap();
        assert_eq!((found.verdict, found.live, found.sealed), (Verdict::Clean, true, false));
        assert_eq!(found.records, report.records);
        drop(writer);
        let report = verify(dir).unwrap();
        assert_eq!((report.verdict, report.live), (Verdict::Clean, false));
        assert!(report.detail.contains("killed"), "{}", report.detail);
        assert!(!info(dir).unwrap().live);
    }
}

#[test]
fn a_journal_at_rest_is_one_without_a_writer() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let mut writer = write(dir, &options(SinkKind::Mmap), &script(20));
    let refused = at_rest(dir).unwrap_err();
    assert!(matches!(refused, ReadError::BeingWritten { .. }));
    assert_eq!(
        refused.to_string(),
        format!(
            "journal {} is being written by a running session; wait for its end",
            dir.display()
        )
    );
    // The one that was asked about goes on and seals.
    for (header, payload) in script(45).split_off(40) {
        writer.append(header, &payload).unwrap();
    }
    at_rest(dir).unwrap_err();
    writer.seal().unwrap();
    at_rest(dir).unwrap();
    let report = verify(dir).unwrap();
    assert_eq!((report.sealed, report.live), (true, false));
}

#[test]
fn a_journal_without_a_lock_file_is_at_rest_and_none_is_made() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    write_killed(dir, &script(45));
    let lock = dir.join("journal.lock");
    std::fs::remove_file(&lock).unwrap();
    at_rest(dir).unwrap();
    verify(dir).unwrap();
    assert!(!lock.exists());
}

/// What a writer has begun and not finished is no tear; what lies behind a hole is lost all the
/// same.
#[test]
fn a_record_on_its_way_is_no_tear_while_its_writer_lives() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let writer = write(dir, &options(SinkKind::Pwrite), &script(45));
    let whole = std::fs::read(segment(dir, 2)).unwrap();
    let (last, third) = (*frames(&whole).last().unwrap(), frames(&whole)[2]);
    edit(dir, 2, |bytes| bytes[last.0 + last.1 / 2..].fill(0));
    let report = verify(dir).unwrap();
    assert_eq!((report.verdict, report.live, report.segment), (Verdict::Clean, true, None));
    assert_eq!(info(dir).unwrap().verdict, Verdict::Clean);
    edit(dir, 2, |bytes| *bytes = whole.clone());
    edit(dir, 2, |bytes| bytes[third.0..third.0 + third.1].fill(0));
    let report = verify(dir).unwrap();
    assert!(matches!(report.verdict, Verdict::Torn { .. }), "{}", report.detail);
    assert!(report.live && report.orphans > 0);
    assert!(matches!(info(dir).unwrap().verdict, Verdict::Torn { .. }));
    drop(writer);
}

#[test]
fn a_damaged_journal_is_corrupt_with_and_without_its_writer() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let writer: Writer = write(dir, &options(SinkKind::Pwrite), &script(45));
    edit(dir, 0, |bytes| bytes[4096 + 40] ^= 1);
    let report = verify(dir).unwrap();
    assert!(matches!(report.verdict, Verdict::Corrupt { .. }) && report.live);
    drop(writer);
}
