//! Journals that are not what a session leaves: being written, damaged, replaced, removed. Each
//! command says what it found, by its exit code too, and none waits or claims what it cannot know.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tests::program::{Ran, finish, run, start, until};

const SEGMENT_BYTES: u64 = 1 << 20;
const LINKED: &str = "/dev/zero";
/// What is done to a folder, or to a file.
type Act = fn(&Path);
/// Every command that reads a journal.
const READERS: [&str; 5] = [
    "journal verify J",
    "journal info J",
    "journal dump J",
    "replay J",
    "backtest --data J --journal none",
];

/// Runs a command line without quotes; one that hangs is killed and fails.
fn engine(folder: &Path, line: &str) -> Ran {
    finish(start(folder, &line.split_whitespace().collect::<Vec<_>>()))
}

/// As [`engine`], with what it prints in a file: more than a pipe holds.
fn quietly(folder: &Path, line: &str) -> Ran {
    run(folder, &line.split_whitespace().collect::<Vec<_>>())
}

/// Runs a session of several segments, journaled to `J`.
fn journal(folder: &Path) {
    let ran = engine(folder, "demo --seconds 600 --segment-mib 1 --json --journal J");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(folder.join("J/00000002.slj").exists(), "three segments at least");
}

fn segment(folder: &Path, index: u64) -> std::path::PathBuf {
    folder.join(format!("J/{index:08}.slj"))
}

fn pid(child: &std::process::Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
}

/// Tells whether a process has a handler for SIGINT, from which moment on it can be asked to end.
fn catches_interrupts(process: Pid) -> bool {
    let path = format!("/proc/{}/status", process.as_raw_nonzero());
    let status = std::fs::read_to_string(path).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << 1) != 0
}

/// Interrupts a replay as soon as it can be: it looks each thousand messages.
fn interrupted(folder: &Path, line: &str, signal: Signal) -> Ran {
    let mut child = start(folder, &line.split_whitespace().collect::<Vec<_>>());
    let process = pid(&child);
    until(&mut child, "the handlers of signals", || catches_interrupts(process));
    kill_process(process, signal).unwrap();
    finish(child)
}

#[test]
fn an_interrupted_replay_says_how_far_it_came_and_claims_neither_equality_nor_difference() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Long enough that a test that is kept waiting still comes in time.
    let ran = engine(folder, "demo --seconds 1800 --json --journal J");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for (topology, signal) in [("fused", Signal::INT), ("split", Signal::TERM)] {
        let line = format!("replay J --topology {topology} --json");
        let ran = interrupted(folder, &line, signal);
        let replay = ran.json();
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert_eq!((&replay["interrupted"], &replay["equal"]), (&true.into(), &Value::Null));
        assert_eq!(replay["first_difference"], Value::Null, "{replay}");
        let (compared, records) = (replay["compared"].as_u64(), replay["records"].as_u64());
        assert!(compared > Some(100) && compared < records, "{replay}");
        let said = format!(
            "interrupted: {} of {} records compared, equal so far",
            compared.unwrap(),
            records.unwrap()
        );
        assert!(ran.stderr.contains(&said), "{said}: {ran:?}");
    }
    let ran = interrupted(folder, "replay J", Signal::INT);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("  interrupted       equal so far"), "{ran:?}");
    assert!(ran.stderr.contains("equal so far; run it again for a verdict"), "{ran:?}");
    let replayed = engine(folder, "replay J --json").json();
    assert_eq!((&replayed["equal"], &replayed["interrupted"]), (&true.into(), &false.into()));
}

#[test]
fn a_journal_that_a_session_writes_is_shown_as_such_and_not_replayed() {
    for sink in ["pwrite", "mmap"] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let line = format!("demo --seconds 86400 --json --journal J --segment-mib 1 --sink {sink}");
        let mut child = start(folder, &line.split(' ').collect::<Vec<_>>());
        let later = segment(folder, 3);
        until(&mut child, "a later segment", || later.exists());
        // The session stands still while it is looked at: otherwise it might end before.
        let process = pid(&child);
        kill_process(process, Signal::STOP).unwrap();
        let replay = engine(folder, "replay J");
        let verify = engine(folder, "journal verify J --json");
        let shown = engine(folder, "journal verify J");
        let info = engine(folder, "journal info J --json");
        let told = engine(folder, "journal info J");
        let dump = engine(folder, "journal dump J --kind SessionStart --json");
        kill_process(process, Signal::CONT).unwrap();
        kill_process(process, Signal::TERM).unwrap();
        let ran = finish(child);
        assert_eq!(replay.code, Some(2), "{replay:?}");
        let refused = "journal J is being written by a running session; wait for its end";
        assert!(replay.stderr.contains(refused), "{replay:?}");
        for (name, ran) in [("verify", &verify), ("info", &info)] {
            assert_eq!(ran.code, Some(0), "{name}: {ran:?}");
            let found = ran.json();
            assert_eq!((&found["live"], &found["sealed"]), (&true.into(), &false.into()), "{name}");
            assert!(found["records"].as_u64() > Some(1_000), "{name}: {found}");
        }
        for ran in [&shown, &told] {
            assert!(ran.stdout.contains("not sealed: a session is writing it"), "{ran:?}");
            assert!(!ran.stdout.contains("killed"), "{ran:?}");
        }
        assert_eq!((dump.code, dump.json_lines().len()), (Some(0), 1), "{dump:?}");
        // It was looked at and not disturbed.
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let replayed = engine(folder, "replay J --json");
        assert_eq!(replayed.json()["equal"], true, "{replayed:?}");
        let verified = engine(folder, "journal verify J --json").json();
        assert_eq!((&verified["live"], &verified["sealed"]), (&false.into(), &true.into()));
    }
}

