//! Stateful indicators in integers: rules-language.md 17 says what each means.
//!
//! Each takes one value a step and gives one back; memory is made once, for a length known at bind.
//! An unknown input does not advance the series: the step gives that input's `na`, and the next
//! known input continues where the series stood. Until there is enough history a step gives WARMUP;
//! an input too large for exact arithmetic gives OVERFLOW and is skipped like an unknown one.
//!
//! | indicator | result for an input at scale s | exactness |
//! |---|---|---|
//! | sma | the sum, at s; the program divides by n | exact |
//! | ema | at s + 6, half-even | I64F64 steps |
//! | stdev | at s + 6, half-even | exact variance, correctly rounded root |
//! | highest, lowest | at s | exact |
//! | crossings | truth | exact |
//!
//! A crossing is fed with the truth of `a > b` (for under: `a < b`); "previous" is the last step
//! where that was known. The strategy stage owns a `SeriesState` for each bound strategy.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::order::Cause;

use crate::bounds::Bounds;
use crate::typed::Indicator;
use crate::value::Value;

mod average;
mod deviation;
mod extreme;
mod window;

use average::{Ema, Sma};
use deviation::Stdev;
use extreme::Extreme;

/// Decimals that `ema` and `stdev` add to their input's.
pub(crate) const FINER: u8 = 6;
/// Ten to [`FINER`].
const FINER_ONE: i128 = 1_000_000;

/// Version of the state image.
const VERSION: u32 = 1;

/// An indicator with its length in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeriesSpec {
    pub(crate) indicator: Indicator,
    /// From 1 to [`crate::limits::SERIES_LENGTH_MAX`]; 1 for the crossings.
    pub(crate) length: u32,
}

/// The series of one bound strategy: all its memory between steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesState {
    series: Vec<Series>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Series {
    Sma(Sma),
    Ema(Ema),
    Stdev(Stdev),
    Highest(Extreme),
    Lowest(Extreme),
    Cross(Cross),
}

/// What a crossing remembers: the truth at the last step where it was known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cross {
    before: Option<bool>,
}

impl SeriesState {
    /// Returns series without history.
    pub(crate) fn new(specs: &[SeriesSpec]) -> Self {
        Self { series: specs.iter().map(Series::new).collect() }
    }

    /// Advances series `index` by one value and returns its result.
    #[inline]
    pub(crate) fn update(&mut self, index: usize, input: Value) -> Value {
        let Some(series) = self.series.get_mut(index) else { return Value::MISSING };
        if input.is_na() {
            return input;
        }
        series.advance(input.raw())
    }
}

impl SeriesSpec {
    /// Returns the number of known inputs until the first value.
    pub(crate) fn warmup(&self) -> u64 {
        match self.indicator {
            Indicator::Crossover | Indicator::Crossunder => 2,
            Indicator::Sma
            | Indicator::Ema
            | Indicator::Highest
            | Indicator::Lowest
            | Indicator::Stdev => u64::from(self.length),
        }
    }

    /// Returns the number of steps behind the warm-up until an `ema`'s seed weighs less than 1e-6.
    pub(crate) fn settling(&self) -> u64 {
        if self.indicator != Indicator::Ema {
            return 0;
        }
        // The weight shrinks by (n - 1) / (n + 1) a step; units of 2^-60 hold 1e-6 to 12 digits.
        let n = u128::from(self.length);
        let (mut weight, least) = (1_u128 << 60, (1_u128 << 60) / 1_000_000);
        let mut steps = 0_u64;
        while weight >= least {
            weight = weight.saturating_mul(n.saturating_sub(1));
            weight = weight.checked_div(n.saturating_add(1)).unwrap_or(0);
            steps = steps.saturating_add(1);
        }
        steps
    }

