//! What a session's histograms say.

use hdrhistogram::Histogram;

use super::meter::Basis;
use super::point::Interval;
use super::set::Set;

/// LIMIT: samples below which a p99.99 would be told by fewer than a hundred of them.
pub const SAMPLES_FOR_P99_99: u64 = 1_000_000;

/// A session's latencies.
#[derive(Clone, Debug)]
pub struct Latencies {
    /// The histograms of all threads.
    pub set: Set,
    /// What t2 was.
    pub basis: Basis,
    /// Of so many ticks one was stamped at every point.
    pub every: u64,
}

/// One interval, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The interval.
    pub interval: Interval,
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p99_9: u64,
    /// 99.99th percentile, if there are enough samples.
    pub p99_99: Option<u64>,
    /// The longest.
    pub max: u64,
    /// How many there are.
    pub count: u64,
}

impl Row {
    /// Reads a histogram.
    #[must_use]
    pub fn of(interval: Interval, histogram: &Histogram<u64>) -> Self {
        let at = |percentile| histogram.value_at_percentile(percentile);
        let count = histogram.len();
        Self {
            interval,
            p50: at(50.0),
            p90: at(90.0),
            p99: at(99.0),
            p99_9: at(99.9),
            p99_99: (count >= SAMPLES_FOR_P99_99).then(|| at(99.99)),
            max: histogram.max(),
            count,
        }
    }
}

impl Latencies {
    /// Puts the sets of all threads together.
    pub fn of(sets: impl IntoIterator<Item = Set>, basis: Basis, every: u64) -> Self {
        let mut whole = Set::none();
        for set in sets {
            whole.take(set);
        }
        Self { set: whole, basis, every }
    }

    /// Returns the intervals that hold anything.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.set.recorded().map(|(interval, histogram)| Row::of(interval, histogram)).collect()
    }
}
