//! Other programs that cut, move or remove a journal's files while they are written: the system
//! reports no error for the writes, so the seal must look.

use std::fs::OpenOptions;
use std::path::Path;

use super::support::{Given, edit, input, options, script, segment, write};
use crate::error::Action;
use crate::{AppendError, DiskError, SinkKind, verify};

/// Writes a journal, lets `disturb` at its files, and returns why it could not be sealed.
#[track_caller]
fn refused(sink: SinkKind, given: &[Given], disturb: impl FnOnce(&Path)) -> DiskError {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("run");
    let writer = write(&dir, &options(sink), given);
    disturb(&dir);
    let error = writer.seal().unwrap_err();
    if dir.exists() {
        let sealed = verify(&dir).is_ok_and(|report| report.sealed);
        assert!(!sealed, "a journal that was disturbed is not sealed");
    }
    let AppendError::Disk(error) = error else { panic!("{error}") };
    assert_eq!(error.action, Action::Seal);
    let told = error.to_string();
    assert!(told.starts_with("cannot seal "), "{told}");
    assert!(told.contains("another program cut, moved or removed"), "{told}");
    error
}

fn cut(dir: &Path, index: u64, bytes: u64) {
    let file = OpenOptions::new().write(true).open(segment(dir, index)).unwrap();
    file.set_len(bytes).unwrap();
}

#[test]
fn a_file_that_was_shortened_while_it_was_written_is_not_sealed() {
    let error = refused(SinkKind::Pwrite, &script(4), |dir| cut(dir, 0, 4200));
    assert_eq!(error.source.to_string(), "the file has 4200 bytes instead of 8192");
    let error = refused(SinkKind::Mmap, &script(4), |dir| cut(dir, 0, 8000));
    assert_eq!(error.source.to_string(), "the file has 8000 bytes instead of 8192");
    let error = refused(SinkKind::Pwrite, &script(4), |dir| edit(dir, 0, |b| b.push(0)));
    assert_eq!(error.source.to_string(), "the file has 8193 bytes instead of 8192");
}

#[test]
fn a_file_whose_path_names_another_is_not_sealed() {
    let error = refused(SinkKind::Pwrite, &script(4), |dir| {
        let path = segment(dir, 0);
        std::fs::copy(&path, dir.join("copy")).unwrap();
        std::fs::rename(dir.join("copy"), path).unwrap();
    });
    assert_eq!(error.source.to_string(), "the path names another file");
}

#[test]
fn a_removed_directory_or_file_is_not_sealed() {
    for sink in [SinkKind::Pwrite, SinkKind::Mmap] {
        let error = refused(sink, &script(4), |dir| std::fs::remove_dir_all(dir).unwrap());
        assert_eq!(error.source.kind(), std::io::ErrorKind::NotFound);
        let error = refused(sink, &script(4), |dir| std::fs::remove_file(segment(dir, 0)).unwrap());
        assert_eq!(error.source.kind(), std::io::ErrorKind::NotFound);
    }
}

#[test]
fn an_earlier_segment_that_was_cut_or_removed_since_its_seal_ends_the_run_badly() {
    let error = refused(SinkKind::Pwrite, &script(45), |dir| cut(dir, 1, 5000));
    assert_eq!(error.path.file_name().unwrap(), "00000001.slj");
    let error = refused(SinkKind::Pwrite, &script(45), |dir| {
        std::fs::remove_file(segment(dir, 0)).unwrap();
    });
    assert_eq!(error.path.file_name().unwrap(), "00000000.slj");
}

#[test]
fn a_cut_that_is_noticed_at_a_roll_poisons_the_writer() {
    let scratch = tempfile::tempdir().unwrap();
    let mut writer = write(scratch.path(), &options(SinkKind::Pwrite), &script(4));
    cut(scratch.path(), 0, 4096);
    let error = (5..).find_map(|seq| writer.append(input(seq), &[0; 64]).err()).unwrap();
    let found = matches!(&error, AppendError::Disk(cause) if cause.action == Action::Seal);
    assert!(found, "{error}");
    assert!(matches!(writer.append(input(99), &[]), Err(AppendError::Poisoned)));
    assert!(matches!(writer.seal(), Err(AppendError::Poisoned)));
}
