//! Sessions as wholes: run, journaled, run again another way, replayed.
//!
//! An equality between two streams proves nothing when both are empty, so every test here also says
//! how much was decided, and prints it.

mod accounts;
mod captures;
mod explain;
mod generated;
pub(crate) mod lab;
mod latency;
mod merged;
mod replica;
pub(crate) mod resume;
mod strategies;
mod tampered;
