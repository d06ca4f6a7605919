//! Golden diagnostics, the shipped files, and the examples of `rules/README.md`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::codes::{CODES, explain};
use super::*;
use crate::typed::{Compare, Effect, ExprKind, Indicator, LatchEnd, Step, Strategy, Trigger, Unit};

const CRASH: &str = include_str!("../../../rules/crash.rules");
const CROSSOVER: &str = include_str!("../../../rules/crossover.rules");
const MOMENTUM: &str = include_str!("../../../rules/momentum.rules");
const LIMITS: &str = include_str!("../../../rules/limits.rules");
const README: &str = include_str!("../../../rules/README.md");
const FRONT_PAGE: &str = include_str!("../../../README.md");

fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), text: text.to_owned() }
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rules"))
        .collect();
    files.sort();
    files
}

/// Code, place, message, underlined text, labels and help of every finding, as text.
fn render(text: &str) -> String {
    let sources = [source("file", text)];
    let mut out = String::new();
    for found in check(&sources).diagnostics {
        let severity = if found.severity == Severity::Error { "error" } else { "warning" };
        let (_, line, column) = found.place(&sources);
        writeln!(out, "{severity}[{}] {line}:{column}: {}", found.code, found.message).unwrap();
        for label in &found.labels {
            let (line, _) = sources[0].position(label.span.start);
            let start = usize::try_from(label.span.start).unwrap();
            let end = usize::try_from(label.span.end).unwrap();
            let underlined = text.get(start..end).unwrap().replace('\n', "\\n");
            let say = if label.text.is_empty() { "" } else { ": " };
            writeln!(out, "  line {line} `{underlined}`{say}{}", label.text).unwrap();
        }
        if let Some(help) = &found.help {
            writeln!(out, "  help: {help}").unwrap();
        }
    }
    out
}

/// Compares each file of a folder with the `.out` beside it; `UPDATE=1` writes them.
#[expect(clippy::disallowed_methods, reason = "a test is told from outside to renew its goldens")]
fn compare(folder: &str) -> usize {
    let update = std::env::var("UPDATE").is_ok();
    let files = files(folder);
    for path in &files {
        let text = std::fs::read_to_string(path).unwrap();
        let found = render(&text);
        let golden = path.with_extension("out");
        if update {
            std::fs::write(&golden, &found).unwrap();
        }
        let wanted = std::fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(found, wanted, "{}: UPDATE=1 writes it anew", path.display());
        let has_errors = check(&[source("file", &text)]).has_errors();
        assert_eq!(has_errors, folder == "err", "{}", path.display());
        assert!(!found.is_empty() || folder == "ok", "{} finds nothing", path.display());
    }
    files.len()
}

#[test]
fn errors_are_the_golden_ones() {
    assert!(compare("err") >= 40);
}

#[test]
fn warnings_are_the_golden_ones() {
    assert!(compare("warn") >= 8);
}

#[test]
fn good_files_are_silent() {
    for path in files("ok") {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(render(&text), "", "{}", path.display());
    }
}

#[test]
fn shipped_files_are_silent_alone_and_together() {
    for text in [CRASH, CROSSOVER, LIMITS, MOMENTUM] {
        assert_eq!(render(text), "");
    }
    let all = [source("crash", CRASH), source("crossover", CROSSOVER), source("limits", LIMITS)];
    let checked = check(&all);
    assert!(checked.diagnostics.is_empty());
    let names: Vec<&str> = checked.program.risk.iter().map(|block| block.name.as_str()).collect();
    assert_eq!(names, ["core", "crash_limits"]);
    assert_eq!(checked.program.strategies.len(), 4);
    assert_eq!(checked.program.invariants.len(), 5);
    assert_eq!(checked.program.tests.len(), 46);
}

#[test]
fn every_example_of_the_readmes_is_a_good_file() {
    for (page, least) in [(README, 8), (FRONT_PAGE, 1)] {
        let mut count = 0;
        for example in page.split("```rules\n").skip(1) {
            let text = example.split("```").next().unwrap();
            assert_eq!(render(text), "", "{text}");
            count += 1;
        }
        assert!(count >= least, "{count} examples");
    }
}

#[test]
fn codes_that_are_used_are_explained_and_the_others_are_tested() {
    let mut used = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("codes.rs") && !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let codes = text.split("\"R0").skip(1).filter_map(|rest| rest.get(..4));
                let codes = codes.filter(|code| code.ends_with('"'));
                used.extend(codes.map(|code| format!("R0{}", code.trim_end_matches('"'))));
            }
        }
    }
    let known: Vec<String> = CODES.iter().map(|(code, ..)| (*code).to_owned()).collect();
    assert!(known.is_sorted());
    // Binding to an instrument has codes of its own, perhaps in files that are not there yet.
    let bound = |code: &String| code.starts_with("R05");
    assert!(used.iter().all(|code| known.contains(code)), "{used:?}");
    let used: Vec<&String> = used.iter().filter(|code| !bound(code)).collect();
    assert_eq!(known.iter().filter(|code| !bound(code)).collect::<Vec<_>>(), used);
    assert!(explain("R0203").is_some() && explain("R9999").is_none());
    let mut golden = String::new();
    for path in files("err").into_iter().chain(files("warn")) {
        golden.push_str(&std::fs::read_to_string(path.with_extension("out")).unwrap());
    }
    // Sizes are tested below: their files would be large.
    let shown = |code: &String| golden.contains(code.as_str()) || code == "R0110";
    let untested: Vec<&String> = known.iter().filter(|code| !bound(code) && !shown(code)).collect();
    assert!(untested.is_empty(), "no golden shows {untested:?}");
}

