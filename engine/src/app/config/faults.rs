//! Everything that is wrong with a configuration, gathered and drawn like the faults of rules.

use dsl::diagnostics::Diagnostic;
use dsl::span::{Source, Span};

/// The text is no TOML.
pub(super) const SYNTAX: &str = "C0101";
/// There is no such key.
pub(super) const UNKNOWN: &str = "C0102";
/// A text where a number is expected, and the like.
pub(super) const TYPE: &str = "C0103";
/// The unit is missing, or another one is needed.
pub(super) const UNIT: &str = "C0104";
/// The value cannot be read.
pub(super) const MALFORMED: &str = "C0105";
/// The value is outside of what is allowed.
pub(super) const RANGE: &str = "C0106";
/// The value is none of those there are.
pub(super) const CHOICE: &str = "C0107";
/// Two values contradict each other, or one is missing beside another.
pub(super) const CONFLICT: &str = "C0108";
/// This version does not do that.
pub(super) const LATER: &str = "C0109";
/// A secret stands in the file.
pub(super) const SECRET: &str = "C0110";
/// A file is not there.
pub(super) const MISSING: &str = "C0111";

/// What is wrong with a value, before its place is known.
#[derive(Clone, Debug)]
pub(super) struct Complaint {
    code: &'static str,
    message: String,
    help: Option<String>,
}

impl Complaint {
    /// Returns a complaint of a sort.
    pub(super) fn new(code: &'static str, message: String) -> Self {
        Self { code, message, help: None }
    }

    /// Sets what to do.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Gives it its place.
    pub(super) fn at(self, key: &str, span: Span) -> Diagnostic {
        let found = Diagnostic::error(self.code, span, format!("{key}: {}", self.message));
        match self.help {
            Some(help) => found.help(help),
            None => found,
        }
    }
}

/// The faults of a configuration, with the texts they are about.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Files, variables and options, in the order in which they count.
    pub(crate) sources: Vec<Source>,
    /// What is wrong, in the order of the texts.
    pub(crate) found: Vec<Diagnostic>,
}

impl Faults {
    /// Adds a fault.
    pub(super) fn push(&mut self, fault: Diagnostic) {
        self.found.push(fault);
    }

    /// Sorts by place.
    pub(super) fn sort(&mut self) {
        self.found.sort_by_key(|one| (one.span().source, one.span().start));
    }

    /// Hides the text of a place: a secret is not shown again.
    pub(super) fn hide(&mut self, span: Span) {
        let Some(source) = self.sources.get_mut(usize::from(span.source)) else { return };
        let at = |byte: u32| usize::try_from(byte).unwrap_or(usize::MAX);
        let (start, end) = (at(span.start), at(span.end));
        let (Some(before), Some(text), Some(after)) =
            (source.text.get(..start), source.text.get(start..end), source.text.get(end..))
        else {
            return;
        };
        // As many bytes as before, so that no other place moves.
        let hidden: String =
            text.bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }).collect();
        source.text = format!("{before}{hidden}{after}");
    }
}