#[test]
fn a_first_segment_that_was_emptied_is_damage_while_later_ones_hold_records() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    journal(folder);
    OpenOptions::new().write(true).open(segment(folder, 0)).unwrap().set_len(0).unwrap();
    for command in READERS {
        let ran = engine(folder, command);
        assert_eq!(ran.code, Some(3), "{command}: {ran:?}");
        assert!(ran.stderr.contains("corrupt"), "{command}: {ran:?}");
        assert!(ran.stderr.contains("case M"), "{command}: {ran:?}");
        assert!(!ran.stderr.contains("remove"), "{command}: {ran:?}");
    }
    assert_eq!(engine(folder, "journal verify J --json").json()["verdict"], "corrupt");
}

/// Damage that a look at headers and ends can tell.
fn damages() -> Vec<(&'static str, char, Act)> {
    fn rename(folder: &Path, from: u64, to: u64) {
        std::fs::rename(segment(folder, from), segment(folder, to)).unwrap();
    }
    fn edit(folder: &Path, index: u64, change: fn(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(segment(folder, index)).unwrap();
        change(&mut bytes);
        std::fs::write(segment(folder, index), bytes).unwrap();
    }
    vec![
        ("a missing middle", 'I', |folder| std::fs::remove_file(segment(folder, 1)).unwrap()),
        ("two swapped", 'J', |folder| {
            rename(folder, 1, 9);
            rename(folder, 2, 1);
            rename(folder, 9, 2);
        }),
        ("one doubled", 'J', |folder| {
            std::fs::copy(segment(folder, 1), segment(folder, 2)).unwrap();
        }),
        ("one of another run", 'J', |folder| {
            let other = "demo --seed 9 --seconds 600 --segment-mib 1 --json --journal other";
            assert_eq!(engine(folder, other).code, Some(0));
            std::fs::copy(folder.join("other/00000001.slj"), segment(folder, 1)).unwrap();
        }),
        ("one that was cut", 'G', |folder| edit(folder, 1, |bytes| bytes.truncate(700_000))),
        ("one whose end was altered", 'G', |folder| {
            edit(folder, 1, |bytes| {
                let end = bytes.len();
                bytes[end - 100] ^= 1;
            });
        }),
        ("one whose header was altered", 'G', |folder| edit(folder, 1, |bytes| bytes[70] ^= 1)),
    ]
}

#[test]
fn info_of_a_damaged_journal_says_so_and_what_it_did_not_look_at() {
    for (name, letter, damage) in damages() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        journal(folder);
        damage(folder);
        let info = engine(folder, "journal info J --json");
        assert_eq!(info.code, Some(3), "{name}: {info:?}");
        let (found, verified) = (info.json(), engine(folder, "journal verify J --json").json());
        assert_eq!((&found["verdict"], &found["sealed"]), (&"corrupt".into(), &false.into()));
        for field in ["verdict", "at", "segment", "detail"] {
            assert_eq!(found[field], verified[field], "{name}: {field}");
        }
        let detail = found["detail"].as_str().unwrap();
        assert!(detail.starts_with(&format!("case {letter}: ")), "{name}: {detail}");
        let shown = engine(folder, "journal info J");
        assert_eq!(shown.code, Some(3), "{name}: {shown:?}");
        assert!(shown.stdout.contains("segments, corrupt"), "{name}: {shown:?}");
        assert!(shown.stdout.contains("`engine journal verify`"), "{name}: {shown:?}");
        assert!(shown.stderr.contains("error: journal J is corrupt"), "{name}: {shown:?}");
    }
}

