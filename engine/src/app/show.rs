//! Diagnostics drawn under the lines they are about, and failures told once.

use std::borrow::Cow;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

use dsl::diagnostics::{Diagnostic, Severity};
use dsl::span::Source;

use super::exit::{self, Failure};
use super::quote::quoted;

/// LIMIT: diagnostics drawn; the rest is counted. `--json` has all.
const DRAWN_MAX: usize = 20;

/// Why a line did not reach stdout, the first time. The command goes on, since its work may be more
/// than its output; its exit code tells.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Writes a line to stdout. Behind one that was lost nothing is written: see [`lost`].
pub(super) fn out(text: &str) {
    if LOST.get().is_some() {
        return;
    }
    let line = format!("{}\n", printable(text));
    if let Err(error) = write_all(line.as_bytes()) {
        drop(LOST.set(error));
    }
}

/// Returns why the result did not reach stdout; `None` where it did, and where its reader has gone
/// away (`| head`): who stops reading has what they wanted.
pub(super) fn lost() -> Option<&'static io::Error> {
    LOST.get().filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
}

/// Writes without the standard library's buffer: that takes a stdout which cannot be written to
/// (`EBADF`) for one that can.
fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    let stdout = io::stdout().lock();
    while !bytes.is_empty() {
        match rustix::io::write(stdout.as_fd(), bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Returns the program as the user called it: a command that we suggest can be typed as it stands.
pub(super) fn program() -> String {
    std::env::args_os().next().map_or_else(|| "engine".to_owned(), |name| quoted(&name))
}

/// Returns a text without control characters other than line feeds and tabs: names of files come
/// from others, and must not act on the terminal. They are written as JSON does, so that an object
/// stays the same.
fn printable(text: &str) -> Cow<'_, str> {
    let acts = |letter: char| letter.is_control() && letter != '\n' && letter != '\t';
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let letter = |letter: char| {
        if acts(letter) { format!("\\u{:04x}", u32::from(letter)) } else { letter.to_string() }
    };
    Cow::Owned(text.chars().map(letter).collect())
}

/// Writes a line to stderr.
pub(super) fn note(text: &str) {
    let mut stderr = io::stderr().lock();
    drop(writeln!(stderr, "{}", printable(text)));
}

/// Returns an error with what led to it, each once: many name their cause in their own text.
fn chain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// Tells a failure once, with what led to it.
pub(super) fn failure(failure: &Failure, json: bool) {
    match failure {
        Failure::Rules(rules) => drawn(&rules.sources, &rules.diagnostics, failure.code(), json),
        Failure::Config(faults) => drawn(&faults.sources, &faults.found, failure.code(), json),
        Failure::Usage(error) | Failure::Corrupt(error) | Failure::Internal(error) => {
            let text = chain(error);
            if json {
                let object = json!({ "error": text, "exit_code": failure.code() });
                out(&object.to_string());
            }
            note(&format!("error: {text}"));
        }
    }
}

/// Tells a failure that has places.
fn drawn(sources: &[Source], found: &[Diagnostic], code: u8, json: bool) {
    if json {
        let files: Vec<&str> = sources.iter().map(|one| one.name.as_str()).collect();
        let mut object = findings(sources, found, &files);
        if let Some(object) = object.as_object_mut() {
            object.insert("exit_code".to_owned(), code.into());
        }
        out(&object.to_string());
    }
    diagnostics(sources, found);
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

/// Tells that the arguments cannot be understood, or prints the help that they ask for; returns the
/// exit code.
pub(super) fn usage(error: &clap::Error) -> u8 {
    let asks_json = std::env::args_os().any(|argument| argument == "--json");
    let code = u8::try_from(error.exit_code()).unwrap_or(exit::USAGE);
    if error.use_stderr() && asks_json {
        let object = json!({ "error": error.to_string().trim_end(), "exit_code": code });
        out(&object.to_string());
    }
    let mut arguments = std::env::args_os();
    if arguments.any(|argument| argument.to_string_lossy().contains(char::is_control)) {
        // An argument that is repeated would act on the terminal: colours are not worth that.
        note(error.to_string().trim_end());
    } else if let Err(lost) = error.print().and_then(|()| io::stdout().flush())
        && !error.use_stderr()
    {
        drop(LOST.set(lost));
    }
    code
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_written_as_json_does() {
        assert_eq!(printable("a\u{1b}[2J\r\u{9b}\n\tb"), "a\\u001b[2J\\u000d\\u009b\n\tb");
        let object = json!({ "dir": "a\u{1b}\u{7f}\u{9b}" });
        let read: Value = serde_json::from_str(&printable(&object.to_string())).unwrap();
        assert_eq!(read, object);
    }

    #[test]
    fn a_cause_that_was_named_is_not_named_again() {
        let cause = || io::Error::other("the disk is full");
        let named = anyhow::Error::from(cause()).context("cannot write x: the disk is full");
        assert_eq!(chain(&named), "cannot write x: the disk is full");
        let other = anyhow::Error::from(cause()).context("cannot write x");
        assert_eq!(chain(&other), "cannot write x: the disk is full");
    }
}
