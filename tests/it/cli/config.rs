//! `engine config` and `engine run`: every fault at once, every value with its origin, and one
//! session whoever asks for it.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use tests::program::{Ran, command, finish, run, start, until};

use super::data::{TAKER, trades, write};

fn engine(folder: &Path, line: &str) -> Ran {
    run(folder, &line.split_whitespace().collect::<Vec<_>>())
}

/// One line, one fault: the key, what is wrong with it, and the word under which it is told.
const FAULTS: &str = r#"mode = "bactest"
sed = 7
[data]
seed = "many"
seconds = 0
speed = 0
symbols = ["BTC"]
files = ["no.csv"]
[account]
reporting = "usdt"
api_key = "hunter2"
[account.paper]
kind = "crypto"
order_latency = 2
response_latency = "90s"
balances.USDT = "-1"
balances.BTC = "5 ETH"
fees.maker = 2
fees.taker = "50%"
[instrument."BTC_USDT"]
tick = "0"
[journal]
segment = "3MiB"
sink = "disk"
[jurnal]
dir = "x"
[topology]
cores = [0, 0]
wait = "sleep:0"
"#;

#[test]
fn a_file_with_twenty_faults_shows_exactly_the_twenty() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // The two faults that are left out here have their own tests: twenty is what is drawn.
    let text = FAULTS.replace("kind = \"crypto\"\n", "").replace("sink = \"disk\"\n", "");
    write(folder, "twenty.toml", &text);
    let shown = engine(folder, "config check --config twenty.toml");
    assert_eq!((shown.code, shown.stdout.as_str()), (Some(2), ""), "{shown:?}");
    let lines = |text: &str| text.lines().filter(|line| line.starts_with("error[C01")).count();
    assert_eq!(lines(&shown.stderr), 20, "{}", shown.stderr);
    assert!(!shown.stderr.contains("more"), "{}", shown.stderr);
    assert!(!shown.stderr.contains("hunter2"), "the secret is shown: {}", shown.stderr);
    let told = engine(folder, "config check --config twenty.toml --json").json();
    let errors = told["errors"].as_array().unwrap();
    assert_eq!((errors.len(), &told["exit_code"]), (20, &2.into()), "{told}");
    // Each line but the headings of sections that exist has its fault, in the order of the file.
    let is_fault = |line: &&str| !line.starts_with('[') || *line == "[jurnal]";
    let wrong = text.lines().zip(1_u64..).filter(|(line, _)| is_fault(line));
    let wrong: Vec<u64> =
        wrong.filter(|(line, _)| *line != "dir = \"x\"").map(|(_, at)| at).collect();
    let found: Vec<u64> = errors.iter().map(|one| one["line"].as_u64().unwrap()).collect();
    assert_eq!(found, wrong, "{told}");
    assert!(errors.iter().all(|one| one["file"] == "twenty.toml" && one["column"].is_u64()));

    write(folder, "more.toml", FAULTS);
    let more = engine(folder, "run --config more.toml");
    assert_eq!((more.code, lines(&more.stderr)), (Some(2), 20), "{more:?}");
    assert!(more.stderr.contains("and 2 more"), "{}", more.stderr);
}

#[test]
fn every_value_is_shown_with_its_origin() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "a.toml", "[data]\nseed = 5\nseconds = 60\n");
    write(folder, "b.toml", "[data]\nseconds = 90\n");
    let line = "config show --json --config a.toml --config b.toml --set account.reporting=USD";
    let words: Vec<&str> = line.split(' ').collect();
    let shown = command(folder, &words).env("SLUICE__JOURNAL__SYNC", "true").output();
    let shown = Ran::from(shown.unwrap()).json();
    let keys = shown["keys"].as_array().unwrap();
    let row = |key: &str| keys.iter().find(|row| row["key"] == key).unwrap();
    let seed = row("data.seed");
    assert_eq!((&seed["value"], &seed["origin"]), (&"5".into(), &"file".into()));
    assert_eq!(
        (&seed["file"], &seed["line"], &seed["column"]),
        (&"a.toml".into(), &2.into(), &1.into())
    );
    assert_eq!(
        (&row("data.seconds")["value"], &row("data.seconds")["file"]),
        (&"90".into(), &"b.toml".into())
    );
    assert_eq!(row("journal.sync")["variable"], "SLUICE__JOURNAL__SYNC");
    assert_eq!(row("account.reporting")["origin"], "set");
    assert_eq!(row("journal.sink")["origin"], "default");
    assert_eq!(shown["hash"].as_str().unwrap().len(), 64);
    let plain = engine(folder, "config show --origin --config a.toml");
    assert!(plain.stdout.contains("# a.toml:2:1\n"), "{}", plain.stdout);
}

