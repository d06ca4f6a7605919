//! Every row of the recovery table, decided on files and decided on evidence.

use std::path::Path;

use super::support::{
    edit, files, frames, input, options, read, script, segment, write, write_killed, write_sealed,
};
use crate::layout::{HEADER_BYTES, KIND_END_SEGMENT, KIND_RECOVERED, LANE_CONTROL, RecordHeader};
use crate::verdict::{Case, Evidence, Sight, decide};
use crate::{Identity, OpenError, Options, ReadError, Reader, SinkKind, Verdict, recover, verify};

/// Makes a journal of three segments, damages it, and expects the case, the segment of the finding
/// and what recovery does with it.
#[track_caller]
fn check(make: fn(&Path), expected: Case, at_segment: u64) {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    make(dir);
    let report = verify(dir).unwrap();
    assert_eq!(report.case, expected, "{}", report.detail);
    assert_eq!(report.verdict, expected.verdict(verdict_at(report.verdict)));
    assert!(report.detail.starts_with(&format!("case {}: ", expected.letter())));
    let (found, end) = read(dir);
    let before = files(dir);
    match report.verdict {
        Verdict::Clean => assert_eq!((end.unwrap(), report.segment), (Verdict::Clean, None)),
        Verdict::Torn { at } => {
            assert_eq!(end.unwrap(), Verdict::Torn { at });
            assert_eq!(report.segment, Some(segment(dir, at_segment)));
            assert_eq!(at / super::support::SEGMENT_BYTES, at_segment);
        }
        Verdict::Corrupt { at } => {
            assert_eq!(report.segment, Some(segment(dir, at_segment)));
            assert_eq!(at / super::support::SEGMENT_BYTES, at_segment);
            match end {
                Err(ReadError::Corrupt { at: seen, case, .. }) => {
                    assert_eq!(case, expected);
                    assert!(seen == at || (case == Case::WrongSeal && seen > at));
                }
                // A reader does not compute hashes, and may meet the broken chain later or never.
                other => assert!(expected == Case::WrongSeal, "{other:?}"),
            }
        }
    }
    check_recovery(dir, report.verdict, &before);
    if expected != Case::WrongSeal {
        assert_eq!(read(dir).0, found, "recovery keeps exactly the valid prefix");
    }
}

#[track_caller]
fn check_recovery(dir: &Path, verdict: Verdict, before: &[Vec<u8>]) {
    let recovery = recover(dir).unwrap();
    assert_eq!(recovery.report.verdict, verdict);
    if let Verdict::Torn { .. } = verdict {
        assert!(recovery.repaired);
        assert!(ends_with_note(dir));
    } else {
        assert!(!recovery.repaired);
        assert_eq!(files(dir), before, "nothing changes");
    }
    let once = files(dir);
    assert!(!recover(dir).unwrap().repaired);
    assert_eq!(files(dir), once, "recovery is idempotent");
}

fn verdict_at(verdict: Verdict) -> u64 {
    match verdict {
        Verdict::Clean => 0,
        Verdict::Torn { at } | Verdict::Corrupt { at } => at,
    }
}

fn ends_with_note(dir: &Path) -> bool {
    let mut reader = Reader::open(dir).unwrap();
    let mut last = None;
    while let Some(record) = reader.next().unwrap() {
        last = Some(record.header.kind);
    }
    last == Some(KIND_RECOVERED)
}

/// Makes a segment look like one whose seal did not happen.
fn unseal(dir: &Path, index: u64) {
    edit(dir, index, |bytes| {
        let footer = frames(bytes).last().unwrap().0;
        bytes.truncate(footer);
        bytes.resize(8192, 0);
    });
}

#[test]
fn a_sealed_journal_is_clean() {
    check(|dir| write_sealed(dir, &script(45)), Case::Sealed, 0);
}

