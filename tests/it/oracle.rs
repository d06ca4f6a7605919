//! The engine against programs in another language, written from the specification alone.
//!
//! `tests/oracles` holds them, with the assumptions they make. They share no code with the engine.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Command;

use engine::program::{Bound, load};
use engine::replay::Origin;
use engine::session::Session;
use model::decimal::format_trimmed;
use model::event::{Body, Decision, Event, Fill, LatchChanged};
use model::instrument::Instrument;
use model::num::{MONEY_SCALE, Rounding, mul_div};
use model::order::{LatchState, Liquidity, Verdict};
use serde_json::Value;

use crate::session::lab::{Backtest, MERGED, events};

const CRASH: &str = "klines/bitmex_xbtusd_1m_2020H1.csv.zst";

/// Runs an oracle on a file; `None` where there is no `python3` and none is required.
fn oracle(script: &str, data: &Path, more: &[&str]) -> Option<String> {
    let script = tests::root().join("tests/oracles").join(script);
    let started =
        Command::new("python3").arg("-B").arg(script).arg("--data").arg(data).args(more).output();
    match started {
        Ok(ran) => {
            assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
            Some(String::from_utf8(ran.stdout).unwrap())
        }
        Err(missing) => {
            assert!(!tests::requires_data(), "python3: {missing}, and SLUICE_REQUIRE_DATA=1");
            None
        }
    }
}

/// Returns a decimal text of the oracle in units of 1e-9: it writes them exactly.
fn nano(text: &Value) -> i128 {
    let text = text.as_str().expect("a decimal text");
    i128::from(model::decimal::parse_mantissa(text.as_bytes(), MONEY_SCALE).expect("exact"))
}

/// The crash backtest as the journal tells it.
struct Crash {
    backtest: Backtest,
    instrument: Instrument,
    bound: Bound,
    events: Vec<Event>,
}

impl Crash {
    fn run(scratch: &Path, data: &Path) -> Self {
        let rules = tests::root().join("rules/crash.rules").display().to_string();
        let more = ["--topology", "fused", "--rules", &rules];
        let backtest = Backtest::run(scratch, "crash", data, &more);
        let origin = Origin::read(&backtest.dir).unwrap();
        let session = Session::build(origin.setup, &load(origin.texts).unwrap()).unwrap();
        let [instrument] = session.instruments.as_slice() else { panic!("one instrument") };
        let (instrument, bound) = (instrument.clone(), session.bound.clone());
        let events = events(&backtest.dir);
        Self { backtest, instrument, bound, events }
    }

    fn fills(&self) -> impl Iterator<Item = (&Event, Fill)> {
        self.events.iter().filter_map(|event| match event.body() {
            Body::Fill(fill) => Some((event, fill)),
            _ => None,
        })
    }

    fn verdicts(&self) -> impl Iterator<Item = (&Event, Decision)> {
        self.events.iter().filter_map(|event| match event.body() {
            Body::Decision(decision) => Some((event, decision)),
            _ => None,
        })
    }

    /// Returns the first change of a latch into a state.
    fn latch(&self, code: &str, state: LatchState) -> (&Event, LatchChanged) {
        let mut changes = self.events.iter().filter_map(|event| match event.body() {
            Body::LatchChanged(changed) => Some((event, changed)),
            _ => None,
        });
        let found = changes
            .find(|(_, found)| self.bound.code_name(found.code) == code && found.state == state);
        found.unwrap_or_else(|| panic!("{code} never came to {state:?}"))
    }

    fn price(&self, mantissa: i64) -> String {
        format_trimmed(i128::from(mantissa), self.instrument.price_scale.decimals())
    }

    fn qty(&self, mantissa: i64) -> String {
        format_trimmed(i128::from(mantissa), self.instrument.qty_scale.decimals())
    }
}

