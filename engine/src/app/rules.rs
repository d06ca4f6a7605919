//! Rule texts: what ships with the program, what users name, and `engine rules`.

use std::path::PathBuf;

use dsl::check::codes;
use dsl::diagnostics::{Diagnostic, Severity, nearest};
use dsl::limits::FILE_BYTES_MAX;
use dsl::span::Source;
use engine::program;

/// `engine rules check --symbol`.
mod binding;
/// `engine rules test`.
mod trial;

use super::cli::{Cli, RulesArgs, RulesCommand};
use super::exit::{Failure, Finding};
use super::{regular, show};

/// Rules that run when none are named; by name, as files are, so that they decide under the same
/// hash when their copies are named.
const SHIPPED: [(&str, &str); 2] = [
    ("<shipped>/crossover.rules", include_str!("../../../rules/crossover.rules")),
    ("<shipped>/limits.rules", include_str!("../../../rules/limits.rules")),
];

/// What the demo runs besides.
const DEMO: (&str, &str) = ("<shipped>/demo.rules", include_str!("../../../rules/demo.rules"));

/// Reads the files that the user names, or returns what ships for the demo.
///
/// # Errors
/// As [`sources`].
pub(super) fn demo_sources(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut sources = sources(paths)?;
    if paths.is_empty() {
        let (name, text) = DEMO;
        sources.push(Source { name: name.to_owned(), text: text.to_owned() });
        sources.sort_by(|a, b| a.name.cmp(&b.name));
    }
    Ok(sources)
}

/// Reads the files that the user names, or returns what ships.
///
/// # Errors
/// [`Failure::Usage`] when a file cannot be read.
pub(super) fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    if paths.is_empty() {
        let shipped = SHIPPED
            .iter()
            .map(|(name, text)| Source { name: (*name).to_owned(), text: (*text).to_owned() });
        return Ok(shipped.collect());
    }
    read(paths)
}

fn read(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    for path in paths {
        let bytes = regular::read(path, FILE_BYTES_MAX).map_err(|error| {
            Failure::usage(format!("read rules file {}: {error}; check the path", path.display()))
        })?;
        let text = if bytes.len() > FILE_BYTES_MAX {
            // The check says that it is too large, under its name; its end may split a letter.
            String::from_utf8_lossy(&bytes).into_owned()
        } else {
            String::from_utf8(bytes).map_err(|error| {
                let at = error.utf8_error().valid_up_to();
                let (line, column) = place(error.as_bytes().get(..at).unwrap_or_default());
                Failure::usage(format!(
                    "rules file {}:{line}:{column}: no UTF-8 text from here on; save the file as \
                     UTF-8",
                    path.display()
                ))
            })?
        };
        sources.push(Source { name: path.display().to_string(), text });
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sources)
}

/// Returns line and column, from 1 and in letters, of what stands behind a sound text.
fn place(before: &[u8]) -> (usize, usize) {
    let text = String::from_utf8_lossy(before);
    let line = text.matches('\n').count().saturating_add(1);
    let column = text.chars().rev().take_while(|letter| *letter != '\n').count();
    (line, column.saturating_add(1))
}

/// Runs `engine rules`.
///
/// # Errors
/// [`Failure`] when the files cannot be read.
pub(super) fn run(cli: &Cli, args: &RulesArgs) -> Result<Finding, Failure> {
    match &args.command {
        RulesCommand::Check { paths, symbol } => check(cli, paths, symbol),
        RulesCommand::Test { paths, coverage } => trial::run(cli, read(paths)?, *coverage),
        RulesCommand::Explain { code } => explain(cli, code),
    }
}

fn explain(cli: &Cli, code: &str) -> Result<Finding, Failure> {
    let asked = code.to_ascii_uppercase();
    let Some((title, text)) = codes::explain(&asked) else {
        let known = codes::CODES.iter().map(|(code, ..)| *code);
        let near = nearest(&asked, known).map(|near| format!(" Did you mean {near}?"));
        let (first, last) = (codes::CODES.first(), codes::CODES.last());
        let end = |row: Option<&(&'static str, _, _)>| row.map_or("", |row| row.0);
        return Err(Failure::usage(format!(
            "explain {code}: there is no such code; codes of findings go from {} to {}.{}",
            end(first),
            end(last),
            near.unwrap_or_default()
        )));
    };
    if cli.json {
        let told = serde_json::json!({ "code": asked, "title": title, "text": text });
        show::out(&told.to_string());
    } else {
        show::out(&format!("{asked}: {title}\n\n{text}"));
    }
    Ok(Finding::Nothing)
}

fn check(cli: &Cli, paths: &[PathBuf], symbols: &[String]) -> Result<Finding, Failure> {
    let sources = read(paths)?;
    let checked = dsl::check::check(&sources);
    let is_sound = !checked.has_errors();
    let mut found = checked.diagnostics;
    if is_sound && !symbols.is_empty() {
        found.extend(binding::faults(sources.clone(), symbols)?);
    }
    found.extend(checked.program.invariants.iter().map(|invariant| {
        Diagnostic::warning(
            "R0600",
            invariant.span,
            format!("invariant `{}` is not proved", invariant.name),
        )
        .help("this version has no prover: the statement is checked for names and units only")
    }));
    let errors = found.iter().filter(|d| d.severity == Severity::Error).count();
    let warnings = found.len().saturating_sub(errors);
    if cli.json {
        let files: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
        show::out(&show::findings(&sources, &found, &files).to_string());
    } else {
        show::diagnostics(&sources, &found);
        let program = &checked.program;
        if errors == 0 {
            show::out(&format!(
                "{} files: {} risk blocks, {} strategies, {} tests, {} invariants; no errors, \
                 {warnings} warnings",
                sources.len(),
                program.risk.len(),
                program.strategies.len(),
                program.tests.len(),
                program.invariants.len(),
            ));
        } else {
            show::out(&format!("{errors} errors, {warnings} warnings"));
        }
    }
    Ok(if errors == 0 { Finding::Nothing } else { Finding::Something })
}

/// Checks rule texts for a session.
///
/// # Errors
/// [`Failure::Rules`] when they have errors.
pub(super) fn load(sources: Vec<Source>) -> Result<program::Checked, Failure> {
    program::load(sources).map_err(|error| Failure::Rules(Box::new(error)))
}
