//! Surroundings that do not help: a result that cannot be written, names that act on the terminal
//! or the shell, files that are none, and a file that shrinks while it is read.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Stdio;

use tests::program::{Ran, command, run};

use super::data::{TAKER, capture_with, line, trade, trades, write};

/// Runs a command whose result goes to this file.
fn into(folder: &Path, arguments: &str, stdout: File) -> Ran {
    let mut command = command(folder, &arguments.split(' ').collect::<Vec<_>>());
    let output = command.stdout(stdout).stderr(Stdio::piped()).output();
    Ran::from(output.unwrap())
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure_of_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "x.log", capture_with(""));
    write(folder, "taker.rules", TAKER);
    let made = run(folder, &["demo", "--seconds", "5", "--journal", "J"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    for arguments in [
        "journal verify J --json",
        "journal verify J",
        "journal info J",
        "journal dump J --limit 20",
        "replay J --json",
        "rules check taker.rules",
        "demo --seconds 5 --journal none",
        "backtest --data x.log --rules taker.rules --journal none --json",
        "backtest --data nothing.log --json",
        "--help",
        "--version",
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ran = into(folder, arguments, full);
        assert_eq!(ran.code, Some(70), "{arguments}: {ran:?}");
        let said = "cannot write the result to stdout: No space left on device";
        assert!(ran.stderr.contains(said), "{arguments}: {}", ran.stderr);
    }
    // A descriptor that is open, but only for reading.
    let ran = into(folder, "journal verify J --json", File::open("/dev/null").unwrap());
    assert_eq!(ran.code, Some(70), "{ran:?}");
}

/// Beyond the system's limit on files, a write would kill the process.
#[test]
fn a_result_beyond_the_limit_on_files_is_an_error_that_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let made = run(folder, &["demo", "--seconds", "5", "--journal", "J"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let script = "ulimit -f 0 && exec \"$0\" journal verify J --json > result";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script]).arg(tests::program::path()).current_dir(folder);
    let ran = Ran::from(shell.output().unwrap());
    assert_eq!(ran.code, Some(70), "{ran:?}");
    assert!(ran.stderr.contains("cannot write the result to stdout: File too large"), "{ran:?}");
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let made = run(folder, &["demo", "--seconds", "5", "--journal", "J"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    for arguments in ["journal dump J", "journal verify J", "--help"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = command(folder, &arguments.split(' ').collect::<Vec<_>>());
        let output = command.stdout(writer).stderr(Stdio::piped()).output();
        let ran = Ran::from(output.unwrap());
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{arguments}");
    }
}

/// A suggested command is typed as it stands, and a name never acts on the terminal.
#[test]
fn names_of_folders_are_quoted_for_the_shell_and_harmless_to_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, expected) in
        [("my journal", "replay 'my journal'\n"), ("a\u{1b}[31m", "replay $'a\\x1b[31m'\n")]
    {
        let ran = run(folder, &["demo", "--seconds", "5", "--journal", name]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stdout.contains(expected), "{}", ran.stdout);
        assert!(!ran.stdout.contains('\u{1b}'), "{:?}", ran.stdout);
        let info = run(folder, &["journal", "info", name]);
        assert!(!info.stdout.contains('\u{1b}'), "{:?}", info.stdout);
        let info = run(folder, &["journal", "info", name, "--json"]);
        assert_eq!(info.json()["dir"], name);
    }
    let ran = run(folder, &["journal", "verify", "no\u{1b}[2Jne"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("no\\u001b[2Jne"), "{:?}", ran.stderr);
    assert!(!ran.stderr.contains('\u{1b}'), "{:?}", ran.stderr);
    write(folder, "my trades.csv", trades(3));
    let ran = run(folder, &["backtest", "--data", "my trades.csv"]);
    assert!(ran.stderr.contains("e.g. 'my trades.csv'=BTC_USDT\n"), "{ran:?}");
    // A name that is no text at all.
    let odd = std::ffi::OsStr::from_bytes(b"a\xff");
    let mut demo = command(folder, &["demo", "--seconds", "5", "--journal"]);
    let ran = Ran::from(demo.arg(odd).output().unwrap());
    assert!(ran.code == Some(0) || ran.code == Some(2), "{ran:?}");
}

/// One line under another name once cost the whole book: its snapshot, which names no symbol, could
/// not be assigned any more.
#[test]
fn a_stray_line_of_another_instrument_costs_that_line_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "taker.rules", TAKER);
    let backtest = |text: &str| {
        write(folder, "x.log", text);
        let arguments = "backtest --data x.log --rules taker.rules --journal none --json";
        run(folder, &arguments.split(' ').collect::<Vec<_>>()).json()
    };
    let good = backtest(&capture_with(""));
    // The stream's name only, then a whole message.
    let renamed = capture_with("").replacen("btcusdt@trade", "ethusdt@trade", 1);
    let strayed = capture_with(&line(5_000_000, &trade("ETHUSDT", 2, "2600.00", "1")));
    for text in [renamed, strayed] {
        let found = backtest(&text);
        assert_eq!(found["bad_messages"], 0, "{found}");
        assert_eq!(found["decisions"], good["decisions"], "{found}");
        assert!(found["events"].as_u64() >= good["events"].as_u64(), "{found} {good}");
    }
}

/// The longest sleep that is accepted still lets a session end soon, and the help says which it is.
#[test]
fn the_help_and_the_refusal_name_the_longest_sleep() {
    let folder = tempfile::tempdir().unwrap();
    let most = engine::idle::SLEEP_MICROS_MAX;
    let range = format!("from 1 to {most} microseconds");
    for command in ["demo", "backtest", "replay"] {
        let help = run(folder.path(), &[command, "--help"]).stdout;
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains(&range), "{command}: {help}");
    }
    let longer = format!("sleep:{}", most + 1);
    let ran = run(folder.path(), &["demo", "--wait", &longer]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains(&range), "{ran:?}");
}
