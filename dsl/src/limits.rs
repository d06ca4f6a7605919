//! Limits of the language, with their reasons: nothing a file contains makes the checker slow,
//! large or deep. Each has its own message.

/// LIMIT: size of one file. Risk rules are read by people; 1 MiB is more than 10,000 rules.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// LIMIT: size of one statement: the longest are tables with a value for each of 1,000 symbols.
pub const STATEMENT_BYTES_MAX: usize = 1 << 16;

/// LIMIT: files checked together. A span has room for more; no session needs as many.
pub const SOURCES_MAX: usize = 1_000;

/// LIMIT: open brackets and `if`s at one place. Counted before parsing, because the parser
/// recurses.
pub const NESTING_MAX: usize = 64;

/// LIMIT: height of one expression's tree, so that everything behind the parser may recurse.
pub const HEIGHT_MAX: u32 = 128;

/// LIMIT: nodes of one typed expression. `in` repeats its left side, so nested ones would double.
pub const NODES_MAX: usize = 4_096;

/// LIMIT: diagnostics kept for one file; the rest is counted.
pub const DIAGNOSTICS_MAX: usize = 100;

/// LIMIT: digits of a number: with 18 decimals it still fits an `i128` a billion times over.
pub const DIGITS_MAX: usize = 28;

/// LIMIT: decimals of a number, as of an instrument's scales.
pub const DECIMALS_MAX: usize = 18;

/// LIMIT: length of a series in updates: its window is memory for every symbol.
pub const SERIES_LENGTH_MAX: i128 = 10_000;

/// LIMIT: elements of `last(stream, n)`: 16 bytes each for every block, reserved at start.
pub const LAST_MAX: i128 = 10_000;

/// LIMIT: shortest window in time, in nanoseconds: its buckets are a 64th of it.
pub const WINDOW_NS_MIN: i64 = 1_000_000;

/// LIMIT: approved orders that a window over `orders.same` remembers. When more came within its
/// time than this, the count is unknown, and what reads it refuses.
pub const SAME_ORDERS_MAX: usize = 1_024;

/// LIMIT: how often a test repeats a statement; more is cut to this, so that tests end.
pub const TIMES_MAX: u64 = 10_000;

const _: () = assert!(DIGITS_MAX > DECIMALS_MAX && DIGITS_MAX < 38);
const _: () = assert!(SOURCES_MAX < u16::MAX as usize);

/// LIMIT: shortest length of `on timer`, in nanoseconds. Each tick is a record of the journal: one
/// every millisecond is a thousand a second, as a busy market has.
pub const TIMER_NS_MIN: i64 = 1_000_000;
