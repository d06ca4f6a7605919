//! The kill switch: a real session, raised and lowered from outside. Each step is in the journal
//! with its proof, a replay needs nothing else, and what was in force stays in force.

use std::path::Path;
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tests::program::{Ran, finish, run, start, until};

use super::data::{TAKER, write};

pub(super) fn engine(folder: &Path, line: &str) -> Ran {
    run(folder, &line.split_whitespace().collect::<Vec<_>>())
}

/// Starts a session that always holds something, in mid-market, at a pace that lasts.
fn session(folder: &Path, topology: &str) -> Child {
    session_under(folder, topology, "10m", "")
}

/// Starts such a session, whose positions are so old at most, with more rules in its risk block.
pub(super) fn session_under(folder: &Path, topology: &str, age: &str, more: &str) -> Child {
    let rules = TAKER.replace("of BTC_USDT", "of BTC_USDT.PERP");
    let rules = rules.replace("20 USDT", "2_000 USDT").replace("> 1s", &format!("> {age}"));
    let rules = rules.replace("applies to all", &format!("applies to all\n  {more}"));
    write(folder, "taker.rules", rules);
    let file = "[data]\nseconds = 86_400\nspeed = 2_000\n[rules]\npaths = [\"taker.rules\"]\n\
                [journal]\ndir = \"J\"\nsegment = \"1MiB\"\n";
    write(folder, "x.toml", file);
    let line = format!("run --config x.toml --json --set topology.layout={topology}");
    let mut child = start(folder, &line.split(' ').collect::<Vec<_>>());
    let segment = folder.join("J/00000006.slj");
    until(&mut child, "a later segment", || segment.metadata().is_ok());
    child
}

pub(super) fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Waits until the folder keeps a level.
fn kept(child: &mut Child, folder: &Path, level: u64) -> Value {
    let read = || {
        let text = std::fs::read_to_string(folder.join("sluice-data/level.json")).ok()?;
        let kept: Value = serde_json::from_str(&text).ok()?;
        (kept["level"] == level).then_some(kept)
    };
    until(child, "its level", || read().is_some());
    read().unwrap()
}

pub(super) fn records(folder: &Path, kind: &str) -> Vec<Value> {
    engine(folder, &format!("journal dump J --kind {kind} --json")).json_lines()
}

/// Ends the session in order and replays it, in the other topology too.
pub(super) fn proved(child: Child, folder: &Path) -> Value {
    signal(&child, Signal::INT);
    let ran = finish(child);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for topology in ["fused", "split"] {
        let replayed = engine(folder, &format!("replay J --json --topology {topology}"));
        let replay = replayed.json();
        assert_eq!((replayed.code, &replay["equal"]), (Some(0), &true.into()), "{replay}");
    }
    ran.json()
}

#[track_caller]
fn commanded(folder: &Path, line: &str) -> Value {
    let words: Vec<&str> = line.split(' ').collect();
    let ran = run(folder, &[words.as_slice(), &["--json"]].concat());
    assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
    ran.json()
}

#[test]
fn levels_are_enforced_journaled_and_replayed() {
    for topology in ["fused", "split"] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut child = session(folder, topology);
        let halt = commanded(folder, "level 2");
        for field in ["level", "asked", "by", "seq", "open_orders", "positions"] {
            assert!(halt.get(field).is_some(), "{field} of {halt}");
        }
        let refused = engine(folder, "level 1");
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains("say who and why"), "{refused:?}");
        let flat = commanded(folder, "level 3 --by ann --reason gone");
        let (halt, flat) = (halt["seq"].as_u64().unwrap(), flat["seq"].as_u64().unwrap());
        let reached = || records(folder, "LevelStep");
        until(&mut child, "flat", || reached().iter().any(|step| step["step"] == "Flat"));
        let run = commanded(folder, "level 0 --by ann --reason checked")["seq"].as_u64().unwrap();
        let segments = std::fs::read_dir(folder.join("J")).unwrap().count();
        until(&mut child, "more", || {
            std::fs::read_dir(folder.join("J")).unwrap().count() > segments + 3
        });
        proved(child, folder);

        let steps: Vec<String> = reached()
            .iter()
            .map(|step| format!("{} {}", step["level"], step["step"].as_str().unwrap()))
            .collect();
        assert_eq!(steps, ["2 Set", "2 NoneOpen", "3 Set", "3 NoneOpen", "3 Flat", "0 Set"]);
        let last = reached().into_iter().find(|step| step["step"] == "Flat").unwrap();
        assert_eq!((&last["open"], &last["held"]), (&0.into(), &0.into()), "{last}");
        let exits = records(folder, "Flatten");
        let exits: Vec<u64> = exits.iter().map(|exit| exit["seq"].as_u64().unwrap()).collect();
        let none_open = reached()[3]["seq"].as_u64().unwrap();
        let done = last["seq"].as_u64().unwrap();
        assert!(flat <= none_open && none_open < exits[0] && exits[0] < done, "{exits:?}");
        assert!(exits.iter().all(|seq| *seq <= done) && done < run, "{exits:?} {done} {run}");
        // From a halt on nothing passes but the engine's own exits; afterwards all goes on.
        let approved = |from: u64, to: u64| {
            let decisions = records(folder, "Decision");
            let own = |one: &Value| {
                let seq = one["seq"].as_u64().unwrap();
                (from..to).contains(&seq) && one["verdict"] == "Approve" && !exits.contains(&seq)
            };
            decisions.iter().filter(|one| own(one)).count()
        };
        assert_eq!(approved(halt, run), 0);
        assert!(approved(0, halt) > 0, "it did not trade before {halt}");
        assert!(approved(run, u64::MAX) > 0, "it did not trade after {run}");
        let notes = records(folder, "Note");
        assert_eq!(notes.len(), 2, "who and why of two commands");
        let commands = records(folder, "Command");
        assert!(commands.iter().all(|command| command["via"] == "Command"), "{commands:?}");
        assert_eq!((&commands[0]["by"], &commands[1]["level"]), (&0.into(), &3.into()));
        assert_eq!(commands[1]["by"], commands[2]["by"]);
    }
}