#[test]
fn b_killed_run_is_clean_with_and_without_spares() {
    check(|dir| write_killed(dir, &script(45)), Case::Unsealed, 0);
    check(|dir| write_killed(dir, &[]), Case::Unsealed, 0);
    // Spares go with the recovery, which is why this row is checked by hand.
    let scratch = tempfile::tempdir().unwrap();
    write_killed(scratch.path(), &script(45));
    std::fs::write(segment(scratch.path(), 3), vec![0; 8192]).unwrap();
    assert_eq!(verify(scratch.path()).unwrap().case, Case::Unsealed);
    assert_eq!(recover(scratch.path()).unwrap().report.case, Case::Unsealed);
    assert_eq!(files(scratch.path()).len(), 3);
}

#[test]
fn c_unfinished_fragments_are_torn() {
    let make = |dir: &Path| {
        let blob = (input(1), vec![3; 7000]);
        write_killed(dir, &[blob]);
        let last = files(dir).len() as u64 - 1;
        edit(dir, last, |bytes| {
            let (offset, _) = *frames(bytes).last().unwrap();
            bytes[offset..].fill(0);
        });
    };
    check(make, Case::OpenFragments, 2);
}

#[test]
fn d_hole_in_the_active_segment_is_torn() {
    let hole = |dir: &Path| {
        write_killed(dir, &script(45));
        edit(dir, 2, |bytes| {
            let (offset, len) = frames(bytes)[3];
            bytes[offset..offset + len].fill(0);
        });
    };
    check(hole, Case::Hole, 2);
    let no_length = |dir: &Path| {
        write_killed(dir, &script(45));
        edit(dir, 2, |bytes| {
            let (offset, _) = *frames(bytes).last().unwrap();
            bytes[offset..offset + 4].fill(0);
        });
    };
    check(no_length, Case::Hole, 2);
    let half_a_header = |dir: &Path| {
        write_killed(dir, &script(45));
        let mut bytes = vec![0; 8192];
        bytes[100] = 1;
        std::fs::write(segment(dir, 3), bytes).unwrap();
    };
    check(half_a_header, Case::Hole, 2);
}

#[test]
fn e_half_written_record_is_torn() {
    let half = |dir: &Path| {
        write_killed(dir, &script(45));
        edit(dir, 2, |bytes| {
            let (offset, len) = *frames(bytes).last().unwrap();
            bytes[offset + len / 2..offset + len].fill(0xEE);
        });
    };
    check(half, Case::TornRecord, 2);
    // A whole record at the place of the one before it: the number tells.
    let lost = |dir: &Path| {
        write_killed(dir, &script(45));
        edit(dir, 2, |bytes| reseat_last_record(bytes, 2));
    };
    check(lost, Case::TornRecord, 2);
}

/// Writes a valid record with a wrong number over the last one.
fn reseat_last_record(bytes: &mut [u8], index: u64) {
    let (offset, _) = *frames(bytes).last().unwrap();
    let header = RecordHeader { kind: 9, ..input(1) };
    let at = index * 8192 + offset as u64;
    let mut frame = Vec::new();
    crate::frame::build(header, 5, &[1; 8], 0xC0FFEE, at).assemble(&mut frame);
    bytes[offset..offset + frame.len()].copy_from_slice(&frame);
}

#[test]
fn f_lost_header_of_the_active_segment_is_torn() {
    let zero = |dir: &Path| {
        write_killed(dir, &script(45));
        edit(dir, 2, |bytes| bytes[..4096].fill(0));
    };
    check(zero, Case::LostHeader, 2);
    let damaged = |dir: &Path| {
        write_killed(dir, &script(45));
        edit(dir, 2, |bytes| bytes[70] ^= 1);
    };
    check(damaged, Case::LostHeader, 2);
}

#[test]
fn g_damage_below_a_proof_is_corrupt() {
    let record = |dir: &Path| {
        write_killed(dir, &script(45));
        edit(dir, 0, |bytes| bytes[4096 + 40] ^= 1);
    };
    check(record, Case::ProvenDamage, 0);
    let footer = |dir: &Path| {
        write_killed(dir, &script(45));
        // Only the BARRIER in the next segment is left to prove it.
        unseal(dir, 1);
    };
    check(footer, Case::ProvenDamage, 1);
    let header = |dir: &Path| {
        write_killed(dir, &script(45));
        edit(dir, 1, |bytes| bytes[200] ^= 1);
    };
    check(header, Case::ProvenDamage, 1);
    let hole = |dir: &Path| {
        write_sealed(dir, &script(45));
        edit(dir, 2, |bytes| bytes[4096..4128].fill(0));
    };
    check(hole, Case::ProvenDamage, 2);
}

