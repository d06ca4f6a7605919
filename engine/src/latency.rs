//! Latency: the points that a message passes, the intervals between them, and their histograms.
//!
//! Stations stamp points by a `Counter` that the caller gives; without one, as in replay, nothing
//! is stamped and nothing is paid for. What is measured never enters an event, a decision or its
//! hash: stamps travel beside the events, in the `Trail`, a table in memory that all stages of a
//! session share.
//!
//! Guarantees: no allocation, lock or system call where a point is stamped or an interval recorded;
//! histograms have their size from the start. What cannot be attributed is counted, not guessed.
//!
//! Why a table and not a lane of its own: an event stays one cache line, a stamp of a message that
//! leads to nothing is a store into a line that nobody reads, and the rings between the stages
//! carry not one event more. In lock step one message is in flight; the table has room for
//! `trail::MESSAGES`.

/// What stamps are read from.
pub mod counter;
/// Interval logs that other tools read.
pub mod log;
/// One thread's stamps and histograms.
pub mod meter;
/// The points and intervals, by name.
pub mod point;
/// Histograms of one thread, by interval.
pub mod set;
/// What a session's histograms say.
pub mod table;
/// Stamps on their way beside the events.
pub mod trail;

pub use counter::Counter;
pub use meter::{Collector, Measure, Meter};
pub use point::{INTERVALS, Interval, Point, Station};
pub use set::Set;
pub use table::{Latencies, Row};
pub use trail::Trail;

#[cfg(test)]
mod tests;
