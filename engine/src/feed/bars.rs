//! Bars of any whole-second length, built from trades.
//!
//! A bar covers `[k * length, (k + 1) * length)` of receive time since the epoch and closes when
//! time reaches its end, before anything else of that moment. A span without trades makes no bar,
//! as on the charts that people compare with.

use model::codec::{Image, ImageError, ImageReader, ImageWriter};
use model::event::{Bar, BarExtra, Trade};
use model::id::InstrumentId;
use model::instrument::Instrument;
use model::num::{Money, Qty, Rounding};
use model::time::Nanos;

/// The builders of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bars {
    builders: Vec<Builder>,
}

/// One length on one instrument.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Builder {
    instrument: InstrumentId,
    length_ns: i64,
    price_decimals: u8,
    qty_decimals: u8,
    /// The open bar.
    open: Option<(BarExtra, Bar)>,
}

impl Bars {
    /// Adds bars of `length_ns` on an instrument; a second wish for the same changes nothing.
    pub fn want(&mut self, instrument: InstrumentId, length_ns: i64, facts: &Instrument) {
        let known =
            self.builders.iter().any(|b| b.instrument == instrument && b.length_ns == length_ns);
        if !known && length_ns > 0 {
            self.builders.push(Builder {
                instrument,
                length_ns,
                price_decimals: facts.price_scale.decimals(),
                qty_decimals: facts.qty_scale.decimals(),
                open: None,
            });
        }
    }

    /// Takes a trade received at `ts`.
    #[inline]
    pub fn trade(&mut self, instrument: InstrumentId, ts: Nanos, trade: &Trade) {
        for builder in self.builders.iter_mut().filter(|b| b.instrument == instrument) {
            builder.trade(ts, trade);
        }
    }

    /// Returns the earliest end of an open bar.
    #[inline]
    #[must_use]
    pub fn next_close(&self) -> Option<Nanos> {
        let open = self.builders.iter().filter_map(|builder| builder.open.as_ref());
        open.map(|(extra, _)| extra.start.plus(extra.length_ns)).min()
    }

    /// Closes one bar that ends at or before `now`.
    pub fn close(&mut self, now: Nanos) -> Option<(InstrumentId, BarExtra, Bar)> {
        let due = self.builders.iter_mut().find(|builder| {
            builder.open.as_ref().is_some_and(|(extra, _)| extra.start.plus(extra.length_ns) <= now)
        })?;
        let (extra, bar) = due.open.take()?;
        Some((due.instrument, extra, bar))
    }
}

impl Builder {
    fn trade(&mut self, ts: Nanos, trade: &Trade) {
        let price = trade.price;
        let value = model::num::notional(
            i128::from(price.0),
            self.price_decimals,
            i128::from(trade.qty.0),
            self.qty_decimals,
            Rounding::HalfEven,
        )
        .unwrap_or(Money::ZERO);
        let Some((extra, bar)) = &mut self.open else {
            let extra = BarExtra {
                start: ts.floor_to(self.length_ns),
                length_ns: self.length_ns,
                trades: 1,
                quote_volume: value,
            };
            let bar = Bar { open: price, high: price, low: price, close: price, volume: trade.qty };
            self.open = Some((extra, bar));
            return;
        };
        bar.high = bar.high.max(price);
        bar.low = bar.low.min(price);
        bar.close = price;
        bar.volume = Qty(bar.volume.0.saturating_add(trade.qty.0));
        extra.trades = extra.trades.saturating_add(1);
        extra.quote_volume = Money(extra.quote_volume.0.saturating_add(value.0));
    }
}

impl Image for Bars {
    fn save(&self, out: &mut ImageWriter) {
        out.put_len(self.builders.len());
        for builder in &self.builders {
            out.put(builder.open.is_some());
            let (extra, bar) = builder.open.unwrap_or_default();
            out.put(extra.start);
            out.put(extra.trades);
            out.put(extra.quote_volume);
            for price in [bar.open, bar.high, bar.low, bar.close] {
                out.put(price);
            }
            out.put(bar.volume);
        }
    }

    fn load(&mut self, from: &mut ImageReader<'_>) -> Result<(), ImageError> {
        if from.take_len(self.builders.len())? != self.builders.len() {
            return Err(ImageError::Range);
        }
        for builder in &mut self.builders {
            let is_open: bool = from.take()?;
            let extra = BarExtra {
                start: from.take()?,
                length_ns: builder.length_ns,
                trades: from.take()?,
                quote_volume: from.take()?,
            };
            let bar = Bar {
                open: from.take()?,
                high: from.take()?,
                low: from.take()?,
                close: from.take()?,
                volume: from.take()?,
            };
            builder.open = is_open.then_some((extra, bar));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
