//! The parser that pest makes from `grammar.pest`.
#![expect(missing_docs, reason = "the macro writes no documentation for the rules it makes")]

/// Entry of the grammar.
#[derive(Debug, pest_derive::Parser)]
#[grammar = "grammar.pest"]
pub(crate) struct Grammar;