    /// Returns the range of results for inputs of a range.
    pub(crate) fn range(&self, input: Bounds) -> Bounds {
        let most = |limit: i128| Bounds {
            lo: input.lo.max(limit.saturating_neg()),
            hi: input.hi.min(limit),
        };
        let times = |bounds: Bounds, factor: i128| bounds.mul(Bounds::exact(factor)).0;
        match self.indicator {
            Indicator::Sma => times(most(Sma::input_max(self.length)), i128::from(self.length)),
            // One unit more on both sides, for the rounding of the steps.
            Indicator::Ema => {
                let Bounds { lo, hi } = times(most(average::EMA_INPUT_MAX), FINER_ONE);
                Bounds { lo: lo.saturating_sub(1), hi: hi.saturating_add(1) }
            }
            Indicator::Stdev => {
                let largest = most(Stdev::input_max(self.length)).abs().hi;
                times(Bounds { lo: 0, hi: largest }, FINER_ONE)
            }
            Indicator::Highest | Indicator::Lowest => input,
            Indicator::Crossover | Indicator::Crossunder => Bounds::BOOL,
        }
    }

    /// Returns the bytes that a series holds.
    pub(crate) fn bytes(&self) -> usize {
        let length = usize::try_from(self.length).unwrap_or(0);
        let entry = match self.indicator {
            Indicator::Sma | Indicator::Stdev => size_of::<i128>(),
            Indicator::Highest | Indicator::Lowest => size_of::<extreme::Entry>(),
            Indicator::Ema | Indicator::Crossover | Indicator::Crossunder => 0,
        };
        entry.saturating_mul(length).saturating_add(size_of::<Series>())
    }
}

impl Series {
    fn new(spec: &SeriesSpec) -> Self {
        match spec.indicator {
            Indicator::Sma => Self::Sma(Sma::new(spec.length)),
            Indicator::Ema => Self::Ema(Ema::new(spec.length)),
            Indicator::Stdev => Self::Stdev(Stdev::new(spec.length)),
            Indicator::Highest => Self::Highest(Extreme::new(spec.length)),
            Indicator::Lowest => Self::Lowest(Extreme::new(spec.length)),
            Indicator::Crossover | Indicator::Crossunder => Self::Cross(Cross::default()),
        }
    }

    fn advance(&mut self, input: i128) -> Value {
        match self {
            Self::Sma(sma) => sma.advance(input),
            Self::Ema(ema) => ema.advance(input),
            Self::Stdev(stdev) => stdev.advance(input),
            Self::Highest(extreme) => extreme.advance(input, |new, old| new >= old),
            Self::Lowest(extreme) => extreme.advance(input, |new, old| new <= old),
            Self::Cross(cross) => cross.advance(input != 0),
        }
    }

    /// Names the indicator in an image.
    fn tag(&self) -> u8 {
        match self {
            Self::Sma(_) => 1,
            Self::Ema(_) => 2,
            Self::Stdev(_) => 3,
            Self::Highest(_) => 4,
            Self::Lowest(_) => 5,
            Self::Cross(_) => 6,
        }
    }
}

impl Cross {
    fn advance(&mut self, now: bool) -> Value {
        match self.before.replace(now) {
            Some(before) => Value::bool(now && !before),
            None => Value::na(Cause::Warmup),
        }
    }
}

impl Image for SeriesState {
    fn save(&self, out: &mut ImageWriter) {
        out.put(VERSION);
        out.put_len(self.series.len());
        for series in &self.series {
            out.put(series.tag());
            match series {
                Series::Sma(sma) => sma.save(out),
                Series::Ema(ema) => ema.save(out),
                Series::Stdev(stdev) => stdev.save(out),
                Series::Highest(extreme) | Series::Lowest(extreme) => extreme.save(out),
                Series::Cross(cross) => out.put_option(cross.before.map(u8::from)),
            }
        }
    }

    /// The state must come from the same program: another number, kind or length of series is
    /// refused.
    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        from.expect_version(VERSION)?;
        if from.take_len(self.series.len())? != self.series.len() {
            return Err(ImageError::Range);
        }
        for series in &mut self.series {
            if from.take::<u8>()? != series.tag() {
                return Err(ImageError::Range);
            }
            match series {
                Series::Sma(sma) => sma.load(from)?,
                Series::Ema(ema) => ema.load(from)?,
                Series::Stdev(stdev) => stdev.load(from)?,
                Series::Highest(extreme) | Series::Lowest(extreme) => extreme.load(from)?,
                Series::Cross(cross) => {
                    cross.before = from.take_option::<u8>()?.map(|before| before == 1);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
