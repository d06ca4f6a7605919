//! What is allowed and probably not meant. Run only on blocks without errors.

use std::collections::BTreeMap;

use crate::diagnostics::Diagnostic;
use crate::schema::Field;
use crate::span::Span;
use crate::typed::{Compare, Expr, ExprKind, RiskBlock, Strategy};

use super::params::order;
use super::scope::Scope;

/// Fields by which a rule may refuse an exit for its size.
const SIZES: [Field; 4] =
    [Field::OrderQty, Field::OrderNotional, Field::OrderValue, Field::AccountExposureAfter];

/// Lints of a risk block.
pub(super) fn risk(block: &RiskBlock, scope: &Scope<'_>, out: &mut Vec<Diagnostic>) {
    unused(scope, out);
    let latches = block.latches.iter().map(|latch| (&latch.rule, ""));
    let caps = block.caps.iter().map(|cap| (&cap.rule, ""));
    let checks = block.checks.iter().map(|check| (&check.rule, ""));
    let cooldowns = block.cooldowns.iter().map(|cooldown| (&cooldown.rule, ""));
    let throttles = block.throttles.iter().map(|throttle| (&throttle.rule, ""));
    duplicates(latches.chain(caps).chain(checks).chain(cooldowns).chain(throttles), out);
    let rates = block.cooldowns.iter().map(|cooldown| (&cooldown.rule, &cooldown.unless));
    let rates = rates.chain(block.throttles.iter().map(|one| (&one.rule, &one.unless)));
    for (rule, unless) in rates {
        if unless.is_none() {
            let message = format!("{} can hold an exit back", rule.code);
            let fault = Diagnostic::warning("R0416", rule.span, message);
            out.push(fault.help("add `unless order.reduces`"));
        }
    }
    for latch in &block.latches {
        constant(&latch.when, out);
    }
    for check in &block.checks {
        constant(&check.condition, out);
        let fields = scope.fields(&check.condition);
        if check.unless.is_none() && SIZES.iter().any(|size| fields.contains(size)) {
            let message = format!("{} can refuse an exit for its size", check.rule.code);
            let fault = Diagnostic::warning("R0406", check.condition.span, message);
            out.push(fault.help("add `unless order.reduces`"));
        }
    }
    for cap in &block.caps {
        let moves = !scope.fields(&cap.bound).is_empty();
        if moves && cap.unless.is_none() {
            let message = format!("{} can fall to nothing and trap an exit", cap.rule.code);
            let fault = Diagnostic::warning("R0407", cap.bound.span, message);
            out.push(fault.help("add `unless order.reduces`"));
        }
    }
    for (index, check) in block.checks.iter().enumerate() {
        let same = block.checks.iter().take(index).find(|other| {
            other.require == check.require
                && other.condition == check.condition
                && other.unless == check.unless
        });
        if let Some(first) = same {
            let message = format!("{} says the same as {}", check.rule.code, first.rule.code);
            let fault = Diagnostic::warning("R0411", check.condition.span, message);
            out.push(fault.also(first.condition.span, "first said here"));
        }
    }
}

/// Lints of a strategy.
pub(super) fn strategy(strategy: &Strategy, scope: &Scope<'_>, out: &mut Vec<Diagnostic>) {
    unused(scope, out);
    let rules = strategy.rules.iter();
    let sides = rules.map(|rule| {
        let side = match (rule.exit, rule.long) {
            (false, true) => "enter long",
            (false, false) => "enter short",
            (true, true) => "exit long",
            (true, false) => "exit short",
        };
        (&rule.rule, side)
    });
    duplicates(sides, out);
    for rule in &strategy.rules {
        constant(&rule.when, out);
        let side = if rule.long { "long" } else { "short" };
        let leaves = strategy.rules.iter().any(|other| {
            other.long == rule.long && other.exit || other.long != rule.long && !other.exit
        });
        if !rule.exit && !leaves {
            let message = format!("nothing ever leaves what {} enters", rule.rule.code);
            let fault = Diagnostic::warning("R0410", rule.rule.span, message);
            out.push(fault.help(format!("add an `exit {side}`")));
        }
    }
    for (index, rule) in strategy.rules.iter().enumerate().filter(|(_, rule)| !rule.exit) {
        let opposite = strategy.rules.iter().take(index).find(|other| {
            !other.exit
                && other.long != rule.long
                && other.when == rule.when
                && other.unless == rule.unless
        });
        if let Some(first) = opposite {
            let message = format!("{} and {} are true at once", first.rule.code, rule.rule.code);
            let fault = Diagnostic::warning("R0420", rule.when.span, message);
            let fault = fault.also(first.when.span, "the opposite side enters here");
            out.push(fault.help("the first declared wins: this one never enters"));
        }
    }
    for param in &strategy.params {
        for (symbol, value) in &param.table {
            let runs =
                strategy.symbols.iter().any(|(known, _)| known.fits(symbol) || symbol.fits(known));
            if !runs {
                let message = format!("the strategy does not run on {symbol}");
                out.push(Diagnostic::warning("R0414", value.span, message));
            }
        }
    }
}