#[test]
fn a_replay_of_a_torn_journal_says_that_it_is_torn() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ran = engine(folder, "demo --seconds 22 --segment-mib 1 --json --journal J");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let mut bytes = std::fs::read(segment(folder, 0)).unwrap();
    // A hole in the midst of the active segment of a killed session: what is behind it is lost.
    let end = bytes.len() - 160;
    bytes.truncate(end);
    bytes.resize(usize::try_from(SEGMENT_BYTES).unwrap(), 0);
    let middle = (end / 2).next_multiple_of(32);
    bytes[middle..middle + 4_096].fill(0);
    std::fs::write(segment(folder, 0), bytes).unwrap();
    let verified = engine(folder, "journal verify J --json").json();
    assert_eq!(verified["verdict"], "torn", "{verified}");
    let ran = engine(folder, "replay J --json");
    let replay = ran.json();
    assert_eq!((ran.code, &replay["equal"]), (Some(0), &true.into()), "{ran:?}");
    assert_eq!((&replay["torn"], &replay["torn_at"]), (&true.into(), &verified["at"]));
    assert_eq!(replay["orphans"], verified["orphans"]);
    assert!(replay["orphans"].as_u64() > Some(100), "{replay}");
    assert!(ran.stderr.contains("warning: journal J is torn at byte"), "{ran:?}");
    let shown = engine(folder, "replay J");
    assert!(shown.stdout.contains("  torn              at byte"), "{shown:?}");
    assert!(shown.stderr.contains("what stands before it"), "{shown:?}");
    let info = engine(folder, "journal info J");
    assert!(info.code == Some(0) && info.stdout.contains("segments, torn"), "{info:?}");
}

#[test]
fn a_replay_of_a_whole_journal_is_not_torn() {
    let folder = tempfile::tempdir().unwrap();
    journal(folder.path());
    let ran = engine(folder.path(), "replay J --json");
    let replay = ran.json();
    assert_eq!((&replay["torn"], &replay["orphans"]), (&false.into(), &Value::Null));
    assert_eq!(ran.stderr, "");
}

#[test]
fn no_reader_waits_for_what_is_no_segment_file() {
    let makes: [(&str, Act); 3] = [
        ("it is not a regular file", |path| {
            std::fs::remove_file(path).unwrap();
            let made = std::process::Command::new("mkfifo").arg(path).status();
            assert!(made.is_ok_and(|status| status.success()), "a pipe");
        }),
        ("it is not a regular file", |path| {
            std::fs::remove_file(path).unwrap();
            std::os::unix::fs::symlink(LINKED, path).unwrap();
        }),
        ("it has 1099511627776 bytes", |path| {
            OpenOptions::new().write(true).open(path).unwrap().set_len(1 << 40).unwrap();
        }),
    ];
    for index in [0, 1] {
        for (reason, make) in makes {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path();
            journal(folder);
            make(&segment(folder, index));
            for command in READERS {
                let line = match command {
                    "journal dump J" => "journal dump J --kind SessionEnd",
                    other => other,
                };
                let ran = engine(folder, line);
                assert_eq!(ran.code, Some(3), "{index} {reason} {line}: {ran:?}");
                assert!(ran.stderr.contains("corrupt"), "{index} {line}: {ran:?}");
                assert!(ran.stderr.contains(reason), "{index} {line}: {ran:?}");
            }
        }
    }
}

/// Tells whether a segment file has a record behind its header.
fn has_records(path: &Path) -> bool {
    let mut length = [0; 4];
    let file = std::fs::File::open(path);
    file.is_ok_and(|file| file.read_exact_at(&mut length, 4_096).is_ok()) && length != [0; 4]
}

/// Starts a session in one segment, lets `disturb` at its journal in mid-session, and asks it to
/// end.
fn disturbed(folder: &Path, options: &str, disturb: Act) -> Ran {
    let line = format!("demo --seconds 86400 --json --journal J --segment-mib {options}");
    let mut child = start(folder, &line.split(' ').collect::<Vec<_>>());
    let process = pid(&child);
    let first = segment(folder, 0);
    until(&mut child, "the first records", || has_records(&first));
    disturb(folder);
    kill_process(process, Signal::TERM).unwrap();
    finish(child)
}

#[test]
fn a_session_whose_journal_is_cut_or_removed_under_it_ends_with_an_error() {
    let cut = |folder: &Path| {
        OpenOptions::new().write(true).open(segment(folder, 0)).unwrap().set_len(8_192).unwrap();
    };
    // Moved away first: the session might add a file to what is being removed.
    let remove = |folder: &Path| {
        std::fs::rename(folder.join("J"), folder.join("gone")).unwrap();
        std::fs::remove_dir_all(folder.join("gone")).unwrap();
    };
    let disturbs: [(&str, Act); 2] = [("cut", cut), ("removed", remove)];
    for (name, disturb) in disturbs {
        for topology in ["fused", "split"] {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path();
            let options = format!("64 --sink pwrite --topology {topology}");
            let ran = disturbed(folder, &options, disturb);
            assert_eq!(ran.code, Some(70), "{name} {topology}: {ran:?}");
            assert!(ran.stderr.contains("J/0000000"), "{name} {topology}: {ran:?}");
            if name == "cut" {
                assert!(ran.stderr.contains("another program cut"), "{name}: {ran:?}");
                let verified = engine(folder, "journal verify J --json");
                assert_eq!(verified.json()["sealed"], false, "{verified:?}");
            }
        }
    }
}

