//! `engine rules test`: what failed, where, and with which values; and which rules were tried.

use dsl::span::{Source, Span};
use engine::program::{Checked, RuleKind};
use engine::trial::{self, Covered, Failure as Failed, Outcome, Report};
use model::event::Body;
use serde_json::{Value, json};

use super::super::cli::Cli;
use super::super::exit::{Failure, Finding};
use super::super::journal::record::side_of;
use super::super::show;

/// Runs the tests of some files.
///
/// # Errors
/// [`Failure::Rules`] when the files have errors.
pub(super) fn run(cli: &Cli, sources: Vec<Source>, wanted: Option<u8>) -> Result<Finding, Failure> {
    let checked = super::load(sources)?;
    let report = trial::run(&checked);
    let failed = report.failed().count();
    let enough = wanted.is_none_or(|percent| report.covered_bp() >= usize::from(percent) * 100);
    if cli.json {
        show::out(&object(&checked, &report).to_string());
    } else {
        for outcome in report.failed() {
            for line in told(&checked, outcome) {
                show::out(&line);
            }
        }
        coverage(&report);
        let passed = report.outcomes.len().saturating_sub(failed);
        show::out(&format!("{passed} passed, {failed} failed"));
        if let Some(percent) = wanted.filter(|_| !enough) {
            show::out(&format!("{percent} % of the rules were to be tried both ways"));
        }
    }
    Ok(if failed == 0 && enough { Finding::Nothing } else { Finding::Something })
}

/// Returns `file:line` of a place.
fn place(sources: &[Source], span: Span) -> (String, u32) {
    match sources.get(usize::from(span.source)) {
        Some(source) => (source.name.clone(), source.position(span.start).0),
        None => (String::new(), 0),
    }
}

/// Returns what was expected and found, and the values of the verdict.
fn words(checked: &Checked, outcome: &Outcome) -> (Option<String>, Option<String>, Option<String>) {
    match &outcome.failure {
        None => (None, None, None),
        Some((Failed::Broken(why), _)) => (None, Some(why.clone()), None),
        Some((Failed::Differs { wanted, found }, _)) => {
            (Some(wanted.0.clone()), Some(found.text.clone()), values(checked, outcome))
        }
    }
}

/// Returns the two sides that the deciding rule compared, and where it stands.
#[expect(clippy::wildcard_enum_match_arm, reason = "a verdict is one kind of record")]
fn values(checked: &Checked, outcome: &Outcome) -> Option<String> {
    let (Failed::Differs { found, .. }, _) = outcome.failure.as_ref()? else { return None };
    let verdict = found.verdict?;
    let decision = match verdict.body() {
        Body::Decision(decision) => decision,
        _ => return None,
    };
    let rules = &outcome.rules.as_ref()?.rules;
    let rule = rules.get(usize::from(decision.code.rule_index()?))?;
    let why = match decision.cause {
        model::order::Cause::Known => {
            let block = checked.program.risk.iter().find(|block| block.name == rule.block)?;
            let place = usize::try_from(verdict.instrument.0).ok()?;
            let instrument = outcome.instruments.get(place);
            let side = |raw| side_of(block, &rule.code, raw, instrument);
            // A condition that is no comparison has no sides.
            match (side(decision.observed), side(decision.limit)) {
                (Some(value), Some(limit)) => format!("value {value}, limit {limit}"),
                _ => "its condition is true".to_owned(),
            }
        }
        cause => format!("unknown: {cause:?}"),
    };
    Some(format!("{} at {}:{}: {why}", rule.code, rule.file, rule.line))
}

fn told(checked: &Checked, outcome: &Outcome) -> Vec<String> {
    let Some((_, span)) = &outcome.failure else { return Vec::new() };
    let (file, line) = place(&checked.sources, *span);
    let mut lines = vec![format!("FAILED {}: {}", outcome.block, outcome.title)];
    lines.push(format!("  at {file}:{line}"));
    let (wanted, found, values) = words(checked, outcome);
    if let Some(wanted) = wanted {
        lines.push(format!("  expected {wanted}"));
    }
    if let Some(found) = found {
        lines.push(format!("  found {found}"));
    }
    lines.extend(values.map(|values| format!("  {values}")));
    lines
}

fn coverage(report: &Report) {
    for rule in &report.coverage {
        let Covered { block, code, file, line, .. } = rule;
        show::out(&format!("  {code} of {block} at {file}:{line}: {}", tried(rule)));
    }
    let tried = report.coverage.len().saturating_sub(report.uncovered().count());
    let percent = percent(report);
    show::out(&format!(
        "rules tried both ways: {tried} of {} ({percent} %)",
        report.coverage.len()
    ));
}

/// Says what the tests saw of a rule, in the words of its kind.
fn tried(rule: &Covered) -> &'static str {
    if rule.kind == RuleKind::Signal {
        return match (rule.spoke, rule.silent) {
            (true, true) => "fired and not fired",
            (true, false) => "fired; NOT TRIED: no test has its condition false on a trigger",
            (false, true) => "not fired; NOT TRIED: no test makes it fire",
            (false, false) => "NOT TRIED: no test reaches it",
        };
    }
    match (rule.spoke, rule.silent) {
        (true, true) => "refused and approved",
        (true, false) => "refused; NOT TRIED: no test lets an order pass by it",
        (false, true) => "approved; NOT TRIED: no test makes it speak",
        (false, false) => "NOT TRIED: no test reaches it",
    }
}

fn percent(report: &Report) -> String {
    model::decimal::format_mantissa(i128::try_from(report.covered_bp()).unwrap_or(0), 2)
}

fn object(checked: &Checked, report: &Report) -> Value {
    let files: Vec<&str> = checked.sources.iter().map(|source| source.name.as_str()).collect();
    let tests: Vec<Value> = report
        .outcomes
        .iter()
        .map(|outcome| {
            let at = outcome.failure.as_ref().map_or(outcome.span, |(_, span)| *span);
            let (file, line) = place(&checked.sources, at);
            let (expected, found, values) = words(checked, outcome);
            json!({
                "block": outcome.block,
                "test": outcome.title,
                "file": file,
                "line": line,
                "passed": outcome.failure.is_none(),
                "expected": expected,
                "found": found,
                "values": values,
            })
        })
        .collect();
    let object = |rule: &Covered| {
        json!({
            "block": rule.block,
            "rule": rule.code,
            "file": rule.file,
            "line": rule.line,
            "spoke": rule.spoke,
            "silent": rule.silent,
        })
    };
    let rules: Vec<Value> = report.coverage.iter().map(object).collect();
    let uncovered: Vec<Value> = report.uncovered().map(object).collect();
    let failed = report.failed().count();
    json!({
        "files": files,
        "passed": report.outcomes.len().saturating_sub(failed),
        "failed": failed,
        "coverage": percent(report),
        "rules": rules,
        "uncovered": uncovered,
        "tests": tests,
    })
}
