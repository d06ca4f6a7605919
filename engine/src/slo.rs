//! Objectives: what a session promises, judged by what was measured.
//!
//! An objective states what it is about, its target, the window that it looks at, and how many
//! samples a verdict needs at least: with fewer there is none. Intervals are judged by their
//! histograms (an interval log), measures by a journal. Called by `engine slo`.

use hdrhistogram::Histogram;

use model::num::{RATE_SCALE, Rounding, mul_div};

/// How fast a budget of errors burns, and when somebody has to know.
pub mod burn;
/// The file of objectives.
pub mod file;
/// What a journal tells.
pub mod journaled;
/// What an interval log tells.
pub mod logged;

pub use file::{About, Objective, ObjectivesError, load};

/// What an objective is judged by.
#[derive(Clone, Debug)]
pub enum Found {
    /// Samples of an interval in nanoseconds.
    Interval(Histogram<u64>),
    /// So many of a whole: seconds up of all, or errors of all intents.
    Share {
        /// What counts.
        part: u64,
        /// All.
        whole: u64,
    },
    /// This input does not tell it, and which would.
    Elsewhere(&'static str),
}

/// An objective's verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What was found: nanoseconds, or a share in 1e-9; none without samples.
    pub actual: Option<i128>,
    /// Whether it is met; none with too few samples.
    pub met: Option<bool>,
    /// Samples.
    pub count: u64,
    /// How many times too fast the budget burns, in thousandths: of an interval, the samples beyond
    /// the target over those that its percentile lets pass.
    pub burn_milli: Option<u64>,
    /// Why there is no verdict.
    pub why: Option<String>,
}

/// One, in the unit of shares.
const ONE: i128 = 1_000_000_000;
const _: () = assert!(RATE_SCALE == 9);

impl Objective {
    /// Judges what was found.
    #[must_use]
    pub fn judge(&self, found: &Found) -> Judged {
        match found {
            Found::Interval(histogram) => self.judge_interval(histogram),
            Found::Share { part, whole } => self.judge_share(*part, *whole),
            Found::Elsewhere(input) => Judged {
                actual: None,
                met: None,
                count: 0,
                burn_milli: None,
                why: Some(format!("{input} tells it, and this is none")),
            },
        }
    }

    /// Returns why so many samples are no verdict.
    fn too_few(&self, count: u64) -> Option<String> {
        (count < self.count).then(|| format!("{count} samples, {} are needed", self.count))
    }

    fn judge_interval(&self, histogram: &Histogram<u64>) -> Judged {
        let count = histogram.len();
        let why = self.too_few(count);
        let target = u64::try_from(self.target).unwrap_or(u64::MAX);
        let actual = (count > 0).then(|| histogram.value_at_percentile(self.percentile()));
        let met = actual.filter(|_| why.is_none()).map(|actual| actual <= target);
        let burn_milli = burn::of(self, histogram);
        Judged { actual: actual.map(i128::from), met, count, burn_milli, why }
    }

    fn judge_share(&self, part: u64, whole: u64) -> Judged {
        let why = self.too_few(whole);
        // Rounded against us: a share that must be large is rounded down.
        let least = self.about == About::Uptime;
        let rounding = if least { Rounding::Floor } else { Rounding::Ceil };
        let actual = mul_div(part.into(), ONE, i128::from(whole.max(1)), rounding);
        let actual = actual.filter(|_| whole > 0);
        let met = actual
            .filter(|_| why.is_none())
            .map(|actual| if least { actual >= self.target } else { actual <= self.target });
        Judged { actual, met, count: whole, burn_milli: None, why }
    }
}

#[cfg(test)]
mod tests;
