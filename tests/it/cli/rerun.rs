//! A journal as recorded data: `backtest --data DIR`. Under the same rules and options it decides
//! the same bytes as the session that wrote it; under others it is that market once more.

use std::path::Path;

use engine::replay::JournalSource;
use engine::source::{Message, Source};
use serde_json::Value;
use tests::program::{Ran, finish, run, start, until};

use super::data::{
    TAKER, TRADES, capture_with, demo_rules, gzip, line, row, ticker, trades, write,
};
use crate::session::lab::{assert_begins_with, assert_same_decisions};

/// What must be told alike of a session and of its market once more.
const SAME: [&str; 15] = [
    "decisions_hash",
    "decisions",
    "approvals",
    "cuts",
    "orders",
    "cancels",
    "fills",
    "refusals",
    "ignored_signals",
    "equity_start",
    "equity_end",
    "max_drawdown",
    "fees",
    "book_checks",
    "bad_messages",
];

fn engine(folder: &Path, line: &str) -> Ran {
    run(folder, &line.split_whitespace().collect::<Vec<_>>())
}

/// Runs a command that must succeed, and returns its result.
#[track_caller]
fn result(folder: &Path, line: &str) -> Value {
    let ran = engine(folder, line);
    assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
    ran.json()
}

#[track_caller]
fn assert_same(first: &Value, again: &Value) {
    for field in SAME {
        assert_eq!(first[field], again[field], "{field}: {first} {again}");
    }
}

#[test]
fn a_journal_decides_the_same_bytes_as_the_session_that_wrote_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let first = result(folder, "demo --seconds 300 --seed 7 --json --journal J");
    for (topology, dir) in [("fused", "K"), ("split", "L")] {
        let rules = demo_rules();
        let command =
            format!("backtest --data J --json --journal {dir} --topology {topology} {rules}");
        let again = result(folder, &command);
        assert_same(&first, &again);
        assert_eq!((&again["from_ns"], &again["to_ns"]), (&first["from_ns"], &first["to_ns"]));
        let compared = assert_same_decisions(&folder.join("J"), &folder.join(dir));
        assert!(compared > 200, "{compared} records prove little");
        assert_eq!(result(folder, &format!("replay {dir} --json"))["equal"], true);
    }
    // A journal of a journal is one too.
    let command = format!("backtest --data K --json --journal none {}", demo_rules());
    assert_same(&first, &result(folder, &command));
}

#[test]
fn what_was_wrong_with_the_files_is_in_their_journal_and_counted_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let between = format!("noise\n{}", line(5_000_000, &ticker(12, "100.00", "101.00")));
    write(folder, "x.log", capture_with(&between));
    write(folder, "taker.rules", TAKER);
    let run = |data: &str, journal: &str| {
        let rest = "--rules taker.rules --json --journal";
        let ran = engine(folder, &format!("backtest --data {data} {rest} {journal}"));
        // A best price that the book does not have is a finding, from a journal too.
        assert_eq!(ran.code, Some(1), "{ran:?}");
        ran.json()
    };
    let (first, again) = (run("x.log", "J"), run("J", "K"));
    assert_eq!((&first["bad_messages"], &first["book_checks"]["unequal"]), (&1.into(), &1.into()));
    assert!(first["fills"].as_u64() > Some(0), "{first}");
    assert_same(&first, &again);
    let bad = |dir| result(folder, &format!("journal dump {dir} --kind BadInput --json"));
    assert_eq!(bad("J"), bad("K"));
    let sources = |dir: &str| {
        let metadata = result(folder, &format!("journal dump {dir} --kind RunMetadata --json"));
        let setup: Value = serde_json::from_str(metadata["text"].as_str().unwrap()).unwrap();
        setup["sources"].clone()
    };
    assert_eq!(sources("K")[0], sources("J")[0]);
    assert_eq!(sources("K")[1]["name"], "journal J");
    assert_eq!(sources("K")[1]["hash"].as_str().map(str::len), Some(64));
}

#[test]
fn other_rules_and_facts_are_asked_of_the_same_market() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "x.log", capture_with(""));
    write(folder, "taker.rules", TAKER);
    let first = result(folder, "backtest --data x.log --rules taker.rules --json --journal J");
    let stated = "--instrument BTC_USDT,fee_taker=1%";
    let told = |data: &str| {
        let command = format!("backtest --data {data} --rules taker.rules --journal none {stated}");
        let ran = engine(folder, &format!("{command} --json"));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stderr.contains("fee_taker 1%, by --instrument"), "{ran:?}");
        ran.json()
    };
    let (dearer, again) = (told("x.log"), told("J"));
    assert_ne!(first["fees"], dearer["fees"]);
    assert_same(&dearer, &again);
    write(folder, "larger.rules", TAKER.replace("20 USDT", "40 USDT"));
    let of = |data| format!("backtest --data {data} --rules larger.rules --json --journal none");
    let larger = result(folder, &of("x.log"));
    assert_ne!(first["equity_end"], larger["equity_end"]);
    assert_same(&larger, &result(folder, &of("J")));
}

