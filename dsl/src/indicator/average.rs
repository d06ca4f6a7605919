//! Means: simple and weighted by running integer sums, exponential in I64F64.

use fixed::types::I64F64;
use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::num::{Rounding, div_round};
use model::order::Cause;

use super::FINER_ONE;
use super::window::Window;
use crate::evaluate::op::LIMIT;
use crate::value::Value;

/// LIMIT: largest input of an `ema`: three bits below I64F64, for the sums within a step.
pub(crate) const EMA_INPUT_MAX: i128 = 1 << 60;

/// Sum of the last n inputs. The program divides by n, so the mean is exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sma {
    window: Window,
    sum: i128,
}

/// Sum of the last n inputs, the newest n-fold, the oldest once. The program divides by
/// n (n + 1) / 2, so the mean is exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wma {
    window: Window,
    sum: i128,
    weighted: i128,
}

/// How much of the way to its input an exponential mean goes in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// 2 / (n + 1): `ema`.
    Double,
    /// 1 / n: `rma`, Wilder's.
    Single,
}

/// Exponential mean, seeded by the simple mean of the first n inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ema {
    length: u32,
    weight: Weight,
    /// Inputs seen, up to the length.
    count: u32,
    /// Sum of the inputs until the seed.
    sum: i128,
    mean: I64F64,
}

impl Sma {
    pub(crate) fn new(length: u32) -> Self {
        Self { window: Window::new(length), sum: 0 }
    }

    /// Returns the largest input whose n-fold fits.
    pub(crate) fn input_max(length: u32) -> i128 {
        LIMIT.checked_div(i128::from(length)).unwrap_or(LIMIT)
    }

    pub(crate) fn advance(&mut self, input: i128) -> Value {
        let length = u32::try_from(self.window.length()).unwrap_or(u32::MAX);
        if input.saturating_abs() > Self::input_max(length) {
            return Value::na(Cause::Overflow);
        }
        let old = self.window.push(input);
        // Within the limit by the test above; saturating only because nothing may panic here.
        self.sum = self.sum.saturating_sub(old).saturating_add(input);
        if self.window.is_full() { Value::known(self.sum) } else { Value::na(Cause::Warmup) }
    }
}

impl Wma {
    pub(crate) fn new(length: u32) -> Self {
        Self { window: Window::new(length), sum: 0, weighted: 0 }
    }

    /// Returns the sum of the weights.
    pub(crate) fn weights(length: u32) -> i128 {
        let n = i128::from(length);
        n.saturating_mul(n.saturating_add(1)) / 2
    }

    /// Returns the largest input whose weighted sum fits.
    pub(crate) fn input_max(length: u32) -> i128 {
        LIMIT.checked_div(Self::weights(length)).unwrap_or(LIMIT)
    }

    pub(crate) fn advance(&mut self, input: i128) -> Value {
        let length = u32::try_from(self.window.length()).unwrap_or(u32::MAX);
        if input.saturating_abs() > Self::input_max(length) {
            return Value::na(Cause::Overflow);
        }
        let before = if self.window.is_full() { self.sum } else { 0 };
        let old = self.window.push(input);
        self.sum = self.sum.saturating_sub(old).saturating_add(input);
        // Every value held loses one weight; while the window fills, none does.
        let newest = self.window.held().saturating_mul(input);
        self.weighted = self.weighted.saturating_sub(before).saturating_add(newest);
        if self.window.is_full() { Value::known(self.weighted) } else { Value::na(Cause::Warmup) }
    }
}

impl Ema {
    pub(crate) fn new(length: u32, weight: Weight) -> Self {
        Self { length: length.max(1), weight, count: 0, sum: 0, mean: I64F64::ZERO }
    }

    pub(crate) fn advance(&mut self, input: i128) -> Value {
        match self.push(input) {
            Ok(()) => self.decimal(),
            Err(cause) => Value::na(cause),
        }
    }

