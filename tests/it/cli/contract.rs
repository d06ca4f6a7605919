//! What scripts rely on: one JSON object with these fields, decimal strings for money, integers for
//! times, and the exit codes.

use std::path::Path;

use serde_json::Value;
use tests::program::{Ran, run};

use super::data::{TAKER, capture_with, write, zstd};

/// Fields of every session's result.
const SESSION: &[&str] = &[
    "mode",
    "journal",
    "inputs",
    "events",
    "decisions",
    "orders",
    "fills",
    "refusals",
    "latches",
    "latch_count",
    "equity_start",
    "equity_end",
    "max_drawdown",
    "fees",
    "decisions_hash",
    "latency",
    "latency_context",
    "topology",
    "seconds",
    "messages",
    "bad_messages",
    "book_checks",
];

const DEMO: &str = "demo --seconds 120 --json --journal J";

/// Runs a command line without quotes.
fn engine(folder: &Path, line: &str) -> Ran {
    run(folder, &line.split_whitespace().collect::<Vec<_>>())
}

#[track_caller]
fn has(object: &Value, fields: &[&str]) {
    for field in fields {
        assert!(object.get(field).is_some(), "no `{field}` in {object}");
    }
}

/// A decimal number as text: digits, perhaps a sign and a fraction, no exponent.
fn is_decimal(value: &Value) -> bool {
    let Some(text) = value.as_str() else { return false };
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    is_number(whole) && is_number(fraction)
}

#[track_caller]
fn is_session(result: &Value) {
    has(result, SESSION);
    for field in ["equity_start", "equity_end", "max_drawdown", "fees"] {
        assert!(is_decimal(&result[field]), "{field} of {result}");
    }
    for field in
        ["inputs", "events", "decisions", "orders", "fills", "messages", "from_ns", "to_ns"]
    {
        assert!(result[field].is_u64(), "{field} of {result}");
    }
    assert!(result["from_ns"].as_u64() > Some(1_000_000_000_000_000_000), "nanoseconds: {result}");
    assert!(result["to_ns"].as_u64() > result["from_ns"].as_u64(), "{result}");
    assert!(result["refusals"].as_object().is_some_and(|codes| codes.values().all(Value::is_u64)));
    has(&result["book_checks"], &["compared", "unequal"]);
    let latencies = result["latency"].as_object().unwrap();
    for (interval, row) in latencies {
        has(row, &["p50", "p90", "p99", "p99_9", "p99_99", "max", "count"]);
        assert!(row["count"].as_u64() > Some(0) && row["p50"].is_u64(), "{interval}: {row}");
    }
    assert_eq!(result["latency"]["tick_to_decision"]["count"], result["decisions"]);
    let context = &result["latency_context"];
    has(context, &["host", "journal", "basis", "sampled_every", "clock", "clock_reason"]);
    assert_eq!(context["basis"], "service");
    let hash = result["decisions_hash"].as_str().unwrap();
    assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    assert!(result["decisions"].as_u64() > Some(0), "nothing was decided: {result}");
}

#[test]
fn a_decimal_is_told_from_what_is_none() {
    for text in ["0", "12", "-0.5", "10000.25"] {
        assert!(is_decimal(&text.into()), "{text}");
    }
    for text in ["", "-", "1e5", "1.", ".5", "0x1", "1_000", "Money(5)"] {
        assert!(!is_decimal(&text.into()), "{text}");
    }
    assert!(!is_decimal(&5.into()));
}

#[test]
fn engine_without_arguments_runs_the_demo() {
    let folder = tempfile::tempdir().unwrap();
    let ran = engine(folder.path(), "--json");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let result = ran.json();
    is_session(&result);
    assert_eq!(result["mode"], "demo");
    let many = |field: &str, least: u64| {
        assert!(result[field].as_u64() >= Some(least), "{field}: {result}");
    };
    many("orders", 100);
    many("fills", 40);
    many("latch_count", 1);
    assert!(result["refusals"].as_object().unwrap().len() >= 5, "{result}");
    assert!(result["book_checks"]["compared"].as_u64() > Some(10_000), "{result}");
    assert_eq!(result["book_checks"]["unequal"], 0);
    let journal = result["journal"].as_str().unwrap();
    assert!(journal.starts_with("sluice-data/journal/demo-"), "{journal}");
    assert!(folder.path().join(journal).join("00000000.slj").is_file());
    let shown = engine(folder.path(), "demo --speed max --data-dir elsewhere");
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let hash = result["decisions_hash"].as_str().unwrap();
    assert!(shown.stdout.contains(hash), "the demo is another session: {}", shown.stdout);
}

