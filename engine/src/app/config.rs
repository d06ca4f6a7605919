//! The configuration: defaults, files, the environment and `--set`, read once, checked as a whole.
//!
//! ```text
//! table of keys --defaults--> \
//! FILE.toml, later ones over earlier \
//! SLUICE__SECTION__KEY                --> layers --> checked values --> Config
//! --set section.key=value            /     |
//!                                          '--> every fault at once, under its line
//! ```
//!
//! [`keys`] is the one table: messages, `engine config default` and the schema are made from it.
//! What a later version will do is an error here, never ignored.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

/// A configuration as a whole.
mod checked;
/// When a trading day begins.
mod day;
/// Everything that is wrong.
mod faults;
/// The table of keys.
mod keys;
/// What a value may be.
mod kind;
/// Files, variables and options.
mod layers;
/// The effective configuration, the default file and the schema.
mod print;
/// Values as they were written.
mod raw;

#[cfg(test)]
mod tests;

pub(crate) use checked::Config;
pub(crate) use faults::Faults;

use layers::Layers;

use super::cli::Cli;
use super::exit::{Failure, Finding};
use super::show;

/// Where a configuration comes from.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct ConfigArgs {
    /// Files of configuration; of two that state the same key, the later one counts.
    #[arg(long, num_args = 1, value_name = "FILE")]
    pub(super) config: Vec<PathBuf>,
    /// State one key, over files and environment: data.seed=7.
    #[arg(long, num_args = 1, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
}

/// `engine config`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What can be done with a configuration.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print every key with its value.
    #[command(after_help = "\
Examples:
  engine config show --config sluice.toml --origin
  SLUICE__DATA__SEED=7 engine config show --origin --json")]
    Show {
        /// Whence it comes.
        #[command(flatten)]
        from: ConfigArgs,
        /// Say where each value comes from: default, file:line:column, variable, --set.
        #[arg(long)]
        origin: bool,
    },
    /// Check a configuration as a whole and tell every fault.
    #[command(after_help = "Example:\n  engine config check --config sluice.toml")]
    Check {
        /// Whence it comes.
        #[command(flatten)]
        from: ConfigArgs,
    },
    /// Print a file with every key, its meaning, its range and its default.
    #[command(after_help = "Example:\n  engine config default > sluice.toml")]
    Default,
    /// Print the JSON Schema of the file, for editors.
    #[command(after_help = "Example:\n  engine config schema > sluice.schema.json")]
    Schema,
}

/// A configuration that can be run, with its hash.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The values.
    pub(super) config: Config,
    /// BLAKE3 of the effective configuration: every key that has a value, with it.
    pub(super) hash: String,
    /// Lines to print: variables that count.
    pub(super) notes: Vec<String>,
    layers: Layers,
}

/// Reads and checks a configuration.
///
/// # Errors
/// [`Failure::Usage`] when a file cannot be read, [`Failure::Config`] with every fault.
pub(super) fn load(from: &ConfigArgs) -> Result<Loaded, Failure> {
    let mut layers = Layers::default();
    for path in &from.config {
        layers.file(path)?;
    }
    layers.environment(variables());
    for text in &from.set {
        layers.option(text)?;
    }
    let notes = layers.notes();
    match checked::check(&mut layers) {
        Some(config) => {
            let hash = print::hash(&layers);
            Ok(Loaded { config, hash, notes, layers })
        }
        None => Err(Failure::Config(Box::new(layers.faults))),
    }
}

impl Loaded {
    /// Returns a refusal of the value of a key by what it meets: drawn under its line where it is
    /// stated, told with the key where it is not.
    pub(super) fn refuse(&self, key: &str, message: &str) -> Failure {
        self.layers.refuse(key, message)
    }
}

/// Returns the variables of the environment that are text; others are not ours.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Runs `engine config`.
///
/// # Errors
/// As [`load`].
pub(super) fn run(cli: &Cli, args: &Arguments) -> Result<Finding, Failure> {
    match &args.command {
        Command::Show { from, origin } => {
            let loaded = load(from)?;
            let rows = print::rows(&loaded.layers);
            if cli.json {
                show::out(&print::rows_json(&rows, &loaded.hash).to_string());
            } else {
                rows.iter().for_each(|row| show::out(&row.line(*origin)));
                show::out(&format!("# hash {}", loaded.hash));
            }
        }
        Command::Check { from } => {
            let loaded = load(from)?;
            loaded.notes.iter().for_each(|line| show::note(line));
            let stated = loaded.layers.entries.len();
            if cli.json {
                let object = json!({ "stated": stated, "hash": loaded.hash, "errors": [] });
                show::out(&object.to_string());
            } else {
                show::out(&format!("{stated} keys are stated, and all is well: {}", loaded.hash));
            }
        }
        Command::Default => show::out(print::default_file().trim_end()),
        Command::Schema => show::out(&format!("{:#}", print::schema())),
    }
    Ok(Finding::Nothing)
}
