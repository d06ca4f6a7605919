//! The shipped files pass their tests, every rule of them is tried both ways, and every limit
//! matters to a test.

use dsl::span::Source;
use dsl::typed::{ExprKind, Param};

use super::*;
use crate::program::load;

const SHIPPED: [(&str, &str); 7] = [
    ("limits.rules", include_str!("../../../rules/limits.rules")),
    ("crash.rules", include_str!("../../../rules/crash.rules")),
    ("risk_limits.rules", include_str!("../../../rules/risk_limits.rules")),
    ("demo.rules", include_str!("../../../rules/demo.rules")),
    ("crossover.rules", include_str!("../../../rules/crossover.rules")),
    ("momentum.rules", include_str!("../../../rules/momentum.rules")),
    ("mm_reversion.rules", include_str!("../../../rules/mm_reversion.rules")),
];

fn checked(name: &str, text: &str) -> Checked {
    load(vec![Source { name: name.to_owned(), text: text.to_owned() }]).expect("rules")
}

/// The failure of a test in words.
fn told(outcome: &Outcome) -> Option<String> {
    let (failure, _) = outcome.failure.as_ref()?;
    let why = match failure {
        Failure::Differs { wanted, found } => {
            format!("expected {}, found {}", wanted.0, found.text)
        }
        Failure::Broken(why) => why.clone(),
    };
    Some(format!("{}: {}: {why}", outcome.block, outcome.title))
}

fn failures(report: &Report) -> Vec<String> {
    report.failed().filter_map(told).collect()
}

#[test]
fn shipped_files_pass_their_tests_and_try_every_rule() {
    for (name, text) in SHIPPED {
        let checked = checked(name, text);
        let report = run(&checked);
        assert_eq!(failures(&report), [""; 0], "{name}");
        let open: Vec<String> = report
            .uncovered()
            .map(|rule| {
                format!("{} {}: spoke {}, silent {}", rule.line, rule.code, rule.spoke, rule.silent)
            })
            .collect();
        assert_eq!(open, [""; 0], "{name}");
        assert_eq!(report.covered_bp(), 10_000);
        let strategies = checked.program.strategies.iter();
        let rules = strategies.map(|one| one.rules.len() + one.quotes.len() + one.cancels.len());
        let judges = checked.program.risk.iter().flat_map(program::rules_of).count();
        assert_eq!(report.coverage.len(), judges + rules.sum::<usize>(), "{name}: all are told");
    }
}

#[test]
fn rules_of_strategies_are_tried_by_firing_and_by_not_firing() {
    let strategy = |rules: &str| {
        format!(
            "rules 1
            strategy s {{ on trade of BTC_USDT.PERP
              let near = market.spread <= 5bps
              {rules} }}
            test \"one trade\" for s {{
              feed bars [1_000]
              expect signal long UP
            }}"
        )
    };
    let rules = "enter long UP when near and market.last > 50 ticks size 1 lots at_market
        exit long ALWAYS when market.last > 0 ticks
        quote OPEN when market.last > 50_000 ticks bid market.last size 1 lots
        cancel DARK when position.avg_price > market.last
        enter short TOO_LATE when market.last > 50 ticks size 1 lots at_market";
    let report = run(&checked("t.rules", &strategy(rules)));
    assert_eq!(failures(&report), [""; 0]);
    let seen: Vec<_> =
        report.coverage.iter().map(|rule| (rule.code.as_str(), rule.spoke, rule.silent)).collect();
    // The touch around a trade is made, so that the spread is known. An exit that closes nothing,
    // and an entry behind another one, say nothing; a cancel that is unknown withdraws.
    let wanted = [
        ("UP", true, false),
        ("ALWAYS", false, false),
        ("TOO_LATE", false, false),
        ("OPEN", false, true),
        ("DARK", true, false),
    ];
    assert_eq!(seen, wanted);
    // What the test gives stands.
    let wide = strategy(rules).replace(
        "feed bars [1_000]",
        "given market BTC_USDT.PERP { bid = 90.0 ask = 110.0 } feed bars [1_000]",
    );
    let report = run(&checked("t.rules", &wide));
    assert_eq!(failures(&report).len(), 1, "no spread of 20 % is near");
}

