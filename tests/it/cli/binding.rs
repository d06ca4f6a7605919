//! Rules that fit no data: a session that could never trade, or would trade twice, does not start,
//! and what binds nothing is told.

use std::path::Path;

use tests::program::{Ran, run};

use super::data::{KLINES, START_NS, TAKER, trades, write};

const MILLI_NS: i64 = 1_000_000;

const BLOCK: &str = "rules 1\n\nrisk any_order hard {\n  applies to all\n  \
                     deny SELF_TRADE when order.crosses_own\n}\n";

/// Runs rules over a file of trades and one of bars of a minute.
fn ran(folder: &Path, data: &str, rules: &str) -> Ran {
    write(folder, "trades.csv", trades(20));
    let bar =
        |nth: i64| format!("{},100,101,99,100,5,3,500,2\n", START_NS / MILLI_NS + nth * 60_000);
    write(folder, "bars.csv", format!("{KLINES}{}", (0..5).map(bar).collect::<String>()));
    write(folder, "x.rules", rules);
    let command = format!("backtest --data {data} --rules x.rules --journal none --json");
    run(folder, &command.split(' ').collect::<Vec<_>>())
}

#[track_caller]
fn refused(data: &str, rules: &str, says: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let ran = ran(folder.path(), data, rules);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    for text in says {
        assert!(ran.stderr.contains(text), "`{text}` is not in {}", ran.stderr);
    }
}

#[test]
fn two_names_of_one_instrument_are_refused() {
    let rules = TAKER.replace("of BTC_USDT", "of BTC_USDT, binance:BTC_USDT");
    let says = ["R0513", "`binance:BTC_USDT` is the instrument of `BTC_USDT`", "trade twice"];
    refused("trades.csv=binance:BTC_USDT", &rules, &says);
}

#[test]
fn a_trigger_that_no_source_can_fire_is_refused() {
    let strategy = |trigger: &str| {
        format!(
            "{BLOCK}\nstrategy s {{\n  on {trigger} of BTC_USDT\n  \
             enter long GO when market.last > 1 ticks size 20 USDT price market.last\n}}\n"
        )
    };
    let bars = "bars.csv=binance:BTC_USDT";
    refused(bars, &strategy("trade"), &["R0503", "wakes strategy `s`", "needs trades"]);
    refused(bars, &strategy("bar 5m"), &["R0503", "needs trades or bars of 300 s"]);
    let trades = "trades.csv=binance:BTC_USDT";
    refused(trades, &strategy("book"), &["R0503", "needs best bid and ask"]);
    let folder = tempfile::tempdir().unwrap();
    for (data, trigger) in [(bars, "bar 1m"), (trades, "bar 5m"), (trades, "trade")] {
        let ran = ran(folder.path(), data, &strategy(trigger));
        assert_eq!(ran.code, Some(0), "{trigger}: {ran:?}");
    }
}

#[test]
fn a_block_whose_symbols_are_absent_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let absent = "\nrisk far_away soft {\n  applies to strategy taker on ETH_USDT, DOGE_USDT\n  \
                  deny NEVER when order.qty > 1 lots\n}\n";
    let ran = ran(folder.path(), "trades.csv=binance:BTC_USDT", &format!("{TAKER}{absent}"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let line = "risk far_away: no data for ETH_USDT, DOGE_USDT; it binds nothing";
    assert_eq!(ran.stderr.matches(line).count(), 1, "{}", ran.stderr);
}

/// A short entry on spot: refused under its line by each command that knows the instrument.
#[test]
fn a_short_entry_cannot_bind_on_a_cash_account() {
    let rules = format!(
        "{BLOCK}\nstrategy bear {{\n  on trade of BTC_USDT\n  \
         enter short DOWN when market.last < market.last[1] size 20 USDT price market.last\n}}\n"
    );
    let says = ["R0505", "x.rules:10:3", "cannot run on binance:BTC_USDT: a cash account"];
    refused("trades.csv=binance:BTC_USDT", &rules, &says);

    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    ran(folder, "trades.csv=binance:BTC_USDT", &rules);
    let data = "[data]\nfiles = [\"trades.csv=binance:BTC_USDT\"]\n";
    let config = format!("mode = \"backtest\"\n{data}[rules]\npaths = [\"x.rules\"]\n");
    write(folder, "run.toml", config);
    let start = run(folder, &["run", "--config", "run.toml", "--check", "--json"]);
    let check =
        |more: &[&str]| run(folder, &[&["rules", "check", "x.rules", "--json"], more].concat());
    let spot = check(&["--symbol", "binance:BTC_USDT"]);
    for (ran, code) in [(start, 2), (spot, 1)] {
        let told = ran.json();
        let error = &told["errors"][0];
        assert_eq!(ran.code, Some(code), "{told}");
        assert_eq!((&error["code"], &error["line"]), (&"R0505".into(), &10.into()), "{told}");
        assert_eq!(error["file"], "x.rules", "{told}");
    }
    assert_eq!(check(&["--symbol", "binance:BTC_USDT.PERP"]).code, Some(0));
    assert_eq!(check(&[]).code, Some(0), "no instrument is named");
    // Where shorts cannot be held it is silent, and says so beforehand.
    write(
        folder,
        "x.rules",
        rules.replace("price market.last", "price market.last where shortable"),
    );
    assert_eq!(check(&["--symbol", "binance:BTC_USDT"]).code, Some(0));
}

#[test]
fn what_is_checked_for_an_instrument_runs_there() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "x.rules", TAKER);
    for (symbols, says) in [
        (&["BTC_USDT"][..], "BTC_USDT is ambiguous; write one of: binance:BTC_USDT, "),
        (&["binance:NO_SUCH"], "NO_SUCH"),
        (&["btc"], "`btc` is not an instrument name"),
        (&["binance:ETH_USDT"], "strategy taker: it runs on none of --symbol binance:ETH_USDT"),
    ] {
        let symbols = symbols.iter().flat_map(|symbol| ["--symbol", symbol]);
        let words: Vec<&str> = ["rules", "check", "x.rules"].into_iter().chain(symbols).collect();
        let ran = run(folder, &words);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains(says), "`{says}` is not in {}", ran.stderr);
    }
}
