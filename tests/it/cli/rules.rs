//! `engine rules test` over everything that is shown to work: what ships, the samples of the
//! design, and the examples of the page about the language.

use std::path::{Path, PathBuf};

use tests::program::{Ran, run};

fn tested(path: &Path, more: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let path = path.display().to_string();
    run(folder.path(), &[&["rules", "test", path.as_str(), "--json"], more].concat())
}

/// Asserts that the tests of a file pass, and returns how many there are.
#[track_caller]
fn passes(path: &Path, more: &[&str]) -> u64 {
    let ran = tested(path, more);
    let told = ran.json();
    assert_eq!(told["failed"], 0, "{}: {told:#}", path.display());
    assert_eq!(ran.code, Some(0), "{}: {told:#}", path.display());
    told["passed"].as_u64().unwrap()
}

#[test]
fn the_tests_of_what_ships_pass_and_try_every_rule_both_ways() {
    let folder = std::fs::read_dir(tests::root().join("rules")).unwrap();
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rules"));
    files.sort();
    assert!(files.len() >= 7, "{files:?}");
    for path in files {
        assert!(passes(&path, &["--coverage", "100"]) > 0, "{} holds no test", path.display());
    }
}

#[test]
fn the_samples_of_the_design_pass_their_tests() {
    for (name, tests) in [
        ("crash.rules", 3),
        ("mm_reversion.rules", 1),
        ("momentum.rules", 3),
        ("risk_limits.rules", 11),
    ] {
        // Beside the recorded data.
        let Some(path) = tests::recorded(&format!("../design/rules-samples/{name}")) else {
            return;
        };
        assert_eq!(passes(&path, &[]), tests, "{name}");
    }
}

/// A sample ships as it is, with tests added until each of its rules is tried both ways.
#[test]
fn the_samples_of_the_design_ship_line_by_line() {
    for name in ["crash.rules", "mm_reversion.rules", "momentum.rules", "risk_limits.rules"] {
        let Some(path) = tests::recorded(&format!("../design/rules-samples/{name}")) else {
            return;
        };
        let sample = std::fs::read_to_string(path).unwrap();
        let ships = std::fs::read_to_string(tests::root().join("rules").join(name)).unwrap();
        let mut lines = ships.lines();
        for line in sample.lines() {
            assert!(lines.any(|shipped| shipped == line), "{name} ships without `{line}`");
        }
        let rules = |text: &str| text.lines().take_while(|line| !line.starts_with("test ")).count();
        assert_eq!(rules(&ships), rules(&sample), "{name} ships with other rules");
    }
}

#[test]
fn the_tests_in_the_examples_of_the_language_pass() {
    let page = std::fs::read_to_string(tests::root().join("rules/README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut passed = 0;
    for (nth, example) in page.split("```rules\n").skip(1).enumerate() {
        let path = folder.path().join(format!("example-{nth}.rules"));
        std::fs::write(&path, example.split("```").next().unwrap()).unwrap();
        passed += passes(&path, &[]);
    }
    assert!(passed >= 2, "{passed} tests");
}

#[test]
fn a_failed_test_and_an_untried_rule_are_findings_that_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.rules");
    let text = "rules 1
        risk small hard { applies to all cap MOST value to 1_000 USDT }
        test \"t\" for small { 
          given market BTC_USDT { bid = 499.9 ask = 500.0 }
          submit buy 1 BTC_USDT at 500.0
          expect approve qty 1 }";
    std::fs::write(&path, text).unwrap();
    assert_eq!(tested(&path, &[]).code, Some(0));
    let told = tested(&path, &["--coverage", "100"]);
    assert_eq!(told.code, Some(1));
    let told = told.json();
    assert_eq!(
        (&told["uncovered"][0]["spoke"], &told["coverage"]),
        (&false.into(), &"0.00".into())
    );
    let line = path.display().to_string();
    let told = run(folder.path(), &["rules", "test", &line]);
    let rule = format!(
        "  MOST of small at {line}:2: approved; NOT TRIED: no test makes it speak
rules tried both ways: 0 of 1 (0.00 %)
1 passed, 0 failed
"
    );
    assert_eq!(told.stdout, rule);
    std::fs::write(&path, text.replace("qty 1 }", "qty 2 }")).unwrap();
    let told = tested(&path, &[]);
    assert_eq!((told.code, &told.json()["tests"][0]["found"]), (Some(1), &"approve qty 1".into()));
}

#[test]
fn each_code_of_a_finding_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let explained = |code: &str, more: &[&str]| {
        run(folder.path(), &[&["rules", "explain", code], more].concat())
    };
    let ran = explained("R0203", &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let (title, text) = ran.stdout.split_once("\n\n").unwrap();
    assert!(title.starts_with("R0203: ") && text.len() > 40, "{}", ran.stdout);
    let told = explained("r0203", &["--json"]).json();
    assert_eq!(told["code"], "R0203");
    assert!(ran.stdout.contains(told["text"].as_str().unwrap()), "{told}");
    let none = explained("R203", &[]);
    assert_eq!(none.code, Some(2), "{none:?}");
    assert!(none.stderr.contains("Did you mean R0203?"), "{none:?}");
}