/// Limits that no test of their file can tell from their neighbours, with the reason.
const FREE: [(&str, &str); 0] = [];

/// Returns a parameter's value moved by a tenth, up or down, at least by one.
fn moved(param: &Param, up: bool) -> Option<Param> {
    let mut moved = param.clone();
    let shift = |value: &mut dsl::typed::Expr| -> bool {
        let ExprKind::Number { mantissa, decimals } = value.kind else { return false };
        // A digit more, so that a tenth of a small number is one.
        let (fine, decimals) = (mantissa * 10, decimals + 1);
        let moved = if up { fine + fine / 10 } else { fine - fine / 10 };
        let whole = matches!(value.unit, dsl::typed::Unit::Int | dsl::typed::Unit::Duration);
        value.kind = if whole {
            let step = (mantissa / 10).max(1);
            let mantissa = if up { mantissa + step } else { mantissa - step };
            ExprKind::Number { mantissa, decimals: decimals - 1 }
        } else {
            ExprKind::Number { mantissa: moved, decimals }
        };
        mantissa != 0
    };
    let mut changed = shift(&mut moved.value);
    for (_, value) in &mut moved.table {
        changed |= shift(value);
    }
    moved.range = None;
    changed.then_some(moved)
}

#[test]
fn every_limit_moved_by_a_tenth_breaks_a_test() {
    let mut free = Vec::new();
    for (name, text) in SHIPPED {
        let whole = checked(name, text);
        for (block, risk) in whole.program.risk.iter().enumerate() {
            for (index, param) in risk.params.iter().enumerate() {
                let breaks = [true, false].into_iter().any(|up| {
                    let Some(moved) = moved(param, up) else { return true };
                    let mut other = whole.clone();
                    other.program.risk[block].params[index] = moved;
                    !failures(&run(&other)).is_empty()
                });
                if !breaks && !FREE.contains(&(risk.name.as_str(), param.name.as_str())) {
                    free.push(format!("{name} {}.{}", risk.name, param.name));
                }
            }
        }
    }
    assert_eq!(free, [""; 0], "no test of these files knows these limits");
}

#[test]
fn a_test_that_expects_the_wrong_thing_fails_with_what_was_found() {
    let text = "rules 1
        risk r soft { applies to all
          deny BIG when order.value > 100 USDT }
        test \"wrong\" for r {
          given market BTC_USDT { bid = 50_000 ask = 50_001 }
          submit buy 0.001 BTC_USDT at 50_000
          expect deny BIG
        }
        test \"state\" for r { expect state halted }
        test \"no market\" for r {
          submit buy 0.001 BTC_USDT at 50_000
          expect deny BIG
        }
        test \"off the grid\" for r { submit buy 0.00001 BTC_USDT at 50_000 expect approve }";
    let checked = checked("t.rules", text);
    let report = run(&checked);
    let failures = failures(&report);
    let wanted = [
        "r: wrong: expected deny BIG, found approve qty 0.001",
        "r: state: expected state halted, found state running",
        "r: off the grid: 0.00001: ",
    ];
    assert_eq!(failures.len(), wanted.len(), "{failures:?}");
    for (found, wanted) in failures.iter().zip(wanted) {
        assert!(found.starts_with(wanted), "{found}");
    }
    let rule = &report.coverage[0];
    assert!(rule.silent && rule.spoke && rule.line == 3, "{rule:?}");
}

#[test]
fn a_strategy_on_a_timer_is_tried_tick_by_tick() {
    let text = "rules 1
        strategy s { on timer 5s of BTC_USDT
          series mean = sma(market.last, 3)
          state ticks : int = 0
          update ticks = ticks + 1 on timer
          enter long UP when market.last > mean and ticks >= 4 size 1 lots at_market }
        test \"every five seconds\" for s {
          feed bars [100, 100, 100, 101]
          expect no signal
          advance 4999ms
          expect no signal
          feed bars [102]
          expect signal long UP at bars 5
        }
        test \"the next tick sees the last price\" for s {
          feed bars [100, 100, 100, 101]
          advance 5s
          expect signal long UP at bars 4
        }";
    let report = run(&checked("t.rules", text));
    assert_eq!(failures(&report), [""; 0]);
    assert_eq!(report.covered_bp(), 10_000);
}
