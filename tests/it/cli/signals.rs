//! Signals in mid-session: a real process, a real signal. SIGINT and SIGTERM end the session in
//! order; SIGKILL leaves what was journaled; SIGXFSZ, by which the system refuses a write, is an
//! error like that of any other disk that takes no more.

use std::path::Path;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tests::program::{Ran, finish, run, start, until};

use super::data::demo_rules;

/// A segment that exists only once several before it are full: the session is in its midst.
const LATER_SEGMENT: &str = "J/00000012.slj";

/// Starts the longest demo, in segments of 1 MiB, and does something to it in mid-session.
fn disturbed(folder: &Path, options: &str, disturb: impl FnOnce(Pid)) -> Ran {
    let arguments = format!("demo --seconds 86400 --json --journal J --segment-mib 1 {options}");
    let mut child = start(folder, &arguments.split(' ').collect::<Vec<_>>());
    let segment = folder.join(LATER_SEGMENT);
    until(&mut child, "a later segment", || segment.metadata().is_ok());
    disturb(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap());
    finish(child)
}

fn signalled(folder: &Path, topology: &str, signal: Signal) -> Ran {
    let options = format!("--topology {topology}");
    disturbed(folder, &options, |child| kill_process(child, signal).unwrap())
}

/// A session that was asked to end: it ends in order, and its journal is a whole one.
#[track_caller]
fn ends_in_order(topology: &str, signal: Signal) {
    let folder = tempfile::tempdir().unwrap();
    let ran = signalled(folder.path(), topology, signal);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let result = ran.json();
    assert_eq!(result["end"], "Requested", "{result}");
    assert_eq!(result["topology"], topology);
    let verified = run(folder.path(), &["journal", "verify", "J", "--json"]);
    let verdict = verified.json();
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert_eq!((&verdict["verdict"], &verdict["sealed"]), (&"clean".into(), &true.into()));
    assert_eq!(verdict["records"], result["journal_records"]);
    let replayed = run(folder.path(), &["replay", "J", "--json"]);
    let replay = replayed.json();
    assert_eq!((replayed.code, &replay["equal"]), (Some(0), &true.into()), "{replay}");
    assert_eq!(replay["decisions_hash"], result["decisions_hash"]);
    assert!(replay["decisions"].as_u64() > Some(100), "{replay}");
    let end = run(folder.path(), &["journal", "dump", "J", "--kind", "SessionEnd", "--json"]);
    assert_eq!(end.json()["reason"], "Requested");
    // As data of another session it ends where it was stopped, by itself.
    let again = format!("backtest --data J --journal none --json {}", demo_rules());
    let again = run(folder.path(), &again.split(' ').collect::<Vec<_>>()).json();
    assert_eq!(
        (&again["decisions_hash"], &again["end"]),
        (&result["decisions_hash"], &"EndOfData".into())
    );
}

#[test]
fn ctrl_c_in_mid_session_seals_the_journal_and_exits_0() {
    ends_in_order("fused", Signal::INT);
}

#[test]
fn ctrl_c_in_mid_session_ends_all_stage_threads() {
    ends_in_order("split", Signal::INT);
}

#[test]
fn sigterm_is_the_same_request() {
    ends_in_order("fused", Signal::TERM);
}

#[test]
fn what_sigkill_leaves_is_a_prefix_that_replays() {
    for topology in ["fused", "split"] {
        let folder = tempfile::tempdir().unwrap();
        let ran = signalled(folder.path(), topology, Signal::KILL);
        assert_eq!((ran.code, ran.stdout.as_str()), (None, ""), "{ran:?}");
        let verified = run(folder.path(), &["journal", "verify", "J", "--json"]);
        let verdict = verified.json();
        let expected = match verdict["verdict"].as_str() {
            Some("clean") => Some(0),
            Some("torn") => Some(1),
            _ => None,
        };
        assert!(expected.is_some() && verified.code == expected, "{verified:?}");
        assert_eq!(verdict["sealed"], false);
        assert!(verdict["records"].as_u64() > Some(1_000), "{verdict}");
        let replayed = run(folder.path(), &["replay", "J", "--json"]);
        let replay = replayed.json();
        assert_eq!((replayed.code, &replay["equal"]), (Some(0), &true.into()), "{replayed:?}");
        assert_eq!(replay["records"], verdict["records"]);
        assert!(replay["decisions"].as_u64() > Some(100), "{replay}");
    }
}