#[test]
fn the_crash_backtest_is_what_the_oracle_says() {
    let Some(data) = tests::recorded(CRASH) else { return };
    let Some(text) = oracle("crash.py", &data, &[]) else { return };
    let oracle: Value = serde_json::from_str(&text).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let crash = Crash::run(scratch.path(), &data);
    let json = &crash.backtest.json;

    assert_eq!(json["messages"], oracle["bars"]);
    assert_eq!(json["refusals"], oracle["refusals"]);
    assert_eq!(json["decisions"], oracle["verdicts"]);
    assert_eq!(json["orders"], oracle["orders"]);
    for figure in ["equity_start", "equity_end", "fees", "max_drawdown"] {
        assert_eq!(json[figure], oracle[figure], "{figure}");
    }
    let ignored = &oracle["ignored_enters"];
    let entries = ignored["pending"].as_u64().unwrap() + ignored["open"].as_u64().unwrap();
    assert!(json["ignored_signals"].as_u64().unwrap() >= entries, "exits may be ignored too");

    assert_fills(&crash, oracle["fills"].as_array().unwrap());
    let drawdown = &oracle["daily_drawdown"];
    let breaker = &oracle["breaker"];
    assert_latch(&crash, "DAILY_DRAWDOWN", drawdown, ("day_peak", "drawdown"));
    assert_latch(&crash, "BREAKER_DAILY_LOSS", breaker, ("day_open", "day_loss"));
    let told = json["latches"].as_array().unwrap();
    assert_eq!((told.len(), &json["latch_count"]), (2, &2.into()), "{told:?}");
    let expected = [("DAILY_DRAWDOWN", drawdown), ("BREAKER_DAILY_LOSS", breaker)];
    for (told, (code, latch)) in told.iter().zip(expected) {
        assert_eq!((&told["code"], &told["ts"]), (&code.into(), &latch["ts"]));
        assert_eq!(told["equity"], latch["equity_at_ts"], "{code}");
        let (armed, arm) = crash.latch(code, LatchState::Armed);
        let rule = &crash.bound.rules[usize::from(arm.code.rule_index().unwrap())];
        assert_eq!((&told["seq"], &told["symbol"]), (&armed.seq.0.into(), &Value::Null));
        assert!(told["rule"].as_str().unwrap().ends_with(&format!("crash.rules:{}", rule.line)));
    }
    let dir = crash.backtest.dir.display().to_string();
    let replayed = tests::program::run(scratch.path(), &["replay", &dir, "--json"]);
    let replay = replayed.json();
    assert_eq!((replayed.code, &replay["equal"]), (Some(0), &true.into()), "{replayed:?}");
    assert_eq!(replay["decisions_hash"], json["decisions_hash"]);
    assert_after_breaker(&crash, &oracle);
}

fn assert_fills(crash: &Crash, expected: &[Value]) {
    let found: Vec<_> = crash.fills().collect();
    assert_eq!(found.len(), expected.len());
    assert!(!found.is_empty());
    for ((event, fill), wanted) in found.iter().zip(expected) {
        assert_eq!(event.ts.0, wanted["ts"].as_i64().unwrap());
        assert_eq!(fill.side.word(), wanted["side"]);
        assert_eq!(crash.qty(fill.qty.0), wanted["qty"]);
        assert_eq!(crash.price(fill.price.0), wanted["price"]);
        assert_eq!(format_trimmed(i128::from(fill.fee), MONEY_SCALE), wanted["fee"]);
        let maker = fill.liquidity == Liquidity::Maker;
        assert_eq!(if maker { "maker" } else { "taker" }, wanted["liquidity"]);
    }
}

/// Compares a latch's wait and arming with the oracle. `base` names the equity that the loss is
/// counted from; the journal's share is rounded down, the oracle's up, so the exact one is computed
/// from the oracle's amounts and rounded both ways.
fn assert_latch(crash: &Crash, code: &str, oracle: &Value, (base, share): (&str, &str)) {
    let (waiting, wait) = crash.latch(code, LatchState::Waiting);
    let (armed, arm) = crash.latch(code, LatchState::Armed);
    assert_eq!(waiting.ts.0, oracle["ts_true"].as_i64().unwrap(), "{code}");
    assert_eq!(armed.ts.0, oracle["ts"].as_i64().unwrap(), "{code}");
    assert_eq!(wait.until, armed.ts, "{code}: armed by its timer");

    let top = nano(&oracle[base]);
    let round = |equity| mul_div(top - equity, 1_000_000_000, top, Rounding::Ceil).unwrap();
    for (changed, equity, share) in
        [(wait, "equity", share.to_owned()), (arm, "equity_at_ts", format!("{share}_at_ts"))]
    {
        assert_eq!(i128::from(changed.observed), nano(&oracle[&share]), "{code}");
        assert_eq!(nano(&oracle[&share]), round(nano(&oracle[equity])), "{code}");
        assert!(changed.observed >= changed.limit, "{code}: {changed:?}");
    }
    let limit = if code == "DAILY_DRAWDOWN" { 50_000_000 } else { 100_000_000 };
    assert_eq!(arm.limit, limit, "{code}");

    // The rule that spoke, where a person finds it.
    let rule = &crash.bound.rules[usize::from(arm.code.rule_index().unwrap())];
    assert_eq!(rule.code, code);
    assert!(rule.file.ends_with("crash.rules"), "{}", rule.file);
    let text = std::fs::read_to_string(tests::root().join("rules/crash.rules")).unwrap();
    let line = text.lines().nth(usize::try_from(rule.line).unwrap() - 1).unwrap();
    assert!(line.trim_start().starts_with(&format!("reduce_only {code}")), "{line}");
    println!(
        "{code}: seq {}, {}, equity {}, {} of {}, {}:{}: {}",
        armed.seq.0,
        armed.ts,
        oracle["equity_at_ts"].as_str().unwrap(),
        format_trimmed(i128::from(arm.observed), 9),
        format_trimmed(i128::from(arm.limit), 9),
        rule.file,
        rule.line,
        line.trim()
    );
    assert!(armed.seq.0 > waiting.seq.0);
}

