//! Wilder's relative strength: gains against losses.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::num::{Rounding, div_round};
use model::order::Cause;

use super::RATIO_ONE;
use super::average::{Ema, Weight};
use crate::value::Value;

/// Bits that a mean keeps: with the factor of a percentage at nine decimals it still fits 126.
const MEAN_BITS: u32 = 88;

/// `100 * rma(gains) / (rma(gains) + rma(losses))`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rsi {
    before: Option<i128>,
    gains: Ema,
    losses: Ema,
}

impl Rsi {
    pub(crate) fn new(length: u32) -> Self {
        let mean = || Ema::new(length, Weight::Single);
        Self { before: None, gains: mean(), losses: mean() }
    }

    pub(crate) fn advance(&mut self, input: i128) -> Value {
        let Some(before) = self.before.replace(input) else { return Value::na(Cause::Warmup) };
        let change = input.saturating_sub(before);
        let gains = self.gains.push(change.max(0));
        let losses = self.losses.push(change.saturating_neg().max(0));
        if let Err(cause) = gains.and(losses) {
            return Value::na(cause);
        }
        let (mut gains, mut losses) = (self.gains.bits(), self.losses.bits());
        // Only their ratio counts, so large ones lose bits that nobody sees.
        let bits = 128_u32.saturating_sub((gains | losses).leading_zeros());
        let spare = bits.saturating_sub(MEAN_BITS);
        gains >>= spare;
        losses >>= spare;
        let all = gains.saturating_add(losses);
        if all == 0 {
            return Value::na(Cause::Flat);
        }
        let above = gains.saturating_mul(100).saturating_mul(RATIO_ONE);
        div_round(above, all, Rounding::HalfEven).map_or(Value::na(Cause::Overflow), Value::known)
    }
}

impl Image for Rsi {
    fn save(&self, out: &mut ImageWriter) {
        out.put_option(self.before);
        self.gains.save(out);
        self.losses.save(out);
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        self.before = from.take_option()?;
        self.gains.load(from)?;
        self.losses.load(from)
    }
}
