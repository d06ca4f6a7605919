//! Constants of the simulated venue: latencies, and what fills where the data leaves a choice.

use serde::{Deserialize, Serialize};

/// LIMIT: lines of a latency histogram; a finer one tells nothing more.
pub const LATENCY_LINES_MAX: usize = 10_000;
/// LIMIT: one latency, a day: more is a mistake of units.
pub const LATENCY_MAX_NS: i64 = 86_400_000_000_000;
/// LIMIT: counts of a histogram together: their sum stays exact.
const COUNTS_MAX: u64 = 1 << 53;

/// The simulated venue's constants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperSetup {
    /// From decision to arrival at the venue.
    pub order_latency: LatencySetup,
    /// From the venue's act to our record of it.
    pub response_latency: LatencySetup,
    /// How cancels of others move a resting order forward in its queue.
    pub queue: QueueSetup,
    /// At which price of the next bar immediate orders fill.
    pub bar_fill: BarFill,
}

/// A latency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum LatencySetup {
    /// Always the same.
    Constant {
        /// Nanoseconds.
        ns: i64,
    },
    /// Drawn from a histogram for each order: the draw depends on seed, order number and direction,
    /// not on what was drawn before.
    Drawn {
        /// Name of the file it was read from, for people.
        name: String,
        /// Seed of the draws.
        seed: u64,
        /// Nanoseconds, rising, each with its count.
        table: Vec<(i64, u64)>,
    },
}

/// How cancels of others move a resting order forward in its queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueSetup {
    /// Only when the level falls below what is ahead.
    #[default]
    Trades,
    /// By the power model: a part of each fall of the level, in proportion to the cubes of what is
    /// ahead and behind.
    Prob,
}

/// At which price of the next bar immediate orders fill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BarFill {
    /// At its open.
    #[default]
    Open,
    /// At its close.
    Close,
}

/// A latency histogram that cannot be drawn from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}:{line}: {why}; a line has a latency in nanoseconds and a count, rising")]
pub struct LatencyError {
    /// The file.
    pub name: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

impl PaperSetup {
    /// Returns a venue with these constant latencies, and the defaults of everything else.
    #[must_use]
    pub fn constant(order_ns: i64, response_ns: i64) -> Self {
        Self {
            order_latency: LatencySetup::Constant { ns: order_ns },
            response_latency: LatencySetup::Constant { ns: response_ns },
            queue: QueueSetup::Trades,
            bar_fill: BarFill::Open,
        }
    }
}

impl LatencySetup {
    /// Reads a histogram: a line has a latency in nanoseconds and its count, rising; what follows
    /// a `#` is a comment, and digits may be grouped by `_`.
    ///
    /// # Errors
    /// [`LatencyError`] with the first line that is none of this, or that no draw can use.
    pub fn histogram(name: &str, text: &str, seed: u64) -> Result<Self, LatencyError> {
        let mut table: Vec<(i64, u64)> = Vec::new();
        let mut sum = 0_u64;
        let mut last = 0_usize;
        let refuse = |line, why: &str| {
            Err(LatencyError { name: name.to_owned(), line, why: why.to_owned() })
        };
        for (line, text) in (1..).zip(text.lines()) {
            last = line;
            let text = text.split('#').next().unwrap_or("").trim();
            if text.is_empty() {
                continue;
            }
            let mut words = text.split_whitespace().map(|word| word.replace('_', ""));
            let (Some(ns), Some(count), None) = (words.next(), words.next(), words.next()) else {
                return refuse(line, "not two numbers");
            };
            let (Ok(ns), Ok(count)) = (ns.parse::<i64>(), count.parse::<u64>()) else {
                return refuse(line, "not two whole numbers");
            };
            if !(0..=LATENCY_MAX_NS).contains(&ns) {
                return refuse(line, "the latency is not between 0 and a day");
            }
            if table.last().is_some_and(|last| last.0 >= ns) {
                return refuse(line, "the latency is not above the one before");
            }
            sum = sum.saturating_add(count);
            if count == 0 || sum > COUNTS_MAX {
                return refuse(line, "the count is zero, or all counts together pass 2^53");
            }
            if table.len() >= LATENCY_LINES_MAX {
                return refuse(line, "more than 10000 lines");
            }
            table.push((ns, count));
        }
        if table.is_empty() {
            return refuse(last.max(1), "no line with a latency");
        }
        Ok(Self::Drawn { name: name.to_owned(), seed, table })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_read_line_by_line() {
        let text = "# latency of orders\n1_000 5\n\n2000 1 # rare\n";
        let table = vec![(1_000, 5), (2_000, 1)];
        let read = LatencySetup::histogram("h", text, 7);
        assert_eq!(read, Ok(LatencySetup::Drawn { name: "h".to_owned(), seed: 7, table }));
    }

    #[test]
    fn a_histogram_that_cannot_be_drawn_from_names_its_line() {
        let faults = [
            ("", 1, "no line"),
            ("1 2\n3", 2, "not two numbers"),
            ("1 2 3", 1, "not two numbers"),
            ("1 x", 1, "not two whole"),
            ("5 1\n5 1", 2, "not above"),
            ("-1 1", 1, "between 0 and a day"),
            ("86400000000001 1", 1, "between 0 and a day"),
            ("1 0", 1, "zero"),
            ("1 9007199254740992\n2 1", 2, "2^53"),
        ];
        for (text, line, why) in faults {
            let error = LatencySetup::histogram("f", text, 0).expect_err(text);
            assert_eq!(error.line, line, "{text}");
            assert!(error.to_string().starts_with(&format!("f:{line}: ")), "{error}");
            assert!(error.why.contains(why), "{error}");
        }
    }
}
