//! `engine slo`, `--latency-log` and `journal dump --explain`, as scripts use them.

use std::path::Path;

use serde_json::Value;
use tests::program::{Ran, run};

/// Runs a command line without quotes.
fn engine(folder: &Path, line: &str) -> Ran {
    run(folder, &line.split_whitespace().collect::<Vec<_>>())
}

/// Objectives that every session meets, misses, or says nothing of.
const OBJECTIVES: &str = r#"
[[objective]]
name = "an hour is enough"
interval = "tick_to_decision"
percentile = 99
target = "1h"
window = "all"
count = 10
[[objective]]
name = "a nanosecond is not"
interval = "tick_to_decision"
percentile = 50
target = "1ns"
window = "all"
count = 10
[[objective]]
name = "nobody has so many"
interval = "tick_to_decision"
percentile = 50
target = "1s"
window = "all"
count = 1_000_000_000
[[objective]]
name = "up"
measure = "uptime"
target = "50%"
window = "all"
count = 60
[[objective]]
name = "answered"
interval = "order_ack"
percentile = 99
target = "1s"
window = "all"
count = 5
"#;

/// Returns the verdicts by name.
fn verdicts(ran: &Ran) -> Vec<(String, Option<bool>)> {
    let result = ran.json();
    let rows = result["objectives"].as_array().unwrap();
    rows.iter()
        .map(|row| {
            for field in ["name", "target", "actual", "met", "window", "count"] {
                assert!(row.get(field).is_some(), "no {field} in {row}");
            }
            (row["name"].as_str().unwrap().to_owned(), row["met"].as_bool())
        })
        .collect()
}

#[test]
fn objectives_are_judged_by_a_log_and_by_a_journal() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ran = engine(folder, "demo --seconds 300 --json --journal J --latency-log l.hlog");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    std::fs::write(folder.join("o.toml"), OBJECTIVES).unwrap();
    let judged = engine(folder, "slo l.hlog --objectives o.toml --json");
    assert_eq!(judged.code, Some(1), "one is missed: {judged:?}");
    let met: Vec<Option<bool>> = verdicts(&judged).into_iter().map(|(_, met)| met).collect();
    assert_eq!(met, [Some(true), Some(false), None, None, None], "{}", judged.stdout);
    let result = judged.json();
    assert_eq!(result["objectives"][0]["count"], ran.json()["decisions"], "all are in the log");

    let judged = engine(folder, "slo J --objectives o.toml --json");
    assert_eq!(judged.code, Some(0), "{judged:?}");
    let met: Vec<Option<bool>> = verdicts(&judged).into_iter().map(|(_, met)| met).collect();
    assert_eq!(met, [None, None, None, Some(true), Some(true)], "{}", judged.stdout);
    assert_eq!(engine(folder, "slo J --objectives o.toml --strict").code, Some(1));
    let shown = engine(folder, "slo J --objectives o.toml");
    assert!(shown.stdout.contains("no verdict") && shown.stdout.contains("met"), "{shown:?}");
    let again = engine(folder, "demo --seconds 60 --journal none --latency-log l.hlog");
    assert_eq!(again.code, Some(2), "a log is never overwritten: {again:?}");
}

#[test]
fn objectives_that_cannot_be_judged_are_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("l.hlog"), "no log at all\n").unwrap();
    std::fs::write(folder.join("good.toml"), OBJECTIVES).unwrap();
    let bad = OBJECTIVES.replace("tick_to_decision", "tick_to_tick");
    std::fs::write(folder.join("bad.toml"), bad).unwrap();
    let ran = engine(folder, "slo l.hlog --objectives bad.toml");
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("no interval is called `tick_to_tick`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("there are feed_delay, wire_to_feed"), "{}", ran.stderr);
    assert_eq!(engine(folder, "slo l.hlog --objectives none.toml").code, Some(2));
    assert_eq!(engine(folder, "slo none --objectives good.toml").code, Some(2));
    let ran = engine(folder, "slo l.hlog --objectives good.toml");
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stderr.contains("no histogram log"), "{}", ran.stderr);
}

#[test]
fn each_refusal_is_explained_with_its_rule_values_and_terms() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ran = engine(folder, "demo --seconds 300 --json --journal J");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let refusals = ran.json()["refusals"].clone();
    let dumped = engine(folder, "journal dump J --explain --json");
    assert_eq!(dumped.code, Some(0), "{dumped:?}");
    let mut counted = std::collections::BTreeMap::new();
    for line in dumped.stdout.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let code = row["code"].as_str().unwrap().to_owned();
        assert!(row["seq"].is_u64() && row["ts"].is_u64(), "{row}");
        assert!(row["order"].as_str().unwrap().contains('.'), "{row}");
        assert!(!row["strategy"].as_str().unwrap().is_empty(), "{row}");
        if row["file"].is_string() {
            assert!(row["line"].as_u64() > Some(0), "{row}");
            assert!(!row["condition"].as_str().unwrap().is_empty(), "{row}");
            assert!(!row["terms"].as_array().unwrap().is_empty(), "{row}");
        } else {
            assert!(row["value"].is_string() && row["limit"].is_string(), "{row}");
        }
        *counted.entry(code).or_insert(0_u64) += 1;
    }
    let counted: Value = serde_json::to_value(&counted).unwrap();
    assert_eq!(counted, refusals, "each refusal, once");
    assert!(refusals.as_object().unwrap().len() >= 5, "{refusals}");
    let code = "FAR_AWAY";
    let one = engine(folder, &format!("journal dump J --explain --code {code} --limit 1"));
    assert_eq!(one.code, Some(0), "{one:?}");
    for part in [code, "limits.rules:", ": value ", ", limit ", "passive_band = 10%", "fair = "] {
        assert!(one.stdout.contains(part), "no `{part}` in\n{}", one.stdout);
    }
    println!("{}", one.stdout);
    let unknown = engine(folder, "journal dump J --explain --code NO_SUCH");
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.stderr.contains("FAR_AWAY"), "{}", unknown.stderr);
    assert_eq!(engine(folder, "journal dump J --code FAR_AWAY").code, Some(2));
}
