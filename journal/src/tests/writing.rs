//! What the writer refuses, and what it says.

use super::support::{input, options, script, segment, verdict_on, write};
use crate::layout::{LANE_CONTROL, PAYLOAD_BYTES_MAX};
use crate::{
    AppendError, Identity, InputSpan, OpenError, Options, OrderError, ReadError, RecordHeader,
    SinkKind, Writer, info, recover, verify,
};

#[test]
fn second_writer_and_recovery_are_refused_while_the_first_lives() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let (writer, keeper) = Writer::create(dir, &options(SinkKind::Mmap)).unwrap();
    let refused = Writer::create(dir, &options(SinkKind::Mmap)).unwrap_err();
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
    assert!(refused.to_string().contains("another writer holds"), "{refused}");
    assert!(matches!(recover(dir).unwrap_err(), OpenError::Locked { .. }));
    drop(writer);
    // The keeper may still be sealing, so it holds the lock as well.
    assert!(matches!(recover(dir).unwrap_err(), OpenError::Locked { .. }));
    drop(keeper);
    recover(dir).unwrap();
}

#[test]
fn directory_with_segments_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    write(scratch.path(), &options(SinkKind::Mmap), &[]).seal().unwrap();
    let refused = Writer::create(scratch.path(), &options(SinkKind::Mmap)).unwrap_err();
    assert!(matches!(refused, OpenError::NotEmpty { .. }), "{refused}");
}

#[test]
fn segment_length_is_a_power_of_two_within_limits() {
    let scratch = tempfile::tempdir().unwrap();
    for bytes in [0, 4096, 12_288, 1 << 31] {
        let options = Options { segment_bytes: bytes, ..options(SinkKind::Mmap) };
        let refused = Writer::create(&scratch.path().join("x"), &options).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!(
                "cannot use segments of {bytes} bytes; choose a power of two from 8192 to \
                 1073741824"
            )
        );
    }
    assert!(!scratch.path().join("x").exists());
}

#[test]
fn refused_records_change_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let large = Options { segment_bytes: 1 << 20, ..options(SinkKind::Mmap) };
    let mut writer = write(dir, &large, &script(2));
    let limit = usize::try_from(PAYLOAD_BYTES_MAX).unwrap();
    let too_long = writer.append(input(3), &vec![0; limit + 1]).unwrap_err();
    assert!(matches!(too_long, AppendError::TooLong { limit: PAYLOAD_BYTES_MAX, .. }));
    for header in [
        RecordHeader { lane: LANE_CONTROL, ..input(3) },
        RecordHeader { kind: 0xFF00, ..input(3) },
        RecordHeader { flags: 1, ..input(3) },
    ] {
        let refused = writer.append(header, &[]).unwrap_err();
        assert!(matches!(refused, AppendError::Reserved { .. }), "{refused}");
    }
    for (header, expected) in [
        (input(4), OrderError::Sequence { expected: 3, found: 4 }),
        (input(2), OrderError::Sequence { expected: 3, found: 2 }),
        (RecordHeader { ts_ns: 20, ..input(3) }, OrderError::Time { last_ns: 20, found_ns: 20 }),
        (verdict_on(3), OrderError::Cause { last: 2, found: 3 }),
        (RecordHeader { lane: 7, ..input(3) }, OrderError::Lane { found: 7 }),
    ] {
        let refused = writer.append(header, &[]).unwrap_err();
        assert!(matches!(refused, AppendError::Order(error) if error == expected), "{refused}");
    }
    assert_eq!((writer.records(), writer.last_seq()), (4, 2));
    writer.append(input(3), &vec![9; limit]).unwrap();
    assert_eq!(writer.seal().unwrap().records, 6);
    assert!(verify(dir).unwrap().sealed);
}

