//! What ships as rules: each file is right, and says by a test and an invariant what it is for.

use dsl::diagnostics::Severity;
use dsl::span::Source;

use super::tree::{File, clean, sees};

fn unproved(file: &File) -> Vec<String> {
    let is_shipped = file.path.starts_with("rules/") && file.is("rules");
    if !is_shipped {
        return Vec::new();
    }
    let source = Source { name: file.path.clone(), text: file.text.clone() };
    let checked = dsl::check::check(&[source]);
    let errors = checked.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    let mut found: Vec<String> =
        errors.map(|error| format!("{}: {}", file.path, error.message)).collect();
    if found.is_empty() && checked.program.tests.is_empty() {
        found.push(format!("{}: holds no test", file.path));
    }
    // An invariant is about verdicts, so a file of strategies alone has none to state.
    let judges = !checked.program.risk.is_empty();
    if found.is_empty() && judges && checked.program.invariants.is_empty() {
        found.push(format!("{}: holds no invariant", file.path));
    }
    found
}

#[test]
fn every_shipped_file_of_rules_has_a_test_and_an_invariant() {
    clean(unproved);
    let risk = "rules 1\nrisk a hard {\n  applies to all\n  cap MOST value to 1_000 USDT\n}\n";
    let test = "test \"t\" for a {\n  submit buy 1 BTC_USDT at 50_000.0\n  expect deny MOST\n}\n";
    let invariant =
        "invariant i for a {\n  prove order.approved implies order.value <= 1 USDT\n}\n";
    let good = format!("{risk}{test}{invariant}");
    sees(unproved, "rules/a.rules", risk, &good);
    sees(unproved, "rules/a.rules", &format!("{risk}{test}"), &good);
    sees(unproved, "rules/a.rules", &format!("{risk}{invariant}"), &good);
    sees(unproved, "rules/a.rules", "rules 1\nrisk a {\n  applies to all\n}\n", &good);
    assert_eq!(unproved(&File::made("tests/fixtures/a.rules", risk)), [""; 0]);
}
