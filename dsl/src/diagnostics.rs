//! Errors and warnings of rules files, as data.
//!
//! A diagnostic has a stable code, one primary place with a label, perhaps secondary ones, and a
//! help that says what to write. Drawing is the program's business.

pub use crate::parse::suggest::nearest;
use crate::span::{Source, Span};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file does not load.
    Error,
    /// The file loads.
    Warning,
}

/// A place with what is to be said there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is said under the line; may be empty.
    pub text: String,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code, such as `R0203`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence, lower case, no full stop.
    pub message: String,
    /// Where, primary first.
    pub labels: Vec<Label>,
    /// What to do, if there is one thing to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Returns an error at a place.
    #[must_use]
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: vec![Label { span, text: String::new() }],
            help: None,
        }
    }

    /// Returns a warning at a place.
    #[must_use]
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// Sets the text under the primary place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        if let Some(first) = self.labels.first_mut() {
            first.text = text.into();
        }
        self
    }

    /// Adds a secondary place.
    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Sets the help.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Returns the primary place.
    #[must_use]
    pub fn span(&self) -> Span {
        self.labels.first().map(|label| label.span).unwrap_or_default()
    }

    /// Returns `file:line:column` of the primary place.
    #[must_use]
    pub fn place(&self, sources: &[Source]) -> (String, u32, u32) {
        let span = self.span();
        match sources.get(usize::from(span.source)) {
            Some(source) => {
                let (line, column) = source.position(span.start);
                (source.name.clone(), line, column)
            }
            None => (String::new(), 0, 0),
        }
    }
}