#[test]
fn what_a_hard_block_reads_takes_two_people_to_lower() {
    for topology in ["fused", "split"] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut child =
            session_under(folder, topology, "10m", "deny HALTED when control.level >= 2");
        commanded(folder, "level 2");
        let asks = |who: &str, level: u8| {
            let ran = engine(folder, &format!("level {level} --by {who} --reason seen --json"));
            (ran.code, ran.json())
        };
        for _ in 0..2 {
            let (code, answer) = asks("ann", 0);
            assert_eq!(code, Some(1), "one person lowered it: {answer}");
            assert_eq!((&answer["level"], &answer["asked"]), (&2.into(), &0.into()), "{answer}");
        }
        let (code, answer) = asks("bob", 1);
        assert_eq!((code, &answer["asked"]), (Some(1), &1.into()), "not the same: {answer}");
        let said = engine(folder, "level 0 --by ann --reason seen");
        assert!(said.code == Some(1) && said.stdout.contains("takes another person"), "{said:?}");
        let (code, answer) = asks("bob", 0);
        assert_eq!((code, &answer["level"], &answer["asked"]), (Some(0), &0.into(), &Value::Null));
        assert_eq!(kept(&mut child, folder, 0)["by"], "bob");
        proved(child, folder);
        let steps = records(folder, "LevelStep");
        let steps: Vec<String> = steps
            .iter()
            .map(|step| format!("{} {}", step["level"], step["step"].as_str().unwrap()))
            .filter(|step| step != "2 NoneOpen")
            .collect();
        assert_eq!(steps, ["2 Set", "2 Asked", "2 Asked", "2 Asked", "2 Asked", "0 Set"]);
    }
}

#[test]
fn a_rule_flattens_in_slices() {
    let rules = "halt LOST until manual when account.drawdown >= 1bps then flatten\n  \
                 cap SLICE value to 500 USDT unless not order.is_engine";
    for topology in ["fused", "split"] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut child = session_under(folder, topology, "10m", rules);
        assert_eq!(kept(&mut child, folder, 3)["reason"], "a rule, then flatten");
        until(&mut child, "flat", || {
            records(folder, "LevelStep").iter().any(|step| step["step"] == "Flat")
        });
        proved(child, folder);
        let steps = records(folder, "LevelStep");
        assert!(steps.iter().all(|step| step["via"] == "Rule" && step["by"] == 0), "{steps:?}");
        let number = |row: &Value, name: &str| row[name].as_str().unwrap().parse::<f64>().unwrap();
        let exits = records(folder, "Flatten");
        let decisions = records(folder, "Decision");
        let mut slices = 0;
        for exit in &exits {
            let same =
                |one: &&Value| (&one["seq"], &one["ordinal"]) == (&exit["seq"], &exit["ordinal"]);
            let verdict = decisions.iter().find(same).unwrap();
            assert_eq!(
                (&verdict["verdict"], &verdict["reduces"]),
                (&"Approve".into(), &true.into())
            );
            let passed = number(verdict, "qty");
            // At most 500 USDT at any price that this market has.
            assert!(passed <= number(exit, "qty") && passed * 20_000.0 < 500.0, "{verdict}");
            slices += 1;
        }
        assert!(slices >= 4, "some 2,000 USDT in pieces of 500: {exits:?}");
        let last = steps.last().unwrap();
        assert_eq!((&last["step"], &last["held"]), (&"Flat".into(), &0.into()), "{last}");
    }
}

#[test]
fn a_file_and_a_signal_raise_to_a_halt() {
    for topology in ["fused", "split"] {
        raise_by_file_and_signal(topology);
    }
}

