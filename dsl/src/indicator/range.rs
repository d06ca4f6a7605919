//! What bars span: true range, its mean, and the day's mean price by volume.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::num::{Rounding, div_round};
use model::order::Cause;

use super::FINER_ONE;
use super::average::{Ema, Weight};
use crate::value::Value;

/// Nanoseconds of a day.
const DAY_NS: i128 = 86_400_000_000_000;

/// The true range: the bar's, widened to the close before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tr {
    before: Option<i128>,
}

/// Wilder's mean of the true range. The first bar counts with its own range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Atr {
    range: Tr,
    mean: Ema,
}

/// Price by volume since midnight UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vwap {
    day: i128,
    /// Sum of three prices of each bar times its volume.
    value: i128,
    volume: i128,
}

impl Tr {
    /// Returns the true range, and whether there was a close before.
    fn push(&mut self, high: i128, low: i128, close: i128) -> (i128, bool) {
        let own = high.saturating_sub(low);
        let Some(before) = self.before.replace(close) else { return (own, false) };
        let above = high.saturating_sub(before).saturating_abs();
        let below = low.saturating_sub(before).saturating_abs();
        (own.max(above).max(below), true)
    }

    pub(crate) fn advance(&mut self, [high, low, close]: [i128; 3]) -> Value {
        match self.push(high, low, close) {
            (range, true) => Value::known(range),
            (_, false) => Value::na(Cause::Warmup),
        }
    }
}

impl Atr {
    pub(crate) fn new(length: u32) -> Self {
        Self { range: Tr::default(), mean: Ema::new(length, Weight::Single) }
    }

    pub(crate) fn advance(&mut self, [high, low, close]: [i128; 3]) -> Value {
        let (range, _) = self.range.push(high, low, close);
        self.mean.advance(range)
    }
}

impl Vwap {
    /// Takes the sum of three prices, the volume and the end of a bar. A bar that ends at midnight
    /// is the last of its day.
    pub(crate) fn advance(&mut self, [prices, volume, end]: [i128; 3]) -> Value {
        let day = end.saturating_sub(1).div_euclid(DAY_NS);
        let before = if day == self.day { *self } else { Self { day, value: 0, volume: 0 } };
        let value = prices.checked_mul(volume).and_then(|v| before.value.checked_add(v));
        let total = before.volume.checked_add(volume);
        let (Some(value), Some(volume)) = (value, total) else {
            return Value::na(Cause::Overflow);
        };
        *self = Self { day, value, volume };
        if volume == 0 {
            return Value::na(Cause::DivZero);
        }
        let parts = volume.checked_mul(3);
        let mean = parts
            .and_then(|parts| div_round(value.checked_mul(FINER_ONE)?, parts, Rounding::HalfEven));
        mean.map_or(Value::na(Cause::Overflow), Value::known)
    }
}

impl Image for Tr {
    fn save(&self, out: &mut ImageWriter) {
        out.put_option(self.before);
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.before = from.take_option()?;
        Ok(())
    }
}

impl Image for Atr {
    fn save(&self, out: &mut ImageWriter) {
        self.range.save(out);
        self.mean.save(out);
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.range.load(from)?;
        self.mean.load(from)
    }
}

impl Image for Vwap {
    fn save(&self, out: &mut ImageWriter) {
        out.put(self.day);
        out.put(self.value);
        out.put(self.volume);
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.day = from.take()?;
        self.value = from.take()?;
        self.volume = from.take()?;
        Ok(())
    }
}
