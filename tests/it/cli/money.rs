//! What a configuration says of money reaches the session: rates, capitals, protected holdings, the
//! simulated venue.

use std::path::Path;

use serde_json::Value;
use tests::program::{Ran, run};

use super::data::{TAKER, TRADES, row, trades, write};

fn engine(folder: &Path, line: &str) -> Ran {
    run(folder, &line.split_whitespace().collect::<Vec<_>>())
}

/// A folder with trades of BTC_USDT at 100.01 at a venue, of BTC_USD at 125.01 and USDT_USD at
/// 1.25 at another, and rules.
fn folder(rules: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "binance_spot_btcusdt_x.csv", trades(200));
    let of = |price: &str| {
        let rows: String = (1..=200).map(|nth| row(nth, price, "0.5")).collect();
        format!("{TRADES}{rows}")
    };
    write(at, "usd.csv", of("125.01"));
    write(at, "rate.csv", of("1.25"));
    write(at, "x.rules", rules);
    folder
}

/// A configuration over the files, with more lines.
fn configured(folder: &Path, files: &str, more: &str) {
    let head = format!(
        "[data]\nfiles = [{files}]\nspeed = \"max\"\nseed = 0\n[rules]\npaths = [\"x.rules\"]\n"
    );
    write(folder, "x.toml", format!("{head}{more}"));
}

const USDT: &str = "\"binance_spot_btcusdt_x.csv\"";
const ALL: &str = "\"binance_spot_btcusdt_x.csv\", \"usd.csv=x:BTC_USD\", \"rate.csv=x:USDT_USD\"";

/// Runs the configuration, journaled, and replays it.
#[track_caller]
fn ran(folder: &Path) -> Value {
    let ran = engine(folder, "run --config x.toml --json --set journal.dir=J");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for layout in ["fused", "split"] {
        let replayed = engine(folder, &format!("replay J --json --topology {layout}"));
        assert_eq!((replayed.code, &replayed.json()["equal"]), (Some(0), &true.into()));
    }
    ran.json()
}

#[track_caller]
fn refused(folder: &Path, says: &[&str]) {
    for line in ["run --config x.toml", "run --config x.toml --check"] {
        let ran = engine(folder, line);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        for text in says {
            assert!(ran.stderr.contains(text), "`{text}` is not in {}", ran.stderr);
        }
    }
}

/// Returns the quantities that were approved.
fn approved(folder: &Path) -> Vec<String> {
    let rows = engine(folder, "journal dump J --kind Decision --json").json_lines();
    let approved = rows.iter().filter(|row| row["verdict"] == "Approve");
    approved.map(|row| row["qty"].as_str().unwrap().to_owned()).collect()
}

/// Trades alone fill half a spread above their price, here on the next tick but one.
fn taker() -> String {
    let reaching = TAKER.replace("price market.last", "price market.last + 2 ticks");
    reaching.replace("position.age > 1s", "position.age > 9ms")
}

fn both() -> String {
    let first = taker();
    let second = first.split_once("strategy taker").unwrap().1;
    let second = second.replace("BTC_USDT", "BTC_USD").replace("20 USDT", "25 USD");
    format!("{first}\nstrategy other{second}")
}

#[test]
fn a_session_in_two_quote_assets_is_valued_by_rates() {
    let folder = folder(&both());
    let folder = folder.path();
    let more = "[account]\nmax_rate_age = \"5s\"\n\
                [account.paper]\nbalances = { USDT = \"1_000\", USD = \"500\" }\n\
                [rates]\nUSD = { via = \"x:USDT_USD\" }\n";
    configured(folder, ALL, more);
    let result = ran(folder);
    // Two accounts with 1,000 and 500 / 1.25 each.
    assert_eq!(result["equity_start"], "2800", "{result}");
    let fills = engine(folder, "journal dump J --kind Fill --json").json_lines();
    for symbol in ["binance:BTC_USDT", "x:BTC_USD"] {
        let of = fills.iter().filter(|row| row["symbol"] == symbol).count();
        assert!(of > 3, "{symbol}: {of} fills");
    }
    let setup = engine(folder, "journal dump J --kind RunMetadata --json").stdout;
    assert!(setup.contains("5000000000"), "the age is the session's: {setup}");
    let shown = engine(folder, "config show --config x.toml --origin").stdout;
    for (key, place) in [
        ("rates.USD.via = \"x:USDT_USD\"", "# x.toml:12:9"),
        ("account.max_rate_age = \"5s\"", "# x.toml:8:1"),
        ("account.paper.queue = \"trades\"", "# default"),
    ] {
        let line = shown.lines().find(|line| line.starts_with(key));
        assert!(line.is_some_and(|line| line.ends_with(place)), "{key}: {shown}");
    }
    // A rate that is fixed is printed: it is true by being said only.
    configured(folder, ALL, &more.replace("via = \"x:USDT_USD\"", "fixed = \"0.8\""));
    let fixed = engine(folder, "run --config x.toml --json --set journal.dir=none");
    assert_eq!(fixed.json()["equity_start"], "2800", "{fixed:?}");
    assert!(fixed.stderr.contains("one USD counts as 0.8 USDT, a fixed rate"), "{fixed:?}");
}