#[test]
fn h_short_file_is_corrupt() {
    let active = |dir: &Path| {
        write_killed(dir, &script(45));
        edit(dir, 2, |bytes| bytes.truncate(6000));
    };
    check(active, Case::ShortFile, 2);
    let at_a_record = |dir: &Path| {
        write_killed(dir, &script(45));
        edit(dir, 2, |bytes| bytes.truncate(frames(bytes)[2].0));
    };
    check(at_a_record, Case::ShortFile, 2);
    let sealed = |dir: &Path| {
        write_sealed(dir, &script(45));
        edit(dir, 2, |bytes| bytes.truncate(bytes.len() - 1));
    };
    check(sealed, Case::ShortFile, 2);
    let empty = |dir: &Path| {
        write_killed(dir, &script(45));
        edit(dir, 2, Vec::clear);
    };
    check(empty, Case::ShortFile, 2);
}

#[test]
fn i_missing_segment_is_corrupt() {
    let remove = |dir: &Path, index| std::fs::remove_file(segment(dir, index)).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    for index in 0..3 {
        let dir = scratch.path().join(format!("{index}"));
        write_killed(&dir, &script(45));
        remove(&dir, index);
        let report = verify(&dir).unwrap();
        assert_eq!(report.case, Case::MissingSegment, "{}", report.detail);
        assert_eq!(report.verdict, Verdict::Corrupt { at: index * 8192 });
        assert!(!recover(&dir).unwrap().repaired);
    }
}

#[test]
fn j_segments_of_elsewhere_are_corrupt() {
    let swapped = |dir: &Path| {
        write_sealed(dir, &script(45));
        let spare = dir.join("x");
        std::fs::rename(segment(dir, 1), &spare).unwrap();
        std::fs::rename(segment(dir, 2), segment(dir, 1)).unwrap();
        std::fs::rename(spare, segment(dir, 2)).unwrap();
    };
    check(swapped, Case::ForeignSegment, 1);
    let duplicated = |dir: &Path| {
        write_killed(dir, &script(45));
        std::fs::copy(segment(dir, 1), segment(dir, 2)).unwrap();
    };
    check(duplicated, Case::ForeignSegment, 2);
    let misnamed_first = |dir: &Path| {
        write_killed(dir, &script(45));
        std::fs::copy(segment(dir, 1), segment(dir, 0)).unwrap();
    };
    check(misnamed_first, Case::ForeignSegment, 0);
    let stale = |dir: &Path| {
        write_killed(dir, &script(45));
        put_segment_of_another_run(dir, 2, 0xBAD, 13);
    };
    check(stale, Case::ForeignSegment, 2);
    let stale_behind_the_end = |dir: &Path| {
        write_killed(dir, &script(45));
        put_segment_of_another_run(dir, 3, 0xBAD, 13);
    };
    check(stale_behind_the_end, Case::ForeignSegment, 3);
    // The same run by name, but with more bytes before.
    let other_past = |dir: &Path| {
        write_killed(dir, &script(45));
        put_segment_of_another_run(dir, 2, options(SinkKind::Pwrite).identity.run_id, 700);
    };
    check(other_past, Case::ForeignSegment, 2);
    // A header that fits by all numbers but names another end of the segment before.
    let other_end = |dir: &Path| {
        write_killed(dir, &script(45));
        edit(dir, 2, |bytes| {
            bytes[48] ^= 32;
            let checksum = crc32c::crc32c(&bytes[..4092]).to_le_bytes();
            bytes[4092..4096].copy_from_slice(&checksum);
        });
    };
    check(other_end, Case::ForeignSegment, 2);
}

/// Replaces a segment by that of a run with another id, or with another first record.
fn put_segment_of_another_run(dir: &Path, index: u64, run_id: u128, first_bytes: usize) {
    let scratch = tempfile::tempdir().unwrap();
    let identity = Identity { run_id, ..options(SinkKind::Pwrite).identity };
    let mut given = script(90);
    given[0].1 = vec![5; first_bytes];
    drop(write(scratch.path(), &Options { identity, ..options(SinkKind::Pwrite) }, &given));
    std::fs::copy(segment(scratch.path(), index), segment(dir, index)).unwrap();
}

