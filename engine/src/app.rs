//! The program around the engine: commands, files, signals, the clock, and what people see.
//!
//! Only here are venues named, the environment and the clock read, and threads told to stop.

use std::process::ExitCode;

use clap::Parser;

/// `engine backtest`.
mod backtest;
/// Commands and their options.
mod cli;
/// The one place that reads the clock.
mod clock;
/// Recorded data as a source of messages.
mod data;
/// `engine demo`.
mod demo;
/// How a command ends.
mod exit;
/// `engine journal`.
mod journal;
/// A session's setup from data, rules and options.
mod plan;
/// `engine replay`.
mod replay;
/// A session's result, for people and for programs.
mod report;
/// Rule texts: what ships, and what users name.
mod rules;
/// Diagnostics drawn under the lines they are about.
mod show;
/// Progress, and the signals that end a session.
mod watch;

use cli::{Cli, Command};
use exit::{Failure, Finding};

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return show::usage(&error),
    };
    let json = cli.json;
    let result = match &cli.command {
        None => demo::run(&cli, &cli::DemoArgs::default()),
        Some(Command::Demo(args)) => demo::run(&cli, args),
        Some(Command::Backtest(args)) => backtest::run(&cli, args),
        Some(Command::Replay(args)) => replay::run(&cli, args),
        Some(Command::Rules(args)) => rules::run(&cli, args),
        Some(Command::Journal(args)) => journal::run(&cli, args),
    };
    match result {
        Ok(Finding::Nothing) => ExitCode::SUCCESS,
        Ok(Finding::Something) => ExitCode::from(exit::FINDING),
        Ok(Finding::Damage) => ExitCode::from(exit::CORRUPT),
        Err(failure) => {
            show::failure(&failure, json);
            ExitCode::from(failure.code())
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Usage(error.into())
    }
}