#[test]
fn what_config_default_prints_is_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "default.toml", engine(folder, "config default").stdout);
    let own = engine(folder, "config check --config default.toml --json").json();
    let none = engine(folder, "config check --json").json();
    assert_eq!(own["hash"], none["hash"]);
    let schema = engine(folder, "config schema").json();
    assert!(schema["properties"]["journal"]["properties"]["dir"].is_object(), "{schema}");
}

/// The last block of the document is what the program prints.
#[test]
fn the_document_has_every_key() {
    let folder = tempfile::tempdir().unwrap();
    let printed = engine(folder.path(), "config default").stdout;
    let path = tests::root().join("docs/configuration.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, _) = text.split_once("## Every key").unwrap();
    let page = format!(
        "{before}## Every key\n\nPrinted by `engine config default`; `UPDATE=1 cargo test -p tests \
         cli::config` renews it here.\n\n```toml\n{}\n```\n",
        printed.trim_end()
    );
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert!(found == page, "docs/configuration.md is stale: renew it with UPDATE=1");
}

#[test]
fn a_configured_session_is_the_one_that_options_ask_for() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "demo.toml", "[data]\nseed = 3\nseconds = 120\nspeed = \"max\"\n");
    let run = engine(folder, "run --config demo.toml --json --set journal.dir=J");
    assert_eq!(run.code, Some(0), "{run:?}");
    let run = run.json();
    let demo = engine(folder, "demo --seed 3 --seconds 120 --json --journal none").json();
    assert!(run["decisions"].as_u64() > Some(50), "{run}");
    for field in ["decisions_hash", "run_id", "fills", "equity_end", "mode"] {
        assert_eq!(run[field], demo[field], "{field}");
    }
    // The journal knows of which configuration it is.
    let shown = engine(folder, "config show --config demo.toml --set journal.dir=J --json").json();
    let info = engine(folder, "journal info J --json").json();
    assert_eq!(info["config"], shown["hash"], "{info}");
    let replayed = engine(folder, "replay J --json");
    assert_eq!((replayed.code, &replayed.json()["equal"]), (Some(0), &true.into()));

    write(folder, "binance_spot_btcusdt_x.csv", trades(200));
    write(folder, "taker.rules", TAKER);
    let file = "[data]\nfiles = [\"binance_spot_btcusdt_x.csv\"]\nspeed = \"max\"\nseed = 0\n\
                [rules]\npaths = [\"taker.rules\"]\n[journal]\ndir = \"none\"\n";
    write(folder, "files.toml", file);
    let run = engine(folder, "run --config files.toml --json").json();
    let line =
        "backtest --data binance_spot_btcusdt_x.csv --rules taker.rules --json --journal none";
    let backtest = engine(folder, line).json();
    for field in ["decisions_hash", "run_id", "equity_end", "mode"] {
        assert_eq!(run[field], backtest[field], "{field}");
    }
}

#[test]
fn facts_balances_and_fees_of_the_file_are_the_session_s() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "binance_spot_btcusdt_x.csv", trades(200));
    write(folder, "taker.rules", TAKER);
    let file = "[data]\nfiles = [\"binance_spot_btcusdt_x.csv\"]\nspeed = \"max\"\n\
                [account.paper]\nbalances = { USDT = \"7_000\", BTC = \"0.5\" }\n\
                fees = { taker = \"7bps\" }\n[instrument.BTC_USDT]\nmin_notional = \"6\"\n\
                [rules]\npaths = [\"taker.rules\"]\n[journal]\ndir = \"J\"\n";
    write(folder, "x.toml", file);
    let ran = engine(folder, "run --config x.toml --json");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let opened = engine(folder, "journal dump J --kind AccountOpened --json").json_lines();
    let totals: Vec<&str> = opened.iter().map(|row| row["total"].as_str().unwrap()).collect();
    assert_eq!(totals, ["7000", "0.5"]);
    let setup = engine(folder, "journal dump J --kind RunMetadata --json");
    assert!(setup.stdout.contains("700000") && setup.stdout.contains("6000000000"), "{setup:?}");
}

/// Only the source waits: what is decided does not depend on the pace.
#[test]
fn a_paced_session_decides_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "x.toml", "[data]\nseconds = 120\n[journal]\ndir = \"none\"\n");
    let at = |speed: &str, topology: &str| {
        let line =
            format!("run --config x.toml --json --speed {speed} --set topology.layout={topology}");
        let ran = engine(folder, &line);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.json()
    };
    let fast = at("max", "fused");
    assert!(fast["decisions"].as_u64() > Some(50), "{fast}");
    for (speed, topology) in [("60", "fused"), ("100", "split")] {
        let paced = at(speed, topology);
        assert_eq!(paced["decisions_hash"], fast["decisions_hash"], "{speed}, {topology}");
        // Two minutes of the market last two seconds, and half of that for sure.
        assert!(paced["seconds"].as_f64() > Some(1.0), "it did not wait: {paced}");
    }
}

