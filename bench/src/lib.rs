//! Workloads of the benches, and the harness that compares two of them.
//!
//! Every workload is fixed by its parameters, checks its result before anything is timed, and says
//! the result as a hash: two machines that print the same hash did the same work. Criterion runs
//! single workloads (`benches/`); what is compared with something else runs by [`compare`], turn by
//! turn in one process, because criterion cannot take turns. Nothing here is asserted about time:
//! the program `figures` prints goals and what was measured beside them.
//!
//! Statistics are integers: nanoseconds, picoseconds an operation, thousandths of a ratio.

/// Appending events to a journal, and copying them.
pub mod appending;
/// The program over a recorded capture, as a process.
pub mod backtest;
/// The clock of the benches.
pub mod clock;
/// Two workloads in turns: medians, spreads, paired ratios.
pub mod compare;
/// Messages of a venue, made up.
pub mod frames;
/// Handing an event to another processor.
pub mod hop;
/// What machine this is, and on which processor a thread runs.
pub mod host;
/// The shipped limits, by the rules program and by hand.
pub mod limits;
/// Resident memory of repeated sessions.
pub mod memory;
/// The generated market on a schedule.
pub mod open_loop;
/// What reading messages of a venue leads to.
pub mod parsing;
/// Random numbers that are the same everywhere.
pub mod random;
/// Sessions over generated data on one thread, without a journal.
pub mod session;
/// Figures beside their goals, for people.
pub mod table;
