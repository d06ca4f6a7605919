//! The program `engine`: sources, stages and files put together, and commands for people.

use std::process::ExitCode;

mod app;

fn main() -> ExitCode {
    app::main()
}