fn raise_by_file_and_signal(topology: &str) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut child = session(folder, topology);
    signal(&child, Signal::USR1);
    assert_eq!(kept(&mut child, folder, 2)["reason"], "SIGUSR1");
    commanded(folder, "level 0 --by ann --reason checked");
    write(folder, "sluice-data/KILL", "");
    assert_eq!(kept(&mut child, folder, 2)["reason"], "the file KILL");
    let refused = engine(folder, "level 0 --by ann --reason checked");
    assert!(refused.code == Some(2) && refused.stderr.contains("KILL first"), "{refused:?}");
    std::fs::remove_file(folder.join("sluice-data/KILL")).unwrap();
    commanded(folder, "level 1 --by ann --reason careful");
    proved(child, folder);
    let commands = records(folder, "Command");
    let via: Vec<&str> = commands.iter().map(|one| one["via"].as_str().unwrap()).collect();
    assert_eq!(via, ["Signal", "Command", "File", "Command"]);
}

#[test]
fn a_level_survives_the_session_until_a_person_lowers_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Where no session runs, it is set for the next one.
    assert_eq!(commanded(folder, "level 2 --by ann --reason holiday")["seq"], Value::Null);
    let refused = engine(folder, "level 0");
    assert!(refused.code == Some(2) && refused.stderr.contains("the level is 2"), "{refused:?}");
    let halted = engine(folder, "demo --seconds 300 --json --journal J");
    assert!(halted.stderr.contains("starts at level 2 (halt), set by ann: holiday"), "{halted:?}");
    let result = halted.json();
    assert_eq!((halted.code, &result["orders"]), (Some(0), &0.into()), "{result}");
    let commands = records(folder, "Command");
    assert!(commands.len() == 1 && commands[0]["via"] == "Stored", "{commands:?}");
    assert_eq!(engine(folder, "replay J --json").json()["equal"], true);
    commanded(folder, "level 0 --by ann --reason back");
    // The shipped limits are hard and read the level: for them one person is not enough.
    let still = engine(folder, "demo --seconds 300 --json --journal none");
    assert!(still.stderr.contains("at level 2") && still.stderr.contains("ann alone"), "{still:?}");
    assert_eq!(still.json()["orders"], 0);
    let alone = engine(folder, "level 0 --by ann --reason back");
    assert!(alone.code == Some(0) && alone.stdout.contains("unless another person"), "{alone:?}");
    let both = engine(folder, "level 0 --by bob --reason back");
    assert!(both.code == Some(0) && !both.stdout.contains("another person"), "{both:?}");
    let free = engine(folder, "demo --seconds 300 --json --journal none").json();
    assert!(free["orders"].as_u64() > Some(0), "{free}");
    // What is unknown is not taken for none.
    write(folder, "sluice-data/level.json", "{\"level\":");
    let unknown = engine(folder, "demo --seconds 300 --journal none");
    assert!(unknown.code == Some(2) && unknown.stderr.contains("level.json"), "{unknown:?}");
}

#[test]
fn a_session_that_was_killed_under_orders_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let line = "demo --seconds 3600 --speed 500 --json --journal J --segment-mib 1";
    let mut child = start(folder, &line.split(' ').collect::<Vec<_>>());
    let segment = folder.join("J/00000006.slj");
    until(&mut child, "a later segment", || segment.metadata().is_ok());
    commanded(folder, "level 1 --by ann --reason careful");
    let segments = std::fs::read_dir(folder.join("J")).unwrap().count();
    until(&mut child, "more", || {
        std::fs::read_dir(folder.join("J")).unwrap().count() > segments + 3
    });
    signal(&child, Signal::KILL);
    assert_eq!(finish(child).code, None);
    // Any session that starts here is at that level, the killed one and another.
    let on = engine(folder, "demo --seconds 3600 --resume J --journal K --json");
    assert_eq!(on.code, Some(0), "{on:?}");
    let other = engine(folder, "demo --seconds 300 --journal L --json");
    assert!(other.code == Some(0) && other.stderr.contains("starts at level 1"), "{other:?}");
    // Lowered while none runs: what the journal of the killed one says is higher, and holds.
    commanded(folder, "level 0 --by ann --reason back");
    commanded(folder, "level 0 --by bob --reason back");
    let again = engine(folder, "demo --seconds 3600 --resume J --journal M --json");
    assert!(again.code == Some(0) && again.stderr.contains("goes on at level 1"), "{again:?}");
    // The shipped limits read the level too, and are named first.
    for (dir, ran) in [("K", on), ("L", other), ("M", again)] {
        let result = ran.json();
        assert!(
            result["refusals"]["REDUCE_LEVEL"].as_u64() > Some(0),
            "{dir}: {}",
            result["refusals"]
        );
        let decisions = engine(folder, &format!("journal dump {dir} --kind Decision --json"));
        let passed = |one: &Value| one["verdict"] == "Approve" && one["reduces"] == false;
        assert!(!decisions.json_lines().iter().any(passed), "{dir} let an order increase");
        let replayed = engine(folder, &format!("replay {dir} --json"));
        assert_eq!(replayed.json()["equal"], true, "{dir}: {replayed:?}");
    }
}