/// Returns the records of a kind.
fn dumped(folder: &Path, kind: &str) -> Vec<Value> {
    let ran = quietly(folder, &format!("journal dump J --kind {kind} --json"));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.json_lines()
}

#[test]
fn a_field_of_the_payload_never_takes_the_place_of_one_of_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    journal(folder);
    let opened = dumped(folder, "AccountOpened");
    assert_eq!(opened[0]["kind"], "AccountOpened");
    assert_eq!(opened[0]["account_kind"], "Linear");
    let all = quietly(folder, "journal dump J --json");
    let known: Vec<&str> = model::event::KINDS.iter().map(|kind| kind.name()).collect();
    for record in all.json_lines() {
        let kind = record["kind"].as_str().unwrap();
        let texts = ["RunMetadata", "RulesLoaded"].contains(&kind);
        assert!(texts || known.contains(&kind), "{record}");
        assert!(record["seq"].is_u64() && record["ts"].is_i64(), "{record}");
    }
}

#[test]
fn a_code_is_shown_with_its_rule_and_its_sides_in_their_unit() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ran = engine(folder, "demo --seconds 1800 --json --journal J");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let read = |name: &str| {
        let path = tests::root().join("rules").join(name);
        std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (limits, demo) = (read("limits.rules"), read("demo.rules"));
    let mut told = std::collections::BTreeMap::new();
    for record in dumped(folder, "Decision").iter().chain(&dumped(folder, "LatchChanged")) {
        let Some(code) = record["code"].as_u64().filter(|code| *code >= 1_000) else {
            let none = record["code"] == 0;
            assert_eq!(record["rule"].is_null(), none, "{record}");
            // The engine's own checks have the unit of what they compare.
            assert_eq!(record["observed"].is_string(), !none, "{record}");
            assert_eq!(record["limit"].is_string(), !none, "{record}");
            continue;
        };
        let (rule, line) = (record["rule"].as_str().unwrap(), record["line"].as_u64().unwrap());
        let lines = match record["file"].as_str().unwrap() {
            "<shipped>/limits.rules" => &limits,
            "<shipped>/demo.rules" => &demo,
            other => panic!("{other} in {record}"),
        };
        let written = &lines[usize::try_from(line).unwrap() - 1];
        assert!(written.contains(rule), "{code} {rule} at line {line}: {written}");
        told.insert(rule.to_owned(), record.clone());
    }
    // A share, and money; the limit of the one is a constant of the rules.
    let share = &told["FAR_AWAY"];
    assert_eq!(share["limit"], "0.1", "{share}");
    let observed: f64 = share["observed"].as_str().unwrap().parse().unwrap();
    assert!(observed > 0.1 && observed < 1.0, "{share}");
    let money = told.iter().find(|(name, _)| name.starts_with("MAX_")).expect("a cap").1;
    let limit: f64 = money["limit"].as_str().unwrap().parse().unwrap();
    assert!((0.0..20_000.0).contains(&limit), "{money}");
    let shown = engine(folder, "journal dump J --kind Decision --limit 200");
    let line = share["line"].as_u64().unwrap();
    let named = format!("({} <shipped>/limits.rules:{line})", "FAR_AWAY");
    assert!(shown.stdout.contains(&named), "{named} in {shown:?}");
}

#[test]
fn a_difference_is_shown_as_the_dump_shows_records() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    journal(folder);
    let rules = tests::root().join("rules");
    let looser = std::fs::read_to_string(rules.join("limits.rules")).unwrap();
    std::fs::write(folder.join("limits.rules"), looser.replace("10%", "20%")).unwrap();
    std::fs::copy(rules.join("crossover.rules"), folder.join("crossover.rules")).unwrap();
    let line = "replay J --rules limits.rules crossover.rules --json";
    let found = engine(folder, line).json()["first_difference"].clone();
    for side in ["journaled", "recomputed"] {
        let text = found[side].as_str().unwrap();
        assert!(!text.contains(['{', '}']) && !text.contains("Some("), "{found}");
        if text != "nothing" && text.contains('=') {
            let (kind, fields) = text.split_once(' ').unwrap();
            assert!(model::event::KINDS.iter().any(|known| known.name() == kind), "{found}");
            assert!(
                fields.split(' ').all(|field| field.contains('=') || field.contains(['(', ')']))
            );
        }
    }
}