#[test]
fn what_a_session_and_its_journal_print_is_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ran = engine(folder, DEMO);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let result = ran.json();
    is_session(&result);
    assert_eq!(result["journal"], "J");

    let replayed = engine(folder, "replay J --json");
    let replay = replayed.json();
    has(
        &replay,
        &["records", "decisions", "decisions_hash", "equal", "first_difference", "seconds"],
    );
    assert_eq!((replayed.code, &replay["equal"]), (Some(0), &true.into()), "{replay}");
    assert_eq!(replay["first_difference"], Value::Null);
    for field in ["decisions", "decisions_hash", "fills"] {
        assert_eq!(replay[field], result[field], "{field}");
    }

    let verified = engine(folder, "journal verify J --json");
    let verdict = verified.json();
    has(&verdict, &["verdict", "records", "last_seq", "at"]);
    assert_eq!((verified.code, &verdict["verdict"]), (Some(0), &"clean".into()));
    assert_eq!(verdict["at"], Value::Null);
    assert_eq!(verdict["records"], result["journal_records"]);

    let info = engine(folder, "journal info J --json");
    let told = info.json();
    has(&told, &["run_id", "semantics", "records", "sealed", "instruments", "rules", "segments"]);
    assert_eq!((info.code, &told["records"]), (Some(0), &verdict["records"]));
    assert_eq!(told["run_id"], result["run_id"]);
}

#[test]
fn journal_dump_prints_one_record_a_line_with_decimal_strings_and_integer_times() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert_eq!(engine(folder, DEMO).code, Some(0));
    let dumped = engine(folder, "journal dump J --json");
    assert_eq!((dumped.code, dumped.stderr.as_str()), (Some(0), ""));
    let records = dumped.json_lines();
    let mut amounts = 0;
    for record in &records {
        has(record, &["seq", "ts", "kind"]);
        assert!(record["seq"].is_u64() && record["ts"].is_i64() && record["kind"].is_string());
        for amount in ["price", "qty", "bid", "ask", "bid_qty", "ask_qty", "total", "equity"] {
            if let Some(value) = record.get(amount) {
                assert!(is_decimal(value), "{amount} of {record}");
                amounts += 1;
            }
        }
        for time in ["venue_ts", "expires", "due", "start"] {
            assert!(record.get(time).is_none_or(Value::is_i64), "{time} of {record}");
        }
    }
    assert!(amounts > 1_000, "{amounts}");
    let kinds = |line: &str| -> Vec<Value> { engine(folder, line).json_lines() };
    let fills = kinds("journal dump J --kind Fill --limit 3 --json");
    assert_eq!(fills.len(), 3);
    assert!(fills.iter().all(|fill| fill["kind"] == "Fill" && fill["symbol"].is_string()));
    let some = kinds("journal dump J --from 10 --to 12 --json");
    assert!(
        !some.is_empty() && some.iter().all(|r| (10..=12).contains(&r["seq"].as_u64().unwrap()))
    );
    let eth = kinds("journal dump J --symbol ETH_USDT --kind Trade --limit 5 --json");
    assert!(eth.len() == 5 && eth.iter().all(|r| r["symbol"] == "demo:ETH_USDT.PERP"), "{eth:?}");
}

#[test]
fn a_price_in_the_dump_has_the_scale_of_its_instrument() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "taker.rules", TAKER);
    write(folder, "x.log", capture_with(""));
    let line = "backtest --data x.log --rules taker.rules --journal J --json";
    assert_eq!(engine(folder, line).code, Some(0));
    let trades = engine(folder, "journal dump J --kind Trade --limit 1 --json").json();
    assert_eq!((&trades["price"], &trades["qty"]), (&"101".into(), &"1".into()), "{trades}");
    assert_eq!(trades["venue_ts"], 2_000_000);
    let opened = engine(folder, "journal dump J --kind AccountOpened --json").json();
    assert_eq!(opened["total"], "10000", "{opened}");
}

