//! What is written is read, by both sinks, in the same bytes.

use proptest::prelude::*;

use super::support::{Given, files, input, options, read, script, verdict_on, write};
use crate::{Options, Reader, SinkKind, Verdict, verify};

/// Inputs and decisions of any size from nothing to several segments.
fn records() -> impl Strategy<Value = Vec<Given>> {
    let size = prop_oneof![6 => 0_usize..200, 2 => 0_usize..3100, 1 => 3000_usize..20_000];
    let record = (size, any::<u8>(), any::<bool>());
    proptest::collection::vec(record, 0..40).prop_map(|shapes| {
        let mut seq = 0;
        shapes
            .into_iter()
            .map(|(size, fill, decides)| {
                let header = if decides && seq > 0 {
                    verdict_on(seq)
                } else {
                    seq += 1;
                    input(seq)
                };
                (header, vec![fill; size])
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn records_read_back_and_both_sinks_write_the_same_bytes(given in records()) {
        let scratch = tempfile::tempdir().unwrap();
        let mut written = Vec::new();
        for (name, sink) in [("mmap", SinkKind::Mmap), ("pwrite", SinkKind::Pwrite)] {
            let dir = scratch.path().join(name);
            let sealed = write(&dir, &options(sink), &given).seal().unwrap();
            let (found, end) = read(&dir);
            prop_assert_eq!(&found, &given);
            prop_assert_eq!(end.unwrap(), Verdict::Clean);
            let report = verify(&dir).unwrap();
            prop_assert!(report.sealed);
            prop_assert_eq!(report.records, sealed.records);
            let files = files(&dir);
            prop_assert_eq!(sealed.segments, u64::try_from(files.len()).unwrap());
            let bytes: usize = files.iter().map(Vec::len).sum();
            prop_assert_eq!(sealed.bytes, u64::try_from(bytes).unwrap());
            written.push(files);
        }
        prop_assert!(written[0] == written[1], "the sinks differ");
    }

    #[test]
    fn unsealed_journal_reads_back_whole(given in records()) {
        for sink in [SinkKind::Mmap, SinkKind::Pwrite] {
            let scratch = tempfile::tempdir().unwrap();
            drop(write(scratch.path(), &options(sink), &given));
            let (found, end) = read(scratch.path());
            prop_assert_eq!(&found, &given);
            prop_assert_eq!(end.unwrap(), Verdict::Clean);
        }
    }
}

#[test]
fn live_reader_goes_on_after_the_writer_did() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let mut writer = write(dir, &options(SinkKind::Mmap), &[]);
    let mut reader = Reader::open(dir).unwrap();
    let mut expected = 0;
    for seq in 1..=300_u64 {
        assert!(reader.next().unwrap().is_none());
        writer.append(input(seq), &seq.to_le_bytes()).unwrap();
        loop {
            let record = reader.next().unwrap().unwrap();
            assert_eq!(record.rec_no, expected);
            expected += 1;
            if record.header == input(seq) {
                assert_eq!(record.payload, seq.to_le_bytes());
                break;
            }
        }
    }
}

#[test]
fn runs_longer_than_the_buffer_are_the_same_bytes_whenever_they_are_flushed() {
    let scratch = tempfile::tempdir().unwrap();
    let large = |sink| Options { segment_bytes: 1 << 20, ..options(sink) };
    let given: Vec<Given> =
        (1..=9_000).map(|seq| (input(seq), vec![seq.to_le_bytes()[0]; 200])).collect();
    let ways = [(SinkKind::Mmap, 1), (SinkKind::Pwrite, 9_000), (SinkKind::Pwrite, 701)];
    let mut written = Vec::new();
    for (sink, pace) in ways {
        let dir = scratch.path().join(format!("{pace}"));
        let mut writer = write(&dir, &large(sink), &[]);
        for run in given.chunks(pace) {
            run.iter().for_each(|(header, payload)| writer.append(*header, payload).unwrap());
            writer.flush().unwrap();
        }
        assert!(writer.seal().unwrap().segments > 1);
        assert_eq!(read(&dir).0, given);
        written.push(files(&dir));
    }
    assert!(written[0] == written[1] && written[0] == written[2], "the sinks differ");
}

#[test]
fn killed_process_keeps_what_was_flushed() {
    let scratch = tempfile::tempdir().unwrap();
    let given = script(6);
    let (flushed, lost) = given.split_at(8);
    let mut writer = write(scratch.path(), &options(SinkKind::Pwrite), flushed);
    for (header, payload) in lost {
        writer.append(*header, payload).unwrap();
    }
    assert_eq!(read(scratch.path()).0, flushed);
    drop(writer);
    let (found, end) = read(scratch.path());
    assert_eq!((&found[..], end.unwrap()), (flushed, Verdict::Clean));
}

#[test]
fn chain_of_hashes_is_the_documented_one() {
    let scratch = tempfile::tempdir().unwrap();
    write(scratch.path(), &options(SinkKind::Mmap), &script(45)).seal().unwrap();
    let mut previous = [0; 32];
    for bytes in files(scratch.path()) {
        let (before, footer) = bytes.split_at(bytes.len() - 160);
        let payload = &footer[32..32 + 104];
        let hash = blake3::hash(&[&previous[..], before].concat());
        assert_eq!(payload[40..72], previous);
        assert_eq!(payload[72..], hash.as_bytes()[..]);
        previous = *hash.as_bytes();
    }
}

#[test]
fn joined_record_carries_the_number_of_its_first_piece_and_no_flags() {
    let scratch = tempfile::tempdir().unwrap();
    let header = crate::RecordHeader { flags: 0x70, ..input(1) };
    let given = [(header, vec![7; 9000]), (input(2), vec![8])];
    write(scratch.path(), &options(SinkKind::Mmap), &given).seal().unwrap();
    let mut reader = Reader::open(scratch.path()).unwrap();
    let first = loop {
        let record = reader.next().unwrap().unwrap();
        if record.header.lane == 0 {
            break record;
        }
    };
    assert_eq!((first.header, first.rec_no, first.payload.len()), (header, 0, 9000));
    assert_eq!(verify(scratch.path()).unwrap().last_seq, 2);
}