#[test]
fn what_a_kill_left_is_data_up_to_there() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let journal = "demo --seconds 300 --json --segment-mib 8 --topology fused --journal J";
    result(folder, journal);
    let path = folder.join("J/00000000.slj");
    let mut bytes = std::fs::read(&path).unwrap();
    assert!(folder.join("J/00000001.slj").exists(), "the session has more than a segment");
    let size = bytes.len();
    bytes.truncate(size / 2);
    // In the midst of a record, as likely as not; the rest of the file was never written.
    bytes.resize(8 << 20, 0);
    for entry in folder.join("J").read_dir().unwrap() {
        let entry = entry.unwrap().path();
        if entry.extension().is_some_and(|e| e == "slj") && entry != path {
            std::fs::remove_file(entry).unwrap();
        }
    }
    std::fs::write(&path, bytes).unwrap();
    let verdict = engine(folder, "journal verify J --json").json();
    let command = format!("backtest --data J --json --journal K {}", demo_rules());
    let ran = engine(folder, &command);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let told = if verdict["verdict"] == "torn" {
        "warning: journal J is torn at byte"
    } else {
        "warning: journal J: its session was killed"
    };
    assert!(ran.stderr.contains(told), "{verdict} {ran:?}");
    let decided = assert_begins_with(&folder.join("K"), &folder.join("J"));
    assert!(decided > 100, "{decided} records prove little");
}

#[test]
fn a_journal_is_data_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "x.log", capture_with(""));
    write(folder, "taker.rules", TAKER);
    write(folder, "table.toml", "");
    std::fs::create_dir(folder.join("empty")).unwrap();
    result(folder, "backtest --data x.log --rules taker.rules --json --journal J");
    // Facts by which the data was read may be stated as they are.
    let same = "tick=0.01,price_decimals=2,qty_decimals=8,venue_symbol=BTCUSDT,lot=0.00001";
    let stated = format!("--rules taker.rules --json --journal none --instrument BTC_USDT,{same}");
    let of = |data: &str| result(folder, &format!("backtest --data {data} {stated}"));
    assert_same(&of("x.log"), &of("J"));
    let refused = [
        ("J x.log", "--data J is a journal: it is data by itself", "the files that it was made of"),
        ("x.log J", "--data J is a journal: it is data by itself", "the files that it was made of"),
        ("J J", "--data J is a journal: it is data by itself", "give it alone"),
        ("J=BTC_USDT", "it says of which instruments its data is", "leave `=SYMBOL` away"),
        ("J --instruments table.toml", "it describes its instruments", "with --instrument"),
        ("J --instrument BTC_USDT,tick=0.1", "read by tick 0.01; state that", "J is a journal"),
        ("J --instrument BTC_USDT,tick=0.001", "read by price_decimals 2", "J is a journal"),
        ("J --instrument BTC_USDT,price_decimals=8", "read by price_decimals 2", "BTC_USDT"),
        ("J --instrument BTC_USDT,qty_decimals=9", "read by qty_decimals 8", "J is a journal"),
        ("J --instrument BTC_USDT,venue_symbol=X", "read by venue_symbol BTCUSDT", "BTC_USDT"),
        ("J --instrument BTC_USDT,lot=0.000000001", "at most so many decimals: 8", "BTC_USDT"),
        ("J --instrument DOGE_USDT,lot=1", "no instrument DOGE_USDT", "binance:BTC_USDT"),
        ("J --instrument BTC_USDT,fee_taker=50%", "binance:BTC_USDT: fee_taker = `50%`", "10%"),
        ("J --symbol DOGE_USDT", "--symbol DOGE_USDT", "it has binance:BTC_USDT"),
        ("empty", "empty is no file but a folder without a journal", "the folder of one journal"),
    ];
    for (data, says, also) in refused {
        let ran =
            engine(folder, &format!("backtest --rules taker.rules --journal K --data {data}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{data}: {ran:?}");
        assert!(ran.stderr.contains(says) && ran.stderr.contains(also), "{data}: {ran:?}");
        assert!(!folder.join("K").exists(), "{data}: a refused command left a journal");
    }
}

