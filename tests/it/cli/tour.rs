//! The demonstration that runs without arguments: every act is seen, by what the journals hold.

use std::path::Path;

use tests::program::{Ran, run};

fn engine(folder: &Path, line: &str) -> Ran {
    run(folder, &line.split_whitespace().collect::<Vec<_>>())
}

#[test]
fn the_demonstration_shows_every_act_and_leaves_journals_that_verify() {
    let folder = tempfile::tempdir().unwrap();
    let ran = engine(folder.path(), "demo --seed 1");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let acts: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("  [")).collect();
    assert_eq!(acts.len(), 8, "{}", ran.stdout);
    for (act, words) in acts.iter().zip([
        "two strategies trade",
        "a cap cuts an order",
        "a feed gap",
        "a crash",
        "a stop-loss passes under the latch",
        "killed by SIGKILL",
        "a new day ends the day's latch",
        "replay decides the same",
    ]) {
        assert!(act.starts_with("  [x] ") && act.contains(words), "{act}");
    }
    assert!(acts[2].contains("FEED_READY"), "{}", acts[2]);
    assert!(acts[3].contains("DEMO_DRAWDOWN"), "{}", acts[3]);
    assert!(acts[4].contains("HOLD_STOP"), "{}", acts[4]);
    assert!(acts[5].contains("1 latches") && acts[5].contains("all equal"), "{}", acts[5]);
    // The table says where, how and into what it measured.
    for words in ["Latency in microseconds", "    host ", "    run ", "tick_to_wire", "Try next:"] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains('\u{1b}'), "plain lines where stdout is no terminal");
    let tour = "sluice-data/journal/tour-1";
    for part in ["killed", "resumed"] {
        let verified = engine(folder.path(), &format!("journal verify {tour}/{part}"));
        assert_eq!(verified.code, Some(0), "{verified:?}");
    }
    let replayed = engine(folder.path(), &format!("replay {tour}/killed --json"));
    assert_eq!((replayed.code, &replayed.json()["equal"]), (Some(0), &true.into()));
}