#[test]
fn what_leads_to_no_rate_is_refused_under_its_line() {
    let folder = folder(&both());
    let folder = folder.path();
    configured(folder, ALL, "[account.paper.balances]\nUSDT = \"1\"\n");
    refused(folder, &["x:BTC_USD is settled in USD", "rates.USD.via or rates.USD.fixed"]);
    let balances = "[account.paper]\nbalances = { USDT = \"1\", USD = \"500\" }\n[rates]\n";
    for (rates, says) in [
        (
            "USD = { via = \"x:EUR_USD\" }",
            ["rates.USD.via: the data has no instrument x:EUR_USD", "x.toml:10:15"],
        ),
        (
            "USD = { via = \"binance:BTC_USDT\" }",
            ["has it as neither base nor quote", "x.toml:10:15"],
        ),
        (
            "USD = { via = \"x:BTC_USD\" }",
            ["its path ends at BTC, of which no rate is stated", "x.toml:10:15"],
        ),
        (
            "USD = { fixed = \"1\" }\nEUR = { fixed = \"1\" }",
            ["EUR has no rate in USDT: the session has no such asset", "x.toml:11:17"],
        ),
    ] {
        configured(folder, ALL, &format!("{balances}{rates}\n"));
        refused(folder, &says);
    }
}

const WEIGHER: &str = "rules 1

risk any_order hard {
  applies to all
  deny SELF_TRADE when order.crosses_own
}

strategy weigher {
  on trade of BTC_USDT
  enter long GO when market.last > 1 ticks size weight 50% price market.last tif ioc
}
";

#[test]
fn what_a_strategy_may_use_bounds_what_it_buys() {
    for (capital, first) in [("40 USDT", "0.19998"), ("1%", "0.49995")] {
        let folder = folder(WEIGHER);
        let folder = folder.path();
        let more = format!("[strategy.weigher]\ncapital = \"{capital}\"\n");
        configured(folder, USDT, &more);
        ran(folder);
        // Half of it at 100.01; what is missing to that later is less.
        let approved = approved(folder);
        assert_eq!(approved.first().map(String::as_str), Some(first), "{approved:?}");
    }
}

#[test]
fn more_capital_than_there_is_is_refused() {
    let folder = folder(WEIGHER);
    let folder = folder.path();
    configured(folder, USDT, "[strategy.weigher]\ncapital = \"20_000 USDT\"\n");
    refused(folder, &["allocated 20000 USDT", "there is 10000 USDT", "x.toml:8:11"]);
    configured(folder, USDT, "[strategy.weighter]\ncapital = \"20 USDT\"\n");
    refused(folder, &["the rules have no strategy `weighter`; they have weigher", "x.toml:8:11"]);
    // Of what has no mark yet nothing can be said before: then nothing is traded on it.
    let more = "[account.paper]\nbalances = { USDT = \"10\", BTC = \"1\" }\n\
                [strategy.weigher]\ncapital = \"111 USDT\"\n";
    configured(folder, USDT, more);
    let result = ran(folder);
    assert_eq!(result["equity_start"], "110.01", "{result}");
    assert_eq!(result["fills"], 0, "{result}");
    assert!(result["refusals"]["NO_CAPITAL"].as_u64() > Some(100), "{result}");
}

#[test]
fn what_is_protected_is_in_no_figure_and_never_sold() {
    let rules = "rules 1
risk any_order hard {
  applies to all
  deny NEVER when false
}
strategy seller {
  on trade of BTC_USDT
  quote OFFER when market.last > 1 ticks ask market.last size 0.1 BTC ttl 1s
}
";
    let session = |protect: &str| {
        let folder = folder(rules);
        let more =
            format!("[account.paper]\nbalances = {{ USDT = \"1_000\", BTC = \"0.5\" }}\n{protect}");
        configured(folder.path(), USDT, &more);
        ran(folder.path())
    };
    let free = session("");
    assert_eq!(free["equity_start"], "1050.005", "{free}");
    assert!(free["orders"].as_u64() > Some(0), "{free}");
    let apart = session("protect = { BTC = \"0.5\" }\n");
    assert_eq!(apart["equity_start"], "1000", "{apart}");
    assert_eq!((&apart["orders"], &apart["fills"]), (&0.into(), &0.into()), "{apart}");
    assert!(apart["refusals"]["NO_BALANCE"].as_u64() > Some(10), "{apart}");
}

