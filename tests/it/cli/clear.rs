//! Latches that a person clears in a running session: what is refused, what an allowance holds for,
//! and that a replay knows it from the journal alone.

use std::path::Path;

use serde_json::Value;
use tests::program::{Ran, run, until};

use super::level::{engine, proved, records, session_under};

/// Arms once fees and spread have cost more, and stays true: nothing is earned back when flat. Its
/// measure is no day's, since days are short at this speed.
const LOST: &str = "reduce_only LOST until manual when account.drawdown >= 1bps";

fn clear(folder: &Path, code: &str, allow: &[&str]) -> Ran {
    clear_by(folder, "ann", code, allow)
}

fn clear_by(folder: &Path, who: &str, code: &str, allow: &[&str]) -> Ran {
    let words = ["clear", code, "--by", who, "--reason", "seen", "--json"];
    run(folder, &[&words, allow].concat())
}

#[track_caller]
fn refused(folder: &Path, code: &str, allow: &[&str], says: &str) -> Value {
    let ran = clear(folder, code, allow);
    let answer = ran.json();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let why = answer["refused"].as_str().unwrap();
    assert!(why.contains(says) && answer["allowed"].is_null(), "{answer}");
    answer
}

/// Returns the transitions of the latch, each with its seq.
fn transitions(folder: &Path) -> Vec<(u64, String, String)> {
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    let rows = records(folder, "LatchChanged");
    rows.iter()
        .filter(|one| one["rule"] == "LOST")
        .map(|one| (one["seq"].as_u64().unwrap(), text(one, "state"), text(one, "limit")))
        .collect()
}

#[test]
fn a_latch_is_cleared_by_a_person_and_with_an_allowance_where_it_is_still_true() {
    for topology in ["fused", "split"] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut child = session_under(folder, topology, "20s", LOST);
        let exits = || records(folder, "Decision").iter().any(|one| one["reduces"] == true);
        until(&mut child, "the latch", || !transitions(folder).is_empty() && exits());

        refused(folder, "NOPE", &[], "no latch of that name is armed");
        let still = refused(folder, "LOST", &[], "its condition is true");
        let value: f64 = still["value"].as_str().unwrap().parse().unwrap();
        assert!(value >= 0.0001 && still["limit"] == "0.0001", "{still}");
        refused(folder, "LOST", &["--allow", "5 USDT"], "no share or amount of that unit");
        refused(folder, "LOST", &["--allow", "0.5bps"], "allow more than that");
        for (words, says) in [
            ("clear LOST --by ann", "say who and why"),
            ("clear LOST --reason seen", "say who and why"),
            ("clear LOST --by ann --reason seen --allow 12", "a limit is a share such as 12%"),
        ] {
            let ran = engine(folder, words);
            assert!(ran.code == Some(2) && ran.stderr.contains(says), "{words}: {ran:?}");
        }
        let before = transitions(folder).len();
        assert_eq!(before, 1, "nothing was cleared by what was refused");

        // Room for some more orders; then it arms anew, by what was allowed.
        let points = (value * 10_000.0).ceil() + 3.0;
        let allow = format!("{points}bps");
        let allow = ["--allow", &allow];
        // The block is hard: it takes two.
        refused(folder, "LOST", &allow, "another person has to allow the same");
        refused(folder, "LOST", &allow, "another person has to allow the same");
        assert_eq!(transitions(folder).len(), 1, "one person allowed it");
        let ran = clear_by(folder, "bob", "LOST", &allow);
        let done = ran.json();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let limit = done["allowed"].as_str().unwrap();
        assert!((limit.parse::<f64>().unwrap() * 10_000.0 - points).abs() < 1e-9, "{done}");
        assert!(done["until"].is_null(), "the measure has no end: {done}");
        until(&mut child, "it again", || transitions(folder).len() > 2);
        proved(child, folder);

        let told = transitions(folder);
        let (at, state, _) = &told[1];
        assert_eq!((*at, state.as_str()), (done["seq"].as_u64().unwrap(), "Ended"), "{told:?}");
        let (again, state, by) = &told[2];
        assert_eq!((state.as_str(), by.as_str()), ("Armed", limit), "{told:?}");
        let enters = |from: u64, to: u64| {
            let decisions = records(folder, "Decision");
            let passed = decisions.iter().filter(|one| {
                (from..to).contains(&one["seq"].as_u64().unwrap())
                    && one["verdict"] == "Approve"
                    && one["reduces"] == false
            });
            passed.count()
        };
        assert_eq!(enters(told[0].0 + 1, *at), 0, "it bound until it was cleared");
        assert!(enters(*at, *again) > 0, "what was allowed let nothing pass");
        let steps = records(folder, "ClearStep");
        let results: Vec<&str> = steps.iter().map(|one| one["result"].as_str().unwrap()).collect();
        assert_eq!(
            results,
            ["NotArmed", "StillTrue", "NoLimit", "StillTrue", "Asked", "Asked", "Cleared"]
        );
    }
}

#[test]
fn where_no_session_runs_nothing_is_cleared() {
    let folder = tempfile::tempdir().unwrap();
    let ran = clear(folder.path(), "LOST", &[]);
    assert!(ran.code == Some(2) && ran.stderr.contains("no session runs"), "{ran:?}");
}

/// docs/kill-switch.md as its reader follows it, on a session under hard rules that read the level.
#[test]
fn the_commands_of_the_page_do_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rules = format!("deny HALTED when control.level >= 2\n  {LOST}");
    let mut child = session_under(folder, "fused", "20s", &rules.replace("LOST", "DAILY_DRAWDOWN"));
    until(&mut child, "the latch", || !records(folder, "LatchChanged").is_empty());
    let page = std::fs::read_to_string(tests::root().join("docs/kill-switch.md")).unwrap();
    let blocks = page.split("```").filter_map(|piece| piece.strip_prefix("sh\n"));
    let typed: Vec<&str> = blocks.flat_map(str::lines).collect();
    let programs = tests::program::path().parent().unwrap().to_owned();
    let shell = |line: &&str| {
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", line]).current_dir(folder).env_remove("SLUICE_DATA_DIR");
        shell.env("PATH", programs.as_os_str()).status().unwrap().code().unwrap()
    };
    let codes: Vec<i32> = typed.iter().map(shell).collect();
    // Two raise; one lowers alone and is told so, the other one does. The latch is still true; an
    // allowance takes two people too.
    assert_eq!(codes, [0, 0, 1, 0, 1, 1, 0], "{typed:#?}");
    proved(child, folder);
}
