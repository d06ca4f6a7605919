//! The house rules, checked over the tree. A check is a function from a file to its findings, and
//! each is also shown a bad file, so that none passes because it sees nothing.

/// What people read: headings, links, generated pages.
mod document;
/// Manifests: arrows between crates, lints, reasons for dependencies.
mod manifest;
/// What ships as rules.
mod rules;
/// What is compiled.
mod source;
/// The tree as files.
mod tree;
