//! The merged capture of four feeds: every way to run it decides the same bytes.

use std::path::{Path, PathBuf};

use journal::SinkKind;

use super::lab::{
    Backtest, MERGED, again, assert_replays, assert_same_decisions, fused, journaled, split,
};

/// Lines of the short capture: `split` takes some 60 us a message on few processors.
const SHORT_LINES: usize = 20_000;

#[test]
fn the_merged_capture_decides_the_same_bytes_in_any_process_and_through_any_sink() {
    let Some(data) = tests::recorded(MERGED) else { return };
    let scratch = tempfile::tempdir().unwrap();
    let run = |name: &str, sink: &str| {
        Backtest::run(scratch.path(), name, &data, &["--topology", "fused", "--sink", sink])
    };
    let mapped = run("mapped", "mmap");
    let written = run("written", "pwrite");
    mapped.evidence().assert_proves("merged capture");
    // Caps, denies of the shipped limits from first to last, and the engine's own checks.
    let codes = ["MAX_EXPOSURE", "MAX_SYMBOL_EXPOSURE", "PRICE_COLLAR", "FAR_AWAY", "BELOW_MIN"];
    for code in codes.into_iter().chain(["SELF_TRADE", "BELOW_MIN_QTY"]) {
        assert!(mapped.json["refusals"][code].as_u64() > Some(0), "{code}: {}", mapped.json);
    }
    assert_eq!(mapped.count("bad_messages"), 0);
    assert_eq!(mapped.hash(), written.hash());
    let compared = assert_same_decisions(&mapped.dir, &written.dir);
    assert!(compared > mapped.count("decisions"), "{compared}");

    // The same market once more, by the library in this process.
    let in_process = scratch.path().join("in process");
    let (session, mut source) = again(&mapped.dir);
    let ran = journaled(&session, &mut source, &in_process, SinkKind::Mmap, &fused());
    assert_eq!(ran.summary.decisions_hash, mapped.hash());
    assert_eq!(super::lab::verdicts(&ran.finished), mapped.count("decisions"));
    assert_eq!(assert_same_decisions(&mapped.dir, &in_process), compared);

    // And by the program, whose data is then the journal: records of an hour, not files of it.
    let rerun = Backtest::run(scratch.path(), "rerun", &mapped.dir, &[]);
    assert_eq!((rerun.hash(), rerun.evidence()), (mapped.hash(), mapped.evidence()));
    assert_eq!(rerun.json["book_checks"], mapped.json["book_checks"]);
    assert_eq!(assert_same_decisions(&mapped.dir, &rerun.dir), compared);

    let summary = assert_replays(&written.dir, &fused(), mapped.hash());
    assert_eq!(summary.fills, mapped.count("fills"));
    assert_eq!(summary.book_checks, (3_308, 0));
}

#[test]
fn split_and_fused_decide_the_same_bytes_on_a_recorded_capture() {
    let Some(data) = tests::recorded(MERGED) else { return };
    let scratch = tempfile::tempdir().unwrap();
    let short = head(&data, SHORT_LINES, scratch.path());
    let run = |name: &str, topology: &str| {
        let more = ["--topology", topology, "--wait", "spin-park"];
        Backtest::run(scratch.path(), name, &short, &more)
    };
    let (one, each) = (run("one", "fused"), run("each", "split"));
    one.evidence().assert_not_empty("head of the merged capture");
    assert_eq!(one.hash(), each.hash());
    assert_eq!(one.evidence(), each.evidence());
    let compared = assert_same_decisions(&one.dir, &each.dir);
    assert!(compared > one.count("decisions"), "{compared}");
    for backtest in [&one, &each] {
        for placement in [fused(), split()] {
            assert_replays(&backtest.dir, &placement, one.hash());
        }
    }
}

/// Writes the first lines of a capture into a file of the same kind.
fn head(data: &Path, lines: usize, folder: &Path) -> PathBuf {
    let file = std::fs::File::open(data).unwrap();
    let mut text = String::new();
    let mut reader = std::io::BufReader::new(zstd::Decoder::new(file).unwrap());
    for _ in 0..lines {
        std::io::BufRead::read_line(&mut reader, &mut text).unwrap();
    }
    let path = folder.join("merged_binance_head.tsv");
    std::fs::write(&path, text).unwrap();
    path
}