    /// Takes an input; fails while there is no mean.
    pub(crate) fn push(&mut self, input: i128) -> Result<(), Cause> {
        if input.saturating_abs() > EMA_INPUT_MAX {
            return Err(Cause::Overflow);
        }
        if self.count < self.length {
            self.sum = self.sum.saturating_add(input);
            self.count = self.count.saturating_add(1);
            if self.count < self.length {
                return Err(Cause::Warmup);
            }
            self.mean = self.seed();
        } else {
            self.mean = self.stepped(input).ok_or(Cause::Overflow)?;
        }
        Ok(())
    }

    /// Returns the mean in units of 2^-64.
    pub(crate) fn bits(&self) -> i128 {
        self.mean.to_bits()
    }

    /// The sum over n: whole part and rest apart, because the sum may need more than 64 bits.
    fn seed(&self) -> I64F64 {
        let n = i128::from(self.length);
        let whole = self.sum.div_euclid(n);
        let rest = self.sum.rem_euclid(n);
        let fraction = div_round(rest.saturating_mul(1 << 64), n, Rounding::HalfEven).unwrap_or(0);
        I64F64::checked_from_num(whole)
            .unwrap_or(I64F64::ZERO)
            .saturating_add(I64F64::from_bits(fraction))
    }

    /// `prev + 2 * (x - prev) / (n + 1)`, or `prev + (x - prev) / n`: this form, and the division
    /// last, so that the weight itself is not rounded.
    fn stepped(&self, input: i128) -> Option<I64F64> {
        let length = i128::from(self.length);
        let (factor, divisor) = match self.weight {
            Weight::Double => (2, length.checked_add(1)?),
            Weight::Single => (1, length),
        };
        let way = I64F64::checked_from_num(input)?.checked_sub(self.mean)?;
        let step = way.checked_mul_int(factor)?;
        let step = div_round(step.to_bits(), divisor, Rounding::HalfEven)?;
        self.mean.checked_add(I64F64::from_bits(step))
    }

    /// The mean with six decimals more than the input, half-even.
    fn decimal(&self) -> Value {
        let bits = self.mean.to_bits();
        // Whole part and fraction apart, because the product of both would need 144 bits. The whole
        // part times a million is even, so halves of the fraction go to the even neighbour.
        let (whole, fraction) = (bits >> 64, bits & ((1 << 64) - 1));
        let fine = fraction.saturating_mul(FINER_ONE);
        // Not negative, so a shift is the division by 2^64, without the time that one takes.
        let (down, rest) = (fine >> 64, fine & ((1 << 64) - 1));
        let up = rest > 1 << 63 || rest == 1 << 63 && down & 1 == 1;
        let fine = down.saturating_add(i128::from(up));
        let number = whole.checked_mul(FINER_ONE);
        Value::known(number.map_or(0, |whole| whole.saturating_add(fine)))
    }
}

impl Image for Sma {
    fn save(&self, out: &mut ImageWriter) {
        self.window.save(out);
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.window.load(from)?;
        // The sum follows from the window, so an image cannot contradict itself.
        let add = |sum: i128, value: &i128| sum.checked_add(*value);
        self.sum = self.window.values().iter().try_fold(0, add).ok_or(ImageError::Range)?;
        Ok(())
    }
}

impl Image for Wma {
    fn save(&self, out: &mut ImageWriter) {
        self.window.save(out);
        out.put(self.sum);
        out.put(self.weighted);
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.window.load(from)?;
        self.sum = from.take()?;
        self.weighted = from.take()?;
        Ok(())
    }
}

impl Image for Ema {
    fn save(&self, out: &mut ImageWriter) {
        out.put(self.length);
        out.put(self.count);
        out.put(self.sum);
        out.put(self.mean.to_bits());
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        if from.take::<u32>()? != self.length {
            return Err(ImageError::Range);
        }
        self.count = from.take()?;
        self.sum = from.take()?;
        self.mean = I64F64::from_bits(from.take()?);
        if self.count > self.length { Err(ImageError::Range) } else { Ok(()) }
    }
}
