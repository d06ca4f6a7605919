//! Limits of the engine, each with its reason and with what happens at it.

/// LIMIT: open orders of a session. At it risk refuses further orders with TOO_MANY_OPEN.
pub const OPEN_ORDERS_MAX: usize = 1_024;
/// LIMIT: instruments of a session: ids index dense tables that stages walk.
pub const INSTRUMENTS_MAX: usize = 256;
/// LIMIT: rules of all risk blocks and strategies together: a verdict's set has 256 bits.
pub const RULES_MAX: usize = 256;
/// LIMIT: timers that stages have asked for and that have not fired: one per latch and order.
pub const TIMERS_MAX: usize = 4 * OPEN_ORDERS_MAX;
/// LIMIT: events waiting in a ring between two stages: 256 KiB, so a snapshot of 10,000 levels
/// passes in three bursts and the ring still fits a core's second-level cache.
pub const RING_EVENTS: usize = 4_096;
/// LIMIT: events waiting for the journal thread: 4 MiB, a few milliseconds of a burst.
pub const JOURNAL_RING_EVENTS: usize = 65_536;

const _: () = assert!(RING_EVENTS.is_power_of_two() && JOURNAL_RING_EVENTS.is_power_of_two());