#[test]
fn ctrl_c_ends_a_session_that_waits() {
    for topology in ["fused", "split"] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        write(folder, "x.toml", "[data]\nseconds = 86_400\n[journal]\ndir = \"J\"\n");
        let line = format!("run --config x.toml --json --set topology.layout={topology}");
        let mut child = start(folder, &line.split(' ').collect::<Vec<_>>());
        let segment = folder.join("J/00000000.slj");
        until(&mut child, "its journal", || segment.metadata().is_ok());
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        let ran = finish(child);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let result = ran.json();
        assert_eq!(result["end"], "Requested", "{result}");
        let market = result["to_ns"].as_u64().unwrap() - result["from_ns"].as_u64().unwrap();
        // At the pace of the market it went on for no longer than it took, and two seconds.
        let took = result["seconds"].as_f64().unwrap();
        assert!(u128::from(market) < 60_000_000_000, "{market} ns in {took} s");
        let verified = engine(folder, "journal verify J --json").json();
        assert_eq!((&verified["verdict"], &verified["sealed"]), (&"clean".into(), &true.into()));
    }
}

/// A configuration whose values are sound and meet data that they do not fit.
#[track_caller]
fn unfit(file: &str, says: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "binance_spot_btcusdt_x.csv", trades(20));
    write(folder, "taker.rules", TAKER);
    std::fs::create_dir(folder.join("full")).unwrap();
    write(folder, "full/x", "");
    let data = "[data]\nfiles = [\"binance_spot_btcusdt_x.csv\"]\n[rules]\npaths = \
                [\"taker.rules\"]\n";
    write(folder, "x.toml", file.replace("DATA", data));
    for line in ["run --config x.toml --speed max", "run --config x.toml --check"] {
        let ran = engine(folder, line);
        assert_eq!(ran.code, Some(2), "{file}: {ran:?}");
        for text in says {
            assert!(ran.stderr.contains(text), "{file}: `{text}` is not in {}", ran.stderr);
        }
    }
}

#[test]
fn what_does_not_fit_the_data_is_told_under_its_line() {
    unfit(
        "account.paper = { kind = \"cash\" }",
        &["is a perpetual: it needs an account of kind linear", "x.toml:1:26"],
    );
    unfit(
        "DATA[account.paper]\nkind = \"linear\"\n",
        &["error[C0108]: account.paper.kind", "is spot: it needs", "x.toml:6:8"],
    );
    unfit(
        "DATA[account.paper.balances]\nUSDT = \"1\"\nDOGE = \"5\"\n",
        &["account.paper.balances.DOGE", "nothing it trades values in USDT", "x.toml:7:8"],
    );
    unfit(
        "DATA[account]\nreporting = \"USD\"\n",
        &["account.reporting: binance:BTC_USDT is settled in USDT", "x.toml:6:13"],
    );
    unfit(
        "DATA[journal]\ndir = \"full\"\n",
        &["journal.dir: the folder is not empty", "x.toml:6:7"],
    );
    unfit(
        "data.symbols = [\"ADA_USDT\"]\n",
        &["data.symbols: the data has no such instrument", "x.toml:1:16"],
    );
    unfit("[instrument.\"DOGE_USDT\"]\ntick = \"1\"\n", &["DOGE_USDT"]);
    let tick = "[instrument.\"demo:BTC_USDT.PERP\"]\ntick = \"0.5\"\n";
    unfit(tick, &["the generated market: the data of demo:BTC_USDT.PERP was read by tick 0.1"]);
}

#[test]
fn a_file_that_cannot_be_read_or_is_no_toml_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (line, text) in [
        ("run", "--config FILE"),
        ("run --config no.toml", "read configuration no.toml"),
        ("run --config .", "a folder, not a regular file"),
        ("config check --set data.seed", "write KEY=VALUE"),
    ] {
        let ran = engine(folder, line);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains(text), "{line}: {}", ran.stderr);
    }
    write(folder, "x.toml", "[data\nseed = 1\n");
    let ran = engine(folder, "config check --config x.toml");
    assert!(ran.stderr.contains("x.toml:1:") && ran.stderr.contains("no TOML"), "{ran:?}");
    write(folder, "y.toml", b"seed = \"\xff\"\n".as_slice());
    let ran = engine(folder, "config check --config y.toml");
    assert!(ran.stderr.contains("is not UTF-8"), "{ran:?}");
}
