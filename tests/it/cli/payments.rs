//! Marks, fundings and cash flows as files beside a market: what they do to a session, and what is
//! told of those that cannot be used.

use std::path::Path;

use serde_json::Value;
use tests::program::{Ran, run};

use super::data::{START_NS, TAKER, trades, write};

const MARKET: &str = "--data t.csv=x:BTC_USDT.PERP";

/// A folder with 200 trades of a perpetual at 100.01, one a millisecond, and rules that buy once.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "t.csv", trades(200));
    let rules = TAKER.replace("BTC_USDT", "BTC_USDT.PERP").replace("age > 1s", "age > 1h");
    write(at, "x.rules", rules.replace("price market.last", "price market.last + 2 ticks"));
    folder
}

/// Writes rows of a file, each so many milliseconds after the market's first.
fn rows(folder: &Path, name: &str, header: &str, rows: &[(i64, &str)]) {
    let stamp = |ms: i64| START_NS + ms * 1_000_000;
    let rows: String = rows.iter().map(|(ms, rest)| format!("{},{rest}\n", stamp(*ms))).collect();
    write(folder, name, format!("{header}\n{rows}"));
}

fn fundings(at: &Path, of: &[(i64, &str)]) {
    rows(at, "f.csv", "local_ts,rate,mark", of);
}

fn flows(at: &Path, of: &[(i64, &str)]) {
    rows(at, "c.csv", "local_ts,account,asset,amount,reason", of);
}

fn backtest(folder: &Path, data: &str) -> Ran {
    let line = format!("backtest {MARKET} {data} --rules x.rules --journal J --json");
    run(folder, &line.split_whitespace().collect::<Vec<_>>())
}

/// Runs a session and replays it in both layouts.
#[track_caller]
fn ran(folder: &Path, data: &str) -> Value {
    let ran = backtest(folder, data);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for layout in ["fused", "split"] {
        let again = run(folder, &["replay", "J", "--json", "--topology", layout]);
        assert_eq!((again.code, &again.json()["equal"]), (Some(0), &true.into()), "{again:?}");
    }
    ran.json()
}

fn dumped(folder: &Path, kind: &str) -> Vec<Value> {
    run(folder, &["journal", "dump", "J", "--kind", kind, "--json"]).json_lines()
}

/// Returns a decimal text in units of 1e-9.
fn nano(text: &Value) -> i128 {
    let text = text.as_str().unwrap_or_else(|| panic!("{text} is no text"));
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    sign * format!("{whole}{part:0<9}").parse::<i128>().unwrap()
}

#[test]
fn a_funding_is_paid_by_what_is_held_and_is_no_trade() {
    let (first, second) = (folder(), folder());
    let (at, other) = (first.path(), second.path());
    fundings(at, &[(1, "0.5,100"), (150, "0.0001,100.01"), (160, "-0.0002,100.0155")]);
    // The file of fundings may stand first: the market names the instrument all the same.
    let line = format!("--data f.csv=BTC_USDT.PERP {MARKET} --rules x.rules --journal J --json");
    let words: Vec<&str> = ["backtest"].into_iter().chain(line.split_whitespace()).collect();
    let found = run(at, &words);
    assert_eq!(found.code, Some(0), "{found:?}");
    let (with, without) = (found.json(), ran(other, ""));
    let fills = dumped(at, "Fill");
    let held: i128 = fills.iter().map(|fill| nano(&fill["qty"])).sum();
    assert!(held > 0 && !fills.is_empty());
    // The first comes while nothing is held. A mark finer than the tick is kept at three decimals,
    // to the nearest, halves to even: 100.016.
    let paid = held * 100_010 * 100_000 / 1_000_000_000_000;
    let got = held * 100_016 * 200_000 / 1_000_000_000_000;
    assert_eq!(nano(&with["funding"]), got - paid, "{with}");
    assert_eq!(nano(&with["equity_end"]) - nano(&without["equity_end"]), got - paid);
    assert_eq!((&with["fees"], &with["fills"]), (&without["fees"], &without["fills"]));
    let again = run(at, &["replay", "J", "--json"]);
    assert_eq!(again.json()["equal"], true, "{again:?}");
}

#[test]
fn a_published_mark_values_what_is_held() {
    let folder = folder();
    let at = folder.path();
    rows(at, "m.csv", "local_ts,mark", &[(100, "100.01"), (190, "120.01")]);
    let with = ran(at, "--data m.csv=x:BTC_USDT.PERP");
    let held: i128 = dumped(at, "Fill").iter().map(|fill| nano(&fill["qty"])).sum();
    let cost: i128 = dumped(at, "PositionChanged").last().map(|row| nano(&row["basis"])).unwrap();
    let value = held * 120_010 / 1_000;
    let end = nano(&with["equity_start"]) - nano(&with["fees"]) + value - cost;
    assert_eq!(nano(&with["equity_end"]), end, "{with}");
}

