//! Histograms of one thread, by interval.

use hdrhistogram::Histogram;

use super::point::{INTERVALS, Interval, Station};

/// LIMIT: the longest latency that is told apart, one minute in nanoseconds: longer ones count as
/// it.
pub const LATENCY_NS_MAX: u64 = 60_000_000_000;
/// Significant decimal digits of a recorded value.
const DIGITS: u8 = 3;

/// One histogram for each interval of a station.
#[derive(Clone, Debug)]
pub struct Set {
    histograms: Vec<Option<Histogram<u64>>>,
    /// The counter's values between which this was recorded.
    pub span: (u64, u64),
    /// Intervals whose end was stamped before their beginning: two processors' counters differ.
    pub backwards: u64,
    /// Orders whose signal or verdict was not in the trail any more.
    pub lost: u64,
}

/// Returns an empty histogram whose memory is there.
#[must_use]
pub fn histogram() -> Option<Histogram<u64>> {
    let mut made = Histogram::<u64>::new_with_bounds(1, LATENCY_NS_MAX, DIGITS).ok()?;
    // Writes every count, so that no record meets a page that the system has not given yet.
    made.reset();
    Some(made)
}

impl Set {
    /// Returns the histograms of a station, all taken.
    #[must_use]
    pub fn new(station: Station) -> Self {
        Self::with(|row| row == station)
    }

    /// Returns a set without histograms, to put those of others together.
    #[must_use]
    pub fn none() -> Self {
        Self::with(|_| false)
    }

    /// Returns the histograms of all stations.
    #[must_use]
    pub fn whole() -> Self {
        Self::with(|_| true)
    }

    fn with(wanted: impl Fn(Station) -> bool) -> Self {
        let made = |station| if wanted(station) { histogram() } else { None };
        let histograms = INTERVALS.iter().map(|row| made(row.station)).collect();
        Self { histograms, span: (0, 0), backwards: 0, lost: 0 }
    }

    /// Records a latency.
    #[inline]
    pub fn record(&mut self, interval: Interval, ns: u64) {
        if let Some(Some(histogram)) = self.histograms.get_mut(interval as usize) {
            histogram.saturating_record(ns);
        }
    }

    /// Returns the histogram of an interval, if this set has it.
    #[must_use]
    pub fn get(&self, interval: Interval) -> Option<&Histogram<u64>> {
        self.histograms.get(interval as usize)?.as_ref()
    }

    /// Returns the histograms that hold anything, by interval.
    pub fn recorded(&self) -> impl Iterator<Item = (Interval, &Histogram<u64>)> {
        let all = INTERVALS.iter().zip(&self.histograms);
        all.filter_map(|(row, histogram)| Some((row.interval, histogram.as_ref()?)))
            .filter(|(_, histogram)| !histogram.is_empty())
    }

    /// Takes over what another set holds: a histogram that this one has not is moved, not copied.
    pub fn take(&mut self, other: Self) {
        let Self { histograms, span: _, backwards, lost } = other;
        for (own, others) in self.histograms.iter_mut().zip(histograms) {
            match (own, others) {
                (_, None) => {}
                (own @ None, others) => *own = others,
                (Some(own), Some(others)) => {
                    own.add(&others).ok();
                }
            }
        }
        self.backwards = self.backwards.saturating_add(backwards);
        self.lost = self.lost.saturating_add(lost);
    }

    /// Adds what another set holds. The sizes are equal, so nothing can be lost by it.
    pub fn add(&mut self, other: &Self) {
        for (own, others) in self.histograms.iter_mut().zip(&other.histograms) {
            if let (Some(own), Some(others)) = (own, others) {
                own.add(others).ok();
            }
        }
        self.backwards = self.backwards.saturating_add(other.backwards);
        self.lost = self.lost.saturating_add(other.lost);
    }

    /// Forgets everything; the memory stays.
    pub fn clear(&mut self) {
        for histogram in self.histograms.iter_mut().flatten() {
            if !histogram.is_empty() {
                histogram.reset();
            }
        }
        (self.span, self.backwards, self.lost) = ((0, 0), 0, 0);
    }
}