#[test]
fn k_altered_record_with_a_fitting_checksum_is_corrupt() {
    let record = |dir: &Path| {
        write_sealed(dir, &script(45));
        edit(dir, 1, |bytes| {
            let (offset, _) = frames(bytes)[4];
            forge(bytes, offset, 1, |frame| frame[33] ^= 1);
        });
    };
    check(record, Case::WrongSeal, 1);
    let footer = |dir: &Path| {
        write_sealed(dir, &script(45));
        edit(dir, 1, |bytes| {
            let (offset, _) = *frames(bytes).last().unwrap();
            forge(bytes, offset, 1, |frame| frame[32 + 8] ^= 1);
        });
    };
    check(footer, Case::WrongSeal, 1);
    let chain = |dir: &Path| {
        write_sealed(dir, &script(45));
        edit(dir, 1, |bytes| {
            let (offset, _) = *frames(bytes).last().unwrap();
            forge(bytes, offset, 1, |frame| frame[32 + 45] ^= 1);
        });
    };
    check(chain, Case::WrongSeal, 1);
    // A segment that would fit by all numbers, behind one that was altered and sealed anew: the
    // BARRIER remembers the hash.
    let past = |dir: &Path| {
        write_killed(dir, &script(45));
        let mut given = script(45);
        given[0].1[0] ^= 1;
        let scratch = tempfile::tempdir().unwrap();
        write_killed(scratch.path(), &given);
        for index in 0..2 {
            std::fs::copy(segment(scratch.path(), index), segment(dir, index)).unwrap();
        }
    };
    check(past, Case::WrongSeal, 2);
}

/// Changes a frame and gives it a fitting checksum, as somebody who alters a journal would.
fn forge(bytes: &mut [u8], offset: usize, index: u64, change: impl FnOnce(&mut [u8])) {
    let len = u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap()) as usize;
    let frame = &mut bytes[offset..offset + len];
    change(frame);
    let (header, rec_no) = RecordHeader::decode(frame[8..32].try_into().unwrap());
    let payload = frame[32..].to_vec();
    let mut forged = Vec::new();
    let at = index * 8192 + offset as u64;
    crate::frame::build(header, u64::from(rec_no), &payload, 0xC0FFEE, at).assemble(&mut forged);
    frame.copy_from_slice(&forged[..len]);
}

#[test]
fn l_bytes_behind_a_seal_are_corrupt() {
    let in_the_file = |dir: &Path| {
        write_sealed(dir, &script(45));
        edit(dir, 2, |bytes| bytes.extend([0, 0, 1]));
    };
    check(in_the_file, Case::BytesBehindSeal, 2);
    let in_the_middle = |dir: &Path| {
        write_sealed(dir, &script(45));
        edit(dir, 0, |bytes| bytes.push(7));
    };
    check(in_the_middle, Case::BytesBehindSeal, 0);
    let another_file = |dir: &Path| {
        write_sealed(dir, &script(45));
        std::fs::copy(segment(dir, 2), segment(dir, 3)).unwrap();
    };
    check(another_file, Case::BytesBehindSeal, 2);
}

#[test]
fn m_damaged_first_header_is_corrupt() {
    let damaged = |dir: &Path| {
        write_killed(dir, &script(3));
        edit(dir, 0, |bytes| bytes[64] ^= 1);
    };
    check(damaged, Case::FirstHeader, 0);
    let zeroed = |dir: &Path| {
        write_killed(dir, &script(3));
        edit(dir, 0, |bytes| bytes[..4096].fill(0));
    };
    check(zeroed, Case::FirstHeader, 0);
    let emptied = |dir: &Path| {
        write_sealed(dir, &script(45));
        edit(dir, 0, Vec::clear);
    };
    check(emptied, Case::FirstHeader, 0);
    let all_zeros = |dir: &Path| {
        write_killed(dir, &script(45));
        edit(dir, 0, |bytes| bytes.fill(0));
    };
    check(all_zeros, Case::FirstHeader, 0);
}