#[test]
fn limits_of_size_and_number_hold() {
    let large = source("large", &" ".repeat(crate::limits::FILE_BYTES_MAX + 1));
    assert_eq!(check(&[large]).diagnostics[0].code, "R0110");
    let many: Vec<Source> = (0..=SOURCES_MAX).map(|_| source("many", "rules 1")).collect();
    assert_eq!(check(&many).diagnostics[0].code, "R0110");
    let mut bad = "rules 1\nrisk a hard {\n  applies to all\n".to_owned();
    for index in 0..300 {
        writeln!(bad, "  param unused_{index} : num = 1.0").unwrap();
    }
    bad.push_str("  deny LAST when nothing\n  deny ALSO when order.price\n}\n");
    let checked = check(&[source("bad", &bad)]);
    // Lints do not run on a block with errors.
    assert_eq!((checked.errors, checked.diagnostics.len()), (2, 2));
    let wrong = bad.replace("num = 1.0", "num = true");
    let checked = check(&[source("wrong", &wrong)]);
    assert_eq!(checked.diagnostics.len(), DIAGNOSTICS_MAX);
    assert_eq!(checked.errors, 302);
    assert_eq!(checked.omitted, 302 - DIAGNOSTICS_MAX);
}

#[test]
fn nested_ranges_cannot_grow_without_bound() {
    let mut expr = "feed.age".to_owned();
    for _ in 0..30 {
        expr = format!("(if {expr} in 1s..2s then 1s else 2s)");
    }
    let text = format!("rules 1\nrisk a hard {{ applies to all deny A when {expr} > 1s }}\n");
    assert!(check(&[source("nested", &text)]).has_errors());
}

fn strategy_of(body: &str) -> Strategy {
    let text = format!("rules 1\nstrategy s {{\n{body}\n}}\n");
    let mut checked = check(&[source("s", &text)]);
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    checked.program.strategies.remove(0)
}

#[test]
fn calls_with_state_become_series_once_and_before_they_are_read() {
    let strategy = strategy_of(
        "on bar 1m of BTC_USDT
        param n : int = 5 in 2..50
        series slow = sma(close, n)
        let up = crossover(ema(close, 3), slow)
        let again = crossover(ema(close, 3), slow)
        exit long X when again or up or crossunder(close, slow)",
    );
    let kinds: Vec<Indicator> = strategy.series.iter().map(|series| series.indicator).collect();
    let wanted = [Indicator::Sma, Indicator::Ema, Indicator::Crossover, Indicator::Crossunder];
    assert_eq!(kinds, wanted);
    assert_eq!(strategy.series[0].name, "slow");
    assert_eq!(strategy.series[1].name, "ema(close, 3)");
    let order = [
        Step::Series(0),
        Step::Series(1),
        Step::Series(2),
        Step::Let(0),
        Step::Let(1),
        Step::Series(3),
    ];
    assert_eq!(strategy.order, order);
    assert_eq!(strategy.lets[1].value.kind, ExprKind::Series(2));
    assert_eq!(strategy.series[2].unit, Unit::Bool);
    assert!(matches!(strategy.series[0].length.as_ref().unwrap().kind, ExprKind::Param(0)));
    assert_eq!(strategy.trigger, Trigger::Bar(60_000_000_000));
}

#[test]
fn ranges_and_implications_are_written_out() {
    let strategy = strategy_of(
        "on trade of BTC_USDT
        exit long X when feed.age in 1s..2s implies feed.synced",
    );
    let ExprKind::Or(left, right) = &strategy.rules[0].when.kind else { panic!("no or") };
    let ExprKind::Not(inside) = &left.kind else { panic!("no not") };
    let ExprKind::And(low, high) = &inside.kind else { panic!("no and") };
    assert!(matches!(low.kind, ExprKind::Compare(Compare::GreaterEq, ..)));
    assert!(matches!(high.kind, ExprKind::Compare(Compare::LessEq, ..)));
    assert!(matches!(right.kind, ExprKind::Field(..)) && !right.nullable);
    // The age of a feed that never spoke is not known.
    assert!(strategy.rules[0].when.nullable);
}

