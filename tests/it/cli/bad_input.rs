//! Bad input, one row a fault: what goes in, how the command ends, what it counts, what the journal
//! keeps of it, and what it says. Nothing here may be passed over in silence, nothing may panic.

use std::path::Path;

use serde_json::Value;
use tests::program::{Ran, run};

use super::data::{
    ELSEWHERE, KLINES, SNAPSHOT, TAKER, TRADES, capture_with, depth, gzip, line, row, ticker,
    trade, trades, write, zstd,
};

/// One fault.
struct Row {
    name: &'static str,
    /// Writes the input into the folder.
    make: fn(&Path),
    /// The command; `--json` and, for a backtest, `--journal J` are added.
    command: &'static str,
    code: i32,
    /// `bad_messages` of a session that ran, and its `messages`.
    counted: Option<(u64, u64)>,
    /// A record in the journal, as kind, field, value.
    record: Option<(&'static str, &'static str, &'static str)>,
    /// What stderr says, each of them: what was attempted, on what, what to do.
    says: &'static [&'static str],
}

const RAW: &str = "backtest --data x.log --rules taker.rules";
const ROWS: &str = "backtest --data binance_spot_btcusdt_x.csv --rules taker.rules";
const BOOK: &str = "backtest --data binance_spot_btcusdt_l2.csv --rules taker.rules";
const BARS: &str = "backtest --data binance_btcusdt_1h_x.csv --rules limits.rules";
const CSV: &str = "binance_spot_btcusdt_x.csv";
const BARS_CSV: &str = "binance_btcusdt_1h_x.csv";
const LEVELS_CSV: &str = "binance_spot_btcusdt_l2.csv";
const LEVELS: &str = "local_ts,event_ms,kind,first_u,last_u,prev_u,side,price,qty\n\
    1723161254000000100,,S,,10,,b,100.00,1\n1723161254000000100,,S,,10,,a,101.00,2\n\
    1723161254000000200,8,D,11,12,,b,100.50,3\n";

/// A session that ran to its end and reported a fault.
const fn reported(
    name: &'static str,
    make: fn(&Path),
    command: &'static str,
    counted: (u64, u64),
    fault: &'static str,
) -> Row {
    let record = Some(("BadInput", "fault", fault));
    Row { name, make, command, code: 0, counted: Some(counted), record, says: &[] }
}

/// Data that ends before it should.
const fn cut(name: &'static str, make: fn(&Path), counted: Option<(u64, u64)>) -> Row {
    let record = match counted {
        Some(_) => Some(("BadInput", "fault", "Truncated")),
        None => None,
    };
    Row { name, make, command: ROWS, code: 3, counted, record, says: &["data ends early"] }
}

/// A command that is refused.
const fn refused(
    name: &'static str,
    make: fn(&Path),
    command: &'static str,
    says: &'static [&'static str],
) -> Row {
    Row { name, make, command, code: 2, counted: None, record: None, says }
}

/// A pipe that nobody writes into.
fn pipe(folder: &Path, name: &str) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, folder.join(name), FileType::Fifo, Mode::RUSR, 0).unwrap();
}

/// A raw capture with one more line in its midst.
fn raw(folder: &Path, between: &str) {
    write(folder, "x.log", capture_with(between));
}

/// A raw capture with one more message in its midst.
fn message(folder: &Path, json: &str) {
    raw(folder, &line(5_000_000, json));
}

/// A trades file that ends with a row of its own.
fn last_row(folder: &Path, price: &str, qty: &str) {
    write(folder, CSV, format!("{}{}", trades(3), row(4, price, qty)));
}

/// An L2 file that ends with a text of its own, and rules for which a book is enough.
fn levels(folder: &Path, last: &str) {
    write(folder, LEVELS_CSV, format!("{LEVELS}{last}"));
    write(folder, "taker.rules", TAKER.split("strategy").next().unwrap());
}

