//! The engine: four pure stages, the paper simulator, the threads that carry them, and replay.
//!
//! Stages see [`model`] events only: recorded, generated and live data look the same to them.
//! Nothing here names a venue; the program (`main.rs`, `app/`) puts sources and stages together.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::wildcard_enum_match_arm
    )
)]

/// The one timer that a stage waits for.
pub mod alarm;
/// Acts that take two people.
pub mod approval;
/// Numbers that are drawn.
mod draw;
/// The execution stage: approved signals to orders.
pub mod execution;
/// Refusals with the terms that they were made of.
pub mod explain;
mod facts;
/// The feed stage: the sequencer.
pub mod feed;
/// A generated market, seeded.
pub mod generate;
/// How a thread waits for its ring.
pub mod idle;
/// Rings between stages, with parking, a high-water mark and a stated policy when full.
pub mod lane;
/// Points, intervals and histograms of latency.
pub mod latency;
/// Levels of the kill switch.
pub mod levels;
/// Limits of the engine, with their reasons.
pub mod limits;
/// What is known of one instrument's market.
pub mod market;
/// Messages released on a schedule, as a market releases them.
pub mod open_loop;
/// The simulated venue: arrivals, fills and reports as a pure function of market events and orders.
pub mod paper;
/// The stages joined, on one thread or one each.
pub mod pipeline;
/// What is held, what it is worth, and what an order would change.
pub mod portfolio;
/// The session's rules, checked and bound.
pub mod program;
/// The journal thread and the lanes that feed it.
pub mod recorder;
/// Decisions computed again from a journal.
pub mod replay;
/// A session's stages, computed again while it still writes its journal.
pub mod replica;
/// The risk stage: verdicts, portfolio, latches.
pub mod risk;
/// A session put together and run.
pub mod session;
/// Everything a session is made of, as data.
pub mod setup;
/// What a session promises, and whether it kept it.
pub mod slo;
/// Where market data comes from.
pub mod source;
/// What a stage is.
pub mod stage;
/// Stages with what they put out and what is counted of it; the egress.
pub mod station;
/// The strategy stage: what fires, and what it asks for.
pub mod strategy;
mod sync;
/// What a session did, counted and hashed.
pub mod tally;
/// Where a stage's records go, or what they are compared with.
pub mod tape;
/// Which thread runs where.
pub mod topology;
/// Tests of rules files, run.
pub mod trial;

/// What tests of several stages share.
#[cfg(test)]
mod testing;