/// Names that nothing reads.
fn unused(scope: &Scope<'_>, out: &mut Vec<Diagnostic>) {
    let mut warn = |code, what: &str, name: &str, span: Span| {
        if !scope.is_used(name) {
            let message = format!("{what} `{name}` is never used");
            out.push(Diagnostic::warning(code, span, message).help("remove it"));
        }
    };
    for param in &scope.params {
        warn("R0401", "parameter", &param.name, param.span);
    }
    for item in &scope.lets {
        warn("R0402", "let", &item.name, item.span);
    }
    for state in &scope.states {
        warn("R0415", "state", &state.name, state.span);
    }
    for series in &scope.series {
        if scope.declared(&series.name).is_some() {
            warn("R0403", "series", &series.name, series.span);
        }
    }
}

/// Two rules with one code: a refusal would not say which.
fn duplicates<'a>(
    rules: impl Iterator<Item = (&'a crate::typed::RuleName, &'static str)>,
    out: &mut Vec<Diagnostic>,
) {
    let mut known: BTreeMap<(&str, &str), Span> = BTreeMap::new();
    for (rule, side) in rules {
        if let Some(first) = known.get(&(side, rule.code.as_str())) {
            let message = format!("reason code {} is used twice", rule.code);
            let fault = Diagnostic::warning("R0408", rule.span, message);
            out.push(fault.also(*first, "first used here").help("each rule has a code of its own"));
            continue;
        }
        known.insert((side, rule.code.as_str()), rule.span);
    }
}

/// Conditions that are the same on every event.
fn constant(condition: &Expr, out: &mut Vec<Diagnostic>) {
    match truth(condition) {
        Some(true) => {
            let fault = Diagnostic::warning("R0413", condition.span, "condition is always true");
            out.push(fault);
        }
        Some(false) => {
            let fault = Diagnostic::warning("R0412", condition.span, "condition is never true");
            out.push(fault);
        }
        None => {}
    }
}

/// Returns the truth of a condition over constants.
fn truth(expr: &Expr) -> Option<bool> {
    if let ExprKind::Bool(truth) = &expr.kind {
        Some(*truth)
    } else if let ExprKind::Not(a) = &expr.kind {
        truth(a).map(|truth| !truth)
    } else if let ExprKind::And(a, b) = &expr.kind {
        match (truth(a), truth(b)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            (None, _) | (_, None) => None,
        }
    } else if let ExprKind::Or(a, b) = &expr.kind {
        match (truth(a), truth(b)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            (None, _) | (_, None) => None,
        }
    } else if let ExprKind::Compare(op, a, b) = &expr.kind {
        let is_same = a == b && !a.nullable;
        let order = if is_same { std::cmp::Ordering::Equal } else { order(a, b)? };
        Some(match op {
            Compare::Less => order.is_lt(),
            Compare::LessEq => order.is_le(),
            Compare::Greater => order.is_gt(),
            Compare::GreaterEq => order.is_ge(),
            Compare::Equal => order.is_eq(),
            Compare::NotEqual => order.is_ne(),
        })
    } else {
        None
    }
}
