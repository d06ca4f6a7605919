//! Stateful indicators in integers: rules-language.md 17 says what each means.
//!
//! Each takes one to three values a step and gives one back; memory is made once, for a length
//! known at bind.
//! An unknown input does not advance the series: the step gives that input's `na`, and the next
//! known input continues where the series stood. Until there is enough history a step gives WARMUP;
//! an input too large for exact arithmetic gives OVERFLOW and is skipped like an unknown one.
//!
//! | indicator | result for an input at scale s | exactness |
//! |---|---|---|
//! | sma | the sum, at s; the program divides by n | exact |
//! | wma | the weighted sum, at s; the program divides by n (n + 1) / 2 | exact |
//! | ema, rma, atr | at s + 6, half-even | I64F64 steps |
//! | rsi | at 9, half-even | of two rma |
//! | stdev | at s + 6, half-even | exact variance, correctly rounded root |
//! | zscore | at 9, half-even | exact variance, root of 63 bits |
//! | tr, highest, lowest | at s | exact |
//! | vwap | at s + 6, half-even | exact sums |
//! | crossings | truth | exact |
//! | lag | as it was, `na` too | exact |
//!
//! A `zscore` of a window that does not move and an `rsi` without any movement give FLAT.
//! A crossing is fed with the truth of `a > b` (for under: `a < b`); "previous" is the last step
//! where that was known. The strategy stage owns a `SeriesState` for each bound strategy.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::order::Cause;

use crate::bounds::Bounds;
use crate::frame::Frame;
use crate::typed::Indicator;
use crate::value::Value;

mod average;
mod deviation;
mod extreme;
mod lag;
mod momentum;
mod range;
mod window;

pub(crate) use average::Wma;
use average::{Ema, Sma, Weight};
use deviation::Stdev;
use extreme::Extreme;
use lag::Lag;
use momentum::Rsi;
use range::{Atr, Tr, Vwap};

/// Decimals that means and deviations add to their input's.
pub(crate) const FINER: u8 = 6;
/// Ten to [`FINER`].
const FINER_ONE: i128 = 1_000_000;
/// Decimals of what has no unit: `rsi` and `zscore`.
pub(crate) const RATIO_SCALE: u8 = 9;
/// Ten to [`RATIO_SCALE`].
const RATIO_ONE: i128 = 1_000_000_000;
/// LIMIT: inputs of one series: an operation has room for four.
pub(crate) const INPUTS_MAX: usize = 3;

/// Version of the state image.
const VERSION: u32 = 2;

/// An indicator with its length in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeriesSpec {
    pub(crate) indicator: Indicator,
    /// From 1 to [`crate::limits::SERIES_LENGTH_MAX`]; 1 for what has none.
    pub(crate) length: u32,
}

/// The series of one bound strategy: all its memory between steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesState {
    series: Vec<Series>,
    pub(crate) frames: Vec<FrameState>,
    /// What the last step said and occasions read.
    kept: Vec<Value>,
}

/// The longer bars of one length, and what the series over them say until the next one closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FrameState {
    pub(crate) frame: Frame,
    pub(crate) held: Vec<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Series {
    Sma(Sma),
    Wma(Wma),
    Ema(Ema),
    Rma(Ema),
    Rsi(Rsi),
    Tr(Tr),
    Atr(Atr),
    Vwap(Vwap),
    Stdev(Stdev),
    Zscore(Stdev),
    Highest(Extreme),
    Lowest(Extreme),
    Cross(Cross),
    Lag(Lag),
}

/// What a crossing remembers: the truth at the last step where it was known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cross {
    before: Option<bool>,
}

