//! Journals to test with, and what a reader makes of them.

use std::path::{Path, PathBuf};

use crate::layout::segment_name;
use crate::{
    Identity, LANE_CONTROL, LANE_INPUT, LANE_RISK, Options, ReadError, Reader, RecordHeader,
    SinkKind, Verdict, Writer,
};

pub(crate) const SEGMENT_BYTES: u64 = 8192;

/// A record as a caller appends it.
pub(crate) type Given = (RecordHeader, Vec<u8>);

pub(crate) fn options(sink: SinkKind) -> Options {
    let identity = Identity { run_id: 0xA11CE, nonce: 0xC0FFEE, wall_ns: 9, ..Identity::ZERO };
    Options { segment_bytes: SEGMENT_BYTES, sink, sync: true, identity }
}

pub(crate) fn input(seq: u64) -> RecordHeader {
    let ts_ns = i64::try_from(seq).unwrap() * 10;
    RecordHeader { seq, ts_ns, kind: 1, lane: LANE_INPUT, flags: 0 }
}

/// A risk verdict caused by input `seq`.
pub(crate) fn verdict_on(seq: u64) -> RecordHeader {
    RecordHeader { kind: 2, lane: LANE_RISK, ..input(seq) }
}

/// `count` inputs, each with a decision, of payloads from 0 to 96 bytes.
pub(crate) fn script(count: u64) -> Vec<Given> {
    let payload = |seed: u64, bytes: u64| {
        (0..bytes).map(|i| u8::try_from((seed * 31 + i * 7 + 1) % 256).unwrap()).collect()
    };
    (1..=count)
        .flat_map(|seq| {
            let bytes = seq * 13 % 97;
            [(input(seq), payload(seq, bytes)), (verdict_on(seq), payload(seq + 99, 8))]
        })
        .collect()
}

/// Writes a journal with the work of the keeper done inline.
pub(crate) fn write(dir: &Path, options: &Options, given: &[Given]) -> Writer {
    let (mut writer, _) = Writer::create(dir, options).unwrap();
    for (header, payload) in given {
        writer.append_blob(*header, payload).unwrap();
    }
    writer.flush().unwrap();
    writer
}

pub(crate) fn write_sealed(dir: &Path, given: &[Given]) {
    write(dir, &options(SinkKind::Pwrite), given).seal().unwrap();
}

/// Writes a journal and drops the writer, as a killed process would.
pub(crate) fn write_killed(dir: &Path, given: &[Given]) {
    drop(write(dir, &options(SinkKind::Pwrite), given));
}

/// What a reader returns up to the end, without the journal's own records, and how it ended.
pub(crate) fn read(dir: &Path) -> (Vec<Given>, Result<Verdict, ReadError>) {
    let mut found = Vec::new();
    let mut reader = match Reader::open(dir) {
        Ok(reader) => reader,
        Err(error) => return (found, Err(error)),
    };
    loop {
        match reader.next() {
            Ok(Some(record)) => {
                if record.header.lane != LANE_CONTROL {
                    found.push((record.header, record.payload.to_vec()));
                }
            }
            Ok(None) => return (found, Ok(reader.verdict().unwrap())),
            Err(error) => return (found, Err(error)),
        }
    }
}

/// The bytes of all segment files, in order; of what is no file, none.
pub(crate) fn files(dir: &Path) -> Vec<Vec<u8>> {
    let paths = (0..).map(|index| segment(dir, index));
    let found = paths.map_while(|path| Some((path.metadata().ok()?.is_file(), path)));
    found
        .map(|(is_file, path)| if is_file { std::fs::read(path).unwrap() } else { vec![] })
        .collect()
}

pub(crate) fn segment(dir: &Path, index: u64) -> PathBuf {
    dir.join(segment_name(index))
}

/// Changes one segment file as a whole.
pub(crate) fn edit(dir: &Path, index: u64, change: impl FnOnce(&mut Vec<u8>)) {
    let path = segment(dir, index);
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
}

/// Offsets and lengths of the frames in a segment file.
pub(crate) fn frames(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut offset = 4096;
    let mut found = Vec::new();
    while let Some(len) = bytes.get(offset..offset + 4) {
        let len = u32::from_le_bytes(len.try_into().unwrap()) as usize;
        if len == 0 {
            break;
        }
        found.push((offset, len));
        offset += len.next_multiple_of(32);
    }
    found
}