#[test]
fn a_cash_flow_changes_balances_and_is_no_profit() {
    let folder = folder();
    let at = folder.path();
    let flow = |from: &str| {
        flows(at, &[(150, &format!("{from},USDT,500,deposit")), (160, ",USDT,-3.25,withdrawal")]);
    };
    flow("paper x linear");
    let with = ran(at, "--data c.csv");
    let states = dumped(at, "BalanceChanged");
    let told: Vec<i128> = states.iter().map(|row| nano(&row["total"])).collect();
    let steps: Vec<i128> = told.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.contains(&500_000_000_000) && steps.contains(&-3_250_000_000), "{steps:?}");
    assert_eq!(dumped(at, "CashFlow").len(), 2);
    std::fs::remove_dir_all(at.join("J")).unwrap();
    let without = ran(at, "");
    let brought = nano(&with["equity_end"]) - nano(&without["equity_end"]);
    assert_eq!(brought, 496_750_000_000);
    assert_eq!(with["max_drawdown"], without["max_drawdown"], "no measure moves");
}

#[test]
fn a_funding_without_a_mark_is_a_fault_and_never_a_guess() {
    let folder = folder();
    let at = folder.path();
    // The first comes while nothing is held.
    fundings(at, &[(1, "0.0001,100"), (150, "0.0001,")]);
    let found = ran(at, "--data f.csv=x:BTC_USDT.PERP");
    assert_eq!((nano(&found["funding"]), &found["bad_messages"]), (0, &1.into()), "{found}");
    let bad = dumped(at, "BadInput");
    assert_eq!(bad[0]["fault"], "NoMark", "{bad:?}");
    assert_eq!((bad.len(), &bad[0]["line"]), (1, &3.into()), "{bad:?}");
    let latches = found["latches"].to_string();
    assert!(latches.contains("DOUBTFUL"), "{latches}");
}

#[test]
fn what_a_row_cannot_mean_is_counted_by_its_line_and_changes_nothing() {
    let folder = folder();
    let at = folder.path();
    flows(
        at,
        &[
            (1, ",USDT,5,deposit"),
            (150, "other,USDT,5,deposit"),
            (151, ",DOGE,5,deposit"),
            (152, ",USDT,-5,deposit"),
            (153, ",USDT,5,gift"),
            (154, ",USDT,5.1234567891,deposit"),
            (155, ",USDT,5"),
        ],
    );
    let found = ran(at, "--data c.csv");
    assert_eq!(found["bad_messages"], 6, "{found}");
    let faults: Vec<(String, u64)> = dumped(at, "BadInput")
        .iter()
        .map(|row| (row["fault"].as_str().unwrap().to_owned(), row["line"].as_u64().unwrap()))
        .collect();
    let expected = [
        ("UnknownAccount", 3),
        ("UnknownAccount", 4),
        ("Malformed", 5),
        ("Malformed", 6),
        ("OffGrid", 7),
        ("Malformed", 8),
    ];
    assert_eq!(faults, expected.map(|(fault, line)| (fault.to_owned(), line)));
    assert_eq!(dumped(at, "CashFlow").len(), 1);
}

#[test]
fn files_that_are_of_nothing_are_refused() {
    let folder = folder();
    let at = folder.path();
    fundings(at, &[(150, "0.0001,100")]);
    flows(at, &[(150, ",USDT,5,deposit")]);
    write(at, "s.csv", trades(20));
    for (data, says) in [
        ("--data f.csv", "f.csv: cannot tell the instrument; write --data FILE=SYMBOL"),
        ("--data f.csv=ETH_USDT.PERP", "no instrument ETH_USDT.PERP; known are: x:BTC_USDT.PERP"),
        (
            "--data s.csv=y:BTC_USDT --data f.csv=y:BTC_USDT",
            "f.csv: y:BTC_USDT is no perpetual: only those have fundings and marks of the venue",
        ),
        ("--data c.csv=x:BTC_USDT.PERP", "c.csv holds cash flows, which are of an account"),
    ] {
        let found = backtest(at, data);
        assert_eq!(found.code, Some(2), "{data}: {found:?}");
        assert!(found.stderr.contains(says), "{data}: {}", found.stderr);
        assert!(!at.join("J").exists(), "nothing ran");
    }
}