/// What follows from the lot of an instrument that no table knows follows from another one too.
#[test]
fn another_lot_decides_as_it_does_over_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let trade = |nth: i64| row(nth * 100, &format!("100.{:02}", nth % 50 + 10), "0.010");
    write(folder, "x.csv", format!("{TRADES}{}", (1..200).map(trade).collect::<String>()));
    let rules = TAKER.replace("of BTC_USDT", "of FOO_USDT").replace("20 USDT", "70 USDT");
    write(folder, "taker.rules", rules);
    let run = |data: &str, facts: &str, journal: &str| {
        let stated = format!("--instrument FOO_USDT,{facts} --rules taker.rules --json");
        let ran = engine(folder, &format!("backtest --data {data} {stated} --journal {journal}"));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        (ran.json(), ran.stderr)
    };
    run("x.csv=FOO_USDT", "tick=0.01,lot=1,qty_decimals=3", "J");
    for lot in ["0.001", "0.01", "0.3", "2"] {
        let files = format!("tick=0.01,lot={lot},qty_decimals=3");
        let (first, _) = run("x.csv=FOO_USDT", &files, "none");
        let (again, said) = run("J", &format!("lot={lot}"), "none");
        assert_same(&first, &again);
        assert!(said.contains("min_qty was one lot, and is one lot as stated"), "{said}");
    }
    let (fine, _) = run("J", "lot=0.001", "none");
    assert!(fine["fills"].as_u64() > Some(10), "{fine}");
}

/// What ended the session that wrote a journal is told with its data, and data of which nothing is
/// of use is damage from a journal too.
#[test]
fn why_a_journal_holds_less_than_was_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "taker.rules", TAKER);
    let csv = "binance_spot_btcusdt_x.csv";
    let packed = gzip(&trades(3_000));
    write(folder, csv, &packed[..packed.len() - 20]);
    let of = |data: &str, journal: &str| {
        let rest = format!("--rules taker.rules --journal {journal}");
        engine(folder, &format!("backtest --data {data} {rest}"))
    };
    assert_eq!(of(csv, "CUT").code, Some(3));
    let again = of("CUT", "none");
    assert_eq!(again.code, Some(0), "{again:?}");
    let warning = "warning: journal CUT: its session ended early because its data was cut";
    assert!(again.stderr.contains(warning), "{again:?}");

    let bad = trades(5).replace("100.01", "100.015");
    write(folder, csv, bad);
    let first = of(csv, "BAD");
    assert_eq!(first.code, Some(3), "{first:?}");
    let again = of("BAD", "none");
    assert_eq!(again.code, Some(3), "{again:?}");
    assert!(again.stderr.contains("nothing of BAD could be used"), "{again:?}");
}

/// A disk that fails between the look at the whole and the run: what was read stands, and the end
/// is told as a failure, not as the end of the data.
#[test]
fn a_journal_that_is_damaged_while_it_is_read_has_failed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    result(folder, "demo --seconds 600 --segment-mib 1 --json --journal J");
    let later = folder.join("J/00000002.slj");
    let whole = std::fs::read(&later).unwrap();
    for damage in ["flipped", "removed"] {
        let mut source = JournalSource::open(&folder.join("J")).unwrap();
        match damage {
            "flipped" => {
                let mut bytes = whole.clone();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 4;
                std::fs::write(&later, bytes).unwrap();
            }
            _ => std::fs::remove_file(&later).unwrap(),
        }
        let mut message = Message::default();
        while source.take(&mut message) {}
        let progress = source.progress();
        assert!(progress.failed && source.fault.is_some(), "{damage}: {progress:?}");
        assert!(progress.messages > 1_000, "{damage}: {progress:?}");
        std::fs::write(&later, &whole).unwrap();
    }
    let mut source = JournalSource::open(&folder.join("J")).unwrap();
    while source.take(&mut Message::default()) {}
    assert!(!source.progress().failed && source.fault.is_none(), "{:?}", source.fault);
}

#[test]
fn a_journal_is_not_written_into_the_one_that_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    result(folder, "demo --seconds 30 --json --journal J");
    std::os::unix::fs::symlink("J", folder.join("link")).unwrap();
    for journal in ["J/K", "J/journal.lock", "J/K/L", "link/K", "./J/../J/K"] {
        let ran = engine(folder, &format!("backtest --data J --journal {journal}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{journal}: {ran:?}");
        assert!(ran.stderr.contains("the journal that is read; choose another"), "{ran:?}");
    }
    assert!(!folder.join("J/K").exists());
    assert_eq!(result(folder, "journal verify J --json")["verdict"], "clean");
    result(folder, "backtest --data J --json --journal K");
}

#[test]
fn a_journal_that_is_being_written_is_not_data_yet() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let demo = "demo --seconds 86400 --json --journal J --segment-mib 1";
    let mut child = start(folder, &demo.split(' ').collect::<Vec<_>>());
    let segment = folder.join("J/00000002.slj");
    until(&mut child, "a later segment", || segment.metadata().is_ok());
    let ran = engine(folder, "backtest --data J --journal none");
    let process = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    assert_eq!(finish(child).code, Some(0));
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("journal J is being written by a running session"), "{ran:?}");
    // Where the lock cannot be asked, nobody knows.
    let lock = folder.join("J/journal.lock");
    std::fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink("journal.lock", &lock).unwrap();
    for command in ["backtest --data J --journal none", "replay J"] {
        let ran = engine(folder, command);
        assert_eq!(ran.code, Some(2), "{command}: {ran:?}");
        assert!(ran.stderr.contains("cannot open J/journal.lock"), "{command}: {ran:?}");
    }
}