#[test]
fn what_can_be_na_is_inferred() {
    let text = "rules 1\nrisk a hard {\n  applies to all
        param p : num = 2 in 1..3
        param q : num = 2 in 0..3
        let known = position.qty + 1 lots
        let mid = market.mid
        let fair = market.mid ?? 5 ticks
        let safe = position.qty / p
        let zero = position.qty / q
        let tested = market.mid is na
        let either = feed.synced and mid > fair
        deny A when known > safe and zero > safe and tested and either
    }\n";
    let checked = check(&[source("a", text)]);
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    let lets = &checked.program.risk[0].lets;
    let nullable: Vec<bool> = lets.iter().map(|item| item.value.nullable).collect();
    assert_eq!(nullable, [false, true, false, false, true, false, true]);
}

#[test]
fn the_limits_that_ship_are_typed_as_written() {
    let checked = check(&[source("limits", LIMITS)]);
    let block = &checked.program.risk[0];
    assert!(block.hard);
    let latches: Vec<_> =
        block.latches.iter().map(|l| (l.rule.code.as_str(), l.effect, l.end, l.held_ns)).collect();
    let two_seconds = 2_000_000_000;
    let wanted = [
        ("KILL_SWITCH", Effect::Halt, LatchEnd::Manual, 0),
        ("REDUCE_LEVEL", Effect::ReduceOnly, LatchEnd::Clear, 0),
        ("BREAKER_DAILY_LOSS", Effect::ReduceOnly, LatchEnd::Manual, two_seconds),
        ("MAX_DRAWDOWN", Effect::ReduceOnly, LatchEnd::Manual, two_seconds),
        ("DAILY_DRAWDOWN", Effect::ReduceOnly, LatchEnd::DayEnd, two_seconds),
    ];
    assert_eq!(latches, wanted);
    assert_eq!(block.caps.len(), 3);
    assert_eq!(block.checks.len(), 8);
    assert!(block.params[0].is_percent);
    assert_eq!(block.params[6].table.len(), 2);
    let kind = &block.params[0].value.kind;
    assert_eq!(*kind, ExprKind::Number { mantissa: 5, decimals: 2 });
    assert!(block.checks.iter().all(|check| !check.rule.doc.is_empty()));
}

/// A perpetual or a spot pair with fine scales: every example fits it.
fn instrument(symbol: &model::symbol::Symbol) -> model::instrument::Instrument {
    use model::instrument::{FeeAsset, Instrument, Kind};
    use model::num::{Money, Price, Qty, Rate, Scale};
    Instrument {
        symbol: symbol.clone(),
        venue_symbol: format!("{}{}", symbol.base, symbol.quote),
        kind: symbol.kind.unwrap_or(Kind::Spot),
        settle: symbol.quote.clone(),
        price_scale: Scale::new(2).unwrap(),
        qty_scale: Scale::new(4).unwrap(),
        tick: Price(10),
        lot: Qty(1),
        qty_min: Qty(1),
        qty_max: Qty(1_000_000_000),
        notional_min: Money::units(5),
        fee_maker: Rate(200_000),
        fee_taker: Rate(500_000),
        fee_asset: FeeAsset::Received,
        fee_scale: Scale::new(8).unwrap(),
        protect: Rate(5_000_000),
        flatten_band: Rate(20_000_000),
        half_spread: Rate(0),
        mark_spread_max: Rate(0),
        mark_age_max_ns: 0,
        mark_liquidation: false,
        leverage_max: 3,
        maintenance: Rate(5_000_000),
    }
}

#[test]
fn what_ships_and_what_is_taught_binds_to_an_instrument() {
    use crate::compile::{Binding, Carries, bind_risk, bind_strategy};
    let carries = Carries { touch: true, bars: true, last_price: true };
    let assets = |name: &str| match name {
        "USDT" => Some(model::id::AssetId(0)),
        "BTC" => Some(model::id::AssetId(1)),
        "ETH" => Some(model::id::AssetId(2)),
        _ => None,
    };
    let mut texts: Vec<String> = [CRASH, CROSSOVER, LIMITS, MOMENTUM].map(str::to_owned).to_vec();
    let examples = README.split("```rules\n").skip(1);
    texts.extend(examples.map(|example| example.split("```").next().unwrap().to_owned()));
    texts.extend(files("ok").iter().map(|path| std::fs::read_to_string(path).unwrap()));
    let any = model::symbol::Symbol::parse("BTC_USDT.PERP").unwrap();
    for text in texts {
        let program = check(&[source("file", &text)]).program;
        for block in &program.risk {
            let instrument = instrument(&any);
            let binding =
                Binding { instrument: &instrument, reporting: "USDT", carries, assets: &assets };
            let bound = bind_risk(block, &binding);
            assert!(bound.is_ok(), "{}: {:?}", block.name, bound.err());
        }
        for strategy in &program.strategies {
            for (symbol, _) in &strategy.symbols {
                let instrument = instrument(symbol);
                let binding = Binding {
                    instrument: &instrument,
                    reporting: "USDT",
                    carries,
                    assets: &assets,
                };
                let bound = bind_strategy(strategy, &binding);
                assert!(bound.is_ok(), "{}: {:?}", strategy.name, bound.err());
            }
        }
    }
}