#[test]
fn messages_say_what_was_attempted_and_what_to_do() {
    let messages = [
        (
            AppendError::TooLong { bytes: 70_000, limit: 65_504 }.to_string(),
            "cannot append 70000 bytes as one record of at most 65504; append it as a blob",
        ),
        (
            AppendError::Reserved { kind: 0xFF01, lane: 5, flags: 1 }.to_string(),
            "cannot append kind 0xff01 in lane 5 with flags 0x01, which the journal keeps for \
             itself; use a kind below 0xff00, another lane than 5 and flags above 0x0f",
        ),
        (
            AppendError::Poisoned.to_string(),
            "cannot append after a failed write or sync; stop the run and recover the journal",
        ),
        (
            OrderError::Sequence { expected: 3, found: 5 }.to_string(),
            "the input sequence is 5, but 3 comes next",
        ),
    ];
    for (message, expected) in messages {
        assert_eq!(message, expected);
    }
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    write(dir, &options(SinkKind::Pwrite), &script(45)).seal().unwrap();
    super::support::edit(dir, 1, |bytes| bytes[4096 + 33] ^= 1);
    let error = super::support::read(dir).1.unwrap_err();
    let expected = format!(
        "cannot read on at byte 12288 of the journal, in {}: bytes that were on stable storage \
         are damaged at byte 4096 of the file: the record checksum does not match; restore a \
         copy, the journal is corrupt (case G)",
        segment(dir, 1).display()
    );
    assert_eq!(error.to_string(), expected);
    assert!(verify(dir).unwrap().detail.starts_with("case G: bytes that were on stable storage"));
}

#[test]
fn absent_and_unfinished_journals_are_named() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    assert!(matches!(verify(dir).unwrap_err(), ReadError::NoJournal { .. }));
    assert!(matches!(recover(dir).unwrap_err(), OpenError::Read(ReadError::NoJournal { .. })));
    assert!(!dir.join("journal.lock").exists());
    std::fs::write(segment(dir, 0), vec![0; 8192]).unwrap();
    assert!(matches!(verify(dir).unwrap_err(), ReadError::NoJournal { .. }));
    let gone = verify(&dir.join("gone")).unwrap_err();
    assert!(gone.to_string().contains("check that the path is a journal"), "{gone}");
}

#[test]
fn other_format_version_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    write(dir, &options(SinkKind::Pwrite), &script(3)).seal().unwrap();
    super::support::edit(dir, 0, |bytes| {
        bytes[4] = 2;
        let checksum = crc32c::crc32c(&bytes[..4092]).to_le_bytes();
        bytes[4092..4096].copy_from_slice(&checksum);
    });
    let refused = verify(dir).unwrap_err();
    assert!(matches!(refused, ReadError::Version { version: 2, .. }), "{refused}");
}

#[test]
fn info_tells_segments_and_identity() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let sealed = write(dir, &options(SinkKind::Mmap), &script(45)).seal().unwrap();
    let found = info(dir).unwrap();
    assert_eq!(found.identity, options(SinkKind::Mmap).identity);
    assert_eq!((found.records, found.sealed, found.spares), (sealed.records, true, 0));
    assert_eq!(u64::try_from(found.segments.len()).unwrap(), sealed.segments);
    assert!(found.segments.iter().all(|segment| segment.sealed));
    let spans: Vec<InputSpan> =
        found.segments.iter().filter_map(|segment| segment.inputs).collect();
    assert_eq!((spans[0].first_seq, spans[0].first_ts_ns), (1, 10));
    for pair in spans.windows(2) {
        assert_eq!(pair[0].last_seq + 1, pair[1].first_seq);
        assert!(pair[0].last_ts_ns < pair[1].first_ts_ns);
    }
    assert_eq!(spans.last().unwrap().last_seq, 45);
}

#[test]
fn info_of_a_killed_run_counts_what_is_there() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let identity = Identity { parent_run_id: 4, ..options(SinkKind::Mmap).identity };
    let writer = write(dir, &Options { identity, ..options(SinkKind::Mmap) }, &script(45));
    let records = writer.records();
    drop(writer);
    let found = info(dir).unwrap();
    assert_eq!((found.records, found.sealed), (records, false));
    assert_eq!(found.identity.parent_run_id, 4);
    assert!(!found.segments.last().unwrap().sealed);
}
