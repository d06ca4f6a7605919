//! The rules language: risk limits and strategies as small typed text.
//!
//! Text goes through stages, one file each: [`parse`] (pest grammar to syntax tree), [`check`]
//! (names, units, `na` to the one typed form), [`compile`] (bound to an instrument: a flat program
//! over integers), [`evaluate`] (on the hot path: no allocation, no tree). The crate knows fields
//! declared by the [`schema`]; it knows no venue, thread, file or clock.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::wildcard_enum_match_arm
    )
)]

/// The syntax tree: what was written, with its place.
pub mod ast;
/// Ranges of values, from which the compiler proves that no operation overflows.
mod bounds;
/// Names, units and `na`: from the syntax tree to the typed form.
pub mod check;
/// From the typed form to a flat program for one instrument.
pub mod compile;
/// Errors and warnings with codes, places and help.
pub mod diagnostics;
/// Runs a flat program over facts.
pub mod evaluate;
/// Bars of longer lengths.
mod frame;
/// Stateful indicators in integers.
pub mod indicator;
/// Limits of the language, with their reasons.
pub mod limits;
/// What a block remembers: states and windows.
pub mod memory;
/// From text to the syntax tree.
pub mod parse;
/// The fields that rules can read.
pub mod schema;
/// Places in source texts.
pub mod span;
/// The one typed form.
pub mod typed;
/// Register values and truth.
pub mod value;