#[test]
fn n_what_is_no_segment_file_is_corrupt_and_nobody_waits_for_it() {
    let pipe = |dir: &Path| {
        write_killed(dir, &script(45));
        replace(dir, 2, |path| {
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            let kind = rustix::fs::FileType::Fifo;
            rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).unwrap();
        });
    };
    check(pipe, Case::NoSegmentFile, 2);
    let endless = |dir: &Path| {
        write_killed(dir, &script(45));
        replace(dir, 0, |path| std::os::unix::fs::symlink("/dev/zero", path).unwrap());
    };
    check(endless, Case::NoSegmentFile, 0);
    let behind_the_end = |dir: &Path| {
        write_killed(dir, &script(45));
        std::os::unix::fs::symlink("/dev/zero", segment(dir, 3)).unwrap();
    };
    check(behind_the_end, Case::NoSegmentFile, 3);
    let directory = |dir: &Path| {
        write_sealed(dir, &script(45));
        replace(dir, 1, |path| std::fs::create_dir(path).unwrap());
    };
    check(directory, Case::NoSegmentFile, 1);
}

#[test]
fn n_files_longer_than_a_segment_are_corrupt_and_not_read() {
    let lengthen = |dir: &Path, index, bytes| {
        let file = std::fs::OpenOptions::new().write(true).open(segment(dir, index)).unwrap();
        file.set_len(bytes).unwrap();
    };
    let scratch = tempfile::tempdir().unwrap();
    for (index, bytes) in [(0, 1 << 40), (1, 1 << 40), (2, 1 << 40), (0, 8193), (2, 8193)] {
        let dir = scratch.path().join(format!("{index}-{bytes}"));
        write_killed(&dir, &script(45));
        lengthen(&dir, index, bytes);
        let report = verify(&dir).unwrap();
        assert_eq!(report.case, Case::NoSegmentFile, "{}", report.detail);
        assert_eq!(report.segment, Some(segment(&dir, index)));
        assert!(report.detail.contains(&format!("it has {bytes} bytes")), "{}", report.detail);
        assert!(!recover(&dir).unwrap().repaired);
    }
}

fn replace(dir: &Path, index: u64, make: impl FnOnce(&Path)) {
    let path = segment(dir, index);
    std::fs::remove_file(&path).unwrap();
    make(&path);
}

/// A journal killed just after a roll, before the segment left behind was sealed.
fn write_killed_before_seal(dir: &Path, footer: &[u8]) -> u64 {
    let mut writer = write(dir, &options(SinkKind::Pwrite), &[]);
    let mut seq = 0;
    while files(dir).len() < 3 {
        seq += 1;
        writer.append(input(seq), &[6; 50]).unwrap();
    }
    writer.flush().unwrap();
    drop(writer);
    unseal(dir, 1);
    edit(dir, 1, |bytes| {
        let end = frames(bytes).last().map(|&(offset, len)| offset + len.next_multiple_of(32));
        bytes[end.unwrap()..][..footer.len()].copy_from_slice(footer);
    });
    seq
}

#[test]
fn complete_segment_without_seal_is_passed() {
    // Nothing of END_SEGMENT reached the file, or its first bytes did.
    for footer in [&[][..], &[136, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8][..]] {
        let scratch = tempfile::tempdir().unwrap();
        let seq = write_killed_before_seal(scratch.path(), footer);
        let report = verify(scratch.path()).unwrap();
        assert_eq!((report.case, report.last_seq), (Case::Unsealed, seq), "{}", report.detail);
        assert_eq!(read(scratch.path()).0.len() as u64, seq);
        assert!(!recover(scratch.path()).unwrap().repaired);
    }
}

#[test]
fn incomplete_segment_without_seal_gives_up_what_follows() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let seq = write_killed_before_seal(dir, &[]);
    edit(dir, 1, |bytes| {
        let (offset, _) = *frames(bytes).last().unwrap();
        bytes[offset..].fill(0);
    });
    let report = verify(dir).unwrap();
    assert_eq!((report.case, report.orphans), (Case::Hole, 1), "{}", report.detail);
    assert_eq!(report.last_seq, seq - 2);
    assert!(recover(dir).unwrap().repaired);
    assert_eq!(files(dir).len(), 2);
    assert_eq!(verify(dir).unwrap().verdict, Verdict::Clean);
}