/// The disk takes no more in mid-session: what was written stays readable, and the session says
/// which write failed instead of dying of it or going on without a journal.
#[test]
fn a_write_that_the_system_refuses_ends_the_session_with_an_error() {
    // Stores into a mapping cannot be refused; the seal of their segment is. A run of records is
    // refused when it is handed over, at a record or at its end.
    for options in
        ["--topology fused --sink pwrite", "--topology split --sink pwrite", "--sink mmap"]
    {
        let folder = tempfile::tempdir().unwrap();
        let ran = disturbed(folder.path(), options, |child| {
            let nothing = Rlimit { current: Some(0), maximum: Some(0) };
            prlimit(Some(child), Resource::Fsize, nothing).unwrap();
        });
        assert_eq!(ran.code, Some(70), "{options}: {ran:?}");
        // Whichever comes first: a record, the room of the next segment, the seal of the last.
        for text in ["the session stops: cannot ", " J/0000", "File too large"] {
            assert!(ran.stderr.contains(text), "{options}: {ran:?}");
        }
        assert_eq!(ran.json()["exit_code"], 70);
        let verified = run(folder.path(), &["journal", "verify", "J", "--json"]);
        let verdict = verified.json();
        assert_eq!(verified.code, Some(0), "{verified:?}");
        assert_eq!((&verdict["verdict"], &verdict["sealed"]), (&"clean".into(), &false.into()));
        assert!(verdict["records"].as_u64() > Some(1_000), "{verdict}");
        let replayed = run(folder.path(), &["replay", "J", "--json"]);
        assert_eq!(replayed.code, Some(0), "{replayed:?}");
        assert_eq!(replayed.json()["equal"], true);
    }
}

/// A killed session goes on in a journal of its own and ends as the one that nobody killed.
#[test]
fn what_sigkill_ends_goes_on_to_the_same_end() {
    const SECONDS: &str = "2400";
    let folder = tempfile::tempdir().unwrap();
    let command = |more: &str| {
        let text = format!("demo --seconds {SECONDS} --json --segment-mib 1 {more}");
        text.split(' ').map(str::to_owned).collect::<Vec<_>>()
    };
    let whole = command("--journal none");
    let whole = run(folder.path(), &whole.iter().map(String::as_str).collect::<Vec<_>>()).json();
    let first = command("--journal J");
    let mut child = start(folder.path(), &first.iter().map(String::as_str).collect::<Vec<_>>());
    let segment = folder.path().join(LATER_SEGMENT);
    until(&mut child, "a later segment", || segment.metadata().is_ok());
    let id = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(id, Signal::KILL).unwrap();
    assert_eq!(finish(child).code, None);
    let second = command("--journal K --resume J");
    let ran = run(folder.path(), &second.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("all the same; going on from seq "), "{ran:?}");
    let result = ran.json();
    for field in ["equity_start", "equity_end", "fees", "max_drawdown", "to_ns", "end"] {
        assert_eq!(result[field], whole[field], "{field}: {result}");
    }
    assert!(result["decisions"].as_u64() < whole["decisions"].as_u64(), "{result}");
    assert!(result["decisions"].as_u64() > Some(100), "{result}");
    let seq = result["resumed"]["seq"].as_u64().unwrap();
    assert_eq!(
        result["inputs"].as_u64().unwrap() + seq,
        // Metadata and three rule texts stand before the first input.
        whole["inputs"].as_u64().unwrap() + 4
    );
    let info = run(folder.path(), &["journal", "info", "K", "--json"]).json();
    assert_eq!(info["parent_run_id"], result["resumed"]["run_id"]);
    let dumped = run(folder.path(), &["journal", "dump", "K", "--kind", "Snapshot"]);
    assert!(dumped.stdout.contains(&format!("after seq {seq}")), "{dumped:?}");
    let replayed = run(folder.path(), &["replay", "K", "--json"]);
    let replay = replayed.json();
    assert_eq!((replayed.code, &replay["equal"]), (Some(0), &true.into()), "{replay}");
    assert_eq!(replay["decisions_hash"], result["decisions_hash"]);
    // What cannot be gone on with is refused, with the reason.
    for (arguments, text) in [
        ("demo --resume K --journal L", "was not killed, it ended"),
        ("demo --resume J --journal L --seconds 60", "give --seconds as it was"),
        ("replay K --rules r.rules", "goes on from the state of another"),
        ("backtest --data K --journal none", "goes on from the state of another session"),
        ("demo --resume nowhere --journal L", "nowhere"),
    ] {
        super::data::write(folder.path(), "r.rules", "rules 1\nrisk r hard { applies to all }\n");
        let refused = run(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
        assert_eq!(refused.code, Some(2), "{arguments}: {refused:?}");
        assert!(refused.stderr.contains(text), "{arguments}: {refused:?}");
    }
}
