//! The program around the engine: commands, files, signals, the clock, and what people see.
//!
//! Only here are venues named, the environment and the clock read, and threads told to stop.

use std::process::ExitCode;

use clap::Parser;

/// `engine backtest`.
mod backtest;
/// `engine clear`.
mod clear;
/// Commands and their options.
mod cli;
/// The one place that reads the clock.
mod clock;
/// Configuration: files, environment, options, and `engine config`.
mod config;
/// Recorded data as a source of messages.
mod data;
/// `engine demo`.
mod demo;
/// How a command ends.
mod exit;
/// What this host is.
mod host;
/// `engine journal`.
mod journal;
/// What a session's latencies were.
mod latency;
/// The kill switch from outside, and `engine level`.
mod level;
/// The pace of a session.
mod pace;
/// A session as it was asked for, and its setup.
mod plan;
/// Words as the shell takes them.
mod quote;
/// Files that users name.
mod regular;
/// `engine replay`.
mod replay;
/// A session's result, for people and for programs.
mod report;
/// Rule texts: what ships, and what users name.
mod rules;
/// A session from what was asked for to its report, and `engine run`.
mod run;
/// Diagnostics drawn under the lines they are about.
mod show;
/// `engine slo`.
mod slo;
/// The demonstration that runs without arguments.
mod tour;
/// Options of the simulated venue.
mod venue;
/// Progress, and the signals that end a session.
mod watch;

use cli::{Cli, Command};
use exit::{Failure, Finding};

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    watch::allow_failed_writes();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return told(show::usage(&error)),
    };
    let json = cli.json;
    told(match guarded(|| command(&cli)) {
        Ok(Finding::Nothing) => 0,
        Ok(Finding::Something) => exit::FINDING,
        Ok(Finding::Damage) => exit::CORRUPT,
        Err(failure) => {
            show::failure(&failure, json);
            failure.code()
        }
    })
}

/// Returns the exit code of a command, unless its result was lost: then nobody can act on it, and
/// that is what has to be known first.
fn told(code: u8) -> ExitCode {
    let Some(error) = show::lost() else { return ExitCode::from(code) };
    show::note(&format!(
        "error: cannot write the result to stdout: {error}; free the disk, or direct the output \
         elsewhere, and run the command again"
    ));
    ExitCode::from(exit::INTERNAL)
}

fn command(cli: &Cli) -> Result<Finding, Failure> {
    match &cli.command {
        None => demo::run(cli, &cli::DemoArgs::default()),
        Some(Command::Demo(args)) => demo::run(cli, args),
        Some(Command::Backtest(args)) => backtest::run(cli, args),
        Some(Command::Run(args)) => run::run(cli, args),
        Some(Command::Level(args)) => level::run(cli, args),
        Some(Command::Clear(args)) => clear::run(cli, args),
        Some(Command::Config(args)) => config::run(cli, args),
        Some(Command::Replay(args)) => replay::run(cli, args),
        Some(Command::Rules(args)) => rules::run(cli, args),
        Some(Command::Journal(args)) => journal::run(cli, args),
        Some(Command::Slo(args)) => slo::run(cli, args),
    }
}

/// Turns a panic, which is always a defect, into the failure of that exit code. Its message and
/// place are on stderr by then.
fn guarded(run: impl FnOnce() -> Result<Finding, Failure>) -> Result<Finding, Failure> {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    caught.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(Failure::Internal(anyhow::anyhow!(
            "the program has a defect: {text}; what was journaled before is whole: see `engine \
             journal verify`; please report the command, its input and this message"
        )))
    })
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Usage(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure_with_the_code_of_a_defect() {
        let failure = guarded(|| panic!("seven is {}", 8)).unwrap_err();
        assert_eq!(failure.code(), 70);
        let Failure::Internal(error) = failure else { panic!("internal") };
        assert!(error.to_string().contains("seven is 8"), "{error}");
        assert!(matches!(guarded(|| Ok(Finding::Something)), Ok(Finding::Something)));
    }
}
