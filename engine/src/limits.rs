//! Limits of the engine, each with its reason and with what happens at it.

/// LIMIT: open orders of a session. At it risk refuses further orders with TOO_MANY_OPEN.
pub const OPEN_ORDERS_MAX: usize = 1_024;
/// LIMIT: protective stops that rest or are on their way, one for a strategy and instrument. At it
/// an order that would need another is refused with TOO_MANY_OPEN.
pub const STOPS_MAX: usize = 512;
/// LIMIT: instruments of a session: ids index dense tables that stages walk.
pub const INSTRUMENTS_MAX: usize = 256;
/// LIMIT: rules of all risk blocks and strategies together: a verdict's set has 256 bits.
pub const RULES_MAX: usize = 256;
/// LIMIT: events that latches may put out in one step, if all of them change at once: they must
/// find room beside a cancel for every open order. A session with more is refused at its start.
pub const LATCH_EVENTS_MAX: usize = 2 * OPEN_ORDERS_MAX;
/// LIMIT: events waiting in a ring from one stage to the next: 4 KiB. A slot is then used again
/// before it leaves the first-level caches of both processors, which halves the cost of a hop; what
/// does not fit waits a few microseconds, as it would for the stage behind the ring anyway.
pub const RING_EVENTS: usize = 64;
/// LIMIT: events waiting where all that one step puts out must find room: 256 KiB. From execution
/// back to feed, which does not read while it writes forward, and from a stage to the journal.
pub const BURST_RING_EVENTS: usize = 4_096;

const _: () = assert!(RING_EVENTS.is_power_of_two() && BURST_RING_EVENTS.is_power_of_two());