#[test]
fn a_backtest_prints_the_contract_and_its_notes_go_to_stderr() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "taker.rules", TAKER);
    write(folder, "x.log.zst", zstd(&capture_with("")));
    let line = "backtest --data x.log.zst --rules taker.rules --journal none --json";
    let ran = engine(folder, &format!("{line} --instrument BTC_USDT,tick=0.05"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let result = ran.json();
    is_session(&result);
    assert_eq!((&result["mode"], &result["journal"]), (&"backtest".into(), &Value::Null));
    assert_eq!((&result["messages"], &result["bad_messages"]), (&6.into(), &0.into()));
    assert!(ran.stderr.contains("tick 0.05, by --instrument"), "{}", ran.stderr);
    let fused = engine(folder, &format!("{line} --topology fused")).json();
    let split = engine(folder, &format!("{line} --topology split")).json();
    assert_eq!((&fused["topology"], &split["topology"]), (&"fused".into(), &"split".into()));
    // Where the stages' threads share processors, that is told in both forms.
    let note = &split["topology_note"];
    assert!(note.is_null() || note.as_str().is_some_and(|note| note.contains("share")), "{note}");
    assert_eq!(fused["topology_note"], Value::Null);
    assert_eq!(fused["decisions_hash"], split["decisions_hash"]);
}

#[test]
fn rules_check_lists_findings_with_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "taker.rules", TAKER);
    let good = engine(folder, "rules check taker.rules --json");
    let checked = good.json();
    has(&checked, &["files", "errors", "warnings"]);
    assert_eq!((good.code, &checked["files"][0]), (Some(0), &"taker.rules".into()));
    assert_eq!(checked["errors"].as_array().map(Vec::len), Some(0), "{checked}");

    write(folder, "bad.rules", TAKER.replace("1 ticks", "1 USDT"));
    let bad = engine(folder, "rules check bad.rules --json");
    let found = bad.json();
    assert_eq!(bad.code, Some(1), "{found}");
    let [error] = found["errors"].as_array().unwrap().as_slice() else { panic!("{found}") };
    has(error, &["code", "file", "line", "column", "message", "help"]);
    assert_eq!((&error["line"], &error["column"]), (&11.into(), &10.into()));
    let drawn = engine(folder, "rules check bad.rules");
    assert!(drawn.stderr.contains("bad.rules:11:10"), "{drawn:?}");
}

#[test]
fn another_decision_is_a_finding_and_names_the_first_difference() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "taker.rules", TAKER);
    write(folder, "x.log", capture_with(""));
    let line = "backtest --data x.log --rules taker.rules --journal J --json";
    assert_eq!(engine(folder, line).code, Some(0));
    write(folder, "less.rules", TAKER.replace("size 20 USDT", "size 15 USDT"));
    let replayed = engine(folder, "replay J --rules less.rules --json");
    let replay = replayed.json();
    assert_eq!((replayed.code, &replay["equal"]), (Some(1), &false.into()), "{replay}");
    let difference = &replay["first_difference"];
    has(difference, &["seq", "field", "journaled", "recomputed"]);
    assert!(difference["seq"].is_u64() && difference["journaled"] != difference["recomputed"]);
}

/// What other rules decide is compared by their names: a comment, or a rule more, is no difference
/// by itself.
#[test]
fn rules_that_decide_alike_are_equal_whatever_else_is_in_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "taker.rules", TAKER);
    write(folder, "x.log", capture_with(""));
    let line = "backtest --data x.log --rules taker.rules --journal J --json";
    assert!(engine(folder, line).json()["decisions"].as_u64() > Some(0));
    let (head, rest) = TAKER.split_once('\n').unwrap();
    // Before all others, so that these get other numbers.
    let more = "risk before soft { applies to all\n deny NEVER when false }";
    for text in [format!("{head}\n// A comment.\n{rest}"), format!("{head}\n{more}\n{rest}")] {
        write(folder, "other.rules", text.as_str());
        let replayed = engine(folder, "replay J --rules other.rules --json");
        assert_eq!(replayed.code, Some(0), "{text}\n{replayed:?}");
        assert_eq!(replayed.json()["equal"], true);
    }
}

#[test]
fn a_replay_without_verdicts_proves_nothing_and_is_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "limits.rules", include_str!("../../../rules/limits.rules"));
    write(folder, "x.log", capture_with(""));
    let line = "backtest --data x.log --rules limits.rules --journal J --json";
    assert_eq!(engine(folder, line).json()["decisions"], 0);
    let replayed = engine(folder, "replay J");
    assert_eq!(replayed.code, Some(1), "{replayed:?}");
    assert!(replayed.stdout.contains("this proves nothing"), "{replayed:?}");
}

#[test]
fn an_unknown_option_is_wrong_usage_in_json_too() {
    let folder = tempfile::tempdir().unwrap();
    for line in ["--nope", "demo --nope", "demo --seconds 0", "backtest", "journal", "nope"] {
        let ran = engine(folder.path(), line);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{line}: {ran:?}");
        assert!(ran.stderr.contains("Usage") || ran.stderr.contains("--help"), "{line}: {ran:?}");
        let ran = engine(folder.path(), &format!("{line} --json"));
        assert_eq!((ran.code, &ran.json()["exit_code"]), (Some(2), &2.into()), "{line}: {ran:?}");
    }
}

#[test]
fn no_progress_is_drawn_where_stderr_is_no_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let ran = engine(folder.path(), "demo --seconds 120 --journal none");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stderr, "", "{ran:?}");
    assert!(!ran.stdout.contains(['\r', '\u{1b}']), "{ran:?}");
}