/// After the breaker nothing increases, and exits pass.
fn assert_after_breaker(crash: &Crash, oracle: &Value) {
    let (waiting, _) = crash.latch("BREAKER_DAILY_LOSS", LatchState::Waiting);
    let (armed, _) = crash.latch("BREAKER_DAILY_LOSS", LatchState::Armed);
    let after = |event: &Event| event.seq.0 >= waiting.seq.0;
    let approved = |decision: &Decision| decision.verdict == Verdict::Approve;
    let mut later = crash.verdicts().filter(|(event, _)| after(event));
    let increasing = later.find(|(_, decision)| approved(decision) && !decision.reduces);
    assert_eq!(increasing, None);
    assert_eq!(oracle["increasing_orders_after_breaker"], 0);
    let refused = crash.verdicts().filter(|(event, d)| after(event) && !approved(d)).count();
    assert!(refused > 100_000, "{refused} refusals after the breaker");

    // The stop-loss left: its approval, its price, and flat afterwards.
    let exits: Vec<_> = crash
        .verdicts()
        .filter(|(event, d)| event.seq.0 > armed.seq.0 && approved(d) && d.reduces)
        .collect();
    let stop = &oracle["stop_loss"];
    assert_eq!(exits.len() as u64, stop["orders"].as_u64().unwrap());
    assert_eq!(exits[0].0.ts.0, stop["first_ts"].as_i64().unwrap());
    let bound = crash.events.iter().find_map(|event| match event.body() {
        Body::OrderIntent(intent) if event.seq == exits[0].0.seq => Some(intent.price),
        _ => None,
    });
    assert_eq!(crash.price(bound.unwrap().0), stop["first_bound"].as_str().unwrap());
    let (last, _) = crash.fills().last().unwrap();
    assert_eq!(last.ts.0, stop["flat_ts"].as_i64().unwrap());
    assert_eq!(oracle["position_end"], "0");
}

/// Where the recorded volumes fill nothing in parts: the same bars with a two-hundredth of it.
#[test]
fn a_thin_crash_is_what_the_oracle_says_order_by_order() {
    let Some(data) = tests::recorded(CRASH) else { return };
    let scratch = tempfile::tempdir().unwrap();
    let thin = thinned(&data, scratch.path());
    let Some(text) = oracle("crash.py", &thin, &["--json-lines", "fills"]) else { return };
    let fills: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let text = oracle("crash.py", &thin, &[]).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let crash = Crash::run(scratch.path(), &thin);
    println!("thin: {} fills, {} orders", fills.len(), expected["orders"]);
    assert!(fills.len() > 10);
    assert_fills(&crash, &fills);
    assert_eq!(crash.backtest.json["refusals"], expected["refusals"]);
    assert_eq!(crash.backtest.json["decisions"], expected["verdicts"]);
    for figure in ["equity_end", "fees", "max_drawdown"] {
        assert_eq!(crash.backtest.json[figure], expected[figure], "{figure}");
    }
}

/// Writes the bars with `home_notional` (the eighth column) divided by 200, cut to four decimals.
fn thinned(data: &Path, folder: &Path) -> std::path::PathBuf {
    let text = zstd::decode_all(std::fs::File::open(data).unwrap()).unwrap();
    let text = String::from_utf8(text).unwrap();
    let mut out = String::with_capacity(text.len());
    for (index, line) in text.lines().enumerate() {
        let mut columns: Vec<&str> = line.split(',').collect();
        let volume = columns[7];
        // Numbers such as 9e-05 and the word None stay: they are below a lot anyway.
        let plain = index > 0 && volume.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let (whole, part) = volume.split_once('.').unwrap_or((volume, ""));
        let digits = format!("{whole}{part:0<4.4}");
        let shrunk = digits.parse::<u64>().unwrap_or(0) / 200;
        let shrunk = format!("{}.{:04}", shrunk / 10_000, shrunk % 10_000);
        if plain {
            columns[7] = &shrunk;
        }
        out.push_str(&columns.join(","));
        out.push('\n');
    }
    let path = folder.join("bitmex_xbtusd_1m_thin.csv.zst");
    std::fs::write(&path, zstd::encode_all(out.as_bytes(), 1).unwrap()).unwrap();
    path
}