/// A klines file whose last row has this open, high, low, close and volume.
fn last_bar(folder: &Path, values: &str) {
    let good = "1640995200000,100.00,110.00,90.00,105.00,1.5,7,150.5,0\n";
    write(folder, BARS_CSV, format!("{KLINES}{good}1640998800000,{values},1,1,0\n"));
}

/// Rows inside messages: the session goes on.
const FAULTS: &[Row] = &[
    reported(
        "text that is no JSON",
        |f| message(f, r#"{"stream":"btcusdt@trade","data":"#),
        RAW,
        (1, 7),
        "Malformed",
    ),
    reported("a line that is no message", |f| raw(f, "noise\n"), RAW, (1, 7), "Malformed"),
    reported(
        "bytes that are no text",
        |f| {
            let mut bytes = capture_with("").into_bytes();
            bytes.extend_from_slice(b"1723161256700000000 {\"stream\":\"\xFF\xFE\x00\n");
            write(f, "x.log", bytes);
        },
        RAW,
        (1, 7),
        "Malformed",
    ),
    reported(
        "too many decimals",
        |f| message(f, &trade("BTCUSDT", 2, "101.005", "1")),
        RAW,
        (1, 7),
        "OffGrid",
    ),
    reported(
        "a price between two ticks",
        |f| write(f, CSV, trades(3).replace("100.01", "100.10") + &row(4, "100.05", "1")),
        "backtest --data binance_spot_btcusdt_x.csv --rules taker.rules \
         --instrument BTC_USDT,tick=0.1,price_decimals=2",
        (1, 4),
        "OffGrid",
    ),
    reported(
        "a trade's time at the end of its range",
        |f| write(f, CSV, trades(3) + "9223372036854775807,1,2,4,100.01,1,1\n"),
        ROWS,
        (1, 4),
        "TooLarge",
    ),
    reported(
        "a trade's time two seconds before the end of its range, first",
        |f| write(f, CSV, trades(3).replacen("172316125400", "922337203485", 1)),
        ROWS,
        (1, 3),
        "TooLarge",
    ),
    reported(
        "a book's time at the end of its range",
        |f| levels(f, "9223372036854775807,8,D,13,14,,b,99.00,1\n"),
        BOOK,
        (1, 4),
        "TooLarge",
    ),
    reported(
        "a message's time at the end of its range",
        |f| raw(f, &format!("9223372036854775807 {}\n", trade("BTCUSDT", 2, "101.00", "1"))),
        RAW,
        (1, 7),
        "TooLarge",
    ),
    Row {
        says: &["binance_spot_btcusdt_x.csv: the last line has no line feed", "counts as bad"],
        ..reported(
            "a trades file that is cut inside its last number",
            |f| write(f, CSV, trades(3) + row(4, "100.01", "1").trim_end()),
            ROWS,
            (1, 4),
            "Malformed",
        )
    },
    Row {
        says: &["binance_spot_btcusdt_l2.csv: the last line has no line feed"],
        ..reported(
            "a book that is cut inside its last number",
            |f| levels(f, "1723161254000000300,8,D,13,14,,b,99.00,1"),
            BOOK,
            (1, 4),
            "Malformed",
        )
    },
    reported(
        "a negative quantity",
        |f| message(f, &trade("BTCUSDT", 2, "101.00", "-1")),
        RAW,
        (1, 7),
        "NotPositive",
    ),
    reported("a price of zero", |f| last_row(f, "0", "1"), ROWS, (1, 4), "NotPositive"),
    reported(
        "a number beyond its field",
        |f| last_row(f, "99999999999999999999", "1"),
        ROWS,
        (1, 4),
        "TooLarge",
    ),
    reported("a gap in the sequence", |f| message(f, &depth(20, 21)), RAW, (1, 7), "Gap"),
    Row {
        record: Some(("FeedState", "status", "Gap")),
        ..reported(
            "a gap in the sequence makes the book invalid",
            |f| message(f, &depth(20, 21)),
            RAW,
            (1, 7),
            "Gap",
        )
    },
    reported(
        "a trade that is sent twice",
        |f| message(f, &trade("BTCUSDT", 1, "101.00", "1")),
        RAW,
        (1, 7),
        "OutOfOrder",
    ),
    reported(
        "a change of the book that is sent twice",
        |f| message(f, &depth(11, 12)),
        RAW,
        (1, 7),
        "OutOfOrder",
    ),
    reported(
        "a clock that steps back",
        |f| raw(f, &line(1_500_000, &trade("BTCUSDT", 2, "101.00", "1"))),
        RAW,
        (1, 7),
        "ClockBack",
    ),
    reported(
        "a symbol that the session does not know",
        |f| message(f, &trade("XYZUSDT", 2, "101.00", "1")),
        RAW,
        (1, 7),
        "UnknownSymbol",
    ),
    Row {
        record: Some(("FeedState", "status", "Synced")),
        ..reported(
            "an instrument that nobody knows beside the book",
            |f| message(f, &trade("XYZUSDT", 2, "101.00", "1")),
            RAW,
            (1, 7),
            "UnknownSymbol",
        )
    },
    reported(
        "a stream that no adapter knows",
        |f| message(f, r#"{"stream":"btcusdt@kline_1m","data":{"e":"kline"}}"#),
        RAW,
        (1, 7),
        "UnknownKind",
    ),
    reported(
        "a bid above the ask",
        |f| message(f, &ticker(13, "102.00", "101.00")),
        RAW,
        (1, 7),
        "Crossed",
    ),
    reported(
        "a bar's price that is no number",
        |f| last_bar(f, "abc,110,90,105,1"),
        BARS,
        (1, 2),
        "Malformed",
    ),
    reported(
        "a bar's price that is not known",
        |f| last_bar(f, "None,110,90,105,1"),
        BARS,
        (1, 2),
        "Malformed",
    ),
    reported(
        "a bar whose low is above its close",
        |f| last_bar(f, "100,110,90,80,1"),
        BARS,
        (1, 2),
        "BadBar",
    ),
    reported(
        "a row with a column too few",
        |f| write(f, CSV, format!("{}1723161254004000000,1,2,4,100.01,1\n", trades(3))),
        ROWS,
        (1, 4),
        "Malformed",
    ),
    reported(
        "a line of three megabytes",
        |f| raw(f, &line(5_000_000, &"x".repeat(3 << 20))),
        RAW,
        (1, 7),
        "TooLarge",
    ),
];

/// Rows of compressed files that are damaged.
const DAMAGED: &[Row] = &[
    cut(
        "a zstd stream that is cut",
        |f| {
            let bytes = [zstd(&trades(3)), zstd(&row(4, "100.01", "1"))].concat();
            write(f, CSV, &bytes[..bytes.len() - 6]);
        },
        Some((1, 3)),
    ),
    cut(
        "a zstd stream of damaged bytes",
        |f| {
            let mut bytes = zstd(&trades(3));
            bytes.extend_from_slice(b"these bytes are no frame");
            write(f, CSV, bytes);
        },
        Some((1, 3)),
    ),
    cut(
        "a gzip stream whose checksum is wrong",
        |f| {
            let mut bytes = gzip(&trades(3));
            let at = bytes.len() - 8;
            bytes[at] ^= 1;
            write(f, CSV, bytes);
        },
        Some((1, 3)),
    ),
    Row {
        command: "backtest --data x.log --rules taker.rules",
        says: &["x.log: the data ends early", "fetch it again", "none of its symbols"],
        ..cut(
            "a zstd stream that is cut, with rules for what may have stood in the rest",
            |f| {
                let bytes = [zstd(&capture_with("")), zstd(&capture_with(""))].concat();
                write(f, "x.log", &bytes[..bytes.len() - 6]);
                write(f, "taker.rules", ELSEWHERE);
            },
            None,
        )
    },
    Row {
        record: Some(("BadInput", "fault", "OffGrid")),
        says: &["nothing of binance_spot_btcusdt_x.csv could be used", "every message is bad"],
        ..cut(
            "a file of which every row is bad",
            |f| write(f, CSV, trades(60).replace("100.01", "100.001")),
            Some((60, 60)),
        )
    },
    cut(
        "a zstd stream that is cut before its first line ends",
        |f| {
            write(f, CSV, &zstd(&trades(3))[..24]);
        },
        None,
    ),
];

/// Rows of commands that are refused before anything runs.
const REFUSED: &[Row] = &[
    refused("a file that is not there", |_| {}, RAW, &["no file x.log", "check the path"]),
    refused(
        "a folder",
        |f| std::fs::create_dir(f.join("x.log")).unwrap(),
        RAW,
        &["x.log is no file", "--data takes"],
    ),
    refused("a pipe", |f| pipe(f, "x.log"), RAW, &["x.log is no file but a pipe", "--data takes"]),
    refused(
        "a file that the kernel makes up",
        |_| {},
        "backtest --data /proc/self/status",
        &["/proc/self/status is no file but a view of the kernel"],
    ),
    refused(
        "rules from a pipe",
        |f| pipe(f, "pipe.rules"),
        "rules check pipe.rules",
        &["read rules file pipe.rules", "a pipe, not a regular file", "check the path"],
    ),
    refused(
        "rules from a device without an end",
        |f| raw(f, ""),
        "backtest --data x.log --rules /dev/zero",
        &["read rules file /dev/zero", "a device, not a regular file"],
    ),
    refused(
        "instruments from a pipe",
        |f| {
            raw(f, "");
            pipe(f, "table.toml");
        },
        "backtest --data x.log --rules taker.rules --instruments table.toml",
        &["instrument table table.toml", "a pipe, not a regular file"],
    ),
    refused(
        "instruments from a device without an end",
        |f| raw(f, ""),
        "backtest --data x.log --rules taker.rules --instruments /dev/zero",
        &["instrument table /dev/zero", "a device, not a regular file"],
    ),
    refused(
        "a table of instruments without a measure",
        |f| {
            raw(f, "");
            write(f, "table.toml", "#".repeat(5 << 20));
        },
        "backtest --data x.log --rules taker.rules --instruments table.toml",
        &["instrument table table.toml", "larger than 4194304 bytes"],
    ),
    refused(
        "a fact out of its range",
        |f| raw(f, ""),
        "backtest --data x.log --rules taker.rules --instrument BTC_USDT,fee_taker=1000%",
        &["binance:BTC_USDT: fee_taker = `1000%` is not between -1% and 10%"],
    ),
    refused(
        "a capital beyond what money can count",
        |f| raw(f, ""),
        "backtest --data x.log --rules taker.rules --capital 1000000000000",
        &["--capital 1000000000000: write an amount from 0 to 9223372036"],
    ),
    refused("an empty file", |f| write(f, "x.log", ""), RAW, &["x.log holds no line of data"]),
    refused(
        "a format that nobody knows",
        |f| write(f, "x.log", "hello\nworld\n"),
        RAW,
        &["x.log is of no known format", "`hello`", "expected one of"],
    ),
    refused(
        "rules with errors",
        |f| {
            raw(f, "");
            write(
                f,
                "taker.rules",
                TAKER.replace("1 ticks", "1 USDT").replace("position.age > 1s", "position.age > 1"),
            );
        },
        RAW,
        &["taker.rules:11:10", "cannot compare price with money", "taker.rules:15:"],
    ),
    refused(
        "rules that are not there",
        |f| {
            raw(f, "");
            std::fs::remove_file(f.join("taker.rules")).unwrap();
        },
        RAW,
        &["read rules file taker.rules", "check the path"],
    ),
    refused(
        "rules that are no text",
        |f| {
            raw(f, "");
            write(f, "taker.rules", b"rules 1\n// \xC3\xA4 \xE4\n");
        },
        RAW,
        &["rules file taker.rules:2:6: no UTF-8 text from here on", "save the file as UTF-8"],
    ),
    refused(
        "rules without a risk block",
        |f| {
            raw(f, "");
            write(f, "taker.rules", TAKER.replace("applies to all", "applies to strategy other"));
        },
        RAW,
        &["no risk block applies to all orders", "rules/limits.rules"],
    ),
    refused(
        "a --symbol that the data has not",
        |f| raw(f, ""),
        "backtest --data x.log --rules taker.rules --symbol FOO_USDT",
        &["--symbol FOO_USDT", "it has binance:BTC_USDT"],
    ),
    refused(
        "a --symbol that is no name",
        |f| raw(f, ""),
        "backtest --data x.log --rules taker.rules --symbol btc/usdt",
        &["`btc/usdt` is not an instrument name", "BASE_QUOTE"],
    ),
    refused(
        "a --symbol that fits two",
        |f| {
            write(f, CSV, trades(3));
            write(f, "binance_usdm_btcusdt_x.csv", trades(3).replace("100.01", "100.1"));
        },
        "backtest --data binance_spot_btcusdt_x.csv binance_usdm_btcusdt_x.csv \
         --rules taker.rules --symbol BTC_USDT",
        &[
            "--symbol BTC_USDT is ambiguous",
            "binance:BTC_USDT or binance:BTC_USDT.PERP",
            "write the full name",
        ],
    ),
    refused(
        "data of an instrument that cannot be told",
        |f| write(f, "x.log", trades(3)),
        RAW,
        &["x.log: cannot tell the instrument", "x.log=BTC_USDT"],
    ),
    refused(
        "a strategy none of whose symbols exist",
        |f| {
            raw(f, "");
            write(f, "taker.rules", ELSEWHERE);
        },
        RAW,
        &["strategy elsewhere: none of its symbols", "binance:BTC_USDT", "--rules"],
    ),
    refused(
        "a journal folder that is not empty",
        |f| {
            raw(f, "");
            std::fs::create_dir(f.join("J")).unwrap();
            write(f, "J/note.txt", "mine");
        },
        RAW,
        &["--journal J", "is not empty", "never overwritten"],
    ),
    refused(
        "a folder that holds no journal",
        |f| std::fs::create_dir(f.join("J")).unwrap(),
        "replay J",
        &["cannot find a journal in J", "check the path"],
    ),
    refused(
        "a journal that is not there",
        |_| {},
        "journal verify J",
        &["J", "check that the path"],
    ),
    refused(
        "a kind that no record has",
        journal,
        "journal dump J --kind Trad",
        &["--kind Trad", "kinds are Trade"],
    ),
    refused(
        "an option that nobody knows",
        |_| {},
        "backtest --datum x.log",
        &["unexpected argument '--datum'", "--help"],
    ),
    refused("an option without its value", |_| {}, "backtest", &["--data", "--help"]),
];

/// Rows of a journal that is damaged in its middle.
const CORRUPT: &[Row] = &[
    Row { says: &["is corrupt at byte"], ..corrupt("journal verify J") },
    Row { says: &["corrupt"], ..corrupt("replay J") },
    Row { says: &["corrupt"], ..corrupt("journal dump J") },
];

const fn corrupt(command: &'static str) -> Row {
    let make = |folder: &Path| {
        journal(folder);
        let file = folder.join("J/00000000.slj");
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x40;
        std::fs::write(&file, bytes).unwrap();
    };
    Row {
        name: "a bit of a sealed journal",
        make,
        command,
        code: 3,
        counted: None,
        record: None,
        says: &[],
    }
}

/// Writes the journal of a good session to `J`.
fn journal(folder: &Path) {
    raw(folder, "");
    let ran = run(folder, &[&RAW.split(' ').collect::<Vec<_>>()[..], &["--journal", "J"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

fn check(row: &Row) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "taker.rules", TAKER);
    write(folder, "limits.rules", include_str!("../../../rules/limits.rules"));
    (row.make)(folder);
    let mut arguments: Vec<&str> = row.command.split(' ').collect();
    arguments.push("--json");
    if arguments[0] == "backtest" {
        arguments.extend(["--journal", "J"]);
    }
    let ran = run(folder, &arguments);
    let name = row.name;
    assert_eq!(ran.code, Some(row.code), "{name}: {ran:?}");
    for text in row.says {
        assert!(ran.stderr.contains(text), "{name}: `{text}` is not in {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("panicked"), "{name}: {}", ran.stderr);
    if arguments[1] != "dump" {
        tells(name, row, &ran);
    }
    if row.counted.is_some() {
        keeps(name, row, folder);
    }
}

/// The result on stdout: of a session its counts, else the error and its exit code.
fn tells(name: &str, row: &Row, ran: &Ran) {
    let json = ran.json();
    if let Some((bad, messages)) = row.counted {
        assert_eq!(json["bad_messages"], bad, "{name}: {json}");
        assert_eq!(json["messages"], messages, "{name}: {json}");
    } else if json.get("verdict").is_some() {
        assert_eq!(json["verdict"], "corrupt", "{name}: {json}");
    } else {
        let is_told = json["error"].is_string() || json["errors"].is_array();
        assert!(is_told, "{name}: {json}");
        assert_eq!(json["exit_code"], row.code, "{name}: {json}");
    }
}

/// The journal holds the record, is whole, and replays to the same.
fn keeps(name: &str, row: &Row, folder: &Path) {
    let dump = run(folder, &["journal", "dump", "J", "--json"]);
    let records = dump.json_lines();
    if let Some((kind, field, value)) = row.record {
        let is_it = |record: &&Value| record["kind"] == kind && record[field] == value;
        let found = records.iter().filter(is_it).count();
        assert!(found > 0, "{name}: no {kind} with {field} {value} in {}", dump.stdout);
    }
    let bad = records.iter().filter(|record| record["kind"] == "BadInput").count() as u64;
    assert_eq!(Some(bad), row.counted.map(|(bad, _)| bad), "{name}: {}", dump.stdout);
    let verified = run(folder, &["journal", "verify", "J", "--json"]);
    assert_eq!(verified.json()["verdict"], "clean", "{name}: {verified:?}");
    let replayed = run(folder, &["replay", "J", "--json"]);
    assert_eq!(replayed.json()["equal"], true, "{name}: {replayed:?}");
}

#[test]
fn the_good_capture_of_these_tables_is_good() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "taker.rules", TAKER);
    raw(folder.path(), "");
    let ran = run(
        folder.path(),
        &"backtest --data x.log --rules taker.rules --json".split(' ').collect::<Vec<_>>(),
    );
    let json = ran.json();
    assert_eq!(
        (ran.code, &json["bad_messages"], &json["messages"]),
        (Some(0), &0.into(), &6.into())
    );
    assert!(json["decisions"].as_u64() > Some(0), "{json}");
    assert!(capture_with("").contains(SNAPSHOT) && trades(1).starts_with(TRADES));
}

#[test]
fn a_fault_inside_a_message_is_counted_and_journaled_and_the_session_goes_on() {
    FAULTS.iter().for_each(check);
}

#[test]
fn a_damaged_stream_keeps_what_was_readable_and_ends_with_exit_code_3() {
    DAMAGED.iter().for_each(check);
}

#[test]
fn a_command_that_cannot_run_says_on_what_and_what_to_do() {
    REFUSED.iter().for_each(check);
}

#[test]
fn a_corrupt_journal_is_exit_code_3_whatever_is_done_with_it() {
    CORRUPT.iter().for_each(check);
}
