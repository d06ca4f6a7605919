//! The keeper on its own thread, dropped, and never started.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use super::support::{SEGMENT_BYTES, input, options, read, script};
use crate::error::Action;
use crate::layout::{HEADER_BYTES, KIND_BARRIER, segment_name};
use crate::order::Order;
use crate::seal::{Place, Retired};
use crate::spare::{Workshop, connect};
use crate::{AppendError, DiskError, Reader, SinkKind, Verdict, Writer, recover, verify};

#[test]
fn running_keeper_seals_all_segments_and_barriers_follow() {
    for sink in [SinkKind::Mmap, SinkKind::Pwrite] {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path();
        let given = script(2000);
        let sealed = thread::scope(|scope| {
            let (mut writer, keeper) = Writer::create(dir, &options(sink)).unwrap();
            scope.spawn(move || keeper.run());
            for (header, payload) in &given {
                writer.append(*header, payload).unwrap();
            }
            writer.seal().unwrap()
        });
        assert!(sealed.bytes > SEGMENT_BYTES * 20);
        let report = verify(dir).unwrap();
        assert!(report.sealed, "{}", report.detail);
        assert_eq!(report.records, sealed.records);
        assert_eq!(read(dir).0, given);
        // The writer waits for spares, so it cannot outrun the reports by more than a few.
        assert!((1..sealed.segments).contains(&barriers(dir)));
        // No spare is left over, and the lock is free as soon as seal returns.
        assert_eq!(super::support::files(dir).len() as u64, sealed.segments);
        recover(dir).unwrap();
    }
}

#[test]
fn lock_is_free_when_seal_returns() {
    for _ in 0..50 {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path();
        thread::scope(|scope| {
            let (mut writer, keeper) = Writer::create(dir, &options(SinkKind::Pwrite)).unwrap();
            scope.spawn(move || keeper.run());
            writer.append(input(1), &[1]).unwrap();
            writer.seal().unwrap();
            assert!(!recover(dir).unwrap().repaired);
        });
    }
}

#[test]
fn keeper_that_never_runs_holds_nobody_up() {
    let scratch = tempfile::tempdir().unwrap();
    let (mut writer, keeper) = Writer::create(scratch.path(), &options(SinkKind::Mmap)).unwrap();
    for (header, payload) in script(200) {
        writer.append(header, &payload).unwrap();
    }
    let sealed = writer.seal().unwrap();
    // It finds its work done and returns.
    keeper.run();
    assert!(verify(scratch.path()).unwrap().sealed);
    assert_eq!(barriers(scratch.path()), sealed.segments - 1, "one after each roll");
}

fn barriers(dir: &Path) -> u64 {
    let mut reader = Reader::open(dir).unwrap();
    let mut count = 0;
    while let Some(record) = reader.next().unwrap() {
        count += u64::from(record.header.kind == KIND_BARRIER);
    }
    count
}

#[test]
fn killed_writer_with_running_keeper_leaves_a_clean_prefix() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let given = script(1000);
    thread::scope(|scope| {
        let (mut writer, keeper) = Writer::create(dir, &options(SinkKind::Mmap)).unwrap();
        scope.spawn(move || keeper.run());
        for (header, payload) in &given {
            writer.append(*header, payload).unwrap();
        }
    });
    assert_eq!(read(dir).0, given);
    assert_eq!(recover(dir).unwrap().report.verdict, Verdict::Clean);
    let report = verify(dir).unwrap();
    assert_eq!((report.verdict, report.sealed), (Verdict::Clean, false));
    // The spares went with the recovery.
    let last = super::support::files(dir).pop().unwrap();
    assert!(last.iter().any(|&byte| byte != 0));
}

#[test]
fn failed_sync_in_the_keeper_poisons_the_writer() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    // Operation 4 of its kind comes after the syncs of creation and lies in a spare or a seal.
    let (disk, _) = super::faults::Faults::disk(4, false, Some(Action::Sync));
    let error = thread::scope(|scope| {
        let (mut writer, keeper) =
            Writer::create_on(disk, dir, &options(SinkKind::Pwrite)).unwrap();
        scope.spawn(move || keeper.run());
        let failed = script(5000)
            .iter()
            .find_map(|(header, payload)| writer.append(*header, payload).err())
            .unwrap();
        let records = writer.records();
        assert!(matches!(writer.append(input(9999), &[]).unwrap_err(), AppendError::Poisoned));
        assert_eq!(writer.records(), records);
        assert!(matches!(writer.seal().unwrap_err(), AppendError::Poisoned));
        failed
    });
    let AppendError::Disk(DiskError { action, .. }) = error else {
        panic!("the reason was lost: {error}");
    };
    assert!(action.is_sync());
}

#[test]
fn a_keeper_that_gave_up_has_said_why() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    // The first write is the footer of the first segment that is sealed.
    let (disk, _) = super::faults::Faults::disk(0, false, Some(Action::Write));
    let place = Place { segment_bytes: SEGMENT_BYTES, nonce: 1 };
    let workshop = Workshop {
        dir: dir.to_path_buf(),
        kind: SinkKind::Pwrite,
        place,
        next_index: 0,
        previous_hash: [0; 32],
        sealed: Vec::new(),
        _lock: Arc::new(disk.lock(dir).unwrap()),
        disk,
    };
    let (mut link, keeper) = connect(workshop);
    thread::scope(|scope| {
        let ended = scope.spawn(move || keeper.run());
        // Else this thread would take the work for its own.
        while !dir.join(segment_name(0)).exists() {
            thread::yield_now();
        }
        let retired = |segment| Retired {
            segment,
            end: HEADER_BYTES,
            records: 0,
            order: Order::start(),
            is_final: false,
        };
        let first = link.next_segment().unwrap();
        let second = link.next_segment().unwrap();
        link.retire(retired(first)).unwrap();
        ended.join().unwrap();
        // Whoever next needs the keeper learns why it is gone, not only that it is.
        let error = link.retire(retired(second)).unwrap_err();
        let AppendError::Disk(DiskError { action, path, .. }) = error else {
            panic!("the reason was lost: {error}");
        };
        assert_eq!((action, path), (Action::Write, dir.join(segment_name(0))));
    });
}