#[test]
fn the_simulated_venue_is_the_one_that_options_ask_for() {
    let folder = folder(&taker());
    let folder = folder.path();
    write(folder, "h.hist", "500_000 3\n4_000_000 1\n");
    let more = "[account.paper]\nqueue = \"prob\"\nbar_fill = \"close\"\n\
                order_latency = { histogram = \"h.hist\", seed = 5 }\n\
                response_latency = { histogram = \"h.hist\" }\n[journal]\ndir = \"none\"\n";
    configured(folder, USDT, more);
    let run = engine(folder, "run --config x.toml --json");
    assert_eq!(run.code, Some(0), "{run:?}");
    let run = run.json();
    let line = "backtest --data binance_spot_btcusdt_x.csv --rules x.rules --json --journal none \
                --queue prob --bar-fill close --order-latency hist:h.hist,seed=5 \
                --response-latency hist:h.hist";
    let backtest = engine(folder, line).json();
    assert!(run["fills"].as_u64() > Some(3), "{run}");
    for field in ["decisions_hash", "run_id", "equity_end"] {
        assert_eq!(run[field], backtest[field], "{field}");
    }
    let constant = line.replace("hist:h.hist,seed=5", "2ms");
    assert_ne!(engine(folder, &constant).json()["run_id"], run["run_id"]);
}

#[test]
fn fees_are_paid_in_their_own_asset_by_its_mark() {
    let folder = folder(&taker());
    let folder = folder.path();
    let rows: String = (1..=200).map(|nth| row(nth, "500", "0.5")).collect();
    write(folder, "bnb.csv", format!("{TRADES}{rows}"));
    let more = "[account.paper]\nbalances = { USDT = \"1_000\", BNB = \"0.00003\" }\n\
                fees = { taker = \"5bps\", asset = \"asset:BNB\" }\n\
                [rates]\nBNB = { via = \"binance:BNB_USDT\" }\n";
    let files = format!("{USDT}, \"bnb.csv=binance:BNB_USDT\"");
    configured(folder, &files, more);
    let result = ran(folder);
    assert_eq!(result["equity_start"], "1000.015", "{result}");
    let fills = engine(folder, "journal dump J --kind Fill --json").json_lines();
    // Assets by their numbers: the reporting one comes first, then those of the instruments.
    let asset = |row: &Value| {
        let number = usize::try_from(row["fee_asset"].as_u64().unwrap()).unwrap();
        ["USDT", "BTC", "BNB"][number]
    };
    let fees: Vec<(&str, &str)> =
        fills.iter().map(|row| (asset(row), row["side"].as_str().unwrap())).collect();
    // 20 USDT at 5 bp are 0.01 USDT, 0.00002 BNB: once.
    assert_eq!(fees[..2], [("BNB", "Buy"), ("USDT", "Sell")], "{fees:?}");
    assert!(fees[2..].contains(&("BTC", "Buy")), "{fees:?}");
    configured(folder, &files, &more.replace("BNB = { via", "USD = { via"));
    refused(folder, &["BNB"]);
    let fixed = "[account.paper.fees]\ntiers = [\"1_000 1bps 4bps\", \"500 1bps 3bps\"]\n";
    configured(folder, USDT, fixed);
    refused(folder, &["`500 1bps 3bps` is of less volume, or dearer", "x.toml:8:9"]);
    configured(folder, USDT, "[account.paper.fees]\ntiers = [\"1_000 1bps 4bps\"]\n");
    ran(folder_of_new_journal(folder));
    let setup = engine(folder, "journal dump J --kind RunMetadata --json").stdout;
    assert!(setup.contains("400000") && setup.contains("1000000000000"), "{setup}");
}

/// Forgets the journal of the run before.
fn folder_of_new_journal(folder: &Path) -> &Path {
    std::fs::remove_dir_all(folder.join("J")).unwrap();
    folder
}

#[test]
fn a_day_begins_where_the_configuration_says() {
    let folder = folder(&taker());
    let folder = folder.path();
    // The data begins at 23:54:14 UTC of the eighth, and goes on over two hours: at 21:00 in New
    // York nothing begins, at 01:00 in London a day does.
    let hour = 3_600_000;
    let rows: String = (0..20).map(|nth| row(1 + nth * hour / 8, "100.01", "0.5")).collect();
    write(folder, "binance_spot_btcusdt_x.csv", format!("{TRADES}{rows}"));
    let dates = |start: &str| -> Vec<String> {
        configured(folder, USDT, &format!("[account]\nday_start = \"{start}\"\n"));
        ran(folder);
        let rolls = engine(folder, "journal dump J --kind DayRoll --json").json_lines();
        std::fs::remove_dir_all(folder.join("J")).unwrap();
        let text = |row: &Value| format!("{} at {}", row["date"], row["ts"]);
        rolls.iter().map(text).collect()
    };
    let (utc, new_york) = (dates("00:00 UTC"), dates("17:00 America/New_York"));
    assert_eq!((utc.len(), new_york.len()), (2, 1), "{utc:?} {new_york:?}");
    let london = dates("01:30 Europe/London");
    assert_eq!(london.len(), 2, "{london:?}");
    // 01:30 in a London summer is 00:30 UTC of the ninth.
    let half_past = 1_723_161_600_000_000_000_i64 + 1_800_000_000_000;
    assert!(london[1].ends_with(&half_past.to_string()), "{london:?}");
}

#[test]
fn a_strategy_that_shorts_does_not_bind_on_a_cash_account() {
    let rules = WEIGHER.replace("enter long GO", "enter short GO");
    let folder = folder(&rules);
    let folder = folder.path();
    configured(folder, USDT, "");
    refused(folder, &["R0505", "`enter short` cannot run on", "where shortable", "x.rules:10:"]);
}