#[test]
fn note_of_a_recovery_counts_what_was_given_up() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    write_killed(dir, &script(45));
    edit(dir, 2, |bytes| {
        let (offset, _) = frames(bytes)[1];
        bytes[offset + 33] ^= 1;
    });
    let records = frames(&files(dir)[2]).len() as u64;
    assert_eq!(recover(dir).unwrap().report.orphans, records - 2);
    let mut reader = Reader::open(dir).unwrap();
    let mut note = None;
    while let Some(record) = reader.next().unwrap() {
        if (record.header.lane, record.header.kind) == (LANE_CONTROL, KIND_RECOVERED) {
            note = Some(record.payload.to_vec());
        }
    }
    let note = note.unwrap();
    assert_eq!(note[16..24], (records - 2).to_le_bytes());
    assert_eq!(note[24], b'E');
}

#[test]
fn damage_behind_a_note_is_cut_again_and_damage_before_it_is_corrupt() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    write_killed(dir, &script(45));
    for _ in 0..20 {
        edit(dir, 2, |bytes| *bytes.last_mut().unwrap() = 1);
        assert!(recover(dir).unwrap().repaired);
        assert_eq!(verify(dir).unwrap().verdict, Verdict::Clean);
    }
    edit(dir, 2, |bytes| bytes[4096 + 50] ^= 1);
    assert_eq!(verify(dir).unwrap().case, Case::ProvenDamage);
}

#[test]
fn recovery_needs_no_writer_and_says_so() {
    let scratch = tempfile::tempdir().unwrap();
    let writer = write(scratch.path(), &options(SinkKind::Mmap), &script(3));
    assert!(matches!(recover(scratch.path()), Err(OpenError::Locked { .. })));
    drop(writer);
    assert!(recover(scratch.path()).is_ok());
}

#[test]
fn table_decides_every_combination() {
    for sight in SIGHTS {
        for bits in 0..16_u8 {
            let [proven, dirt, short, open] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
            let case = decide(&Evidence { sight, proven, dirt, short, open });
            let stops_inside =
                matches!(sight, Sight::NoRecord | Sight::BadRecord | Sight::LostHeader);
            let expected = match (sight, stops_inside) {
                (Sight::FinalFooter, _) => 'A',
                (Sight::MissingFile, _) => 'I',
                (Sight::ForeignHeader, _) => 'J',
                (Sight::WrongSeal, _) => 'K',
                (Sight::BytesBehind, _) => 'L',
                (Sight::NoSegmentFile, _) => 'N',
                (_, true) if proven => 'G',
                (_, true) if short => 'H',
                (Sight::LostHeader, _) => 'F',
                (Sight::BadRecord, _) => 'E',
                _ if dirt => 'D',
                _ if open => 'C',
                _ => 'B',
            };
            assert_eq!(case.letter(), expected, "{sight:?} {bits:04b}");
        }
    }
    let letters: String = Case::ALL.iter().map(|case| case.letter()).collect();
    assert_eq!(letters, "ABCDEFGHIJKLMN");
}

const SIGHTS: [Sight; 9] = [
    Sight::FinalFooter,
    Sight::NoRecord,
    Sight::BadRecord,
    Sight::LostHeader,
    Sight::MissingFile,
    Sight::ForeignHeader,
    Sight::WrongSeal,
    Sight::BytesBehind,
    Sight::NoSegmentFile,
];

#[test]
fn journal_of_the_table_has_three_segments() {
    let scratch = tempfile::tempdir().unwrap();
    write_killed(scratch.path(), &script(45));
    let files = files(scratch.path());
    assert_eq!(files.len(), 3);
    assert_eq!(HEADER_BYTES, 4096);
    let last = *frames(&files[0]).last().unwrap();
    let (header, _) = RecordHeader::decode(files[0][last.0 + 8..][..24].try_into().unwrap());
    assert_eq!(header.kind, KIND_END_SEGMENT);
    assert!(frames(&files[2]).len() > 5);
}
