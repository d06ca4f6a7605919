//! The parser that pest makes from `grammar.pest`.

/// Entry of the grammar.
#[derive(Debug, pest_derive::Parser)]
#[grammar = "grammar.pest"]
pub(crate) struct Grammar;
