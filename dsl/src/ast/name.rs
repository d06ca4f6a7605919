//! The node of a name.

use crate::span::Span;

/// A word with its place: a name, a reason code, an asset or a symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// As written.
    pub text: String,
    /// Where.
    pub span: Span,
}