#[test]
fn the_books_of_the_merged_capture_are_what_the_oracle_says() {
    let Some(data) = tests::recorded(MERGED) else { return };
    let Some(text) = oracle("books.py", &data, &[]) else { return };
    let oracle: Value = serde_json::from_str(&text).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let ran = Backtest::run(scratch.path(), "run", &data, &["--topology", "fused"]);
    assert_eq!(ran.json["messages"], oracle["messages"]);
    assert_eq!(ran.json["bad_messages"], oracle["bad"]);
    assert_eq!(ran.json["book_checks"]["compared"], oracle["compared"]);
    assert_eq!(ran.json["book_checks"]["unequal"], oracle["unequal"]);
    assert_eq!(oracle["compared"], 3_308);
    assert_eq!(oracle["unequal"], 0);

    // The journal's input lane against the oracle's books, feed by feed.
    let origin = Origin::read(&ran.dir).unwrap();
    let mut found = vec![(0_u64, 0_u64, 0_u64, 0_u64); origin.setup.instruments.len()];
    crate::session::lab::for_each_event(&ran.dir, |event| {
        let Ok(index) = usize::try_from(event.instrument.0) else { return };
        match event.body() {
            Body::Trade(_) => found[index].0 += 1,
            Body::Quote(_) => found[index].1 += 1,
            Body::BookLevel(_) => found[index].2 += 1,
            Body::BookClear(_) => found[index].3 += 1,
            _ => {}
        }
    });
    let repeated = inside_snapshots(&data);
    for (instrument, counts) in origin.setup.instruments.iter().zip(found) {
        let (trades, quotes, levels, snapshots) = counts;
        let market = if instrument.perpetual { "usdm" } else { "spot" };
        let name = format!("{market}:{}", instrument.venue_symbol);
        let feed = &oracle["feeds"][&name];
        let count = |key: &str| feed[key].as_u64().unwrap_or_else(|| panic!("{name}: {feed}"));
        println!("{name}: {trades} trades, {quotes} quotes, {levels} levels");
        assert_eq!(trades, count("trades"), "{name}");
        assert_eq!(quotes, count("book_tickers"), "{name}");
        let inside = repeated.get(&name).copied().unwrap_or(0);
        let applied = count("depth_levels_applied") + count("snapshot_levels");
        assert_eq!(levels + inside, applied, "{name}");
        assert_eq!(snapshots, count("snapshots"), "{name}");
    }
}

/// Returns, by futures feed, the levels of a message that ends at the snapshot's own update: the
/// oracle applies it, the adapter passes over it, and the book is the same.
fn inside_snapshots(data: &Path) -> BTreeMap<String, u64> {
    let reader = zstd::Decoder::new(std::fs::File::open(data).unwrap()).unwrap();
    let mut kept: BTreeMap<(String, u64), u64> = BTreeMap::new();
    let mut inside = BTreeMap::new();
    for line in BufReader::new(reader).lines() {
        let line = line.unwrap();
        let (_, rest) = line.split_once('\t').unwrap();
        let (feed, text) = rest.split_once('\t').unwrap();
        // One snapshot a feed, after a few messages.
        let known = !feed.starts_with("usdm") || inside.contains_key(feed);
        if known || !(text.contains("lastUpdateId") || text.contains("@depth")) {
            continue;
        }
        let json: Value = serde_json::from_str(text).unwrap();
        let levels = |side: &Value| side.as_array().map_or(0, Vec::len) as u64;
        if let Some(id) = json["lastUpdateId"].as_u64() {
            let same = kept.get(&(feed.to_owned(), id)).copied();
            inside.insert(feed.to_owned(), same.unwrap_or(0));
        } else {
            let depth = &json["data"];
            let count = levels(&depth["b"]) + levels(&depth["a"]);
            kept.insert((feed.to_owned(), depth["u"].as_u64().unwrap()), count);
        }
    }
    inside
}