impl SeriesState {
    /// Returns series without history.
    pub(crate) fn new(specs: &[SeriesSpec]) -> Self {
        Self {
            series: specs.iter().map(Series::new).collect(),
            frames: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Reserves so many values of a step.
    pub(crate) fn keep(&mut self, count: usize) {
        self.kept = vec![Value::na(Cause::Warmup); count];
    }

    /// Returns what the last step said.
    pub(crate) fn kept(&self) -> &[Value] {
        &self.kept
    }

    /// Returns the same, to be renewed.
    pub(crate) fn kept_mut(&mut self) -> &mut [Value] {
        &mut self.kept
    }

    /// Adds longer bars, over which so many values are held.
    pub(crate) fn add_frame(&mut self, length_ns: i64, held: usize) {
        let held = vec![Value::na(Cause::Warmup); held];
        self.frames.push(FrameState { frame: Frame::new(length_ns), held });
    }

    /// Advances series `index` by one step and returns its result. Inputs that it does not have are
    /// known.
    #[inline]
    pub(crate) fn update(&mut self, index: usize, inputs: [Value; INPUTS_MAX]) -> Value {
        let Some(series) = self.series.get_mut(index) else { return Value::MISSING };
        let [first, second, third] = inputs;
        if let Series::Lag(lag) = series {
            return lag.advance(first);
        }
        match inputs.into_iter().find(|input| input.is_na()) {
            Some(unknown) => unknown,
            None => series.advance([first.raw(), second.raw(), third.raw()]),
        }
    }
}

impl SeriesSpec {
    /// Returns the number of known inputs until the first value.
    pub(crate) fn warmup(&self) -> u64 {
        let length = u64::from(self.length);
        match self.indicator {
            Indicator::Vwap => 1,
            Indicator::Tr | Indicator::Crossover | Indicator::Crossunder => 2,
            // One step more than it is long: a change, or the past, needs a value before.
            Indicator::Rsi | Indicator::Lag => length.saturating_add(1),
            Indicator::Sma
            | Indicator::Wma
            | Indicator::Ema
            | Indicator::Rma
            | Indicator::Atr
            | Indicator::Highest
            | Indicator::Lowest
            | Indicator::Stdev
            | Indicator::Zscore => length,
        }
    }

    /// Returns the number of steps behind the warm-up until the seed of an exponential mean weighs
    /// less than 1e-6.
    pub(crate) fn settling(&self) -> u64 {
        let n = u128::from(self.length);
        let (part, whole) = match self.indicator {
            Indicator::Ema => (n.saturating_sub(1), n.saturating_add(1)),
            Indicator::Rma | Indicator::Rsi | Indicator::Atr => (n.saturating_sub(1), n),
            Indicator::Sma
            | Indicator::Wma
            | Indicator::Tr
            | Indicator::Vwap
            | Indicator::Highest
            | Indicator::Lowest
            | Indicator::Stdev
            | Indicator::Zscore
            | Indicator::Crossover
            | Indicator::Crossunder
            | Indicator::Lag => return 0,
        };
        // The weight shrinks by part / whole a step; units of 2^-60 hold 1e-6 to 12 digits.
        let (mut weight, least) = (1_u128 << 60, (1_u128 << 60) / 1_000_000);
        let mut steps = 0_u64;
        while weight >= least {
            weight = weight.saturating_mul(part).checked_div(whole).unwrap_or(0);
            steps = steps.saturating_add(1);
        }
        steps
    }

    /// Returns the range of results for a first input of a range.
    pub(crate) fn range(&self, input: Bounds) -> Bounds {
        let most = |limit: i128| Bounds {
            lo: input.lo.max(limit.saturating_neg()),
            hi: input.hi.min(limit),
        };
        let times = |bounds: Bounds, factor: i128| bounds.mul(Bounds::exact(factor)).0;
        match self.indicator {
            Indicator::Sma => times(most(Sma::input_max(self.length)), i128::from(self.length)),
            Indicator::Wma => times(most(Wma::input_max(self.length)), Wma::weights(self.length)),
            // One unit more on both sides, for the rounding of the steps.
            Indicator::Ema | Indicator::Rma => {
                let Bounds { lo, hi } = times(most(average::EMA_INPUT_MAX), FINER_ONE);
                Bounds { lo: lo.saturating_sub(1), hi: hi.saturating_add(1) }
            }
            Indicator::Rsi => Bounds { lo: 0, hi: RATIO_ONE.saturating_mul(100) },
            Indicator::Tr => Bounds { lo: 0, hi: input.sub(input).0.abs().hi },
            Indicator::Atr => {
                let hi = average::EMA_INPUT_MAX.saturating_mul(FINER_ONE).saturating_add(1);
                Bounds { lo: 0, hi }
            }
            Indicator::Vwap => times(input, FINER_ONE),
            // At most the root of n - 1, and a length is at most 10,000.
            Indicator::Zscore => {
                let hi = RATIO_ONE.saturating_mul(100);
                Bounds { lo: hi.saturating_neg(), hi }
            }
            Indicator::Stdev => {
                let largest = most(Stdev::input_max(self.length)).abs().hi;
                times(Bounds { lo: 0, hi: largest }, FINER_ONE)
            }
            Indicator::Highest | Indicator::Lowest | Indicator::Lag => input,
            Indicator::Crossover | Indicator::Crossunder => Bounds::BOOL,
        }
    }

    /// Returns the bytes that a series holds.
    pub(crate) fn bytes(&self) -> usize {
        let length = usize::try_from(self.length).unwrap_or(0);
        let entry = match self.indicator {
            Indicator::Sma
            | Indicator::Wma
            | Indicator::Stdev
            | Indicator::Zscore
            | Indicator::Lag => size_of::<i128>(),
            Indicator::Highest | Indicator::Lowest => size_of::<extreme::Entry>(),
            Indicator::Ema
            | Indicator::Rma
            | Indicator::Rsi
            | Indicator::Tr
            | Indicator::Atr
            | Indicator::Vwap
            | Indicator::Crossover
            | Indicator::Crossunder => 0,
        };
        entry.saturating_mul(length).saturating_add(size_of::<Series>())
    }
}

impl Series {
    fn new(spec: &SeriesSpec) -> Self {
        match spec.indicator {
            Indicator::Sma => Self::Sma(Sma::new(spec.length)),
            Indicator::Wma => Self::Wma(Wma::new(spec.length)),
            Indicator::Ema => Self::Ema(Ema::new(spec.length, Weight::Double)),
            Indicator::Rma => Self::Rma(Ema::new(spec.length, Weight::Single)),
            Indicator::Rsi => Self::Rsi(Rsi::new(spec.length)),
            Indicator::Tr => Self::Tr(Tr::default()),
            Indicator::Atr => Self::Atr(Atr::new(spec.length)),
            Indicator::Vwap => Self::Vwap(Vwap::default()),
            Indicator::Stdev => Self::Stdev(Stdev::new(spec.length)),
            Indicator::Zscore => Self::Zscore(Stdev::new(spec.length)),
            Indicator::Highest => Self::Highest(Extreme::new(spec.length)),
            Indicator::Lowest => Self::Lowest(Extreme::new(spec.length)),
            Indicator::Crossover | Indicator::Crossunder => Self::Cross(Cross::default()),
            Indicator::Lag => Self::Lag(Lag::new(spec.length)),
        }
    }

    #[inline]
    fn advance(&mut self, inputs: [i128; INPUTS_MAX]) -> Value {
        let [input, ..] = inputs;
        match self {
            Self::Sma(sma) => sma.advance(input),
            Self::Wma(wma) => wma.advance(input),
            Self::Ema(ema) | Self::Rma(ema) => ema.advance(input),
            Self::Rsi(rsi) => rsi.advance(input),
            Self::Tr(range) => range.advance(inputs),
            Self::Atr(range) => range.advance(inputs),
            Self::Vwap(vwap) => vwap.advance(inputs),
            Self::Stdev(stdev) => stdev.advance(input),
            Self::Zscore(stdev) => stdev.score(input),
            Self::Highest(extreme) => extreme.advance(input, |new, old| new >= old),
            Self::Lowest(extreme) => extreme.advance(input, |new, old| new <= old),
            Self::Cross(cross) => cross.advance(input != 0),
            Self::Lag(lag) => lag.advance(Value::known(input)),
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
            Self::Wma(_) => 7,
            Self::Rma(_) => 8,
            Self::Rsi(_) => 9,
            Self::Tr(_) => 10,
            Self::Atr(_) => 11,
            Self::Vwap(_) => 12,
            Self::Zscore(_) => 13,
            Self::Lag(_) => 14,
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
                Series::Wma(wma) => wma.save(out),
                Series::Ema(ema) | Series::Rma(ema) => ema.save(out),
                Series::Rsi(rsi) => rsi.save(out),
                Series::Tr(range) => range.save(out),
                Series::Atr(range) => range.save(out),
                Series::Vwap(vwap) => vwap.save(out),
                Series::Lag(lag) => lag.save(out),
                Series::Stdev(stdev) | Series::Zscore(stdev) => stdev.save(out),
                Series::Highest(extreme) | Series::Lowest(extreme) => extreme.save(out),
                Series::Cross(cross) => out.put_option(cross.before.map(u8::from)),
            }
        }
        out.put_len(self.kept.len());
        for value in &self.kept {
            out.put(value.raw());
        }
        out.put_len(self.frames.len());
        for FrameState { frame, held } in &self.frames {
            frame.save(out);
            out.put_len(held.len());
            for value in held {
                out.put(value.raw());
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
                Series::Wma(wma) => wma.load(from)?,
                Series::Ema(ema) | Series::Rma(ema) => ema.load(from)?,
                Series::Rsi(rsi) => rsi.load(from)?,
                Series::Tr(range) => range.load(from)?,
                Series::Atr(range) => range.load(from)?,
                Series::Vwap(vwap) => vwap.load(from)?,
                Series::Lag(lag) => lag.load(from)?,
                Series::Stdev(stdev) | Series::Zscore(stdev) => stdev.load(from)?,
                Series::Highest(extreme) | Series::Lowest(extreme) => extreme.load(from)?,
                Series::Cross(cross) => {
                    cross.before = from.take_option::<u8>()?.map(|before| before == 1);
                }
            }
        }
        if from.take_len(self.kept.len())? != self.kept.len() {
            return Err(ImageError::Range);
        }
        for value in &mut self.kept {
            *value = Value::of_raw(from.take()?);
        }
        if from.take_len(self.frames.len())? != self.frames.len() {
            return Err(ImageError::Range);
        }
        for FrameState { frame, held } in &mut self.frames {
            frame.load(from)?;
            if from.take_len(held.len())? != held.len() {
                return Err(ImageError::Range);
            }
            for value in held {
                *value = Value::of_raw(from.take()?);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
