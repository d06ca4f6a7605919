//! Diagnostics drawn under the lines they are about, and failures told once.

use std::io::Write;
use std::process::ExitCode;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

use dsl::diagnostics::{Diagnostic, Severity};
use dsl::span::Source;

use super::exit::{self, Failure};

/// LIMIT: diagnostics drawn; the rest is counted. `--json` has all.
const DRAWN_MAX: usize = 20;

/// Writes a line to stdout; a reader that has gone away is no fault of ours.
pub(super) fn out(text: &str) {
    let mut stdout = std::io::stdout().lock();
    drop(writeln!(stdout, "{text}"));
}

/// Returns the program as the user called it: a command that we suggest can be typed as it stands.
pub(super) fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "engine".to_owned())
}

/// Writes a line to stderr.
pub(super) fn note(text: &str) {
    let mut stderr = std::io::stderr().lock();
    drop(writeln!(stderr, "{text}"));
}

/// Tells a failure once, with what led to it.
pub(super) fn failure(failure: &Failure, json: bool) {
    match failure {
        Failure::Rules(rules) => {
            if json {
                let files: Vec<&str> = rules.sources.iter().map(|one| one.name.as_str()).collect();
                let mut object = findings(&rules.sources, &rules.diagnostics, &files);
                if let Some(object) = object.as_object_mut() {
                    object.insert("exit_code".to_owned(), failure.code().into());
                }
                out(&object.to_string());
            }
            diagnostics(&rules.sources, &rules.diagnostics);
        }
        Failure::Usage(error) | Failure::Corrupt(error) | Failure::Internal(error) => {
            if json {
                let object = serde_json::json!({
                    "error": format!("{error:#}"),
                    "exit_code": failure.code(),
                });
                out(&object.to_string());
            }
            note(&format!("error: {error:#}"));
        }
    }
}

/// Returns findings as the object that `--json` prints.
pub(super) fn findings(sources: &[Source], found: &[Diagnostic], files: &[&str]) -> Value {
    let list = |severity: Severity| -> Vec<Value> {
        let picked = found.iter().filter(|d| d.severity == severity);
        let rows = picked.map(|diagnostic| {
            let (file, line, column) = diagnostic.place(sources);
            json!({
                "code": diagnostic.code,
                "file": file,
                "line": line,
                "column": column,
                "message": diagnostic.message,
                "help": diagnostic.help,
            })
        });
        rows.collect()
    };
    json!({
        "files": files,
        "errors": list(Severity::Error),
        "warnings": list(Severity::Warning),
    })
}

/// Tells that the arguments cannot be understood, or prints the help that they ask for.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    let asks_json = std::env::args_os().any(|argument| argument == "--json");
    if error.use_stderr() && asks_json {
        let object = serde_json::json!({
            "error": error.to_string().trim_end(),
            "exit_code": error.exit_code(),
        });
        out(&object.to_string());
    }
    drop(error.print());
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit::USAGE))
}

/// Draws diagnostics on stderr.
pub(super) fn diagnostics(sources: &[Source], found: &[Diagnostic]) {
    let renderer = Renderer::plain();
    for diagnostic in found.iter().take(DRAWN_MAX) {
        note(&draw(&renderer, sources, diagnostic));
        note("");
    }
    let rest = found.len().saturating_sub(DRAWN_MAX);
    if rest > 0 {
        note(&format!("and {rest} more"));
    }
}

fn draw(renderer: &Renderer, sources: &[Source], diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(&diagnostic.message).id(diagnostic.code);
    let mut group = Group::with_title(title);
    let source = sources.get(usize::from(diagnostic.span().source));
    if let Some(source) = source {
        let mut snippet = Snippet::source(&source.text).path(&source.name);
        for (index, label) in diagnostic.labels.iter().enumerate() {
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            let end = source.text.len();
            let start = usize::try_from(label.span.start).unwrap_or(end).min(end);
            let stop = usize::try_from(label.span.end).unwrap_or(end).clamp(start, end);
            snippet = snippet.annotation(kind.span(start..stop).label(&label.text));
        }
        group = group.element(snippet);
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    renderer.render(&[group])
}
